"""PyTorch weights from and to files; functions build the modules.

A name that the user types is imported. A run is a file that can be copied, so its names are imported only from packages
that the operator names.
"""

import json
import math
import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.torch
import torch

from mcviz.devices import AUTO
from mcviz.errors import DataNotFoundError, InvalidInputError, UnsuitableModelError
from mcviz.extras import import_function, is_function_name
from mcviz.options import ModelOptions, TaskOptions
from mcviz.regular import open_regular
from mcviz.runs import Run
from mcviz.runs.manifest_file import explain_closed_model
from mcviz.sampling.base import WEIGHTS_ALONE, InputSpec, ModelSettings, Network
from mcviz.text import list_names, reason
from mcviz.validate import invalid

CHECKPOINT_NAMES = ("state_dict", "model", "model_state_dict", "model_state", "module")
SAVE_WEIGHTS = "Save it with safetensors.torch.save_model(model, 'NAME.safetensors')."
MOST_INPUTS = 100  # of a module
MOST_VALUES = 1 << 22  # of an example, over all inputs
Weights = str | os.PathLike[str] | Mapping[str, torch.Tensor]
Arguments = dict[str, Any]  # of a `TorchNetwork`


def read_arguments(options: ModelOptions, task: TaskOptions, run: Run | None) -> Arguments:
    """Read network arguments from files and functions; see `Network.load`."""
    for name in ("vocabulary", "trust_model"):
        if getattr(options, name):
            raise invalid(name, "left out for a model of PyTorch", getattr(options, name))
    if run is not None:
        model = run.manifest.model
        if model is None or (closed := explain_closed_model(run.manifest, options.modules)):
            raise UnsuitableModelError(closed)
        module = build_module(model.function, options.model, options.modules)
        return {"model": module, **arguments_for_run(run, options.modules, options.rate, options.device)}
    if not is_function_name(options.model):
        raise UnsuitableModelError(f"{WEIGHTS_ALONE} Received: {options.model}.")
    return {
        "model": build_module(options.model, options.weights),
        "settings": ModelSettings.from_options(options, task),
        **named_functions(options.model, options.transform),
    }


def arguments_for_run(run: Run, modules: Sequence[str], rate: float | None = None, device: str = AUTO) -> Arguments:
    """Return arguments of a run's module.

    Args:
        run: that was sampled from it.
        modules: from which its transform may be imported.
        rate: of the dropout, or None for that of the run.
        device: that it computes on, or "auto" for that of the run.

    Raises:
        UnsuitableModelError: the run's transform is not of these modules, or its weights do not say what they should.
    """
    model = run.manifest.model
    assert model is not None
    if model.has_transform and (closed := explain_closed_model(run.manifest, modules)):
        raise UnsuitableModelError(closed)
    inputs, own_rate = _read_metadata(run.model_path) if run.model_path else (None, None)
    return {
        "settings": ModelSettings.from_manifest(run.manifest, own_rate if rate is None else rate, device),
        "inputs": inputs,
        **named_functions(model.function, model.transform, modules),
    }


def named_functions(function: str, transform: str | None, modules: Sequence[str] | None = None) -> Arguments:
    """Return arguments that name module and transform functions, with the transform.

    Args:
        function: that builds the module.
        transform: that makes its input of an example, or None.
        modules: as for `import_function`.
    """
    transform_function = import_function(transform, modules) if transform else None
    return {"function": function, "transform": transform_function, "transform_name": transform or ""}


def build_module(
    function: str, weights: Weights | None = None, modules: Sequence[str] | None = None
) -> torch.nn.Module:
    """Build a module by a function, in eval mode.

    Args:
        function: `package.module:function`, which is imported and called.
        weights: a file of weights, or a state_dict; None for those that the function gives it.
        modules: as for `import_function`.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: no such function, or one that fails.
        MissingPackageError: its package is not there.
        UnsuitableModelError: it returns no module; the weights are no state_dict, or not those of the module.
    """
    build = import_function(function, modules)
    try:
        module = build()
    except (Exception, SystemExit) as error:  # of the user's own code
        raise InvalidInputError(
            f"{function}() fails, which is called without arguments: {type(error).__name__}: {reason(error)}."
        ) from error
    if not isinstance(module, torch.nn.Module):
        raise UnsuitableModelError(f"{function} should return a torch.nn.Module. Received: {type(module).__name__}.")
    if weights is not None:
        _load_weights(module, weights)
    return module.eval()


def write_weights(model: torch.nn.Module, network: Network) -> bytes:
    """Write weights as safetensors, reproducibly, tied ones once; metadata name the builder and inputs.

    Raises:
        UnsuitableModelError: safetensors cannot save it.
    """
    metadata = {
        "function": network.function,
        "transform": network.transform_name,
        "inputs": msgspec.json.encode(network.input_specs or ()).decode(),
        "rate": msgspec.json.encode(network.settings.rate).decode(),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        try:
            safetensors.torch.save_model(model, str(path), metadata=metadata)
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            raise UnsuitableModelError(
                f"safetensors cannot save this model ({reason(error)}). Sample it without keeping the model."
            ) from error
        return _sort_header(path.read_bytes())


def _load_weights(module: torch.nn.Module, weights: Weights) -> None:
    """Load weights with the module's exact names and shapes."""
    path = None if isinstance(weights, Mapping) else Path(weights)
    if path is not None:
        _check_file(path)
    try:
        if path is not None and path.suffix == ".safetensors":
            safetensors.torch.load_model(module, str(path))
        else:
            module.load_state_dict(_find_state_dict(weights, "a mapping") if path is None else _read_state_dict(path))
    except (RuntimeError, safetensors.SafetensorError) as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines()[-3:])  # the first says nothing
        raise UnsuitableModelError(
            f"These are no weights of the module, which is a {type(module).__name__}. "
            f"Received: {path or 'a state_dict'}: {reason:.300}"
        ) from error


def _read_state_dict(path: Path) -> Mapping[str, torch.Tensor]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            size = sum(entry.file_size for entry in file.infolist())
        if size > path.stat().st_size:  # torch.save compresses nothing
            raise UnsuitableModelError(
                f"That file is compressed, to a {size // path.stat().st_size}th of what it would take in memory. "
                f"Received: {path}. Load and save it again by torch.save, where you trust it. {SAVE_WEIGHTS}"
            )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's, zipfile's, torch's
        raise UnsuitableModelError(
            "Weights are read without running code, and that file is damaged, or a pickled module, which is code. "
            f"Received: {path}: {reason(error)}. {SAVE_WEIGHTS}"
        ) from error
    return _find_state_dict(state, str(path))


def _find_state_dict(content: Any, source: str) -> Mapping[str, torch.Tensor]:
    """Find the state_dict: the content, or under a usual name of checkpoints."""
    if _is_state_dict(content):
        return content
    named = content if isinstance(content, Mapping) else {}
    names = [name for name in CHECKPOINT_NAMES if _is_state_dict(named.get(name))]
    if len(names) != 1:
        there = f"{source}, with {list_names(named)}" if named else source
        asked = f"Several of {' and '.join(names)} are one. " if names else ""
        raise UnsuitableModelError(
            "That is no state_dict of a module, and no checkpoint with one under the name "
            f"{' or '.join(CHECKPOINT_NAMES)}. Received: {there}. {asked}{SAVE_WEIGHTS}"
        )
    return named[names[0]]


def _is_state_dict(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items())
    )


def _check_file(path: Path) -> None:
    try:
        open_regular(path).close()
    except FileNotFoundError as error:
        raise DataNotFoundError(f"There are no weights at that place. Received: {path}.") from error
    except OSError as error:
        raise UnsuitableModelError(f"That file cannot be opened ({error.strerror}). Received: {path}.") from error


def _read_metadata(path: str) -> tuple[tuple[InputSpec, ...], float | None]:
    """Read input forms and rate from the weights before memory is allocated."""
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    try:
        inputs = msgspec.json.decode(metadata["inputs"], type=list[InputSpec])
        if len(inputs) > MOST_INPUTS:
            raise ValueError(f"they name {len(inputs):,} inputs, and at most {MOST_INPUTS:,} are taken")
        values = sum(math.prod(spec.shape) for spec in inputs)
        if values > MOST_VALUES:
            raise ValueError(f"an example has {values:,} values, and at most {MOST_VALUES:,} are taken")
        fits = all(size > 0 for spec in inputs for size in spec.shape)
        fits &= all(np.dtype(spec.dtype).kind in "biuf" for spec in inputs)
        if not inputs or not fits:
            raise ValueError("no model takes examples of such forms")
        return tuple(inputs), msgspec.json.decode(metadata["rate"], type=float | None)
    except (KeyError, ValueError, TypeError) as error:
        raise UnsuitableModelError(
            f"The weights do not say what the model takes. Received: {path}: {reason(error)}."
        ) from error


def _sort_header(content: bytes) -> bytes:
    """Sort the header of a safetensors file: its metadata has no order."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:start]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[start:]
