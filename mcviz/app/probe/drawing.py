"""A drawing as an input."""

import numpy as np
import streamlit as st

from mcviz.app.components.drawing_pad import drawing_pad
from mcviz.app.probe.predicting import ProbeInput
from mcviz.app.state import PageState
from mcviz.data.drawing import centred, drawn
from mcviz.runs import Run

FINE = 8  # pixels drawn for each one of the image, before a digit is cut out and scaled


def drawing_input(run: Run, state: PageState) -> ProbeInput | None:  # noqa: ARG001 (a drawing is not in the address)
    """The pad and its controls; nothing while it is blank."""
    height, width, channels = run.image_shape
    strokes = drawing_pad(width / height)
    as_mnist = channels == 1 and st.toggle(
        "Centre and scale as MNIST is",
        value=True,
        key="drawing-centred",
        help="Scaled to 20 of 28 pixels, with the centre of mass in the middle, as the digits that the model knows.",
    )
    if not strokes:
        return None
    if as_mnist:
        grey = centred(drawn(strokes, FINE * height, FINE * width), height, width)
    else:
        grey = drawn(strokes, height, width)
    return ProbeInput(np.repeat(grey[..., None], channels, axis=-1), "The drawing")
