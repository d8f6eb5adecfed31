"""Verify checksums, and recompute every number from the passes."""

import os
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from mcviz.errors import CorruptRunError
from mcviz.manifest import Manifest
from mcviz.runs.contents import Progress
from mcviz.runs.files import folder_at
from mcviz.runs.manifest_file import NAME, corrupt
from mcviz.runs.opening import open_run
from mcviz.runs.run import Run
from mcviz.tasks import task_of
from mcviz.tasks.aggregates import Aggregates, join_aggregates

ROUNDING = 1e-6  # another processor's, in what is recomputed


@dataclass(frozen=True)
class Verification:
    """The findings of `verify_run`.

    Attributes:
        run: the run.
        files: how many files were read, every byte of them.
        bytes: of those files.
        accuracy: of a classification with labels, of "deterministic", where that is known, "mean single pass" and
            "ensemble".
        rmse: the same of a regression; of a single pass the root of the mean of the squares.
        mean_scores: the mean over the examples of each score.
    """

    run: Run
    files: int
    bytes: int
    accuracy: dict[str, float]
    rmse: dict[str, float]
    mean_scores: dict[str, float]

    def __str__(self) -> str:
        manifest = self.run.manifest
        task = task_of(manifest)
        lines = [
            f"{self.run.path}: {manifest.passes:,} passes over {len(self.run):,} examples, "
            f"{manifest.output_summary}, {manifest.sampling_summary}",
            f"{self.files} files, {self.bytes:,} bytes: all as they were written",
        ]
        for label, value in (self.accuracy | self.rmse).items():
            lines.append(f"{task.quality_name}, {label + ':':<18} {task.format_quality(value, manifest.unit)}")
        lines += [f"mean {task.scores[name].label + ':':<28} {value:.4f}" for name, value in self.mean_scores.items()]
        return "\n".join([*lines, "The stored scores and sums are those of the stored passes."])


def verify_run(path: str | os.PathLike[str], progress: Progress | None = None) -> Verification:
    """Verify the checksum of every file of a run, and recompute its scores and accuracies from its passes.

    Args:
        path: its folder, or an fsspec address.
        progress: called with (done, total) steps, each a file or a shard of examples. What it raises stops the work.

    Raises:
        CorruptRunError: a file is not what was written, a stored number does not follow from the passes, or scores that
            were added to the run cannot be read.
        RunNotFoundError: there is no run, or it was removed or replaced by another while it was verified.
        Others: as `open_run`.
    """
    run, folder = open_run(path), folder_at(path)
    names = tuple(name for name in run.manifest.scores if name in run.task.scores)
    read, total = 0, len(run.manifest.files) + run.manifest.shards
    for done, name in enumerate(run.manifest.files, 1):
        read += len(run.read_file(name))
        if progress:
            progress(done, total)
    for array, agrees in _check_numbers(run, names, progress).items():
        if not agrees:
            raise corrupt(folder.address(array), "holds numbers that are not those of the passes")
    if run.added_scores_problem:
        raise CorruptRunError(run.added_scores_problem)
    table = run.scores()
    return Verification(
        run=run,
        files=len(run.manifest.files),
        bytes=read,
        accuracy=_collect_quality(run.manifest, run.deterministic_accuracy, run.pass_accuracy, run.ensemble_accuracy),
        rmse=_collect_quality(run.manifest, run.deterministic_rmse, run.pass_rmse, run.ensemble_rmse),
        mean_scores={name: float(table[name].to_numpy().mean(dtype=np.float64)) for name in names},
    )


def _check_numbers(run: Run, names: tuple[str, ...], progress: Progress | None) -> dict[str, bool]:
    """Whether the stored numbers follow from the passes, by the file that holds them."""
    manifest, parts = replace(run.manifest, scores=names), []
    files = len(manifest.files)
    for shard in range(manifest.shards):
        start, stop = manifest.shard_range(shard)
        labels = None if run.labels is None else run.labels[start:stop]
        parts.append(run.task.aggregate(manifest, run.predictions_block(start, stop), labels))
        if progress:
            progress(files + shard + 1, files + manifest.shards)
    return _compare(run, join_aggregates(parts))


def _collect_quality(
    manifest: Manifest, deterministic: float | None, passes: np.ndarray | None, ensemble: np.ndarray | None
) -> dict[str, float]:
    known = {} if deterministic is None else {"deterministic": deterministic}
    if passes is None or ensemble is None:
        return known
    return {
        **known,
        "mean single pass": task_of(manifest).quality_of_single_pass(passes),
        "ensemble": float(ensemble[-1]),
    }


def _compare(run: Run, found: Aggregates) -> dict[str, bool]:
    """Whether the stored numbers are the recomputed ones, by the file that holds them."""
    manifest, table = run.manifest, run.scores()
    quality = task_of(manifest).quality_of_totals(manifest, found.totals)
    ids_agree = run.columns is None or run.columns["id"].equals(table["id"])
    columns = [
        name in found.columns or table[name].isna().all() for name in task_of(manifest).table_columns(run.targets)
    ]
    agree = {manifest.table: ids_agree and all(columns)}
    for name, values in found.columns.items():
        stored = table[name]
        agree[manifest.table] &= bool(stored.notna().all()) and _agrees(manifest, stored.to_numpy(values.dtype), values)
    for name, rows in (found.arrays | found.totals).items():
        agree[f"{manifest.store}/{name}"] = _agrees(manifest, run.array(name), rows)
    return agree | {NAME: _quality_agrees(manifest, quality)}


def _quality_agrees(manifest: Manifest, found: float | None) -> bool:
    """Whether the quality in the manifest is the recomputed one; some manifests have none."""
    stored = manifest.quality
    return stored is None or (found is not None and abs(stored - found) <= ROUNDING * abs(found))


def _agrees(manifest: Manifest, stored: np.ndarray, found: np.ndarray) -> bool:
    """Whether numbers are equal, up to the rounding of fractions on another processor."""
    if found.dtype.kind != "f":
        return np.array_equal(stored, found)
    largest = 1.0 if manifest.classes else np.abs(found).max(axis=0)  # of probabilities, or of each target in its unit
    return bool(np.all(np.abs(stored - found) <= ROUNDING * largest))
