"""Which inputs a Keras classifier is unsure about, and how far that doubt can be trusted."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

from mcviz.data import LabelledImages, as_model_input, read_images, read_mnist, uniform_noise
from mcviz.errors import (
    CorruptRunError,
    DataNotFoundError,
    InvalidInputError,
    McvizError,
    PartialRunError,
    RunExistsError,
    RunNotFoundError,
    StorageError,
    UnsuitableModelError,
)
from mcviz.measures import SCORES, scores
from mcviz.runs import Run, export_run, list_runs, open_run, remove_run, verify_run

if TYPE_CHECKING:
    from mcviz.model.loading import load_model
    from mcviz.model.reference import reference_network
    from mcviz.model.run_sampling import sample_run
    from mcviz.model.sampler import Sampler, sample
    from mcviz.model.training import train

_NEED_TENSORFLOW = {
    "Sampler": "mcviz.model.sampler",
    "load_model": "mcviz.model.loading",
    "sample_run": "mcviz.model.run_sampling",
    "reference_network": "mcviz.model.reference",
    "sample": "mcviz.model.sampler",
    "train": "mcviz.model.training",
}

__all__ = [
    "SCORES",
    "CorruptRunError",
    "DataNotFoundError",
    "InvalidInputError",
    "LabelledImages",
    "McvizError",
    "PartialRunError",
    "Run",
    "RunExistsError",
    "RunNotFoundError",
    "Sampler",
    "StorageError",
    "UnsuitableModelError",
    "as_model_input",
    "export_run",
    "list_runs",
    "load_model",
    "open_run",
    "read_images",
    "read_mnist",
    "reference_network",
    "remove_run",
    "sample",
    "sample_run",
    "scores",
    "train",
    "uniform_noise",
    "verify_run",
]


def __getattr__(name: str) -> Any:
    """Import what needs TensorFlow when it is first asked for: that takes seconds, and a look at a run needs none."""
    if name in _NEED_TENSORFLOW:
        return getattr(importlib.import_module(_NEED_TENSORFLOW[name]), name)
    raise AttributeError(f"module 'mcviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
