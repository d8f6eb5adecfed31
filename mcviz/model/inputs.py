"""Images as a model takes them: its shape, its dtype and its range."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np

from mcviz.data import as_model_input
from mcviz.model.sampler import Sampler, fits, shape_in_words, takes_whole_numbers
from mcviz.runs import Run
from mcviz.validate import invalid

SMALLEST_DIVISOR = 127
UNCHANGING = (  # layers that leave the range of the images as it is
    keras.layers.InputLayer,
    keras.layers.Resizing,
    keras.layers.CenterCrop,
    keras.layers.Reshape,
    keras.layers.Flatten,
)


@dataclass(frozen=True)
class ImageAdapter:
    """Brings images into the form that a model takes: those of a run, and new ones that are to look like them.

    The model's shape may do without the axis of one channel, or be flat. What comes out is float32, or whole numbers
    for a model that takes them.

    Attributes:
        sampler: of the model.
        divides_by_255: whether uint8 images are divided by 255.
        value_range: the values that stand for black and white where the model takes them.
    """

    sampler: Sampler
    divides_by_255: bool
    value_range: tuple[float, float] = (0, 1)

    @classmethod
    def for_data(cls, sampler: Sampler, images: np.ndarray) -> "ImageAdapter":
        """Make the adapter for images that are to be sampled.

        Args:
            sampler: of the model.
            images: (N, height, width, channels) uint8 or float32.

        Raises:
            InvalidInputError: images of another size than the model's, or fractions for one that takes whole numbers.
        """
        _shape_for(sampler, images.shape)
        if images.dtype == np.uint8:
            return cls(sampler, divides_by_255=not _takes_bytes(sampler))
        if takes_whole_numbers(sampler.input_dtype):
            expected = "uint8 images, since the model takes whole numbers"
            raise invalid("data", expected, images.dtype, "Save them as uint8.")
        return cls(sampler, divides_by_255=True)

    @classmethod
    def for_run(cls, sampler: Sampler, run: Run) -> "ImageAdapter":
        """Make the adapter for the images of a run and for new ones, with a sampler of the run's model."""
        return cls(sampler, run.divides_by_255, run.value_range)

    def from_stored(self, images: np.ndarray) -> np.ndarray:
        """Bring images from the form in which a run stores them into the model's.

        Args:
            images: (N, height, width, channels) uint8, or float32 in the model's range.

        Returns:
            (N, ...) as the model takes them.

        Raises:
            InvalidInputError: images of another size.
        """
        shape = _shape_for(self.sampler, images.shape)
        if images.dtype == np.uint8 and self.divides_by_255:
            images = as_model_input(images)
        if takes_whole_numbers(self.sampler.input_dtype):
            return images.round().astype(self.sampler.input_dtype).reshape(shape)
        return images.astype(np.float32, copy=False).reshape(shape)

    def from_unit_range(self, images: np.ndarray) -> np.ndarray:
        """Bring images from 0 (black) to 1 (white), float32 (N, height, width, channels), into the model's form.

        Raises:
            InvalidInputError: images of another size.
        """
        return self.from_stored(scaled_from_unit(images, self.value_range))


def scaled_from_unit(images: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """(N, ...) float32 with 0 and 1 brought to the two ends of a range."""
    low, high = value_range
    return images if (low, high) == (0, 1) else low + images * np.float32(high - low)


def _shape_for(sampler: Sampler, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which a model takes images of the shape (N, height, width, channels)."""
    wanted = sampler.input_shape
    if wanted is None or fits(shape[1:], wanted):
        return shape
    if shape[-1] == 1 and fits(shape[1:-1], wanted):
        return shape[:-1]
    if wanted == (math.prod(shape[1:]),):
        return shape[0], *wanted
    raise invalid("images", f"of the shape that the model takes, {shape_in_words(wanted)}", f"shape {shape}")


def _takes_bytes(sampler: Sampler) -> bool:
    """Whether a model takes images in 0..255: it takes whole numbers, or begins by dividing itself."""
    if takes_whole_numbers(sampler.input_dtype):
        return True
    model = sampler.model
    first = next(_layers_that_change_the_range(model), None) if getattr(model, "inputs", None) else None
    return isinstance(first, keras.layers.Rescaling) and 0 < np.max(first.scale) <= 1 / SMALLEST_DIVISOR


def _layers_that_change_the_range(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers_that_change_the_range(layer)
        elif not isinstance(layer, UNCHANGING) and not type(layer).__name__.startswith("Rand"):  # augmentation
            yield layer
