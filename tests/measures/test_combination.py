"""The harmonic mean of p-values against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mcviz.measures.combination import harmonic_mean_p

P_VALUES = st.lists(st.floats(1e-4, 1), min_size=2, max_size=5)


@given(P_VALUES)
def test_the_harmonic_mean_agrees_with_scipy_and_lies_between_the_ends(values: list[float]) -> None:
    column = np.array(values)[:, None]
    assert harmonic_mean_p(column)[0] == pytest.approx(stats.hmean(values))
    assert min(values) - 1e-12 <= harmonic_mean_p(column)[0] <= max(values) + 1e-12


@given(P_VALUES, st.data())
def test_more_evidence_never_speaks_for_an_example(values: list[float], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(values) - 1))
    column, stronger = np.array(values)[:, None], np.array(values)[:, None].copy()
    stronger[at] /= 2
    assert harmonic_mean_p(stronger)[0] <= harmonic_mean_p(column)[0] + 1e-12


def test_full_confidence_cannot_make_up_for_what_is_farther_out_than_all_that_is_known() -> None:
    assert harmonic_mean_p(np.array([[1 / 101], [1.0]]))[0] < 0.05
