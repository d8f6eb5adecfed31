"""Adapters from kinds of examples to the input of a model."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from msgspec.structs import replace

from mcviz.data import DataSet, LazyRows, Pictures
from mcviz.data.content import Content
from mcviz.data.pictures import convert_channels, resize_images
from mcviz.kinds import Image, Kind, Row, Text, find_kind
from mcviz.runs import Preprocessing, Run, ValueScale
from mcviz.runs.tables import Rows
from mcviz.sampling.examples import (
    BY_TRANSFORM,
    default_preprocessing,
    fits_shape,
    format_shape,
    model_shape,
    preprocess,
    resize_for_transform,
    resize_to_model,
    takes_whole_numbers,
)
from mcviz.sampling.sampler import Sampler
from mcviz.validate import invalid

ARRAYS_AS_THEY_ARE = Preprocessing(reason="The arrays are what the model takes.")

ROWS_AS_THEY_ARE = Preprocessing(reason="Rows reach the model as they are.")

IN_THE_MODEL = Preprocessing(reason="The model makes numbers of the words by itself.")


@dataclass(frozen=True)
class Adapter(ABC):
    """An adapter of examples, stored or new, to a model's input.

    Attributes:
        sampler: of the model.
        preprocessing: of a stored example for the model.
        hint_where_accuracy_is_poor: the question if a model is poor, after "Are the … prepared as they were in
            training, ".
    """

    sampler: Sampler
    preprocessing: Preprocessing

    hint_where_accuracy_is_poor: ClassVar[str]

    @classmethod
    @abstractmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple[Self, Rows]:
        """Return the adapter of a data set, and its examples as stored.

        Args:
            sampler: of the model.
            examples: of the kind.
            preprocessing: of the examples; None derives it from the model.

        Raises:
            InvalidInputError: they do not fit the model.
        """

    @classmethod
    def for_run(cls, sampler: Sampler, run: Run) -> Self:
        """Return the adapter of a run's and new examples."""
        return cls(sampler, run.manifest.preprocessing)

    @classmethod
    def load_stored(cls, run: Run) -> Rows:
        """Return stored examples for `from_stored`.

        Raises:
            McvizError: the run was kept without them.
        """
        return _to_array(run.kind.content.from_columns(run.content))

    @classmethod
    def load_shown(cls, run: Run, examples: np.ndarray) -> np.ndarray:
        """Return displayed examples by number for `from_inputs`.

        Raises:
            McvizError: the run was kept without them.
        """
        return _to_array(run.kind.content.from_columns(run.content.iloc[examples]))

    @abstractmethod
    def from_stored(self, examples: np.ndarray) -> np.ndarray:
        """Convert stored examples to model inputs, (N, …).

        Raises:
            InvalidInputError: of another shape.
        """

    def from_inputs(self, inputs: np.ndarray) -> np.ndarray:
        """Convert displayed new examples to model inputs, (N, …).

        Raises:
            InvalidInputError: of another shape.
        """
        return self.from_stored(inputs)

    def read_inputs(self, run: Run, examples: DataSet) -> np.ndarray:
        """Return examples from elsewhere in the displayed form of a run's.

        Raises:
            InvalidInputError: the form cannot be converted into the run's.
        """
        raise NotImplementedError

    @abstractmethod
    def describe(self, examples: np.ndarray) -> str:
        """Describe some examples in a few words."""

    def alternatives(self, examples: np.ndarray) -> list[tuple["Adapter", str]]:
        """Return adapters with other preparation, each with its option."""
        return []

    def doubts(self, examples: np.ndarray) -> str:
        """Return a doubt about the preparation, or ""."""
        return ""


@dataclass(frozen=True)
class ImageAdapter(Adapter):
    """An adapter of images, stored or new.

    A model's shape may lack the channel axis or be flat. Results are float32, whole numbers if the model takes them, or
    uint8 for transforms.

    Attributes:
        scale: the values of black and white in stored images.
    """

    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    scale: ValueScale | None = None

    hint_where_accuracy_is_poor = "and the classes in the same order"

    @classmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple[Self, np.ndarray | Pictures | LazyRows]:
        """Fit pictures from files to the model's size, or to one size.

        Raises:
            InvalidInputError: images of another size than the model's, fractions for one that takes whole numbers or
                for a transform, or preprocessing for other channels.
        """
        crop = preprocessing is not None and preprocessing.crop
        if sampler.network.transform is None:
            images = resize_to_model(examples, sampler.input_shape, crop)
            model_shape(sampler.input_shape, images.shape)
        else:
            images = resize_for_transform(examples, crop)
        dtype = images.dtype
        if dtype != np.uint8 and sampler.network.transform is not None:
            advice = "Leave out the transform where the images are prepared already."
            raise invalid("data", "uint8 images or pictures, which the transform takes", dtype, advice)
        if dtype != np.uint8 and takes_whole_numbers(sampler.input_dtype):
            raise invalid("data", "uint8 images, since the model takes whole numbers", dtype, "Save them as uint8.")
        if preprocessing is not None:
            preprocessing.check(images.shape[-1])
        return cls(sampler, preprocessing or default_preprocessing(sampler.network, dtype)), images

    @classmethod
    def for_run(cls, sampler: Sampler, run: Run) -> Self:
        return cls(sampler, run.manifest.preprocessing, run.value_scale)

    @classmethod
    def load_stored(cls, run: Run) -> LazyRows:
        """Return lazy (N, height, width, channels)."""
        return run.images

    @classmethod
    def load_shown(cls, run: Run, examples: np.ndarray) -> np.ndarray:
        """Return (n, height, width, channels) float32 in 0..1."""
        return run.value_scale.to_unit(run.images[examples])

    def from_stored(self, images: np.ndarray) -> np.ndarray:
        """Convert (N, height, width, channels) uint8, or float32."""
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
        """Convert (N, height, width, channels) float32, 0 (black) to 1 (white)."""
        return self.from_stored(images if self.scale is None else self.scale.from_unit(images))

    def read_inputs(self, run: Run, examples: DataSet) -> np.ndarray:
        """Return (N, height, width, channels) float32 in 0..1.

        Size and colours are those of the run's images.
        """
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
        else:  # prepared like the run's own, or in an unknown way
            unit = run.value_scale.to_unit(images)
        return resize_images(convert_channels(unit, shape[2]), shape[:2])

    def describe(self, images: np.ndarray) -> str:
        size = " × ".join(map(str, images.shape[1:]))
        return f"{size}, {images.dtype}, {float(images.min()):g} to {float(images.max()):g}"

    def alternatives(self, images: np.ndarray) -> list[tuple[Adapter, str]]:
        if self.sampler.network.transform is not None:
            return []
        whole, now = images.dtype == np.uint8 or float(images.max()) > 1, self.preprocessing.divide_by
        scales = [scale for scale in ((1.0, 255.0, 127.5) if whole else (1.0, 1 / 255)) if scale != now]
        others = [replace(self.preprocessing, divide_by=scale) for scale in scales]
        return [(ImageAdapter(self.sampler, other), f"--scale {other.divide_by:g}") for other in others]

    def doubts(self, images: np.ndarray) -> str:
        """Doubt a range that a model rarely takes."""
        how, highest = self.preprocessing, float(images.max())
        untouched = how.divide_by == 1 and not how.mean and not how.applied
        if images.dtype == np.uint8 or not untouched or self.sampler.network.scaling_layer is not None:
            return ""
        if images.min() < 0 or highest <= 1:
            return ""
        return (
            f"The images go up to {highest:g} and reach the model as they are. If it was trained on 0..1, give --scale."
        )


class InputsAdapter(Adapter):
    """An adapter of a data set's `inputs`."""

    hint_where_accuracy_is_poor = "and the classes in the same order"

    @classmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple[Self, np.ndarray]:
        if preprocessing is not None and preprocessing.steps:
            raise invalid("preprocessing", "left out for arrays that the model takes", str(preprocessing))
        assert examples.inputs is not None
        return cls(sampler, ARRAYS_AS_THEY_ARE), examples.inputs

    def from_stored(self, examples: np.ndarray) -> np.ndarray:
        return examples

    def describe(self, inputs: np.ndarray) -> str:
        return "as the model takes them"  # the check names the inputs of every model


@dataclass(frozen=True)
class RowAdapter(Adapter):
    """An adapter of rows, (N, D) float32."""

    preprocessing: Preprocessing = ROWS_AS_THEY_ARE

    hint_where_accuracy_is_poor = "by the same scaler, and the columns in the same order"

    @classmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple[Self, np.ndarray]:
        assert examples.rows is not None
        rows = examples.rows.to_numpy(np.float32)
        if sampler.takes_texts:
            raise invalid("data", "texts, as the model takes them", "rows of numbers", "Name their column.")
        if sampler.input_shape is not None and not fits_shape(rows.shape[1:], sampler.input_shape):
            names = ", ".join(map(str, examples.rows.columns[:5])) + (", …" if rows.shape[1] > 5 else "")
            advice = "Name the columns in the model's order (features, on the command line --feature-columns)."
            received = f"{rows.shape[1]:,} columns: {names}"
            raise invalid("data", f"of the shape {format_shape(sampler.input_shape)}", received, advice)
        if preprocessing is None:
            return (cls(sampler) if sampler.network.transform is None else cls(sampler, BY_TRANSFORM)), rows
        if preprocessing.channel_order != "rgb":
            raise invalid("channel_order", "left out for rows of numbers", preprocessing.channel_order)
        preprocessing.check(rows.shape[1])
        return cls(sampler, preprocessing), rows

    def from_stored(self, examples: np.ndarray) -> np.ndarray:
        """Return whole numbers for a model that takes them."""
        taken = examples if self.preprocessing.applied else preprocess(examples, self.preprocessing)
        if takes_whole_numbers(self.sampler.input_dtype):
            return taken.round().astype(self.sampler.input_dtype)
        return taken

    def read_inputs(self, run: Run, examples: DataSet) -> np.ndarray:
        """Return columns by the run's names, or else by position."""
        assert examples.rows is not None
        wanted = list(run.manifest.examples.content)
        if set(wanted) <= set(examples.rows):
            return examples.rows[wanted].to_numpy(np.float32)
        if examples.rows.shape[1] != len(wanted):
            received = f"{examples.rows.shape[1]:,} columns: {', '.join(map(str, examples.rows.columns[:5]))}"
            raise invalid("data", f"with the run's {len(wanted):,} columns: {', '.join(wanted[:5])}, …", received)
        return examples.rows.to_numpy(np.float32)

    def describe(self, rows: np.ndarray) -> str:
        return f"{rows.shape[1]:,} columns, {float(rows.min()):g} to {float(rows.max()):g}"


@dataclass(frozen=True)
class TextAdapter(Adapter):
    """An adapter of texts, (N,) of dtype object."""

    preprocessing: Preprocessing = IN_THE_MODEL

    hint_where_accuracy_is_poor = "with the same vocabulary, and the classes in the same order"

    @classmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple[Self, np.ndarray]:
        by_transform = sampler.network.transform is not None
        if not sampler.takes_texts and not by_transform:
            advice = (
                "Give the vocabulary that it was trained with (vocabulary, on the command line --vocabulary), or to a "
                "model of PyTorch a transform (transform, --transform)."
            )
            raise invalid("data", "of the kind that the model takes, numbers", "texts", advice)
        if preprocessing is not None and preprocessing.steps:
            raise invalid("preprocessing", "left out for texts", str(preprocessing))
        return (cls(sampler, BY_TRANSFORM) if by_transform else cls(sampler)), _to_array(examples.held)

    def from_stored(self, examples: np.ndarray) -> np.ndarray:
        return examples

    def read_inputs(self, run: Run, examples: DataSet) -> np.ndarray:
        return _to_array(examples.held)

    def describe(self, texts: np.ndarray) -> str:
        lengths = [len(text) for text in texts]
        return f"{min(lengths):,} to {max(lengths):,} characters"


# A kind that derives from one of these shares its adapter; other kinds have none.
ADAPTERS: dict[type[Kind], type[Adapter]] = {
    Image: ImageAdapter,
    Text: TextAdapter,
    Row: RowAdapter,
}


def adapter_for_examples(
    sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
) -> tuple[Adapter, Rows]:
    """Return the adapter and stored form of a data set; see `Adapter.for_examples`.

    Raises:
        InvalidInputError: they do not fit the model, or there are none; or preprocessing is given beside a transform.
    """
    prepares = sampler.network.transform is not None
    if prepares and preprocessing is not None and (preprocessing.applied or replace(preprocessing, crop=False).steps):
        expected = "left out beside a transform, which prepares the examples"
        advice = "On the command line, leave out --scale, --mean, --std, --preprocess and --scaler."
        raise invalid("preprocessing", expected, str(preprocessing), advice)
    adapter = InputsAdapter if examples.inputs is not None and not prepares else _find_adapter(find_kind(examples))
    if adapter is None:
        received = "a data set without any" if examples.inputs is None else "arrays by name, which no transform takes"
        raise invalid("data", "examples", received, "Give images, texts or rows of numbers.")
    return adapter.for_examples(sampler, examples, preprocessing)


def adapter_for_run(sampler: Sampler, run: Run) -> Adapter:
    """Return the adapter of a run's and new examples.

    Raises:
        InvalidInputError: the run knows only the numbers of its examples.
    """
    return _adapter_of(run).for_run(sampler, run)


def load_stored(run: Run) -> Rows:
    """Return stored examples for `Adapter.from_stored`.

    Raises:
        InvalidInputError: the run knows only the numbers of its examples.
        McvizError: the run was kept without them.
    """
    return _adapter_of(run).load_stored(run)


def load_shown(run: Run, examples: np.ndarray) -> np.ndarray:
    """Return displayed examples by number for `Adapter.from_inputs`.

    Raises:
        InvalidInputError: the run knows only the numbers of its examples.
        McvizError: the run was kept without them.
    """
    return _adapter_of(run).load_shown(run, examples)


def _to_array(content: Content) -> np.ndarray:
    array = content.to_array()
    assert array is not None
    return array


def _adapter_of(run: Run) -> type[Adapter]:
    adapter = _find_adapter(run.kind)
    if adapter is None:
        raise invalid("run", "one that knows its examples", "one that knows only their numbers")
    return adapter


def _find_adapter(kind: Kind) -> type[Adapter] | None:
    return next((adapter for of, adapter in ADAPTERS.items() if isinstance(kind, of)), None)
