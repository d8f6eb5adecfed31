"""What the stories of all tasks have in common: an example beside its passes, and the step with noise."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from mcviz.app.inputs import alone
from mcviz.app.kinds import kind_of
from mcviz.app.needs import has, missing
from mcviz.app.probe.predicting import predict
from mcviz.app.tasks.task import Step
from mcviz.runs import Run

SHARE = 0.05  # of the examples, that a person might look at again
WIDTH = 360  # pixels, of an example


def beside_its_passes(example: Callable[[], None], passes: Callable[[], None]) -> Callable[[], None]:
    """Draw an example, and right of it what the passes predict."""

    def draw() -> None:
        left, right = st.columns([1, 2], gap="large")
        with left:
            example()
        with right:
            passes()

    return draw


def noise_step(run: Run, no_answer: str, told: Callable[[np.ndarray], Step]) -> Step:
    """One input of noise, predicted live.

    Args:
        run: with a kind of examples that has noise.
        no_answer: what is said of noise where the run has no model, before it says so.
        told: what is said of its passes (T, K), and what draws them.
    """
    kind = kind_of(run)
    assert kind.noise is not None
    given = kind.noise(run)

    def draw() -> None:
        kind.draw(run, given.content, given.name)

    if not has(run, "model"):
        return f"This is noise: {no_answer} {missing(run, 'model')}", draw
    sentence, passes = told(predict(run, alone(given.content))[:, 0])
    return sentence, beside_its_passes(draw, passes)
