"""`mcviz sample`, `check`, `import` and `train`."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import mcviz
from mcviz.cli.base import PATH, add_options, count_progress, loading, report_interrupt, sampling_progress, say, tell
from mcviz.cli.work import Watcher
from mcviz.errors import DataNotFoundError, InvalidInputError
from mcviz.extras import find_modules, is_function_name, require_dask, require_framework, require_keras
from mcviz.options import (
    CheckOptions,
    ColumnOptions,
    DataOptions,
    ImportOptions,
    ModelOptions,
    PreprocessingOptions,
    SampleOptions,
)
from mcviz.text import list_names

if TYPE_CHECKING:
    from distributed import Client

    from mcviz.data import ColumnNames, DataSet
    from mcviz.runs import Preprocessing, Run
    from mcviz.sampling import Sampler
    from mcviz.sampling.checking import Trial


MOST_NAMES_SHOWN = 20

OF_A_RUN = ("output", "from_logits", "weights", "transform")  # options that a run's own model does without

SHIPPED_SEED = 25  # of the training that the shipped run comes from; its README says what was tried


def read_examples(options: DataOptions, task: str = "classification", complete: bool = True) -> "DataSet":
    """Read examples, also those of a run, with a line on what was found out, and one on how far it is."""
    from mcviz.data import read_data
    from mcviz.runs.data_set import data_set_of, find_run

    if run := find_run(options.data):
        examples = data_set_of(run)
    else:
        with count_progress("pictures") as progress:
            examples = read_data(
                options.data,
                skip_broken=options.skip_broken,
                columns=_column_names(options.columns),
                task=task,
                complete=complete,
                progress=progress,
            )
    examples = _take_selected(examples, options)
    for note in examples.notes:
        say(note)
    return examples


def name_classes(
    examples: "DataSet", options: DataOptions, task: str = "classification", of_passes: Sequence[str] = ()
) -> "DataSet":
    """Give the classes the names of the options; those of passes are in the order of these, whoever names them.

    Raises:
        InvalidInputError: names that are not those of the data or of the passes, and are not given as new ones.
    """
    from mcviz.data.labels import explain_renaming, rename_classes

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
    renamed = rename_classes(own, {name: each for name, each in new.items() if name in own or name not in held})
    if names is not None and set(names) != set(renamed):
        expected = f"the names that the passes have, {list_names(renamed)}"
        raise InvalidInputError(
            f"--class-names should be {expected}. Received: {list_names(names)}. {explain_renaming(renamed[0])}"
        )
    return examples.with_names(renamed, task)


def say_classes(examples: "DataSet") -> None:
    """Print which number stands for which class, where the data or the options say it, and how labels met them."""
    from mcviz.data import MATCHES

    if examples.class_names:
        shown = ", ".join(f"{number} {name}" for number, name in enumerate(examples.class_names[:MOST_NAMES_SHOWN]))
        more = len(examples.class_names) - MOST_NAMES_SHOWN
        say(f"classes: {shown}" + (f" and {more:,} more" if more > 0 else ""))
    if examples.labels is not None and examples.target_names is None:
        say(f"labels: {MATCHES[examples.matched_by]}")


def read_labels(path: str, options: DataOptions, task: str = "classification") -> "DataSet":
    """Read labels from a table, with its ids and columns, or from an `.npy`."""
    from mcviz import data

    columns = _column_names(replace(options.columns, text_column=None, feature_columns=()))
    return _take_selected(data.read_labels(path, columns=columns, task=task), options)


def read_relabelled(options: DataOptions, task: str = "classification") -> "DataSet":
    """Read examples with the labels of a file, by ids or numbers; those that it does not name are left out.

    Raises:
        InvalidInputError: it names none of the examples, or has other labels than are taken.
    """
    import numpy as np

    from mcviz import data

    labels, columns = options.labels, replace(options.columns, text_column=None, feature_columns=())
    assert labels is not None
    given = data.read_labels(labels, columns=_column_names(columns), task=task)
    options = replace(options, columns=replace(options.columns, label_column=()))
    examples = replace(read_examples(options, task), labels=None)
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
    if len(places) < len(ids):
        say(f"{len(ids) - len(places):,} of {len(ids):,} examples have no label in {labels} and are left out.")
    unknown = [name not in known for name in given.ids]
    if any(unknown):
        say(f"{sum(unknown):,} labels of {labels} are of no example that is taken.")
    given = given.only(np.flatnonzero(np.logical_not(unknown)))
    return examples.with_ids(ids).only(places).with_labels_of(given)


def add_scaler(chosen: "Preprocessing | None", options: DataOptions, examples: "DataSet") -> "Preprocessing | None":
    """Return the preprocessing of the options, with the mean and std of --scaler where it is given.

    Raises:
        InvalidInputError: the file cannot be used, the examples are no rows, or --mean or --std are given as well.
    """
    if options.scaler is None:
        return chosen
    from msgspec.structs import replace

    from mcviz.data import read_scaler
    from mcviz.runs import Preprocessing

    if examples.rows is None:
        raise InvalidInputError(f"--scaler is for rows of numbers. Received: examples of the kind {examples.kind}.")
    if chosen is not None and (chosen.mean or chosen.std):
        raise InvalidInputError("--scaler gives mean and std. Leave out --mean, --std and --preprocess, or --scaler.")
    mean, std = read_scaler(options.scaler, [str(name) for name in examples.rows])
    return replace(chosen or Preprocessing(), mean=mean, std=std, reason=f"By {Path(options.scaler).name}.")


def choose_preprocessing(options: PreprocessingOptions) -> "Preprocessing | None":
    """Return the preprocessing of the options; None where they leave the scale to be found out from the model."""
    from msgspec.structs import replace

    from mcviz.runs import PRESETS, Preprocessing

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
    asked = replace(named, **chosen, crop=crop, applied=options.preprocessed, reason="As asked for.")
    asked.check()
    return asked


def say_run(run: "Run") -> None:
    """Print how good a run's predictions are, where that is known, and where it is."""
    if run.quality_by_pass is not None:
        task, (single, ensembles) = run.task, run.quality_by_pass
        values = float(ensembles[-1]), task.quality_of_single_pass(single)
        together, alone = (task.format_quality(value, run.manifest.unit) for value in values)
        say(f"{task.quality_name}: ensemble {together}, mean single pass {alone}")
    say(f"The run is {run.path}.")


def _column_names(options: ColumnOptions) -> "ColumnNames":
    from mcviz.data import ColumnNames

    one = len(options.label_column) == 1
    return ColumnNames(
        picture=options.picture_column,
        label=options.label_column[0] if one else None,
        id=options.id_column,
        text=options.text_column,
        features=options.feature_columns,
        targets=() if one else options.label_column,
    )


def _take_selected(examples: "DataSet", options: DataOptions) -> "DataSet":
    import numpy as np

    if options.only:
        if max(options.only) >= len(examples):
            raise InvalidInputError(
                f"--only should name some of the {len(examples):,} examples, counted from 0. "
                f"Received: {max(options.only):,}."
            )
        examples = examples.only(np.array(options.only))
    if options.first is None or options.first >= len(examples):
        return examples
    return examples.only(np.arange(options.first))


@click.command(short_help="Sample a model over examples into a run, or resume one.")
@add_options(SampleOptions, required=["model", "data", "out"])
def sample(options: SampleOptions) -> None:
    """Sample a model over examples into a run, resume one that was stopped, or add passes to one that is finished."""
    again = "the same command" if options.run.resume else "the same command without --no-resume"
    stopped = f"stopped. Every finished shard is kept: {again} makes the rest of {options.run.out}."
    with report_interrupt(stopped), _cluster(options.scheduler, stopped) as cluster:
        _sample(options, cluster, stopped)


@contextmanager
def _cluster(scheduler: str | None, stopped: str) -> "Iterator[Client | None]":
    """The cluster of a scheduler's address, whose workers tell their warnings here; None without one."""
    if scheduler is None:
        yield None
        return
    require_dask()
    with loading(stopped):
        from mcviz.sampling.cluster import connect
    with ExitStack() as held:
        with loading(stopped):
            client = held.enter_context(connect(scheduler))
        yield client


def _sample(options: SampleOptions, cluster: "Client | None", stopped: str) -> None:
    watcher = click.get_current_context().find_object(Watcher)  # of a job
    sampler, examples, preprocessing = _load_model_and_data(options, stopped)
    from mcviz.kinds import find_kind
    from mcviz.sampling.run_sampling import sample_run

    def say_trial(trial: "Trial") -> None:
        say(sampler.description())
        say(f"output: {sampler.meaning.text}")
        how = trial.adapter.preprocessing
        say(f"{find_kind(examples).plural}: {how}. {how.reason}")
        if trial.advice:
            tell(f"warning: {trial.advice}")

    if watcher:
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


@click.command(short_help="See what a model makes of data, and what passes will take.")
@add_options(CheckOptions, required=["model", "data"], helps={"passes": "How many to estimate for."})
def check(options: CheckOptions) -> None:
    """Look at what a model makes of some of the data, before hours are spent on passes."""
    stopped = "stopped."
    with report_interrupt(stopped):
        sampler, examples, preprocessing = _load_model_and_data(options, stopped)
        from mcviz.sampling.checking import check_model

        found = check_model(sampler, examples, masks=options.masks, preprocessing=preprocessing)
    if watcher := click.get_current_context().find_object(Watcher):
        watcher.checked(found, options.passes)
    for line in found.lines(options.passes):
        say(line)
    if found.advice:
        tell(f"warning: {found.advice}")


def _load_model_and_data(options: CheckOptions, stopped: str) -> "tuple[Sampler, DataSet, Preprocessing | None]":
    """Read the data, which takes less time to refuse, and then the model."""
    model, data = options.model, options.data
    if not Path(model.model).exists() and not is_function_name(model.model):
        raise DataNotFoundError(f"No model at that place. Received: {model.model}. Make one with `mcviz train`.")
    find_modules(model.modules)
    chosen = choose_preprocessing(options.preprocessing)
    with loading(stopped):
        import mcviz.data.given  # noqa: F401 (here, where Ctrl-C can do no harm)
    file, own = _find_model(model)
    require_framework(file)
    task = own.manifest.task if own else options.task.task
    examples = read_relabelled(data, task) if data.labels else read_examples(data, task)
    chosen = add_scaler(chosen, data, examples)
    examples = name_classes(examples, data)
    if model.trust_model:
        tell(f"warning: {model.model} is opened without checks and can run any code on this machine, with your rights.")
    with loading(stopped):
        from mcviz.sampling.base import ModelSpec, absolute
        from mcviz.sampling.examples import name_classes_by_model
        from mcviz.sampling.loading import load_sampler
        from mcviz.sampling.sampler import find_backend

        find_backend(file)  # which imports the framework
    weights = None if model.weights is None else absolute(model.weights)
    source = ModelSpec(
        replace(model, model=absolute(file), weights=weights),
        options.task,
        run=None if own is None else absolute(own.path),
    )
    sampler = load_sampler(source)
    if data.class_names is None:
        examples = name_classes_by_model(examples, sampler.network)
    say_classes(examples)
    return sampler, examples, chosen or _find_preprocessing(options.preprocessing, sampler, examples)


def _find_preprocessing(
    options: PreprocessingOptions, sampler: "Sampler", examples: "DataSet"
) -> "Preprocessing | None":
    """Find the preprocessing for the crop and the order of colours of the options; return None without these."""
    if examples.images is None or not (options.crop or options.channel_order):
        return None
    from msgspec.structs import replace

    from mcviz.sampling.examples import default_preprocessing

    found = default_preprocessing(sampler.network, examples.images.dtype)
    return replace(found, crop=options.crop, channel_order=options.channel_order or "rgb")


def _find_model(options: ModelOptions) -> "tuple[str, Run | None]":
    """The file or function of a model; and the run where it is that of one, and is sampled as it was for it."""
    from mcviz.runs import open_run
    from mcviz.runs.manifest_file import NAME

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


def _describe_source(run: "Run") -> str:
    """Say how the model of a run is given by itself."""
    model = run.manifest.model
    if model is None or model.backend == "keras":
        return f"its file: --model {run.model_path}"
    function = model.function or "package.module:function, which builds it,"
    return f"its code and its weights: --model {function} --weights {run.model_path}"


@click.command("import", short_help="Make a run of passes that were made elsewhere.")
@click.argument("passes", metavar="PASSES")
@add_options(ImportOptions, required=["out"])
def import_(passes: str, options: ImportOptions) -> None:
    """Make a run of the passes in PASSES.

    They are .npz, .npy, Zarr, NetCDF, HDF5, a long table, or a folder with one .npy a pass.

    Without --axes, the axes are pass, example and class, or target of a regression. A long table has the columns
    example, pass, class and probability, or example, pass, target and value.
    """
    stopped = f"stopped. Every finished shard is kept: the same command makes the rest of {options.run.out}."
    with report_interrupt(stopped):
        _import(passes, options, stopped)


def _import(path: str, options: ImportOptions, stopped: str) -> None:
    with loading(stopped):
        from mcviz.data import DataSet, open_passes, read_array
        from mcviz.importing import write_run
        from mcviz.tasks import TASKS

    task = options.task.task
    chosen = choose_preprocessing(options.preprocessing)
    with open_passes(path, TASKS[task].pass_names) as passes:
        examples = _read_examples(options) if options.data.data else DataSet(None)
        chosen = add_scaler(chosen, options.data, examples)
        sizes = getattr(examples.images, "sizes", ())
        if len(sizes) > 1:
            say(f"The pictures have {len(sizes):,} sizes. They are shown in the most frequent one.")
        if options.data.labels:
            examples = examples.with_labels_of(read_labels(options.data.labels, options.data, task))
        if passes.ids:
            examples = examples.in_order_of(passes.ids)
        if examples.labels is None and passes.labels is not None:
            examples = examples.with_labels(passes.labels, task)
        names = TASKS[task].pass_names.arrays
        usual = (*(f"deterministic_{name}" for name in names), *names)
        fixed = read_array(options.deterministic, usual) if options.deterministic else passes.deterministic
        examples = name_classes(examples, options.data, task, passes.last_names or ())
        say_classes(examples)
        with sampling_progress(len(examples) or 1) as progress:
            run = write_run(
                options.run.out,
                passes.passes,
                data=examples,
                task=task,
                predicts=passes.resolve_predicts(options.task.predicts),
                unit=options.data.unit,
                deterministic=fixed,
                features=read_array(options.features) if options.features else None,
                axes=tuple(options.axes.split(",")) if options.axes else passes.axes,
                from_logits=options.from_logits,
                preprocessing=chosen,
                keep_images=options.run.keep_images,
                source=options.source,
                about=dict(options.run.about),
                resume=options.run.resume,
                progress=progress,
            )
    say_run(run)


def _read_examples(options: ImportOptions) -> "DataSet":
    """The examples; where labels come in a file of their own, that file has the column of labels."""
    data = options.data
    if data.labels:
        data = replace(data, columns=replace(data.columns, label_column=()))
    return read_examples(data, options.task.task, complete=False)


@click.command(short_help="Train the reference network on MNIST.")
@click.option("--out", type=PATH, metavar="MODEL.keras", required=True, help="Where the model goes.")
@click.option(
    "--data", type=PATH, metavar="PATH", help="Its .npz or the folder of its IDX files; downloaded without it."
)
@click.option("--seed", default=SHIPPED_SEED, show_default=True, help="Of weights, dropout and order.")
@click.option("--epochs", default=10, show_default=True, help="Of training.")
@click.option("--activation", default="relu", show_default=True, help="Of all layers but the last.")
def train(out: Path, data: Path | None, **settings: Any) -> None:
    """Train the reference network on MNIST, and write it with a history of its epochs."""
    stopped = f"stopped; {out} was not written."
    with report_interrupt(stopped):
        _train(out, data, stopped, **settings)


def _train(out: Path, data: Path | None, stopped: str, seed: int, epochs: int, activation: str) -> None:
    require_keras()
    if out.suffix != ".keras":
        raise InvalidInputError(f"--out should end in .keras. Received: {out}.")
    _check_writable(out)
    with loading(stopped):
        read_mnist = mcviz.read_mnist
    splits = read_mnist(data) if data else None
    with loading(stopped):
        from mcviz.sampling.keras.training import load_mnist, save_trained, train

    train_images, test_images = splits or load_mnist()
    say(f"Training on {len(train_images):,} images, with seed {seed}.")
    started = time.perf_counter()

    def report(epoch: int, row: dict[str, float]) -> None:
        say(
            f"epoch {epoch:2d} of {epochs}  {time.perf_counter() - started:4.0f} s  "
            f"training: loss {row['train_loss']:.4f}, accuracy {row['train_accuracy']:.2%}  "
            f"test: loss {row['test_loss']:.4f}, accuracy {row['test_accuracy']:.2%}"
        )

    model, history = train(train_images, test_images, epochs=epochs, seed=seed, activation=activation, on_epoch=report)
    history_path = save_trained(model, history, out)
    say(f"The model is {out}, its history {history_path}.")


def _check_writable(out: Path) -> None:
    """Find out now rather than after minutes of work."""
    if out.is_dir():
        raise InvalidInputError(f"{out} is a folder. Give --out the path of a file.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise InvalidInputError(f"{out} cannot be written ({error.strerror}). Give another --out.") from error
