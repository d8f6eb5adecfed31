"""A slim histogram on which a brush chooses a range: by the mouse, a finger, or the keyboard."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from mcviz.app.components.assets import load_assets
from mcviz.app.session import widget_value

_mounted = st.components.v2.component(
    "mcviz_brush", css=load_assets("brush.css"), js=load_assets("element.js", "latest_data.js", "brush.js")
)


@dataclass(frozen=True)
class Bin:
    """A bar of a histogram.

    Attributes:
        name: which values it holds.
        all: how many examples there are.
        left: how many of them are left by other filters.
        wrong: how many of these are wrong.
    """

    name: str
    all: int
    left: int
    wrong: int


def brush(
    key: str,
    label: str,
    bins: Sequence[Bin],
    places: Sequence[tuple[float, float]],
    *,
    marks_mistakes: bool,
    put: Callable[[int, int], None],
    clear: Callable[[], None],
    remove: Callable[[], None] | None = None,
) -> None:
    """Render a histogram: grey for all examples, coloured for those that are left.

    Args:
        key: of the component.
        label: what the bins are of.
        bins: from left to right.
        places: what is chosen now, from where to where, in bins from 0; empty for all.
        marks_mistakes: whether the wrong ones have a colour of their own.
        put: takes the first and the last of the bins that were chosen.
        clear: chooses all.
        remove: takes the histogram off, where that can be done.
    """

    def changed() -> None:
        component = widget_value(key)  # which is gone where somebody left the page meanwhile
        match component.asked if component else None:
            case {"what": "range", "first": int(first), "last": int(last)} if 0 <= first <= last < len(bins):
                put(first, last)
            case {"what": "clear"}:
                clear()
            case {"what": "remove"} if remove:
                remove()

    _mounted(
        key=key,
        data={
            "label": label,
            "bins": [asdict(each) for each in bins],
            "places": [list(place) for place in places],
            "marksMistakes": marks_mistakes,
            "removable": remove is not None,
        },
        on_asked_change=changed,
    )
