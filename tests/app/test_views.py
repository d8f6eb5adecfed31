"""What the views of many examples make of unusual runs."""

import base64
import io
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

import mcviz
from mcviz.analysis.layouts import TSNE
from mcviz.app.components import gallery
from mcviz.app.kinds.base import TILE
from mcviz.app.state import PageState
from mcviz.figures import sheet_url
from mcviz.runs import save_derived
from tests.app.opening import opened_page
from tests.cases import one_in
from tests.runs.making import make, some_images


def read(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


@pytest.mark.parametrize("channels", [1, 3])
def test_small_images_keep_every_pixel(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28, channels)).astype(np.uint8)
    sheet = np.asarray(read(sheet_url(images, 3, TILE))).reshape(56, 84, channels)
    np.testing.assert_array_equal(sheet[28:, 28:56], images[4])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("shape", [(224, 224), (120, 300), (500, 20)])
def test_large_images_are_scaled_down_to_what_a_tile_shows(shape: tuple[int, int], channels: int) -> None:
    shades = np.array([40, 200], dtype=np.uint8)
    images = np.broadcast_to(shades[:, None, None, None], (2, *shape, channels))
    sheet = read(sheet_url(images, 2, TILE)).convert("L")
    width, height = sheet.width / 2, sheet.height
    assert max(width, height) == TILE
    assert width / height == pytest.approx(shape[1] / shape[0], rel=0.1)
    left, right = (sheet.getpixel((int(width * place), height // 2)) for place in (0.5, 1.5))
    assert (left, right) == (pytest.approx(40, abs=2), pytest.approx(200, abs=2))


@pytest.mark.parametrize("count", one_in(2, [1, 4]))
def test_a_run_of_few_examples_has_a_map(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).random((count, 12, 10, 3), dtype=np.float32)
    mcviz.sample_run(mcviz.reference_network((12, 10, 3), classes=4), images, tmp_path / "few", passes=3)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = opened_page("uncertain", {"view": "map", "layout": "tsne"})
    assert "t-SNE" not in [option for control in app.segmented_control for option in control.options]


def test_around_an_example_that_is_not_in_the_layout_nothing_is_selected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path / "run", pixels=some_images(13))
    positions = np.random.default_rng(0).random((len(run), 2), dtype=np.float32)
    positions[3] = np.nan
    save_derived(run.path, run.digest, TSNE, {"positions": positions})
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = opened_page("uncertain", {"view": "map", "layout": "tsne"})
    app.number_input(key="around-example").set_value(3)
    next(button for button in app.button if button.label == "Filter").click().run()
    assert "Example 3 is not in this layout, which has only some of the examples." in [each.value for each in app.info]
    assert "selected" not in app.query_params


@pytest.mark.parametrize("images", [True, False])
def test_the_gallery_shows_tiles_with_or_without_images(
    images: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = Mock(return_value=SimpleNamespace(clicked=None))
    monkeypatch.setattr(gallery, "_mounted", mounted)
    run = make(tmp_path / "run", keep=images)
    gallery.tiles(run, PageState(), np.array([4, 2]), 1, "max_probability", key="tiles")
    sent = mounted.call_args.kwargs["data"]
    assert [tile["example"] for tile in sent["tiles"]] == [4, 2]
    assert ("sheet" in sent) == images
