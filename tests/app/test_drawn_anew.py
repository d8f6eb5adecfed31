"""What is drawn anew: a page begins at its top, and a chart's empty selection takes no filter off."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from mcviz.app.filters import Filters, Lasso, lasso_on_map
from mcviz.app.state import PageState
from mcviz.app.views import scatter
from tests.app.opening import assert_sound

RUN: Any = None  # whose table is `ONE`
ONE = pd.DataFrame({"label": [4], "prediction": [3], "correct": [False], "margin": [0.5], "max_probability": [0.5]})
FILTERS = Filters(label=(4,), correct="wrong")
CALLBACKS: dict[str, tuple[Any, Callable[[], None]]] = {
    "scatter-0": (scatter, lambda: scatter._apply_lasso("scatter-0", RUN, Lasso("margin", "max_probability", ()))),
    "confusion-images": (scatter, lambda: scatter._apply_cell("confusion-images", 10)),
    "map-0": (scatter, lambda: scatter._apply_lasso("map-0", RUN, lasso_on_map("pca"))),
}


def filtered_by(view: str, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[Filters]:
    module, callback = CALLBACKS[view]
    found: list[Filters] = []
    monkeypatch.setattr(module, "widget_value", {view: {"selection": event}}.get)
    monkeypatch.setattr(scatter, "latest_state", lambda: PageState(filters=FILTERS))
    monkeypatch.setattr(
        module, "update_state", lambda **changes: found.append(PageState(filters=FILTERS).replace(**changes).filters)
    )
    monkeypatch.setattr(scatter, "filter_mask", lambda _, filters: filters.mask(ONE))
    callback()
    return found


@pytest.mark.parametrize("view", CALLBACKS)
def test_an_empty_selection_changes_nothing(view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert filtered_by(view, {"points": [], "lasso": [], "box": []}, monkeypatch) == []


@pytest.mark.parametrize("view", CALLBACKS)
def test_a_selection_is_made(view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    event = {"points": [{"customdata": 49}], "lasso": [], "box": [{"x": [0, 1], "y": [0, 1]}]}
    (filters,) = filtered_by(view, event, monkeypatch)
    assert filters != FILTERS
    assert filters.correct == "wrong"


def within_a_fragment() -> None:
    import streamlit as st

    from mcviz.app.main import main

    with st.columns(2)[1]:  # where Streamlit goes on after a fragment that stands there
        main()


def test_a_page_begins_at_its_top_wherever_something_was_drawn_before() -> None:
    app = AppTest.from_function(within_a_fragment, default_timeout=120).run()
    assert_sound(app)
    assert len(app.title) == 1
    assert not app.columns[1].children
