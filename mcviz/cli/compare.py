"""`mcviz compare`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import mcviz
from mcviz.analysis.base import group_sentence
from mcviz.analysis.comparison import Comparison, change_table, compare_groups, measure_dict
from mcviz.analysis.pairing import LabelChoice
from mcviz.analysis.requirements import parse_non_inferiority
from mcviz.analysis.slices import compare_slices
from mcviz.cli.base import GAP, table_lines, tell
from mcviz.cli.gate import Findings, Rows, check_summary_folder, finish
from mcviz.cli.progress import count_progress
from mcviz.cli.slices import slice_lines
from mcviz.figures.trust import reliability_diagram
from mcviz.measures.calibration import reliability_near_one
from mcviz.measures.quality import VERDICTS, MeasureComparison
from mcviz.runs import check_table_file, open_run, write_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

IDS_SHOWN = 10
SLICE_TITLES = {
    "mistakes": "More mistakes than in RUN, and more so than in the rest",
    "absolute_error": "Larger errors than in RUN, and more so than in the rest",
}


def compare(
    one: str,
    other: str,
    score: str | None,
    by: str | None,
    group: str | None,
    labels: LabelChoice,
    confidence: float,
    to: str | None,
    requirements: tuple[str, ...],
    summary: Path | None,
    as_json: bool,
) -> None:
    """Print the comparison of two runs; fail where a requirement is not met."""
    required = [parse_non_inferiority(each) for each in requirements]
    if summary is not None:
        check_summary_folder(summary)
    if to:
        check_table_file(to)
    opened = open_run(one), open_run(other)
    found = mcviz.compare(*opened, score=score, group=group, labels=labels, confidence=confidence)
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


def _summary_tables(found: Comparison) -> dict[str, Rows]:
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


def _draw_charts(found: Comparison) -> "dict[str, go.Figure]":
    """Draw the reliability of both runs, where they are of classes and have labels."""
    if found.terms is None or not found.one.task.predicts_classes:
        return {}
    bins = reliability_near_one(dict(zip(("RUN", "OTHER"), found.terms, strict=True)))
    return {"Are the probabilities calibrated?": reliability_diagram(bins)}


def _measure_lines(found: Comparison) -> list[str]:
    if not found.measures:
        return []
    level = f"{100 * found.confidence:.6g}%"
    return [
        *_comparison_lines(f"{level} intervals", [(each.measure.label, each) for each in found.measures], found),
        f"Each row is judged by itself, so one of them is wrong more often than {100 - 100 * found.confidence:.6g}%.",
    ]


def _group_lines(found: Comparison, by: str | None, groups: Mapping[str, tuple[int, MeasureComparison]]) -> list[str]:
    """Lines on each group, those first on which the second run is worst."""
    if not by:
        return []
    if not groups:
        return ["", f"No group by {by} has 20 examples."]
    compared = [(f"{name:.16} ({count:,})", each) for name, (count, each) in groups.items()]
    better = 1 if compared[0][1].measure.better == "high" else -1
    compared.sort(key=lambda pair: better * pair[1].difference.value)
    return [
        *_comparison_lines(f"{compared[0][1].measure.label} by {by}", compared, found),
        f"The intervals of OTHER less RUN hold for all groups together, {100 * found.confidence:.6g}% of the time.",
    ]


def _comparison_lines(title: str, rows: Iterable[tuple[str, MeasureComparison]], found: Comparison) -> list[str]:
    unit = found.one.manifest.unit
    cells = [[f"{title:.25}", "RUN", "OTHER", "OTHER less RUN", ""]]
    cells += [[name, *each.format(unit), VERDICTS[each.verdict]] for name, each in rows]
    return ["", *table_lines(cells, *(f"<{max(map(len, column)) + GAP}" for column in zip(*cells, strict=True)))]


def _change_lines(found: Comparison) -> list[str]:
    if found.changes is None:
        return []
    rows = [(f"  {kind}", f"{count:,}", f"   {_list_ids(found, kind)}") for kind, count in found.changes.counts.items()]
    lines = ["", "examples", *table_lines(rows, "<26", ">9", "")]
    if found.shared_top is not None:
        lines += [
            "",
            f"Of the 100 most uncertain examples by {found.score}, {100 * found.shared_top:.0f} are the same.",
        ]
    return lines


def _list_ids(found: Comparison, kind: str) -> str:
    """List the ids of the examples of a change that moved the most."""
    if found.changes is None or kind not in found.changes.moved:
        return ""
    examples = found.changed(kind)
    ids = found.one.scores()["id"].iloc[examples[:IDS_SHOWN]]
    return f"{', '.join(map(str, ids))}{' …' if len(examples) > len(ids) else ''}"
