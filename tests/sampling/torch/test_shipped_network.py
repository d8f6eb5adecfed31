"""The shipped network in PyTorch, against the one of Keras that it has the weights of."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

import mcviz
from mcviz.choices import MASKS
from mcviz.sampling import Sampler
from tests.requiring import require_torch

require_torch()

import torch  # noqa: E402
from torch import nn  # noqa: E402

PASSES = 2000
LEAST_P = 1e-5


@pytest.mark.slow
def test_the_shipped_network_has_the_same_passes_in_pytorch() -> None:
    run = mcviz.open_run("cache/mnist-cnn")
    model = mcviz.load_model(run.model_path)
    (first, a), (second, b), (hidden, c), (last, d) = [layer.get_weights() for layer in model.layers if layer.weights]
    height = int((len(hidden) / second.shape[-1]) ** 0.5)
    hidden = hidden.reshape(height, height, -1, hidden.shape[1]).transpose(2, 0, 1, 3).reshape(hidden.shape)
    layers = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)]
    twin = nn.Sequential(*layers, nn.Flatten(), nn.Linear(*hidden.shape), nn.ReLU(), nn.Dropout(), nn.Linear(128, 10))
    weights = first.transpose(3, 2, 0, 1), a, second.transpose(3, 2, 0, 1), b, hidden.T, c, last.T, d
    with torch.no_grad():
        for parameter, weight in zip(twin.parameters(), weights, strict=True):
            parameter.copy_(torch.tensor(weight))

    entropy = np.asarray(run.scores()["predictive_entropy"])
    images = run.images[np.sort(np.argsort(entropy)[[-1, -2, -30, -300]])]
    ours, of_keras = Sampler(twin), Sampler(model)
    some = run.images[:200]
    np.testing.assert_allclose(ours.deterministic(some), of_keras.deterministic(some), atol=1e-5)
    for masks in MASKS:
        passes = ours.sample(images, passes=PASSES, masks=masks, seed=1).round(4)
        expected = of_keras.sample(images, passes=PASSES, masks=masks, seed=2).round(4)
        least = min(
            ks_2samp(passes[:, example, column], expected[:, example, column]).pvalue
            for example in range(len(images))
            for column in range(10)
        )
        assert least > LEAST_P
        assert expected.std(axis=0).max(axis=1).min() > 0.05
