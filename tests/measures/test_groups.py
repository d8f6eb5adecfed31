"""Groups that fare worse: each test against scipy's, the rule over all of them by hand, and what both promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.verdicts import FOUND, false_groups, rate, true_groups
from mcviz.measures.calibration import CalibrationTerms
from mcviz.measures.groups import FEWEST_IN_GROUP, group_tests


def made(correct: np.ndarray, confidence: np.ndarray) -> CalibrationTerms:
    zeros = np.zeros(len(correct))
    return CalibrationTerms(correct[:, None], confidence[:, None], zeros, zeros)


@given(seed=st.integers(0, 10**6), examples=st.integers(40, 200), right=st.floats(0.2, 1))
def test_each_test_is_that_of_its_table_and_of_its_chances(seed: int, examples: int, right: float) -> None:
    random = np.random.default_rng(seed)
    correct, members = random.random(examples) < right, random.integers(2, size=examples)
    of = made(correct, np.full(examples, 0.8))
    for test in group_tests(of, {"own": members}):
        within = members == test.group
        assert test.examples == within.sum() >= FEWEST_IN_GROUP
        wrong, size = int((~correct[within]).sum()), int(within.sum())
        if test.measure == "accuracy":
            table = [[wrong, size - wrong], [(~correct[~within]).sum(), correct[~within].sum()]]
            assert test.p_value == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)
            assert (test.value, test.of_rest) == pytest.approx((correct[within].mean(), correct[~within].mean()))
        else:
            less, more = (stats.binomtest(wrong, size, 0.2, alternative=side).pvalue for side in ("less", "greater"))
            assert test.p_value == pytest.approx(min(1, 2 * min(less, more)), abs=1e-12)
            assert test.value == pytest.approx(0.8 - correct[within].mean())


@given(seed=st.integers(0, 10**6), confidence=st.floats(0.5, 0.99))
def test_the_smallest_p_values_are_refused_one_after_the_other(seed: int, confidence: float) -> None:
    random = np.random.default_rng(seed)
    columns = {name: random.integers(4, size=400) for name in ("one", "other")}
    correct = random.random(400) < np.where(columns["one"] == 0, 0.8, 0.9)
    found = group_tests(made(correct, np.full(400, 0.88)), columns, ("other",), confidence)
    assert {test.measure for test in found if test.column == "other"} == {"accuracy"}
    p_values = [test.p_value for test in found]
    assert p_values == sorted(p_values)
    first_kept = next(
        (at for at, p in enumerate(p_values) if p > (1 - confidence) / (len(p_values) - at)), len(p_values)
    )
    assert [test.is_beyond_chance for test in found] == [at < first_kept for at in range(len(found))]


def test_groups_that_are_small_or_all_examples_are_not_looked_at() -> None:
    correct = np.arange(100) % 7 > 0
    assert group_tests(made(correct, np.full(100, 0.9)), {"same": np.zeros(100, int)}) == []
    few = np.where(np.arange(100) < FEWEST_IN_GROUP - 1, 1, 0)
    assert {test.group for test in group_tests(made(correct, np.full(100, 0.9)), {"few": few})} == {0}


def test_groups_that_are_alike_are_seldom_named_and_one_that_is_worse_is() -> None:
    for examples, mean in ((100, 0.9), (300, 0.98), (1000, 0.6)):
        assert rate(100, false_groups, examples, mean) * 100 <= stats.binom.isf(1e-4, 100, 0.05)
    assert min(rate(30, true_groups)) >= FOUND
