"""Scores and errors of a regression against definitions, closed forms, numerical integration, scipy and their laws."""

import math
from dataclasses import astuple, replace
from statistics import fmean, pvariance

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from mcviz import measures
from mcviz.measures import REGRESSION_SCORES, RegressionPredictions, regression, regression_scores
from mcviz.measures.intervals import Interval, mean_intervals
from mcviz.measures.quality import REGRESSION, compute_measures, difference_intervals
from mcviz.measures.regression import (
    crps,
    empirical_crps,
    gaussian_nll,
    mixture_crps,
    regression_terms,
    single_pass_rmse,
    squared_error_by_ensemble_size,
    squared_error_per_pass,
)

MEASURES = ("rmse", "mae", "nll", "crps")


def draw_predictions(seed: int, examples: int = 40, passes: int = 6, targets: int = 2, *, variances: bool = True):
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


def measured(predictions: RegressionPredictions, **options: float) -> tuple[Figures, Figures]:
    """The measures of each predictor, and the ensemble's less those of the others."""
    terms = regression_terms(predictions)
    figures = {name: compute_measures(REGRESSION, each, **options) for name, each in terms.items()}
    ensemble = terms.pop("ensemble")
    options = {"confidence": 0.95, "resamples": 1000, "seed": 0} | options
    names = [measure.name for measure in REGRESSION.measures]
    return figures, {
        name: difference_intervals(REGRESSION, each, ensemble, names, **options) for name, each in terms.items()
    }


def values(figures: dict[str, Interval]) -> list[float]:
    return [figures[name].value for name in MEASURES]


def test_every_measure_agrees_with_its_definition() -> None:
    predictions = draw_predictions(0)
    figures, _ = measured(predictions, resamples=10)
    labels, outputs, variances = (
        np.asarray(a, float) for a in (predictions.labels, predictions.outputs, predictions.variances)
    )
    deterministic, spread = (
        predictions.deterministic_outputs.astype(float),
        predictions.deterministic_variances.astype(float),
    )

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
    scores = regression_scores(predictions)
    assert figures["ensemble"]["crps"].value == pytest.approx(scores["crps"].mean() / 2, rel=1e-5)  # a score sums two
    assert figures["ensemble"]["nll"].value == pytest.approx(scores["nll"].mean() / 2, rel=1e-5)


@pytest.mark.parametrize("variances", [False, True])
def test_differences_are_those_of_the_rows_and_paired(variances: bool) -> None:
    figures, differences = measured(draw_predictions(1, examples=1000, variances=variances))
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
    predictions = draw_predictions(2, examples=300)
    terms, (figures, differences) = regression_terms(predictions), measured(predictions)
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
def test_errors_have_an_interval_from_300_examples_on(examples: int, has_interval: bool) -> None:
    predictions = draw_predictions(2, examples=examples)
    ensemble = measured(predictions, resamples=5)[0]["ensemble"]
    of_all_terms = compute_measures(REGRESSION, REGRESSION.terms(predictions), resamples=5)
    for rmse in (ensemble["rmse"], of_all_terms["rmse"]):
        assert rmse.value == pytest.approx(math.sqrt(regression_terms(predictions)["ensemble"]["squared_error"].mean()))
        assert (rmse.low < rmse.value < rmse.high) if has_interval else np.isnan([rmse.low, rmse.high]).all()
    assert np.isnan(ensemble["mae"].low) != has_interval


@pytest.mark.parametrize(("large", "has_interval"), [(3, False), (30, True)])
def test_a_difference_that_few_examples_make_has_no_interval(large: int, has_interval: bool) -> None:
    predictions = draw_predictions(2, examples=400)
    one = REGRESSION.terms(predictions)
    worse = np.where(np.arange(400) < large, 50.0, 0.01)[:, None]
    other = REGRESSION.terms(replace(predictions, outputs=predictions.outputs + worse))
    for name, found in difference_intervals(
        REGRESSION, one, other, ("rmse", "mae", "crps"), confidence=0.95, resamples=20, seed=0
    ).items():
        assert np.isnan(found.low) != has_interval, name


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 5), st.booleans())
@settings(max_examples=30)
def test_the_ensemble_is_never_worse_than_its_passes_are_in_the_mean(
    seed: int, examples: int, passes: int, variances: bool
) -> None:
    _, differences = measured(draw_predictions(seed, examples, passes, 1, variances=variances), resamples=5)
    for name in ("rmse", "mae", "crps"):
        assert differences["single_pass"][name].value <= 1e-9, name


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 3))
@settings(max_examples=30)
def test_without_variances_the_crps_of_one_pass_is_its_absolute_error(seed: int, passes: int, targets: int) -> None:
    figures, _ = measured(draw_predictions(seed, 7, passes, targets, variances=False), resamples=5)
    for predictor in ("single_pass", "deterministic"):
        np.testing.assert_equal(astuple(figures[predictor]["crps"]), astuple(figures[predictor]["mae"]))
        assert "nll" not in figures[predictor]
    assert ("nll" not in figures["ensemble"]) == (passes == 1)


def test_what_is_not_known_is_left_out() -> None:
    predictions = draw_predictions(0)
    bare = RegressionPredictions(predictions.outputs, predictions.variances, predictions.labels)
    figures, differences = measured(bare, resamples=5)
    assert "deterministic" not in figures
    assert list(differences) == ["single_pass"]
    half = RegressionPredictions(
        predictions.outputs, predictions.variances, predictions.labels, predictions.deterministic_outputs
    )
    figures, differences = measured(half, resamples=5)
    assert "nll" not in figures["deterministic"]
    assert "nll" not in differences["deterministic"]
    assert "nll" in figures["ensemble"]
    with pytest.raises(ValueError, match="without labels"):
        regression_terms(RegressionPredictions(predictions.outputs))


def test_blocks_of_examples_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    predictions = draw_predictions(0)
    whole = regression_terms(predictions)
    monkeypatch.setattr(regression, "BLOCK_EXAMPLES", 7)
    for row, terms in regression_terms(predictions).items():
        for name, found in terms.items():
            assert found.shape == (40,)
            np.testing.assert_allclose(found, whole[row][name], rtol=1e-6, err_msg=name)


def test_squared_errors_of_passes_and_of_their_first_ones_are_sums_that_agree_with_the_measures() -> None:
    predictions = draw_predictions(0)
    outputs, labels = predictions.outputs, predictions.labels
    figures, _ = measured(predictions, resamples=5)
    by_pass, by_size = squared_error_per_pass(outputs, labels), squared_error_by_ensemble_size(outputs, labels)
    assert by_pass.dtype == by_size.dtype == np.float64
    assert by_pass.tolist() == pytest.approx([((each - labels.astype(float)) ** 2).sum() for each in outputs])
    assert by_size.tolist() == pytest.approx(
        [((outputs[:size].astype(float).mean(axis=0) - labels) ** 2).sum() for size in range(1, 7)]
    )
    assert single_pass_rmse(np.sqrt(by_pass / labels.size)) == pytest.approx(figures["single_pass"]["rmse"].value)
    assert math.sqrt(by_size[-1] / labels.size) == pytest.approx(figures["ensemble"]["rmse"].value)


SHAPES = st.tuples(st.integers(2, 7), st.integers(1, 3), st.integers(1, 3))
VALUES = st.floats(-8, 8, width=32).map(lambda x: round(x, 2))


@st.composite
def small_predictions(draw: st.DrawFn) -> RegressionPredictions:
    shape = draw(SHAPES)
    return RegressionPredictions(
        draw(arrays(np.float32, shape, elements=VALUES)),
        draw(arrays(np.float32, shape, elements=st.floats(0.25, 4, width=32))),
        draw(arrays(np.float32, shape[1:], elements=VALUES)),
    )


def slow_scores(passes: list[list[float]], variances: list[list[float]], label: list[float]) -> dict[str, float]:
    """The scores of one example, target by target from their definitions; of the CRPS, that of the bare passes."""
    targets = [list(values) for values in zip(*passes, strict=True)]
    epistemic = [pvariance(values) for values in targets]
    aleatoric = [fmean(values) for values in zip(*variances, strict=True)]
    totals = [e + a for e, a in zip(epistemic, aleatoric, strict=True)]
    errors = [fmean(values) - y for values, y in zip(targets, label, strict=True)]
    pairs = [fmean(abs(a - b) for a in values for b in values) for values in targets]
    return {
        "predictive_std": math.sqrt(math.fsum(epistemic)),
        "aleatoric_std": math.sqrt(math.fsum(aleatoric)),
        "total_std": math.sqrt(math.fsum(totals)),
        "absolute_error": math.hypot(*errors),
        "nll": math.fsum(-stats.norm.logpdf(e, scale=math.sqrt(v)) for e, v in zip(errors, totals, strict=True)),
        "crps": math.fsum(
            fmean(abs(x - y) for x in values) - pair / 2 for values, y, pair in zip(targets, label, pairs, strict=True)
        ),
    }


@given(small_predictions())
def test_every_score_agrees_with_its_definition(predictions: RegressionPredictions) -> None:
    found = measures.regression_scores(predictions)
    assert list(found) == list(REGRESSION_SCORES)
    found["crps"] = crps(predictions.outputs, predictions.labels)
    for example in range(predictions.outputs.shape[1]):
        passes, variances = (a[:, example].astype(float).tolist() for a in (predictions.outputs, predictions.variances))
        expected = slow_scores(passes, variances, predictions.labels[example].astype(float).tolist())
        for name, value in expected.items():
            assert found[name][example] == pytest.approx(value, rel=1e-5, abs=1e-5), name


@pytest.mark.parametrize("seed", range(4))
def test_the_crps_of_a_mixture_is_the_integral_of_its_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    means, variances, label = random.normal(0, 3, 6), random.gamma(1, 2, 6) + 0.01, random.normal(0, 4)

    def squared_distance(x: float) -> float:
        return (stats.norm.cdf(x, means, np.sqrt(variances)).mean() - (x >= label)) ** 2

    expected, _ = integrate.quad(squared_distance, -60, 60, points=[label, *means], limit=500)
    assert mixture_crps(means, variances, np.array(label)) == pytest.approx(expected, rel=1e-6)


def test_the_two_ways_to_the_crps_of_a_mixture_agree_also_within_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    means, labels = random.normal(size=(60, 20, 2)), random.normal(size=(20, 2))
    variances = random.gamma(20, 1 / 20, size=means.shape)
    variances[:, ::3] *= 1e-4  # of these examples, narrow components far apart
    mixed = mixture_crps(means, variances, labels)
    each = [mixture_crps(means[:, [i]], variances[:, [i]], labels[[i]])[0] for i in range(20)]
    np.testing.assert_allclose(mixed, each, rtol=1e-7)
    monkeypatch.setattr(regression, "NODES_PER_STD", 1e9)
    np.testing.assert_allclose(mixed, mixture_crps(means, variances, labels), rtol=1e-7)
    assert not (mixed == mixture_crps(means, variances, labels)).all()


@given(VALUES, st.floats(0.1, 4), VALUES)
def test_the_crps_of_one_gaussian_has_its_closed_form(mean: float, std: float, label: float) -> None:
    z = (label - mean) / std
    expected = std * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / math.sqrt(math.pi))
    found = mixture_crps(np.array([mean]), np.array([std**2]), np.array(label))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)
    twice = mixture_crps(np.full(3, mean), np.full(3, std**2), np.array(label))
    assert twice == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(small_predictions())
def test_the_crps_lies_between_nothing_and_the_mean_error_of_the_passes(predictions: RegressionPredictions) -> None:
    crps_of_passes = empirical_crps(predictions.outputs, predictions.labels)
    errors = np.abs(predictions.outputs.astype(float) - predictions.labels)
    assert (crps_of_passes >= -1e-12).all()
    assert (crps_of_passes <= errors.mean(axis=0) + 1e-12).all()
    np.testing.assert_allclose(empirical_crps(predictions.outputs[:1], predictions.labels), errors[0], atol=1e-12)
    narrow = mixture_crps(predictions.outputs, np.full_like(predictions.variances, 1e-12), predictions.labels)
    np.testing.assert_allclose(narrow, crps_of_passes, atol=1e-5)


@given(small_predictions(), st.sampled_from([0.25, 2.0, 16.0]))
def test_another_unit_of_the_targets_scales_the_scores(predictions: RegressionPredictions, factor: float) -> None:
    scaled = RegressionPredictions(
        predictions.outputs * factor, predictions.variances * factor**2, predictions.labels * factor
    )
    found = measures.regression_scores(scaled)
    targets = predictions.outputs.shape[-1]
    for name, values in measures.regression_scores(predictions).items():
        expected = values + targets * math.log(factor) if name == "nll" else values * factor
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("label", [0, 1, -1e6, 1e30])
@pytest.mark.parametrize("output", [0, 1, 1e6, -1e30])
def test_passes_that_all_agree_have_a_finite_nll_in_float32(output: float, label: float) -> None:
    predictions = RegressionPredictions(
        np.full((3, 1, 1), output, np.float32), labels=np.full((1, 1), label, np.float32)
    )
    found = measures.regression_scores(predictions)["nll"]
    assert np.isfinite(found).all()
    nearer = gaussian_nll(np.array(output), np.array(0.0), np.array(output))
    assert nearer <= found[0] + 1e-3


@pytest.mark.parametrize("name", REGRESSION_SCORES)
def test_a_score_is_shown_in_the_unit_of_the_run(name: str) -> None:
    score = REGRESSION_SCORES[name]
    if score.unit == "nats":
        assert score.format(3.21, "mg/dl") == score.format(3.21) == "3.210 nats"
    else:
        assert score.format(3.21, "mg/dl") == "3.21 mg/dl"
        assert score.format(3.21) == "3.21"
        assert score.format(452_312.0, "€") == "452,300 €"
        assert (score.resolve_unit("mg/dl"), score.resolve_unit("")) == ("mg/dl", "")


@pytest.mark.parametrize("name", REGRESSION_SCORES)
def test_every_ranking_puts_the_uncertain_example_first(name: str) -> None:
    sure, unsure = [0.0, 0.1, -0.1], [5.0, 9.0, -7.0]
    outputs = np.array([sure, unsure, sure]).T[..., None]
    predictions = RegressionPredictions(outputs, np.array([[[1.0], [4.0], [1.0]]] * 3), np.zeros((3, 1)))
    order = measures.most_uncertain_first(name, measures.regression_scores(predictions)[name], REGRESSION_SCORES)
    assert order.tolist() == [1, 0, 2]
