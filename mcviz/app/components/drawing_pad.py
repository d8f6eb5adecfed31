"""A pad to draw on with the mouse, a pen or a finger."""

from typing import Any

import streamlit as st

from mcviz.app.components.assets import load_assets
from mcviz.app.session import session_store
from mcviz.data.drawing import Stroke

DRAWING = "drawing"  # in the session: what was drawn last, so that it is still there when the pad is shown again

_mounted = st.components.v2.component(
    "mcviz_drawing_pad", css=load_assets("drawing_pad.css"), js=load_assets("drawing_pad.js")
)


def drawing_pad(aspect: float) -> list[Stroke]:
    """Render the pad, and return the strokes that are drawn on it.

    Args:
        aspect: its width in heights.
    """
    found = session_store().get(DRAWING, [])
    pad = _mounted(
        key="pad",
        data={"strokes": found, "aspect": aspect},
        default={"strokes": found},
        on_strokes_change=lambda: None,
    )
    session_store()[DRAWING] = pad.strokes
    return [_stroke(sent) for sent in pad.strokes]


def _stroke(sent: dict[str, Any]) -> Stroke:
    return Stroke(float(sent["width"]), tuple((float(x), float(y)) for x, y in sent["points"]))
