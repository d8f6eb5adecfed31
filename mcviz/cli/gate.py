"""The end of a command that may be a gate in a pipeline: print, write a summary, fail where it is not good enough."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcviz.analysis.requirements import Judgement
from mcviz.cli.base import print_json, say, tell
from mcviz.runs import Run

if TYPE_CHECKING:
    import plotly.graph_objects as go


Rows = list[Sequence[str]]  # of a table, the names of its columns first

NOT_MET = 1  # the exit code


@dataclass(frozen=True)
class Findings:
    """The findings of a command on a run.

    Attributes:
        run: that is judged, and whose most uncertain examples a summary shows.
        score: that ranks them.
        sentences: the verdict.
        lines: printed behind the verdict.
        as_dict: printed as JSON in place of both.
        tables: of a summary, by heading.
        draw_charts: draws the charts of a summary, by heading.
    """

    run: Run
    score: str
    sentences: Sequence[str]
    lines: Sequence[str]
    as_dict: Mapping[str, Any]
    tables: Mapping[str, Rows]
    draw_charts: "Callable[[], Mapping[str, go.Figure]]"


def finish(found: Findings, judgements: Sequence[Judgement], *, as_json: bool, folder: Path | None) -> None:
    """Print what was found, and write the summary where a folder is given.

    Args:
        found: of the command.
        judgements: of the requirements.
        as_json: whether JSON is printed.
        folder: of the summary's files, or None.

    Raises:
        click.exceptions.Exit: with code 1 where a requirement is not met.
        StorageError: the summary cannot be written.
    """
    failed = [each for each in judgements if not each.met]
    if as_json:
        print_json({**found.as_dict, "requirements": list(map(_judgement_dict, judgements))})
    else:
        for line in [" ".join(found.sentences), *found.lines]:
            say(line.rstrip())
        if judgements and not failed:
            say(f"All requirements are met: {', '.join(each.requirement for each in judgements)}.")
    for each in failed:
        tell(f"not met: {each.requirement}; {each.in_words}.")
    if folder is not None:
        from mcviz.cli.summary import write_summary

        write_summary(folder, found, judgements)
    if failed:
        raise click.exceptions.Exit(NOT_MET)


def _judgement_dict(judgement: Judgement) -> dict[str, Any]:
    parts = [
        {"part": each.part, "examples": each.examples, **asdict(each.found), "met": each.met}
        for each in judgement.parts
    ]
    figure = {"requirement": judgement.requirement, **asdict(judgement.found), "met": judgement.met}
    return figure | ({"parts": parts} if parts else {})
