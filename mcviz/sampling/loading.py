"""Predictions of a run's model, loaded from its file, here or in a worker."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping

import numpy as np

import mcviz
from mcviz.choices import Masks
from mcviz.devices import AUTO, DEVICE_VARIABLE
from mcviz.errors import UnsuitableModelError
from mcviz.extras import import_modules, named_modules
from mcviz.manifest import Backend
from mcviz.options import ModelOptions, TaskOptions
from mcviz.runs import Run, open_run
from mcviz.runs.tables import Progress, Rows
from mcviz.sampling.adapters import Adapter, adapter_for_run, load_stored
from mcviz.sampling.base import ModelSpec, Plan
from mcviz.sampling.sampler import Sampler, find_backend
from mcviz.validate import invalid

LIBRARIES: dict[Backend, tuple[str, ...]] = {"keras": ("keras", "tensorflow"), "torch": ("torch",)}
EXAMPLES_COMPARED, PASSES_COMPARED = 8, 2
CLOSE = 1e-4  # predictions of the same model on another machine, relative; of small ones to the largest


def load_sampler(source: ModelSpec) -> Sampler:
    """Load a model and prepare it.

    Raises:
        DataNotFoundError: there is no such file.
        MissingPackageError: a module is not there.
        InvalidInputError: an argument that cannot be used.
        UnsuitableModelError: a model that cannot be loaded or sampled.
    """
    sampler = _load(source.options, source.task, None if source.run is None else open_run(source.run))
    sampler.source = source
    return sampler


def load_run_sampler(run: Run, modules: tuple[str, ...] | None = None) -> Sampler:
    """Load a run's model as the run used it, on its device or `MCVIZ_DEVICE`.

    Args:
        run: that was kept with its model.
        modules: of the user's own; None takes those that `MCVIZ_IMPORT` names.

    Raises:
        InvalidInputError: the run was kept without its model, or this machine does not have the device.
        MissingPackageError: a module is not there.
        UnsuitableModelError: a model that cannot be loaded.
    """
    if run.model_path is None:
        raise invalid("run", "one that was kept with its model", run.path)
    modules = named_modules() if modules is None else modules
    device = os.environ.get(DEVICE_VARIABLE, AUTO)
    return _load(ModelOptions(run.model_path, device=device, modules=modules), TaskOptions(), run)


def _load(options: ModelOptions, task: TaskOptions, run: Run | None) -> Sampler:
    import_modules(options.modules)
    network = find_backend(options.model).load(options, task, run)
    if run is None:
        return Sampler(network)
    sampler = Sampler.for_run(network, run)
    if run.manifest.model and run.manifest.model.function:
        _check_code(sampler, run)
    return sampler


def _check_code(sampler: Sampler, run: Run) -> None:
    """Check that the user's code, which is not in the run, still makes the model that the run was sampled from.

    Raises:
        UnsuitableModelError: it makes another one, or the run has nothing to compare it by.
    """
    manifest = run.manifest
    if not manifest.has_examples or manifest.model is None:
        raise UnsuitableModelError(
            f"{run.path} was kept without its examples, so whether {manifest.model and manifest.model.function} still "
            "builds its model cannot be checked. Sample it again with the images kept."
        )
    examples = adapter_for_run(sampler, run).from_stored(load_stored(run)[:EXAMPLES_COMPARED])
    if run.deterministic_predictions is not None:
        predictions = run.task.keep_deterministic(manifest, sampler.deterministic(examples))
        expected = run.deterministic_predictions[: len(examples)]
    else:
        assert manifest.seed is not None
        assert manifest.masks is not None
        predictions = sampler.sample(examples, passes=PASSES_COMPARED, seed=manifest.seed, masks=manifest.masks)
        passes = run.predictions_block(0, len(examples))
        if manifest.label_maps:
            predictions = np.stack([run.task.keep_deterministic(manifest, one) for one in predictions])
            passes = passes.classes
        expected = passes[:PASSES_COMPARED]
    differs = ""
    if sampler.network.compute_digest() != manifest.model.sha256:
        differs = "it computes otherwise, or has other weights"
    elif predictions.shape != expected.shape or not np.allclose(
        predictions, expected, CLOSE, CLOSE * np.abs(expected).max()
    ):
        differs = f"it predicts otherwise for the first {len(examples)} examples"
    if differs:
        then, now = manifest.created.get("versions", {}).get("torch"), versions("torch")["torch"]
        raise UnsuitableModelError(
            f"{manifest.model.function} does not make the model of {run.path} any more: {differs}. Received: torch "
            f"{now}, and {then} when it was sampled. Restore the code, also of the transform, or sample the run again."
        )


class SamplerSource:
    """A `Source` of a run: a model over its examples."""

    def __init__(self, adapter: Adapter, examples: Rows, seed: int, masks: Masks, first: int = 0) -> None:
        """Sample examples of which the first has the number `first`."""
        self._adapter, self._examples, self._seed, self._masks, self._first = adapter, examples, seed, masks, first

    def passes(self, start: int, stop: int, first_pass: int, passes: int, progress: Progress) -> np.ndarray:
        """(passes, stop - start, K) float32."""
        return self._adapter.sampler.sample(
            self._taken(start, stop),
            passes=passes,
            seed=self._seed,
            masks=self._masks,
            first_pass=first_pass,
            first_example=start,
            progress=progress,
        )

    @property
    def plan(self) -> Plan:
        """That of the model for such examples."""
        return self._adapter.sampler.plan_for(self._taken(self._first, self._first + 1))[1]

    @property
    def passes_at_once(self) -> int:
        """The passes of a block; fewer take as long."""
        return self.plan.passes_per_block

    def deterministic(self, start: int, stop: int) -> np.ndarray:
        """(stop - start, K) float32."""
        return self._adapter.sampler.deterministic(self._taken(start, stop))

    def prepare(self, places: np.ndarray) -> Mapping[str, Rows]:
        """Return some prepared examples by place."""
        return self._adapter.sampler.network.prepare(self._adapter.from_stored(self._examples[places]))

    def _taken(self, start: int, stop: int) -> np.ndarray:
        return self._adapter.from_stored(self._examples[start - self._first : stop - self._first])


def versions(backend: Backend) -> dict[str, str]:
    """Return versions of Python, mcviz and libraries that determine numbers."""
    versions = {library: _version(library) for library in (*LIBRARIES[backend], "numpy")}
    return {"mcviz": mcviz.__version__, "python": platform.python_version(), **versions}


def _version(library: str) -> str:
    for name in (library, f"{library}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"
