"""Code is found in the working directory behind all else, and never in the folder of runs."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mcviz.errors import MissingPackageError
from mcviz.extras import find_modules, import_modules, import_without_second_llvm, keep_runs_from_import

ROOT = Path(__file__).parents[1]


def make_package(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text("open('it ran', 'w').close()")
    return folder


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", ".", str(Path.cwd()))])


def test_the_working_directory_is_looked_in_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_package(tmp_path, "colorsys_of_the_user")
    make_package(tmp_path, "colorsys")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    import_modules(["colorsys"])
    assert not Path("it ran").exists()
    import_modules(["colorsys_of_the_user"])
    assert Path("it ran").exists()
    assert sys.path[-1] == str(tmp_path)


@pytest.mark.parametrize("here", [".", "a-run"])
def test_no_code_is_found_in_the_folder_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str) -> None:
    runs = make_package(make_package(tmp_path / "runs", "named_as_a_package"), "a-run/named_as_a_package")
    monkeypatch.chdir(runs / here)
    monkeypatch.setenv("MCVIZ_CACHE", str(runs))
    with pytest.raises(MissingPackageError, match="names no module that is installed or in the working directory"):
        import_modules(["named_as_a_package"])
    for entry in ("", ".", str(runs), str(runs / here)):
        sys.path.insert(0, entry)
    keep_runs_from_import(Path(os.path.relpath(runs)))
    importlib.invalidate_caches()
    with pytest.raises(MissingPackageError):
        find_modules(["named_as_a_package"])
    assert not list(tmp_path.rglob("it ran"))


@pytest.mark.slow
def test_runs_named_as_packages_do_not_run_at_the_first_page(tmp_path: Path) -> None:
    for name in ("pyarrow", "numba", "fsspec", "plotly"):
        make_package(tmp_path, name)
    code = (
        "import os, sys; from mcviz.extras import find_modules; from mcviz.app.server import prepare_server; "
        "find_modules(['json']); prepare_server(); from streamlit.testing.v1 import AppTest; "
        f"app = AppTest.from_file({str(ROOT / 'dashboard.py')!r}, default_timeout=120).run(); assert app.title, app"
    )
    environment = {**os.environ, "MCVIZ_CACHE": ".", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize(
    ("loaded", "found"),
    [((), True), (("triton",), True), (("tensorflow",), False), (("tensorflow", "triton"), True)],
)
def test_a_compiler_finds_no_triton_where_only_tensorflow_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: tuple[str, ...], found: bool
) -> None:
    (tmp_path / "triton.py").touch()
    (tmp_path / "compiler.py").write_text(
        "try:\n    import triton\nexcept ImportError:\n    triton = None\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("tensorflow", "triton", "compiler"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        if name not in loaded:
            monkeypatch.delitem(sys.modules, name)
    import_without_second_llvm("compiler")
    assert (sys.modules["compiler"].triton is not None) == found
    assert ("triton" in sys.modules) == found
