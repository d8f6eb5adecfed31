"""How each kind's examples look as bytes, in Label Studio, and what a run may hold of them."""

import numpy as np
import pandas as pd
import pytest

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
