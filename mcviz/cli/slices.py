"""`mcviz slices`."""

import mcviz
from mcviz.analysis.base import group_sentence
from mcviz.analysis.slices import Slices
from mcviz.cli.base import print_json, say
from mcviz.cli.progress import count_progress
from mcviz.runs import open_run

MOST_SHOWN = 20  # slices


def slices(run: str, group: str | None, as_json: bool) -> None:
    """Print the slices that a run's model is worse on."""
    opened = open_run(run)
    with count_progress("permutations") as progress:
        result = mcviz.slices(opened, group=group, progress=progress)
    if as_json:
        print_json({"run": opened.path, "examples": len(opened), "group": group, **result.as_dict()})
        return
    say(result.in_words)
    loss = opened.task.loss
    titles = {
        loss.name: f"{loss.more} than in the rest, beyond chance",
        "overconfidence": "More over-confident than the rest, beyond chance",
        "coverage": "Intervals hold fewer labels than of the rest, beyond chance",
    }
    for line in [*slice_lines(result, titles), "", group_sentence(opened, group)]:
        say(line)


def slice_lines(result: Slices, titles: dict[str, str]) -> list[str]:
    """Return sentences on slices, by measure, and the notes."""
    lines = []
    for measure, title in titles.items():
        named = [worse for worse in result.slices if worse.measure == measure]
        if named:
            lines += [
                "",
                f"{title}, of {result.counts[measure]:,} slices",
                *(worse.in_words for worse in named[:MOST_SHOWN]),
            ]
        if len(named) > MOST_SHOWN:
            lines.append(f"and {len(named) - MOST_SHOWN:,} more; --json prints all")
    return [*lines, "", *result.notes] if result.notes else lines
