"""Keras models: trained, loaded, and sampled with dropout left on."""

import mcviz.model.keras_internals  # noqa: F401 (first, since it refuses a Keras that the others would fail with)
from mcviz.model.loading import load_model
from mcviz.model.sampler import Sampler, sample
from mcviz.model.stochastic import StochasticLayer

__all__ = ["Sampler", "StochasticLayer", "load_model", "sample"]
