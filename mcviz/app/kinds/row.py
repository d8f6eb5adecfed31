"""Rows of a table: their most unusual values, and all; changed and distorted ones, and shuffled columns."""

from typing import ClassVar

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.kinds.base import TILE, KindRenderer, Tiles
from mcviz.app.probe.distortion import Distorter
from mcviz.app.probe.parts import InputKind, Parts, ProbeInput, row_parts
from mcviz.app.probe.rows import choose_shuffled_row, edit_row, row_along, shuffled_row, shuffled_sweep
from mcviz.app.resources import row_names, row_values, usual_values
from mcviz.app.wording import all_as_markdown
from mcviz.data import ROW_DISTORTIONS, most_unusual
from mcviz.figures import unusual_values
from mcviz.runs import Run
from mcviz.text import true_minus

FACTS = 4  # values on a tile
WIDER = 2  # times the width of a picture: names stand beside the bars
VALUES_HEIGHT = 220  # pixels, of the table of all values
ROW_HEIGHT = 36
LONGEST_NAME = 28  # characters, above which names would leave the table no room for values
NAMES_WIDTH = 160

ROW_DISTORTER = Distorter(
    ROW_DISTORTIONS,
    lambda run, examples: row_values(run)[examples],
    others=lambda run, *_: row_values(run),
)


class RowRenderer(KindRenderer):
    """Rows of numbers, whose most unusual values are shown first."""

    inputs: ClassVar = {
        "row": InputKind("Change an example", edit_row, along=row_along),
        "distortion": InputKind(
            "Distort an example", ROW_DISTORTER.choose, sweep=ROW_DISTORTER.sweep, along=ROW_DISTORTER.along
        ),
        "noise": InputKind("Shuffled columns", choose_shuffled_row, sweep=shuffled_sweep),
    }
    has_noise = True
    has_parts = True
    distorter = ROW_DISTORTER

    def render_example(self, run: Run, example: int, width: int) -> None:
        with st.container(width=WIDER * width):
            self.render_input(run, row_values(run)[example], f"Example {example}")

    def render_input(self, run: Run, content: np.ndarray, spoken: str) -> None:
        """Render a chart of the most unusual values of a row, and a table of all."""
        names, z = row_names(run), usual_values(run).z(content)
        unusual = ", ".join(names[column] for column in most_unusual(z)[:FACTS])
        st.markdown("**Most unusual values**")
        st.caption("How far each lies from the median of its column; dark beyond two standard deviations.")
        figure = unusual_values(names, z, [true_minus(f"{value:.4g}") for value in content])
        chart(figure, f"unusual-{spoken}", f"{spoken}: bar chart of the most unusual values, those of {unusual}.")
        if np.isinf(z).any():
            different = ", ".join(all_as_markdown([names[column] for column in np.flatnonzero(np.isinf(z))[:FACTS]]))
            st.caption(
                "Not shown: columns in which all examples of this run have the same value, and this one another: "
                f"{different}."
            )
        st.dataframe(
            _all_values(run, content),
            key=f"values-{spoken}",
            hide_index=True,
            height="content" if (len(content) + 1) * ROW_HEIGHT < VALUES_HEIGHT else VALUES_HEIGHT,
            column_config={
                "column": st.column_config.TextColumn(
                    width=NAMES_WIDTH if max(map(len, names)) > LONGEST_NAME else None
                ),
                "value": st.column_config.TextColumn(alignment="right"),
                "percentile": st.column_config.NumberColumn(
                    format="%.0f",
                    help="The part of this run's examples with a lower value, of 100; equal ones count half.",
                ),
            },
            alt=f"{spoken}: table of all values and their percentiles among this run's examples",
        )

    def contents(self, run: Run, examples: np.ndarray) -> np.ndarray:
        """Return (n, D) float32."""
        return row_values(run)[examples]

    def tiles(self, run: Run, examples: np.ndarray, side: int = TILE) -> Tiles:
        names, rows = row_names(run), row_values(run)[examples]
        return Tiles(
            details=tuple(
                {"facts": [[names[column], true_minus(f"{row[column]:.4g}")] for column in most_unusual(z)[:FACTS]]}
                for row, z in zip(rows, usual_values(run).z(rows), strict=True)
            )
        )

    def noise(self, run: Run) -> ProbeInput:
        return shuffled_row(run, seed=0)

    def parts(self, run: Run, content: np.ndarray) -> Parts:
        return row_parts(content, row_names(run), usual_values(run).median)


def _all_values(run: Run, row: np.ndarray) -> pd.DataFrame:
    rows = row_values(run)
    lower, not_higher = (rows < row).mean(axis=0), (rows <= row).mean(axis=0)
    values = [true_minus(f"{value:.6g}") for value in row]  # a browser's numbers would not show very large ones
    return pd.DataFrame({"column": row_names(run), "value": values, "percentile": 50 * (lower + not_higher)})
