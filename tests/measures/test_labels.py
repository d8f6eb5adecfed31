"""Acquisition against brute force, and the number and the order of wrong labels against cleanlab."""

import itertools
import math

import numpy as np
import pytest
from cleanlab import rank
from cleanlab.count import compute_confident_joint, num_label_issues
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from benchmarks.label_errors import change_labels
from mcviz import measures
from mcviz.measures import mutual_information, predictive_entropy
from mcviz.measures.labels import (
    bald,
    batch_bald,
    count_confident_mistakes,
    entropy,
    estimate_label_errors,
    power_bald,
    random,
)


def joint_information(probs: np.ndarray, batch: tuple[int, ...]) -> float:
    """The mutual information of the labels of a batch and the pass: sums over all combinations, as it is defined."""
    passes, _, classes = probs.shape
    joint, within = 0.0, 0.0
    for labels in itertools.product(range(classes), repeat=len(batch)):
        of_pass = [math.prod(probs[t, i, c] for i, c in zip(batch, labels, strict=True)) for t in range(passes)]
        mean = sum(of_pass) / passes
        joint -= mean * math.log(mean) if mean > 0 else 0
        within -= sum(p * math.log(p) for p in of_pass if p > 0) / passes
    return joint - within


def slow_batch_bald(probs: np.ndarray, batch: int) -> tuple[int, ...]:
    chosen: tuple[int, ...] = ()
    while len(chosen) < batch:
        others = [i for i in range(probs.shape[1]) if i not in chosen]
        chosen += (max(others, key=lambda i: joint_information(probs, (*chosen, i))),)
    return chosen


@settings(max_examples=30)
@given(st.integers(2, 4), st.integers(2, 6), st.integers(2, 3), st.integers(1, 3), st.integers(0, 10**6))
def test_batch_bald_is_greedy_brute_force(passes: int, pool: int, classes: int, batch: int, seed: int) -> None:
    probs = np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), (passes, pool))
    batch = min(batch, pool)
    chosen = batch_bald(probs, batch)
    assert len(set(chosen)) == batch
    assert joint_information(probs, tuple(chosen)) == pytest.approx(
        joint_information(probs, slow_batch_bald(probs, batch)), abs=1e-9
    )


def test_drawn_combinations_find_nearly_what_all_do() -> None:
    probs = np.random.default_rng(1).dirichlet(np.full(3, 0.5), (6, 12))
    exact = joint_information(probs, tuple(batch_bald(probs, 5)))
    assert joint_information(probs, tuple(batch_bald(probs, 5, rows=60))) > 0.97 * exact
    by_chance = np.mean([joint_information(probs, tuple(random(12, 5, seed))) for seed in range(20)])
    assert by_chance < 0.9 * exact


def test_a_batch_does_not_hold_the_same_doubt_twice() -> None:
    disagree = np.array([[0.99, 0.01], [0.99, 0.01], [0.01, 0.99], [0.01, 0.99]])
    other = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]])
    probs = np.stack([disagree, disagree, disagree, other], axis=1)  # three copies of one doubt, and a smaller one
    assert bald(probs, 2).tolist() == [0, 1]
    assert batch_bald(probs, 2).tolist() == [0, 3]


def test_the_highest_scores_come_first() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (5, 20))
    assert bald(probs, 4).tolist() == np.argsort(-mutual_information(probs))[:4].tolist()
    assert entropy(probs, 4).tolist() == np.argsort(-predictive_entropy(probs))[:4].tolist()
    assert len(entropy(probs, 50)) == 20


def test_power_bald_draws_in_proportion_without_replacement() -> None:
    information = np.array([0.6, 0.3, 0.1, 0.0])
    draws = np.array([power_bald(information, 3, seed) for seed in range(4000)])
    first = np.bincount(draws[:, 0], minlength=4) / 4000
    np.testing.assert_allclose(first, information, atol=0.03)
    second = np.bincount(draws[draws[:, 0] == 0, 1], minlength=4)
    np.testing.assert_allclose(second / second.sum(), [0, 0.75, 0.25, 0], atol=0.04)
    assert all(len(set(draw)) == 3 for draw in draws)
    assert power_bald(information, 4, 0)[-1] == 3


def test_random_examples_are_each_as_likely() -> None:
    counts = np.bincount(np.concatenate([random(5, 2, seed) for seed in range(2000)]), minlength=5)
    np.testing.assert_allclose(counts / 2000, 0.4, atol=0.04)


def draw_labels(examples: int, classes: int, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of a model that does not know which labels were changed, these labels, and the true ones."""
    random = np.random.default_rng(0)
    true = random.integers(0, classes, examples)
    logits = random.normal(size=(examples, classes))
    logits[np.arange(examples), true] += random.uniform(3, 9, examples)
    return softmax(logits, axis=1), change_labels(true, round(share * examples), classes, random), true


@pytest.mark.parametrize(("examples", "classes", "share"), [(300, 3, 0.1), (2000, 10, 0.02), (2000, 10, 0.1)])
def test_the_estimate_is_cleanlab_s_and_its_interval_holds_what_was_changed(
    examples: int, classes: int, share: float
) -> None:
    probs, labels, true = draw_labels(examples, classes, share)
    estimate = estimate_label_errors(probs, labels)
    joint = compute_confident_joint(labels, probs, calibrate=False)
    wrong = 1 - np.diag(joint) / joint.sum(axis=1)
    assert estimate.value == pytest.approx(np.bincount(labels) @ wrong)
    rounded = num_label_issues(labels, probs, estimation_method="off_diagonal_calibrated")
    assert abs(estimate.value - rounded) <= classes  # which rounds each cell
    assert estimate.low <= (labels != true).sum() <= estimate.high
    assert estimate.high - estimate.low < examples / 10


def test_of_several_labels_each_class_is_estimated_as_cleanlab_estimates_one_of_two() -> None:
    rng = np.random.default_rng(0)
    true = (rng.random((500, 4)) < [0.2, 0.3, 0.5, 0.6]).astype(int)
    probs = 1 / (1 + np.exp(-(6 * true - 3 + rng.normal(size=true.shape))))
    changed = rng.random(true.shape) < 0.05
    labels = np.where(rng.random(true.shape) < 0.1, -1, true ^ changed)
    estimate, known, expected, mistakes = estimate_label_errors(probs, labels), labels >= 0, 0.0, []
    for of_class, column, there in zip(probs.T, labels.T, known.T, strict=True):
        both, of_two = np.stack([1 - of_class, of_class], axis=1)[there], column[there]
        joint = compute_confident_joint(of_two, both, calibrate=False)
        expected += np.bincount(of_two) @ (1 - np.diag(joint) / joint.sum(axis=1))
        mistakes += [max(two) / two[label] for two, label in zip(both, of_two, strict=True) if two[label] < 0.5]
    assert estimate.value == pytest.approx(expected)
    assert estimate.low <= (changed & known).sum() <= estimate.high
    assert estimate.high - estimate.low < known.sum() / 10
    assert count_confident_mistakes(probs, labels) == (len(mistakes), sum(odds >= 2 for odds in mistakes))


def test_of_two_classes_that_are_reached_the_likelier_counts() -> None:
    probs = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    labels = np.array([0, 0, 1, 1, 2])  # thresholds 0.35, 0.6 and 0.6: the second example reaches none
    assert estimate_label_errors(probs, labels).value == pytest.approx(2 * 0 + 2 * 1 / 2)


def test_a_class_without_labels_and_one_without_errors_count_nothing() -> None:
    probs = np.array([[0.9, 0.05, 0.05]] * 6 + [[0.05, 0.05, 0.9]] * 4)
    estimate = estimate_label_errors(probs, np.array([0] * 6 + [2] * 4))
    assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)
    assert estimate_label_errors(probs, np.array([0] * 6 + [2] * 3 + [0])).value == pytest.approx(1)


def test_the_interval_grows_with_its_confidence_and_is_of_its_seed() -> None:
    probs, labels, _ = draw_labels(300, 3, 0.1)
    wide, narrow = (estimate_label_errors(probs, labels, confidence=each) for each in (0.99, 0.5))
    assert wide.low < narrow.low <= narrow.value <= narrow.high < wide.high
    assert estimate_label_errors(probs, labels, confidence=0.5) == narrow
    assert estimate_label_errors(probs, labels, confidence=0.5, seed=1) != narrow


@given(st.integers(2, 6), st.integers(1, 12), st.integers(0, 10**6))
def test_the_scores_that_look_at_the_label_are_those_of_cleanlab(classes: int, examples: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    probs = random.dirichlet(np.ones(classes), (3, examples))
    labels = random.integers(classes, size=examples)
    mean = probs.mean(axis=0)
    table = measures.scores(probs, labels)
    for name, of_cleanlab in (
        ("self_confidence", rank.get_self_confidence_for_each_label),
        ("normalized_margin", rank.get_normalized_margin_for_each_label),
    ):
        np.testing.assert_allclose(table[name], of_cleanlab(labels, mean), atol=1e-6)
