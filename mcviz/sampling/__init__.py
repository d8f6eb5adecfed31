"""Models sampled with dropout on."""

from mcviz.sampling.base import StochasticLayer
from mcviz.sampling.sampler import Sampler, sample

__all__ = ["Sampler", "StochasticLayer", "sample"]
