"""Noise of several kinds as an input."""

import numpy as np
import streamlit as st

from mcviz.app.components.widgets import bind
from mcviz.app.inputs import MOST_INPUTS, ProbeInput, SweepInputs
from mcviz.app.state import HIGHEST_SEED, PageState, choose_name, go
from mcviz.data.noise import NOISES
from mcviz.measures import percent
from mcviz.runs import Run

NONE_IS_CORRECT = "No prediction is correct: this is noise, and the model cannot say so."


def noise_input(run: Run, state: PageState) -> ProbeInput:
    """Controls for one noise image."""
    kind, seed, strength = choose_name(state.noise, NOISES), state.seed, state.strength
    st.selectbox("Kind of noise", list(NOISES), format_func=lambda name: NOISES[name].label, **bind("noise", kind))
    st.caption(NOISES[kind].meaning)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("Seed of the noise", 0, HIGHEST_SEED, width=140, **bind("seed", seed))
        st.button("Another noise image", icon=":material/casino:", on_click=go, kwargs={"seed": seed + 1})
    st.slider(
        "Strength", 0.0, 1.0, step=0.05, format="percent", help="0 is an even grey.", **bind("strength", strength)
    )
    image = NOISES[kind].draw(1, run.image_shape, seed, strength)[0]
    return ProbeInput(image, f"{NOISES[kind].label} of seed {seed} at {percent(strength, 0)} strength", NONE_IS_CORRECT)


def noise_sweep(run: Run, state: PageState) -> SweepInputs:
    """Noise images of the kind and the strength that are chosen."""
    kind, strength = choose_name(state.noise, NOISES), state.strength

    def load(start: int, stop: int) -> np.ndarray:
        return NOISES[kind].draw(stop - start, run.image_shape, start, strength)

    name = f"{NOISES[kind].label.lower()} at {percent(strength, 0)} strength"
    return SweepInputs("noise images", name, MOST_INPUTS, load, run.digest)
