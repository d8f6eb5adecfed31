"""A cache keeps results under a key that no other run and no other function has."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import msgspec
import pytest

import mcviz.app
from mcviz import Run
from mcviz.app.filters import ColumnFilter, Filters, Lasso, lasso_on_map
from mcviz.app.resources import CachedForRun, cached_for_run, join_runs, names_key, numbers_key, table_key
from tests.runs.making import make

CORNERS = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


def renamed(run: Run, name: str = "", **changes: object) -> Run:
    """The same numbers under other names."""
    other = Run(run._folder, msgspec.structs.replace(run.manifest, **changes))
    other.path = str(Path(run.path).with_name(name or run.name))
    assert other.digest == run.digest
    return other


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Run]:
    run, other = make(tmp_path / "run"), make(tmp_path / "other", seed=9)
    return {
        "run": run,
        "another name": renamed(run, "renamed"),
        "other classes": renamed(run, class_names=("a", "b c", "d")),
        "the same letters": renamed(run, class_names=("a b", "c", "d")),
        "other numbers": other,
        "beside another": join_runs(run, other),
        "the other way round": join_runs(other, run),
        "beside one of another name": join_runs(run, renamed(other, "renamed")),
        "beside other classes": join_runs(run, renamed(other, class_names=("a", "b c", "d"))),
        "with other classes beside another": join_runs(renamed(run, class_names=("a", "b c", "d")), other),
        "values": make(tmp_path / "values", targets=("height",)),
        "of another unit": make(tmp_path / "values-in-kg", targets=("height",), unit="kg"),
    }


def test_no_two_runs_collide(runs: dict[str, Run]) -> None:
    assert len({names_key(run) for run in runs.values()}) == len(runs)
    same_table = {"another name", "other classes", "the same letters"}  # as "run": a table holds numbers of classes
    assert len({table_key(run) for name, run in runs.items() if name not in same_table}) == len(runs) - 3
    assert {table_key(runs[name]) for name in same_table} == {table_key(runs["run"])}
    assert len({numbers_key(run) for run in runs.values()}) == 4


@pytest.mark.parametrize("key", [numbers_key, table_key, names_key])
def test_runs_of_one_key_share_a_result_and_no_others_do(runs: dict[str, Run], key: Callable[[Run], str]) -> None:
    numbers = count()

    @cached_for_run(key, max_entries=100)
    def number(run: Run, _unkeyed: object) -> int:
        return next(numbers)

    number.clear()
    found = {name: number(run, object()) for name, run in runs.items()}
    assert {name: number(run, object()) for name, run in runs.items()} == found
    keys = {name: key(run) for name, run in runs.items()}
    for one in runs:
        for other in runs:
            assert (found[one] == found[other]) == (keys[one] == keys[other])


def test_other_filters_have_another_result(runs: dict[str, Run]) -> None:
    @cached_for_run(numbers_key, max_entries=100)
    def written(run: Run, filters: object) -> str:
        return repr(filters)

    plane, turned = Lasso("a", "b", CORNERS), Lasso("b", "a", CORNERS)
    different = [
        None, plane, turned, lasso_on_map("a", CORNERS), lasso_on_map("b", CORNERS), Filters(), Filters(label=(1,)),
        Filters(prediction=(1,)), Filters(selected=(1,)), Filters(lasso=plane),
        Filters(area=lasso_on_map("a", CORNERS)),
        Filters(columns=(ColumnFilter("a", values=("b",)),)), Filters(columns=(ColumnFilter("a", contains="b"),)),
        Filters(ranges=(ColumnFilter("margin", low=1.0),)), Filters(ranges=(ColumnFilter("margin", low=1.0 + 1e-15),)),
    ]  # fmt: skip
    assert [written(runs["run"], each) for each in different] == [repr(each) for each in different]


def test_no_two_functions_collide_and_no_run_is_passed_over() -> None:
    cached: dict[str, CachedForRun[..., object]] = {}
    for module in pkgutil.walk_packages(mcviz.app.__path__, "mcviz.app."):
        if ".pages" in module.name or module.name == "mcviz.app.main":
            continue  # scripts, which hold no such function
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, CachedForRun):
                name = f"{value.__module__}.{value.__qualname__}"  # under which Streamlit keeps results
                assert cached.setdefault(name, value) is value, name
    assert "mcviz.app.resources.table" in cached
    for name, function in cached.items():
        parameters = inspect.signature(function).parameters
        assert next(iter(parameters)) == "run", name
        assert not {"_run", "_other"} & parameters.keys(), name
