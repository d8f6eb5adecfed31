"""What is private in Keras or PyTorch is touched in one file of each, which says for which versions it was written."""

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import keras
import pytest

import mcviz
from mcviz.errors import McvizError, UnsupportedKerasError
from mcviz.sampling.keras.internals import VERSIONS, check_keras

PACKAGE = Path(mcviz.__file__).parent
THE_ONE_FILE, THAT_OF_TORCH = (PACKAGE / "sampling" / name / "internals.py" for name in ("keras", "torch"))
THAT_OF_NUMBA = PACKAGE / "sampling" / "machine_code_files.py"


def private_uses(tree: ast.AST) -> Iterator[str]:
    """What reaches behind another object's public interface, or into `keras.src`."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if module.startswith("keras.src"):
                yield f"line {node.lineno}: from {module}"
            case ast.Import(names=names) if any(each.name.startswith("keras.src") for each in names):
                yield f"line {node.lineno}: import {names[0].name}"
            case ast.Attribute(value=ast.Name(id="keras"), attr="src"):
                yield f"line {node.lineno}: keras.src"
            case ast.Attribute(value=ast.Name(id="object"), attr="__setattr__" | "__delattr__"):
                yield f"line {node.lineno}: object.{node.attr}"
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if is_private(name):
                yield f"line {node.lineno}: .{name}"
            case ast.Call(
                func=ast.Name(id="getattr" | "hasattr" | "setattr"), args=[_, ast.Constant(value=str(name)), *_]
            ):
                if is_private(name):
                    yield f"line {node.lineno}: {name!r}"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def test_no_other_file_touches_what_is_private_in_a_framework() -> None:
    uses_by_file = {
        path.name: uses
        for path in (PACKAGE / "sampling").rglob("*.py")
        if path not in (THE_ONE_FILE, THAT_OF_TORCH, THAT_OF_NUMBA)
        and (uses := list(private_uses(ast.parse(path.read_text()))))
    }
    assert uses_by_file == {}


def test_the_check_sees_what_it_looks_for() -> None:
    for file, fewest in ((THE_ONE_FILE, 7), (THAT_OF_TORCH, 7), (THAT_OF_NUMBA, 1)):
        assert len(list(private_uses(ast.parse(file.read_text())))) >= fewest
    for use in (
        "from keras.src import backend", "import keras.src.layers", "x = keras.src", "x = model._layers",
        "getattr(model, '_layers', None)", "object.__setattr__(layer, 'call', f)",
    ):  # fmt: skip
        assert list(private_uses(ast.parse(use))), use
    assert not list(private_uses(ast.parse("self._plans = model.layers[0].__class__")))


@pytest.mark.parametrize("version", ["3.14.9", "2.15.0", "4.0.0", "4.1.0", "5.0"])
def test_another_version_is_refused_with_the_range(version: str) -> None:
    with pytest.raises(UnsupportedKerasError, match=rf"Keras >=3\.15,<4\. Received: Keras {version}\.") as caught:
        check_keras(version, "tensorflow")
    assert isinstance(caught.value, McvizError)
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize("version", [keras.__version__, "3.15.0", "3.16.0.dev2026", "3.100.0rc1"])
def test_a_version_in_the_range_is_taken(version: str) -> None:
    check_keras(version, "tensorflow")


def test_the_range_is_that_of_the_package() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    assert f"keras{VERSIONS}" in project["optional-dependencies"]["keras"]


def test_another_backend_is_refused() -> None:
    with pytest.raises(UnsupportedKerasError, match=r"Received: jax\. Set KERAS_BACKEND=tensorflow"):
        check_keras(keras.__version__, "jax")


@pytest.mark.slow
def test_a_backend_that_is_not_installed_is_told_at_the_first_use() -> None:
    """The first use of a model, in a process of its own: by then Keras has read the setting for good."""
    code = "import mcviz\ntry: mcviz.sample(None, [[1.0]])\nexcept mcviz.McvizError as error: print(error)"
    completed = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"KERAS_BACKEND": "no-such-backend"},
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "TensorFlow backend. Received: " in completed.stdout
    assert "Set KERAS_BACKEND=tensorflow" in completed.stdout
