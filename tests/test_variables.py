"""A mistyped environment variable is refused: a list of writers under another name would let everybody write."""

import re
from pathlib import Path

import pytest

from mcviz.cli import main
from mcviz.errors import InvalidInputError
from mcviz.variables import OF_TESTS, VARIABLES, check_variables

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [("MCVIZ_WRITER", "MCVIZ_WRITERS"), ("MCVIZ_READONLY", "MCVIZ_READ_ONLY"), ("MCVIZ_CASH", "MCVIZ_CACHE"),
     ("MCVIZ_", None), ("MCVIZ_MODEL", "MCVIZ_MODELS")],
)  # fmt: skip
def test_an_unknown_variable_is_refused_with_the_nearest_known_one(
    monkeypatch: pytest.MonkeyPatch, mistyped: str, meant: str | None
) -> None:
    monkeypatch.setenv(mistyped, "")
    with pytest.raises(InvalidInputError, match=f"Received: {mistyped}. Did you mean {meant or 'MCVIZ_'}"):
        check_variables()


def test_known_variables_and_those_of_others_are_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *OF_TESTS, "MCVIZARD", "NOT_MCVIZ_X"):
        monkeypatch.setenv(name, "1")
    check_variables()


def test_every_variable_that_the_code_reads_is_known() -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "mcviz").rglob("*.py") if path.name != "variables.py")
    assert set(re.findall(r"MCVIZ_[A-Z_]+", code)) == set(VARIABLES)
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    read = r"""environ(?:\.get)?[\[(]\s*["'](MCVIZ_[A-Z_]+)"""
    assert {name for path in tests for name in re.findall(read, path.read_text("utf-8"))} <= {*VARIABLES, *OF_TESTS}


def test_no_command_runs_under_a_mistyped_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MCVIZ_READONLY", "1")
    for command in (["list", str(tmp_path)], ["dashboard"]):
        assert main(command) == 2
        assert "Did you mean MCVIZ_READ_ONLY?" in capsys.readouterr().err
    assert main(["--help"]) == 0
