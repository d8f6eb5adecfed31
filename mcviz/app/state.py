"""The state of a page, held in its address, so that links, back and forward work.

Do not use `st.session_state` in a callback: after a newer click it ends the callback, and the older click is lost. A
copy is safe. Only this file reads and writes the address. Streamlit's copy of the address can be out of date.
"""

import dataclasses
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, get_args
from urllib.parse import unquote

import streamlit as st
from msgspec import Meta

from mcviz.analysis.pairing import LabelChoice
from mcviz.app.address import (
    ANY_RUN,
    ELSEWHERE,
    Count,
    InRun,
    Name,
    OwnText,
    RunLimits,
    Whole,
    address_fields,
    defaults_referring_to,
    escape,
    format_value,
    parse_number,
    parse_whole,
    read_fields,
    write_fields,
)
from mcviz.app.filters import CLASSES, FILTERS, Filters
from mcviz.app.server import current_visit, draw_at_top, draws_fragments, is_history_navigation
from mcviz.app.wording import as_markdown

KEPT = "kept"
PENDING_FRAGMENTS, PENDING_TOASTS, PENDING_VALUES = "fragments-to-draw", "toasts-to-show", "values-to-set"  # in a visit
_of_thread = threading.local()  # the last visit that it worked for, and what that keeps: a copy takes long to make

Order = Literal["uncertain_first", "confident_first"]
PageSize = Literal[48, 24, 96]  # the usual one first
TileSize = Literal["small", "medium", "large"]
Coverage = Literal[90, 80, 95]  # percent, the usual one first
ORDERS: tuple[Order, ...] = get_args(Order)
UNCERTAIN_FIRST, CONFIDENT_FIRST = ORDERS
PAGE_SIZES: tuple[int, ...] = get_args(PageSize)
TILE_SIZES: tuple[str, ...] = get_args(TileSize)
COVERAGES: tuple[int, ...] = get_args(Coverage)
PINS = 4  # examples that fit side by side
TICKS = 400  # examples that an address can carry
HIGHEST_SEED = 10**9
BRUSHES = 2  # histograms beside that of the ranking's score
LARGEST_VALUE = 3.4028234663852886e38  # of float32

# Names of what a visit keeps.
LATEST, ADDRESS, ADDRESSES, PAGE, LINKED = "latest-state", "address", "addresses-shown", "page", "links"
MOST_SHOWN = 200  # addresses, of which a browser may still have an earlier one
BACK_TO_FIRST_PAGE = {"filters", "order", "page_size", "score"}  # a change of these lists other examples
OWN_KEYS = "section", "step", "present", "origin"  # keys of the address that mean nothing on other pages
KEYS_WITH_OWN_WARNING = {"run", "example"}
FOREIGN_KEYS = ("embed", "utm_")  # Streamlit's own, and what mail programs add

T = TypeVar("T")
VERSIONS = "widgets-shown"


def session_store() -> dict[str, Any]:
    """Return this visit's memory by names."""
    visit = current_visit()
    before, store = getattr(_of_thread, "visit", (None, {}))
    if visit is None or visit is not before:
        store = st.session_state.to_dict().get(KEPT)
        if store is None:
            store = st.session_state[KEPT] = {}
        _of_thread.visit = visit, store
    return store


def widget_value(key: str) -> Any:
    """Return a widget's value; None if the page was left."""
    return st.session_state.to_dict().get(key)


def mark_dirty(*keys: str) -> None:
    """Mark fragments, or the page, as changed in a callback."""
    left = _pending_fragments()
    if not keys:
        session_store()[PENDING_FRAGMENTS] = None
    elif left is not None:
        left.update(dict.fromkeys(keys))


def rerun_fragments(*keys: str) -> None:
    """Redraw these fragments in order in a callback, and pending ones; or the page if it is pending."""
    mark_dirty(*keys)
    left = _pending_fragments()
    if not draws_fragments(left):
        st.rerun("app" if left is None else list(left))


def mark_rendered(key: str) -> None:
    """Note that all of a fragment was drawn."""
    left = _pending_fragments()
    if left is not None:
        left.pop(key, None)


def start_page() -> None:
    """Begin the page at its top: Streamlit would use a fragment's place."""
    draw_at_top()
    mark_dirty()
    for key, value in session_store().get(PENDING_VALUES, {}).items():
        st.session_state[key] = value
    session_store().pop(PENDING_VALUES, None)


def finish_page() -> None:
    """Note that the page is complete, and show messages of callbacks."""
    session_store()[PENDING_FRAGMENTS] = {}
    for words, icon in session_store().get(PENDING_TOASTS, ()):
        st.toast(words, icon=icon)
    session_store().pop(PENDING_TOASTS, None)  # where none of them was cut short


def queue_toast(words: str, icon: str) -> None:
    """Queue a toast in a callback until the page is drawn.

    Args:
        words: a sentence in Markdown.
        icon: a Material symbol.
    """
    session_store().setdefault(PENDING_TOASTS, []).append((words, icon))


def queue_value(key: str, value: Any) -> None:
    """Queue a widget's value in a callback, which newer clicks may end."""
    session_store().setdefault(PENDING_VALUES, {})[key] = value


def _pending_fragments() -> dict[str, None] | None:
    pending: dict[str, None] | None = session_store().get(PENDING_FRAGMENTS)
    return pending


def _read_brushes(text: str, run: RunLimits) -> tuple[str, ...]:
    known = {*run.numbers, *(run.columns or ()), *CLASSES}
    names = (unquote(name) for name in text.split("~"))
    return tuple(dict.fromkeys(name for name in names if name in known))[:BRUSHES]


def _read_row_values(text: str) -> tuple[tuple[int, float], ...]:
    """Read columns and values, such as "3:1.5,0:-2"."""
    values = {}
    for column, _, value in (part.partition(":") for part in text.split(",")):
        place, amount = parse_whole(column), parse_number(value, -LARGEST_VALUE, LARGEST_VALUE)
        if place is not None and amount is not None:
            values[place] = amount
    return tuple(values.items())


def _write_row_values(values: tuple[tuple[int, float], ...]) -> str:
    return ",".join(f"{column}:{format_value(amount)}" for column, amount in values)


def _first(names: Collection[str]) -> str:
    return next(iter(names))


def _errors_or_last(numbers: Collection[str]) -> str:
    return "absolute_error" if "absolute_error" in numbers else list(numbers)[-1]


_EXAMPLE = InRun(lambda run: run.examples, "examples")
_PINS = InRun(lambda run: run.examples, "examples", most=PINS)
_TICKS = InRun(lambda run: run.examples, "examples", most=TICKS)
_CLASS = InRun(lambda run: run.classes, "classes")
_SCORE = InRun(lambda run: run.scores, otherwise=_first)
_X = InRun(lambda run: run.numbers, otherwise=_first)
_Y = InRun(lambda run: run.numbers, otherwise=_errors_or_last)
_TARGET = InRun(lambda run: run.targets)
_BRUSHES = OwnText(_read_brushes, lambda names: "~".join(map(escape, names)))
_ROW_VALUES = OwnText(lambda text, _: _read_row_values(text), _write_row_values, refers_to="examples")
_PRESENT = OwnText(lambda text, _: text == "yes", lambda _: "yes")


@dataclass(frozen=True)
class PageState:
    """The state of a page, parsed once a rerun and passed down.

    Names that only some runs offer (`view`, `layout`, …) stay; `choose_name` resolves them.
    """

    run: str = ""  # its name; empty where there is only one
    other: str = ""  # the name of the run that it is compared with; empty for none
    ticked_run: str = ""  # the name of the one that is ticked on Runs, where that is not the open one; "." for none
    labels_of: LabelChoice = "new"  # that both are measured by
    example: Annotated[Whole | None, _EXAMPLE] = None  # that was looked at or opened last
    score: Annotated[str, _SCORE] = "max_probability"  # that ranks
    order: Order = UNCERTAIN_FIRST
    filters: Annotated[Filters, ELSEWHERE] = Filters()  # which examples are selected
    flagged: Annotated[tuple[Whole, ...], _EXAMPLE] = ()  # to come back to
    pinned: Annotated[tuple[Whole, ...], _PINS] = ()  # to compare
    ticked: Annotated[tuple[Whole, ...], _TICKS] = ()  # chosen to do something with
    page: Count = 1  # of the gallery
    page_size: PageSize = 48
    tile_size: TileSize = "medium"
    brushes: Annotated[tuple[str, ...], _BRUSHES] = ()  # columns whose histograms stand beside that of the score
    view: Name = ""  # of the selection
    x: Annotated[str, _X] = "predictive_entropy"  # an axis
    y: Annotated[str, _Y] = "mutual_information"  # the same
    colour: str = ""  # what the colours of Scatter and Map show
    cells: Name = ""  # what the cells of the confusion matrix show
    layout: Name = ""  # of the map
    column: str = ""  # one of the user's own, by whose values examples are grouped
    group: str = ""  # one of the user's own, whose values are groups that belong together
    target: Annotated[Whole, _TARGET] = 0  # that is shown, of a regression of several
    coverage: Coverage = 90  # of prediction intervals
    section: Name = ""  # of Overview or Probe, to which the page scrolls
    trust_class: Annotated[Whole | None, _CLASS] = None  # whose probability is compared with its labels on Trust
    trust_threshold: Annotated[float, Meta(ge=0, le=1)] | None = None  # of that class; None for the one that counts
    details: tuple[Name, ...] = ()  # that are open on Trust and Compare
    calibrated_on: str = ""  # the name of a labelled run, of a run without labels on Trust
    referral: Name = ""  # what a person asks of a referral
    wanted: Annotated[float, Meta(ge=0, le=1e12)] | None = None  # how much of that; None for the usual
    mistake_costs: Annotated[float, Meta(ge=0, le=1e9)] = 100.0  # that nobody sees
    look_costs: Annotated[float, Meta(ge=0, le=1e9)] = 1.0  # of an example, in the same unit
    part: Name = ""  # of the page Label
    closer_look: Name = ""  # at one example
    first_class: Annotated[Whole | None, _CLASS] = None  # None for the likeliest
    second_class: Annotated[Whole | None, _CLASS] = None  # None for the next
    input: Name = ""  # kind of the probe's input
    noise: Name = ""  # kind of it
    seed: Annotated[int, Meta(ge=0, le=HIGHEST_SEED)] | None = None  # of what is random in the input
    strength: Annotated[float, Meta(ge=0, le=1)] = 1.0  # of the noise
    distortion: Name = ""  # of an example
    amount: Annotated[float, Meta(ge=-1e6, le=1e6)] | None = None  # of the distortion; None for none
    other_example: Annotated[Whole | None, _EXAMPLE] = None  # that is mixed in; None for any
    values: Annotated[tuple[tuple[int, float], ...], _ROW_VALUES] = ()  # in the probe's row, by number of column
    sweep: Count | None = None  # number of its inputs; None for the usual one
    ood_set: Name = ""  # its key
    detector: Name = ""  # of what is out of distribution
    step: Count = 1  # of the story
    present: Annotated[bool, _PRESENT] = False  # to an audience: large, and without the navigation
    origin: Name = ""  # the path of the page that the presentation was started from
    unknown_example: Annotated[str, ELSEWHERE] = field(
        default="", compare=False
    )  # that the address names and this run does not have
    # What else means nothing for this run, as `key=text`.
    ignored: Annotated[tuple[str, ...], ELSEWHERE] = field(default=(), compare=False)

    @classmethod
    def from_query(cls, query: Mapping[str, str], run: RunLimits = ANY_RUN) -> "PageState":
        """Read the state; skip parts invalid for the run.

        Args:
            query: the address's keys and their texts; other keys are left alone.
            run: what it has.
        """
        values = read_fields(cls, query, run)
        unknown = query.get("example", "") if values["example"] is None else ""
        state = cls(**values, filters=Filters.from_query(query, run), unknown_example=unknown)
        return dataclasses.replace(state, ignored=_find_ignored(query, state.to_query()), **_follow_details(state))

    def to_query(self) -> dict[str, str]:
        """Return the state as an address, without defaults."""
        return self.filters.to_query() | write_fields(self)

    def replace(self, **changes: Any) -> "PageState":
        """Change values; other examples start at their first page.

        Args:
            changes: new values by the names of fields, also of those of `Filters`; what makes the filters of those that
                are there, where `filters` is a function.
        """
        on = {name: changes.pop(name) for name in FILTERS.keys() & changes.keys()}
        if callable(change := changes.get("filters")):
            changes["filters"] = change(self.filters)
        if on:
            changes["filters"] = dataclasses.replace(changes.get("filters", self.filters), **on)
        page = {"page": 1} if changes.keys() & BACK_TO_FIRST_PAGE else {}
        own: dict[str, Any] = {"values": ()} if "example" in changes else {}
        return dataclasses.replace(self, **{**page, **own, **changes})

    def link(self, **changes: Any) -> dict[str, str]:
        """Return the address of the state with other values."""
        return self.replace(**changes).to_query()

    def without_all(self, refers_to: Literal["examples", "classes"]) -> "PageState":
        """Drop references to examples or classes of the run."""
        return self.replace(**defaults_referring_to(refers_to, Filters, PageState))


def read_state(run: RunLimits) -> PageState:
    """Read the state from the address for a run."""
    state = session_store()[LATEST] = PageState.from_query(address(), run)
    return state


def latest_state() -> PageState:
    """Return the latest state for a callback: the page may lag behind."""
    latest: PageState = session_store()[LATEST]
    return latest


def update_state(*, parts: Collection[str] = (), **changes: Any) -> None:
    """Change the latest state in a callback; the rerun shows it and writes the address.

    Args:
        parts: the keys of the fragments that show what changes; all of the page, without them.
        changes: as `PageState.replace` takes them.
    """
    state = session_store()[LATEST] = latest_state().replace(**changes)
    _show_address(state.to_query(), parts)
    if parts:
        rerun_fragments(*parts)


def go_to_run(name: str, other: str = "") -> None:
    """Set the address to a run and a compared run alone."""
    _show_address(PageState(run=name, other=other).to_query())


def go_to_same_examples(name: str, now: str, *, same_classes: bool) -> None:
    """Switch to a run over the same examples; keep example, pins, view and filters.

    Args:
        name: of the run to go to; where it is the one that was compared with, the two change places.
        now: name of the run that is shown.
        same_classes: whether a number of a class means the same; otherwise nothing is filtered by classes.
    """
    other = now if latest_state().other == name else latest_state().other
    changes = {} if same_classes else defaults_referring_to("classes", Filters, PageState)
    update_state(run=name, other=other, ticked_run="", **changes)


def toggle_example(examples: tuple[int, ...], example: int) -> tuple[int, ...]:
    """Add or remove an example."""
    others = tuple(other for other in examples if other != example)
    return others if example in examples else (*others, example)


def add_examples(examples: Iterable[int], more: Iterable[int]) -> tuple[int, ...]:
    """Return the examples and these others, each once."""
    return tuple(dict.fromkeys((*examples, *more)))


def resolve_run(names: Sequence[str]) -> str:
    """Set a valid run in the address, the first by default.

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
    settled = state.without_all("examples").replace(run=names[0] if len(names) > 1 else "")
    _show_address(settled.to_query())
    return state.run


def sync_from_url(page: str) -> None:
    """Find the current address when a page begins.

    The browser's address is outdated if the page had it before, unless by going back. Links may be older than the page.
    """
    store, from_browser = session_store(), st.query_params.to_dict()
    if store.get(PAGE) == page and not is_history_navigation() and from_browser in store[ADDRESSES]:
        if from_browser != address():
            st.query_params.from_dict(address())
        return
    if page in (linked := store.pop(LINKED, {})) and from_browser == linked[page] and not is_history_navigation():
        latest = {key: text for key, text in address().items() if key not in OWN_KEYS}
        latest |= {key: text for key, text in from_browser.items() if key in OWN_KEYS}
        if latest != from_browser:
            st.query_params.from_dict(latest)
            from_browser = latest
    store[PAGE], store[ADDRESS] = page, from_browser
    _note_shown(from_browser)


def note_link(page: str, query: dict[str, str]) -> None:
    """Store the address of a link to a page."""
    session_store().setdefault(LINKED, {})[page] = query


def note_address(query: dict[str, str]) -> None:
    """Store the address of an opened page."""
    session_store()[ADDRESS] = query


def is_open(page: str) -> bool:
    """Return whether the page of a title is drawn."""
    return bool(session_store().get(PAGE) == page)


def address() -> dict[str, str]:
    """Return the current address, for links."""
    query: dict[str, str] | None = session_store().get(ADDRESS)
    return st.query_params.to_dict() if query is None else dict(query)


def _show_address(query: dict[str, str], parts: Collection[str] = ()) -> None:
    mark_dirty(*parts)
    session_store()[ADDRESS] = query
    _note_shown(query)
    st.query_params.from_dict(query)


def _note_shown(query: dict[str, str]) -> None:
    session_store().setdefault(ADDRESSES, deque(maxlen=MOST_SHOWN)).append(query)


def choose_name(name: str, offered: Iterable[str], default: str | None = None) -> str:
    """Return a name if offered, else the default, else the first."""
    names = list(offered)
    return name if name in names else default or names[0]


def quote(text: str) -> str:
    """Quote a text of the address in Markdown, shortened."""
    return f"“{as_markdown(text[:60])}”"


def _follow_details(state: PageState) -> dict[str, Any]:
    """Redirect details that moved away from Trust."""
    if not {"costs", "mistakes"} & set(state.details):
        return {}
    details = dict.fromkeys("scores" if name == "mistakes" else name for name in state.details if name != "costs")
    return {"details": tuple(details), **({"referral": "cheapest"} if "costs" in state.details else {})}


def _find_ignored(query: Mapping[str, str], understood: Mapping[str, str]) -> tuple[str, ...]:
    """Return the address parts that the state ignores."""
    known = {field.key: field for of in (Filters, PageState) for field in address_fields(of)}
    ignored = []
    for key, text in query.items():
        if key in KEYS_WITH_OWN_WARNING or key.startswith(FOREIGN_KEYS):
            continue
        if text and not (key in known and known[key].was_fully_read(text, understood.get(key))):
            ignored.append(f"{key}={text}")
    return tuple(ignored)


@dataclass(frozen=True)
class WidgetVersion:
    """A version of a widget.

    Attributes:
        number: of its key, which goes up whenever the state changes from elsewhere.
        value: that it shows.
    """

    number: int
    value: object


def state_widget_args(
    name: str, value: T, change: Callable[[T], None] | None = None, *, may_be_empty: bool = False
) -> dict[str, Any]:
    """Return keyword arguments of a widget that shows and sets a value.

    Changing the value elsewhere makes a new key, so a late browser cannot undo the change.

    Args:
        name: of the value in `PageState`; the widget's key is the name and a number.
        value: what the state says now.
        change: what to do with a new value; without it, it is put under the name.
        may_be_empty: whether a person can empty the widget. Otherwise what it says where it is empty is passed over:
            Streamlit reports that of a drawing that was cut short before the widget.
    """
    versions: dict[str, WidgetVersion] = session_store().setdefault(VERSIONS, {})
    before = versions.get(name, WidgetVersion(0, value))
    number = before.number + (before.value != value)
    versions[name], key = WidgetVersion(number, value), f"{name}-{number}"
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value

    def changed() -> None:
        versions, new = session_store()[VERSIONS], widget_value(key)
        # A browser that is a moment behind also reports what the widget shows, as if somebody had chosen it.
        if (
            versions[name] == WidgetVersion(number, new)
            or versions[name].number != number
            or (new is None and not may_be_empty)
        ):
            return
        versions[name] = WidgetVersion(number, new)
        if change:
            change(new)
        else:
            update_state(**{name: new})

    return {"key": key, "on_change": changed}


def choose_segment(
    label: str,
    name: str,
    value: T,
    labels: Mapping[T, str],
    change: Callable[[T], None] | None = None,
    *,
    label_visibility: Literal["visible", "collapsed"] = "visible",
) -> None:
    """Render a segmented choice; see `state_widget_args`.

    Args:
        label: of the choice.
        name: of the value in `PageState`.
        value: of the state now.
        labels: of the values to choose from.
        change: what to do with a new value; without it, it is put under the name.
        label_visibility: whether the label is seen or only spoken.
    """
    st.segmented_control(
        label,
        list(labels),
        format_func=labels.__getitem__,
        required=True,
        label_visibility=label_visibility,
        **state_widget_args(name, value, change),
    )


def choose_detail(label: str, name: str, state: PageState) -> Any:
    """Return an expander that is open if the address says so.

    Args:
        label: of the expander.
        name: in `PageState.details`.
        state: of the page.
    """

    def change(is_open: bool) -> None:
        others = tuple(other for other in latest_state().details if other != name)
        update_state(details=(*others, name) if is_open else others)

    return st.expander(label, **state_widget_args(f"details-{name}", name in state.details, change))
