"""What a visit keeps is its own, whichever thread works for it, and is there in its next drawing."""

from types import SimpleNamespace
from typing import Any

import pytest

from mcviz.app.state import session_store


class State(dict[str, Any]):
    """As much of `st.session_state` as is used."""

    def to_dict(self) -> dict[str, Any]:
        return dict(self)


@pytest.fixture
def working_for(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let this thread work for a visit with a state, or for none."""

    def switch(visit: object, state: State) -> None:
        monkeypatch.setattr("mcviz.app.state.current_visit", lambda: visit)
        monkeypatch.setattr("mcviz.app.state.st", SimpleNamespace(session_state=state))

    return switch


@pytest.mark.parametrize("visits", [(object(), object()), (None, None), (object(), None), (None, object())])
def test_two_visits_in_one_thread_keep_nothing_of_each_other(working_for: Any, visits: tuple[object, object]) -> None:
    states = State(), State()
    for turn in range(2):
        for number, (visit, state) in enumerate(zip(visits, states, strict=True)):
            working_for(visit, state)
            kept = session_store()
            assert kept == ({} if turn == 0 else {"number": number})
            kept["number"] = number
            assert session_store() is kept


def test_another_drawing_finds_what_was_kept(working_for: Any) -> None:
    state = State()
    working_for(object(), state)
    session_store()["page"] = 3
    working_for(object(), state)
    assert session_store() == {"page": 3}
