"""A new input of a classification: what its passes predict."""

from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart, class_charts, class_table
from mcviz.app.components.widgets import bound
from mcviz.app.inputs import Along
from mcviz.app.resources import class_names
from mcviz.app.state import PageState
from mcviz.app.tasks.task import Evidence
from mcviz.app.wording import as_markdown, predicted
from mcviz.figures import Curve, class_curves, curves_along
from mcviz.figures.sweeps import SHOWN_SCORES, predictions_along
from mcviz.measures import scores, summarise
from mcviz.runs import Run
from mcviz.text import one_line


def in_words(run: Run, probs: np.ndarray) -> str:
    """What the ensemble predicts and how confident it is, of (T, C) probabilities."""
    return predicted(summarise(probs), class_names(run))


def probed(run: Run, probs: np.ndarray, label: int | None, key: str) -> None:
    """The charts of (T, C) probabilities."""
    class_charts(summarise(probs), class_names(run), label, key)


def along(run: Run, along: Along, probs: np.ndarray) -> None:
    """The probabilities of the classes and the entropies along the slider, of (T, P, C) probabilities."""
    st.caption(
        "What the ensemble predicts at each position. Where the probability falls and the entropy rises, it is "
        "uncertain."
    )
    names = class_names(run)
    first = names[int(probs[:, 0].mean(axis=0).argmax())]
    spoken = f"Predictions along the slider {one_line(along.title)}: at its left end {first}."
    slider: dict[str, Any] = {"title": along.title, "tick_format": along.tick_format, "current": along.current}
    if along.are_pictures:
        figure = predictions_along(along.amounts, probs, along.contents, names, **slider)
        chart(figure, "along-the-slider", spoken)
        return
    curves = class_curves(probs, names)
    figure = curves_along(along.amounts, curves, value_title="probability", number=".0%", **slider)
    chart(figure, "along-the-slider", spoken)
    values = scores(probs)
    entropies = [Curve(label, values[name], colour) for name, (label, colour) in SHOWN_SCORES.items()]
    figure = curves_along(along.amounts, entropies, value_title="nats", low=True, **slider)
    chart(figure, "entropies-along-the-slider", f"Entropies along the slider {one_line(along.title)}.")


def table(run: Run, probs: np.ndarray) -> None:
    """Mean and standard deviation of the classes."""
    class_table(summarise(probs), class_names(run))


def scores_of_inputs(run: Run, probs: np.ndarray) -> dict[str, np.ndarray]:  # noqa: ARG001
    """The prediction and every score of each input, of (T, n, C) probabilities."""
    return scores(probs)


def evidence(run: Run, state: PageState, probs: np.ndarray) -> Evidence:
    """A choice of the class, at first the likeliest one, of (T, C) probabilities."""
    names = class_names(run)
    chosen = summarise(probs).prediction if state.first_class is None else state.first_class
    st.selectbox(
        "Explain the class", range(len(names)), format_func=names.__getitem__, width=220, **bound("first_class", chosen)
    )
    return Evidence(
        chosen, names[chosen], f"the probability of **{as_markdown(names[chosen])}**", 100, "percentage points"
    )
