"""Optional packages, and the user's own modules."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from mcviz.errors import InvalidInputError, MissingPackageError

CACHE_VARIABLE = "MCVIZ_CACHE"  # the folder of runs
IMPORT_VARIABLE = "MCVIZ_IMPORT"  # names of the user's own modules, separated by spaces
# The packages by their own names: these lines are right wherever mcviz came from, and an index has another "mcviz".
# Without versions, so that they can be copied from a page: it marks the characters of Markdown, such as <, as text.
INSTALL_KERAS = "pip install h5py keras llvmlite numba tensorflow"
INSTALL_TORCH = "pip install llvmlite numba safetensors torch"
INSTALL_NUMBA = "pip install numba"
INSTALL_DASK = "pip install dask distributed"
TORCH_FILES = (".safetensors", ".pt", ".pth")
FUNCTION = re.compile(r"(?!.*__)[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)  # package.module:function


def require_keras() -> None:
    """Check that Keras and TensorFlow are installed, without importing them.

    Raises:
        MissingPackageError: one of them is not; the message has the line to type.
    """
    _require(
        "Training, loading and sampling a model need Keras and TensorFlow.", ("keras", "tensorflow"), INSTALL_KERAS
    )


def require_torch() -> None:
    """Check that PyTorch and safetensors are installed, without importing them.

    Raises:
        MissingPackageError: one of them is not; the message has the line to type.
    """
    _require("A model of PyTorch needs PyTorch and safetensors.", ("torch", "safetensors"), INSTALL_TORCH)


def needs_torch(model: str) -> bool:
    """Return whether a model is of PyTorch, by file ending or function name."""
    return is_function_name(model) or Path(model).suffix in TORCH_FILES


def require_framework(model: str) -> None:
    """Check that a model's framework is installed, without importing it.

    Args:
        model: a file, or the name of a function.

    Raises:
        MissingPackageError: it is not; the message has the line to type.
    """
    if needs_torch(model):
        require_torch()
    else:
        require_keras()


def require_dask() -> None:
    """Check that Dask is installed, without importing it.

    Raises:
        MissingPackageError: it is not; the message has the line to type.
    """
    _require("Sampling on a cluster needs Dask.", ("dask", "distributed"), INSTALL_DASK)


def _require(need: str, names: Sequence[str], line: str) -> None:
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise MissingPackageError(f"{need} Received: a Python without {' and '.join(missing)}. Type: {line}")


def import_without_second_llvm(name: str) -> None:
    """Import a module that loads Triton, hidden while TensorFlow is loaded.

    Both contain LLVM, and the second one aborts the process.
    """
    hides = "tensorflow" in sys.modules and "triton" not in sys.modules
    if hides:
        sys.modules["triton"] = None  # type: ignore[assignment]  # the import system's sign for a missing module
    try:
        import_module(name)
    finally:
        if hides:
            del sys.modules["triton"]


def find_modules(names: Sequence[str]) -> None:
    """Check that the operator's modules exist, without importing them.

    Raises:
        MissingPackageError: one is not.
    """
    if names:
        _look_in_working_directory()
    for name in names:
        if not name.partition(".")[0].isidentifier() or find_spec(name.partition(".")[0]) is None:
            raise MissingPackageError(
                f"--import {name} names no module that is installed or in the working directory, where that is not "
                f"in the folder of runs. Received: {Path.cwd()}."
            )


def named_modules() -> tuple[str, ...]:
    """The modules named in `MCVIZ_IMPORT`."""
    return tuple(os.environ.get(IMPORT_VARIABLE, "").split())


def import_modules(names: Sequence[str]) -> None:
    """Import the operator's modules, which register layers with Keras.

    Raises:
        MissingPackageError: one is not there, or needs what is not installed.
        InvalidInputError: the code of one fails.
    """
    find_modules(names)
    for name in names:
        _import(name, f"--import {name}")


def is_function_name(text: str) -> bool:
    """Whether a text names a function as `package.module:function`."""
    return FUNCTION.fullmatch(text) is not None


def is_in_modules(function: str, modules: Sequence[str]) -> bool:
    """Return whether a function `package.module:function` is in some modules or packages."""
    module = function.partition(":")[0]
    return any(f"{module}.".startswith(f"{name}.") for name in modules)


def import_function(name: str, modules: Sequence[str] | None = None) -> Callable[..., Any]:
    """Import a user's function from installed packages or the working directory.

    Args:
        name: as `package.module:function`. The module's code runs.
        modules: that have to define it, or what they hold; None where the user has typed the name. A module also holds
            what it imported, such as a function that runs the commands of a shell.

    Raises:
        InvalidInputError: that is no such name, the module has no such function or only imported it, or its code fails.
        MissingPackageError: the module is not there, or needs what is not installed.
    """
    if not is_function_name(name):
        raise InvalidInputError(f"A function is named as package.module:function. Received: {name!r:.100}.")
    module, _, attribute = name.partition(":")
    _look_in_working_directory()
    function = getattr(_import(module, name), attribute, None)
    if not callable(function):
        raise InvalidInputError(f"The module {module} has no function of that name. Received: {attribute}.")
    if modules is not None and not is_in_modules(f"{function.__module__}:{attribute}", modules):
        raise InvalidInputError(
            f"A run may have functions called that {' or '.join(modules)} defines. Received: {name}, which "
            f"{function.__module__} defines. Define a function around it there, and sample the run with that."
        )
    return function


def keep_runs_from_import(runs: Path) -> None:
    """Remove a folder of runs from the import path, and a working directory within it.

    A run named like a package, with `__init__.py`, would be imported.
    """
    here, runs = Path.cwd(), runs.resolve()
    closed = {runs, here} if here.is_relative_to(runs) else {runs}
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() not in closed]


def _look_in_working_directory() -> None:
    """Append the working directory to the import path, unless it holds runs."""
    here, runs = Path.cwd(), Path(os.environ.get(CACHE_VARIABLE) or "cache").resolve()
    if str(here) not in sys.path and not here.is_relative_to(runs):
        sys.path.append(str(here))


def _import(module: str, asked: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(f"{asked} cannot be imported: {error}. Install what it needs.") from error
    except (Exception, SystemExit) as error:  # of the user's own code
        raise InvalidInputError(f"{asked} cannot be imported: {type(error).__name__}: {error}.") from error
