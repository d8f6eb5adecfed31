"""What a Keras model gives besides passes: gradients against finite differences, and its last hidden layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from mcviz.errors import InvalidInputError, UnsuitableModelError
from mcviz.sampling import Sampler
from mcviz.sampling.keras.network import gradient_sign, penultimate_activations, penultimate_model
from mcviz.sampling.keras.training import reference_network

IMAGES = np.random.default_rng(0).random((37, 12, 12, 1), dtype=np.float32)


def test_the_device_is_chosen_by_its_name_and_all_parts_compute_there(
    model: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Sampler(model).network.describe_device() == "cpu, TensorFlow sees no GPU"
    with pytest.raises(InvalidInputError, match=r"Received: 'cuda' \(TensorFlow sees no GPU\).*--device cpu"):
        Sampler(model, device="cuda")
    scopes: list[str] = []
    device = tf.device
    monkeypatch.setattr(tf, "device", lambda name: scopes.append(name) or device("/CPU:0"))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one", "two"] if kind == "GPU" else [])
    assert Sampler(model).network.describe_device() == "cuda, TensorFlow sees 2 GPUs"
    for wanted, scope in (("cuda:1", "/GPU:1"), ("cpu", "/CPU:0")):
        sampler = Sampler(model, device=wanted, product="matmul")
        for compute in (
            lambda network=sampler: network.sample(IMAGES, passes=2),
            lambda network=sampler: network.deterministic(IMAGES),
            lambda network=sampler: network.network.compute_features(IMAGES),
            lambda network=sampler: network.network.compute_gradient_sign(IMAGES),
        ):
            scopes.clear()
            compute()
            assert set(scopes) == {scope}
    with pytest.raises(InvalidInputError, match=r"Received: 'cuda:2' \(TensorFlow sees 2 GPUs\)"):
        Sampler(model, device="cuda:2")


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


def last_logits(model: keras.Model, activations: np.ndarray) -> np.ndarray:
    kernel, bias = model.layers[-1].get_weights()
    return (activations @ kernel + bias).astype(float)


def test_penultimate_activations_and_their_logits_give_the_model_s_probabilities(model: keras.Model) -> None:
    hidden = penultimate_activations(model, IMAGES)
    assert hidden.shape == (37, 128)
    logits = last_logits(model, hidden)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probs, model(IMAGES, training=False).numpy(), atol=1e-5)


def test_passes_of_the_penultimate_layer_are_those_of_the_model(model: keras.Model) -> None:
    hidden = Sampler(penultimate_model(model), task="regression").sample(IMAGES, passes=7, seed=3)
    logits = last_logits(model, hidden)
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(probs, Sampler(model).sample(IMAGES, passes=7, seed=3), atol=1e-5)


def test_a_model_without_a_last_dense_layer_is_refused() -> None:
    image = keras.Input((4,))
    model = keras.Model(image, layers.Softmax()(layers.Dense(3)(layers.Dropout(0.5)(image))))
    with pytest.raises(UnsuitableModelError, match="ends in a dense layer"):
        penultimate_model(model)
