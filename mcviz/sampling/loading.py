"""Keras models from disk."""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import keras

from mcviz.errors import UnsuitableModelError
from mcviz.interrupts import hold_interrupts
from mcviz.sampling.keras_internals import TooManyNumbersError, limited_variables, load_assets, shared_objects
from mcviz.sampling.model_files import SAVE_IT, open_regular_file, read_model_file, reason
from mcviz.sampling.vocabularies import FOLDER, layers_with_vocabulary

SPARE_NUMBERS = 1_000_000  # that a layer may hold beyond what is saved of it

_loading = threading.RLock()  # the path of imports is the process's; a class of one's own may load a model itself


@hold_interrupts()
def load_model(path: str | os.PathLike[str], *, trust: bool = False) -> keras.Model:
    """Load a Keras model from a `.keras` file, without running code that comes with it.

    The file may name layers of Keras and what your program has registered; see `mcviz.sampling.known_classes`. All that
    it holds is checked before anything is built, and takes memory in proportion to the file.

    Args:
        path: of the file.
        trust: whether to load the file in Keras's own way, without these checks and without Keras's safe mode. It may
            then run any code, be of HDF5, and hold `Lambda` layers.

    Raises:
        DataNotFoundError: nothing is at `path`.
        UnsuitableModelError: it is not a Keras model, one that could run code, or one that needs code that is not
            there.
    """
    with _loading, _no_imports_from_here(), open_regular_file(path) as file:
        try:
            model = _in_keras_s_way(path) if trust else _checked(file)
        except UnsuitableModelError as error:
            raise UnsuitableModelError(f"{error} The file is {path}.") from error
        except Exception as error:  # Keras raises what its readers raise: ValueError, TypeError, OSError, KeyError, …
            raise UnsuitableModelError(
                f"Keras cannot load that model. Received: {path}: {reason(error)}. {SAVE_IT}"
            ) from error
    if not isinstance(model, keras.Model):
        raise UnsuitableModelError(f"That file holds no Keras model. Received: {path} with a {type(model).__name__}.")
    return model


def _checked(file: IO[bytes]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        architecture, weights, numbers = read_model_file(file, Path(folder))
        try:
            with limited_variables(2 * numbers + SPARE_NUMBERS), shared_objects():
                model = keras.saving.deserialize_keras_object(architecture, safe_mode=True)
        except TooManyNumbersError as error:
            raise UnsuitableModelError(
                f"The model has layers for more weights than are in the file. Received: {numbers:,} numbers in it. "
                f"{SAVE_IT}"
            ) from error
        if isinstance(model, keras.Model) and model.built:
            model.load_weights(weights)
            _load_vocabularies(model, Path(folder) / FOLDER)
        return model


def _load_vocabularies(model: keras.Model, folder: Path) -> None:
    layers = layers_with_vocabulary(model)
    without = load_assets(model, folder) if layers else []
    without += [layer.name for layer in layers if not layer.get_vocabulary(include_special_tokens=False)]
    if without:
        raise UnsuitableModelError(
            "A layer with a vocabulary needs words, each of them once. "
            f"Received: none that can be used for {without[0]}. Let it adapt to texts first. {SAVE_IT}"
        )


def _in_keras_s_way(path: str | os.PathLike[str]) -> Any:
    return keras.saving.load_model(path, compile=False, safe_mode=False)


@contextmanager
def _no_imports_from_here() -> Iterator[None]:
    """Keep the working directory, where the model may have come with modules, off the path of imports."""
    path, here = sys.path.copy(), Path.cwd()
    sys.path[:] = [entry for entry in path if entry and Path(entry).resolve() != here]
    try:
        yield
    finally:
        sys.path[:] = path
