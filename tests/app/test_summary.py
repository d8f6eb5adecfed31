"""A run that keeps a summary is shown like any other; what takes all passes says so."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.app.navigation import PAGES, PROBE
from tests.app.kinds import photographs
from tests.app.opening import opened_page
from tests.app.probing import words
from tests.runs.making import MadeUpSource, make

KEPT = 6


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs over the same pictures: one with all its passes, one with a summary."""
    folder = tmp_path_factory.mktemp("summary")
    pictures = photographs(np.random.default_rng(0), 40, 16, 16)
    for name, kept in (("whole", None), ("summary", KEPT)):
        make(folder / name, pixels=pictures, passes=20, source=MadeUpSource(pictures, 3, 5), with_passes=kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCVIZ_CACHE", str(folder))
        yield folder


@pytest.fixture
def summary(cache: Path) -> mcviz.Run:
    return mcviz.open_run(cache / "summary")


def opened(page: str, run: str = "summary", **query: str) -> AppTest:
    app = opened_page(page, {"run": run, **query})
    assert not app.error
    return app


@pytest.mark.parametrize("page", [page.script.stem for page in PAGES if page != PROBE])  # the model is made up
def test_every_page_opens(page: str) -> None:
    app = opened(page)
    assert [each.value for each in app.title]


def test_an_example_without_its_passes_is_told_and_drawn_as_with_them(cache: Path, summary: mcviz.Run) -> None:
    example = next(example for example in range(40) if not summary.has_passes(example))
    of_summary, of_whole = (opened("example", run, example=str(example)) for run in ("summary", "whole"))
    told = f"This run keeps a summary: all passes only of its {KEPT} most uncertain examples."
    assert told in words(of_summary)
    assert told not in words(of_whole)
    for kind in ("table", "metric"):
        assert [each.value.to_string() for each in of_summary.get(kind)] == [
            each.value.to_string() for each in of_whole.get(kind)
        ]
    sentence = next(each.value for each in of_whole.markdown if each.value.startswith("The ensemble predicts"))
    assert sentence in [each.value for each in of_summary.markdown]
    (looks,) = (each for each in of_summary.button_group if each.label == "A closer look")
    assert looks.options == ["Similar examples"]


def test_one_with_its_passes_has_its_closer_looks(summary: mcviz.Run) -> None:
    app = opened("example", example=str(summary.examples_with_passes[0]), closer_look="passes")
    assert "two standard errors" in words(app)


def test_what_takes_all_passes_says_so_on_trust() -> None:
    said = words(opened("trust"))
    assert "This run keeps a summary, so a single pass is not among them." in said
    assert "This run keeps a summary of its passes, and this takes all of them." in said
    assert "single pass, on average" not in said


def test_the_manifest_in_words_says_what_is_kept() -> None:
    app = opened("runs")
    assert any(f"kept of the {KEPT} most uncertain examples" in each.value.to_string() for each in app.table)


def test_one_example_in_a_summary_and_in_a_whole_run(summary: mcviz.Run) -> None:
    example = next(example for example in range(40) if not summary.has_passes(example))
    said = words(opened("compare", other="whole", example=str(example)))
    assert said.count("20 passes predict") == 2
