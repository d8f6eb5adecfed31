"""Texts: tiles with their first lines, and all of one as it was typed; texts to type, noise and distortions."""

from typing import Any, ClassVar

import numpy as np
import streamlit as st

from mcviz.app.components import load_assets
from mcviz.app.kinds.base import TILE, KindRenderer, Tiles
from mcviz.app.probe.parts import InputKind, Parts, ProbeInput, text_parts
from mcviz.app.probe.rows import (
    TEXT_DISTORTER,
    choose_text_noise,
    load_texts,
    sample_texts,
    text_noise_sweep,
    type_text,
)
from mcviz.data import noise_of_words
from mcviz.runs import Run
from mcviz.text import one_line

MOST_CHARACTERS = 100_000  # more than that is slow to send and to draw, and nobody scrolls through it
HEIGHT = 320  # pixels
_mounted = st.components.v2.component(
    "mcviz_text_box",
    css=load_assets("text_box.css"),
    js=load_assets("element.js", "text.js", "latest_data.js", "text_box.js"),
)

ON_A_TILE = 400  # characters; what does not fit is cut by the browser
IN_A_TABLE = 200


def text_box(text: str, spoken: str, height: int = HEIGHT) -> None:
    """Render a text with its lines and its white space, in a box in which a long one scrolls.

    Args:
        text: of any length and content; of a very long one the beginning is shown.
        spoken: what it is, for those who cannot see it.
        height: of the box in pixels, at most.
    """
    if not text.strip():
        st.caption("A text of white space alone." if text else "An empty text.")
        return
    _mounted(key=f"text-{spoken}", data={"text": text[:MOST_CHARACTERS], "spoken": spoken, "height": height})
    if len(text) > MOST_CHARACTERS:
        st.caption(f"The first {MOST_CHARACTERS:,} of {len(text):,} characters.")


class TextRenderer(KindRenderer):
    """Texts, as they were typed."""

    inputs: ClassVar = {
        "text": InputKind(
            "Type a text",
            type_text,
            (":material/edit_note:", "Type or paste a text into the field, then press Ctrl+Enter or click beside it."),
            seen_in_its_controls=True,
        ),
        "distortion": InputKind(
            "Distort an example",
            TEXT_DISTORTER.choose,
            sweep=TEXT_DISTORTER.sweep,
            along=TEXT_DISTORTER.along,
        ),
        "noise": InputKind("Noise", choose_text_noise, sweep=text_noise_sweep),
    }
    fits_column = True
    has_noise = True
    has_parts = True
    distorter = TEXT_DISTORTER

    def render_example(self, run: Run, example: int, width: int) -> None:
        """Render a text as wide as there is room for, and as high as a picture may be wide."""
        text_box(load_texts(run, np.array([example]))[0], f"Example {example}", width)

    def render_input(self, run: Run, content: str, spoken: str) -> None:
        text_box(content, spoken)

    def text(self, run: Run, example: int) -> str:
        return str(load_texts(run, np.array([example]))[0])[:MOST_CHARACTERS]

    def contents(self, run: Run, examples: np.ndarray) -> np.ndarray:
        return load_texts(run, examples)

    def tiles(self, run: Run, examples: np.ndarray, side: int = TILE) -> Tiles:
        return Tiles(details=tuple({"text": _beginning(text, ON_A_TILE)} for text in load_texts(run, examples)))

    def table_columns(self, run: Run, examples: np.ndarray) -> dict[str, tuple[list[Any], Any]]:
        (name,) = run.manifest.examples.content
        beginnings = [_beginning(text, IN_A_TABLE) for text in load_texts(run, examples)]
        return {name: (beginnings, st.column_config.TextColumn(width="large"))}

    def noise(self, run: Run) -> ProbeInput:
        return ProbeInput(noise_of_words(1, sample_texts(run), seed=0)[0], "Random words")

    def parts(self, run: Run, content: str) -> Parts:
        return text_parts(content)


def _beginning(text: str, characters: int) -> str:
    line = one_line(text[: characters + 1])
    return line if len(text) <= characters else f"{line[:characters]}…"
