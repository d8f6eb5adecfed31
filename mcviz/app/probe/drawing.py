"""A drawing as an input."""

import numpy as np

from mcviz.app.components.drawing_pad import drawing_pad
from mcviz.app.inputs import ProbeInput
from mcviz.app.probe.predicting import centring_toggle
from mcviz.app.state import PageState
from mcviz.data.drawing import centred, drawn
from mcviz.runs import Run

OVERSAMPLING = 8  # pixels drawn for each one of the image, before the ink is cut out and scaled


def drawing_input(run: Run, state: PageState) -> ProbeInput | None:  # noqa: ARG001 (a drawing is not in the address)
    """The pad and its controls; nothing while it is blank."""
    height, width, channels = run.image_shape
    strokes = drawing_pad(width / height)
    centre = centring_toggle(run, "drawing-centred")
    if not strokes:
        return None
    if centre:
        grey = centred(drawn(strokes, OVERSAMPLING * height, OVERSAMPLING * width), height, width)
    else:
        grey = drawn(strokes, height, width)
    return ProbeInput(np.repeat(grey[..., None], channels, axis=-1), "The drawing")
