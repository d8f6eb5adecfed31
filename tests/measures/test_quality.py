"""Measures of ensembles and of classes against scikit-learn, slow loops and scipy; when chance seems a difference."""

import warnings
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score, roc_auc_score

from benchmarks.verdicts import false_differences, rate, true_differences
from mcviz.measures import Predictions, RegressionPredictions
from mcviz.measures.intervals import Interval, Unsettled
from mcviz.measures.measure import ClassMeasure
from mcviz.measures.quality import (
    CLASSIFICATION,
    REGRESSION,
    Measure,
    MeasureComparison,
    Quality,
    compare_measures,
    compute_measures,
    f1,
    judge_together,
    overconfidence_growth,
    precision,
    recall,
    roc_auc,
)
from mcviz.measures.registry import join_terms
from mcviz.measures.selective import Ranking, auroc_of_mistakes, compute_areas
from tests.cases import one_in
from tests.factories import draw_probs

UNUSED = dict.fromkeys(("nll", "brier", "uncertainty"), np.zeros(0))


def some_probs(seed: int, examples: int = 300, lean: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """(T, N, C) probabilities that lean to the labels, and these."""
    random = np.random.default_rng(seed)
    labels = random.integers(4, size=examples)
    return draw_probs(random, labels, passes=5, classes=4, lean=lean, shared=lean), labels


def terms_of(probs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    return CLASSIFICATION.terms(Predictions(probs, labels)) | {"uncertainty": -probs.mean(axis=0).max(axis=1)}


def test_every_measure_of_classes_is_that_of_its_definition() -> None:
    probs, labels = some_probs(0)
    mean = probs.mean(axis=0)
    found = compute_measures(CLASSIFICATION, terms_of(probs, labels))
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
    terms = REGRESSION.terms(RegressionPredictions(outputs, labels=labels))
    found = compute_measures(REGRESSION, terms)
    mean, std = outputs.mean(axis=0), outputs.std(axis=0)
    assert found["rmse"].value == pytest.approx(np.sqrt(np.square(mean - labels).mean()))
    assert found["mae"].value == pytest.approx(np.abs(mean - labels).mean())
    assert found["nll"].value == pytest.approx(-stats.norm.logpdf(labels, mean, std).mean())
    low, high = np.quantile(outputs, [0.05, 0.95], axis=0, method="weibull")
    assert found["coverage"].value == pytest.approx(((low <= labels) & (labels <= high)).mean())
    assert found["width"].value == pytest.approx((high - low).mean())
    distances = np.abs(outputs[:, None] - outputs[None]).mean(axis=(0, 1)) / 2
    assert found["crps"].value == pytest.approx((np.abs(outputs - labels).mean(axis=0) - distances).mean())


@given(seed=st.integers(0, 10**6), examples=st.integers(1, 30), lean=st.floats(0, 6))
@settings(max_examples=30)
def test_no_interval_of_a_measure_leaves_out_the_measure(seed: int, examples: int, lean: float) -> None:
    random, (probs, labels) = np.random.default_rng(seed), some_probs(seed, examples, lean)
    regression = RegressionPredictions(random.normal(size=(4, examples, 2)), labels=random.normal(size=(examples, 2)))
    again = RegressionPredictions(random.normal(size=(4, examples, 2)), labels=regression.labels)
    of_classes = terms_of(probs, labels), terms_of(some_probs(seed + 1, examples, lean)[0], labels)
    of_regression = REGRESSION.terms(regression), REGRESSION.terms(again)
    for quality, terms in ((CLASSIFICATION, of_classes), (REGRESSION, of_regression)):
        alone = compute_measures(quality, terms[0], resamples=20)
        both = compare_measures(quality, *terms, resamples=20)
        for found in (*alone.values(), *(each.difference for each in both)):
            assert np.isnan(found.low) or found.low - 1e-12 <= found.value <= found.high + 1e-12


def test_an_ece_has_no_interval_and_the_auroc_without_mistakes_no_value() -> None:
    probs, labels = some_probs(0)
    ece, auroc = (CLASSIFICATION.compared[name] for name in ("ece", "auroc"))
    found = compute_measures(CLASSIFICATION, terms_of(probs, labels), resamples=20)
    assert ece.format_interval(found["ece"]).endswith("%")
    right = probs.mean(axis=0).argmax(axis=1)
    few = compute_measures(CLASSIFICATION, terms_of(probs, right), resamples=20)
    assert auroc.format_interval(few["auroc"]) == "–"
    assert auroc.format_interval(Interval(0.5)) == "0.5000 (no interval)"
    assert np.isfinite(few["nll"].low)


def test_one_pass_without_a_spread_has_no_nll_and_says_so() -> None:
    random = np.random.default_rng(3)
    terms = REGRESSION.terms(RegressionPredictions(random.normal(size=(1, 9, 1)), labels=np.zeros((9, 1))))
    with warnings.catch_warnings(action="error"):
        by_name = {each.measure.name: each for each in compare_measures(REGRESSION, terms, terms, resamples=20)}
    assert by_name["nll"].verdict == "unknown"
    assert by_name["rmse"].verdict == "same"
    assert by_name["nll"].measure.format_interval(by_name["nll"].one) == "–"


def test_blocks_of_examples_give_the_terms_of_all() -> None:
    random = np.random.default_rng(1)
    outputs, labels = random.normal(size=(5, 300, 4)), random.normal(size=(300, 4))
    terms = lambda rows: REGRESSION.terms(RegressionPredictions(outputs[:, rows], labels=labels[rows]))  # noqa: E731
    whole, parts = terms(slice(None)), join_terms([terms(slice(100)), terms(slice(100, None))])
    assert whole.keys() == parts.keys()
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name])


@pytest.mark.parametrize("quality", [CLASSIFICATION, REGRESSION])
def test_predictions_without_labels_are_refused(quality: Quality) -> None:
    probs, _ = some_probs(1)
    predictions = Predictions(probs) if quality is CLASSIFICATION else RegressionPredictions(probs)
    with pytest.raises(ValueError, match="without labels"):
        quality.terms(predictions)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=1, max_size=25))
def test_the_auroc_of_mistakes_is_scikit_learn_s_of_the_draw(rows: list[tuple[int, bool, int]]) -> None:
    uncertainty, correct, times = (np.array(column) for column in zip(*rows, strict=True))
    assume(times.any())
    draw = Ranking(uncertainty.astype(float), ~correct), times[None].astype(float)
    wrong, ranked = np.repeat(~correct, times), np.repeat(uncertainty, times)
    (found,) = auroc_of_mistakes(*draw, compute_areas(*draw)[:, 2])
    if wrong.any() and not wrong.all():
        assert found == pytest.approx(roc_auc_score(wrong, ranked))
    else:
        assert np.isnan(found)


def test_a_paired_difference_of_means_has_at_least_student_s_interval_of_scipy() -> None:
    probs, labels = some_probs(2, lean=1.0)
    terms = terms_of(probs, labels), terms_of(0.9 * probs + 0.1 * some_probs(3)[0], labels)
    by_name = {each.measure.name: each for each in compare_measures(CLASSIFICATION, *terms)}
    over = [each["confidence"] - each["correct"] for each in terms]
    for name in ("nll", "brier", "overconfidence"):
        more = over[1] - over[0] if name == "overconfidence" else terms[1][name] - terms[0][name]
        expected = stats.t.interval(0.95, len(more) - 1, more.mean(), stats.sem(more))
        found = by_name[name].difference
        assert found.value == pytest.approx(more.mean())
        assert found.low <= expected[0] + 1e-12
        assert found.high >= expected[1] - 1e-12
        unseen = {"nll": 11.8, "brier": 2}.get(name, 2) * (1 - 0.025 ** (1 / len(more)))
        assert found.high - found.low < 1.1 * (expected[1] - expected[0]) + 2 * unseen


def test_whole_rankings_are_drawn_by_a_slow_loop_of_pairs() -> None:
    probs, labels = some_probs(4, examples=250)
    both = terms_of(probs, labels), terms_of(0.5 * probs + 0.5 * some_probs(5, examples=250)[0], labels)
    random, found = np.random.default_rng(3), []
    for _ in range(1000):
        draw, areas = random.integers(250, size=250), []
        for terms in both:
            correct, doubt = terms["correct"][draw], terms["uncertainty"][draw]
            pairs = doubt[~correct][:, None] - doubt[correct]
            areas.append((pairs > 0).mean() + (pairs == 0).mean() / 2)
        found.append(areas[1] - areas[0])
    auroc = compare_measures(CLASSIFICATION, *both)[-1].difference
    low, high = np.quantile(found, [0.025, 0.975])
    assert (auroc.low + auroc.high) / 2 == pytest.approx(auroc.value)
    assert auroc.high - auroc.value == pytest.approx(max(high - auroc.value, auroc.value - low), rel=0.1)


@pytest.mark.parametrize(("differ", "known"), [(0, False), (5, False), (19, False), (20, True)])
def test_rankings_take_enough_changes_and_means_allow_for_unseen_ones(differ: int, known: bool) -> None:
    probs, labels = some_probs(6, examples=400)
    right = probs.mean(axis=0).argmax(axis=1) == labels
    other = probs.copy()
    other[:, np.flatnonzero(right)[:differ]] = np.roll(probs[:, np.flatnonzero(right)[:differ]], 1, axis=2)
    other[:, -1] = probs[:, -1]
    pair = terms_of(probs, labels), terms_of(other, labels)
    by_name = {each.measure.name: each for each in compare_measures(CLASSIFICATION, *pair)}
    for name in ("aurc", "auroc"):
        assert np.isnan(by_name[name].difference.low) != known, name
        assert (by_name[name].verdict == "same") == (differ == 0)
    for name, most in (("accuracy", 1), ("nll", 11.8), ("brier", 2), ("overconfidence", 2)):  # what the unseen cost
        assert by_name[name].difference.low < by_name[name].difference.value - most / 400
        assert by_name[name].difference.high > by_name[name].difference.value + (most / 400 if differ == 0 else 0)
    assert np.isnan(by_name["ece"].difference.low)


@pytest.mark.slow
def test_the_magnitude_of_overconfidence_is_bounded_whatever_the_signs() -> None:
    random, outside = np.random.default_rng(0), []
    for one, other in ((0.05, -0.08), (-0.05, 0.02), (0.0, 0.04), (0.06, 0.06)):
        for _ in range(20):
            confidence = random.uniform(0.6, 0.9, 400)
            first, second = (
                {"correct": random.random(400) < confidence - over, "confidence": confidence} | UNUSED
                for over in (one, other)
            )
            found = overconfidence_growth(first, second)
            excess = [(each["confidence"] - each["correct"]).mean() for each in (first, second)]
            assert found.value == pytest.approx(abs(excess[1]) - abs(excess[0]))
            assert found.low <= found.value <= found.high
            outside.append(not found.low <= abs(other) - abs(one) <= found.high)
    assert sum(outside) <= stats.binom.isf(1e-4, len(outside), 0.05)


def test_a_sentence_of_two_measures_is_judged_by_holm_s_steps() -> None:
    probs, labels = some_probs(8, examples=400, lean=1.0)
    pair = terms_of(probs, labels), terms_of(0.93 * probs + 0.07 * some_probs(11, examples=400)[0], labels)
    for confidence in (0.5, 0.8, 0.9, 0.95, 0.99):
        compared, apart = (
            compare_measures(CLASSIFICATION, *pair, confidence=level, resamples=2)[:2]
            for level in (confidence, (1 + confidence) / 2)
        )
        single, strict = ({each.measure.name: each.verdict for each in level} for level in (compared, apart))
        found = judge_together(CLASSIFICATION, *pair, compared, confidence=confidence)
        beyond = [name for name in found if strict[name] not in ("noise", "few")]
        expected = single if beyond else strict
        assert found == {name: strict[name] if name in beyond else expected[name] for name in ("accuracy", "nll")}


@pytest.mark.parametrize(
    ("lost", "gained", "verdict"), [(0, 0, "few"), (5, 5, "few"), (0, 6, "better"), (8, 1, "worse"), (24, 20, "noise")]
)
def test_accuracies_over_the_same_examples_differ_by_the_exact_test(lost: int, gained: int, verdict: str) -> None:
    zeros = np.zeros(50)
    terms = dict.fromkeys(("confidence", "nll", "brier", "uncertainty"), zeros)
    right, other = np.repeat([[1, 0, 1], [0, 1, 1]], [lost, gained, 50 - lost - gained], axis=1).astype(bool)
    accuracy = compare_measures(CLASSIFICATION, {**terms, "correct": right}, {**terms, "correct": other})[0]
    assert accuracy.verdict == verdict
    assert accuracy.difference.value == (gained - lost) / 50


@given(st.integers(1, 40), st.integers(0, 1000), st.sampled_from([0.8, 0.95]))
@settings(max_examples=10, deadline=None)
def test_no_interval_leaves_out_its_difference_or_says_something_else_than_the_verdict(
    examples: int, seed: int, confidence: float
) -> None:
    one, other = terms_of(*some_probs(seed, examples)), terms_of(*some_probs(seed + 1, examples))
    for each in compare_measures(CLASSIFICATION, one, other, confidence=confidence, resamples=40):
        low, high = each.difference.low, each.difference.high
        assert (each.verdict != "same") or np.isnan(low)
        is_known = each.measure.has_interval and not np.isnan(each.difference.value)
        assert (each.verdict == "unknown") == (not is_known and each.difference.value != 0)
        if not np.isnan(low):
            assert low <= each.difference.value <= high
            assert (each.verdict in ("noise", "few")) == (low <= 0 <= high)


@pytest.mark.parametrize(("examples", "verdict"), [(299, "few"), (300, "worse")])
def test_299_examples_are_too_few_for_a_verdict_on_errors_and_300_are_not(examples: int, verdict: str) -> None:
    outputs, labels = np.random.default_rng(0).normal(0, 0.1, (9, examples, 1)), np.zeros((examples, 1))
    good, bad = (REGRESSION.terms(RegressionPredictions(outputs + bias, labels=labels)) for bias in (0, 50))
    for each in compare_measures(REGRESSION, good, bad, resamples=20)[:2]:
        assert each.verdict == verdict
        assert ("no interval" in each.measure.format_interval(each.difference)) == (verdict == "few")


def test_a_difference_is_within_noise_where_it_cannot_be_as_large_as_the_measure() -> None:
    """Of the first 150 examples one model is wrong in 10%, and the other, with an NLL of 0.5 more, in half."""
    nll = Measure("nll", "NLL", "nats", "low", (0, np.inf))
    seen = MeasureComparison(nll, Interval(0.35), Interval(0.85), Interval(0.5, -1.05, 2.01))
    assert seen.verdict == "few"
    assert replace(seen, difference=Interval(0.5, -0.05, 0.8)).verdict == "noise"
    assert replace(seen, difference=Unsettled(0.5, -0.05, 0.8)).verdict == "few", "by Student's t it is not noise"
    assert replace(seen, difference=Interval(0.5, 0.05, 2)).verdict == "worse"


@pytest.mark.parametrize(
    ("draws", "examples", "mean"), one_in(4, [(20, 2, 0.9), (100, 10, 0.9), (100, 200, 0.98), (50, 200, None)])
)
def test_exchangeable_runs_seldom_differ_by_more_than_noise(draws: int, examples: int, mean: float | None) -> None:
    *single, _, sentence = rate(draws, false_differences, examples, mean) * draws
    assert max(*single, sentence) <= stats.binom.isf(1e-4, draws, 0.05)


@pytest.mark.slow
def test_runs_that_are_worse_are_found() -> None:
    assert (rate(8, true_differences) >= 0.5).all()


def test_pairing_sees_a_difference_that_two_samples_hide() -> None:
    probs, labels = some_probs(7, examples=5000, lean=1.0)
    sharper = probs**1.2 / (probs**1.2).sum(axis=-1, keepdims=True)
    one, other = terms_of(probs, labels), terms_of(sharper, labels)
    found = compare_measures(CLASSIFICATION, one, other, resamples=2)[1]
    paired, alone = found.difference, found.other.minus(found.one)
    assert paired.high - paired.low < (alone.high - alone.low) / 3


@given(value=st.floats(-10, 10), unit=st.sampled_from(["share", "per mille", "nats", "target", ""]))
@settings(max_examples=30)
def test_a_difference_shows_its_sign(value: float, unit: str) -> None:
    text = Measure("it", "it", unit, "low").format(value, "kg", sign="+")
    assert text[0] in "+−"


@pytest.mark.parametrize(
    ("unit", "difference", "words"),
    [
        ("share", Interval(-0.0008, -0.0017, -0.00003), "−0.08 points (−0.17 to −0.003)"),
        ("nats", Interval(0.001, 0.00002, 0.002), "+0.0010 nats (+0.00002 to +0.0020)"),
        ("share", Interval(0.0, -0.0017, 0.0), "+0.00 points (−0.17 to +0.00)"),
    ],
)
def test_an_end_that_leaves_out_zero_is_not_printed_as_zero(unit, difference: Interval, words: str) -> None:
    measure = Measure("it", "it", unit, "high")
    assert measure.format_interval(difference, sign="+") == words
    assert MeasureComparison(measure, Interval(0.5), Interval(0.5), difference).format()[2] == words


def test_verdicts_know_which_end_is_better() -> None:
    probs, labels = some_probs(9, examples=800)
    worse = np.full_like(probs, 0.25) * 0.6 + probs * 0.4
    shuffled = np.random.default_rng(0).permuted(worse, axis=2)
    good, bad = terms_of(probs, labels), terms_of(shuffled, labels)
    for one, other, verdict in ((good, bad, "worse"), (bad, good, "better")):
        by_name = {each.measure.name: each.verdict for each in compare_measures(CLASSIFICATION, one, other)}
        assert {by_name[name] for name in ("accuracy", "nll", "brier", "aurc", "auroc")} == {verdict}


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        (3.8741, 3.8783, ("3.8741 kg", "3.8783 kg", "+0.0042 kg")),
        (197.0, 178.69, ("197.0 kg", "178.7 kg", "−18.3 kg")),
        (1337.4, 998.2, ("1,337 kg", "998 kg", "−339 kg")),
        (2.0, 2.0, ("2.000 kg", "2.000 kg", "+0.000 kg")),
    ],
)
def test_both_runs_and_their_difference_are_shown_to_the_same_digit(one: float, other: float, shown: tuple) -> None:
    rmse = REGRESSION.measures[0]
    found = MeasureComparison(rmse, *(Interval(each, each - 1, each + 1) for each in (one, other, other - one)))
    assert tuple(each.partition(" (")[0] for each in found.format("kg")) == shown
    alone = MeasureComparison(rmse, *map(Interval, (one, other, other - one))).format("kg")
    assert alone == tuple(f"{each} (no interval)" for each in shown)


LABELS = np.random.default_rng(0).integers(0, 3, 300)
PROBS = np.random.default_rng(1).dirichlet(np.ones(3), 300) * 0.7 + 0.3 * np.eye(3)[LABELS]


def _terms(probs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    return {"probs": probs, "labels": labels, "predicted": probs.argmax(axis=1)}


@pytest.mark.parametrize("number", range(3))
def test_the_figures_are_those_of_scikit_learn(number: int) -> None:
    predicted = PROBS.argmax(axis=1)
    for compute, reference in ((recall, recall_score), (precision, precision_score), (f1, f1_score)):
        expected = reference(LABELS, predicted, labels=[number], average=None)[0]
        assert compute(_terms(PROBS, LABELS), number, 0.95).value == pytest.approx(expected)
    rounded = PROBS.round(1)  # with ties
    expected = roc_auc_score(number == LABELS, rounded[:, number])
    assert roc_auc(_terms(rounded, LABELS), number, 0.95).value == pytest.approx(expected)


def test_shares_have_exact_intervals_and_f1_that_of_the_share_that_it_follows_from() -> None:
    predicted = PROBS.argmax(axis=1) == 1
    both, either = (predicted & (LABELS == 1)).sum(), (predicted | (LABELS == 1)).sum()
    for compute, trials in ((recall, (LABELS == 1).sum()), (precision, predicted.sum())):
        exact = stats.binomtest(int(both), int(trials)).proportion_ci(0.9, "exact")
        assert astuple(compute(_terms(PROBS, LABELS), 1, 0.9))[1:] == pytest.approx((exact.low, exact.high))
    exact = stats.binomtest(int(both), int(either)).proportion_ci(0.9, "exact")
    found = f1(_terms(PROBS, LABELS), 1, 0.9)
    assert found.low / (2 - found.low) == pytest.approx(exact.low)
    assert found.high / (2 - found.high) == pytest.approx(exact.high)


@pytest.mark.parametrize(("own", "others", "shift"), [(12, 300, 1.0), (300, 12, 1.0), (40, 40, 0.0), (15, 25, 2.0)])
def test_an_end_of_the_roc_auc_s_interval_is_the_farther_of_two(own: int, others: int, shift: float) -> None:
    """Of pairs for DeLong's error, and by Hanley & McNeil's equation in Newcombe's form, which an end fulfils."""
    random, labels = np.random.default_rng(own), np.repeat([1, 0], [own, others])
    score = np.r_[random.normal(shift, 3, own), random.normal(0, 1, others)]
    found = roc_auc(_terms(np.stack([-score, score], axis=1), labels), 1, 0.9)
    wins = score[:own, None] > score[own:]
    area = wins.mean()
    error = np.sqrt(wins.mean(axis=1).var(ddof=1) / own + wins.mean(axis=0).var(ddof=1) / others)
    radius = stats.t.ppf(0.95, min(own, others) - 1) * error / (area * (1 - area))
    for end, empirical, side in ((found.low, -radius, -1), (found.high, radius, 1)):
        first = 1 / (1 + (1 - area) / area * np.exp(-empirical))
        pairs, size = own * others, (own + others) / 2 - 1
        grid = np.linspace(area, 0.5 + side / 2, 200_001)
        variance = grid * (1 - grid) / pairs * (1 + size * ((1 - grid) / (2 - grid) + grid / (1 + grid)))
        within = np.abs(grid - area) <= stats.norm.ppf(0.95) * np.sqrt(variance)
        second = grid[np.flatnonzero(~within)[0]]
        assert end == pytest.approx(min(first, second) if side < 0 else max(first, second), abs=1e-5)


def test_a_class_that_is_not_there_has_no_figure() -> None:
    probs = np.tile([0.9, 0.1, 0.0], (30, 1))
    labels = np.repeat([0, 1], 15)
    assert np.isnan(recall(_terms(probs, labels), 2, 0.95).value)
    assert np.isnan(precision(_terms(probs, labels), 1, 0.95).value)
    assert np.isnan(f1(_terms(probs, labels), 2, 0.95).value)
    assert np.isnan(roc_auc(_terms(probs, labels), 2, 0.95).value)
    assert np.isnan(roc_auc(_terms(probs, np.zeros(30, int)), 0, 0.95).value)


@pytest.mark.parametrize("measure", CLASSIFICATION.of_class, ids=lambda measure: measure.name)
def test_a_class_that_is_told_without_a_mistake_may_still_be_mistaken(measure: ClassMeasure) -> None:
    labels = np.repeat([0, 1], [30, 60])
    found = measure.compute(_terms(np.eye(2)[labels], labels), 1, 0.95)
    assert (found.value, found.high) == (1, 1)
    assert 0.85 < found.low < 0.98
    reverse = measure.compute(_terms(np.eye(2)[1 - labels], labels), 1, 0.95)
    assert (reverse.value, reverse.low) == (0, 0)
    assert 0.02 < reverse.high < 0.15


@pytest.mark.parametrize(
    ("own", "others", "spread", "area"), [(20, 100, 2, 0.8), (50, 200, 1, 0.95), (20, 20, 1, 0.99)]
)
def test_an_interval_of_the_roc_auc_covers_the_area_of_normal_scores(own, others, spread, area) -> None:
    """Of 300 samples, the area is below the interval of at most 5%, and above that of at most 5%; 2.5% are promised."""
    random, labels = np.random.default_rng(1), np.repeat([1, 0], [own, others])
    shift = stats.norm.ppf(area) * np.hypot(1, spread)
    missed = np.zeros(2)
    for _ in range(300):
        score = np.r_[random.normal(shift, spread, own), random.normal(0, 1, others)]
        found = roc_auc(_terms(np.stack([-score, score], axis=1), labels), 1, 0.95)
        missed += found.low > area, found.high < area
    assert (missed <= 15).all()


def test_an_interval_of_f1_covers_it() -> None:
    random, chances, missed = np.random.default_rng(2), np.array([0.15, 0.05, 0.03, 0.77]), np.zeros(2)
    truth = 2 * chances[0] / (2 * chances[0] + chances[1] + chances[2])
    for both, only_label, only_predicted, neither in random.multinomial(120, chances, 300):
        labels = np.repeat([1, 1, 0, 0], [both, only_label, only_predicted, neither])
        predicted = np.repeat([1, 0, 1, 0], [both, only_label, only_predicted, neither])
        found = f1(_terms(np.eye(2)[predicted], labels), 1, 0.95)
        missed += found.low > truth, found.high < truth
    assert (missed <= 15).all()
