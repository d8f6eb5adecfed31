"""The arrows of the design run one way, and the tool that holds them can see it when they do not."""

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

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


FORBIDDEN = [  # a module of mcviz, what it shall not import, and the contract that says so
    ("runs/run.py", "mcviz.sampling.sampler", "The arrows run one way"),
    ("measures/scores.py", "mcviz.runs", "The arrows run one way"),
    ("sampling/sampler.py", "mcviz.app", "The arrows run one way"),
    ("kinds/image_distortions.py", "mcviz.runs", "The arrows run one way"),
    ("tasks/base.py", "mcviz.data", "The arrows run one way"),
    ("kinds/row.py", "mcviz.runs", "The arrows run one way"),
    ("kinds/row.py", "mcviz.data.sources", "What reads examples knows the kinds"),
    ("data/data_set.py", "mcviz.kinds", "What reads examples knows the kinds"),
    ("figures/__init__.py", "mcviz.runs", "Figures are functions of arrays"),
    ("measures/scores.py", "mcviz.errors", "Measures stand alone"),
    ("measures/scores.py", "mcviz.validate", "Measures stand alone"),
    ("app/__init__.py", "keras", "Only the folder of Keras's models imports Keras or TensorFlow"),
    ("sampling/engine.py", "tensorflow", "Only the folder of Keras's models imports Keras or TensorFlow"),
    ("app/__init__.py", "torch", "Only the folder of PyTorch's models imports torch"),
    ("runs/run.py", "numba", "Only sampling imports numba"),
    ("sampling/engine.py", "mcviz.sampling.keras.plan", "The engine knows no framework"),
    ("figures/__init__.py", "streamlit", "Only app and the script that starts it import Streamlit"),
]


def test_an_import_against_the_arrows_is_found(tmp_path):
    shutil.copytree(ROOT / "mcviz", tmp_path / "mcviz", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, imported, _ in FORBIDDEN:
        with (tmp_path / "mcviz" / module).open("a") as file:
            file.write(f"\nimport {imported}\n")
    result = lint(tmp_path)
    assert result.returncode == 1, result.stdout
    reports = dict(re.findall(r"^([^\n]+)\n-+\n(.*?)(?=^[^\n]+\n-+\n|\Z)", result.stdout, re.DOTALL | re.MULTILINE))
    for module, imported, contract in FORBIDDEN:
        importer = f"mcviz.{module.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"
        (report,) = [text for title, text in reports.items() if title.startswith(contract)]
        assert f"{importer} -> {imported} (l." in report, (contract, result.stdout)


def find_cycle(folder: Path) -> list[str]:
    """A cycle of imports among the files of a package, also those inside functions and by name; [] without one."""
    graph = grimp.build_graph(folder.name, cache_dir=None)
    imports = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    for module in graph.modules:
        file = folder.parent / f"{module.replace('.', '/')}.py"
        source = file if file.exists() else file.with_suffix("") / "__init__.py"
        imports[module] |= imported_by_name(ast.parse(source.read_text("utf-8"))) & graph.modules
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def imported_by_name(tree: ast.AST) -> set[str]:
    """The constants that `import_module` is called with."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = [call for call in calls if getattr(call.func, "attr", getattr(call.func, "id", "")) == "import_module"]
    return {argument.value for call in called for argument in call.args if isinstance(argument, ast.Constant)}


def test_no_two_files_import_each_other(tmp_path, monkeypatch):
    assert find_cycle(ROOT / "mcviz") == []
    folder = tmp_path / "circular"
    folder.mkdir()
    for name, source in {
        "__init__": "",
        "one": "def late():\n    from circular import two",
        "two": "import importlib\nimportlib.import_module('circular.three')",
        "three": "from circular.one import late",
    }.items():
        (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    assert set(find_cycle(folder)) == {"circular.one", "circular.two", "circular.three"}


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
    comparisons = Counter({name: sum(map(compares_a_name, ast.walk(tree))) for name, tree in trees.items()})
    assert +comparisons == {"runs/columns.py": 1, "app/views/rail.py": 1}, "kinds of columns alone are compared"
    for source in ('run.kind == "row"', 'task in ("regression", "a")', 'match a:\n    case "text":\n        pass'):
        assert any(map(compares_a_name, ast.walk(ast.parse(source))))
