"""How wrong three ways to predict are, against definitions, scipy and the laws between them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mcviz.measures import RegressionPredictions, regression, regression_scores
from mcviz.measures.intervals import Interval, mean_intervals
from mcviz.measures.quality import REGRESSION, compute_measures
from mcviz.measures.regression import (
    regression_differences,
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


Figures = dict[str, dict[str, Interval]]


def measured(predictions: RegressionPredictions, **options: int) -> tuple[Figures, Figures]:
    """The measures of each predictor, and the ensemble's less those of the others."""
    terms = regression_terms(predictions)
    figures = {name: compute_measures(REGRESSION, each, **options) for name, each in terms.items()}
    ensemble = terms.pop("ensemble")
    return figures, {name: regression_differences(each, ensemble, **options) for name, each in terms.items()}


def values(figures: dict[str, Interval]) -> list[float]:
    return [figures[name].value for name in MEASURES]


def test_every_measure_agrees_with_its_definition() -> None:
    given_ = drawn(0)
    figures, _ = measured(given_, resamples=10)
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

    assert values(figures["deterministic"]) == pytest.approx(single(deterministic, spread), rel=1e-6)
    assert values(figures["single_pass"]) == pytest.approx(single(outputs, variances), rel=1e-6)
    mean = outputs.mean(axis=0)
    total = outputs.var(axis=0) + variances.mean(axis=0)
    assert values(figures["ensemble"])[:3] == pytest.approx(single(mean, total)[:3], rel=1e-6)
    scores = regression_scores(given_)
    assert figures["ensemble"]["crps"].value == pytest.approx(scores["crps"].mean() / 2, rel=1e-5)  # a score sums two
    assert figures["ensemble"]["nll"].value == pytest.approx(scores["nll"].mean() / 2, rel=1e-5)


@pytest.mark.parametrize("variances", [False, True])
def test_differences_are_those_of_the_rows_and_paired(variances: bool) -> None:
    figures, differences = measured(drawn(1, examples=300, variances=variances))
    assert set(differences) == {"single_pass", "deterministic"}
    for predictor, difference in differences.items():
        assert set(difference) == set(figures["ensemble"]) & set(figures[predictor])
        for name in difference:
            found, one, two = (row[name] for row in (difference, figures["ensemble"], figures[predictor]))
            assert found.value == pytest.approx(one.value - two.value)
            for each in (found, one, two):
                assert each.low <= each.value <= each.high
    paired, alone = differences["single_pass"]["rmse"], figures["ensemble"]["rmse"]
    assert paired.high - paired.low < alone.high - alone.low


def test_the_interval_of_an_rmse_is_that_of_its_square_and_of_a_difference_has_its_sign() -> None:
    given_ = drawn(2, examples=300)
    terms, (figures, differences) = regression_terms(given_), measured(given_)
    square, difference = mean_intervals(
        np.stack(
            [
                terms["ensemble"]["squared_error"],
                terms["ensemble"]["squared_error"] - terms["single_pass"]["squared_error"],
            ],
            axis=1,
        )
    )
    found = figures["ensemble"]["rmse"]
    assert (found.low**2, found.high**2) == pytest.approx((square.low, square.high))
    roots, gain = found.value + figures["single_pass"]["rmse"].value, differences["single_pass"]["rmse"]
    assert (gain.low * roots, gain.high * roots) == pytest.approx((difference.low, difference.high))


@pytest.mark.parametrize(("examples", "has_interval"), [(299, False), (300, True)])
def test_an_rmse_has_an_interval_from_300_examples_on(examples: int, has_interval: bool) -> None:
    given_ = drawn(2, examples=examples)
    ensemble = measured(given_, resamples=5)[0]["ensemble"]
    of_all_terms = compute_measures(REGRESSION, REGRESSION.terms(given_), resamples=5)
    for rmse in (ensemble["rmse"], of_all_terms["rmse"]):
        assert rmse.value == pytest.approx(math.sqrt(regression_terms(given_)["ensemble"]["squared_error"].mean()))
        assert (rmse.low < rmse.value < rmse.high) if has_interval else np.isnan([rmse.low, rmse.high]).all()
    assert ensemble["mae"].low < ensemble["mae"].value


def test_one_pass_has_the_rmse_of_the_table() -> None:
    given_ = drawn(3)
    by_pass = np.sqrt(squared_error_per_pass(given_.outputs, given_.labels) / given_.labels.size)
    assert single_pass_rmse(by_pass) == pytest.approx(measured(given_, resamples=5)[0]["single_pass"]["rmse"].value)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 5), st.booleans())
@settings(max_examples=30)
def test_the_ensemble_is_never_worse_than_its_passes_are_in_the_mean(
    seed: int, examples: int, passes: int, variances: bool
) -> None:
    _, differences = measured(drawn(seed, examples, passes, 1, variances=variances), resamples=5)
    for name in ("rmse", "mae", "crps"):
        assert differences["single_pass"][name].value <= 1e-9, name


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 3))
@settings(max_examples=30)
def test_without_variances_the_crps_of_one_pass_is_its_absolute_error(seed: int, passes: int, targets: int) -> None:
    figures, _ = measured(drawn(seed, 7, passes, targets, variances=False), resamples=5)
    for predictor in ("single_pass", "deterministic"):
        assert figures[predictor]["crps"] == figures[predictor]["mae"]
        assert "nll" not in figures[predictor]
    assert ("nll" not in figures["ensemble"]) == (passes == 1)


def test_what_is_not_known_is_left_out() -> None:
    given_ = drawn(0)
    bare = RegressionPredictions(given_.outputs, given_.variances, given_.labels)
    figures, differences = measured(bare, resamples=5)
    assert "deterministic" not in figures
    assert list(differences) == ["single_pass"]
    half = RegressionPredictions(given_.outputs, given_.variances, given_.labels, given_.deterministic_outputs)
    figures, differences = measured(half, resamples=5)
    assert "nll" not in figures["deterministic"]
    assert "nll" not in differences["deterministic"]
    assert "nll" in figures["ensemble"]
    with pytest.raises(ValueError, match="without labels"):
        regression_terms(RegressionPredictions(given_.outputs))


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
    figures, _ = measured(given_, resamples=5)
    by_pass, by_size = squared_error_per_pass(outputs, labels), squared_error_by_ensemble_size(outputs, labels)
    assert math.sqrt(by_pass.mean() / labels.size) == pytest.approx(figures["single_pass"]["rmse"].value)
    assert math.sqrt(by_size[-1] / labels.size) == pytest.approx(figures["ensemble"]["rmse"].value)
    assert by_size[0] == by_pass[0]
    for t in range(6):
        expected = ((outputs[: t + 1].astype(float).mean(axis=0) - labels) ** 2).sum()
        assert by_size[t] == pytest.approx(expected)
