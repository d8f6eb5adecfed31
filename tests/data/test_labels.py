"""Which class a label is: one rule, whatever the labels come from."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mcviz.data import MATCHES, DataSet, as_data_set, read_data, read_labels
from mcviz.data.labels import match_labels, sort_class_names
from mcviz.errors import InvalidInputError

TWELVE = np.random.default_rng(0).permutation(np.repeat(np.arange(12), 2))
FORMATS = ("csv", "tsv", "parquet", "jsonl", "npz", "npy")


def write(folder: Path, kind: str, labels: Sequence[Any] | np.ndarray) -> Path:
    """Rows whose labels are in a file of a kind."""
    path, rows = folder / f"x.{kind}", np.arange(len(labels), dtype=np.float32)[:, None]
    table = pd.DataFrame({"size": rows[:, 0], "label": list(labels)})
    if kind in ("csv", "tsv"):
        table.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    elif kind == "parquet":
        table.to_parquet(path)
    elif kind == "jsonl":
        table.to_json(path, orient="records", lines=True)
    elif kind == "npz":
        np.savez(path, x=rows, y=np.array(labels))
    else:
        np.save(path, rows)
        np.save(folder / "y.npy", np.array(labels))
    return path


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("written", [int, float, str, "{:02}".format])
def test_a_table_of_twelve_numbered_classes_is_the_same_in_every_format(tmp_path, kind, written):
    path = write(tmp_path, kind, [written(label) for label in TWELVE.tolist()])
    for read in (read_data(path), as_data_set(path)):
        assert (read.labels.tolist(), read.class_names, read.matched_by) == (TWELVE.tolist(), None, "place")
    if kind != "npy":
        assert read_labels(path).labels.tolist() == TWELVE.tolist()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_table_of_twelve_named_classes_is_the_same_in_every_format(tmp_path, kind):
    names = tuple(f"class_{number}" for number in range(12))
    read = read_data(write(tmp_path, kind, [names[label] for label in TWELVE]))
    assert (read.labels.tolist(), read.class_names, read.matched_by) == (TWELVE.tolist(), names, "order")
    turned = read.with_class_names(names[::-1])
    assert (turned.labels.tolist(), turned.matched_by) == ((11 - TWELVE).tolist(), "name")


def test_numbers_in_texts_are_in_order_by_their_value():
    texts = ["b", "a10", "a9", "a", "a9b2", "a9b10", "10", "9", "007", "7", "a 1", "9" * 5000, ""]
    expected = ["", "007", "7", "9", "10", "9" * 5000, "a", "a9", "a9b2", "a9b10", "a10", "a 1", "b"]
    assert sort_class_names(texts) == tuple(expected)
    words = ["Zoë", "ant", "bee", "ant bear", "größe"]
    assert sort_class_names(words) == tuple(sorted(words))


CASES: dict[str, tuple[Any, Sequence[str] | None, list[int], str]] = {  # labels, names, class indices, how
    "places": ([2, 0, 1], None, [2, 0, 1], "place"),
    "places of names": ([2, 0, 1], "xyz", [2, 0, 1], "place"),
    "places as texts": (["2", "0", "10"], None, [2, 0, 10], "place"),
    "places as fractions are written": (["2.0", "0.", "1e1"], None, [2, 0, 10], "place"),
    "places of names that are their places": ([2, 0, 1], "012", [2, 0, 1], "place"),
    "places of digits and letters": ([2, 0, 1], "01a", [2, 0, 1], "place"),
    "names that are numbers": ([1, 2, 1], "123", [0, 1, 0], "name"),
    "names that are numbers, as texts": (["1", "2", "1"], "321", [2, 1, 2], "name"),
    "names that are numbers in another order": ([0, 1, 2], "201", [1, 2, 0], "name"),
    "names that are numbers with zeros in front": ([1, 2, 1], ["01", "02", "10"], [0, 1, 0], "name"),
    "names of which some are numbers": ([1, 2, 1], ["1", "2", "none"], [0, 1, 0], "name"),
    "names": (["b", "a", "b"], "cab", [2, 1, 2], "name"),
    "names and a number": (["b", "1", "b"], "1ab", [2, 0, 2], "name"),
    "sorted": (["b", "a", "c"], None, [1, 0, 2], "order"),
    "one-hot": (np.eye(3)[[2, 0, 1]], None, [2, 0, 1], "column"),
    "one-hot of names that are numbers": (np.eye(3)[[2, 0, 1]], "123", [2, 0, 1], "column"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_rule(case):
    labels, names, indices, how = CASES[case]
    given_names = None if names is None else tuple(names)
    matched = match_labels("labels", labels, 3, given_names)
    assert (matched.labels.tolist(), matched.labels.dtype, matched.by) == (indices, np.int64, how)
    assert matched.class_names == (given_names or (("a", "b", "c") if how == "order" else None))
    later = DataSet(None).with_labels(labels)  # the same where the names are known later, or before
    if given_names is not None:
        later = later.with_class_names(given_names)
        assert DataSet(None, class_names=given_names).with_labels(labels).labels.tolist() == indices
        assert later.with_class_names(given_names).check_labels().labels.tolist() == indices
    assert (later.labels.tolist(), later.class_names, later.matched_by) == (indices, matched.class_names, how)


REFUSED: dict[str, tuple[Any, Sequence[str] | None, str]] = {
    "a name that is none": (
        [0, 1, 2],
        "123",
        "`labels` should be names of the classes, which are 1, 2, 3. Received: 0",
    ),
    "a name of two classes": ([1, 1, 1], ["1", "01"], "names of the classes, which are 1, 01. Received: 1"),
    "a place behind the last": ([0, 1, 3], "abc", "names of 4 classes at least, by the labels. Received: 3 names"),
    "another name": (["a", "b", "d"], "abc", "names for all of a, b, d, which the data have. Received: a, b, c"),
    "a number among names": (["a", "b", "1"], "abc", "names for all of 1, a, b, which"),
    "fractions": (["0.5", "1", "2"], "abc", "class indices, texts or one-hot rows. Received: fractions"),
    "2^63": (np.array([1, 2, 2**63], np.uint64), None, "from 0 upwards. Received: 9223372036854775808"),
    "2^63 as floating point": ([1.0, 2.0, 2.0**63], None, "Received: fractions, .* too large"),
    "2^63 as text": (["1", "2", str(2**63)], None, "Received: fractions, .* too large"),
    "2^64": ([1, 2, 2**64], None, "Received: fractions, .* too large"),
    "negative": (["1", "-1", "2"], None, "from 0 upwards. Received: -1"),
}


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA, ""])
@pytest.mark.parametrize("form", [list, tuple, pd.Series, lambda each: [[label] for label in each]])
def test_a_label_that_is_missing_is_no_class_and_not_known_in_whatever_the_labels_are(missing, form):
    data = as_data_set((np.ones((3, 2)), form(["cat", missing, "dog"])))
    assert (data.labels.tolist(), data.class_names, data.labelled) == ([0, -1, 1], ("cat", "dog"), 2)
    numbers = as_data_set((np.ones((3, 2)), form([1, missing, 0])))
    assert (numbers.labels.tolist(), numbers.class_names) == ([1, -1, 0], None)
    with pytest.raises(InvalidInputError, match="No label of labels is known"):
        as_data_set((np.ones((3, 2)), form([missing] * 3)))


def test_a_label_or_target_that_is_masked_is_missing():
    for labels, known in (([0, 1, 2], [0, -1, 2]), (["a", "b", "c"], [0, -1, 1])):
        data = as_data_set((np.ones((3, 2)), np.ma.masked_array(labels, [0, 1, 0])))
        assert data.labels.tolist() == known
    targets = as_data_set((np.ones((3, 2)), np.ma.masked_array([0.5, 1, 2], [0, 1, 0])), "regression").labels
    np.testing.assert_array_equal(targets, [[0.5], [np.nan], [2]])


def test_labels_with_some_of_the_ids_are_those_of_these_examples():
    data = DataSet(None, ids=("a", "b", "c"))
    assert data.with_classes({"c": "dog", "a": "cat"}).labels.tolist() == [0, -1, 1]
    np.testing.assert_array_equal(data.with_targets(pd.Series({"b": 2.0})).labels, [[np.nan], [2], [np.nan]])
    some = DataSet(None, np.array([1, 0]), ("cat", "dog"), ("c", "a"), pd.DataFrame({"by": ["x", "y"]}))
    joined = data.with_labels_of(some)
    assert (joined.labels.tolist(), joined.ids, joined.columns["by"].tolist()[::2]) == (
        [0, -1, 1],
        data.ids,
        ["y", "x"],
    )
    assert joined.with_class_names(["dog", "cat"]).labels.tolist() == [1, -1, 0]
    with pytest.raises(InvalidInputError, match="one for an id that no example has, d"):
        data.with_classes({"c": "dog", "d": "cat"})


def test_names_that_only_unicode_tells_apart_are_shown_apart():
    with pytest.raises(InvalidInputError, match=r"composed otherwise in Unicode: 'cafe\\u0301' and 'caf\\xe9'"):
        match_labels("labels", ["cafe\u0301", "tea"], 2, ["caf\xe9", "tea"])


def test_a_list_of_names_ends_after_ten():
    names = [f"class_{number}" for number in range(1000)]
    with pytest.raises(
        InvalidInputError,
        match=r"names for all of class_0, class_1, .*, class_106 and 990 more, which the data have\. Received: a, b\.",
    ):
        match_labels("labels", names, 1000, ["a", "b"])


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case):
    labels, names, message = REFUSED[case]
    with pytest.raises(InvalidInputError, match=message):
        match_labels("labels", labels, 3, names)


def test_a_number_too_large_is_refused_in_every_format(tmp_path):
    for kind in FORMATS:
        for written in (int, str):
            with pytest.raises(InvalidInputError, match="Received"):
                read_data(write(tmp_path, kind, [written(0), written(2**63)]))


def test_an_empty_folder_is_named_and_keeps_its_place(tmp_path):
    for number, name in enumerate(("ant", "bee", "cat")):
        (tmp_path / name).mkdir()
        if name != "bee":
            Image.new("L", (4, 4)).save(tmp_path / name / f"{number}.png")
    read = read_data(tmp_path)
    assert (read.labels.tolist(), read.class_names) == ([0, 2], ("ant", "bee", "cat"))
    assert [note for note in read.notes if "as Keras counts them: bee." in note] == list(read.notes) != []


@pytest.mark.parametrize("names", [("2", "3", "1"), ("b", "c", "a")])
def test_names_in_an_npz_decide(tmp_path, names):
    truth = np.array([0, 2, 1, 1])
    labels = np.array(names)[truth]
    for given_labels in (labels, labels.astype(int)) if names[0] == "2" else (labels,):
        np.savez(tmp_path / "data.npz", x=np.eye(4), y=given_labels, class_names=np.array(names))
        np.savez(tmp_path / "labels.npz", labels=given_labels, class_names=np.array(names))
        for read in (read_data(tmp_path / "data.npz"), read_labels(tmp_path / "labels.npz")):
            assert (read.labels.tolist(), read.class_names) == (truth.tolist(), names)
    np.savez(tmp_path / "data.npz", x=np.eye(4), class_names=np.array(names))
    pd.DataFrame({"label": labels}).to_csv(tmp_path / "labels.csv", index=False)
    read = read_data(tmp_path / "data.npz").with_labels_of(read_labels(tmp_path / "labels.csv"))
    assert (read.labels.tolist(), read.class_names) == (truth.tolist(), names)


def test_how_labels_were_matched_has_words():
    assert {how for *_, how in CASES.values()} == set(MATCHES)


Kind = tuple[list[str], list[str] | None]  # how each class is written in the data, and names that are given


def kinds_of(count: int) -> st.SearchStrategy[Kind]:
    places = [str(number) for number in range(count)]
    others = [str(number + 1) for number in range(count)]
    texts = [f"kind {number}" for number in range(count)]
    return st.one_of(
        st.sampled_from([(places, None), (places, texts), (places, places)]),
        st.permutations(others).map(lambda names: (names, names)),
        st.permutations(texts).map(lambda names: (names, names)),
    )


@settings(max_examples=settings.default.max_examples // 3)
@given(st.data())
def test_neither_order_nor_format_changes_which_class_a_label_meets(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 13))
    truth = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=8)))
    written, names = data.draw(kinds_of(count))
    for kind in ("csv", "parquet", "jsonl", "npz"):
        order = data.draw(st.permutations(range(len(truth))))
        with tempfile.TemporaryDirectory() as folder:
            read = read_data(write(Path(folder), kind, [written[label] for label in truth[order]]))
        read = read if names is None else read.with_class_names(names)
        assert read.labels.tolist() == truth[order].tolist(), kind


@settings(max_examples=settings.default.max_examples // 2)
@given(st.lists(st.text("012ab .e-+", min_size=1, max_size=4), min_size=1, max_size=4))
def test_whatever_the_labels_are_no_format_takes_them_for_others(labels: list[str]) -> None:
    labels_by_format = {}
    for kind in ("csv", "parquet", "jsonl", "npz"):
        with tempfile.TemporaryDirectory() as folder:
            try:
                read = read_data(write(Path(folder), kind, labels))
                labels_by_format[kind] = (read.labels.tolist(), read.class_names)
            except InvalidInputError:
                labels_by_format[kind] = None
    assert labels_by_format["parquet"] == labels_by_format["jsonl"] == labels_by_format["npz"]
    assert labels_by_format["csv"] in (labels_by_format["parquet"], None)  # which reads some texts as missing
