"""The page Runs in a real browser: ticks, a verification that is stopped, a run renamed and removed."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from mcviz.runs import list_runs, open_run
from tests.browser.conftest import settle
from tests.browsing import ROOT, STREAMLIT_RUN, check_log, serving, visited
from tests.runs.making import FORMS, make

SLOW = """
import time
import streamlit as st
from mcviz.app.main import main
from mcviz.app.server import PAGE_MIDDLEWARE
from mcviz.tasks import Classification

if not hasattr(Classification, "quick"):
    Classification.quick = Classification.aggregate
    Classification.aggregate = lambda *given: time.sleep(0.4) or Classification.quick(*given)
if __name__ == "__main__":
    main()
else:
    app = st.App(__file__, middleware=PAGE_MIDDLEWARE)
"""  # so that there is time to stop a verification


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    cache = tmp_path / "cache"
    make(cache / "a", **FORMS["one target of rows"])
    make(cache / "b")
    shutil.copytree(ROOT / "cache" / "mnist-cnn", cache / "large")
    return cache


@pytest.fixture
def runs(browser: Browser, cache: Path, tmp_path: Path) -> Iterator[Page]:
    (tmp_path / "slow.py").write_text(SLOW)
    command = [*STREAMLIT_RUN]
    command[command.index("dashboard.py")] = str(tmp_path / "slow.py")
    with (
        serving(tmp_path, command, MCVIZ_CACHE=str(cache), PYTHONPATH=str(ROOT)) as (url, log),
        visited(browser, url, viewport={"width": 1440, "height": 900}) as page,
    ):
        page.goto("/runs?run=b")
        expect(page.get_by_text("b is finished")).to_be_visible()
        yield page
    check_log(log)


def tick_alone(page: Page, name: str) -> None:
    settle(page)
    page.locator(".st-key-list-of-runs").get_by_role("button", name=name, exact=True).click()


TICKS = [  # runs, and what the address says after the box of each is ticked or unticked by the keyboard
    ("large", {"run": "b", "other": "large"}),
    ("large", {"run": "b"}),
    ("b", {"run": "b", "ticked_run": "."}),
    ("a", {"run": "b", "ticked_run": "a"}),
    ("large", {"run": "a", "other": "large"}),
    ("b", {"run": "large", "other": "b"}),
    ("large", {"run": "large", "ticked_run": "b"}),
]


def test_ticks_are_in_the_address_two_at_most(runs: Page) -> None:
    for name, address in TICKS:
        settle(runs)
        runs.get_by_role("checkbox", name=f"Tick {name}", exact=True).press("Space")
        runs.wait_for_function(
            "wanted => JSON.stringify([...new URLSearchParams(location.search)].sort()) === JSON.stringify(wanted)",
            arg=sorted(map(list, address.items())),
        )
    expect(runs.get_by_text("b is finished")).to_be_visible()


def test_tabs_reach_the_boxes_of_all_runs_and_a_narrow_screen_shows_their_quality(runs: Page) -> None:
    settle(runs)
    boxes = runs.locator(".st-key-list-of-runs").get_by_role("checkbox")
    boxes.first.focus()
    for name in ("a", "b", "b", "large", "large"):  # after each box the name, which ticks it alone
        runs.keyboard.press("Tab")
        expect(runs.locator(":focus")).to_have_accessible_name(re.compile(rf"^(Tick )?{name}$"))
    runs.set_viewport_size({"width": 390, "height": 844})
    quality = runs.get_by_text("accuracy 99.30%").first
    expect(quality).to_be_in_viewport(ratio=1)


def test_runs_are_verified_renamed_and_removed(runs: Page, cache: Path) -> None:
    tick_alone(runs, "a")
    expect(runs.get_by_text("a is finished")).to_be_visible()
    tick_alone(runs, "large")
    expect(runs.get_by_text("large is finished")).to_be_visible()
    settle(runs)
    runs.get_by_role("button", name="Verify").click()
    expect(runs.get_by_text("files and groups of examples")).to_be_visible()
    runs.get_by_role("button", name="Stop", exact=True).click()
    expect(runs.get_by_role("button", name="Verify")).to_be_visible()
    expect(runs.get_by_text("files and groups of examples")).not_to_be_visible()
    settle(runs)
    expect(runs.get_by_text("All is as it was written")).not_to_be_visible()

    tick_alone(runs, "b")
    expect(runs.get_by_text("b is finished")).to_be_visible()
    settle(runs)
    runs.get_by_role("button", name="Verify").click()
    expect(runs.get_by_text("All is as it was written")).to_be_visible()

    digest = open_run(cache / "b").digest
    settle(runs)
    runs.get_by_role("button", name="Rename").click()
    runs.get_by_label("Its new name").fill("best")
    runs.get_by_label("Its new name").press("Enter")
    expect(runs.get_by_text("best is finished")).to_be_visible()
    expect(runs).to_have_url(f"{runs.url.partition('?')[0]}?run=best")
    assert open_run(cache / "best").digest == digest
    expect(runs.get_by_label("Its new name")).to_be_hidden()

    settle(runs)  # what is said of the new name moves the buttons
    runs.get_by_role("button", name="Remove").click()
    runs.get_by_role("button", name="Remove it").click()
    expect(runs.get_by_text("best is removed")).to_be_visible()
    expect(runs.get_by_text("a is finished")).to_be_visible()
    assert {run.name for run in list_runs(cache)} == {"a", "large"}
    settle(runs)
    runs.locator(".st-key-open button").click()
    expect(runs.get_by_role("heading", level=1)).to_have_text("Overview")
