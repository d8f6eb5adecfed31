"""The nearest examples are those whose features point the same way, as another library finds them."""

from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

import mcviz
from mcviz import Sampler
from mcviz.runs import load_derived
from mcviz.sampling import neighbours
from mcviz.sampling.features import MOST_COMPARED, own_features
from mcviz.sampling.neighbours import find_neighbours


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


@pytest.mark.parametrize("most", [10_000, 20])
def test_nearest_are_the_nearest_by_cosine(
    tmp_path: Path, images: np.ndarray, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "MOST_EXAMPLES", most)
    monkeypatch.setattr(neighbours, "EXAMPLES_AT_ONCE", 7)
    model = network()
    run = mcviz.sample_run(model, images, tmp_path / "run", passes=3)
    sampler, said = Sampler(model), []
    found = find_neighbours(sampler, run, lambda done, total: said.append((done, total)))
    compared = np.arange(0, 50, -(-50 // most))
    assert found.examples.tolist() == compared.tolist()
    assert said[-1] == (len(compared), len(compared))
    hidden = keras.Model(model.inputs[0], model.layers[-1].input)(images[compared] / np.float32(255)).numpy()
    oracle = NearestNeighbors(n_neighbors=6, metric="cosine").fit(hidden)
    _, places = oracle.kneighbors(hidden[[4]])
    nearest, cosines = found.nearest(own_features(sampler, images[compared[[4]]] / np.float32(255))[0], 5, compared[4])
    assert nearest.tolist() == compared[places[0, 1:]].tolist()
    assert (np.diff(cosines) <= 0).all()
    assert load_derived(run.path, run.digest, neighbours.FEATURES) is not None
    kept = find_neighbours(sampler, run, lambda *_: pytest.fail("they are kept"))
    np.testing.assert_allclose(kept.features, found.features, atol=1e-3)


@pytest.mark.parametrize(("ends_dense", "width"), [(False, 16), (True, 3 * MOST_COMPARED)])
def test_features_of_any_model_are_directions_that_keep_angles(
    images: np.ndarray, ends_dense: bool, width: int
) -> None:
    model = network(ends_dense, width)
    given = images / np.float32(255)
    features = own_features(Sampler(model), given)
    assert features.shape[1] <= MOST_COMPARED
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    hidden = keras.Model(model.inputs[0], model.layers[1].output)(given).numpy()
    hidden /= np.linalg.norm(hidden, axis=1, keepdims=True)
    np.testing.assert_allclose(features @ features.T, hidden @ hidden.T, atol=0.2)
