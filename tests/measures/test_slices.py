"""Slices that are worse: each z against scipy, sums against a loop, parts and their parents, and what is promised."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.slices import BEHIND, BETWEEN, IN_GROUPS, NOTHING, PLANTED, is_first, rate
from mcviz.measures.slices import (
    FEWEST_IN_GROUP,
    Scan,
    calibration_z,
    change_z,
    error_z,
    excess_z,
    fewest_mistakes,
    make_partitions,
    mistakes_z,
    paired_z,
    scan_slices,
)

PAIRS = {("class", "site"), ("site", "other"), ("class", "other")}
COUNTS = st.tuples(st.integers(20, 500), st.floats(0.01, 0.99))


def arrays(*numbers: float) -> tuple[np.ndarray, ...]:
    return tuple(np.array([float(each)]) for each in numbers)


@given(one=COUNTS, other=COUNTS)
def test_mistakes_are_compared_by_the_g_test(one: tuple[int, float], other: tuple[int, float]) -> None:
    (count, mistakes), (others, theirs) = ((size, round(size * share)) for size, share in (one, other))
    (z,) = mistakes_z(arrays(count, mistakes), arrays(count + others, mistakes + theirs))
    assert np.sign(z) == np.sign(mistakes * others - theirs * count)
    if 0 < mistakes + theirs < count + others:
        table = [[mistakes, count - mistakes], [theirs, others - theirs]]
        g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
        assert z**2 == pytest.approx(g, abs=1e-6)


@given(mistakes=st.tuples(st.integers(1, 50), st.integers(1, 500)), expected=st.tuples(*2 * [st.floats(0.1, 500)]))
def test_calibration_is_compared_by_the_likelihoods_of_poisson_counts(
    mistakes: tuple[int, int], expected: tuple[float, float]
) -> None:
    def log_likelihood(*factors: float) -> float:
        means = np.multiply(factors, expected)
        return float(stats.poisson.logpmf(mistakes, means).sum())

    each, same = np.divide(mistakes, expected), sum(mistakes) / sum(expected)
    (z,) = calibration_z(arrays(100, mistakes[0], expected[0]), arrays(200, sum(mistakes), sum(expected)))
    assert z**2 == pytest.approx(2 * (log_likelihood(*each) - log_likelihood(same, same)), abs=1e-6)
    assert np.sign(z) == np.sign(mistakes[0] * expected[1] - mistakes[1] * expected[0])


@given(mistakes=st.integers(0, 50), expected=st.floats(0.1, 500))
def test_calibration_alone_is_held_against_the_mistakes_that_are_expected(mistakes: int, expected: float) -> None:
    (z,) = excess_z(arrays(100, mistakes, expected))
    best, given = (float(stats.poisson.logpmf(mistakes, mean)) for mean in (mistakes, expected))
    assert z**2 == pytest.approx(2 * (best - given), abs=1e-6)
    assert np.sign(z) == np.sign(mistakes - expected)


@given(seed=st.integers(0, 10**6), sizes=st.tuples(*2 * [st.integers(20, 100)]), times=st.floats(0.2, 5))
def test_errors_are_compared_by_the_likelihoods_of_exponential_ones(
    seed: int, sizes: tuple[int, int], times: float
) -> None:
    random = np.random.default_rng(seed)
    one, other = times * random.exponential(size=sizes[0]), random.exponential(size=sizes[1])
    both = np.concatenate([one, other])
    likelihoods = [stats.expon.logpdf(each, scale=each.mean()).sum() for each in (one, other, both)]
    sums = [arrays(len(each), each.sum()) for each in (one, both)]
    (z,) = error_z(2.0)(*sums)
    assert z**2 * 2 == pytest.approx(2 * (likelihoods[0] + likelihoods[1] - likelihoods[2]), abs=1e-6)
    assert np.sign(z) == np.sign(one.mean() - other.mean())


def test_two_models_are_compared_by_mcnemar_s_test() -> None:
    (z,) = paired_z(arrays(300, 24 - 5, 24 + 5))
    assert z == pytest.approx((24 - 5) / np.sqrt(24 + 5))


@given(seed=st.integers(0, 10**6), size=st.integers(20, 100), loss=st.floats(-1, 1))
def test_the_change_of_a_slice_is_held_against_that_of_the_rest(seed: int, size: int, loss: float) -> None:
    """By Welch's statistic, but with squares around the mean of all examples."""
    worse = np.random.default_rng(seed).normal(loss, 1, 300)
    inside, rest = worse[:size], worse[size:]
    squares = [np.square(each - worse.mean()).sum() / len(each) ** 2 for each in (inside, rest)]
    sums = [arrays(len(each), each.sum(), np.square(each).sum()) for each in (inside, worse)]
    assert change_z(*sums) == pytest.approx((inside.mean() - rest.mean()) / np.sqrt(sum(squares)))


@given(seed=st.integers(0, 10**6), groups=st.integers(2, 8))
def test_slices_are_those_of_a_slow_loop(seed: int, groups: int) -> None:
    random = np.random.default_rng(seed)
    columns = {"one": random.integers(-1, groups, 150), "other": random.integers(3, size=150)}
    terms, found = random.random((150, 2)), {}
    for partition in make_partitions(columns, [("one", "other")]):
        sums = partition.sums(terms)
        found |= {key: (size, *each) for key, size, each in zip(partition.keys, partition.sizes, sums, strict=True)}
    slow = {}
    for keys in [
        *[((name, group),) for name in columns for group in range(max(groups, 3))],
        *[(("one", a), ("other", b)) for a in range(groups) for b in range(3)],
    ]:
        within = np.all([columns[name] == group for name, group in keys], axis=0)
        if FEWEST_IN_GROUP <= within.sum() <= 75:
            slow[keys] = (within.sum(), *terms[within].sum(axis=0))
    assert found.keys() == slow.keys()
    for key, expected in slow.items():
        np.testing.assert_allclose(found[key], expected)


@given(seed=st.integers(0, 10**6), classes=st.integers(1, 5))
def test_slices_of_an_example_s_several_classes_are_those_of_a_slow_loop(seed: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    columns = {"class": random.random((150, classes)) < 0.3, "site": random.integers(-1, 3, 150)}
    columns["other"] = random.random((150, 2)) < 0.5
    terms, found = random.random((150, 2)), {}
    for partition in make_partitions(columns, PAIRS):
        sums = partition.sums(terms)
        found |= {key: (size, *each) for key, size, each in zip(partition.keys, partition.sizes, sums, strict=True)}
    within = {("class", group): columns["class"][:, group] for group in range(classes)}
    within |= {("other", group): columns["other"][:, group] for group in range(2)}
    within |= {("site", group): columns["site"] == group for group in range(3)}
    slow = {}
    for keys in [(one,) for one in within] + [
        (one, other) for one, other in product(within, within) if (one[0], other[0]) in PAIRS
    ]:
        examples = np.all([within[key] for key in keys], axis=0)
        if FEWEST_IN_GROUP <= examples.sum() <= 75:
            slow[keys] = (examples.sum(), *terms[examples].sum(axis=0))
    assert found.keys() == slow.keys()
    for key, expected in slow.items():
        np.testing.assert_allclose(found[key], expected)


@pytest.mark.parametrize(
    ("in_pair", "in_parent", "named"),
    [(0.3, 0.3, [(("one", 1),)]), (0.9, 0.02, [(("one", 1), ("other", 2))])],
)
def test_a_slice_of_two_columns_stands_for_one_of_one_column_where_it_is_worse_than_its_rest(
    in_pair: float, in_parent: float, named: list[tuple[tuple[str, int], ...]]
) -> None:
    examples = np.arange(2400)
    columns = {"one": examples % 6, "other": examples // 6 % 4}
    share = np.where(columns["one"] == 1, np.where(columns["other"] == 2, in_pair, in_parent), 0.02)
    mistakes = (examples // 24 / 100) % 1 < share  # the share of each cell, exactly
    partitions = make_partitions(columns, [("one", "other")])
    scans = {"mistakes": Scan(mistakes_z, 0.05)}
    found = scan_slices(mistakes[None].astype(float), partitions, scans)["mistakes"]
    assert [each.key for each in found.slices] == named
    assert found.count == 6 + 4 + 24


@given(size=st.integers(20, 200), mistakes=st.integers(0, 100), threshold=st.floats(0.5, 5))
def test_the_fewest_mistakes_are_those_of_a_slow_loop(size: int, mistakes: int, threshold: float) -> None:
    fits = (
        each
        for each in range(min(size, mistakes) + 1)
        if mistakes_z(arrays(size, each), arrays(400, mistakes)) > threshold
    )
    assert fewest_mistakes(size, 400, mistakes, threshold) == next(fits, None)


def most_by_chance(draws: int) -> float:
    return float(stats.binom.isf(1e-4, draws, 0.05) / draws)


@pytest.mark.slow
def test_where_nothing_is_to_be_found_seldom_a_slice_is_named() -> None:
    for _, _, once in (*NOTHING, *BETWEEN, IN_GROUPS[1]):
        assert rate(20, once, 200) <= most_by_chance(20)


@pytest.mark.slow
@pytest.mark.parametrize("once", [once for _, _, once in (*NOTHING, *BETWEEN, *IN_GROUPS)])
def test_a_slice_is_named_in_one_of_twenty_draws_at_most(once: object) -> None:
    assert rate(60, once, 500) <= most_by_chance(60)


@pytest.mark.slow
def test_behind_a_slice_that_is_worse_seldom_an_unrelated_part_of_it_is_named() -> None:
    ((_, examples, once),) = BEHIND
    assert rate(60, once, examples) <= most_by_chance(60)


@pytest.mark.slow
@pytest.mark.parametrize(("once", "key"), [(once, key) for _, once, key in PLANTED])
def test_a_slice_that_is_worse_is_found_first(once: object, key: object) -> None:
    assert rate(5, is_first, 10_000, once, key) >= 0.8


def test_of_a_slice_of_three_percent_a_rise_of_mistakes_from_1_to_8_percent_is_found() -> None:
    (_, once, key), *_ = PLANTED
    assert is_first(np.random.default_rng(0), 10_000, once, key)
