"""How each kind's examples are given, look as bytes, text and array, and what a run may hold of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mcviz.data import DataSet
from mcviz.data.content import ImageContent, NumberContent, TextContent
from mcviz.errors import InvalidInputError
from mcviz.kinds import KINDS

BLOCKS = {
    "image": np.arange(24, dtype=np.uint8).reshape(2, 2, 6)[:, :, ::2],
    "text": pd.DataFrame({"text": ["é", "two words"]}),
    "row": pd.DataFrame({"b": [1.5, 2], "a": [3, 4]}, dtype=np.float32),
}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("image", [bytes([0, 2, 4, 6, 8, 10]), bytes([12, 14, 16, 18, 20, 22])]),
        ("text", ["é".encode(), b"two words"]),
        ("row", [np.float32([3, 1.5]).tobytes(), np.float32([4, 2]).tobytes()]),
    ],
)
def test_each_example_is_bytes_that_do_not_depend_on_the_order_of_columns(kind: str, expected: list[bytes]) -> None:
    assert [memoryview(each).tobytes() for each in KINDS[kind].content.encode(BLOCKS[kind])] == expected


def test_columns_are_shown_to_others_as_their_text_or_by_their_names() -> None:
    assert KINDS["text"].content.label_studio_value(BLOCKS["text"].iloc[1]) == "two words"
    assert KINDS["row"].content.label_studio_value(BLOCKS["row"].iloc[0]) == {"b": 1.5, "a": 3}


@pytest.mark.parametrize(
    ("kind", "values", "problem"),
    [("text", [1, 2], "lacks texts"), ("row", ["a", "b"], "texts in place of"), ("row", [1, np.inf], "lacks numbers")],
)
def test_columns_of_another_kind_are_refused(kind: str, values: list[object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        KINDS[kind].content.check(pd.DataFrame({"x": values}))


GIVEN = {
    "image": ("images", np.zeros((2, 3, 4, 1), np.uint8)),
    "text": ("texts", np.array(["é", "two words"], object)),
    "row": ("rows", BLOCKS["row"]),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_a_data_set_gives_back_the_content_that_an_argument_gave(kind: str) -> None:
    argument, values = GIVEN[kind]
    examples = DataSet(**{argument: values}, labels=np.array([0, 1]))
    for held in (examples, replace(examples, labels=None), DataSet(held=KINDS[kind].content(values))):
        assert [name for name, _ in GIVEN.values() if getattr(held, name) is not None] == [argument]
        assert getattr(held, argument) is values
        assert len(held) == 2
    assert getattr(replace(examples, **{argument: values[:1]}), argument).shape[0] == 1
    assert {type(held.held) for held in (DataSet(), DataSet(None, labels=np.array([0])))} == {KINDS["none"].content}
    other = {"images": GIVEN["image"][1]} if kind != "image" else {"rows": BLOCKS["row"]}
    with pytest.raises(InvalidInputError, match=rf"of one kind. Received: .*\b{argument}\b"):
        replace(examples, **other)


def test_a_content_gives_the_array_for_a_model_the_last_axis_and_the_text() -> None:
    image, text, row = (KINDS[kind].content(values) for kind, (_, values) in GIVEN.items())
    assert (image.width, text.width, row.width) == (1, None, 2)
    assert (image.text(1), text.text(1), row.text(1)) == ("", "two words", "")
    assert image.to_array() is None
    assert text.to_array().tolist() == ["é", "two words"]
    assert row.to_array().tolist() == [[1.5, 3], [2, 4]]
    assert TextContent.from_columns(text.columns).to_array().tolist() == text.to_array().tolist()
    assert NumberContent.from_columns(row.columns.iloc[[1]]).columns.index.tolist() == [0]
    assert ImageContent(None).map(len).values is None
