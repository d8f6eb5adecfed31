"""Shifts of categories are found by chi-square, several tests are corrected together, and an accuracy is estimated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.verdicts import FALSE, estimated_accuracy, rate
from mcviz.measures.shift import adjust_p_values, compare_categories
from tests.cases import one_in


def test_categories_are_compared_by_chi_square() -> None:
    found = compare_categories(np.repeat(["a", "b"], [60, 40]), np.repeat(["a", "b"], [40, 60]))
    expected = stats.chi2_contingency([[60, 40], [40, 60]], correction=False)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_rare_categories_are_taken_together_and_left_out_where_even_so_they_are_rare() -> None:
    rare = [f"rare {number}" for number in range(12)]
    found = compare_categories(np.array(["a"] * 50 + rare), np.array(["a"] * 50 + rare[:4]))
    expected = stats.chi2_contingency([[50, 12], [50, 4]], correction=False)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert compare_categories(np.array(["a"] * 50 + rare[:3]), np.array(["a"] * 50)).p_value == 1


def test_that_nothing_is_shifted_is_refused_as_seldom_as_it_says() -> None:
    random = np.random.default_rng(0)
    pairs = [[random.choice(9, size=n, p=np.arange(1, 10) / 45) for n in (80, 200)] for _ in range(600)]
    refused = sum(compare_categories(*pair).p_value < 0.05 for pair in pairs)
    assert refused <= stats.binom.isf(1e-4, 600, 0.05)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_corrected_p_values_are_holm_s(values: list[float]) -> None:
    corrected = adjust_p_values(dict(zip(map(str, range(9)), values, strict=False)))
    for level in (0.01, 0.05, 0.5):
        refused = set()
        for step, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):  # step down, as Holm says
            if values[place] * (len(values) - step) > level:
                break
            refused.add(str(place))
        assert {name for name, value in corrected.items() if value <= level} == refused


@pytest.mark.parametrize("examples", one_in(3, [30, 300]))
@pytest.mark.parametrize("temperature", [0.5, 1, 2])
def test_the_accuracy_is_seldom_left_out(examples: int, temperature: float) -> None:
    assert rate(60, estimated_accuracy, examples, 0.9, temperature) <= stats.binom.isf(1e-4, 60, FALSE) / 60
