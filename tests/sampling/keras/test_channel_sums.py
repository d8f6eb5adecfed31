"""SpatialDropout → convolution, factored: the same numbers as anew in every pass, and as a slow sum in float64."""

from itertools import cycle
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from mcviz.choices import MASKS
from mcviz.sampling import Sampler
from mcviz.sampling.masks import draw_random_numbers
from tests.cases import one_in
from tests.sampling.keras.zoo import (
    CLASSES,
    assert_parts_have_the_bits_of,
    images_for,
    sequential,
)

pytestmark = pytest.mark.usefixtures("same_weights_every_time")


def network(*stack: keras.Layer, item: tuple[int, ...] = (9, 9, 4)) -> keras.Model:
    pooling = layers.GlobalAveragePooling1D() if len(item) == 2 else layers.GlobalAveragePooling2D()
    return sequential(item, *stack, pooling, layers.Dense(CLASSES, activation="softmax"))


def is_factored(model: keras.Model) -> bool:
    return Sampler(model).product == "channel_sums"


STACKS = {
    "strides": lambda: network(layers.SpatialDropout2D(0.3), layers.Conv2D(6, 3, strides=2, activation="relu")),
    "padding": lambda: network(layers.SpatialDropout2D(0.3), layers.Conv2D(6, (2, 3), padding="same")),
    "a mask for each channel": lambda: network(layers.Dropout(0.3, (None, 1, 1, None)), layers.Conv2D(6, 3)),
    "one axis": lambda: network(layers.SpatialDropout1D(0.3), layers.Conv1D(6, 3), item=(9, 4)),
    "another dropout behind": lambda: network(
        layers.SpatialDropout2D(0.3), layers.Conv2D(6, 3, activation="relu"), layers.SpatialDropout2D(0.2),
        layers.Conv2D(5, 3, activation="relu"), layers.Dropout(0.4),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "masks"), one_in(3, [*zip(STACKS, cycle(MASKS)), ("another dropout behind", "per_example")])
)
def test_a_convolution_in_every_pass_agrees_on_the_same_masks(name, masks):
    model = STACKS[name]()
    fast, slow = Sampler(model), Sampler(model, product="matmul")
    assert (fast.product, slow.product) == ("channel_sums", "matmul")
    examples = images_for(model, 21)
    one, other = (each.sample(examples, passes=140, seed=2, masks=masks) for each in (fast, slow))
    np.testing.assert_allclose(one, other, atol=2e-6)
    assert one.std(axis=0).max() > 0.001


@pytest.mark.parametrize("masks", MASKS)
def test_a_slow_sum_in_float64_gives_the_same_probabilities(masks):
    model = network(layers.SpatialDropout2D(0.25), layers.Conv2D(6, 3, strides=2, activation="relu"))
    sampler, images = Sampler(model), images_for(model, 3)
    (plan,) = sampler._plans.values()
    (request,) = plan.random_requests
    kernel, bias, weights, biases = (weight.astype(np.float64) for weight in model.get_weights())
    expected = np.empty((5, 3, CLASSES))
    for i, image in enumerate(images.astype(np.float64)):
        kept = draw_random_numbers(request, plan.passes_per_block, 9, 0, i if masks == "per_example" else None)
        for t in range(5):
            dropped = np.where(kept[t], image / 0.75, 0)
            windows = np.lib.stride_tricks.sliding_window_view(dropped, (3, 3), axis=(0, 1))[::2, ::2]
            hidden = np.maximum(np.einsum("yxcij,ijcf->yxf", windows, kernel) + bias, 0)
            logits = hidden.mean(axis=(0, 1)) @ weights + biases
            expected[t, i] = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(sampler.sample(images, passes=5, seed=9, masks=masks), expected, atol=1e-6)


@pytest.mark.parametrize("masks", one_in(2, MASKS))
def test_any_split_of_examples_and_passes_gives_the_same_bits(masks):
    model = STACKS["another dropout behind"]()
    sampler, examples = Sampler(model), images_for(model, 19)
    whole = sampler.sample(examples, passes=300, seed=4, masks=masks)
    parts = (slice(0, 3), slice(0, 1)), (slice(100, 290), slice(5, 19)), (slice(256, 300), slice(7, 9))
    assert_parts_have_the_bits_of(whole, sampler, examples, parts, seed=4, masks=masks)


@pytest.mark.parametrize(
    "stack",
    one_in(
        4,
        zip(
            [
                (layers.SpatialDropout2D(0.3), layers.Conv2D(6, 1)),
                (layers.SpatialDropout2D(0.3), layers.Conv2D(6, 3, groups=2)),
                (layers.SpatialDropout2D(0.3), layers.Conv2D(6, 3, dilation_rate=2)),
                (layers.SpatialDropout2D(0.3), layers.DepthwiseConv2D(3)),
                (layers.SpatialDropout2D(0.3), layers.ReLU(), layers.Conv2D(6, 3)),
                (layers.Dropout(0.3), layers.Conv2D(6, 3)),
                (layers.GaussianNoise(0.3), layers.SpatialDropout2D(0.3), layers.Conv2D(6, 3)),
            ]
        ),
    ),
)
def test_other_graphs_are_not_factored(stack):
    assert not is_factored(network(*stack))


def test_channels_that_take_more_memory_than_a_block_are_not_kept():
    small, large = (
        network(layers.SpatialDropout2D(0.3), layers.Conv2D(64, 3), item=item) for item in ((20, 20, 8), (70, 70, 16))
    )
    assert is_factored(small)
    assert not is_factored(large)


def test_a_sampler_that_goes_on_with_a_run_leaves_the_one_that_it_is_from_as_it_was():
    model = network(layers.SpatialDropout2D(0.3), layers.Conv2D(6, 3), item=(None, None, 4))
    origin = SimpleNamespace(product="matmul", compiler=None, device_name="cpu")
    images = np.random.default_rng(0).standard_normal((2, 9, 9, 4), dtype=np.float32)
    sampler = Sampler(model)
    theirs = sampler.match_run(SimpleNamespace(origin=origin))
    theirs.deterministic(images)
    assert theirs.product == "matmul"
    np.testing.assert_array_equal(sampler.sample(images, passes=9), Sampler(model).sample(images, passes=9))
    assert sampler.product == "channel_sums"
    assert all(plan.masked_convolutions for plan in sampler._plans.values())
