"""A run as a file for other tools."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz.errors import InvalidInputError, StorageError
from mcviz.runs.run import Run

if TYPE_CHECKING:
    import xarray


def export_run(run: Run, file: str | os.PathLike[str]) -> None:
    """Write a run for those who go on elsewhere.

    Args:
        run: an open run.
        file: `.parquet`, the table of scores; `.npz`, the arrays `probs` (T, N, C) and, if known,
            `deterministic_probs` (N, C) and `labels` (N,); `.nc`, NetCDF as `as_xarray` describes it.

    Raises:
        InvalidInputError: another kind of file, or a package that it needs is not installed.
        StorageError: the file cannot be written.
        CorruptRunError: a file of the run is not what was written.
    """
    target = Path(file)
    kinds: dict[str, Callable[[Run, Path], None]] = {".parquet": _parquet, ".npz": _npz, ".nc": _netcdf}
    if target.suffix not in kinds:
        raise InvalidInputError(f"Runs are exported to .parquet, .npz or .nc. Received: {file}.")
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(6)}{target.suffix}")
    try:
        kinds[target.suffix](run, temporary)
        temporary.replace(target)
    except ImportError as error:
        package = {".parquet": "pyarrow", ".nc": "xarray netCDF4"}[target.suffix]
        raise InvalidInputError(
            f"A {target.suffix} file needs {package.replace(' ', ' and ')}: pip install {package}."
        ) from error
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _parquet(run: Run, file: Path) -> None:
    import pyarrow  # noqa: F401 (so that its absence is told by its own name)

    run.table().to_parquet(file)


def _npz(run: Run, file: Path) -> None:
    arrays: dict[str, Any] = {"probs": run.probs_block(0, None)}
    optional = {"deterministic_probs": run.deterministic_probs, "labels": run.labels}
    arrays |= {name: array for name, array in optional.items() if array is not None}
    np.savez_compressed(file, **arrays)


def _netcdf(run: Run, file: Path) -> None:
    import netCDF4  # noqa: F401 (xarray would name all its engines)

    as_xarray(run).to_netcdf(file, engine="netcdf4", encoding={"probs": {"zlib": True, "complevel": 1}})


def as_xarray(run: Run) -> "xarray.Dataset":
    """A run as an xarray data set, as ArviZ takes it.

    Returns:
        `probs` (draw, example, category), `deterministic_probs` (example, category) if known, `prediction` and every
        score (example,) and, if known, `label`; the class names along `category`.
    """
    import xarray

    scores = run.scores()
    variables: dict[str, Any] = {"probs": (("draw", "example", "category"), run.probs_block(0, None))}
    if run.deterministic_probs is not None:
        variables["deterministic_probs"] = (("example", "category"), run.deterministic_probs)
    variables |= {name: (("example",), scores[name].to_numpy()) for name in ("prediction", *run.manifest.scores)}
    if run.labels is not None:
        variables["label"] = (("example",), run.labels)
    attributes = {name: getattr(run.manifest, name) for name in ("passes", "seed", "masks")}
    known = {name: value for name, value in attributes.items() if value is not None}
    return xarray.Dataset(variables, {"category": list(run.class_names)}, {**known, "digest": run.digest})
