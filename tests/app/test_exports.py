"""What is taken away is what was selected."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mcviz
from mcviz.app.filters import Filters
from mcviz.app.selection import Selection
from mcviz.app.state import PageState
from mcviz.app.views import actions

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wrong() -> Selection:
    run = mcviz.open_run(ROOT / "cache" / "mnist-cnn")
    state = PageState(filters=Filters(correct="wrong"), score="margin")
    return Selection(run, state, np.flatnonzero(state.filters.mask(run.scores()))[::-1])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_scores_are_those_of_the_selected_images_in_their_order(wrong: Selection, ending: str) -> None:
    made = actions.csv(wrong) if ending == "csv" else actions.parquet(wrong)
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[ending](io.BytesIO(made))
    assert read["example"].tolist() == wrong.examples.tolist()
    assert (read["label"] != read["prediction"]).all()
    assert (read["label_name"].astype(str) == read["label"].astype(str)).all()
    np.testing.assert_allclose(read["margin"], wrong.table["margin"], rtol=1e-6)


def test_the_sheet_holds_every_selected_image(wrong: Selection) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(actions.sheet(wrong))))
    columns = pixels.shape[1] // 28
    for index, example in enumerate(wrong.examples):
        row, column = divmod(index, columns)
        shown = pixels[row * 28 : row * 28 + 28, column * 28 : column * 28 + 28]
        np.testing.assert_array_equal(shown, wrong.run.images[example][..., 0])
