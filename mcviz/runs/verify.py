"""Verify checksums, recompute all numbers from the passes, and export a run."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from mcviz.errors import CorruptRunError, InvalidInputError, StorageError
from mcviz.manifest import Manifest
from mcviz.runs.arrays import stored_arrays
from mcviz.runs.manifest_file import NAME, corrupt
from mcviz.runs.run import Run, open_run
from mcviz.runs.storage import folder_at
from mcviz.runs.tables import Progress
from mcviz.tasks import task_of
from mcviz.tasks.base import Aggregates, join_aggregates
from mcviz.text import list_names

if TYPE_CHECKING:
    import pandas as pd
    import xarray


ROUNDING = 1e-6  # another processor's, in what is recomputed

Arrays = dict[str, tuple[tuple[str, ...], np.ndarray]]


@dataclass(frozen=True)
class Verification:
    """The findings of `verify_run`.

    Attributes:
        run: the run.
        files: how many files were read, every byte of them.
        bytes: of those files.
        quality: by the task's measure, with labels, of "deterministic", where that is known, "mean single pass", of a
            regression the root of the mean of the squares, and "ensemble".
        mean_scores: the mean over the examples of each score.
    """

    run: Run
    files: int
    bytes: int
    quality: dict[str, float]
    mean_scores: dict[str, float]

    def __str__(self) -> str:
        manifest = self.run.manifest
        task = task_of(manifest)
        lines = [
            f"{self.run.path}: {manifest.passes:,} passes over {len(self.run):,} examples, "
            f"{manifest.output_summary}, {manifest.sampling_summary}",
            f"{self.files} files, {self.bytes:,} bytes: all as they were written",
        ]
        if manifest.examples_with_labels is not None:
            lines.append(f"{manifest.labelled:,} examples have a label, and the {task.quality_name} is of these")
        for label, value in self.quality.items():
            lines.append(f"{task.quality_name}, {label + ':':<18} {task.format_quality(value, manifest.unit)}")
        lines += [f"mean {task.scores[name].label + ':':<28} {value:.4f}" for name, value in self.mean_scores.items()]
        lines.append("The stored scores and sums are those of the stored passes.")
        if unverified := task.unverified_arrays(manifest):
            lines.append(
                f"Of {list_names(unverified)} the checksums alone were verified: they follow from nothing stored."
            )
        return "\n".join(lines)


def verify_run(path: str | os.PathLike[str], progress: Progress | None = None) -> Verification:
    """Verify all checksums of a run, and recompute its scores and accuracies.

    Args:
        path: its folder, or an fsspec address.
        progress: called with (done, total) steps, each a file or a shard of examples. What it raises stops the work.

    Raises:
        CorruptRunError: a file is not what was written, a stored number does not follow from the passes, or scores that
            were added to the run cannot be read.
        RunNotFoundError: there is no run, or it was removed or replaced by another while it was verified.
        Others: as `open_run`.
    """
    run, folder = open_run(path).undecided, folder_at(path)
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
        quality=_collect_quality(run),
        mean_scores={name: float(table[name].to_numpy().mean(dtype=np.float64)) for name in names},
    )


def _check_numbers(run: Run, names: tuple[str, ...], progress: Progress | None) -> dict[str, bool]:
    manifest, parts = replace(run.manifest, scores=names), []
    agree: dict[str, bool] = {}
    files = len(manifest.files)
    for shard in range(manifest.shards):
        start, stop = manifest.shard_range(shard)
        labels = None if run.labels is None else run.labels[start:stop]
        passes = run.predictions_block(start, stop)
        parts.append(run.task.aggregate(manifest, passes, labels))
        for name, rows in run.task.recompute(manifest, passes, labels).items():
            agrees = _agrees(manifest, run.array(name, start, stop), rows)
            agree[f"{manifest.store}/{name}"] = agree.get(f"{manifest.store}/{name}", True) and agrees
        if progress:
            progress(files + shard + 1, files + manifest.shards)
    return agree | _compare(run, join_aggregates(parts))


def _collect_quality(run: Run) -> dict[str, float]:
    known = {} if run.deterministic_quality is None else {"deterministic": run.deterministic_quality}
    if run.quality_by_pass is None:
        return known
    passes, ensembles = run.quality_by_pass
    single = run.task.quality_of_single_pass(passes)
    return known | {"mean single pass": single, "ensemble": float(ensembles[-1])}


def _compare(run: Run, aggregates: Aggregates) -> dict[str, bool]:
    """Compare stored with recomputed numbers, by file."""
    import pandas as pd  # here, because it takes time to import

    manifest, table = run.manifest, run.scores()
    quality = task_of(manifest).quality_of_totals(manifest, aggregates.totals)
    ids_agree = run.columns is None or run.columns["id"].equals(table["id"])
    columns = [
        name in aggregates.columns or table[name].isna().all() for name in task_of(manifest).table_columns(run.targets)
    ]
    agree = {manifest.table: ids_agree and all(columns)}
    for name, values in aggregates.columns.items():
        stored, is_known = table[name], pd.notna(values)
        known = stored[is_known].to_numpy(values.dtype) if bool((stored.notna() == is_known).all()) else None
        agree[manifest.table] &= known is not None and _agrees(manifest, known, values[is_known])
    for name, rows in (aggregates.arrays | aggregates.totals).items():
        agree[f"{manifest.store}/{name}"] = _agrees(manifest, run.array(name), rows)
    counts_agree = run.labels is None or int(run.task.find_labelled(run.labels).sum()) == manifest.labelled
    return agree | {NAME: counts_agree and _quality_agrees(manifest, quality)}


def _quality_agrees(manifest: Manifest, recomputed: float | None) -> bool:
    stored = manifest.quality
    return stored is None or (recomputed is not None and abs(stored - recomputed) <= ROUNDING * abs(recomputed))


def _agrees(manifest: Manifest, stored: np.ndarray, recomputed: np.ndarray) -> bool:
    """Return whether numbers are equal up to rounding on another processor."""
    if recomputed.dtype.kind != "f":
        return np.array_equal(stored, recomputed)
    largest = (
        1.0 if manifest.classes else np.abs(recomputed).max(axis=0)
    )  # of probabilities, or of each target in its unit
    missing = np.isnan(stored) & np.isnan(recomputed)  # such as the Dice of a class that is nowhere
    return bool(np.all(missing | (np.abs(stored - recomputed) <= ROUNDING * largest)))


def export_run(run: Run, file: str | os.PathLike[str]) -> None:
    """Export a run as an archive of arrays or a table.

    Args:
        run: an open run.
        file: `.parquet`, the table of scores;
            `.npz`, the arrays `probs` (T, N, C) and, if known, `deterministic_probs` (N, C), `labels` (N,), of several
            an example (N, C), and `ids` (N,), or of a regression `outputs` (T, N, D), `variances`,
            `deterministic_outputs` (N, D), `labels` (N, D) and `ids` (N,), or of a segmentation `classes` (T, N, H, W)
            and, if known, `mean_class`, `mean_confidence`, `predictive_entropy`, `mutual_information`,
            `deterministic_classes` and `labels` (N, H, W); `.nc`, NetCDF as `as_xarray` describes it.

    Raises:
        InvalidInputError: another kind of file, or a package that it needs is not installed.
        StorageError: the file cannot be written.
        CorruptRunError: a file of the run is not what was written.
    """
    target = Path(file)
    kinds: dict[str, Callable[[Run, Path], None]] = {
        ".parquet": _write_parquet,
        ".npz": _write_npz,
        ".nc": _write_netcdf,
    }
    if target.suffix not in kinds:
        raise InvalidInputError(f"Runs are exported to .parquet, .npz or .nc. Received: {file}.")
    try:
        with replaced_file(target) as temporary:
            kinds[target.suffix](run, temporary)
    except ImportError as error:
        package = {".parquet": "pyarrow", ".nc": "xarray netCDF4"}[target.suffix]
        raise InvalidInputError(
            f"A {target.suffix} file needs {package.replace(' ', ' and ')}: pip install {package}."
        ) from error


def write_table(table: "pd.DataFrame", file: str | os.PathLike[str]) -> None:
    """Write a table without its index.

    Args:
        table: of any columns.
        file: `.csv` or `.parquet`.

    Raises:
        InvalidInputError: another kind of file.
        StorageError: the file cannot be written.
    """
    target = Path(file)
    check_table_file(target)
    with replaced_file(target) as temporary:
        if target.suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)


def check_table_file(file: str | os.PathLike[str]) -> None:
    """Check in advance that `write_table` takes such a file.

    Raises:
        InvalidInputError: it does not.
    """
    if Path(file).suffix not in (".csv", ".parquet"):
        raise InvalidInputError(f"A table is written to .csv or .parquet. Received: {file}.")


@contextmanager
def replaced_file(target: Path) -> Iterator[Path]:
    """Open a temporary file that replaces `target`; a failure leaves nothing.

    Raises:
        StorageError: it cannot be written.
    """
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(6)}{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_parquet(run: Run, file: Path) -> None:
    import pyarrow  # noqa: F401 (so that its absence is told by its own name)

    run.table().to_parquet(file)


def _write_npz(run: Run, file: Path) -> None:
    arrays: dict[str, Any] = {name: values for name, (_, values) in _collect_arrays(run).items()}
    if run.columns is not None:
        arrays["ids"] = run.columns["id"].to_numpy(np.str_)
    np.savez_compressed(file, **arrays)


def _write_netcdf(run: Run, file: Path) -> None:
    import netCDF4  # noqa: F401 (xarray would name all its engines)

    passes = run.task.pass_arrays(run.manifest)
    encoding = {name: {"zlib": True, "complevel": 1} for name in passes}
    as_xarray(run).to_netcdf(file, engine="netcdf4", encoding=encoding)


def as_xarray(run: Run) -> "xarray.Dataset":
    """Convert a run to xarray in the form of ArviZ.

    Returns:
        `probs` (draw, example, category) and `deterministic_probs` (example, category), or of a regression `outputs`
        and `variances` (draw, example, target) and the same with dropout off, where they are known; `prediction` and
        every score (example,) and, if known, the labels; names along `category` or `target`.
    """
    import xarray

    scores = run.scores()
    variables: dict[str, Any] = dict(_collect_arrays(run))
    if "labels" in variables:
        variables["label"] = variables.pop("labels")
    predicted = [name for name in run.task.table_columns(run.targets) if name.startswith("prediction")]
    columns = (*predicted, *run.manifest.scores, *run.added_scores)
    variables |= {name: (("example",), scores[name].to_numpy()) for name in columns}
    names = {"category": list(run.class_names), "target": list(run.targets)}
    coordinates = {name: texts for name, texts in names.items() if texts}
    attributes = {"passes": run.passes, **run.manifest.settings, "digest": run.digest}
    return xarray.Dataset(variables, coordinates, attributes)


def _collect_arrays(run: Run) -> Arrays:
    """Return dimensions and values by their names in an npz."""
    task, manifest, stored = run.task, run.manifest, stored_arrays(run.manifest)
    arrays: Arrays = {}
    for name, part in task.split(manifest, run.predictions_block(0, None)).items():
        axes = stored[name].dimensions
        arrays[name] = (("draw", *axes[:-1]) if axes[-1] == "draw" else axes, part)
    if run.deterministic_predictions is not None:
        fixed = task.split_deterministic(manifest, run.deterministic_predictions)
        arrays |= {name: (stored[name].dimensions, part) for name, part in fixed.items()}
    if run.labels is not None:
        arrays["labels"] = (stored["label"].dimensions, task.export_labels(run.labels))
    return arrays
