"""Texts as inputs: one that is typed, noise, and distorted ones of the run."""

import numpy as np
import streamlit as st

from mcviz.app.inputs import MOST_INPUTS, ProbeInput, SweepInputs
from mcviz.app.probe.distortion import NONE_IS_CORRECT, Distorter, choose_noise
from mcviz.app.session import session_store
from mcviz.app.state import PageState, choose_name
from mcviz.data import TEXT_DISTORTIONS, TEXT_NOISES
from mcviz.runs import Run

TYPED = "typed-text"  # of the session: the text, also while another input is shown
AREA = "text-area"
SAMPLE = 1000  # texts of the run, evenly spread, that words are drawn from
HEIGHT = 240  # pixels


def load_texts(run: Run, examples: np.ndarray) -> np.ndarray:
    """Load the texts of some examples, (n,) of dtype object."""
    return run.content.iloc[examples, 0].to_numpy(object)


def sample_texts(run: Run) -> np.ndarray:
    """Load some texts of the run, for their words, (n,) of dtype object."""
    return load_texts(run, np.arange(0, len(run), -(-len(run) // SAMPLE)))


def type_text(run: Run, state: PageState) -> ProbeInput | None:  # noqa: ARG001 (the text is not in the address)
    """Render a field for a text; the input is None while it is empty."""
    st.session_state.setdefault(AREA, session_store().get(TYPED, ""))
    text = session_store()[TYPED] = st.text_area("Your text", height=HEIGHT, key=AREA)
    return ProbeInput(text, "The text that was typed") if text.strip() else None


def choose_text_noise(run: Run, state: PageState) -> ProbeInput:
    """Render the controls of one text of noise."""
    noise, seed = choose_name(state.noise, TEXT_NOISES), state.seed
    choose_noise(TEXT_NOISES, noise, seed, "Another text")
    text = TEXT_NOISES[noise].draw(1, sample_texts(run), seed)[0]
    return ProbeInput(text, f"{TEXT_NOISES[noise].label} of seed {seed}", NONE_IS_CORRECT)


def text_noise_sweep(run: Run, state: PageState) -> SweepInputs:
    """Return texts of noise of the chosen kind."""
    noise = TEXT_NOISES[choose_name(state.noise, TEXT_NOISES)]

    def load(start: int, stop: int) -> np.ndarray:
        return noise.draw(stop - start, sample_texts(run), start)

    return SweepInputs("noise texts", noise.label.lower(), MOST_INPUTS, load, run.digest)


TEXT_DISTORTER = Distorter(TEXT_DISTORTIONS, load_texts, others=lambda run, *_: sample_texts(run), gradual="drop_words")
