"""Dropout → Flatten → Dense, factored: the same numbers as row by row, and as a slow loop in float64."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from scipy import stats

from mcviz.model import Sampler
from mcviz.model.masked_dense import ScaledKernel
from mcviz.model.plan import make_plan
from mcviz.model.random_numbers import mask_of_active, random_numbers
from mcviz.model.stochastic import StochasticLayers
from tests.model.zoo import CLASSES, images_for, make, sequential


@pytest.fixture(autouse=True)
def _same_weights_every_time() -> None:
    keras.utils.set_random_seed(1)


MODES = ["per_pass", "per_example"]


def plan_of(sampler: Sampler):
    return next(iter(sampler._plans.values()))


def unfactored(model: keras.Model) -> Sampler:
    """A sampler that computes the dense layer row by row."""
    sampler = Sampler(model)
    (key,) = sampler._plans
    sampler._plans[key] = make_plan(StochasticLayers(model), *key, factored=False)
    return sampler


@pytest.mark.parametrize("masks", MODES)
@pytest.mark.parametrize("name", ["small reference network", "nested models", "Dropout", "Dropout on the images"])
def test_row_by_row_agrees_on_the_same_masks(name, masks):
    model = make(name)
    fast, slow = Sampler(model), unfactored(model)
    assert plan_of(fast).masked_dense is not None
    assert plan_of(slow).masked_dense is None
    images = images_for(model, 21)
    one, other = (each.sample(images, passes=140, seed=2, masks=masks) for each in (fast, slow))
    np.testing.assert_allclose(one, other, atol=2e-6)
    assert one.std(axis=0).max() > 0.01


@pytest.mark.parametrize("masks", MODES)
def test_a_slow_loop_in_float64_gives_the_same_probabilities(masks):
    model = make("small reference network")
    sampler = Sampler(model)
    images = images_for(model, 3)
    (first, second), block = plan_of(sampler).requests, plan_of(sampler).passes
    front = keras.Model(model.inputs[0], model.layers[1].output)(images).numpy().reshape(3, -1).astype(np.float64)
    (w1, b1), (w2, b2) = ([w.astype(np.float64) for w in layer.get_weights()] for layer in model.layers[-3::2])
    expected = np.empty((5, 3, CLASSES))
    for i, activations in enumerate(front):
        image = i if masks == "per_example" else None
        active = np.flatnonzero(activations)
        kept = random_numbers(first, block, 9, 0, None).reshape(block, -1)
        if masks == "per_example":
            kept[:, active] = mask_of_active(first, block, 9, 0, i, active)
        kept_hidden = random_numbers(second, block, 9, 0, image)
        for t in range(5):
            hidden = np.maximum((activations * kept[t] / (1 - 0.25)) @ w1 + b1, 0)
            logits = (hidden * kept_hidden[t] / (1 - 0.5)) @ w2 + b2
            expected[t, i] = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(sampler.sample(images, passes=5, seed=9, masks=masks), expected, atol=1e-6)


@given(st.integers(0, 40), st.integers(1, 9), st.floats(0, 1), st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_a_product_is_masks_times_activations_times_weights(size, units, share, seed):
    numbers = np.random.default_rng(seed)
    activations = (numbers.standard_normal(size) * (numbers.random(size) < share)).astype(np.float32)
    kernel = numbers.standard_normal((size, units)).astype(np.float32)
    kept = numbers.random((16, size)) < 0.6
    expected = (kept * activations.astype(np.float64)) @ kernel
    scaled = ScaledKernel(activations, kernel)
    np.testing.assert_allclose(scaled.masked_by_columns(np.ascontiguousarray(kept.T)), expected, atol=1e-4)
    np.testing.assert_allclose(scaled.masked(kept[:, scaled.active]), expected, atol=1e-4)


def test_images_vary_together_over_the_passes_as_under_one_mask_of_keras():
    """Per pass, the joint distribution is that of Keras's Dropout with one mask for its whole batch."""
    model = make("small reference network")
    shared = make("small reference network")
    for dropout, item in zip(shared.layers[2::3], ((1, 4, 4, 8), (1, 12)), strict=True):
        dropout.noise_shape = item
    images, count = images_for(model, 2), 1500
    one_pass = tf.function(partial(shared, training=True))
    loop = np.stack([one_pass(tf.constant(images)).numpy() for _ in range(count)])
    ours = Sampler(model).sample(images, passes=count, seed=3)
    correlations = [np.arctanh(stats.pearsonr(each[:, 0, 0], each[:, 1, 0])[0]) for each in (loop, ours)]
    assert abs(correlations[1]) > 0.2
    # 1e-6 of all seeds would fail this, were the two classes' probabilities normal; the factor 2 is for that
    assert abs(correlations[0] - correlations[1]) < 2 * stats.norm.isf(0.5e-6) * np.sqrt(2 / (count - 3))


def test_the_sampler_follows_weights_that_are_set_after_it_was_made():
    model = make("small reference network")
    sampler, images = Sampler(model), images_for(model, 2)
    before = sampler.sample(images, passes=4)
    model.set_weights([1.5 * weight for weight in model.get_weights()])
    after = sampler.sample(images, passes=4)
    assert (after != before).any()
    np.testing.assert_array_equal(after, Sampler(model).sample(images, passes=4))


@pytest.mark.parametrize(
    "stack",
    [
        (layers.SpatialDropout2D(0.3), layers.Flatten(), layers.Dense(8)),
        (layers.GaussianDropout(0.3), layers.Flatten(), layers.Dense(8)),
        (layers.Dropout(0.3), layers.Conv2D(2, 3), layers.Flatten()),
        (layers.Dropout(0.3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(8)),
        (layers.Dropout(0.3), layers.Dense(8), layers.Flatten()),
    ],
)
def test_other_graphs_are_not_factored(stack):
    model = sequential((5, 5, 2), *stack, layers.Dense(CLASSES, activation="softmax"))
    assert plan_of(Sampler(model)).masked_dense is None


def test_an_image_without_activations_has_passes_too():
    model = sequential((4,), layers.Dropout(0.3), layers.Dense(5), layers.Dropout(0.3), layers.Dense(3))
    model.layers[1].bias.assign(np.arange(5) - 2.5)
    for masks in MODES:
        probs = Sampler(model).sample(np.zeros((2, 4), np.float32), passes=40, masks=masks)
        assert len(np.unique(probs[:, 0, 0])) > 4
