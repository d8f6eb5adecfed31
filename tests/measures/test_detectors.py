"""Detectors against slow definitions, other libraries and cases that are known, and the combination of p-values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import rel_entr
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors

from mcviz.measures import outliers
from mcviz.measures.combination import conformal_p_values, fisher_p, harmonic_mean_p
from mcviz.measures.detectors import (
    DETECTORS,
    Evidence,
    dirichlet_precision,
    energy,
    logit_disagreement,
    oriented,
    pairwise_divergence,
)

LOGITS = np.random.default_rng(0).normal(size=(12, 5, 4)).astype(np.float32) * 2
PROBS = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)
P_VALUES = st.lists(st.floats(1e-4, 1), min_size=2, max_size=5)


def test_a_dirichlet_s_own_precision_is_found_again() -> None:
    random = np.random.default_rng(0)
    for concentration in ([0.3, 0.2, 0.5], [20.0, 5.0, 1.0]):
        drawn = random.dirichlet(concentration, (40_000, 1))
        assert dirichlet_precision(drawn)[0] == pytest.approx(sum(concentration), rel=0.03)


def test_divergence_is_the_mean_over_all_pairs_of_passes() -> None:
    for image in range(5):
        passes = PROBS[:, image].astype(float)
        pairs = [rel_entr(p, q).sum() for p in passes for q in passes]
        assert pairwise_divergence(PROBS)[image] == pytest.approx(np.mean(pairs), rel=1e-5)


def test_disagreement_knows_nothing_of_what_softmax_takes_away() -> None:
    moved = LOGITS + np.random.default_rng(1).normal(size=(12, 5, 1)).astype(np.float32)
    np.testing.assert_allclose(logit_disagreement(moved), logit_disagreement(LOGITS), rtol=1e-4)
    assert logit_disagreement(np.repeat(LOGITS[:1], 3, axis=0)) == pytest.approx(np.zeros(5), abs=1e-9)


def test_energy_is_the_softmax_s_denominator() -> None:
    expected = -np.log(np.exp(LOGITS.astype(float)).sum(axis=-1))
    np.testing.assert_allclose(energy(LOGITS), expected.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(energy(LOGITS[0]), expected[0], rtol=1e-6)


# In logits, sure passes may differ more than torn ones.
@pytest.mark.parametrize("name", [n for n, d in DETECTORS.items() if d.known_end and n != "logit_disagreement"])
def test_every_detector_with_a_known_end_is_more_surprised_by_torn_passes(name: str) -> None:
    random = np.random.default_rng(3)
    sure = np.array([9.0, 0, 0, 0]) + random.normal(0, 0.3, (40, 1, 4))
    torn = np.array([1.0, 0.9, 0.8, 0]) + random.normal(0, 0.8, (40, 1, 4))
    logits = np.concatenate([sure, torn], axis=1)
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    surprise = DETECTORS[name].surprise(Evidence(probs, logits, logits.mean(axis=0)))
    assert surprise[1] > surprise[0]


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_judges_an_image_alone_and_is_finite_where_all_passes_agree(name: str) -> None:
    logits = np.concatenate([LOGITS, np.repeat(LOGITS[:1, :1], 12, axis=0)], axis=1)
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    together = DETECTORS[name].surprise(Evidence(probs, logits, logits[0]))
    assert together.shape == (6,)
    assert np.isfinite(together).all()
    alone = DETECTORS[name].surprise(Evidence(probs[:, 2:3], logits[:, 2:3], logits[0, 2:3]))
    np.testing.assert_allclose(alone, together[2:3], rtol=1e-5, atol=1e-7)


def test_mistakes_say_which_end_is_suspicious() -> None:
    mistakes = np.array([False, False, True, True])
    assert oriented(np.array([1.0, 2, 3, 4]), mistakes) == 1
    assert oriented(np.array([4.0, 3, 2, 1]), mistakes) == -1


def test_distances_agree_with_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(200) % 3
    known = random.normal(size=(200, 5)) * [1, 2, 1, 0.5, 1] + labels[:, None] * 3
    vectors = random.normal(size=(20, 5)) * 4
    expected = NearestNeighbors(n_neighbors=7).fit(known).kneighbors(vectors)[0].mean(axis=1)
    np.testing.assert_allclose(outliers.nearest_neighbours(known, vectors, 7), expected, rtol=1e-9)
    means = np.stack([known[labels == c].mean(axis=0) for c in range(3)])
    covariance = EmpiricalCovariance(assume_centered=True).fit(known - means[labels])
    expected = np.min([covariance.mahalanobis(vectors - mean) for mean in means], axis=0)
    np.testing.assert_allclose(outliers.gaussian_by_class(known, labels, vectors), expected, rtol=0.02)


@pytest.mark.parametrize("model", [outliers.isolation_forest, outliers.one_class, outliers.nearest_neighbours])
def test_every_model_finds_what_is_far_out(model) -> None:
    known = np.random.default_rng(0).normal(size=(300, 4))
    surprise = model(known, np.array([[0.1, 0, 0, 0], [6, 6, 6, 6]]))
    assert surprise[1] > surprise[0]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.lists(st.integers(-2, 12), min_size=1, max_size=9))
def test_p_is_the_share_that_is_as_surprising(reference: list[int], surprises: list[int]) -> None:
    found = conformal_p_values(np.array(surprises, float), np.array(reference, float))
    expected = [(sum(r >= s for r in reference) + 1) / (len(reference) + 1) for s in surprises]
    np.testing.assert_allclose(found, expected)


def test_p_values_of_images_like_the_reference_are_uniform() -> None:
    random = np.random.default_rng(0)
    found = conformal_p_values(random.normal(size=2000), random.normal(size=2000))
    assert stats.kstest(found, "uniform").statistic < 0.05


@given(P_VALUES)
def test_combinations_agree_with_scipy_and_lie_between_the_ends(values: list[float]) -> None:
    column = np.array(values)[:, None]
    assert harmonic_mean_p(column)[0] == pytest.approx(stats.hmean(values))
    assert fisher_p(column)[0] == pytest.approx(stats.combine_pvalues(values, "fisher").pvalue, rel=1e-6)
    assert min(values) - 1e-12 <= harmonic_mean_p(column)[0] <= max(values) + 1e-12


@given(P_VALUES, st.data())
def test_more_evidence_never_speaks_for_an_image(values: list[float], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(values) - 1))
    column, stronger = np.array(values)[:, None], np.array(values)[:, None].copy()
    stronger[at] /= 2
    for combine in (harmonic_mean_p, fisher_p):
        assert combine(stronger)[0] <= combine(column)[0] + 1e-12


def test_by_the_harmonic_mean_full_confidence_cannot_talk_down_what_is_stranger_than_all_that_is_known() -> None:
    stranger_but_sure = np.array([[1 / 101], [1.0]])
    assert harmonic_mean_p(stranger_but_sure)[0] < 0.05
    assert fisher_p(stranger_but_sure)[0] > 0.05
