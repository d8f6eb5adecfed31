"""The state of a page and its address say the same."""

from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.app import state as state_file
from mcviz.app.address import RunLimits, address_fields
from mcviz.app.filters import ColumnFilter, Filters
from mcviz.app.state import (
    COVERAGES,
    HIGHEST_SEED,
    ORDERS,
    PAGE_SIZES,
    PINS,
    PageState,
    latest_state,
    resolve_run,
    update_state,
)
from mcviz.measures import SCORES
from tests.app.test_filters import EXAMPLES, NAMES, filters_of_all_kinds

APP = Path(__file__).parents[2] / "mcviz" / "app"
TARGETS = 3
numbers = st.integers(0, EXAMPLES - 1)
lists = st.lists(numbers, unique=True, max_size=PINS).map(tuple)
names = st.sampled_from(["", "gallery", "two_classes", "tsne", "noise"])
counts = st.integers(1, 10**6)
classes = st.none() | st.integers(0, len(NAMES) - 1)
states = st.builds(
    PageState,
    run=st.text(max_size=8),
    example=st.none() | numbers,
    score=st.sampled_from(list(SCORES)),
    order=st.sampled_from(list(ORDERS)),
    filters=filters_of_all_kinds,
    flagged=lists,
    pinned=lists,
    page=counts,
    page_size=st.sampled_from(PAGE_SIZES),
    **dict.fromkeys(("view", "colour", "cells", "layout", "closer_look", "input", "noise", "distortion"), names),
    x=st.sampled_from(list(SCORES)),
    y=st.sampled_from(list(SCORES)),
    target=st.integers(0, TARGETS - 1),
    coverage=st.sampled_from(COVERAGES),
    first_class=classes,
    second_class=classes,
    seed=st.integers(0, HIGHEST_SEED),
    strength=st.floats(0, 1),
    amount=st.none() | st.floats(-180, 180),
    other_example=st.none() | numbers,
    values=st.dictionaries(numbers, st.floats(-3e38, 3e38), max_size=3).map(lambda each: tuple(each.items())),
    sweep=st.none() | counts,
    step=counts,
)


def read(query: dict[str, str]) -> PageState:
    return PageState.from_query(query, RunLimits(examples=EXAMPLES, classes=len(NAMES), targets=TARGETS))


@given(states)
def test_an_address_gives_back_the_state(state: PageState) -> None:
    assert read(state.to_query()) == state


@given(st.dictionaries(st.sampled_from([*PageState.__dataclass_fields__, "range", "lasso", "label"]), st.text()))
def test_any_address_gives_a_state_that_can_be_used(query: dict[str, str]) -> None:
    state = read(query)
    assert read(state.to_query()) == state
    assert read(state.to_query()).ignored == ()
    assert state.example is None or 0 <= state.example < EXAMPLES
    assert state.page >= 1


@pytest.mark.parametrize(
    ("key", "bad", "good"),
    [
        ("score", "certainty", "margin"),
        ("score", "certainty", "max_probability"),
        ("page", "0", "1"),
        ("step", "-1", "3"),
        ("true", "4", ""),
        ("pinned", "0,1,2,3,4", "0,1,2,3"),
        ("flagged", f"1,{EXAMPLES}", "1"),
        ("label", "99", "1"),
        ("correct", "maybe", "all"),
        ("strength", "2", "0.50"),
        ("range", "margin:0:1~nothing:0:1", "margin:0:1"),
        ("lasso", "margin:margin:1,2", "margin:margin:0,0,1,0,1,1"),
        ("area", "pca:0,0,1,0,1,1", ""),
        ("utm_source", "", "a letter"),
    ],
)
def test_what_an_address_says_for_nothing_is_told(key: str, bad: str, good: str) -> None:
    assert read({key: bad}).ignored == ((f"{key}={bad}",) if bad else ())
    assert read({key: good}).ignored == ()


def test_no_two_fields_have_one_key_and_no_text_is_the_default() -> None:
    keys = [each.key for of in (Filters, PageState) for each in address_fields(of)]
    assert len(set(keys)) == len(keys)
    assert PageState.from_query({}) == PageState.from_query(dict.fromkeys(keys, "")) == PageState()
    assert PageState.from_query(dict.fromkeys(keys, "")).ignored == ()


def test_in_another_run_there_are_other_examples() -> None:
    address = {"example": "1", "flagged": "1", "pinned": "1", "ticked": "1", "other_example": "1", "values": "1:2"}
    of_a_run = {"selected": "1", "area": "pca:0,0,1,0,1,1"}
    state = PageState.from_query({**address, **of_a_run, "label": "1", "score": "margin"}, RunLimits(layouts=["pca"]))
    assert len(state.to_query()) == len(address) + len(of_a_run) + 2
    assert state.without_all("examples").to_query() == {"label": "1", "score": "margin"}


def test_what_is_as_it_is_by_itself_is_not_in_the_address() -> None:
    assert PageState().to_query() == {}
    assert PageState().link(example=0, strength=0.5) == {"example": "0", "strength": "0.5"}


def test_a_link_carries_the_whole_state_along() -> None:
    state = PageState(run="a", flagged=(1, 2), filters=Filters(correct="wrong"), page=3)
    assert read(state.link(example=4)) == state.replace(example=4)
    assert state.replace(example=4).page == 3


@pytest.mark.parametrize("change", [{"score": "margin"}, {"filters": Filters(label=(1,))}, {"page_size": 48}])
def test_other_examples_are_listed_from_their_first_page_on(change: dict[str, object]) -> None:
    assert PageState(page=3).replace(**change).page == 1


def test_without_labels_nothing_is_filtered_by_them() -> None:
    query = Filters(label=(1,), correct="wrong", prediction=(2,)).with_range("margin", -inf, 0.5).to_query()
    state = PageState.from_query(query, RunLimits(examples=EXAMPLES, classes=len(NAMES), labels=False))
    assert state.filters == Filters(prediction=(2,)).with_range("margin", -inf, 0.5)


def test_an_example_that_is_not_there_is_remembered_as_it_was_written() -> None:
    assert read({"example": str(EXAMPLES)}).unknown_example == str(EXAMPLES)
    assert read({"example": "3"}).unknown_example == ""


class Address(dict[str, str]):
    """The address of a page, as Streamlit gives it."""

    def from_dict(self, query: dict[str, str]) -> None:
        self.clear()
        self.update(query)

    to_dict = dict.copy


@pytest.mark.parametrize(
    ("address", "runs", "settled", "missing"),
    [
        ({"score": "margin"}, ["a"], {"score": "margin"}, ""),
        ({"run": "a"}, ["a"], {"run": "a"}, ""),
        ({}, ["a", "b"], {"run": "a"}, ""),
        ({"run": "b", "example": "1"}, ["a", "b"], {"run": "b", "example": "1"}, ""),
        ({"run": "c", "example": "1", "score": "margin"}, ["a", "b"], {"run": "a", "score": "margin"}, "c"),
        ({"run": "c", "selected": "1", "correct": "wrong"}, ["a"], {"correct": "wrong"}, "c"),
        ({"run": "c"}, [], {"run": "c"}, ""),
    ],
)
def test_the_address_names_a_run_that_is_there(
    address: dict[str, str],
    runs: list[str],
    settled: dict[str, str],
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = Address(address)
    kept: dict[str, object] = {}
    monkeypatch.setattr(state_file.st, "query_params", now)
    monkeypatch.setattr(state_file, "session_store", lambda: kept)
    assert resolve_run(runs) == missing
    assert now == settled


def test_two_filters_that_are_set_before_the_page_is_drawn_are_both_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_file.st, "query_params", Address())
    kept: dict[str, object] = {state_file.LATEST: PageState()}
    monkeypatch.setattr(state_file, "session_store", lambda: kept)
    monkeypatch.setattr(state_file, "mark_dirty", lambda *_: None)
    update_state(filters=lambda filters: filters.with_range("margin", 0.2, inf))
    update_state(filters=lambda filters: filters.with_range("max_probability", -inf, 0.9))
    update_state(label=(3,))
    assert latest_state().filters == Filters(
        label=(3,), ranges=(ColumnFilter("margin", low=0.2), ColumnFilter("max_probability", high=0.9))
    )


def test_the_address_is_read_and_written_in_one_file() -> None:
    reading = [path.name for path in APP.rglob("*.py") if "st.query_params" in path.read_text()]
    assert reading == ["state.py"]
