"""Passes of C sigmoids are those of the framework with dropout on."""

from typing import Any

import keras
import numpy as np
import pytest
from scipy.stats import ks_2samp

import mcviz
from mcviz.errors import UnsuitableModelError
from tests.requiring import require_torch

PASSES = 400
CHANCE = 1e-5  # that a p-value is below it where the passes are alike
ROWS = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)


def keras_model(activation: str | None) -> keras.Model:
    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dropout(0.5), keras.layers.Dense(3, activation)]
    return keras.Sequential([keras.Input((6,)), *layers])


def torch_model(*, logits: bool) -> Any:
    require_torch()
    import torch

    layers = [torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(16, 3)]
    return torch.nn.Sequential(*layers, *([] if logits else [torch.nn.Sigmoid()]))


def assert_alike(passes: np.ndarray, own: np.ndarray) -> None:
    assert passes.shape == own.shape == (PASSES, 2, 3)
    for example in range(2):
        for number in range(3):
            assert ks_2samp(passes[:, example, number], own[:, example, number]).pvalue > CHANCE


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_passes_of_keras_are_its_own(activation: str | None) -> None:
    keras.utils.set_random_seed(1)
    model = keras_model(activation)
    own = np.asarray(model(np.tile(ROWS, (PASSES, 1)), training=True)).reshape(PASSES, 2, 3)
    own = own if activation else 1 / (1 + np.exp(-own))
    assert_alike(mcviz.sample(model, ROWS, passes=PASSES, task="multilabel"), own)


@pytest.mark.parametrize("logits", [False, True])
def test_passes_of_pytorch_are_its_own(logits: bool) -> None:
    require_torch()
    import torch

    torch.manual_seed(1)
    model = torch_model(logits=logits).train()
    with torch.no_grad():
        own = np.stack([model(torch.from_numpy(ROWS)).numpy() for _ in range(PASSES)])
    own = 1 / (1 + np.exp(-own)) if logits else own
    assert_alike(mcviz.sample(model, ROWS, passes=PASSES, task="multilabel"), own)


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_several_sigmoids_name_the_option_without_which_they_are_refused(framework: str) -> None:
    model = keras_model("sigmoid") if framework == "keras" else torch_model(logits=False)
    with pytest.raises(UnsuitableModelError, match="--task multilabel"):
        mcviz.sample(model, ROWS, passes=4)


def test_a_softmax_is_no_set_of_labels() -> None:
    with pytest.raises(UnsuitableModelError, match="exclude each other"):
        mcviz.sample(keras_model("softmax"), ROWS, passes=4, task="multilabel")
