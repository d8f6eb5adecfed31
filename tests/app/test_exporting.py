"""What is taken away is what was selected, and opens on its own."""

import io
import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mcviz
from mcviz.app import exporting
from mcviz.app.selection import Selection
from mcviz.app.views.looked_at import LookedAt

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wrong() -> LookedAt:
    run = mcviz.open_run(ROOT / "cache" / "mnist-cnn")
    selection = Selection(answers="wrong")
    images = np.flatnonzero(selection.mask(run.scores()))[::-1]
    return LookedAt(run, selection, "margin", images)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_scores_are_those_of_the_selected_images_in_their_order(wrong: LookedAt, ending: str) -> None:
    made = exporting.csv(wrong) if ending == "csv" else exporting.parquet(wrong)
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[ending](io.BytesIO(made))
    assert read["example"].tolist() == wrong.images.tolist()
    assert (read["label"] != read["prediction"]).all()
    assert (read["true_name"].astype(str) == read["label"].astype(str)).all()
    np.testing.assert_allclose(read["margin"], wrong.scores["margin"], rtol=1e-6)


def test_the_sheet_holds_every_selected_image(wrong: LookedAt) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(exporting.sheet(wrong))))
    columns = pixels.shape[1] // 28
    for place, image in enumerate(wrong.images):
        row, column = divmod(place, columns)
        shown = pixels[row * 28 : row * 28 + 28, column * 28 : column * 28 + 28]
        np.testing.assert_array_equal(shown, wrong.run.images[image][..., 0])


def test_the_report_is_small_and_asks_nobody(wrong: LookedAt) -> None:
    page = exporting.report(wrong)
    assert len(page.encode()) < 10_000_000
    markup = page[: page.index("<script>")] + page[page.index("</script>") :]
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", markup)
    assert f"{len(wrong.images):,} of 10,000 images" in page
    assert page.count('class="tile wrong"') == min(len(wrong.images), 96)


def test_a_report_of_photographs_is_small(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (96, 224, 224, 3)).astype(np.uint8)
    model = keras.Sequential(
        [
            keras.Input((224, 224, 3)),
            keras.layers.AveragePooling2D(56),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    run = mcviz.sample_run(model, images, tmp_path / "photographs", passes=3)
    page = exporting.report(LookedAt(run, Selection(), "margin", np.arange(96)))
    assert page.count('class="tile"') == 96
    assert len(page.encode()) < 10_000_000


def test_a_report_of_nothing_says_so(wrong: LookedAt) -> None:
    empty = LookedAt(wrong.run, Selection(), "margin", np.array([], dtype=int))
    assert "No image passes all filters" in exporting.report(empty)
