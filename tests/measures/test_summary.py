"""The summary of one example's passes against a slow loop and against the scores."""

from collections import Counter
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.measures import scores, summarise
from mcviz.measures.scores import HISTOGRAM_BINS, occlusion_effects


@pytest.mark.parametrize("passes", [1, 2, 40])
def test_a_summary_is_what_a_slow_loop_finds(passes: int) -> None:
    probs = np.random.default_rng(passes).dirichlet(np.ones(4), passes).astype(np.float32)
    summary = summarise(probs)
    for c in range(4):
        column = probs[:, c].astype(float).tolist()
        assert summary.mean[c] == pytest.approx(fmean(column))
        assert summary.std[c] == pytest.approx(pstdev(column), abs=1e-9)
    votes = Counter(max(range(4), key=lambda c, p=p: p[c]) for p in probs.tolist())
    assert summary.votes.tolist() == [votes[c] for c in range(4)]
    assert summary.passes == passes


def test_a_summary_agrees_with_the_scores() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(5), (30, 20)).astype(np.float32)
    table = scores(probs)
    for example in range(20):
        summary = summarise(probs[:, example])
        assert summary.prediction == table["prediction"][example]
        assert summary.mean.max() == pytest.approx(table["max_probability"][example], abs=1e-6)
        assert summary.std[summary.prediction] == pytest.approx(table["predictive_std"][example], abs=1e-6)
        assert 1 - summary.votes.max() / 30 == pytest.approx(table["variation_ratio"][example], abs=1e-6)


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40))
def test_a_histogram_holds_every_pass_in_its_hundredth(values: list[float]) -> None:
    steps = np.rint(np.array(values) * 65534) / np.float32(65534)  # as they are stored
    probs = np.stack([steps, 1 - steps], axis=-1).astype(np.float32)
    found = summarise(probs).histograms
    assert found.shape == (2, HISTOGRAM_BINS)
    for c in range(2):
        assert found[c].tolist() == np.histogram(probs[:, c], HISTOGRAM_BINS, (0, 1))[0].tolist()
        assert found[c].sum() == len(values)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 3, 4), (3,)])
def test_arrays_that_are_not_one_example_s_passes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Received: shape"):
        summarise(np.zeros(shape, np.float32))


def test_passes_that_differ_but_lose_the_same_have_no_spread() -> None:
    whole = np.array([[0.9, 0.1], [0.5, 0.5]])
    hidden = np.array([[[0.7, 0.3], [0.9, 0.1]], [[0.3, 0.7], [0.3, 0.7]]])
    effects = occlusion_effects(whole, hidden)
    np.testing.assert_allclose(effects.mean, [[0.2, -0.2], [0.1, -0.1]])
    np.testing.assert_allclose(effects.std, [[0, 0], [0.1, 0.1]], atol=1e-12)
