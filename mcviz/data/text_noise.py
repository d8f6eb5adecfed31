"""Noise among texts: as long as texts of a run, and without any meaning."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mcviz import validate
from mcviz.data.text_distortions import LETTERS, Texts, random_characters, random_words


def noise_of_words(count: int, others: Texts, seed: int) -> Texts:
    """Draw texts of random words: each has the length of one of some texts, whose words are as frequent as in these.

    Args:
        count: how many texts.
        others: (N,) `str`, such as texts of a run; where they have no words, letters take their place.
        seed: any non-negative integer.

    Returns:
        (count,) of dtype object, all `str`.

    Raises:
        InvalidInputError: a negative seed.
    """
    known = _with_words(others)
    return random_words(_some_of(known, count, seed), known, seed=seed)


def noise_of_characters(count: int, others: Texts, seed: int) -> Texts:
    """Draw texts of random letters: each has the length of one of some texts, and its white space.

    Args, result and errors: as in `noise_of_words`.
    """
    return random_characters(_some_of(_with_words(others), count, seed), seed=seed)


@dataclass(frozen=True)
class TextNoise:
    """A kind of noise among texts that a person can pick.

    Attributes:
        label: its name for people.
        meaning: one sentence on what it is.
        draw: (count, others, seed) to (count,) texts.
    """

    label: str
    meaning: str
    draw: Callable[[int, Texts, int], Texts]


TEXT_NOISES: dict[str, TextNoise] = {
    "words": TextNoise("Random words", "Words of this run's texts, as frequent as there.", noise_of_words),
    "characters": TextNoise(
        "Random characters", "Letters from a to z, in words as long as in this run's texts.", noise_of_characters
    ),
}


def _with_words(texts: Texts) -> Texts:
    found = [text for text in texts if text.strip()]
    return np.array(found or LETTERS, object)


def _some_of(texts: Texts, count: int, seed: int) -> Texts:
    random = np.random.default_rng(validate.whole_number("seed", seed))
    return texts[random.integers(len(texts), size=count)]
