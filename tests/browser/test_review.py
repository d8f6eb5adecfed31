"""A review with keys alone in a real browser: it outlives the server, and two reviewers see each other."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import mcviz
from mcviz.measures import most_uncertain_first
from mcviz.reviews import open_reviews, summarise_reviews
from tests.app.kinds import passes
from tests.browser.conftest import FITS, came_ahead, name_reviewer, settle
from tests.browsing import HeldLine, check_log, started, visited

EXAMPLES = 30
NAMES = ["cat", "dog", "owl"]
# What the server draws comes in one by one, `window.spacing` milliseconds apart, as over a slow line.
TRICKLE = """
window.spacing = 0;
window.WebSocket = class extends window.WebSocket {
  addEventListener(kind, hear, ...rest) {
    let at = 0;
    const late = (event) => {
      at = Math.max(at, performance.now()) + window.spacing;
      setTimeout(() => hear.call(this, event), at - performance.now());
    };
    super.addEventListener(kind, kind === "message" ? late : hear, ...rest);
  }
};
"""
# What the picture was of in the frame before each click on a decision.
CLICKED = """
window.clicked = [];
let painted;
const look = () => {
  painted = document.querySelector(".st-key-picture-of-example img")?.alt;
  requestAnimationFrame(look);
};
look();
addEventListener("click", ({ target }) => {
  if (target.closest?.(".st-key-review-decisions")) window.clicked.push(painted);
}, true);
"""


SCREEN = {"viewport": {"width": 1440, "height": 900}}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the runs of one server, to which each test adds its own."""
    return tmp_path_factory.mktemp("reviewed")


@pytest.fixture
def run(cache: Path) -> mcviz.Run:
    """A run of images that no other test reviews."""
    number = len(list(cache.glob("run-*")))
    rng = np.random.default_rng(number)
    labels = rng.integers(0, 3, EXAMPLES)
    images = rng.integers(0, 256, (EXAMPLES, 8, 8, 1), dtype=np.uint8)
    probs = passes(rng, EXAMPLES, 3, labels)
    return mcviz.write_run(cache / f"run-{number}", probs, data=images, labels=labels, class_names=NAMES)


@pytest.fixture
def order(run: mcviz.Run) -> list[int]:
    return most_uncertain_first("max_probability", run.scores()["max_probability"].to_numpy()).tolist()


@contextmanager
def server(tmp_path: Path, cache: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A server that a test may kill."""
    with started(tmp_path, MCVIZ_CACHE=str(cache)) as (url, log, process):
        yield url, process
    check_log(log)


@contextmanager
def reviewer(
    browser: Browser, url: str, run: mcviz.Run, name: str, script: str = "", prepare: Callable[[Page], object] = id
) -> Iterator[Page]:
    with visited(browser, url, **SCREEN) as page:
        page.add_init_script(script)
        prepare(page)
        page.goto(f"/review?run={run.name}&part=queue")
        name_reviewer(page, name)
        came_ahead(page)  # by then it hears keys
        yield page


def shown(page: Page, example: int) -> Locator:
    """The button that skips an example, which is there while the example is; one of two, while the page is drawn."""
    return page.locator(f'[class*="st-key-review-skip-{example}-"]:not([data-retained])').first


def note(page: Page) -> Locator:
    """The field of the note; one of two, while the page is drawn."""
    return page.locator('[class*="st-key-review-note-"]:not([data-retained]) input').first


def come_to_rest(page: Page, run: mcviz.Run) -> None:
    """Wait until every key that was pressed has been heard: a key waits in the browser until the page is drawn, and the
    page is at rest for a moment before the browser sends it, and before the server begins with it."""
    while True:
        before = len(open_reviews(run).rows())
        page.wait_for_timeout(1000)
        settle(page)
        if len(open_reviews(run).rows()) == before:
            return


def decided(run: mcviz.Run, name: str) -> dict[int, str]:
    found = summarise_reviews(run, open_reviews(run).rows()).decisions_by(name)
    return {example: each.in_words(NAMES) for example, each in found.items()}


def test_the_next_example_stands_before_this_one_is_decided_and_no_key_is_lost_or_meant_for_another(
    browser: Browser, url: str, run: mcviz.Run, order: list[int]
) -> None:
    assert run.labels is not None
    lines: list[HeldLine] = []
    with reviewer(browser, url, run, "Ada", prepare=lambda page: lines.append(HeldLine(page))) as page:
        (line,) = lines
        settle(page)
        came_ahead(page)
        line.hold()
        page.keyboard.press("0")
        expect(page.get_by_role("img", name=f"Example {order[1]}", exact=True)).to_be_visible()
        expect(page.locator(".st-key-explanation-sentences")).to_contain_text(
            f"The given label is {NAMES[run.labels[order[1]]]}."
        )
        page.keyboard.press("1")
        assert line.answers == 0
        line.release()
        expect(shown(page, order[2])).to_be_visible()
        settle(page)
    assert decided(run, "Ada") == {order[0]: NAMES[0], order[1]: NAMES[1]}


def test_twenty_are_decided_with_keys_two_undone_and_all_found_after_a_crash(
    browser: Browser, tmp_path: Path, cache: Path, run: mcviz.Run, order: list[int]
) -> None:
    pressed = [
        ("0", "cat"),
        ("1", "dog"),
        ("l", "label"),
        ("p", "prediction"),
        ("n", "no class fits"),
        ("w", "the given label is wrong"),
    ]
    pressed = [*pressed, ("Space", "skipped")] * 3
    named = {"label": run.labels, "prediction": run.mean_probs.argmax(axis=1)}
    expected = {}
    with server(tmp_path, cache) as (url, process), reviewer(browser, url, run, "Ada") as page:
        for example, (key, said) in zip(order[:20], pressed[:20], strict=True):
            expect(shown(page, example)).to_be_visible()
            page.keyboard.press(key)
            expected[example] = NAMES[named[said][example]] if said in named else said
        expect(shown(page, order[20])).to_be_visible()
        for example in (order[19], order[18]):
            page.keyboard.press("Backspace")
            expect(shown(page, example)).to_be_visible()
            del expected[example]
        page.keyboard.press("ArrowLeft")
        expect(shown(page, order[17])).to_be_visible()
        page.keyboard.press("m")
        expect(note(page)).to_be_focused()
        page.keyboard.type("10 blurred owls")
        page.keyboard.press("Enter")
        expect(note(page)).not_to_be_focused()
        settle(page)
        page.keyboard.press("ArrowRight")
        expect(shown(page, order[18])).to_be_visible()
        assert decided(run, "Ada") == expected
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        page.goto("about:blank")  # or else it goes on asking for the server
    assert decided(run, "Ada") == expected
    with server(tmp_path, cache) as (url, _), reviewer(browser, url, run, "Ada") as page:
        expect(shown(page, order[18])).to_be_visible()
        done = sum(said != "skipped" for said in expected.values())
        expect(page.get_by_text(f"{done} of {EXAMPLES} examples decided · {18 - done} skipped")).to_be_visible()
        page.keyboard.press("ArrowLeft")
        expect(note(page)).to_have_value("10 blurred owls")
        page.keyboard.press("Backspace")  # the note was the latest
        expect(note(page)).to_have_value("")
    assert decided(run, "Ada") == expected


def test_each_key_decides_once_about_what_was_on_the_screen_however_fast_it_is_pressed(
    browser: Browser, url: str, run: mcviz.Run, order: list[int]
) -> None:
    with reviewer(browser, url, run, "Ada") as page:
        for turn in range(6):
            before = len(open_reviews(run).rows())
            expect(shown(page, order[before])).to_be_visible()
            for _ in range(3):
                page.keyboard.press("1")
                page.wait_for_timeout(30 * turn)
            come_to_rest(page, run)
        rows = open_reviews(run).rows()
        assert [row.example for row in rows] == order[: len(rows)]
        for example in rows[: len(rows) - 4 : -1]:
            page.keyboard.press("Backspace")
            expect(shown(page, example.example)).to_be_visible()
        left = len(rows) - 3
        assert decided(run, "Ada") == dict.fromkeys(order[:left], "dog")
        for _ in range(4):  # held down
            page.keyboard.down("2")
            page.wait_for_timeout(250)
        page.keyboard.up("2")
        expect(shown(page, order[left + 1])).to_be_visible()
        assert decided(run, "Ada") == {**dict.fromkeys(order[:left], "dog"), order[left]: "owl"}


def test_a_note_is_about_what_is_on_the_screen_however_early_it_is_begun(
    browser: Browser, url: str, run: mcviz.Run, order: list[int]
) -> None:
    expected = {}
    with reviewer(browser, url, run, "Ada", TRICKLE) as page:
        page.evaluate("window.spacing = 30")
        page.keyboard.press("1")
        for place in range(1, 7):
            expect(shown(page, order[place])).to_be_visible()  # the field of the example before is still there
            page.keyboard.press("m")
            page.keyboard.type(f"10 owls, {place}")
            page.keyboard.press("Enter")
            expect(note(page)).to_have_value(f"10 owls, {place}")
            expect(note(page)).not_to_be_focused()
            settle(page)
            expected[order[place]] = f"10 owls, {place}"
            page.keyboard.press("ArrowRight")
        expect(shown(page, order[7])).to_be_visible()
    found = summarise_reviews(run, open_reviews(run).rows())
    assert found.notes == {(example, "Ada"): text for example, text in expected.items()}
    assert decided(run, "Ada") == {order[0]: "dog"}


def test_a_name_is_typed_for_the_first_decision_whose_keys_decide_nothing_and_nothing_moves(
    browser: Browser, url: str, run: mcviz.Run, order: list[int]
) -> None:
    with visited(browser, url, **SCREEN) as page:
        page.goto(f"/review?run={run.name}&part=queue")
        expect(shown(page, order[0])).to_be_visible()
        settle(page)
        came_ahead(page)
        buttons = page.locator(".st-key-review-decisions")
        before = buttons.bounding_box()
        page.keyboard.press("1")
        expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
        page.keyboard.type("Wilma Pool")  # whose letters are keys
        page.keyboard.press("Enter")
        expect(shown(page, order[1])).to_be_visible()
        settle(page)
        assert buttons.bounding_box() == before
        came_ahead(page)
        page.keyboard.press("2")
        expect(shown(page, order[2])).to_be_visible()
    assert decided(run, "Wilma Pool") == {order[0]: "dog", order[1]: "owl"}


def test_on_a_narrow_screen_the_decisions_are_a_bar_at_the_foot_without_keys(
    browser: Browser, url: str, run: mcviz.Run, order: list[int]
) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with visited(browser, url, **phone) as page:
        page.goto(f"/review?run={run.name}&part=queue")
        expect(page.get_by_role("img", name=f"Example {order[0]}", exact=True)).to_be_in_viewport(ratio=1)
        settle(page)
        page.wait_for_function(FITS)
        box = page.locator(".st-key-review-decisions").bounding_box()
        assert box is not None
        assert round(box["y"] + box["height"]) == 844
        for name in ("No class fits", "dog"):
            expect(page.locator(".st-key-review-decisions").get_by_text(name, exact=False).first).to_be_attached()
        expect(page.locator(".st-key-review-decisions code").first).to_be_hidden()
        page.get_by_role("button", name=re.compile("dog")).tap()
        page.get_by_role("dialog").get_by_label("Name").fill("Ada")
        page.get_by_role("button", name="Keep the decision").tap()
        expect(shown(page, order[1])).to_be_visible()
    assert decided(run, "Ada") == {order[0]: "dog"}


def test_of_many_classes_the_name_is_typed_without_a_mouse(browser: Browser, url: str, cache: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"kind {number}" for number in range(12)]
    many = mcviz.write_run(cache / "many", passes(rng, 8, 12, rng.integers(0, 12, 8)), class_names=names)
    order = most_uncertain_first("max_probability", many.scores()["max_probability"].to_numpy()).tolist()
    with reviewer(browser, url, many, "Ada") as page:
        for example, name in zip(order, ("11", "7", "11"), strict=False):
            expect(shown(page, example)).to_be_visible()
            page.keyboard.press("/")
            page.keyboard.type(name)
            expect(page.get_by_role("option", name=f"kind {name}")).to_be_visible()
            page.keyboard.press("Enter")
        expect(shown(page, order[3])).to_be_visible()
        page.keyboard.press("n")
        expect(shown(page, order[4])).to_be_visible()
    found = summarise_reviews(many, open_reviews(many).rows()).decisions_by("Ada")
    said = {example: each.in_words(names) for example, each in found.items()}
    assert said == dict(zip(order, ("kind 11", "kind 7", "kind 11", "no class fits"), strict=False))


def test_two_reviewers_at_once_see_each_other_and_lose_nothing(
    browser: Browser, url: str, run: mcviz.Run, order: list[int]
) -> None:
    with reviewer(browser, url, run, "Ada") as ada, reviewer(browser, url, run, "Bob") as bob:
        for example in order[:3]:
            for page, key in ((ada, "1"), (bob, "2")):
                expect(shown(page, example)).to_be_visible()
                page.keyboard.press(key)
        for page, key in ((ada, "1"), (bob, "2")):  # one after the other: Bob is told what Ada has said before him
            expect(shown(page, order[3])).to_be_visible()
            page.keyboard.press(key)
            expect(shown(page, order[4])).to_be_visible()
        expect(bob.get_by_text(f"Example {order[3]}: you: owl; Ada: dog.")).to_be_visible()
        expect(bob.get_by_text("Ada: 4")).to_be_visible()
        ada.get_by_role("radio", name="Results").click()
        expect(ada.get_by_text("Ada and Bob gave the same answer to 0 of 4 examples")).to_be_visible()
    assert decided(run, "Ada") == dict.fromkeys(order[:4], "dog")
    assert decided(run, "Bob") == dict.fromkeys(order[:4], "owl")


def test_keys_that_are_switched_off_are_not_heard(browser: Browser, url: str, run: mcviz.Run, order: list[int]) -> None:
    with reviewer(browser, url, run, "Ada") as page:
        expect(shown(page, order[0])).to_be_visible()
        switch = page.locator(".st-key-keys-of-review label").first
        switch.click()
        expect(page.get_by_role("button", name=re.compile("^owl"))).to_be_visible()
        settle(page)
        page.keyboard.press("2")
        switch.click()
        expect(page.get_by_role("button", name=re.compile("^2 owl"))).to_be_visible()
        settle(page)
        assert decided(run, "Ada") == {}
        page.keyboard.press("2")
        expect(shown(page, order[1])).to_be_visible()
        assert decided(run, "Ada") == {order[0]: "owl"}


@pytest.mark.parametrize("pause", [0, 100])
def test_keys_that_come_faster_than_steps_are_drawn_wait_their_turn_until_their_example_was_shown(
    browser: Browser, url: str, run: mcviz.Run, order: list[int], pause: int
) -> None:
    with reviewer(browser, url, run, "Ada", CLICKED) as page:
        for key in "llllll":
            page.keyboard.press(key)
            page.wait_for_timeout(pause)
        expect(shown(page, order[6])).to_be_visible()
        come_to_rest(page, run)
        assert page.evaluate("window.clicked") == [f"Example {example}" for example in order[:6]]
    assert [row.example for row in open_reviews(run).rows()] == order[:6]
    assert run.labels is not None
    assert decided(run, "Ada") == {example: NAMES[run.labels[example]] for example in order[:6]}


def test_a_very_long_name_of_a_class_fits_and_an_id_keeps_its_small_letters(
    browser: Browser, url: str, cache: Path
) -> None:
    rng = np.random.default_rng(0)
    labels, images = rng.integers(0, 3, 9), rng.integers(0, 256, (9, 8, 8, 1), dtype=np.uint8)
    names, ids = ["cat", "d" * 10_000, "owl"], [f"cell_{number}" for number in range(9)]
    probs = passes(rng, 9, 3, labels)
    run = mcviz.write_run(cache / "long", probs, data=images, labels=labels, class_names=names, ids=ids)
    with visited(browser, url, viewport={"width": 1280, "height": 900}) as page:
        page.goto(f"/review?run={run.name}&part=queue")
        expect(page.locator(".st-key-explanation-sentences")).to_contain_text("d" * 100)
        settle(page)
        page.wait_for_function(FITS)
        page.goto(f"/uncertain?run={run.name}&example=3")
        which = page.locator(".look .which")
        expect(which).to_have_text("cell_3")
        assert which.evaluate("each => getComputedStyle(each, '::first-letter').textTransform") == "none"
