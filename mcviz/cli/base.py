"""Output, lazy loading of libraries, and Ctrl-C, shared by commands."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import orjson

from mcviz.interrupts import INTERRUPTED, end_at_interrupt
from mcviz.text import one_line

GAP = 3  # characters between columns
STOPPED = "mcviz.stopped"  # key of the message on Ctrl-C, in the meta of the context


def tell(message: str) -> None:
    """Print an error or a warning."""
    say(f"mcviz: {message}", err=True)


def say(line: str, *, err: bool = False) -> None:
    """Print one line with its indent; control characters are escaped."""
    click.echo(" " * (len(line) - len(line.lstrip(" "))) + one_line(line), err=err)


def print_json(content: Any) -> None:
    """Print results as JSON."""
    # NaN and infinity become null
    click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode())


def table_lines(rows: Sequence[Sequence[str]], *formats: str) -> list[str]:
    """Return the lines of a table.

    Args:
        rows: the texts of its cells.
        formats: of each column, for `format`, such as "<34" or ">9". Without any, the first column is left-aligned and
            the others right-aligned, as wide as their widest texts and three characters apart.
    """
    if not formats:
        first, *others = (max(map(len, column)) for column in zip(*rows, strict=True)) if rows else (0,)
        formats = (f"<{first}", *(f">{width + GAP}" for width in others))
    return ["".join(map(format, row, formats)).rstrip() for row in rows]


@contextmanager
def report_interrupt(message: str) -> Iterator[None]:
    """Print a message on Ctrl-C, and exit."""
    try:
        yield
    except KeyboardInterrupt:
        tell(message)
        raise click.exceptions.Exit(INTERRUPTED) from None


@contextmanager
def loading() -> Iterator[None]:
    """Load libraries quietly; Ctrl-C ends the process at once.

    `KeyboardInterrupt` can crash libraries, or get lost in them. Standard error is redirected because TensorFlow
    ignores log settings while loading.
    """
    context = click.get_current_context(silent=True)
    stopped = context.meta.get(STOPPED, "stopped.") if context else "stopped."
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


def call_lazily(
    function: str, stopped: Callable[..., str] = lambda **_: "stopped."
) -> Callable[[Callable[[], None]], Callable[..., None]]:
    """Make a command import and call a function only when it runs.

    Args:
        function: as `module:function`; it takes the values of the command's arguments and options.
        stopped: returns, for the same values, the message on Ctrl-C.
    """
    module, _, name = function.partition(":")

    def decorate(command: Callable[[], None]) -> Callable[..., None]:
        @wraps(command)
        def call(**values: Any) -> None:
            message = click.get_current_context().meta[STOPPED] = stopped(**values)
            with report_interrupt(message):
                with loading():
                    carry_out = getattr(import_module(module), name)
                carry_out(**values)

        return call

    return decorate
