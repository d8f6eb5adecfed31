"""Every score of regression against a slow loop in float64, closed forms, numerical integration and its laws."""

import math
import sys
from collections.abc import Iterator
from statistics import fmean, pvariance

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from mcviz import measures
from mcviz.measures import REGRESSION_SCORES, SCORES, RegressionPredictions
from mcviz.measures.regression import crps, empirical_crps, gaussian_nll, mixture_crps, nll, predictive_std

SHAPES = st.tuples(st.integers(2, 7), st.integers(1, 3), st.integers(1, 3))
VALUES = st.floats(-8, 8, width=32).map(lambda x: round(x, 2))


@st.composite
def predictions(draw: st.DrawFn) -> RegressionPredictions:
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


@given(predictions())
def test_every_score_agrees_with_its_definition(given_: RegressionPredictions) -> None:
    found = measures.regression_scores(given_)
    assert list(found) == list(REGRESSION_SCORES)
    found["crps"] = crps(given_.outputs, given_.labels)
    for example in range(given_.outputs.shape[1]):
        passes, variances = (a[:, example].astype(float).tolist() for a in (given_.outputs, given_.variances))
        expected = slow_scores(passes, variances, given_.labels[example].astype(float).tolist())
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
    random, module = np.random.default_rng(0), sys.modules[mixture_crps.__module__]
    means, labels = random.normal(size=(60, 20, 2)), random.normal(size=(20, 2))
    variances = random.gamma(20, 1 / 20, size=means.shape)
    variances[:, ::3] *= 1e-4  # of these examples, narrow components far apart
    mixed = mixture_crps(means, variances, labels)
    each = [mixture_crps(means[:, [i]], variances[:, [i]], labels[[i]])[0] for i in range(20)]
    np.testing.assert_allclose(mixed, each, rtol=1e-7)
    monkeypatch.setattr(module, "NODES_PER_STD", 1e9)
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


@given(predictions())
def test_the_crps_lies_between_nothing_and_the_mean_error_of_the_passes(given_: RegressionPredictions) -> None:
    found = empirical_crps(given_.outputs, given_.labels)
    assert (found >= -1e-12).all()
    assert (found <= np.abs(given_.outputs.astype(float) - given_.labels).mean(axis=0) + 1e-12).all()
    one = empirical_crps(given_.outputs[:1], given_.labels)
    np.testing.assert_allclose(one, np.abs(given_.outputs[0].astype(float) - given_.labels), atol=1e-12)
    narrow = mixture_crps(given_.outputs, np.full_like(given_.variances, 1e-12), given_.labels)
    np.testing.assert_allclose(narrow, found, atol=1e-5)


@given(predictions(), st.sampled_from([0.25, 2.0, 16.0]))
def test_another_unit_of_the_targets_scales_the_scores(given_: RegressionPredictions, factor: float) -> None:
    scaled = RegressionPredictions(given_.outputs * factor, given_.variances * factor**2, given_.labels * factor)
    found = measures.regression_scores(scaled)
    targets = given_.outputs.shape[-1]
    for name, values in measures.regression_scores(given_).items():
        expected = values + targets * math.log(factor) if name == "nll" else values * factor
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-4, err_msg=name)


@given(predictions())
def test_no_label_is_less_surprising_than_the_prediction_itself(given_: RegressionPredictions) -> None:
    mean = given_.outputs.mean(axis=0, dtype=np.float64)
    least = nll(given_.outputs, mean, given_.variances)
    assert (nll(given_.outputs, given_.labels, given_.variances) >= least - 1e-9).all()
    total = given_.outputs.var(axis=0, dtype=np.float64) + given_.variances.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(least, (0.5 * np.log(2 * math.pi * total)).sum(axis=-1), atol=1e-9)


@pytest.mark.parametrize("label", [0, 1, -1e6, 1e30])
@pytest.mark.parametrize("output", [0, 1, 1e6, -1e30])
def test_passes_that_all_agree_have_a_finite_nll_in_float32(output: float, label: float) -> None:
    given_ = RegressionPredictions(np.full((3, 1, 1), output, np.float32), labels=np.full((1, 1), label, np.float32))
    found = measures.regression_scores(given_)["nll"]
    assert np.isfinite(found).all()
    nearer = gaussian_nll(np.array(output), np.array(0.0), np.array(output))
    assert nearer <= found[0] + 1e-3


@given(predictions())
def test_an_example_is_scored_alone(given_: RegressionPredictions) -> None:
    together = measures.regression_scores(given_)
    for i in range(given_.outputs.shape[1]):
        part = slice(i, i + 1)
        alone = RegressionPredictions(given_.outputs[:, part], given_.variances[:, part], given_.labels[part])
        for name, values in measures.regression_scores(alone).items():
            assert values[0] == pytest.approx(together[name][i], rel=1e-6, abs=1e-6), name


OUTPUTS = np.random.default_rng(0).normal(size=(4, 5, 2)).astype(np.float32)


def test_a_score_is_there_where_its_needs_are() -> None:
    assert list(measures.regression_scores(RegressionPredictions(OUTPUTS))) == ["predictive_std"]
    labelled = measures.regression_scores(RegressionPredictions(OUTPUTS, labels=OUTPUTS[0]))
    assert list(labelled) == ["predictive_std", "absolute_error", "nll", "crps"]
    assert [name for name, score in REGRESSION_SCORES.items() if score.needs_labels] == list(labelled)[1:]
    assert [name for name, score in SCORES.items() if score.needs_labels] == ["self_confidence", "normalized_margin"]


def test_the_registries_of_the_tasks_are_two() -> None:
    assert "absolute_error" not in SCORES
    assert SCORES["predictive_std"].unit == "probability"
    assert REGRESSION_SCORES["predictive_std"].unit == "target"


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
    given_ = RegressionPredictions(outputs, np.array([[[1.0], [4.0], [1.0]]] * 3), np.zeros((3, 1)))
    order = measures.most_uncertain_first(name, measures.regression_scores(given_)[name], REGRESSION_SCORES)
    assert order.tolist() == [1, 0, 2]


@pytest.fixture
def registry() -> Iterator[dict[str, measures.Score]]:
    before = dict(REGRESSION_SCORES)
    yield REGRESSION_SCORES
    REGRESSION_SCORES.clear()
    REGRESSION_SCORES.update(before)


def test_a_score_of_one_s_own_is_in_every_table_of_regression_alone(registry: dict[str, measures.Score]) -> None:
    def widest(outputs: np.ndarray, variances: np.ndarray | None = None) -> np.ndarray:
        return np.ptp(outputs, axis=0).max(axis=-1) + (0 if variances is None else 100)

    measures.register("Range", "target", "low", "The range of the passes.", scores=REGRESSION_SCORES)(widest)
    np.testing.assert_allclose(
        measures.regression_scores(RegressionPredictions(OUTPUTS))["widest"], np.ptp(OUTPUTS, axis=0).max(axis=-1)
    )
    with_variances = RegressionPredictions(OUTPUTS, np.ones_like(OUTPUTS))
    assert (measures.regression_scores(with_variances)["widest"] > 100).all()
    assert measures.most_uncertain_first("widest", np.array([2.0, 1.0]), REGRESSION_SCORES).tolist() == [1, 0]
    assert "widest" not in SCORES


def test_names_and_needs_are_those_of_regression(registry: dict[str, measures.Score]) -> None:
    def error(outputs: np.ndarray) -> np.ndarray:
        return predictive_std(outputs)

    def unlikely(probs: np.ndarray) -> np.ndarray:
        return probs[0, :, 0]

    def constant(variances: np.ndarray | None = None) -> np.ndarray:
        return np.zeros(5)

    def label_noise(outputs: np.ndarray) -> np.ndarray:  # the column of a target called noise
        return predictive_std(outputs)

    before = dict(registry)
    for refused, message in (
        (error, "not taken"),
        (label_noise, "not taken"),
        (unlikely, "among outputs"),
        (constant, "among outputs"),
    ):
        with pytest.raises(ValueError, match=message):
            measures.register("Another", "", "high", "It is another one.", scores=REGRESSION_SCORES)(refused)
    assert registry == before


@pytest.mark.parametrize("shape", [(0, 2, 1), (2, 0, 1), (2, 2, 0), (2, 3)])
def test_arrays_that_are_not_passes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"outputs should be .* Received: shape"):
        RegressionPredictions(np.zeros(shape))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("variances", (5, 2)),
        ("labels", (5,)),
        ("deterministic_outputs", (4, 5, 2)),
        ("deterministic_variances", (5, 1)),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{name} should have the shape .* Received: shape"):
        RegressionPredictions(OUTPUTS, **{name: np.zeros(shape)})
