"""What the model makes of images of nothing: one noise image live, and a sweep over many."""

import numpy as np
import streamlit as st

from mcviz.app.opened import current_run, live_passes
from mcviz.app.parts import chart, class_charts, class_table, picture, title
from mcviz.app.wording import answer, compared, percent
from mcviz.data import uniform_noise
from mcviz.errors import McvizError
from mcviz.figures import class_counts
from mcviz.runs import Run

PASSES = 500
SWEPT = 100


def another() -> None:
    """Go to the next noise image, and ask the model."""
    st.session_state["seed"] += 1
    st.session_state["asked"] = True


def probed(run: Run, noise: np.ndarray, seed: int) -> np.ndarray:
    """(T, N, C) float32 of noise images, sampled once in a session."""
    kept = st.session_state.setdefault("probed", {})
    key = (run.digest, seed, len(noise))
    if key not in kept:
        kept[key] = live_passes(run, noise, PASSES, seed=0)
    return kept[key]


def one_image(run: Run, shape: tuple[int, ...]) -> None:
    """One noise image, and what all passes say of it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = int(st.number_input("Seed of the noise", 0, 10**9, key="seed", width=170))
        if st.button(f"Ask the model {PASSES} times", type="primary", icon=":material/play_arrow:"):
            st.session_state["asked"] = True
        st.button("Another noise image", icon=":material/casino:", on_click=another)
    noise = uniform_noise(1, shape, seed)
    left, right = st.columns([2, 5], gap="large")
    with left:
        picture(noise[0], f"Uniform noise of seed {seed}")
    if not st.session_state.get("asked"):
        with right:
            st.info(
                "Every pixel is drawn at random: there is no right answer. Ask the model what it sees, "
                f"{PASSES} times with dropout left on. The first time, loading it takes some seconds.",
                icon=":material/help:",
            )
        return
    with right:
        probs = probed(run, noise, seed)[:, 0]
        class_charts(probs, run.class_names, None, "probe")
    with left:
        sure = probs.mean(axis=0, dtype=np.float64).max()
        st.markdown(
            f"{answer(probs, run.class_names)} {compared(sure, run.scores()['max_probability'].to_numpy())} "
            "No answer is right: this is noise, and a classifier cannot say so."
        )
        st.markdown("**Each class over all passes**")
        class_table(probs, run.class_names)


def sweep(run: Run, shape: tuple[int, ...]) -> None:
    """Many noise images: which classes they are taken for, and the one that deceives most."""
    st.subheader(f"A sweep over {SWEPT} noise images", anchor=False)
    st.caption(f"Which class is noise taken for? {SWEPT} images, {PASSES} passes each.")
    if st.button("Run the sweep", icon=":material/grain:"):
        st.session_state["swept"] = True
    if not st.session_state.get("swept"):
        return
    noise = uniform_noise(SWEPT, shape, seed=0)
    mean = probed(run, noise, seed=0).mean(axis=0, dtype=np.float64)
    predicted = mean.argmax(axis=-1)
    counts = np.bincount(predicted, minlength=len(run.class_names))
    favourite, deceiving = int(counts.argmax()), int(mean.max(axis=-1).argmax())
    spoken = (
        f"{counts[favourite]} of {SWEPT} noise images are taken for {run.class_names[favourite]}, "
        f"with {percent(mean[predicted == favourite, favourite].mean())} on average."
    )
    st.markdown(spoken)
    left, right = st.columns([2, 5], gap="large")
    with left:
        picture(noise[deceiving], "The noise image with the most confident answer")
        st.caption(
            f"The most deceiving one: {run.class_names[predicted[deceiving]]} with {percent(mean[deceiving].max())}."
        )
    with right:
        chart(class_counts(predicted, run.class_names), "sweep", spoken)


run = current_run()
title("What does it make of noise?", run)
if run.model_path is None:
    st.info(
        "This run was kept without its model, so nothing new can be asked. Sample it again with the model kept.",
        icon=":material/no_sim:",
    )
    st.stop()
try:
    one_image(run, run.images.shape[1:])
    st.divider()
    sweep(run, run.images.shape[1:])
except McvizError as error:
    st.error(str(error), icon=":material/error:")
