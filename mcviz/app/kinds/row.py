"""Rows of a table: their most unusual values, and all; changed and distorted ones, and shuffled columns."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.explaining.parts import Parts, parts_of_row
from mcviz.app.inputs import InputKind, ProbeInput
from mcviz.app.kinds.kind import Kind, Tiles
from mcviz.app.probe.distorting import Distorter
from mcviz.app.probe.rows import row_along, row_input, shuffled_input, shuffled_row, shuffled_sweep
from mcviz.app.rows import names_of, rows_of, usual_values
from mcviz.app.wording import all_as_markdown
from mcviz.data import ROW_DISTORTIONS, most_unusual
from mcviz.figures import unusual_values
from mcviz.runs import Run
from mcviz.runs.contents import Progress

FACTS = 4  # values on a tile
FARTHEST = 10.0  # standard deviations; what lies farther is no less alike for that
WIDER = 2  # times the width of a picture: names stand beside the bars
HEIGHT = 220  # pixels, of the table of all values
ROW_HEIGHT = 36
LONGEST_NAME = 28  # characters, above which names would leave the table no room for values
NAMES_WIDTH = 160


def large(run: Run, example: int, width: int) -> None:
    """The values of an example."""
    with st.container(width=WIDER * width):
        draw(run, rows_of(run)[example], f"Example {example}")


def draw(run: Run, row: np.ndarray, spoken: str) -> None:
    """A chart of the most unusual values of a row, and a table of all."""
    names, z = names_of(run), usual_values(run).z(row)
    unusual = ", ".join(names[column] for column in most_unusual(z)[:FACTS])
    st.markdown("**Most unusual values**")
    st.caption("How far each lies from the median of its column; dark beyond two standard deviations.")
    figure = unusual_values(names, z, [f"{value:.4g}" for value in row])
    chart(figure, f"unusual-{spoken}", f"{spoken}: bar chart of the most unusual values, those of {unusual}.")
    if np.isinf(z).any():
        different = ", ".join(all_as_markdown([names[column] for column in np.flatnonzero(np.isinf(z))[:FACTS]]))
        st.caption(f"Without those that all examples of this run have alike, and this one has not: {different}.")
    st.dataframe(
        _all_values(run, row),
        key=f"values-{spoken}",
        hide_index=True,
        height="content" if (len(row) + 1) * ROW_HEIGHT < HEIGHT else HEIGHT,
        column_config={
            "column": st.column_config.TextColumn(width=NAMES_WIDTH if max(map(len, names)) > LONGEST_NAME else None),
            "value": st.column_config.TextColumn(alignment="right"),
            "percentile": st.column_config.NumberColumn(
                format="%.0f", help="The part of this run's examples with a lower value, of 100; equal ones count half."
            ),
        },
        alt=f"{spoken}: table of all values and their percentiles among this run's examples",
    )


def tiles(run: Run, examples: np.ndarray) -> Tiles:
    """The most unusual values of each."""
    names, rows = names_of(run), rows_of(run)[examples]
    return Tiles(
        each=tuple(
            {"facts": [[names[column], f"{row[column]:.4g}"] for column in most_unusual(z)[:FACTS]]}
            for row, z in zip(rows, usual_values(run).z(rows), strict=True)
        )
    )


def columns(run: Run, examples: np.ndarray) -> dict[str, tuple[list[Any], Any]]:  # noqa: ARG001
    """No column but those that every table of examples has, among them those of the rows."""
    return {}


def components(run: Run, progress: Progress) -> np.ndarray:
    """Principal components of the standardised columns, of which none outweighs the others by a value far away."""
    from mcviz.measures.similarity import (
        principal_components,  # here, because scikit-learn takes most of a second to import
    )

    z = usual_values(run).z(rows_of(run))
    return principal_components(np.clip(z, -FARTHEST, FARTHEST).astype(np.float32), progress=progress)


def contents(run: Run, examples: np.ndarray) -> np.ndarray:
    """(n, D) float32: examples of the run."""
    return rows_of(run)[examples]


def noise(run: Run) -> ProbeInput:
    """A row whose columns are shuffled."""
    return shuffled_row(run, seed=0)


def parts(run: Run, row: np.ndarray) -> Parts:
    """Values of a row."""
    return parts_of_row(row, names_of(run), usual_values(run).median)


def _all_values(run: Run, row: np.ndarray) -> pd.DataFrame:
    rows = rows_of(run)
    lower, not_higher = (rows < row).mean(axis=0), (rows <= row).mean(axis=0)
    values = [f"{value:.6g}" for value in row]  # a browser's numbers would not show very large ones
    return pd.DataFrame({"column": names_of(run), "value": values, "percentile": 50 * (lower + not_higher)})


ROW_DISTORTER = Distorter(ROW_DISTORTIONS, contents, others=lambda run, *_: rows_of(run), gradual="noise")
INPUTS = {
    "row": InputKind("Change an example", row_input, along=row_along),
    "distortion": InputKind(
        "Distort an example", ROW_DISTORTER.choose, sweep=ROW_DISTORTER.sweep, along=ROW_DISTORTER.along
    ),
    "noise": InputKind("Shuffled columns", shuffled_input, sweep=shuffled_sweep),
}
ROW = Kind(
    "values", large, draw, tiles, columns, components, contents, INPUTS, noise, parts=parts, distorter=ROW_DISTORTER
)
