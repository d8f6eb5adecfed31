"""A run as what can be sampled again: its examples as a data set, and the options that its model was sampled with."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from mcviz.data import DataSet, InPlace
from mcviz.data.in_place import Places, to_index
from mcviz.errors import McvizError, RunNotFoundError
from mcviz.options import DataOptions, ModelOptions, PreprocessingOptions, RunOptions, SampleOptions, TaskOptions
from mcviz.runs import Manifest, Run, open_run
from mcviz.runs.contents import describe_examples


def data_set_of(run: Run) -> DataSet:
    """The examples of a run, with their labels, names, ids and columns; sampled alike, they make the same run.

    Raises:
        McvizError: the run was kept without its examples.
    """
    examples = run.manifest.examples
    held = DataSet(_images_of(run) if run.manifest.images is not None else None, kind=examples.kind)
    if examples.content:
        held = run.kind.read_content(held, run.content)
    if run.labels is not None:
        held = replace(held, labels=run.labels)
    held = replace(held, class_names=run.class_names or None, target_names=run.targets or None)
    if run.columns is None:
        return held
    own = run.columns.drop(columns=["id", *examples.content]).reset_index(drop=True)
    found = list(_as_it_may_have_been(held, tuple(run.columns["id"]), own))
    return next((each for each in found if _columns_sha256(run, each) == examples.columns_sha256), found[0])


def _images_of(run: Run) -> InPlace:
    images, path = run.images, run.path if "://" in run.path else str(Path(run.path).absolute())
    read = _ImagesOfRun(path, run.manifest.examples.sha256)
    return InPlace(read, range(len(images)), images.shape[1:], images.dtype)


@dataclass(frozen=True)
class _ImagesOfRun:
    """Gives images of a run, which every process opens for itself; the run may grow meanwhile.

    Attributes:
        path: of the run.
        sha256: of its examples.
    """

    path: str
    sha256: str

    def __call__(self, places: Places) -> np.ndarray:
        """The images at some places.

        Raises:
            RunNotFoundError: the run was removed, or has other images by now.
            CorruptRunError: a file is not what was written.
        """
        try:
            return self._opened().images[to_index(places)]
        except RunNotFoundError:  # it has grown, or was removed and made again
            _opened.cache_clear()
        return self._opened().images[to_index(places)]

    def _opened(self) -> Run:
        run = _opened(self.path)
        if run.manifest.examples.sha256 != self.sha256:
            raise RunNotFoundError(f"{self.path} was replaced by a run of other examples. Give the one that is meant.")
        return run


@lru_cache(1)
def _opened(path: str) -> Run:
    return open_run(path)


def _as_it_may_have_been(held: DataSet, ids: tuple[str, ...], own: pd.DataFrame) -> Iterator[DataSet]:
    """With and without ids that are only numbers, and columns of which there are none: a run does not tell these."""
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


def can_be_sampled(run: Run) -> bool:
    """Whether a run has its model and its examples, so that it can be sampled again; neither is read."""
    return run.manifest.has_model and run.manifest.has_examples and "://" not in run.path


def options_of_model(run: Run, *, preprocessing: bool = True) -> tuple[ModelOptions, TaskOptions, PreprocessingOptions]:
    """The options of `mcviz sample` by which a run's own model predicts as it did for the run.

    The model is not read; see `check_kept_model`.

    Args:
        run: whose model it is.
        preprocessing: whether it takes examples as it took those of the run; without it, that is found out.

    Raises:
        McvizError: the run was kept without its model.
    """
    manifest = run.manifest
    if not manifest.has_model or "://" in run.path:
        raise McvizError(f"{run.path} was kept without its model. Sample it again with the model kept.")
    return (
        ModelOptions(str(Path(run.path).absolute())),
        TaskOptions(manifest.task, manifest.predicts),
        _preprocessing(manifest) if preprocessing else PreprocessingOptions(),
    )


def check_kept_model(run: Run) -> None:
    """Hold the model that a run has kept against its checksum.

    Raises:
        CorruptRunError: the file is not what was written.
    """
    if name := run.manifest.model_file:
        run.read_file(name)


def options_of_data(run: Run) -> DataOptions:
    """The options of `mcviz sample` by which the examples of a run are read.

    Raises:
        McvizError: the run was kept without its examples.
    """
    if not run.manifest.has_examples:
        raise McvizError(f"{run.path} was kept without its examples. Sample it again with the images kept.")
    return DataOptions(str(Path(run.path).absolute()), unit=run.manifest.unit)


def options_of_more(run: Run, *, seed: int, passes: int, keep: bool = True) -> SampleOptions:
    """The options of `mcviz sample` by which a run's own model and examples are sampled again.

    Args:
        run: whose they are.
        seed: of the masks.
        passes: how many.
        keep: whether images and model are kept.

    Raises:
        McvizError: the run was kept without its model or its examples.
        CorruptRunError: the model is not what was written.
    """
    check_kept_model(run)
    model, task, preprocessing = options_of_model(run)
    return SampleOptions(
        model=model,
        task=task,
        data=options_of_data(run),
        preprocessing=preprocessing,
        passes=passes,
        masks=run.manifest.masks or "per_pass",
        seed=seed,
        run=RunOptions(keep_images=keep),
        keep_model=keep,
    )


def _preprocessing(manifest: Manifest) -> PreprocessingOptions:
    """Options that say in full how the model takes an example, so that nothing is found out anew."""
    done = manifest.preprocessing
    if manifest.images is None and not done.steps and not done.applied:
        return PreprocessingOptions()
    return PreprocessingOptions(
        scale=done.divide_by,
        mean=done.mean,
        std=done.std,
        channel_order=None if done.channel_order == "rgb" else done.channel_order,
        crop=done.crop,
        preprocessed=done.applied,
    )
