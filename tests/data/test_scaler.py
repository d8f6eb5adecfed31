"""A scaler's mean and std are those of the rows' columns, in their order, or the file is refused."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mcviz.data import read_scaler
from mcviz.errors import DataNotFoundError, InvalidInputError

COLUMNS = ["age", "b m", "height"]
MEAN, STD = [40.0, 0.25, 170.0], [12.0, 0.5, 1e-3]


def csv(path: Path, **columns: Any) -> Path:
    pd.DataFrame(columns).to_csv(path / "s.csv", index=False)
    return path / "s.csv"


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path / "s.npz", **arrays)
    return path / "s.npz"


TURNED = {"column": COLUMNS[::-1], "mean": MEAN[::-1]}
HONEST: dict[str, Callable[[Path], Path]] = {
    "csv": lambda f: csv(f, mean=MEAN, std=STD),
    "csv with names": lambda f: csv(f, **TURNED, std=STD[::-1]),
    "csv of scikit-learn's names": lambda f: csv(f, mean=MEAN, scale=STD),
    "npz": lambda f: npz(f, mean=MEAN, std=STD),
    "npz of scikit-learn's names": lambda f: npz(f, mean=np.float32(MEAN), scale=STD),
    "npz with names": lambda f: npz(f, **TURNED, std=STD[::-1]),
}


@pytest.mark.parametrize("name", HONEST)
def test_mean_and_std_are_in_the_order_of_the_columns(tmp_path, name):
    mean, std = read_scaler(HONEST[name](tmp_path), COLUMNS)
    assert (mean, std) == (tuple(MEAN), tuple(STD))


def pickled(path: Path) -> Path:
    path.write_bytes(pickle.dumps({"mean": MEAN, "std": STD}))
    return path


WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing": (lambda f: f / "s.csv", "There is no scaler at"),
    "a folder": (lambda f: f, "There is no scaler at"),
    "a pickle": (lambda f: pickled(f / "scaler.pkl"), "a pickle could run any code"),
    "a pickle that is called csv": (
        lambda f: pickled(f / "scaler.csv"),
        "cannot be read as a table|it has the columns",
    ),
    "a pickle that is called npz": (lambda f: pickled(f / "scaler.npz"), "it is not an .npz"),
    "pickled arrays": (lambda f: npz(f, mean=np.array(MEAN, object), std=STD), "s.npz cannot be"),
    "too few": (lambda f: csv(f, mean=MEAN[:2], std=STD[:2]), r"\(3,\). Received: shape \(2,\). The rows have 3"),
    "too many": (lambda f: npz(f, mean=[*MEAN, 1], std=STD), r"`mean` should be \(3,\). Received: shape \(4,\)"),
    "two axes": (lambda f: npz(f, mean=[MEAN], std=[STD]), r"Received: shape \(1, 3\)"),
    "std of 0": (lambda f: csv(f, mean=MEAN, std=[1, 0, 1]), "`std` should be above 0. Received: 0 in place 1"),
    "std below 0": (lambda f: npz(f, mean=MEAN, std=[1, 1, -2]), "Received: -2 in place 2"),
    "a mean that is missing": (lambda f: csv(f, mean=[1, None, 2], std=STD), "`mean` should be finite"),
    "an infinite std": (lambda f: npz(f, mean=MEAN, std=[1, np.inf, 1]), "`std` should be finite"),
    "words": (lambda f: csv(f, mean=["a", "b", "c"], std=STD), "`mean` should be floating point or whole numbers"),
    "no std": (lambda f: csv(f, mean=MEAN), "it has the columns mean. Give a .csv with"),
    "no mean": (lambda f: npz(f, std=STD), "it holds std. Give a .csv with"),
    "an unknown column": (
        lambda f: csv(f, column=["age", "b m", "weight"], mean=MEAN, std=STD),
        "the names of the rows' columns.* Received: weight in one",
    ),
    "a column twice": (
        lambda f: npz(f, column=["age", "age", "height"], mean=MEAN, std=STD),
        "`column` should be the names of the rows' columns",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_scaler_is_told_in_one_line(tmp_path, name):
    make, message = WRONG[name]
    with pytest.raises((InvalidInputError, DataNotFoundError), match=message) as caught:
        read_scaler(make(tmp_path), COLUMNS)
    assert "\n" not in str(caught.value)
