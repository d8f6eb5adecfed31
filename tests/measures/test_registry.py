"""Every table has each registered score; the shapes of predictions; values in their units."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcviz.measures import (
    REGRESSION_SCORES,
    SCORES,
    Predictions,
    RegressionPredictions,
    most_uncertain_first,
    register,
    regression_scores,
    scores,
)
from mcviz.measures.quality import Measure
from mcviz.measures.registry import Score, Scores
from mcviz.text import fixed, significant

pytestmark = pytest.mark.lowest

PROBS = np.random.default_rng(0).dirichlet(np.ones(3), (4, 5)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0, 1])
OUTPUTS = np.random.default_rng(0).normal(size=(4, 5, 2)).astype(np.float32)


@pytest.fixture
def _registries_as_before() -> Iterator[None]:
    """Takes out of the registries after the test what it registered."""
    before = [(registry, dict(registry)) for registry in (SCORES, REGRESSION_SCORES)]
    yield
    for registry, own in before:
        registry.clear()
        registry.update(own)


def add(function: Any, registry: Scores = SCORES) -> None:
    register("Another", "", "high", "It is another one.", scores=registry)(function)


@pytest.mark.usefixtures("_registries_as_before")
def test_a_score_is_in_every_table_of_its_task_from_the_moment_that_it_is_registered() -> None:
    def disagreement(probs: np.ndarray) -> np.ndarray:
        return np.ptp(probs, axis=0).max(axis=-1)

    def widest(outputs: np.ndarray, variances: np.ndarray | None = None) -> np.ndarray:
        return np.ptp(outputs, axis=0).max(axis=-1) + (0 if variances is None else 100)

    assert "disagreement" not in scores(PROBS)
    add(disagreement)
    np.testing.assert_array_equal(scores(PROBS)["disagreement"], disagreement(PROBS))
    assert most_uncertain_first("disagreement", disagreement(PROBS))[0] == disagreement(PROBS).argmax()
    register("Range", "target", "low", "The range of the passes.", scores=REGRESSION_SCORES)(widest)
    np.testing.assert_allclose(regression_scores(RegressionPredictions(OUTPUTS))["widest"], widest(OUTPUTS))
    with_variances = RegressionPredictions(OUTPUTS, np.ones_like(OUTPUTS))
    assert (regression_scores(with_variances)["widest"] > 100).all()
    assert most_uncertain_first("widest", np.array([2.0, 1.0]), REGRESSION_SCORES).tolist() == [1, 0]
    assert "widest" not in SCORES


@pytest.mark.usefixtures("_registries_as_before")
def test_a_score_is_given_what_its_parameters_name_and_left_out_where_that_is_not_there() -> None:
    def label_quality(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
        return probs.mean(axis=0)[np.arange(len(labels)), labels]

    def shift(probs: np.ndarray, deterministic_probs: np.ndarray) -> np.ndarray:
        return (probs.mean(axis=0) - deterministic_probs).max(axis=-1)

    add(label_quality)
    add(shift)
    assert not {"label_quality", "shift"} & set(scores(PROBS))
    with_labels = scores(PROBS, labels=LABELS)
    expected = [PROBS[:, i, label].mean() for i, label in enumerate(LABELS)]
    np.testing.assert_allclose(with_labels["label_quality"], expected, rtol=1e-6)
    assert "shift" not in with_labels
    assert list(scores(PROBS, LABELS, PROBS[0]))[-2:] == ["label_quality", "shift"]
    lacking = Predictions(PROBS, deterministic_probs=PROBS[0])
    with pytest.raises(ValueError, match=r"Another is computed from labels and probs\. Received: .* without labels\."):
        SCORES["label_quality"].compute(lacking)


def test_the_scores_of_a_regression_are_its_own_and_are_there_where_their_needs_are() -> None:
    assert list(regression_scores(RegressionPredictions(OUTPUTS))) == ["predictive_std"]
    labelled = regression_scores(RegressionPredictions(OUTPUTS, labels=OUTPUTS[0]))
    assert list(labelled) == ["predictive_std", "absolute_error", "nll", "crps"]
    assert [name for name, score in REGRESSION_SCORES.items() if score.needs_labels] == list(labelled)[1:]
    assert [name for name, score in SCORES.items() if score.needs_labels] == ["self_confidence", "normalized_margin"]
    assert "absolute_error" not in SCORES
    assert (SCORES["predictive_std"].unit, REGRESSION_SCORES["predictive_std"].unit) == ("probability", "target")


@pytest.mark.usefixtures("_registries_as_before")
@pytest.mark.parametrize(
    ("registry", "taken", "needs"),
    [
        (SCORES, ["margin", "label", "<lambda>"], "probs"),
        (REGRESSION_SCORES, ["error", "label_noise"], "outputs"),  # the latter is the column of a target called noise
    ],
)
def test_a_name_that_is_taken_and_a_need_that_nobody_has_are_refused(
    registry: Scores, taken: list[str], needs: str
) -> None:
    before = dict(registry)
    for name in taken:

        def score(labels: np.ndarray) -> np.ndarray:
            return labels

        score.__name__ = name
        with pytest.raises(ValueError, match="identifier that is not taken"):
            add(score, registry)

    def constant(labels: np.ndarray | None = None) -> np.ndarray:
        return np.zeros(5)

    def weighted(labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return weights

    for function, received in ((constant, "'labels',"), (weighted, "'labels', 'weights'")):
        with pytest.raises(ValueError, match=rf"among {needs}, .*labels, .* Received: \({received}\)"):
            add(function, registry)
    assert before == registry


@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 0, 3), (2, 2, 0), (2, 2, 1), (2, 3)])
def test_arrays_that_are_not_passes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"probs should be .* Received: shape"):
        Predictions(np.zeros(shape))
    if shape != (2, 2, 1):  # one target is enough, one class is not
        with pytest.raises(ValueError, match=r"outputs should be .* Received: shape"):
            RegressionPredictions(np.zeros(shape))


@pytest.mark.parametrize(
    ("predictions", "name", "shape"),
    [
        (Predictions, "labels", (4,)),
        (Predictions, "labels", (5, 1)),
        (Predictions, "deterministic_probs", (5, 4)),
        (RegressionPredictions, "variances", (5, 2)),
        (RegressionPredictions, "labels", (5,)),
        (RegressionPredictions, "deterministic_outputs", (4, 5, 2)),
        (RegressionPredictions, "deterministic_variances", (5, 1)),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(predictions: Any, name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{name} should have the shape .* Received: shape"):
        predictions(PROBS if predictions is Predictions else OUTPUTS, **{name: np.zeros(shape)})


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.971, "probability", "97.1%"),
        (0.9999, "share of passes", "over 99.9%"),
        (0.3219, "nats", "0.322 nats"),
        (3.14159, "pixels", "3.142 pixels"),
        (-0.05, "", "−0.05"),
        (12345678.0, "", "12,350,000"),
    ],
)
def test_only_shares_are_shown_in_percent(value: float, unit: str, words: str) -> None:
    assert Score("score", "Score", unit, "high", "", np.asarray).format(value) == words


@given(st.floats(-1, 1), st.integers(0, 6), st.sampled_from(["", "+"]))
@example(-0.00001, 4, "")
@example(-0.0, 2, "+")
def test_what_rounds_to_zero_has_no_minus_sign(value: float, digits: int, sign: str) -> None:
    measure = Measure("change", "change", "", "high")
    for text in (
        fixed(value, digits, sign),
        measure.format_number(value, sign=sign),
        measure.format_number(value, sign=sign, digits=digits),
        significant(0.0 * value),
    ):
        assert not text.startswith("−") or text.strip("−0."), text
