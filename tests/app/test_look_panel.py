"""What is asked of examples in the browser: only what makes sense is done; and what is done with ticked ones."""

from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from mcviz import Run
from mcviz.app import state
from mcviz.app.components import gallery
from mcviz.app.components.gallery import MOST_PICTURES, PICTURED
from mcviz.app.state import PINS, TICKS, PageState
from tests.app.opening import assert_sound
from tests.app.test_brushes import opened


@pytest.fixture
def asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the state becomes by something that is asked; what was told is in `told`, what is kept in `kept`."""
    told: list[str] = []
    kept: dict[str, Any] = {}

    def after(state: PageState, asked: Any) -> PageState:
        found = [state]

        def gone(*, parts: tuple[str, ...] = (), **changes: Any) -> None:
            found.append(found[-1].replace(**changes))

        monkeypatch.setattr(gallery, "latest_state", lambda: found[-1])
        monkeypatch.setattr(gallery, "update_state", gone)
        monkeypatch.setattr(gallery, "rerun_fragments", lambda *_: None)
        monkeypatch.setattr(gallery, "queue_toast", lambda words, _: told.append(words))
        monkeypatch.setattr(gallery, "session_store", lambda: kept)
        gallery._handle_request(run, True, asked)
        return found[-1]

    return SimpleNamespace(after=after, told=told, kept=kept)


@pytest.mark.parametrize("example", [-1, 10_000, "3", None, True, 2.5, [3]])
@pytest.mark.parametrize("what", ["look", "tick", "pin", "flag", "range", "hover", "pictures", "open"])
def test_an_example_that_is_not_there_changes_nothing(asked: Any, what: str, example: object) -> None:
    assert asked.after(PageState(), {"what": what, "example": example, "examples": [example]}) == PageState()


@pytest.mark.parametrize("sent", [None, "look", 3, {}, {"what": "look"}, {"what": "remove", "example": 3}])
def test_what_means_nothing_changes_nothing(asked: Any, sent: object) -> None:
    assert asked.after(PageState(), sent) == PageState()


@pytest.mark.parametrize(("what", "attribute"), [("tick", "ticked"), ("pin", "pinned"), ("flag", "flagged")])
def test_a_mark_is_put_on_and_taken_off(asked: Any, what: str, attribute: str) -> None:
    on = asked.after(PageState(), {"what": what, "example": 3})
    assert getattr(on, attribute) == (3,)
    assert asked.after(on, {"what": what, "example": 3}) == PageState()


def test_no_more_examples_are_pinned_or_ticked_than_there_is_room_for(asked: Any) -> None:
    full = PageState(pinned=tuple(range(PINS)))
    assert asked.after(full, {"what": "pin", "example": 77}) == full
    assert str(PINS) in asked.told[0]
    many = asked.after(PageState(ticked=(5000,)), {"what": "range", "example": 3, "examples": list(range(TICKS))})
    assert many.ticked == (5000, *range(TICKS - 1))
    assert str(TICKS) in asked.told[1]


def test_a_look_at_an_example_turns_to_its_page(asked: Any, run: Run) -> None:
    order = run.scores()["max_probability"].sort_values(kind="stable").index.tolist()
    found = asked.after(PageState(), {"what": "look", "example": order[60]})
    assert (found.example, found.page) == (order[60], 2)
    assert asked.after(found, {"what": "close", "example": order[60]}).example is None


def test_pictures_are_of_examples_that_are_there_and_no_more_than_become_pictures(asked: Any) -> None:
    for sent, wanted in (([5, -1, "6", 10_000, 7], [5, 7]), (range(2000), [*range(MOST_PICTURES)])):
        asked.after(PageState(), {"what": "pictures", "example": 5, "examples": [*sent]})
        assert asked.kept == {PICTURED: wanted}


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The fragments that are asked for, by a visit to a page of which all was drawn."""
    asked: list[list[str]] = []
    kept: dict[str, Any] = {}
    monkeypatch.setattr(state, "session_store", lambda: kept)
    monkeypatch.setattr(state, "st", SimpleNamespace(rerun=asked.append))
    state.finish_page()
    return asked


def test_a_fragment_that_was_cut_short_is_drawn_with_the_next(asked_for: list[list[str]]) -> None:
    state.rerun_fragments("look", "links")
    state.mark_rendered("links")
    state.rerun_fragments("points")  # before the look was drawn
    for key in ("look", "points"):
        state.mark_rendered(key)
    state.rerun_fragments("points")
    assert asked_for == [["look", "links"], ["look", "points"], ["points"]]


def test_a_page_of_which_a_drawing_was_cut_short_is_drawn_as_a_whole(asked_for: list[list[str]]) -> None:
    state.mark_dirty()  # as it begins, and as a callback changes all of it
    state.rerun_fragments("points")
    assert asked_for == []
    state.finish_page()
    state.rerun_fragments("points")
    assert asked_for == [["points"]]


def test_what_is_ticked_is_kept_flagged_pinned_and_unticked() -> None:
    def pressed(label: str) -> AppTest:
        app = opened(ticked="3,5", flagged="9", pinned="8")
        app.button(key=f"ticked-{label}").click().run()
        assert_sound(app)
        return app

    assert pressed("Filter to these").query_params["selected"] == "3,5"
    assert pressed("Flag").query_params["flagged"] == "9,3,5"
    assert pressed("Pin").query_params["pinned"] == "8,3,5"
    assert "ticked" not in pressed("Untick").query_params
    assert opened(ticked="3,5", pinned="6,7,8").button(key="ticked-Pin").disabled
