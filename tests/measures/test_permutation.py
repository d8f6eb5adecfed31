"""Tests of chance against scipy's exact ones, and against slow loops over all orders."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.verdicts import false_use, rate, true_use
from mcviz.measures import bootstrap
from mcviz.measures.permutation import critical_change, critical_differences, difference, finds_more_than_chance


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
def test_changes_are_beyond_chance_where_scipy_s_exact_test_says_so(confidence: float) -> None:
    for changed in range(25):
        critical = critical_change(changed, confidence)
        for gained in range(changed + 1):
            p_value = stats.binomtest(gained, changed).pvalue if changed else 1.0
            assert (abs(2 * gained - changed) > critical) == (p_value <= 1 - confidence), (gained, changed)


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


def test_an_order_that_knows_nothing_is_seldom_called_useful_and_the_confidence_is() -> None:
    for examples, mean in ((10, 0.6), (100, 0.98), (1000, 0.9)):
        assert rate(400, false_use, examples, mean) * 400 <= stats.binom.isf(1e-4, 400, 0.05)
    assert rate(30, true_use) >= 0.8


def test_rounding_is_no_difference() -> None:
    assert difference(0.1 + 0.2, 0.3) == 0
    assert difference(1.0, 1.25) == 0.25
    assert np.isnan(difference(np.nan, 1.0))


@pytest.mark.parametrize("sizes", [(30_000, 30_000), (30_000, 10_000), (20_000, 40)])
def test_of_very_many_examples_the_critical_difference_is_that_of_all(
    sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    paired = sizes[0] == sizes[1]
    values = np.concatenate([np.random.default_rng(at).gamma(2, size=size) for at, size in enumerate(sizes)])

    def critical(most: int) -> float:
        monkeypatch.setattr(bootstrap, "MOST_DRAWN", most)
        mean_of = lambda chosen: lambda weights: weights @ values[chosen, None] / weights.sum(axis=1, keepdims=True)  # noqa: E731
        return float(critical_differences(mean_of, sizes, paired=paired, resamples=400)[0])

    assert critical(3_000) == pytest.approx(critical(60_000), rel=0.15)
