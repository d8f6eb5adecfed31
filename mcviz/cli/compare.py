"""`mcviz compare`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import mcviz
from mcviz.analysis.base import group_sentence
from mcviz.analysis.comparison import Comparison, change_table, compare_groups, measure_dict
from mcviz.analysis.pairing import LabelChoice
from mcviz.analysis.requirements import judge_all, parse_non_inferiority
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
    """Print the comparison of two runs; fail if a requirement is not met."""
    required = [parse_non_inferiority(text) for text in requirements]
    if summary is not None:
        check_summary_folder(summary)
    if to:
        check_table_file(to)
    opened = open_run(one), open_run(other)
    loss = opened[0].task.loss
    titles = {loss.name: f"{loss.more} than in RUN, and more so than in the rest"}
    comparison = mcviz.compare(*opened, score=score, group=group, labels=labels, confidence=confidence)
    groups = compare_groups(comparison, by) if by else {}
    with count_progress("permutations") as progress:
        slices = compare_slices(comparison, progress=progress)
    for note in comparison.notes:
        tell(f"note: {note}")
    if comparison.pairs.labels_differ:
        tell(f"note: The other labels are taken with --labels {'old' if labels == 'new' else 'new'}.")
    judgements = judge_all(required, lambda requirement: requirement.judge(comparison))
    if to:
        write_table(change_table(comparison), to)
    written = [f"{len(comparison.one):,} examples are written to {to}."] if to else []
    by_group = {name: {"examples": count, **measure_dict(measured)} for name, (count, measured) in groups.items()}
    findings = Findings(
        comparison.other,
        comparison.score,
        [
            comparison.examples_in_words,
            comparison.in_words,
            *([f"Is it worse on anything? {slices.in_words}"] if slices else []),
        ],
        lines=[
            *_measure_lines(comparison),
            *_group_lines(comparison, by, groups),
            *_change_lines(comparison),
            *(slice_lines(slices, titles) if slices else []),
            *written,
            "",
            group_sentence(comparison.one, group),
        ],
        as_dict={**comparison.as_dict(), "by": by, "groups": by_group, "worse_on": slices and slices.as_dict()},
        tables=_summary_tables(comparison),
        draw_charts=lambda: _draw_charts(comparison),
    )
    finish(findings, judgements, as_json=as_json, folder=summary)


def _summary_tables(comparison: Comparison) -> dict[str, Rows]:
    both = {"RUN": comparison.one, "OTHER": comparison.other}
    runs = [(name, run.path, f"{run.passes:,}", f"{len(run):,}") for name, run in both.items()]
    counts = comparison.changes.counts if comparison.changes else {}
    changes = [(kind, f"{count:,}", _list_ids(comparison, kind)) for kind, count in counts.items()]
    tables: dict[str, Rows] = {
        "Which runs?": [("", "run", "passes", "examples"), *runs],
        "Is OTHER better?": [("measure", "RUN", "OTHER", "OTHER less RUN", ""), *comparison.text_rows],
        "Which examples changed?": [("change", "examples", "ids"), *changes],
    }
    return {heading: rows for heading, rows in tables.items() if len(rows) > 1}


def _draw_charts(comparison: Comparison) -> "dict[str, go.Figure]":
    if comparison.terms is None or not comparison.one.task.has_one_class:
        return {}
    bins = reliability_near_one(dict(zip(("RUN", "OTHER"), comparison.terms, strict=True)))
    return {"Are the probabilities calibrated?": reliability_diagram(bins)}


def _measure_lines(comparison: Comparison) -> list[str]:
    if not comparison.measures:
        return []
    level = f"{100 * comparison.confidence:.6g}%"
    return [
        *_comparison_lines(
            f"{level} intervals", [(measured.measure.label, measured) for measured in comparison.measures], comparison
        ),
        "Each row is judged by itself, so one of them is wrong more often than "
        f"{100 - 100 * comparison.confidence:.6g}%.",
    ]


def _group_lines(
    comparison: Comparison, by: str | None, groups: Mapping[str, tuple[int, MeasureComparison]]
) -> list[str]:
    if not by:
        return []
    if not groups:
        return ["", f"No group by {by} has 20 examples."]
    compared = [(f"{name:.16} ({count:,})", measured) for name, (count, measured) in groups.items()]
    better = 1 if compared[0][1].measure.better == "high" else -1
    compared.sort(key=lambda pair: better * pair[1].difference.value)
    return [
        *_comparison_lines(f"{compared[0][1].measure.label} by {by}", compared, comparison),
        "The intervals of OTHER less RUN hold for all groups together, "
        f"{100 * comparison.confidence:.6g}% of the time.",
    ]


def _comparison_lines(title: str, rows: Iterable[tuple[str, MeasureComparison]], comparison: Comparison) -> list[str]:
    unit = comparison.one.manifest.unit
    cells = [[f"{title:.40}", "RUN", "OTHER", "OTHER less RUN", ""]]
    cells += [[name, *measured.format(unit), VERDICTS[measured.verdict]] for name, measured in rows]
    return ["", *table_lines(cells, *(f"<{max(map(len, column)) + GAP}" for column in zip(*cells, strict=True)))]


def _change_lines(comparison: Comparison) -> list[str]:
    if comparison.changes is None:
        return []
    rows = [
        (f"  {kind}", f"{count:,}", f"   {_list_ids(comparison, kind)}")
        for kind, count in comparison.changes.counts.items()
    ]
    lines = ["", "examples", *table_lines(rows, "<26", ">9", "")]
    if comparison.shared_top is not None:
        lines += [
            "",
            f"Of the 100 most uncertain examples by {comparison.score}, "
            f"{100 * comparison.shared_top:.0f} are the same.",
        ]
    return lines


def _list_ids(comparison: Comparison, kind: str) -> str:
    if comparison.changes is None or kind not in comparison.changes.moved:
        return ""
    examples = comparison.changed(kind)
    ids = comparison.one.scores()["id"].iloc[examples[:IDS_SHOWN]]
    return f"{', '.join(map(str, ids))}{' …' if len(examples) > len(ids) else ''}"
