"""`mcviz score`: add a score that was made elsewhere to a run."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcviz.cli.arguments import RUN
from mcviz.cli.options import PATH
from mcviz.cli.printing import say
from mcviz.cli.stopping import loading

if TYPE_CHECKING:
    import pandas as pd


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
    help="A table (.csv, .tsv, .parquet, .jsonl) with a column id, or a file of one value a line, in order.",
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
    opened.add_score(name, _read_values(file, name), high_is_uncertain=not low_is_uncertain, meaning=meaning)
    say(f"{run} has the score {name}, of {len(opened):,} examples.")


def _read_values(file: Path, name: str) -> "pd.Series":
    """Read the values of a file, by the ids of the examples where it has them."""
    import pandas as pd

    from mcviz.data.labels import NUMBER_PATTERN
    from mcviz.data.tables import (
        ID_COLUMNS,
        ColumnNames,
        check_columns,
        find_usual_column,
        read_frame,
        require_complete,
    )
    from mcviz.errors import InvalidInputError

    frame = read_frame(file)
    try:
        check_columns(frame, ColumnNames())
        ids = find_usual_column(frame, ID_COLUMNS)
        others = [str(column) for column in frame if column != ids]
        if name not in others and len(others) != 1:
            found = ", ".join(others) or "none"
            raise InvalidInputError(f"it should have a column {name}, or one column besides id. Received: {found}.")
        column = name if name in others else others[0]
        if ids is not None:
            return frame[column].set_axis(require_complete(frame[ids]).astype(str))
        if NUMBER_PATTERN.fullmatch(column):  # it has no head, and its first value was taken for one
            return pd.concat([pd.Series([float(column)]), frame[column]], ignore_index=True)
        return frame[column]
    except InvalidInputError as error:
        raise InvalidInputError(f"{file}: {error}") from error
