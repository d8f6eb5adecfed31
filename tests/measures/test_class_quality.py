"""Recall, precision, F1 and ROC AUC of a class are scikit-learn's, and their intervals hold what they promise."""

from dataclasses import astuple

import numpy as np
import pytest
import scipy
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from mcviz.measures.quality import CLASS_MEASURES, f1, precision, recall, roc_auc

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 3, 300)
PROBS = RANDOM.dirichlet(np.ones(3), 300) * 0.7 + 0.3 * np.eye(3)[LABELS]


@pytest.mark.parametrize("number", range(3))
def test_the_figures_are_those_of_scikit_learn(number: int) -> None:
    predicted = PROBS.argmax(axis=1)
    for compute, reference in ((recall, recall_score), (precision, precision_score), (f1, f1_score)):
        expected = reference(LABELS, predicted, labels=[number], average=None)[0]
        assert compute(PROBS, LABELS, number, 0.95).value == pytest.approx(expected)
    rounded = PROBS.round(1)  # with ties
    expected = roc_auc_score(number == LABELS, rounded[:, number])
    assert roc_auc(rounded, LABELS, number, 0.95).value == pytest.approx(expected)


def test_shares_have_exact_intervals_and_f1_that_of_the_share_that_it_follows_from() -> None:
    predicted = PROBS.argmax(axis=1) == 1
    both, either = (predicted & (LABELS == 1)).sum(), (predicted | (LABELS == 1)).sum()
    for compute, trials in ((recall, (LABELS == 1).sum()), (precision, predicted.sum())):
        exact = scipy.stats.binomtest(int(both), int(trials)).proportion_ci(0.9, "exact")
        assert astuple(compute(PROBS, LABELS, 1, 0.9))[1:] == pytest.approx((exact.low, exact.high))
    exact = scipy.stats.binomtest(int(both), int(either)).proportion_ci(0.9, "exact")
    found = f1(PROBS, LABELS, 1, 0.9)
    assert found.low / (2 - found.low) == pytest.approx(exact.low)
    assert found.high / (2 - found.high) == pytest.approx(exact.high)


def test_a_class_that_is_not_there_has_no_figure() -> None:
    probs = np.tile([0.9, 0.1, 0.0], (30, 1))
    labels = np.repeat([0, 1], 15)
    assert np.isnan(recall(probs, labels, 2, 0.95).value)
    assert np.isnan(precision(probs, labels, 1, 0.95).value)
    assert np.isnan(f1(probs, labels, 2, 0.95).value)
    assert np.isnan(roc_auc(probs, labels, 2, 0.95).value)
    assert np.isnan(roc_auc(probs, np.zeros(30, int), 0, 0.95).value)


@pytest.mark.parametrize("measure", CLASS_MEASURES)
def test_a_class_that_is_told_without_a_mistake_may_still_be_mistaken(measure: str) -> None:
    labels = np.repeat([0, 1], [30, 60])
    found = CLASS_MEASURES[measure].compute(np.eye(2)[labels], labels, 1, 0.95)
    assert (found.value, found.high) == (1, 1)
    assert 0.85 < found.low < 0.98
    reverse = CLASS_MEASURES[measure].compute(np.eye(2)[1 - labels], labels, 1, 0.95)
    assert (reverse.value, reverse.low) == (0, 0)
    assert 0.02 < reverse.high < 0.15


@pytest.mark.parametrize(
    ("own", "others", "spread", "area"), [(20, 100, 2, 0.8), (50, 200, 1, 0.95), (20, 20, 1, 0.99)]
)
def test_an_interval_of_the_roc_auc_covers_the_area_of_normal_scores(own, others, spread, area) -> None:
    """Of 300 samples, the area is below the interval of at most 5%, and above that of at most 5%; 2.5% are promised."""
    random, labels = np.random.default_rng(1), np.repeat([1, 0], [own, others])
    shift = scipy.stats.norm.ppf(area) * np.hypot(1, spread)
    missed = np.zeros(2)
    for _ in range(300):
        score = np.r_[random.normal(shift, spread, own), random.normal(0, 1, others)]
        found = roc_auc(np.stack([-score, score], axis=1), labels, 1, 0.95)
        missed += found.low > area, found.high < area
    assert (missed <= 15).all()


def test_an_interval_of_f1_covers_it() -> None:
    random, chances, missed = np.random.default_rng(2), np.array([0.15, 0.05, 0.03, 0.77]), np.zeros(2)
    truth = 2 * chances[0] / (2 * chances[0] + chances[1] + chances[2])
    for both, only_label, only_predicted, neither in random.multinomial(120, chances, 300):
        labels = np.repeat([1, 1, 0, 0], [both, only_label, only_predicted, neither])
        predicted = np.repeat([1, 0, 1, 0], [both, only_label, only_predicted, neither])
        found = f1(np.eye(2)[predicted], labels, 1, 0.95)
        missed += found.low > truth, found.high < truth
    assert (missed <= 15).all()
