"""Two rankings are held against each other as other libraries and a count by hand do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from mcviz.measures.ranking import first_in_both, rank_correlation


def order_of(values: np.ndarray) -> np.ndarray:
    return np.argsort(-values, kind="stable")


def test_by_hand() -> None:
    first, again = np.array([9.0, 8, 7, 6, 5]), np.array([8.0, 9, 5, 6, 7])
    kept = {size: first_in_both(order_of(first), order_of(again), size) for size in (1, 2, 3, 5)}
    assert kept == {1: 0, 2: 2, 3: 2, 5: 5}
    assert rank_correlation(first, again) == pytest.approx(1 - 6 * (1 + 1 + 4 + 0 + 4) / (5 * 24))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=40))
def test_the_correlation_is_scipy_s_also_with_ties(pairs: list[tuple[int, int]]) -> None:
    first, again = np.array(pairs, float).T
    found = rank_correlation(first, again)
    if np.ptp(first) == 0 or np.ptp(again) == 0:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(first, again).statistic)


@given(st.lists(st.floats(-9, 9), min_size=3, max_size=40, unique=True), st.integers(1, 3))
def test_a_ranking_agrees_with_itself_and_not_with_its_reverse(values: list[float], size: int) -> None:
    first = np.array(values)
    assert first_in_both(order_of(first), order_of(first), size) == size
    assert rank_correlation(first, first) == pytest.approx(1)
    assert rank_correlation(first, -first) == pytest.approx(-1)


def test_rankings_of_other_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="of the same examples"):
        rank_correlation(np.zeros(3), np.zeros(2))
