"""What is taken away is what was selected, and opens on its own."""

import io
import re
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
from tests.runs.making import make

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


def test_the_report_is_small_and_asks_nobody(wrong: Selection) -> None:
    page = actions.report(wrong)
    assert len(page.encode()) < 10_000_000
    assert "default-src 'none'" in page[: page.index("</head>")]
    markup = re.sub("(<script[^>]*>).*?(</script>)", r"\1\2", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", markup)
    assert f"{len(wrong.examples):,} of 10,000 examples" in page
    assert page.count('class="tile wrong"') == min(len(wrong.examples), 96)


def test_a_report_of_photographs_is_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (96, 224, 224, 3), dtype=np.uint8)
    run = mcviz.write_run(tmp_path / "photographs", rng.dirichlet(np.ones(3), (3, 96)), data=images)
    page = actions.report(Selection(run, PageState(score="margin"), np.arange(96)))
    assert page.count('class="tile"') == 96
    assert len(page.encode()) < 10_000_000


def test_a_report_writes_abbreviations_and_long_names_as_they_are(tmp_path: Path) -> None:
    run = make(tmp_path / "named", class_names=["a shoe with a very long name indeed", "BMW", "cat"])
    page = actions.report(Selection(run, PageState(score="mutual_information"), np.arange(len(run))))
    assert "Ranked by mutual information (BALD), highest first" in page
    assert "ellipsis" not in page[: page.index("<script")]


def test_a_report_names_the_address_that_shows_the_same(wrong: Selection) -> None:
    page = actions.report(wrong, "http://localhost/uncertain?correct=wrong&score=margin")
    address = "http://localhost/uncertain?correct=wrong&amp;score=margin"
    assert f'<a href="{address}">{address}</a>' in page
    assert "Filters: wrong predictions. Ranked by margin, lowest first." in page
    assert "In the dashboard" not in actions.report(wrong)


def test_a_report_of_nothing_says_so(wrong: Selection) -> None:
    empty = Selection(wrong.run, PageState(score="margin"), np.array([], dtype=int))
    assert "No example matches all filters" in actions.report(empty)


def test_the_report_of_a_run_without_deterministic_outputs_has_the_other_accuracies(tmp_path: Path) -> None:
    run = make(tmp_path / "passes-alone", deterministic=False)
    made = actions.report(Selection(run, PageState(), np.arange(len(run))))
    assert f"{run.ensemble_accuracy[-1]:.2%}" in made
    assert "dropout off" not in made
    assert made.count('class="plotly-graph-div"') == 4


def test_the_report_says_how_the_masks_were_drawn(wrong: Selection) -> None:
    assert "500 passes over 10,000 examples, with Monte Carlo dropout, masks per_pass, seed" in actions.report(wrong)
