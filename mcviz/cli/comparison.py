"""`mcviz compare`: is the second of two runs better?"""

from typing import TYPE_CHECKING

import click

from mcviz.cli.arguments import CONFIDENCE, JSON
from mcviz.cli.printing import print_json, say, tell
from mcviz.cli.progress import count_progress
from mcviz.cli.slices import slice_lines
from mcviz.cli.stopping import loading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mcviz.analysis.comparison import Comparison
    from mcviz.measures.quality import MeasureComparison

COLUMN = 32  # characters of a column
SLICE_TITLES = {
    "mistakes": "More mistakes than in RUN, beyond chance",
    "absolute_error": "Larger errors than in RUN, beyond chance",
}


@click.command(short_help="Compare two runs.")
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="OTHER")
@click.option("--score", metavar="NAME", help="The score that ranks examples; without it the first that both have.")
@click.option("--by", metavar="COLUMN", help="Also by group: label, prediction, or one of your own columns.")
@CONFIDENCE
@click.option("--to", metavar="FILE", help="Write all examples under both runs to a .csv or .parquet.")
@JSON
def compare(
    one: str, other: str, score: str | None, by: str | None, confidence: float, to: str | None, as_json: bool
) -> None:
    """Print whether the run OTHER is better than RUN by more than noise, and what it is worse on.

    Runs over the same examples are compared example by example. Of others, figures alone are compared.
    """
    with loading():
        from mcviz import compare as compare_runs
        from mcviz import open_run
        from mcviz.analysis.comparison import change_table, compare_groups, measure_dict
        from mcviz.analysis.slices import compare_slices
        from mcviz.runs import check_table_file, write_table

    if to:
        check_table_file(to)
    found = compare_runs(open_run(one), open_run(other), score=score, confidence=confidence)
    groups = compare_groups(found, by) if by else {}
    with count_progress("permutations") as progress:
        slices = compare_slices(found, progress=progress)
    for note in found.notes:
        tell(f"note: {note}")
    if to:
        write_table(change_table(found), to)
    if as_json:
        told = {name: {"examples": count, **measure_dict(each)} for name, (count, each) in groups.items()}
        print_json({**found.as_dict(), "by": by, "groups": told, "worse_on": slices and slices.as_dict()})
        return
    say(found.in_words)
    if slices:
        say(f"Is it worse on anything? {slices.in_words}")
    for line in [
        *_measure_lines(found),
        *_group_lines(found, by, groups),
        *_change_lines(found),
        *(slice_lines(slices, SLICE_TITLES) if slices else []),
    ]:
        say(line.rstrip())
    if to:
        say(f"{len(found.one):,} examples are written to {to}.")


def _measure_lines(found: "Comparison") -> list[str]:
    if not found.measures:
        return []
    return _table_lines(
        f"{100 * found.confidence:.6g}% intervals", [(each.measure.label, each) for each in found.measures], found
    )


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
    lines = ["", f"{title:<26.25}{'RUN':<{COLUMN}}{'OTHER':<{COLUMN}}OTHER less RUN"]
    for name, each in rows:
        text = each.measure.format_interval
        lines.append(
            f"{name:<26}{text(each.one, unit):<{COLUMN}}{text(each.other, unit):<{COLUMN}}"
            f"{text(each.difference, unit, sign='+'):<{COLUMN + 8}}{VERDICTS[each.verdict]}"
        )
    return lines


def _change_lines(found: "Comparison") -> list[str]:
    if found.changes is None:
        return []
    lines = ["", "examples"]
    ids, moved = found.one.scores()["id"], found.changes.moved
    for kind, count in found.changes.counts.items():
        shown = ids.iloc[found.changes.of(kind)[:10]].tolist() if kind in moved else []
        more = f"{', '.join(map(str, shown))}{' …' if count > len(shown) else ''}" if shown else ""
        lines.append(f"  {kind:<24}{count:>9,}   {more}")
    if found.shared_top is not None:
        lines += [
            "",
            f"Of the 100 most uncertain examples by {found.score}, {100 * found.shared_top:.0f} are the same.",
        ]
    return lines
