"""What the stories of all tasks have in common: an example beside its passes, and the step with noise."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.components.shown import example_shown
from mcviz.app.inputs import alone
from mcviz.app.kinds import kind_of
from mcviz.app.needs import has, missing
from mcviz.app.probe.predicting import predict
from mcviz.app.tasks.task import Step
from mcviz.figures import mistakes_found
from mcviz.measures import percent
from mcviz.measures.permutation import finds_more_than_chance
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


def review_step(run: Run, order: np.ndarray, wanted: np.ndarray, name: str, which: str, by: str = "") -> Step:
    """Whether a look at the most uncertain examples finds more than chance does.

    Args:
        run: of N examples.
        order: (N,) integers, the examples, the most uncertain first.
        wanted: (N,) bool in that order, what is to be found; some are.
        name: of what is to be found, such as "mistakes".
        which: of them, as "70 mistakes".
        by: the uncertainty, as words that follow the examples.
    """
    inspected = max(1, int(SHARE * len(wanted)))
    reviewed = f"the **{percent(inspected / len(wanted), 0)}** most uncertain examples{by}"
    found = f"**{wanted[:inspected].sum():,}** of {which}"
    if finds_more_than_chance(wanted, inspected):
        sentence = f"The uncertainty is useful: review {reviewed}, and you find {found}."
    else:
        sentence = f"The uncertainty is not shown to be useful here: {reviewed} hold {found}, which may be chance."
    if len(wanted) * SHARE < 1:  # too few examples for a curve
        return sentence, lambda: example_shown(run, int(order[0]), WIDTH)
    return sentence, lambda: chart(mistakes_found(wanted, SHARE, name), "found", sentence)


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
