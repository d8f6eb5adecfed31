"""Which layers draw random numbers, against what is said of them: models that a person may well write."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from mcviz.errors import InvalidInputError, UnsuitableModelError
from mcviz.sampling import Sampler, sample
from tests.cases import one_in
from tests.sampling.keras.zoo import sequential

IMAGES = np.random.default_rng(0).random((5, 8), dtype=np.float32)
PASSES = 3000


class Compiled(layers.Dropout):
    """A dropout whose call is a tf.function."""

    @tf.function
    def call(self, inputs, training=False):
        return super().call(inputs, training=training)


class CompiledInside(layers.Dropout):
    """A dropout that asks for its mask in a tf.function, which does so only when it is traced."""

    def __init__(self, rate):
        super().__init__(rate)
        self.drop = tf.function(lambda inputs: keras.random.dropout(inputs, 0.5, seed=self.seed_generator))

    def call(self, inputs, training=False):
        return self.drop(inputs) if training else inputs


class Binomial(layers.Dropout):
    """A dropout of numbers that are not supported."""

    def call(self, inputs, training=False):
        kept = keras.random.binomial(keras.ops.shape(inputs), 1, 0.5, seed=self.seed_generator)
        return inputs * kept if training else inputs


class StatelessDropout(layers.Dropout):
    """A dropout that takes its numbers from TensorFlow."""

    def call(self, inputs, training=False):
        seed = tf.cast(self.seed_generator.next(), "int32")
        return tf.nn.experimental.stateless_dropout(inputs, 0.5, seed=seed) if training else inputs


class Noisy(layers.Layer):
    """A layer that draws in inference mode too, as that of a variational autoencoder does."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(3)

    def call(self, inputs):
        return inputs + 0.5 * keras.random.normal(keras.ops.shape(inputs), seed=self.seeds)


class OnlyInTraining(keras.Model):
    """A model that skips one of its dropouts in inference mode."""

    def __init__(self):
        super().__init__()
        self.big, self.small = layers.Dropout(0.5, name="big"), layers.Dropout(0.1, name="small")
        self.last = layers.Dense(3, activation="softmax")

    def call(self, inputs, training=False):
        if training:
            inputs = self.big(inputs, training=training)
        return self.last(self.small(inputs, training=training))


class TrainingAllOver(keras.Model):
    """A model that calls augmentation and batch normalisation in training mode, whatever it is asked for."""

    def __init__(self, *, eager):
        super().__init__()
        self.eager = eager
        self.turn = layers.RandomFlip(name="flip")
        self.norm = layers.BatchNormalization()
        self.drop, self.last = layers.Dropout(0.3, name="drop"), layers.Dense(3, activation="softmax")

    def call(self, inputs, training=False):
        if self.eager:
            float(np.asarray(inputs).sum())
        flipped = self.turn(keras.ops.reshape(inputs, (-1, 2, 4, 1)), training=True)
        normal = self.norm(keras.ops.reshape(flipped, (-1, 8)), training=True)
        return self.last(self.drop(normal, training=training))


def network(*between: keras.Layer) -> keras.Model:
    keras.utils.set_random_seed(1)
    return sequential((8,), *between, layers.Dense(3, activation="softmax"))


def keras_s_own(model: keras.Model) -> np.ndarray:
    """(PASSES, N, C) by one call with `training=True`, in which every row draws for itself."""
    rows = np.asarray(model(np.repeat(IMAGES, PASSES, axis=0), training=True))
    return rows.reshape(len(IMAGES), PASSES, -1).swapaxes(0, 1)


def test_a_dropout_that_is_a_tf_function_is_on():
    model = network(Compiled(0.5), layers.Dense(16, activation="relu"), layers.Dropout(0.1))
    spread = Sampler(model).sample(IMAGES, passes=PASSES, masks="per_example").std(axis=0)
    np.testing.assert_allclose(spread, keras_s_own(model).std(axis=0), rtol=0.1)


def test_a_layer_that_always_draws_is_sampled_and_named():
    model = network(layers.Dense(8), Noisy(name="latent"), layers.Dropout(0.02, name="drop"))
    sampler = Sampler(model)
    assert sampler.description() == "Stochastic layers: drop (Dropout 0.02); always random: latent"
    spread = sampler.sample(IMAGES, passes=PASSES, masks="per_example").std(axis=0)
    np.testing.assert_allclose(spread, keras_s_own(model).std(axis=0), rtol=0.1)


def test_a_dropout_that_inference_mode_skips_is_said_to_have_no_effect():
    keras.utils.set_random_seed(1)
    model = OnlyInTraining()
    model(IMAGES)
    sampler = Sampler(model)
    sampler.deterministic(IMAGES)
    assert sampler.description() == "Stochastic layers: small (Dropout 0.1); without effect: big (Dropout 0.5)"


def test_a_dropout_of_another_output_or_of_rate_0_is_said_to_have_no_effect():
    image = keras.Input((8,))
    hidden = layers.Dropout(0.0, name="none")(layers.Dense(8)(image))
    one = layers.Dense(3, activation="softmax", name="one")(layers.Dropout(0.5, name="mine")(hidden))
    two = layers.Dense(3, activation="softmax", name="two")(layers.Dropout(0.2, name="other")(hidden))
    model = keras.Model(image, [one, two])
    said = Sampler(model, output="one").description()
    assert said == "Stochastic layers: mine (Dropout 0.5); without effect: none (Dropout 0), other (Dropout 0.2)"
    passes = sample(model, IMAGES, passes=3, output="one")
    np.testing.assert_array_equal(passes, Sampler(model, output="one").sample(IMAGES, passes=3))


@pytest.mark.parametrize("eager", one_in(2, [False, True]))
def test_training_mode_is_for_stochastic_layers_alone(eager):
    keras.utils.set_random_seed(1)
    model = TrainingAllOver(eager=eager)
    model(IMAGES)
    before = [np.array(variable) for variable in model.variables]
    sampler = Sampler(model)
    together = sampler.sample(IMAGES, passes=9)
    assert sampler.description() == "Stochastic layers: drop (Dropout 0.3); inactive: flip"
    alone = [sampler.sample(IMAGES[n : n + 1], passes=9, first_example=n) for n in range(len(IMAGES))]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (CompiledInside(0.5), "^The model does not ask for the same random numbers in every call"),
        (Binomial(0.5), "^A layer draws from keras.random.binomial, which is not supported"),
        (StatelessDropout(0.5), "^The model draws random numbers that do not come from Keras"),
    ],
)
def test_randomness_that_cannot_be_supplied_is_refused_in_our_words(layer, message):
    with pytest.raises(UnsuitableModelError, match=message) as caught:
        Sampler(network(layer, layers.Dense(8), layers.Dropout(0.1)))
    assert "\x1b" not in str(caught.value)


def test_a_small_rate_is_no_rate_of_0():
    assert Sampler(network(layers.Dense(8), layers.Dropout(0.003))).sample(IMAGES, passes=PASSES).std(axis=0).max() > 0


def test_sigmoids_behind_another_operation_are_refused_and_probabilities_are_no_logits():
    image = keras.Input((8,))
    hidden = layers.Dropout(0.5)(image)
    sigmoids = keras.Model(image, keras.ops.sigmoid(layers.Dense(4)(hidden)) * 1.0)
    with pytest.raises(UnsuitableModelError, match="lie in 0 to 1 and do not sum to 1"):
        Sampler(sigmoids)
    with pytest.raises(InvalidInputError, match="from_logits"):
        sample(network(layers.Dropout(0.5)), IMAGES, passes=2, from_logits=True)
    with pytest.raises(InvalidInputError, match="Received: True"):
        sample(network(layers.Dropout(0.5)), IMAGES, passes=True)
