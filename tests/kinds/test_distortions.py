"""Every distortion of images, rows and texts: what it does to what can be followed, and where it does nothing."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.stats import median_abs_deviation

from mcviz.errors import InvalidInputError
from mcviz.kinds.image_distortions import (
    DISTORTIONS,
    blur,
    erase,
    invert,
    mix,
    rotate,
    scale,
    shift,
    shuffle_pixels,
    smooth_noise,
)
from mcviz.kinds.row_distortions import (
    ROW_DISTORTIONS,
    add_noise,
    column_stats,
    most_unusual,
    out_of_range,
    shuffle_columns,
)
from mcviz.kinds.text_distortions import (
    TEXT_DISTORTIONS,
    drop_words,
    random_characters,
    random_words,
    shuffle_words,
)

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
    low, high = distortion.ends
    amount = low + position * (high - low)
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
    low, high = distortion.ends
    assert low <= distortion.unchanged <= high
    for images in (IMAGES, WIDE):
        unchanged = distortion.apply(images, distortion.unchanged, 3, images[:1])
        np.testing.assert_allclose(unchanged, images, atol=1e-6)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_every_slider_changes_something_at_its_end(name: str) -> None:
    distortion = DISTORTIONS[name]
    nearly = distortion.unchanged + 0.9 * (distortion.strongest - distortion.unchanged)
    changed = distortion.apply(IMAGES, nearly, 3, IMAGES[:1])
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


# Rows


RNG = np.random.default_rng(0)
ALL = (RNG.normal(size=(400, 1)) + 0.1 * RNG.normal(size=(400, 5)) + np.arange(5)).astype(np.float32)
ROWS = ALL[:20]
AMOUNTS = [(name, share) for name in ROW_DISTORTIONS for share in (0, 0.3, 1)]


def amount_of(name: str, share: float) -> float:
    distortion = ROW_DISTORTIONS[name]
    return distortion.unchanged + share * (distortion.strongest - distortion.unchanged)


@pytest.mark.parametrize(("name", "share"), AMOUNTS)
def test_every_distortion_gives_finite_rows_of_the_same_form_from_its_seed(name, share):
    apply, before = ROW_DISTORTIONS[name].apply, ROWS.copy()
    changed = apply(ROWS, amount_of(name, share), 3, ALL)
    assert (changed.dtype, changed.shape) == (np.float32, ROWS.shape)
    assert np.isfinite(changed).all()
    np.testing.assert_array_equal(ROWS, before)
    np.testing.assert_array_equal(changed, apply(ROWS, amount_of(name, share), 3, ALL))
    np.testing.assert_array_equal(changed[:4], apply(ROWS[:4], amount_of(name, share), 3, ALL))
    if share == 0:
        np.testing.assert_array_equal(changed, ROWS)
    else:
        assert (changed != ROWS).any()
        assert (changed != apply(ROWS, amount_of(name, share), 4, ALL)).any()


@given(seed=st.integers(0, 10**6))
def test_shuffled_columns_keep_their_values_and_lose_what_ties_them(seed):
    shuffled = shuffle_columns(ALL, ALL, seed=seed)
    np.testing.assert_array_equal(np.sort(shuffled, axis=0), np.sort(ALL, axis=0))
    before, after = np.corrcoef(ALL.T), np.corrcoef(shuffled.T)
    off = ~np.eye(5, dtype=bool)
    assert before[off].min() > 0.9
    assert np.abs(after[off]).max() < 0.35


def test_a_share_of_the_columns_is_shuffled_and_one_row_takes_values_of_others():
    assert (shuffle_columns(ALL, ALL, 0.4) != ALL).any(axis=0).sum() == 2
    one = shuffle_columns(ROWS[:1], ALL)
    assert all(value in ALL[:, column] for column, value in enumerate(one[0]))
    many = shuffle_columns(ALL, ROWS)  # more rows than there are values to shuffle
    assert all(np.isin(many[:, column], ROWS[:, column]).all() for column in range(5))


@pytest.mark.parametrize("ranges", [-3.0, 0.5, 2.0])
def test_one_column_is_set_so_many_ranges_beyond_its_end(ranges):
    moved = out_of_range(ROWS, ALL, ranges, column=2)
    column = ALL[:, 2].astype(np.float64)
    end = column.max() if ranges > 0 else column.min()
    np.testing.assert_allclose(moved[:, 2], end + ranges * np.ptp(column), rtol=1e-5)
    np.testing.assert_array_equal(np.delete(moved, 2, axis=1), np.delete(ROWS, 2, axis=1))
    constant = out_of_range(np.ones((2, 1), np.float32), np.ones((5, 1), np.float32), ranges, 0)
    assert (constant == 1 + ranges).all()


def test_noise_has_the_share_of_each_column_s_own_std():
    scaled = (ALL * np.array([1, 10, 100, 0.1, 0])).astype(np.float32)
    noise = add_noise(scaled, scaled, 0.5, seed=1) - scaled
    np.testing.assert_allclose(noise.std(axis=0), scaled.std(axis=0) / 2, rtol=0.15)


@pytest.mark.parametrize(
    "call",
    [
        lambda: shuffle_columns(ROWS, ALL, 1.5),
        lambda: add_noise(ROWS, ALL, -1),
        lambda: out_of_range(ROWS, ALL, 1, 5),
        lambda: out_of_range(ROWS, ALL, 1, -1),
    ],
)
def test_what_cannot_be_is_refused(call):
    with pytest.raises(InvalidInputError, match="Received"):
        call()


@given(arrays(np.float32, (9, 3), elements=st.floats(-1e6, 1e6, width=32)))
def test_robust_z_is_the_distance_from_the_median_in_scipy_s_mad_or_else_std(rows):
    z = column_stats(rows).z(rows)
    for column, scores in zip(rows.T.astype(np.float64), z.T, strict=True):
        spread = median_abs_deviation(column) * 1.4826 or column.std()
        if spread:
            np.testing.assert_allclose(scores, (column - np.median(column)) / spread, rtol=1e-9, atol=1e-12)
        else:
            assert (scores == 0).all()


def test_a_value_beside_a_constant_is_infinitely_far():
    assert column_stats(np.ones((4, 1))).z(np.array([[1.0], [2.0], [0.0]])).ravel().tolist() == [0, np.inf, -np.inf]


def test_the_most_unusual_column_comes_first():
    rows = np.array([[20.0, 0, 170], [30, 0, 171], [40, 0, 172], [50, 0, 173], [60, 1, 174]])
    z = column_stats(rows).z(np.array([40.0, 1, 160]))
    np.testing.assert_allclose(z, [0, 1 / 0.4, -12 / 1.4826])  # the MAD of the second is 0 and its std 0.4
    assert most_unusual(z).tolist() == [2, 1, 0]
    assert most_unusual(np.array([3, -np.inf, 0])).tolist() == [1, 0, 2]


# Texts


def array(*texts: str) -> np.ndarray:
    held = np.empty(len(texts), object)
    held[:] = texts
    return held


LONG = " ".join(f"word{n}" for n in range(40))
TEXTS = array(LONG, "  a\tfilm\n\nthat is good ", "größe", "", " ", "好 片")
OTHERS = array("red green", "blue  red", "")
ALL_TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=6)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", TEXT_DISTORTIONS)
def test_every_distortion_gives_texts_from_its_seed_and_changes_the_long_one(name, share):
    apply, before = TEXT_DISTORTIONS[name].apply, TEXTS.copy()
    changed = apply(TEXTS, share, 3, OTHERS)
    assert (changed.dtype, changed.shape) == (object, TEXTS.shape)
    assert {type(text) for text in changed} == {str}
    assert TEXTS.tolist() == before.tolist()
    assert changed.tolist() == apply(TEXTS, share, 3, OTHERS).tolist()
    assert changed[:2].tolist() == apply(TEXTS[:2], share, 3, OTHERS).tolist()
    if share == 0:
        assert changed.tolist() == TEXTS.tolist()
    else:
        assert changed[0] != LONG
        assert changed[0] != apply(TEXTS, share, 4, OTHERS)[0] or not changed[0]  # no word is left


@given(texts=ALL_TEXTS, share=st.floats(0, 1), seed=st.integers(0, 99))
def test_what_is_no_word_stays_and_words_are_shuffled_dropped_or_replaced_in_the_share(texts, share, seed):
    held = array(*texts)
    results = zip(
        texts,
        shuffle_words(held, share, seed),
        drop_words(held, share, seed),
        random_words(held, OTHERS, share, seed),
        random_characters(held, share, seed),
        strict=True,
    )
    for text, shuffled, dropped, replaced, noisy in results:
        words = text.split()
        moving = round(share * len(words))
        assert Counter(shuffled.split()) == Counter(words)
        assert len(shuffled) == len(text)
        assert len(dropped.split()) == len(words) - moving
        assert not Counter(dropped.split()) - Counter(words)
        assert len(replaced.split()) == len(words)
        same = sum(before == after for before, after in zip(words, replaced.split(), strict=True))
        assert same >= len(words) - moving
        assert len(noisy) == len(text)
        letters = sum(not character.isspace() for character in text)
        assert sum(a != b for a, b in zip(text, noisy, strict=True)) <= round(share * letters)
        assert [c for c in noisy if c.isspace()] == [c for c in text if c.isspace()]


def test_words_are_drawn_as_often_as_the_other_texts_have_them():
    words = random_words(array(" ".join(["x"] * 4000)), OTHERS)[0].split()
    shares = {word: count / 4000 for word, count in Counter(words).items()}
    assert shares == pytest.approx({"red": 0.5, "green": 0.25, "blue": 0.25}, abs=0.04)


@pytest.mark.parametrize("name", TEXT_DISTORTIONS)
@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_from_0_to_1(name, share):
    with pytest.raises(InvalidInputError, match="`share` should be a number from 0 to 1"):
        TEXT_DISTORTIONS[name].apply(TEXTS, share, 0, OTHERS)


def test_words_of_texts_that_have_none_cannot_be_drawn():
    with pytest.raises(InvalidInputError, match=r"texts with words\. Received: none"):
        random_words(TEXTS, array("", "  "))
