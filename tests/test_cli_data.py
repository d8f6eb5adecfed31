"""The options that say what data are reach the reader, and what is read comes back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest

from mcviz.cli.data import Reading, data_options, read_examples, read_labels, with_scaler
from mcviz.data import DataSet
from mcviz.runs import Preprocessing

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


def reading(options: str) -> Reading:
    held: list[Reading] = []

    @click.command()
    @data_options
    def command(reading: Reading, class_names: Any) -> None:
        held.append(reading)

    command.main(options.split(), standalone_mode=False)
    return held[0]


def test_a_column_of_texts_is_named(table: Path) -> None:
    read = read_examples(str(table), reading("--text-column words --label-column high --id-column scan"))
    assert (read.texts.tolist(), read.labels.tolist(), read.ids) == (list(FRAME["words"]), [1, 2, 3], tuple("abc"))
    assert list(read.columns) == ["age", "income", "low"]


def test_the_numbers_are_named_in_the_model_s_order(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in ("--feature-columns income,age", "--feature-columns income --feature-columns age"):
        read = read_examples(str(table), reading(options))
        assert (list(read.rows), list(read.columns)) == (["income", "age"], ["words", "low", "high", "scan"])
    assert not capsys.readouterr().out
    read = read_examples(str(table), reading(""))
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
@pytest.mark.parametrize("read", [read_examples, read_labels])
def test_the_targets_of_a_regression_are_one_column_or_several(
    table: Path, options: str, names: tuple[str, ...], read: Callable[..., DataSet]
) -> None:
    found = read(str(table), reading(f"{options} --first 2"), "regression")
    assert found.target_names == names
    np.testing.assert_array_equal(found.labels, FRAME[list(names)].to_numpy(np.float32)[:2])


def test_columns_of_the_examples_are_none_of_the_labels(tmp_path: Path) -> None:
    pd.DataFrame({"label": [0, 1], "age": [1, 2]}).to_csv(tmp_path / "l.csv", index=False)
    read = read_labels(str(tmp_path / "l.csv"), reading("--feature-columns income --text-column words"))
    assert (read.kind, list(read.columns)) == ("none", ["age"])


def test_a_scaler_is_added_to_what_was_chosen(table: Path, tmp_path: Path) -> None:
    scaler = pd.DataFrame({"column": ["age", "income"], "mean": [40, 2], "std": [10, 0.5]})
    scaler.to_csv(tmp_path / "s.csv", index=False)
    asked = reading(f"--feature-columns income,age --scaler {tmp_path / 's.csv'}")
    examples = read_examples(str(table), asked)
    found = with_scaler(None, asked, examples)
    assert found == Preprocessing(1.0, (2.0, 40.0), (0.5, 10.0), reason="By s.csv.")
    scaled = with_scaler(Preprocessing(applied=True), asked, examples)
    assert (scaled.applied, scaled.mean) == (True, (2.0, 40.0))
    assert with_scaler(None, reading(""), examples) is None
