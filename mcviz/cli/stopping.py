"""Ctrl-C in a command: while libraries are loaded, and later."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mcviz.cli.printing import tell
from mcviz.interrupts import INTERRUPTED, end_at_interrupt


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
