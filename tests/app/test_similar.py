"""The map and the similar examples, against distances taken from the pixels themselves."""

from pathlib import Path

import numpy as np
import pytest

import mcviz
from mcviz.app import similar
from mcviz.app.views import layout_map


def test_similar_images_are_near_in_their_pixels(run: mcviz.Run) -> None:
    pixels = np.asarray(run.images[:]).reshape(len(run), -1).astype(np.float64)
    for image in (0, 247, 9999):
        nearest = similar.most_similar(run, image, 6)
        assert image not in nearest
        distances = np.sqrt(((pixels - pixels[image]) ** 2).sum(axis=1))
        assert (distances[nearest] <= np.quantile(distances, 0.01)).all()


def test_a_kept_layout_is_read_back_and_a_torn_one_is_not(tmp_path: Path) -> None:
    layout = np.random.default_rng(0).random((20, 2), dtype=np.float32)
    file = tmp_path / "maps" / "one.npy"
    layout_map._keep(file, layout)
    assert [path.name for path in file.parent.iterdir()] == ["one.npy"]
    np.testing.assert_array_equal(layout_map._kept(file, 20), layout)
    assert layout_map._kept(file, 21) is None
    file.write_bytes(file.read_bytes()[:-5])
    assert layout_map._kept(file, 20) is None
    assert layout_map._kept(tmp_path / "nowhere.npy", 20) is None


@pytest.mark.parametrize("count", [1, 2, 6])
def test_no_image_is_similar_to_itself_in_a_small_run(tmp_path: Path, count: int) -> None:
    images = np.random.default_rng(0).random((count, 8, 8, 1), dtype=np.float32)
    small = mcviz.sample_run(mcviz.reference_network((8, 8, 1), classes=4), images, tmp_path / "small", passes=3)
    for image in range(count):
        others = sorted(set(range(count)) - {image})
        assert sorted(similar.most_similar(small, image, 6)) == others
