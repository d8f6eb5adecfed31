"""Texts as inputs: one that is typed, noise, and distorted ones of the run."""

import numpy as np
import streamlit as st

from mcviz.app.components.widgets import bind
from mcviz.app.inputs import MOST_INPUTS, ProbeInput, SweepInputs
from mcviz.app.probe.distorting import Distorter, DistortionSettings
from mcviz.app.probe.noise import NONE_IS_CORRECT
from mcviz.app.session import session_store
from mcviz.app.state import HIGHEST_SEED, PageState, choose_name, go
from mcviz.data import TEXT_DISTORTIONS, TEXT_NOISES
from mcviz.runs import Run

TYPED = "typed-text"  # of the session: what was typed, also while another input is shown
AREA = "text-area"
WORDS_OF = 1000  # texts of the run, evenly spread, that words are drawn from
HEIGHT = 240  # pixels


def texts_of(run: Run, examples: np.ndarray) -> np.ndarray:
    """(n,) of dtype object: the texts of some examples."""
    return run.content.iloc[examples, 0].to_numpy(object)


def some_texts(run: Run) -> np.ndarray:
    """(n,) of dtype object: texts of the run that show which words there are."""
    return texts_of(run, np.arange(0, len(run), -(-len(run) // WORDS_OF)))


def typed_input(run: Run, state: PageState) -> ProbeInput | None:  # noqa: ARG001 (what is typed is not in the address)
    """A field for a text; nothing while it is empty."""
    st.session_state.setdefault(AREA, session_store().get(TYPED, ""))
    text = session_store()[TYPED] = st.text_area("Your text", height=HEIGHT, key=AREA)
    return ProbeInput(text, "The text that was typed") if text.strip() else None


def noise_input(run: Run, state: PageState) -> ProbeInput:
    """Controls for one text of noise."""
    noise, seed = choose_name(state.noise, TEXT_NOISES), state.seed
    st.selectbox(
        "Kind of noise", list(TEXT_NOISES), format_func=lambda name: TEXT_NOISES[name].label, **bind("noise", noise)
    )
    st.caption(TEXT_NOISES[noise].meaning)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("Seed of the noise", 0, HIGHEST_SEED, width=140, **bind("seed", seed))
        st.button("Another text", icon=":material/casino:", on_click=go, kwargs={"seed": seed + 1})
    text = TEXT_NOISES[noise].draw(1, some_texts(run), seed)[0]
    return ProbeInput(text, f"{TEXT_NOISES[noise].label} of seed {seed}", NONE_IS_CORRECT)


def noise_sweep(run: Run, state: PageState) -> SweepInputs:
    """Texts of noise of the kind that is chosen."""
    noise = TEXT_NOISES[choose_name(state.noise, TEXT_NOISES)]

    def load(start: int, stop: int) -> np.ndarray:
        return noise.draw(stop - start, some_texts(run), start)

    return SweepInputs("noise texts", noise.label.lower(), MOST_INPUTS, load, run.digest)


def _others(run: Run, settings: DistortionSettings, texts: np.ndarray) -> np.ndarray:  # noqa: ARG001
    return some_texts(run)


TEXT_DISTORTER = Distorter(TEXT_DISTORTIONS, texts_of, _others, gradual="drop_words")
