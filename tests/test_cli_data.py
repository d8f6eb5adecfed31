"""The options that say what data are reach the reader, and what is read comes back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest

from mcviz.cli import main
from mcviz.cli.sample import add_scaler, read_examples, read_labels, read_relabelled
from mcviz.cli.usage import add_options
from mcviz.data import DataSet
from mcviz.errors import InvalidInputError
from mcviz.options import DataOptions
from mcviz.runs import Preprocessing, open_run

FRAME = pd.DataFrame(
    {
        "age": [30.0, 40, 50],
        "income": [3.0, 2, 1],
        "words": ["good film", "bad", "so"],
        "low": [0.5, 1.5, 2.5],
        "high": [1, 2, 3],
        "scan": list("abc"),
    }
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def read_options(typed: str, data: Path | None = None) -> DataOptions:
    held: list[DataOptions] = []

    @click.command()
    @add_options(DataOptions, required=[])
    def command(options: DataOptions) -> None:
        held.append(options)

    command.main([*typed.split(), *([f"--data={data}"] if data else [])], standalone_mode=False)
    return held[0]


def examples_of(path: str, options: DataOptions, task: str) -> DataSet:
    return read_examples(replace(options, data=path), task)


def test_a_column_of_texts_is_named(table: Path) -> None:
    read = read_examples(read_options("--text-column words --label-column high --id-column scan", table))
    assert (read.texts.tolist(), read.labels.tolist(), read.ids) == (list(FRAME["words"]), [1, 2, 3], tuple("abc"))
    assert list(read.columns) == ["age", "income", "low"]


def test_labels_of_a_file_stand_in_place_of_the_data_s_by_id(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = pd.DataFrame({"id": ["c", "a", "z"], "old": ["low", "high", "low"], "new": ["high", "low", "low"]})
    labels.to_csv(table.with_name("labels.csv"), index=False)
    typed = f"--text-column words --labels {table.with_name('labels.csv')} --label-column new"
    data = FRAME.rename(columns={"scan": "id"}).assign(label=["high", "high", "low"])
    data.to_csv(table, index=False)
    read = read_relabelled(read_options(typed, table))
    assert (read.ids, read.labelled) == (("a", "b", "c"), 2)
    assert [read.class_names[label] for label in read.labels[::2]] == ["low", "high"]
    assert read.columns["old"].tolist()[::2] == ["high", "low"]
    assert "1 labels of" in capsys.readouterr().out
    numbers = read_relabelled(read_options("--first 1 " + typed, table))
    assert (numbers.ids, len(numbers)) == (("a",), 1)
    labels.assign(id=["x", "y", "z"]).to_csv(table.with_name("labels.csv"), index=False)
    with pytest.raises(InvalidInputError, match=r"should have the ids of examples, such as a\. Received: x"):
        read_relabelled(read_options(typed, table))


def test_passes_with_ids_take_the_labels_of_some(tmp_path: Path) -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(2), (3, 4))
    np.savez(tmp_path / "passes.npz", probs=probs, ids=np.array(["a", "b", "c", "d"]))
    pd.DataFrame({"id": ["d", "b"], "label": ["x", "y"]}).to_csv(tmp_path / "labels.csv", index=False)
    command = ["import", tmp_path / "passes.npz", "--labels", tmp_path / "labels.csv", "--out", tmp_path / "run"]
    assert main(list(map(str, command))) == 0
    assert open_run(tmp_path / "run").labels.tolist() == [-1, 1, -1, 0]


def test_classes_of_folders_keep_their_places_where_labels_of_a_file_name_fewer(tmp_path: Path) -> None:
    for name in ("ant/1", "bee/2", "cat/3"):
        (tmp_path / "texts" / name).parent.mkdir(parents=True)
        (tmp_path / "texts" / f"{name}.txt").write_text(name)
    labels = pd.DataFrame({"id": ["ant/1.txt", "bee/2.txt", "cat/3.txt"], "label": ["cat", "bee", "bee"]})
    labels.to_csv(tmp_path / "labels.csv", index=False)
    read = read_relabelled(read_options(f"--labels {tmp_path / 'labels.csv'}", tmp_path / "texts"))
    assert (read.class_names, read.labels.tolist()) == (("ant", "bee", "cat"), [2, 1, 1])


def test_the_numbers_are_named_in_the_model_s_order(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in ("--feature-columns income,age", "--feature-columns income --feature-columns age"):
        read = read_examples(read_options(options, table))
        assert (list(read.rows), list(read.columns)) == (["income", "age"], ["words", "low", "high", "scan"])
    assert not capsys.readouterr().out
    read = read_examples(read_options("", table))
    assert list(read.rows) == ["age", "income", "low", "high"]
    assert "Rows of 4 numeric columns: age, income, low, high." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("--label-column low", ("low",)),
        ("--label-column low,high", ("low", "high")),
        ("--label-column high --label-column low", ("high", "low")),
    ],
)
@pytest.mark.parametrize("read", [examples_of, read_labels])
def test_the_targets_of_a_regression_are_one_column_or_several(
    table: Path, options: str, names: tuple[str, ...], read: Callable[..., DataSet]
) -> None:
    examples = read(str(table), read_options(f"{options} --first 2"), "regression")
    assert examples.target_names == names
    np.testing.assert_array_equal(examples.labels, FRAME[list(names)].to_numpy(np.float32)[:2])


def test_columns_of_the_examples_are_none_of_the_labels(tmp_path: Path) -> None:
    pd.DataFrame({"label": [0, 1], "age": [1, 2]}).to_csv(tmp_path / "l.csv", index=False)
    read = read_labels(str(tmp_path / "l.csv"), read_options("--feature-columns income --text-column words"))
    assert (read.kind, list(read.columns)) == ("none", ["age"])


def test_a_scaler_is_added_to_what_was_chosen(table: Path, tmp_path: Path) -> None:
    scaler = pd.DataFrame({"column": ["age", "income"], "mean": [40, 2], "std": [10, 0.5]})
    scaler.to_csv(tmp_path / "s.csv", index=False)
    asked = read_options(f"--feature-columns income,age --scaler {tmp_path / 's.csv'}", table)
    examples = read_examples(asked)
    preprocessing = add_scaler(None, asked, examples)
    assert preprocessing == Preprocessing(1.0, (2.0, 40.0), (0.5, 10.0), reason="By s.csv.")
    scaled = add_scaler(Preprocessing(applied=True), asked, examples)
    assert (scaled.applied, scaled.mean) == (True, (2.0, 40.0))
    assert add_scaler(None, read_options(""), examples) is None
