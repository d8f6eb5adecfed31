"""The command line; `mcviz COMMAND --help` describes each command."""

import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

import click

from mcviz.cli.base import tell
from mcviz.cli.usage import commands as commands
from mcviz.errors import InvalidInputError, McvizError
from mcviz.interrupts import INTERRUPTED
from mcviz.text import is_text

REFUSED = 2


def run() -> NoReturn:
    """Run this process's command, and exit."""
    # Ctrl-C before a step of Zarr makes Python warn after the command's last line
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    code = main()
    if code == INTERRUPTED:  # at once: Python's own exit could wait for threads, or report a signal
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: as typed after `mcviz`; those of this process without any.

    Returns:
        The exit code: 0, 2 for anything refused, 130 after Ctrl-C.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's log would bury our lines
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


def _check_text(arguments: Sequence[str]) -> None:
    """Refuse undecodable bytes: runs cannot hold them."""
    for argument in arguments:
        if not is_text(argument):
            advice = "Type it anew, or rename the file."
            raise InvalidInputError(f"An argument should be Unicode. Received: {argument!a}. {advice}")
