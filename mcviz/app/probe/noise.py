"""Noise as an input: images of nothing, of several kinds."""

import numpy as np
import streamlit as st

from mcviz.app import address
from mcviz.app.probe.asking import Asked
from mcviz.app.probe.sweep import MOST, Swept
from mcviz.app.wording import percent
from mcviz.data.noise import NOISES
from mcviz.runs import Run

HIGHEST_SEED = 10**9
NO_ANSWER = "No answer is right: this is noise, and a classifier cannot say so."


def noise_input(run: Run) -> Asked:
    """Controls for one noise image."""
    kind = chosen_kind()
    seed = address.whole_number("seed", 0, 0, HIGHEST_SEED)
    strength = chosen_strength()
    st.selectbox(
        "Kind of noise", list(NOISES), format_func=lambda name: NOISES[name].label, **address.bound("noise", kind)
    )
    st.caption(NOISES[kind].meaning)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("Seed of the noise", 0, HIGHEST_SEED, width=140, **address.bound("seed", seed))
        st.button("Another noise image", icon=":material/casino:", on_click=another, args=(seed,))
    st.slider("Strength", 0.0, 1.0, step=0.05, help="0 is an even grey.", **address.bound("strength", strength))
    image = NOISES[kind].draw(1, run.image_shape, seed, strength)[0]
    return Asked(image, f"{NOISES[kind].label} of seed {seed} at {percent(strength, 0)} strength", NO_ANSWER)


def swept_noise(run: Run) -> Swept:
    """Noise images of the kind and the strength that are chosen."""
    kind, strength = chosen_kind(), chosen_strength()

    def some(start: int, stop: int) -> np.ndarray:
        return NOISES[kind].draw(stop - start, run.image_shape, start, strength)

    name = f"{NOISES[kind].label.lower()} at {percent(strength, 0)} strength"
    return Swept("noise images", name, MOST, some, run.digest)


def chosen_kind() -> str:
    """The kind of noise that the address names."""
    return address.one_of("noise", list(NOISES), "uniform")


def chosen_strength() -> float:
    """The strength of the noise that the address names."""
    return address.number("strength", 1.0, 0, 1)


def another(seed: int) -> None:
    """Go to the next noise image, and ask the model."""
    st.session_state["asked"] = True
    address.go(seed=seed + 1)
