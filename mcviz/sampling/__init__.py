"""Models sampled with dropout on."""

from mcviz.sampling.base import StochasticLayer as StochasticLayer
from mcviz.sampling.sampler import Sampler as Sampler
from mcviz.sampling.sampler import sample as sample
