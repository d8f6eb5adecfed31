"""The probe predicts with models that take images without channels, flat, or in 0..255, as their runs did."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcviz
from tests.app.opening import opened_page
from tests.app.probing import class_means
from tests.cases import one_in

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
    one_in(
        4,
        [
            (lambda: network(rescaling(), shape=(28, 28), dtype="uint8"), np.rint(NOISE[..., 0] * 255).astype("u1")),
            (lambda: network(shape=(28, 28)), NOISE[..., 0]),
            (lambda: network(rescaling(), shape=(28, 28, 1)), NOISE * np.float32(255)),
            (lambda: network(shape=(784,)), NOISE.reshape(1, 784)),
        ],
    ),
    ids=["uint8", "no channels", "rescaling", "flat"],
)
@pytest.mark.parametrize("query", one_in(2, [{"input": "noise"}, {"input": "distortion", "distortion": "fgsm"}]))
def test_it_predicts_as_it_was_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Callable[[], Any], taken: np.ndarray, query: dict[str, str]
) -> None:
    network = model()
    mcviz.sample_run(network, IMAGES, tmp_path / "run", passes=20)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    said = ["no gradient"] * (taken.dtype == np.uint8 and "distortion" in query)
    app = opened_page("probe", {**query, "seed": "3"}, *said, predicting=True)
    if query["input"] == "noise":
        means = mcviz.sample(network, taken, passes=20)[:, 0].mean(axis=0)
        np.testing.assert_allclose(list(class_means(app).values()), means, atol=0.001)
