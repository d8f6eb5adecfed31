"""The state of a page: all that its address says, so that a link opens what its sender saw, and back and forward work.

The address is read and written in this file and nowhere else. What Streamlit says it is, is what the browser had when
somebody clicked: where clicks come fast, one that is out of date.
"""

import dataclasses
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any
from urllib.parse import unquote, urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mcviz.app.filters import CLASSES, CORRECT, Filters, escaped, indices, numbers_text, whole
from mcviz.app.redrawing import only, to_draw
from mcviz.app.session import kept
from mcviz.app.wording import as_markdown
from mcviz.measures import SCORES

UNCERTAIN_FIRST, CONFIDENT_FIRST = "uncertain_first", "confident_first"
ORDERS = UNCERTAIN_FIRST, CONFIDENT_FIRST
PAGE_SIZES = (24, 48, 96)
PINS = 4  # examples that fit side by side
TICKS = 400  # examples that an address can carry
COVERAGES = (90, 80, 95)  # percent, the usual one first
HIGHEST_SEED = 10**9
BRUSHES = 2  # histograms beside that of the ranking's score
TILE_SIZES = ("small", "medium", "large")
UNBOUNDED = 10**18
LARGEST_VALUE = 3.4028234663852886e38  # of float32
ALL = Filters()
LATEST, ADDRESS, SHOWN, PAGE = "latest-state", "address", "addresses-shown", "page"  # names of what a visit keeps
MOST_SHOWN = 200  # addresses, of which a browser may still have an earlier one
YES = "yes"
NAME = re.compile("[a-z0-9_]{1,40}")
BACK_TO_FIRST_PAGE = {"filters", "order", "page_size", "score"}  # a change of these lists other examples
LISTS = {"label", "prediction", "selected", "flagged", "pinned", "ticked"}
WRITTEN_OTHERWISE = {"area", "brushes", "columns", "lasso", "values"}  # and read as far as they mean something
TOLD_ELSEWHERE = {"run", "example"}
NOT_OURS = ("embed", "utm_")  # Streamlit's own, and what mail programs add
EXAMPLES_OF_A_RUN: dict[str, Any] = {
    "example": None,
    "flagged": (),
    "pinned": (),
    "ticked": (),
    "other_example": None,
    "values": (),
}


@dataclass(frozen=True)
class PageState:
    """What a page shows, parsed once a rerun and passed down.

    Names of what is offered only by some runs (`view`, `layout`, …) are kept as they are: `one_of` says which holds.

    Attributes:
        run: name of the run; empty where there is only one.
        other: name of the run that it is compared with; empty for none.
        example: number of the example that was looked at or opened last, or None.
        score: name of the score that examples are ranked by.
        order: one of `ORDERS`.
        filters: which examples are selected.
        flagged: numbers of the examples to come back to.
        pinned: numbers of the examples to compare, at most `PINS`.
        ticked: numbers of the examples that were chosen to do something with, at most `TICKS`.
        page: of the gallery, counted from 1.
        page_size: one of `PAGE_SIZES`.
        tile_size: one of `TILE_SIZES`.
        brushes: names of the columns whose histograms stand beside that of the score, at most `BRUSHES`.
        view: of the selection.
        x: name of the number along the scatter chart's x axis.
        y: the same for the y axis.
        colour: what the scatter chart's colours show.
        cells: what the cells of the confusion matrix show.
        layout: of the map.
        column: one of the user's own, by whose values examples are grouped.
        target: index of the target that is shown, of a regression of several.
        coverage: one of `COVERAGES`, of prediction intervals.
        bins: of the reliability diagram.
        referral: what a person asks of a referral.
        wanted: how much of that, or None for the usual.
        mistake_costs: what a mistake costs that nobody sees, 0 or more.
        look_costs: what it costs to look at an example, in the same unit.
        part: of the page Review.
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
        values: of the probe's row that are not the example's own, each with the number of its column.
        sweep: number of inputs of a sweep, or None for the usual one.
        ood_set: a set that is out of distribution, by its key.
        detector: of what is out of distribution, by its name.
        step: of the story, counted from 1.
        present: whether the story is shown to an audience: large, and without the navigation.
        unknown_example: what the address names as example and this run does not have; empty where all is well.
        ignored: what else the address says and means nothing for this run, each as `key=text`.
    """

    run: str = ""
    other: str = ""
    example: int | None = None
    score: str = "max_probability"
    order: str = UNCERTAIN_FIRST
    filters: Filters = ALL
    flagged: tuple[int, ...] = ()
    pinned: tuple[int, ...] = ()
    ticked: tuple[int, ...] = ()
    page: int = 1
    page_size: int = PAGE_SIZES[0]
    tile_size: str = "medium"
    brushes: tuple[str, ...] = ()
    view: str = ""
    x: str = "predictive_entropy"
    y: str = "mutual_information"
    colour: str = ""
    cells: str = ""
    layout: str = ""
    column: str = ""
    target: int = 0
    coverage: int = COVERAGES[0]
    bins: str = ""
    referral: str = ""
    wanted: float | None = None
    mistake_costs: float = 100.0
    look_costs: float = 1.0
    part: str = ""
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
    values: tuple[tuple[int, float], ...] = ()
    sweep: int | None = None
    ood_set: str = ""
    detector: str = ""
    step: int = 1
    present: bool = False
    unknown_example: str = field(default="", compare=False)
    ignored: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_query(
        cls,
        query: Mapping[str, str],
        *,
        examples: int = UNBOUNDED,
        classes: int = UNBOUNDED,
        targets: int = UNBOUNDED,
        labels: bool = True,
        columns: Collection[str] | None = None,
        scores: Collection[str] = SCORES,
        numbers: Collection[str] = SCORES,
        layouts: Collection[str] = (),
    ) -> "PageState":
        """Read the state from an address. What means nothing for this run is passed over.

        Args:
            query: the address's keys and their texts; other keys are left alone.
            examples: how many the run has, N.
            classes: how many the run has, C.
            targets: how many a regression predicts, D.
            labels: whether the run has them; without, nothing is filtered by them.
            columns: the names of those that can be filtered; None for all.
            scores: the names of those that examples can be ranked by.
            numbers: the names of the scores and other numbers that examples can be filtered and drawn by.
            layouts: the names of the layouts of the map that are there.
        """
        filters = Filters.from_query(query, examples, classes, columns, numbers, layouts)
        texts: dict[str, Any] = {name: query[name] for name in NAMED if NAME.fullmatch(query.get(name, ""))}
        whole_numbers: dict[str, Any] = {
            name: value
            for name, (lowest, highest) in WHOLE.items()
            if (value := whole(query.get(name, ""))) is not None and lowest <= value <= highest
        }
        example = _below(query, "example", examples)
        state = cls(
            **texts,
            **whole_numbers,
            run=query.get("run", ""),
            other=query.get("other", ""),
            colour=query.get("colour", ""),
            column=query.get("column", ""),
            example=example,
            score=_first_of((query.get("score", ""), cls.score), scores),
            order=one_of(query.get("order", ""), ORDERS),
            filters=filters if labels else dataclasses.replace(filters, label=(), correct="all"),
            flagged=indices(query.get("flagged", ""), examples),
            pinned=indices(query.get("pinned", ""), examples)[:PINS],
            ticked=indices(query.get("ticked", ""), examples)[:TICKS],
            page_size=int(one_of(query.get("page_size", ""), map(str, PAGE_SIZES))),
            tile_size=one_of(query.get("tile_size", ""), TILE_SIZES, cls.tile_size),
            brushes=_names(query.get("brushes", ""), {*numbers, *(columns or ()), *CLASSES}),
            target=_below(query, "target", targets) or 0,
            coverage=int(one_of(query.get("coverage", ""), map(str, COVERAGES))),
            x=_first_of((query.get("x", ""), cls.x), numbers),
            y=_first_of((query.get("y", ""), cls.y, "absolute_error", *list(numbers)[-1:]), numbers),
            first_class=_below(query, "first_class", classes),
            second_class=_below(query, "second_class", classes),
            strength=_or(_number(query.get("strength", ""), 0, 1), cls.strength),
            amount=_number(query.get("amount", ""), -1e6, 1e6),
            wanted=_number(query.get("wanted", ""), 0, 1e12),
            mistake_costs=_or(_number(query.get("mistake_costs", ""), 0, 1e9), cls.mistake_costs),
            look_costs=_or(_number(query.get("look_costs", ""), 0, 1e9), cls.look_costs),
            values=_values(query.get("values", "")),
            other_example=_below(query, "other_example", examples),
            present=query.get("present") == YES,
            unknown_example=query.get("example", "") if example is None else "",
        )
        return dataclasses.replace(state, ignored=_ignored(query, state.to_query()))

    def to_query(self) -> dict[str, str]:
        """The state as an address; what is as it is by itself is left out."""
        query = self.filters.to_query()
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if each.compare and each.name != "filters" and value != each.default:
                query[each.name] = WRITTEN.get(each.name, _text)(value)
        return query

    def replace(self, **changes: Any) -> "PageState":
        """The state with other values; other examples are listed from their first page on, and as they are."""
        page = {"page": 1} if changes.keys() & BACK_TO_FIRST_PAGE else {}
        own: dict[str, Any] = {"values": ()} if "example" in changes else {}
        return dataclasses.replace(self, **{**page, **own, **changes})

    def link(self, **changes: Any) -> dict[str, str]:
        """The address of the state with other values."""
        return self.replace(**changes).to_query()


NAMED = (
    "view",
    "cells",
    "layout",
    "bins",
    "referral",
    "part",
    "closer_look",
    "input",
    "noise",
    "distortion",
    "ood_set",
    "detector",
)
WHOLE = {
    "page": (1, UNBOUNDED),
    "seed": (0, HIGHEST_SEED),
    "sweep": (1, UNBOUNDED),
    "step": (1, UNBOUNDED),
}


def current_state(**known: Any) -> PageState:
    """The state that the address names, for a run of which this is known; see `PageState.from_query`."""
    state = kept()[LATEST] = PageState.from_query(address(), **known)
    return state


def latest_state() -> PageState:
    """The state that was shown or gone to last, for a callback: what the page was drawn with may be behind it."""
    latest: PageState = kept()[LATEST]
    return latest


def go(*, parts: Collection[str] = (), **changes: Any) -> None:
    """Change the state, in a callback: the rerun that follows shows it, and the address says it.

    What changes is the state that was shown or gone to last, whatever the page was drawn with.

    Args:
        parts: the keys of the fragments that show what changes; all of the page, without them.
        changes: new values of attributes of `PageState`.
    """
    state = kept()[LATEST] = latest_state().replace(**changes)
    _show_address(state.to_query(), parts)
    if parts:
        only(*parts)


def change_filters(change: Callable[[Filters], Filters]) -> None:
    """Change the filters as they are by now, in a callback: those that the page was drawn with may lack a newer one."""
    go(filters=change(latest_state().filters))


def go_to_run(name: str) -> None:
    """Make the address that of a run and of nothing else."""
    _show_address(PageState(run=name).to_query())


def go_to_same_examples(name: str, now: str, *, same_classes: bool) -> None:
    """Show another run over the same examples, with all that is said of them: the example, pins, view and filters.

    Args:
        name: of the run to go to; where it is the one that was compared with, the two change places.
        now: name of the run that is shown.
        same_classes: whether a number of a class means the same; otherwise nothing is filtered by classes.
    """
    state = latest_state()
    changes: dict[str, Any] = {"run": name, "other": now if state.other == name else state.other}
    if not same_classes:
        changes |= {"filters": state.filters.without("label", "prediction"), "first_class": None, "second_class": None}
    go(**changes)


def with_or_without(examples: tuple[int, ...], example: int) -> tuple[int, ...]:
    """The examples without one of them, or with one more."""
    others = tuple(other for other in examples if other != example)
    return others if example in examples else (*others, example)


def with_all(examples: Iterable[int], more: Iterable[int]) -> tuple[int, ...]:
    """The examples and these others, each once."""
    return tuple(dict.fromkeys((*examples, *more)))


def settle_run(names: Sequence[str]) -> str:
    """Make the address name a run that is there, the first where it names none; an only run needs no name.

    Args:
        names: of the runs that are there.

    Returns:
        The name in the address that no run has; empty where all is well.
    """
    state = PageState.from_query(address())
    if not names or state.run in names or (not state.run and len(names) == 1):
        return ""
    if not state.run:  # the rest stays as it was written, and the page tells what of it means nothing
        _show_address({**address(), "run": names[0]})
        return ""
    settled = state.replace(
        run=names[0] if len(names) > 1 else "",
        **EXAMPLES_OF_A_RUN,  # which would be others in this run
        filters=state.filters.without("area", "selected"),
    )
    _show_address(settled.to_query())
    return state.run


def settle_address(page: str) -> None:
    """Find out what the address is, as the drawing of a page begins.

    What the browser says is out of date where it is one that this page had before, unless somebody went back to it.
    """
    found, told = kept(), st.query_params.to_dict()
    context = get_script_run_ctx()
    went_back = context is not None and context.is_history_navigation
    if found.get(PAGE) == page and not went_back and told in found[SHOWN]:
        if told != address():
            st.query_params.from_dict(address())
        return
    found[PAGE], found[ADDRESS] = page, told
    _note_shown(told)


def is_open(page: str) -> bool:
    """Whether the page of a title is the one that is drawn."""
    return bool(kept().get(PAGE) == page)


def address() -> dict[str, str]:
    """The address as it is, for links to other pages."""
    found: dict[str, str] | None = kept().get(ADDRESS)
    return st.query_params.to_dict() if found is None else dict(found)


def _show_address(query: dict[str, str], parts: Collection[str] = ()) -> None:
    """Make this the address; it is also where the browser cannot be told, since something newer was clicked.

    Args:
        query: the address.
        parts: the keys of the fragments that show what changes; all of the page, without them.
    """
    to_draw(*parts)
    kept()[ADDRESS] = query
    _note_shown(query)
    st.query_params.from_dict(query)


def _note_shown(query: dict[str, str]) -> None:
    kept().setdefault(SHOWN, deque(maxlen=MOST_SHOWN)).append(query)


def whole_address(state: PageState) -> str:
    """The address of the open page with a state, for a link from elsewhere."""
    return f"{st.context.url}?{urlencode(state.to_query())}"


def one_of(name: str, offered: Iterable[str], default: str | None = None) -> str:
    """A name where it is offered, or else the default, or else the first that is offered."""
    names = list(offered)
    return name if name in names else default or names[0]


def _first_of(names: Iterable[str], offered: Collection[str]) -> str:
    """The first of some names that is offered, or else the first that is."""
    return next((name for name in names if name in offered), next(iter(offered)))


def quoted(text: str) -> str:
    """A text that came with the address, as a word of a message in Markdown: short, and as it was typed."""
    return f"“{as_markdown(text[:60])}”"


def _below(query: Mapping[str, str], key: str, count: int) -> int | None:
    found = whole(query.get(key, ""))
    return found if found is not None and found < count else None


def _number(text: str, low: float, high: float) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if low <= value <= high else None


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _values(text: str) -> tuple[tuple[int, float], ...]:
    """Columns and their values, as "3:1.5,0:-2" lists them."""
    found = {}
    for column, _, value in (part.partition(":") for part in text.split(",")):
        number, amount = whole(column), _number(value, -LARGEST_VALUE, LARGEST_VALUE)
        if number is not None and amount is not None:
            found[number] = amount
    return tuple(found.items())


def _names(text: str, known: Collection[str]) -> tuple[str, ...]:
    """Names of columns that a text of an address lists, each once, as far as they are there."""
    found = (unquote(name) for name in text.split("~"))
    return tuple(dict.fromkeys(name for name in found if name in known))[:BRUSHES]


def _names_text(names: tuple[str, ...]) -> str:
    return "~".join(map(escaped, names))


def _values_text(values: tuple[tuple[int, float], ...]) -> str:
    return ",".join(f"{column}:{_text(value)}" for column, value in values)


def _ignored(query: Mapping[str, str], understood: Mapping[str, str]) -> tuple[str, ...]:
    """What an address says of which the state that was read from it knows nothing, or not all."""
    usual = {each.name: _text(each.default) for each in dataclasses.fields(PageState)} | {"correct": CORRECT[0]}
    others = (each for each in query if each not in TOLD_ELSEWHERE and not each.startswith(NOT_OURS))
    return tuple(
        f"{key}={query[key]}" for key in others if not _means(key, query[key], understood.get(key, usual.get(key, "")))
    )


def _means(key: str, text: str, understood: str) -> bool:
    """Whether what was understood is all that the text of a key of the address says."""
    if key in LISTS:
        return set(text.split(",")) <= {*understood.split(","), ""}
    if key == "range":
        return text.count("~") == understood.count("~") and bool(text) == bool(understood)
    if key in WRITTEN_OTHERWISE:
        return bool(text) == bool(understood)
    numbers = _number(text, -inf, inf), _number(understood, -inf, inf)
    return text in ("", understood) or (numbers[0] is not None and numbers[0] == numbers[1])


def _text(value: object) -> str:
    if isinstance(value, bool):
        return YES if value else ""
    if isinstance(value, tuple):
        return numbers_text(value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


WRITTEN: Mapping[str, Callable[[Any], str]] = {"values": _values_text, "brushes": _names_text}  # in their own way
