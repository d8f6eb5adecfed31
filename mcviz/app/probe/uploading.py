"""A picture file as an input."""

import numpy as np
import streamlit as st

from mcviz.app.inputs import ProbeInput
from mcviz.app.probe.predicting import background_of_run, centring_toggle
from mcviz.app.session import session_store, widget_value
from mcviz.app.state import PageState
from mcviz.app.streamlit_internals import UploadedFile
from mcviz.data.drawing import LUMA, centred
from mcviz.data.upload import (
    LARGEST_SIDE,
    MOST_UPLOAD_BYTES,
    MOST_UPLOAD_PIXELS,
    edge_brightness,
    fit_picture,
    read_picture,
)
from mcviz.runs import Run
from mcviz.text import one_line

MOST_TO_SEND = (
    50  # megabytes, as the server takes and more than is read, so that what is too large is refused here, in our words
)
INVERTED, TURN, DECODED = "upload-inverted", "upload-turn", "upload-decoded"  # of the session


def upload_input(run: Run, state: PageState) -> ProbeInput | None:  # noqa: ARG001 (a file is not in the address)
    """Controls for a file; nothing where there is none yet.

    Raises:
        InvalidInputError: a file that is no picture, or one that cannot be used.
    """
    file = st.file_uploader(
        f"A picture, PNG or JPEG, at most {MOST_UPLOAD_BYTES // 2**20} MB and {MOST_UPLOAD_PIXELS // 10**6} megapixels",
        max_upload_size=MOST_TO_SEND,
        key="picture-file",
    )
    if file is None:
        session_store().pop(DECODED, None)
        st.caption("It is scaled to the size that the model takes, and is not stored.")
        return None
    height, width, channels = run.image_shape
    picture = _decoded(file, max(LARGEST_SIDE, height, width))
    offer = st.container()
    if session_store().pop(TURN, False):
        st.session_state[INVERTED] = not widget_value(INVERTED)
    inverted = st.toggle(
        "Invert", key=INVERTED, help="For dark ink on light paper, where the model expects light on dark."
    )
    centre = centring_toggle(run, "upload-centred")
    picture = 255 - picture if inverted else picture
    with offer:
        _offer_to_invert(run, picture)
    if centre:
        image = centred(picture.astype(np.float32) / 255 @ LUMA, height, width)[..., None]
    else:
        image = fit_picture(picture, (height, width, channels))
    return ProbeInput(image, f"The uploaded picture {one_line(file.name)}")


def _decoded(file: UploadedFile, side: int) -> np.ndarray:
    """The picture in a file, which is decoded once."""
    key = file.file_id, side
    if session_store().get(DECODED, (None, None))[0] != key:
        session_store()[DECODED] = key, read_picture(file.getvalue(), side)
    picture: np.ndarray = session_store()[DECODED][1]
    return picture


def _offer_to_invert(run: Run, picture: np.ndarray) -> None:
    """Say so where the picture has a bright background and this run's own images have dark ones, or the reverse."""
    usual = background_of_run(run)
    if usual is None or abs(edge_brightness(picture) - usual) < 0.5:
        return
    its, theirs = ("dark", "bright") if usual > 0.5 else ("bright", "dark")
    st.info(f"Its background is {its}; those of this run's images are {theirs}.", icon=":material/contrast:")
    st.button(
        "Invert the picture", type="primary", icon=":material/invert_colors:", key="upload-invert", on_click=_invert
    )


def _invert() -> None:
    session_store()[TURN] = True
