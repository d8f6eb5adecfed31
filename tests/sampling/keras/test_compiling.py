"""What XLA compiles gives the same numbers, and whether it does follows from a model's operations alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from mcviz.errors import InvalidInputError, MissingPackageError, UnsuitableModelError
from mcviz.sampling import Sampler
from mcviz.sampling.keras import network, tracing
from tests.cases import one_in
from tests.sampling.keras.zoo import CLASSES, images_for, make, sequential

pytestmark = pytest.mark.usefixtures("same_weights_every_time")


def noisy(*stack: keras.Layer) -> keras.Model:
    """Four numbers with noise on them, `stack`, and a dense softmax layer."""
    return sequential((4,), layers.GaussianNoise(0.3), *stack, layers.Dense(CLASSES, activation="softmax"))


@keras.saving.register_keras_serializable("mcviz_tests")
class InPython(keras.layers.Layer):
    """A function of Python's, which XLA cannot compile."""

    def call(self, inputs):
        return tf.ensure_shape(tf.numpy_function(np.cos, [inputs], tf.float32), inputs.shape)


@pytest.mark.parametrize(
    ("name", "compiler"),
    [
        ("small reference network", "none"),
        ("SpatialDropout2D", "xla"),  # its one convolution is in front
        ("residual", "none"),
    ],
)
def test_what_is_compiled_follows_from_the_operations_that_are_repeated(name, compiler):
    image = keras.Input((6, 6, 2))
    hidden = layers.Dropout(0.2)(layers.Conv2D(4, 3)(image))
    repeated = layers.Flatten()(layers.Conv2D(4, 3)(hidden))
    residual = keras.Model(image, layers.Dense(CLASSES, activation="softmax")(repeated))
    assert Sampler(residual if name == "residual" else make(name)).compiler == compiler


def test_a_convolution_within_a_loop_is_not_compiled():
    lstm = layers.ConvLSTM2D(2, 2, dropout=0.3)
    assert Sampler(sequential((3, 4, 4, 1), lstm, layers.Flatten(), layers.Dense(CLASSES))).compiler == "none"


@pytest.mark.parametrize(
    ("name", "masks"),
    one_in(3, [("GaussianNoise", "per_pass"), ("LSTM", "per_pass"), ("MultiHeadAttention", "per_example")]),
)
def test_both_agree_on_the_same_masks(name, masks):
    model = make(name)
    compiled, plain = Sampler(model), Sampler(model, compiler="none")
    assert (compiled.compiler, plain.compiler) == ("xla", "none")
    images = images_for(model, 9)
    one, other = (each.sample(images, passes=140, seed=2, masks=masks) for each in (compiled, plain))
    np.testing.assert_allclose(one, other, atol=2e-6)
    assert one.std(axis=0).max() > 0.001


def test_what_xla_cannot_compile_stays_as_it_is():
    model, rows = noisy(InPython()), np.ones((3, 4), np.float32)
    sampler = Sampler(model)
    assert sampler.compiler == "none"
    assert sampler.sample(rows, passes=50).std(axis=0).min() > 0.001
    with pytest.raises(UnsuitableModelError, match=r"^XLA cannot compile this model\. Received: .*Leave the compiler"):
        Sampler(model, compiler="xla")


def test_on_a_gpu_nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"] if kind == "GPU" else [])
    assert Sampler(noisy()).compiler == "none"


def test_without_xla_nothing_is_compiled_and_asking_for_it_is_refused(monkeypatch):
    for module in (tracing, network):
        monkeypatch.setattr(module, "xla_error", lambda: "no platform")
    assert Sampler(noisy()).compiler == "none"
    with pytest.raises(MissingPackageError, match=r"compiled by XLA, which this TensorFlow does not have: no platform"):
        Sampler(noisy(), compiler="xla")
    with pytest.raises(InvalidInputError, match=r"`compiler` should be 'xla' or 'none'\. Received: 'gcc'"):
        Sampler(noisy(), compiler="gcc")
