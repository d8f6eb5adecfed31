"""A drawing as an input: the pad, and what is drawn on it as the model sees it."""

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.probe.asking import Asked
from mcviz.data.drawing import Stroke, centred, drawn
from mcviz.runs import Run

HERE = Path(__file__).parent
FINE = 8  # pixels drawn for each one of the image, before a digit is cut out and scaled

_mounted = st.components.v2.component("mcviz_pad", css=(HERE / "pad.css").read_text(), js=(HERE / "pad.js").read_text())


def drawing_input(run: Run) -> Asked | None:
    """The pad and its controls; nothing while it is blank."""
    height, width, channels = run.image_shape
    kept = st.session_state.get("drawing", [])
    pad = _mounted(
        key="pad",
        data={"strokes": kept, "aspect": width / height},
        default={"strokes": kept},
        on_strokes_change=lambda: None,
    )
    st.session_state["drawing"] = pad.strokes
    as_mnist = channels == 1 and st.toggle(
        "Centre and scale as MNIST is",
        value=True,
        key="drawing-centred",
        help="Scaled to 20 of 28 pixels, with the centre of mass in the middle, as the digits that the model knows.",
    )
    strokes = strokes_from(pad.strokes)
    if not strokes:
        return None
    if as_mnist:
        grey = centred(drawn(strokes, FINE * height, FINE * width), height, width)
    else:
        grey = drawn(strokes, height, width)
    return Asked(np.repeat(grey[..., None], channels, axis=-1), "The drawing")


def strokes_from(sent: list[dict[str, Any]]) -> list[Stroke]:
    """What the pad sends, as strokes."""
    return [Stroke(float(stroke["width"]), tuple((float(x), float(y)) for x, y in stroke["points"])) for stroke in sent]
