"""`mcviz sample`, `check`, `import` and `train`."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import numpy as np

import mcviz.data
from mcviz.cli.base import loading, say, tell
from mcviz.cli.progress import count_progress, sampling_progress, stage_progress
from mcviz.cli.work import Watcher
from mcviz.data import (
    MATCHES,
    ColumnNames,
    DataSet,
    Pictures,
    open_passes,
    read_array,
    read_data,
    read_mnist,
    read_scaler,
    read_target_scaler,
)
from mcviz.data.labels import explain_renaming, rename_classes
from mcviz.errors import DataNotFoundError, InvalidInputError
from mcviz.extras import find_modules, is_function_name, needs_torch, require_dask, require_framework, require_keras
from mcviz.importing import ImportTrial, write_run
from mcviz.kinds import find_kind
from mcviz.options import (
    CheckOptions,
    ColumnOptions,
    DataOptions,
    ImportOptions,
    MaskOptions,
    ModelOptions,
    PreprocessingOptions,
    SampleOptions,
)
from mcviz.runs import PRESETS, Preprocessing, Run, TargetScaler, open_run
from mcviz.runs.data_set import data_set_of, find_run
from mcviz.runs.manifest_file import NAME
from mcviz.sampling.base import ModelSpec, absolute
from mcviz.sampling.checking import Check, Trial, check_model
from mcviz.sampling.cluster import connect
from mcviz.sampling.examples import default_preprocessing, name_classes_by_model
from mcviz.sampling.loading import load_sampler
from mcviz.sampling.run_sampling import sample_run
from mcviz.sampling.sampler import Sampler, find_backend
from mcviz.tasks import TASKS
from mcviz.tasks.base import StoredLabels
from mcviz.text import list_names, percent
from mcviz.validate import invalid

if TYPE_CHECKING:
    from distributed import Client

MOST_NAMES_SHOWN = 20

OF_A_RUN = ("output", "from_logits", "weights", "transform")  # options that do not apply to a run's own model


def read_examples(
    options: DataOptions, task: str = "classification", complete: bool = True, say: Callable[[str], None] = say
) -> DataSet:
    """Read examples, also those of a run, with notes and progress."""
    if run := find_run(options.data):
        if options.split is not None:
            raise invalid("split", "left out where the data are those of a run", options.split)
        examples = data_set_of(run)
    else:
        with count_progress("pictures") as progress:
            examples = read_data(
                options.data,
                skip_broken=options.skip_broken,
                columns=_column_names(options.columns),
                task=task,
                complete=complete,
                split=options.split,
                progress=progress,
            )
    examples = _take_selected(examples, options)
    for note in examples.notes:
        say(note)
    return examples


def name_classes(
    examples: DataSet, options: DataOptions, task: str = "classification", of_passes: Sequence[str] = ()
) -> DataSet:
    """Apply the options' class names; classes of passes keep their order.

    Raises:
        InvalidInputError: names that differ from those of the data or passes, and are not given as new ones.
    """
    own = tuple(of_passes) or examples.class_names or ()
    names, new = options.class_names, dict(options.rename_class)
    if options.names_in_order:
        if names is None or not own or len(names) != len(own):
            raise InvalidInputError(
                f"--names-in-order is for new names of the classes that the data have, {list_names(own) or 'none'}. "
                f"Received: {list_names(names or ()) or 'no --class-names'}."
            )
        new = dict(zip(own, names, strict=True)) | new
        names = None
    held = set(examples.class_names or ())
    if not of_passes:
        examples = examples.with_class_names(new) if new else examples
        return examples if names is None else examples.with_class_names(names)
    if known := held & new.keys():
        examples = examples.with_class_names({name: new[name] for name in known})
    renamed = rename_classes(own, {name: new_name for name, new_name in new.items() if name in own or name not in held})
    if names is not None and set(names) != set(renamed):
        expected = f"the names that the passes have, {list_names(renamed)}"
        raise InvalidInputError(
            f"--class-names should be {expected}. Received: {list_names(names)}. {explain_renaming(renamed[0])}"
        )
    return examples.with_names(renamed, task)


def say_classes(examples: DataSet) -> None:
    """Print the numbers of known classes, and how labels matched them."""
    if examples.class_names:
        listed = ", ".join(f"{number} {name}" for number, name in enumerate(examples.class_names[:MOST_NAMES_SHOWN]))
        more = len(examples.class_names) - MOST_NAMES_SHOWN
        say(f"classes: {listed}" + (f" and {more:,} more" if more > 0 else ""))
    if examples.labels is not None and examples.target_names is None and examples.labels.ndim < 3:
        say(f"labels: {MATCHES[examples.matched_by]}")
    if examples.labels is not None and (count := examples.labelled) < len(examples):
        say(f"labels are known of {count:,} of {len(examples):,} examples")


def read_labels(path: str, options: DataOptions, task: str = "classification") -> DataSet:
    """Read labels from a table, with its ids and columns, or an `.npy`."""
    columns = _column_names(replace(options.columns, text_column=None, feature_columns=()))
    return _take_selected(mcviz.data.read_labels(path, columns=columns, task=task), options)


def read_relabelled(options: DataOptions, task: str = "classification", say: Callable[[str], None] = say) -> DataSet:
    """Read examples with the labels of a file, by ids or numbers.

    Other examples have no label; in a segmentation they are left out.

    Raises:
        InvalidInputError: it names none of the examples, or has unsuitable labels.
    """
    labels, columns = options.labels, replace(options.columns, text_column=None, feature_columns=())
    assert labels is not None
    given = mcviz.data.read_labels(labels, columns=_column_names(columns), task=task)
    options = replace(options, columns=replace(options.columns, label_column=()))
    examples = replace(read_examples(options, task, say=say), labels=None)
    if given.ids is None:
        return examples.with_labels_of(given)
    ids = examples.ids or tuple(map(str, range(len(examples))))
    known, named = set(ids), set(given.ids)
    places = np.flatnonzero([name in named for name in ids])
    if not len(places):
        raise InvalidInputError(
            f"{labels} should have the ids of examples, such as {ids[0]}. Received: {given.ids[0]} and others. Name "
            "their column with --id-column."
        )
    without = len(ids) - len(places)
    if without and TASKS[task].of_pixels:
        say(f"{without:,} of {len(ids):,} examples have no label in {labels} and are left out.")
        ids, examples = tuple(ids[place] for place in places), examples.take(places)
    unknown = [name not in known for name in given.ids]
    if any(unknown):
        say(f"{sum(unknown):,} labels of {labels} are of no example that is taken.")
    given = given.take(np.flatnonzero(np.logical_not(unknown)))
    return examples.with_ids(ids).with_labels_of(given)


def refuse_mask_options(masks: MaskOptions, task: str) -> None:
    """Refuse options of masks for another task.

    Raises:
        InvalidInputError: one is given.
    """
    given = [f"--{name}" for name in ("background", "ignore") if getattr(masks, name) is not None]
    if given and not TASKS[task].of_pixels:
        raise InvalidInputError(f"{list_names(given)} should be left out for a {task}: only a segmentation has masks.")


def _refuse_options_of_data(options: ImportOptions) -> None:
    data, columns = options.data, options.data.columns
    of_data: dict[str, object] = {
        "--text-column": columns.text_column,
        "--picture-column": columns.picture_column,
        "--feature-columns": columns.feature_columns,
        "--skip-broken": data.skip_broken,
    }
    of_labels: dict[str, object] = {"--label-column": columns.label_column, "--id-column": columns.id_column}
    crops_masks = TASKS[options.task.task].of_pixels  # --crop crops masks to the proportions of the passes
    (of_labels if crops_masks else of_data)["--crop"] = options.preprocessing.crop
    for needed, asked in (("--data", of_data), ("--data or --labels", {} if data.labels else of_labels)):
        given = [name for name, value in asked.items() if value]
        if given and not data.data:
            raise InvalidInputError(f"{list_names(given)} should be left out without {needed}.")


def add_scaler(chosen: Preprocessing | None, options: DataOptions, examples: DataSet) -> Preprocessing | None:
    """Add the mean and std of --scaler, if given, to the preprocessing.

    Raises:
        InvalidInputError: the file cannot be used, the examples are no rows, or --mean or --std are given as well.
    """
    if options.scaler is None:
        return chosen
    if examples.rows is None:
        raise InvalidInputError(f"--scaler is for rows of numbers. Received: examples of the kind {examples.kind}.")
    if chosen is not None and (chosen.mean or chosen.std):
        raise InvalidInputError("--scaler gives mean and std. Leave out --mean, --std and --preprocess, or --scaler.")
    mean, std = read_scaler(options.scaler, [str(name) for name in examples.rows])
    return msgspec.structs.replace(
        chosen or Preprocessing(), mean=mean, std=std, reason=f"By {Path(options.scaler).name}."
    )


def find_target_scaler(options: DataOptions, task: str, targets: tuple[str, ...] | None) -> TargetScaler | None:
    """Read the file of --target-scaler, if given.

    Raises:
        InvalidInputError: the file cannot be used, or the task predicts no targets.
    """
    if options.target_scaler is None:
        return None
    if TASKS[task].last_axis != "target":
        raise InvalidInputError(f"--target-scaler is for a regression. Received: --task {task}.")
    return read_target_scaler(options.target_scaler, targets)


def choose_preprocessing(options: PreprocessingOptions) -> Preprocessing | None:
    """Return the options' preprocessing; None if they leave the scale open."""
    given = {
        "divide_by": options.scale,
        "mean": options.mean,
        "std": options.std,
        "channel_order": options.channel_order,
    }
    chosen = {name: value for name, value in given.items() if value not in (None, ())}
    if options.preprocess is None and not chosen.keys() - {"channel_order"} and not options.preprocessed:
        return None
    named = PRESETS[options.preprocess] if options.preprocess else Preprocessing()
    crop = options.crop or named.crop
    asked = msgspec.structs.replace(named, **chosen, crop=crop, applied=options.preprocessed, reason="As asked for.")
    asked.check()
    return asked


def say_masks(labels: StoredLabels) -> None:
    """Print the contents of masks."""
    if labels.summary:
        say(f"masks: {labels.summary}")


def say_run(run: Run) -> None:
    """Print a run's quality, if known, and its place."""
    if run.quality_by_pass is not None:
        task, (single, ensembles) = run.task, run.quality_by_pass
        values = float(ensembles[-1]), task.quality_of_single_pass(single)
        together, alone = (task.format_quality(value, run.manifest.unit) for value in values)
        say(f"{task.sealed_quality_name}: ensemble {together}, mean single pass {alone}")
    say(f"The run is {run.path}.")


def _column_names(options: ColumnOptions) -> ColumnNames:
    one = len(options.label_column) == 1
    return ColumnNames(
        picture=options.picture_column,
        label=options.label_column[0] if one else None,
        id=options.id_column,
        text=options.text_column,
        features=options.feature_columns,
        targets=() if one else options.label_column,
    )


def _take_selected(examples: DataSet, options: DataOptions) -> DataSet:
    if options.only:
        if max(options.only) >= len(examples):
            raise InvalidInputError(
                f"--only should name some of the {len(examples):,} examples, counted from 0. "
                f"Received: {max(options.only):,}."
            )
        examples = examples.take(np.array(options.only))
    if options.first is None or options.first >= len(examples):
        return examples
    return examples.take(np.arange(options.first))


def sample(options: SampleOptions) -> None:
    """Sample into a run, on a scheduler's cluster if one is named."""
    with _cluster(options.scheduler) as cluster:
        _sample(options, cluster)


@contextmanager
def _cluster(scheduler: str | None) -> "Iterator[Client | None]":
    """Connect to a scheduler's cluster; None without one."""
    if scheduler is None:
        yield None
        return
    require_dask()
    with ExitStack() as held:
        with loading():
            client = held.enter_context(connect(scheduler))
        yield client


def _sample(options: SampleOptions, cluster: "Client | None") -> None:
    watcher = _find_watcher()
    sampler, examples, preprocessing = _load_model_and_data(options)

    def say_trial(trial: Trial) -> None:
        if trial.adapter.sampler.device != sampler.device:
            say(f"device: {trial.adapter.sampler.device}, as the run that is there")
        say(sampler.description())
        say(f"output: {sampler.meaning.text}")
        how = trial.adapter.preprocessing
        say(f"{find_kind(examples).plural}: {how}. {how.reason}")
        say_masks(trial.labels)
        if trial.advice:
            tell(f"warning: {trial.advice}")

    if watcher:
        _report(f"tries the model on some of {len(examples):,} {find_kind(examples).plural}")
        if watcher.checks_first:
            check = _check(options, sampler, examples, preprocessing)
            watcher.checked(check, options.passes)
        watcher.begin(examples, options.run.out)
    with sampling_progress(len(examples)) as progress:
        run = sample_run(
            sampler,
            examples,
            options.run.out,
            passes=options.passes,
            seed=options.seed,
            masks=options.masks,
            class_names=examples.class_names,
            unit=options.data.unit,
            background=options.masks_mean.background_number,
            ignore=options.masks_mean.ignore_number,
            preprocessing=preprocessing,
            about=dict(options.run.about),
            resume=options.run.resume,
            keep_images=options.run.keep_images,
            keep_model=options.keep_model,
            tried=say_trial,
            progress=watcher.progress if watcher else progress,
            in_stages=watcher is not None,
            seen=watcher.seen if watcher else None,
            scheduler=cluster,
        )
    say_run(run)
    if options.overview.noise:
        _report("predicts noise")
        from mcviz.app.sweep import compute_overview  # with Streamlit, for which no sampling waits

        with stage_progress() as show:
            compute_overview(run, (lambda *_: watcher.ask()) if watcher else show)


def check(options: CheckOptions) -> None:
    """Print a model's results on some of the data."""
    sampler, examples, preprocessing = _load_model_and_data(options)
    check = _check(options, sampler, examples, preprocessing)
    for line in check.lines(options.passes):
        say(line)
    if check.advice:
        tell(f"warning: {check.advice}")


def _check(options: CheckOptions, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None) -> Check:
    return check_model(
        sampler,
        examples,
        masks=options.masks,
        preprocessing=preprocessing,
        background=options.masks_mean.background_number,
        ignore=options.masks_mean.ignore_number,
    )


def _find_watcher() -> Watcher | None:
    """Return what reports the progress of a job; None on the command line."""
    return click.get_current_context().find_object(Watcher)


def _report(step: str) -> None:
    if watcher := _find_watcher():
        watcher.tell(step=step)
        watcher.ask()


def _load_model_and_data(options: CheckOptions) -> tuple[Sampler, DataSet, Preprocessing | None]:
    model, data = options.model, options.data
    if not Path(model.model).exists() and not is_function_name(model.model):
        raise DataNotFoundError(f"No model at that place. Received: {model.model}. Make one with `mcviz train`.")
    find_modules(model.modules)
    chosen = choose_preprocessing(options.preprocessing)
    _report("reads the data")
    file, own = _find_model(model)
    require_framework(file)
    task = own.manifest.task if own else options.task.task
    refuse_mask_options(options.masks_mean, task)
    found: list[str] = []  # which is said behind the device
    examples = (read_relabelled if data.labels else read_examples)(data, task, say=found.append)
    if options.preprocessing.crop and not isinstance(examples.images, Pictures) and find_run(data.data) is None:
        raise InvalidInputError("--crop is for pictures in files, which are brought to the model's size. Leave it out.")
    chosen = add_scaler(chosen, data, examples)
    examples = name_classes(examples, data)
    if model.trust_model:
        tell(f"warning: {model.model} is opened without checks and can run any code on this machine, with your rights.")
    _report(f"loads {'PyTorch' if needs_torch(file) else 'TensorFlow'}")
    with loading():
        find_backend(file)  # imports the framework
    weights = None if model.weights is None else absolute(model.weights)
    source = ModelSpec(
        replace(model, model=absolute(file), weights=weights),
        options.task,
        run=None if own is None else absolute(own.path),
    )
    sampler = load_sampler(source).with_target_scaler(find_target_scaler(data, task, examples.target_names))
    for line in (f"device: {sampler.network.describe_device()}", *found):
        say(line)
    if data.class_names is None:
        examples = name_classes_by_model(examples, sampler.network)
    say_classes(examples)
    return sampler, examples, chosen or _find_preprocessing(options.preprocessing, sampler, examples)


def _find_preprocessing(options: PreprocessingOptions, sampler: Sampler, examples: DataSet) -> Preprocessing | None:
    if examples.images is None or not (options.crop or options.channel_order):
        return None
    preprocessing = default_preprocessing(sampler.network, examples.images.dtype)
    return msgspec.structs.replace(preprocessing, crop=options.crop, channel_order=options.channel_order or "rgb")


def _find_model(options: ModelOptions) -> tuple[str, Run | None]:
    """Return the file or function of a model, and its run, if any."""
    path = options.model
    if not (Path(path) / NAME).is_file():
        return path, None
    run = open_run(path)
    if run.model_path is None:
        raise InvalidInputError(f"{path} was kept without its model. Sample it again with the model kept.")
    for name in OF_A_RUN:
        if getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise InvalidInputError(
                f"{option} is left out where the model is that of a run, which has its own. To sample that model in "
                f"another way, give {_describe_source(run)}."
            )
    return run.model_path, run


def _describe_source(run: Run) -> str:
    model = run.manifest.model
    if model is None or model.backend == "keras":
        return f"its file: --model {run.model_path}"
    function = model.function or "package.module:function, which builds it,"
    return f"its code and its weights: --model {function} --weights {run.model_path}"


def import_(passes: str, options: ImportOptions) -> None:
    """Make a run of passes from elsewhere, and print its quality."""
    task = options.task.task
    refuse_mask_options(options.masks_mean, task)
    _refuse_options_of_data(options)
    chosen = choose_preprocessing(options.preprocessing)
    if chosen is None and options.preprocessing.crop:
        chosen = Preprocessing(crop=True, reason="As asked for.")
    with open_passes(passes, TASKS[task].pass_names) as opened:
        examples = _read_examples(options) if options.data.data else DataSet(None)
        chosen = add_scaler(chosen, options.data, examples)
        sizes = getattr(examples.images, "sizes", ())
        if len(sizes) > 1:
            say(f"The pictures have {len(sizes):,} sizes. They are shown in the most frequent one.")
        if options.data.labels:
            examples = examples.with_labels_of(read_labels(options.data.labels, options.data, task))
        if opened.ids:
            examples = examples.spread(opened.ids).in_order_of(opened.ids)
        if examples.labels is None and opened.labels is not None:
            examples = examples.with_labels(opened.labels, task)
        names = TASKS[task].pass_names.arrays
        usual = (*(f"deterministic_{name}" for name in names), *names)
        fixed = read_array(options.deterministic, usual) if options.deterministic else opened.deterministic
        examples = name_classes(examples, options.data, task, opened.last_names or ())
        say_classes(examples)

        def say_trial(trial: ImportTrial) -> None:
            if trial.passes:
                say(f"passes: {trial.passes}")
            say_masks(trial.labels)
            if trial.labels.advice:
                tell(f"warning: {trial.labels.advice}")

        with sampling_progress(len(examples) or 1) as progress:
            run = write_run(
                options.run.out,
                opened.passes,
                data=examples,
                task=task,
                predicts=opened.resolve_predicts(options.task.predicts),
                unit=options.data.unit,
                deterministic=fixed,
                mean_probs=read_array(options.mean_probs) if options.mean_probs else opened.mean_probs,
                features=read_array(options.features) if options.features else None,
                axes=tuple(options.axes.split(",")) if options.axes else opened.axes,
                from_logits=options.from_logits,
                background=options.masks_mean.background_number,
                ignore=options.masks_mean.ignore_number,
                preprocessing=chosen,
                target_scaler=find_target_scaler(options.data, task, examples.target_names),
                keep_images=options.run.keep_images,
                source=options.source,
                about=dict(options.run.about),
                resume=options.run.resume,
                progress=progress,
                tried=say_trial,
            )
    say_run(run)


def _read_examples(options: ImportOptions) -> DataSet:
    data = options.data
    if data.labels:
        data = replace(data, columns=replace(data.columns, label_column=()))
    return read_examples(data, options.task.task, complete=False)


def train(out: Path, data: Path | None, seed: int, epochs: int, activation: str) -> None:
    """Train the reference network, and write it with its history."""
    require_keras()
    if out.suffix != ".keras":
        raise InvalidInputError(f"--out should end in .keras. Received: {out}.")
    _check_writable(out)
    splits = read_mnist(data) if data else None
    with loading():
        from mcviz.sampling.keras import training  # here, because it imports TensorFlow

    train_images, test_images = splits or training.load_mnist()
    say(f"Training on {len(train_images):,} images, with seed {seed}.")
    started = time.perf_counter()

    def report(epoch: int, row: dict[str, float]) -> None:
        say(
            f"epoch {epoch:2d} of {epochs}  {time.perf_counter() - started:4.0f} s  "
            f"training: loss {row['train_loss']:.4f}, accuracy {percent(row['train_accuracy'], 2)}  "
            f"test: loss {row['test_loss']:.4f}, accuracy {percent(row['test_accuracy'], 2)}"
        )

    model, history = training.train(
        train_images, test_images, epochs=epochs, seed=seed, activation=activation, on_epoch=report
    )
    history_path = training.save_trained(model, history, out)
    say(f"The model is {out}, its history {history_path}.")


def _check_writable(out: Path) -> None:
    if out.is_dir():
        raise InvalidInputError(f"{out} is a folder. Give --out the path of a file.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise InvalidInputError(f"{out} cannot be written ({error.strerror}). Give another --out.") from error
