"""The command line: `mcviz COMMAND --help` says what each command takes."""

import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import mcviz
from mcviz.cli import refer
from mcviz.cli.base import JSON, PATH, RUN, import_option, loading, report_interrupt, say, tell
from mcviz.cli.compare import compare, ood, slices
from mcviz.cli.refer import review, score
from mcviz.cli.sample import check, import_, sample, train
from mcviz.cli.trust import trust
from mcviz.cli.work import work
from mcviz.errors import InvalidInputError, McvizError
from mcviz.interrupts import INTERRUPTED, raise_interrupts
from mcviz.permission import READ_ONLY
from mcviz.text import is_text, one_line
from mcviz.variables import check_variables

if TYPE_CHECKING:
    from mcviz.runs import ListedRun

REFUSED = 2


def run() -> NoReturn:
    """Run the command that this process was started for, and exit."""
    code = main()
    if code == INTERRUPTED:  # at once: Python's own way to end could wait for threads, or report a death by the signal
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
        with report_interrupt("stopped."), raise_interrupts(), warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: tell(f"warning: {message}")
            check_variables()
            return super().invoke(context)


@click.group(cls=_Commands, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mcviz.__version__, message="%(prog)s %(version)s")
def commands() -> None:
    """Monte Carlo dropout: sample a model many times over, and see which inputs it is uncertain about."""


def _check_text(arguments: Sequence[str]) -> None:
    """Refuse bytes that cannot be decoded: no run may hold them, and few programs can show them."""
    for argument in arguments:
        if not is_text(argument):
            advice = "Type it anew, or rename the file."
            raise InvalidInputError(f"An argument should be Unicode. Received: {argument!a}. {advice}")


@commands.command(short_help="Check every byte of a run.")
@RUN
def verify(run: str) -> None:
    """Read every byte of the run in folder or at fsspec address RUN, and compute its scores and accuracies again."""
    with loading():
        verify_run = mcviz.verify_run
    for line in str(verify_run(run)).splitlines():
        say(line)


@commands.command("list", short_help="List the runs of a folder.")
@click.argument("folder", metavar="[FOLDER]", envvar="MCVIZ_CACHE", required=False)
@JSON
def list_(folder: str | None, as_json: bool) -> None:
    """List the runs in FOLDER, or in `cache`, as the dashboard shows them."""
    with loading():
        from mcviz.runs.folder import cache_folder, list_runs, list_shipped_runs, require_folder
    if folder is not None:
        require_folder(folder)
    place = cache_folder() if folder is None else folder
    runs = list_runs(place) or list_shipped_runs()
    if as_json:
        click.echo(json.dumps([run.as_json() for run in runs], indent=1))  # in ASCII, which any terminal shows as it is
        return
    if all(run.is_shipped for run in runs):
        say(f"There is no run of your own in {place}." + (" These came with mcviz, as examples:" if runs else ""))
    for run in runs:
        _describe(run)


@commands.command(short_help="Give a run another name.")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
def rename(old: str, new: str) -> None:
    """Give the run in folder OLD the name NEW, in the same folder. What was derived from it goes along."""
    with loading():
        rename_run = mcviz.rename_run
    folder, _, name = new.rpartition("/")
    if folder and Path(folder).absolute() != Path(old).absolute().parent:
        raise InvalidInputError(f"A run stays in its folder, {Path(old).parent}. Received: {new}. Give a name alone.")
    say(f"The run is {rename_run(old, name)}.")


@commands.command(short_help="Remove a run.")
@RUN
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(run: str, yes: bool) -> None:
    """Remove the run in folder or at fsspec address RUN, with what was derived from it."""
    with loading():
        from mcviz.runs import preview_removal, remove_run
    if not yes:
        for line in preview_removal(run).lines():
            say(line)
        if not _confirm(f"Remove the run {one_line(run)}? [y/N] "):
            raise InvalidInputError(f"{run} stays. Answer y, or give --yes, to remove it.")
    left = remove_run(run)
    say(f"{run} is removed." + (f" Files that are not part of the run stay: {', '.join(left)}." if left else ""))


@commands.command(short_help="Write a run as a file for other tools.")
@RUN
@click.option(
    "--to",
    metavar="FILE",
    required=True,
    help="Its ending says what: .parquet (scores), .npz (predictions of all passes) or .nc (both, as NetCDF).",
)
def export(run: str, to: str) -> None:
    """Write the run in folder or at fsspec address RUN as a file for other tools."""
    with loading():
        export_run, open_run = mcviz.export_run, mcviz.open_run
    export_run(open_run(run), to)
    say(f"{run} is exported to {to}.")


@commands.command(short_help="Open the dashboard.")
@click.option(
    "--cache",
    type=PATH,
    metavar="FOLDER",
    envvar="MCVIZ_CACHE",
    show_default="cache",
    help="The folder of runs. Where it holds none, the runs that came with mcviz are shown as examples.",
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="8501, or the next that is free, without it.")
@click.option(
    "--read-only",
    is_flag=True,
    envvar=READ_ONLY,
    show_envvar=True,
    help="Let nobody sample, rename, remove or review; all can be looked at and exported.",
)
@import_option
def dashboard(cache: Path | None, port: int | None, read_only: bool, modules: tuple[str, ...]) -> None:
    """Open the dashboard in a browser, for this machine alone. Ctrl-C ends it."""
    with loading():
        from mcviz.app.server import serve  # here, because Streamlit takes a second to import

    serve(cache, port, modules, read_only)


for command in (train, sample, check, import_, trust, slices, *refer.COMMANDS, review, ood, compare, score, work):
    commands.add_command(command)


def _describe(run: "ListedRun") -> None:
    manifest = run.manifest
    line = f"{run.path}  {run.state}  {run.bytes / 1e6:.1f} MB"
    if manifest:
        line += (
            f"  {manifest.passes:,} passes × {manifest.examples.count:,} examples × {manifest.output_summary}"
            f"  {manifest.sampling_summary}"
        )
    say(line)
    if run.message:
        click.echo(f"    {one_line(run.message)}")


def _confirm(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        click.echo()  # the prompt's line has not ended
        return False
