"""`mcviz review export` and `mcviz review import`."""

from pathlib import Path

import click

from mcviz.analysis.base import require_one_class
from mcviz.cli.base import say, table_lines
from mcviz.errors import InvalidInputError
from mcviz.reviews import (
    ReviewSummary,
    corrected_labels,
    decisions_table,
    find_open_moves,
    import_reviews,
    move_files,
    open_reviews,
    plan_moves,
    summarise_reviews,
)
from mcviz.runs import Run, check_table_file, open_run, write_table


def export(run: str, to: str | None, to_folders: str | None, yes: bool) -> None:
    """Write corrected labels or verdicts, or move files to their classes' folders."""
    if (to is None) == (to_folders is None) or (yes and to_folders is None):
        raise click.UsageError(
            "Corrected labels go to one place: --to FILE, or --to-folders FOLDER with or without --yes."
        )
    if to is not None:
        check_table_file(to)
    opened = open_run(run)
    if to is None or not opened.task.decides:
        require_one_class(opened)  # moving files needs a folder for each class
    known = summarise_reviews(opened, open_reviews(opened).rows())
    if opened.task.decides == "verdict" and to is not None:
        decided = decisions_table(opened, known)
        write_table(decided, to)
        say(f"{len(decided):,} decisions are written to {to}, with their notes.")
    else:
        _export_labels(opened, known, to, to_folders, yes)
    if disputed := len(known.disagreements()):
        say(f"Disputed, to be settled on the page Label: {disputed:,}.")


def _export_labels(run: Run, known: ReviewSummary, to: str | None, to_folders: str | None, yes: bool) -> None:
    table = corrected_labels(run, known)
    changed, without = int((table["old"] != table["new"]).sum()), len(run) - len(table)
    if to is not None:
        write_table(table, to)
        say(f"{len(table):,} labels are written to {to}. Changed: {changed:,}.")
    if to_folders is not None:
        moves = plan_moves(run, known)
        left = find_open_moves(to_folders, moves)
        rows = table_lines([(move.source, "→", move.target) for move in left])
        for line in ["", *rows, ""] if rows else []:
            say(line)
        if yes:
            move_files(to_folders, left)
        before = len(moves) - len(left)
        say(f"Files {'moved' if yes else 'to move, which --yes does'}: {len(left):,}. Moved before: {before:,}.")
    if without:
        say(f"Left out, since nobody named their {'class' if run.class_names else 'number'}: {without:,}.")


def import_(run: str, file: Path) -> None:
    """Add a file's decisions to the reviews of a run's examples."""
    opened = open_run(run)
    if not opened.task.decides:
        raise InvalidInputError(f"Nothing can be decided about the examples of a {opened.task.name}. Received: {run}.")
    say(import_reviews(opened, open_reviews(opened), file.read_bytes()).in_words)
