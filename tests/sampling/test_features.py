"""Activations against Keras's own sub-models; the nearest examples as another library finds them."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.neighbors import NearestNeighbors

import mcviz
from mcviz.runs import load_derived
from mcviz.sampling import Sampler, ood
from mcviz.sampling.keras.training import reference_network
from mcviz.sampling.ood import MOST_COMPARED, MOST_FEATURES, activations_before_dropout, find_neighbours, unit_features
from tests.cases import one_in
from tests.sampling.keras.zoo import Untraceable

IMAGES = np.random.default_rng(0).random((37, 12, 12, 1), dtype=np.float32)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return reference_network((12, 12, 1), 4)


def test_what_is_activations_before_dropout_is_what_the_first_dropout_layer_gets(model: keras.Model) -> None:
    dropout = next(layer for layer in model.layers if isinstance(layer, layers.Dropout))
    expected = keras.Model(model.inputs[0], dropout.input)(IMAGES).numpy().reshape(len(IMAGES), -1)
    features = activations_before_dropout(Sampler(model), IMAGES)
    assert features.dtype == np.float32
    scale = features.sum() / expected.sum()  # dropout's own 1 / (1 - rate) may lie on either side of the cut
    np.testing.assert_allclose(features, scale * expected, rtol=1e-4, atol=1e-5)
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
    features = activations_before_dropout(sampler, images)
    assert MOST_FEATURES / 4 < features.shape[1] <= MOST_FEATURES
    halved = images_of_blocks(keras.Model(image, convolved)(images).numpy())
    scale = features.sum() / halved.sum()  # dropout's own 1 / (1 - rate) may lie on either side of the cut
    np.testing.assert_allclose(features, scale * halved, rtol=1e-3, atol=1e-5)


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


def test_small_maps_stay_as_they_are_and_long_vectors_are_summed_up() -> None:
    keras.utils.set_random_seed(0)
    vectors = np.random.default_rng(0).random((3, MOST_FEATURES + 1000), dtype=np.float32)
    image = keras.Input(vectors.shape[1:])
    model = keras.Model(image, layers.Dense(2, activation="softmax")(layers.Dropout(0.5)(image)))
    features = activations_before_dropout(Sampler(model), vectors)
    assert features.shape == (3, MOST_FEATURES)
    ratio = features.sum(axis=1) / vectors.sum(axis=1)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


def network(ends_dense: bool = True, width: int = 16) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    last = [layers.Dense(3, activation="softmax")] if ends_dense else [layers.Dense(3), layers.Softmax()]
    return keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(width, activation="relu"), layers.Dropout(0.3), *last]
    )


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (50, 6, 6, 1), dtype=np.uint8)


@pytest.mark.parametrize("most", one_in(2, [10_000, 20]))
def test_nearest_are_the_nearest_by_cosine(
    tmp_path: Path, images: np.ndarray, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ood, "MOST_NEIGHBOURS", most)
    monkeypatch.setattr(ood, "EXAMPLES_AT_ONCE", 7)
    model = network()
    run = mcviz.sample_run(model, images, tmp_path / "run", passes=3)
    sampler, counts = Sampler(model), []
    neighbours = find_neighbours(sampler, run, lambda done, total: counts.append((done, total)))
    compared = np.arange(0, 50, -(-50 // most))
    assert neighbours.examples.tolist() == compared.tolist()
    assert counts[-1] == (len(compared), len(compared))
    hidden = keras.Model(model.inputs[0], model.layers[-1].input)(images[compared] / np.float32(255)).numpy()
    oracle = NearestNeighbors(n_neighbors=6, metric="cosine").fit(hidden)
    _, places = oracle.kneighbors(hidden[[4]])
    nearest, cosines = neighbours.nearest(
        unit_features(sampler, images[compared[[4]]] / np.float32(255))[0], 5, compared[4]
    )
    assert nearest.tolist() == compared[places[0, 1:]].tolist()
    assert (np.diff(cosines) <= 0).all()
    assert load_derived(run.path, run.digest, ood.STORED_FEATURES) is not None
    kept = find_neighbours(sampler, run, lambda *_: pytest.fail("they are kept"))
    np.testing.assert_allclose(kept.features, neighbours.features, atol=1e-3)


@pytest.mark.parametrize(("ends_dense", "width"), one_in(2, [(False, 16), (True, 3 * MOST_COMPARED)]))
def test_features_of_any_model_are_directions_that_keep_angles(
    images: np.ndarray, ends_dense: bool, width: int
) -> None:
    model = network(ends_dense, width)
    given = images / np.float32(255)
    features = unit_features(Sampler(model), given)
    assert features.shape[1] <= MOST_COMPARED
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    hidden = keras.Model(model.inputs[0], model.layers[1].output)(given).numpy()
    hidden /= np.linalg.norm(hidden, axis=1, keepdims=True)
    np.testing.assert_allclose(features @ features.T, hidden @ hidden.T, atol=0.2)
