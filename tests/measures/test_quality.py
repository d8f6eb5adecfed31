"""Measures of two ensembles against scikit-learn, slow loops and scipy, and how often chance seems a difference."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from mcviz.measures import Predictions, RegressionPredictions
from mcviz.measures.bootstrap import weighted_intervals
from mcviz.measures.quality import QUALITY, Measure, compared, joined, measured
from mcviz.measures.selective import Ranking, auroc_of_mistakes


def some_probs(seed: int, examples: int = 300, lean: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """(T, N, C) probabilities that lean to the labels, and these."""
    random = np.random.default_rng(seed)
    labels = random.integers(4, size=examples)
    logits = random.normal(size=(5, examples, 4)) + lean * random.normal(size=(1, examples, 4))
    logits[:, np.arange(examples), labels] += lean
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=-1, keepdims=True), labels


def terms_of(probs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    return {
        **QUALITY["classification"].terms(Predictions(probs, labels)),
        "uncertainty": -probs.mean(axis=0).max(axis=1),
    }


def test_every_measure_of_classes_is_that_of_its_definition() -> None:
    probs, labels = some_probs(0)
    mean = probs.mean(axis=0)
    found = dict(zip(QUALITY["classification"].place, measured("classification", terms_of(probs, labels)), strict=True))
    correct, confidence = mean.argmax(axis=1) == labels, mean.max(axis=1)
    assert found["accuracy"].value == pytest.approx(accuracy_score(labels, mean.argmax(axis=1)))
    assert found["nll"].value == pytest.approx(log_loss(labels, mean))
    assert found["brier"].value == pytest.approx(np.square(mean - np.eye(4)[labels]).sum(axis=1).mean())
    assert found["overconfidence"].value == pytest.approx(confidence.mean() - correct.mean())
    assert found["auroc"].value == pytest.approx(roc_auc_score(~correct, -confidence))
    wrong = np.cumsum(~correct[np.argsort(-confidence, kind="stable")])
    assert found["aurc"].value == pytest.approx((wrong / np.arange(1, len(wrong) + 1)).mean())
    ece = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        ece += abs(confidence[inside].sum() - correct[inside].sum()) / len(labels)
    assert found["ece"].value == pytest.approx(ece)
    exact = stats.binomtest(int(correct.sum()), len(labels)).proportion_ci(0.95)
    assert (found["accuracy"].low, found["accuracy"].high) == pytest.approx((exact.low, exact.high))


def test_every_measure_of_a_regression_is_that_of_its_definition() -> None:
    random = np.random.default_rng(3)
    outputs, labels = random.normal(size=(20, 50, 2)), random.normal(size=(50, 2))
    terms = QUALITY["regression"].terms(RegressionPredictions(outputs, labels=labels))
    found = dict(zip(QUALITY["regression"].place, measured("regression", terms), strict=True))
    mean, std = outputs.mean(axis=0), outputs.std(axis=0)
    assert found["rmse"].value == pytest.approx(np.sqrt(np.square(mean - labels).mean()))
    assert found["mae"].value == pytest.approx(np.abs(mean - labels).mean())
    assert found["nll"].value == pytest.approx(-stats.norm.logpdf(labels, mean, std).mean())
    low, high = np.quantile(outputs, [0.05, 0.95], axis=0)
    assert found["coverage"].value == pytest.approx(((low <= labels) & (labels <= high)).mean())
    assert found["width"].value == pytest.approx((high - low).mean())
    distances = np.abs(outputs[:, None] - outputs[None]).mean(axis=(0, 1)) / 2
    assert found["crps"].value == pytest.approx((np.abs(outputs - labels).mean(axis=0) - distances).mean())


def test_one_pass_without_a_spread_has_no_nll_and_says_so() -> None:
    random = np.random.default_rng(3)
    terms = QUALITY["regression"].terms(RegressionPredictions(random.normal(size=(1, 9, 1)), labels=np.zeros((9, 1))))
    with warnings.catch_warnings(action="error"):
        by_name = {each.measure.name: each for each in compared("regression", terms, terms, paired=True, resamples=20)}
    assert by_name["nll"].verdict == "unknown"
    assert by_name["rmse"].verdict == "noise"
    assert by_name["nll"].measure.with_interval(by_name["nll"].one) == "–"


@pytest.mark.parametrize("task", QUALITY)
def test_blocks_of_examples_give_the_terms_of_all(task: str) -> None:
    probs, labels = some_probs(1)
    if task == "classification":
        of = lambda rows: QUALITY[task].terms(Predictions(probs[:, rows], labels[rows]))  # noqa: E731
    else:
        truth = labels[:, None].astype(float)
        of = lambda rows: QUALITY[task].terms(RegressionPredictions(probs[:, rows], labels=truth[rows].repeat(4, 1)))  # noqa: E731
    whole, parts = of(slice(None)), joined([of(slice(0, 100)), of(slice(100, None))])
    assert whole.keys() == parts.keys()
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name])


@pytest.mark.parametrize("task", QUALITY)
def test_predictions_without_labels_are_refused(task: str) -> None:
    probs, _ = some_probs(1)
    predictions = Predictions(probs) if task == "classification" else RegressionPredictions(probs)
    with pytest.raises(ValueError, match="without labels"):
        QUALITY[task].terms(predictions)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=1, max_size=25))
def test_the_auroc_of_mistakes_is_scikit_learn_s_of_the_draw(rows: list[tuple[int, bool, int]]) -> None:
    uncertainty, correct, times = (np.array(column) for column in zip(*rows, strict=True))
    found = auroc_of_mistakes(Ranking(uncertainty.astype(float), correct), times[None].astype(float))[0]
    drawn_wrong, drawn = np.repeat(~correct, times), np.repeat(uncertainty, times)
    if drawn_wrong.any() and not drawn_wrong.all():
        assert found == pytest.approx(roc_auc_score(drawn_wrong, drawn))
    else:
        assert np.isnan(found)


def test_a_paired_difference_is_that_of_scipy_s_paired_bootstrap() -> None:
    probs, labels = some_probs(2, lean=1.0)
    other = 0.7 * probs + 0.3 / 4
    by_name = {
        each.measure.name: each
        for each in compared("classification", terms_of(probs, labels), terms_of(other, labels), paired=True)
    }
    one, two = (-np.log(each.mean(axis=0)[np.arange(len(labels)), labels]) for each in (probs, other))
    expected = stats.bootstrap(
        (two - one,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(1)
    ).confidence_interval
    found = by_name["nll"].difference
    assert found.value == pytest.approx((two - one).mean())
    assert (found.low, found.high) == pytest.approx(
        (expected.low, expected.high), abs=0.1 * (expected.high - expected.low)
    )
    assert by_name["accuracy"].difference.value == 0
    assert by_name["accuracy"].verdict == "noise"


def test_samples_that_were_drawn_apart_are_drawn_anew_apart() -> None:
    """The interval of the difference of two means is that of the two variances together."""
    random = np.random.default_rng(5)
    one, other = random.normal(size=400), random.normal(1, 3, size=150)
    (found,) = weighted_intervals(
        lambda *_: lambda weights: weights[:, 400:] @ other / 150 - weights[:, :400] @ one / 400,
        (400, 150),
        resamples=4000,
    )
    expected = stats.bootstrap(
        (one, other),
        lambda x, y, axis=-1: y.mean(axis=axis) - x.mean(axis=axis),
        method="percentile",
        n_resamples=4000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.1 * (found.high - found.low))


@pytest.mark.parametrize("paired", [True, False])
def test_two_ensembles_that_are_equally_good_seldom_differ_by_more_than_noise(paired: bool) -> None:
    """Of 95% intervals about one in twenty misses 0."""
    differing, trials = 0, 120
    for trial in range(trials):
        probs, labels = some_probs(1000 + trial, examples=120, lean=1.0)
        if paired:  # two passes of a kind
            one, other = terms_of(probs[:1], labels), terms_of(probs[1:2], labels)
        else:
            one, other = terms_of(probs, labels), terms_of(*some_probs(5000 + trial, examples=90, lean=1.0))
        found = compared("classification", one, other, paired=paired, resamples=200)
        differing += found[QUALITY["classification"].place["nll"]].verdict != "noise"
    assert stats.binomtest(differing, trials, 0.05).pvalue > 0.001


def test_pairing_sees_a_difference_that_two_samples_hide() -> None:
    probs, labels = some_probs(7, lean=1.0)
    sharper = probs**1.2 / (probs**1.2).sum(axis=-1, keepdims=True)
    one, other = terms_of(probs, labels), terms_of(sharper, labels)
    widths = [
        found.difference.high - found.difference.low
        for found in (compared("classification", one, other, paired=paired)[1] for paired in (True, False))
    ]
    assert widths[0] < widths[1] / 3


@given(value=st.floats(-10, 10), unit=st.sampled_from(["share", "per mille", "nats", "target", ""]))
@settings(max_examples=30)
def test_a_difference_shows_its_sign(value: float, unit: str) -> None:
    text = Measure("it", "it", unit, "low").format(value, "kg", sign="+")
    assert text[0] in "+-"


def test_verdicts_know_which_end_is_better() -> None:
    probs, labels = some_probs(9, examples=2000)
    worse = np.full_like(probs, 0.25) * 0.6 + probs * 0.4
    shuffled = np.random.default_rng(0).permuted(worse, axis=2)
    good, bad = terms_of(probs, labels), terms_of(shuffled, labels)
    for one, other, verdict in ((good, bad, "worse"), (bad, good, "better")):
        by_name = {each.measure.name: each.verdict for each in compared("classification", one, other, paired=True)}
        assert {by_name[name] for name in ("accuracy", "nll", "brier", "aurc", "auroc")} == {verdict}
