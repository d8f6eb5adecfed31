"""Keras models: trained, loaded, and sampled with dropout on."""

from mcviz.extras import require_keras

require_keras()  # before any module here imports them, for an error that says what to install

import mcviz.sampling.keras_internals  # noqa: E402, F401 (it refuses a Keras that breaks the others)
from mcviz.sampling.model_files import load_model  # noqa: E402
from mcviz.sampling.sampler import Sampler, sample  # noqa: E402
from mcviz.sampling.stochastic import StochasticLayer  # noqa: E402
from mcviz.sampling.texts import with_vocabulary  # noqa: E402

__all__ = ["Sampler", "StochasticLayer", "load_model", "sample", "with_vocabulary"]
