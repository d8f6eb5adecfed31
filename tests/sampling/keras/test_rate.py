"""Dropout at another rate than the model was trained with, against a model that was built with that rate."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

import mcviz
from mcviz.errors import InvalidInputError, UnsuitableModelError
from mcviz.sampling import Sampler
from tests.cases import one_in
from tests.sampling.keras.zoo import ConcreteDropout, Halved, attention_model, image_model, sequence_model, sequential

BUILDERS: dict[str, Callable[[float], keras.Model]] = {
    "Dropout": lambda rate: image_model(layers.Dropout(rate)),
    "SpatialDropout2D": lambda rate: image_model(layers.SpatialDropout2D(rate)),
    "GaussianDropout": lambda rate: image_model(layers.GaussianDropout(rate)),
    "GaussianNoise stays": lambda rate: image_model(layers.GaussianNoise(0.2), layers.Dropout(rate)),
    "AlphaDropout stays": lambda rate: image_model(layers.AlphaDropout(0.2), layers.Dropout(rate)),
    "a rate of 0 stays": lambda rate: image_model(layers.Dropout(0.0), layers.Dropout(rate)),
    "a layer built on Dropout": lambda rate: image_model(Halved(rate)),
    "LSTM": lambda rate: sequence_model(layers.LSTM(6, dropout=rate, recurrent_dropout=rate)),
    "GRU": lambda rate: sequence_model(layers.GRU(6, recurrent_dropout=rate)),
    "MultiHeadAttention": lambda rate: attention_model(layers.MultiHeadAttention(2, 3, dropout=rate)),
    "GroupQueryAttention": lambda rate: attention_model(layers.GroupQueryAttention(3, 4, 2, dropout=rate)),
    "Attention": lambda rate: attention_model(layers.Attention(dropout=rate)),
    "TimeDistributed": lambda rate: sequence_model(layers.TimeDistributed(layers.Dropout(rate))),
    "a masked dense layer": lambda rate: sequential(
        (6, 6, 1),
        layers.Conv2D(4, 3, activation="relu"),
        layers.Flatten(),
        layers.Dropout(rate),
        layers.Dense(8, activation="relu"),
        layers.Dropout(rate),
        layers.Dense(3, activation="softmax"),
    ),
}


def some_examples(model: keras.Model) -> np.ndarray:
    return np.random.default_rng(1).random((4, *model.input_shape[1:]), dtype=np.float32)


@pytest.mark.parametrize(
    ("name", "masks"), one_in(30, [("a masked dense layer", "per_example"), *((name, "per_pass") for name in BUILDERS)])
)
def test_the_bits_are_those_of_a_model_that_was_built_with_the_rate(name: str, masks: str) -> None:
    trained, built = BUILDERS[name](0.5), BUILDERS[name](0.3)
    built.set_weights(trained.get_weights())
    examples = some_examples(trained)
    changed = Sampler(trained, rate=0.3)
    wanted = Sampler(built).sample(examples, passes=9, masks=masks)
    np.testing.assert_array_equal(changed.sample(examples, passes=9, masks=masks), wanted)
    assert {layer.rate for layer in changed.stochastic_layers} <= {0.3, 0.2}


def test_the_model_keeps_its_rate_and_the_deterministic_model_has_none() -> None:
    model = BUILDERS["Dropout"](0.5)
    examples = some_examples(model)
    before = Sampler(model).sample(examples, passes=3)
    changed = Sampler(model, rate=0.1)
    np.testing.assert_array_equal(changed.deterministic(examples), Sampler(model).deterministic(examples))
    np.testing.assert_array_equal(Sampler(model).sample(examples, passes=3), before)
    assert [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)] == [0.5]


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan"), "0.5"])
def test_what_is_no_rate_is_refused(rate: object) -> None:
    with pytest.raises(InvalidInputError, match="rate"):
        Sampler(BUILDERS["Dropout"](0.5), rate=rate)


@pytest.mark.parametrize("layer", [lambda: layers.GaussianNoise(0.2), lambda: layers.AlphaDropout(0.2)])
def test_a_model_without_dropout_to_be_changed_is_refused(layer: Callable[[], keras.Layer]) -> None:
    with pytest.raises(UnsuitableModelError, match="whose rate can be changed"):
        Sampler(image_model(layer()), rate=0.3)


def test_a_layer_of_ones_own_keeps_its_rate() -> None:
    with pytest.raises(UnsuitableModelError, match="whose rate can be changed"):
        Sampler(image_model(ConcreteDropout()), stochastic=(ConcreteDropout,), rate=0.3)


@pytest.mark.slow
def test_a_run_at_another_rate_says_so_and_its_model_is_sampled_at_it_again(tmp_path) -> None:
    model = BUILDERS["a masked dense layer"](0.5)
    examples = some_examples(model)
    run = mcviz.sample_run(Sampler(model, rate=0.3), examples, tmp_path / "run", passes=8, seed=2)
    assert {layer.rate for layer in run.manifest.origin.stochastic_layers} == {0.3}
    assert run.digest != mcviz.sample_run(model, examples, tmp_path / "trained", passes=8, seed=2).digest
    again = Sampler.for_run(mcviz.load_model(run.model_path), run)
    assert again.rate == 0.3
    probs = run.predictions_block(0, None)
    np.testing.assert_allclose(again.sample(examples, passes=8, seed=2), probs, atol=1e-4)
