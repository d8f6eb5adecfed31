"""The prediction for one example in words and histograms, which the browser draws at once where it came ahead."""

from collections.abc import Mapping
from typing import Any, TypedDict

import streamlit as st

from mcviz.app.components.assets import load_assets

_mounted = st.components.v2.component(
    "mcviz_explanation",
    css=load_assets("histograms.css", "explanation.css"),
    js=load_assets("hearing.js", "element.js", "histograms.js", "latest_data.js", "explanation.js"),
)
_ahead = st.components.v2.component("mcviz_ahead", js=load_assets("hearing.js", "latest_data.js", "ahead.js"))


class Explanation(TypedDict, total=False):
    """The prediction for one example, as the browser takes it.

    Attributes:
        sentences: in Markdown with nothing but bold words; one that begins with "- " is a point of a list.
        histograms: as `pass_histograms` returns them.
    """

    sentences: list[str]
    histograms: dict[str, Any]


def render_explanation(key: str, explanation: Explanation, example: int | None = None) -> None:
    """Render an explanation; where another example is looked at and its own came ahead, the browser draws that.

    Args:
        key: of the component.
        explanation: what is drawn.
        example: its number, where it is one of a run.
    """
    _mounted(key=key, data={"example": example, "explanation": explanation})


def send_ahead(key: str, explanations: Mapping[int, Explanation]) -> None:
    """Send explanations of examples that may be looked at next, by their numbers, to be drawn without a delay."""
    _ahead(key=key, data={str(example): explanation for example, explanation in explanations.items()}, height=1)
