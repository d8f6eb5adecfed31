"""Labels that are probably wrong are listed first by a preset, and every word about such a ranking is true of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.analysis.labelling import label_errors_sentence, label_issues
from mcviz.app.selection import select
from mcviz.app.state import CONFIDENT_FIRST, PageState
from mcviz.app.wording import ranking_end_labels
from mcviz.measures import REGRESSION_SCORES, SCORES
from tests.app.opening import opened_page
from tests.app.probing import widget, words
from tests.cases import one_in

EXAMPLES = 60
LOOKING_AT_LABELS = [name for name, score in SCORES.items() if score.needs_labels]
Open = Callable[..., AppTest]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs with and without labels; the labels of examples 3 and 5 differ from what all passes are confident of."""
    folder, rng = tmp_path_factory.mktemp("labels"), np.random.default_rng(0)
    labels = rng.integers(0, 3, EXAMPLES)
    logits = rng.normal(size=(10, EXAMPLES, 3))
    logits[:, np.arange(EXAMPLES), labels] += rng.uniform(1, 9, EXAMPLES)
    for example in (3, 5):
        logits[:, example, labels[example]] += 12
    given = labels.copy()
    given[[3, 5]] = (labels[[3, 5]] + 1) % 3
    mcviz.write_run(
        folder / "labelled",
        logits,
        labels=given,
        data=rng.random((EXAMPLES, 4, 4)),
        from_logits=True,
        class_names=["cat", "*dog*", "owl"],
    )
    mcviz.write_run(folder / "unlabelled", logits, from_logits=True)
    values = rng.normal(size=(5, 40, 1))
    mcviz.write_run(folder / "values", values, labels=rng.normal(size=40), task="regression")
    return folder


@pytest.fixture
def open_page(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))

    def opened(name: str, **query: str) -> AppTest:
        app = opened_page(name, query)
        assert not app.error
        return app

    return opened


PRESET = "Probable label errors"


def ranking(app: AppTest) -> Any:
    """The choice of what ranks."""
    return widget(app.selectbox, "ranking")


def ranked_by(app: AppTest) -> str:
    """What ranks, as it is called."""
    return ranking(app).options[ranking(app).index]


@pytest.mark.parametrize("before", [{}, {"order": "confident_first", "score": "margin", "label": "1"}])
def test_the_preset_lists_what_the_command_lists_and_says_so(cache: Path, open_page: Open, before: dict) -> None:
    app = open_page("uncertain", run="labelled", **before)
    assert ranked_by(app) != PRESET
    ranking(app).set_value(("self_confidence", "uncertain_first")).run()
    query, run = {key: app.query_params[key] for key in app.query_params}, mcviz.open_run(cache / "labelled")
    assert query.get("label") == before.get("label"), "the filters stay"
    listed = select(run, PageState.from_query(query)).examples
    expected = label_issues(run, EXAMPLES)
    if "label" in before:
        expected = expected[expected["label"] == int(before["label"])]
    assert listed.tolist() == expected["example"].tolist()
    assert ranked_by(app) == PRESET
    assert label_errors_sentence(mcviz.count_label_errors(run)) in words(app)
    assert "Was the model trained on these labels?" in words(app)


def test_where_no_label_can_be_doubted_there_is_no_preset(open_page: Open) -> None:
    assert PRESET not in ranking(open_page("uncertain", run="unlabelled")).options


def test_of_numbers_the_preset_lists_what_the_command_lists(cache: Path, open_page: Open) -> None:
    app, run = open_page("uncertain", run="values"), mcviz.open_run(cache / "values")
    ranking(app).set_value(("crps", "uncertain_first")).run()
    assert ranked_by(app) == PRESET
    assert app.query_params["score"] == "crps"
    listed = select(run, PageState(score="crps")).examples
    assert listed.tolist() == label_issues(run, EXAMPLES)["example"].tolist()
    assert "labels are wrong is not estimated" in words(app)


def test_no_other_ranking_is_said_to_be_of_label_errors(open_page: Open) -> None:
    for query in ({"score": "self_confidence", "order": "confident_first"}, {"score": "normalized_margin"}):
        assert ranked_by(open_page("uncertain", run="labelled", **query)) != PRESET


@pytest.mark.parametrize("example", one_in(4, range(8)))
def test_an_example_that_confidently_differs_from_its_label_has_that_as_its_reason(
    open_page: Open, example: int
) -> None:
    said = words(open_page("example", run="labelled", example=str(example)))
    assert ("check the label" in said) == (example in (3, 5))
    assert not (example in (3, 5) and "No sign of uncertainty" in said)


def test_an_example_without_a_label_has_none_to_check(open_page: Open) -> None:
    said = words(open_page("example", run="unlabelled", example="3"))
    assert "check the label" not in said
    assert "No sign of uncertainty" in said


@pytest.mark.parametrize("score", [*SCORES.values(), *REGRESSION_SCORES.values()], ids=lambda score: score.name)
def test_a_score_that_looks_at_labels_ranks_by_their_fit_and_any_other_by_uncertainty(score) -> None:
    said = " ".join(ranking_end_labels(score))
    assert ("label" in said) == ("labels" in score.needs)
    assert ("uncertain" in said) == ("labels" not in score.needs)


@pytest.mark.parametrize("view", ["classes", "map"])
@pytest.mark.parametrize("name", [*LOOKING_AT_LABELS, "margin"])
def test_the_words_of_a_list_are_those_of_its_score(open_page: Open, name: str, view: str) -> None:
    app = open_page("uncertain", run="labelled", score=name, view=view)
    said = words(app)
    assert ("most uncertain" in said, "worst fitting the label" in said) == (name == "margin", name != "margin")


@pytest.mark.parametrize("name", [*LOOKING_AT_LABELS, "margin"])
def test_one_example_names_the_end_that_it_begins_at(cache: Path, open_page: Open, name: str) -> None:
    assert f"{ranking_end_labels(SCORES[name])[1]} first" in words(
        open_page("example", run="labelled", score=name, order=CONFIDENT_FIRST)
    )
