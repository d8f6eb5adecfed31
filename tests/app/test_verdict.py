"""The verdict on one input: by the detector, and by the doubt alone where there is none."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mcviz
from mcviz import Run
from mcviz.app.probe.verdict import STILL_LEARNING, ByDetector, ByDoubt, Learning, _learning, the_judge
from mcviz.errors import InvalidInputError
from mcviz.measures import SCORES
from mcviz.model import ood
from tests.app.probing import OpenProbe, button, widget, words
from tests.runs.making import make


def test_an_unchanged_image_is_like_the_test_images_and_noise_is_not(open_probe: OpenProbe) -> None:
    assert "Like the test images" in open_probe(input="distortion", example="11").success[0].value
    assert "Unlike the test images" in open_probe().warning[0].value


def test_the_first_verdict_is_the_detector_s_and_no_other_follows(open_probe: OpenProbe) -> None:
    app = open_probe()
    assert "none are as foreign to the class that it names" in app.warning[0].value
    assert "By the doubt alone" not in words(app)


def test_the_line_keeps_95_percent_of_the_test_images(run: Run) -> None:
    blocks = range(0, 10_000, 1000)
    unlike = [
        ByDoubt(run, STILL_LEARNING).unlike(np.empty(0), run.probs_block(start, start + 1000)) for start in blocks
    ]
    assert np.concatenate(unlike).mean() == pytest.approx(0.05, abs=0.001)


def test_the_detector_takes_over_when_it_has_learnt(
    open_probe: OpenProbe, colour_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(colour_cache))
    app = open_probe()
    run = mcviz.open_run(colour_cache / "colour")
    _learning(run.digest, run).detector.result(60)
    assert isinstance(the_judge(run), ByDetector)
    widget(app.slider, "strength").set_value(0.0).run()
    assert not app.exception
    assert "as foreign to the class" in words(app)
    assert "By the doubt alone" not in words(app)


ENDING = """
import atexit
import sys
import mcviz
from mcviz.app.probe.verdict import _learning
run = mcviz.open_run(sys.argv[1])
detector = _learning(run.digest, run).detector
atexit.register(lambda: print("learnt" if detector.done() else "learning"))
"""


def test_a_server_that_ends_while_it_learns_waits_for_it(colour_cache: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDING, colour_cache / "colour"], capture_output=True, text=True, timeout=300, check=True
    )
    assert ended.stdout.split()[-1:] == ["learnt"], "a process that ends amid a matrix product can hang"


def test_too_few_images_to_learn_from_leave_the_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(sampler: object, run: Run) -> None:
        raise InvalidInputError("too few")

    monkeypatch.setattr(ood, "fit_ood_detector", refuse)
    monkeypatch.setattr("mcviz.app.probe.verdict.sampler", lambda _: None)
    run = make(tmp_path / "few")
    assert isinstance(_learning(run.digest, run).detector.exception(10), InvalidInputError)
    judge = the_judge(run)
    assert isinstance(judge, ByDoubt)
    assert judge.why == "The better detector could not be learnt from this run. too few"


def test_a_detector_that_is_still_learning_leaves_the_doubt_for_so_long(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.app.probe.verdict._learning", lambda *_: Learning(deadline=0))
    assert the_judge(run) == ByDoubt(run, STILL_LEARNING)


def test_a_run_of_twelve_images_is_judged_by_the_doubt_alone_and_says_why(
    open_probe: OpenProbe, small_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(small_cache))
    app = open_probe(run="few", sweep="1")
    assert "By the doubt alone. The better detector could not be learnt from this run." in words(app)
    assert "a run of 12 images. Sample at least 20." in words(app)
    button(app, "Run the sweep").click().run()
    assert not app.exception
    assert "1 of 1 noise image is taken for" in words(app)
    assert "The verdict, by the doubt alone, calls" in words(app)


def test_percentiles_count_the_test_images_with_less_doubt(open_probe: OpenProbe, run: Run) -> None:
    app = open_probe(input="distortion", example="247")
    table = app.table[1].value
    scores = run.scores()
    for name, score in SCORES.items():
        own = scores[name].to_numpy()
        less = own < own[247] if score.uncertain_when == "high" else own > own[247]
        value = float(table["more in doubt than"][score.label].removeprefix("over ").removeprefix("under ").strip("%"))
        assert value == pytest.approx(100 * less.mean(), abs=0.3)  # other masks than those of the run
