"""Every kind of stochastic layer and of model: the right distribution, the same bits, and nothing left behind."""

import threading
from functools import cache
from itertools import cycle, product
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from mcviz.choices import MASKS
from mcviz.sampling import Sampler
from tests.cases import only
from tests.sampling.keras.zoo import CLASSES, EVERY_MODEL, OWN, SOME_MODELS, images_for, make

PASSES = 1500
FALSE_ALARMS = 1e-6  # per test, over the choice of seeds; the seeds are fixed, so a pass stays a pass

every_model = pytest.mark.parametrize("name", only(SOME_MODELS, EVERY_MODEL))
# Each mode for every other of the models that are always taken.
every_model_and_mode = pytest.mark.parametrize(
    ("name", "masks"), only([*zip(sorted(SOME_MODELS), cycle(MASKS))], product(EVERY_MODEL, MASKS))
)


class Prepared(NamedTuple):
    """A sampler of a model that was compiled and trained for a step, and what that model was before it was prepared."""

    sampler: Sampler
    state: list[bytes]
    attributes: list[set[str]]


@cache
def prepare(name: str) -> Prepared:
    model = make(name)
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(images_for(model, 8), np.arange(8) % CLASSES)
    state, attributes = state_of(model), attributes_of(model)
    own = [kind for label, kind in OWN.items() if name.startswith(label)]  # which are on where they are named
    return Prepared(Sampler(model, stochastic=tuple(own)), state, attributes)


def sampler(name: str) -> Sampler:
    return prepare(name).sampler


@cache
def passes_of_the_loop(name: str) -> np.ndarray:
    """(PASSES, 3, C) by Keras's own layers with `training=True`, BatchNormalization frozen, a draw for each row."""
    model = make(name)
    model.set_weights(sampler(name).model.get_weights())
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    images = images_for(model, 3)
    return np.stack([model(np.repeat(image[None], PASSES, axis=0), training=True).numpy() for image in images], axis=1)


@every_model_and_mode
def test_mean_and_variance_are_those_of_the_keras_loop(name, masks):
    ours = sampler(name).sample(images_for(sampler(name).model, 3), passes=PASSES, seed=7, masks=masks)
    assert ours.shape == (PASSES, 3, CLASSES)
    np.testing.assert_allclose(ours.sum(axis=2), 1, atol=1e-5)
    limit = stats.norm.isf(FALSE_ALARMS / 2 / (2 * 3 * CLASSES))
    (mean, mean_error, variance, variance_error), loop = moments(ours), moments(passes_of_the_loop(name))
    assert np.all(np.abs(mean - loop[0]) <= limit * np.hypot(mean_error, loop[1]))
    assert np.all(np.abs(variance - loop[2]) <= limit * np.hypot(variance_error, loop[3]))


def moments(probs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean and variance over the passes, each with its standard error."""
    probs = probs.astype(np.float64)
    centred = probs - probs.mean(axis=0)
    variance, fourth = (centred**2).mean(axis=0), (centred**4).mean(axis=0)
    count = len(probs)
    return probs.mean(axis=0), np.sqrt(variance / count), variance, np.sqrt((fourth - variance**2) / count)


@every_model
def test_masks_per_pass_are_shared_by_the_images_and_masks_per_example_are_not(name):
    twice = np.repeat(images_for(sampler(name).model, 1), 2, axis=0)
    one, other = sampler(name).sample(twice, passes=200, masks="per_pass").swapaxes(0, 1)
    np.testing.assert_allclose(one, other, atol=1e-6)
    one, other = sampler(name).sample(twice, passes=200, masks="per_example").swapaxes(0, 1)
    correlation = stats.pearsonr(one[:, 0], other[:, 0])
    assert correlation.pvalue > FALSE_ALARMS
    assert (one != other).any(axis=1).mean() > 0.5


@every_model_and_mode
def test_any_split_gives_the_same_bits(name, masks):
    images = images_for(sampler(name).model, 37)
    whole = sampler(name).sample(images, passes=150, seed=3, masks=masks)
    parts = [
        [
            sampler(name).sample(
                images[low:high], passes=last - first, seed=3, masks=masks, first_pass=first, first_example=low
            )
            for low, high in ((0, 1), (1, 20), (20, 37))
        ]
        for first, last in ((0, 1), (1, 129), (129, 150))
    ]
    np.testing.assert_array_equal(np.concatenate([np.concatenate(row, axis=1) for row in parts]), whole)
    assert (sampler(name).sample(images[:1], passes=1, seed=4, masks=masks) != whole[:1, :1]).any()


@every_model
def test_threads_get_the_serial_result(name):
    images = images_for(sampler(name).model, 6)
    serial = {seed: sampler(name).sample(images, passes=10, seed=seed) for seed in range(3)}
    results: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(
            target=lambda seed=seed: results.update({seed: sampler(name).sample(images, passes=10, seed=seed)})
        )
        for seed in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(3):
        np.testing.assert_array_equal(results[seed], serial[seed])


@every_model
def test_the_model_stays_byte_for_byte_what_it_was(name):
    (fresh, state, attributes), model = prepare(name), sampler(name).model
    images = images_for(model, 8)
    fresh.sample(images, passes=3)
    fresh.sample(images, passes=3, masks="per_example")
    fresh.deterministic(images)
    assert state_of(model) == state
    assert attributes_of(model) == attributes
    taken = tf.constant(images) if images.dtype == object else images  # Keras predicts no numpy array of texts
    predicted = model.predict(taken, verbose=0)
    if name != "own layer, always on":
        np.testing.assert_allclose(fresh.deterministic(images), predicted, atol=1e-6)
        np.testing.assert_array_equal(model.predict(taken, verbose=0), predicted)


def attributes_of(model: keras.Model) -> list[set[str]]:
    """The names of what its layers hold."""
    return [set(vars(layer)) for layer in model._flatten_layers()]


def state_of(model: keras.Model) -> list[bytes]:
    """Weights, metrics, seed generators and optimizer, and which weights are trainable."""
    variables = [*model.variables, *model.optimizer.variables]
    generators = [each.state for layer in model._flatten_layers() for each in layer._seed_generators]
    flags = [bytes(layer.trainable) for layer in model._flatten_layers()]
    return [np.asarray(variable).tobytes() for variable in [*variables, *generators]] + flags
