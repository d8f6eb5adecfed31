"""Images as a model takes them: its shape, its dtype and its scale."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from msgspec.structs import replace

from mcviz.data import DataSet, InPlace, Pictures
from mcviz.data.resizing import convert_channels, resize_images
from mcviz.runs import Preprocessing, Run, StoredImages, ValueScale
from mcviz.sampling.adapters.base import Adapter
from mcviz.sampling.examples import (
    default_preprocessing,
    model_shape,
    preprocess,
    resize_for_transform,
    resize_to_model,
    takes_whole_numbers,
)
from mcviz.sampling.sampler import Sampler
from mcviz.validate import invalid


@dataclass(frozen=True)
class ImageAdapter(Adapter):
    """Brings images into the form that a model takes: those of a run, and new ones that are to look like them.

    The model's shape may do without the axis of one channel, or be flat. What comes out is float32, or whole numbers
    for a model that takes them, or uint8 for a transform.

    Attributes:
        scale: which values of stored images stand for black and white.
    """

    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    scale: ValueScale | None = None

    question = "and the classes in the same order"

    @classmethod
    def for_data(
        cls, sampler: Sampler, shape: tuple[int, ...], dtype: np.dtype, preprocessing: Preprocessing | None = None
    ) -> Self:
        """Make the adapter for images that are to be sampled.

        Args:
            sampler: of the model.
            shape: (N, height, width, channels) of the images.
            dtype: uint8 or float32.
            preprocessing: how the model takes them; found out from the model without it.

        Raises:
            InvalidInputError: images of another size than the model's, fractions for one that takes whole numbers or
                for a transform, or preprocessing for other channels.
        """
        if sampler.network.transform is None:
            model_shape(sampler.input_shape, shape)
        elif dtype != np.uint8:
            advice = "Leave out the transform where the images are prepared already."
            raise invalid("data", "uint8 images or pictures, which the transform takes", dtype, advice)
        if dtype != np.uint8 and takes_whole_numbers(sampler.input_dtype):
            raise invalid("data", "uint8 images, since the model takes whole numbers", dtype, "Save them as uint8.")
        if preprocessing is not None:
            preprocessing.check(shape[-1])
        return cls(sampler, preprocessing or default_preprocessing(sampler.network, dtype))

    @classmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple[Self, np.ndarray | Pictures | InPlace]:
        """See `Adapter`; pictures from files are brought to the model's size, and to one where it takes any."""
        crop = preprocessing is not None and preprocessing.crop
        if sampler.network.transform is None:
            images = resize_to_model(examples, sampler.input_shape, crop)
        else:
            images = resize_for_transform(examples, crop)
        return cls.for_data(sampler, images.shape, images.dtype, preprocessing), images

    @classmethod
    def for_run(cls, sampler: Sampler, run: Run) -> Self:
        return cls(sampler, run.manifest.preprocessing, run.value_scale)

    @classmethod
    def load_stored(cls, run: Run) -> StoredImages:
        """See `Adapter`: (N, height, width, channels), which are read as they are indexed."""
        return run.images

    @classmethod
    def load_shown(cls, run: Run, examples: np.ndarray) -> np.ndarray:
        """See `Adapter`: (n, height, width, channels) float32 in 0..1."""
        return run.value_scale.to_unit(run.images[examples])

    def from_stored(self, images: np.ndarray) -> np.ndarray:
        """See `Adapter`: of (N, height, width, channels) uint8, or float32."""
        if self.sampler.network.transform is not None:
            return images if images.dtype == np.uint8 else images.round().clip(0, 255).astype(np.uint8)
        shape = model_shape(self.sampler.input_shape, images.shape)
        taken = images.astype(np.float32) if images.dtype == np.uint8 else images.astype(np.float32, copy=False)
        if not self.preprocessing.applied:
            taken = preprocess(taken, self.preprocessing)
        if takes_whole_numbers(self.sampler.input_dtype):
            return taken.round().astype(self.sampler.input_dtype).reshape(shape)
        return taken.reshape(shape)

    def from_inputs(self, images: np.ndarray) -> np.ndarray:
        """See `Adapter`: of (N, height, width, channels) float32 from 0 (black) to 1 (white)."""
        return self.from_stored(images if self.scale is None else self.scale.from_unit(images))

    def read_inputs(self, run: Run, examples: DataSet) -> np.ndarray:
        """See `Adapter`: (N, height, width, channels) float32 in 0..1, in size and colours like the run's images."""
        images, shape = examples.images, run.image_shape
        assert images is not None
        if isinstance(images, Pictures):
            return images.resize((shape[0], shape[1], shape[2]))[:] / np.float32(255)
        images = images[:]
        low, high = (0, 255) if images.dtype == np.uint8 else (float(images.min()), float(images.max()))
        if images.dtype == np.uint8 or (low >= 0 and 1 < high <= 255 and not run.value_scale.stretched):
            unit = images / np.float32(255)
        elif low >= 0 and high <= 1:
            unit = images
        else:  # prepared as the run's own are, or there is no knowing how
            unit = run.value_scale.to_unit(images)
        return resize_images(convert_channels(unit, shape[2]), shape[:2])

    def describe(self, images: np.ndarray) -> str:
        """See `Adapter`: size, dtype and range."""
        size = " × ".join(map(str, images.shape[1:]))
        return f"{size}, {images.dtype}, {float(images.min()):g} to {float(images.max()):g}"

    def alternatives(self, images: np.ndarray) -> list[tuple[Adapter, str]]:
        """See `Adapter`: other scales."""
        if self.sampler.network.transform is not None:
            return []
        whole, now = images.dtype == np.uint8 or float(images.max()) > 1, self.preprocessing.divide_by
        scales = [scale for scale in ((1.0, 255.0, 127.5) if whole else (1.0, 1 / 255)) if scale != now]
        others = [replace(self.preprocessing, divide_by=scale) for scale in scales]
        return [(ImageAdapter(self.sampler, other), f"--scale {other.divide_by:g}") for other in others]

    def doubts(self, images: np.ndarray) -> str:
        """See `Adapter`: a range that a model rarely takes."""
        how, highest = self.preprocessing, float(images.max())
        untouched = how.divide_by == 1 and not how.mean and not how.applied
        if images.dtype == np.uint8 or not untouched or self.sampler.network.scaling_layer is not None:
            return ""
        if images.min() < 0 or highest <= 1:
            return ""
        return (
            f"The images go up to {highest:g} and reach the model as they are. If it was trained on 0..1, give --scale."
        )
