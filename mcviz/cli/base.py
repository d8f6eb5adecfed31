"""What commands share: arguments and options, output, progress, and how Ctrl-C ends one."""

import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
from tqdm import tqdm

from mcviz.interrupts import INTERRUPTED, end_at_interrupt
from mcviz.options import ModelOptions, OptionField, all_option_fields, option_fields, read_group
from mcviz.text import one_line

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


SECONDS_BETWEEN_LOG_LINES = 10.0

Command = Callable[..., Any]
PATH = click.Path(path_type=Path)

RUN = click.argument("run", metavar="RUN")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, with all that is found.")
GROUP = click.option(
    "--group",
    metavar="COLUMN",
    help="One of your own columns: examples of one value belong together, such as those of a patient.",
)
SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is drawn at random."
)
TO = click.option("--to", metavar="FILE", required=True, help="A .csv or .parquet, a row an example.")


def tell(message: str) -> None:
    """Print an error or a warning."""
    say(f"mcviz: {message}", err=True)


def say(line: str, *, err: bool = False) -> None:
    """Print one line, indented as it is; control characters in it are shown and not obeyed."""
    click.echo(" " * (len(line) - len(line.lstrip(" "))) + one_line(line), err=err)


def print_json(found: Any) -> None:
    """Print results as JSON."""
    import orjson

    # What is not a number or not finite is null.
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode())


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table, its first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "   ".join(
            [f"{first:<{widths[0]}}", *(f"{text:>{width}}" for text, width in zip(others, widths[1:], strict=True))]
        )
        for first, *others in rows
    ]
    return ["", *lines, ""] if lines else []


@contextmanager
def report_interrupt(message: str) -> Iterator[None]:
    """Print a message on Ctrl-C, and exit."""
    try:
        yield
    except KeyboardInterrupt:
        tell(message)
        raise click.exceptions.Exit(INTERRUPTED) from None


@contextmanager
def loading(stopped: str = "stopped.") -> Iterator[None]:
    """Load libraries, where Ctrl-C ends the process at once: `KeyboardInterrupt` can crash them, or get lost in them.

    The output of TensorFlow's libraries, which ignore any setting at this time, is kept off the terminal.
    """
    sys.stderr.flush()
    with (
        os.fdopen(os.dup(2), "wb") as terminal,
        end_at_interrupt(stopped, terminal.fileno()),
        Path(os.devnull).open("w") as nowhere,
    ):
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal.fileno(), 2)


@contextmanager
def sampling_progress(examples: int, stream: TextIO | None = None) -> Iterator[Callable[[int, int], None]]:
    """Show the progress of a sampling.

    A prediction is one example in one pass.

    Args:
        examples: number of examples in a pass, N.
        stream: to write to; standard error without one.

    Yields:
        A function of the predictions that are done, those of an earlier, stopped sampling among them, and their total.
    """
    with _open_bar(lambda done, total: _SamplingBar(examples, done, total, stream or sys.stderr)) as show:
        yield show


@contextmanager
def count_progress(things: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many things are done, such as pictures that are read, where it takes more than a moment.

    Yields:
        A function of the things that are done, and their total.
    """

    def make(_: int, total: int) -> "tqdm[Any]":
        return tqdm(total=total, unit=f" {things}", ascii=".#", delay=1, leave=False, **_stream_options(sys.stderr))

    with _open_bar(make) as show:
        yield show


@contextmanager
def stage_progress() -> Iterator[Callable[[str, float], None]]:
    """Show the current stage and the progress of all stages.

    Yields:
        A function of the name of the stage, and the share of all that is done, 0 to 1.
    """
    form = "[{bar:20}] {percentage:3.0f}%  {desc}"

    def make(_: float, total: float) -> "tqdm[Any]":
        return tqdm(total=total, ascii=".#", bar_format=form, leave=False, **_stream_options(sys.stderr))

    with _open_bar(make) as show:
        yield lambda stage, done: show(100 * done, 100, stage)


@contextmanager
def _open_bar(make: "Callable[[Any, Any], tqdm[Any]]") -> Iterator[Callable[..., None]]:
    """Open a bar at the first report, made from (done, total); a stage's name may come with each."""
    bar: tqdm[Any] | None = None

    def show(done: float, total: float, stage: str = "") -> None:
        nonlocal bar
        if bar is None:
            bar = make(done, total)
        if stage:
            bar.set_description_str(stage, refresh=False)
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
        super().__init__(initial=done, total=total, ascii=".#", **_stream_options(stream))

    @property
    def format_dict(self) -> dict[str, Any]:
        values = super().format_dict
        values["bar_format"] = "[{bar:20}] {percentage:3.0f}%"
        if (sampled := self.n - self.initial) and values["elapsed"]:
            rate = sampled / values["elapsed"]
            values["bar_format"] += (
                f"  {rate / self._examples:,.1f} passes/s  {rate:,.0f} predictions/s"
                f"  {self.format_interval(round((self.total - self.n) / rate))} left"
            )
        return values


class _Lines:
    """A stream that writes each drawing of a bar as a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, drawing: str) -> None:
        if line := drawing.strip():
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        self._stream.flush()


def _stream_options(stream: TextIO) -> dict[str, Any]:
    if stream.isatty():
        return {"file": stream}
    return {"file": _Lines(stream), "mininterval": SECONDS_BETWEEN_LOG_LINES}


def add_options(
    group: "type[DataclassInstance]", *, required: Collection[str], helps: Mapping[str, str] | None = None
) -> Callable[[Command], Command]:
    """Give a command the options of a group, of which it takes an instance as `options`.

    Args:
        group: the class.
        required: names of the options that have to be given; the help begins with them.
        helps: by the name of an option, its help where it is another one in this command.
    """
    declared = sorted(all_option_fields(group), key=lambda each: each.name not in required)

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_group(**values: Any) -> Any:
            own = {each.field: values.pop(each.field) for each in declared}
            return command(options=read_group(group, own), **values)

        decorated: Command = with_group
        for each in reversed(declared):
            words = (helps or {}).get(each.name, each.option.help)
            decorated = _click_option(each, words, required=each.name in required)(decorated)
        return decorated

    return decorate


def import_option(command: Command) -> Command:
    """Give a command the option that names modules of the user's own; it takes `modules`."""
    (modules,) = (each for each in option_fields(ModelOptions) if each.field == "modules")
    return _click_option(modules, modules.option.help, required=False)(command)


def _click_option(each: OptionField, words: str, *, required: bool) -> Callable[[Command], Command]:
    option, is_told = each.option, each.default not in (None, "", ()) and each.default is not False
    default = {} if required else {"default": each.default if is_told else None}  # with any, none would be required
    return click.option(
        f"--{each.name}/{each.argument}" if each.default is True else f"--{each.name}",
        each.field,
        type=_click_type(each),
        is_flag=each.is_flag,
        multiple=option.several,
        metavar=option.metavar,
        show_default=is_told,
        required=required,
        envvar=option.variable,
        show_envvar=option.variable is not None,
        callback=partial(_parse_value, each),
        help=words,
        **default,
    )


def _click_type(each: OptionField) -> Any:
    option = each.option
    if option.choices:
        return click.Choice(option.choices)
    if option.at_least is not None:
        return click.IntRange(min=option.at_least)
    if option.between is not None:
        return click.FloatRange(*option.between, min_open=True, max_open=True)
    return {bool: bool, bool | None: bool, float | None: float}.get(each.type, str)


def _parse_value(each: OptionField, context: click.Context, parameter: click.Parameter, given: Any) -> Any:
    if given in (None, ()):
        return each.default
    try:
        return each.option.parse(given) if each.option.parse else given
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from error


def parse_share(context: click.Context, option: click.Parameter, given: str | None) -> float | None:
    """Parse a fraction, typed as 0.05 or 5%."""
    try:
        return None if given is None else float(f"{given[:-1]}e-2" if given.endswith("%") else given)  # 99.9% is 0.999
    except ValueError as error:
        raise click.BadParameter(
            f"expected a share such as 0.05 or 5%, received {given!r}.", context, option
        ) from error


CONFIDENCE = click.option(
    "--confidence",
    callback=parse_share,
    metavar="SHARE",
    default="95%",
    show_default=True,
    help="Of intervals and guarantees.",
)
