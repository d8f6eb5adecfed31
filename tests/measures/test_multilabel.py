"""Several labels an example, against scikit-learn, cleanlab and loops in float64."""

import math

import numpy as np
import pytest
from cleanlab.multilabel_classification import get_label_quality_scores
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score, hamming_loss, roc_auc_score

from mcviz.measures.intervals import bounded_interval
from mcviz.measures.multilabel import (
    MULTILABEL,
    class_ece,
    class_figures,
    class_information,
    class_measures,
    class_reliability,
    label_losses,
    label_means,
    label_quality,
)
from mcviz.measures.quality import compare_measures, compute_measures
from mcviz.measures.registry import MULTILABEL_SCORES, MultilabelPredictions
from tests.cases import one_in


def draw(examples: int = 400, classes: int = 4, passes: int = 6, seed: int = 0) -> MultilabelPredictions:
    """Passes around a true probability of each class, rounded so that some tie, and labels that are drawn from it."""
    random = np.random.default_rng(seed)
    odds = random.normal(-0.7, 1.5, (examples, classes))
    noisy = odds + random.normal(0, 1, (passes, examples, classes))
    labels = (random.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    return MultilabelPredictions(np.round(1 / (1 + np.exp(-noisy)), 2), labels)


def hide(predictions: MultilabelPredictions, share: float, seed: int = 1) -> MultilabelPredictions:
    hidden = np.random.default_rng(seed).random(predictions.labels.shape) < share
    return MultilabelPredictions(predictions.probs, np.where(hidden, -1, predictions.labels))


def _terms(probs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    return {"probs": probs, "labels": labels, "predicted": probs > 0.5}


def test_measures_are_scikit_learn_s() -> None:
    predictions = draw()
    probs, labels = predictions.mean_probs, predictions.labels
    found = {name: each.value for name, each in compute_measures(MULTILABEL, MULTILABEL.terms(predictions)).items()}
    predicted = probs > 0.5
    assert found["accuracy"] == pytest.approx(1 - hamming_loss(labels, predicted))
    assert found["exact_match"] == pytest.approx((predicted == labels).all(axis=1).mean())
    assert found["map"] == pytest.approx(average_precision_score(labels, probs, average="macro"))
    assert found["auroc"] == pytest.approx(roc_auc_score(labels, probs, average="macro"))
    assert found["f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert found["nll"] == pytest.approx(-np.log(np.where(labels == 1, probs, 1 - probs)).mean())
    assert found["brier"] == pytest.approx(np.square(probs - labels).mean())


def test_labels_that_nobody_knows_count_nowhere() -> None:
    predictions = hide(draw(), 0.4)
    found = {name: each.value for name, each in compute_measures(MULTILABEL, MULTILABEL.terms(predictions)).items()}
    probs, labels = predictions.mean_probs, predictions.labels
    losses, precisions = [], []
    for row, given_labels in zip(probs, labels, strict=True):
        wrong = [(p > 0.5) != y for p, y in zip(row, given_labels, strict=True) if y != -1]
        if wrong:
            losses.append(np.mean(wrong))
    for number in range(4):
        known = labels[:, number] != -1
        precisions.append(average_precision_score(labels[known, number], probs[known, number]))
    assert found["accuracy"] == pytest.approx(1 - np.mean(losses))
    assert found["map"] == pytest.approx(np.mean(precisions))


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([-1, 0, 1]), st.integers(0, 3)), min_size=1, max_size=20))
def test_the_measures_of_a_draw_are_those_of_its_examples(rows: list[tuple[int, int, int]]) -> None:
    probs, labels, times = (np.array(column) for column in zip(*rows, strict=True))
    found = class_measures(probs / 4, labels, probs / 4 > 0.5, times[None].astype(float))
    known = np.repeat(labels != -1, times)
    ranked, wanted = np.repeat(probs / 4, times)[known], np.repeat(labels, times)[known]
    if not (wanted == 1).any():
        assert np.isnan(found["map"]).all()
        assert np.isnan(found["auroc"]).all()
        return
    assert found["map"][0] == pytest.approx(average_precision_score(wanted, ranked))
    assert found["f1"][0] == pytest.approx(f1_score(wanted, ranked > 0.5))
    if (wanted == 1).all():
        assert np.isnan(found["auroc"][0])
    else:
        assert found["auroc"][0] == pytest.approx(roc_auc_score(wanted, ranked))


def test_the_f1_of_a_class_that_is_never_predicted_has_no_interval() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (200, 2))
    probs = np.clip(0.3 * labels + rng.uniform(0, 0.7, (200, 2)), 0, 1)
    probs[:, 1] /= 2  # below 0.5
    predicted, never = class_figures(_terms(probs, labels))
    assert predicted.f1.low < predicted.f1.value < predicted.f1.high
    assert (never.f1.value, np.isnan(never.f1.low), np.isnan(never.f1.high)) == (0, True, True)
    assert never.map.low < never.map.value < never.map.high, "its ranking is known"
    alone = compute_measures(MULTILABEL, _terms(probs[:, 1:], labels[:, 1:]), resamples=50)
    assert MULTILABEL.compared["f1"].format_interval(alone["f1"]) == "0.0000 (no interval)"


def test_label_quality_is_cleanlab_s() -> None:
    predictions = draw(classes=5)
    lists = [np.flatnonzero(row).tolist() for row in predictions.labels]
    expected = get_label_quality_scores(lists, predictions.mean_probs)
    np.testing.assert_allclose(label_quality(predictions.mean_probs, predictions.labels), expected)


def test_the_quality_of_labels_is_of_those_that_are_known() -> None:
    predictions = draw(30, 4)
    partly = predictions.labels.copy()
    partly[:, 2] = -1
    without = np.delete(predictions.mean_probs, 2, axis=1), np.delete(predictions.labels, 2, axis=1)
    np.testing.assert_allclose(label_quality(predictions.mean_probs, partly), label_quality(*without))
    nothing = np.full_like(partly, -1)
    assert (label_quality(predictions.mean_probs, nothing) == 1).all()
    assert np.isnan(label_losses(predictions.mean_probs > 0.5, nothing)).all()


def test_scores_are_those_of_a_loop_over_coins() -> None:
    predictions = draw(20, 3)
    found = MULTILABEL_SCORES.compute(predictions)

    def entropy(p: float) -> float:
        return -sum(q * math.log(q) for q in (p, 1 - p) if q > 0)

    for example in range(20):
        mean = predictions.probs[:, example].mean(axis=0)
        whole = [entropy(p) for p in mean]
        within = [np.mean([entropy(p) for p in predictions.probs[:, example, c]]) for c in range(3)]
        told = [one - other for one, other in zip(whole, within, strict=True)]
        assert found["expected_error"][example] == pytest.approx(np.mean([min(p, 1 - p) for p in mean]), rel=1e-6)
        assert found["predictive_entropy"][example] == pytest.approx(sum(whole), rel=1e-6)
        assert found["largest_entropy"][example] == pytest.approx(max(whole), rel=1e-6)
        assert found["expected_entropy"][example] == pytest.approx(sum(within), rel=1e-6)
        assert found["mutual_information"][example] == pytest.approx(sum(told), abs=1e-6)
        assert found["largest_information"][example] == pytest.approx(max(told), abs=1e-6)
        np.testing.assert_allclose(class_information(predictions.probs)[example], told, atol=1e-12)


def test_a_sure_wrong_label_costs_as_much_as_any_and_an_impossible_one_not_infinitely_much() -> None:
    predictions = MultilabelPredictions(np.array([[[0.0, 1.0]]]), np.array([[1, 0]]))
    found = compute_measures(MULTILABEL, MULTILABEL.terms(predictions))
    assert found["accuracy"].value == 0
    assert 10 < found["nll"].value < 20


def test_pooled_calibration_hides_what_the_classes_show() -> None:
    """Of a rare class that is always thought unlikely, and of one that is overrated, the mean over classes tells."""
    random = np.random.default_rng(0)
    probs = np.stack([np.full(5000, 0.02), np.full(5000, 0.6)], axis=1)
    labels = np.stack([random.random(5000) < 0.02, random.random(5000) < 0.4], axis=1).astype(np.int8)
    terms = {
        "probs": np.hstack([probs, np.repeat(probs[:, :1], 18, axis=1)]),
        "labels": np.hstack([labels, np.repeat(labels[:, :1], 18, axis=1)]),
    }
    assert class_ece(terms, 1) == pytest.approx(0.2, abs=0.03)
    assert class_ece(terms) < 0.02


@pytest.mark.slow
def test_intervals_hold_the_accuracy_and_the_mean_precision_as_often_as_they_say() -> None:
    many = MULTILABEL.terms(draw(100_000, seed=99))
    true = {name: each.value for name, each in compute_measures(MULTILABEL, many, resamples=2).items()}
    missed = dict.fromkeys(("accuracy", "exact_match", "map", "auroc", "f1"), 0)
    for seed in range(100):
        found = compute_measures(MULTILABEL, MULTILABEL.terms(draw(300, seed=seed)), resamples=200)
        for name in missed:
            missed[name] += not found[name].low <= true[name] <= found[name].high
    assert max(missed.values()) <= stats.binom.isf(1e-4, 100, 0.07), missed


def test_rankings_of_fewer_than_20_positives_have_no_interval() -> None:
    predictions = draw(200, 2)
    for positives in (19, 20):
        rare = predictions.labels.copy()
        rare[:, 0] = 0
        rare[:positives, 0] = 1
        terms = MULTILABEL.terms(MultilabelPredictions(predictions.probs, rare))
        found = compute_measures(MULTILABEL, terms, resamples=50)
        changed = compare_measures(MULTILABEL, terms, _terms(np.sqrt(terms["probs"]), terms["labels"]), resamples=50)
        of_class = class_figures(terms)[0].map
        for interval in (found["map"], changed[2].difference, of_class):
            assert np.isnan(interval.low) == (positives < 20)
            assert not np.isnan(interval.value)
        assert not np.isnan(found["accuracy"].low)


def test_a_difference_of_labels_is_that_of_the_bound_of_their_examples() -> None:
    one = MULTILABEL.terms(draw(200, 2))
    changed = np.arange(200)[:, None] < 9
    other = _terms(np.where(changed, 1 - one["probs"], one["probs"]), one["labels"])
    is_wrong = [((terms["probs"] > 0.5) != (terms["labels"] == 1)).mean(axis=1) for terms in (one, other)]
    expected = bounded_interval(is_wrong[0] - is_wrong[1], (-1, 1))
    assert compare_measures(MULTILABEL, one, other, resamples=2)[0].difference == expected


@pytest.mark.parametrize("examples", one_in(3, [10, 40, 150]))
def test_that_a_class_s_probabilities_are_off_is_seldom_said_of_true_ones(examples: int) -> None:
    """Not either where nobody has seen an example of the class."""
    random, rates = np.random.default_rng(1), np.array([0.02, 0.05, 0.3, 0.98])
    false, draws = 0, 60
    for _ in range(draws):
        probs = np.broadcast_to(rates, (examples, 4))
        labels = (random.random(probs.shape) < probs).astype(np.int8)
        classes = class_figures(_terms(probs, labels))
        false += any(each.excess.low > 0 or each.excess.high < 0 for each in classes)
    assert false <= stats.binom.isf(1e-4, draws, 0.05)
    (off,) = class_figures(_terms(np.full((400, 1), 0.5), np.tile([[0], [0], [1]], (134, 1))[:400]))
    assert off.excess.low > 0
    assert off.excess.value == pytest.approx(0.5 - 133 / 400)


@pytest.mark.parametrize("wrong", [0, 9, 40])
def test_means_over_labels_are_those_of_any_bounded_numbers(wrong: int) -> None:
    probs, labels = np.full((300, 2), 0.1), np.zeros((300, 2), np.int8)
    labels[:wrong, 0] = 1
    right = np.where(np.arange(300) < wrong, 0.5, 1)
    for groups in (None, np.arange(300) // 2):
        means = label_means(_terms(probs, labels), groups=groups)
        assert means["accuracy"] == bounded_interval(right, (0, 1), groups)
        assert means["nll"].low < means["nll"].value < means["nll"].high


def test_two_runs_are_the_same_where_they_predict_the_same() -> None:
    terms = MULTILABEL.terms(draw(200))
    assert {each.verdict for each in compare_measures(MULTILABEL, terms, terms)} <= {"same", "noise"}


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_bins_of_a_class_hold_what_a_loop_finds_and_enough_for_an_interval(share: float) -> None:
    predictions = hide(draw(), share)
    terms = MULTILABEL.terms(predictions)
    for number in range(4):
        bins, gaps = class_reliability(terms, number)
        assert (bins.edges[0], bins.edges[-1]) == (0, 1)
        known = [
            (p, y)
            for p, y in zip(predictions.mean_probs[:, number], predictions.labels[:, number], strict=True)
            if y != -1
        ]
        assert bins.count.sum() == len(known)
        for place, (low, high) in enumerate(zip(bins.edges, bins.edges[1:], strict=False)):
            within = [(p, y) for p, y in known if (low < p or place == 0) and (p <= high or high == 1)]
            answers = [y for _, y in within]
            assert min(answers.count(0), answers.count(1)) >= 5
            assert bins.count[place] == len(within)
            assert bins.confidence[place] == pytest.approx(np.mean([p for p, _ in within]))
            assert bins.accuracy[place] == pytest.approx(np.mean(answers))
            gap = gaps[place]
            assert gap.value == pytest.approx(np.mean([y - p for p, y in within]))
            assert gap.low < gap.value < gap.high


def test_a_class_that_is_too_rare_has_one_bin_without_an_interval() -> None:
    probs, labels = np.linspace(0, 1, 40)[:, None], np.zeros((40, 1), np.int8)
    labels[-4:] = 1
    bins, (gap,) = class_reliability(_terms(probs, labels), 0)
    assert (bins.edges.tolist(), bins.accuracy.tolist()) == ([0, 1], [0.1])
    assert math.isnan(gap.low)
    assert math.isnan(gap.high)


@pytest.mark.slow
def test_intervals_of_a_calibrated_class_hold_zero_as_often_as_they_say() -> None:
    held = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        probs = random.beta(0.4, 1.2, (500, 1))
        labels = (random.random(probs.shape) < probs).astype(np.int8)
        _, gaps = class_reliability(_terms(probs, labels), 0)
        held += [gap.low <= 0 <= gap.high for gap in gaps]
    assert np.mean(held) > 0.93


def test_examples_of_a_group_count_as_one() -> None:
    predictions = draw(200)
    terms = MULTILABEL.terms(predictions)
    twice = {name: np.repeat(values, 4, axis=0) for name, values in terms.items()}
    (_, alone), (_, together) = (
        class_reliability(terms, 0),
        class_reliability(twice, 0, groups=np.repeat(np.arange(200), 4)),
    )
    by_itself = class_reliability(twice, 0)[1]
    widths = [np.mean([gap.high - gap.low for gap in gaps]) for gaps in (alone, together, by_itself)]
    assert widths[1] > 1.5 * widths[2]
    assert widths[1] > 0.7 * widths[0]
