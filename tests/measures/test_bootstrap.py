"""Bootstrap intervals against scipy's, against slow loops, and against the chance that they claim."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mcviz.measures import bootstrap
from mcviz.measures.bootstrap import Interval, intervals, proportion, weighted_intervals

RANDOM = np.random.default_rng(0)
SKEWED = RANDOM.gamma(2, size=400)
OTHER = SKEWED + RANDOM.normal(size=400) / 5


def rmse(means: np.ndarray) -> np.ndarray:
    return np.sqrt(means[..., 0])


def assert_alike(found: Interval, expected: Interval, share: float = 0.1) -> None:
    """Of two bootstraps with different draws, the ends differ by a small share of the width."""
    assert found.value == pytest.approx(expected.value, rel=1e-12)
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=share * width)
    assert found.high == pytest.approx(expected.high, abs=share * width)


def scipy_interval(statistic, *samples: np.ndarray, confidence: float) -> Interval:
    found = stats.bootstrap(
        samples, statistic, paired=True, method="percentile", confidence_level=confidence, n_resamples=4000,
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    return Interval(float(statistic(*samples)), found.low, found.high)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_a_mean_and_a_function_of_means_have_scipy_s_intervals(confidence: float) -> None:
    (mean,) = intervals(SKEWED[:, None], confidence=confidence, resamples=4000)
    assert_alike(mean, scipy_interval(lambda x, axis=-1: x.mean(axis=axis), SKEWED, confidence=confidence))
    (root,) = intervals(SKEWED[:, None] ** 2, rmse, confidence=confidence, resamples=4000)
    expected = scipy_interval(lambda x, axis=-1: np.sqrt((x**2).mean(axis=axis)), SKEWED, confidence=confidence)
    assert_alike(root, expected)


def test_a_difference_of_columns_is_paired() -> None:
    (difference,) = intervals(np.c_[SKEWED, OTHER], lambda m: m[..., 1] - m[..., 0], resamples=4000)
    expected = scipy_interval(
        lambda x, y, axis=-1: y.mean(axis=axis) - x.mean(axis=axis), SKEWED, OTHER, confidence=0.95
    )
    assert_alike(difference, expected)
    alone = intervals(np.c_[SKEWED, OTHER])
    assert difference.high - difference.low < (alone[0].high - alone[0].low) / 3


def by_numbers(statistic: Callable[[np.ndarray], Any], examples: int, **options: Any) -> list[Interval]:
    """Intervals of figures that take the numbers of the examples drawn, one draw after the other."""
    numbers = np.arange(examples)
    return weighted_intervals(
        lambda chosen: (
            lambda weights: np.stack(
                [np.asarray(statistic(np.repeat(numbers[chosen], row.astype(int)))) for row in weights]
            )
        ),
        examples,
        **options,
    )


def test_the_three_ways_to_say_a_figure_agree() -> None:
    options = {"confidence": 0.9, "resamples": 300, "seed": 5}
    (by_means,) = intervals(SKEWED[:, None] ** 2, rmse, **options)
    (by_weights,) = weighted_intervals(lambda _: lambda w: np.sqrt(w @ SKEWED**2 / len(SKEWED)), len(SKEWED), **options)
    (by_draw,) = by_numbers(lambda i: math.sqrt(np.mean(SKEWED[i] ** 2)), len(SKEWED), **options)
    for found in (by_weights, by_draw):
        assert (found.value, found.low, found.high) == pytest.approx(
            (by_means.value, by_means.low, by_means.high), rel=1e-12
        )


def test_a_median_has_scipy_s_interval() -> None:
    found = by_numbers(lambda i: [np.median(SKEWED[i]), np.max(SKEWED[i])], len(SKEWED), resamples=2000)
    assert_alike(found[0], scipy_interval(np.median, SKEWED, confidence=0.95), 0.2)
    assert found[1].value == found[1].high == SKEWED.max()


def test_blocks_do_not_matter_and_seeds_do(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = intervals(np.c_[SKEWED, OTHER], resamples=50)
    monkeypatch.setattr(bootstrap, "BLOCK", 3 * len(SKEWED))
    for each, other in zip(whole, intervals(np.c_[SKEWED, OTHER], resamples=50), strict=True):
        assert (other.low, other.high) == pytest.approx((each.low, each.high), rel=1e-12)
    assert intervals(np.c_[SKEWED, OTHER], resamples=50, seed=1) != whole


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(0.1, 0.99))
def test_ends_are_in_order_and_within_the_values(values: list[float], confidence: float) -> None:
    (found,) = intervals(np.array(values)[:, None], confidence=confidence, resamples=20)
    rounding = 1e-9 * max(map(abs, values))
    assert min(values) - rounding <= found.low <= found.high <= max(values) + rounding
    assert found.value == pytest.approx(math.fsum(values) / len(values), rel=1e-9, abs=rounding + 1e-300)


def test_sums_run_in_float64_and_shares_of_bools_are_means() -> None:
    (found,) = intervals(np.full((1000, 1), 16777217 / 1000, np.float32))
    assert found.low == pytest.approx(float(np.float32(16777217 / 1000)), rel=1e-14)
    (share,) = intervals((SKEWED > 2)[:, None])
    assert share.value == np.mean(SKEWED > 2)


def test_intervals_cover_the_truth_about_as_often_as_they_claim() -> None:
    covered = 0
    for seed in range(200):
        (found,) = intervals(np.random.default_rng(seed).normal(size=(100, 1)), confidence=0.9, resamples=200)
        covered += found.low <= 0 <= found.high
    assert 162 <= covered <= 196  # of about 178 expected; outside has a chance below 0.001


def test_no_example_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least one example\. Received: none"):
        intervals(np.zeros((0, 1)))
    assert intervals(np.ones((1, 1))) == [Interval(1, 1, 1)]


def test_ten_thousand_examples_take_well_under_a_second() -> None:
    terms = RANDOM.normal(size=(10_000, 8))
    start = time.process_time()
    intervals(terms, resamples=1000)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 30), (9800, 10_000)])
def test_the_interval_of_a_share_is_scipy_s_exact_one(successes: int, trials: int, confidence: float) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
    found = proportion(successes, trials, confidence)
    assert found.value == successes / trials
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_of_very_many_examples_the_intervals_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is that of all, and the width that of all: seven times less than of the examples that are drawn."""
    values = np.random.default_rng(3).gamma(2, size=(50_000, 2))
    options = {"resamples": 2000, "seed": 1}
    monkeypatch.setattr(bootstrap, "MOST_DRAWN", 50_000)
    every = intervals(values, lambda m: np.stack([m[..., 0], m[..., 1] ** 2], axis=-1), **options)
    monkeypatch.setattr(bootstrap, "MOST_DRAWN", 4_000)
    some = intervals(values, lambda m: np.stack([m[..., 0], m[..., 1] ** 2], axis=-1), **options)
    for found, expected in zip(some, every, strict=True):
        assert_alike(found, expected)
    exact = 1.96 * values[:, 0].std() / np.sqrt(len(values))
    assert some[0].high - some[0].value == pytest.approx(exact, rel=0.1)


def test_such_an_interval_holds_the_truth_as_often_as_it_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "MOST_DRAWN", 200)
    random, held, tries = np.random.default_rng(0), 0, 400
    for seed in range(tries):
        (found,) = intervals(random.exponential(size=(2000, 1)), confidence=0.9, resamples=300, seed=seed)
        held += found.low <= 1 <= found.high
    low, high = stats.binom.interval(0.999, tries, 0.9)
    assert low - 0.02 * tries <= held <= high
