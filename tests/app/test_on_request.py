"""Work that takes long: it starts when asked for, can be stopped, goes on after a click, and fails in words."""

import pytest
from streamlit.testing.v1 import AppTest

from mcviz.app.work import UNFORESEEN
from tests.app.probing import button


def page() -> None:
    from functools import partial

    import streamlit as st

    from mcviz.app.work import compute_on_request, request
    from mcviz.errors import CorruptRunError

    def compute() -> None:
        match st.session_state["outcome"]:
            case "interrupted":
                st.stop()
            case "failed":
                raise CorruptRunError("The run is damaged.")
            case "unforeseen":
                st.session_state["computed"] += 1
                raise MemoryError
        st.session_state["computed"] += 1

    for subject in ("one", "other"):
        compute_on_request("testing", subject, compute, "Tests")
        st.button(f"Compute {subject}", on_click=partial(request, "testing", subject))
    st.caption(f"computed {st.session_state['computed']} times")


def opened(outcome: str) -> AppTest:
    app = AppTest.from_function(page)
    app.session_state["outcome"], app.session_state["computed"] = outcome, 0
    return app.run()


def labels(app: AppTest) -> list[str]:
    return [each.label for each in app.button]


def test_work_is_done_once_when_asked_for_and_the_page_is_drawn_again() -> None:
    app = opened("done")
    assert app.caption[0].value == "computed 0 times"
    button(app, "Compute other").click().run()
    assert app.caption[0].value == "computed 1 times"
    assert labels(app.run()) == ["Compute one", "Compute other"]
    assert app.caption[0].value == "computed 1 times"


def test_interrupted_work_goes_on_until_it_is_stopped() -> None:
    app = opened("interrupted")
    button(app, "Compute one").click().run()
    assert labels(app) == ["Stop"]
    assert labels(app.run()) == ["Stop"]
    app.session_state["outcome"] = "done"
    button(app, "Stop").click().run()
    assert app.caption[0].value == "computed 0 times"
    app.session_state["outcome"] = "interrupted"
    button(app, "Compute one").click().run()
    app.session_state["outcome"] = "done"
    assert app.run().caption[0].value == "computed 1 times"


def test_an_error_that_nobody_foresaw_ends_the_work_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr("mcviz.app.work.log.error", lambda words, *given: logged.append(words % given))
    app = opened("unforeseen")
    button(app, "Compute one").click().run()
    assert [each.value for each in app.error] == [UNFORESEEN]
    assert labels(app) == ["Compute one", "Compute other"]
    assert app.run().caption[0].value == "computed 1 times"
    assert len(logged) == 1
    assert logged[0].endswith("MemoryError")


def test_an_error_is_a_sentence_and_the_page_goes_on() -> None:
    app = opened("failed")
    button(app, "Compute one").click().run()
    assert [each.value for each in app.error] == ["The run is damaged."]
    assert labels(app) == ["Compute one", "Compute other"]
    app.session_state["outcome"] = "done"
    assert app.run().caption[0].value == "computed 0 times"
    assert labels(app) == ["Compute one", "Compute other"]
