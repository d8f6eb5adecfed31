"""Examples: images, texts and rows of numbers from files; noise, and distortions of examples."""

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
from mcviz.data.in_place import InPlace
from mcviz.data.kinds import KINDS, Kind
from mcviz.data.labels import MATCHES, target_names
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
from mcviz.data.passes import open_passes, read_array
from mcviz.data.pictures import Pictures
from mcviz.data.row_distortions import ROW_DISTORTIONS, Usual, most_unusual, shuffle_columns, usual
from mcviz.data.scaler import read_scaler
from mcviz.data.sources import of_table, read_data, read_labels
from mcviz.data.tables import ColumnNames
from mcviz.data.text_distortions import TEXT_DISTORTIONS
from mcviz.data.text_noise import TEXT_NOISES, TextNoise, noise_of_characters, noise_of_words

__all__ = [
    "DISTORTIONS",
    "KINDS",
    "MATCHES",
    "NOISES",
    "ROW_DISTORTIONS",
    "TEXT_DISTORTIONS",
    "TEXT_NOISES",
    "ColumnNames",
    "DataSet",
    "Distortion",
    "InPlace",
    "Kind",
    "Noise",
    "Pictures",
    "TextNoise",
    "Usual",
    "as_data_set",
    "as_examples",
    "as_model_input",
    "blur",
    "constant_grey",
    "erase",
    "gaussian_noise",
    "invert",
    "mix",
    "most_unusual",
    "noise_of_characters",
    "noise_of_words",
    "of_table",
    "open_passes",
    "read_array",
    "read_data",
    "read_labels",
    "read_mnist",
    "read_scaler",
    "rotate",
    "salt_and_pepper_noise",
    "scale",
    "shift",
    "shuffle_columns",
    "shuffle_pixels",
    "smooth_noise",
    "target_names",
    "uniform_noise",
    "usual",
]
