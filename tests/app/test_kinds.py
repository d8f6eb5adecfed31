"""Every page on runs of all kinds: each opens, says what is missing, and says nothing that is not true of the run."""

import io
import json
import os
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.app.address import RunLimits
from mcviz.app.filters import ColumnFilter, Filters
from mcviz.app.selection import select
from mcviz.app.state import PageState
from mcviz.app.views import VIEWS, actions, rail
from mcviz.reviews import open_reviews
from tests.app.kinds import EXAMPLES, KINDS, REGRESSIONS
from tests.app.opening import open_popovers, opened_page
from tests.app.probing import about_run, compared_figures, widget, words
from tests.cases import one_in

PAGES = [
    ("overview", {}),
    *(("uncertain", {"view": view}) for view in VIEWS),
    *(("example", {"closer_look": look}) for look in ("similar", "two_classes", "passes")),
    ("side_by_side", {"pinned": "0,1,2,3"}),
    *(("story", {"step": str(step)}) for step in range(1, 6)),
    ("probe", {}),
]
RUNS = [*KINDS, *REGRESSIONS]
OF_REGRESSIONS = {"predicted", "errors", "intervals"}  # views
UNTRUE = re.compile(r"\b(digits?|MNIST|test images?|None|nan|seed|[Dd]ropout)\b")

WITHOUT_IMAGES = {"forest", "two-classes", "texts", "few-texts", "rows", "wide-rows", *REGRESSIONS} - {
    "regression-of-pictures"
}
OF_CLASSES = re.compile(r"\b(class(es)?|classifi\w+|probabilit\w+|accura\w+|correct|entrop\w+|votes?)\b", re.IGNORECASE)
OF_IMAGES = re.compile(r"\b(images?|pictures?|pixels?)\b", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _here(kinds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(kinds))


def opened(name: str, run: str, reviewer: str = "", **query: str) -> AppTest:
    return opened_page(name, {"run": run, **query}, reviewer=reviewer)


def said(app: AppTest) -> str:
    labels = (each.label for kind in (app.metric, app.button, app.selectbox, app.toggle) for each in kind)
    tables = (table.value.to_string() for table in app.table)
    progress = (each.proto.text for each in app.get("progress"))
    return "\n".join([words(app), *labels, *progress, *tables, *(each.help or "" for each in app.caption)])


@pytest.mark.parametrize(("run", "name", "query"), one_in(37, [(run, *page) for run in RUNS for page in PAGES]))
def test_every_page_opens_on_a_run_of_any_kind_and_says_nothing_untrue(
    run: str, name: str, query: dict[str, str]
) -> None:
    text = said(opened(name, run, **query))
    assert f"imported from {'the trees' if run == 'forest' else 'a test of'}" in text
    assert not UNTRUE.search(text.replace(run, "")), UNTRUE.search(text)
    if run in REGRESSIONS:
        assert not OF_CLASSES.search(text), OF_CLASSES.search(text)
    if run in WITHOUT_IMAGES:
        assert not OF_IMAGES.search(text), OF_IMAGES.search(text)


def test_two_classes_are_compared_pass_by_pass() -> None:
    app = opened("example", "forest", closer_look="two_classes")
    assert any(each.proto.alt.startswith("One point a pass: ") for each in app.get("plotly_chart"))


@pytest.mark.parametrize("run", one_in(7, RUNS))
def test_two_runs_of_any_kind_are_compared(
    run: str, kinds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (run, f"{run} again"):
        (tmp_path / name).symlink_to(kinds / run)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = opened("runs", run, other=f"{run} again")
    text = said(app)
    if mcviz.open_run(kinds / run).labels is not None:
        text += compared_figures(app).to_string()
    text = text.replace(run, "")
    assert "compared with" in text
    headers = [each.value for each in app.header]
    assert headers[1] == "Which examples changed?"
    assert "One example in both" in headers
    assert not UNTRUE.search(text), UNTRUE.search(text)
    if run in REGRESSIONS:
        assert not OF_CLASSES.search(text), OF_CLASSES.search(text)
    if run in WITHOUT_IMAGES:
        assert not OF_IMAGES.search(text), OF_IMAGES.search(text)


@pytest.mark.parametrize(("run", "part"), one_in(9, [(run, part) for run in KINDS for part in ("queue", "results")]))
def test_examples_of_any_kind_are_reviewed(run: str, part: str) -> None:
    kept = mcviz.open_run(Path(os.environ["MCVIZ_CACHE"]) / run)
    for example in (0, 1):
        open_reviews(kept).add(example, "Bob", "class", class_name=kept.class_names[-1])
    text = said(opened("review", run, part=part, reviewer="Bob"))
    assert ("Decided" if part == "results" else "examples decided") in text
    assert not UNTRUE.search(text.replace(run, "")), UNTRUE.search(text)
    if run in WITHOUT_IMAGES:
        assert not OF_IMAGES.search(text), OF_IMAGES.search(text)


@pytest.mark.parametrize("run", one_in(5, RUNS))
def test_the_probe_of_imported_passes_says_what_is_missing_and_how_to_get_it(run: str) -> None:
    (sentence,) = opened("probe", run).info
    assert "imported, so there is no model to ask" in sentence.value
    assert "`mcviz sample`" in sentence.value


@pytest.mark.parametrize(
    ("run", "absent"),
    one_in(
        3,
        [
            ("forest", {"map", "groups", *OF_REGRESSIONS}),
            ("unlabelled", {"confusion", "classes", "groups", *OF_REGRESSIONS}),
            ("two-classes", {"groups", *OF_REGRESSIONS}),
            ("columns", OF_REGRESSIONS),
            ("regression-of-rows", {"confusion", "classes"}),
            ("regression-of-three-targets", {"confusion", "classes", "groups", "map"}),
            ("regression-without-labels", {"confusion", "classes", "groups", "map", *OF_REGRESSIONS}),
        ],
    ),
)
def test_a_view_is_offered_where_the_run_has_what_it_shows(run: str, absent: set[str]) -> None:
    offered = widget(opened("uncertain", run).segmented_control, "view").options
    assert {VIEWS[name].label for name in VIEWS} - set(offered) == {VIEWS[name].label for name in absent}


@pytest.mark.parametrize(("run", "cards"), one_in(2, [("photographs", 3), ("forest", 2), ("unlabelled", 0)]))
def test_an_accuracy_that_is_not_known_has_no_card(run: str, cards: int) -> None:
    shown = [each.label for each in opened("overview", run).metric]
    assert len(shown) == cards
    assert ("Deterministic" in shown) == (cards == 3)


@pytest.mark.parametrize(("run", "shown"), one_in(2, [("thousand", 10), ("long-names", 12)]))
def test_of_very_many_classes_the_likeliest_ten_are_shown_and_that_is_said(kinds: Path, run: str, shown: int) -> None:
    app, mean = opened("example", run, example="3"), mcviz.open_run(kinds / run).mean_probs[3]
    sent = [json.loads(each.proto.json) for each in app.get("bidi_component") if "panels" in each.proto.json]
    (panels,) = (each["explanation"]["histograms"]["panels"] for each in sent if "explanation" in each)
    expected = sorted(mean, reverse=True)[:10] if run == "thousand" else mean
    assert [panel["mean"] for panel in panels[:shown]] == pytest.approx(expected, abs=1e-6)
    assert len(panels) - shown in (0, 1), "and the label"
    assert ("The likeliest 10 of 1,000 classes" in words(app)) == (run == "thousand")


def test_a_class_of_very_many_is_found_by_typing() -> None:
    app = opened("uncertain", "thousand", view="classes")
    widget(app.selectbox, "class").set_value(4).run()
    assert app.query_params["label"] == "4"
    assert len(widget(opened("uncertain", "long-names", view="classes").selectbox, "class").options) == 12
    assert len(widget(opened("uncertain", "columns", view="classes").segmented_control, "class").options) == 5


@pytest.mark.parametrize(("run", "said_so"), [("icons-features", True), ("wide-standardised", False)])
def test_stretched_colours_and_known_preprocessing_are_in_the_runs_information(run: str, said_so: bool) -> None:
    information = about_run(opened("overview", run))
    assert ("stretched from the lowest value" in information) == said_so
    assert ("divided by 255 and less the mean 0.485, 0.456, 0.406" in information) == (not said_so)


@pytest.mark.parametrize("run", ["icons-features", "two-classes"])
def test_examples_are_alike_by_the_features_where_the_run_has_some(kinds: Path, run: str) -> None:
    app = opened("example", run, example="3", closer_look="similar")
    assert "nearest features" in words(app)
    features = mcviz.open_run(kinds / run).features
    nearest = np.argsort(((features - features[3]) ** 2).sum(axis=1))[1:7]
    assert tiles_of(app) == nearest.tolist()


def tiles_of(app: AppTest) -> list[int]:
    """The examples of the last row of tiles."""
    *_, tiles = (json.loads(each.proto.json) for each in app.get("bidi_component") if "tiles" in each.proto.json)
    return [tile["example"] for tile in tiles["tiles"]]


def test_the_id_and_the_users_own_columns_are_shown_as_they_are(kinds: Path) -> None:
    app = opened("example", "columns", example="7")
    own = mcviz.open_run(kinds / "columns").table().iloc[7]
    (rows,) = (each.value for each in app.table if "value" in each.value and "id" in each.value.index)
    shown = rows["value"].str.replace("\\", "").str.replace("\u2060", "")
    assert rows.index.tolist()[0] == "id"
    assert shown.iloc[0] == own["id"] == "scans/2024/picture_007.png"
    assert shown.iloc[1] == own["source"]
    assert shown.iloc[3] == "2024-01-08"
    assert shown.iloc[4] == "<b>note</b> 7"
    assert rows["value"].iloc[4] == "\\<b\\>note\\</b\\> 7"


FILTERS = [
    (ColumnFilter("source", values=("clinic A", "web [scan](x)")), lambda t: t["source"] != "clinic B"),
    (ColumnFilter("age", low=45.0, high=55.5), lambda t: (t["age"] >= 45) & (t["age"] <= 55.5)),
    (ColumnFilter("age", high=50.0), lambda t: t["age"] <= 50),
    (ColumnFilter("*note*", contains="NOTE</b> 1"), lambda t: t["*note*"].str.startswith("<b>note</b> 1")),
    (ColumnFilter("taken", contains="2024-02"), lambda t: t["taken"].dt.month == 2),
    (ColumnFilter("id", contains="picture_01"), lambda t: t.index.to_series().between(10, 19)),
    (ColumnFilter("image", values=("\u2013",)), lambda t: t["image"].isna()),
    (ColumnFilter("nothing of the kind", contains="x"), lambda t: t["age"] > -1),
]


@pytest.mark.parametrize(("wanted", "expected"), one_in(3, FILTERS))
def test_a_column_is_filtered_by_values_by_a_range_and_by_a_part_of_its_text(
    kinds: Path, wanted: ColumnFilter, expected: object
) -> None:
    table = mcviz.open_run(kinds / "columns").table()
    filters = Filters().with_column(wanted)
    assert filters.mask(table).tolist() == expected(table).tolist()
    assert Filters.from_query(filters.to_query(), RunLimits(EXAMPLES, 5)) == filters
    app = opened("uncertain", "columns", **filters.to_query())
    matching = expected(table).sum()
    assert (
        f"**{matching}** of {EXAMPLES} examples" if matching < EXAMPLES else f"{EXAMPLES} examples, ranked"
    ) in words(app)
    assert [each.key for each in app.button if each.key == "chip-0"] == ["chip-0"] * (wanted.name in table)


def test_each_kind_of_column_has_its_own_widget_and_the_address_says_what_was_chosen() -> None:
    app = opened("uncertain", "columns")
    column = chooser(app)
    assert column.options == ["id", "source", "age", "taken", "*note*", "label_name", "image"]
    column.select("source").run()
    widget(app.multiselect, "values-source").set_value(["clinic B"]).run()
    chooser(app).select("age").run()
    widget(app.number_input, "low-age").set_value(40.5).run()
    chooser(app).select("*note*").run()
    widget(app.text_input, "contains-*note*").set_value("note").run()
    assert json.loads(app.query_params["columns"]) == {
        "source": ["clinic B"],
        "age": {"low": 40.5},
        "*note*": "note",
    }
    app.button(key="clear").click().run()
    assert "columns" not in app.query_params


def test_a_closed_popover_computes_nothing_and_keeps_the_choice_of_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []

    def counted(module: ModuleType, name: str) -> None:
        function = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, **named: called.append(name) or function(*given, **named))

    counted(rail, "as_texts")
    counted(actions, "available")
    app = opened("uncertain", "columns")
    chooser(app).select("source").run()
    assert {*called} == {"as_texts", "available"}
    called.clear()
    open_popovers(app, False)
    app.run()
    assert not called
    open_popovers(app)
    assert chooser(app.run()).value == "source"


def chooser(app: AppTest):
    """The choice of the column to filter by."""
    return widget(app.selectbox, "filtered-column")


@pytest.mark.parametrize(
    "address",
    [
        "[]",
        "{",
        pytest.param("[" * 10_000, id="[["),
        '{"age": {"low": NaN}}',
        '{"age": {"low": 1e999}}',
        "1",
        '{"a": [[1]]}',
    ],
)
def test_an_address_whose_columns_mean_nothing_filters_nothing(address: str) -> None:
    assert Filters.from_query({"columns": address}, RunLimits(EXAMPLES, 5)) == Filters()


@pytest.mark.parametrize(("words_", "query"), [("picture_013", {"id": "picture_013"}), ("1 as 2", None)])
def test_find_finds_ids_and_still_classes(words_: str, query: dict[str, str] | None) -> None:
    app = opened("uncertain", "columns")
    app.text_input(key="find").set_value(words_).run()
    if query is None:
        assert (app.query_params["label"], app.query_params["prediction"]) == ("1", "2")
    else:
        assert json.loads(app.query_params["columns"]) == query
        assert f"**1** of {EXAMPLES} examples" in words(app)


@pytest.mark.parametrize(("words_", "example"), [("#21", "21"), ("#scans/2024/picture_021.png", "21")])
def test_find_looks_at_the_example_of_a_number_or_an_id(words_: str, example: str) -> None:
    app = opened("uncertain", "columns")
    app.text_input(key="find").set_value(words_).run()
    assert app.query_params["example"] == example
    assert "columns" not in app.query_params
    app.text_input(key="find").set_value("#scans/2024/picture_999.png").run()
    assert "No example has the number or the id" in app.toast[0].value
    assert app.query_params["example"] == example


@pytest.mark.parametrize("name", one_in(2, ["source", "age"]))
def test_groups_have_the_accuracy_the_count_and_the_mean_score_of_their_examples(kinds: Path, name: str) -> None:
    app = opened("uncertain", "columns", view="groups", column=name, score="margin")
    (shown,) = (each.value for each in app.dataframe)
    table = mcviz.open_run(kinds / "columns").table()
    assert shown["examples"].sum() == EXAMPLES
    if name == "source":
        for row in shown.itertuples():
            members = table[table["source"] == row.group]
            assert row.examples == len(members)
            assert row.correct == pytest.approx(members["correct"].mean())
            assert row.score == pytest.approx(members["margin"].mean())
    else:
        assert len(shown) == 5
        assert shown["examples"].between(EXAMPLES // 5 - 1, EXAMPLES // 5 + 1).all()


@pytest.mark.parametrize("images", [True, False])
def test_a_column_of_addresses_is_text_and_no_picture_to_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: bool
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    addresses = [f"http://canary.invalid/{example}.png" for example in range(6)]
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (4, 6))
    pictures = np.zeros((6, 8, 8, 1), np.uint8) if images else None
    mcviz.write_run(tmp_path / "run", probs, data=pictures, columns=pd.DataFrame({"image": addresses}))
    (shown,) = opened("uncertain", "run", view="table").dataframe
    types = {
        name: config["type_config"]["type"]
        for name, config in json.loads(shown.proto.columns).items()
        if config.get("type_config")
    }
    assert [name for name, kind in types.items() if kind == "image"] == ["image"] * images
    assert sorted(shown.value["user_image" if images else "image"]) == addresses
    assert all(each.startswith("data:image/png;base64,") for each in shown.value["image"]) == images


def test_every_export_holds_the_users_own_columns(kinds: Path) -> None:
    run = mcviz.open_run(kinds / "columns")
    selection = select(run, PageState())
    own = run.table().iloc[selection.examples]
    for read in (
        pd.read_csv(io.BytesIO(actions.csv(selection)), parse_dates=["taken"]),
        pd.read_parquet(io.BytesIO(actions.parquet(selection))),
    ):
        assert read["id"].tolist() == own["id"].tolist()
        assert read["source"].tolist() == own["source"].tolist()
        assert (read["taken"].to_numpy() == own["taken"].to_numpy()).all()
        assert read["user_label_name"].tolist() == ["mine"] * EXAMPLES
        np.testing.assert_allclose(read["age"], own["age"])
