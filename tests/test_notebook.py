"""The notebook of the documentation runs, and its stored tables are those that it shows."""

import base64
import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.browsing import ROOT
from tests.notebook import NOTEBOOK, run_cells

MOST_BYTES = 600_000


def cells(html: str) -> list[list[str]]:
    """The rows of a table, but for those that name its columns."""
    rows = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in re.findall(r"<tr.*?</tr>", html, re.DOTALL)]
    return [row for row in rows if any(row[1:])]


def test_the_notebook_is_small_and_shows_pictures_where_it_has_no_tables() -> None:
    assert NOTEBOOK.stat().st_size < MOST_BYTES
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], len(notebook["cells"])) == (4, 10)
    outputs = [each["data"] for cell in notebook["cells"][2:] for each in cell["outputs"]]
    assert len(outputs) == 8
    for data in outputs:
        assert data.keys() == {"text/plain", "image/png" if "image/png" in data else "text/html"}
        if "image/png" in data:
            assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).width >= 700
    assert str(ROOT) not in NOTEBOOK.read_text(encoding="utf-8")


@pytest.mark.slow
def test_each_cell_shows_what_is_stored_below_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))  # which holds no run: those that come with mcviz are shown
    tables = 0
    for cell, value in run_cells(json.loads(NOTEBOOK.read_text(encoding="utf-8"))):
        (stored,) = [each["data"] for each in cell["outputs"]]
        if isinstance(value, Image.Image):
            assert value.size == Image.open(io.BytesIO(base64.b64decode(stored["image/png"]))).size
        elif "text/html" in stored:
            tables += 1
            expected, rows = cells("".join(stored["text/html"])), cells(value._repr_html_())
            assert len(expected) > 1
            for one, other in zip(expected, rows, strict=True):
                numbers, again = (pd.to_numeric(pd.Series(row), errors="coerce") for row in (one, other))
                assert numbers.tolist() == pytest.approx(again.tolist(), abs=1e-5, nan_ok=True)
                texts = numbers.isna().to_numpy()
                assert [text for text, is_text in zip(one, texts, strict=True) if is_text] == [
                    text for text, is_text in zip(other, texts, strict=True) if is_text
                ]
        else:
            assert type(value).__name__ == "Figure"
            assert value.data
    assert tables == 3
