"""The sets that no detector was made with are what their names say."""

import numpy as np
import pytest

from benchmarks.ood.held_out_sets import DIGITS, NO_DIGIT_IN_A_MIRROR, held_out_sets, patterns, printed, shapes
from benchmarks.ood.known_sets import ImageSet
from mcviz.data import smooth_noise

Digits = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def digits() -> Digits:
    return smooth_noise(80, (28, 28, 1), seed=5), np.arange(80) % 10


@pytest.fixture(scope="module")
def sets(digits: Digits) -> dict[str, ImageSet]:
    return held_out_sets(*digits, count=40)


def test_every_set_is_of_one_form_and_unknown_and_printed_digits_alone_are_a_shift(sets) -> None:
    for each in sets.values():
        assert each.images.shape == (40, 28, 28, 1)
        assert each.images.dtype == np.float32
        assert each.images.min() >= 0
        assert each.images.max() <= 1
        assert not each.known
        assert len(np.unique(each.images, axis=0)) == 40
    assert [name for name, each in sets.items() if not each.out_of_distribution] == ["printed"]


def test_they_are_the_same_again(digits: Digits, sets) -> None:
    again = held_out_sets(*digits, count=40)
    assert all((sets[name].images == again[name].images).all() for name in sets)


def test_printed_characters_fill_the_box_that_mnist_s_digits_fill() -> None:
    for image in printed(DIGITS, 30, seed=0)[..., 0]:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        centre = np.array(np.unravel_index(np.arange(image.size), image.shape)) @ image.ravel() / image.sum()
        np.testing.assert_allclose(centre, 13.5, atol=0.75)


def test_shapes_are_outlined_or_filled_and_within_the_image() -> None:
    images = shapes(60, seed=0)[..., 0]
    assert not images[:, [0, -1]].any()
    middle = images[:, 13:15, 13:15].mean(axis=(1, 2))
    assert 10 < (middle == 1).sum() < 50
    assert (middle < 0.5).sum() > 10


def test_patterns_are_half_black_and_half_white() -> None:
    images = patterns(60, seed=0)
    assert ((images == 0) | (images == 1)).mean() > 0.6
    assert images.mean() == pytest.approx(0.5, abs=0.05)


def test_halves_are_stacked_from_two_classes() -> None:
    labels = np.arange(60) % 10
    images = np.broadcast_to((labels / 10).astype(np.float32)[:, None, None, None], (60, 28, 28, 1))
    stacked = held_out_sets(images, labels, count=60)["stacked"].images[..., 0]
    np.testing.assert_array_equal(stacked[:, :14], images[:, :14, :, 0])
    assert (stacked[:, 14:] != images[:, 14:, :, 0]).all()


def test_only_digits_that_are_none_in_a_mirror_are_mirrored(digits: Digits, sets) -> None:
    asymmetric = digits[0][np.isin(digits[1], NO_DIGIT_IN_A_MIRROR)]
    np.testing.assert_array_equal(sets["mirrored"].images, asymmetric[:40, :, ::-1])
