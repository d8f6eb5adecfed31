"""Kinds of examples and tasks are in registries of the same names, and nothing else compares these names."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from mcviz import manifest, tasks
from mcviz.app import kinds as app_kinds
from mcviz.data import kinds as data_kinds
from mcviz.sampling import adapters

PACKAGE = Path(tasks.__file__).parents[1]
KINDS = {*manifest.CONTENT}
TASKS = {*tasks.TASKS}
COMPARED = {  # where a name is compared all the same, and how often
    "runs/columns.py": 1,  # kinds of columns, which are no kinds of examples
    "app/filters/columns.py": 1,
    "manifest.py": 1,  # what is claimed is checked before a registry is asked
}


@pytest.mark.parametrize("registry", [data_kinds.KINDS, app_kinds.KINDS, {**adapters.ADAPTERS, "none": None}])
def test_every_layer_knows_the_same_kinds_of_examples(registry: dict[str, object]) -> None:
    assert set(registry) == KINDS


def comparisons(source: str) -> int:
    """How often something called kind or task is compared with the name of one, or matched against it."""
    found = 0
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            asked = any(getattr(side, "id", getattr(side, "attr", "")).endswith(("kind", "task")) for side in sides)
            found += asked and any(_names(side) & (KINDS | TASKS) for side in sides)
        elif isinstance(node, ast.Match):
            found += any(_names(case.pattern) & (KINDS | TASKS) for case in node.cases)
    return found


def _names(node: ast.AST) -> set[object]:
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}


def test_no_name_of_a_kind_or_a_task_is_compared_elsewhere() -> None:
    files = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    found = Counter({name: comparisons(source) for name, source in files.items()})
    assert +found == Counter(COMPARED)


@pytest.mark.parametrize(
    "source",
    [
        'if run.kind == "row": pass',
        'x = 1 if "regression" != task else 2',
        'if task in ("classification", "other"): pass',
        'match kind:\n    case "text":\n        pass',
    ],
)
def test_a_comparison_is_found_however_it_is_written(source: str) -> None:
    assert comparisons(source) == 1
    assert (
        comparisons(
            source.replace("row", "a").replace("regression", "b").replace("classification", "c").replace("text", "d")
        )
        == 0
    )
