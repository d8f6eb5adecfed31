"""Columns as people have them: what kind each is, and which groups it makes, whatever is in it."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcviz
from mcviz.app import resources
from mcviz.app.wording import information
from mcviz.runs.columns import RANGES, UNKNOWN, _ranges

COUNT = 12
COLUMNS = {  # a column, its kind, and what its groups are called
    "text": ([*"aab" * 4], "category", ("a", "b")),
    "missing": (["a", None, None] * 4, "category", ("a", UNKNOWN)),
    "counts": ([10, 9, 2] * 4, "category", ("2", "9", "10")),
    "gaps": ([10, np.nan, 2] * 4, "category", ("2", "10", UNKNOWN)),
    "one": (["same"] * COUNT, "category", ("same",)),
    "truth": ([True, False] * 6, "category", ("False", "True")),
    "numbers": (
        [*range(COUNT)],
        "number",
        ("0 to 2", "2 to 4", "4 to 7", "7 to 9", "9 to 11"),
    ),
    "ids": ([f"n{row}" for row in range(COUNT)], "text", ()),
    "days": ([dt.date(2024, 1, 1 + row) for row in range(COUNT)], "text", ()),
    "lists": ([[row, 1] for row in range(COUNT)], "text", ()),
    "nothing": ([None] * COUNT, "category", (UNKNOWN,)),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mcviz.Run:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (4, COUNT))
    frame = pd.DataFrame({name: values for name, (values, _, _) in COLUMNS.items()})
    return mcviz.write_run(tmp_path_factory.mktemp("columns") / "run", probs, columns=frame)


@pytest.mark.parametrize("name", COLUMNS)
def test_the_values_of_a_column_say_its_kind_and_its_groups(run: mcviz.Run, name: str) -> None:
    values, kind, names = COLUMNS[name]
    assert resources.own_columns(run)[name] == kind
    assert (name in resources.grouping_columns(run)) == bool(names)
    if names:
        found = resources.groups(run, name)
        assert found.names == names
        if kind == "category":
            texts = [UNKNOWN if pd.isna(value) else f"{value}".removesuffix(".0") for value in values]
            assert [found.names[group] for group in found.members] == texts


def test_ids_that_are_numbers_are_no_column_and_a_run_without_columns_has_none(run: mcviz.Run, tmp_path: Path) -> None:
    assert "id" not in resources.own_columns(run)
    bare = mcviz.write_run(tmp_path / "bare", np.random.default_rng(0).dirichlet(np.ones(3), (4, 5)))
    assert resources.own_columns(bare) == {}
    assert resources.find_example(bare, "3") is None
    assert resources.find_example(run, " 3 ") == 3


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=40))
def test_every_number_is_in_one_of_at_most_five_ranges(values: list[float]) -> None:
    ranges = _ranges(pd.Series(values))
    assert ranges.nunique() <= RANGES + 1
    for value, text in zip(values, ranges, strict=True):
        assert (text == UNKNOWN) == (not np.isfinite(value))


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=40))
def test_a_range_is_named_by_its_ends(values: list[int]) -> None:
    for value, text in zip(values, _ranges(pd.Series(values, dtype=float)), strict=True):
        ends = [float(end) for end in text.split(" to ")]
        assert min(ends) - 0.01 <= value <= max(ends) + 0.01


def test_what_is_not_known_of_an_imported_run_is_not_said(run: mcviz.Run) -> None:
    assert information(run.manifest, stretched=False) == "**Passes**: imported."
