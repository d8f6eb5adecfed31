"""Thresholds of a class, against loops over every cut and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from mcviz.measures.thresholds import Curve

ROWS = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=30)


@given(ROWS)
def test_the_counts_and_the_best_of_all_cuts_are_those_of_a_loop(rows: list[tuple[int, bool]]) -> None:
    probs, has_class = np.array([row[0] / 8 for row in rows], np.float32), np.array([row[1] for row in rows])
    curve = Curve(probs, has_class)
    assert ((curve.thresholds > 0) & (curve.thresholds < 1)).all()
    assert not np.isin(curve.thresholds, probs).any(), "midway between stored values"
    cuts = [*curve.thresholds, 0.5]
    f1 = [f1_score(has_class, probs > cut, zero_division=0) for cut in cuts]
    assert curve.count(np.array(cuts)).f1 == pytest.approx(f1)
    for cut in cuts:
        counts = curve.count(cut)
        assert counts.recall == pytest.approx(recall_score(has_class, probs > cut, zero_division=0))
        assert np.nan_to_num(counts.precision) == pytest.approx(
            precision_score(has_class, probs > cut, zero_division=0)
        )
        assert counts.accuracy == pytest.approx(np.mean(has_class == (probs > cut)))
    every = [f1_score(has_class, probs > cut, zero_division=0) for cut in np.linspace(0.001, 0.999, 999)]
    assert f1_score(has_class, probs > curve.find_best("f1"), zero_division=0) == pytest.approx(max(every))
    right = [np.mean(has_class == (probs > cut)) for cut in np.linspace(0.001, 0.999, 999)]
    assert np.mean(has_class == (probs > curve.find_best("accuracy"))) == pytest.approx(max(right))


def test_one_half_stays_where_no_threshold_is_better() -> None:
    assert Curve(np.array([0.2, 0.4, 0.6, 0.8]), np.array([False, False, True, True])).find_best("f1") == 0.5


def test_the_highest_threshold_that_reaches_a_recall_is_found() -> None:
    probs, has_class = np.array([0.1, 0.2, 0.3, 0.4, 0.9]), np.array([True, False, True, True, True])
    curve = Curve(probs, has_class)
    assert curve.find_for_recall(0.75) == pytest.approx(0.25)
    assert curve.find_for_recall(1.0) == pytest.approx(0.05)
    assert curve.find_for_recall(0.25) == pytest.approx(0.65)
