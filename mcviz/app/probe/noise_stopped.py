"""The end of the story: whether the OOD detector stops noise that the model has an answer for."""

from collections.abc import Callable

import streamlit as st

from mcviz.app.inputs import as_batch
from mcviz.app.kinds import kind_of
from mcviz.app.needs import has
from mcviz.app.probe.predicting import predict
from mcviz.app.probe.verdict import detector_for, less_usual_examples, show_reasons
from mcviz.app.tasks.story import Step
from mcviz.measures.ood import OOD_P_VALUE
from mcviz.runs import Run


def last_steps(run: Run) -> list[Callable[[Run], Step]]:
    """The step, where there is noise and a model to ask; or none."""
    return [noise_stopped] if kind_of(run).has_noise and has(run, "model") else []


def noise_stopped(run: Run) -> Step:
    """The verdict on one input of noise, asked live."""
    kind = kind_of(run)
    given = kind.noise(run)
    verdict = detector_for(run).verdict(given.content, predict(run, as_batch(given.content))[:, 0])

    def draw() -> None:
        left, right = st.columns([1, 2], gap="large")
        with left:
            kind.render_input(run, given.content, given.name)
        with right:
            show_reasons(verdict)

    usual = less_usual_examples(verdict.less_usual)
    if verdict.is_ood:
        return (
            f"But noise can be stopped before anybody believes the answer: this is **out of distribution**. {usual} Of "
            f"inputs like the run's own, at most {OOD_P_VALUE:.0%} are stopped as well.",
            draw,
        )
    return f"And this noise is not stopped: nothing tells it from the run's examples. {usual}", draw
