"""The verdict on one input: by the fitted detector, and by the entropy alone where there is none."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mcviz
from mcviz import Run
from mcviz.app import out_of_distribution, work
from mcviz.app.out_of_distribution import (
    STILL_FITTING,
    Fit,
    FittedDetector,
    ScoreDetector,
    _fit,
    detector_for,
    less_usual_examples,
)
from mcviz.errors import InvalidInputError
from mcviz.measures import SCORES
from mcviz.runs.storage import SHIPPED_RUNS
from mcviz.sampling import ood
from tests.app.opening import assert_sound
from tests.app.probing import OpenProbe, button, table, verdict_figures, widget, words
from tests.factories import make_doubtful_run
from tests.runs.making import make


@pytest.fixture
def run(trained: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run that is open."""
    monkeypatch.setenv("MCVIZ_CACHE", str(Path(trained.path).parent))
    return trained


@pytest.mark.usefixtures("run")
def test_an_unchanged_example_is_in_distribution_and_noise_is_not(open_probe: OpenProbe) -> None:
    assert "This looks like this run's examples" in open_probe(input="distortion", example="11").success[0].value
    assert "Out of distribution: treat the answer as a guess" in open_probe(seed="0").warning[0].value


@pytest.mark.usefixtures("run")
def test_the_first_verdict_is_the_detector_s_and_no_other_follows(open_probe: OpenProbe) -> None:
    app = open_probe(seed="0")
    assert "1 of 100 examples of this run look" in app.warning[0].value
    assert "Examples with activations as unusual for their prediction" in verdict_figures(app)
    assert "By expected entropy alone" not in words(app)


@pytest.mark.slow
def test_hardly_an_example_of_the_shipped_run_is_less_usual_than_noise(open_probe: OpenProbe) -> None:
    app = open_probe(run="mnist-cnn", seed="0")
    assert "Fewer than 1 of 100 examples of this run look less usual." in app.warning[0].value
    assert verdict_figures(app)["Examples with activations as unusual for their prediction"] == "none"


def test_the_limit_keeps_95_percent_of_the_examples(tmp_path: Path) -> None:
    run = make_doubtful_run(tmp_path / "run", 1000, seed=0)
    is_ood = ScoreDetector(run, STILL_FITTING).is_ood(np.empty(0), run.probs_block(0, None))
    assert abs(is_ood.sum() - 50) <= 1


def test_the_detector_takes_over_when_it_is_fitted(
    open_probe: OpenProbe, colour_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(colour_cache))
    app = open_probe(seed="0")
    run = mcviz.open_run(colour_cache / "colour")
    _fit(run).detector.result(60)
    assert isinstance(detector_for(run), FittedDetector)
    widget(app.slider, "strength").set_value(0.0).run()
    assert_sound(app)
    assert "Examples with activations as unusual for their prediction" in verdict_figures(app)
    assert "By expected entropy alone" not in words(app)


ENDING = """
import atexit
import sys
import mcviz
from mcviz.app.out_of_distribution import _fit
run = mcviz.open_run(sys.argv[1])
detector = _fit(run).detector
atexit.register(lambda: print("fitted" if detector.done() else "fitting"))
"""


@pytest.mark.slow
def test_a_server_that_ends_while_it_fits_waits_for_it(colour_cache: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDING, colour_cache / "colour"], capture_output=True, text=True, timeout=300, check=True
    )
    assert ended.stdout.split()[-1:] == ["fitted"], "a process that ends amid a matrix product can hang"


def test_too_few_images_to_fit_to_leave_the_entropy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(sampler: object, run: Run) -> None:
        raise InvalidInputError("too few")

    monkeypatch.setattr(ood, "fit_ood_detector", refuse)
    monkeypatch.setattr("mcviz.app.out_of_distribution.sampler", lambda _: None)
    run = make(tmp_path / "few")
    assert isinstance(_fit(run).detector.exception(out_of_distribution.PATIENCE), InvalidInputError)
    detector = detector_for(run)
    assert isinstance(detector, ScoreDetector)
    assert detector.reason == "The OOD detector could not be fitted to this run. too few"


def test_a_fit_that_fails_is_told_and_tried_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[object] = [OSError(5, "Input/output error", "/secret/model.keras"), InvalidInputError("too few"), 1]

    def fit(sampler: object, run: Run) -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ood, "fit_ood_detector", fit)
    monkeypatch.setattr("mcviz.app.out_of_distribution.sampler", lambda _: None)
    monkeypatch.setattr(work.log, "error", lambda *_: None)
    run = make(tmp_path / "run", seed=77)

    def reason() -> str:
        _fit(run).detector.exception(out_of_distribution.PATIENCE)
        return detector_for(run).reason

    told = reason()
    assert told == reason() == f"The OOD detector could not be fitted to this run. {work.UNFORESEEN}"
    later = time.monotonic() + out_of_distribution.PATIENCE
    monkeypatch.setattr("mcviz.app.out_of_distribution.time.monotonic", lambda: later)
    assert reason().endswith(" too few")
    later += out_of_distribution.PATIENCE
    assert reason().endswith(" too few")  # which stays as it is
    assert answers == [1]


def test_a_detector_that_is_still_being_fitted_leaves_the_entropy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcviz.app.out_of_distribution._fit", lambda *_: Fit(deadline=0))
    assert detector_for(run) == ScoreDetector(run, STILL_FITTING)


def test_a_run_of_twelve_images_has_a_verdict_by_entropy_alone_that_says_why(
    open_probe: OpenProbe, small_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(small_cache))
    app = open_probe(run="few", sweep="1", seed="0")
    assert "By expected entropy alone. The OOD detector could not be fitted to this run." in words(app)
    assert "a run of 12 examples. Sample at least 20." in words(app)
    button(app, "Predict noise").click().run()
    assert_sound(app)
    assert "1 of 1 noise image is predicted as" in words(app)
    assert "1 noise image is stopped as out of distribution, by expected entropy alone" in words(app)


@pytest.mark.slow
def test_percentiles_count_the_examples_that_are_less_uncertain(open_probe: OpenProbe) -> None:
    run, app = mcviz.open_run(SHIPPED_RUNS[0]), open_probe(run="mnist-cnn", input="distortion", example="247")
    compared = table(app, "more uncertain than")
    scores = run.scores()
    assert list(compared.index) == [score.label for score in SCORES.values() if not score.needs_labels]
    for name, score in ((name, score) for name, score in SCORES.items() if not score.needs_labels):
        own = scores[name].to_numpy()
        less = own < own[247] if score.uncertain_when == "high" else own > own[247]
        value = float(
            compared["more uncertain than"][score.label].removeprefix("over ").removeprefix("under ").strip("%")
        )
        assert value == pytest.approx(100 * less.mean(), abs=0.3)  # other masks than those of the run


@pytest.mark.parametrize(
    ("share", "sentence"),
    [
        (0.0, "No example of this run looks less usual."),
        (0.001, "Fewer than 1 of 100 examples of this run look less usual."),
        (0.01, "Only 1 of 100 examples of this run looks less usual."),
        (0.042, "Only 4 of 100 examples of this run look less usual."),
        (0.999, "More than 99 of 100 examples of this run look less usual."),
        (1.0, "All examples of this run look less usual."),
        (0.5, "50 of 100 examples of this run look less usual."),
    ],
)
def test_how_many_look_less_usual_is_one_plain_sentence(share: float, sentence: str) -> None:
    assert less_usual_examples(share) == sentence
