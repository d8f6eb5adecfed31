"""Intervals against scipy's, against slow loops over draws or all outcomes, and against the chance that they claim."""

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from mcviz.measures import intervals
from mcviz.measures.intervals import (
    Interval,
    Unsettled,
    accuracy_difference,
    bootstrap_intervals,
    bounded_interval,
    can_reject,
    excess_mistakes,
    expected_mistakes,
    finds_more_than_chance,
    mean_intervals,
    paired_difference,
    proportion,
    share_interval,
)
from tests.cases import one_in

RANDOM = np.random.default_rng(0)
SKEWED = RANDOM.gamma(2, size=400)
OTHER = SKEWED + RANDOM.normal(size=400) / 5


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


def slow_mean_interval(values: np.ndarray, confidence: float) -> Interval:
    """Student's t, and the bootstrap of it by scipy's standard errors; of both the farther ends."""
    draws = np.random.default_rng(1).choice(values, (4000, len(values)))
    pivots = (draws.mean(axis=1) - values.mean()) / stats.sem(draws, axis=1)
    high, low = np.quantile(pivots, [(1 - confidence) / 2, (1 + confidence) / 2])
    student = stats.t.interval(confidence, len(values) - 1, values.mean(), stats.sem(values))
    around = [values.mean() - stats.sem(values) * pivot for pivot in (low, high)]
    return Interval(float(values.mean()), min(student[0], around[0]), max(student[1], around[1]))


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
@pytest.mark.parametrize("count", [20, 400])
def test_a_mean_has_the_farther_ends_of_t_and_of_its_bootstrap(count: int, confidence: float) -> None:
    (found,) = mean_intervals(SKEWED[:count, None], confidence=confidence, resamples=4000)
    assert_alike(found, slow_mean_interval(SKEWED[:count], confidence))


def test_a_mean_of_differences_is_paired() -> None:
    one, other, difference = mean_intervals(np.c_[SKEWED, OTHER, OTHER - SKEWED])
    assert difference.value == pytest.approx(other.value - one.value)
    assert difference.high - difference.low < (one.high - one.low) / 3


def by_numbers(statistic: Callable[[np.ndarray], Any], examples: int, **options: Any) -> list[Interval]:
    """Intervals of figures that take the numbers of the examples drawn, one draw after the other."""
    numbers = np.arange(examples)
    return bootstrap_intervals(
        lambda chosen: (
            lambda weights: np.stack(
                [np.asarray(statistic(np.repeat(numbers[chosen], row.astype(int)))) for row in weights]
            )
        ),
        examples,
        **options,
    )


def test_two_ways_to_say_a_figure_agree() -> None:
    options = {"confidence": 0.9, "resamples": 300, "seed": 5}
    (by_weights,) = bootstrap_intervals(
        lambda _: lambda w: np.sqrt(w @ SKEWED**2 / len(SKEWED)), len(SKEWED), **options
    )
    (by_draw,) = by_numbers(lambda i: math.sqrt(np.mean(SKEWED[i] ** 2)), len(SKEWED), **options)
    assert astuple(by_draw) == pytest.approx(astuple(by_weights), rel=1e-12)


def test_a_median_has_scipy_s_interval() -> None:
    found = by_numbers(lambda i: [np.median(SKEWED[i]), np.max(SKEWED[i])], len(SKEWED), resamples=2000)
    assert_alike(found[0], scipy_interval(np.median, SKEWED, confidence=0.95), 0.2)
    assert found[1].value == found[1].high == SKEWED.max()


def test_blocks_do_not_matter_and_seeds_do(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mean_intervals(np.c_[SKEWED, OTHER], resamples=50)
    monkeypatch.setattr(intervals, "BLOCK_WEIGHTS", 3 * len(SKEWED))
    for each, other in zip(whole, mean_intervals(np.c_[SKEWED, OTHER], resamples=50), strict=True):
        assert (other.low, other.high) == pytest.approx((each.low, each.high), rel=1e-12)
    assert mean_intervals(np.c_[SKEWED, OTHER], resamples=50, seed=1) != whole


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), st.floats(0.1, 0.99))
def test_ends_are_on_both_sides_of_the_mean(values: list[float], confidence: float) -> None:
    (found,) = mean_intervals(np.array(values)[:, None], confidence=confidence, resamples=20)
    assert found.low <= found.value <= found.high
    rounding = 1e-9 * max(map(abs, values))
    assert found.value == pytest.approx(math.fsum(values) / len(values), rel=1e-9, abs=rounding + 1e-300)


@given(st.integers(0, 10**6), st.integers(1, 12))
def test_a_percentile_interval_does_not_leave_out_its_own_figure(seed: int, count: int) -> None:
    """The largest of several values is biased: no draw has a larger one."""
    values = np.random.default_rng(seed).normal(size=count)
    (found,) = by_numbers(lambda i: -np.ptp(values[i]), count, confidence=0.5, resamples=20)
    assert found.low <= found.value <= found.high


def test_sums_run_in_float64_and_shares_of_bools_are_means() -> None:
    (found,) = mean_intervals(np.full((1000, 1), 16777217 / 1000, np.float32))
    assert found.low == pytest.approx(float(np.float32(16777217 / 1000)), rel=1e-14)
    (share,) = mean_intervals((SKEWED > 2)[:, None])
    assert share.value == np.mean(SKEWED > 2)


def test_intervals_cover_the_truth_about_as_often_as_they_claim() -> None:
    """Also of 20 skewed values, of which percentiles cover 84% in place of 90%."""
    covered, tries = np.zeros(2), 200
    for seed in range(tries):
        random = np.random.default_rng(seed)
        for case, (values, truth) in enumerate(((random.normal(size=100), 0), (random.exponential(size=20), 1))):
            (found,) = mean_intervals(values[:, None], confidence=0.9, resamples=100)
            covered[case] += found.low <= truth <= found.high
    low, high = stats.binom.interval(0.999, tries, 0.9)
    assert low <= covered[0] <= high
    assert low <= covered[1]


def test_no_example_is_refused_and_one_has_no_interval() -> None:
    with pytest.raises(ValueError, match=r"at least one example\. Received: none"):
        mean_intervals(np.zeros((0, 1)))
    assert repr(mean_intervals(np.ones((1, 1)))) == repr([Interval(1.0)])
    assert Interval(0.5).format("{:.1f}".format, "%") == "0.5%"


def test_ten_thousand_examples_take_well_under_a_second() -> None:
    terms = RANDOM.normal(size=(10_000, 8))
    start = time.process_time()
    mean_intervals(terms, resamples=1000)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 30), (9800, 10_000)])
def test_the_interval_of_a_share_is_scipy_s_exact_one(successes: int, trials: int, confidence: float) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
    found = proportion(successes, trials, confidence)
    assert found.value == successes / trials
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_a_share_is_exact_of_whole_numbers_alone() -> None:
    with pytest.raises(ValueError, match=r"should be a whole number\. Received: 2\.5"):
        proportion(2.5, 10)


@settings(max_examples=30)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.sampled_from([0.5, 0.95, 0.999]))
def test_the_interval_of_a_mean_is_the_exact_one_of_counts(outcomes: list[bool], confidence: float) -> None:
    held, exact = np.array(outcomes), proportion(sum(outcomes), len(outcomes), confidence)
    assert share_interval(held, None, confidence) == exact
    found = bounded_interval(held, (0, 1), None, confidence)
    assert astuple(found) == pytest.approx(astuple(exact), abs=4e-3 if len(outcomes) > 1 else 0.04)


@pytest.mark.parametrize(("successes", "trials"), [(0, 500), (3, 500), (70, 10_000)])
def test_of_many_counts_three_digits_are_exact(successes: int, trials: int) -> None:
    exact = stats.binomtest(successes, trials).proportion_ci(0.95, method="exact")
    found = bounded_interval(np.arange(trials) < successes, (0, 1))
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), rel=3e-3)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_ends_are_quantiles_of_draws_of_its_exponentials(grouped: bool) -> None:
    """Gaffke's own definition; an unseen group is as large as that of an example."""
    random = np.random.default_rng(1)
    sizes = random.integers(1, 6, 20) if grouped else np.ones(20, int)
    sums = random.beta(0.3, 1, 20) * sizes
    groups, values = np.repeat(np.arange(20), sizes), np.repeat(sums / sizes, sizes)
    weights = random.exponential(size=(200_000, 21))
    unseen = np.average(sizes, weights=sizes)
    for bound, chance, name in ((0, 0.05, "low"), (1, 0.95, "high")):
        drawn = weights @ np.append(sums, bound * unseen) / (weights @ np.append(sizes, unseen))
        found = getattr(bounded_interval(values, (0, 1), groups if grouped else None, 0.9), name)
        assert found == pytest.approx(np.quantile(drawn, chance), rel=0.01)


VALUES = st.lists(st.floats(-1, 3), min_size=1, max_size=30).map(np.array)
LEVELS = st.sampled_from([0.1, 0.5, 0.8, 0.95, 0.999])


@settings(max_examples=30)
@given(VALUES, LEVELS, LEVELS)
@example(np.array([-1, 1e-308]), 0.95, 0.95)
def test_a_bounded_interval_holds_its_mean_and_one_of_less_confidence(
    values: np.ndarray, one: float, other: float
) -> None:
    narrow, wide = (bounded_interval(values, (-1, 3), confidence=level) for level in sorted((one, other)))
    ends = [-1, wide.low, narrow.low, values.mean(), narrow.high, wide.high, 3]
    assert np.diff(ends).min() >= -1e-6


@settings(max_examples=30)
@given(VALUES, LEVELS, st.floats(0.01, 100), st.floats(-5, 5))
def test_a_bounded_interval_moves_and_turns_with_its_numbers(
    values: np.ndarray, confidence: float, scale: float, shift: float
) -> None:
    found = bounded_interval(values, (-1, 3), confidence=confidence)
    for sign in (1, -1):
        bounds = sorted(sign * scale * bound + shift for bound in (-1, 3))
        moved = bounded_interval(sign * scale * values + shift, (bounds[0], bounds[1]), confidence=confidence)
        ends = sorted(sign * scale * end + shift for end in (found.low, found.high))
        assert (moved.low, moved.high) == pytest.approx(tuple(ends), abs=1e-5 * scale)


def test_cells_of_very_many_numbers_lie_outside_the_exact_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).exponential(0.1, 5000)
    some = bounded_interval(values, (0, 12))
    monkeypatch.setattr(intervals, "CELLS", 5000)
    every = bounded_interval(values, (0, 12))
    assert 0 <= every.low - some.low <= 0.02 * (every.high - every.low)
    assert 0 <= some.high - every.high <= 0.02 * (every.high - every.low)


def test_copies_in_groups_tell_as_much_as_one_each() -> None:
    values = np.random.default_rng(3).random(30)
    copied = bounded_interval(np.repeat(values, 4), (0, 1), np.repeat(np.arange(30), 4))
    assert astuple(copied) == pytest.approx(astuple(bounded_interval(values, (0, 1))), rel=1e-7)
    sums = bounded_interval(4 * values, (0, 1), sizes=np.full(30, 4))
    assert astuple(copied) == pytest.approx(astuple(sums), rel=1e-7)


def test_a_difference_that_only_the_unseen_explains_is_not_noise() -> None:
    values = np.random.default_rng(4).normal(size=400)
    seen, noise = (bounded_interval(move + values / 10, (-12, 12)) for move in (0.03, 0.005))
    assert stats.ttest_1samp(0.03 + values / 10, 0).pvalue < 0.05
    assert stats.ttest_1samp(0.005 + values / 10, 0).pvalue > 0.05
    assert isinstance(seen, Unsettled)
    assert (seen.is_noise(), noise.is_noise(), noise.is_noise(0.01)) == (False, True, False)


def test_shares_of_passes_and_groups_take_the_bound_of_any_numbers() -> None:
    one, other = np.array([0, 0.5, 1, 1]), np.array([0, 1, 1, 1])
    assert accuracy_difference(one, other, None) == bounded_interval(other - one, (-1, 1))
    assert accuracy_difference(one > 0, other > 0, np.array([0, 0, 1, 2])) == bounded_interval(
        np.zeros(4), (-1, 1), np.array([0, 0, 1, 2])
    )
    assert accuracy_difference(one > 0.5, other > 0.5, None) == paired_difference(1, 0, 4)


def test_a_bounded_interval_holds_the_truth_where_large_values_are_rare() -> None:
    random, missed = np.random.default_rng(0), 0
    for _ in range(100):
        found = bounded_interval(np.where(random.random(100) < 0.01, 11.0, 0.01), (0, 11.8))
        missed += not found.low <= 0.99 * 0.01 + 0.11 <= found.high
    assert missed <= 5


def test_an_interval_is_cut_at_what_a_figure_can_be() -> None:
    assert Interval(0.9, 0.7, 1.2).clip(0, 1) == Interval(0.9, 0.7, 1)
    assert Interval(0.1, -0.2, 0.3).clip(0, 1) == Interval(0.1, 0, 0.3)
    assert math.isnan(Interval(0.9).clip(0, 1).high)


@pytest.mark.slow
def test_of_very_many_examples_the_intervals_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is that of all, and the width that of all: seven times less than of the examples that are drawn."""
    values = np.random.default_rng(3).gamma(2, size=(50_000, 2))
    options = {"resamples": 2000, "seed": 1}
    monkeypatch.setattr(intervals, "MOST_DRAWN", 50_000)
    every = mean_intervals(values, **options)
    monkeypatch.setattr(intervals, "MOST_DRAWN", 4_000)
    some = mean_intervals(values, **options)
    for found, expected in zip(some, every, strict=True):
        assert_alike(found, expected)
    exact = 1.96 * values[:, 0].std() / np.sqrt(len(values))
    assert some[0].high - some[0].value == pytest.approx(exact, rel=0.1)


@pytest.mark.slow
def test_such_an_interval_holds_the_truth_as_often_as_it_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "MOST_DRAWN", 200)
    random, held, tries = np.random.default_rng(0), 0, 400
    for seed in range(tries):
        (found,) = mean_intervals(random.exponential(size=(2000, 1)), confidence=0.9, resamples=300, seed=seed)
        held += found.low <= 1 <= found.high
    low, high = stats.binom.interval(0.999, tries, 0.9)
    assert low - 0.02 * tries <= held <= high


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (4, 0), (5, 0), (6, 0), (0, 6), (9, 1), (30, 12), (400, 300)])
def test_a_difference_of_shares_leaves_out_0_only_where_mcnemar_s_test_does(gained: int, lost: int) -> None:
    found = paired_difference(gained, lost, 2000)
    refused = gained + lost > 0 and stats.binomtest(gained, gained + lost).pvalue < 0.05
    assert found.value == (gained - lost) / 2000
    assert found.low <= found.value <= found.high
    assert (not found.low <= 0 <= found.high) == refused
    change = np.r_[np.ones(gained), -np.ones(lost), np.zeros(2000 - gained - lost)]
    if gained + lost:
        around = stats.t.interval(0.95, 1999, change.mean(), stats.sem(change))
        assert found.low <= around[0] + 1e-12
        assert found.high >= around[1] - 1e-12


@pytest.mark.parametrize("trials", [20, 50, 200, 5000])
@pytest.mark.parametrize(("gained", "lost"), [(0, 0.3), (0, 1), (0.3, 4), (0, 8), (1, 1), (4, 8), (11, 2), (0, 15)])
def test_no_end_of_a_difference_of_shares_is_beyond_the_true_one_more_often_than_promised(
    trials: int, gained: float, lost: float
) -> None:
    """The chances of all outcomes are added up; `gained` and `lost` are expected numbers."""
    chances = gained / trials, lost / trials
    counts = [np.arange(int(stats.binom.isf(1e-7, trials, chance)) + 1) for chance in chances]
    beyond = {"low": 0.0, "high": 0.0}
    for up in counts[0]:
        for down in counts[1][: trials - up + 1]:
            found = paired_difference(int(up), int(down), trials)
            chance = stats.multinomial.pmf([up, down, trials - up - down], trials, [*chances, 1 - sum(chances)])
            beyond["low"] += chance * (found.low > chances[0] - chances[1] + 1e-12)
            beyond["high"] += chance * (found.high < chances[0] - chances[1] - 1e-12)
    assert max(beyond.values()) <= 0.025


def test_where_nothing_changed_the_ends_are_the_exact_bound_of_no_case() -> None:
    for trials in (50, 5000):
        found = paired_difference(0, 0, trials)
        assert (found.value, found.low) == (0, -found.high)
        assert (1 - found.high) ** trials == pytest.approx(0.025)


def test_a_difference_of_independent_shares_is_newcombe_s_of_exact_intervals() -> None:
    """His method 10 takes the intervals of both shares; here they are scipy's."""
    one, other = (stats.binomtest(*counts).proportion_ci(0.95) for counts in ((56, 70), (48, 80)))
    found = proportion(56, 70).minus(proportion(48, 80))
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - np.hypot(0.8 - one.low, other.high - 0.6))
    assert found.high == pytest.approx(0.2 + np.hypot(one.high - 0.8, 0.6 - other.low))


CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=7).map(np.array)


def slow_distribution(chances: np.ndarray) -> np.ndarray:
    """The chance of 0, 1, … N mistakes, summed over every outcome."""
    found = np.zeros(len(chances) + 1)
    for outcome in itertools.product([False, True], repeat=len(chances)):
        found[sum(outcome)] += np.where(outcome, chances, 1 - chances).prod()
    return found


@given(CHANCES, st.data(), st.floats(0.5, 0.99))
def test_calibration_is_refused_where_so_many_or_so_few_mistakes_are_rare(
    chances: np.ndarray, data: st.DataObject, confidence: float
) -> None:
    mistakes = data.draw(st.integers(0, len(chances)))
    found, distribution = excess_mistakes(chances, mistakes, confidence), slow_distribution(chances)
    tail = (1 - confidence) / 2
    at_least, at_most = distribution[mistakes:].sum(), distribution[: mistakes + 1].sum()
    for refused, chance in ((found.low > 1e-9, at_least), (found.high < -1e-9, at_most)):
        assert refused == (chance < tail) or chance == pytest.approx(tail, abs=1e-6)
    assert can_reject(chances, confidence) == (max(distribution[0], distribution[-1]) <= tail)


@pytest.mark.parametrize(
    ("mistakes", "examples", "chance"), [(0, 30, 0.1), (3, 30, 0.1), (30, 30, 0.5), (50, 400, 0.2)]
)
def test_of_equal_chances_it_is_the_interval_of_clopper_and_pearson(
    mistakes: int, examples: int, chance: float
) -> None:
    found = excess_mistakes(np.full(examples, chance), mistakes)
    expected = stats.binomtest(mistakes, examples).proportion_ci()
    assert found.value == pytest.approx(mistakes / examples - chance)
    assert (found.low + chance, found.high + chance) == pytest.approx((expected.low, expected.high), abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array), st.data())
def test_the_interval_holds_its_figure_and_stays_possible(chances: np.ndarray, data: st.DataObject) -> None:
    mistakes = data.draw(st.one_of(st.integers(0, len(chances)), st.floats(0, len(chances))))  # of single passes a part
    found, mean = excess_mistakes(chances, mistakes), chances.mean()
    assert -mean - 1e-9 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1 - mean + 1e-9


@pytest.mark.parametrize("scale", one_in(3, [3, 12, 400]))
def test_beyond_the_exact_test_its_chances_are_right_to_a_thousandth(scale: float) -> None:
    logits = scale * np.random.default_rng(0).normal(size=(2000, 10))
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances = 1 - 1 / weights.sum(axis=1)
    exact, near = intervals._exact_distribution(chances), intervals._approximate_distribution(chances)
    for move in (-0.2, 0.0, 0.1):
        for mistakes in range(0, 2000, 1 + int(chances.sum() / 40)):
            right = exact(mistakes, move)
            if min(right, 1 - right) < 0.05:
                assert near(mistakes, move) == pytest.approx(right, abs=0.001)


def test_a_million_examples_take_a_moment() -> None:
    chances = np.random.default_rng(0).beta(0.2, 4, 10**6)
    started = time.process_time()
    found = excess_mistakes(chances, round(chances.sum() + 3 * np.sqrt((chances * (1 - chances)).sum())))
    assert time.process_time() - started < 1
    assert found.low > 0


@pytest.mark.parametrize("certain", [10, 3000])
def test_one_mistake_refutes_certainty_and_none_does_not(certain: int) -> None:
    assert excess_mistakes(np.zeros(certain), 1).low > 0
    none = excess_mistakes(np.zeros(certain), 0)
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / certain))


@pytest.mark.parametrize("confidence", [0.5, 0.95])
@pytest.mark.parametrize("examples", [1, 7, 400, 3000])
def test_expected_mistakes_are_those_of_many_draws(examples: int, confidence: float) -> None:
    random = np.random.default_rng(0)
    chances = random.beta(1, 6, examples)
    found = expected_mistakes(chances, confidence)
    shares = np.array([(random.random(examples) < chances).mean() for _ in range(2000)])
    assert found.value == pytest.approx(chances.mean())
    held = ((found.low <= shares) & (shares <= found.high)).mean()
    assert held >= confidence - 0.05
    step = 1 / examples
    assert ((found.low + step <= shares) & (shares <= found.high - step)).mean() <= confidence + 0.05, (
        "no wider than that"
    )


def test_sure_predictions_make_the_mistakes_that_they_say() -> None:
    assert vars(expected_mistakes(np.zeros(5))) == {"value": 0, "low": 0, "high": 0}
    assert vars(expected_mistakes(np.ones(5))) == {"value": 1, "low": 1, "high": 1}


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.data())
def test_what_is_found_is_more_than_chance_where_few_orders_find_as_much(
    wanted: list[bool], data: st.DataObject
) -> None:
    inspected = data.draw(st.integers(1, len(wanted)))
    as_many = [sum(order[:inspected]) >= sum(wanted[:inspected]) for order in itertools.permutations(wanted)]
    for confidence in (0.5, 0.8, 0.95):
        assert finds_more_than_chance(np.array(wanted), inspected, confidence) == (
            sum(as_many) / len(as_many) <= 1 - confidence + 1e-12
        )
