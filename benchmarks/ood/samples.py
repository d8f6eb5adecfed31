"""Labelled images of things that are no MNIST digits, kept beside this file or read from scikit-learn."""

from pathlib import Path

import numpy as np
import scipy  # loads scipy.ndimage when it is first used
from sklearn.datasets import load_digits

from mcviz.data import DataSet, as_data_set, read_data

FASHION_FILE = Path(__file__).parent / "fashion" / "fashion-mnist-sample.npz"
FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"
)  # fmt: skip


def fashion_sample() -> DataSet:
    """1,000 test images of Fashion-MNIST, 100 of each class (Zalando, MIT licence; see `fashion/README.md`).

    Returns:
        (1000, 28, 28, 1) uint8 images and their labels, indices of `FASHION_CLASSES`.
    """
    return read_data(FASHION_FILE)


def enlarged_digits() -> DataSet:
    """scikit-learn's 1,797 digits of 8 × 8 pixels, enlarged to MNIST's size and margin.

    They are digits of other writers: a shift, and not out of distribution.

    Returns:
        (1797, 28, 28, 1) float32 images in 0..1 and their labels.
    """
    digits = load_digits()
    enlarged = scipy.ndimage.zoom(digits.images / 16, (1, 20 / 8, 20 / 8), order=1)
    images = np.pad(enlarged, ((0, 0), (4, 4), (4, 4))).astype(np.float32)
    return as_data_set((images, digits.target))
