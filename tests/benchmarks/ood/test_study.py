"""The study in small: the shipped model on a few of its examples, from the images to a file of figures."""

from pathlib import Path

import numpy as np
import pytest

import mcviz
from benchmarks.ood.__main__ import cells_of, joined, measure
from benchmarks.ood.detectors import BOUNDS, DETECTORS, FITTED, family_of
from benchmarks.ood.known_sets import ImageSet
from benchmarks.ood.results import MISTAKES, PROBE, Results, load, load_cells, save
from benchmarks.ood.sets import StudyImages
from benchmarks.ood.study import OODScores
from mcviz.data import as_model_input, invert, uniform_noise

pytestmark = pytest.mark.exhaustive
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def study() -> StudyImages:
    run = mcviz.open_run(ROOT / "cache" / "mnist-cnn")
    wrong = np.flatnonzero(~run.scores()["correct"].to_numpy())[:40]
    chosen = np.concatenate([wrong, np.arange(0, len(run), 50)])
    images = as_model_input(np.asarray(run.images[chosen]))
    sets = {
        "noise": ImageSet("Noise", uniform_noise(30, images.shape[1:], seed=0)),
        "inverted": ImageSet("Inverted", invert(images[1:61:2]), known=False),
    }
    return StudyImages(images, np.asarray(run.labels)[chosen], sets)


@pytest.fixture(scope="module")
def measured(study: StudyImages) -> tuple[Results, OODScores]:
    return measure(ROOT / "cache" / "mnist-cnn" / "model.keras", study, passes=20)


def test_every_detector_scores_every_example_of_every_set(measured, study: StudyImages) -> None:
    pairs = measured[1].pairs
    assert set(pairs) == set(DETECTORS) | set(FITTED)
    for detector, of_sets in pairs.items():
        expected = set(study.sets) if family_of(detector) == BOUNDS else {*study.sets, MISTAKES}
        assert set(of_sets) == expected
        for name, (in_distribution, out_of_distribution) in of_sets.items():
            assert np.isfinite(in_distribution).all()
            assert np.isfinite(out_of_distribution).all()
            if name != MISTAKES:
                assert (len(in_distribution), len(out_of_distribution)) == (len(study.images) // 2, 30)


def test_the_probe_s_detector_finds_what_is_no_digit_by_p_values_of_the_fitting_half(measured, study) -> None:
    results, scores = measured
    fitting = len(study.images) // 2
    for name in study.sets:
        assert results.median(PROBE, name) > 0.9
        p_values = 10 ** -scores.pairs[PROBE][name][1]
        assert (p_values >= 1 / (fitting + 1) - 1e-9).all()
        assert (p_values <= 1).all()


def test_figures_of_several_models_are_kept_and_read_back(measured, tmp_path: Path) -> None:
    results, scores = measured
    both, cells = joined([results, results]), cells_of(scores, results.sets.tolist())
    save(tmp_path / "kept.npz", both, cells)
    again = load(tmp_path / "kept.npz")
    assert again.figures.shape == (2, 3, len(scores.pairs), 3)
    for name, array in vars(both).items():
        np.testing.assert_array_equal(getattr(again, name), array)
    for name, array in vars(cells).items():
        np.testing.assert_array_equal(getattr(load_cells(tmp_path / "kept.npz"), name), array)
    assert again.ood_sets(known=False) == ["inverted"]
    there = np.isfinite(results.figures[0, 0])
    assert (cells.low[0][there] <= results.figures[0, 0][there] + 1e-6).all()
