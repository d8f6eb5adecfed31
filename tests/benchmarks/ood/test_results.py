"""The kept figures: the two files are about the same cells, and hold what the study's document says of them."""

import numpy as np
import pytest

from benchmarks.ood.detectors import BOUNDS, DETECTORS, FITTED, OF_MOMENTS, SHAPE, family_of
from benchmarks.ood.results import (
    AIM,
    AT_MISTAKES,
    BASELINE,
    MISTAKES,
    PROBE,
    SHIPPED,
    TRAININGS,
    Cells,
    Results,
    aims,
    load,
    load_cells,
)

BIMODALITY, INFORMATION, SHARE = "bimodality_probability", "mutual_information", "unexplained_share"
SYMBOLS = ("letters", "shapes", "patterns", "stacked", "rotated", "inverted", "mirrored")


@pytest.fixture(scope="module")
def found() -> Results:
    return load(TRAININGS)


@pytest.fixture(scope="module")
def shipped() -> Results:
    return load(SHIPPED)


@pytest.fixture(scope="module")
def cells() -> Cells:
    return load_cells()


def test_the_files_are_small_and_about_the_same_cells(found: Results, shipped: Results) -> None:
    assert SHIPPED.stat().st_size + TRAININGS.stat().st_size < 500_000
    assert len(found.models) == 5
    for name in ("detectors", "sets", "labels", "known", "out_of_distribution", "passes"):
        np.testing.assert_array_equal(getattr(found, name), getattr(shipped, name))
    assert set(found.detectors) <= set(DETECTORS) | set(FITTED)
    assert set(found.detectors) >= set(FITTED)


def test_figures_are_fractions_and_only_bounds_lack_a_cell(found: Results) -> None:
    figures = found.figures[np.isfinite(found.figures)]
    assert figures.min() >= 0
    assert figures.max() <= 1
    detectors = [found.row(detector) for detector in found.detectors if family_of(detector) != BOUNDS]
    assert np.isfinite(found.figures[:, :, detectors]).all()


def test_intervals_hold_the_figure_and_curves_its_area(shipped: Results, cells: Cells) -> None:
    figures = shipped.figures[0]
    there = np.isfinite(figures[0])
    assert (cells.low[0][there] <= figures[0][there] + 1e-6).all()
    assert (cells.high[0][there] >= figures[0][there] - 1e-6).all()
    area = np.trapezoid(cells.true_positive_rates, cells.false_positive_rates, axis=-1)
    difference = np.abs(area[there] - figures[0][there])
    assert np.median(difference) < 0.001
    assert difference.max() < 0.021  # a drawn curve has points at some false positive rates only


def test_counts_are_of_5000_test_images_and_1000_others(shipped: Results, cells: Cells) -> None:
    sets = [shipped.column(name) for name in shipped.sets if name != MISTAKES]
    assert (cells.in_distribution[:, sets].sum(axis=-1) == 5000).all()
    assert (cells.out_of_distribution[:, sets].sum(axis=-1) == 1000).all()


def test_a_low_bimodality_coefficient_is_the_suspicious_end(shipped: Results, cells: Cells) -> None:
    ends = dict(zip(shipped.detectors.tolist(), cells.suspicious_ends.tolist(), strict=True))
    assert ends[BIMODALITY] == -1
    edges = cells.edges[shipped.row(BIMODALITY)]  # of minus the coefficient, which is from 0 to 1
    assert edges.min() >= -1
    assert edges.max() <= 0
    assert (ends["skewness_probability"], ends["kurtosis_probability"]) == (1, -1)
    assert all(ends[name] == 1 for name in ends if name in FITTED or DETECTORS[name].known_end)


def test_no_ood_set_is_found_best_by_higher_moments(found: Results) -> None:
    of_moments = [
        d
        for d in found.detectors
        if (family_of(d) == SHAPE and not d.startswith("spread")) or (family_of(d) == OF_MOMENTS and "four" in d)
    ]
    others = [d for d in found.detectors if family_of(d) not in (SHAPE, OF_MOMENTS, BOUNDS)]
    assert len(of_moments) == 10
    for known in (True, False):
        for name in found.ood_sets(known=known):
            best = max(found.median(detector, name) for detector in others)
            assert best > max(found.median(detector, name) for detector in of_moments), name


def test_what_is_said_of_moments_is_so(found: Results) -> None:
    for name in ("uniform", "gaussian", "mixed", "digits"):
        assert found.median(BIMODALITY, name) > found.median(BASELINE, name) + 0.004
        assert found.median("deterministic_energy", name) > found.median(BIMODALITY, name) - 0.003
    for name in ("rotated", "inverted", "letters", "mirrored"):
        assert found.median(BIMODALITY, name) < found.median(BASELINE, name) - 0.07
    for name in (*found.ood_sets(known=True), *found.ood_sets(known=False), MISTAKES):
        assert found.median("skewness_probability", name) == pytest.approx(found.median(BASELINE, name), abs=0.014)
        for statistic in ("skewness_logit", "kurtosis_logit"):
            assert 0.4 < found.median(statistic, name) < 0.66
        gains = found.of_trainings("bound_four_moments", name) - found.of_trainings("bound_two_moments", name)
        assert name == MISTAKES or np.median(gains) < 0.002


def test_averaging_helps_on_symbols_and_harms_on_noise_in_every_training(found: Results) -> None:
    def gain(name: str) -> np.ndarray:
        return found.of_trainings("max_probability", name) - found.of_trainings(BASELINE, name)

    for name in SYMBOLS:
        assert (gain(name) > 0).all(), name
    for name in ("uniform", "gaussian", "fashion", "mixed"):
        assert (gain(name) < 0).all(), name


def test_disagreement_helps_a_little_on_distorted_digits_and_fails_on_noise(found: Results) -> None:
    for name in ("rotated", "inverted", "mirrored"):
        assert found.median(INFORMATION, name) > found.median("max_probability", name) > found.median(BASELINE, name)
    for name in ("uniform", "grey", "photographs"):
        assert found.median(INFORMATION, name) < found.median(BASELINE, name)


def test_where_the_logit_is_least_normal_max_probability_does_already(found: Results) -> None:
    shares = np.median(found.not_normal, axis=0)[:-1]
    least = found.sets[np.argsort(shares)[-3:]].tolist()
    assert set(least) == {"grey", "photographs", "shuffled"}
    assert all(found.median(BASELINE, name) > 0.998 for name in least)


def test_the_share_alone_finds_what_the_probe_s_detector_misses_but_not_the_mistakes(found: Results) -> None:
    assert all(found.median(SHARE, name) >= AIM > found.median(PROBE, name) for name in ("letters", "shapes"))
    assert all(found.median(SHARE, name) >= found.median(PROBE, name) for name in found.ood_sets(known=True))
    assert found.median(SHARE, MISTAKES) < found.median(BASELINE, MISTAKES) - AT_MISTAKES
    assert found.median(PROBE, MISTAKES) >= found.median(BASELINE, MISTAKES) - AT_MISTAKES


def test_the_validation_sets_choose_the_probe_s_detector_in_every_training(found: Results) -> None:
    assert found.selected.tolist() == [PROBE] * 5


def test_the_probe_s_detector_reaches_the_aim_on_every_set_that_was_known_before(found: Results) -> None:
    for aim in aims(found):
        if aim.name not in found.ood_sets(known=False):
            assert aim.met_by_the_median, aim.name
