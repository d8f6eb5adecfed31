"""A chart that the browser draws anew reports an empty selection, which must not take a filter off."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mcviz.app.filters import Filters
from mcviz.app.views import confusion, layout_map, scatter

FILTERS = Filters(label=(4,), correct="wrong")
CALLBACKS: dict[str, tuple[Any, Callable[[], None]]] = {
    "scatter-0": (scatter, lambda: scatter._lassoed("scatter-0", FILTERS, "margin", "max_probability")),
    "confusion-images": (confusion, lambda: confusion._clicked(FILTERS, "confusion-images", 10)),
    "map-PCA": (layout_map, lambda: layout_map._lassoed(FILTERS, np.arange(100), "map-PCA")),
}


def filtered_by(view: str, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[Filters]:
    module, callback = CALLBACKS[view]
    found: list[Filters] = []
    monkeypatch.setattr(module, "st", SimpleNamespace(session_state={view: {"selection": event}}))
    monkeypatch.setattr(module, "go", lambda filters: found.append(filters))
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
