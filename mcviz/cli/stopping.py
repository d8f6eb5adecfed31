"""What Ctrl-C does to a command: when libraries are loaded, and else."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mcviz.cli.printing import tell
from mcviz.interrupts import INTERRUPTED, ended_at_once


@contextmanager
def when_stopped(message: str) -> Iterator[None]:
    """Say what Ctrl-C left."""
    try:
        yield
    except KeyboardInterrupt:
        tell(message)
        raise click.exceptions.Exit(INTERRUPTED) from None


@contextmanager
def loading(stopped: str = "stopped.") -> Iterator[None]:
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
