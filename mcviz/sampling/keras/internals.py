"""All private parts of Keras that mcviz uses, and the versions it was tried with.

Keras has no public way to replace random numbers of layers, to intercept calls, or to list inner layers.
"""

import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import isfunction, signature
from pathlib import Path
from typing import Any

from mcviz.errors import UnsupportedKerasError

SET_BACKEND = "Set KERAS_BACKEND=tensorflow before Python starts, or `backend` in ~/.keras/keras.json."

try:
    import keras
except (ImportError, ValueError) as error:  # another backend is chosen, and not installed or not known
    raise UnsupportedKerasError(
        f"mcviz samples with Keras's TensorFlow backend. Received: {error}. {SET_BACKEND}"
    ) from error

OLDEST, TOO_NEW = (3, 15), (4,)
VERSIONS = ">=3.15,<4"


def check_keras(version: str, backend: str) -> None:
    """Refuse an untested version of Keras.

    Raises:
        UnsupportedKerasError: another version than `VERSIONS`, or another backend than TensorFlow.
    """
    if not OLDEST <= tuple(int(number) for number in version.split(".")[:2]) < TOO_NEW:
        raise UnsupportedKerasError(
            f"mcviz works with Keras {VERSIONS}. Received: Keras {version}. Type: pip install 'keras{VERSIONS}'"
        )
    if backend != "tensorflow":
        raise UnsupportedKerasError(
            f"mcviz samples with Keras's TensorFlow backend. Received: {backend}. {SET_BACKEND}"
        )


check_keras(keras.__version__, keras.config.backend())

_backend_random = keras.src.backend.random
DropoutRNNCell = keras.src.layers.rnn.dropout_rnn_cell.DropoutRNNCell  # the base class of all cells with dropout

shared_objects = keras.src.saving.serialization_lib.ObjectSharingScope  # within it, an object of a file is built once


def load_assets(model: keras.Model, folder: Path) -> list[str]:
    """Load the files of layers from an unpacked `.keras` file.

    Returns:
        The names of layers that failed, without some whose folder is missing, which Keras passes over.
    """
    library = keras.src.saving.saving_lib
    store = library.DiskIOStore(str(folder), mode="r")
    options: dict[str, Any] = {"visited_saveables": set(), "failed_saveables": set(), "error_msgs": {}}
    with warnings.catch_warnings(action="ignore"):
        library._load_state(model, weights_store=None, assets_store=store, inner_path="", **options)
    return [layer.name for layer, _ in options["error_msgs"].values()]


class TooManyNumbersError(Exception):
    """More numbers than `limit_variables` allows."""


def direct_sublayers(layer: keras.Layer) -> list[keras.Layer]:
    """Return layers in attributes, lists and dictionaries of a layer."""
    return list(layer._layers)


def has_random_generator(layer: keras.Layer) -> bool:
    """Return whether a layer holds a seed generator."""
    return bool(layer._seed_generators)


def attention_dropout(layer: keras.Layer) -> keras.Layer | None:
    """Return the dropout of an attention layer's scores, or None."""
    return getattr(layer, "_dropout_layer", None)


def nest_input(model: keras.Model, array: Any) -> Any:
    """Nest the only input as the model was built: alone, list or dictionary."""
    structure = getattr(model, "_inputs_struct", None)
    return array if structure is None else keras.tree.pack_sequence_as(structure, [array])


def forget_dropout_masks(layer: keras.Layer) -> None:
    """Drop a recurrent cell's cached masks after each call."""
    if isinstance(layer, DropoutRNNCell):
        layer.reset_dropout_mask()
        layer.reset_recurrent_dropout_mask()


@contextmanager
def replace_random_functions(replace: Callable[[str, Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """Replace Keras's random functions by `replace(name, function)` within the block."""
    functions = {
        name: function
        for name, function in vars(_backend_random).items()
        if name != "draw_seed" and not name.startswith("_") and isfunction(function)
        if "seed" in signature(function).parameters
    }
    try:
        for name, function in functions.items():
            setattr(_backend_random, name, replace(name, function))
        yield
    finally:
        for name, function in functions.items():
            setattr(_backend_random, name, function)


@contextmanager
def replace_calls(layers: list[keras.Layer], replace: Callable[[keras.Layer], Callable[..., Any]]) -> Iterator[None]:
    """Replace each layer's `call` by `replace(layer)`, past Keras's tracking."""
    own_calls = [(layer, vars(layer).get("call")) for layer in layers]
    try:
        for layer in layers:
            object.__setattr__(layer, "call", replace(layer))
        yield
    finally:
        for layer, own in own_calls:
            if own is not None:
                object.__setattr__(layer, "call", own)
            elif "call" in vars(layer):
                object.__delattr__(layer, "call")


@contextmanager
def limit_variables(most: int) -> Iterator[None]:
    """Limit the numbers in new variables of this thread before allocation.

    Raises:
        TooManyNumbersError: they would exceed `most`, whichever error Keras made of that on the way.
    """
    kind, thread, left = keras.src.backend.Variable, threading.get_ident(), most
    initialize = kind._initialize_with_initializer

    def initialize_counted(variable: Any, initializer: Any) -> None:
        nonlocal left
        if threading.get_ident() == thread:
            left -= math.prod(variable.shape)
            if left < 0:
                raise TooManyNumbersError
        initialize(variable, initializer)

    kind._initialize_with_initializer = initialize_counted
    try:
        yield
    except Exception as error:
        if left < 0:
            raise TooManyNumbersError from error
        raise
    finally:
        kind._initialize_with_initializer = initialize
