"""Prediction intervals against quantiles of their distributions and against the coverage that they promise."""

import math

import numpy as np
import pytest
from scipy import stats

from mcviz.measures import RegressionPredictions
from mcviz.measures.conformal import (
    LEVELS,
    PredictionIntervals,
    conformal_intervals,
    conformal_intervals_for_new,
    conformal_scale,
    coverage_sentence,
    interval_calibration,
    pass_intervals,
)
from mcviz.measures.intervals import proportion


def simulated(seed: int, examples: int = 300, passes: int = 60, targets: int = 1, *, variances: bool = False):
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
    given = simulated(0, targets=2)
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
    given = simulated(0, targets=2, variances=True)
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
        given = simulated(seed, examples=60, passes=8, variances=variances)
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
        whole = simulated(seed, examples=60, passes=8, variances=True)
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
        given = simulated(0, examples=2000, variances=variances)
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
    drawn = np.random.default_rng(0).normal(size=(passes + 1, 20_000, 1))
    given = RegressionPredictions(drawn[1:], None, drawn[0])
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
    given = simulated(0)
    plain, normalised = (conformal_intervals(given, 0.9, normalised=each) for each in (False, True))
    assert len(np.unique((plain.high - plain.low).round(9))) == 2  # one width a half
    width, std = (normalised.high - normalised.low)[:, 0], given.outputs.std(axis=0)[:, 0]
    assert stats.spearmanr(width, std).statistic > 0.95
    assert normalised.width < plain.width


def test_another_unit_of_the_targets_scales_every_interval() -> None:
    given = simulated(0, variances=True)
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
    given = simulated(0, targets=2, variances=variances)
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
    given = simulated(0, examples=10)
    found = conformal_intervals(given, 0.9)
    assert np.isneginf(found.low).all()
    assert np.isposinf(found.high).all()
    assert found.coverage(given.labels)[0].value == 1


@pytest.mark.parametrize("variances", [False, True])
def test_calibration_is_the_coverage_of_the_central_intervals_at_every_level(variances: bool) -> None:
    given = simulated(0, targets=2, variances=variances)
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
