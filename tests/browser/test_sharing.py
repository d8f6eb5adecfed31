"""A shared page that a browser opens from a disk ranks, filters and shows as the dashboard does, and asks nobody."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import mcviz
from mcviz.analysis.layouts import TSNE
from mcviz.app.filters import ColumnFilter, Filters, lasso_on_map
from mcviz.app.resources import class_sets, has, own_columns, run_scores
from mcviz.app.selection import select
from mcviz.app.sharing.summary import story_steps
from mcviz.app.state import ORDERS, PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import load_example
from mcviz.app.views.rail import _narrow, brush_column
from mcviz.reviews import import_reviews, open_reviews
from mcviz.runs import Run, save_derived
from tests.app.hostile import HOSTILE, HOSTILE_RUN, SHOWN_RUN
from tests.browser.accessible import LOOKS, find_faults
from tests.browsing import ROOT, drag, troubles_of
from tests.factories import make_doubtful_run

PLACES = "overview", "explore", "trust", "present"
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
ORDER = """async ([address]) => {
  const state = new State(address);
  await examples.readTexts(state.columns);
  return examples.matching(state, examples.ranked(state.score, state.order)).map((place) => examples.numbers[place]);
}"""


@contextmanager
def opened(browser: Browser, run: Run, file: Path, address: str = "") -> Iterator[Page]:
    """The shared page of a run at an address; it has no error in its console, and asked for no other file."""
    mcviz.share(run, file, present=True)
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    page = context.new_page()
    troubles, requests = troubles_of(page, "file:"), []
    page.on("request", lambda request: requests.append(request.url.partition("#")[0]))
    page.goto(f"{file.as_uri()}{address}")
    expect(page.locator("[data-opened]")).to_have_count(1)
    yield page
    context.close()
    assert not troubles, troubles
    assert {url for url in requests if not url.startswith("data:")} == {file.as_uri()}


def shown_tiles(page: Page) -> list[int]:
    return [int(each) for each in page.locator("#gallery .tile").evaluate_all("all => all.map(e => e.dataset.example)")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_doubtful_run(tmp_path_factory.mktemp("runs") / "doubtful", 300, seed=3)


@pytest.mark.always
def test_a_page_from_a_disk_ranks_filters_and_explains_as_the_dashboard_does(
    browser: Browser, run: Run, tmp_path: Path
) -> None:
    with opened(browser, run, tmp_path / "page.html") as page:
        expect(page.locator("#overview .answer")).to_be_visible()
        page.get_by_role("link", name="Explore").click()
        page.get_by_label("Rank by").select_option("margin confident_first")
        page.locator("#correct button", has_text="Wrong").click()
        state = PageState(score="margin", order="confident_first", filters=Filters(correct="wrong"))
        wanted = select(run, state).examples.tolist()
        assert shown_tiles(page) == wanted[:48]
        assert page.url.endswith("#/explore?score=margin&order=confident_first&correct=wrong")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#look .which")).to_have_text(f"item {wanted[1]}")
        said = task_renderer(run).explain(load_example(run, state, wanted[1]))["sentences"]
        expect(page.locator("#look .explanation > p")).to_have_text(said[0].replace("**", "").replace("\\", ""))
        page.go_back()
        assert shown_tiles(page) == select(run, state.replace(filters=Filters())).examples.tolist()[:48]
        page.locator("#brush .plot").scroll_into_view_if_needed()
        drag(page, page.locator("#brush .plot").bounding_box(), [(0.1, 0.5), (0.4, 0.5)])
        ends = page.evaluate("() => state.ranges.margin")
        filters = Filters().with_range("margin", *ends)
        assert shown_tiles(page) == select(run, state.replace(filters=filters)).examples.tolist()[:48]
        example = int(page.evaluate("() => state.example ?? examples.numbers[showLook.latest]"))
        page.get_by_role("button", name="No class fits").click()
        page.get_by_label("Note").fill("a =blur")
        page.get_by_label("Your name").fill("Ada")
        page.keyboard.press("Tab")
        page.reload()
        expect(page.get_by_role("button", name="No class fits")).to_have_attribute("aria-pressed", "true")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save 1 decision").click()
        reviews = open_reviews(run)
        assert import_reviews(run, reviews, download.value.path().read_bytes()).added == 2
        assert [(row.example, row.reviewer, row.kind, row.note) for row in reviews.rows()] == [
            (example, "Ada", "none", None),
            (example, "Ada", "note", "a =blur"),
        ]
        assert not find_faults(page)
        page.wait_for_function(FITS)
        page.get_by_role("link", name="Present").click()
        steps = story_steps(run)
        for step in (0, 1):
            page.wait_for_function("(words) => $('step').textContent.startsWith(words)", arg=f"{step + 1} of")
            expect(page.locator(".slide h2:visible")).to_have_text(steps[step].headline.replace("**", ""))
            expect(page.locator(".slide .tile:visible")).to_have_attribute("data-example", str(steps[step].examples[0]))
            expect(page.locator(".slide .strips:visible")).to_have_count(1)
            page.keyboard.press("ArrowRight")


def test_axe_finds_nothing_on_a_page_from_a_disk_and_nothing_scrolls_sideways(
    browser: Browser, run: Run, tmp_path: Path
) -> None:
    with opened(browser, run, tmp_path / "page.html") as page:
        found = []
        for place in PLACES:
            page.evaluate("(place) => go({}, place)", place)
            for theme, size in LOOKS:
                page.emulate_media(color_scheme=theme)
                page.set_viewport_size(size)
                page.wait_for_function(FITS)
                found += [(place, theme, size["width"], each) for each in find_faults(page)]
        assert not found, "\n".join(map(str, found))


def several_labels(folder: Path, random: np.random.Generator) -> Run:
    labels = (random.random((200, 4)) < 0.3).astype(float)
    labels[:5] = np.nan
    probs = np.clip(np.nan_to_num(labels, nan=0.5) * 0.5 + random.random((6, 200, 4)) * 0.5, 0, 1)
    return mcviz.write_run(folder, probs, labels=labels, class_names=["a", "b", "c", "d"], task="multilabel")


def numbers(folder: Path, random: np.random.Generator) -> Run:
    truth = random.normal(10, 3, (200, 2))
    outputs = truth + random.normal(0, 1, (6, 200, 2)) * random.gamma(2, 1, (200, 1))
    return mcviz.write_run(folder, outputs, labels=truth, target_names=["x", "y"], unit="mm", task="regression")


def ties(folder: Path, random: np.random.Generator) -> Run:
    probs = random.choice([0.1, 0.3, 0.6], size=(2, 200, 3)) + 0.1
    labels = random.integers(3, size=200)
    return mcviz.write_run(folder, probs / probs.sum(axis=-1, keepdims=True), labels=labels)


def texts(folder: Path, random: np.random.Generator) -> Run:
    words = np.array(["Warm", "warmth", "cold", "a_b", "Straße", "%"])
    run = mcviz.write_run(
        folder,
        random.dirichlet(np.ones(3), (6, 200)),
        labels=random.integers(3, size=200),
        class_names=["cat", "Dog", "cold"],
        data=[" ".join(random.choice(words, 3)) for _ in range(200)],
        ids=[f"no-{example}" for example in range(200)],
        columns={
            "source": random.choice(["web", "mail, or <b>"], 200),
            "age": np.where(random.random(200) < 0.1, np.nan, random.normal(50, 9, 200)),
            "__proto__": [f"{word} {place}" for place, word in enumerate(random.choice(words, 200))],
        },
    )
    save_derived(run.path, run.digest, TSNE, {"positions": random.normal(size=(200, 2)).astype(np.float32)})
    return run


def masks(folder: Path, random: np.random.Generator) -> Run:
    return mcviz.open_run(ROOT / "cache" / "digits-segmentation")


def find_as_the_dashboard(page: Page, run: Run) -> None:
    """Words that are typed filter as the dashboard's do; those of one example open it; a lasso on the map filters."""
    for words in ("cat", "cat as COLD", "as Dog", "wrong", "no-17", "warmth", "a_b"):
        page.evaluate("() => { history.pushState(null, '', '#/explore'); show(false); }")
        page.get_by_label("Find").fill(words)
        page.get_by_label("Find").press("Enter")
        wanted = select(run, PageState(score=run.first_score, filters=_narrow(run, Filters(), words))).examples
        expect(page.locator("#matching")).to_have_text(f"{len(wanted)} of the 200 examples")
        assert page.evaluate("() => matchingNow().map((place) => examples.numbers[place])") == wanted.tolist(), words
    for words in ("#17", "#no-17"):
        page.get_by_label("Find").fill(words)
        page.get_by_label("Find").press("Enter")
        expect(page.locator("#look .which")).to_have_text("no-17")
    page.get_by_label("Find").fill("nowhere")
    page.get_by_label("Find").press("Enter")
    expect(page.locator("#found")).to_have_text("Nothing here is called or contains “nowhere”.")
    page.evaluate("() => { history.pushState(null, '', '#/explore?view=map'); show(false); }")
    canvas = page.locator("#plane canvas")
    web = len(select(run, PageState(filters=Filters(columns=(ColumnFilter("source", values=("web",)),)))).examples)
    page.get_by_label("source: any").select_option(label=f"web ({web})")
    drag(page, canvas.bounding_box(), [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)])
    chosen = page.evaluate("() => matchingNow().length")
    assert 0 < chosen < web
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#look .which")).to_have_text(re.compile(r"no-\d+"))
    assert page.evaluate("() => state.example === examples.numbers[showLook.latest]")
    assert not find_faults(page)


@pytest.mark.slow
@pytest.mark.parametrize("make", [several_labels, numbers, ties, masks, texts])
def test_order_and_filters_are_those_of_the_dashboard(browser: Browser, tmp_path: Path, make: Any) -> None:
    run = make(tmp_path / "run", np.random.default_rng(5))
    states = [PageState(score=name, order=order) for name in run_scores(run) for order in ORDERS]
    for name in run_scores(run):
        edges = brush_column(run, name).edges
        ends = edges[len(edges) // 3], edges[-2]
        states.append(PageState(score=run.first_score, filters=Filters().with_range(name, *ends)))
    filters: list[Filters] = []
    if has(run, "classes"):
        filters += [
            Filters(label=(1, 2)),
            Filters(prediction=(0,), disagree=True),
            Filters(correct="correct", label=(2,)),
        ]
    filters += [Filters(**{name: (0, 2)}) for name in class_sets(run)]
    if "source" in own_columns(run):
        wanted = {"contains": "WARM"}, {"values": ("web",)}, {"low": 45.5, "high": 60.0}
        names = ("text", "source", "age")
        each = [ColumnFilter(name, **part) for name, part in zip(names, wanted, strict=True)]
        filters += [Filters(columns=tuple(part)) for part in (each[:1], each[1:2], each[2:], each)]
        filters += [Filters(columns=(ColumnFilter("__proto__", contains="ss"), ColumnFilter("id", contains="no-1")))]
        filters += [Filters(area=lasso_on_map("tsne", ((-1, -1.5), (1, -1), (0.25, 0), (1, 1.5), (-1.25, 1))))]
    states += [PageState(score=run.first_score, filters=each) for each in filters]
    with opened(browser, run, tmp_path / "page.html", "#/explore") as page:
        for state in states:
            address = f"#/explore?{urlencode(state.to_query())}"
            assert page.evaluate(ORDER, [address]) == select(run, state).examples.tolist(), address
        if "source" in own_columns(run):
            find_as_the_dashboard(page, run)
        example = int(select(run, states[0]).examples[0])
        page.evaluate("(example) => go({example: String(example)}, 'explore')", example)
        said = task_renderer(run).explain(load_example(run, PageState(), example))["sentences"][0]
        expect(page.locator("#look .explanation > p").first).to_have_text(said.replace("**", "").replace("\\", ""))


@pytest.mark.slow
def test_names_are_text_and_without_a_script_the_sentence_is_there(browser: Browser, tmp_path: Path) -> None:
    names, random = list(HOSTILE), np.random.default_rng(0)
    run = mcviz.write_run(
        tmp_path / HOSTILE_RUN,
        random.dirichlet(np.ones(len(names)), (4, 2 * len(names))),
        labels=np.arange(2 * len(names)) % len(names),
        class_names=names,
        ids=[f"{name} {example}" for example, name in enumerate(names * 2)],
        columns={name: np.roll(names * 2, shift) for shift, name in enumerate(names)},
    )
    with opened(browser, run, tmp_path / "page.html", "#/explore") as page:
        expect(page.locator(".run")).to_have_text(SHOWN_RUN)
        options = " ".join(page.locator("#prediction option").all_text_contents())
        tiles = " ".join(page.locator("#gallery .tile").all_text_contents())
        hovers = " ".join(page.locator("#gallery .tile").evaluate_all("all => all.map((tile) => tile.title)"))
        for name in HOSTILE.values():
            assert name.strip() in options
            assert name.strip() in tiles
            assert name.strip() in hovers
        assert not page.locator("main :is(a[href^=http], script, iframe, i, em, b b, link, base)").count()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator("#overview .answer")).to_be_visible()
    expect(page.locator("#trust .answer")).to_be_visible()
    expect(page.get_by_text("Without JavaScript this page shows its figures")).to_be_visible()
    context.close()
