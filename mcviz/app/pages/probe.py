"""What the model makes of images that it was never meant for: noise, drawings, uploads, distorted images."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from mcviz.app import address
from mcviz.app.parts import class_charts, class_table, picture, title
from mcviz.app.probe.asking import PASSES, Asked, ask
from mcviz.app.probe.distorting import distortion_input, show_curves, swept_images
from mcviz.app.probe.drawing import drawing_input
from mcviz.app.probe.noise import noise_input, swept_noise
from mcviz.app.probe.sweep import Swept, show_sweep
from mcviz.app.probe.uploading import upload_input
from mcviz.app.probe.verdict import compared_with_the_test_images, has_learnt, show_verdict
from mcviz.app.resources import current_run
from mcviz.app.wording import answer
from mcviz.errors import InvalidInputError, McvizError
from mcviz.runs import Run

NOISE, DRAW, UPLOAD, DISTORT = "Noise", "Draw", "Upload", "Distort an image"
INPUTS: dict[str, Callable[[Run], Asked | None]] = {
    NOISE: noise_input,
    DRAW: drawing_input,
    UPLOAD: upload_input,
    DISTORT: distortion_input,
}
SWEPT: dict[str, Callable[[Run], Swept]] = {NOISE: swept_noise, DISTORT: swept_images}
NOTHING_YET = {DRAW: "Draw something on the pad, and the model says what it sees.", UPLOAD: "Choose a picture first."}


@st.fragment
def probe(run: Run, kind: str) -> None:
    """One input and what the model makes of it, which change without the rest of the page."""
    try:
        one_input(run, kind)
    except McvizError as error:
        st.error(str(error), icon=":material/error:")


def one_input(run: Run, kind: str) -> None:
    """The input on the left, in sight however far one scrolls; what the passes say of it on the right."""
    left, right = st.columns([3, 7], gap="large")
    try:
        with left, st.container(key="probe-input"):
            asked = INPUTS[kind](run)
            if asked is not None:
                picture(asked.image, asked.name)
                st.caption("As the model sees it.")
    except InvalidInputError as error:
        right.error(str(error), icon=":material/broken_image:")
        return
    with right:
        if asked is None:
            st.info(NOTHING_YET[kind], icon=":material/draw:" if kind == DRAW else ":material/upload:")
        elif not st.session_state.get("asked"):
            invitation()
        else:
            answers(run, asked, along_a_slider=kind == DISTORT)


def answers(run: Run, asked: Asked, along_a_slider: bool) -> None:
    """The verdict, the charts and the tables; where the verdict still has to be learnt, the others do not wait."""
    probs = ask(run, asked.image[None])[:, 0]
    st.markdown(f"{answer(probs, run.class_names)} {asked.truth}")
    place, learnt = st.container(), has_learnt(run)
    if learnt:
        with place:
            show_verdict(run, asked.image, probs)
    if along_a_slider:
        show_curves(run)
    class_charts(probs, run.class_names, asked.label, "probe")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Each class over all passes**")
        class_table(probs, run.class_names)
    with right:
        st.markdown("**Each score, against the test images**")
        compared_with_the_test_images(run, probs)
    if not learnt:
        with place:
            show_verdict(run, asked.image, probs)


def invitation() -> None:
    """What asking does, and the button for it."""
    st.info(
        f"Ask the model what it sees here, {PASSES} times with dropout left on. The first time, loading it takes some "
        "seconds; after that, it answers whatever you change.",
        icon=":material/help:",
    )
    st.button(f"Ask the model {PASSES} times", type="primary", icon=":material/play_arrow:", on_click=let_it_answer)


def let_it_answer() -> None:
    """From now on, ask about every input."""
    st.session_state["asked"] = True


st.html(Path(__file__).parents[1] / "probe" / "probe.css")
run = current_run()
title("What does it make of noise?", run)
if run.model_path is None:
    st.info(
        "This run was kept without its model, so nothing new can be asked. Sample it again with the model kept.",
        icon=":material/no_sim:",
    )
    st.stop()
kind = address.one_of("input", list(INPUTS), NOISE)
st.segmented_control("Input", list(INPUTS), required=True, label_visibility="collapsed", **address.bound("input", kind))
if kind == DISTORT and not run.has_images:
    st.info(
        "This run was kept without its images, so there is none to distort. Sample it again with the images kept.",
        icon=":material/hide_image:",
    )
    st.stop()
probe(run, kind)
if kind in SWEPT:
    # Not in a fragment: what runs in one cannot be stopped by a button.
    st.divider()
    show_sweep(run, SWEPT[kind])
