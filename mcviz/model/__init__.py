"""Keras models: trained, loaded, and sampled with dropout left on."""

from mcviz.model.loading import load_model
from mcviz.model.sampler import Sampler, sample
from mcviz.model.stochastic import StochasticLayer

__all__ = ["Sampler", "StochasticLayer", "load_model", "sample"]
