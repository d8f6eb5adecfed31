"""`mcviz compare`, `slices` and `ood`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcviz.cli.base import (
    CONFIDENCE,
    GROUP,
    JSON,
    RUN,
    count_progress,
    import_option,
    loading,
    print_json,
    say,
    stage_progress,
    tell,
)
from mcviz.cli.gate import SUMMARY, Findings, Rows, finish
from mcviz.extras import require_framework

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import plotly.graph_objects as go

    from mcviz.analysis.comparison import Comparison
    from mcviz.analysis.pairing import LabelChoice
    from mcviz.analysis.slices import Slices
    from mcviz.measures.quality import MeasureComparison
    from mcviz.runs.ood_scores import OODScores


MOST_SHOWN = 20  # slices
TITLES = {
    "mistakes": "More mistakes than in the rest, beyond chance",
    "overconfidence": "More over-confident than the rest, beyond chance",
    "absolute_error": "Larger errors than in the rest, beyond chance",
}

GAP = 3  # characters between columns
IDS_SHOWN = 10
SLICE_TITLES = {
    "mistakes": "More mistakes than in RUN, and more so than in the rest",
    "absolute_error": "Larger errors than in RUN, and more so than in the rest",
}

LABEL_WIDTH, DETECTOR_WIDTH = 26, 19


@click.command(short_help="Print the slices of a run that its model is worse on.")
@RUN
@GROUP
@JSON
def slices(run: str, group: str | None, as_json: bool) -> None:
    """Print the slices of the run in folder or at fsspec address RUN that its model is worse on than chance explains.

    A slice has one value of a column, or of each of two: of the label, the prediction, or columns of your own.
    """
    with loading():
        from mcviz import open_run
        from mcviz import slices as find_slices
        from mcviz.analysis.base import group_sentence

    opened = open_run(run)
    with count_progress("permutations") as progress:
        found = find_slices(opened, group=group, progress=progress)
    if as_json:
        print_json({"run": opened.path, "examples": len(opened), "group": group, **found.as_dict()})
        return
    say(found.in_words)
    for line in [*slice_lines(found, TITLES), "", group_sentence(opened, group)]:
        say(line)


def slice_lines(found: "Slices", titles: dict[str, str]) -> list[str]:
    """Return a sentence for each slice, under a title for each measure, and the notes."""
    lines = []
    for measure, title in titles.items():
        named = [each for each in found.slices if each.measure == measure]
        if named:
            lines += [
                "",
                f"{title}, of {found.counts[measure]:,} slices",
                *(each.in_words for each in named[:MOST_SHOWN]),
            ]
        if len(named) > MOST_SHOWN:
            lines.append(f"and {len(named) - MOST_SHOWN:,} more; --json prints all")
    return [*lines, "", *found.notes] if found.notes else lines


@click.command(short_help="Compare two runs.")
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="OTHER")
@click.option("--score", metavar="NAME", help="The score that ranks examples; without it the first that both have.")
@click.option("--by", metavar="COLUMN", help="Also by group: label, prediction, or one of your own columns.")
@GROUP
@click.option(
    "--labels",
    type=click.Choice(["new", "old"]),
    default="new",
    show_default=True,
    help="Where labels differ, the run whose labels both are measured by: the newer or the older one.",
)
@CONFIDENCE
@click.option("--to", metavar="FILE", help="Write all examples under both runs to a .csv or .parquet.")
@click.option(
    "--require",
    "requirements",
    multiple=True,
    metavar="REQUIREMENT",
    help='Exit with code 1 where OTHER does not meet it, such as "accuracy not worse by 0.5%".',
)
@SUMMARY
@JSON
def compare(
    one: str,
    other: str,
    score: str | None,
    by: str | None,
    group: str | None,
    labels: "LabelChoice",
    confidence: float,
    to: str | None,
    requirements: tuple[str, ...],
    summary: Path | None,
    as_json: bool,
) -> None:
    """Print whether the run OTHER is better than RUN by more than noise, and what it is worse on.

    Compared are the examples that both have: by their ids, or else by their content.
    """
    with loading():
        from mcviz import compare as compare_runs
        from mcviz import open_run
        from mcviz.analysis.base import group_sentence
        from mcviz.analysis.comparison import change_table, compare_groups, measure_dict
        from mcviz.analysis.requirements import parse_non_inferiority
        from mcviz.analysis.slices import compare_slices
        from mcviz.cli.summary import check_summary_folder
        from mcviz.runs import check_table_file, write_table

    required = [parse_non_inferiority(each) for each in requirements]
    if summary is not None:
        check_summary_folder(summary)
    if to:
        check_table_file(to)
    found = compare_runs(open_run(one), open_run(other), score=score, group=group, labels=labels, confidence=confidence)
    groups = compare_groups(found, by) if by else {}
    with count_progress("permutations") as progress:
        slices = compare_slices(found, progress=progress)
    for note in found.notes:
        tell(f"note: {note}")
    if found.pairs.labels_differ:
        tell(f"note: The other labels are taken with --labels {'old' if labels == 'new' else 'new'}.")
    judgements = [each.judge(found) for each in required]
    if to:
        write_table(change_table(found), to)
    written = [f"{len(found.one):,} examples are written to {to}."] if to else []
    told = {name: {"examples": count, **measure_dict(each)} for name, (count, each) in groups.items()}
    findings = Findings(
        found.other,
        found.score,
        [found.examples_in_words, found.in_words, *([f"Is it worse on anything? {slices.in_words}"] if slices else [])],
        lines=[
            *_measure_lines(found),
            *_group_lines(found, by, groups),
            *_change_lines(found),
            *(slice_lines(slices, SLICE_TITLES) if slices else []),
            *written,
            "",
            group_sentence(found.one, group),
        ],
        as_dict={**found.as_dict(), "by": by, "groups": told, "worse_on": slices and slices.as_dict()},
        tables=_summary_tables(found),
        draw_charts=lambda: _draw_charts(found),
    )
    finish(findings, judgements, as_json=as_json, folder=summary)


def _summary_tables(found: "Comparison") -> dict[str, Rows]:
    """Return the tables of a summary, by heading: both runs, their measures, and the examples that changed."""
    both = {"RUN": found.one, "OTHER": found.other}
    runs = [(name, run.path, f"{run.passes:,}", f"{len(run):,}") for name, run in both.items()]
    counts = found.changes.counts if found.changes else {}
    changes = [(kind, f"{count:,}", _list_ids(found, kind)) for kind, count in counts.items()]
    tables: dict[str, Rows] = {
        "Which runs?": [("", "run", "passes", "examples"), *runs],
        "Is OTHER better?": [("measure", "RUN", "OTHER", "OTHER less RUN", ""), *found.text_rows],
        "Which examples changed?": [("change", "examples", "ids"), *changes],
    }
    return {heading: rows for heading, rows in tables.items() if len(rows) > 1}


def _draw_charts(found: "Comparison") -> "dict[str, go.Figure]":
    """Draw the reliability of both runs, where they are of classes and have labels."""
    from mcviz.figures.trust import reliability_diagram
    from mcviz.measures.calibration import reliability_near_one

    if found.terms is None or not found.one.task.predicts_classes:
        return {}
    bins = reliability_near_one(dict(zip(("RUN", "OTHER"), found.terms, strict=True)))
    return {"Are the probabilities calibrated?": reliability_diagram(bins)}


def _measure_lines(found: "Comparison") -> list[str]:
    if not found.measures:
        return []
    level = f"{100 * found.confidence:.6g}%"
    return [
        *_table_lines(f"{level} intervals", [(each.measure.label, each) for each in found.measures], found),
        f"Each row is judged by itself, so one of them is wrong more often than {100 - 100 * found.confidence:.6g}%.",
    ]


def _group_lines(
    found: "Comparison", by: str | None, groups: "Mapping[str, tuple[int, MeasureComparison]]"
) -> list[str]:
    """Lines on each group, those first on which the second run is worst."""
    if not by:
        return []
    if not groups:
        return ["", f"No group by {by} has 20 examples."]
    compared = [(f"{name:.16} ({count:,})", each) for name, (count, each) in groups.items()]
    better = 1 if compared[0][1].measure.better == "high" else -1
    compared.sort(key=lambda pair: better * pair[1].difference.value)
    return [
        *_table_lines(f"{compared[0][1].measure.label} by {by}", compared, found),
        f"The intervals of OTHER less RUN hold for all groups together, {100 * found.confidence:.6g}% of the time.",
    ]


def _table_lines(title: str, rows: "Iterable[tuple[str, MeasureComparison]]", found: "Comparison") -> list[str]:
    from mcviz.measures.quality import VERDICTS

    unit = found.one.manifest.unit
    cells = [[f"{title:.25}", "RUN", "OTHER", "OTHER less RUN", ""]]
    cells += [[name, *each.format(unit), VERDICTS[each.verdict]] for name, each in rows]
    widths = [max(map(len, column)) + GAP for column in zip(*cells, strict=True)]
    return ["", *("".join(map(str.ljust, row, widths)).rstrip() for row in cells)]


def _change_lines(found: "Comparison") -> list[str]:
    if found.changes is None:
        return []
    lines = ["", "examples"]
    for kind, count in found.changes.counts.items():
        lines.append(f"  {kind:<24}{count:>9,}   {_list_ids(found, kind)}")
    if found.shared_top is not None:
        lines += [
            "",
            f"Of the 100 most uncertain examples by {found.score}, {100 * found.shared_top:.0f} are the same.",
        ]
    return lines


def _list_ids(found: "Comparison", kind: str) -> str:
    """List the ids of the examples of a change that moved the most."""
    if found.changes is None or kind not in found.changes.moved:
        return ""
    examples = found.changed(kind)
    ids = found.one.scores()["id"].iloc[examples[:IDS_SHOWN]]
    return f"{', '.join(map(str, ids))}{' …' if len(examples) > len(ids) else ''}"


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
    for line in (*found.sentences, "", *_ood_table(found)):
        say(line.rstrip())


def import_framework(model: str) -> None:
    """Import the framework of a model's file, which takes seconds."""
    with loading():
        from mcviz.sampling.sampler import find_backend

        find_backend(model)


def _ood_table(found: "OODScores") -> list[str]:
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
