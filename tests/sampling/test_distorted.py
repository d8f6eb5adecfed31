"""What a model predicts along a distortion agrees with predicting each step by itself."""

import keras
import numpy as np
import pytest

from mcviz.measures.calibration import calibration_terms
from mcviz.sampling import Sampler
from mcviz.sampling.distorted import terms_along

AMOUNTS = [0.0, 0.5, 1.0]
EXAMPLES, PASSES = 30, 7


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    keras.utils.set_random_seed(0)
    layers = [keras.Input((6,)), keras.layers.Dropout(0.5), keras.layers.Dense(3, activation="softmax")]
    return Sampler(keras.Sequential(layers))


@pytest.fixture(scope="module")
def examples() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(EXAMPLES, 6)).astype(np.float32)


def test_each_step_is_predicted_in_the_three_ways(sampler: Sampler, examples: np.ndarray) -> None:
    labels, done = np.arange(EXAMPLES) % 3, []
    found = terms_along(
        sampler,
        lambda amount: examples * np.float32(1 - amount),
        AMOUNTS,
        labels,
        passes=PASSES,
        seed=4,
        progress=lambda *counts: done.append(counts),
    )
    for amount, step in zip(AMOUNTS, found, strict=True):
        distorted = examples * np.float32(1 - amount)
        probs = sampler.sample(distorted, passes=PASSES, seed=4)
        ways = {
            "deterministic": sampler.model.predict(distorted, verbose=0)[None],
            "single_pass": probs,
            "ensemble": probs.mean(axis=0)[None],
        }
        for name, of_way in ways.items():
            expected = calibration_terms(of_way, labels)
            np.testing.assert_array_equal(step[name].correct, expected.correct)
            for field in ("confidence", "nll", "brier"):
                np.testing.assert_allclose(getattr(step[name], field), getattr(expected, field), rtol=1e-4, atol=1e-6)
    shares = [part / total for part, total in done]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert {total for _, total in done} == {len(AMOUNTS) * PASSES * EXAMPLES}


def test_what_progress_raises_ends_it(sampler: Sampler, examples: np.ndarray) -> None:
    steps = []

    def distorted(amount: float) -> np.ndarray:
        steps.append(amount)
        return examples

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        terms_along(sampler, distorted, AMOUNTS, np.zeros(EXAMPLES, int), passes=PASSES, progress=stop)
    assert steps == AMOUNTS[:1]
