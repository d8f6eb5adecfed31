"""How the kinds of examples are brought into the form that a model takes."""

import numpy as np
from msgspec.structs import replace

from mcviz.data import DataSet
from mcviz.kinds import Image, Kind, Row, Text, find_kind
from mcviz.runs import Preprocessing, Run
from mcviz.runs.contents import Rows
from mcviz.sampling.adapters.base import Adapter
from mcviz.sampling.adapters.image import ImageAdapter
from mcviz.sampling.adapters.inputs import InputsAdapter
from mcviz.sampling.adapters.row import RowAdapter
from mcviz.sampling.adapters.text import TextAdapter
from mcviz.sampling.sampler import Sampler
from mcviz.validate import invalid

# A kind that derives from one of these reaches a model as that does; any other reaches none.
ADAPTERS: dict[type[Kind], type[Adapter]] = {Image: ImageAdapter, Text: TextAdapter, Row: RowAdapter}

__all__ = ["ADAPTERS", "Adapter", "adapter_for_examples", "adapter_for_run", "load_shown", "load_stored"]


def adapter_for_examples(
    sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
) -> tuple[Adapter, Rows]:
    """The adapter for a data set, and its examples as a run stores them; see `Adapter.for_examples`.

    Raises:
        InvalidInputError: they do not fit the model, or there are none; or a transform prepares them, and preprocessing
            is asked for as well.
    """
    prepares = sampler.network.transform is not None
    if prepares and preprocessing is not None and (preprocessing.applied or replace(preprocessing, crop=False).steps):
        expected = "left out beside a transform, which prepares the examples"
        advice = "On the command line, leave out --scale, --mean, --std, --preprocess and --scaler."
        raise invalid("preprocessing", expected, str(preprocessing), advice)
    adapter = InputsAdapter if examples.inputs is not None and not prepares else _find_adapter(find_kind(examples))
    if adapter is None:
        found = "a data set without any" if examples.inputs is None else "arrays by name, which no transform takes"
        raise invalid("data", "examples", found, "Give images, texts or rows of numbers.")
    return adapter.for_examples(sampler, examples, preprocessing)


def adapter_for_run(sampler: Sampler, run: Run) -> Adapter:
    """The adapter for the examples of a run and for new ones.

    Raises:
        InvalidInputError: the run does not know what its examples are.
    """
    return _adapter_of(run).for_run(sampler, run)


def load_stored(run: Run) -> Rows:
    """Return the examples of a run, as `Adapter.from_stored` takes them.

    Raises:
        InvalidInputError: the run does not know what its examples are.
        McvizError: the run was kept without them.
    """
    return _adapter_of(run).load_stored(run)


def load_shown(run: Run, examples: np.ndarray) -> np.ndarray:
    """Return some examples of a run by their numbers, as they are shown and as `Adapter.from_inputs` takes them.

    Raises:
        InvalidInputError: the run does not know what its examples are.
        McvizError: the run was kept without them.
    """
    return _adapter_of(run).load_shown(run, examples)


def _adapter_of(run: Run) -> type[Adapter]:
    adapter = _find_adapter(run.kind)
    if adapter is None:
        raise invalid("run", "one that knows its examples", "one that knows only their numbers")
    return adapter


def _find_adapter(kind: Kind) -> type[Adapter] | None:
    return next((adapter for of, adapter in ADAPTERS.items() if isinstance(kind, of)), None)
