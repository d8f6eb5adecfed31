"""`mcviz compare`: is the second of two runs better?"""

from typing import TYPE_CHECKING

import click

from mcviz.cli.arguments import CONFIDENCE, JSON
from mcviz.cli.printing import print_json, say, tell
from mcviz.cli.stopping import loading

if TYPE_CHECKING:
    from mcviz.analysis.comparison import Comparison

COLUMN = 32  # characters of a column


@click.command(short_help="Compare two runs.")
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="OTHER")
@click.option("--score", metavar="NAME", help="The score that ranks examples; without it the first that both have.")
@CONFIDENCE
@click.option("--to", metavar="FILE", help="Write all examples under both runs to a .csv or .parquet.")
@JSON
def compare(one: str, other: str, score: str | None, confidence: float, to: str | None, as_json: bool) -> None:
    """Print whether the run OTHER is better than RUN by more than noise, and how many examples changed.

    Runs over the same examples are compared example by example. Of others, figures alone are compared.
    """
    with loading():
        from mcviz import compare as compare_runs
        from mcviz import open_run
        from mcviz.analysis.comparison import change_table
        from mcviz.runs import check_table_file, write_table

    if to:
        check_table_file(to)
    found = compare_runs(open_run(one), open_run(other), score=score, confidence=confidence)
    for note in found.notes:
        tell(f"note: {note}")
    if to:
        write_table(change_table(found), to)
    if as_json:
        print_json(found.as_dict())
        return
    say(found.in_words)
    for line in [*_measure_lines(found), *_change_lines(found)]:
        say(line.rstrip())
    if to:
        say(f"{len(found.one):,} examples are written to {to}.")


def _measure_lines(found: "Comparison") -> list[str]:
    from mcviz.measures.quality import VERDICTS

    if not found.measures:
        return []
    unit = found.one.manifest.unit
    lines = [
        "",
        f"{f'{100 * found.confidence:.6g}% intervals':<26}{'RUN':<{COLUMN}}{'OTHER':<{COLUMN}}OTHER less RUN",
    ]
    for each in found.measures:
        text = each.measure.format_interval
        lines.append(
            f"{each.measure.label:<26}{text(each.one, unit):<{COLUMN}}{text(each.other, unit):<{COLUMN}}"
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
