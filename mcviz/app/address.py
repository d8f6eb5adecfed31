"""The state of a session lives in the address, so that a link opens what its sender saw, and back and forward work."""

import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import streamlit as st

from mcviz.app.selection import Selection, whole
from mcviz.runs import Run

T = TypeVar("T")
PINS = 4  # examples that fit side by side
FIRST_PAGE = {"page": None}
# Seconds in which a browser that is a moment behind may still send the value from before. Taken for a change by the
# user, it would undo the button that was pressed.
ECHO = 2.0
ALIASES = {"idx": "image", "rank": "score"}
OF_ONE_RUN = ("image", "flags", "pins", "picked")  # which, in another run, would be other images


def run_name(names: Sequence[str]) -> str:
    """The run that the address names, or the first; where there are several, the address then names it.

    Args:
        names: of the runs that are there, one at least.
    """
    query = st.query_params.to_dict()
    asked = query.get("run", names[0])
    name = asked if asked in names else names[0]
    settled = {ALIASES[key]: value for key, value in query.items() if key in ALIASES}
    settled |= {key: value for key, value in query.items() if key not in ALIASES}
    if name != asked:
        settled = {key: value for key, value in settled.items() if key not in ("run", *OF_ONE_RUN)}
    if len(names) > 1:
        settled["run"] = name
    if name != asked:
        st.session_state["run-not-there"] = asked, settled
    if settled != query:
        restart(**settled)
        st.rerun()  # all that was drawn from the address so far, such as the links to other pages, is drawn anew
    missing, since = st.session_state.get("run-not-there", ("", None))
    if since == settled:
        st.warning(f"There is no run {quoted(missing)} here. This is **{name}**.", icon=":material/link_off:")
    return name


def quoted(text: str) -> str:
    """A text that came with the address, as a word of a message: short, and no Markdown."""
    return f"`{text[:60].replace('`', '')}`"


def selection(run: Run) -> Selection:
    """The selection that the address names, without what asks for labels where the run has none."""
    named = Selection.from_query(st.query_params, len(run.class_names), len(run))
    return named if run.labels is not None else replace(named, true=(), answers="all")


def select(chosen: Selection, **others: Any) -> None:
    """Make this the selection, and go back to the first page of images."""
    kept = dict.fromkeys(["outline", "range", *(field.name for field in fields(Selection))])
    go(**{**kept, **chosen.to_query(), **FIRST_PAGE, **others})


def go(**values: Any) -> None:
    """Put values into the address in one step; None takes a key out."""
    query = {**st.query_params.to_dict(), **values}
    st.query_params.from_dict({key: str(value) for key, value in query.items() if value is not None})


def restart(**values: Any) -> None:
    """Forget all that the address says but these values."""
    st.query_params.from_dict({key: str(value) for key, value in values.items()})


def whole_number(key: str, default: int, lowest: int, highest: int) -> int:
    """A whole number from the address, or the default where there is none in these bounds."""
    found = whole(st.query_params.get(key, ""))
    return default if found is None or not lowest <= found <= highest else found


def number(key: str, default: float, lowest: float, highest: float) -> float:
    """A number from the address, or the default where there is none in these bounds."""
    try:
        value = float(st.query_params.get(key, ""))
    except ValueError:
        return default
    return value if lowest <= value <= highest else default


def one_of(key: str, options: Sequence[T], default: T) -> T:
    """One of some options from the address, or the default."""
    return {str(option): option for option in options}.get(st.query_params.get(key, ""), default)


def images(key: str, run: Run) -> list[int]:
    """The image indices that the address lists under a key."""
    return list(Selection.from_query({"picked": st.query_params.get(key, "")}, 0, len(run)).picked)


def pins(run: Run) -> list[int]:
    """The image indices that are pinned: the first ones that the address lists, as many as fit."""
    return images("pins", run)[:PINS]


def bound(key: str, value: T, put: Callable[[T], None] | None = None) -> dict[str, Any]:
    """Keyword arguments that bind a widget to the address: it shows `value`, and a change of it is put there.

    Args:
        key: in the address; the widget's own is the same with `-widget` behind.
        value: what the address says now.
        put: what to do with a new value; without it, it is put under `key`, on the first page of images.
    """
    widget = f"{key}-widget"
    shown = st.session_state.get(widget, value)
    if shown != value:  # a button, a key or a link changed it, and the browser will hear of it in a moment
        st.session_state[f"{widget}-replaced"] = shown, time.monotonic()
    st.session_state[widget] = value

    def changed() -> None:
        new = st.session_state[widget]
        old, since = st.session_state.get(f"{widget}-replaced", (None, -ECHO))
        if new == old and time.monotonic() - since < ECHO:
            return
        if put:
            put(new)
        else:
            go(**{key: new}, **({} if key == "page" else FIRST_PAGE))

    return {"key": widget, "on_change": changed}
