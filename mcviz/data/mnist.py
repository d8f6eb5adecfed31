"""IDX, the format in which MNIST is published, gzipped or not; and data sets packed like MNIST, in two splits."""

import gzip
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from mcviz.data.arrays import read_arrays
from mcviz.data.data_set import DataSet
from mcviz.data.labels import find_labels_file
from mcviz.data.npz import open_npz
from mcviz.data.npz_examples import read_pair
from mcviz.errors import InvalidInputError

Splits = tuple[DataSet, DataSet]
GZIP = b"\x1f\x8b"
UINT8 = b"\x00\x00\x08"
IDX_SPLITS = ("t10k", "test", "train")
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
        return _read_idx_splits(Path(path))
    with open_npz(path) as arrays:
        missing = [key for key in MNIST_KEYS if key not in arrays]
        if missing:
            raise InvalidInputError(
                f"it is not MNIST-shaped: it lacks {', '.join(missing)} and holds {arrays}. "
                f"Give an .npz with {', '.join(MNIST_KEYS)}"
            )
        return _check_sizes(read_pair(arrays, "x_train", "y_train"), read_pair(arrays, "x_test", "y_test"))


def _read_idx_splits(folder: Path) -> Splits:
    splits = []
    for split in ("train", "t10k"):
        images = next(iter(sorted(folder.glob(f"{split}-images-idx3-ubyte*"))), None)
        labels = None if images is None else find_labels_file(images)
        if images is None or labels is None:
            raise InvalidInputError(
                f"{folder} cannot be used: it lacks the images or labels of MNIST's {split} files, such as "
                f"{split}-images-idx3-ubyte.gz and {split}-labels-idx1-ubyte.gz."
            )
        splits.append(read_arrays(read_idx(images), read_idx(labels)))
    return _check_sizes(*splits)


def _check_sizes(train: DataSet, test: DataSet) -> Splits:
    sizes = train.pixels.shape[1:], test.pixels.shape[1:]
    if sizes[0] != sizes[1]:
        raise InvalidInputError(
            f"the training and the test images should be of one size. Received: {sizes[0]} and {sizes[1]}."
        )
    return train, test


def is_idx(path: Path) -> bool:
    """Whether a file is IDX of bytes, by its content."""
    try:
        with _open_unpacked(path) as file:
            return file.read(3) == UINT8
    except (OSError, EOFError):
        return False


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file.

    Returns:
        uint8 of the shape that its header names.

    Raises:
        InvalidInputError: it is not IDX of bytes, or shorter or longer than its header says.
    """
    try:
        with _open_unpacked(path) as file:
            if file.read(3) != UINT8:
                raise InvalidInputError(f"{path} is no IDX file of bytes.")
            axes = file.read(1)[0]
            shape = tuple(int.from_bytes(file.read(4), "big") for _ in range(axes))
            expected = math.prod(shape)
            values = _read_bytes(file, expected)
    except (OSError, EOFError, IndexError) as error:
        raise InvalidInputError(f"{path} cannot be read as IDX ({error}).") from error
    if len(values) != expected:
        raise InvalidInputError(f"{path} should hold {expected:,} bytes for its shape {shape}, and does not.")
    return np.frombuffer(values, np.uint8).reshape(shape)


def find_images_file(folder: Path) -> Path | None:
    """Find the file of images in a folder, that of the test split where there are several."""
    found = sorted(path for path in folder.iterdir() if "idx3" in path.name and path.is_file() and is_idx(path))
    found.sort(
        key=lambda path: next((place for place, split in enumerate(IDX_SPLITS) if split in path.name), len(IDX_SPLITS))
    )
    return found[0] if found else None


@contextmanager
def _open_unpacked(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.open(file) as unpacked:
            yield unpacked


def _read_bytes(file: IO[bytes] | gzip.GzipFile, expected: int) -> bytes:
    """Read so many bytes, or fewer or one more where the file has them; part by part, so that a header may lie."""
    parts, left = [], expected + 1
    while left and (part := file.read(min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
