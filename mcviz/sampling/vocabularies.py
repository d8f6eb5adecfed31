"""The vocabularies of layers, and what a `.keras` file holds of them, checked before Keras reads it.

They stand in its configuration, or in a file beside it, one word a line. Where a name stands in place of the words,
Keras opens the file of that name, wherever it is; and nothing limits the tables that it makes.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from mcviz.sampling.stochastic import every_layer

TEXT_LAYERS = (keras.layers.TextVectorization, keras.layers.StringLookup)
FOLDER = "assets"  # of the files that layers bring
FILE_OF_VOCABULARY = re.compile(r"assets(/\w+)+/vocabulary\.txt", re.ASCII)  # which names no place outside
MOST_WORDS = 1_000_000  # of a vocabulary
MOST_CHARACTERS = 64_000_000  # of a vocabulary, each word as long as the longest, as numpy holds them
MOST_NGRAM = 100  # words
STANDARDIZE = (None, "lower_and_strip_punctuation", "lower", "strip_punctuation")
SPLIT = (None, "whitespace", "character")
SIZES = ("max_tokens", "num_oov_indices", "output_sequence_length", "vocabulary_size")


def layers_with_vocabulary(model: keras.Model) -> list[keras.Layer]:
    """The layers of a model that have a vocabulary, without the StringLookup inside a TextVectorization."""
    layers = [each for each in every_layer(model) if isinstance(each, (*TEXT_LAYERS, keras.layers.IntegerLookup))]
    inside = {id(part) for layer in layers for part in every_layer(layer)}
    return [layer for layer in layers if id(layer) not in inside]


def vocabularies(model: keras.Model) -> Iterator[str]:
    """The vocabularies of a model's layers, which are not all in its configuration or weights, each as one text."""
    for layer in layers_with_vocabulary(model):
        weights: dict[str, np.ndarray] = {}
        layer.save_own_variables(weights)  # the weights of words, which are none of the model's
        words = [str(word) for word in layer.get_vocabulary()]
        yield json.dumps([words, {name: values.tolist() for name, values in weights.items()}])


def check_words_can_be_saved(model: keras.Model) -> None:
    """Refuse a word that Keras would take for two when it reads the file in which it keeps one word a line.

    Raises:
        ValueError: there is one.
    """
    for layer in layers_with_vocabulary(model):
        kept_in_file = layer.get_config()["vocabulary"] is None
        for word in map(str, layer.get_vocabulary() if kept_in_file else ()):
            if word.splitlines() not in ([], [word]):
                raise ValueError(f"the word {word!r:.100} of its vocabulary has a line break in it")


def unsafe_option(options: dict[str, Any]) -> str | None:
    """Which option of a layer with a vocabulary could run code, read a file, or take too much memory, in words.

    Args:
        options: the configuration of a TextVectorization, StringLookup or IntegerLookup layer.
    """
    words, weights = options.get("vocabulary"), options.get("idf_weights")
    ngrams = options.get("ngrams")
    if words is not None and not _all_of(words, str) and not _all_of(words, int):
        return f"a vocabulary that is no list of words: {words!r:.100}"
    if weights is not None and not _all_of(weights, int | float):
        return f"weights of words that are no list of numbers: {weights!r:.100}"
    for name, known in (("standardize", STANDARDIZE), ("split", SPLIT), ("encoding", ("utf-8",))):
        if name in options and not any(options[name] == each for each in known):
            return f"{name}={options[name]!r:.100}"
    for name in SIZES:
        if not _is_size(options.get(name), MOST_WORDS):
            return f"{name}={options[name]!r:.100}"
    if not all(_is_size(each, MOST_NGRAM) for each in (ngrams if isinstance(ngrams, list) else [ngrams])):
        return f"ngrams={ngrams!r:.100}"
    return too_many_words([str(word) for word in words]) if words else None


def too_many_words(words: list[str]) -> str | None:
    """That a vocabulary takes more memory than an ordinary one, in words; None if it does not."""
    longest = max(map(len, words), default=0)
    if len(words) > MOST_WORDS or len(words) * longest > MOST_CHARACTERS:
        return f"a vocabulary of {len(words):,} words of up to {longest:,} characters"
    return None


def _all_of(values: Any, kind: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, kind) and not isinstance(each, bool) for each in values)


def _is_size(value: Any, most: int) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most)
