"""Runs of every version of the format open, and nothing in them is a pickle."""

import ast
import json
import pickletools
from pathlib import Path

import numpy as np
import pytest

import mcviz.runs
from mcviz.runs import open_run, verify_run
from tests.runs.making import numbers

KEPT = Path(__file__).parents[1] / "fixtures/run-format-1"


def test_the_run_that_format_1_began_with_opens() -> None:
    """Made by the first version's `python -m tests.runs.making tests/fixtures/run-format-1`, and never made again."""
    run = open_run(KEPT / "run")
    found, expected = numbers(run), json.loads((KEPT / "numbers.json").read_text())
    assert found.keys() == expected.keys()
    scores, expected_scores = found.pop("scores"), expected.pop("scores")
    assert found == expected
    assert scores.keys() == expected_scores.keys()
    for name, values in expected_scores.items():
        assert scores[name] == values
    assert run.digest == "089a1ecedf6a9e24791b34c7d3bcb3092869b673087efec8631d0f4ad96e3eb5"
    assert verify_run(KEPT / "run").files == 7


def test_no_part_of_the_caching_layer_knows_pickle() -> None:
    for file in Path(mcviz.runs.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import | ast.ImportFrom) else set()
            names |= {node.module} if isinstance(node, ast.ImportFrom) else set()
            assert not names & {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}, file
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), file
                assert node.value.value is False, file


@pytest.mark.parametrize(
    "file", sorted(path for path in (KEPT / "run").rglob("*") if path.is_file()), ids=lambda p: p.name
)
def test_no_file_of_a_run_is_a_pickle(file: Path) -> None:
    content = file.read_bytes()
    assert not content.startswith((b"\x80", b"\x93NUMPY"))
    with pytest.raises(ValueError, match=r"."):
        list(pickletools.genops(content))


def test_the_kept_numbers_are_what_numpy_makes_of_the_kept_passes() -> None:
    expected = json.loads((KEPT / "numbers.json").read_text())
    probs = np.array(expected["probs"])
    np.testing.assert_allclose(expected["mean"], probs.mean(axis=0), atol=1e-7)
    np.testing.assert_allclose(probs.sum(axis=2), 1, atol=3 / 65535)
