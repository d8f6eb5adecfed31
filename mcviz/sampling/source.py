"""Where the predictions of a run come from: a model prepared from its file, over examples, here or in a worker."""

import importlib.metadata
import platform

import numpy as np

import mcviz
from mcviz.choices import Masks
from mcviz.extras import import_modules
from mcviz.options import ModelOptions, TaskOptions
from mcviz.runs import Run, open_run
from mcviz.runs.contents import Progress, Rows
from mcviz.sampling.adapters import Adapter
from mcviz.sampling.backends import find_backend
from mcviz.sampling.model_source import ModelSource
from mcviz.sampling.sampler import Sampler
from mcviz.validate import invalid

LIBRARIES = ("keras", "tensorflow", "numpy")


def load_sampler(source: ModelSource) -> Sampler:
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


def load_run_sampler(run: Run) -> Sampler:
    """Load a run's own model, and prepare it as it was for the run.

    Raises:
        InvalidInputError: the run was kept without its model.
        UnsuitableModelError: a model that cannot be loaded.
    """
    if run.model_path is None:
        raise invalid("run", "one that was kept with its model", run.path)
    return _load(ModelOptions(run.model_path), TaskOptions(), run)


def _load(options: ModelOptions, task: TaskOptions, run: Run | None) -> Sampler:
    import_modules(options.modules)
    network = find_backend(options.model).load(options, task, run)
    return Sampler(network) if run is None else Sampler.for_run(network, run)


class SamplerSource:
    """A model over the examples of a run, or over some of them; see `Source` of `mcviz.runs.contents`."""

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
    def passes_at_once(self) -> int:
        """How many passes the sampler computes together: fewer take as long."""
        return self._adapter.sampler.plan_for(self._taken(self._first, self._first + 1))[1].passes_per_block

    def deterministic(self, start: int, stop: int) -> np.ndarray:
        """(stop - start, K) float32."""
        return self._adapter.sampler.deterministic(self._taken(start, stop))

    def _taken(self, start: int, stop: int) -> np.ndarray:
        return self._adapter.from_stored(self._examples[start - self._first : stop - self._first])


def versions() -> dict[str, str]:
    """Those of Python, mcviz and the libraries that the numbers of a run depend on, by name."""
    found = {library: _version(library) for library in LIBRARIES}
    return {"mcviz": mcviz.__version__, "python": platform.python_version(), **found}


def _version(library: str) -> str:
    for name in (library, f"{library}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"
