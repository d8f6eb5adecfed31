"""Thresholds of a class, against loops over every cut, and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score

from mcviz.measures.thresholds import Curve

ROWS = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=30)
CUTS = np.arange(1, 16, 2) / 16  # one between each two of the probabilities


def count(rows: list[tuple[int, bool]], cut: float) -> tuple[int, int, int]:
    """Count, one example after the other, what is found, missed and false above a cut."""
    found = sum(eighths / 8 > cut and has_class for eighths, has_class in rows)
    missed = sum(eighths / 8 <= cut and has_class for eighths, has_class in rows)
    return found, missed, sum(eighths / 8 > cut and not has_class for eighths, has_class in rows)


def f1(rows: list[tuple[int, bool]], cut: float) -> float:
    found, missed, false = count(rows, cut)
    return 2 * found / (2 * found + missed + false) if found else 0.0


def accuracy(rows: list[tuple[int, bool]], cut: float) -> float:
    return 1 - sum(count(rows, cut)[1:]) / len(rows)


@settings(max_examples=50)
@given(ROWS)
def test_the_counts_and_the_best_of_all_cuts_are_those_of_a_loop(rows: list[tuple[int, bool]]) -> None:
    probs, has_class = np.array([row[0] / 8 for row in rows], np.float32), np.array([row[1] for row in rows])
    curve = Curve(probs, has_class)
    assert ((curve.thresholds > 0) & (curve.thresholds < 1)).all()
    assert not np.isin(curve.thresholds, probs).any(), "midway between stored values"
    for cut in [*curve.thresholds, 0.5]:
        counts, (found, missed, false) = curve.count(cut), count(rows, cut)
        assert (counts.both, counts.positives, counts.predicted) == (found, found + missed, found + false)
        assert counts.f1 == pytest.approx(f1(rows, cut))
        assert counts.accuracy == pytest.approx(accuracy(rows, cut))
    assert f1(rows, curve.find_best("f1")) == pytest.approx(max(f1(rows, cut) for cut in [*CUTS, 0.5]))
    right = max(accuracy(rows, cut) for cut in [*CUTS, 0.5])
    assert accuracy(rows, curve.find_best("accuracy")) == pytest.approx(right)


def test_recall_and_precision_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    has_class = random.random(200) < 0.3
    probs = np.clip(0.4 * has_class + random.uniform(0, 0.6, 200), 0, 1)
    for cut in (0.2, 0.5, 0.8):
        counts = Curve(probs, has_class).count(cut)
        assert counts.recall == pytest.approx(recall_score(has_class, probs > cut))
        assert counts.precision == pytest.approx(precision_score(has_class, probs > cut))


def test_one_half_stays_where_no_threshold_is_better() -> None:
    assert Curve(np.array([0.2, 0.4, 0.6, 0.8]), np.array([False, False, True, True])).find_best("f1") == 0.5


def test_the_highest_threshold_that_reaches_a_recall_is_found() -> None:
    probs, has_class = np.array([0.1, 0.2, 0.3, 0.4, 0.9]), np.array([True, False, True, True, True])
    curve = Curve(probs, has_class)
    assert curve.find_for_recall(0.75) == pytest.approx(0.25)
    assert curve.find_for_recall(1.0) == pytest.approx(0.05)
    assert curve.find_for_recall(0.25) == pytest.approx(0.65)
