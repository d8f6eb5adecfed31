"""Detectors that need no fitting, against slow definitions and cases that are known."""

import numpy as np
import pytest
from scipy.special import rel_entr

from benchmarks.ood.detectors import (
    DETECTORS,
    FITTED,
    Outputs,
    dirichlet_precision,
    energy,
    label_of,
    logit_disagreement,
    pairwise_divergence,
    suspicious_end,
)
from mcviz.measures import SCORES, Predictions

LOGITS = np.random.default_rng(0).normal(size=(12, 5, 4)).astype(np.float32) * 2
PROBS = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)


def test_a_dirichlet_s_own_precision_is_found_again() -> None:
    random = np.random.default_rng(0)
    for concentration in ([0.3, 0.2, 0.5], [20.0, 5.0, 1.0]):
        drawn = random.dirichlet(concentration, (40_000, 1))
        assert dirichlet_precision(drawn)[0] == pytest.approx(sum(concentration), rel=0.03)


def test_divergence_is_the_mean_over_all_pairs_of_passes() -> None:
    for example in range(5):
        passes = PROBS[:, example].astype(float)
        pairs = [rel_entr(p, q).sum() for p in passes for q in passes]
        assert pairwise_divergence(PROBS)[example] == pytest.approx(np.mean(pairs), rel=1e-5)


def test_disagreement_knows_nothing_of_what_softmax_takes_away() -> None:
    moved = LOGITS + np.random.default_rng(1).normal(size=(12, 5, 1)).astype(np.float32)
    np.testing.assert_allclose(logit_disagreement(moved), logit_disagreement(LOGITS), rtol=1e-4)
    assert logit_disagreement(np.repeat(LOGITS[:1], 3, axis=0)) == pytest.approx(np.zeros(5), abs=1e-9)


def test_energy_is_the_softmax_s_denominator() -> None:
    expected = -np.log(np.exp(LOGITS.astype(float)).sum(axis=-1))
    np.testing.assert_allclose(energy(LOGITS), expected.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(energy(LOGITS[0]), expected[0], rtol=1e-6)


# In logits, confident passes may differ more than uncertain ones.
@pytest.mark.parametrize("name", [n for n, d in DETECTORS.items() if d.known_end and n != "logit_disagreement"])
def test_every_detector_with_a_known_end_scores_uncertain_passes_higher(name: str) -> None:
    random = np.random.default_rng(3)
    confident = np.array([9.0, 0, 0, 0]) + random.normal(0, 0.3, (40, 1, 4))
    uncertain = np.array([1.0, 0.9, 0.8, 0]) + random.normal(0, 0.8, (40, 1, 4))
    logits = np.concatenate([confident, uncertain], axis=1)
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    ood_score = DETECTORS[name].ood_score(Outputs(probs, logits, logits.mean(axis=0)))
    assert ood_score[1] > ood_score[0]


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_judges_an_example_alone_and_is_finite_where_all_passes_agree(name: str) -> None:
    logits = np.concatenate([LOGITS, np.repeat(LOGITS[:1, :1], 12, axis=0)], axis=1)
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    together = DETECTORS[name].ood_score(Outputs(probs, logits, logits[0]))
    assert together.shape == (6,)
    assert np.isfinite(together).all()
    alone = DETECTORS[name].ood_score(Outputs(probs[:, 2:3], logits[:, 2:3], logits[0, 2:3]))
    np.testing.assert_allclose(alone, together[2:3], rtol=1e-5, atol=1e-7)


def test_mistakes_say_which_end_is_suspicious() -> None:
    mistakes = np.array([False, False, True, True])
    assert suspicious_end(np.array([1.0, 2, 3, 4]), mistakes) == 1
    assert suspicious_end(np.array([4.0, 3, 2, 1]), mistakes) == -1


def test_the_scores_of_the_registry_are_detectors_with_the_uncertain_end_up() -> None:
    outputs = Outputs(PROBS, LOGITS, LOGITS[0])
    for name, score in ((name, score) for name, score in SCORES.items() if score.needs == ("probs",)):
        values = score.compute(Predictions(PROBS))
        np.testing.assert_array_equal(
            DETECTORS[name].ood_score(outputs), values if score.uncertain_when == "high" else -values
        )
        assert DETECTORS[name].label == score.label


def test_every_detector_has_a_name_of_its_own() -> None:
    labels = [label_of(name) for name in (*DETECTORS, *FITTED)]
    assert len(set(labels)) == len(labels)
