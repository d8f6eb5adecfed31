"""Export a run to a file for other tools."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz.errors import InvalidInputError, StorageError
from mcviz.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd
    import xarray

Arrays = dict[str, tuple[tuple[str, ...], np.ndarray]]


def export_run(run: Run, file: str | os.PathLike[str]) -> None:
    """Export a run as an archive of arrays or as a table.

    Args:
        run: an open run.
        file: `.parquet`, the table of scores; `.npz`, the arrays `probs` (T, N, C) and, if known,
            `deterministic_probs` (N, C), `labels` (N,) and `ids` (N,), or of a regression `outputs` (T, N, D),
            `variances`, `deterministic_outputs` (N, D), `labels` (N, D) and `ids` (N,); `.nc`, NetCDF as `as_xarray`
            describes it.

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
    """Check before the work whether `write_table` takes such a file.

    Raises:
        InvalidInputError: it does not.
    """
    if Path(file).suffix not in (".csv", ".parquet"):
        raise InvalidInputError(f"A table is written to .csv or .parquet. Received: {file}.")


@contextmanager
def replaced_file(target: Path) -> Iterator[Path]:
    """Open a temporary file that replaces `target` at the end; if writing fails, nothing is left behind.

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
    """Convert a run to an xarray data set, as ArviZ takes it.

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
    shown = (*predicted, *run.manifest.scores, *run.added_scores)
    variables |= {name: (("example",), scores[name].to_numpy()) for name in shown}
    names = {"category": list(run.class_names), "target": list(run.targets)}
    coordinates = {name: each for name, each in names.items() if each}
    attributes = {"passes": run.passes, **run.manifest.settings, "digest": run.digest}
    return xarray.Dataset(variables, coordinates, attributes)


def _collect_arrays(run: Run) -> Arrays:
    """Dimensions and values of passes, deterministic predictions and labels, by their names in an .npz."""
    task, manifest, axis = run.task, run.manifest, "category" if run.class_names else "target"
    passes = task.split(manifest, run.predictions_block(0, None))
    found: Arrays = {name: (("draw", "example", axis), part) for name, part in passes.items()}
    if run.deterministic_predictions is not None:
        fixed = task.split_deterministic(manifest, run.deterministic_predictions)
        found |= {name: (("example", axis), part) for name, part in fixed.items()}
    if run.labels is not None:
        found["labels"] = (("example", axis)[: run.labels.ndim], run.labels)
    return found
