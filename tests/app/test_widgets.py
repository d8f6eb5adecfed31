"""A widget follows the state, and what a late browser still sends for an old one does not undo a change."""

from types import SimpleNamespace
from typing import Any

import pytest

from mcviz.app import state
from mcviz.app.state import state_widget_args


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    states: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    monkeypatch.setattr(state, "st", SimpleNamespace(session_state=states))
    monkeypatch.setattr(state, "widget_value", states.get)
    monkeypatch.setattr(state, "session_store", lambda: kept)
    return states


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(state, "update_state", lambda **change: made.append(change))
    return made


def sent(session: dict[str, Any], widget: dict[str, Any], value: object) -> None:
    """The browser sends a value of a widget."""
    session[widget["key"]] = value
    widget["on_change"]()


def test_a_change_of_the_widget_goes_into_the_state_and_the_widget_stays(
    session: dict[str, Any], changes: list[dict[str, Any]]
) -> None:
    first = state_widget_args("example", 18)
    assert session[first["key"]] == 18
    sent(session, first, 21)
    assert changes == [{"example": 21}]
    assert state_widget_args("example", 21)["key"] == first["key"]


def test_a_change_from_elsewhere_makes_a_new_widget_and_the_old_one_is_not_heard(
    session: dict[str, Any], changes: list[dict[str, Any]]
) -> None:
    old = state_widget_args("example", 18)
    new = state_widget_args("example", 21)  # a button was pressed
    assert new["key"] != old["key"]
    assert session[new["key"]] == 21
    sent(session, old, 18)  # by a browser that has not heard of it yet
    assert changes == []
    assert state_widget_args("example", 21)["key"] == new["key"]


def test_going_back_at_once_to_the_value_before_is_a_change(
    session: dict[str, Any], changes: list[dict[str, Any]]
) -> None:
    state_widget_args("example", 18)
    new = state_widget_args("example", 21)
    sent(session, new, 18)
    assert changes == [{"example": 18}]


def test_a_state_that_does_not_take_the_value_as_it_is_shows_its_own(
    session: dict[str, Any], changes: list[dict[str, Any]]
) -> None:
    first = state_widget_args("range", (0.0, 1.0), lambda _: None)
    sent(session, first, (0.2, 0.8))
    second = state_widget_args("range", (0.0, 1.0))
    assert second["key"] != first["key"]
    assert session[second["key"]] == (0.0, 1.0)
    assert changes == []


def test_a_widget_that_was_not_drawn_for_a_while_shows_the_state(session: dict[str, Any]) -> None:
    first = state_widget_args("score", "margin")
    del session[first["key"]]
    assert session[state_widget_args("score", "margin")["key"]] == "margin"


def test_what_nobody_chose_changes_nothing(session: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    """Streamlit reports a widget as empty where a drawing was cut short before it."""
    widget = state_widget_args("closer_look", "similar")
    sent(session, widget, None)
    assert changes == []


def test_what_a_widget_shows_changes_nothing_when_a_late_browser_reports_it(
    session: dict[str, Any], changes: list[dict[str, Any]]
) -> None:
    state_widget_args("coverage", 90)
    sent(session, state_widget_args("coverage", 80), 80)
    assert changes == []


def test_a_field_that_somebody_empties_is_empty(session: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    sent(session, state_widget_args("wanted", 0.4, may_be_empty=True), None)
    assert changes == [{"wanted": None}]
