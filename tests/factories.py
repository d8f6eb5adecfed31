"""What tests of several folders work on, made small."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import keras

# Files that users bring


def encode_picture(picture: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file: of a uint8 array (H, W), (H, W, 1) or (H, W, channels), or of Pillow's own."""
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 and picture.ndim == 3 else picture)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


# Networks


def dropout_network(
    shape: tuple[int | None, ...],
    *front: "keras.Layer",
    classes: int = 4,
    hidden: int = 0,
    rate: float = 0.5,
    activation: str | None = "softmax",
    dtype: str = "float32",
    seed: int = 0,
) -> "keras.Model":
    """A Keras model of `front`, a dense layer where `hidden` has units for it, dropout and a dense layer."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(seed)
    dense = [layers.Dense(hidden, "relu", name="hidden")] if hidden else []
    last = [layers.Dropout(rate, seed=1, name="dropped"), layers.Dense(classes, activation, name="classes")]
    return keras.Sequential([keras.Input(shape, dtype=dtype), *front, layers.Flatten(), *dense, *last], name="small")


# Stopping


class Stop(BaseException):
    """What Streamlit raises to leave a page, and no `Exception`."""


def stop_after(share: float) -> Callable[[int, int], None]:
    """A progress that raises `Stop` when more than a share is done."""

    def progress(done: int, total: int) -> None:
        if done > share * total:
            raise Stop

    return progress
