"""The probe predicts with models that take images without channels, flat, or in 0..255, as their runs did."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from tests.app.keeping import kept_of
from tests.app.opening import assert_sound
from tests.app.probing import class_means
from tests.cases import one_in

ROOT = Path(__file__).parents[2]
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 28, 28), dtype=np.uint8)
NOISE = mcviz.uniform_noise(1, (28, 28, 1), 3)


def rescaling() -> Any:
    import keras

    return keras.layers.Rescaling(1 / 255)


def network(*first: Any, shape: tuple[int, ...], dtype: str = "float32") -> Any:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    tail = [layers.Flatten(), layers.Dense(8), layers.Dropout(0.2), layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input(shape, dtype=dtype), *first, *tail])


@pytest.mark.parametrize(
    ("model", "taken"),
    [
        (lambda: network(shape=(28, 28)), NOISE[..., 0]),
        (lambda: network(shape=(784,)), NOISE.reshape(1, 784)),
        (lambda: network(rescaling(), shape=(28, 28, 1)), NOISE * np.float32(255)),
        (lambda: network(rescaling(), shape=(28, 28), dtype="uint8"), np.rint(NOISE[..., 0] * 255).astype("u1")),
    ],
    ids=["no channels", "flat", "rescaling", "uint8"],
)
@pytest.mark.parametrize("query", one_in(2, [{"input": "noise"}, {"input": "distortion", "distortion": "fgsm"}]))
def test_it_predicts_as_it_was_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Callable[[], Any], taken: np.ndarray, query: dict[str, str]
) -> None:
    network = model()
    mcviz.sample_run(network, IMAGES, tmp_path / "run", passes=20)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=120)
    for name, value in {**query, "seed": "3"}.items():
        app.query_params[name] = value
    kept_of(app)["predicting"] = True
    app.switch_page("mcviz/app/pages/probe.py").run()
    assert_sound(app)
    no_gradient = taken.dtype == np.uint8 and "distortion" in query
    assert ["no gradient" in error.value for error in app.error] == [True] * no_gradient
    if query["input"] == "noise":
        means = mcviz.sample(network, taken, passes=20)[:, 0].mean(axis=0)
        np.testing.assert_allclose(list(class_means(app).values()), means, atol=0.001)
