"""Prediction sets against a slow loop over p-values, and against how often they hold the label in simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.measures.conformal import conformal_p_values
from mcviz.measures.prediction_sets import cross_fitted_sets, prediction_sets, set_figures


def made(examples: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are worse for some classes than for others; labels are drawn from other ones."""
    random = np.random.default_rng(seed)
    truth = random.dirichlet(np.full(classes, 0.4), examples)
    labels = (random.random((examples, 1)) > truth.cumsum(axis=1)[:, :-1]).sum(axis=1)
    probs = truth ** np.linspace(0.3, 2, classes)
    return probs / probs.sum(axis=1, keepdims=True), labels


@given(st.integers(1, 25), st.integers(2, 4), st.integers(0, 10**6), st.integers(0, 20))
def test_a_class_is_in_the_set_where_its_p_value_is_high_enough(m: int, classes: int, seed: int, steps: int) -> None:
    probs, labels = made(m, classes, seed)
    new, _ = made(5, classes, seed + 1)
    sets = prediction_sets(probs, labels, new, steps / 20)
    for c in range(classes):
        p_values = conformal_p_values(1 - probs[labels == c, c], 1 - new[:, c])
        allowed = 1 - steps / 20
        np.testing.assert_array_equal(sets[:, c], p_values > allowed + 1e-9)


def test_every_class_is_covered_as_often_as_it_says() -> None:
    held, count, classes = np.zeros(3), np.zeros(3), 3
    for seed in range(150):
        probs, labels = made(240, classes, seed)
        sets = prediction_sets(probs[:160], labels[:160], probs[160:], 0.8)
        for c in range(classes):
            own = labels[160:] == c
            held[c] += sets[own, c].sum()
            count[c] += own.sum()
    coverage = held / count
    assert (coverage > 0.8 - 0.015).all()
    assert (coverage < 0.8 + 1 / 40 + 0.015).all()  # no more than it has to be, at 40 labels or more a class


def test_cross_fitted_sets_are_those_of_the_other_half() -> None:
    probs, labels = made(101, 3, 0)
    first, second = np.array_split(np.random.default_rng(4).permutation(101), 2)
    found = cross_fitted_sets(probs, labels, 0.9, seed=4)
    np.testing.assert_array_equal(found[first], prediction_sets(probs[second], labels[second], probs[first], 0.9))


def test_size_and_coverage_by_hand() -> None:
    sets = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]], bool)
    labels = np.array([0, 1, 1, 0])
    found = set_figures(sets, labels)
    assert (found.size.value, found.coverage.value, found.single, found.empty) == (1.0, 0.5, 0.5, 0.25)
    assert found.coverage.low == pytest.approx(0.0676, abs=1e-4)  # Clopper & Pearson, 2 of 4
    by_class = [set_figures(sets[labels == c], labels[labels == c]) for c in (0, 1)]
    assert (by_class[0].size.value, by_class[0].coverage.value) == (1.0, 0.5)
    assert by_class[1].empty == 0.5


def test_a_class_that_was_hardly_seen_is_never_ruled_out() -> None:
    probs, labels = np.array([[0.9, 0.1], [0.8, 0.2]] * 20), np.zeros(40, int)
    assert prediction_sets(probs, labels, np.array([[0.99, 0.01]]), 0.9).tolist() == [[True, True]]
