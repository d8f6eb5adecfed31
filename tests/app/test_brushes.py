"""A brush on a histogram is a filter like any other, and histograms count what the others leave."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz import Run
from mcviz.app.address import RunLimits
from mcviz.app.filters import ColumnFilter, Filters
from mcviz.app.state import PageState
from mcviz.app.views.rail import BINS, BrushColumn, brush_column, brush_labels, cut
from tests.app.opening import opened_page
from tests.app.probing import widget

NUMBERS = st.lists(
    st.floats(-1e6, 1e6, allow_subnormal=False) | st.just(float("nan")) | st.integers(-3, 3).map(float),
    min_size=1, max_size=60,
)  # fmt: skip


@given(NUMBERS)
def test_every_number_lies_between_the_ends_of_its_bin_and_there_are_not_too_many(numbers: list[float]) -> None:
    values = np.array(numbers)
    edges, members = cut(values)
    edges, finite = np.array(edges), np.isfinite(values)
    assert (np.diff(edges) > 0).all()
    assert len(edges) - 1 <= BINS + 1
    assert (members[~finite] == -1).all()
    bins = members[finite]
    slack = 1e-9 * np.abs(edges).max()
    assert (edges[bins] - slack <= values[finite]).all()
    assert (values[finite] <= edges[bins + 1] + slack).all()


@given(NUMBERS, st.data())
def test_the_range_of_some_bins_lets_all_of_them_through_and_lies_where_they_lie(
    numbers: list[float], data: st.DataObject
) -> None:
    values = np.array(numbers)
    edges, members = cut(values)
    column = BrushColumn("", "ranges", "margin", ("",) * (len(edges) - 1), members, edges=edges)
    last = data.draw(st.integers(0, len(edges) - 2))
    first = data.draw(st.integers(0, last))
    filters = column.put(Filters(), first, last)
    on = filters.on_column("margin", "ranges")
    within = (members >= first) & (members <= last)
    slack = 1e-9 * np.abs(edges).max()
    assert ((values >= on.low - slack) & (values <= on.high + slack))[within].all()
    if filters == Filters():
        assert (first, last) == (0, len(edges) - 2)
    else:
        assert column.places(filters)[0] == pytest.approx((first, last + 1))
    assert column.without(filters) == Filters()


def opened(run: str = "", **query: str) -> AppTest:
    return opened_page("uncertain", {**query, **({"run": run} if run else {})})


def histograms(app: AppTest) -> dict[str, dict[str, Any]]:
    sent = [json.loads(each.proto.json) for each in app.get("bidi_component") if each.proto.json]
    return {each["label"]: each for each in sent if "bins" in each}


@pytest.mark.parametrize("values", [[-1e308, 1.7e308], [1e15, 1e15 + 1, 1e15 + 3], [1e-300, 2e-300, 4e-300]])
def test_numbers_at_the_ends_of_what_there_is_are_cut_as_others_are(values: list[float]) -> None:
    edges, members = cut(np.array(values))
    assert np.isfinite(edges).all()
    assert (np.diff(edges) >= 0).all()
    assert len(set(members.tolist())) > 1


def test_each_histogram_counts_what_the_brushes_of_the_others_leave(run: Run) -> None:
    filters = Filters(correct="wrong").with_range("max_probability", 0.4, 0.6)
    found = histograms(opened(brushes="mutual_information~label", **filters.to_query()))
    assert list(found) == ["Confidence", "Mutual information (BALD)", "Label"]
    scores = run.scores()
    wrong = ~scores["correct"].astype(bool)
    in_range = scores["max_probability"].between(0.4, 0.6)
    own, other, label = (pd.DataFrame(each["bins"]) for each in found.values())
    assert own["all"].sum() == other["all"].sum() == len(scores)
    assert own["left"].sum() == own["wrong"].sum() == wrong.sum(), "its own brush hides nothing"
    assert other["left"].sum() == (wrong & in_range).sum()
    assert label["left"].tolist() == [(wrong & in_range & (scores["label"] == c)).sum() for c in range(10)]
    edges = [each["name"].split(" to ")[0] for each in found["Confidence"]["bins"]]
    chosen = [edges[round(place)] for place in found["Confidence"]["places"][0]]
    assert chosen == ["40.0%", "60.0%"]


def test_a_brush_on_each_column_is_a_filter_that_keeps_its_bins(run: Run) -> None:
    for name in brush_labels(run):
        column, table = brush_column(run, name), run.table()
        first, last = len(column.names) // 3, len(column.names) // 2
        filters = column.put(Filters(), first, last)
        kept = filters.mask(table)
        assert kept[(column.members >= first) & (column.members <= last)].all()
        assert kept.sum() >= ((column.members >= first) & (column.members <= last)).sum()
        assert column.places(filters)[0] == pytest.approx((first, last + 1))
        assert column.put(filters, 0, len(column.names) - 1) == column.without(filters) == Filters()
        assert len(filters.chips(run.class_names, mcviz.SCORES)) == 1


def test_columns_of_the_users_own_are_brushed_by_ranges_and_by_values(
    kinds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(kinds))
    found = mcviz.open_run(kinds / "columns")
    assert {"source", "age"} <= set(brush_labels(found))
    assert "*note*" not in brush_labels(found)
    age = brush_column(found, "age").put(Filters(), 1, 3).columns[0]
    assert (age.name, age.values) == ("age", ())
    assert age.low < age.high
    source = brush_column(found, "source")
    chosen = source.put(Filters(), 0, 1)
    assert chosen.columns == (ColumnFilter("source", source.names[:2]),)
    shown = histograms(opened("columns", brushes="source~age", **chosen.to_query()))
    assert shown["source"]["places"] == [[0.0, 2.0]]
    assert sum(each["left"] for each in shown["age"]["bins"]) == chosen.mask(found.table()).sum()


@pytest.mark.parametrize("name", ["a~b", "50%", "x:y", "margin"])
def test_an_address_names_the_columns_that_were_added(name: str) -> None:
    state = PageState(brushes=(name, "label"))
    query = state.to_query()
    assert PageState.from_query(query, RunLimits(columns=[name])) == state
    gone = PageState.from_query({"brushes": f"{query['brushes']}~gone"}, RunLimits(columns=[name]))
    assert gone.brushes == (name, "label")


def test_a_column_is_added_and_the_address_says_so() -> None:
    app = opened()
    widget(app.selectbox, "histogram").select("margin").run()
    assert list(histograms(app)) == ["Confidence", "Margin"]
    widget(app.selectbox, "histogram").select("prediction").run()
    assert app.query_params["brushes"] == "margin~prediction"
    assert not [each for each in app.selectbox if each.label == "Add a histogram of"], "there is room for two"
