"""From Overview to a first decision about a wrong label, to fresh passes in a run, and to two runs compared."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

import mcviz
from mcviz.reviews import open_reviews, summarise_reviews
from tests.app.kinds import passes
from tests.app.live_rows import cache_of_rows
from tests.browser.conftest import LAPTOP, came_ahead, go_to, settle
from tests.browser.test_jobs import MILLISECONDS_FOR_A_JOB
from tests.browser.test_ten_jobs import SCROLLED, Press, click, enter, entry, press_key
from tests.browser.test_walks import walk
from tests.browsing import visited

pytestmark = pytest.mark.always

EXAMPLES = 200
PRESSES = pytest.mark.parametrize("press", [click, press_key])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs over the same images."""
    folder, rng = tmp_path_factory.mktemp("walked"), np.random.default_rng(0)
    labels, images = rng.integers(0, 3, EXAMPLES), rng.integers(0, 256, (EXAMPLES, 8, 8, 1), dtype=np.uint8)
    for name in ("after", "before"):
        made = passes(rng, EXAMPLES, 3, labels)
        mcviz.write_run(folder / name, made, data=images, labels=labels, class_names=["cat", "dog", "owl"])
    return folder


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with visited(browser, url, viewport=LAPTOP, accept_downloads=True) as page:
        yield page
        assert page.evaluate(SCROLLED) == 0


def test_the_label_that_is_most_probably_wrong_is_decided_about(page: Page, cache: Path) -> None:
    run = mcviz.open_run(cache / "after")
    fit = run.mean_probs[np.arange(EXAMPLES), run.labels]
    wrong = np.flatnonzero(run.mean_probs.argmax(axis=1) != run.labels)
    first = int(wrong[fit[wrong].argmin()])
    with walk(page, presses=2):
        go_to(page, "Label")
        expect(page.get_by_text(f"{len(wrong)} examples to check of {EXAMPLES}")).to_be_visible()
        expect(page.get_by_role("img", name=f"Example {first}", exact=True)).to_be_in_viewport(ratio=1)
        settle(page)
        came_ahead(page)
        page.get_by_role("button", name="The given label is wrong").click()
        expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
        page.keyboard.type("Ada")
        page.keyboard.press("Enter")
        expect(page.get_by_text(f"1 of {len(wrong)} examples decided")).to_be_visible()
    decisions = summarise_reviews(run, open_reviews(run).rows()).decisions_by("Ada")
    assert {example: each.kind for example, each in decisions.items()} == {first: "wrong_label"}


@pytest.mark.slow
@PRESSES
def test_five_labels_are_decided_by_keys_and_are_a_file(page: Page, cache: Path, press: Press) -> None:
    run, reviewer = mcviz.open_run(cache / "after"), press.__name__
    with walk(page, presses=3 if press is click else 0):
        press(entry(page, "Label"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Label")
        settle(page)
        came_ahead(page)
        for count, key in enumerate("02112", 1):
            page.keyboard.press(key)
            if count == 1:
                expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
                page.keyboard.type(reviewer)
                page.keyboard.press("Enter")
                expect(page.get_by_role("dialog")).to_have_count(0)
            expect(page.get_by_text(re.compile(rf"\b{count} of \d+ examples decided"))).to_be_visible()
        settle(page)
        press(page.get_by_role("radio", name="Results"))
        file = page.get_by_role("button", name="Decisions as CSV")
        expect(file).to_be_visible()
        settle(page)
        with page.expect_download() as download:
            press(file)
    decided = pd.read_csv(download.value.path()).query("reviewer == @reviewer")
    kept = summarise_reviews(run, open_reviews(run).rows()).decisions_by(reviewer)
    assert decided["class_name"].tolist() == ["cat", "owl", "dog", "dog", "owl"]
    assert sorted(decided["example"]) == sorted(kept)


@pytest.mark.parametrize("press", [click, pytest.param(press_key, marks=pytest.mark.slow)])
def test_two_runs_are_compared(page: Page, press: Press) -> None:
    with walk(page, presses=2 if press is click else 0):  # the open run is ticked
        press(entry(page, "Runs"))
        expect(page.get_by_text("after is finished")).to_be_visible()
        settle(page)
        press(page.locator("label").filter(has=page.get_by_role("checkbox", name="Tick before", exact=True)))
        expect(page.get_by_role("heading", name="before compared with after")).to_be_visible()
        expect(page.get_by_role("heading", name="Right to wrong")).to_be_in_viewport(ratio=1)
        changed = page.get_by_role("button", name=re.compile("^Example"))  # tiles; a picture has "Fullscreen: Example"
        expect(changed.first).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("region", name="Measures of both runs")).to_be_visible()


@pytest.mark.slow
@PRESSES
def test_twenty_fresh_passes_are_a_run_that_is_open(page: Page, cache: Path, tmp_path: Path, press: Press) -> None:
    cache_of_rows(tmp_path)
    model = f"model-{press.__name__}"
    shutil.move(tmp_path / "few", cache / model)
    with walk(page, presses=4 if press is click else 0, seconds=MILLISECONDS_FOR_A_JOB / 1000):
        page.goto(f"/?run={model}")
        settle(page)
        press(entry(page, "Runs"))
        expect(page.get_by_text(f"{model} is finished")).to_be_visible()
        settle(page)
        press(page.get_by_role("button", name="Sample again"))
        passes = page.locator('[class*="st-key-again-passes"] input')
        expect(passes).to_be_visible()
        settle(page)
        enter(passes, press, "20")
        expect(passes).to_have_count(0)  # the menu is closed
        jobs = page.locator('[class*="st-key-job-"]').filter(has_text=f"{model}-2")
        made = jobs.get_by_role("button", name="Open", exact=True)
        expect(made).to_be_visible(timeout=MILLISECONDS_FOR_A_JOB)
        settle(page)  # it moves down as the run gets a row of the table: while it is pressed, too
        press(made)
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        expect(page).to_have_url(re.compile(rf"[?&]run={model}-2\b"))
    run = mcviz.open_run(cache / f"{model}-2")
    assert run.passes == 20
    assert run.manifest.examples.sha256 == mcviz.open_run(cache / model).manifest.examples.sha256
