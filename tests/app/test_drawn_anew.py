"""A chart that the browser draws anew reports an empty selection, which must not take a filter off."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mcviz.app.selection import Selection
from mcviz.app.views import confusion, layout_map, scatter

SELECTION = Selection(true=(4,), answers="wrong")
CALLBACKS: dict[str, tuple[Any, Callable[[], None]]] = {
    "scatter-0": (scatter, lambda: scatter._outlined("scatter-0", SELECTION, "margin", "max_probability")),
    "confusion-images": (confusion, lambda: confusion._clicked(SELECTION, "confusion-images", 10)),
    "map-PCA": (layout_map, lambda: layout_map._picked(SELECTION, np.arange(100), "map-PCA")),
}


def selected_by(view: str, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[Selection]:
    module, callback = CALLBACKS[view]
    found: list[Selection] = []
    monkeypatch.setattr(module, "st", SimpleNamespace(session_state={view: {"selection": event}}))
    monkeypatch.setattr(module, "address", SimpleNamespace(select=found.append))
    callback()
    return found


@pytest.mark.parametrize("view", CALLBACKS)
def test_an_empty_selection_changes_nothing(view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert selected_by(view, {"points": [], "lasso": [], "box": []}, monkeypatch) == []


@pytest.mark.parametrize("view", CALLBACKS)
def test_a_selection_is_made(view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    event = {"points": [{"customdata": 49}], "lasso": [], "box": [{"x": [0, 1], "y": [0, 1]}]}
    (selection,) = selected_by(view, event, monkeypatch)
    assert selection != SELECTION
    assert selection.answers == "wrong"
