"""Verifying computes again what is kept, and tells any difference."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace as replaced

from mcviz.errors import CorruptRunError
from mcviz.runs import verify_run, writer
from mcviz.runs.manifest_file import write_manifest
from mcviz.runs.storage import folder_at
from mcviz.runs.tables import stored_scores
from mcviz.tasks.base import Aggregates, join_aggregates
from tests.cases import one_in
from tests.runs.making import FORMS, MadeUpSource, made_up, make


def test_a_sound_run_is_told_in_figures(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    found = verify_run(tmp_path / "run")
    assert found.accuracy["deterministic"] == run.deterministic_accuracy
    assert found.accuracy["mean single pass"] == pytest.approx(run.pass_accuracy.mean())
    assert found.accuracy["ensemble"] == run.ensemble_accuracy[-1]
    for name in stored_scores("classification"):
        assert found.mean_scores[name] == pytest.approx(run.scores()[name].mean(), abs=1e-6)
    assert f"accuracy, ensemble:          {run.ensemble_accuracy[-1]:.2%}" in str(found)
    assert "6 passes over 11 examples" in str(found)


def test_without_labels_there_are_no_accuracies(tmp_path: Path) -> None:
    make(tmp_path / "run", labelled=False)
    found = verify_run(tmp_path / "run")
    assert found.accuracy == {}
    assert "accuracy" not in str(found)


@pytest.mark.parametrize(
    ("file", "part", "name", "spoil"),
    [
        ("scores.parquet", "columns", "margin", lambda stored: stored + np.float32(1e-4)),
        ("predictions.zarr/mean_probs", "arrays", "mean_probs", lambda stored: stored[:, ::-1]),
        ("scores.parquet", "columns", "prediction", lambda stored: (stored + 1) % 3),
        ("predictions.zarr/correct_per_pass", "totals", "correct_per_pass", lambda stored: stored - 1),
        ("predictions.zarr/correct_by_ensemble_size", "totals", "correct_by_ensemble_size", lambda stored: stored + 1),
    ],
)
def test_stored_numbers_that_are_not_those_of_the_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, part: str, name: str, spoil
) -> None:
    def spoiled(parts: list[Aggregates]) -> Aggregates:
        found = join_aggregates(parts)
        values = getattr(found, part)
        return replace(found, **{part: {**values, name: spoil(values[name])}})

    monkeypatch.setattr(writer, "join_aggregates", spoiled)
    make(tmp_path / "run")
    with pytest.raises(CorruptRunError, match=f"{tmp_path}/run/{file} holds numbers that are not those"):
        verify_run(tmp_path / "run")


def slightly(values: np.ndarray) -> np.ndarray:
    """The smallest number of each column, changed by what rounding does not do to it."""
    changed = values.copy()
    changed[np.abs(values).argmin(axis=0)] += 1e-4 * np.abs(values).max(axis=0)
    return changed


@pytest.mark.parametrize(
    ("name", "scale"), one_in(5, product(["one target of rows", "three targets with variances"], [1e-9, 1, 1e9]))
)
def test_every_stored_number_of_a_regression_is_found_whatever_the_size_of_the_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, scale: float
) -> None:
    form = FORMS[name]

    class Scaled(MadeUpSource):
        """Targets of very different sizes: the last as it is, and the others so many times as large."""

        def _one(self, image: int, number: int) -> np.ndarray:
            values = super()._one(image, number)
            values[: len(form["targets"]) // 2] *= np.float32(scale)
            return values if len(form["targets"]) > 1 else values * np.float32(scale)

    honest = made_up(form)
    scaled = Scaled(honest.images, honest.classes, honest.seed, regression=True)
    make(tmp_path / "run", **form, source=scaled)
    verify_run(tmp_path / "run")
    parts: list[tuple[str, str]] = []

    def seen(found: list[Aggregates]) -> Aggregates:
        whole = join_aggregates(found)
        parts.extend((part, each) for part in ("arrays", "totals", "columns") for each in getattr(whole, part))
        return whole

    monkeypatch.setattr(writer, "join_aggregates", seen)
    make(tmp_path / "seen", **form, source=scaled)
    assert len(parts) > 5
    for part, each in parts.copy():

        def spoiled(found: list[Aggregates], part: str = part, each: str = each) -> Aggregates:
            whole = join_aggregates(found)
            values = getattr(whole, part)
            return replace(whole, **{part: {**values, each: slightly(values[each])}})

        monkeypatch.setattr(writer, "join_aggregates", spoiled)
        make(tmp_path / each, **form, source=scaled)
        with pytest.raises(CorruptRunError, match="holds numbers that are not those of the passes"):
            verify_run(tmp_path / each)


def test_a_regression_is_told_in_figures(tmp_path: Path) -> None:
    run = make(tmp_path / "run", **FORMS["one target of rows"])
    found = verify_run(tmp_path / "run")
    errors = run.predictions_block(0, None).astype(np.float64) - run.labels
    assert found.accuracy == {}
    assert found.rmse["mean single pass"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert found.rmse["ensemble"] == pytest.approx(np.sqrt((errors.mean(axis=0) ** 2).mean()))
    assert found.rmse["deterministic"] == run.deterministic_rmse
    assert "RMSE, ensemble: " in str(found)
    assert str(found).count(" kg") == 3


def test_progress_is_told_and_what_it_raises_stops_the_work(tmp_path: Path) -> None:
    run, told = make(tmp_path / "run"), []
    verify_run(run.path, lambda done, total: told.append((done, total)))
    steps = len(run.manifest.files) + run.manifest.shards
    assert told == [(done, steps) for done in range(1, steps + 1)]

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        raise InterruptedError

    told.clear()
    with pytest.raises(InterruptedError):
        verify_run(run.path, stop)
    assert told == [(1, steps)]


def test_an_accuracy_in_the_manifest_that_the_passes_do_not_have_is_found(tmp_path: Path) -> None:
    run, folder = make(tmp_path / "run"), folder_at(tmp_path / "run")
    assert run.manifest.quality == pytest.approx(run.ensemble_accuracy[-1])
    write_manifest(folder, replaced(run.manifest, quality=0.999))
    with pytest.raises(CorruptRunError, match=r"manifest\.json holds numbers that are not those"):
        verify_run(run.path)
    write_manifest(folder, replaced(run.manifest, quality=None))  # as of runs that were written before it was kept
    verify_run(run.path)
