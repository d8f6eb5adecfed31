"""The menus of Explore: which examples an action takes, and that a closed menu has no content."""

import re

import pandas as pd
import pytest

import mcviz
from mcviz.app.components.gallery import short_value, tile_data
from mcviz.app.state import PageState
from mcviz.measures import SCORES
from tests.app.opening import assert_sound, open_popovers, opened_page
from tests.browsing import ROOT
from tests.cases import one_in

TICKED = {"run": "mnist-cnn", "ticked": "5,3", "correct": "wrong"}


@pytest.mark.parametrize(
    ("take", "query"),
    one_in(2, [("ticked", {"selected": "5,3"}), ("matching", {"correct": "wrong"})]),
    ids=["ticked", "matching"],
)
def test_a_review_is_of_the_ticked_examples_or_of_all_that_match(take: str, query: dict[str, str]) -> None:
    app = opened_page("uncertain", TICKED)
    app.session_state["take"] = take
    app.button(key="action-review").click().run()
    assert_sound(app)
    assert app.title[0].value == "Label"
    found = {key: app.query_params[key] for key in ("selected", "correct") if key in app.query_params}
    assert found == query


def test_the_pinned_examples_are_compared_from_the_menu_however_few() -> None:
    app = opened_page("uncertain", {"run": "mnist-cnn", "pinned": "7"})
    app.button(key="action-compare").click().run()
    assert_sound(app)
    assert app.title[0].value == "Side by side"
    assert app.query_params["pinned"] == "7"


def test_a_dialog_closes_the_menu_that_opened_it() -> None:
    app = opened_page("uncertain", {"run": "mnist-cnn"})
    app.button(key="action-refer").click().run()
    assert any("200 examples to a person" in each.value for each in app.markdown)
    assert "export-csv" not in {each.key for each in app.get("download_button")}
    open_popovers(app, False)
    app.button(key="select-referred").click().run()
    assert "range" in app.query_params
    assert "select-referred" not in {each.key for each in app.button}


def test_a_tile_of_a_ranking_by_labels_is_not_in_the_colour_of_wrong() -> None:
    run = mcviz.open_run(ROOT / "cache" / "mnist-cnn")
    scores = run.scores()
    example = scores.index[~scores["correct"].astype(bool)][:1].to_numpy()
    by = {name: tile_data(run, PageState(), example, 1, name)["tiles"][0] for name in ("margin", "self_confidence")}
    assert (by["margin"]["wrong"], by["self_confidence"]["wrong"]) == (True, False)
    assert by["margin"]["label"] == by["self_confidence"]["label"] != by["margin"]["prediction"]
    assert by["margin"]["hover"].startswith("#1 by margin: ")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("max_probability", 0.2612, "26%"),
        ("max_probability", 0.9991, ">99%"),
        ("max_probability", 0.0004, "<1%"),
        ("predictive_entropy", 0.6789, "0.68"),
    ],
)
def test_a_score_on_a_tile_is_short_and_rounds_to_no_certainty(name: str, value: float, text: str) -> None:
    assert short_value(SCORES[name], value) == text


def test_side_by_side_shows_the_most_uncertain_until_something_is_pinned() -> None:
    app = opened_page("side_by_side", {"run": "mnist-cnn"})
    scores: pd.DataFrame = mcviz.open_run(ROOT / "cache" / "mnist-cnn").scores()
    first = scores["max_probability"].sort_values(kind="stable").index[:2].tolist()
    assert [each.key for each in app.button if each.key and each.key.startswith("open-")] == [
        f"open-{example}" for example in first
    ]
    app.button(key="pin-these").click().run()
    assert app.query_params["pinned"] == ",".join(map(str, first))
    assert not app.info
    assert sum(bool(re.match(r"label \*\*\d\*\* · .*predicted \*\*\d\*\*", each.value)) for each in app.markdown) == 2


def test_what_explore_lists_is_what_label_asks_about() -> None:
    app = opened_page("uncertain", {"run": "mnist-cnn", "label": "4", "score": "margin"})
    app.button(key="action-review").click().run()
    assert app.title[0].value == "Label"
    labels = mcviz.open_run(ROOT / "cache" / "mnist-cnn").labels
    assert f"**0** of {(labels == 4).sum()} examples decided" in app.get("progress")[0].proto.text
    assert (app.query_params["part"], app.query_params["score"]) in (("queue", "margin"), (["queue"], ["margin"]))
