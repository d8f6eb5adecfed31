"""How wrong three ways to predict are, against definitions, scipy and the laws between them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mcviz.measures import RegressionPredictions, regression, regression_scores
from mcviz.measures.intervals import mean_intervals
from mcviz.measures.quality import REGRESSION, compute_measures
from mcviz.measures.regression import (
    RegressionMeasures,
    regression_table,
    regression_terms,
    single_pass_rmse,
    squared_error_by_ensemble_size,
    squared_error_per_pass,
)

MEASURES = ("rmse", "mae", "nll", "crps")


def drawn(seed: int, examples: int = 40, passes: int = 6, targets: int = 2, *, variances: bool = True):
    random = np.random.default_rng(seed)
    shape = (examples, targets)
    return RegressionPredictions(
        random.normal(size=(passes, *shape)).astype(np.float32),
        (random.gamma(2, size=(passes, *shape)) + 0.1).astype(np.float32) if variances else None,
        random.normal(size=shape).astype(np.float32),
        random.normal(size=shape).astype(np.float32),
        (random.gamma(2, size=shape) + 0.1).astype(np.float32) if variances else None,
    )


def values(measures: RegressionMeasures) -> list[float]:
    return [getattr(measures, name).value for name in MEASURES]


def test_every_measure_agrees_with_its_definition() -> None:
    given_ = drawn(0)
    table = regression_table(given_, resamples=10)
    labels, outputs, variances = (np.asarray(a, float) for a in (given_.labels, given_.outputs, given_.variances))
    deterministic, spread = given_.deterministic_outputs.astype(float), given_.deterministic_variances.astype(float)

    def slow_crps(mean: float, variance: float, label: float) -> float:
        std = math.sqrt(variance)
        z = (label - mean) / std
        return std * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / math.sqrt(math.pi))

    def single(means: np.ndarray, spreads: np.ndarray) -> list[float]:
        errors = means - labels
        crps = np.vectorize(slow_crps)(means, spreads, labels).mean()
        nll = -stats.norm.logpdf(labels, means, np.sqrt(spreads)).mean()
        return [math.sqrt(np.square(errors).mean()), np.abs(errors).mean(), nll, crps]

    assert values(table.deterministic) == pytest.approx(single(deterministic, spread), rel=1e-6)
    assert values(table.single_pass) == pytest.approx(single(outputs, variances), rel=1e-6)
    mean = outputs.mean(axis=0)
    total = outputs.var(axis=0) + variances.mean(axis=0)
    assert values(table.ensemble)[:3] == pytest.approx(single(mean, total)[:3], rel=1e-6)
    scores = regression_scores(given_)
    assert table.ensemble.crps.value == pytest.approx(scores["crps"].mean() / 2, rel=1e-5)  # a score sums two targets
    assert table.ensemble.nll.value == pytest.approx(scores["nll"].mean() / 2, rel=1e-5)


@pytest.mark.parametrize("variances", [False, True])
def test_differences_are_those_of_the_rows_and_paired(variances: bool) -> None:
    table = regression_table(drawn(1, examples=300, variances=variances))
    pairs = ((table.over_single_pass, table.single_pass), (table.over_deterministic, table.deterministic))
    for difference, other in pairs:
        for name in MEASURES:
            found, one, two = (getattr(row, name) for row in (difference, table.ensemble, other))
            if one is None or two is None:
                assert found is None
                continue
            assert found.value == pytest.approx(one.value - two.value)
            for each in (found, one, two):
                assert each.low <= each.value <= each.high
    rmse = table.over_single_pass.rmse
    assert rmse.high - rmse.low < table.ensemble.rmse.high - table.ensemble.rmse.low


def test_the_interval_of_an_rmse_is_that_of_its_square_and_of_a_difference_has_its_sign() -> None:
    given_ = drawn(2, examples=300)
    terms, table = regression_terms(given_), regression_table(given_)
    square, difference = mean_intervals(
        np.stack(
            [
                terms["ensemble"]["squared_error"],
                terms["ensemble"]["squared_error"] - terms["single_pass"]["squared_error"],
            ],
            axis=1,
        )
    )
    found = table.ensemble.rmse
    assert (found.low**2, found.high**2) == pytest.approx((square.low, square.high))
    roots = table.ensemble.rmse.value + table.single_pass.rmse.value
    gain = table.over_single_pass.rmse
    assert (gain.low * roots, gain.high * roots) == pytest.approx((difference.low, difference.high))


@pytest.mark.parametrize(("examples", "has_interval"), [(299, False), (300, True)])
def test_an_rmse_has_an_interval_from_300_examples_on(examples: int, has_interval: bool) -> None:
    given_ = drawn(2, examples=examples)
    ensemble = regression_table(given_, resamples=5).ensemble
    of_quality = compute_measures(REGRESSION, REGRESSION.terms(given_), resamples=5)[REGRESSION.place["rmse"]]
    for rmse in (ensemble.rmse, of_quality):
        assert rmse.value == pytest.approx(math.sqrt(regression_terms(given_)["ensemble"]["squared_error"].mean()))
        assert (rmse.low < rmse.value < rmse.high) if has_interval else np.isnan([rmse.low, rmse.high]).all()
    assert ensemble.mae.low < ensemble.mae.value


def test_one_pass_has_the_rmse_of_the_table() -> None:
    given_ = drawn(3)
    by_pass = np.sqrt(squared_error_per_pass(given_.outputs, given_.labels) / given_.labels.size)
    assert single_pass_rmse(by_pass) == pytest.approx(regression_table(given_, resamples=5).single_pass.rmse.value)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 5), st.booleans())
@settings(max_examples=30)
def test_the_ensemble_is_never_worse_than_its_passes_are_in_the_mean(
    seed: int, examples: int, passes: int, variances: bool
) -> None:
    table = regression_table(drawn(seed, examples, passes, 1, variances=variances), resamples=5)
    for name in ("rmse", "mae", "crps"):
        assert getattr(table.over_single_pass, name).value <= 1e-9, name


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 3))
@settings(max_examples=30)
def test_without_variances_the_crps_of_one_pass_is_its_absolute_error(seed: int, passes: int, targets: int) -> None:
    table = regression_table(drawn(seed, 7, passes, targets, variances=False), resamples=5)
    assert table.single_pass.crps == table.single_pass.mae
    assert table.deterministic.crps == table.deterministic.mae
    assert table.single_pass.nll is table.deterministic.nll is None
    assert (table.ensemble.nll is None) == (passes == 1)


def test_what_is_not_known_is_left_out() -> None:
    given_ = drawn(0)
    bare = RegressionPredictions(given_.outputs, given_.variances, given_.labels)
    assert regression_table(bare, resamples=5).deterministic is None
    assert regression_table(bare, resamples=5).over_deterministic is None
    half = RegressionPredictions(given_.outputs, given_.variances, given_.labels, given_.deterministic_outputs)
    table = regression_table(half, resamples=5)
    assert table.deterministic.nll is table.over_deterministic.nll is None
    assert table.ensemble.nll is not None
    with pytest.raises(ValueError, match="without labels"):
        regression_table(RegressionPredictions(given_.outputs))


def test_blocks_of_examples_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    given_ = drawn(0)
    whole = regression_terms(given_)
    monkeypatch.setattr(regression, "BLOCK_EXAMPLES", 7)
    for row, terms in regression_terms(given_).items():
        for name, found in terms.items():
            assert found.shape == (40,)
            np.testing.assert_allclose(found, whole[row][name], rtol=1e-6, err_msg=name)


def test_squared_errors_add_up_over_blocks_and_agree_with_the_table() -> None:
    given_ = drawn(0)
    outputs, labels = given_.outputs, given_.labels
    for function in (squared_error_per_pass, squared_error_by_ensemble_size):
        whole = function(outputs, labels)
        assert whole.shape == (6,)
        assert whole.dtype == np.float64
        parts = function(outputs[:, :15], labels[:15]) + function(outputs[:, 15:], labels[15:])
        np.testing.assert_allclose(parts, whole, rtol=1e-12)
    table = regression_table(given_, resamples=5)
    by_pass, by_size = squared_error_per_pass(outputs, labels), squared_error_by_ensemble_size(outputs, labels)
    assert math.sqrt(by_pass.mean() / labels.size) == pytest.approx(table.single_pass.rmse.value)
    assert math.sqrt(by_size[-1] / labels.size) == pytest.approx(table.ensemble.rmse.value)
    assert by_size[0] == by_pass[0]
    for t in range(6):
        expected = ((outputs[: t + 1].astype(float).mean(axis=0) - labels) ** 2).sum()
        assert by_size[t] == pytest.approx(expected)
