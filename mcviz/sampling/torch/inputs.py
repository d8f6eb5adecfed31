"""Examples as a model of PyTorch takes them: by the user's transform, or in PyTorch's order of axes."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from mcviz.data import DataSet, as_examples, as_model_input
from mcviz.data.torch_data import NAMELESS, ONE_SIZE, is_tensor, spread_places, to_array
from mcviz.errors import InvalidInputError
from mcviz.kinds.image import as_images
from mcviz.runs.contents import Rows
from mcviz.sampling.examples import describe_inputs, resize_for_transform
from mcviz.text import first_line
from mcviz.validate import finite, invalid

Transform = Callable[[Any], Any]

_transforming = threading.Lock()  # tokenizers of Hugging Face refuse to be called by two threads at a time


def prepare_inputs(examples: Any, transform: Transform | None) -> Mapping[str, Rows]:
    """Bring examples into the form that a model takes.

    Args:
        examples: as `as_examples` takes them, or a tensor. A tensor reaches the model as it is; images with channels
            behind get them in front, and whole numbers of 0 to 255 that are images are divided by 255.
        transform: see `Sampler`; it is given each example when its inputs are read.

    Returns:
        N examples by the names of the model's inputs, each (N, ...); `NAMELESS` is the first argument of a model.

    Raises:
        InvalidInputError: the examples cannot be used, or the transform fails or draws random numbers.
    """
    if isinstance(examples, tuple) and len(examples) == 2 and is_tensor(examples[0]):
        examples = examples[0]  # of a pair with labels
    given = to_array("examples", examples) if is_tensor(examples) else as_examples(examples)
    if transform is not None:
        return _transform_examples(_shown(given), transform)
    if isinstance(given, DataSet):
        given = _shown(given)[:] if given.inputs is None else given.inputs
    if given.dtype.names:
        return {name: _check(name, given[name]) for name in given.dtype.names}
    if given.size and isinstance(given.flat[0], str):
        advice = "Give the transform that makes numbers of a text (transform, on the command line --transform)."
        raise invalid("examples", "numbers, which the model takes", "texts", advice)
    if given.ndim == 4 and not is_tensor(examples):
        given = np.moveaxis(as_model_input(as_images("examples", given)), -1, 1)
    return {NAMELESS: _check(NAMELESS, given)}


def _shown(given: DataSet | np.ndarray) -> Rows:
    """The examples as a run stores them: images, texts or rows."""
    if isinstance(given, np.ndarray):
        given = given.astype(np.float32, copy=False) if given.dtype.kind == "f" else given
        return as_images("examples", given) if given.ndim in (3, 4) else given
    if given.images is not None:
        return resize_for_transform(given)
    if given.texts is not None:
        return given.texts
    if given.rows is None:
        raise invalid("examples", "images, texts or rows, which the transform takes", "none of these")
    return given.rows.to_numpy(np.float32)


def _check(name: str, array: np.ndarray) -> np.ndarray:
    if not array.size or array.dtype.kind not in "biuf":
        raise invalid(name, "numbers, of at least one example", f"shape {array.shape}, dtype {array.dtype}")
    return finite(name, array.astype(np.float32, copy=False)) if array.dtype.kind == "f" else array


def _transform_examples(examples: Rows, transform: Transform) -> dict[str, Rows]:
    """Apply the transform to a few examples twice, and to each when it is read."""
    if not examples.shape[0]:
        raise invalid("examples", "at least one", "none")
    some = examples[spread_places(examples.shape[0])]
    tried = [_apply(transform, example) for example in some]
    for once, example in zip(tried, some, strict=True):
        if any(array.tobytes() != once[name].tobytes() for name, array in _apply(transform, example).items()):
            raise InvalidInputError(
                "The transform gives another result for the same example when it is called again. Leave out what draws "
                "random numbers, such as augmentation."
            )
    return {name: _Transformed(examples, transform, name, array.shape, array.dtype) for name, array in tried[0].items()}


@dataclass(frozen=True)
class _Transformed:
    """One of a model's inputs, which a transform makes of examples when they are read.

    Attributes:
        examples: as a run stores them.
        transform: of the user.
        name: of the input.
        form: the shape that it has of every example.
        dtype: likewise.
    """

    examples: Rows
    transform: Transform
    name: str
    form: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, ...)."""
        return self.examples.shape[0], *self.form

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        made = [_apply(self.transform, example) for example in self.examples[rows]]
        for each in made:
            if self.name not in each or each[self.name].shape != self.form:
                expected = f"the same inputs of every example, {describe_inputs({self.name: self})}"
                raise invalid("transform", f"one that gives {expected}", describe_inputs(each), ONE_SIZE)
        return np.array([each[self.name] for each in made], self.dtype).reshape(-1, *self.form)


def _apply(transform: Transform, example: Any) -> dict[str, np.ndarray]:
    """What a transform makes of one example, by the names of the model's inputs."""
    example = _as_picture(example) if getattr(example, "ndim", 0) == 3 else example
    try:
        with _transforming:
            made = transform(example)
        named = made if isinstance(made, Mapping) else {NAMELESS: made}
        arrays = {name: to_array(name, each) for name, each in named.items()}
    except Exception as error:  # of the user's own code
        raise InvalidInputError(f"The transform fails: {type(error).__name__}: {first_line(error):.200}") from error
    if isinstance(made, Mapping) and all(each.ndim > 1 and len(each) == 1 for each in arrays.values()):
        arrays = {name: each[0] for name, each in arrays.items()}  # a batch of one, as of return_tensors="pt"
    return {name: _check(f"{name} of the transform", each) for name, each in arrays.items()}


def _as_picture(image: np.ndarray) -> Image.Image:
    if image.dtype != np.uint8:
        raise invalid("examples", "uint8 images, which the transform takes as PIL images", f"dtype {image.dtype}")
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
