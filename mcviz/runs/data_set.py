"""The examples of a run as a data set to sample again."""

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mcviz.data import DataSet, LazyRows
from mcviz.data.in_place import Places
from mcviz.errors import RunNotFoundError
from mcviz.runs.manifest_file import NAME
from mcviz.runs.run import Run, open_run
from mcviz.runs.tables import describe_examples


def find_run(data: Any) -> Run | None:
    """Return the run given as data, itself or by local folder, or None.

    Raises:
        McvizError: the run cannot be opened.
    """
    if isinstance(data, str | os.PathLike) and (Path(data) / NAME).is_file():
        return open_run(data)
    return data if isinstance(data, Run) else None


def data_set_of(run: Run) -> DataSet:
    """Return a run's examples as data that sample to the same run.

    Raises:
        McvizError: the run was kept without its examples.
    """
    examples = run.manifest.examples
    content = run.kind.content
    if run.manifest.images is not None:
        held = DataSet(held=content(_images_of(run)), kind=examples.kind)
    else:
        held = DataSet(held=content.from_columns(run.content) if examples.content else content(), kind=examples.kind)
    if run.labels is not None:
        held = replace(held, labels=run.task.given_labels(run.manifest, run.labels))
        held = replace(held, some_unlabelled=run.manifest.examples_with_labels is not None)
    if (maps := run.manifest.label_maps) is not None:
        held = replace(held, ignored=maps.ignore)
    held = replace(held, class_names=run.class_names or None, target_names=run.targets or None)
    if run.columns is None:
        return held
    own = run.columns.drop(columns=["id", *examples.content]).reset_index(drop=True)
    candidates = list(_as_it_may_have_been(held, tuple(run.columns["id"]), own))
    return next(
        (candidate for candidate in candidates if _columns_sha256(run, candidate) == examples.columns_sha256),
        candidates[0],
    )


def _images_of(run: Run) -> LazyRows:
    images, path = run.images, run.path if "://" in run.path else str(Path(run.path).absolute())
    read = partial(_read_images, path, run.manifest.examples.sha256)
    return LazyRows(read, images.places, images.image_shape, images.dtype)


def _read_images(path: str, sha256: str, places: Places) -> np.ndarray:
    """Read images of a run, which every process opens for itself; the run may grow meanwhile.

    Args:
        path: of the run.
        sha256: of its examples.
        places: of the images.

    Raises:
        RunNotFoundError: the run was removed, or has other images by now.
        CorruptRunError: a file is not what was written.
    """
    try:
        return _open_images(path, sha256).read(places)
    except RunNotFoundError:  # it has grown, or was removed and made again
        _opened.cache_clear()
    return _open_images(path, sha256).read(places)


def _open_images(path: str, sha256: str) -> LazyRows:
    run = _opened(path)
    if run.manifest.examples.sha256 != sha256:
        raise RunNotFoundError(f"{path} was replaced by a run of other examples. Give the one that is meant.")
    return run.images


@lru_cache(1)
def _opened(path: str) -> Run:
    return open_run(path)


def _as_it_may_have_been(held: DataSet, ids: tuple[str, ...], own: pd.DataFrame) -> Iterator[DataSet]:
    """Yield variants without ids that only count and empty columns: a run stores neither."""
    for columns in (None, own) if own.empty else (own,):
        if ids == tuple(map(str, range(len(ids)))):
            yield replace(held, columns=columns)
        yield replace(held, ids=ids, columns=columns)


def _columns_sha256(run: Run, held: DataSet) -> str | None:
    manifest = run.manifest
    described, _ = describe_examples(
        manifest.examples, manifest.task, run.targets, held.ids, held.content, held.columns
    )
    return described.columns_sha256
