"""Images as a model takes them: its shape, its dtype and its scale."""

from dataclasses import dataclass, field

import numpy as np

from mcviz.data import DataSet, Pictures
from mcviz.model.examples import in_models_size, preprocessed, preprocessing_of, shape_for, takes_whole_numbers
from mcviz.model.sampler import Sampler
from mcviz.runs import Preprocessing, Run, ValueScale
from mcviz.validate import invalid


@dataclass(frozen=True)
class ImageAdapter:
    """Brings images into the form that a model takes: those of a run, and new ones that are to look like them.

    The model's shape may do without the axis of one channel, or be flat. What comes out is float32, or whole numbers
    for a model that takes them.

    Attributes:
        sampler: of the model.
        preprocessing: how the model takes a stored image.
        scale: which values of stored images stand for black and white.
    """

    sampler: Sampler
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    scale: ValueScale | None = None

    @classmethod
    def for_data(
        cls, sampler: Sampler, shape: tuple[int, ...], dtype: np.dtype, preprocessing: Preprocessing | None = None
    ) -> "ImageAdapter":
        """Make the adapter for images that are to be sampled.

        Args:
            sampler: of the model.
            shape: (N, height, width, channels) of the images.
            dtype: uint8 or float32.
            preprocessing: how the model takes them; found out from the model without it.

        Raises:
            InvalidInputError: images of another size than the model's, fractions for one that takes whole numbers, or
                preprocessing for other channels.
        """
        shape_for(sampler.input_shape, shape)
        if dtype != np.uint8 and takes_whole_numbers(sampler.input_dtype):
            raise invalid("data", "uint8 images, since the model takes whole numbers", dtype, "Save them as uint8.")
        if preprocessing is not None:
            preprocessing.check(shape[-1])
        return cls(sampler, preprocessing or preprocessing_of(sampler.model, sampler.input_dtype, dtype))

    @classmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> "tuple[ImageAdapter, np.ndarray | Pictures]":
        """Make the adapter for the images of a data set, and bring pictures from files to the model's size.

        Args:
            sampler: of the model.
            examples: with images.
            preprocessing: how the model takes them; found out from the model without it.

        Returns:
            The adapter, and the images as a run stores them.

        Raises:
            InvalidInputError: as `for_data`; the examples are no images; pictures differ in size, and the model takes
                any.
        """
        crop = preprocessing is not None and preprocessing.crop
        images = in_models_size(examples, sampler.input_shape, crop)
        return cls.for_data(sampler, images.shape, images.dtype, preprocessing), images

    @classmethod
    def for_run(cls, sampler: Sampler, run: Run) -> "ImageAdapter":
        """Make the adapter for the images of a run and for new ones, with a sampler of the run's model."""
        return cls(sampler, run.manifest.preprocessing, run.value_scale)

    def from_stored(self, images: np.ndarray) -> np.ndarray:
        """Bring images from the form in which a run stores them into the model's.

        Args:
            images: (N, height, width, channels) uint8, or float32.

        Returns:
            (N, ...) as the model takes them.

        Raises:
            InvalidInputError: images of another size.
        """
        shape = shape_for(self.sampler.input_shape, images.shape)
        taken = images.astype(np.float32) if images.dtype == np.uint8 else images.astype(np.float32, copy=False)
        if not self.preprocessing.applied:
            taken = preprocessed(taken, self.preprocessing)
        if takes_whole_numbers(self.sampler.input_dtype):
            return taken.round().astype(self.sampler.input_dtype).reshape(shape)
        return taken.reshape(shape)

    def from_unit_range(self, images: np.ndarray) -> np.ndarray:
        """Bring images from 0 (black) to 1 (white), float32 (N, height, width, channels), into the model's form.

        Raises:
            InvalidInputError: images of another size.
        """
        return self.from_stored(images if self.scale is None else self.scale.from_unit(images))
