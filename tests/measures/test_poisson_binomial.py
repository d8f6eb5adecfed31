"""The test of the number of mistakes against sums over all outcomes, scipy's binomial test, and what it promises."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mcviz.measures import intervals
from mcviz.measures.intervals import can_reject, excess_mistakes

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


@pytest.mark.parametrize("scale", [3, 12, 100, 400])
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
