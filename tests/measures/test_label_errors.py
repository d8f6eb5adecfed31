"""The number of wrong labels is that of confident learning's joint distribution, as cleanlab has it."""

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint, num_label_issues

from benchmarks.label_errors import change_labels
from mcviz.measures.labels import estimate_label_errors

Array = np.ndarray


def simulated(examples: int, classes: int, share: float, seed: int = 0) -> tuple[Array, Array, Array]:
    """Probabilities of a model that does not know which labels were changed, these labels, and the true ones."""
    random = np.random.default_rng(seed)
    true = random.integers(0, classes, examples)
    logits = random.normal(size=(examples, classes))
    logits[np.arange(examples), true] += random.uniform(3, 9, examples)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probs, change_labels(true, round(share * examples), classes, random), true


@pytest.mark.parametrize(("examples", "classes", "share"), [(300, 3, 0.1), (2000, 10, 0.02), (2000, 10, 0.1)])
def test_the_estimate_is_cleanlab_s_and_its_interval_holds_what_was_changed(
    examples: int, classes: int, share: float
) -> None:
    probs, labels, true = simulated(examples, classes, share)
    found = estimate_label_errors(probs, labels)
    joint = compute_confident_joint(labels, probs, calibrate=False)
    wrong = 1 - np.diag(joint) / joint.sum(axis=1)
    assert found.value == pytest.approx(np.bincount(labels) @ wrong)
    rounded = num_label_issues(labels, probs, estimation_method="off_diagonal_calibrated")
    assert abs(found.value - rounded) <= classes  # which rounds each cell
    assert found.low <= (labels != true).sum() <= found.high
    assert found.high - found.low < examples / 10


def test_of_two_classes_that_are_reached_the_likelier_counts() -> None:
    probs = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    labels = np.array([0, 0, 1, 1, 2])  # thresholds 0.35, 0.6 and 0.6: the second example reaches none
    assert estimate_label_errors(probs, labels).value == pytest.approx(2 * 0 + 2 * 1 / 2)


def test_a_class_without_labels_and_one_without_errors_count_nothing() -> None:
    probs = np.array([[0.9, 0.05, 0.05]] * 6 + [[0.05, 0.05, 0.9]] * 4)
    found = estimate_label_errors(probs, np.array([0] * 6 + [2] * 4))
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert estimate_label_errors(probs, np.array([0] * 6 + [2] * 3 + [0])).value == pytest.approx(1)


def test_the_interval_grows_with_its_confidence_and_is_of_its_seed() -> None:
    probs, labels, _ = simulated(300, 3, 0.1)
    wide, narrow = (estimate_label_errors(probs, labels, confidence=each) for each in (0.99, 0.5))
    assert wide.low < narrow.low <= narrow.value <= narrow.high < wide.high
    assert estimate_label_errors(probs, labels, confidence=0.5) == narrow
    assert estimate_label_errors(probs, labels, confidence=0.5, seed=1) != narrow
