"""Several labels an example: every form in which people keep them comes to the same rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.data import DataSet
from mcviz.data.label_sets import match_label_sets
from mcviz.data.sources import read_labels
from mcviz.data.tables import ColumnNames
from mcviz.errors import InvalidInputError

NAMES = ("cat", "dog", "owl")
ROWS = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0], [-1, 1, 0], [-1, -1, -1]], np.int8)
LISTS = [["cat"], [], ["cat", "dog"], ["dog"], None]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (ROWS, NAMES),
        (ROWS.astype(float), NAMES),
        (np.where(ROWS == -1, np.nan, ROWS), NAMES),
        (pd.DataFrame(ROWS, columns=NAMES), None),
        (pd.DataFrame(ROWS, columns=NAMES).replace(-1, pd.NA).astype("boolean"), None),
        (pd.DataFrame(ROWS[:, [2, 0, 1]], columns=["owl", "cat", "dog"]), NAMES),
    ],
)
def test_columns_of_zeros_and_ones_are_the_classes(labels: object, names: tuple[str, ...] | None) -> None:
    rows, found = match_label_sets("labels", labels, 5, names)
    assert rows.dtype == np.int8
    assert rows.tolist() == ROWS.tolist()
    assert found == NAMES


@pytest.mark.parametrize(
    "labels",
    [
        LISTS,
        ["cat", "", "cat;dog", " dog ", None],
        pd.Series(["cat", "", "dog;cat", "dog", None]),
        pd.DataFrame({"tags": ["cat", "", "cat; dog", "dog", None]}),
        [{"cat"}, set(), {"dog", "cat"}, {"dog"}, None],
        [np.array([0]), np.array([], int), np.array([1, 0]), np.array([1]), None],
    ],
)
def test_lists_name_the_classes_that_an_example_has(labels: object) -> None:
    rows, names = match_label_sets("labels", labels, 5, NAMES)
    assert rows.tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 1, 0], [-1, -1, -1]]
    assert names == NAMES


def test_classes_that_nobody_names_are_those_that_occur_in_their_order() -> None:
    rows, names = match_label_sets("labels", ["class 10", "class 2;class 10", ""], 3)
    assert names == ("class 2", "class 10")
    assert rows.tolist() == [[0, 1], [1, 1], [0, 0]]


@given(st.lists(st.sets(st.sampled_from(NAMES)), min_size=1, max_size=8))
def test_texts_and_rows_mean_the_same(sets: list[set[str]]) -> None:
    rows, _ = match_label_sets("labels", [";".join(sorted(one)) for one in sets], len(sets), NAMES)
    again, _ = match_label_sets("labels", pd.DataFrame(rows, columns=NAMES), len(sets), NAMES)
    assert rows.tolist() == again.tolist() == [[int(name in one) for name in NAMES] for one in sets]


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        ([[1, 0, 5], [0, 1, 2]], NAMES, "classes from 0 to 2"),
        (np.array([[1, 0], [0, 2]]), None, "2 in row 1, column 1"),
        (np.array([[1.5, 0], [0, 1]]), None, "1.5 in row 0, column 0"),
        (np.array([["a", "b"], ["c", "d"]]), None, "rows of 0, 1 and missing"),
        (np.zeros((3, 2)), None, "2 rows of 0, 1 and missing.*shape"),
        (np.zeros((2, 2)), NAMES, "2 names, one a column"),
        (np.full((2, 2), -1), None, "No label of labels is known"),
        ([None, None], NAMES, "No label of labels is known"),
        ([None, None], None, "name no class"),
        (["cat", "cow"], NAMES, "names for all of"),
        (["cat;cat", "dog"], NAMES, "cat twice in row 0"),
        ([["cat", 1], ["dog"]], NAMES, "lists of names, or of whole numbers"),
        ([7, 8], NAMES, "7 in row 0"),
        ([["cat"]], NAMES, "2 lists of classes, one an example"),
        (pd.DataFrame([[0, 1], [1, 0]], columns=["cat", "cat"]), None, "different"),
        (pd.DataFrame([[0, 1], [1, 0]], columns=["cat", "dog"]), NAMES, "none of owl"),
    ],
)
def test_what_is_no_set_of_labels_is_refused(labels: object, names: tuple[str, ...] | None, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        match_label_sets("labels", labels, 2, names)


def test_a_table_is_read_by_columns_of_classes_or_by_one_of_lists(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("id,cat,dog,tags,site\na,1,0,cat,x\nb,0,,dog;cat,y\n")
    wide = read_labels(file, columns=ColumnNames(targets=("cat", "dog")), task="multilabel")
    assert wide.labels.tolist() == [[1, 0], [0, -1]]
    assert wide.class_names == ("cat", "dog")
    assert list(wide.columns) == ["tags", "site"]
    lists = read_labels(file, columns=ColumnNames(label="tags"), task="multilabel")
    assert lists.labels.tolist() == [[1, 0], [1, 1]]
    named = lists.with_class_names(("owl", "dog", "cat"))  # a list has no class that it does not name
    assert named.labels.tolist() == [[0, 0, 1], [0, 1, 1]]
    assert (lists.matched_by, named.matched_by) == ("order", "name")


def test_an_empty_line_of_a_column_of_lists_is_an_example(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("labels\ncat\n\ndog;cat\n")
    assert read_labels(file, task="multilabel").labels.tolist() == [[1, 0], [-1, -1], [1, 1]]


def test_labels_follow_the_names_of_the_classes() -> None:
    examples = DataSet(None, ids=("a", "b")).with_labels(["dog", "cat;dog"], "multilabel")
    more = examples.with_class_names(("owl", "dog", "cat"))
    assert more.labels.tolist() == [[0, 1, 0], [0, 1, 1]]
    by_id = DataSet(None, ids=("a", "b")).with_labels({"b": ["cat"], "a": []}, "multilabel")
    assert by_id.labels.tolist() == [[0], [1]]
    columns = DataSet(None).with_labels(pd.DataFrame(ROWS, columns=NAMES), "multilabel")
    assert columns.with_class_names(NAMES[::-1]).labels.tolist() == ROWS[:, ::-1].tolist()
    with pytest.raises(InvalidInputError, match="none of bee"):
        columns.with_class_names((*NAMES, "bee"))


@pytest.mark.parametrize("kind", [int, bool, float])
def test_a_sparse_table_is_the_same_as_a_dense_one(kind: type) -> None:
    dense = pd.DataFrame(ROWS[:3].astype(kind), columns=NAMES)
    sparse = dense.astype(pd.SparseDtype(kind, kind(0)))
    assert DataSet(None).with_labels(sparse, "multilabel").labels.tolist() == ROWS[:3].tolist()
    assert DataSet(None).with_labels(sparse, "regression").labels.tolist() == ROWS[:3].tolist()
