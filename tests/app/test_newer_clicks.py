"""What somebody clicked counts also where something newer was clicked before the page was drawn.

Streamlit then ends the callback of the first click at its next use of `st.session_state` or of the address.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.scriptrunner import RerunData, StopException, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import RunLocation, ThreadState
from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.app import out_of_distribution
from mcviz.app.new_run import AGAIN
from mcviz.app.out_of_distribution import Fit
from mcviz.app.state import PENDING_FRAGMENTS, address
from mcviz.app.sweep import NOISE_LOOK
from mcviz.errors import InvalidInputError
from mcviz.figures import png
from mcviz.jobs import Jobs
from mcviz.measures import most_uncertain_first
from mcviz.reviews import open_reviews
from tests.app.keeping import kept_of
from tests.app.kinds import passes
from tests.app.opening import opened_page
from tests.app.probing import button, widget, words
from tests.cases import one_in

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "cache" / "mnist-cnn"


def in_a_callback() -> bool:
    try:
        return ThreadState.get().run_location is RunLocation.CALLBACK
    except RuntimeError:  # before the first drawing
        return False


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Something newer waits while this is not empty."""
    waiting: list[bool] = []
    construct = SafeSessionState.__init__

    def constructed(self: SafeSessionState, state: Any, yield_callback: Any) -> None:
        def yielding() -> None:
            if waiting and in_a_callback():
                raise StopException
            yield_callback()

        construct(self, state, yielding)

    monkeypatch.setattr(SafeSessionState, "__init__", constructed)
    return waiting


def opened(page: str, **query: str) -> AppTest:
    return opened_page(page, {"run": "mnist-cnn", **query})


def cut_short(app: AppTest, newer: list[bool]) -> AppTest:
    """The app after the click that came next, which is a rerun with the address that the browser had before."""
    before = dict(app.query_params)
    newer.append(True)
    app.run()
    newer.clear()
    app.query_params.clear()
    app.query_params.update(before)
    return app.run()


def ranked() -> list[int]:
    values = mcviz.open_run(SHIPPED).scores()["max_probability"].to_numpy()
    return [int(example) for example in most_uncertain_first("max_probability", values)]


def test_a_step_to_the_next_example_is_made(newer: list[bool]) -> None:
    app = opened("example")
    button(app, "Next").click()
    app = cut_short(app, newer)
    assert "Rank **2** of 10,000" in words(app)
    assert app.query_params["example"] == str(ranked()[1])
    button(app, "Next").click()
    assert "Rank **3** of 10,000" in words(cut_short(app, newer))


# Of two clicks in one run of AppTest, the second is one that came before what the first does was drawn.
@pytest.mark.parametrize(("mark", "kept"), one_in(2, [("flag", "flagged"), ("pin", "pinned")]))
def test_a_mark_is_put_on_the_example_that_was_opened_last_and_others_keep_theirs(mark: str, kept: str) -> None:
    first, second, *_ = ranked()
    app = opened("example")
    app.button(key=mark).click().run()
    app.button(key="step-forward").click()
    app.button(key=mark).click().run()
    assert app.query_params["example"] == str(second)
    assert app.query_params[kept] == f"{first},{second}"


def test_two_examples_that_are_unpinned_stay_so() -> None:
    app = opened("side_by_side", pinned="3,1,2")
    app.button(key="unpin-3").click()
    app.button(key="unpin-1").click().run()
    assert app.query_params["pinned"] == "2"


def test_a_step_back_in_the_story_undoes_the_step_before_it() -> None:
    app = opened("story", step="2")
    app.button(key="story-back").click()
    app.button(key="story-next").click().run()
    assert app.query_params["step"] == "2"


def test_what_was_ticked_last_is_flagged_too() -> None:
    app = opened("uncertain", ticked=str(ranked()[-1]))
    app.button(key="tick-page").click()
    app.button(key="ticked-Flag").click().run()
    assert app.query_params["flagged"] == app.query_params["ticked"]
    assert len(app.query_params["ticked"].split(",")) > 10


def test_a_filter_that_was_taken_off_stays_off(newer: list[bool]) -> None:
    app = opened("uncertain", label="4", correct="wrong")
    button(app, "label 4").click()
    app = cut_short(app, newer)
    assert "label" not in app.query_params
    assert app.query_params["correct"] == "wrong"


def test_a_click_that_is_followed_by_a_look_at_a_point_is_drawn(newer: list[bool]) -> None:
    app = opened("uncertain", view="scatter", correct="wrong")
    button(app, "wrong").click()
    newer.append(True)
    app.run()
    newer.clear()
    assert kept_of(app)[PENDING_FRAGMENTS] is None  # so that the point's picture alone is not drawn instead
    app.run()
    assert "10,000 examples, ranked" in words(app)
    assert kept_of(app)[PENDING_FRAGMENTS] == {}


def test_a_chosen_score_is_kept(newer: list[bool]) -> None:
    app = opened("example")
    widget(app.selectbox, "score").set_value("mutual_information")
    app = cut_short(app, newer)
    assert "by mutual information" in words(app)
    assert app.query_params["score"] == "mutual_information"


def test_a_decision_is_kept_once(newer: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 24)
    mcviz.write_run(tmp_path / "some", passes(rng, 24, 3, labels), labels=labels, class_names=["cat", "dog", "owl"])
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = opened_page("review", {"run": "some"}, reviewer="Ada")
    next(each for each in app.button if "dog" in each.label).click()
    cut_short(app, newer)
    run = mcviz.open_run(tmp_path / "some")
    assert [row.class_name for row in open_reviews(run).rows()] == ["dog"]


def test_a_run_that_was_renamed_stays_open(newer: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "some"):
        mcviz.write_run(tmp_path / name, passes(rng, 24, 3, None))
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = opened_page("runs", {"run": "some"})
    app.text_input(key="new-name-some").set_value("best")
    next(each for each in app.button if each.label == "Rename").click()
    assert "**best** is finished" in words(cut_short(app, newer))
    assert app.query_params["run"] == "best"


@pytest.mark.usefixtures("jobs_end_at_once")
def test_a_menu_that_started_a_job_is_closed(
    newer: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "tests" / "frozen" / "cache" / "classification", tmp_path / "some")
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = opened_page("runs", {"run": "some"})
    app.session_state[AGAIN] = True
    app.run().button(key="again-start").click()
    assert not cut_short(app, newer).session_state[AGAIN]
    assert len(Jobs(tmp_path).found()) == 1


def test_a_field_whose_words_were_understood_is_empty_again(newer: list[bool]) -> None:
    app = opened("uncertain")
    app.text_input(key="find").set_value("4 as 9")
    app = cut_short(app, newer)
    assert (app.query_params["label"], app.query_params["prediction"]) == ("4", "9")
    assert app.text_input(key="find").value == ""


def test_a_picture_that_was_to_be_inverted_is(newer: list[bool]) -> None:
    app = opened_page("probe", {"run": "mnist-cnn", "input": "upload"}, predicting=False)
    app.file_uploader(key="picture-file").upload("paper.png", png(np.full((40, 30, 3), 230, np.uint8)), "image/png")
    button(app.run(), "Invert the picture").click()
    assert cut_short(app, newer).toggle(key="upload-inverted").value


@pytest.mark.parametrize("by_itself", one_in(2, [False, True]))
def test_a_click_in_a_fragment_does_not_wait_for_the_detector(
    by_itself: bool, colour_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But what a page asks for by itself, after a while, does."""
    monkeypatch.setenv("MCVIZ_CACHE", str(colour_cache))
    app = opened_page("probe", {"seed": "35"}, predicting=True)
    another, fit = button(app, "Another noise image"), Fit()
    shown: list[str] = []

    def pass_time(*_: object) -> None:
        visit = get_script_run_ctx()
        assert visit is not None
        assert visit.script_requests is not None
        shown.append(address()["seed"])
        if len(shown) == 2:
            fit.detector.set_exception(InvalidInputError("too few"))
            return
        (fragment,) = visit.fragment_storage.resolve_target([NOISE_LOOK])
        clicked = WidgetStates(widgets=[WidgetState(id=another.id, trigger_value=True)])
        asked = RerunData("seed=35", clicked, fragment_id=fragment, is_auto_rerun=by_itself)
        visit.script_requests.request_rerun(asked)

    monkeypatch.setattr(out_of_distribution, "_fit", lambda *_: fit)
    monkeypatch.setattr(out_of_distribution, "wait", pass_time)
    app.run()
    assert shown == ["35", "35" if by_itself else "36"]
    assert app.query_params["seed"] == "36"
    assert "Uniform noise at 100% strength, seed 36" in words(app)
    assert "too few" in words(app)
