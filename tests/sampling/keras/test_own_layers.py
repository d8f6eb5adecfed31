"""Stochastic layers of a person's own, of no known kind, are switched on like dropout where they are named."""

from functools import cache
from itertools import product
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
from tests.sampling.keras.zoo import CLASSES, ConcreteDropout, DropConnect, Halved, sequential

PASSES = 4000
IMAGES = np.random.default_rng(0).random((9, 6), dtype=np.float32)
OWN = {"ConcreteDropout": ConcreteDropout, "DropConnect": DropConnect}


class OwnModel(keras.Model):
    """A subclassed model with one layer of its own; an eager one looks at the values, which a graph cannot."""

    def __init__(self, own: keras.Layer, *, eager: bool) -> None:
        super().__init__()
        self.first, self.own = layers.Dense(8, activation="relu"), own
        self.last = layers.Dense(CLASSES, activation="softmax")
        self.eager = eager

    def call(self, inputs, training=False):
        if self.eager:
            float(np.asarray(inputs).sum())
        return self.last(self.own(self.first(inputs), training=training))


@cache
def model(kind: str, way: str) -> keras.Model:
    keras.utils.set_random_seed(2)
    own = ConcreteDropout(name="own") if kind == "ConcreteDropout" else DropConnect(10, name="own")
    if way == "functional":
        first, last = layers.Dense(8, activation="relu"), layers.Dense(CLASSES, activation="softmax")
        return sequential((6,), first, own, last)
    built = OwnModel(own, eager=way == "eager")
    built(IMAGES)
    return built


@cache
def sampler(kind: str, way: str) -> Sampler:
    prepared = Sampler(model(kind, way), stochastic=(OWN[kind],))
    prepared.deterministic(IMAGES)
    return prepared


WAYS = ("functional", "subclassed", "eager")
BOTH_MODES = [
    ("functional", "ConcreteDropout", "per_pass"),
    ("functional", "DropConnect", "per_example"),
    ("subclassed", "ConcreteDropout", "per_example"),
    ("subclassed", "DropConnect", "per_pass"),
    ("eager", "ConcreteDropout", "per_pass"),
    ("eager", "DropConnect", "per_example"),
]
every_way = pytest.mark.parametrize(("kind", "way"), one_in(2, product(OWN, WAYS)))
every_mode = pytest.mark.parametrize(("way", "kind", "masks"), one_in(3, BOTH_MODES))


@every_mode
def test_mean_and_spread_are_those_of_training_mode(kind: str, way: str, masks: str) -> None:
    ours = sampler(kind, way).sample(IMAGES[:3], passes=PASSES, masks=masks)
    rows = np.asarray(model(kind, way)(np.repeat(IMAGES[:3], PASSES, axis=0), training=True))
    loop = rows.reshape(3, PASSES, CLASSES).swapaxes(0, 1)
    error = loop.std(axis=0) * np.sqrt(2 / PASSES)
    assert loop.std(axis=0).min() > 0.01
    assert np.all(np.abs(ours.mean(axis=0) - loop.mean(axis=0)) < 6 * error)
    np.testing.assert_allclose(ours.std(axis=0), loop.std(axis=0), rtol=0.1)


@every_mode
def test_numbers_are_keyed_so_that_any_split_gives_the_same_bits(kind: str, way: str, masks: str) -> None:
    whole = sampler(kind, way).sample(IMAGES, passes=150, seed=3, masks=masks)
    part = sampler(kind, way).sample(IMAGES[4:], passes=20, seed=3, masks=masks, first_pass=120, first_example=4)
    np.testing.assert_array_equal(part, whole[120:140, 4:])
    assert (sampler(kind, way).sample(IMAGES, passes=1, seed=4, masks=masks) != whole[:1]).any()
    assert len(np.unique(whole[:, 0, 0])) > 100


@every_way
def test_masks_per_pass_are_shared_by_the_examples_and_masks_per_example_are_not(kind: str, way: str) -> None:
    twice = np.repeat(IMAGES[:1], 2, axis=0)
    one, other = sampler(kind, way).sample(twice, passes=200, masks="per_pass").swapaxes(0, 1)
    np.testing.assert_allclose(one, other, atol=1e-6)
    one, other = sampler(kind, way).sample(twice, passes=200, masks="per_example").swapaxes(0, 1)
    assert abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1]) < 0.4


@every_way
def test_the_deterministic_model_has_it_off(kind: str, way: str) -> None:
    expected = model(kind, way)(IMAGES, training=False)
    np.testing.assert_allclose(sampler(kind, way).deterministic(IMAGES), expected, atol=1e-6)


@pytest.mark.parametrize("way", one_in(3, WAYS))
def test_it_is_described_with_its_rate_where_it_has_one(way: str) -> None:
    assert sampler("DropConnect", way).description() == "Stochastic layers: own (DropConnect 0.4)"
    assert sampler("ConcreteDropout", way).description() == "Stochastic layers: own (ConcreteDropout)"
    assert sampler("ConcreteDropout", way).stochastic_layers == (StochasticLayer("own", "ConcreteDropout", None),)


@every_way
def test_the_model_stays_as_it_was(kind: str, way: str) -> None:
    network = model(kind, way)
    before = [np.array(variable) for variable in [*network.variables, network.layers[1].seeds.state]]
    again = Sampler(network, stochastic=(OWN[kind],))
    again.sample(IMAGES, passes=3)
    after = [np.array(variable) for variable in [*network.variables, network.layers[1].seeds.state]]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert "call" not in vars(network.layers[1])


@every_way
def test_without_its_name_it_is_off_and_the_message_says_how_to_name_it(kind: str, way: str) -> None:
    with pytest.raises(UnsuitableModelError, match=r"no stochastic layer\. .* `stochastic=\(MyLayer,\)`"):
        Sampler(model(kind, way))


def test_beside_dropout_it_is_inactive_until_it_is_named() -> None:
    network = sequential((6,), ConcreteDropout(name="own"), layers.Dropout(0.2, name="drop"), layers.Dense(3))
    assert Sampler(network).description() == "Stochastic layers: drop (Dropout 0.2); inactive: own"
    both = Sampler(network, stochastic=(ConcreteDropout,))
    assert both.description() == "Stochastic layers: own (ConcreteDropout), drop (Dropout 0.2)"
    np.testing.assert_array_equal(
        sample(network, IMAGES, passes=5, stochastic=(ConcreteDropout,)), both.sample(IMAGES, passes=5)
    )


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
        Sampler(model("ConcreteDropout", "functional"), stochastic=stochastic)


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
