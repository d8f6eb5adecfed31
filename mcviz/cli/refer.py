"""`mcviz refer`, `label-issues`, `acquire` and `score`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcviz.choices import METHODS
from mcviz.cli.base import (
    CONFIDENCE,
    GROUP,
    JSON,
    PATH,
    RUN,
    SEED,
    TO,
    import_option,
    loading,
    parse_share,
    print_json,
    say,
    table_lines,
    tell,
)
from mcviz.cli.compare import import_framework
from mcviz.errors import McvizError, MissingPackageError
from mcviz.extras import require_framework

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mcviz.runs import Run


IDS_SHOWN = 10

NUMBER = "example"  # the column of an export with the numbers of the examples


@click.command(short_help="Print which examples a person should look at.")
@RUN
@click.option(
    "--accuracy", callback=parse_share, metavar="SHARE", help="The least accuracy of the rest, such as 0.999."
)
@click.option("--budget", type=click.IntRange(min=0), metavar="N", help="The most examples to look at.")
@click.option("--miss", callback=parse_share, metavar="SHARE", help="The most mistakes to miss, such as 5%.")
@click.option("--score", default="max_probability", show_default=True, help="The score that ranks examples.")
@CONFIDENCE
@GROUP
@click.option("--calibrated-on", metavar="RUN", help="Apply the threshold of a run of the same model with labels.")
@SEED
@import_option
@click.option("--to", metavar="FILE", help="Write the referred examples to a .csv or .parquet.")
@JSON
def refer(
    run: str,
    calibrated_on: str | None,
    group: str | None,
    modules: tuple[str, ...],
    to: str | None,
    as_json: bool,
    **target: Any,
) -> None:
    """Print which examples of RUN a person should look at so that the rest is good enough.

    Give one target: --accuracy, --budget or --miss.

    Of all runs at most 5% lead to a guarantee that is false; of the guarantees that are printed, more are false where
    few can be given.
    """
    with loading():
        from mcviz import open_run
        from mcviz import refer as choose_examples
        from mcviz.analysis.base import group_sentence
        from mcviz.analysis.referral import referral_rows, referral_sentences
        from mcviz.runs import check_table_file, write_table

    if to:
        check_table_file(to)
    old = open_run(calibrated_on) if calibrated_on else None
    new = open_run(run)
    found = choose_examples(new, calibrated_on=old, group=group, **target)
    if old is not None:
        found = replace(found, warnings=(*found.warnings, *ood_warnings(old, new, modules, "the guarantee")))
    for warning in found.warnings:
        tell(f"warning: {warning}")
    if to:
        write_table(found.table, to)
    if as_json:
        print_json(found.as_dict() | {"group": group})
        return
    for line in [*referral_sentences(found), *table_lines(referral_rows(found)), group_sentence(old or new, group)]:
        say(line)
    _say_examples("To look at, the most uncertain first", found.table, to)


@click.command("label-issues", short_help="List the examples whose labels are most likely wrong.")
@RUN
@click.option("--first", type=click.IntRange(min=1), default=100, show_default=True, help="How many.")
@CONFIDENCE
@SEED
@click.option("--to", metavar="FILE", help="Write the examples to a .csv or .parquet.")
@JSON
def label_issues(run: str, first: int, confidence: float, seed: int, to: str | None, as_json: bool) -> None:
    """Print how many labels of RUN are estimated to be wrong, and list the likeliest first.

    The model must not have been trained on these labels: it would have learnt the wrong ones too.
    """
    with loading():
        from mcviz import open_run
        from mcviz.analysis.labelling import OUT_OF_FOLD, count_label_errors, label_errors_sentence
        from mcviz.analysis.labelling import label_issues as list_label_issues
        from mcviz.runs import check_table_file, write_table

    if to:
        check_table_file(to)
    opened = open_run(run)
    count = count_label_errors(opened, confidence, seed)
    table = list_label_issues(opened, first)
    if to:
        write_table(table, to)
    if as_json:
        estimated = {"confidence": confidence, **vars(count)}
        print_json({"run": run, "examples": len(opened), "estimated": estimated, "ids": table["id"].tolist()})
        return
    say(label_errors_sentence(count, len(opened), confidence))
    others = int((table["label"] != table["prediction"]).sum())
    say(f"These are the {len(table):,} lowest self-confidences. The ensemble predicts another class for {others:,}.")
    say(OUT_OF_FOLD)
    _say_examples("To check, the likeliest to be wrong first", table, to)


@click.command(short_help="List the examples to label next.")
@RUN
@click.option("--method", type=click.Choice(METHODS), required=True, help="How examples are chosen.")
@click.option("--batch", type=click.IntRange(min=1), default=100, show_default=True, help="How many examples.")
@SEED
@TO
def acquire(run: str, method: Any, batch: int, seed: int, to: str) -> None:
    """Write the examples of RUN whose labels would tell the model most, the first to be labelled first."""
    with loading():
        from mcviz import open_run
        from mcviz.analysis.labelling import acquire as choose_examples
        from mcviz.runs import check_table_file, write_table

    check_table_file(to)
    table = choose_examples(open_run(run), method, batch, seed)
    write_table(table, to)
    _say_examples(f"To label next, by {method}", table, to)


COMMANDS = refer, label_issues, acquire


def ood_warnings(old: "Run", new: "Run", modules: tuple[str, ...], promise: str) -> list[str]:
    """Warn that new examples differ from the old ones by the OOD score, where there is a model to compute it.

    Args:
        old: a run with labels.
        new: a run of the same model.
        modules: to import for that.
        promise: what holds only for examples that are alike.
    """
    if old.manifest.examples.sha256 == new.manifest.examples.sha256:
        return []
    keep_examples = all(run.manifest.has_examples for run in (old, new))
    if old.model_path is None or not keep_examples:
        return []
    try:
        require_framework(old.model_path)
    except MissingPackageError:
        return []
    with loading():
        from mcviz.analysis.referral import SHIFT_P_VALUE
        from mcviz.measures import percent
        from mcviz.sampling.loading import load_run_sampler
        from mcviz.sampling.ood import ood_shift

    try:
        import_framework(old.model_path)
        shift, usual, share = ood_shift(load_run_sampler(old, modules), old, new)
    except McvizError as error:
        return [f"The examples are not compared by the OOD score. {error}"]
    if shift.p_value >= SHIFT_P_VALUE:
        return []
    return [
        f"The OOD score is distributed otherwise than in {old.path} (Kolmogorov–Smirnov {shift.statistic:.3f}, "
        f"p = {shift.p_value:.2g}): {percent(share)} of the examples are out of distribution, of the old ones "
        f"{percent(usual)}, and {promise} is for examples that are alike."
    ]


def _say_examples(what: str, table: "pd.DataFrame", to: str | None) -> None:
    ids = list(map(str, table["id"].iloc[:IDS_SHOWN]))
    if ids:
        more = len(table) - len(ids)
        say(f"{what}: {', '.join(ids)}" + (f" and {more:,} more." if more else "."))
    if to:
        say(f"{len(table):,} examples are written to {to}.")
    elif len(table) > len(ids):
        say("--to FILE writes all of them, --json prints them.")


@click.command(short_help="Add a score of your own to a run.")
@RUN
@click.option(
    "--name", metavar="NAME", required=True, help="Of the score, such as energy; one that is there is replaced."
)
@click.option(
    "--from",
    "file",
    type=PATH,
    metavar="FILE",
    required=True,
    help="A table (.csv, .tsv, .parquet, .jsonl) with a column id, or example, its number; or a file of one value a "
    "line, in order.",
)
@click.option("--low-is-uncertain", is_flag=True, help="A low value means uncertain; a high one without it.")
@click.option("--meaning", metavar="TEXT", default="", help="A sentence on how to read a value, for the dashboard.")
def score(run: str, name: str, file: Path, low_is_uncertain: bool, meaning: str) -> None:
    """Add a score that was made elsewhere to the run in folder or at fsspec address RUN.

    Its examples are then ranked and filtered by it too. The run itself stays as it is.
    """
    with loading():
        from mcviz import open_run

    opened = open_run(run)
    opened.add_score(name, _read_values(file, name, opened), high_is_uncertain=not low_is_uncertain, meaning=meaning)
    say(f"{run} has the score {name}, of {len(opened):,} examples.")


def _read_values(file: Path, name: str, run: "Run") -> "pd.Series | np.ndarray":
    """Read the values of a file, by the ids or the numbers of the examples where it has them."""
    import pandas as pd

    from mcviz.data.labels import NUMBER_PATTERN
    from mcviz.data.tables import (
        ID_COLUMNS,
        UNNAMED_PREFIX,
        ColumnNames,
        check_columns,
        find_usual_column,
        read_frame,
        require_complete,
    )
    from mcviz.errors import InvalidInputError

    frame = read_frame(file)
    if not frame.index.equals(pd.RangeIndex(len(frame))):  # which a Parquet file keeps
        frame = frame.reset_index(names=frame.index.name or f"{UNNAMED_PREFIX}0")
    try:
        check_columns(frame, ColumnNames())
        unnamed = [each for each in frame.columns[:1] if str(each).startswith(UNNAMED_PREFIX)]
        key = find_usual_column(frame, (*ID_COLUMNS, NUMBER, *unnamed, *map(str.lower, unnamed)))
        others = [str(column) for column in frame if column not in (key, NUMBER, *unnamed)]
        if name not in others and len(others) != 1:
            found = ", ".join(others) or "none"
            raise InvalidInputError(f"it should have a column {name}, or one column besides id. Received: {found}.")
        column = name if name in others else others[0]
        if key is not None:
            keys = require_complete(frame[key])
            if _are_numbers(key, keys, run):
                return _order_by_number(frame[column], keys, run)
            return frame[column].set_axis(keys)
        if NUMBER_PATTERN.fullmatch(column):  # it has no head, and its first value was taken for one
            return pd.concat([pd.Series([float(column)]), frame[column]], ignore_index=True)
        return frame[column]
    except InvalidInputError as error:
        raise InvalidInputError(f"{file}: {error}") from error


def _are_numbers(key: str, keys: "pd.Series", run: "Run") -> bool:
    """Whether a column has the numbers of the examples, and not their ids: so an index without a name may be."""
    from mcviz.data.tables import ID_COLUMNS

    return key.lower() not in ID_COLUMNS and (key.lower() == NUMBER or not set(keys.map(str)) & set(run.scores()["id"]))


def _order_by_number(values: "pd.Series", numbers: "pd.Series", run: "Run") -> "np.ndarray":
    """Bring values into the order of the examples, by their numbers."""
    import numpy as np

    from mcviz.errors import InvalidInputError

    order = np.argsort(numbers, kind="stable")
    if not np.array_equal(numbers.iloc[order], np.arange(len(run))):
        raise InvalidInputError(
            f"its column {numbers.name} should have the number of each example once, 0 to {len(run) - 1:,}. Received: "
            f"{len(numbers):,} numbers, from {numbers.min()} to {numbers.max()}."
        )
    return values.to_numpy()[order]


@click.group(short_help="Take away what people decided on the page Review.")
def review() -> None:
    """Take away what people decided on the page Review."""


@review.command(short_help="Write corrected labels, or move files to their classes.")
@RUN
@click.option("--to", metavar="FILE", help="Write a .csv or .parquet: id, old, new, who, when and note.")
@click.option(
    "--to-folders",
    metavar="FOLDER",
    help="Print which files of FOLDER, with a folder a class, move to which class; --yes moves them.",
)
@click.option("--yes", is_flag=True, help="Move the files.")
def export(run: str, to: str | None, to_folders: str | None, yes: bool) -> None:
    """Write the labels of RUN as reviewers corrected them, or move its files to the folders of their new classes.

    Give --to or --to-folders.
    """
    if (to is None) == (to_folders is None) or (yes and to_folders is None):
        raise click.UsageError(
            "Corrected labels go to one place: --to FILE, or --to-folders FOLDER with or without --yes."
        )
    with loading():
        from mcviz import open_run
        from mcviz.analysis.base import require_classes
        from mcviz.reviews import (
            corrected_labels,
            find_open_moves,
            move_files,
            open_reviews,
            plan_moves,
            summarise_reviews,
        )
        from mcviz.runs import check_table_file, write_table

    if to is not None:
        check_table_file(to)
    opened = open_run(run)
    require_classes(opened)
    known = summarise_reviews(opened, open_reviews(opened).rows())
    table = corrected_labels(opened, known)
    changed, without = int((table["old"] != table["new"]).sum()), len(opened) - len(table)
    if to is not None:
        write_table(table, to)
        say(f"{len(table):,} labels are written to {to}. Changed: {changed:,}.")
    if to_folders is not None:
        moves = plan_moves(opened, known)
        left = find_open_moves(to_folders, moves)
        for line in table_lines([(each.source, "→", each.target) for each in left]):
            say(line)
        if yes:
            move_files(to_folders, left)
        before = len(moves) - len(left)
        say(f"Files {'moved' if yes else 'to move, which --yes does'}: {len(left):,}. Moved before: {before:,}.")
    if without:
        say(f"Left out, since nobody named their class: {without:,}.")
    if disputed := len(known.disagreements()):
        say(f"Disputed, to be settled on the page Review: {disputed:,}.")
