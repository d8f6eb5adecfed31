"""Every distortion: what it does to a pixel that can be followed, and where on its slider it does nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mcviz.data import DISTORTIONS, blur, erase, invert, mix, rotate, scale, shift, shuffle_pixels, smooth_noise
from mcviz.errors import InvalidInputError

IMAGES = smooth_noise(4, (28, 28, 3), seed=0)
WIDE = smooth_noise(2, (10, 16, 1), seed=1)


def dot(row: int, column: int, size: int = 9) -> np.ndarray:
    image = np.zeros((1, size, size, 1), np.float32)
    image[0, row, column] = 1
    return image


@pytest.mark.parametrize("name", DISTORTIONS)
@given(position=st.floats(0, 1), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_every_slider_gives_images_of_the_same_kind_all_along(name: str, position: float, seed: int) -> None:
    distortion = DISTORTIONS[name]
    amount = distortion.low + position * (distortion.high - distortion.low)
    for images in (IMAGES, WIDE):
        before = images.copy()
        changed = distortion.apply(images, amount, seed, images[:1])
        assert changed.shape == images.shape
        assert changed.dtype == np.float32
        assert changed.min() >= 0
        assert changed.max() <= 1
        np.testing.assert_array_equal(images, before)
        np.testing.assert_array_equal(changed, distortion.apply(images, amount, seed, images[:1]))


@pytest.mark.parametrize("name", DISTORTIONS)
def test_every_slider_has_a_place_where_nothing_changes(name: str) -> None:
    distortion = DISTORTIONS[name]
    assert distortion.low <= distortion.unchanged <= distortion.high
    for images in (IMAGES, WIDE):
        unchanged = distortion.apply(images, distortion.unchanged, 3, images[:1])
        np.testing.assert_allclose(unchanged, images, atol=1e-6)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_every_slider_changes_something_at_its_end(name: str) -> None:
    distortion = DISTORTIONS[name]
    changed = distortion.apply(IMAGES, distortion.high * 0.9, 3, IMAGES[:1])
    assert np.abs(changed[1:] - IMAGES[1:]).mean() > 0.02


def test_quarter_turns_move_pixels_counter_clockwise() -> None:
    np.testing.assert_array_equal(rotate(dot(0, 8), 90), dot(0, 0))
    np.testing.assert_array_equal(rotate(dot(0, 8), -90), dot(8, 8))
    np.testing.assert_array_equal(rotate(IMAGES, 360), IMAGES)
    np.testing.assert_array_equal(rotate(rotate(IMAGES, 90), 270), IMAGES)


@pytest.mark.parametrize("degrees", [30, 45, 137, -20])
def test_turning_agrees_with_pillow(degrees: float) -> None:
    pixels = Image.fromarray(IMAGES[0, :, :, 0], mode="F")
    expected = np.asarray(pixels.rotate(degrees, Image.Resampling.BILINEAR))
    inner = np.hypot(*np.mgrid[-13.5:14, -13.5:14]) < 12  # the libraries differ in how they treat the border
    np.testing.assert_allclose(rotate(IMAGES[:1], degrees)[0, :, :, 0][inner], expected[inner], atol=0.02)


def test_turning_almost_a_quarter_is_almost_a_quarter_turn() -> None:
    assert np.abs(rotate(IMAGES, 89.999) - rotate(IMAGES, 90))[:, 1:-1, 1:-1].max() < 1e-3


def test_shifts_go_right_and_down_and_leave_black_behind() -> None:
    np.testing.assert_array_equal(shift(dot(2, 3), right=4, down=1), dot(3, 7))
    np.testing.assert_allclose(shift(dot(2, 3), right=0.25), 0.75 * dot(2, 3) + 0.25 * dot(2, 4), atol=1e-6)
    assert not shift(np.ones_like(IMAGES), right=-5)[:, :, -5:].any()


def test_scaling_is_about_the_centre() -> None:
    np.testing.assert_allclose(scale(dot(4, 4), 1.0), dot(4, 4), atol=1e-6)
    np.testing.assert_allclose(scale(dot(4, 6), 0.5)[0, 4, 5], 1, atol=1e-6)
    doubled = scale(dot(4, 6), 2)[0, :, :, 0]
    assert np.unravel_index(doubled.argmax(), doubled.shape) == (4, 8)
    with pytest.raises(InvalidInputError, match="Received: 0"):
        scale(IMAGES, 0)


def test_blur_spreads_the_light_and_keeps_its_sum() -> None:
    blurred = blur(dot(10, 10, 21), 2)
    assert blurred.sum() == pytest.approx(1, abs=1e-3)
    assert blurred.max() == pytest.approx(1 / (2 * np.pi * 4), rel=0.02)
    with pytest.raises(InvalidInputError, match="Received: -1"):
        blur(IMAGES, -1)


def test_inverting_twice_is_nothing() -> None:
    np.testing.assert_allclose(invert(invert(IMAGES)), IMAGES, atol=1e-6)
    np.testing.assert_allclose(invert(IMAGES, 0.5), 0.5, atol=1e-6)


@given(side=st.integers(0, 10), seed=st.integers(0, 10**6))
def test_one_whole_square_is_erased(side: int, seed: int) -> None:
    erased = erase(np.ones_like(WIDE), side, seed)
    for image in erased:
        rows, columns = np.nonzero(image[..., 0] == 0)
        assert len(rows) == side * side
        if side:
            assert (np.ptp(rows), np.ptp(columns)) == (side - 1, side - 1)


def test_squares_lie_anywhere() -> None:
    erased = erase(np.ones((2000, 4, 4, 1), np.float32), 3)
    assert {tuple(np.argwhere(image[..., 0] == 0)[0]) for image in erased} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    with pytest.raises(InvalidInputError, match=r"`side` should be a whole number from 0 to 10\. Received: 11"):
        erase(WIDE, 11)


def test_a_mixture_is_between_the_two() -> None:
    np.testing.assert_allclose(mix(IMAGES, IMAGES[::-1], 0.25), 0.75 * IMAGES + 0.25 * IMAGES[::-1], atol=1e-6)


@given(share=st.floats(0, 1), seed=st.integers(0, 10**6))
def test_shuffling_keeps_every_pixel_and_moves_no_more_than_its_share(share: float, seed: int) -> None:
    pixels = np.arange(WIDE.size, dtype=np.float32).reshape(WIDE.shape) / WIDE.size
    shuffled = shuffle_pixels(pixels, share, seed)
    for before, after in zip(pixels, shuffled, strict=True):
        np.testing.assert_array_equal(np.sort(after.ravel()), before.ravel())
        assert (before != after).sum() <= round(share * before.size)


def test_shuffling_moves_nearly_all_of_its_share() -> None:
    pixels = np.random.default_rng(0).random((20, 28, 28, 1), dtype=np.float32)
    assert (shuffle_pixels(pixels, 0.5) != pixels).mean() == pytest.approx(0.5, abs=0.01)
    colours = shuffle_pixels(IMAGES, 1.0)
    assert {tuple(pixel) for pixel in colours.reshape(-1, 3)} == {tuple(pixel) for pixel in IMAGES.reshape(-1, 3)}


@pytest.mark.parametrize("function", [invert, shuffle_pixels])
def test_shares_out_of_range_are_refused(function) -> None:
    with pytest.raises(InvalidInputError, match=r"should be a number from 0 to 1\. Received: 1\.5"):
        function(IMAGES, 1.5)
