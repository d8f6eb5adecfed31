"""MNIST and data sets that are packed like it, with a training and a test split."""

from pathlib import Path

from mcviz.data.arrays import read_arrays
from mcviz.data.data_set import DataSet
from mcviz.data.idx import read_idx
from mcviz.data.labels import labels_beside
from mcviz.data.npz import opened_npz
from mcviz.data.npz_examples import read_pair
from mcviz.errors import InvalidInputError

Splits = tuple[DataSet, DataSet]
MNIST_KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_mnist(path: str | Path) -> Splits:
    """Read a training and a test split, packed as MNIST is.

    Args:
        path: an `.npz` with uint8 `x_train`, `x_test` (N, height, width) and integer `y_train`, `y_test` (N,), as
            `keras.datasets.mnist` has it; or a folder with the four IDX files as MNIST is published.

    Returns:
        The training and the test images, each (N, height, width, channels), with their labels.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: it is neither, or its arrays are not MNIST-shaped.
    """
    if Path(path).is_dir():
        return _of_idx(Path(path))
    with opened_npz(path) as arrays:
        missing = [key for key in MNIST_KEYS if key not in arrays]
        if missing:
            raise InvalidInputError(
                f"it is not MNIST-shaped: it lacks {', '.join(missing)} and holds {arrays}. "
                f"Give an .npz with {', '.join(MNIST_KEYS)}"
            )
        return _of_one_size(read_pair(arrays, "x_train", "y_train"), read_pair(arrays, "x_test", "y_test"))


def _of_idx(folder: Path) -> Splits:
    splits = []
    for split in ("train", "t10k"):
        images = next(iter(sorted(folder.glob(f"{split}-images-idx3-ubyte*"))), None)
        labels = None if images is None else labels_beside(images)
        if images is None or labels is None:
            raise InvalidInputError(
                f"{folder} cannot be used: it lacks the images or labels of MNIST's {split} files, such as "
                f"{split}-images-idx3-ubyte.gz and {split}-labels-idx1-ubyte.gz."
            )
        splits.append(read_arrays(read_idx(images), read_idx(labels)))
    return _of_one_size(*splits)


def _of_one_size(train: DataSet, test: DataSet) -> Splits:
    sizes = train.pixels.shape[1:], test.pixels.shape[1:]
    if sizes[0] != sizes[1]:
        raise InvalidInputError(
            f"the training and the test images should be of one size. Received: {sizes[0]} and {sizes[1]}."
        )
    return train, test
