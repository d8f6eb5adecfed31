"""The options of `mcviz sample` that sample a run's model and examples again."""

from pathlib import Path

from mcviz.errors import McvizError
from mcviz.options import (
    NO_CLASS,
    DataOptions,
    MaskOptions,
    ModelOptions,
    OverviewOptions,
    PreprocessingOptions,
    RunOptions,
    SampleOptions,
    TaskOptions,
)
from mcviz.runs import Manifest, Run


def can_be_sampled(run: Run) -> bool:
    """Whether a run has its model and examples; neither is read."""
    return run.manifest.has_model and run.manifest.has_examples and "://" not in run.path


def options_of_model(run: Run, *, preprocessing: bool = True) -> tuple[ModelOptions, TaskOptions, PreprocessingOptions]:
    """Return the options that make a run's model predict as before.

    The model is not read; see `check_kept_model`.

    Args:
        run: whose model it is.
        preprocessing: whether to keep the run's preprocessing; without it, it is found out again.

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
    """Check the model stored in a run by its checksum.

    Raises:
        CorruptRunError: the file has changed.
    """
    if name := run.manifest.model_file:
        run.read_file(name)


def options_of_data(run: Run) -> DataOptions:
    """Return the options that read the examples of a run.

    Raises:
        McvizError: the run was kept without its examples.
    """
    if not run.manifest.has_examples:
        raise McvizError(f"{run.path} was kept without its examples. Sample it again with the images kept.")
    return DataOptions(str(Path(run.path).absolute()), unit=run.manifest.unit)


def options_of_more(run: Run, *, seed: int, passes: int, keep: bool = True) -> SampleOptions:
    """Return the options that sample a run's model and examples again.

    Args:
        run: whose they are.
        seed: of the masks.
        passes: how many.
        keep: whether images and model are kept, and all that Overview shows is computed.

    Raises:
        McvizError: the run was kept without its model or its examples.
        CorruptRunError: the model file has changed.
    """
    check_kept_model(run)
    model, task, preprocessing = options_of_model(run)
    return SampleOptions(
        model=model,
        task=task,
        data=options_of_data(run),
        preprocessing=preprocessing,
        masks_mean=_masks_mean(run.manifest),
        passes=passes,
        masks=run.manifest.masks or "per_pass",
        seed=seed,
        run=RunOptions(keep_images=keep),
        keep_model=keep,
        overview=OverviewOptions(noise=keep),
    )


def _masks_mean(manifest: Manifest) -> MaskOptions:
    """Return the run's meaning of the numbers in masks."""
    if manifest.label_maps is None:
        return MaskOptions()
    numbers = manifest.label_maps.background, manifest.label_maps.ignore
    return MaskOptions(*(NO_CLASS if number is None else str(number) for number in numbers))


def _preprocessing(manifest: Manifest) -> PreprocessingOptions:
    """Return the full preprocessing options, so that nothing is guessed again."""
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
