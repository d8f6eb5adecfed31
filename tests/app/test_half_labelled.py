"""Every page shows a run of which only some examples have a label, and says of how many its figures are."""

from pathlib import Path

import pytest

import mcviz
from mcviz.app import navigation
from mcviz.app.views import VIEWS
from tests.analysis.test_half_labelled import COUNT, KNOWN, TASKS, make_runs
from tests.app.opening import opened_page
from tests.app.probing import words
from tests.cases import only

PAGES: list[tuple[str, dict[str, str]]] = [
    *((page.url_path, {}) for page in navigation.PAGES),
    *(("uncertain", {"view": view}) for view in VIEWS),
    *(
        ("uncertain", {"view": view, "colour": colour})
        for view in ("scatter", "map")
        for colour in ("correct", "label")
    ),
    ("uncertain", {"correct": "wrong"}),
    ("uncertain", {"view": "groups", "other": "two"}),
    ("trust", {"details": "figures,groups,scores,sets,unlabelled", "column": "label"}),
    ("runs", {"other": "two"}),
    *(("story", {"step": step}) for step in "1234"),
    *(("example", {"example": example}) for example in "01"),
    *(("review", {"part": part}) for part in ("queue", "label_errors", "results")),
    ("side_by_side", {"pinned": "0,1"}),
]
CASES = [(task, page, query) for task in TASKS for page, query in PAGES]
DEFAULT = [("classification", *PAGES[0]), ("classification", "trust", {}), ("regression", "trust", {})]
SAID = {  # by page, with figures that take labels
    "overview": f"on {COUNT} rows, {len(KNOWN)} with a label",
    "trust": "of the 80 of 160 examples that have one",
    "runs": "of the 80 that have one",
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for task in TASKS:
        make_runs(folder / task, task)
    return folder


@pytest.mark.parametrize(("task", "page", "query"), only(DEFAULT, CASES))
def test_every_page_opens(
    cache: Path, monkeypatch: pytest.MonkeyPatch, task: str, page: str, query: dict[str, str]
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache / task / "half"))
    said = words(opened_page(page, {"run": "one", **query}))
    assert (page == "runs" and not query) or SAID.get(page, "") in said
    if (task, page, query) == ("classification", "uncertain", {}):
        assert f"Of the {len(KNOWN)} with a label: " in said


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_shared_run_says_of_how_many_its_figures_are(cache: Path, tmp_path: Path, task: str) -> None:
    mcviz.share(mcviz.open_run(cache / task / "half" / "one"), tmp_path / "run.html")
    assert SAID["trust"] in (tmp_path / "run.html").read_text(encoding="utf-8")
