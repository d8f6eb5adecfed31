"""The probe's page, and runs for it."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz import Run
from tests.app.kinds import cache_of_kinds
from tests.app.live_rows import cache_of_rows
from tests.app.live_texts import live_texts
from tests.app.opening import opened_page
from tests.app.probing import OpenProbe

ROOT = Path(__file__).parents[2]
# Keras imports it, also in a thread of a page: it ignores a warning of urllib3, which a test that ends then undoes.
importlib.import_module("requests")


@pytest.fixture(autouse=True, scope="session")
def _patient() -> Iterator[None]:
    """The first verdicts wait for the detector, however busy the machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mcviz.app.out_of_distribution.PATIENCE", 200)
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_garbage() -> Iterator[None]:
    """Look for no garbage where a model is loaded: among what all tests have imported, it takes half a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mcviz.app.resources.gc", Mock())
        yield


@pytest.fixture
def open_probe() -> OpenProbe:
    def opened(predict: bool | None = True, drawing: list[dict[str, object]] | None = None, **query: str) -> AppTest:
        predicting = {} if predict is None else {"predicting": predict}
        return opened_page("probe", query, drawing=drawing or [], **predicting)

    return opened


@pytest.fixture(scope="session")
def run() -> Run:
    return mcviz.open_run(ROOT / "cache" / "mnist-cnn")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the shipped model over some of its images, to which a detector is fitted at once."""
    run, path = mcviz.open_run(ROOT / "cache" / "mnist-cnn"), tmp_path_factory.mktemp("trained") / "run"
    examples = mcviz.DataSet(np.asarray(run.images[:300]), run.labels[:300])
    return mcviz.sample_run(mcviz.load_model(run.model_path), examples, path, passes=50)


@pytest.fixture(scope="session")
def colour_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a run of a tiny colour model: 12 × 10 pixels, 3 classes."""
    import keras

    cache = tmp_path_factory.mktemp("cache")
    model = keras.Sequential(
        [
            keras.layers.Input((12, 10, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    images = np.random.default_rng(0).integers(0, 256, (30, 12, 10, 3), dtype=np.uint8)
    mcviz.sample_run(model, images, cache / "colour", passes=20, class_names=["red", "green", "blue"])
    return cache


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with runs of all kinds."""
    folder = tmp_path_factory.mktemp("kinds")
    cache_of_kinds(folder)
    return folder


@pytest.fixture(scope="session")
def rows_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with runs of rows and their models."""
    folder = tmp_path_factory.mktemp("rows")
    cache_of_rows(folder)
    return folder


@pytest.fixture(scope="session")
def texts_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a run of texts and its model."""
    folder = tmp_path_factory.mktemp("texts")
    live_texts(folder)
    return folder


@pytest.fixture(scope="session")
def small_cache(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with two runs of the shipped model: `few` of 12 images, and `bare` without its images."""
    cache = tmp_path_factory.mktemp("small")
    model, images = mcviz.load_model(trained.model_path), np.asarray(trained.images[:30])
    mcviz.sample_run(model, images[:12], cache / "few", passes=20)
    mcviz.sample_run(model, images, cache / "bare", passes=20, keep_images=False)
    return cache
