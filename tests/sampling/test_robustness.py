"""Gradients against finite differences, and terms along a distortion against predicting each step by itself."""

import keras
import numpy as np
import pytest
from keras import layers

from mcviz.errors import UnsuitableModelError
from mcviz.measures.calibration import calibration_terms
from mcviz.sampling import Sampler
from mcviz.sampling.checking import sweep_calibration
from mcviz.sampling.keras.network import gradient_sign
from mcviz.sampling.keras.training import reference_network

IMAGES = np.random.default_rng(0).random((37, 12, 12, 1), dtype=np.float32)
AMOUNTS = [0.0, 0.5, 1.0]
EXAMPLES, PASSES = 30, 7


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return reference_network((12, 12, 1), 4)


@pytest.mark.parametrize("labels", [None, np.arange(6) % 4])
def test_the_sign_is_that_of_finite_differences(model: keras.Model, labels: np.ndarray | None) -> None:
    images = IMAGES[:6]
    signs = gradient_sign(model, images, labels)
    classes = model(images, training=False).numpy().argmax(axis=1) if labels is None else labels

    def loss(given: np.ndarray) -> np.ndarray:
        probs = model(given.astype(np.float32), training=False).numpy().astype(float)
        return -np.log(probs[np.arange(6), classes])

    random, agreed, tried = np.random.default_rng(0), 0, 0
    for row, column in random.integers(0, 12, (12, 2)):
        step = np.zeros_like(images)
        step[:, row, column] = 0.02
        difference = loss(images + step) - loss(images - step)
        clear = np.abs(difference) > 1e-5
        agreed += (np.sign(difference) == signs[:, row, column, 0])[clear].sum()
        tried += clear.sum()
    assert tried > 30
    assert agreed / tried > 0.95


def test_a_step_makes_the_prediction_less_probable(model: keras.Model) -> None:
    before = model(IMAGES, training=False).numpy()
    signs = gradient_sign(model, IMAGES)
    assert set(np.unique(signs)) <= {-1, 0, 1}
    predictions = before.argmax(axis=1)
    after = model(IMAGES + np.float32(0.05) * signs, training=False).numpy()[np.arange(37), predictions]
    assert (after < before[np.arange(37), predictions]).all()


def test_a_model_of_whole_numbers_is_refused() -> None:
    image = keras.Input((4,), dtype="int32")
    model = keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(layers.Embedding(9, 2)(image))))
    with pytest.raises(UnsuitableModelError, match="no gradient by the input"):
        gradient_sign(model, np.ones((2, 4), np.float32))


def test_logits_and_probabilities_have_the_same_signs() -> None:
    keras.utils.set_random_seed(1)
    image = keras.Input((4,))
    logits = layers.Dense(3)(layers.Dense(8, activation="tanh")(image))
    with_softmax = keras.Model(image, layers.Softmax()(logits))
    vectors = np.random.default_rng(0).random((9, 4), dtype=np.float32)
    np.testing.assert_array_equal(
        gradient_sign(keras.Model(image, logits), vectors), gradient_sign(with_softmax, vectors)
    )


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
    found = sweep_calibration(
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
            np.testing.assert_array_equal(step[name]["correct"], expected["correct"])
            for field in ("confidence", "nll", "brier"):
                np.testing.assert_allclose(step[name][field], expected[field], rtol=1e-4, atol=1e-6)
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
        sweep_calibration(sampler, distorted, AMOUNTS, np.zeros(EXAMPLES, int), passes=PASSES, progress=stop)
    assert steps == AMOUNTS[:1]
