"""Charts that both show the selection and make it."""

from collections.abc import Callable, Hashable
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def linked_chart(
    name: str, drawn: Hashable, shown_in: Callable[[str], T | None], selected: T | None
) -> tuple[str, bool]:
    """The key of a chart, and whether the browser shows the selection by itself, because it was made there.

    Such a chart is left alone: drawing ten thousand points anew takes longer than all else that a lasso does. It has to
    be a new one where other points are drawn, where the browser shows a selection that is no more, and where the chart
    came with a selection: the browser's own would not outlast that one's going.

    Args:
        name: of the chart; its key is the name and a number.
        drawn: what decides which points the chart has.
        shown_in: gives the selection that the browser shows in the chart of a key; nothing that is true, if none.
        selected: the selection as the state has it.
    """
    before, number, came_with_one = st.session_state.get(f"{name}-chart", (drawn, 0, False))
    shown = shown_in(f"{name}-{number}")
    anew = drawn != before or bool(shown and (came_with_one or shown != selected))
    number += anew
    shows_it = bool(shown) and not anew
    st.session_state[f"{name}-chart"] = drawn, number, bool(selected) and not shows_it
    return f"{name}-{number}", shows_it
