"""Labelled images from `.npz` files, MNIST's own layout among them."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from mcviz import validate
from mcviz.errors import DataNotFoundError, InvalidInputError

MNIST_KEYS = ("x_train", "y_train", "x_test", "y_test")
IMAGES = ("N", "height", "width")


@dataclass(frozen=True)
class LabelledImages:
    """Images with their labels, checked and brought into one form.

    Attributes:
        images: (N, height, width, channels), uint8 in 0..255 or finite float32.
        labels: (N,) int64 class indices, or None where they are not known.
    """

    images: np.ndarray
    labels: np.ndarray | None

    @classmethod
    def checked(
        cls, images: np.ndarray, labels: np.ndarray | None, names: tuple[str, str] = ("images", "labels")
    ) -> "LabelledImages":
        """Check arrays and bring them into the form of this class.

        Args:
            images: (N, height, width) or (N, height, width, channels), uint8 in 0..255 or floating point.
            labels: (N,) integers from 0 upwards, or None.
            names: what an error calls the two arrays.

        Returns:
            The same images and labels; one channel is added where there was none.

        Raises:
            InvalidInputError: a wrong shape or dtype, no image at all, values that are not finite, or negative labels.
        """
        advice = "Reshape rows of pixels to the images that they are." if images.ndim == 2 else ""
        validate.shape(names[0], images, IMAGES, (*IMAGES, "channels"), advice=advice)
        validate.dtype(names[0], images, np.uint8, np.floating, advice="Save bytes of 0 to 255 as uint8.")
        if images.ndim == 3:
            images = images[..., None]
        if images.dtype != np.uint8:
            images = validate.finite(names[0], images.astype(np.float32, copy=False))
        if labels is not None:
            labels = validate.class_indices(names[1], labels, len(images))
        return cls(images, labels)


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
        The training and the test images, each (N, height, width, channels), with their labels.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: it is not an `.npz`, or its arrays are not MNIST-shaped.
    """
    with _archive(path) as archive:
        missing = [key for key in MNIST_KEYS if key not in archive]
        if missing:
            raise InvalidInputError(
                f"it is not MNIST-shaped: it lacks {', '.join(missing)} and holds {_names(archive)}. "
                f"Give an .npz with {', '.join(MNIST_KEYS)}"
            )
        train = LabelledImages.checked(archive["x_train"], archive["y_train"], ("x_train", "y_train"))
        test = LabelledImages.checked(archive["x_test"], archive["y_test"], ("x_test", "y_test"))
        if train.images.shape[1:] != test.images.shape[1:]:
            raise InvalidInputError(
                "x_train and x_test should hold images of one size. "
                f"Received: {train.images.shape[1:]} and {test.images.shape[1:]}."
            )
    return train, test


def read_images(path: str | Path) -> LabelledImages:
    """Read the images that a model is to be sampled on.

    Args:
        path: an `.npz` with `images` and, if known, `labels`; or with `x_test` and `y_test`, as MNIST is packed.

    Returns:
        (N, height, width, channels) images in the file's order, and their labels where the file has them.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: it is not an `.npz`, or its arrays are not images and labels.
    """
    with _archive(path) as archive:
        for names in (("images", "labels"), ("x_test", "y_test")):
            if names[0] in archive:
                return LabelledImages.checked(archive[names[0]], archive.get(names[1]), names)
        raise InvalidInputError(
            "it holds no images: expected an array named images (with labels, if known) or x_test (with y_test), "
            f"found {_names(archive)}. Save it with numpy.savez(path, images=…, labels=…)."
        )


@contextmanager
def _archive(path: str | Path) -> Iterator[NpzFile]:
    """The archive at `path`; whatever is wrong with it, or with what is read from it, names the file."""
    if not Path(path).is_file():
        raise DataNotFoundError(f"There is no data file {path}. Give the path of an .npz file.")
    try:
        with Path(path).open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise InvalidInputError("it is not an .npz. Save arrays with numpy.savez(path, images=…, labels=…).")
            file.seek(0)
            with NpzFile(file, allow_pickle=False) as archive:
                yield archive
    except InvalidInputError as error:
        raise InvalidInputError(f"{path} cannot be used: {error}") from error
    except (ValueError, OSError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidInputError(
            f"{path} cannot be read as an .npz of plain arrays ({error}). Save it with numpy.savez, without objects."
        ) from error


def _names(archive: NpzFile) -> str:
    return ", ".join(archive.files) or "no arrays"
