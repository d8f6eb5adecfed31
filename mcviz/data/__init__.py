"""Examples in: images from files, noise, and distortions of images."""

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
from mcviz.data.labelled import LabelledImages, as_model_input, read_images, read_mnist
from mcviz.data.noise import (
    NOISES,
    Noise,
    constant_grey,
    gaussian_noise,
    salt_and_pepper_noise,
    smooth_noise,
    uniform_noise,
)

__all__ = [
    "DISTORTIONS",
    "NOISES",
    "Distortion",
    "LabelledImages",
    "Noise",
    "as_model_input",
    "blur",
    "constant_grey",
    "erase",
    "gaussian_noise",
    "invert",
    "mix",
    "read_images",
    "read_mnist",
    "rotate",
    "salt_and_pepper_noise",
    "scale",
    "shift",
    "shuffle_pixels",
    "smooth_noise",
    "uniform_noise",
]
