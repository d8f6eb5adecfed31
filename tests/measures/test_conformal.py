"""Conformal p-values and quantiles against counting, and what they promise against simulations."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mcviz.measures.conformal import (
    conformal_p_values,
    conformal_quantile,
    cross_fit,
    cross_fit_sets,
    prediction_sets,
    set_figures,
    share_by_chance,
)

WHOLE = st.lists(st.integers(0, 9), min_size=1, max_size=40)


@given(WHOLE, st.lists(st.integers(-2, 12), min_size=1, max_size=9))
def test_p_is_the_share_that_scores_as_high(calibration: list[int], new: list[int]) -> None:
    found = conformal_p_values(np.array(calibration, float), np.array(new, float))
    expected = [(sum(r >= s for r in calibration) + 1) / (len(calibration) + 1) for s in new]
    np.testing.assert_allclose(found, expected)


def test_p_values_of_examples_like_the_calibration_are_uniform() -> None:
    random = np.random.default_rng(0)
    found = conformal_p_values(random.normal(size=2000), random.normal(size=2000))
    assert stats.kstest(found, "uniform").statistic < 0.05


@given(WHOLE, st.integers(1, 999))
def test_the_quantile_is_the_smallest_bound_that_enough_of_all_examples_keep(
    scores: list[int], thousandths: int
) -> None:
    found = conformal_quantile(np.array(scores, float), thousandths / 1000)
    wanted = Fraction(thousandths, 1000) * (len(scores) + 1)
    if found == math.inf:
        assert len(scores) < wanted
    else:
        assert sum(score <= found for score in scores) >= wanted
        assert sum(score < found for score in scores) < wanted


@pytest.mark.parametrize("percent", range(1, 100))
def test_the_rank_is_exact_where_floats_are_not(percent: int) -> None:
    assert conformal_quantile(np.arange(1.0, 100), percent / 100) == percent
    assert conformal_quantile(np.arange(1.0, 100), np.float64(percent / 100)) == percent


@given(WHOLE, st.integers(1, 99), st.integers(-1, 10))
def test_a_score_is_within_the_quantile_where_its_p_value_is_above_the_rest(
    scores: list[int], percent: int, new: int
) -> None:
    calibration = np.array(scores, float)
    (p,) = conformal_p_values(calibration, np.array([new], float))
    within = new <= conformal_quantile(calibration, percent / 100)
    assert within == (round(p * (len(scores) + 1)) > (len(scores) + 1) * Fraction(100 - percent, 100))


@pytest.mark.parametrize(("examples", "coverage"), [(9, 0.9), (19, 0.9), (30, 0.8), (57, 0.95)])
def test_coverage_over_many_splits_is_what_exchangeability_says(examples: int, coverage: float) -> None:
    random, splits = np.random.default_rng(0), 4000
    drawn = random.normal(size=(splits, examples + 1))
    covered = sum(row[-1] <= conformal_quantile(row[:-1], coverage) for row in drawn)
    exact = math.ceil(round((examples + 1) * coverage, 9)) / (examples + 1)
    low, high = stats.binom.interval(0.9999, splits, exact)
    assert low <= covered <= high
    assert exact >= coverage


def test_too_few_examples_promise_nothing() -> None:
    assert conformal_quantile(np.arange(8.0), 0.9) == math.inf
    assert conformal_quantile(np.arange(9.0), 0.9) == 8
    assert conformal_quantile(np.zeros(0), 0.5) == math.inf


def test_within_groups_every_group_is_compared_with_its_own() -> None:
    random = np.random.default_rng(0)
    of_calibration, of_new = random.integers(0, 3, 600), random.integers(0, 3, 500)
    calibration, new = random.normal(3.0 * of_calibration), random.normal(3.0 * of_new)
    found = conformal_p_values(calibration, new, (of_calibration, of_new))
    pooled = conformal_p_values(calibration, new)
    for group in range(3):
        expected = conformal_p_values(calibration[of_calibration == group], new[of_new == group])
        np.testing.assert_array_equal(found[of_new == group], expected)
        assert stats.kstest(expected, "uniform").statistic < 0.15
        assert group == 1 or stats.kstest(pooled[of_new == group], "uniform").statistic > 0.3


def test_every_class_of_an_example_can_be_tried_at_once() -> None:
    random = np.random.default_rng(0)
    labels, own, new = random.integers(0, 4, 80), random.random(80), random.random((7, 4))
    found = conformal_p_values(own, new, (labels, np.broadcast_to(np.arange(4), new.shape)))
    for c in range(4):
        np.testing.assert_array_equal(found[:, c], conformal_p_values(own[labels == c], new[:, c]))


def test_a_group_without_calibration_has_nothing_that_speaks_against_it() -> None:
    assert conformal_p_values(np.ones(3), np.array([9.0]), (np.zeros(3, int), np.array([1]))) == [1]


@given(st.integers(2, 50), st.integers(0, 99))
def test_each_half_is_calibrated_on_the_other_and_all_come_back_in_order(examples: int, seed: int) -> None:
    seen: list[tuple[set[int], set[int]]] = []

    def calibrated(calibration: np.ndarray, others: np.ndarray) -> np.ndarray:
        seen.append((set(calibration.tolist()), set(others.tolist())))
        return np.stack([others, others * 0 + len(calibration)], axis=1)

    found = cross_fit(examples, calibrated, seed)
    assert found[:, 0].tolist() == list(range(examples))
    (first, second), (other, one) = seen
    assert (first, second) == (one, other)
    assert first | second == set(range(examples))
    assert not first & second
    assert abs(len(first) - len(second)) <= 1


def test_halves_are_of_the_seed() -> None:
    def half(calibration: np.ndarray, others: np.ndarray) -> np.ndarray:
        return np.full(len(others), calibration.min())

    assert (cross_fit(40, half, 1) == cross_fit(40, half, 1)).all()
    assert any((cross_fit(40, half, seed) != cross_fit(40, half, 0)).any() for seed in range(1, 4))


def made(examples: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are worse for some classes than for others; labels are drawn from other ones."""
    random = np.random.default_rng(seed)
    truth = random.dirichlet(np.full(classes, 0.4), examples)
    labels = (random.random((examples, 1)) > truth.cumsum(axis=1)[:, :-1]).sum(axis=1)
    probs = truth ** np.linspace(0.3, 2, classes)
    return probs / probs.sum(axis=1, keepdims=True), labels


@given(st.integers(1, 25), st.integers(2, 4), st.integers(0, 10**6), st.integers(0, 20))
def test_a_class_is_in_the_set_where_its_p_value_is_high_enough(m: int, classes: int, seed: int, steps: int) -> None:
    probs, labels = made(m, classes, seed)
    new, _ = made(5, classes, seed + 1)
    sets = prediction_sets(probs, labels, new, steps / 20)
    for c in range(classes):
        p_values = conformal_p_values(1 - probs[labels == c, c], 1 - new[:, c])
        allowed = 1 - steps / 20
        np.testing.assert_array_equal(sets[:, c], p_values > allowed + 1e-9)


def test_every_class_is_covered_as_often_as_it_says() -> None:
    held, count, classes = np.zeros(3), np.zeros(3), 3
    for seed in range(150):
        probs, labels = made(240, classes, seed)
        sets = prediction_sets(probs[:160], labels[:160], probs[160:], 0.8)
        for c in range(classes):
            own = labels[160:] == c
            held[c] += sets[own, c].sum()
            count[c] += own.sum()
    coverage = held / count
    assert (coverage > 0.8 - 0.015).all()
    assert (coverage < 0.8 + 1 / 40 + 0.015).all()  # no more than it has to be, at 40 labels or more a class


def test_cross_fitted_sets_are_those_of_the_other_half() -> None:
    probs, labels = made(101, 3, 0)
    first, second = np.array_split(np.random.default_rng(4).permutation(101), 2)
    found = cross_fit_sets(probs, labels, 0.9, seed=4)
    np.testing.assert_array_equal(found[first], prediction_sets(probs[second], labels[second], probs[first], 0.9))


def test_size_and_coverage_by_hand() -> None:
    sets = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]], bool)
    labels = np.array([0, 1, 1, 0])
    found = set_figures(sets, labels)
    assert (found.size.value, found.coverage.value, found.single, found.empty) == (1.0, 0.5, 0.5, 0.25)
    assert found.coverage.low == pytest.approx(0.0676, abs=1e-4)  # Clopper & Pearson, 2 of 4
    by_class = [set_figures(sets[labels == c], labels[labels == c]) for c in (0, 1)]
    assert (by_class[0].size.value, by_class[0].coverage.value) == (1.0, 0.5)
    assert by_class[1].empty == 0.5


def test_a_class_that_was_hardly_seen_is_never_ruled_out() -> None:
    probs, labels = np.array([[0.9, 0.1], [0.8, 0.2]] * 20), np.zeros(40, int)
    assert prediction_sets(probs, labels, np.array([[0.99, 0.01]]), 0.9).tolist() == [[True, True]]


@pytest.mark.parametrize(("calibrated", "new", "level"), [(9, 4, 0.2), (5, 6, 0.4), (6, 5, 0.1)])
def test_the_share_below_a_level_varies_as_over_all_orders_of_both_halves(
    calibrated: int, new: int, level: float
) -> None:
    """Of exchangeable examples, every choice of the places of the new ones is as likely."""
    counts = []
    for places in itertools.combinations(range(calibrated + new), new):
        old = np.setdiff1d(np.arange(calibrated + new), places)
        counts.append(int((conformal_p_values(old.astype(float), np.array(places, float)) <= level + 1e-9).sum()))
    shares = np.sort(counts) / new
    for confidence in (0.5, 0.8, 0.95):
        low, high = share_by_chance(calibrated, new, level, confidence)
        assert (shares < low).mean() <= (1 - confidence) / 2 + 1e-9 < 1e-9 + (shares <= low).mean()
        assert (shares > high).mean() <= (1 - confidence) / 2 + 1e-9
        assert high == 0 or (shares >= high).mean() > (1 - confidence) / 2
