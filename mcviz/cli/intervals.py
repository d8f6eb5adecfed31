"""`mcviz intervals`."""

from pathlib import Path

from mcviz.analysis.intervals import find_intervals, measure_intervals, tabulate_intervals
from mcviz.cli.base import say, table_lines
from mcviz.runs import check_table_file, open_run, write_table
from mcviz.text import format_with_unit, one_line, percent


def intervals(run: str, coverage: float, calibrated_on: str | None, to: Path) -> None:
    """Write the intervals of each example, and print how many of the run's own labels they hold."""
    check_table_file(to)
    opened = open_run(run)
    found = find_intervals(opened, coverage, None if calibrated_on is None else open_run(calibrated_on))
    if opened.labels is not None:
        rows = [("target", f"{100 * coverage:.6g}% intervals", "hold", "mean width")]
        for name, (shares, widths) in measure_intervals(opened, found).items():
            rows += [
                (one_line(target), name, share.format(percent), format_with_unit(float(width), opened.manifest.unit))
                for target, share, width in zip(opened.targets, shares, widths, strict=True)
            ]
        for line in table_lines(rows):
            say(line)
    table = tabulate_intervals(opened, found)
    write_table(table, to)
    say(f"{len(table):,} rows are written to {to}.")
