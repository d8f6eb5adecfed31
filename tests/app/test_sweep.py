"""The sweep over many inputs: what it counts, and how it is stopped and goes on."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest

import mcviz
from mcviz import Run
from mcviz.app.kinds.base import SweepInputs
from mcviz.app.out_of_distribution import STILL_FITTING, ScoreDetector
from mcviz.app.sweep import WORK, Sweep, summarize
from mcviz.errors import CorruptRunError
from mcviz.kinds.image_distortions import gaussian_noise
from tests.app.keeping import kept_of
from tests.app.opening import assert_sound
from tests.app.probing import OpenProbe, button, widget, words


@pytest.mark.slow
def test_the_sweep_counts_classes_and_compares_scores(open_probe: OpenProbe, run: Run) -> None:
    app = open_probe(sweep="40", noise="gaussian")
    button(app, "Predict").click().run()
    assert_sound(app)
    each = [gaussian_noise(1, (28, 28, 1), seed) for seed in range(40)]
    blocks = [np.concatenate(each[start : start + 20]) for start in (0, 20)]
    model = mcviz.load_model(run.model_path)
    mean = np.concatenate([mcviz.sample(model, block, passes=500).mean(axis=0) for block in blocks])
    counts = np.bincount(mean.argmax(axis=1), minlength=10)
    assert f"{counts.max()} of 40 noise images are predicted as {counts.argmax()}" in words(app)
    assert "Gaussian noise at 100% strength" in words(app)
    widget(app.segmented_control, "input").set_value("distortion").run()
    assert "of 40 noise images" not in words(app)


@pytest.mark.slow
def test_a_score_of_labels_is_not_compared_with_inputs_that_have_none(open_probe: OpenProbe) -> None:
    app = open_probe(sweep="20", score="self_confidence")
    button(app, "Predict").click().run()
    assert_sound(app)
    assert "Self-confidence (label quality) compares with a label, and these inputs have none" in words(app)
    widget(app.selectbox, "score").set_value("margin").run()
    assert_sound(app)
    assert "looks at the label" not in words(app)


@pytest.mark.slow
def test_a_sweep_over_distorted_examples_says_how_many_predictions_are_correct(open_probe: OpenProbe, run: Run) -> None:
    app = open_probe(input="distortion", sweep="60")
    button(app, "Predict").click().run()
    swept = np.random.default_rng(0).permutation(10_000)[:60]
    correct = int(run.scores()["correct"].to_numpy(bool)[swept].sum())
    assert f"Correct: {correct} of 60." in words(app)


def test_the_worst_is_the_most_confident_wrong_prediction(run: Run) -> None:
    inputs = SweepInputs("images", "images", 20, lambda *_: np.empty(0), run.digest)
    mistakes = ~run.scores()["correct"].to_numpy(bool)
    start = 20 * int(mistakes.reshape(-1, 20).sum(axis=1).argmax())
    sweep, labels = Sweep(inputs, 20, ScoreDetector(run, STILL_FITTING)), run.labels[start : start + 20]
    probs = run.probs_block(start, start + 20)
    sweep.add(run, np.arange(10.0)[:, None], labels[:10], probs[:, :10])
    sweep.add(run, np.arange(10.0, 20.0)[:, None], labels[10:], probs[:, 10:])
    mean = probs.mean(axis=0, dtype=np.float64)
    wrong = np.flatnonzero(mean.argmax(axis=1) != labels)
    assert len(wrong) > 1
    assert sweep.worst == wrong[mean[wrong].max(axis=1).argmax()]
    assert sweep.worst_content == [sweep.worst]
    assert sweep.correct.sum() == 20 - len(wrong)


@pytest.mark.slow
def test_a_stopped_sweep_keeps_what_it_has_and_one_interrupted_goes_on(open_probe: OpenProbe) -> None:
    app = open_probe(sweep="60")
    button(app, "Predict").click().run()
    whole = words(app)
    sweep: Sweep = kept_of(app)["sweep"]
    cut = Sweep(sweep.inputs, 60, sweep.detector)
    cut.scores = {name: values[:20] for name, values in sweep.scores.items()}
    cut.is_ood, cut.correct, cut.worst, cut.worst_content = (
        sweep.is_ood[:20],
        sweep.correct[:20],
        0,
        sweep.worst_content,
    )
    kept_of(app)["sweep"] = cut
    app.run()
    assert "Ended after 20 of 60" in words(app)
    widget(app.slider, "strength").set_value(0.5).run()
    assert not [each for each in app.button if each.label == "Go on"], "another strength is another sweep"
    widget(app.slider, "strength").set_value(1.0).run()
    button(app, "Go on").click().run()
    assert_sound(app)
    assert words(app) == whole
    assert not [each for each in app.button if each.label == "Go on"]


def test_a_sweep_that_is_interrupted_amid_a_verdict_counts_no_input_twice(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = Sweep(noise_of(run), 2, ScoreDetector(run, STILL_FITTING))
    images, probs = np.zeros((2, 1)), run.probs_block(0, 2)
    with monkeypatch.context() as patched:
        patched.setattr(ScoreDetector, "is_ood", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            sweep.add(run, images, None, probs)
    sweep.add(run, images, None, probs)
    assert sweep.done == 2
    assert {len(values) for values in sweep.scores.values()} == {2}
    assert len(sweep.correct) == 2


@pytest.mark.slow
def test_an_error_ends_a_sweep_and_what_it_has_stays(open_probe: OpenProbe) -> None:
    app = open_probe(sweep="40")
    button(app, "Predict").click().run()
    sweep: Sweep = kept_of(app)["sweep"]

    def damaged(start: int, stop: int) -> np.ndarray:
        raise CorruptRunError(f"images {start} to {stop} are damaged")

    kept_of(app)["sweep"] = replace(sweep, inputs=replace(sweep.inputs, load=damaged), total=60)
    kept_of(app)[WORK] = sweep.inputs.digest
    app.run()
    assert_sound(app, "images 40 to 60 are damaged")
    assert "Ended after 40 of 60" in words(app)
    assert button(app, "Predict")
    assert not [each for each in app.button if each.label == "Stop"]


def test_a_sweep_s_summary_is_grammatical_for_one_and_for_many(run: Run) -> None:
    first, mistakes = run.probs_block(0, 3), ~run.scores()["correct"].to_numpy(bool)
    assert not mistakes[:3].any()

    def summary_of(count: int, labels: np.ndarray | None) -> str:
        sweep = Sweep(noise_of(run, labels), count, ScoreDetector(run, STILL_FITTING))
        sweep.add(run, np.zeros((count, 28, 28, 1)), None if labels is None else labels[:count], first[:, :count])
        return summarize(run, sweep)

    one = summary_of(1, run.labels[:3])
    assert one.startswith(
        "0 of 1 noise image is stopped as out of distribution, by expected entropy alone (95% interval "
    )
    assert " 1 of 1 noise image is predicted as 7, with " in one
    assert "average" not in one
    assert one.endswith(" Correct: 1 of 1.")
    assert "Correct: 3 of 3." in summary_of(3, run.labels[:3])
    three = summary_of(3, None)
    assert three.startswith("0 of 3 noise images are stopped as out of distribution")
    assert " 1 of 3 noise images is predicted as 1, with " in three


def noise_of(run: Run, labels: np.ndarray | None = None) -> SweepInputs:
    return SweepInputs("noise images", "noise", 3, lambda *_: np.empty(0), run.digest, labels)
