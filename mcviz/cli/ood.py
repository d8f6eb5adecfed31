"""`mcviz ood`: how well a run's model detects out-of-distribution examples."""

from typing import TYPE_CHECKING

import click

from mcviz.cli.arguments import JSON, RUN
from mcviz.cli.options import import_option
from mcviz.cli.printing import print_json, say
from mcviz.cli.progress import stage_progress
from mcviz.cli.stopping import loading
from mcviz.extras import require_framework

if TYPE_CHECKING:
    from mcviz.runs.ood_scores import OODScores

LABEL_WIDTH, DETECTOR_WIDTH = 26, 19


@click.command(short_help="Print how well a run's model tells what it was not made for.")
@RUN
@click.option(
    "--against",
    metavar="PATH",
    multiple=True,
    help="Also against a set of your own: a folder, .npz, table or another run. May be given again.",
)
@import_option
@JSON
def ood(run: str, against: tuple[str, ...], modules: tuple[str, ...], as_json: bool) -> None:
    """Print how well the model of RUN tells what it was not made for: sets made of its own examples, and yours.

    What is computed is kept with the run, and shown on the page Out of distribution.
    """
    with loading():
        from mcviz import ood as compare_sets
        from mcviz import open_run
        from mcviz.runs.ood_scores import load_ood_scores

    opened = open_run(run)
    if opened.model_path is not None and (against or load_ood_scores(opened) is None):
        require_framework(opened.model_path)
        import_framework(opened.model_path)
    with stage_progress() as progress:
        found = compare_sets(opened, against, modules=modules, stage=progress)
    if as_json:
        print_json({"run": opened.path, **found.as_dict()})
        return
    for line in (*found.sentences, "", *_table_lines(found)):
        say(line.rstrip())


def import_framework(model: str) -> None:
    """Import the framework of a model's file, which takes seconds."""
    with loading():
        from mcviz.sampling.backends import find_backend

        find_backend(model)


def _table_lines(found: "OODScores") -> list[str]:
    """The table of the verdict, then that of the AUROC of a few detectors."""
    from mcviz.measures import percent

    (low, high), drawn = found.stopped_by_chance, found.chart_labels()
    lines = [
        f"{label:<{LABEL_WIDTH}.{LABEL_WIDTH - 1}}{examples:>10}{stopped:>10}{sure:>10}{of_sure:>18}"
        for label, examples, stopped, sure, of_sure in found.text_rows
    ]
    lines += [
        "Sure is a max probability above 90%. The run's own examples were held out, and at most 5% of such are to be "
        f"stopped on average, {percent(low)} to {percent(high)} in 95 of 100 splits as large as this one.",
        "",
        f"{'AUROC':<{LABEL_WIDTH}}" + "".join(f"{label:>{DETECTOR_WIDTH}}" for label in drawn.values()),
    ]
    for each in found.hardest_first():
        cells = "".join(f"{each.figures[name][0].auroc:>{DETECTOR_WIDTH}.3f}" for name in drawn)
        lines.append(f"{each.label:<{LABEL_WIDTH}.{LABEL_WIDTH - 1}}{cells}")
    return [*lines, f"--json prints all {len(found.labels)} detectors, with 95% intervals."]
