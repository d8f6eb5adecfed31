"""The page on out of distribution shows the study's table, and says that it is not about the open run."""

from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "mcviz" / "app" / "pages" / "out_of_distribution.py"
STUDY = ROOT / "mcviz" / "app" / "ood_study.csv"


@pytest.fixture
def page() -> AppTest:
    app = AppTest.from_file(str(PAGE), default_timeout=60).run()
    assert not app.exception
    return app


def test_it_says_that_the_table_is_not_about_the_open_run(page: AppTest) -> None:
    assert page.title[0].value == "Out of distribution"
    assert "small network on MNIST" in page.info[0].value
    assert "not about the open run" in page.info[0].value


def test_the_table_is_the_study_s_and_every_cell_has_its_shade(page: AppTest) -> None:
    shown, kept = page.dataframe[0].value, pd.read_csv(STUDY, index_col="detector")
    pd.testing.assert_frame_equal(shown, kept)
    assert len(kept) <= 12
    assert kept.columns[0] == "Own mistakes"
    assert kept.to_numpy().min() >= 0
    assert kept.to_numpy().max() <= 1
    styles = page.dataframe[0].proto.arrow_data.styler.styles
    assert styles.count("_row") == kept.size  # one selector a cell


def test_it_names_the_document_which_is_there(page: AppTest) -> None:
    assert "`docs/higher-moments.md`" in page.caption[0].value
    assert (ROOT / "docs" / "higher-moments.md").is_file()


def test_the_first_screen_is_short(page: AppTest) -> None:
    said = " ".join(part.value for part in (*page.info, *page.markdown, *page.caption))
    assert len(said.split()) < 150


def test_the_file_is_small() -> None:
    assert STUDY.stat().st_size < 4000
