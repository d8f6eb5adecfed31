"""The kept images that are no MNIST digits, and the sets that detectors are compared by."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ood.known_sets import known_sets, validation_sets
from benchmarks.ood.samples import FASHION_CLASSES, FASHION_FILE, enlarged_digits, fashion_sample
from mcviz.data import smooth_noise


def test_fashion_holds_a_hundred_of_each_class() -> None:
    sample = fashion_sample()
    assert sample.images.shape == (1000, 28, 28, 1)
    assert sample.images.dtype == np.uint8
    assert np.bincount(sample.labels).tolist() == [100] * len(FASHION_CLASSES)


def test_fashion_is_what_was_taken_from_its_source() -> None:
    sample = fashion_sample()
    digest = hashlib.sha256(sample.images.tobytes() + sample.labels.astype(np.uint8).tobytes()).hexdigest()
    assert digest == "22489d4842e74e85dc8dfa1e618d5c8b760cc913f0c941bf9aebbb0d0b933b9e"


def test_fashion_comes_with_its_source_and_licence() -> None:
    folder = Path(FASHION_FILE).parent
    assert "zalandoresearch/fashion-mnist" in (folder / "README.md").read_text()
    assert "Zalando" in (folder / "LICENSE").read_text()


def test_digits_of_other_writers_have_mnist_s_size_and_margin() -> None:
    digits = enlarged_digits()
    assert digits.images.shape == (1797, 28, 28, 1)
    assert digits.images.min() == 0
    assert 0.9 < digits.images.max() <= 1
    assert not digits.images[:, :4].any()
    assert not digits.images[:, :, -4:].any()
    assert set(digits.labels) == set(range(10))


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    return smooth_noise(60, (28, 28, 1), seed=5), np.arange(60) % 10


def test_every_set_is_of_one_form_and_one_alone_is_a_shift(digits) -> None:
    sets = known_sets(*digits, count=50)
    for each in sets.values():
        assert each.images.shape == (50, 28, 28, 1)
        assert each.images.dtype == np.float32
        assert each.images.min() >= 0
        assert each.images.max() <= 1
    assert [name for name, each in sets.items() if not each.out_of_distribution] == ["digits"]
    again = known_sets(*digits, count=50)
    assert all((sets[name].images == again[name].images).all() for name in sets)


def test_pairs_are_of_two_classes(digits) -> None:
    images = np.stack([np.full((28, 28, 1), label / 10, np.float32) for label in digits[1]])
    mixed = known_sets(images, digits[1], count=60)["mixed"].images[:, 0, 0, 0]
    others = 2 * mixed - digits[1] / 10
    assert (np.abs(others - digits[1] / 10) > 0.05).all()
    halves = validation_sets(images, digits[1])["halves"].images
    assert (halves[:, 0, 0] != halves[:, 0, -1]).all()


def test_quarters_all_change_places() -> None:
    image = np.zeros((1, 28, 28, 1), np.float32)
    image[0, :14, :14] = 0.25
    image[0, :14, 14:] = 0.5
    image[0, 14:, :14] = 0.75
    quarters = validation_sets(np.repeat(image, 2, 0), np.array([0, 1]))["quarters"].images[0, ::14, ::14, 0]
    np.testing.assert_array_equal(quarters, [[0.0, 0.75], [0.25, 0.5]])
