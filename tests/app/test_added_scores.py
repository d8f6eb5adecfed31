"""A score of one's own on the pages: ranked by, replaced while a page is open, and made of a column."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.app.resources import ranking, run_scores, table
from mcviz.app.wording import as_markdown
from mcviz.measures import register
from mcviz.runs import Run
from mcviz.runs.derived import FILE
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import OpenProbe, button, widget, words
from tests.app.probing import table as shown_table

N = 30
ENERGY = np.random.default_rng(0).permutation(N) + 0.5
COLUMN = "loss *of* <mine>"
ROWS = pd.DataFrame(
    {
        "id": [f"number {example}" for example in range(N)],
        "text": [f"a text {example}" for example in range(N)],
        COLUMN: ENERGY[::-1],
        "gaps": [np.nan, *ENERGY[1:]],
        "infinite": [np.inf, *ENERGY[1:]],
        "site": ["a", "b"] * (N // 2),
    }
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    probs = np.random.default_rng(1).dirichlet(np.ones(3), (6, N))
    return mcviz.write_run(tmp_path / "run", probs, data=ROWS, labels=np.arange(N) % 3)


@pytest.fixture
def less_confident() -> Iterator[str]:
    """The label of a score of the deterministic probabilities, which is registered for a test."""

    @register("Less confident", "probability", "high", "Dropout takes confidence away.")
    def less_confident(probs: np.ndarray, deterministic_probs: np.ndarray) -> np.ndarray:
        return deterministic_probs.max(axis=-1) - probs.mean(axis=0).max(axis=-1)

    yield "Less confident"
    del mcviz.SCORES["less_confident"]
    st.cache_data.clear()
    st.cache_resource.clear()


def test_a_score_of_deterministic_probabilities_ranks_on_explore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, less_confident: str
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    probs = np.random.default_rng(1).dirichlet(np.ones(3), (6, N))
    run = mcviz.write_run(tmp_path / "run", probs, labels=np.arange(N) % 3, deterministic=probs[0])
    page = opened_page("uncertain", {"score": "less_confident"})
    assert widget(page.selectbox, "ranking").value == ("less_confident", "uncertain_first")
    expected = probs[0].max(axis=1) - probs.mean(axis=0).max(axis=1)
    assert ranking(run, "less_confident")[0] == expected.argmax()


@pytest.mark.slow
def test_a_score_of_deterministic_probabilities_is_left_out_of_new_inputs(
    open_probe: OpenProbe, less_confident: str, colour_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(colour_cache))
    app = open_probe(sweep="20", score="less_confident")
    button(app, "Predict").click().run()
    assert_sound(app)
    assert f"{less_confident} takes the prediction with dropout off, and these inputs have none" in words(app)


def test_a_score_that_is_replaced_while_a_page_is_open_is_shown_as_it_is_now(run: Run) -> None:
    meaning = "*Low* <b>is good</b>."
    run.add_score("energy", ENERGY, meaning=meaning)
    page = opened_page("uncertain", {"score": "energy", "range": "energy:5:"})
    assert as_markdown(meaning) in words(page)
    assert meaning not in words(page)
    assert "**25** of 30 examples" in words(page)
    assert table(run)["energy"].tolist() == ENERGY.tolist()
    assert ranking(run, "energy")[0] == ENERGY.argmax()
    mcviz.open_run(run.path).add_score("energy", ENERGY + 3, high_is_uncertain=False, meaning="Turned.")
    page.run()
    assert_sound(page)
    assert "Turned." in words(page)
    assert "**28** of 30 examples" in words(page)
    assert table(run)["energy"].tolist() == (ENERGY + 3).tolist()
    assert ranking(run, "energy")[0] == ENERGY.argmin()


def test_a_score_is_among_those_that_find_the_mistakes(run: Run) -> None:
    run.add_score("energy", ~run.scores()["correct"].to_numpy(bool))
    page = opened_page("trust", {"score": "energy", "details": "scores"})
    assert shown_table(page, "AUGRC, ‰").index[0] == "Energy"


def ends(page: AppTest) -> list[str]:
    """The columns of the user's own that can rank, each with the end that is uncertain."""
    return [option for option in widget(page.selectbox, "ranking").options if ", a column" in option]


@pytest.mark.parametrize("end", ["high", pytest.param("low", marks=pytest.mark.slow)])
def test_a_column_becomes_a_score_by_the_end_that_is_uncertain(run: Run, end: str) -> None:
    page = opened_page("uncertain", {})
    assert ends(page) == [f"{COLUMN}, a column: {uncertain} is uncertain" for uncertain in ("high", "low")]
    widget(page.selectbox, "ranking").set_value((COLUMN, end)).run()
    assert_sound(page)
    assert page.query_params["score"] == "column_loss_of_mine"
    assert run.scores()["column_loss_of_mine"].tolist() == ENERGY[::-1].tolist()
    assert run_scores(run)["column_loss_of_mine"].uncertain_when == end
    assert not ends(page)


def test_who_may_only_look_makes_no_score(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_READ_ONLY", "1")
    assert not ends(opened_page("uncertain", {}))


@pytest.mark.filterwarnings("ignore:.*cannot be used")
def test_a_damaged_file_is_named_on_a_page_that_shows_the_run(run: Run) -> None:
    (Path(run.path) / FILE).write_bytes(b"no scores")
    page = opened_page("uncertain", {"score": "energy"})
    assert any(FILE in each.value and "Remove that file" in each.value for each in page.warning)
    assert "30 examples" in words(page)
