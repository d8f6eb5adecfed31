"""The command line: `mcviz COMMAND --help` says what each command takes."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click
from tqdm import tqdm

import mcviz
from mcviz.errors import InvalidInputError, McvizError
from mcviz.extras import require_keras
from mcviz.interrupts import INTERRUPTED, ended_at_once, raised_interrupts
from mcviz.text import one_line

if TYPE_CHECKING:
    from mcviz.runs import ListedRun

REFUSED = 2
SHIPPED_SEED = 25  # of the training that the shipped run comes from; its README says what was tried
SECONDS_BETWEEN_LOG_LINES = 10.0


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
        _tell(f"{error.format_message()} Type `{command} --help` to see what it takes.")
        return REFUSED
    except (McvizError, OSError) as error:
        _tell(str(error))
        return REFUSED
    except (click.Abort, KeyboardInterrupt):
        _tell("stopped.")
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
        if any("\ud800" <= character <= "\udfff" for character in argument):
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
@click.option("--data", type=PATH, metavar="FILE.npz", help="MNIST as Keras packs it; downloaded without it.")
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
    _say(f"Training on {len(train_images.images):,} images, with seed {seed}.")
    started = time.perf_counter()

    def report(epoch: int, row: dict[str, float]) -> None:
        _say(
            f"epoch {epoch:2d} of {epochs}  {time.perf_counter() - started:4.0f} s  "
            f"training: loss {row['train_loss']:.4f}, accuracy {row['train_accuracy']:.2%}  "
            f"test: loss {row['test_loss']:.4f}, accuracy {row['test_accuracy']:.2%}"
        )

    model, history = train(train_images, test_images, epochs=epochs, seed=seed, activation=activation, on_epoch=report)
    history_path = save_trained(model, history, out)
    _say(f"The model is {out}, its history {history_path}.")


@commands.command(short_help="Sample a model over images into a run, or resume one.")
@click.option("--model", metavar="MODEL.keras", required=True, help="A Keras classifier with dropout.")
@click.option(
    "--data",
    metavar="FILE.npz",
    required=True,
    help="With images and labels, or MNIST. uint8 is divided by 255, unless the model does so itself; floating point "
    "reaches the model as it is.",
)
@click.option("--out", metavar="RUN", required=True, help="The run's folder or fsspec address.")
@click.option("--passes", default=500, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the masks.")
@click.option(
    "--masks",
    type=click.Choice(["per_pass", "per_example"]),
    default="per_pass",
    show_default=True,
    help="One draw of masks for all examples of a pass, or one for each example.",
)
@click.option("--class-names", metavar="A,B,…", help="In the order of the model's outputs.")
@click.option(
    "--about",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_pairs,
    help="What the run should say of its data, such as source=… and licence=…; may be given again.",
)
@click.option("--output", metavar="NAME", help="Which output to sample, for a model with several.")
@click.option("--from-logits", is_flag=True, default=None, help="The output is logits, where that cannot be seen.")
@click.option("--trust-model", is_flag=True, help="Let the model's file run code; also for HDF5 and Lambda layers.")
@click.option("--resume/--no-resume", default=True, show_default=True, help="Resume a run that was stopped.")
@click.option("--keep-images/--no-keep-images", default=True, show_default=True, help="Keep the images in the run.")
@click.option("--keep-model/--no-keep-model", default=True, show_default=True, help="Keep the model in the run.")
def sample(out: str, **settings: Any) -> None:
    """Sample a model over images into a run, or resume one that was stopped, or add passes to one that is finished."""
    stopped = f"stopped. Nothing that was finished is lost: the same command goes on with {out}."
    with _when_stopped(stopped):
        _sample(out, stopped, **settings)


def _sample(
    out: str,
    stopped: str,
    model: str,
    data: str,
    class_names: str | None,
    output: str | None,
    from_logits: bool | None,
    trust_model: bool,
    **settings: Any,
) -> None:
    require_keras()
    if trust_model:
        _tell(f"warning: {model} is opened without checks and can run any code on this machine, with your rights.")
    with _loading(stopped):
        read_images = mcviz.read_images
    examples = read_images(data)
    if (highest := examples.images.max()) > 1 and examples.images.dtype != "uint8":
        _tell(
            f"warning: the images of {data} go up to {highest:g} and reach the model as they are. "
            "If it was trained on 0..1, divide them or save them as uint8."
        )
    with _loading(stopped):
        make_sampler, sample_run, load_model = mcviz.Sampler, mcviz.sample_run, mcviz.load_model

    sampler = make_sampler(load_model(model, trust=trust_model), output=output, from_logits=from_logits)
    _say(sampler.description())
    with sampling_progress(len(examples.images)) as progress:
        run = sample_run(
            sampler,
            examples,
            out,
            class_names=class_names.split(",") if class_names else None,
            progress=progress,
            **settings,
        )
    if run.ensemble_accuracy is not None and run.pass_accuracy is not None:
        _say(f"accuracy: ensemble {run.ensemble_accuracy[-1]:.2%}, mean single pass {run.pass_accuracy.mean():.2%}")
    _say(f"The run is {run.path}.")


@commands.command(short_help="Check every byte of a run.")
@RUN
def verify(run: str) -> None:
    """Read every byte of the run in folder or at fsspec address RUN, and compute its scores and accuracies again."""
    with _loading():
        verify_run = mcviz.verify_run
    for line in str(verify_run(run)).splitlines():
        _say(line)


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
        _say(f"There is no run in {folder}.")


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
    _say(f"{run} is removed." + (f" What is none of the run's stays: {', '.join(left)}." if left else ""))


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
    _say(f"{run} is exported to {to}.")


@commands.command(short_help="Open the dashboard.")
@click.option(
    "--cache",
    type=PATH,
    metavar="FOLDER",
    envvar="MCVIZ_CACHE",
    default="cache",
    show_default=True,
    help="The folder of runs. Where it holds none, the run that comes with mcviz is shown.",
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="8501, or the next that is free, without it.")
def dashboard(cache: Path, port: int | None) -> None:
    """Open the dashboard in a browser, for this machine alone. Ctrl-C ends it."""
    with _loading():
        from mcviz.app.server import serve  # here, because Streamlit takes a second to import

    serve(cache, port)


@contextmanager
def sampling_progress(examples: int, stream: TextIO | None = None) -> Iterator[Callable[[int, int], None]]:
    """Show how far a sampling is: in one line of a terminal, elsewhere in a line every ten seconds.

    A prediction is one example in one pass.

    Args:
        examples: how many a pass takes, N.
        stream: where to write; standard error without one.

    Yields:
        What takes the predictions that stand, those of an earlier, stopped sampling among them, and how many there will
        be.
    """
    bar: _SamplingBar | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = _SamplingBar(examples, done, total, stream or sys.stderr)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


class _SamplingBar(tqdm):
    monitor_interval = 0  # no thread that looks after bars which are not updated

    def __init__(self, examples: int, done: int, total: int, stream: TextIO) -> None:
        self._examples = examples
        lines = {} if stream.isatty() else {"file": _Lines(stream), "mininterval": SECONDS_BETWEEN_LOG_LINES}
        super().__init__(**{"file": stream, "initial": done, "total": total, "ascii": ".#", **lines})

    @property
    def format_dict(self) -> dict[str, Any]:
        values = super().format_dict
        values["bar_format"] = "[{bar:20}] {percentage:3.0f}%"
        if (sampled := self.n - self.initial) and values["elapsed"]:
            rate = sampled / values["elapsed"]
            values["bar_format"] += (
                f"  {rate / self._examples:,.1f} passes/s  {rate:,.0f} examples/s"
                f"  {self.format_interval(round((self.total - self.n) / rate))} left"
            )
        return values


class _Lines:
    """Makes each drawing of a bar a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, drawing: str) -> None:
        if line := drawing.strip():
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        self._stream.flush()


@contextmanager
def _when_stopped(message: str) -> Iterator[None]:
    """Say what Ctrl-C left."""
    try:
        yield
    except KeyboardInterrupt:
        _tell(message)
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
            f"  masks {manifest.masks}  seed {manifest.seed}"
        )
    _say(line)
    if run.message:
        click.echo(f"    {one_line(run.message)}")


def _confirmed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        click.echo()  # the prompt's line has not ended
        return False


def _tell(message: str) -> None:
    _say(f"mcviz: {message}", err=True)


def _say(line: str, *, err: bool = False) -> None:
    """Print one line; whatever it tells of, a terminal shows it and does not obey it."""
    click.echo(one_line(line), err=err)
