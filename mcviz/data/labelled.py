"""Labelled images from `.npz` files, MNIST's own layout among them."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcviz.errors import DataNotFoundError, InvalidInputError

MNIST_KEYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class LabelledImages:
    """Images with their true classes.

    Attributes:
        images: (N, height, width, channels), uint8 in 0..255 or float32.
        labels: (N,) int64 class indices, or None where nobody knows them.
    """

    images: np.ndarray
    labels: np.ndarray | None


def as_model_input(images: np.ndarray) -> np.ndarray:
    """Images as a model trained on 0..1 takes them: uint8 divided by 255, float32 as it is.

    Args:
        images: (N, …) uint8 or floating point.

    Returns:
        (N, …) float32.
    """
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    return images.astype(np.float32, copy=False)


def read_mnist(path: str | Path) -> tuple[LabelledImages, LabelledImages]:
    """Read a file laid out as `keras.datasets.mnist` packs it.

    Args:
        path: an `.npz` with uint8 `x_train`, `x_test` (N, height, width) and integer `y_train`, `y_test` (N,).

    Returns:
        The training and the test images, each (N, height, width, 1) uint8.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: it is not an `.npz`, or its arrays are not MNIST-shaped.
    """
    arrays = _read_npz(path)
    missing = [key for key in MNIST_KEYS if key not in arrays]
    if missing:
        raise InvalidInputError(
            f"{path} is not MNIST-shaped: it lacks {', '.join(missing)} and holds {_listed(arrays)}. "
            f"Give an .npz with {', '.join(MNIST_KEYS)}."
        )
    train = _labelled(path, "x_train", arrays["x_train"], "y_train", arrays["y_train"])
    test = _labelled(path, "x_test", arrays["x_test"], "y_test", arrays["y_test"])
    return train, test


def read_test_images(path: str | Path) -> LabelledImages:
    """Read the images that a model is to be asked about.

    Args:
        path: an `.npz` with `images` and, if known, `labels`; or with `x_test` and `y_test`, as MNIST is packed.

    Returns:
        (N, height, width, channels) images in the file's order, and their labels where the file has them.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: it is not an `.npz`, or its arrays are not images and labels.
    """
    arrays = _read_npz(path)
    for images_key, labels_key in (("images", "labels"), ("x_test", "y_test")):
        if images_key in arrays:
            return _labelled(path, images_key, arrays[images_key], labels_key, arrays.get(labels_key))
    raise InvalidInputError(
        f"{path} holds no images: expected an array named images (with labels, if known) or x_test (with y_test), "
        f"found {_listed(arrays)}. Save it with numpy.savez(path, images=…, labels=…)."
    )


def _read_npz(path: str | Path) -> dict[str, np.ndarray]:
    path = Path(path)
    if not path.is_file():
        raise DataNotFoundError(f"There is no data file {path}. Give the path of an .npz file.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            if isinstance(archive, np.ndarray):
                raise InvalidInputError(f"{path} is a single array, not an .npz. Save it with numpy.savez.")
            return {key: archive[key] for key in archive.files}
    except InvalidInputError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInputError(
            f"{path} cannot be read as an .npz of plain arrays ({error}). Save it with numpy.savez, without objects."
        ) from error


def _labelled(
    path: str | Path, images_key: str, images: np.ndarray, labels_key: str, labels: np.ndarray | None
) -> LabelledImages:
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or 0 in images.shape:
        raise InvalidInputError(
            f"{images_key} in {path} should be (N, height, width) or (N, height, width, channels), not empty. "
            f"Received: shape {images.shape}."
        )
    if images.dtype != np.uint8:
        if not np.issubdtype(images.dtype, np.floating):
            raise InvalidInputError(
                f"{images_key} in {path} should be uint8 in 0..255 or floating point. Received: dtype {images.dtype}."
            )
        images = images.astype(np.float32)
    if labels is not None:
        if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
            raise InvalidInputError(
                f"{labels_key} in {path} should be {len(images)} class indices from 0 upwards, one an image. "
                f"Received: shape {labels.shape}, dtype {labels.dtype}."
            )
        labels = labels.astype(np.int64)
    return LabelledImages(images, labels)


def _listed(arrays: dict[str, np.ndarray]) -> str:
    return ", ".join(f"{key} {array.shape}" for key, array in arrays.items()) or "no arrays"
