"""A shared page works in Firefox, too, from a disk."""

import shutil
from pathlib import Path

import pytest

import mcviz
from mcviz.app.filters import Filters
from mcviz.app.selection import select
from mcviz.app.state import PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import load_example
from tests.browser.marionette import firefox
from tests.factories import make_doubtful_run

TILES = (
    "[...document.querySelector('#gallery').shadowRoot.querySelectorAll('.tile')].map((tile) => +tile.dataset.example)"
)
OPENED = """while (!document.documentElement.dataset.opened) await new Promise((done) => setTimeout(done, 20));"""
LOOK_DRAWN = """while (!document.querySelector("#answers button")) await new Promise((done) => setTimeout(done, 20));"""
LOOKED = """go({ example: String(given[0]) });
const said = () => document.querySelector("#look").shadowRoot.querySelector(".explanation p")?.textContent;
const before = said();
while (said() === before) await new Promise((done) => setTimeout(done, 20));
return said();"""


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("firefox-esr") or shutil.which("firefox")), reason="no Firefox on the PATH")
def test_a_page_ranks_filters_looks_and_keeps_decisions_in_firefox(tmp_path: Path) -> None:
    run = make_doubtful_run(tmp_path / "runs" / "doubtful", 200, seed=3)
    file = tmp_path / "page.html"
    mcviz.share(run, file)
    state = PageState(score="margin", filters=Filters(correct="wrong"))
    wanted = select(run, state).examples.tolist()
    with firefox(tmp_path / "profile") as tab:
        tab.send("Navigate", url=f"{file.as_uri()}#/explore?score=margin&correct=wrong")
        tab.run(OPENED)
        assert tab.run(f"return {TILES}") == wanted[:48]
        said = task_renderer(run).explain(load_example(run, state, wanted[1]))["sentences"][0]
        assert tab.run(LOOKED, wanted[1]) == said.replace("**", "").replace("\\", "")
        tab.run("document.querySelector('#answers button').click()")
        tab.send("Refresh")
        tab.run(LOOK_DRAWN)
        assert tab.run("return document.querySelector('#answers button').ariaPressed") == "true"
        assert tab.run("return document.querySelector('#save').textContent") == "Save 1 decision"
        found = tab.run("return performance.getEntriesByType('resource').map((each) => each.name)")
        assert not [name for name in found if not name.startswith("data:")]
