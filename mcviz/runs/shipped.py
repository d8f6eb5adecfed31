"""The runs that come with mcviz: in a checkout's `cache`, or inside of the package where that was installed."""

import os
from contextlib import suppress
from pathlib import Path

from mcviz.errors import NotPermittedError

PACKAGE = Path(__file__).resolve().parents[1]
FOLDER = PACKAGE if (PACKAGE / "cache").is_dir() else PACKAGE.parent  # of what travels with the package
SHIPPED_RUNS = tuple(FOLDER / "cache" / name for name in ("mnist-cnn", "fashion-cnn"))  # the first is shown first


def shipped_runs() -> dict[str, Path]:
    """The folder of each run that came with mcviz, by its name."""
    return {run.name: run for run in SHIPPED_RUNS if run.exists()}


def is_shipped(path: str | os.PathLike[str]) -> bool:
    """Whether a path, or a link at it, leads to a run that came with mcviz."""
    with suppress(OSError, ValueError):  # nothing is there, or nothing can be
        return any(run.samefile(path) for run in shipped_runs().values())
    return False


def require_own(path: str | os.PathLike[str]) -> None:
    """Refuse to change a run that came with mcviz.

    Raises:
        NotPermittedError: it did.
    """
    if is_shipped(path):
        raise NotPermittedError(
            f"{os.fspath(path)} came with mcviz and cannot be changed. Copy its folder, and change the copy."
        )
