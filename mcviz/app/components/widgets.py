"""Widgets that show the state of the page, and change it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import streamlit as st

from mcviz.app.session import session_store, widget_value
from mcviz.app.state import update_state

T = TypeVar("T")
VERSIONS = "widgets-shown"


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
    """Return keyword arguments for a widget that shows a value of the state, and puts a new one there.

    A button or a link that changes the value replaces the widget by a new one of another key. So what a browser that is
    a moment behind still sends for the old one is known for that, and cannot undo the change.

    Args:
        name: of the value in `PageState`; the widget's key is the name and a number.
        value: what the state says now.
        change: what to do with a new value; without it, it is put under the name.
        may_be_empty: whether a person can empty the widget. Otherwise what it says where it is empty is passed over:
            Streamlit reports that of a drawing that was cut short before the widget.
    """
    shown: dict[str, WidgetVersion] = session_store().setdefault(VERSIONS, {})
    before = shown.get(name, WidgetVersion(0, value))
    number = before.number + (before.value != value)
    shown[name], key = WidgetVersion(number, value), f"{name}-{number}"
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value

    def changed() -> None:
        shown, new = session_store()[VERSIONS], widget_value(key)
        # A browser that is a moment behind also reports what the widget shows, as if somebody had chosen it.
        if (
            shown[name] == WidgetVersion(number, new)
            or shown[name].number != number
            or (new is None and not may_be_empty)
        ):
            return
        shown[name] = WidgetVersion(number, new)
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
    """Render a choice of one of some values, side by side; see `state_widget_args`.

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
