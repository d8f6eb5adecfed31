"""A first look at a model, as `sample_run` takes it."""

from mcviz.data import DataSet
from mcviz.runs import Preprocessing
from mcviz.sampling import Sampler
from mcviz.sampling.adapters import adapter_for_examples
from mcviz.sampling.checking import Trial, try_model


def try_on(sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None) -> Trial:
    return try_model(*adapter_for_examples(sampler, examples, preprocessing), examples)
