"""Activations against Keras's own sub-models."""

import keras
import numpy as np
import pytest
from keras import layers

from mcviz.errors import UnsuitableModelError
from mcviz.sampling import Sampler
from mcviz.sampling.features import (
    MOST_FEATURES,
    activations_before_dropout,
    last_logits,
    penultimate,
    penultimate_model,
)
from mcviz.sampling.reference import reference_network
from tests.sampling.zoo import Untraceable

IMAGES = np.random.default_rng(0).random((37, 12, 12, 1), dtype=np.float32)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return reference_network((12, 12, 1), 4)


def test_what_is_activations_before_dropout_is_what_the_first_dropout_layer_gets(model: keras.Model) -> None:
    dropout = next(layer for layer in model.layers if isinstance(layer, layers.Dropout))
    expected = keras.Model(model.inputs[0], dropout.input)(IMAGES).numpy().reshape(len(IMAGES), -1)
    found = activations_before_dropout(Sampler(model), IMAGES)
    assert found.dtype == np.float32
    scale = found.sum() / expected.sum()  # dropout's own 1 / (1 - rate) may lie on either side of the cut
    np.testing.assert_allclose(found, scale * expected, rtol=1e-4, atol=1e-5)
    assert scale == pytest.approx(1, abs=0.5)


def test_images_have_the_same_activations_in_any_company(model: keras.Model) -> None:
    sampler = Sampler(model)
    np.testing.assert_array_equal(
        activations_before_dropout(sampler, IMAGES[20:23]), activations_before_dropout(sampler, IMAGES)[20:23]
    )


def test_large_maps_are_averaged_over_blocks_of_pixels() -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((70, 70, 3))
    convolved = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    hidden = layers.Dropout(0.3)(convolved)
    output = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(hidden))
    sampler = Sampler(keras.Model(image, output))
    images = np.random.default_rng(1).random((3, 70, 70, 3), dtype=np.float32)
    found = activations_before_dropout(sampler, images)
    assert MOST_FEATURES / 4 < found.shape[1] <= MOST_FEATURES
    halved = images_of_blocks(keras.Model(image, convolved)(images).numpy())
    scale = found.sum() / halved.sum()  # dropout's own 1 / (1 - rate) may lie on either side of the cut
    np.testing.assert_allclose(found, scale * halved, rtol=1e-3, atol=1e-5)


def images_of_blocks(maps: np.ndarray) -> np.ndarray:
    """(N, D) averages over the blocks that repeated halving of both axes, the longer first, leads to."""
    while maps[0].size > MOST_FEATURES:
        axis = 1 if maps.shape[1] >= maps.shape[2] else 2
        parts = [maps.take(range(at, min(at + 2, maps.shape[axis])), axis=axis) for at in range(0, maps.shape[axis], 2)]
        maps = np.concatenate([part.mean(axis=axis, keepdims=True) for part in parts], axis=axis)
    return maps.reshape(len(maps), -1)


def test_a_model_that_cannot_be_taken_apart_gives_its_input() -> None:
    keras.utils.set_random_seed(0)
    model, images = Untraceable(), IMAGES[:5, :2, :2, 0]
    model(images)
    np.testing.assert_array_equal(activations_before_dropout(Sampler(model), images), images.reshape(5, -1))


def test_penultimate_activations_and_their_logits_give_the_model_s_probabilities(model: keras.Model) -> None:
    hidden = penultimate(model, IMAGES)
    assert hidden.shape == (37, 128)
    logits = last_logits(model, hidden).astype(float)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probs, model(IMAGES, training=False).numpy(), atol=1e-5)


def test_passes_of_the_penultimate_layer_are_those_of_the_model(model: keras.Model) -> None:
    hidden = Sampler(penultimate_model(model), from_logits=False).sample(IMAGES, passes=7, seed=3)
    logits = last_logits(model, hidden).astype(float)
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(probs, Sampler(model).sample(IMAGES, passes=7, seed=3), atol=1e-5)


def test_small_maps_stay_as_they_are_and_long_vectors_are_summed_up() -> None:
    keras.utils.set_random_seed(0)
    vectors = np.random.default_rng(0).random((3, MOST_FEATURES + 1000), dtype=np.float32)
    image = keras.Input(vectors.shape[1:])
    model = keras.Model(image, layers.Dense(2, activation="softmax")(layers.Dropout(0.5)(image)))
    found = activations_before_dropout(Sampler(model), vectors)
    assert found.shape == (3, MOST_FEATURES)
    ratio = found.sum(axis=1) / vectors.sum(axis=1)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


def test_a_model_without_a_last_dense_layer_is_refused() -> None:
    image = keras.Input((4,))
    model = keras.Model(image, layers.Softmax()(layers.Dense(3)(layers.Dropout(0.5)(image))))
    with pytest.raises(UnsuitableModelError, match="ends in a dense layer"):
        penultimate_model(model)
