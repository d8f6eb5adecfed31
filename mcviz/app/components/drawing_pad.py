"""A pad to draw on with the mouse, a pen or a finger."""

from pathlib import Path
from typing import Any

import streamlit as st

from mcviz.data.drawing import Stroke

HERE = Path(__file__).parent
DRAWING = "drawing"  # in the session: what was drawn last, so that it is still there when the pad is shown again

_mounted = st.components.v2.component(
    "mcviz_drawing_pad", css=(HERE / "drawing_pad.css").read_text(), js=(HERE / "drawing_pad.js").read_text()
)


def drawing_pad(aspect: float) -> list[Stroke]:
    """The pad, and the strokes that are drawn on it.

    Args:
        aspect: its width in heights.
    """
    kept = st.session_state.get(DRAWING, [])
    pad = _mounted(
        key="pad",
        data={"strokes": kept, "aspect": aspect},
        default={"strokes": kept},
        on_strokes_change=lambda: None,
    )
    st.session_state[DRAWING] = pad.strokes
    return [_stroke(sent) for sent in pad.strokes]


def _stroke(sent: dict[str, Any]) -> Stroke:
    return Stroke(float(sent["width"]), tuple((float(x), float(y)) for x, y in sent["points"]))
