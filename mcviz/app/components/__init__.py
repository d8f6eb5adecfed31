"""Parts of pages: charts, pictures, tables, explanations and the keyboard.

Scripts and styles are files beside this one. The browser draws the histograms of an example: a plotly chart of ten axes
takes a quarter of a second to rebuild. No press of an arrow key is lost. Streamlit's shortcuts leave out such keys.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import timedelta
from itertools import count
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any, Literal, TypedDict

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mcviz.app.server import RerunException
from mcviz.app.state import session_store, widget_value
from mcviz.app.wording import abbreviated, counted, prediction_and_votes
from mcviz.figures import enlarge_letters, group_by_role, picture_url, select_classes
from mcviz.figures.passes import OTHER_CLASSES
from mcviz.measures import PassSummary
from mcviz.text import percent


def load_assets(*names: str) -> str:
    """Join files in order; later ones use names of earlier ones."""
    return "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)


TICKS = (1, 2, 5, 10, 25, 50, 250, 500, 1000, 2500, 5000, 10000)  # passes
LEAST_IN_A_STRIP = 0.02  # the mean probability from which on a class is one of those in a narrow column
MOST_STRIPS = 8
LOWEST_TICK = 1 / 12  # of the passes: lower ones would stand too close together

PICTURE = "picture-of-example"  # the key of the container in which steps find the picture of the example
_explanation = st.components.v2.component(
    "mcviz_explanation",
    css=load_assets("histograms.css", "sentences.css", "explanation.css"),
    js=load_assets("listening.js", "element.js", "histograms.js", "sentences.js", "latest_data.js", "explanation.js"),
)
_ahead = st.components.v2.component(
    "mcviz_ahead", js=load_assets("internals.js", "listening.js", "latest_data.js", "ahead.js")
)
TURNS = count()  # in the data, or else the browser would keep what it drew where the server says the same as before

PICTURE_WIDTH = 280
MOST_TABLE_ROWS = 12  # above which a table scrolls
TABLE_HEIGHT = 460  # pixels, of one that scrolls
_FOR_AN_AUDIENCE = ContextVar("for_an_audience", default=False)

ARROW_KEYS = "arrow-keys"
TAKEN = "arrow-keys-taken"  # of the session: the page that counted, and how many steps and flags were made
CODE_LOADS = 0.1  # seconds
CODE_LOADED = "code-loaded"  # of the session, once there was time to load the code of components
_has_drawn = Event()  # this server, for anybody
_keys = st.components.v2.component(
    "mcviz_keys", js=load_assets("internals.js", "listening.js", "latest_data.js", "keys.js")
)
_arrow_keys = st.components.v2.component("mcviz_arrow_keys", js=load_assets("listening.js", "arrow_keys.js"))

_listeners = st.components.v2.component(
    "mcviz_page_listeners",
    js=load_assets("internals.js", "going_back.js", "page_listeners.js"),
)


def pass_histograms(
    summary: PassSummary, class_names: Sequence[str], label: int | None = None, *, narrow: bool = False
) -> dict[str, Any]:
    """Return a histogram a class over passes: 100 bins in 0..1, shared axes, square-root counts.

    Args:
        summary: of the passes of one example.
        class_names: C names.
        label: its index, where it is known.
        narrow: whether only the classes are there that fit a narrow column.

    Returns:
        As `Explanation.histograms`.
    """
    fitting, shown = strips(summary, label), select_classes(summary.mean, label)
    if narrow:
        shown = [shown[place] for place in fitting["strips"]]
        fitting["strips"] = list(range(len(shown)))
    return {
        "passes": summary.passes,
        "ticks": ticks(summary.passes),
        "spoken": f"Histograms of the passes: {prediction_and_votes(summary, class_names)}",
        "panels": class_panels(summary, class_names, label, shown),
        **fitting,
    }


def strips(summary: PassSummary, label: int | None) -> dict[str, Any]:
    """Return the panels for a narrow column, and the largest remaining probability.

    Args:
        summary: of the passes of one example.
        label: its index, where it is known.
    """
    mean, shown = summary.mean, select_classes(summary.mean, label)
    named = {summary.prediction, label}
    order = sorted((c for c in shown if c in named or mean[c] >= LEAST_IN_A_STRIP), key=lambda c: -mean[c])
    order = [*order[:MOST_STRIPS], *(c for c in order[MOST_STRIPS:] if c == label)]
    others = np.delete(mean, order)
    rest = ""
    if len(others):
        below = max(1, math.ceil(1000 * others.max())) / 10
        rest = f"{counted(len(others), 'more class')} below {below:g}%."
    return {"strips": [shown.index(c) for c in order], "rest": rest}


def ticks(passes: int) -> list[int]:
    """Return counts for the axis of a histogram, up to all passes."""
    return [0, *(count for count in TICKS if LOWEST_TICK * passes <= count <= passes)]


def class_panels(
    summary: PassSummary, class_names: Sequence[str], label: int | None, shown: Sequence[int] | None = None
) -> list[dict[str, object]]:
    """Return the browser's data of each class.

    Args:
        summary: of the passes of one example.
        class_names: C names.
        label: its index, where it is known.
        shown: the numbers of these classes; those of `select_classes` without it.

    Returns:
        For each class its name, its role and the role's colour, the hundredths into which passes fall and
        how many do, and the mean, also with the standard deviation, and as a sentence.
    """
    shown = select_classes(summary.mean, label) if shown is None else shown
    roles = {
        c: ("" if role == OTHER_CLASSES else role, colour)
        for role, colour, members in group_by_role(summary.prediction, label, shown)
        for c in members
    }
    return [class_panel(summary, c, class_names[c], *roles[c]) for c in shown]


def class_panel(summary: PassSummary, c: int, name: str, role: str, colour: str) -> dict[str, object]:
    """Return the browser's data of one class; see `class_panels`.

    Args:
        summary: of the passes of one example.
        c: the number of the class.
        name: of the class.
        role: what it is to the example; "" where nothing.
        colour: of its bars.
    """
    counts = summary.histograms[c]
    bins = np.flatnonzero(counts)
    most, value = int(counts.argmax()), f"{percent(summary.mean[c])} ± {percent(summary.std[c])}"
    return {
        "name": name,
        "role": role,
        "colour": colour,
        "bins": bins.tolist(),
        "counts": counts[bins].tolist(),
        "mean": float(summary.mean[c]),
        "value": abbreviated(value),
        "spoken": f"{name}, {role or OTHER_CLASSES}: {value}; most often {most}% to {most + 1}%, "
        f"in {counts[most]} of {summary.passes} passes.",
    }


class Explanation(TypedDict, total=False):
    """The prediction for one example, for the browser.

    Attributes:
        sentences: in Markdown with nothing but bold words; one that begins with "- " is a point of a list.
        histograms: as `pass_histograms` returns them.
        picture: the example's `sheet` of one tile, as `KindRenderer.tiles` gives it; for steps only.
    """

    sentences: list[str]
    histograms: dict[str, Any]
    picture: Mapping[str, object]


def render_explanation(key: str, explanation: Explanation, example: int | None = None) -> None:
    """Render an explanation; the browser replaces it if another was sent ahead.

    Args:
        key: of the component.
        explanation: what is drawn.
        example: its number, where it is one of a run.
    """
    _explanation(key=key, data={"example": example, "explanation": explanation, "turn": next(TURNS)})


def send_ahead(explanations: Mapping[int, Explanation], steps: Mapping[str, int] | None = None) -> None:
    """Send explanations of the next examples ahead.

    Args:
        explanations: by the numbers of the examples.
        steps: the example to which a button leads, by what its key begins with; where the page itself steps.
    """
    data: dict[str, Any] = {"explanations": {str(example): each for example, each in explanations.items()}}
    if steps is not None:
        data |= {"steps": steps, "turn": next(TURNS)}
    with st.container(key="ahead"):
        _ahead(key="explanations-ahead", data=data, height=1)


def chart(figure: go.Figure, key: str, spoken: str) -> None:
    """Render a chart with a plain sentence for people who cannot see it."""
    height: Literal["stretch", "content"] = "content"
    if _FOR_AN_AUDIENCE.get():
        figure, height = enlarge_letters(figure), "stretch"
    config = {"displayModeBar": False, "scrollZoom": False}
    st.plotly_chart(figure, key=key, config=config, height=height, alt=spoken.replace("**", ""))


@contextmanager
def for_an_audience() -> Iterator[None]:
    """Enlarge letters and heights of the charts within."""
    before = _FOR_AN_AUDIENCE.set(True)
    try:
        yield
    finally:
        _FOR_AN_AUDIENCE.reset(before)


def heading(words: str, caption: str) -> None:
    """Render a section's heading and a sentence."""
    with st.container(gap=None):
        st.header(words, anchor=False)
        st.caption(caption)


def table_height(rows: int) -> int | Literal["content"]:
    """Return the height of a table of so many rows."""
    return "content" if rows <= MOST_TABLE_ROWS else TABLE_HEIGHT


def text_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    width: Literal["stretch", "content"] = "stretch",
    key: str = "",
) -> None:
    """Render a small table in Markdown; the first column names rows.

    Args:
        columns: their heads.
        rows: texts of each.
        width: of the table.
        key: of a table whose place is kept while its code loads, for what stands below it.
    """
    table = pd.DataFrame(list(rows), columns=list(columns)).set_index(columns[0])
    with st.container(key=f"{key}-of-{len(table)}-rows") if key else nullcontext():
        st.table(table, width=width)


def cards(figures: Sequence[tuple[str, str, str]]) -> None:
    """Render figures in cards, each with a label and a sentence."""
    with st.container(key="cards"):
        columns = st.columns(len(figures), gap="small")
    for column, (label, value, meaning) in zip(columns, figures, strict=True):
        with column.container(border=True, gap=None, height="stretch"):
            st.metric(label, value)
            st.caption(meaning)


def picture(image: np.ndarray, spoken: str, width: int = PICTURE_WIDTH) -> None:
    """Render one image, small ones enlarged to crisp squares.

    Args:
        image: (height, width, channels) uint8 or float32 in 0..1.
        spoken: what it is, for those who cannot see it.
        width: in pixels; of an image that is taller than wide the height.
    """
    source = picture_url(image, width)
    # Within the page, not as a file beside it: Streamlit would make a JPEG, and may delete it before it is fetched.
    st.image(source, width=max(1, round(width * min(1, image.shape[1] / image.shape[0]))), alt=spoken)


def render_empty_selection() -> None:
    """Render a hint for an empty selection."""
    st.info("No example matches all of these filters. Take one off above.", icon=":material/filter_alt_off:")


def render_histograms(summary: PassSummary, class_names: Sequence[str], label: int | None, key: str) -> None:
    """Render a histogram a class, with mean and standard deviation.

    Args:
        summary: of the passes of one example.
        class_names: C names.
        label: its index, where it is known.
        key: that the component's key ends with.
    """
    st.header("What the single passes predict", anchor=False)
    shown = len(select_classes(summary.mean))
    few = f"The likeliest {shown} of {len(class_names):,} classes. " if shown < len(class_names) else ""
    st.caption(
        f"{few}One histogram a class, with mean ± standard deviation: how often each probability was predicted in "
        f"{counted(summary.passes, 'pass')}. A narrow peak means that the passes agree; a wide one, or two, that they "
        "do not. The height is on a square-root scale."
    )
    render_explanation(f"explanation-{key}", {"histograms": pass_histograms(summary, class_names, label)})


def keys(widgets: Mapping[str, str], heard: int = 0) -> None:
    """Bind keys to buttons and fields unless somebody types; Enter and Escape leave fields.

    Args:
        widgets: the key of a Streamlit button or of a text field or selectbox, or what only its key begins with, for
            each key of the keyboard, which is named as browsers name it, in small letters; for "" a field that is to be
            typed in next, without a key.
        heard: how many presses of the buttons that are replaced by later ones the server has heard.
    """
    _keys(data={"widgets": widgets, "heard": heard}, key="keys", height=1)


def arrow_keys(follow: Callable[..., None]) -> None:
    """Bind arrow keys to steps and F to a flag, unless somebody types.

    Args:
        follow: takes the moves since it was called last, in a callback: how many steps, to the left where negative, and
            whether F was pressed after them. All at once, as Streamlit may end a callback where it changes the address.
    """

    def changed() -> None:
        component = widget_value(ARROW_KEYS)  # which is gone where somebody left the page meanwhile
        counted = component.counted if component else None
        if counted is None:
            return
        since, steps, flags = counted["since"], int(counted["steps"]), [int(place) for place in counted["flags"]]
        before, *taken = session_store().get(TAKEN, (since, 0, 0))
        begin, flagged = taken if before == since else (0, 0)
        session_store()[TAKEN] = since, steps, len(flags)
        moves = []
        for place in flags[flagged:]:
            moves.append((place - begin, True))
            begin = place
        follow(*moves, (steps - begin, False))

    _arrow_keys(key=ARROW_KEYS, default={"counted": None}, on_counted_change=changed, height=1)


@contextmanager
def page_listeners(*, first: bool) -> Iterator[None]:
    """Let fingers scroll over charts, restore place and focus after going back, and reconnect.

    Args:
        first: whether they come before the page that is drawn within, which begins with tiles. The browser loads the
            code of components with the first of them: before that of charts then, which takes longer, and it is left
            the time for it; or else after the page's first words.
    """
    place = st.container(key="page-listeners")
    if first:
        _render_listeners(place)
    _await_code(wanted=first)
    try:
        yield
    finally:
        # Not where the page asks to be drawn again, or for another one: that would be lost to what was clicked since.
        if not first and not isinstance(sys.exception(), RerunException):
            _render_listeners(place)


def _render_listeners(place: DeltaGenerator) -> None:
    with place:
        _listeners(key="listeners-of-the-page", height=1)
        _draw_after_reconnecting()


def _await_code(*, wanted: bool) -> None:
    """Wait at a visit's beginning until the browser has the components' code.

    React delays earlier messages (`FALLBACK_THROTTLE_MS`). A server's first page takes longer anyway.
    """
    is_first = CODE_LOADED not in session_store()
    session_store()[CODE_LOADED] = True
    if is_first and wanted and _has_drawn.is_set() and st.context.url:  # which only a browser has
        sleep(CODE_LOADS)
    _has_drawn.set()


@st.fragment(run_every=timedelta(days=1))
def _draw_after_reconnecting() -> None:
    """Reload the page after reconnecting, so that a new server does not ignore the first click.

    Streamlit's browser asks for a part that is redrawn at intervals, here empty.
    """
