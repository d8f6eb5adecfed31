"""The sets that were known while the probe's detector was made, and those that validate combinations of detectors."""

from dataclasses import dataclass

import numpy as np

from benchmarks.ood.samples import enlarged_digits, fashion_sample
from mcviz.data import as_model_input
from mcviz.data.distortions import invert, mix, rotate, shuffle_pixels
from mcviz.data.noise import NOISES


@dataclass(frozen=True)
class ImageSet:
    """A set of images that are not as those of MNIST.

    Attributes:
        label: its name for people.
        images: (N, 28, 28, 1) float32 in 0..1.
        out_of_distribution: whether no class is right; False for a shift, images of the classes that look different.
        known: whether it was known while the detector of `mcviz.measures.ood` was made.
    """

    label: str
    images: np.ndarray
    out_of_distribution: bool = True
    known: bool = True


def known_sets(images: np.ndarray, labels: np.ndarray, count: int = 1000) -> dict[str, ImageSet]:
    """Make the sets, the same for the same images.

    Args:
        images: (N, 28, 28, 1) float32 in 0..1, test images that no detector is fitted on.
        labels: (N,) their classes.
        count: images in each set, at most N and 1,000.

    Returns:
        By name: the noises at full strength, Fashion-MNIST, test images rotated by 90°, inverted, mixed half and half
        with one of another class, with all pixels shuffled; and the enlarged digits of other writers.
    """
    first = images[:count]
    sets = {
        name: ImageSet(noise.label, noise.draw(count, images.shape[1:], seed, 1.0))
        for seed, (name, noise) in enumerate(NOISES.items(), start=1)
    }
    return sets | {
        "fashion": ImageSet("Fashion-MNIST", as_model_input(spread(fashion_sample().pixels, count))),
        "rotated": ImageSet("Rotated by 90°", rotate(first, 90)),
        "inverted": ImageSet("Inverted", invert(first)),
        "mixed": ImageSet("Mixed pairs", mix(first, images[of_other_class(labels, count)])),
        "shuffled": ImageSet("Shuffled pixels", shuffle_pixels(first, seed=7)),
        "digits": ImageSet(
            "8 × 8 digits (a shift)", spread(enlarged_digits().pixels, count), out_of_distribution=False
        ),
    }


def validation_sets(images: np.ndarray, labels: np.ndarray) -> dict[str, ImageSet]:
    """Other broken images, to choose a combination by without the sets of the study.

    Args:
        images: (N, 28, 28, 1) float32 in 0..1, test images.
        labels: (N,) their classes.

    Returns:
        By name: the left half of one digit beside the right half of one of another class, quarters in another order,
        digits upside down, and digits under Gaussian noise.
    """
    others = images[of_other_class(labels, len(images))]
    middle = images.shape[2] // 2
    top, bottom = images[:, :middle], images[:, middle:]
    noise = np.random.default_rng(11).normal(0, 0.4, images.shape).astype(np.float32)
    return {
        "halves": ImageSet("Halves of two", np.concatenate([images[:, :, :middle], others[:, :, middle:]], axis=2)),
        "quarters": ImageSet("Quarters in disorder", np.concatenate([np.roll(bottom, middle, 2), top], axis=1)),
        "upside_down": ImageSet("Upside down", images[:, ::-1].copy()),
        "noisy": ImageSet("Under noise", np.clip(images + noise, 0, 1)),
    }


def of_other_class(labels: np.ndarray, count: int) -> np.ndarray:
    """For each of the first `count` labels the index of a random image of another class."""
    random = np.random.default_rng(6)
    return np.array([random.choice(np.flatnonzero(labels != label)) for label in labels[:count]])


def spread(images: np.ndarray, count: int) -> np.ndarray:
    """`count` of the images, evenly spread."""
    return images[np.arange(count) * len(images) // count]
