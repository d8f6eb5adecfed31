"""Every task has an answer, a chart and an action in the first screen of each page, at 1440 × 900."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks import each_task
from tests.browser.conftest import FITS, LAPTOP, PHONE, settle

TASKS = tuple(each_task.MAKE)
WHOLE = 0.85  # of a chart or picture, at least
Cell = tuple[str, str, str]  # a sentence, as a regular expression; a chart or picture, and an action, as selectors

PLOT = ".js-plotly-plot"
PAGES: dict[str, dict[str, Cell]] = {
    "overview": {
        "classes": (r"\d% right", f".st-key-single-passes {PLOT}", "text=All examples, ranked"),
        "several-labels": (r"of the labels right", f".st-key-single-passes {PLOT}", "text=All examples, ranked"),
        "numbers": (
            r"\(RMSE\) on 221 rows for progression; \S+ points by always saying the mean; 90% intervals hold .+% of "
            r"the labels; \d+ of the \d+ out-of-tolerance errors are among the 44",
            f".st-key-single-passes {PLOT}",
            "text=All examples, ranked",
        ),
        "masks": (r"mean Dice \S+% on 100", f".st-key-single-passes {PLOT}", "text=All examples, ranked"),
    },
    "trust": {
        "classes": (r"probabilities are too|is right as often", f".st-key-reliability {PLOT}", ".st-key-referral-0"),
        "several-labels": (r"of the labels right", f".st-key-class-reliability {PLOT}", ".st-key-referral-0"),
        "numbers": (r"intervals of the passes", f".st-key-coverage-by-size {PLOT}", ".st-key-tolerance-set"),
        "masks": (r"mean Dice", "table >> nth=0", ".st-key-referral-0"),
    },
    "review": {
        "classes": (r"to check of", ".st-key-picture-of-example img", "text=The given label is right"),
        "several-labels": (r"to check of", ".st-key-picture-of-example img", "text=The given labels are right"),
        "numbers": (r"does not hold it", f".st-key-look-passes {PLOT}", "[class*=st-key-review-number-]"),
        "masks": (r"predictions to be judged", "[class*=st-key-label-maps]", "text=The prediction is right"),
    },
    "probe": dict.fromkeys(TASKS, (r"does it notice\?", ".st-key-noise-tiles", ".st-key-noise button")),
    "story": {
        "classes": (r"A classifier gives", f".st-key-classifier {PLOT}", ".st-key-story-next"),
        "several-labels": (r"A model gives a number", ".st-key-picture-of-example img, img", ".st-key-story-next"),
        "numbers": (r"A regression gives a number", ".st-key-story-large", ".st-key-story-next"),
        "masks": (r"\.$", ".st-key-story-drawn canvas, .st-key-story-drawn img", ".st-key-story-next"),
    },
    "runs": dict.fromkeys(TASKS, (r"4 runs", ".st-key-list-of-runs", ".st-key-more-passes-menu")),
    "example": {
        "classes": (r"is predicted as", ".st-key-picture-of-example img", ".st-key-step-forward"),
        "several-labels": (r"is predicted to have", ".st-key-picture-of-example img", ".st-key-step-forward"),
        "numbers": (r"is predicted as", f".st-key-example-passes {PLOT}", ".st-key-step-forward"),
        "masks": (r"the prediction draws", "[class*=st-key-label-maps]", ".st-key-step-forward"),
    },
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each task, as the script makes them."""
    folder = tmp_path_factory.mktemp("each")
    for name in TASKS:
        each_task.make(name, folder, 10)
    return folder


@pytest.mark.parametrize("task", TASKS)
def test_each_page_answers_draws_and_offers_an_action_in_the_first_screen(cache_page: Page, task: str) -> None:
    page = cache_page
    for name, cells in PAGES.items():
        answer, drawn, action = cells[task]
        page.set_viewport_size(LAPTOP)
        page.goto(f"/{name}?run={task}")
        settle(page)
        expect(page.get_by_test_id("stMain").get_by_text(re.compile(answer)).first, name).to_be_in_viewport()
        expect(page.locator(drawn).first, name).to_be_in_viewport(ratio=WHOLE)
        expect(page.locator(action).first, name).to_be_in_viewport(ratio=1)
    page.set_viewport_size(PHONE)
    page.goto(f"/trust?run={task}")
    settle(page)
    assert page.evaluate(FITS)
