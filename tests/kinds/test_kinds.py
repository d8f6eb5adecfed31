"""What holds for every kind of examples, and what it takes to add one."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcviz.data import ColumnNames, DataSet, as_data_set, read_data
from mcviz.data.content import Content, ImageContent, NumberContent, TextContent
from mcviz.kinds import KINDS, Row, find_kind
from tests.cases import one_in

MAKE: dict[str, Callable[[list[int]], Content]] = {  # the content of examples that are numbered
    "image": lambda numbers: ImageContent(
        np.array(numbers, np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 1), np.uint8)
    ),
    "text": lambda numbers: TextContent(np.array([f"text {n}" for n in numbers], object)),
    "row": lambda numbers: NumberContent(pd.DataFrame({"a": numbers, "b": [-n for n in numbers]}, dtype=np.float32)),
    "none": lambda _: Content(),
}
NUMBERS = st.lists(st.integers(0, 255), min_size=1, max_size=20, unique=True)


def data_set(kind: str, numbers: list[int]) -> DataSet:
    """Examples whose every part says their number."""
    return DataSet(
        held=MAKE[kind](numbers),
        labels=np.array(numbers),
        ids=tuple(f"id {n}" for n in numbers),
        columns=pd.DataFrame({"own": numbers}),
    )


def check_numbers(examples: DataSet, kind: str, numbers: list[int]) -> None:
    assert (find_kind(examples).name, len(examples)) == (kind, len(numbers))
    expected, held = MAKE[kind](numbers), examples.held
    assert type(held) is type(expected)
    if isinstance(expected.values, pd.DataFrame):
        pd.testing.assert_frame_equal(held.values, expected.values)
    else:
        assert getattr(held.values, "dtype", None) == getattr(expected.values, "dtype", None)
        np.testing.assert_array_equal(held.values, expected.values)
    assert examples.labels is not None
    assert examples.labels.ravel().tolist() == numbers
    assert examples.ids == tuple(f"id {n}" for n in numbers)
    assert examples.columns is not None
    assert examples.columns["own"].tolist() == numbers


def test_every_kind_or_one_that_it_derives_from_is_tried_here():
    assert all(isinstance(kind, tuple(type(KINDS[name]) for name in MAKE)) for kind in KINDS.values())


@pytest.mark.parametrize("kind", one_in(4, MAKE))
@given(numbers=NUMBERS, data=st.data())
@settings(max_examples=50)
def test_all_parts_of_an_example_stay_together(kind, numbers, data):
    examples = data_set(kind, numbers)
    check_numbers(examples, kind, numbers)
    check_numbers(as_data_set(examples), kind, numbers)
    check_numbers(as_data_set(replace(examples, labels=examples.labels[:, None] * 1.0), "regression"), kind, numbers)
    order = data.draw(st.permutations(numbers))
    check_numbers(examples.in_order_of([f"id {n}" for n in order]), kind, order)
    places = data.draw(st.lists(st.integers(0, len(numbers) - 1), unique=True))
    check_numbers(examples.take(np.array(places, int)), kind, [numbers[place] for place in places])
    others = DataSet(None).with_labels(np.array(order)).with_ids([f"id {n}" for n in order])
    unlabelled = replace(examples, labels=None)
    check_numbers(unlabelled.with_labels_of(others.with_columns(pd.DataFrame({"own": order}))), kind, numbers)
    check_numbers(unlabelled.with_labels_of(others), kind, numbers)  # which has no columns, so that its own stay


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.mark.parametrize("suffix", one_in(3, [".csv", ".parquet", ".jsonl"]))
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30), min_size=1, max_size=8
    )
)
def test_texts_that_were_written_are_read(folder, suffix, texts):
    path = folder / f"texts{suffix}"
    write(pd.DataFrame({"text": texts, "label": "a"}), path)
    assert read_data(path, columns=ColumnNames(text="text")).texts.tolist() == texts


@pytest.mark.parametrize("suffix", one_in(3, [".csv", ".parquet", ".jsonl"]))
@given(
    rows=st.lists(
        st.tuples(
            st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(-(2**24), 2**24), st.booleans()
        ),
        min_size=1,
        max_size=8,
    )
)
def test_numbers_that_were_written_are_read(folder, suffix, rows):
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    path = folder / f"rows{suffix}"
    write(frame, path)
    pd.testing.assert_frame_equal(read_data(path).rows, frame.astype(np.float32), rtol=1e-6)


def write(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        path.write_text(
            "".join(f"{row.to_json(force_ascii=False, double_precision=15)}\n" for _, row in frame.iterrows())
        )


class Series(Row):
    """Rows whose columns are steps of time."""

    name = "steps"

    def holds(self, examples: DataSet) -> bool:
        return examples.rows is not None and all(name.startswith("t") for name in examples.rows)


@pytest.fixture
def series() -> Iterator[None]:
    """The kind of series, in front of the rows that they are as well."""
    kinds = dict(KINDS)
    KINDS.clear()
    KINDS.update({Series.name: Series(), **kinds})
    yield
    KINDS.clear()
    KINDS.update(kinds)


@pytest.mark.usefixtures("series")
def test_a_new_kind_is_a_class_and_an_entry(tmp_path):
    path = tmp_path / "t.csv"
    pd.DataFrame({"t0": [1, 2], "t1": [3, 4], "label": [0, 1]}).to_csv(path, index=False)
    assert read_data(path).kind == "steps"
    pd.DataFrame({"age": [1, 2], "t1": [3, 4], "label": [0, 1]}).to_csv(path, index=False)
    assert read_data(path).kind == "row"
