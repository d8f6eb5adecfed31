"""Where the predictions of a run come from: a model prepared from its file, over examples, here or in a worker."""

import hashlib
import importlib.metadata
import json
import platform

import keras
import numpy as np

import mcviz
from mcviz.choices import Masks
from mcviz.extras import import_modules
from mcviz.interrupts import hold_interrupts
from mcviz.runs import open_run
from mcviz.runs.contents import Progress, Rows, hash_array
from mcviz.sampling.adapters import Adapter
from mcviz.sampling.model_files import load_model
from mcviz.sampling.model_source import ModelSource
from mcviz.sampling.sampler import Sampler
from mcviz.sampling.texts import vocabularies, with_vocabulary

LIBRARIES = ("keras", "tensorflow", "numpy")


def load_sampler(source: ModelSource) -> Sampler:
    """Load a model and prepare it.

    Raises:
        DataNotFoundError: there is no such file.
        MissingPackageError: a module is not there.
        InvalidInputError: an argument that cannot be used.
        UnsuitableModelError: a model that cannot be loaded or sampled.
    """
    options = source.options
    import_modules(options.modules)
    network = load_model(options.model, trust=options.trust_model)
    if options.vocabulary is not None:
        network = with_vocabulary(network, list(options.vocabulary))
    if source.run is not None:
        sampler = Sampler.for_run(network, open_run(source.run))
    else:
        sampler = Sampler(
            network,
            output=options.output,
            from_logits=options.from_logits,
            task=source.task.task,
            predicts=source.task.predicts,
            rate=options.rate,
        )
    sampler.source = source
    return sampler


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


@hold_interrupts()
def model_digest(model: keras.Model) -> str:
    """SHA-256 of a model's architecture, weights and vocabularies, the same in memory, saved and loaded."""
    digest = hashlib.sha256()
    architecture = keras.saving.serialize_keras_object(model)
    digest.update(json.dumps([architecture["class_name"], architecture["config"]], sort_keys=True).encode())
    for weight in model.weights:
        digest.update(hash_array(keras.ops.convert_to_numpy(weight)).encode())
    for vocabulary in vocabularies(model):
        digest.update(vocabulary.encode())
    return digest.hexdigest()


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
