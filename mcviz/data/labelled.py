"""Labelled images from `.npz` files, MNIST's own layout among them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcviz import validate
from mcviz.data.npz import Arrays, opened_npz
from mcviz.errors import InvalidInputError

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
        _check_form(images, names[0])
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
    with opened_npz(path) as arrays:
        missing = [key for key in MNIST_KEYS if key not in arrays]
        if missing:
            raise InvalidInputError(
                f"it is not MNIST-shaped: it lacks {', '.join(missing)} and holds {arrays}. "
                f"Give an .npz with {', '.join(MNIST_KEYS)}"
            )
        train = _read(arrays, ("x_train", "y_train"))
        test = _read(arrays, ("x_test", "y_test"))
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
    with opened_npz(path) as arrays:
        for names in (("images", "labels"), ("x_test", "y_test")):
            if names[0] in arrays:
                return _read(arrays, names)
        raise InvalidInputError(
            "it holds no images: expected an array named images (with labels, if known) or x_test (with y_test), "
            f"found {arrays}. Save it with numpy.savez(path, images=…, labels=…)."
        )


def _read(arrays: Arrays, names: tuple[str, str]) -> LabelledImages:
    """Read images and labels, whose shapes and dtypes are looked at before they are unpacked."""
    images, labels = names
    form = arrays.form(images)
    _check_form(form, images)
    if labels in arrays:
        validate.form_of_indices(labels, arrays.form(labels), len(form))
    return LabelledImages.checked(arrays.read(images), arrays.read(labels) if labels in arrays else None, names)


def _check_form(images: np.ndarray, name: str) -> None:
    advice = "Reshape rows of pixels to the images that they are." if images.ndim == 2 else ""
    validate.shape(name, images, IMAGES, (*IMAGES, "channels"), advice=advice)
    validate.dtype(name, images, np.uint8, np.floating, advice="Save bytes of 0 to 255 as uint8.")
