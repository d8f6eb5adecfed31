"""A run as a file for other tools."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mcviz.errors import InvalidInputError, StorageError
from mcviz.runs.run import Run

if TYPE_CHECKING:
    import xarray


def export_run(run: Run, file: str | os.PathLike[str]) -> None:
    """Write a run for those who go on elsewhere.

    Args:
        run: an open run.
        file: `.parquet`, the table of scores; `.npz`, the arrays `probs` (T, N, C), `deterministic_probs` (N, C) and, if known,
            `labels` (N,); `.nc`, the same as NetCDF with the dimensions `pass`, `image` and `class`, and every score.

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

    run.scores().to_parquet(file)


def _npz(run: Run, file: Path) -> None:
    arrays = {"probs": run.probs_block(0, run.manifest.images.count), "deterministic_probs": run.deterministic_probs}
    if run.labels is not None:
        arrays["labels"] = run.labels
    np.savez_compressed(file, allow_pickle=False, **arrays)


def _netcdf(run: Run, file: Path) -> None:
    import netCDF4  # noqa: F401 (xarray would name all its engines)

    as_xarray(run).to_netcdf(file, engine="netcdf4", encoding={"probs": {"zlib": True, "complevel": 1}})


def as_xarray(run: Run) -> "xarray.Dataset":
    """A run as an xarray data set, as ArviZ takes it.

    Returns:
        `probs` (pass, image, class), `deterministic_probs` (image, class), every score (image,) and, if known, `label`.
    """
    import xarray

    scores = run.scores()
    variables = {
        "probs": (("pass", "image", "class"), run.probs_block(0, run.manifest.images.count)),
        "deterministic_probs": (("image", "class"), run.deterministic_probs),
    }
    variables |= {name: (("image",), scores[name].to_numpy()) for name in ("prediction", *run.manifest.scores)}
    if run.labels is not None:
        variables["label"] = (("image",), run.labels)
    attributes = {name: getattr(run.manifest, name) for name in ("passes", "seed", "masks")}
    return xarray.Dataset(variables, {"class": list(run.class_names)}, {**attributes, "digest": run.digest})
