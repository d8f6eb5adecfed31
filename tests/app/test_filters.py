"""Filters mean the same for every view, and survive being an address."""

from dataclasses import fields, replace
from math import inf
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.app.address import RunLimits
from mcviz.app.filters import CORRECT, FILTERS, ColumnFilter, Filters, Lasso, class_column, lasso_on_map, surrounded
from mcviz.app.state import PageState
from mcviz.app.views import rail
from mcviz.measures import SCORES
from mcviz.tasks import TASKS
from tests.polygons import surrounded_by_a_loop

NAMES = ("cat", "dog", "owl", "two words")
EXAMPLES = 60

classes = st.lists(st.integers(0, len(NAMES) - 1), unique=True, max_size=3).map(tuple)
numbers = st.floats(0, 3).map(lambda value: float(f"{value:.5g}"))
ranges = st.dictionaries(
    st.sampled_from(list(SCORES)),
    st.tuples(st.just(-inf) | st.floats(0, 3), st.just(inf) | st.floats(0, 3)).filter(lambda ends: ends != (-inf, inf)),
    max_size=3,
).map(lambda found: tuple(ColumnFilter(name, low=min(ends), high=max(ends)) for name, ends in found.items()))
lassos = st.builds(
    Lasso,
    st.sampled_from(list(SCORES)),
    st.sampled_from(list(SCORES)),
    st.lists(st.tuples(numbers, numbers), min_size=3, max_size=9).map(tuple),
)
ends = st.tuples(st.just(-inf) | st.floats(-1e300, 1e300), st.just(inf) | st.floats(-1e300, 1e300)).map(sorted)
conditions = (
    st.lists(st.text(), min_size=1, unique=True, max_size=3).map(lambda values: {"values": tuple(values)})
    | st.text(min_size=1).map(lambda part: {"contains": part})
    | ends.filter(lambda ends: ends != [-inf, inf]).map(lambda ends: {"low": ends[0], "high": ends[1]})
)
own_columns = st.dictionaries(st.text(), conditions, max_size=3).map(
    lambda found: tuple(ColumnFilter(name, **on) for name, on in found.items())
)
filters_of_all_kinds = st.builds(
    Filters,
    label=classes,
    prediction=classes,
    correct=st.sampled_from(CORRECT),
    disagree=st.booleans(),
    ranges=ranges,
    columns=own_columns,
    lasso=st.none() | lassos,
    selected=st.lists(st.integers(0, EXAMPLES - 1), unique=True, max_size=5).map(tuple),
)


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    table = pd.DataFrame({name: generator.random(EXAMPLES).astype(np.float32) for name in SCORES})
    table["variation_ratio"] = generator.choice([0, 0.25, 0.5], EXAMPLES)
    table["label"] = pd.array(generator.integers(0, 4, EXAMPLES), dtype="Int64")
    table["prediction"] = generator.integers(0, 4, EXAMPLES)
    table["correct"] = (table["label"] == table["prediction"]).astype("boolean")
    return table


@given(filters_of_all_kinds)
def test_an_address_gives_back_the_filters(filters: Filters) -> None:
    assert Filters.from_query(filters.to_query(), RunLimits(EXAMPLES, len(NAMES))) == filters


def test_a_link_that_was_sent_before_means_the_same_and_is_written_the_same() -> None:
    written = {
        "label": "1,2",
        "prediction": "0",
        "correct": "wrong",
        "disagree": "1",
        "range": "margin:0.25:~max_probability::0.5",
        "columns": '{"age":{"low":3.0},"source":["a","b"],"note":"x"}',
        "lasso": "margin:max_probability:0,0,1,0,1,0.5",
        "area": "pca:-1,0,1,0,0,2.5",
        "selected": "3,1",
    }
    filters = Filters.from_query(written, RunLimits(EXAMPLES, len(NAMES), layouts=["pca"]))
    assert filters == Filters(
        label=(1, 2),
        prediction=(0,),
        correct="wrong",
        disagree=True,
        ranges=(ColumnFilter("margin", low=0.25), ColumnFilter("max_probability", high=0.5)),
        columns=(ColumnFilter("age", low=3), ColumnFilter("source", ("a", "b")), ColumnFilter("note", contains="x")),
        lasso=Lasso("margin", "max_probability", ((0, 0), (1, 0), (1, 0.5))),
        area=lasso_on_map("pca", ((-1, 0), (1, 0), (0, 2.5))),
        selected=(3, 1),
    )
    assert filters.to_query() == written


@given(st.lists(st.text(alphabet=":~%a2F5 é", min_size=1), min_size=1, unique=True), st.floats(-3, 3))
def test_a_name_that_others_wrote_is_read_as_it_was_written(names: list[str], low: float) -> None:
    filters = Filters(lasso=Lasso(names[0], names[-1], ((0, 0), (1, 0), (1, 1))))
    for name in names:
        filters = filters.with_range(name, low, inf)
    assert Filters.from_query(filters.to_query(), RunLimits(EXAMPLES, 4, numbers=names)) == filters


@given(st.sampled_from(list(SCORES)), st.lists(st.floats(0, 3, width=32), min_size=2, max_size=20))
def test_an_address_loses_no_example_at_an_end_of_a_range(name: str, values: list[float]) -> None:
    table = pd.DataFrame({name: np.array(values, dtype=np.float32)})
    low, high = sorted(values[:2])
    assert Filters().with_range(name, low, high).mask(table)[:2].all()
    for ends in ((low, high), (low, inf), (-inf, high)):
        filters = Filters().with_range(name, *ends)
        again = Filters.from_query(filters.to_query(), RunLimits(EXAMPLES, len(NAMES)))
        assert (again.mask(table) == filters.mask(table)).all()


def test_an_end_that_is_open_is_not_written_and_a_chip_says_so() -> None:
    most = Filters().with_range("max_probability", -inf, 0.5)
    assert most.to_query() == {"range": "max_probability::0.5"}
    assert [label for label, _ in most.chips(NAMES, SCORES)] == ["Confidence up to 50.0%"]
    least = Filters().with_range("max_probability", 0.25, inf)
    assert least.to_query() == {"range": "max_probability:0.25:"}
    assert [label for label, _ in least.chips(NAMES, SCORES)] == ["Confidence from 25.0%"]
    assert most.with_range("max_probability", -inf, inf) == Filters()


@given(
    st.dictionaries(
        st.sampled_from(["label", "prediction", "correct", "disagree", "range", "lasso", "selected"]), st.text()
    )
)
def test_any_address_gives_filters_that_can_be_used(query: dict[str, str]) -> None:
    filters = Filters.from_query(query, RunLimits(EXAMPLES, len(NAMES)))
    assert Filters.from_query(filters.to_query(), RunLimits(EXAMPLES, len(NAMES))) == filters
    filters.chips(NAMES, SCORES)


@given(filters_of_all_kinds)
def test_filters_hold_together_as_one_by_one(filters: Filters) -> None:
    table = pd.DataFrame({name: np.linspace(0, 1, EXAMPLES) for name in SCORES})
    table["label"] = pd.array(np.arange(EXAMPLES) % 4, dtype="Int64")
    table["prediction"] = np.arange(EXAMPLES) % 3
    table["correct"] = (table["label"] == table["prediction"]).astype("boolean")
    mask = np.ones(EXAMPLES, dtype=bool)
    for field in ("label", "prediction", "correct", "disagree", "lasso", "selected"):
        mask &= replace(Filters(), **{field: getattr(filters, field)}).mask(table)
    for kept in filters.ranges:
        mask &= Filters(ranges=(kept,)).mask(table)
    assert (filters.mask(table) == mask).all()


@given(filters_of_all_kinds)
def test_clearing_every_chip_selects_everything(filters: Filters) -> None:
    for _, take_off in filters.chips(NAMES, SCORES):
        filters = take_off(filters)
    assert filters == Filters()


def test_a_chip_takes_off_its_own_filter_from_filters_as_they_are_by_then() -> None:
    drawn = Filters(label=(1,)).with_range("margin", 0.2, inf).with_column(ColumnFilter("age", low=3))
    by_then = drawn.with_range("margin", 0.4, inf).with_range("max_probability", -inf, 0.9).without("label")
    label, margin, age = (take_off for _, take_off in drawn.chips(NAMES, SCORES))
    assert label(by_then) == by_then
    assert margin(by_then) == by_then.with_range("margin", -inf, inf)
    assert age(by_then) == by_then.without("columns")


def test_every_filter_has_a_mask_a_chip_and_a_text(scores: pd.DataFrame) -> None:
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    on = Filters(
        label=(1,),
        prediction=(2,),
        correct="wrong",
        disagree=True,
        ranges=(ColumnFilter("margin", low=0.2, high=0.8),),
        columns=(ColumnFilter("margin", low=0.1),),
        lasso=Lasso("margin", "max_probability", corners),
        area=lasso_on_map("pca", corners),
        selected=(3,),
    )
    offered = RunLimits(EXAMPLES, len(NAMES), layouts=["pca"])
    positions = np.random.default_rng(0).random((EXAMPLES, 2))
    on_map = scores.assign(**{on.area.x: positions[:, 0], on.area.y: positions[:, 1]})
    wrong = Filters(wrong=(1,))
    flags = scores.assign(**{class_column("wrong", 1): np.arange(len(scores)) % 2 == 0})
    assert wrong.mask(flags).tolist() == flags[class_column("wrong", 1)].tolist()
    assert [label for label, _ in wrong.chips(NAMES, SCORES)] == [f"wrong on {NAMES[1]}"]
    assert Filters.from_query(wrong.to_query(), replace(offered, one_class=False)) == wrong
    assert Filters.from_query(wrong.to_query(), offered) == Filters(), "of one class an example there is none"
    for each in fields(Filters):
        if each.name == "wrong":
            continue
        alone = replace(Filters(), **{each.name: getattr(on, each.name)})
        assert alone != Filters()
        assert not alone.mask(on_map).all()
        ((label, take_off),) = alone.chips(NAMES, SCORES)
        assert label
        assert take_off(on) == on.without(each.name)
        (written,) = alone.to_query().items()
        assert Filters.from_query(dict([written]), offered) == alone
    assert Filters(area=on.area).mask(scores).all(), "where the layout is not known"
    assert Filters.from_query(on.to_query(), offered) == on


def test_a_control_changes_its_filter_as_it_is_by_then(scores: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    changes: dict[str, Any] = {}
    state = PageState()

    def bind(key: str, shown: object, change: Any = None, *, may_be_empty: bool = False) -> dict[str, Any]:
        changes[key] = change or (lambda new: update(**{key: new}))
        return {"key": f"by-then-{key}"}

    def update(**named: Any) -> None:
        nonlocal state
        state = state.replace(**named)

    numbers, own = {"margin": SCORES["margin"]}, {"age": "number"}
    table, run = scores.assign(age=np.arange(EXAMPLES)), SimpleNamespace(class_names=NAMES)
    run.manifest = SimpleNamespace(labels_sha256=None)
    run.task = TASKS["classification"]
    for name, value in (
        ("class_sets", lambda _: {}),
        ("state_widget_args", bind), ("update_state", update), ("table", lambda _: table),
        ("run_numbers", lambda _: numbers), ("own_columns", lambda _: own),
        ("filter_mask", lambda _, filters: filters.mask(table)),
        ("_count_values", rail._count_values.__wrapped__),
    ):  # fmt: skip
        monkeypatch.setattr(rail, name, value)
    for name in FILTERS:
        rail.render_filter(run, Filters(), name)
    for column in ("margin", "age"):
        rail.render_column_filter(run, Filters(), column)
    assert changes.keys() >= {"values-prediction", "disagree", "range-margin", "high-margin", "low-age"}
    assert not changes.keys() & {"values-label", "correct"}, "without labels nothing is filtered by them"
    by_then = Filters().with_range("margin", 0.2, inf).with_range("max_probability", 0.1, 0.5)
    by_then = by_then.with_column(ColumnFilter("id", contains="a")).with_column(ColumnFilter("age", low=3))
    update(filters=by_then)
    changes["high-margin"](0.8)
    assert state.filters == by_then.with_range("margin", 0.2, 0.8)
    changes["low-margin"](None)
    assert state.filters == by_then.with_range("margin", -inf, 0.8)
    changes["high-age"](9)
    assert state.filters.columns == (ColumnFilter("id", contains="a"), ColumnFilter("age", low=3, high=9))
    changes["low-age"](20)
    assert state.filters.on_column("age") == ColumnFilter("age", low=9, high=20), "whichever end is the lower one"
    changes["values-prediction"]([2, 0])
    changes["disagree"](True)
    assert (state.filters.prediction, state.filters.disagree) == ((2, 0), True)


def test_each_filter_keeps_what_a_plain_loop_keeps(scores: pd.DataFrame) -> None:
    kept = (
        Filters(label=(1, 2), prediction=(0,), correct="wrong", disagree=True)
        .with_range("margin", 0.2, 0.8)
        .mask(scores)
    )
    for i, row in scores.iterrows():
        expected = (
            row["label"] in (1, 2)
            and row["prediction"] == 0
            and not row["correct"]
            and row["variation_ratio"] > 0
            and 0.2 <= row["margin"] <= 0.8
        )
        assert kept[i] == expected


def test_examples_without_labels_are_neither_correct_nor_wrong(scores: pd.DataFrame) -> None:
    unlabelled = scores.assign(
        label=pd.array([pd.NA] * EXAMPLES, dtype="Int64"), correct=pd.array([pd.NA] * EXAMPLES, dtype="boolean")
    )
    for filters in (Filters(correct="correct"), Filters(correct="wrong"), Filters(label=(0,))):
        assert not filters.mask(unlabelled).any()


polygons = st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=3, max_size=12).map(tuple)


@given(polygons)
def test_an_area_of_the_map_is_in_the_address_where_its_layout_is_there(
    corners: tuple[tuple[float, float], ...],
) -> None:
    filters = Filters(area=lasso_on_map("pca", corners))
    area = Filters.from_query(filters.to_query(), RunLimits(EXAMPLES, 4, layouts=["pca"])).area
    assert area is not None
    np.testing.assert_allclose(area.corners, corners, rtol=1e-7)
    assert Filters.from_query(filters.to_query(), RunLimits(EXAMPLES, 4, layouts=["tsne"])) == Filters()


@given(polygons, st.integers(0, 2**32 - 1))
def test_a_polygon_surrounds_what_a_ray_leaves_through_an_odd_number_of_edges(
    corners: tuple[tuple[float, float], ...], seed: int
) -> None:
    points = np.random.default_rng(seed).uniform(-2, 2, (50, 2))
    found = surrounded(corners, points[:, 0], points[:, 1])
    np.testing.assert_array_equal(found, surrounded_by_a_loop(corners, points.tolist()))


def test_a_lasso_keeps_what_lies_inside_a_triangle(scores: pd.DataFrame) -> None:
    triangle = Lasso("margin", "max_probability", ((0, 0), (1, 0), (0, 1)))
    inside = scores["margin"] + scores["max_probability"] < 1
    assert (triangle.mask(scores) == inside.to_numpy()).all()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cat as dog", Filters(label=(0,), prediction=(1,))),
        ("  OWL as two words ", Filters(label=(2,), prediction=(3,))),
        ("cat AS Dog", Filters(label=(0,), prediction=(1,))),
        ("as dog", Filters(prediction=(1,))),
        ("dog", Filters(label=(1,))),
        ("wrong", Filters(correct="wrong")),
    ],
)
def test_typed_words_become_filters(words: str, expected: Filters) -> None:
    assert Filters().narrow(words, NAMES) == expected


def test_of_names_that_differ_in_their_capitals_the_one_that_is_typed_is_meant() -> None:
    names = ("A", "a", "b")
    assert Filters().narrow("A as a", names) == Filters(label=(0,), prediction=(1,))
    assert Filters().narrow("a as A", names) == Filters(label=(1,), prediction=(0,))
    assert Filters().narrow("B", names) == Filters(label=(2,))


@pytest.mark.parametrize("words", ["horse", "cat as horse", "", " as "])
def test_words_that_name_no_class_say_what_can_be_typed(words: str) -> None:
    with pytest.raises(ValueError, match="“cat as two words”"):
        Filters().narrow(words, NAMES)
