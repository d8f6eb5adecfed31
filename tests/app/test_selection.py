"""A selection means the same for every view, and survives being an address."""

from dataclasses import replace
from math import inf

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.app.selection import ANSWERS, Outline, Selection
from mcviz.measures import SCORES

NAMES = ("cat", "dog", "owl", "two words")
IMAGES = 60

classes = st.lists(st.integers(0, len(NAMES) - 1), unique=True, max_size=3).map(tuple)
numbers = st.floats(0, 3).map(lambda value: float(f"{value:.5g}"))
ranges = st.dictionaries(
    st.sampled_from(list(SCORES)),
    st.tuples(st.just(-inf) | st.floats(0, 3), st.just(inf) | st.floats(0, 3)).filter(lambda ends: ends != (-inf, inf)),
    max_size=3,
).map(lambda found: tuple((name, min(ends), max(ends)) for name, ends in found.items()))
outlines = st.builds(
    Outline,
    st.sampled_from(list(SCORES)),
    st.sampled_from(list(SCORES)),
    st.lists(st.tuples(numbers, numbers), min_size=3, max_size=9).map(tuple),
)
selections = st.builds(
    Selection,
    true=classes,
    said=classes,
    answers=st.sampled_from(ANSWERS),
    disagree=st.booleans(),
    ranges=ranges,
    outline=st.none() | outlines,
    picked=st.lists(st.integers(0, IMAGES - 1), unique=True, max_size=5).map(tuple),
)


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    table = pd.DataFrame({name: generator.random(IMAGES).astype(np.float32) for name in SCORES})
    table["variation_ratio"] = generator.choice([0, 0.25, 0.5], IMAGES)
    table["label"] = pd.array(generator.integers(0, 4, IMAGES), dtype="Int64")
    table["prediction"] = generator.integers(0, 4, IMAGES)
    table["correct"] = (table["label"] == table["prediction"]).astype("boolean")
    return table


@given(selections)
def test_an_address_gives_back_the_selection(selection: Selection) -> None:
    assert Selection.from_query(selection.to_query(), len(NAMES), IMAGES) == selection


@given(st.sampled_from(list(SCORES)), st.lists(st.floats(0, 3, width=32), min_size=2, max_size=20))
def test_an_address_loses_no_image_at_an_end_of_a_range(name: str, values: list[float]) -> None:
    table = pd.DataFrame({name: np.array(values, dtype=np.float32)})
    low, high = sorted(values[:2])
    assert Selection().with_range(name, low, high).mask(table)[:2].all()
    for ends in ((low, high), (low, inf), (-inf, high)):
        selection = Selection().with_range(name, *ends)
        again = Selection.from_query(selection.to_query(), len(NAMES), IMAGES)
        assert (again.mask(table) == selection.mask(table)).all()


def test_an_end_that_is_open_is_not_written_and_a_chip_says_so() -> None:
    most = Selection().with_range("max_probability", -inf, 0.5)
    assert most.to_query() == {"range": "max_probability::0.5"}
    assert most.chips(NAMES) == [("Max probability up to 50.0%", Selection())]
    least = Selection().with_range("max_probability", 0.25, inf)
    assert least.to_query() == {"range": "max_probability:0.25:"}
    assert least.chips(NAMES) == [("Max probability from 25.0%", Selection())]
    assert most.with_range("max_probability", -inf, inf) == Selection()


@given(
    st.dictionaries(st.sampled_from(["true", "said", "answers", "disagree", "range", "outline", "picked"]), st.text())
)
def test_any_address_gives_a_selection_that_can_be_used(query: dict[str, str]) -> None:
    selection = Selection.from_query(query, len(NAMES), IMAGES)
    assert Selection.from_query(selection.to_query(), len(NAMES), IMAGES) == selection
    selection.chips(NAMES)


@given(selections)
def test_filters_hold_together_as_one_by_one(selection: Selection) -> None:
    table = pd.DataFrame({name: np.linspace(0, 1, IMAGES) for name in SCORES})
    table["label"] = pd.array(np.arange(IMAGES) % 4, dtype="Int64")
    table["prediction"] = np.arange(IMAGES) % 3
    table["correct"] = (table["label"] == table["prediction"]).astype("boolean")
    mask = np.ones(IMAGES, dtype=bool)
    for field in ("true", "said", "answers", "disagree", "outline", "picked"):
        mask &= replace(Selection(), **{field: getattr(selection, field)}).mask(table)
    for kept in selection.ranges:
        mask &= Selection(ranges=(kept,)).mask(table)
    assert (selection.mask(table) == mask).all()


@given(selections)
def test_clearing_every_chip_selects_everything(selection: Selection) -> None:
    for _ in range(len(selection.chips(NAMES))):
        selection = selection.chips(NAMES)[0][1]
    assert selection == Selection()


def test_each_filter_keeps_what_a_plain_loop_keeps(scores: pd.DataFrame) -> None:
    kept = Selection(true=(1, 2), said=(0,), answers="wrong", disagree=True).with_range("margin", 0.2, 0.8).mask(scores)
    for i, row in scores.iterrows():
        expected = (
            row["label"] in (1, 2)
            and row["prediction"] == 0
            and not row["correct"]
            and row["variation_ratio"] > 0
            and 0.2 <= row["margin"] <= 0.8
        )
        assert kept[i] == expected


def test_images_without_labels_are_neither_right_nor_wrong(scores: pd.DataFrame) -> None:
    unlabelled = scores.assign(
        label=pd.array([pd.NA] * IMAGES, dtype="Int64"), correct=pd.array([pd.NA] * IMAGES, dtype="boolean")
    )
    for selection in (Selection(answers="right"), Selection(answers="wrong"), Selection(true=(0,))):
        assert not selection.mask(unlabelled).any()


def test_an_outline_keeps_what_lies_inside_a_triangle(scores: pd.DataFrame) -> None:
    triangle = Outline("margin", "max_probability", ((0, 0), (1, 0), (0, 1)))
    inside = scores["margin"] + scores["max_probability"] < 1
    assert (triangle.contains(scores) == inside.to_numpy()).all()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cat as dog", Selection(true=(0,), said=(1,))),
        ("  OWL as two words ", Selection(true=(2,), said=(3,))),
        ("cat AS Dog", Selection(true=(0,), said=(1,))),
        ("as dog", Selection(said=(1,))),
        ("dog", Selection(true=(1,))),
        ("wrong", Selection(answers="wrong")),
    ],
)
def test_typed_words_become_filters(words: str, expected: Selection) -> None:
    assert Selection().narrowed_by(words, NAMES) == expected


@pytest.mark.parametrize("words", ["horse", "cat as horse", "", " as "])
def test_words_that_name_no_class_say_what_can_be_typed(words: str) -> None:
    with pytest.raises(ValueError, match="as 5"):
        Selection().narrowed_by(words, NAMES)
