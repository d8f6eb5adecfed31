"""Filters of a classification: by label, by prediction, and by whether predictions are correct or passes disagree."""

import re
from typing import Any, Literal

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.address_text import Indices, Offered, parse_indices
from mcviz.app.filters.base import Filter, FilterControl, Names, Positions
from mcviz.app.wording import with_count

CORRECT = ("all", "correct", "wrong")
CLASSES: tuple[Literal["label", "prediction"], ...] = ("label", "prediction")  # of an example
MOST_NAMED = 20  # classes that a message lists


class ClassFilter(Indices, Filter[tuple[int, ...]]):
    """Class indices, one of which is the label, or the ensemble's prediction; empty for any."""

    off = ()
    about = "classes"

    def __init__(self, column: Literal["label", "prediction"], called: str) -> None:
        self.column, self.called = column, called

    def mask(self, value: tuple[int, ...], table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return table[self.column].isin(value).to_numpy(dtype=bool)

    def label(self, value: tuple[int, ...], names: Names) -> str:
        return f"{self.called} {' or '.join(names.classes[c] for c in value)}"

    def parse(self, text: str, offered: Offered) -> tuple[int, ...] | None:
        return parse_indices(text, offered.classes) if offered.labels or self.column != "label" else None

    def render(self, value: tuple[int, ...], control: FilterControl[tuple[int, ...]]) -> None:
        """Render a choice of classes, with how many examples of each the other filters leave."""
        names = control.names.classes
        if not names or (self.column == "label" and control.run.labels is None):
            return
        left = control.table[self.column][control.mask(())].value_counts()
        st.multiselect(
            self.column.capitalize(),
            range(len(names)),
            format_func=lambda each: with_count(names[each], int(left.get(each, 0))),
            **control.bind(self.column, list(value), lambda new, _: tuple(new)),
        )


class CorrectFilter(Filter[str]):
    """One of `CORRECT`: which predictions are kept."""

    off = CORRECT[0]

    def mask(self, value: str, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return (table["correct"] == (value == "correct")).fillna(False).to_numpy(dtype=bool)

    def label(self, value: str, names: Names) -> str:
        return f"{value} predictions"

    def parse(self, text: str, offered: Offered) -> str | None:
        return text if text in CORRECT and offered.classes > 0 and offered.labels else None

    def render(self, value: str, control: FilterControl[str]) -> None:
        """Render the choice, with how many examples each leaves."""
        if not control.names.classes or control.run.labels is None:
            return
        left = {each: int(control.mask(each).sum()) for each in CORRECT}
        st.segmented_control(
            "Predictions that are",
            CORRECT,
            format_func=lambda each: with_count(each, left[each]),
            required=True,
            **control.bind("correct", value, lambda new, _: new),
        )


class DisagreeFilter(Filter[bool]):
    """Whether only examples are kept whose passes do not all vote alike."""

    off = False

    def mask(self, value: bool, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return table["variation_ratio"].to_numpy() > 0

    def label(self, value: bool, names: Names) -> str:
        return "passes disagree"

    def parse(self, text: str, offered: Offered) -> bool:
        return text == "1" and offered.classes > 0

    def format(self, value: bool) -> str:
        return "1" if value else ""

    def render(self, value: bool, control: FilterControl[bool]) -> None:
        """Render a switch, with how many examples it leaves."""
        if control.names.classes:
            label = with_count("Passes disagree", int(control.mask(True).sum()))
            st.toggle(label, **control.bind("disagree", value, lambda new, _: new))


def parse_words(words: str, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Read filters as a person types them, such as "cat as dog", "cat", "as dog", "wrong" or "correct".

    Returns:
        Values of `Filters` by the names of their fields: label cat, predicted dog.

    Raises:
        ValueError: the words are none of these, or name a class that is not there.
    """
    text = words.strip()
    if text.lower() in ("correct", "wrong"):
        return {"correct": text.lower()}
    parts = re.split(r"\sas\s", f" {text} ", maxsplit=1, flags=re.IGNORECASE)
    names = {kind: part.strip() for kind, part in zip(CLASSES, parts, strict=False) if part.strip()}
    if not names:
        raise ValueError(f"Type a class, or two as in “{two_classes(class_names)}”.")
    return {kind: (_class_index(name, class_names),) for kind, name in names.items()}


def two_classes(class_names: tuple[str, ...]) -> str:
    """Return words that find one class predicted as another, such as "cat as dog"."""
    return f"{class_names[0]} as {class_names[-1]}"


def _class_index(name: str, class_names: tuple[str, ...]) -> int:
    exact = {each: c for c, each in enumerate(class_names)}
    by_name = {each.lower(): c for each, c in reversed(exact.items())} | exact
    for written in (name, name.lower()):
        if written in by_name:
            return by_name[written]
    known = ", ".join(class_names) if len(class_names) <= MOST_NAMED else f"{len(class_names):,} there are"
    raise ValueError(f"“{name}” is none of the classes {known}. Type “{two_classes(class_names)}”, say.")
