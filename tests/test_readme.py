"""The Python of the README, which has a model of PyTorch, runs."""

from pathlib import Path

import pytest

import mcviz
from tests.documents import run_snippets, working_folder
from tests.requiring import require_torch

require_torch("safetensors")


def test_models_of_pytorch_are_loaded_by_a_public_name() -> None:
    assert callable(mcviz.load_torch)


@pytest.mark.slow
def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(working_folder(tmp_path))
    names = run_snippets("README.md")
    assert names["probs"].shape == (500, 10)
    assert names["passes"].shape == (500, 1, 10)
    assert "noise is taken for 8" in capsys.readouterr().out
