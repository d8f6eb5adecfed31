"""The README's Python runs as it stands, and its picture and commands are there."""

import re
from pathlib import Path

import pytest

from mcviz.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(
    r"^mcviz (\w+)", "".join(re.findall(r"^```\n.*?^```", README, re.DOTALL | re.MULTILINE)), re.MULTILINE
)


def test_the_python_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(snippet, "README.md", "exec"), names)
    assert names["probs"].shape == (500, 10)  # type: ignore[attr-defined]
    assert names["passes"].shape == (500, 1, 10)  # type: ignore[attr-defined]
    assert "noise is taken for 8" in capsys.readouterr().out


def test_what_the_readme_points_to_is_there() -> None:
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        if not path.startswith("https:"):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_of_the_readme_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert command in capsys.readouterr().out
