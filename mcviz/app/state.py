"""The state of a page: all that its address says, so that a link opens what its sender saw, and back and forward work.

The address is read and written in this file and nowhere else.
"""

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from mcviz.app.filters import Filters, indices, numbers_text, whole
from mcviz.app.wording import as_markdown
from mcviz.measures import SCORES

UNCERTAIN_FIRST, CONFIDENT_FIRST = "uncertain_first", "confident_first"
ORDERS = {UNCERTAIN_FIRST: "most uncertain first", CONFIDENT_FIRST: "most confident first"}
PAGE_SIZES = (24, 48, 96)
PINS = 4  # examples that fit side by side
HIGHEST_SEED = 10**9
UNBOUNDED = 10**18
ALL = Filters()
LATEST = "latest-state"  # of the session
NAME = re.compile("[a-z0-9_]{1,40}")
BACK_TO_FIRST_PAGE = {"filters", "order", "page_size", "score"}  # a change of these lists other examples
EXAMPLES_OF_A_RUN: dict[str, Any] = {"example": None, "flagged": (), "pinned": (), "other_example": None}


@dataclass(frozen=True)
class PageState:
    """What a page shows, parsed once a rerun and passed down.

    Names of what is offered only by some runs (`view`, `layout`, …) are kept as they are: `one_of` says which holds.

    Attributes:
        run: name of the run; empty where there is only one.
        example: number of the example that was opened last, or None.
        score: name of the score that examples are ranked by.
        order: one of `ORDERS`, each with its words.
        filters: which examples are selected.
        flagged: numbers of the examples to come back to.
        pinned: numbers of the examples to compare, at most `PINS`.
        page: of the gallery, counted from 1.
        page_size: one of `PAGE_SIZES`.
        view: of the selection.
        x: name of the score along the scatter chart's x axis.
        y: the same for the y axis.
        colour: what the scatter chart's colours show.
        cells: what the cells of the confusion matrix show.
        layout: of the map.
        column: one of the user's own, by whose values examples are grouped.
        closer_look: at one example.
        first_class: index of a class to be compared, or None for the likeliest.
        second_class: index of the other, or None for the second likeliest.
        input: kind of the probe's input.
        noise: kind of noise.
        seed: of what is random in the input.
        strength: of the noise, 0 to 1.
        distortion: of an example.
        amount: of the distortion, or None for none.
        other_example: number of the example that is mixed in, or None for any.
        sweep: number of inputs of a sweep, or None for the usual one.
        step: of the story, counted from 1.
        unknown_example: what the address names as example and this run does not have; empty where all is well.
    """

    run: str = ""
    example: int | None = None
    score: str = "max_probability"
    order: str = UNCERTAIN_FIRST
    filters: Filters = ALL
    flagged: tuple[int, ...] = ()
    pinned: tuple[int, ...] = ()
    page: int = 1
    page_size: int = PAGE_SIZES[0]
    view: str = ""
    x: str = "predictive_entropy"
    y: str = "mutual_information"
    colour: str = ""
    cells: str = ""
    layout: str = ""
    column: str = ""
    closer_look: str = ""
    first_class: int | None = None
    second_class: int | None = None
    input: str = ""
    noise: str = ""
    seed: int = 0
    strength: float = 1.0
    distortion: str = ""
    amount: float | None = None
    other_example: int | None = None
    sweep: int | None = None
    step: int = 1
    unknown_example: str = field(default="", compare=False)

    @classmethod
    def from_query(
        cls,
        query: Mapping[str, str],
        *,
        examples: int = UNBOUNDED,
        classes: int = UNBOUNDED,
        labels: bool = True,
        columns: Collection[str] | None = None,
    ) -> "PageState":
        """Read the state from an address. What means nothing for this run is passed over.

        Args:
            query: the address's keys and their texts; other keys are left alone.
            examples: how many the run has, N.
            classes: how many the run has, C.
            labels: whether the run has them; without, nothing is filtered by them.
            columns: the names of those that can be filtered; None for all.
        """
        filters = Filters.from_query(query, examples, classes, columns)
        texts: dict[str, Any] = {name: query[name] for name in NAMED if NAME.fullmatch(query.get(name, ""))}
        numbers: dict[str, Any] = {
            name: value
            for name, (lowest, highest) in WHOLE.items()
            if (value := whole(query.get(name, ""))) is not None and lowest <= value <= highest
        }
        example, strength = _below(query, "example", examples), _number(query, "strength", 0, 1)
        return cls(
            **texts,
            **numbers,
            run=query.get("run", ""),
            colour=query.get("colour", ""),
            column=query.get("column", ""),
            example=example,
            score=one_of(query.get("score", ""), SCORES, cls.score),
            order=one_of(query.get("order", ""), ORDERS),
            filters=filters if labels else dataclasses.replace(filters, label=(), correct="all"),
            flagged=indices(query.get("flagged", ""), examples),
            pinned=indices(query.get("pinned", ""), examples)[:PINS],
            page_size=int(one_of(query.get("page_size", ""), map(str, PAGE_SIZES))),
            x=one_of(query.get("x", ""), SCORES, cls.x),
            y=one_of(query.get("y", ""), SCORES, cls.y),
            first_class=_below(query, "first_class", classes),
            second_class=_below(query, "second_class", classes),
            strength=cls.strength if strength is None else strength,
            amount=_number(query, "amount", -1e6, 1e6),
            other_example=_below(query, "other_example", examples),
            unknown_example=query.get("example", "") if example is None else "",
        )

    def to_query(self) -> dict[str, str]:
        """The state as an address; what is as it is by itself is left out."""
        query = self.filters.to_query()
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if each.compare and each.name != "filters" and value != each.default:
                query[each.name] = _text(value)
        return query

    def replace(self, **changes: Any) -> "PageState":
        """The state with other values; other examples are listed from their first page on."""
        page = {"page": 1} if changes.keys() & BACK_TO_FIRST_PAGE else {}
        return dataclasses.replace(self, **{**page, **changes})

    def link(self, **changes: Any) -> dict[str, str]:
        """The address of the state with other values."""
        return self.replace(**changes).to_query()


NAMED = ("view", "cells", "layout", "closer_look", "input", "noise", "distortion")
WHOLE = {
    "page": (1, UNBOUNDED),
    "seed": (0, HIGHEST_SEED),
    "sweep": (1, UNBOUNDED),
    "step": (1, UNBOUNDED),
}


def current_state(examples: int, classes: int, *, labels: bool, columns: Collection[str]) -> PageState:
    """The state that the address names, for a run; see `PageState.from_query`."""
    state = PageState.from_query(st.query_params, examples=examples, classes=classes, labels=labels, columns=columns)
    st.session_state[LATEST] = state
    return state


def go(**changes: Any) -> None:
    """Change the state, in a callback: the rerun that follows shows it, and the address says it.

    What changes is the state that was shown last. The address that comes with a click is the one that the browser had
    then, which may be one step behind.

    Args:
        changes: new values of attributes of `PageState`.
    """
    state = st.session_state[LATEST] = st.session_state[LATEST].replace(**changes)
    st.query_params.from_dict(state.to_query())


def go_to_run(name: str) -> None:
    """Make the address that of a run and of nothing else."""
    st.query_params.from_dict(PageState(run=name).to_query())


def settle_run(names: Sequence[str]) -> str:
    """Make the address name a run that is there, the first where it names none; an only run needs no name.

    Args:
        names: of the runs that are there.

    Returns:
        The name in the address that no run has; empty where all is well.
    """
    state = PageState.from_query(st.query_params)
    if not names or state.run in names or (not state.run and len(names) == 1):
        return ""
    settled = state.replace(run=names[0] if len(names) > 1 else "")
    if state.run:  # its examples would be others in this run
        settled = settled.replace(**EXAMPLES_OF_A_RUN, filters=dataclasses.replace(state.filters, selected=()))
    st.query_params.from_dict(settled.to_query())
    return state.run


def address() -> dict[str, str]:
    """The address as it is, for links to other pages."""
    return st.query_params.to_dict()


def one_of(name: str, offered: Iterable[str], default: str | None = None) -> str:
    """A name where it is offered, or else the default, or else the first that is offered."""
    names = list(offered)
    return name if name in names else default or names[0]


def quoted(text: str) -> str:
    """A text that came with the address, as a word of a message in Markdown: short, and as it was typed."""
    return f"“{as_markdown(text[:60])}”"


def _below(query: Mapping[str, str], key: str, count: int) -> int | None:
    found = whole(query.get(key, ""))
    return found if found is not None and found < count else None


def _number(query: Mapping[str, str], key: str, low: float, high: float) -> float | None:
    try:
        value = float(query.get(key, ""))
    except ValueError:
        return None
    return value if low <= value <= high else None


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return numbers_text(value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
