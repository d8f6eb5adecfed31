"""Figures of detection against slow counting, against scikit-learn, and against their properties."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from mcviz.measures.ood import detection, detection_intervals, roc_points

SCORES = st.lists(st.integers(0, 12), min_size=1, max_size=30).map(lambda values: np.array(values, float))


def counted(in_dist: np.ndarray, ood: np.ndarray) -> tuple[float, float]:
    """AUROC over all pairs, and FPR95 over all thresholds, by counting."""
    wins = [(o > i) + 0.5 * (o == i) for o in ood for i in in_dist]
    passing = [
        np.mean([o < line for o in ood])
        for line in [*np.unique(np.r_[in_dist, ood]), np.inf]
        if np.mean([i < line for i in in_dist]) >= 0.95
    ]
    return float(np.mean(wins)), float(min(passing))


@given(SCORES, SCORES)
@example(np.r_[np.zeros(18), 1, 2], np.array([1.0, 2.0]))  # its curve is straight where it reaches 95%
def test_figures_agree_with_counting(in_dist: np.ndarray, ood: np.ndarray) -> None:
    found = detection(in_dist, ood)
    auroc, fpr95 = counted(in_dist, ood)
    assert found.auroc == pytest.approx(auroc, abs=1e-9)
    assert found.fpr95 == pytest.approx(fpr95, abs=1e-9)
    truth = np.r_[np.zeros(len(in_dist)), np.ones(len(ood))]
    assert found.average_precision == pytest.approx(average_precision_score(truth, np.r_[in_dist, ood]))


@given(SCORES, SCORES)
def test_only_the_order_of_scores_matters_and_its_reverse_mirrors_the_auroc(in_dist, ood) -> None:
    original, stretched = detection(in_dist, ood), detection(np.exp(in_dist), np.exp(ood))
    assert stretched.auroc == pytest.approx(original.auroc)
    assert stretched.fpr95 == pytest.approx(original.fpr95)
    assert detection(-in_dist, -ood).auroc == pytest.approx(1 - original.auroc)


def test_apart_and_alike_are_the_two_ends() -> None:
    apart = detection(np.arange(10.0), np.arange(20.0, 25.0))
    assert (apart.auroc, apart.fpr95, apart.average_precision) == (1, 0, 1)
    alike = detection(np.zeros(10), np.zeros(10))
    assert (alike.auroc, alike.fpr95, alike.average_precision) == (0.5, 1, 0.5)


def test_bootstrap_resamples_as_a_slow_loop_over_scikit_learn_does() -> None:
    random = np.random.default_rng(1)
    in_dist, ood = random.integers(0, 40, 300) / 10, random.integers(10, 60, 120) / 10
    slow = []
    for _ in range(400):
        i, o = random.choice(in_dist, len(in_dist)), random.choice(ood, len(ood))
        each = detection(i, o)
        truth = np.r_[np.zeros(len(i)), np.ones(len(o))]
        assert each.auroc == pytest.approx(roc_auc_score(truth, np.r_[i, o]))
        slow.append([each.auroc, each.fpr95, each.average_precision])
    expected = np.quantile(slow, [0.025, 0.975], axis=0)
    low, high = detection_intervals(in_dist, ood, resamples=400)
    for name, column in zip(("auroc", "fpr95", "average_precision"), expected.T, strict=True):
        width = column[1] - column[0]
        assert getattr(low, name) == pytest.approx(column[0], abs=0.2 * width)
        assert getattr(high, name) == pytest.approx(column[1], abs=0.2 * width)


@given(SCORES, SCORES)
def test_intervals_are_ordered_and_within_bounds_and_the_same_again(in_dist, ood) -> None:
    low, high = detection_intervals(in_dist, ood, resamples=20)
    assert detection_intervals(in_dist, ood, resamples=20) == (low, high)
    found = detection(in_dist, ood)
    for name in ("auroc", "fpr95", "average_precision"):
        assert getattr(low, name) - 1e-9 <= getattr(found, name) <= getattr(high, name) + 1e-9
        assert -1e-9 <= getattr(low, name) <= getattr(high, name) <= 1 + 1e-9


def test_intervals_cover_the_truth_about_as_often_as_they_claim() -> None:
    random, covered = np.random.default_rng(2), 0
    truth = 0.76025  # of two normal distributions one standard deviation apart: Phi(1 / sqrt(2))
    for seed in range(100):
        low, high = detection_intervals(random.normal(size=200), random.normal(1, 1, 200), resamples=200, seed=seed)
        covered += low.auroc <= truth <= high.auroc
    assert 86 <= covered <= 100  # of 95 expected; fewer than 86 has a chance below 0.001


@given(SCORES, SCORES)
def test_roc_points_are_what_thresholds_reach_and_the_straight_lines_between(in_dist, ood) -> None:
    rates = np.array([0, 0.1, 0.5, 1.0])
    reached = [(np.mean(in_dist >= line), np.mean(ood >= line)) for line in [*np.r_[in_dist, ood], np.inf]]
    expected = []
    for rate in rates:
        x, y = max(point for point in reached if point[0] <= rate)
        to_x, to_y = min((point for point in reached if point[0] > rate), default=(1 + x, y))
        expected.append(y + (to_y - y) * (rate - x) / (to_x - x))
    np.testing.assert_allclose(roc_points(in_dist, ood, rates), expected, atol=1e-9)


COUNTS = st.lists(st.integers(0, 2000), min_size=4, max_size=4).filter(any)


@given(COUNTS, COUNTS)
def test_the_area_under_the_drawn_curve_is_the_auroc_however_many_examples_tie(in_dist, ood) -> None:
    tied = [np.repeat(np.arange(4.0), counts) for counts in (in_dist, ood)]
    rates = np.linspace(0, 1, 1001)
    area = np.trapezoid(roc_points(*tied, rates), rates)
    assert area == pytest.approx(detection(*tied).auroc, abs=0.005)
