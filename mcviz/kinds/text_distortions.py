"""Distortions of texts, and noise texts.

A distortion takes `texts`, (n,) of dtype object, all `str`, and returns as many. White space separates words. Text `i`
of a seed does not depend on their number.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mcviz import validate
from mcviz.kinds.base import Distortion, drawn_share

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
SPACE = re.compile(r"(\s+)")
Texts = np.ndarray
Change = Callable[[list[str], np.ndarray, np.random.Generator], None]


def shuffle_words(texts: Texts, share: float = 1.0, seed: int = 0) -> Texts:
    """Shuffle a random share of each text's words; 1 keeps only their counts.

    Raises:
        InvalidInputError: a share that is not from 0 to 1.
    """

    def shuffle(words: list[str], chosen: np.ndarray, random: np.random.Generator) -> None:
        held = [words[place] for place in random.permutation(chosen)]
        for place, word in zip(chosen, held, strict=True):
            words[place] = word

    return _changed(texts, share, seed, shuffle)


def drop_words(texts: Texts, share: float, seed: int = 0) -> Texts:
    """Drop a random share of words.

    Raises:
        InvalidInputError: a share that is not from 0 to 1.
    """

    def drop(words: list[str], chosen: np.ndarray, _: np.random.Generator) -> None:
        for place in chosen:
            words[place] = ""

    dropped = _changed(texts, share, seed, drop)
    for place, (text, before) in enumerate(zip(dropped, texts, strict=True)):
        dropped[place] = before if text == before else " ".join(text.split())
    return dropped


def random_words(texts: Texts, others: Texts, share: float = 1.0, seed: int = 0) -> Texts:
    """Replace a random share of each text's words by words of others.

    They are drawn by their frequency there.

    Args:
        texts: (n,) `str`.
        others: (N,) `str`, such as all texts of a run.
        share: of the words, 0 to 1.
        seed: any non-negative integer.

    Raises:
        InvalidInputError: a share that is not from 0 to 1, or others without any word.
    """
    known = np.array(" ".join(others).split(), object)
    if not len(known):
        raise validate.invalid("others", "texts with words", "none")

    def replace(words: list[str], chosen: np.ndarray, random: np.random.Generator) -> None:
        for place, word in zip(chosen, random.choice(known, len(chosen)), strict=True):
            words[place] = word

    return _changed(texts, share, seed, replace)


def random_characters(texts: Texts, share: float = 1.0, seed: int = 0) -> Texts:
    """Replace a random share of each text's non-space characters by a–z.

    Raises:
        InvalidInputError: a share that is not from 0 to 1.
    """
    changed = np.empty(len(texts), object)
    for number, text in enumerate(texts):
        characters = list(text)
        random = np.random.default_rng([seed, number])
        chosen = _drawn(random, [place for place, character in enumerate(characters) if not character.isspace()], share)
        for place, letter in zip(chosen, random.choice(LETTERS, len(chosen)), strict=True):
            characters[place] = str(letter)
        changed[number] = "".join(characters)
    return changed


TEXT_DISTORTIONS: dict[str, Distortion] = {
    "shuffle_words": drawn_share(
        "Shuffle words", "of the words", lambda texts, share, seed, _: shuffle_words(texts, share, seed)
    ),
    "drop_words": drawn_share(
        "Drop words", "of the words", lambda texts, share, seed, _: drop_words(texts, share, seed)
    ),
    "random_words": drawn_share(
        "Words of other texts",
        "of the words",
        lambda texts, share, seed, others: random_words(texts, others, share, seed),
    ),
    "random_characters": drawn_share(
        "Random characters", "of the characters", lambda texts, share, seed, _: random_characters(texts, share, seed)
    ),
}


def _changed(texts: Texts, share: float, seed: int, change: Change) -> Texts:
    """Change a random share of each text's words, keeping white space."""
    changed = np.empty(len(texts), object)
    for number, text in enumerate(texts):
        parts = SPACE.split(text)  # words at even places, with nothing before and after white space at the ends
        random = np.random.default_rng([seed, number])
        chosen = _drawn(random, [place for place in range(0, len(parts), 2) if parts[place]], share)
        change(parts, chosen, random)
        changed[number] = "".join(parts)
    return changed


def _drawn(random: np.random.Generator, places: list[int], share: float) -> np.ndarray:
    return random.permutation(np.array(places, int))[: round(validate.fraction("share", share) * len(places))]


def noise_of_words(count: int, others: Texts, seed: int) -> Texts:
    """Draw texts of random words, with lengths and frequencies of given texts.

    Args:
        count: how many texts.
        others: (N,) `str`, such as texts of a run; if they have no words, letters take their place.
        seed: any non-negative integer.

    Returns:
        (count,) of dtype object, all `str`.

    Raises:
        InvalidInputError: a negative seed.
    """
    known = _with_words(others)
    return random_words(_some_of(known, count, seed), known, seed=seed)


def noise_of_characters(count: int, others: Texts, seed: int) -> Texts:
    """Draw texts of random letters with the white space of existing texts.

    Args, result and errors: as in `noise_of_words`.
    """
    return random_characters(_some_of(_with_words(others), count, seed), seed=seed)


@dataclass(frozen=True)
class TextNoise:
    """A selectable kind of text noise.

    Attributes:
        label: its name for people.
        meaning: one sentence of description.
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
    not_empty = [text for text in texts if text.strip()]
    return np.array(not_empty or LETTERS, object)


def _some_of(texts: Texts, count: int, seed: int) -> Texts:
    random = np.random.default_rng(validate.whole_number("seed", seed))
    return texts[random.integers(len(texts), size=count)]
