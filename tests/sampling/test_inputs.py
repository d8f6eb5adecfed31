"""Any classifier is handed images as it takes them, into a run and live: without channels, flat, or in 0..255."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from mcviz.errors import InvalidInputError
from mcviz.sampling.adapters import ImageAdapter
from mcviz.sampling.ood import fit_ood_detector
from mcviz.sampling.run_sampling import sample_run
from mcviz.sampling.sampler import Sampler, sample
from tests.cases import one_in
from tests.factories import dropout_network

layers = keras.layers
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 6, 5, 1), dtype=np.uint8)
UNIT = IMAGES.astype(np.float32) / np.float32(255)
BYTES = IMAGES.astype(np.float32)


def network(*front: keras.Layer, shape: tuple[int, ...] = (6, 5, 1), dtype: str = "float32") -> keras.Model:
    return dropout_network(shape, *front, dtype=dtype)


def functional() -> keras.Model:
    image = keras.Input((6, 5, 1))
    hidden = layers.Dropout(0.5)(layers.Flatten()(layers.Rescaling(1 / 127.5, offset=-1)(image)))
    return keras.Model(image, layers.Dense(4, activation="softmax")(hidden))


def augmented() -> keras.Model:
    return network(keras.Sequential([layers.RandomFlip(), layers.Resizing(6, 5)]), layers.Rescaling(1 / 255))


@pytest.mark.parametrize(
    ("make", "taken", "white"),
    one_in(
        9,
        [
            (network, UNIT, 1),
            (lambda: network(shape=(6, 5)), UNIT[..., 0], 1),
            (lambda: network(shape=(30,)), UNIT.reshape(24, 30), 1),
            (lambda: network(layers.Rescaling(1 / 255)), BYTES, 255),
            (lambda: network(layers.Rescaling(2.0)), UNIT, 1),
            (functional, BYTES, 255),
            (augmented, BYTES, 255),
            (lambda: network(layers.Rescaling(1 / 255), dtype="uint8"), IMAGES, 255),
            (
                lambda: network(layers.Rescaling(1 / 255), dtype="int32", shape=(6, 5)),
                IMAGES[..., 0].astype(np.int32),
                255,
            ),
        ],
    ),
)
def test_a_run_holds_the_passes_over_images_as_the_model_takes_them(
    tmp_path: Path, make: Callable[[], keras.Model], taken: np.ndarray, white: int
) -> None:
    model = make()
    run = sample_run(model, IMAGES, tmp_path / "run", passes=4)
    np.testing.assert_allclose(run.probs_block(0, 24), sample(model, taken, passes=4), atol=1 / 65535)
    np.testing.assert_array_equal(run.images, IMAGES)
    assert run.manifest.preprocessing.divide_by == (255 if white == 1 else 1)
    assert fit_ood_detector(Sampler(model), run).unexplained.shape == (19,)
    adapter = ImageAdapter.for_run(Sampler(model), run)
    np.testing.assert_array_equal(adapter.from_stored(run.images[:]), taken)
    live = adapter.from_inputs(UNIT)
    assert live.dtype == taken.dtype
    np.testing.assert_allclose(live, taken, atol=1e-4)


def test_images_without_channels_are_given_one(tmp_path: Path) -> None:
    assert sample_run(network(), IMAGES[..., 0], tmp_path / "run", passes=3).images.shape == (24, 6, 5, 1)


def test_images_of_another_size_are_told_with_the_shape_of_all(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"takes, \(N, 6, 5\)\. Received: shape \(24, 5, 5, 1\)"):
        sample_run(network(shape=(6, 5)), IMAGES[:, :5], tmp_path / "run")


def test_fractions_are_not_rounded_for_a_model_that_takes_whole_numbers(tmp_path: Path) -> None:
    model = network(layers.Rescaling(1 / 255), dtype="uint8")
    with pytest.raises(InvalidInputError, match=r"takes whole numbers\. Received: float32\. Save them as uint8"):
        sample_run(model, UNIT, tmp_path / "run")
