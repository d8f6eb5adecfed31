"""Texts: tiles with their first lines, and all of one as it was typed; texts to type, noise and distortions."""

from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.components.text_box import text_box
from mcviz.app.explaining.parts import Parts, parts_of_text
from mcviz.app.inputs import InputKind, ProbeInput
from mcviz.app.kinds.kind import Kind, Tiles
from mcviz.app.probe.texts import TEXT_DISTORTER, noise_input, noise_sweep, some_texts, texts_of, typed_input
from mcviz.data import noise_of_words
from mcviz.runs import Run
from mcviz.runs.contents import Progress
from mcviz.text import one_line

ON_A_TILE = 400  # characters; what does not fit is cut by the browser
IN_A_TABLE = 200


def large(run: Run, example: int, width: int) -> None:
    """The text of an example, as wide as there is room for, and as high as a picture may be wide."""
    text_box(texts_of(run, np.array([example]))[0], f"Example {example}", width)


def draw(run: Run, text: str, spoken: str) -> None:  # noqa: ARG001
    """A text that is not of the run."""
    text_box(text, spoken)


def tiles(run: Run, examples: np.ndarray) -> Tiles:
    """The beginning of each text."""
    return Tiles(each=tuple({"text": _beginning(text, ON_A_TILE)} for text in texts_of(run, examples)))


def columns(run: Run, examples: np.ndarray) -> dict[str, tuple[list[Any], Any]]:
    """A column with the beginning of each text."""
    (name,) = run.manifest.examples.content
    shown = [_beginning(text, IN_A_TABLE) for text in texts_of(run, examples)]
    return {name: (shown, st.column_config.TextColumn(width="large"))}


def components(run: Run, progress: Progress) -> np.ndarray:
    """Latent semantic analysis of the words."""
    from mcviz.measures.similarity import word_components  # here, because scikit-learn takes most of a second to import

    return word_components(texts_of(run, np.arange(len(run))).tolist(), progress=progress)


def noise(run: Run) -> ProbeInput:
    """A text of random words."""
    return ProbeInput(noise_of_words(1, some_texts(run), seed=0)[0], "Random words")


def parts(run: Run, text: str) -> Parts:  # noqa: ARG001
    """Words of a text."""
    return parts_of_text(text)


def _beginning(text: str, characters: int) -> str:
    line = one_line(text[: characters + 1])
    return line if len(text) <= characters else f"{line[:characters]}…"


INPUTS = {
    "text": InputKind(
        "Type a text",
        typed_input,
        (":material/edit_note:", "Type or paste a text into the field, then press Ctrl+Enter or click beside it."),
        seen_in_its_controls=True,
    ),
    "distortion": InputKind(
        "Distort an example",
        TEXT_DISTORTER.choose,
        sweep=TEXT_DISTORTER.sweep,
        along=TEXT_DISTORTER.along,
    ),
    "noise": InputKind("Noise", noise_input, sweep=noise_sweep),
}
TEXT = Kind(
    "words", large, draw, tiles, columns, components, texts_of, INPUTS, noise, draw_small=draw, parts=parts,
    distorter=TEXT_DISTORTER,
)  # fmt: skip
