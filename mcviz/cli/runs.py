"""`mcviz verify`, `list`, `rename`, `remove` and `export`."""

import json
from pathlib import Path

import click

from mcviz.cli.base import say
from mcviz.errors import InvalidInputError
from mcviz.runs import ListedRun, export_run, list_runs, open_run, preview_removal, remove_run, rename_run, verify_run
from mcviz.runs.folder import cache_folder, list_shipped_runs, require_folder
from mcviz.text import one_line


def verify(run: str) -> None:
    """Print the result of checking every byte of a run."""
    for line in str(verify_run(run)).splitlines():
        say(line)


def list_(folder: str | None, as_json: bool) -> None:
    """Print the runs of a folder."""
    if folder is not None:
        require_folder(folder)
    place = cache_folder() if folder is None else folder
    runs = list_runs(place) or list_shipped_runs()
    if as_json:
        click.echo(json.dumps([run.as_json() for run in runs], indent=1))  # in ASCII, for any terminal
        return
    if all(run.is_shipped for run in runs):
        say(f"There is no run of your own in {place}." + (" These came with mcviz, as examples:" if runs else ""))
    for run in runs:
        _describe(run)


def rename(old: str, new: str) -> None:
    """Rename a run in its folder."""
    folder, _, name = new.rpartition("/")
    if folder and Path(folder).absolute() != Path(old).absolute().parent:
        raise InvalidInputError(f"A run stays in its folder, {Path(old).parent}. Received: {new}. Give a name alone.")
    say(f"The run is {rename_run(old, name)}.")


def remove(run: str, yes: bool) -> None:
    """Ask, and remove a run."""
    if not yes:
        for line in preview_removal(run).lines():
            say(line)
        if not _confirm(f"Remove the run {one_line(run)}? [y/N] "):
            raise InvalidInputError(f"{run} stays. Answer y, or give --yes, to remove it.")
    left = remove_run(run)
    say(f"{run} is removed." + (f" Files that are not part of the run stay: {', '.join(left)}." if left else ""))


def export(run: str, to: str) -> None:
    """Write a run as a file for other tools."""
    export_run(open_run(run), to)
    say(f"{run} is exported to {to}.")


def _describe(run: ListedRun) -> None:
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
