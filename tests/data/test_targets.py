"""What a regression predicts is read as numbers from all that classes are read from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mcviz.data import ColumnNames, DataSet, as_data_set, read_data, read_labels, read_table
from mcviz.errors import InvalidInputError
from tests.data.test_texts_and_rows import TABLES
from tests.factories import encode_idx, write_npz, write_png, write_saved_dataset, write_table

IMAGES = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)
PRICES = [1.5, -2.0, 1e6]
WIDTHS = [1, 2, 3]
TWO = np.column_stack([PRICES, WIDTHS])
FRAME = pd.DataFrame({"id": list("abc"), "x": [0.1, 0.2, 0.3], "price": PRICES, "width": WIDTHS})


def check(read: DataSet, values: Any, names: tuple[str, ...]) -> None:
    assert read.labels is not None
    assert (read.labels.dtype, read.labels.shape) == (np.float32, (3, len(names)))
    np.testing.assert_array_equal(read.labels, np.asarray(values, np.float32).reshape(3, -1))
    assert (read.target_names, read.class_names) == (names, None)


@pytest.mark.parametrize("suffix", TABLES)
def test_targets_are_named_by_their_columns(tmp_path, suffix):
    path = write_table(FRAME, tmp_path / f"t{suffix}")
    for columns, values, names, others in (
        (ColumnNames(label="price"), PRICES, ("price",), ["x", "width"]),
        (ColumnNames(targets=("price",)), PRICES, ("price",), ["x", "width"]),
        (ColumnNames(targets=("width", "price")), TWO[:, ::-1], ("width", "price"), ["x"]),
    ):
        read = read_data(path, columns=columns, task="regression")
        check(read, values, names)
        assert list(read.rows) == others
        labels = read_labels(path, columns=columns, task="regression")
        check(labels, values, names)
        assert (list(labels.columns), labels.ids) == (others, ("a", "b", "c"))
        check(read.take(np.arange(3)).with_labels_of(labels), values, names)


def test_a_usual_column_of_labels_is_the_target(tmp_path):
    read = read_data(write_table(FRAME.rename(columns={"price": "target"}), tmp_path / "t.csv"), task="regression")
    check(read, PRICES, ("target",))


HELD: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    "numbers": (lambda _: (IMAGES, PRICES), ("target",)),
    "a column of numbers": (lambda _: (IMAGES, np.array(PRICES)[:, None]), ("target",)),
    "two columns": (lambda _: (IMAGES, TWO), ("target_0", "target_1")),
    "a column of pandas": (lambda _: (IMAGES, FRAME["price"]), ("price",)),
    "a table of pandas": (lambda _: (FRAME[["x"]], FRAME[["price", "width"]]), ("price", "width")),
    "nullable numbers": (lambda _: (IMAGES, pd.Series(PRICES, dtype="Float64")), ("target",)),
    "a table": (lambda _: FRAME[["id", "x", "price"]].rename(columns={"price": "y"}), ("y",)),
    "a DataSet": (lambda _: DataSet(IMAGES, np.array(PRICES)), ("target",)),
    "a DataSet that was read": (lambda _: DataSet(IMAGES).with_targets(TWO, ("a", "b")), ("a", "b")),
    "npz": (lambda f: write_npz(f / "data.npz", x=IMAGES, y=PRICES), ("target",)),
    "npz of rows": (lambda f: write_npz(f / "data.npz", x=IMAGES.reshape(3, -1), y=TWO), ("target_0", "target_1")),
    "npy": (lambda f: (np.save(f / "x.npy", IMAGES), np.save(f / "y.npy", PRICES), f / "x.npy")[-1], ("target",)),
}


@pytest.mark.parametrize("how", HELD)
def test_targets_of_all_that_people_hold(tmp_path, how):
    make, names = HELD[how]
    check(as_data_set(make(tmp_path), "regression"), TWO if len(names) == 2 else PRICES, names)


def test_folders_that_are_numbered_and_idx_give_their_numbers(tmp_path):
    for name in ("7.5", "-1", "30"):
        write_png(tmp_path / "folders" / name / "1.png", IMAGES[0])
    check(read_data(tmp_path / "folders", task="regression"), [-1, 30, 7.5], ("target",))
    (tmp_path / "folders" / "-1").rename(tmp_path / "folders" / "bee")
    with pytest.raises(InvalidInputError, match=r"numbers, which a regression predicts.*'bee'"):
        read_data(tmp_path / "folders", task="regression")
    (tmp_path / "a-images-idx3-ubyte").write_bytes(encode_idx(IMAGES))
    (tmp_path / "a-labels-idx1-ubyte").write_bytes(encode_idx(np.array([7, 0, 255], np.uint8)))
    check(read_data(tmp_path / "a-images-idx3-ubyte", task="regression"), [7, 0, 255], ("target",))


def test_a_saved_data_set_has_targets_too(tmp_path):
    folder = write_saved_dataset(tmp_path / "hf", {"text": list("abc"), "label": PRICES})
    read = read_data(folder, task="regression")
    check(read, PRICES, ("label",))
    assert read.kind == "text"


WRONG: dict[str, tuple[Any, str]] = {
    "texts": (["red", "1", "2"], "numbers, which a regression predicts. Received: "),
    "dates": (np.array(["2020-01-01"] * 3, "M8[D]"), "numbers, which a regression predicts"),
    "none known": ([None, np.nan, ""], "No label of labels is known"),
    "infinite": ([[1, 2], [1, np.inf], [1, 2]], "1 of 3 labels are .* the first in row 1, counted from 0"),
    "beyond float32": ([1, 1e39, 2], "1 of 3 labels are .* the first in row 1"),
    "too few": ([1.0, 2.0], r"3 numbers, or rows of numbers, one an example. Received: shape \(2, 1\)"),
    "three axes": (np.ones((3, 2, 2)), r"Received: shape \(3, 2, 2\)"),
    "no column": (np.ones((3, 0)), r"Received: shape \(3, 0\)"),
    "lists of several lengths": ([[1], [1, 2], [1]], "one array"),
    "two columns of one name": (pd.DataFrame(TWO, columns=["a", "a"]), "2 different names. Received: a, a"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_target_is_told_in_one_line(name):
    values, message = WRONG[name]
    with pytest.raises(InvalidInputError, match=message) as caught:
        as_data_set((IMAGES, values), "regression")
    assert "\n" not in str(caught.value)


def test_classes_stay_classes_and_are_not_mixed_with_targets():
    with pytest.raises(InvalidInputError, match="class indices, texts or one-hot rows"):
        as_data_set((IMAGES, PRICES))
    regression = as_data_set((IMAGES, WIDTHS), "regression")
    with pytest.raises(InvalidInputError, match=r"of classes\. Received: what a regression predicts"):
        as_data_set(regression)
    with pytest.raises(InvalidInputError, match="a regression has no classes"):
        regression.with_class_names(["a", "b", "c"])
    again = regression.with_labels([0, 1, 1])
    assert (again.labels.dtype, again.target_names) == (np.int64, None)
    with pytest.raises(InvalidInputError, match="classes are in one column of labels, and price, width are named"):
        read_table(FRAME, columns=ColumnNames(targets=("price", "width")))
