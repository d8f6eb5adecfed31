"""`mcviz ood`: how well a run's model detects out-of-distribution examples."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcviz.cli.arguments import JSON, RUN
from mcviz.cli.options import import_option
from mcviz.cli.printing import print_json, say
from mcviz.cli.progress import stage_progress
from mcviz.cli.stopping import loading
from mcviz.errors import InvalidInputError
from mcviz.extras import require_framework

if TYPE_CHECKING:
    from mcviz.runs import Run
    from mcviz.runs.ood_scores import OODScores, OODSet
    from mcviz.sampling import Sampler

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
        from mcviz import open_run
        from mcviz.runs.ood_scores import load_ood_scores, ood_in_words, save_ood_scores

    opened = open_run(run)
    found = load_ood_scores(opened)
    if against or found is None:
        if opened.model_path is None:
            raise InvalidInputError(
                f"{run} was kept without its model, so nothing new can be predicted. Sample it again with the model "
                "kept."
            )
        require_framework(opened.model_path)
        with loading():
            from mcviz.sampling.ood_comparison import compute_ood_scores, read_set
        sampler = load_sampler(opened, opened.model_path, modules)
        given = [read_set(sampler, opened, Path(path)) for path in against]
        with stage_progress() as progress:
            found = compute_ood_scores(sampler, opened, given, kept=found, stage=progress)
        save_ood_scores(opened, found)
    sentences = ood_in_words(found)
    if as_json:
        print_json({"run": opened.path, "in_words": sentences, **_scores_dict(found)})
        return
    for line in (*sentences, "", *_table_lines(found)):
        say(line.rstrip())


def load_sampler(run: "Run", model: str, modules: tuple[str, ...]) -> "Sampler":
    """Load a run's model, ready to be sampled as for the run, with modules of the user's own."""
    with loading():
        from mcviz.sampling.backends import find_backend
        from mcviz.sampling.source import load_run_sampler

        find_backend(model)  # which imports the framework
    return load_run_sampler(run, modules)


def _scores_dict(found: "OODScores") -> dict[str, Any]:
    return {
        "passes": found.passes,
        "fitted": found.fitted,
        "calibrated": found.calibrated,
        "held_out": len(found.own),
        "held_out_stopped": {
            "value": found.own.stopped.value,
            "by_chance": dict(zip(("low", "high"), found.stopped_by_chance, strict=True)),
        },
        "detectors": found.labels,
        "sets": [_set_dict(each) for each in found.sets],
    }


def _set_dict(each: "OODSet") -> dict[str, Any]:
    figures = {
        name: {"value": asdict(value), "low": asdict(low), "high": asdict(high)}
        for name, (value, low, high) in each.figures.items()
    }
    return {
        "key": each.key,
        "label": each.label,
        "source": each.source,
        "examples": len(each),
        "stopped": each.stopped,
        "sure": each.sure,
        "stopped_of_sure": each.stopped_of_sure,
        "figures": figures,
    }


def _table_lines(found: "OODScores") -> list[str]:
    """The table of the verdict, then that of the AUROC of a few detectors."""
    from mcviz.measures import percent

    sets, (low, high) = found.hardest_first(), found.stopped_by_chance
    lines = [f"{'set':<{LABEL_WIDTH}}{'examples':>10}{'stopped':>10}{'sure':>10}{'stopped of sure':>18}"]
    for each in (*sets, found.own):
        of_sure = each.stopped_of_sure
        stopped = "" if of_sure is None or each is found.own else percent(of_sure.value)
        lines.append(
            f"{each.label:<{LABEL_WIDTH}.{LABEL_WIDTH - 1}}{len(each):>10,}{percent(each.stopped.value):>10}"
            f"{percent(each.sure):>10}{stopped:>18}"
        )
    drawn = found.chart_labels()
    lines += [
        "Sure is a max probability above 90%. The run's own examples were held out, and at most 5% of such are to be "
        f"stopped on average, {percent(low)} to {percent(high)} in 95 of 100 splits as large as this one.",
        "",
        f"{'AUROC':<{LABEL_WIDTH}}" + "".join(f"{label:>{DETECTOR_WIDTH}}" for label in drawn.values()),
    ]
    for each in sets:
        cells = "".join(f"{each.figures[name][0].auroc:>{DETECTOR_WIDTH}.3f}" for name in drawn)
        lines.append(f"{each.label:<{LABEL_WIDTH}.{LABEL_WIDTH - 1}}{cells}")
    return [*lines, f"--json prints all {len(found.labels)} detectors, with 95% intervals."]
