"""Texts: a table column, a list, or a folder of .txt files."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz import validate
from mcviz.data.content import TextContent
from mcviz.data.tables import TEXT_COLUMNS, find_usual_column, holds_texts
from mcviz.errors import InvalidInputError
from mcviz.kinds.base import Files, Kind, OODRecipe, Progress, drop_broken
from mcviz.kinds.text_distortions import TEXT_NOISES, TextNoise, drop_words, random_characters, shuffle_words
from mcviz.regular import open_regular
from mcviz.text import is_text

if TYPE_CHECKING:
    from mcviz.data.data_set import DataSet
    from mcviz.data.tables import ColumnNames

MOST_BYTES = 2**20  # of one file
NUMBERS = 1024  # of hash buckets of words
KEPT = 400  # characters of a text kept beside a run
WORD = re.compile(r"\w+")


def _noise_like(noise: TextNoise) -> OODRecipe:
    return OODRecipe(noise.label, lambda texts, _, seed: noise.draw(len(texts), texts, seed))


def _join_halves(texts: np.ndarray, others: np.ndarray) -> np.ndarray:
    joined = np.empty(len(texts), object)
    for place, (text, other) in enumerate(zip(texts, others, strict=True)):
        first, second = text.split(), other.split()
        joined[place] = " ".join([*first[: len(first) // 2], *second[len(second) // 2 :]])
    return joined


OOD_SETS = {
    **{name: _noise_like(noise) for name, noise in TEXT_NOISES.items()},
    "shuffled": OODRecipe("Shuffled words", lambda texts, _, seed: shuffle_words(texts, seed=seed)),
    "dropped": OODRecipe("Half of the words", lambda texts, _, seed: drop_words(texts, 0.5, seed)),
    "misspelt": OODRecipe("Half of the letters", lambda texts, _, seed: random_characters(texts, 0.5, seed)),
    "stacked": OODRecipe("Halves of two texts", lambda texts, others, _: _join_halves(texts, others)),
}


class Text(Kind):
    """Texts, (N,) of dtype object, all `str`."""

    name = "text"
    plural = "texts"
    column = "text"
    content = TextContent
    arrays = "N texts"
    suffixes = (".txt",)
    files = "texts"
    ood_sets = OOD_SETS
    alone = "Words alone"
    similarity_basis = "words"

    def check(self, examples: "DataSet") -> "DataSet":
        return self.read_array(examples, "texts", validate.array("texts", examples.texts))

    def takes(self, array: np.ndarray) -> bool:
        if array.ndim != 1 or array.dtype.kind not in "OUST":
            return False
        return array.dtype.kind != "O" or any(isinstance(value, str | bytes) for value in array)

    def check_form(self, name: str, array: np.ndarray) -> None:
        validate.shape(name, array, ("N",))
        if array.dtype.kind not in "OUST":
            raise validate.invalid(name, "texts", f"dtype {array.dtype}")

    def read_array(self, examples: "DataSet", name: str, array: np.ndarray) -> "DataSet":
        self.check_form(name, array)
        return examples.with_content(TextContent(check_texts(name, array.tolist())))

    def compute_vectors(self, contents: np.ndarray, others: np.ndarray) -> np.ndarray:
        counts = np.zeros((len(contents), NUMBERS), np.float32)
        for row, text in enumerate(contents):
            for word in WORD.findall(text.lower()):
                counts[row, zlib.crc32(word.encode()) % NUMBERS] += 1
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1)

    def compute_components(self, content: Any, progress: Progress | None) -> np.ndarray:
        """Return the latent semantic analysis of the words."""
        from mcviz.measures.similarity import (
            word_components,  # here, because scikit-learn takes most of a second to import
        )

        return word_components(content.iloc[:, 0].tolist(), progress=progress)

    def shrink(self, contents: np.ndarray) -> np.ndarray:
        return np.array([text if len(text) <= KEPT else f"{text[:KEPT]}…" for text in contents], object)

    def read_table(self, examples: "DataSet", names: "ColumnNames", files: Files) -> "DataSet | None":
        own = examples.columns
        name = names.text or find_usual_column(own, TEXT_COLUMNS)
        if own is None or name is None or not (names.text or holds_texts(own[name])):
            return None
        others = own.drop(columns=[name]).rename(columns={"text": "user_text"})  # a run's texts have that name
        content = TextContent(check_texts(name, own[name].tolist()))
        return replace(examples, held=content, columns=others)

    def read_files(self, examples: "DataSet", paths: Sequence[Path], files: Files) -> "DataSet":
        folder = files.folder or Path()
        texts, broken = np.full(len(paths), "", object), {}
        for place, path in enumerate(paths):
            try:
                texts[place] = _read_text(path, folder)
            except InvalidInputError as error:
                broken[place] = str(error)
            if files.progress:
                files.progress(place + 1, len(paths))
        names = [str(path.relative_to(folder)) for path in paths]
        return drop_broken(examples.with_content(TextContent(texts)), self.files, names, broken, files)


def check_texts(name: str, values: list[Any]) -> np.ndarray:
    """Convert values to texts, (N,) of dtype object.

    Raises:
        InvalidInputError: one of `name` is missing, or is no text of Unicode.
    """
    import pandas as pd

    missing = np.flatnonzero(pd.isna(pd.Series(values, dtype=object)))
    if len(missing):
        raise InvalidInputError(
            f"{len(missing):,} of {len(values):,} texts in {name} are missing, the first in row {missing[0]:,}, "
            "counted from 0. Fill them in, or leave those rows out."
        )
    texts = np.empty(len(values), object)
    for row, value in enumerate(values):
        text = value.decode(errors="surrogateescape") if isinstance(value, bytes) else value
        if not isinstance(text, str) or not is_text(text):
            value_and_row = f"{value!r:.40} in row {row:,}, counted from 0"
            raise validate.invalid(name, "texts of Unicode", value_and_row, "Give each example as one str.")
        texts[row] = str(text)
    return texts


def _read_text(path: Path, folder: Path) -> str:
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise InvalidInputError("it is a link out of the folder.")
        with open_regular(path) as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, RuntimeError) as error:  # Python 3.11 and 3.12 raise RuntimeError for a link to itself
        raise InvalidInputError(f"{getattr(error, 'strerror', None) or error}.") from error
    if len(content) > MOST_BYTES:
        raise InvalidInputError(f"it has more than {MOST_BYTES // 2**20} MB.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"it is no UTF-8 (byte {error.start:,}).") from error
    if not text or "\0" in text:
        raise InvalidInputError("it has NUL characters, as no text has." if text else "it is empty.")
    return text
