"""Verifying computes again what is kept, and tells any difference."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace as replaced

from mcviz.errors import CorruptRunError
from mcviz.runs import open_run, verify_run, writer
from mcviz.runs.manifest_file import write_manifest
from mcviz.runs.storage import folder_at
from mcviz.tasks.base import Aggregates, join_aggregates
from tests.cases import one_in
from tests.runs.making import FORMS, MadeUpSource, made_up, make


def test_a_sound_run_is_told_in_figures(finished_run: Path) -> None:
    run, report = open_run(finished_run), verify_run(finished_run)
    assert report.quality["deterministic"] == run.deterministic_accuracy
    assert report.quality["mean single pass"] == pytest.approx(run.pass_accuracy.mean())
    assert report.quality["ensemble"] == run.ensemble_accuracy[-1]
    for name in run.manifest.scores:
        assert report.mean_scores[name] == pytest.approx(run.scores()[name].mean(), abs=1e-6)
    assert f"accuracy, ensemble:          {run.ensemble_accuracy[-1]:.2%}" in str(report)
    assert "6 passes over 11 examples" in str(report)


def test_without_labels_there_are_no_accuracies(tmp_path: Path) -> None:
    make(tmp_path / "run", labelled=False)
    report = verify_run(tmp_path / "run")
    assert report.quality == {}
    assert "accuracy" not in str(report)


def slightly(values: np.ndarray, classes: int) -> np.ndarray:
    """Numbers of which one is changed by what rounding does not do to it; of counts and classes, all."""
    if values.dtype.kind == "b":
        return ~values
    if values.dtype.kind != "f":
        return values.max() - values
    changed = values.copy()
    changed[np.abs(values).argmin(axis=0)] += 1e-4 * (1 if classes else np.abs(values).max(axis=0))
    return changed


SCALES = one_in(6, product(["one target of rows", "three targets with variances"], [1e-9, 1, 1e9]))


@pytest.mark.parametrize(("name", "scale"), [("classes of images", 1), *SCALES])
def test_every_stored_number_that_is_not_that_of_the_passes_is_found_whatever_the_size_of_the_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, scale: float
) -> None:
    form = FORMS[name]
    targets = len(form.get("targets", ()))

    class Scaled(MadeUpSource):
        """Targets of very different sizes: the last as it is, and the others so many times as large."""

        def _one(self, image: int, number: int) -> np.ndarray:
            values = super()._one(image, number)
            values[: targets // 2] *= np.float32(scale)
            return values * np.float32(scale) if targets == 1 else values

    honest = made_up(form)
    scaled = Scaled(honest.images, honest.classes, honest.seed, regression=honest.regression)
    parts: list[tuple[str, str]] = []

    def seen(of_shards: list[Aggregates]) -> Aggregates:
        whole = join_aggregates(of_shards)
        parts.extend((part, key) for part in ("arrays", "totals", "columns") for key in getattr(whole, part))
        return whole

    monkeypatch.setattr(writer, "join_aggregates", seen)
    run = make(tmp_path / "run", **form, source=scaled)
    verify_run(run.path)
    assert len(parts) > 5
    for part, key in parts.copy():

        def spoiled(of_shards: list[Aggregates], part: str = part, key: str = key) -> Aggregates:
            whole = join_aggregates(of_shards)
            values = getattr(whole, part)
            return replace(whole, **{part: {**values, key: slightly(values[key], run.manifest.classes)}})

        monkeypatch.setattr(writer, "join_aggregates", spoiled)
        make(tmp_path / key, **form, source=scaled)
        file = tmp_path / key / ("scores.parquet" if part == "columns" else f"predictions.zarr/{key}")
        with pytest.raises(CorruptRunError, match=f"{file} holds numbers that are not those of the passes"):
            verify_run(tmp_path / key)


@pytest.mark.parametrize("form", ["one target of rows"])
def test_a_regression_is_told_in_figures(finished_run: Path) -> None:
    run, report = open_run(finished_run), verify_run(finished_run)
    errors = run.predictions_block(0, None).astype(np.float64) - run.labels
    assert report.quality["mean single pass"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert report.quality["ensemble"] == pytest.approx(np.sqrt((errors.mean(axis=0) ** 2).mean()))
    assert report.quality["deterministic"] == run.deterministic_rmse
    assert "RMSE, ensemble: " in str(report)
    assert str(report).count(" kg") == 3


def test_progress_is_told_and_what_it_raises_stops_the_work(finished_run: Path) -> None:
    run, counts = open_run(finished_run), []
    verify_run(run.path, lambda done, total: counts.append((done, total)))
    steps = len(run.manifest.files) + run.manifest.shards
    assert counts == [(done, steps) for done in range(1, steps + 1)]

    def stop(done: int, total: int) -> None:
        counts.append((done, total))
        raise InterruptedError

    counts.clear()
    with pytest.raises(InterruptedError):
        verify_run(run.path, stop)
    assert counts == [(1, steps)]


def test_an_accuracy_in_the_manifest_that_the_passes_do_not_have_is_found(finished_run: Path) -> None:
    run, folder = open_run(finished_run), folder_at(finished_run)
    assert run.manifest.quality == pytest.approx(run.ensemble_accuracy[-1])
    write_manifest(folder, replaced(run.manifest, quality=0.999))
    with pytest.raises(CorruptRunError, match=r"manifest\.json holds numbers that are not those"):
        verify_run(run.path)
    write_manifest(folder, replaced(run.manifest, quality=None))  # as of runs that were written before it was kept
    verify_run(run.path)
