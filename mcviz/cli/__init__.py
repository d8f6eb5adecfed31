"""The command line: `mcviz COMMAND --help` says what each command takes."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import mcviz
from mcviz.cli.data import (
    Reading,
    chosen_preprocessing,
    data_options,
    import_option,
    preprocessing_options,
    read_examples,
    read_labels,
    say_classes,
)
from mcviz.cli.printing import say, tell
from mcviz.cli.progress import sampling_progress
from mcviz.errors import DataNotFoundError, InvalidInputError, McvizError
from mcviz.extras import find_modules, import_modules, require_keras
from mcviz.interrupts import INTERRUPTED, ended_at_once, raised_interrupts
from mcviz.text import is_text, one_line

if TYPE_CHECKING:
    from mcviz.data import DataSet
    from mcviz.model import Sampler
    from mcviz.model.sampler import Masks
    from mcviz.runs import ListedRun, Preprocessing, Run

REFUSED = 2
SHIPPED_SEED = 25  # of the training that the shipped run comes from; its README says what was tried


def run() -> NoReturn:
    """Carry out the command that this process was started for, and end it."""
    code = main()
    if code == INTERRUPTED:  # at once: Python's own way to end could wait for threads, or report a death by the signal
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Args:
        arguments: as typed after `mcviz`; those of this process without any.

    Returns:
        The exit code: 0, 2 for anything refused, 130 after Ctrl-C.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings would bury our own lines
    try:
        _check_text(sys.argv[1:] if arguments is None else arguments)
        code = commands.main(arguments, prog_name="mcviz", standalone_mode=False)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "mcviz"
        tell(f"{error.format_message()} Type `{command} --help` to see what it takes.")
        return REFUSED
    except (McvizError, OSError) as error:
        tell(str(error))
        return REFUSED
    except (click.Abort, KeyboardInterrupt):
        tell("stopped.")
        return INTERRUPTED
    return code or 0


class _Commands(click.Group):
    def invoke(self, context: click.Context) -> Any:
        with _when_stopped("stopped."), raised_interrupts():
            return super().invoke(context)


@click.group(cls=_Commands, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mcviz.__version__, message="%(prog)s %(version)s")
def commands() -> None:
    """Monte Carlo dropout: sample a classifier many times over, and see which inputs it is uncertain about."""


def _check_text(arguments: Sequence[str]) -> None:
    """Refuse bytes that cannot be decoded: no run may hold them, and few programs can show them."""
    for argument in arguments:
        if not is_text(argument):
            advice = "Type it anew, or rename the file."
            raise InvalidInputError(f"An argument should be Unicode. Received: {argument!a}. {advice}")


def _pairs(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not key or not separator:
            raise click.BadParameter(f"expected KEY=VALUE, received {text!r}.", context, option)
        pairs[key] = value
    return pairs


PATH = click.Path(path_type=Path)
RUN = click.argument("run", metavar="RUN")


@commands.command(short_help="Train the reference network on MNIST.")
@click.option("--out", type=PATH, metavar="MODEL.keras", required=True, help="Where the model goes.")
@click.option(
    "--data", type=PATH, metavar="PATH", help="Its .npz or the folder of its IDX files; downloaded without it."
)
@click.option("--seed", default=SHIPPED_SEED, show_default=True, help="Of weights, dropout and order.")
@click.option("--epochs", default=10, show_default=True)
@click.option("--activation", default="relu", show_default=True, help="Of all layers but the last.")
def train(out: Path, data: Path | None, **settings: Any) -> None:
    """Train the reference network on MNIST, and write it with a history of its epochs."""
    stopped = f"stopped; {out} was not written."
    with _when_stopped(stopped):
        _train(out, data, stopped, **settings)


def _train(out: Path, data: Path | None, stopped: str, seed: int, epochs: int, activation: str) -> None:
    require_keras()
    if out.suffix != ".keras":
        raise InvalidInputError(f"--out should end in .keras. Received: {out}.")
    _check_writable(out)
    with _loading(stopped):
        read_mnist = mcviz.read_mnist
    splits = read_mnist(data) if data else None
    with _loading(stopped):
        from mcviz.model.training import load_mnist, save_trained, train

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


MODEL = click.option("--model", metavar="MODEL.keras", required=True, help="A Keras classifier with dropout.")
DATA = click.option(
    "--data",
    metavar="PATH",
    required=True,
    help="A folder of pictures or of one folder a class, a table of paths, .npz, .npy, IDX, a Hugging Face data set.",
)
OUT = click.option("--out", metavar="RUN", required=True, help="The run's folder or fsspec address.")
MASKS = click.option(
    "--masks",
    type=click.Choice(["per_pass", "per_example"]),
    default="per_pass",
    show_default=True,
    help="One draw of masks for all examples of a pass, or one for each example.",
)
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
TRUST = click.option(
    "--trust-model", is_flag=True, help="Let the model's file run code; also for HDF5 and Lambda layers."
)
RESUME = click.option("--resume/--no-resume", default=True, show_default=True, help="Resume a run that was stopped.")
KEEP_IMAGES = click.option(
    "--keep-images/--no-keep-images", default=True, show_default=True, help="Keep the images in the run."
)


@commands.command(short_help="Sample a model over images into a run, or resume one.")
@MODEL
@DATA
@OUT
@click.option("--passes", type=click.IntRange(min=1), default=500, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the masks.")
@MASKS
@data_options
@preprocessing_options
@ABOUT
@OUTPUT
@FROM_LOGITS
@TRUST
@import_option
@RESUME
@KEEP_IMAGES
@click.option("--keep-model/--no-keep-model", default=True, show_default=True, help="Keep the model in the run.")
def sample(out: str, **settings: Any) -> None:
    """Sample a model over images into a run, or resume one that was stopped, or add passes to one that is finished."""
    stopped = f"stopped. Nothing that was finished is lost: the same command goes on with {out}."
    with _when_stopped(stopped):
        _sample(out, stopped, **settings)


def _sample(
    out: str, stopped: str, passes: int, seed: int, masks: "Masks", about: dict[str, str], resume: bool, **settings: Any
) -> None:
    kept = {name: settings.pop(name) for name in ("keep_images", "keep_model")}
    class_names = settings["class_names"]
    sampler, examples, preprocessing = _model_and_data(stopped, **settings)
    from mcviz.model.checking import first_look
    from mcviz.model.run_sampling import sample_run

    look = first_look(sampler, examples, preprocessing)
    say(sampler.description())
    say(f"images: {look.adapter.preprocessing}. {look.adapter.preprocessing.reason}")
    if look.advice:
        tell(f"warning: {look.advice}")
    with sampling_progress(len(examples)) as progress:
        run = sample_run(
            sampler,
            examples,
            out,
            passes=passes,
            seed=seed,
            masks=masks,
            class_names=class_names,
            preprocessing=preprocessing,
            about=about,
            resume=resume,
            progress=progress,
            **kept,
        )
    _say_run(run)


@commands.command(short_help="See what a model makes of data, and what passes will take.")
@MODEL
@DATA
@click.option("--passes", type=click.IntRange(min=1), default=500, show_default=True)
@MASKS
@data_options
@preprocessing_options
@OUTPUT
@FROM_LOGITS
@TRUST
@import_option
def check(passes: int, masks: "Masks", **settings: Any) -> None:
    """Look at what a model makes of some of the data, before hours are spent on passes."""
    stopped = "stopped."
    with _when_stopped(stopped):
        sampler, examples, preprocessing = _model_and_data(stopped, **settings)
        from mcviz.model.checking import check_model

        found = check_model(sampler, examples, masks=masks, preprocessing=preprocessing)
    for line in found.lines(passes):
        say(line)
    if found.advice:
        tell(f"warning: {found.advice}")


def _model_and_data(
    stopped: str,
    model: str,
    data: str,
    class_names: list[str] | None,
    output: str | None,
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
    with _loading(stopped):
        from msgspec.structs import replace

        import mcviz.data
    examples = read_examples(data, reading)
    if class_names is not None:
        examples = examples.with_class_names(class_names)
    say_classes(examples)
    if trust_model:
        tell(f"warning: {model} is opened without checks and can run any code on this machine, with your rights.")
    with _loading(stopped):
        make_sampler, load_model = mcviz.Sampler, mcviz.load_model
    import_modules(modules)
    sampler = make_sampler(load_model(model, trust=trust_model), output=output, from_logits=from_logits)
    crop, channel_order = preprocessing["crop"], preprocessing["channel_order"]
    if chosen is None and examples.images is not None and (crop or channel_order):
        from mcviz.model.examples import preprocessing_of

        found = preprocessing_of(sampler.model, sampler.input_dtype, examples.images.dtype)
        chosen = replace(found, crop=crop, channel_order=channel_order or "rgb")
    return sampler, examples, chosen


@commands.command("import", short_help="Make a run of passes that were made elsewhere.")
@click.argument("passes", metavar="PASSES")
@OUT
@click.option("--images", metavar="PATH", help="As --data of `mcviz sample`.")
@click.option("--labels", metavar="FILE", help="A table with a column of labels, or an .npy.")
@data_options
@click.option("--axes", metavar="A,B,C", help="The order of the axes, such as example,pass,class.")
@click.option("--from-logits", is_flag=True, help="They are logits, not probabilities.")
@click.option("--deterministic", metavar="FILE", help="An .npy of the model's probabilities with dropout off.")
@click.option("--features", metavar="FILE", help="An .npy of numbers by which examples are alike.")
@preprocessing_options
@click.option("--source", metavar="TEXT", help="What made the passes, in words.")
@ABOUT
@RESUME
@KEEP_IMAGES
def import_(passes: str, out: str, **settings: Any) -> None:
    """Make a run of the passes in PASSES.

    They are .npz, .npy, Zarr, NetCDF, HDF5, a long table, or a folder with one .npy a pass.

    Without --axes, the axes are pass, example and class. A long table has the columns example, pass, class and
    probability.
    """
    stopped = f"stopped. The same command goes on with {out}."
    with _when_stopped(stopped):
        _import(passes, out, stopped, **settings)


def _import(
    path: str,
    out: str,
    stopped: str,
    images: str | None,
    labels: str | None,
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
    with _loading(stopped):
        from mcviz.data import DataSet, opened_passes, read_array
        from mcviz.importing import write_run

    chosen = chosen_preprocessing(**preprocessing)
    with opened_passes(path) as passes:
        examples = read_examples(images, reading) if images else DataSet(None)
        sizes = getattr(examples.images, "sizes", ())
        if len(sizes) > 1:
            say(f"The pictures have {len(sizes):,} sizes. They are shown in the most frequent one.")
        if labels:
            examples = examples.with_labels_of(read_labels(labels, reading))
        elif examples.labels is None and passes.labels is not None:
            examples = examples.with_labels(passes.labels)
        if passes.ids:
            examples = examples.in_order_of(passes.ids)
        fixed = read_array(deterministic, ("deterministic_probs", "probs")) if deterministic else passes.deterministic
        named: Sequence[str] | None = class_names or passes.class_names or examples.class_names
        if passes.class_names and set(named or ()) == set(passes.class_names):
            named = passes.class_names  # in the order of the probabilities
        if named:
            examples = examples.with_class_names(named)
        say_classes(examples)
        with sampling_progress(len(examples) or 1) as progress:
            run = write_run(
                out,
                passes.probs,
                images=examples,
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


def _say_run(run: "Run") -> None:
    if run.ensemble_accuracy is not None and run.pass_accuracy is not None:
        say(f"accuracy: ensemble {run.ensemble_accuracy[-1]:.2%}, mean single pass {run.pass_accuracy.mean():.2%}")
    say(f"The run is {run.path}.")


@commands.command(short_help="Check every byte of a run.")
@RUN
def verify(run: str) -> None:
    """Read every byte of the run in folder or at fsspec address RUN, and compute its scores and accuracies again."""
    with _loading():
        verify_run = mcviz.verify_run
    for line in str(verify_run(run)).splitlines():
        say(line)


@commands.command("list", short_help="List the runs of a folder.")
@click.argument("folder", metavar="FOLDER", default="cache")
def list_(folder: str) -> None:
    """List the runs in FOLDER, or in `cache`."""
    with _loading():
        list_runs = mcviz.list_runs
    runs = list_runs(folder)
    for run in runs:
        _describe(run)
    if not runs:
        say(f"There is no run in {folder}.")


@commands.command(short_help="Remove a run.")
@RUN
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(run: str, yes: bool) -> None:
    """Remove the run in folder or at fsspec address RUN."""
    if not yes and not _confirmed(f"Remove the run {one_line(run)}? [y/N] "):
        raise InvalidInputError(f"{run} stays. Answer y, or give --yes, to remove it.")
    with _loading():
        remove_run = mcviz.remove_run
    left = remove_run(run)
    say(f"{run} is removed." + (f" What is none of the run's stays: {', '.join(left)}." if left else ""))


@commands.command(short_help="Write a run as a file for other tools.")
@RUN
@click.option(
    "--to",
    metavar="FILE",
    required=True,
    help="Its ending says what: .parquet (scores), .npz (probs) or .nc (both, as NetCDF).",
)
def export(run: str, to: str) -> None:
    """Write the run in folder or at fsspec address RUN as a file for other tools."""
    with _loading():
        export_run, open_run = mcviz.export_run, mcviz.open_run
    export_run(open_run(run), to)
    say(f"{run} is exported to {to}.")


@commands.command(short_help="Open the dashboard.")
@click.option(
    "--cache",
    type=PATH,
    metavar="FOLDER",
    envvar="MCVIZ_CACHE",
    default="cache",
    show_default=True,
    help="The folder of runs. Where it holds none, the runs that come with mcviz are shown.",
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="8501, or the next that is free, without it.")
@import_option
def dashboard(cache: Path, port: int | None, modules: tuple[str, ...]) -> None:
    """Open the dashboard in a browser, for this machine alone. Ctrl-C ends it."""
    with _loading():
        from mcviz.app.server import serve  # here, because Streamlit takes a second to import

    serve(cache, port, modules)


@contextmanager
def _when_stopped(message: str) -> Iterator[None]:
    """Say what Ctrl-C left."""
    try:
        yield
    except KeyboardInterrupt:
        tell(message)
        raise click.exceptions.Exit(INTERRUPTED) from None


@contextmanager
def _loading(stopped: str = "stopped.") -> Iterator[None]:
    """Load libraries, where Ctrl-C ends the process at once: `KeyboardInterrupt` can crash them, or get lost in them.

    What TensorFlow's libraries write meanwhile, before they heed any setting, is kept off the terminal.
    """
    sys.stderr.flush()
    with (
        os.fdopen(os.dup(2), "wb") as terminal,
        ended_at_once(stopped, terminal.fileno()),
        Path(os.devnull).open("w") as nowhere,
    ):
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal.fileno(), 2)


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


def _describe(run: "ListedRun") -> None:
    manifest = run.manifest
    line = f"{run.path}  {run.state}  {run.bytes / 1e6:.1f} MB"
    if manifest:
        line += (
            f"  {manifest.passes:,} passes × {manifest.examples.count:,} examples × {manifest.classes} classes"
            f"  {manifest.how}"
        )
    say(line)
    if run.message:
        click.echo(f"    {one_line(run.message)}")


def _confirmed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        click.echo()  # the prompt's line has not ended
        return False
