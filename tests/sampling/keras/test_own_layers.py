"""Stochastic layers of a person's own, of no known kind, are switched on like dropout where they are named."""

from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from mcviz import load_model
from mcviz.errors import InvalidInputError, UnsuitableModelError
from mcviz.sampling import Sampler, StochasticLayer, sample
from mcviz.sampling.run_sampling import sample_run
from tests.cases import one_in
from tests.sampling.keras.zoo import OWN, OWN_MODELS, ConcreteDropout, DropConnect, Halved, OwnModel, make, sequential

IMAGES = np.random.default_rng(0).random((9, 6), dtype=np.float32)


@cache
def sampler(kind: str, way: str) -> Sampler:
    return Sampler(make(f"{kind}, {way}"), stochastic=(OWN[kind],))


@pytest.mark.parametrize("way", one_in(3, ["functional", "subclassed", "eager"]))
def test_it_is_described_with_its_rate_where_it_has_one(way: str) -> None:
    assert sampler("DropConnect", way).description() == "Stochastic layers: own (DropConnect 0.4)"
    assert sampler("ConcreteDropout", way).description() == "Stochastic layers: own (ConcreteDropout)"
    assert sampler("ConcreteDropout", way).stochastic_layers == (StochasticLayer("own", "ConcreteDropout", None),)


@pytest.mark.parametrize("name", one_in(4, OWN_MODELS))
def test_without_its_name_it_is_off_and_the_message_says_how_to_name_it(name: str) -> None:
    with pytest.raises(UnsuitableModelError, match=r"no stochastic layer\. .* `stochastic=\(MyLayer,\)`"):
        Sampler(make(name))


def test_beside_dropout_it_is_inactive_until_it_is_named() -> None:
    network = sequential((6,), ConcreteDropout(name="own"), layers.Dropout(0.2, name="drop"), layers.Dense(3))
    assert Sampler(network).description() == "Stochastic layers: drop (Dropout 0.2); inactive: own"
    both = Sampler(network, stochastic=(ConcreteDropout,))
    assert both.description() == "Stochastic layers: own (ConcreteDropout), drop (Dropout 0.2)"
    np.testing.assert_array_equal(
        sample(network, IMAGES, passes=5, stochastic=(ConcreteDropout,)), both.sample(IMAGES, passes=5)
    )


@pytest.mark.slow
def test_a_class_that_is_built_on_a_known_kind_keeps_its_rate_and_gives_its_name() -> None:
    network = sequential((6,), Halved(0.3, seed=1, name="own"), layers.Dense(3))
    assert Sampler(network).description() == "Stochastic layers: own (Dropout 0.3)"
    named = Sampler(network, stochastic=(Halved,))
    assert named.description() == "Stochastic layers: own (Halved 0.3)"
    np.testing.assert_array_equal(named.sample(IMAGES, passes=5), sample(network, IMAGES, passes=5))


@pytest.mark.parametrize(
    ("stochastic", "message"),
    [
        (ConcreteDropout, r"a tuple of classes of Keras layers\. Received: .*Write stochastic=\(MyLayer,\)"),
        ("own", "a tuple of classes of Keras layers. Received: 'own'"),
        ((int,), r"a tuple of classes of Keras layers\. Received: \(<class 'int'>,\)"),
        ((layers.Dropout(0.5),), "a tuple of classes of Keras layers"),
        ((DropConnect,), "Received: DropConnect, of which model '.*' has none"),
    ],
)
def test_what_is_no_class_of_the_model_s_layers_is_refused(stochastic: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Sampler(make("ConcreteDropout, functional"), stochastic=stochastic)


@pytest.mark.parametrize("eager", [False, True])
def test_masks_of_weights_are_refused_though_their_first_axis_is_a_multiple_of_a_batch(eager: bool) -> None:
    class WholeKernel(layers.Dense):
        def call(self, inputs, training=False):
            kernel = keras.random.dropout(self.kernel, 0.5) if training else self.kernel
            return keras.ops.matmul(inputs, kernel)

    keras.utils.set_random_seed(1)
    own = keras.Sequential([layers.Dense(128), WholeKernel(8)])
    network = OwnModel(own, eager=eager)
    network(IMAGES)
    with pytest.raises(UnsuitableModelError, match=r"first axis is not the batch\..*Make the batch the first axis"):
        Sampler(network, stochastic=(WholeKernel,)).sample(IMAGES, passes=3)


def test_a_run_is_sampled_by_a_sampler_that_knows_it(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (11, 2, 3, 1), dtype=np.uint8)
    network = sequential((2, 3, 1), layers.Flatten(), ConcreteDropout(name="own"), layers.Dense(3))
    named = Sampler(network, stochastic=(ConcreteDropout,))
    run = sample_run(named, images, tmp_path / "run", passes=5, seed=2)
    inputs = images.astype(np.float32) / np.float32(255)
    np.testing.assert_allclose(run.probs_block(0, 11), named.sample(inputs, passes=5, seed=2), atol=1e-5)
    (layer,) = run.manifest.origin.stochastic_layers
    assert (layer.name, layer.kind, layer.rate) == ("own", "ConcreteDropout", None)
    again = Sampler.for_run(load_model(run.model_path), run)
    assert again.description() == named.description()
    np.testing.assert_array_equal(again.sample(inputs, passes=5, seed=2), named.sample(inputs, passes=5, seed=2))
