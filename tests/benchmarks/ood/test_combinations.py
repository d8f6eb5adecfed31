"""Combinations of two detectors: what they are made of, and what two ways to combine p-values make of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.ood.combinations import COMBINE, DISTANCES, UNCERTAINTIES, combined
from benchmarks.ood.detectors import COMBINATIONS, FITTED

P_VALUES = st.lists(st.floats(1e-4, 1), min_size=2, max_size=5)


@given(P_VALUES)
def test_fisher_s_is_the_chance_of_so_large_a_sum_of_logarithms(values: list[float]) -> None:
    expected = stats.chi2.sf(-2 * np.log(values).sum(), 2 * len(values))
    assert COMBINE["fisher"](np.array(values)[:, None])[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("way", COMBINE)
@given(P_VALUES, st.data())
def test_more_evidence_never_speaks_for_an_example(way: str, values: list[float], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(values) - 1))
    column, stronger = np.array(values)[:, None], np.array(values)[:, None].copy()
    stronger[at] /= 2
    assert COMBINE[way](stronger)[0] <= COMBINE[way](column)[0] + 1e-12


def test_by_fisher_s_full_confidence_makes_up_for_what_is_farther_out_than_all_that_is_known() -> None:
    far_but_confident = np.array([[1 / 101], [1.0]])
    assert COMBINE["harmonic"](far_but_confident)[0] < 0.05 < COMBINE["fisher"](far_but_confident)[0]


def test_every_uncertainty_is_combined_with_every_distance() -> None:
    random = np.random.default_rng(0)
    names = (*UNCERTAINTIES, *DISTANCES)
    reference = {name: random.normal(size=100) for name in names}
    found = combined({name: np.array([-9.0, 9.0]) for name in names}, reference)
    assert set(found) == {name for name, (_, family) in FITTED.items() if family == COMBINATIONS}
    for values in found.values():
        assert values[0] == pytest.approx(0, abs=1e-9)
        assert values[1] > 1.9
