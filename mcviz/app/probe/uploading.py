"""A picture file as an input."""

import numpy as np
import streamlit as st

from mcviz.app.probe.predicting import ProbeInput, centring_toggle
from mcviz.app.state import PageState
from mcviz.data.drawing import LUMA, centred
from mcviz.data.upload import MOST_BYTES, MOST_PIXELS, fitted, read_picture
from mcviz.runs import Run
from mcviz.text import one_line

MOST_TO_SEND = 50  # megabytes, ten times what is taken, so that what is too large is refused here, in our words


def upload_input(run: Run, state: PageState) -> ProbeInput | None:  # noqa: ARG001 (a file is not in the address)
    """Controls for a file; nothing where there is none yet.

    Raises:
        InvalidInputError: a file that is no picture, or one that cannot be used.
    """
    file = st.file_uploader(
        f"A picture, PNG or JPEG, at most {MOST_BYTES // 2**20} MB and {MOST_PIXELS // 10**6} megapixels",
        max_upload_size=MOST_TO_SEND,
        key="picture-file",
    )
    if file is None:
        st.caption("It is scaled to the size that the model takes, and is not stored.")
        return None
    picture = read_picture(file.getvalue())
    height, width, channels = run.image_shape
    inverted = st.toggle(
        "Invert", key="upload-inverted", help="For dark ink on light paper, where the model expects light on dark."
    )
    centre = centring_toggle(run, "upload-centred")
    picture = 255 - picture if inverted else picture
    if centre:
        image = centred(picture.astype(np.float32) / 255 @ LUMA, height, width)[..., None]
    else:
        image = fitted(picture, (height, width, channels))
    return ProbeInput(image, f"The uploaded picture {one_line(file.name)}")
