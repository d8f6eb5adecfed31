"""The colours of the points of Scatter and Map: by correctness, class or score, or by one of the user's own columns."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from mcviz.app.columns import all_grouping_columns, groups, own_columns
from mcviz.app.components.widgets import state_widget_args
from mcviz.app.needs import Need, available
from mcviz.app.resources import class_names, run_scores, table
from mcviz.app.state import PageState, choose_name
from mcviz.figures import CORRECT, WRONG, class_colour, coloured_map, scatter
from mcviz.figures.style import CLASSES, NEUTRAL, escape_label
from mcviz.runs import Run
from mcviz.text import one_line

HOVERED_NUMBER = ".6~g"  # d3's format of a number of the user's own


@dataclass(frozen=True)
class Colouring:
    """A choice for the colours of the points.

    Attributes:
        label: what it is called.
        needs: what a run has to have for it to be offered.
    """

    label: str
    needs: Collection[Need] = field(default_factory=frozenset)


COLOURINGS = {
    "correct": Colouring("correct or wrong", needs={"labels", "classes"}),
    "label": Colouring("label", needs={"labels", "classes"}),
    "prediction": Colouring("prediction", needs={"classes"}),
    "score": Colouring("score of the ranking"),
}


def colouring_chooser(run: Run, state: PageState, default: str | None = None) -> str:
    """Render the choice of what the colours show, and return it: one of `COLOURINGS` or of `all_grouping_columns`."""
    colourings = [*available(COLOURINGS, run), *all_grouping_columns(run)]
    colouring = choose_name(state.colour, colourings, default)
    st.selectbox("Colour", colourings, format_func=colour_label, width=250, **state_widget_args("colour", colouring))
    return colouring


def colour_label(colouring: str) -> str:
    """Return how a choice is called."""
    return COLOURINGS[colouring].label if colouring in COLOURINGS else one_line(colouring)


def draw_points(
    run: Run, colouring: str, ranked_by: str, x: np.ndarray, y: np.ndarray, examples: np.ndarray, **more: Any
) -> go.Figure:
    """Draw examples as points: classes and values in colours with a legend, scores and numbers on a scale.

    Args:
        run: whose examples they are.
        colouring: as `colouring_chooser` returns it.
        ranked_by: the name of the score of the ranking.
        x: (n,) positions.
        y: (n,) positions.
        examples: (n,) their numbers.
        more: keyword arguments that `figures.scatter` and `figures.coloured_map` share.
    """
    if colouring == "score":
        score = run_scores(run)[ranked_by]
        values, uncertain_when = table(run)[ranked_by].to_numpy()[examples], score.uncertain_when
        return coloured_map(x, y, values, score.label, examples, uncertain_when=uncertain_when, **more)
    if colouring not in COLOURINGS and own_columns(run)[colouring] == "number":
        values = table(run)[colouring].to_numpy(np.float64, na_value=np.nan)[examples]
        return coloured_map(x, y, values, escape_label(colouring), examples, number=HOVERED_NUMBER, **more)
    members, names, colours = _colour_groups(run, colouring)
    return scatter(x, y, members[examples], names, colours, examples, **more)


def _colour_groups(run: Run, colouring: str) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Return the group of each example, and name and colour of each group; of many groups the largest ten."""
    if colouring == "correct":
        return (~table(run)["correct"].astype(bool)).to_numpy(int), ("correct", "wrong"), [CORRECT, WRONG]
    if colouring in COLOURINGS:
        members, names = table(run)[colouring].to_numpy(int), class_names(run)
    else:
        members, names = groups(run, colouring).members, groups(run, colouring).names
    if len(names) <= len(CLASSES):
        return members, names, [class_colour(group) for group in range(len(names))]
    kept = np.sort(np.argsort(-np.bincount(members, minlength=len(names)), kind="stable")[: len(CLASSES)])
    place = np.full(len(names), len(kept))
    place[kept] = range(len(kept))
    others = f"{len(names) - len(kept):,} others"
    return place[members], (*(names[group] for group in kept), others), [*CLASSES, NEUTRAL]
