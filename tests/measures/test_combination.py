"""Conformal p-values against counting, and their harmonic mean against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mcviz.measures.combination import conformal_p_values, harmonic_mean_p

P_VALUES = st.lists(st.floats(1e-4, 1), min_size=2, max_size=5)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.lists(st.integers(-2, 12), min_size=1, max_size=9))
def test_p_is_the_share_that_scores_as_high(reference: list[int], ood_scores: list[int]) -> None:
    found = conformal_p_values(np.array(ood_scores, float), np.array(reference, float))
    expected = [(sum(r >= s for r in reference) + 1) / (len(reference) + 1) for s in ood_scores]
    np.testing.assert_allclose(found, expected)


def test_p_values_of_examples_like_the_reference_are_uniform() -> None:
    random = np.random.default_rng(0)
    found = conformal_p_values(random.normal(size=2000), random.normal(size=2000))
    assert stats.kstest(found, "uniform").statistic < 0.05


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
