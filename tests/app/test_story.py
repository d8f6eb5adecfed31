"""The story of a run, for a demo: short headlines, and a way back to where it was started."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mcviz.app.navigation import PAGES, PRESENT
from tests.app.kinds import KINDS, REGRESSIONS
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import button
from tests.cases import only

LONGEST = 12  # words of a headline


def opened(cache: Path, run: str, page: str = "story", **query: str) -> AppTest:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCVIZ_CACHE", str(cache))
        return opened_page(page, {"run": run, **query})


def headlines(cache: Path, run: str) -> list[str]:
    """The headline of each step, in plain words."""
    app = opened(cache, run)
    found = [app.header[0].value]
    while any(each.key == "story-next" for each in app.button):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MCVIZ_CACHE", str(cache))
            app.button(key="story-next").click().run()
        assert_sound(app)
        found.append(app.header[0].value)
    return [headline.replace("**", "").replace("\\", "") for headline in found]


@pytest.mark.parametrize("run", only(("texts", "regression-of-texts-with-variances"), [*KINDS, *REGRESSIONS]))
def test_a_headline_has_at_most_twelve_words(kinds: Path, run: str) -> None:
    shown = headlines(kinds, run)
    assert len(shown) >= 2
    for headline in shown:
        assert headline.endswith(".")
        assert len(headline.split()) <= LONGEST, headline


@pytest.mark.slow
@pytest.mark.parametrize(("run", "steps"), [("mnist-cnn", 6), ("fashion-cnn", 6), ("digits-segmentation", 7)])
def test_the_shipped_runs_are_presented_in_few_short_headlines(run: str, steps: int) -> None:
    shown = headlines(Path("cache").resolve(), run)
    assert len(shown) == steps
    assert max(len(headline.split()) for headline in shown) <= LONGEST


def test_a_presentation_starts_on_any_page_and_leads_back_to_it_and_its_address(kinds: Path, stride: int) -> None:
    for page in PAGES[::stride]:
        app = opened(kinds, "photographs", page.url_path, label="1", pinned="2")
        link = next(each.proto for each in app.get("page_link") if each.proto.label == "Present")
        query = dict(part.split("=") for part in link.query_string.split("&"))
        assert query["present"] == "yes"
        assert query.get("origin") == (None if page is PRESENT else page.url_path)
        assert (query["run"], query["label"], query["pinned"]) == ("photographs", "1", "2")


def test_who_leaves_is_where_the_presentation_was_started(kinds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(kinds))
    app = opened(kinds, "photographs", present="yes", origin="uncertain", label="1", pinned="2")
    app.button(key="story-next").click().run()
    assert app.query_params["step"] == "2"
    button(app, "Leave").click().run()
    assert_sound(app)
    assert app.title[0].value == "Explore"
    assert dict(app.query_params) == {"run": "photographs", "label": "1", "pinned": "2"}


def test_where_a_presentation_came_by_a_link_who_leaves_stays_at_its_step(
    kinds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(kinds))
    for origin in ({}, {"origin": "nowhere"}):
        app = opened(kinds, "photographs", present="yes", step="2", **origin)
        button(app, "Leave").click().run()
        assert app.title[0].value == "Present"
        assert "present" not in app.query_params
        assert app.query_params["step"] == "2"


def test_the_second_step_names_the_mean_that_its_bars_show() -> None:
    app = opened(Path("cache").resolve(), "mnist-cnn", "story", step="2")
    said = next(each.value for each in app.markdown if "The bars are their mean" in each.value).replace("**", "")
    (chart,) = app.get("plotly_chart")
    bars = [bar["y"] for bar in json.loads(chart.proto.spec)["data"]]
    highest = max(np.frombuffer(base64.b64decode(each["bdata"]), each["dtype"]).max() for each in bars)
    assert re.findall(r"\d+\.\d%", said) == [f"{highest:.1%}"], "and no other probability"


def test_the_first_step_has_the_bars_of_its_example(kinds: Path) -> None:
    (chart,) = opened(kinds, "photographs").get("plotly_chart")
    assert chart.proto.alt.startswith("Bar chart of the classes")
