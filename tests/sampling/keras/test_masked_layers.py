"""Dropout → Flatten → Dense, factored: the same numbers as row by row, and as a slow loop in float64."""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from scipy import stats

from mcviz.choices import MASKS
from mcviz.errors import InvalidInputError, MissingPackageError
from mcviz.sampling import Sampler
from mcviz.sampling.base import SHARED_BLOCK
from mcviz.sampling.engine import subset_sums_error
from mcviz.sampling.keras import plan
from mcviz.sampling.keras.plan import as_tensor, multiply
from mcviz.sampling.machine_code import SubsetSums, sum_kept_rows
from mcviz.sampling.masks import (
    PRODUCTS,
    MatrixProduct,
    bernoulli,
    draw_active_mask,
    draw_random_numbers,
    thread_memory,
)
from tests.cases import one_in
from tests.sampling.keras.zoo import (
    CLASSES,
    assert_parts_have_the_bits_of,
    images_for,
    make,
    sequential,
)

pytestmark = pytest.mark.usefixtures("same_weights_every_time")


def plan_of(sampler: Sampler):
    return next(iter(sampler._plans.values()))


@pytest.fixture
def unfactored(monkeypatch: pytest.MonkeyPatch) -> Callable[[keras.Model], Sampler]:
    """Make a sampler that computes the dense layer row by row, in blocks of the size that it has otherwise."""
    find = plan.find_masked_dense

    def make_sampler(model: keras.Model) -> Sampler:
        monkeypatch.setattr(
            plan, "find_masked_dense", lambda trace: find(trace) if trace.rows == SHARED_BLOCK else None
        )
        try:
            return Sampler(model)
        finally:
            monkeypatch.setattr(plan, "find_masked_dense", find)

    return make_sampler


@pytest.mark.parametrize(
    ("name", "masks"),
    one_in(
        4,
        [
            *(("small reference network", masks) for masks in MASKS),
            ("nested models", "per_pass"),
            ("Dropout", "per_example"),
            ("Dropout on the images", "per_pass"),
        ],
    ),
)
def test_row_by_row_agrees_on_the_same_masks(name, masks, unfactored):
    model = make(name)
    fast, slow = Sampler(model), unfactored(model)
    assert plan_of(fast).masked_dense is not None
    assert plan_of(slow).masked_dense is None
    images = images_for(model, 21)
    one, other = (each.sample(images, passes=140, seed=2, masks=masks) for each in (fast, slow))
    np.testing.assert_allclose(one, other, atol=2e-6)
    assert one.std(axis=0).max() > 0.01


@pytest.mark.parametrize("masks", MASKS)
def test_a_slow_loop_in_float64_gives_the_same_probabilities(masks):
    model = make("small reference network")
    sampler = Sampler(model)
    images = images_for(model, 3)
    plan = plan_of(sampler)
    (first, second), block = plan.random_requests, plan.passes_per_block
    front = keras.Model(model.inputs[0], model.layers[1].output)(images).numpy().reshape(3, -1).astype(np.float64)
    (w1, b1), (w2, b2) = ([w.astype(np.float64) for w in layer.get_weights()] for layer in model.layers[-3::2])
    expected = np.empty((5, 3, CLASSES))
    for i, activations in enumerate(front):
        image = i if masks == "per_example" else None
        active = np.flatnonzero(activations)
        kept = draw_random_numbers(first, block, 9, 0, None).reshape(block, -1)
        if masks == "per_example":
            kept[:, active] = draw_active_mask(first, block, 9, 0, i, active)
        kept_hidden = draw_random_numbers(second, block, 9, 0, image)
        for t in range(5):
            hidden = np.maximum((activations * kept[t] / (1 - 0.25)) @ w1 + b1, 0)
            logits = (hidden * kept_hidden[t] / (1 - 0.5)) @ w2 + b2
            expected[t, i] = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(sampler.sample(images, passes=5, seed=9, masks=masks), expected, atol=1e-6)


@pytest.mark.parametrize("product", [partial(MatrixProduct, multiply=multiply), SubsetSums])
@given(
    st.integers(0, 140), st.integers(1, 300), st.floats(0, 1), st.integers(1, 3), st.sampled_from([2, 16, 40, 64]),
    st.sampled_from([0.5, 0.25, 0.1, 0.9]), st.integers(0, 2**32),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_a_product_is_masks_times_activations_times_weights(product, size, units, share, blocks, passes, rate, seed):
    numbers = np.random.default_rng(seed)
    activations = (numbers.standard_normal(size) * (numbers.random(size) < share)).astype(np.float32)
    active = np.flatnonzero(activations)
    kernel = numbers.standard_normal((size, units)).astype(np.float32)
    kept = numbers.random((blocks, passes, size)) < 0.6
    own = [
        bernoulli(np.random.default_rng(block), passes * len(active), rate).reshape(passes, len(active))
        for block in range(blocks)
    ]
    computed, products = product(kernel), np.zeros((blocks, 2, passes, units), np.float32)
    whole = range(blocks * passes)
    computed.multiply_per_pass(products, 0, whole, activations, [computed.prepare_pass_mask(each) for each in kept])
    generators = [np.random.default_rng(block) for block in range(blocks)]
    computed.multiply_per_example(products, 1, whole, activations, generators, rate)
    weighted = activations.astype(np.float64)[:, None] * kernel
    np.testing.assert_allclose(products[:, 0], kept @ weighted, atol=1e-4)
    np.testing.assert_allclose(products[:, 1], np.stack(own) @ weighted[active], atol=1e-4)


@given(st.integers(1, 100), st.sampled_from([3, 64, 128, 200]), st.integers(0, 2**32))
@settings(deadline=None, max_examples=40)
def test_sums_of_subsets_have_the_bits_of_the_plain_loop_that_specifies_them(size, units, seed):
    """One float32 after the other: the bits of a run that is extended are those of the version that began it."""
    numbers = np.random.default_rng(seed)
    activations, kernel = numbers.standard_normal(size, np.float32), numbers.standard_normal((size, units), np.float32)
    activations *= numbers.random(size) < 0.7
    kept = numbers.random((1, 32, size)) < 0.6
    computed, products = SubsetSums(kernel), np.empty((1, 1, 32, units), np.float32)
    computed.multiply_per_pass(products, 0, range(32), activations, [computed.prepare_pass_mask(kept[0])])
    np.testing.assert_array_equal(products[0, 0], sum_kept_rows(kernel, activations, kept[0]))


@given(st.integers(1, 100), st.sampled_from([3, 128, 200]), st.integers(0, 2**32), st.data())
@settings(deadline=None, max_examples=40)
def test_sums_of_subsets_have_the_same_bits_whatever_passes_are_asked_for(size, units, seed, data):
    numbers = np.random.default_rng(seed)
    activations, kernel = numbers.standard_normal(size, np.float32), numbers.standard_normal((size, units), np.float32)
    kept = numbers.random((2, 48, size)) < 0.6
    first = data.draw(st.integers(0, 95))
    part = range(first, data.draw(st.integers(first + 1, 96)))
    computed, products = SubsetSums(kernel), np.empty((2, 2, 48, units), np.float32)
    masks = [computed.prepare_pass_mask(each) for each in kept]
    for example, passes in enumerate((range(96), part)):
        computed.multiply_per_pass(products, example, passes, activations, masks)
    whole, some = (products[:, example].reshape(96, units) for example in (0, 1))
    np.testing.assert_array_equal(some[part.start : part.stop], whole[part.start : part.stop])


@pytest.mark.parametrize("masks", one_in(2, MASKS))
def test_any_split_of_images_and_passes_gives_the_same_bits_by_matrix_products_too(masks):
    model = make("small reference network")
    sampler, images = Sampler(model, product="matmul"), images_for(model, 37)
    whole = sampler.sample(images, passes=700, seed=4, masks=masks)
    assert sampler.product == "matmul"
    parts = (slice(0, 3), slice(0, 1)), (slice(250, 520), slice(5, 37)), (slice(512, 700), slice(15, 17))
    assert_parts_have_the_bits_of(whole, sampler, images, parts, seed=4, masks=masks)


@pytest.mark.parametrize("masks", one_in(2, MASKS))
def test_both_products_agree_on_the_same_masks(masks):
    model = make("small reference network")
    images = images_for(model, 5)
    one, other = (
        Sampler(model, product=product).sample(images, passes=300, seed=2, masks=masks) for product in PRODUCTS
    )
    np.testing.assert_allclose(one, other, atol=2e-6)
    assert (one != other).any()


@pytest.fixture
def without_numba(monkeypatch):
    def fails(_name):
        raise ImportError("No module named 'numba'")

    monkeypatch.setattr("mcviz.sampling.engine.import_module", fails)
    subset_sums_error.cache_clear()
    yield
    subset_sums_error.cache_clear()


def test_without_numba_it_is_the_matrix_product_and_the_description_says_so(without_numba):
    sampler = Sampler(make("small reference network"))
    assert sampler.product == "matmul"
    assert "numba cannot be imported (No module named 'numba'), so the passes take" in sampler.description()
    assert "numba" not in Sampler(make("AlphaDropout")).description()
    with pytest.raises(MissingPackageError, match=r"need numba.*No module named 'numba'.*Type: pip install"):
        Sampler(make("small reference network"), product="subset_sums")


@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
def test_aligned_memory_becomes_a_tensor_without_a_copy_and_other_memory_by_one(dtype):
    memory = thread_memory("test", (2, 24), dtype)
    memory[:] = 1
    for array, is_shared in ((memory, True), (memory.reshape(-1)[1:], False), (memory[:0], False)):
        tensor = as_tensor(array)
        np.testing.assert_array_equal(tensor, array)
        assert tensor.dtype == dtype
        assert np.shares_memory(np.from_dlpack(tensor), array) == is_shared
        np.testing.assert_array_equal(tf.where(tf.cast(tensor, tf.bool), tensor, tensor), array)


def test_on_a_gpu_it_is_the_matrix_product(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"] if kind == "GPU" else [])
    assert Sampler(make("small reference network")).product == "matmul"


def test_a_product_that_there_is_not_is_refused():
    with pytest.raises(
        InvalidInputError, match=r"`product` should be 'matmul' or 'subset_sums' or 'channel_sums'\. Received: 'sum'"
    ):
        Sampler(make("small reference network"), product="sum")


@pytest.mark.slow
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


@pytest.mark.parametrize("name", one_in(2, ["small reference network", "BatchNormalization"]))  # subsets, channels
def test_the_sampler_follows_weights_that_are_set_after_it_was_made(name):
    model = make(name)
    sampler, images = Sampler(model), images_for(model, 2)
    before = sampler.sample(images, passes=4)
    model.set_weights([1.5 * weight for weight in model.get_weights()])
    after = sampler.sample(images, passes=4)
    assert (after != before).any()
    np.testing.assert_array_equal(after, Sampler(model).sample(images, passes=4))


@pytest.mark.parametrize(
    "stack",
    one_in(
        3,
        zip(
            [
                (layers.SpatialDropout2D(0.3), layers.Flatten(), layers.Dense(8)),
                (layers.GaussianDropout(0.3), layers.Flatten(), layers.Dense(8)),
                (layers.Dropout(0.3), layers.Conv2D(2, 3), layers.Flatten()),
                (layers.Dropout(0.3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(8)),
                (layers.Dropout(0.3), layers.Dense(8), layers.Flatten()),
            ]
        ),
    ),
)
def test_other_graphs_are_not_factored(stack):
    model = sequential((5, 5, 2), *stack, layers.Dense(CLASSES, activation="softmax"))
    assert plan_of(Sampler(model)).masked_dense is None


def test_an_image_without_activations_has_passes_too():
    model = sequential((4,), layers.Dropout(0.3), layers.Dense(5), layers.Dropout(0.3), layers.Dense(3))
    model.layers[1].bias.assign(np.arange(5) - 2.5)
    for masks in MASKS:
        probs = Sampler(model).sample(np.zeros((2, 4), np.float32), passes=40, masks=masks)
        assert len(np.unique(probs[:, 0, 0])) > 4
