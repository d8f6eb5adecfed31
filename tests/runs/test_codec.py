"""Arrays go to bytes and back without loss; probabilities are within half a step of 1/65535."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcviz.runs.codec import decode_steps, dequantise, encode_steps, from_planes, quantise, steps_bytes, to_planes

shapes = st.tuples(st.integers(1, 5), st.integers(2, 4), st.integers(1, 6))


@given(shapes.flatmap(lambda shape: hnp.arrays(np.uint16, shape)))
def test_any_steps_come_back_even_where_classes_do_not_add_up_to_one(steps: np.ndarray) -> None:
    frame = encode_steps(steps)
    assert len(frame) == steps_bytes(steps.shape)
    np.testing.assert_array_equal(decode_steps(frame, steps.shape), steps)


@given(
    shapes.flatmap(
        lambda shape: hnp.arrays(np.float32, shape, elements=st.floats(0, 1, width=32, allow_subnormal=False))
    )
)
def test_a_probability_comes_back_within_half_a_step(probs: np.ndarray) -> None:
    kept = dequantise(quantise(probs))
    assert kept.shape == probs.shape
    assert kept.dtype == np.float32
    assert np.abs(kept.astype(np.float64) - probs).max() <= 0.5 / 65535 + 2**-24


def test_nought_and_one_are_exact() -> None:
    probs = np.array([[[0.0, 1.0]]], dtype=np.float32)
    np.testing.assert_array_equal(dequantise(quantise(probs)), probs)


def test_softmax_outputs_take_less_room_than_their_noise_would_without_the_sum() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (200, 40, 10))
    probs = (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)).astype(np.float32)
    kept = decode_steps(encode_steps(quantise(probs)), (40, 10, 200))
    np.testing.assert_array_equal(kept, np.rint(probs.transpose(1, 2, 0) * np.float32(65535)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int64])
def test_planes_come_back(dtype: type) -> None:
    array = np.random.default_rng(1).integers(0, 200, (3, 4, 2)).astype(dtype)
    back = from_planes(to_planes(array), np.dtype(dtype), (3, 4, 2))
    np.testing.assert_array_equal(back, array)
    assert back.dtype == dtype
    assert back.flags.writeable
