"""`mcviz score`: add a score that was made elsewhere to a run."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcviz.cli.arguments import RUN
from mcviz.cli.options import PATH
from mcviz.cli.printing import say
from mcviz.cli.stopping import loading

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mcviz.runs import Run

NUMBER = "example"  # the column of an export with the numbers of the examples


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
