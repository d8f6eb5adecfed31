"""The command line within the process of a test."""

import pytest

from mcviz.cli import main


def output_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command prints that succeeds."""
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def refusal_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a refusal prints."""
    assert main([str(argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("mcviz: ")
    return line
