"""Conformal sets and prediction intervals against counting and quantiles, and their promises against simulations."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mcviz.measures import RegressionPredictions
from mcviz.measures.conformal import (
    LEVELS,
    PredictionIntervals,
    conformal_intervals,
    conformal_intervals_for_new,
    conformal_p_values,
    conformal_quantile,
    conformal_scale,
    cross_fit,
    cross_fit_sets,
    interval_calibration,
    pass_intervals,
    prediction_sets,
    set_figures,
    share_by_chance,
)
from mcviz.measures.intervals import proportion
from mcviz.tasks.regression import coverage_sentence

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


def test_the_rank_is_exact_where_floats_are_not() -> None:
    for percent in range(1, 100):
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
    draws = random.normal(size=(splits, examples + 1))
    covered = sum(row[-1] <= conformal_quantile(row[:-1], coverage) for row in draws)
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


def draw_classes(examples: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are worse for some classes than for others; labels are drawn from other ones."""
    random = np.random.default_rng(seed)
    truth = random.dirichlet(np.full(classes, 0.4), examples)
    labels = (random.random((examples, 1)) > truth.cumsum(axis=1)[:, :-1]).sum(axis=1)
    probs = truth ** np.linspace(0.3, 2, classes)
    return probs / probs.sum(axis=1, keepdims=True), labels


@given(st.integers(1, 25), st.integers(2, 4), st.integers(0, 10**6), st.integers(0, 20))
def test_a_class_is_in_the_set_where_its_p_value_is_high_enough(m: int, classes: int, seed: int, steps: int) -> None:
    probs, labels = draw_classes(m, classes, seed)
    new = np.concatenate([draw_classes(5, classes, seed + 1)[0], probs])  # also at the limits themselves
    sets = prediction_sets(probs, labels, new, steps / 20)
    for c in range(classes):
        p_values = conformal_p_values(1 - probs[labels == c, c], 1 - new[:, c])
        allowed = 1 - steps / 20
        np.testing.assert_array_equal(sets[:, c], p_values > allowed + 1e-9)


def test_every_class_is_covered_as_often_as_it_says() -> None:
    held, count, classes = np.zeros(3), np.zeros(3), 3
    for seed in range(150):
        probs, labels = draw_classes(240, classes, seed)
        sets = prediction_sets(probs[:160], labels[:160], probs[160:], 0.8)
        for c in range(classes):
            own = labels[160:] == c
            held[c] += sets[own, c].sum()
            count[c] += own.sum()
    coverage = held / count
    assert (coverage > 0.8 - 0.015).all()
    assert (coverage < 0.8 + 1 / 40 + 0.015).all()  # no more than it has to be, at 40 labels or more a class


def test_cross_fitted_sets_are_those_of_the_other_half() -> None:
    probs, labels = draw_classes(101, 3, 0)
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


def draw_regression(seed: int, examples: int = 300, passes: int = 60, targets: int = 1, *, variances: bool = False):
    """Examples of very different spread; without variances labels are drawn as the passes are."""
    random = np.random.default_rng(seed)
    shape = (examples, targets)
    centre, spread = random.normal(size=shape), random.gamma(2, size=shape) + 0.1
    if not variances:
        outputs = random.normal(centre, spread, (passes, *shape))
        return RegressionPredictions(outputs.astype(np.float32), None, random.normal(centre, spread))
    outputs = random.normal(centre, 0.5 * spread, (passes, *shape))
    aleatoric = random.gamma(50, spread**2 / 50, (passes, *shape))
    labels = random.normal(outputs.mean(axis=0), np.sqrt(outputs.var(axis=0) + aleatoric.mean(axis=0)))
    return RegressionPredictions(outputs.astype(np.float32), aleatoric.astype(np.float32), labels)


@pytest.mark.parametrize("coverage", [0.1, 0.5, 0.9])
def test_intervals_of_bare_passes_are_their_central_quantiles(coverage: float) -> None:
    """Of type 6 of Hyndman and Fan 1996: the k-th lowest of T passes stands for a share of k / (T + 1)."""
    given = draw_regression(0, targets=2)
    found = pass_intervals(given, coverage)
    for example in range(5):
        for target in range(2):
            ordered = sorted(given.outputs[:, example, target].astype(float).tolist())
            for end, share in ((found.low, (1 - coverage) / 2), (found.high, (1 + coverage) / 2)):
                whole, part = divmod(share * (len(ordered) + 1) - 1, 1)
                below, above = ordered[int(whole)], ordered[min(int(whole) + 1, len(ordered) - 1)]
                assert end[example, target] == pytest.approx(below + part * (above - below), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("coverage", [0.1, 0.5, 0.9])
def test_intervals_with_variances_are_those_of_a_gaussian_of_the_total_variance(coverage: float) -> None:
    given = draw_regression(0, targets=2, variances=True)
    found = pass_intervals(given, coverage)
    means, variances = given.outputs.astype(float), given.variances.astype(float)
    low, high = stats.norm.interval(coverage, means.mean(axis=0), np.sqrt(means.var(axis=0) + variances.mean(axis=0)))
    np.testing.assert_allclose(found.low, low, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.high, high, rtol=1e-6, atol=1e-6)


def test_coverage_counts_ends_and_width_is_a_mean() -> None:
    found = PredictionIntervals(np.array([[0.0, 0], [0, 0], [0, 0]]), np.array([[1.0, 2], [1, 2], [4, 2]]))
    first, second = found.coverage(np.array([[0.0, 3], [1, -1], [5, 1]]))
    assert found.width.tolist() == [2, 2]
    assert (first, second) == (proportion(2, 3), proportion(1, 3))


@pytest.mark.parametrize("variances", [False, True])
@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_conformal_intervals_cover_as_they_promise(coverage: float, normalised: bool, variances: bool) -> None:
    shares = []
    for seed in range(150):
        given = draw_regression(seed, examples=60, passes=8, variances=variances)
        # The model is wrong about everything: its mean, its spread and their unit.
        wrong = RegressionPredictions(given.outputs * 0.3 + 1, given.variances, given.labels)
        (share,) = conformal_intervals(wrong, coverage, normalised=normalised, seed=seed).coverage(wrong.labels)
        shares.append(share.value)
    exact = math.ceil(round(31 * coverage, 9)) / 31  # each half has 30 examples
    error = np.std(shares) / math.sqrt(len(shares))
    assert np.mean(shares) == pytest.approx(exact, abs=4 * error)
    assert error < 0.01


@pytest.mark.parametrize("normalised", [False, True])
def test_new_examples_are_held_as_often_as_promised_whatever_else_is_asked_with_them(normalised: bool) -> None:
    shares, coverage = [], 0.8
    for seed in range(150):
        whole = draw_regression(seed, examples=60, passes=8, variances=True)
        first, second = (
            RegressionPredictions(whole.outputs[:, part] * 0.3, whole.variances[:, part], whole.labels[part])
            for part in (slice(39), slice(39, 60))
        )
        found = conformal_intervals_for_new(first, second, coverage, normalised=normalised)
        shares.append(found.coverage(second.labels)[0].value)
        alone = RegressionPredictions(second.outputs[:, :1], second.variances[:, :1])
        one = conformal_intervals_for_new(first, alone, coverage, normalised=normalised)
        np.testing.assert_allclose([one.low[0], one.high[0]], [found.low[0], found.high[0]], rtol=1e-9)
    error = np.std(shares) / math.sqrt(len(shares))
    assert np.mean(shares) == pytest.approx(32 / 40, abs=4 * error)
    assert error < 0.01


def test_passes_that_know_cover_as_they_say_and_overconfident_ones_do_not() -> None:
    for variances in (False, True):
        given = draw_regression(0, examples=2000, variances=variances)
        (honest,) = pass_intervals(given, 0.8).coverage(given.labels)
        assert honest.value == pytest.approx(0.8, abs=0.04)
        mean = given.outputs.mean(axis=0)
        narrow = RegressionPredictions(
            mean + (given.outputs - mean) / 5, given.variances / 25 if variances else None, given.labels
        )
        (overconfident,) = pass_intervals(narrow, 0.8).coverage(given.labels)
        assert overconfident.high < 0.4


@pytest.mark.parametrize("passes", [9, 19, 99])
def test_labels_that_are_drawn_as_the_passes_are_held_as_promised_or_as_often_as_can_be(passes: int) -> None:
    values = np.random.default_rng(0).normal(size=(passes + 1, 20_000, 1))
    given = RegressionPredictions(values[1:], None, values[0])
    for coverage in (0.8, 0.95):
        (share,) = pass_intervals(given, coverage).coverage(given.labels, confidence=0.999)
        assert share.low <= min(coverage, (passes - 1) / (passes + 1)) <= share.high


@pytest.mark.parametrize(
    ("held", "examples", "said"),
    [
        (80, 100, "The 90% intervals of the passes are too narrow: they hold 80.0% (70.8 to 87.3) of the labels."),
        (97, 100, "The 90% intervals of the passes are too wide: they hold 97.0% (91.5 to 99.4) of the labels."),
        (
            93,
            100,
            "No fault of the 90% intervals of the passes is found: they hold 93.0% (86.1 to 97.1) of the labels.",
        ),
        (10, 10, "There are too few examples to tell whether the 90% intervals of the passes hold what they promise"),
        (1, 10, "The 90% intervals of the passes are too narrow"),
    ],
)
def test_the_verdict_on_intervals_is_that_of_the_exact_test(held: int, examples: int, said: str) -> None:
    assert coverage_sentence(proportion(held, examples), 0.9, examples).startswith(said)
    refused = stats.binomtest(held, examples, 0.9).pvalue < 0.03  # whose two tails are not of one size
    assert refused == ("too narrow" in said or "too wide" in said)


def test_normalised_intervals_are_wide_where_the_passes_disagree_and_plain_ones_are_all_alike() -> None:
    given = draw_regression(0)
    plain, normalised = (conformal_intervals(given, 0.9, normalised=each) for each in (False, True))
    assert len(np.unique((plain.high - plain.low).round(9))) == 2  # one width a half
    width, std = (normalised.high - normalised.low)[:, 0], given.outputs.std(axis=0)[:, 0]
    assert stats.spearmanr(width, std).statistic > 0.95
    assert normalised.width < plain.width


def test_another_unit_of_the_targets_scales_every_interval() -> None:
    given = draw_regression(0, variances=True)
    scaled = RegressionPredictions(given.outputs * 8, given.variances * 64, given.labels * 8)
    for intervals_of in (
        lambda g: pass_intervals(g, 0.9),
        lambda g: conformal_intervals(g, 0.9),
        lambda g: conformal_intervals(g, 0.9, normalised=True),
    ):
        np.testing.assert_allclose(intervals_of(scaled).low, 8 * intervals_of(given).low, rtol=1e-5)
        np.testing.assert_allclose(intervals_of(scaled).width, 8 * intervals_of(given).width, rtol=1e-5)


@pytest.mark.parametrize("variances", [False, True])
def test_normalised_errors_are_divided_by_the_whole_uncertainty_that_is_predicted(variances: bool) -> None:
    given = draw_regression(0, targets=2, variances=variances)
    total = given.outputs.astype(float).var(axis=0) + (given.variances.astype(float).mean(axis=0) if variances else 0)
    expected = np.sqrt(total) + np.sqrt(total).mean(axis=0) / 100
    np.testing.assert_allclose(conformal_scale(given, given), expected, rtol=1e-6)


def test_passes_that_all_agree_promise_no_certainty() -> None:
    labels = np.random.default_rng(0).normal(size=(50, 1))
    outputs = np.zeros((4, 50, 1), np.float32)
    alike = RegressionPredictions(outputs, labels=labels)
    np.testing.assert_array_equal(
        conformal_intervals(alike, 0.8, normalised=True).high, conformal_intervals(alike, 0.8).high
    )
    outputs[:, 1:] = np.random.default_rng(1).normal(size=(4, 49, 1))
    varied = RegressionPredictions(outputs)
    assert conformal_scale(varied, varied).min() == pytest.approx(outputs.std(axis=0).mean() / 100, rel=1e-6)


def test_too_few_examples_leave_an_interval_open() -> None:
    given = draw_regression(0, examples=10)
    found = conformal_intervals(given, 0.9)
    assert np.isneginf(found.low).all()
    assert np.isposinf(found.high).all()
    assert found.coverage(given.labels)[0].value == 1


@pytest.mark.parametrize("variances", [False, True])
def test_calibration_is_the_coverage_of_the_central_intervals_at_every_level(variances: bool) -> None:
    given = draw_regression(0, targets=2, variances=variances)
    found = interval_calibration(given)
    assert len(found) == 2
    assert found[0].nominal.tolist() == pytest.approx([level / 100 for level in range(5, 100, 5)])
    for index, level in enumerate(LEVELS):
        expected = pass_intervals(given, level).coverage(given.labels)
        for of_target, share in zip(found, expected, strict=True):
            values = (of_target.observed[index], of_target.low[index], of_target.high[index])
            assert values == pytest.approx((share.value, share.low, share.high))
    assert (np.diff(found[0].observed) >= 0).all()


@pytest.mark.parametrize("function", [interval_calibration, lambda given: conformal_intervals(given, 0.9)])
def test_without_labels_nothing_can_be_held_against_them(function) -> None:
    with pytest.raises(ValueError, match="without labels"):
        function(RegressionPredictions(np.zeros((2, 3, 1))))
