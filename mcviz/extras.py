"""Optional packages, and the user's own modules."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from mcviz.errors import InvalidInputError, MissingPackageError

IMPORT_VARIABLE = "MCVIZ_IMPORT"  # names of the user's own modules, separated by spaces
# The packages by their own names: these lines are right wherever mcviz came from, and an index has another "mcviz".
# Without versions, so that they can be copied from a page: it marks the characters of Markdown, such as <, as text.
INSTALL_KERAS = "pip install h5py keras llvmlite numba tensorflow"
INSTALL_TORCH = "pip install safetensors torch"
INSTALL_NUMBA = "pip install numba"
INSTALL_DASK = "pip install dask distributed"


def require_keras() -> None:
    """Check that Keras and TensorFlow are installed, without importing them, which would take seconds.

    Raises:
        MissingPackageError: one of them is not; the message has the line to type.
    """
    missing = [name for name in ("keras", "tensorflow") if find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            "Training, loading and sampling a model need Keras and TensorFlow. "
            f"Received: a Python without {' and '.join(missing)}. Type: {INSTALL_KERAS}"
        )


def require_torch() -> None:
    """Check that PyTorch is installed, without importing it, which would take seconds.

    Raises:
        MissingPackageError: it is not; the message has the line to type.
    """
    missing = [name for name in ("safetensors", "torch") if find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            "Sampling a PyTorch model needs PyTorch. "
            f"Received: a Python without {' and '.join(missing)}. Type: {INSTALL_TORCH}"
        )


def require_dask() -> None:
    """Check that Dask is installed, without importing it.

    Raises:
        MissingPackageError: it is not; the message has the line to type.
    """
    missing = [name for name in ("dask", "distributed") if find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            "Sampling on a cluster needs Dask. "
            f"Received: a Python without {' and '.join(missing)}. Type: {INSTALL_DASK}"
        )


def find_modules(names: Sequence[str]) -> None:
    """Check that the modules named by the operator exist, also in the working directory, without importing them.

    Raises:
        MissingPackageError: one is not.
    """
    here = str(Path.cwd())
    if names and here not in sys.path:
        sys.path.insert(0, here)
    for name in names:
        if not name.partition(".")[0].isidentifier() or find_spec(name.partition(".")[0]) is None:
            raise MissingPackageError(
                f"--import {name} names no module that is installed or in the working directory. Received: {here}."
            )


def import_named_modules() -> None:
    """Import the modules named in `MCVIZ_IMPORT`; see `import_modules`."""
    import_modules(os.environ.get(IMPORT_VARIABLE, "").split())


def import_modules(names: Sequence[str]) -> None:
    """Import modules named by the operator, which register the user's own layers with Keras.

    Raises:
        MissingPackageError: one is not there, or needs what is not installed.
        InvalidInputError: the code of one fails.
    """
    find_modules(names)
    for name in names:
        try:
            import_module(name)
        except ImportError as error:
            raise MissingPackageError(f"--import {name} cannot be imported: {error}. Install what it needs.") from error
        except Exception as error:  # of the user's own code
            raise InvalidInputError(f"--import {name} cannot be imported: {type(error).__name__}: {error}.") from error
