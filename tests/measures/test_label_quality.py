"""The scores that look at the label: against cleanlab, against cases that can be checked by hand."""

import numpy as np
import pytest
from cleanlab import rank
from hypothesis import given
from hypothesis import strategies as st

from mcviz import measures

RANDOM = np.random.default_rng(0)


@given(st.integers(2, 6), st.integers(1, 12), st.integers(0, 10**6))
def test_both_scores_are_those_of_cleanlab(classes: int, examples: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    probs = random.dirichlet(np.ones(classes), (3, examples))
    labels = random.integers(classes, size=examples)
    mean = probs.mean(axis=0)
    found = measures.scores(probs, labels)
    expected = rank.get_self_confidence_for_each_label(labels, mean)
    np.testing.assert_allclose(found["self_confidence"], expected, atol=1e-6)
    expected = rank.get_normalized_margin_for_each_label(labels, mean)
    np.testing.assert_allclose(found["normalized_margin"], expected, atol=1e-6)


def test_by_hand() -> None:
    probs = np.array([[[0.9, 0.1, 0], [0.2, 0.2, 0.6]], [[0.7, 0.1, 0.2], [0, 0.4, 0.6]]])
    found = measures.scores(probs, np.array([0, 1]))
    np.testing.assert_allclose(found["self_confidence"], [0.8, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found["normalized_margin"], [0.85, 0.35], rtol=1e-6)  # 0.8 before 0.1; 0.3 after 0.6


def test_labels_that_were_exchanged_come_first() -> None:
    truth = RANDOM.integers(4, size=400)
    probs = 0.2 * RANDOM.dirichlet(np.ones(4), (5, 400)) + 0.8 * np.eye(4)[truth]
    labels = truth.copy()
    labels[:20] = (labels[:20] + 1) % 4
    for name in ("self_confidence", "normalized_margin"):
        order = measures.most_uncertain_first(name, measures.scores(probs, labels)[name])
        assert set(order[:20]) == set(range(20)), name


def test_without_labels_neither_is_there() -> None:
    probs = RANDOM.dirichlet(np.ones(3), (2, 5))
    assert not {"self_confidence", "normalized_margin"} & set(measures.scores(probs))
    with pytest.raises(ValueError, match="without labels"):
        measures.SCORES["self_confidence"].compute(measures.Predictions(probs))
