"""The steps of a demo, from one prediction to noise."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import REVIEWED_SHARE
from mcviz.app.components.charts import chart
from mcviz.app.components.example import EXAMPLE_WIDTH, render_example
from mcviz.app.inputs import as_batch
from mcviz.app.kinds import kind_renderer
from mcviz.app.needs import has, missing
from mcviz.app.probe.predictions import predict
from mcviz.app.wording import counted
from mcviz.measures import percent
from mcviz.measures.intervals import finds_more_than_chance
from mcviz.runs import Run

Step = tuple[str, Callable[[], None]]  # a sentence, and what renders the step


class Story(ABC):
    """The story of a task.

    Attributes:
        no_answer: what is said of noise where the run has no model, before it says so.
    """

    no_answer: str

    def steps(self, run: Run) -> list[Callable[[Run], Step]]:
        """Return the steps for a run: without labels none about mistakes, and noise only where there is some."""
        with_labels = [self.review, self.ensemble] if has(run, "labels") else []
        noise = [self.noise] if kind_renderer(run).has_noise else []
        return [self.one_prediction, self.all_passes, *with_labels, *noise]

    @abstractmethod
    def one_prediction(self, run: Run) -> Step:
        """Return the step on a sure prediction as a model gives it: a number, and all that it gives."""

    @abstractmethod
    def all_passes(self, run: Run) -> Step:
        """Return the step on an example about which the passes differ."""

    @abstractmethod
    def review(self, run: Run) -> Step:
        """Return the step on how many mistakes are among the most uncertain examples."""

    @abstractmethod
    def ensemble(self, run: Run) -> Step:
        """Return the step on how the single passes and their mean compare."""

    @abstractmethod
    def noise_prediction(self, run: Run, predictions: np.ndarray) -> Step:
        """Return the step on noise, of its (T, K) predictions."""

    def noise(self, run: Run) -> Step:
        """Return the step on one input of noise, predicted live."""
        renderer = kind_renderer(run)
        given = renderer.noise(run)

        def draw() -> None:
            renderer.render_input(run, given.content, given.name)

        if not has(run, "model"):
            return f"This is noise: {self.no_answer} {missing(run, 'model')}", draw
        sentence, passes = self.noise_prediction(run, predict(run, as_batch(given.content))[:, 0])
        return sentence, side_by_side(draw, passes)


def side_by_side(example: Callable[[], None], passes: Callable[[], None]) -> Callable[[], None]:
    """Return what renders an example, and right of it what the passes predict."""

    def draw() -> None:
        left, right = st.columns([1, 2], gap="large")
        with left:
            example()
        with right:
            passes()

    return draw


def review_step(
    run: Run, score: str, order: np.ndarray, mistakes: np.ndarray, noun: str, which: str, by: str = ""
) -> Step:
    """Return the step on whether a look at the most uncertain examples finds more mistakes than chance does.

    Args:
        run: of N examples.
        score: the name of the uncertainty.
        order: (N,) integers, the examples, the most uncertain first.
        mistakes: (N,) bool in that order.
        noun: what a mistake is called.
        which: all of them, as "70 mistakes".
        by: the uncertainty, as words that follow the examples.
    """

    def first() -> None:
        render_example(run, int(order[0]), EXAMPLE_WIDTH)

    if not mistakes.any():
        sentence = (
            f"The model makes no {noun.split()[-1]} on its {counted(len(order), 'example')}, so there is none to find. "
            "This is the most uncertain one."
        )
        return sentence, first
    inspected = max(1, int(REVIEWED_SHARE * len(mistakes)))
    reviewed = f"the **{percent(inspected / len(mistakes), 0)}** most uncertain examples{by}"
    found = f"**{mistakes[:inspected].sum():,}** of {which}"
    if finds_more_than_chance(mistakes, inspected):
        sentence = f"The uncertainty is useful: review {reviewed}, and you find {found}."
    else:
        sentence = f"The uncertainty is not shown to be useful here: {reviewed} hold {found}, which may be chance."
    if len(mistakes) * REVIEWED_SHARE < 1:  # too few examples for a curve
        return sentence, first
    return sentence, lambda: chart(plot.ranking(run, score), "found", sentence)
