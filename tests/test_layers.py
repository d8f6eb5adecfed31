"""The arrows of the design run one way, and the tool that holds them can see it when they do not."""

import ast
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import grimp
import pytest

from mcviz.kinds import KINDS
from mcviz.tasks import TASKS

ROOT = Path(__file__).parents[1]
MEASURES_MAY_IMPORT = {"mcviz", "numpy", "openTSNE", "scipy", "sklearn"}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_every_contract_is_kept():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("runs/run.py", "import mcviz.sampling.sampler", "The arrows run one way"),
        ("measures/scores.py", "import mcviz.runs", "The arrows run one way"),
        ("sampling/sampler.py", "import mcviz.app", "The arrows run one way"),
        ("data/noise.py", "import mcviz.runs", "The arrows run one way"),
        ("tasks/base.py", "import mcviz.data", "The arrows run one way"),
        ("kinds/row.py", "import mcviz.runs", "The arrows run one way"),
        ("kinds/row.py", "import mcviz.data.sources", "What reads examples knows the kinds"),
        ("data/data_set.py", "import mcviz.kinds", "What reads examples knows the kinds"),
        ("figures/__init__.py", "import mcviz.runs", "Figures are functions of arrays"),
        ("measures/scores.py", "import mcviz.errors", "Measures stand alone"),
        ("measures/scores.py", "import mcviz.validate", "Measures stand alone"),
        ("app/__init__.py", "import keras", "Only the folder of Keras's models imports Keras or TensorFlow"),
        ("sampling/engine.py", "import tensorflow", "Only the folder of Keras's models imports Keras or TensorFlow"),
        ("app/__init__.py", "import torch", "Only the folder of PyTorch's models imports torch"),
        ("runs/run.py", "import numba", "Only sampling imports numba"),
        ("sampling/engine.py", "import mcviz.sampling.keras.plan", "The engine knows no framework"),
        ("figures/__init__.py", "import streamlit", "Only app imports Streamlit"),
    ],
)
def test_an_import_against_the_arrows_is_found(tmp_path, module, line, contract):
    shutil.copytree(ROOT / "mcviz", tmp_path / "mcviz", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "mcviz" / module).open("a") as file:
        file.write(f"\n{line}\n")
    result = lint(tmp_path)
    assert result.returncode == 1, result.stdout
    broken = [shown for shown in result.stdout.splitlines() if shown.endswith("BROKEN")]
    assert any(shown.startswith(contract) for shown in broken), result.stdout


def test_measures_know_arrays_and_nothing_else():
    graph = grimp.build_graph("mcviz", include_external_packages=True, cache_dir=None)
    modules = {"mcviz.measures", *graph.find_descendants("mcviz.measures")}
    imported = {
        name.partition(".")[0] for module in modules for name in graph.find_modules_directly_imported_by(module)
    }
    assert imported - sys.stdlib_module_names <= MEASURES_MAY_IMPORT


def compares_a_name(node: ast.AST) -> bool:
    """Whether the name of a kind or a task is compared with what is called so, or is matched against."""
    if not isinstance(node, ast.Compare | ast.match_case):
        return False
    compared = node.pattern if isinstance(node, ast.match_case) else node
    constants = {each.value for each in ast.walk(compared) if isinstance(each, ast.Constant)}
    called = [getattr(each, "id", getattr(each, "attr", "")) for each in ast.iter_child_nodes(node)]
    asked = compared is not node or any(name.endswith(("kind", "task")) for name in called)
    return asked and not constants.isdisjoint({*KINDS, *TASKS})


def test_no_name_of_a_kind_or_a_task_is_compared():
    package = ROOT / "mcviz"
    trees = {str(path.relative_to(package)): ast.parse(path.read_text("utf-8")) for path in package.rglob("*.py")}
    found = Counter({name: sum(map(compares_a_name, ast.walk(tree))) for name, tree in trees.items()})
    assert +found == {"runs/columns.py": 1, "app/views/filter_bar.py": 1}, "kinds of columns alone are compared"
    for source in ('run.kind == "row"', 'task in ("regression", "a")', 'match a:\n    case "text":\n        pass'):
        assert any(map(compares_a_name, ast.walk(ast.parse(source))))
