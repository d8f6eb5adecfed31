"""Examples in: images from files, noise, and distortions of images."""

from mcviz.data.data_set import DataSet, as_model_input
from mcviz.data.distortions import (
    DISTORTIONS,
    Distortion,
    blur,
    erase,
    invert,
    mix,
    rotate,
    scale,
    shift,
    shuffle_pixels,
)
from mcviz.data.given import as_data_set, as_examples
from mcviz.data.mnist import read_mnist
from mcviz.data.noise import (
    NOISES,
    Noise,
    constant_grey,
    gaussian_noise,
    salt_and_pepper_noise,
    smooth_noise,
    uniform_noise,
)
from mcviz.data.passes import opened_passes, read_array
from mcviz.data.pictures import Pictures
from mcviz.data.sources import read_data
from mcviz.data.tables import ColumnNames

__all__ = [
    "DISTORTIONS",
    "NOISES",
    "ColumnNames",
    "DataSet",
    "Distortion",
    "Noise",
    "Pictures",
    "as_data_set",
    "as_examples",
    "as_model_input",
    "blur",
    "constant_grey",
    "erase",
    "gaussian_noise",
    "invert",
    "mix",
    "opened_passes",
    "read_array",
    "read_data",
    "read_mnist",
    "rotate",
    "salt_and_pepper_noise",
    "scale",
    "shift",
    "shuffle_pixels",
    "smooth_noise",
    "uniform_noise",
]
