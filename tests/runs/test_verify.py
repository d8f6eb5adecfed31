"""Verifying computes again what is kept, and tells any difference."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcviz.errors import CorruptRunError, PartialRunError
from mcviz.measures import SCORES
from mcviz.runs import verify_run, writer
from tests.runs.making import make


def test_a_sound_run_is_told_in_figures(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    found = verify_run(tmp_path / "run")
    assert found.files == 20
    assert found.bytes == sum(
        path.stat().st_size for path in (tmp_path / "run").rglob("*") if path.is_file() and path.name != "manifest.json"
    )
    assert found.deterministic_accuracy == run.deterministic_accuracy
    assert found.pass_accuracy == pytest.approx(run.pass_accuracy.mean())
    assert found.ensemble_accuracy == run.ensemble_accuracy[-1]
    for name in SCORES:
        assert found.mean_scores[name] == pytest.approx(run.scores()[name].mean(), abs=1e-6)
    assert f"accuracy, ensemble:          {run.ensemble_accuracy[-1]:.2%}" in str(found)
    assert "6 passes over 11 examples" in str(found)


def test_without_labels_there_are_no_accuracies(tmp_path: Path) -> None:
    make(tmp_path / "run", labelled=False)
    found = verify_run(tmp_path / "run")
    assert found.ensemble_accuracy is None
    assert "accuracy" not in str(found).replace("scores and accuracies", "")


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        (
            "scores.parquet",
            lambda stored: replace(
                stored, scores={**stored.scores, "margin": stored.scores["margin"] + np.float32(1e-4)}
            ),
        ),
        ("predictions.zarr/mean_probs", lambda stored: replace(stored, mean=stored.mean[:, ::-1])),
        ("scores.parquet", lambda stored: replace(stored, prediction=(stored.prediction + 1) % 3)),
        (
            "predictions.zarr/correct_per_pass",
            lambda stored: replace(stored, correct_per_pass=stored.correct_per_pass - 1),
        ),
        (
            "predictions.zarr/correct_by_ensemble_size",
            lambda stored: replace(stored, correct_by_ensemble_size=stored.correct_by_ensemble_size + 1),
        ),
    ],
)
def test_stored_numbers_that_are_not_those_of_the_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, spoil
) -> None:
    summarise = writer.summarise
    monkeypatch.setattr(writer, "summarise", lambda *arguments: spoil(summarise(*arguments)))
    make(tmp_path / "run")
    with pytest.raises(CorruptRunError, match=f"{tmp_path}/run/{name} holds numbers that are not those"):
        verify_run(tmp_path / "run")


def test_a_partial_run_cannot_be_verified(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done > 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "run", progress=stop)
    with pytest.raises(PartialRunError):
        verify_run(tmp_path / "run")
