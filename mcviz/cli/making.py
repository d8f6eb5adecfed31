"""Commands that make models and runs."""

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import mcviz
from mcviz.choices import MASKS, PREDICTS, USUAL_PASSES, Masks, Predicts
from mcviz.cli.data import (
    Reading,
    chosen_preprocessing,
    data_options,
    import_option,
    preprocessing_options,
    read_examples,
    read_labels,
    say_classes,
    with_scaler,
)
from mcviz.cli.printing import say, tell
from mcviz.cli.progress import sampling_progress
from mcviz.cli.stopping import loading, when_stopped
from mcviz.cli.work import Watcher
from mcviz.errors import DataNotFoundError, InvalidInputError
from mcviz.extras import find_modules, require_dask, require_keras

if TYPE_CHECKING:
    from distributed import Client

    from mcviz.data import DataSet
    from mcviz.runs import Preprocessing, Run
    from mcviz.sampling import Sampler

SHIPPED_SEED = 25  # of the training that the shipped run comes from; its README says what was tried


def _pairs(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not key or not separator:
            raise click.BadParameter(f"expected KEY=VALUE, received {text!r}.", context, option)
        pairs[key] = value
    return pairs


def _words(context: click.Context, option: click.Parameter, given: str | None) -> list[str] | None:
    """The words of a vocabulary, in the order of their numbers."""
    try:
        return None if given is None else Path(given).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{given} cannot be read as UTF-8 text ({error}).", context, option) from error


PATH = click.Path(path_type=Path)


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
    with when_stopped(stopped):
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
        from mcviz.sampling.training import load_mnist, save_trained, train

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


MODEL = click.option(
    "--model", metavar="MODEL.keras", required=True, help="A Keras model with dropout, or a run, for its own."
)
KINDS_OF_DATA = (
    "A folder of pictures or texts, or of one folder a class; a table of paths, texts or numbers; .npz, .npy, IDX; a "
    "Hugging Face data set; or a run, for its examples."
)
DATA = click.option(
    "--data",
    metavar="PATH",
    required=True,
    help=KINDS_OF_DATA,
)
OUT = click.option("--out", metavar="RUN", required=True, help="The run's folder or fsspec address.")


def _task(context: click.Context, option: click.Parameter, value: str) -> str:  # noqa: ARG001
    from mcviz.tasks import TASKS  # which needs numpy, for which `mcviz --help` does not wait

    if value not in TASKS:
        raise click.BadParameter(f"{value!r} is not one of {', '.join(map(repr, TASKS))}.")
    return value


def _choice(name: str, choices: Sequence[str], words: str) -> Callable[[Any], Any]:
    """An option that is one of some words, the first if it is not given."""
    return click.option(name, type=click.Choice(choices), default=choices[0], show_default=True, help=words)


def _passes_option(words: str) -> Callable[[Any], Any]:
    return click.option("--passes", type=click.IntRange(min=1), default=USUAL_PASSES, show_default=True, help=words)


MASKS_OPTION = _choice("--masks", MASKS, "One draw of masks for all examples of a pass, or one for each example.")
ABOUT = click.option(
    "--about",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_pairs,
    help="What the run should say of its data, such as source=… and licence=…; may be given again.",
)
OUTPUT = click.option("--output", metavar="NAME", help="Which output to sample, for a model with several.")
FROM_LOGITS = click.option(
    "--from-logits", is_flag=True, default=None, help="The output is logits, where that cannot be seen."
)
RATE = click.option(
    "--rate",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="RATE",
    help="All dropout at this rate in the passes, in place of the rates that the model was trained with.",
)
TRUST = click.option(
    "--trust-model", is_flag=True, help="Let the model's file run code; also for HDF5 and Lambda layers."
)
RESUME = click.option("--resume/--no-resume", default=True, show_default=True, help="Resume a run that was stopped.")
KEEP_IMAGES = click.option(
    "--keep-images/--no-keep-images", default=True, show_default=True, help="Keep the images in the run."
)
VOCABULARY = click.option(
    "--vocabulary",
    metavar="FILE",
    callback=_words,
    help="Of a model that takes word indices: a file with one word a line, in their order.",
)


def _task_options(command: Any) -> Any:
    """Options on what is predicted."""
    for option in (
        click.option("--unit", metavar="TEXT", default="", help="Of the targets of a regression, such as mg/dl."),
        _choice(
            "--predicts",
            PREDICTS,
            "What the columns of a regression are: a value for each target, and then a spread for each.",
        ),
        click.option(
            "--task",
            metavar="TASK",
            default="classification",
            show_default=True,
            callback=_task,
            help="What is predicted, such as regression.",
        ),
    ):
        command = option(command)
    return command


@click.command(short_help="Sample a model over examples into a run, or resume one.")
@MODEL
@DATA
@OUT
@_passes_option("How many, T.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the masks.")
@MASKS_OPTION
@_task_options
@data_options
@preprocessing_options
@VOCABULARY
@ABOUT
@OUTPUT
@RATE
@FROM_LOGITS
@TRUST
@import_option
@RESUME
@KEEP_IMAGES
@click.option("--keep-model/--no-keep-model", default=True, show_default=True, help="Keep the model in the run.")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Sample on the workers of a Dask cluster, by the address of its scheduler; local:N starts N processes here.",
)
def sample(out: str, scheduler: str | None, **settings: Any) -> None:
    """Sample a model over examples into a run, resume one that was stopped, or add passes to one that is finished."""
    again = "the same command" if settings["resume"] else "the same command without --no-resume"
    stopped = f"stopped. Nothing that was finished is lost: {again} goes on with {out}."
    with when_stopped(stopped), _cluster(scheduler, stopped) as cluster:
        _sample(cluster, out, stopped, **settings)


@contextmanager
def _cluster(scheduler: str | None, stopped: str) -> "Iterator[Client | None]":
    """The cluster of a scheduler's address, whose workers tell their warnings here; None without one."""
    if scheduler is None:
        yield None
        return
    require_keras()
    require_dask()
    with loading(stopped):
        from mcviz.sampling.cluster import connected
    with ExitStack() as held:
        with loading(stopped):
            client = held.enter_context(connected(scheduler))
        held.enter_context(warnings.catch_warnings())
        warnings.showwarning = lambda message, *_, **__: tell(f"warning: {message}")
        yield client


def _sample(
    cluster: "Client | None",
    out: str,
    stopped: str,
    passes: int,
    seed: int,
    masks: Masks,
    unit: str,
    about: dict[str, str],
    resume: bool,
    **settings: Any,
) -> None:
    kept = {name: settings.pop(name) for name in ("keep_images", "keep_model")}
    watcher = click.get_current_context().find_object(Watcher)  # of a job
    class_names = settings["class_names"]
    sampler, examples, preprocessing = _model_and_data(stopped, **settings)
    from mcviz.kinds import find_kind
    from mcviz.sampling.checking import first_look
    from mcviz.sampling.run_sampling import sample_run

    look = first_look(sampler, examples, preprocessing)
    say(sampler.description())
    say(f"{find_kind(examples).plural}: {look.adapter.preprocessing}. {look.adapter.preprocessing.reason}")
    if look.advice:
        tell(f"warning: {look.advice}")
    if watcher:
        watcher.begin(examples, out)
    with sampling_progress(len(examples)) as progress:
        run = sample_run(
            sampler,
            examples,
            out,
            passes=passes,
            seed=seed,
            masks=masks,
            class_names=class_names,
            unit=unit,
            preprocessing=preprocessing,
            about=about,
            resume=resume,
            progress=watcher.progress if watcher else progress,
            in_stages=watcher is not None,
            seen=watcher.seen if watcher else None,
            scheduler=cluster,
            **kept,
        )
    _say_run(run)


@click.command(short_help="See what a model makes of data, and what passes will take.")
@MODEL
@DATA
@click.option(
    "--passes", type=click.IntRange(min=1), default=USUAL_PASSES, show_default=True, help="How many to estimate for."
)
@MASKS_OPTION
@_task_options
@data_options
@preprocessing_options
@VOCABULARY
@OUTPUT
@RATE
@FROM_LOGITS
@TRUST
@import_option
def check(passes: int, masks: Masks, unit: str, **settings: Any) -> None:  # noqa: ARG001 (as `sample`)
    """Look at what a model makes of some of the data, before hours are spent on passes."""
    stopped = "stopped."
    with when_stopped(stopped):
        sampler, examples, preprocessing = _model_and_data(stopped, **settings)
        from mcviz.sampling.checking import check_model

        found = check_model(sampler, examples, masks=masks, preprocessing=preprocessing)
    if watcher := click.get_current_context().find_object(Watcher):
        watcher.checked(found, passes)
    for line in found.lines(passes):
        say(line)
    if found.advice:
        tell(f"warning: {found.advice}")


def _model_and_data(
    stopped: str,
    model: str,
    data: str,
    class_names: list[str] | None,
    task: str,
    predicts: Predicts,
    vocabulary: list[str] | None,
    output: str | None,
    rate: float | None,
    from_logits: bool | None,
    trust_model: bool,
    modules: tuple[str, ...],
    reading: Reading,
    **preprocessing: Any,
) -> "tuple[Sampler, DataSet, Preprocessing | None]":
    """Read the data, which takes less time to refuse, and then the model."""
    require_keras()
    if not Path(model).exists():
        raise DataNotFoundError(f"No model at that place. Received: {model}. Make one with `mcviz train`.")
    find_modules(modules)
    chosen = chosen_preprocessing(**preprocessing)
    with loading(stopped):
        from msgspec.structs import replace as replaced

        import mcviz.data.given  # noqa: F401 (here, where Ctrl-C can do no harm)
    file, own = _own_model(model, output=output, rate=rate, from_logits=from_logits)
    examples = read_examples(data, reading, own.manifest.task if own else task)
    chosen = with_scaler(chosen, reading, examples)
    if class_names is not None:
        examples = examples.with_class_names(class_names)
    say_classes(examples)
    if trust_model:
        tell(f"warning: {model} is opened without checks and can run any code on this machine, with your rights.")
    with loading(stopped):
        from mcviz.sampling.model_source import ModelSource, absolute
        from mcviz.sampling.source import load_sampler
    source = ModelSource(
        absolute(file),
        run=None if own is None else absolute(own.path),
        trust=trust_model,
        vocabulary=None if vocabulary is None else tuple(vocabulary),
        modules=modules,
        output=output,
        from_logits=from_logits,
        task=task,
        predicts=predicts,
        rate=rate,
    )
    sampler = load_sampler(source)
    crop, channel_order = preprocessing["crop"], preprocessing["channel_order"]
    if chosen is None and examples.images is not None and (crop or channel_order):
        from mcviz.sampling.examples import find_preprocessing

        found = find_preprocessing(sampler.model, sampler.input_dtype, examples.images.dtype)
        chosen = replaced(found, crop=crop, channel_order=channel_order or "rgb")
    return sampler, examples, chosen


def _own_model(path: str, **asked: Any) -> "tuple[str, Run | None]":
    """The file of a model, and the run where the path is that of one: then its model is sampled as it was for it."""
    from mcviz.runs import open_run
    from mcviz.runs.manifest_file import NAME

    if not (Path(path) / NAME).is_file():
        return path, None
    run = open_run(path)
    if run.model_path is None:
        raise InvalidInputError(f"{path} was kept without its model. Sample it again with the model kept.")
    for name, value in asked.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            raise InvalidInputError(
                f"{option} is left out where the model is that of a run, which has its own. To sample that model in "
                f"another way, give its file: --model {run.model_path}."
            )
    return run.model_path, run


@click.command("import", short_help="Make a run of passes that were made elsewhere.")
@click.argument("passes", metavar="PASSES")
@OUT
@click.option("--data", metavar="PATH", help=KINDS_OF_DATA)
@click.option("--labels", metavar="FILE", help="A table with labels, or an .npy.")
@_task_options
@data_options
@click.option("--axes", metavar="A,B,C", help="The order of the axes, such as example,pass,class.")
@click.option("--from-logits", is_flag=True, help="They are logits, not probabilities.")
@click.option("--deterministic", metavar="FILE", help="An .npy of the model's predictions with dropout off.")
@click.option(
    "--features",
    metavar="FILE",
    help="An .npy of feature vectors (embeddings), one an example, for similar examples and the map.",
)
@preprocessing_options
@click.option("--source", metavar="TEXT", help="What made the passes, in words.")
@ABOUT
@RESUME
@KEEP_IMAGES
def import_(passes: str, out: str, **settings: Any) -> None:
    """Make a run of the passes in PASSES.

    They are .npz, .npy, Zarr, NetCDF, HDF5, a long table, or a folder with one .npy a pass.

    Without --axes, the axes are pass, example and class, or target of a regression. A long table has the columns
    example, pass, class and probability, or example, pass, target and value.
    """
    stopped = f"stopped. The same command goes on with {out}."
    with when_stopped(stopped):
        _import(passes, out, stopped, **settings)


def _import(
    path: str,
    out: str,
    stopped: str,
    data: str | None,
    labels: str | None,
    task: str,
    predicts: Predicts,
    unit: str,
    class_names: list[str] | None,
    axes: str | None,
    from_logits: bool,
    deterministic: str | None,
    features: str | None,
    source: str | None,
    about: dict[str, str],
    resume: bool,
    keep_images: bool,
    reading: Reading,
    **preprocessing: Any,
) -> None:
    with loading(stopped):
        from mcviz.data import DataSet, opened_passes, read_array
        from mcviz.importing import write_run
        from mcviz.tasks import TASKS

    chosen = chosen_preprocessing(**preprocessing)
    with opened_passes(path, TASKS[task].pass_names) as passes:
        of_data = replace(reading, label_column=()) if labels else reading
        examples = read_examples(data, of_data, task, complete=False) if data else DataSet(None)
        chosen = with_scaler(chosen, reading, examples)
        sizes = getattr(examples.images, "sizes", ())
        if len(sizes) > 1:
            say(f"The pictures have {len(sizes):,} sizes. They are shown in the most frequent one.")
        if labels:
            examples = examples.with_labels_of(read_labels(labels, reading, task))
        elif examples.labels is None and passes.labels is not None:
            examples = examples.with_labels(passes.labels, task)
        if passes.ids:
            examples = examples.in_order_of(passes.ids)
        names = TASKS[task].pass_names.arrays
        usual = (*(f"deterministic_{name}" for name in names), *names)
        fixed = read_array(deterministic, usual) if deterministic else passes.deterministic
        examples = _with_names(examples, passes.last_names, class_names, task)
        say_classes(examples)
        with sampling_progress(len(examples) or 1) as progress:
            run = write_run(
                out,
                passes.passes,
                data=examples,
                task=task,
                predicts=passes.predicts_as(predicts),
                unit=unit,
                deterministic=fixed,
                features=read_array(features) if features else None,
                axes=tuple(axes.split(",")) if axes else passes.axes,
                from_logits=from_logits,
                preprocessing=chosen,
                keep_images=keep_images,
                source=source,
                about=about,
                resume=resume,
                progress=progress,
            )
    _say_run(run)


def _with_names(
    examples: "DataSet", of_passes: tuple[str, ...] | None, asked: list[str] | None, task: str
) -> "DataSet":
    """Examples whose classes have the names that the passes give, in their order, or those that --class-names gives."""
    if not asked or set(asked) == set(of_passes or ()):
        return examples.with_names(of_passes, task) if of_passes else examples
    own = examples.class_names
    if of_passes and not (own and set(own) <= set(asked)):  # or else the labels have the names that were asked for
        examples = examples.with_names(of_passes, task)
    if of_passes and not set(asked).isdisjoint(of_passes):
        expected = f"the names that the passes have, {', '.join(of_passes)}, or all new"
        raise InvalidInputError(f"--class-names should be {expected}. Received: {', '.join(asked)}.")
    return examples.with_class_names(asked)


def _say_run(run: "Run") -> None:
    if run.quality_by_pass is not None:
        task, (single, ensembles) = run.task, run.quality_by_pass
        values = float(ensembles[-1]), task.quality_of_single_pass(single)
        together, alone = (task.format_quality(value, run.manifest.unit) for value in values)
        say(f"{task.quality_name}: ensemble {together}, mean single pass {alone}")
    say(f"The run is {run.path}.")


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


COMMANDS = train, sample, check, import_
