"""Keras models from disk."""

import os
import re
from pathlib import Path

import keras

from mcviz.errors import DataNotFoundError, UnsuitableModelError
from mcviz.interrupts import held_interrupts

UNKNOWN_CLASS = re.compile(r"Could not (?:locate|find) (?:class|object) '([^']+)'")


@held_interrupts()
def load_model(path: str | os.PathLike[str]) -> keras.Model:
    """Load a Keras model from a file or folder, in Keras's safe mode: no code from the file is run.

    Raises:
        DataNotFoundError: nothing is at `path`.
        UnsuitableModelError: it is not a Keras model, or one that needs code that is not there.
    """
    if not Path(path).exists():
        raise DataNotFoundError(f"No model at that place. Received: {path}. Make one with `mcviz train`.")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises what its readers raise: ValueError, TypeError, OSError, BadZipFile, …
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        unknown = UNKNOWN_CLASS.search(str(error))
        if unknown:
            raise UnsuitableModelError(
                f"The class '{unknown[1]}' is none of Keras's. Received: {path}. Where it is defined, register it with "
                "@keras.saving.register_keras_serializable(), and use mcviz.sample_run from Python after that."
            ) from error
        raise UnsuitableModelError(
            f"Keras cannot load that model. Received: {path}: {reason} Save it with model.save('NAME.keras')."
        ) from error
    if not isinstance(model, keras.Model):
        raise UnsuitableModelError(f"That file holds no Keras model. Received: {path} with a {type(model).__name__}.")
    return model
