"""Texts and rows come in from all that people keep them in, as the same data set; what is wrong in them is told."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mcviz.data import ColumnNames, DataSet, as_data_set, as_examples, read_data, read_labels, read_table
from mcviz.errors import DataNotFoundError, InvalidInputError
from tests.factories import write_file, write_saved_dataset, write_table

TEXTS = ["good film", "“Größe”, said\nhe", "None", "NA", " two  spaces ", "7", "好 片"]
LABELS = [0, 1, 1, 0, 2, 2, 1]
NAMES = ("bad", "good", "so, so")
NUMBERS = pd.DataFrame(
    {"age": [1, 2, 3, 4, 5, 6, 7], "b m": np.linspace(-1, 1, 7), "member": [True, False, True] * 2 + [True]}
)
FRAME = pd.DataFrame({"id": [f"00{n}" for n in range(7)], "label": LABELS, "source": list("aabbccd")})


def check_texts(read: DataSet, texts: list[str] = TEXTS) -> None:
    assert read.kind == "text"
    assert read.texts is not None
    assert (read.texts.dtype, read.texts.shape) == (object, (len(texts),))
    assert read.texts.tolist() == texts
    assert {type(text) for text in read.texts} == {str}
    assert (read.images, read.rows) == (None, None)
    assert read.content is not None
    assert read.content.to_dict("list") == {"text": texts}


def check_rows(read: DataSet, numbers: pd.DataFrame = NUMBERS) -> None:
    assert read.kind == "row"
    assert read.rows is not None
    pd.testing.assert_frame_equal(read.rows, numbers.astype(np.float32), check_column_type=False)
    assert (read.images, read.texts) == (None, None)
    assert read.content is read.rows


def check_known(read: DataSet) -> None:
    """Labels, ids and the user's own columns are those of FRAME."""
    assert read.labels is not None
    assert read.labels.tolist() == LABELS
    assert read.ids == tuple(FRAME["id"])
    assert read.columns is not None
    assert read.columns.to_dict("list") == {"source": list("aabbccd")}


TABLES = [".csv", ".tsv", ".parquet", ".jsonl", ".ndjson"]


@pytest.mark.parametrize(
    ("suffix", "column"), [*((suffix, "text") for suffix in TABLES), (".csv", "Review"), (".csv", "a name of its own")]
)
def test_a_table_of_texts(tmp_path, suffix, column):
    path = write_table(FRAME.assign(**{column: TEXTS}), tmp_path / f"t{suffix}")
    names = ColumnNames(text=column) if column.startswith("a name") else None
    read = read_data(path, columns=names)
    check_texts(read)
    check_known(read)


@pytest.mark.parametrize("suffix", TABLES)
def test_a_table_of_numbers(tmp_path, suffix):
    read = read_data(write_table(pd.concat([FRAME, NUMBERS], axis=1), tmp_path / f"t{suffix}"))
    check_rows(read)
    check_known(read)
    assert read.notes == ("Rows of 3 numeric columns: age, b m, member.",)


@pytest.mark.parametrize("suffix", TABLES)
def test_the_model_s_columns_are_those_that_are_named_in_their_order(tmp_path, suffix):
    path = write_table(pd.concat([FRAME, NUMBERS], axis=1), tmp_path / f"t{suffix}")
    read = read_data(path, columns=ColumnNames(features=("member", "age")))
    check_rows(read, NUMBERS[["member", "age"]])
    assert read.columns is not None
    assert list(read.columns) == ["source", "b m"]
    assert not read.notes


def test_a_named_column_goes_before_a_usual_one(tmp_path):
    """A table may have a path, a text and numbers; what is named is what an example is."""
    table = FRAME.assign(path="nowhere.png", text=TEXTS, target=0.5, **NUMBERS)
    check_texts(read_table(table, columns=ColumnNames(text="text")))
    check_rows(read_table(table, columns=ColumnNames(features=tuple(NUMBERS))))
    read = read_table(table, columns=ColumnNames(features=("target",)))
    check_rows(read, table[["target"]])
    assert read.labels is not None  # of the column label, since target is a number that the model takes


def test_a_column_of_numbers_is_no_text_and_no_picture_whatever_its_name():
    check_rows(
        read_table(pd.DataFrame({"content": [0.3, 0.4], "path": [1, 2]})),
        pd.DataFrame({"content": [0.3, 0.4], "path": [1, 2]}),
    )


def test_the_index_that_a_csv_was_written_with_is_no_number_for_the_model(tmp_path):
    pd.concat([FRAME, NUMBERS], axis=1).to_csv(tmp_path / "t.csv")
    check_rows(read_data(tmp_path / "t.csv"))


@pytest.mark.parametrize(
    "dtype", ["string", "category", pd.ArrowDtype(pa.string()), object], ids=["string", "category", "arrow", "object"]
)
def test_texts_of_every_dtype_of_pandas(dtype):
    check_texts(read_table(pd.DataFrame({"t": pd.Series(TEXTS, dtype=dtype)}), columns=ColumnNames(text="t")))


@pytest.mark.parametrize(
    "dtype", ["Int64", "Float32", "boolean", "uint8", "float16", "float64", pd.ArrowDtype(pa.int32())]
)
def test_numbers_of_every_dtype_of_pandas(dtype):
    numbers = pd.DataFrame({"a": pd.Series([0, 1, 1, 0], dtype=dtype), "b": [0.5, 1, 2, 3]})
    check_rows(read_table(numbers), numbers)


@pytest.mark.parametrize("column", ["file", "path", "image"])
@pytest.mark.parametrize("saved", [False, True])
def test_names_of_the_texts_files_are_no_pictures(tmp_path, column, saved):
    table = FRAME.assign(text=TEXTS, **{column: [f"{n}.txt" for n in range(7)]})
    folder = write_saved_dataset(tmp_path / "hf", table.to_dict("list"))
    read = read_data(folder) if saved else read_table(table)
    check_texts(read)
    assert read.columns is not None
    assert list(read.columns) == ["source", column]


def test_paths_of_pictures_are_pictures_also_beside_their_captions():
    table = pd.DataFrame({"path": ["nowhere.txt", "nowhere.PNG"], "text": ["a", "b"]})
    with pytest.raises(InvalidInputError, match="2 of 2 pictures cannot be read"):
        read_table(table)


def test_a_saved_data_set_s_paths_are_not_followed(tmp_path):
    folder = write_saved_dataset(tmp_path / "hf", {"image": ["/etc/passwd"], "label": [0]})
    assert read_data(folder).kind == "none"
    with pytest.raises(InvalidInputError, match="no column of pictures"):
        read_data(folder, columns=ColumnNames(picture="image"))


def test_an_own_column_that_is_called_text_stays_beside_the_texts():
    read = read_table(pd.DataFrame({"text": list("abcdefg"), "body": TEXTS}), columns=ColumnNames(text="body"))
    check_texts(read)
    assert read.columns is not None
    assert list(read.columns) == ["user_text"]


@pytest.mark.parametrize("index", [[398, 833, 17], list("xyz"), pd.date_range("2020-01-01", periods=3)])
def test_the_index_of_a_table_has_the_ids_unless_a_column_has(tmp_path, index):
    numbers = pd.DataFrame({"a": [1.0, 2, 3]}, index=pd.Index(index))
    numbers.to_parquet(tmp_path / "t.parquet")
    for read in (as_data_set(numbers), as_data_set((numbers, [0, 1, 1])), read_data(tmp_path / "t.parquet")):
        assert read.ids == tuple(map(str, index))
        check_rows(read, numbers.reset_index(drop=True))
    assert as_data_set(numbers.assign(id=list("pqr"))).ids == tuple("pqr")
    for without in (numbers.reset_index(drop=True), numbers.set_axis([7, 7, 8])):
        assert as_data_set(without).ids is None


def test_two_columns_of_one_name_are_told():
    with pytest.raises(InvalidInputError, match=r"two columns have the name a\. Rename one"):
        read_table(pd.DataFrame(np.ones((2, 3)), columns=["a", "b", "a"]))
    twice = pd.DataFrame(np.ones((2, 2)), columns=["a", "a"])
    with pytest.raises(InvalidInputError, match=r"columns of different names\. Received: a, a"):
        as_data_set(DataSet(None, rows=twice))


# Folders of texts


def write_texts(folder: Path, *, by_class: bool) -> None:
    for number, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True)):
        place = folder / NAMES[label] / "deep" if by_class else folder
        place.mkdir(parents=True, exist_ok=True)
        mark = "\ufeff" if number % 2 else ""
        (place / f"{number}.txt").write_bytes((mark + text).encode())


def test_a_folder_of_texts_has_no_labels(tmp_path):
    write_texts(tmp_path, by_class=False)
    done: list[tuple[int, int]] = []
    read = read_data(tmp_path, progress=lambda *so_far: done.append(so_far))
    check_texts(read)
    assert (read.labels, read.ids) == (None, tuple(f"{n}.txt" for n in range(7)))
    assert done == [(n, 7) for n in range(1, 8)]


def test_one_folder_of_texts_a_class(tmp_path):
    write_texts(tmp_path, by_class=True)
    read = read_data(tmp_path)
    order = [0, 3, 1, 2, 6, 4, 5]
    check_texts(read, [TEXTS[place] for place in order])
    assert (read.class_names, read.labels.tolist()) == (NAMES, sorted(LABELS))
    assert read.ids[-1] == str(Path("so, so", "deep", "5.txt"))


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "Latin-1": (lambda path: path.write_bytes("größe".encode("latin-1")), r"no UTF-8 \(byte 2\)"),
    "UTF-16": (lambda path: path.write_text("good", encoding="utf-16"), "no UTF-8"),
    "UTF-16 without a mark": (lambda path: path.write_text("good", encoding="utf-16-le"), "NUL characters"),
    "nothing": (lambda path: path.touch(), "it is empty"),
    "nothing but a mark": (lambda path: path.write_bytes(b"\xef\xbb\xbf"), "it is empty"),
    "too much": (lambda path: path.write_bytes(b"a" * (2**20 + 1)), "more than 1 MB"),
    "a link out": (lambda path: link(path, Path(__file__)), "a link out of the folder"),
    "a link up and out": (lambda path: link(path, Path("../../secret.txt")), "a link out of the folder"),
    "a link to nowhere": (lambda path: link(path, Path("nowhere")), "No such file"),
    "a link to itself": (lambda path: link(path, Path(path.name)), "[Ss]ymbolic link|[Ss]ymlink|link out"),
    "an endless device": (lambda path: link(path, Path("/dev/zero")), "a link out of the folder"),
    "a named pipe": (lambda path: os.mkfifo(path), "regular file. Received: a named pipe"),
    "a folder": (lambda path: path.mkdir(), "regular file. Received: a folder"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_text_is_named_and_counted_and_left_out_on_demand(tmp_path, name):
    (tmp_path / "secret.txt").write_text("what must not be read")
    folder = tmp_path / "texts"
    write_texts(folder, by_class=True)
    make, message = BROKEN[name]
    make(folder / "good" / "broken.txt")
    with pytest.raises(
        InvalidInputError, match=rf"1 of 8 texts cannot be read: good.broken\.txt: .*{message}.*--skip-broken"
    ) as caught:
        read_data(folder)
    assert "\n" not in str(caught.value)
    read = read_data(folder, skip_broken=True)
    check_texts(read, [TEXTS[place] for place in [0, 3, 1, 2, 6, 4, 5]])
    assert read.labels.tolist() == sorted(LABELS)
    assert "broken.txt" in read.notes[0]


def test_a_text_of_just_the_size_and_a_link_within_the_folder_are_read(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a" * 2**20)
    (tmp_path / "b.txt").symlink_to("a.txt")
    check_texts(read_data(tmp_path), ["a" * 2**20] * 2)


def test_a_link_to_a_folder_elsewhere_is_not_followed(tmp_path):
    write_texts(tmp_path / "elsewhere", by_class=False)
    write_texts(tmp_path / "texts", by_class=True)
    (tmp_path / "texts" / "zoo").symlink_to(tmp_path / "elsewhere")
    assert len(read_data(tmp_path / "texts", skip_broken=True)) == 7


# Arrays, and what people hold in Python


@pytest.mark.parametrize("name", ["x_test", "x", "X", "data", "features", "rows"])
def test_an_npz_of_rows_may_name_its_columns(tmp_path, name):
    labels = {"x_test": "y_test", "x": "y", "X": "y", "data": "target"}.get(name, "labels")
    values = NUMBERS.to_numpy(np.float64)
    np.savez(tmp_path / "r.npz", **{name: values, labels: LABELS})
    read = read_data(tmp_path / "r.npz")
    check_rows(read, NUMBERS.set_axis(["x0", "x1", "x2"], axis=1))
    assert read.labels.tolist() == LABELS
    for names in ("feature_names", "columns"):
        np.savez(tmp_path / "r.npz", **{name: values, names: np.array(NUMBERS.columns, str)})
        check_rows(read_data(tmp_path / "r.npz"))
    np.savez(tmp_path / "r.npz", **{name: values, "columns": np.array(["a", "a", "b"])})
    with pytest.raises(InvalidInputError, match=r"3 different names, one a column\. Received: 3, 2 of them different"):
        read_data(tmp_path / "r.npz")


def test_an_npy_of_rows_with_its_labels_beside(tmp_path):
    np.save(tmp_path / "x_test.npy", NUMBERS.to_numpy(np.float32))
    np.save(tmp_path / "y_test.npy", LABELS)
    read = read_data(tmp_path / "x_test.npy")
    check_rows(read, NUMBERS.set_axis(["x0", "x1", "x2"], axis=1))
    assert read.labels.tolist() == LABELS


def test_an_npz_of_texts(tmp_path):
    np.savez(tmp_path / "t.npz", texts=np.array(TEXTS), labels=np.array(NAMES)[LABELS])
    read = read_data(tmp_path / "t.npz")
    check_texts(read)
    assert (read.class_names, read.labels.tolist()) == (NAMES, LABELS)


@pytest.mark.parametrize("content", ["texts", "rows"])
def test_a_saved_hugging_face_data_set(tmp_path, content):
    columns = {"sentence": TEXTS} if content == "texts" else NUMBERS.to_dict("list")
    features = {"label": {"_type": "ClassLabel", "names": NAMES}}
    folder = write_saved_dataset(tmp_path / "hf", {**FRAME.to_dict("list"), **columns}, features)
    read = read_data(folder)
    (check_texts if content == "texts" else check_rows)(read)
    check_known(read)
    assert read.class_names == NAMES


HELD_TEXTS: dict[str, Callable[[], Any]] = {
    "list": lambda: TEXTS,
    "tuple": lambda: tuple(TEXTS),
    "array": lambda: np.array(TEXTS),
    "array of objects": lambda: np.array(TEXTS, object),
    "array of bytes": lambda: np.array([text.encode() for text in TEXTS], object),
    "column": lambda: pd.Series(TEXTS, name="t"),
    "table": lambda: pd.DataFrame({"text": TEXTS}),
    "DataSet": lambda: DataSet(None, texts=TEXTS),
}
HELD_ROWS: dict[str, Callable[[], Any]] = {
    "table": lambda: NUMBERS,
    "DataSet": lambda: DataSet(None, rows=NUMBERS),
}


@pytest.mark.parametrize("how", HELD_TEXTS)
@pytest.mark.parametrize("pair", [False, True])
def test_texts_that_are_held_in_python(how, pair):
    held = HELD_TEXTS[how]()
    if pair and how == "DataSet":
        held = DataSet(None, LABELS, texts=TEXTS)
    elif pair:
        held = (held, LABELS)
    read = as_data_set(held)
    check_texts(read)
    assert (None if read.labels is None else read.labels.tolist()) == (LABELS if pair else None)
    taken = as_examples(held)
    assert isinstance(taken, DataSet)
    check_texts(taken)


def test_what_a_model_is_asked_about_may_have_labels_of_any_task(tmp_path):
    table = NUMBERS.assign(label=np.linspace(0, 1, 7))
    path = write_table(table, tmp_path / "t.csv")
    for given in (table, path, (NUMBERS, table["label"]), as_data_set(table, "regression")):
        check_rows(as_examples(given, "regression"))
    check_rows(as_examples(as_data_set(table, "regression")))


@pytest.mark.parametrize("how", HELD_ROWS)
def test_rows_that_are_held_in_python(how):
    check_rows(as_data_set(HELD_ROWS[how]()))
    check_rows(as_examples(HELD_ROWS[how]()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, bool])
def test_an_array_of_two_axes_is_rows_for_a_run_and_stays_an_array_for_a_model(dtype):
    values = (np.arange(12).reshape(4, 3) % 5).astype(dtype)
    named = pd.DataFrame(values, columns=["x0", "x1", "x2"])
    read = as_data_set((values, [0, 1, 0, 1]))
    check_rows(read, named)
    assert read.labels.tolist() == [0, 1, 0, 1]
    assert as_examples(values) is values


# What is wrong

MISSING = "2 of 4 texts in {} are missing, the first in row 1, counted from 0.*Fill them in"
HOLES = [1.5, None, 2.0, np.inf]
WRONG_TABLES: dict[str, tuple[Callable[[Path], Any], ColumnNames | None, str]] = {
    "missing texts in a CSV": (
        lambda f: write_file(f / "t.csv", "text,label\na,0\n,1\n,0\nNA,1\n"),
        None,
        MISSING.format("text"),
    ),
    "missing texts in JSON lines": (
        lambda f: write_file(f / "t.jsonl", '{"text":"a"}\n{"text":null}\n{}\n{"text":""}\n'),
        None,
        MISSING.format("text"),
    ),
    "halves of surrogate pairs": (
        lambda f: write_file(f / "t.jsonl", '{"text":"a"}\n{"text":"\\ud800"}\n'),
        None,
        r"texts of Unicode. Received: '\\ud800' in row 1|cannot be read as a table",
    ),
    "numbers among texts": (
        lambda f: write_file(f / "t.jsonl", '{"t":"a"}\n{"t":7}\n'),
        ColumnNames(text="t"),
        "`t` should be texts of Unicode. Received: 7 in row 1",
    ),
    "no JSON": (lambda f: write_file(f / "t.jsonl", "text\n"), None, "cannot be read as a table"),
    "JSON that is nested deep": (
        lambda f: write_file(f / "t.jsonl", '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"),
        None,
        "cannot be read as a table",
    ),
    "no JSON at all": (lambda f: write_file(f / "t.jsonl", ""), None, "no rows|cannot be read as a table"),
    "missing numbers": (
        lambda f: write_table(pd.DataFrame({"a": 1.0, "b": HOLES, "y": 0}), f / "t.parquet"),
        None,
        "2 values of the rows are missing or not finite, the first in row 1, counted from 0, column b. Fill them in",
    ),
    "numbers beyond float32": (
        lambda f: write_file(f / "t.csv", "a,y\n1,0\n1e39,0\n"),
        None,
        "1 values of the rows are missing or not finite, the first in row 1",
    ),
    "texts among the numbers": (
        lambda f: write_file(f / "t.csv", "a,city,y\n1,Ulm,0\n"),
        ColumnNames(features=("a", "city")),
        r"`rows` should be numeric columns. Received: city \((str|object)\). Turn them into numbers",
    ),
    "dates as numbers": (
        lambda f: write_table(pd.DataFrame({"a": pd.to_datetime(["2020-01-01"])}), f / "t.parquet"),
        ColumnNames(features=("a",)),
        r"numeric columns. Received: a \(datetime64",
    ),
    "no such column of texts": (
        lambda f: write_file(f / "t.csv", "a\n1\n"),
        ColumnNames(text="t"),
        "no column 't'. It has a",
    ),
    "no such column of numbers": (
        lambda f: write_file(f / "t.csv", "a\n1\n"),
        ColumnNames(features=("a", "b")),
        "no column 'b'. It has a",
    ),
    "a column for two things": (
        lambda f: write_file(f / "t.csv", "a,b\n1,2\n"),
        ColumnNames(features=("a", "b"), label="b"),
        "the column 'b' is named twice",
    ),
    "texts and numbers": (
        lambda f: write_file(f / "t.csv", "a,t\n1,x\n"),
        ColumnNames(features=("a",), text="t"),
        "columns of texts and rows are named, and an example is one of these",
    ),
    "several columns of classes": (
        lambda f: write_file(f / "t.csv", "a,b,c\n1,2,3\n"),
        ColumnNames(targets=("b", "c")),
        "classes are in one column of labels, and b, c are named",
    ),
}


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_what_is_wrong_in_a_table_is_told_in_one_line(tmp_path, name):
    make, columns, message = WRONG_TABLES[name]
    path = make(tmp_path)
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_data(path, columns=columns)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


WRONG_IN_PYTHON: dict[str, tuple[Any, str]] = {
    "a text that is missing": (["a", None, np.nan, "b"], "2 of 4 texts .* the first in row 1"),
    "a number among texts": (["a", 7], "texts of Unicode. Received: 7 in row 1"),
    "bytes that are no UTF-8": (np.array([b"a", b"\xff"], object), r"Received: b'\\xff' in row 1"),
    "numbers in one axis": (np.arange(3.0), r"\(N, columns\) of numbers, with no axis empty. Received: shape \(3,\)"),
    "complex numbers": (np.ones((2, 2), complex), "numbers. Received: dtype complex128"),
    "texts in two axes": (np.array([["a", "b"]]), "numbers. Received: dtype <U1"),
    "no rows": (np.ones((0, 3)), "no axis empty"),
    "no columns": (pd.DataFrame(index=range(3)), "no column of pictures"),
    "NaN in rows": (np.array([[1, 2], [3, np.nan]]), "1 values of the rows .* row 1, counted from 0, column x1"),
    "two kinds at once": (lambda: DataSet(None, texts=TEXTS, rows=NUMBERS), "of one kind. Received: texts and rows"),
    "fewer labels than texts": ((TEXTS, [0, 1]), "7 class indices, one an example. Received: shape"),
    "fewer labels than rows": ((NUMBERS, [0, 1]), "7 class indices, one an example. Received: shape"),
}


@pytest.mark.parametrize("name", WRONG_IN_PYTHON)
def test_what_is_wrong_in_python_is_told_in_one_line(name):
    given, message = WRONG_IN_PYTHON[name]
    with pytest.raises(InvalidInputError, match=message) as caught:
        as_data_set(given() if callable(given) else given)
    assert "\n" not in str(caught.value)


# Labels alone


@pytest.mark.parametrize("suffix", TABLES)
def test_a_table_of_labels_gives_all_other_columns_as_the_user_s_own(tmp_path, suffix):
    path = write_table(pd.concat([FRAME, NUMBERS.assign(text=TEXTS)], axis=1), tmp_path / f"l{suffix}")
    read = read_labels(path)
    assert (read.kind, read.labels.tolist(), read.ids) == ("none", LABELS, tuple(FRAME["id"]))
    assert list(read.columns) == ["source", *NUMBERS, "text"]
    rows = as_data_set(DataSet(None, rows=NUMBERS)).with_labels_of(read)
    assert list(rows.columns) == ["source", "text"]  # the others are the rows themselves


def test_paths_of_pictures_are_ids_of_labels_without_looking_at_the_pictures(tmp_path):
    path = write_file(tmp_path / "l.csv", "file,label,age\nb.png,1,30\na.png,0,40\n")
    pictures = DataSet(np.zeros((2, 4, 4, 1), np.uint8), ids=("a.png", "b.png"))
    read = pictures.with_labels_of(read_labels(path))
    assert (read.labels.tolist(), read.columns["age"].tolist()) == ([0, 1], [40, 30])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f / "nowhere.csv", "There are no labels at"),
        (lambda f: f / "nowhere.npy", "There is no data file"),
        (lambda f: write_file(f / "l.csv", "name,age\na,2\n"), "no column of labels .* or ids"),
        (lambda f: write_file(f / "l.csv", "label\n"), "no rows"),
        (lambda f: (os.mkfifo(f / "l.csv"), f / "l.csv")[1], "regular file. Received: a named pipe"),
    ],
)
def test_labels_that_are_not_there_are_told(tmp_path, make, message):
    with pytest.raises((InvalidInputError, DataNotFoundError), match=message):
        read_labels(make(tmp_path))


def test_own_columns_may_not_be_those_of_the_rows():
    rows = as_data_set(DataSet(None, rows=NUMBERS))
    assert list(rows.with_columns(pd.DataFrame({"source": list("aabbccd")})).columns) == ["source"]
    with pytest.raises(InvalidInputError, match=r"other columns than those of the examples\. Received: age"):
        rows.with_columns(NUMBERS[["age"]])


def test_json_lines_keep_ids_and_dates_as_they_are(tmp_path):
    lines = [{"id": "007", "text": "2020-01-01", "date": "2020-01-01", "label": "a"}]
    read = read_data(write_file(tmp_path / "t.jsonl", "\ufeff" + "\n".join(map(json.dumps, lines))))
    assert (read.ids, read.texts.tolist(), read.columns["date"].tolist()) == (("007",), ["2020-01-01"], ["2020-01-01"])
