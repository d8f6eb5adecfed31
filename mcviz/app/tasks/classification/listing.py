"""What lists, tables and filters say of the classes of an example."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components.widgets import bound
from mcviz.app.filters import CORRECT, Filters, two_classes
from mcviz.app.needs import has
from mcviz.app.resources import class_names, table
from mcviz.app.selection import Selection, passing
from mcviz.app.state import change_filters
from mcviz.app.tasks.task import TileText
from mcviz.app.wording import leaving
from mcviz.runs import Run


def tile(run: Run, row: Mapping[Any, Any]) -> TileText:
    """The class that is predicted, and the label where it is known."""
    names, known = class_names(run), not pd.isna(row["label"])
    return TileText(names[row["prediction"]], names[row["label"]] if known else "", bool(known and not row["correct"]))


def typed(run: Run) -> list[str]:
    """Two classes, and a word for the mistakes; nothing without labels."""
    return [two_classes(class_names(run)), "wrong"] if has(run, "labels") else []


def narrowed(run: Run, filters: Filters, words: str) -> Filters:
    """The filters narrowed by classes; see `Filters.narrowed_by`.

    Raises:
        ValueError: the words name none.
    """
    return filters.narrowed_by(words, class_names(run))


def narrowing(run: Run, filters: Filters) -> None:
    """Filters by label, prediction, and whether they are the same; each choice says how many examples it leaves."""
    if has(run, "labels"):
        _classes(run, filters, "label")
    _classes(run, filters, "prediction")
    if has(run, "labels"):
        left = {each: int(passing(run, replace(filters, correct=each)).sum()) for each in CORRECT}
        st.segmented_control(
            "Predictions that are",
            CORRECT,
            format_func=lambda each: leaving(each, left[each]),
            required=True,
            **bound("correct", filters.correct, partial(_put, "correct")),
        )
    disagree = int(passing(run, replace(filters, disagree=True)).sum())
    st.toggle(
        leaving("Passes disagree", disagree),
        **bound("disagree", filters.disagree, partial(_put, "disagree")),
    )


def _classes(run: Run, filters: Filters, name: Literal["label", "prediction"]) -> None:
    """A choice of classes, and how many examples of each the other filters leave."""
    names, left = class_names(run), table(run)[name][passing(run, filters.without(name))].value_counts()
    st.multiselect(
        name.capitalize(),
        range(len(names)),
        format_func=lambda each: leaving(names[each], int(left.get(each, 0))),
        **bound(name, list(getattr(filters, name)), lambda new: _put(name, tuple(new))),
    )


def _put(name: str, new: object) -> None:
    changes: dict[str, Any] = {name: new}
    change_filters(lambda filters: replace(filters, **changes))


def columns(selection: Selection, most: int) -> dict[str, Any]:
    """Names of label and prediction, and whether they are the same, of the first examples of a selection."""
    run, scores = selection.run, selection.first(most)
    named, labelled = np.array(class_names(run)), has(run, "labels")
    found: dict[str, Any] = {"label": named[scores["label"].to_numpy(int)]} if labelled else {}
    found["prediction"] = named[scores["prediction"].to_numpy()]
    if labelled:
        found["correct"] = np.where(scores["correct"].to_numpy(bool), "correct", "✗ wrong")
    return found
