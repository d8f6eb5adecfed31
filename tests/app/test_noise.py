"""Noise many times: what is kept beside a run is shown without a model; for any run it is computed on request."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz import Run
from mcviz.app.kinds import kind_renderer
from mcviz.app.out_of_distribution import FITTED_SCORE
from mcviz.app.state import PageState
from mcviz.app.sweep import DEFAULT_INPUTS, Sweep, find_sweep
from mcviz.measures.intervals import proportion
from tests.app.keeping import kept_of
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import button, class_means, paragraphs, words
from tests.browsing import ROOT
from tests.cases import one_in
from tests.sampling.ood_runs import row_run, text_run


def kept_noise(run: Run) -> Sweep:
    """What is kept of the noise with which Probe opens."""
    sweep = find_sweep(run, kind_renderer(run).inputs["noise"].sweep(run, PageState()))
    assert sweep is not None
    return sweep


@pytest.fixture
def without_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever asks a model fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("a model was loaded")

    for module in ("resources", "out_of_distribution", "sweep"):
        monkeypatch.setattr(f"mcviz.app.{module}.sampler", refuse)


@pytest.mark.parametrize("name", ["mnist-cnn", "fashion-cnn"])
@pytest.mark.usefixtures("without_model")
def test_the_shipped_runs_come_with_findings_that_are_the_first_of_the_page_and_of_overview(name: str) -> None:
    run = mcviz.open_run(ROOT / "cache" / name)
    app = opened_page("probe", {"run": name})
    shown = paragraphs(app)[0]
    sweep = kept_noise(run)
    stopped, counts = int(sweep.is_ood.sum()), np.bincount(sweep.scores["prediction"])
    share = proportion(stopped, DEFAULT_INPUTS)
    interval = f"(95% interval {100 * share.low:.0f}% to {100 * share.high:.0f}%)"
    assert shown.startswith(f"{stopped} of 100 noise images are stopped as out of distribution {interval}.")
    assert f"{counts.max()} of 100 noise images are predicted as {run.class_names[counts.argmax()]}" in shown
    assert shown.endswith(f" {FITTED_SCORE}")
    assert not app.table
    assert not [each for each in app.button if each.label == "Stop predicting"], "nothing is predicted"
    overview = opened_page("overview", {"run": name})
    assert shown in words(overview)


@pytest.mark.usefixtures("without_model")
def test_the_shipped_segmentation_comes_with_findings_too() -> None:
    name = "digits-segmentation"
    run = mcviz.open_run(ROOT / "cache" / name)
    scores = kept_noise(run).scores
    drawn = sum(np.sum([scores[f"area_{number}"] for number in range(1, 11)], axis=0) > 0)
    sentence = f"In {drawn} of 100 noise images something is drawn."
    for page in ("probe", "overview"):
        assert sentence in words(opened_page(page, {"run": name}))


@pytest.mark.slow
def test_what_ships_is_what_the_model_says_of_the_same_noise(run: Run) -> None:
    sweep = kept_noise(run)
    noise = np.concatenate([mcviz.uniform_noise(1, (28, 28, 1), seed=seed) for seed in range(20)])
    mean = mcviz.sample(mcviz.load_model(run.model_path), noise, passes=500).mean(axis=0, dtype=np.float64)
    np.testing.assert_array_equal(sweep.scores["prediction"][:20], mean.argmax(axis=1))
    np.testing.assert_allclose(sweep.scores["max_probability"][:20], mean.max(axis=1), atol=1e-5)


@pytest.mark.slow
def test_an_input_is_looked_at_by_its_seed_which_is_its_number(run: Run) -> None:
    app = opened_page("probe", {"run": "mnist-cnn", "seed": "7"}, predicting=True)
    assert "Uniform noise at 100% strength, seed 7" in words(app)
    sweep = kept_noise(run)
    means = list(class_means(app).values())
    assert int(np.argmax(means)) == sweep.scores["prediction"][7]
    assert max(means) == pytest.approx(sweep.scores["max_probability"][7], abs=1e-5)
    app.button(key="look-at-all").click().run()
    assert "seed" not in app.query_params
    assert "What is predicted for 100 noise images" in words(app)


def test_a_link_that_names_other_noise_shows_one_of_it_as_long_as_many_are_not_known(
    colour_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(colour_cache))
    app = opened_page("probe", {"noise": "smooth"}, predicting=True)
    assert "Smooth noise at 100% strength, seed 0" in words(app)
    assert class_means(app)


@pytest.mark.parametrize(
    ("make", "kind", "file"),
    one_in(2, [(row_run, "shuffled rows", "noise-shuffled-1"), (text_run, "noise texts", "noise-words-1")]),
)
def test_of_another_run_it_is_computed_when_asked_for_and_kept(
    make, kind: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path / "cache" / "run")
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "cache"))
    app = opened_page("probe", {})
    assert f"What does the model make of {kind}, and does it notice?" in paragraphs(app)[0]
    assert not app.table, "nothing waits for it, and nothing starts by itself"
    button(app, f"Predict {kind}").click().run()
    assert_sound(app)
    said = paragraphs(app)[0]
    assert f"of 100 {kind}" in said
    assert (Path(run.path) / "derived" / f"{file}.npz").exists()
    monkeypatch.setattr("mcviz.app.sweep.sampler", None)
    assert paragraphs(opened_page("probe", {}))[0] == said
    assert said in words(opened_page("overview", {}))


def test_overview_computes_it_with_one_click(
    colour_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(shutil.copytree(colour_cache, tmp_path / "cache")))
    app: AppTest = opened_page("overview", {})
    button(app, "Predict 100 noise images").click().run()
    assert_sound(app)
    assert "of 100 noise images" in words(app)
    assert not [each for each in app.button if each.label in ("Stop", "Predict 100 noise images")]


def test_findings_of_another_version_are_passed_over(
    colour_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(colour_cache, tmp_path / "cache"))
    monkeypatch.setenv("MCVIZ_CACHE", str(folder))
    damaged = folder / "colour" / "derived" / "noise-uniform-1.npz"
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_bytes(b"no archive")
    app = opened_page("probe", {})
    assert "They are not predicted yet." in paragraphs(app)[0]
    assert "sweep" not in kept_of(app)
