"""The prediction for one example in words and histograms, which the browser draws at once where it came ahead."""

from collections.abc import Mapping
from itertools import count
from typing import Any, TypedDict

import streamlit as st

from mcviz.app.components.assets import load_assets

PICTURE = "picture-of-example"  # the key of the container in which steps find the picture of the example

_mounted = st.components.v2.component(
    "mcviz_explanation",
    css=load_assets("histograms.css", "explanation.css"),
    js=load_assets("hearing.js", "element.js", "histograms.js", "latest_data.js", "explanation.js"),
)
_ahead = st.components.v2.component(
    "mcviz_ahead", js=load_assets("internals.js", "hearing.js", "latest_data.js", "ahead.js")
)
_turns = count()  # in the data, or else the browser would keep what it drew where the server says the same as before


class Explanation(TypedDict, total=False):
    """The prediction for one example, as the browser takes it.

    Attributes:
        sentences: in Markdown with nothing but bold words; one that begins with "- " is a point of a list.
        histograms: as `pass_histograms` returns them.
        picture: the example's `sheet` of one tile, as `KindRenderer.tiles` gives it; for steps only.
    """

    sentences: list[str]
    histograms: dict[str, Any]
    picture: Mapping[str, object]


def render_explanation(key: str, explanation: Explanation, example: int | None = None) -> None:
    """Render an explanation; where another example is looked at and its own came ahead, the browser draws that.

    Args:
        key: of the component.
        explanation: what is drawn.
        example: its number, where it is one of a run.
    """
    _mounted(key=key, data={"example": example, "explanation": explanation, "turn": next(_turns)})


def send_ahead(explanations: Mapping[int, Explanation], steps: Mapping[str, int] | None = None) -> None:
    """Send explanations of examples that may be looked at next, to be drawn without a delay.

    Args:
        explanations: by the numbers of the examples.
        steps: the example to which a button leads, by what its key begins with; where the page itself steps.
    """
    data: dict[str, Any] = {"explanations": {str(example): each for example, each in explanations.items()}}
    if steps is not None:
        data |= {"steps": steps, "turn": next(_turns)}
    with st.container(key="ahead"):
        _ahead(key="explanations-ahead", data=data, height=1)
