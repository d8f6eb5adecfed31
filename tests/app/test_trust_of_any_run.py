"""The page Trust says what is true of runs at every edge: few examples, one class, no mistake, nothing but mistakes."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from tests.app.kinds import passes
from tests.app.opening import opened_page
from tests.app.probing import calibration_figures, paragraphs, words
from tests.cases import one_in

Made = tuple[np.ndarray, dict]


def _leaning(count: int, classes: int, strength: float = 3.0) -> Made:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, count)
    probs = passes(rng, count, classes, labels)
    return probs, {"labels": labels, "deterministic": probs.mean(axis=0)}


def _two_examples() -> Made:
    return _leaning(2, 3)


def _one_class() -> Made:
    rng = np.random.default_rng(0)
    labels = np.ones(60, int)
    return passes(rng, 60, 3, labels), {"labels": labels}


def _always(right: bool) -> Made:
    probs, _ = _leaning(80, 4)
    predicted = probs.mean(axis=0).argmax(axis=1)
    return probs, {"labels": predicted if right else (predicted + 1) % 4, "deterministic": probs.mean(axis=0)}


def _thousand_classes() -> Made:
    return _leaning(300, 1000)


def _without_deterministic() -> Made:
    probs, given = _leaning(100, 3)
    return probs, {"labels": given["labels"], "source": "the trees of a *forest*"}


def _two_passes() -> Made:
    probs, given = _leaning(100, 3)
    return probs[:2], given


def _certain() -> Made:
    """Probabilities of exactly 0 and 1, as of trees that were grown to the end; half of them wrong."""
    probs = np.eye(2)[np.tile([0, 1, 1, 0], 15)][None].repeat(5, axis=0)
    probs[0, 0] = probs[0, 0, ::-1]  # passes that are all the same are no passes
    return probs, {"labels": np.arange(60) % 2}


def _many_groups() -> Made:
    probs, given = _leaning(120, 3)
    columns = pd.DataFrame({"*source*": np.arange(120) % 5, "patient": np.arange(120)})
    return probs, {**given, "columns": columns}


RUNS: dict[str, Callable[[], Made]] = {
    "two-examples": _two_examples,
    "one-class": _one_class,
    "all-right": lambda: _always(True),
    "all-wrong": lambda: _always(False),
    "thousand-classes": _thousand_classes,
    "without-deterministic": _without_deterministic,
    "two-passes": _two_passes,
    "certain": _certain,
    "many-groups": _many_groups,
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edges")
    for name, make in RUNS.items():
        probs, given = make()
        mcviz.write_run(folder / name, probs.astype(np.float32), **given)
    return folder


def opened(cache: Path, run: str, **query: str) -> AppTest:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCVIZ_CACHE", str(cache))
        return opened_page("trust", {"run": run, "details": "figures,groups,scores,sets", **query})


@pytest.fixture(params=one_in(3, RUNS), scope="module")
def shown(request: pytest.FixtureRequest, cache: Path) -> tuple[mcviz.Run, AppTest]:
    """Each of the runs, and its page."""
    return mcviz.open_run(cache / request.param), opened(cache, request.param)


def all_said(app: AppTest) -> str:
    figures = (each.value for each in app.metric)
    spoken = (each.proto.alt for each in app.get("plotly_chart"))
    return "\n".join([words(app), *figures, *spoken, *(each.value.to_string() for each in app.table)])


@pytest.mark.parametrize(
    ("referral", "name"),
    one_in(40, [(referral, name) for referral in ("budget", "accuracy", "miss", "cheapest") for name in RUNS]),
)
def test_every_run_is_shown_and_its_figures_are_numbers(cache: Path, name: str, referral: str) -> None:
    app, run = opened(cache, name, referral=referral), mcviz.open_run(cache / name)
    assert not re.search(r"\bnan\b|\binf\b|\bNone\b", all_said(app))
    figures = {each.label: each.value for each in app.metric}
    wrong = int((~run.scores()["correct"].to_numpy(bool)).sum())
    assert int(figures["Mistakes caught"]) + int(figures["Mistakes missed"]) == wrong
    assert 0 <= int(figures["To a person"]) <= len(run)
    said = words(app)
    assert ("Every prediction is correct." in said) == (wrong == 0)
    assert ("Every mistake goes to a person." in said) == (wrong > 0 and figures["Mistakes missed"] == "0")


def test_ways_to_predict_are_those_of_the_run(shown: tuple[mcviz.Run, AppTest]) -> None:
    run, app = shown
    said = all_said(app)
    assert ("ensemble − deterministic" in said) == (run.deterministic_probs is not None)
    mistakes = not run.scores()["correct"].all()
    assert ("Deterministic confidence" in said) == (run.deterministic_probs is not None and mistakes)
    assert ("that of the deterministic model" in said) == (run.deterministic_probs is not None)
    verdict = paragraphs(app)[0]
    gap = run.mean_probs.max(axis=1).mean() - run.scores()["correct"].mean()
    assert "over-confident by" not in verdict or gap > 0
    assert "under-confident by" not in verdict or gap < 0
    plain_words = {
        "No, the probabilities are too high: ": "over-confident by",
        "No, the probabilities are too low: ": "under-confident by",
        "No, the probabilities are too high in places": "over-confident in places",
        "Yes, ": "No miscalibration of the ensemble is found",
        "Too few ": "There are too few ",
    }
    (answer,) = (answer for answer, figures in plain_words.items() if figures in verdict)
    assert verdict.startswith(f"**{answer}")


def test_what_a_certain_and_half_wrong_model_is_worth_is_said(cache: Path) -> None:
    assert "over-confident by" in paragraphs(opened(cache, "certain"))[0]
    assert "under-confident by" in paragraphs(opened(cache, "all-right"))[0]
    assert "over-confident by" in paragraphs(opened(cache, "all-wrong"))[0]


def test_two_examples_are_no_verdict_and_their_nll_and_differences_have_intervals(cache: Path) -> None:
    app = opened(cache, "two-examples")
    assert paragraphs(app)[0].startswith("**Too few ")
    figures = calibration_figures(app)
    has_interval = figures[["NLL, nats", "Brier score"]].apply(lambda column: column.str.contains(" to "))
    assert has_interval.to_numpy().all()
