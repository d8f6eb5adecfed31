"""Rows of a table: their most unusual values, and all; changed and distorted ones, and shuffled columns."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components import chart
from mcviz.app.kinds.base import (
    MOST_INPUTS,
    TILE,
    Contributions,
    Distorter,
    InputKind,
    KindRenderer,
    Parts,
    ProbeInput,
    SliderSeries,
    SweepInputs,
    Tiles,
    choose_example,
)
from mcviz.app.resources import row_names, row_values, usual_values
from mcviz.app.state import LARGEST_VALUE, PageState, choose_name, state_widget_args, update_state
from mcviz.app.wording import all_as_markdown, as_markdown, counted
from mcviz.data.drawing import replace_each_by_median
from mcviz.figures import unusual_values
from mcviz.figures.passes import effect_bars
from mcviz.kinds.row_distortions import ROW_DISTORTIONS, most_unusual, shuffle_columns
from mcviz.runs import Run
from mcviz.text import one_line, true_minus

SLIDERS = 12  # columns that have one at once
POSITIONS = 25  # of a column, in the curves
BEYOND = 0.1  # of a column's range, that its slider goes beyond
FEWEST_STEPS = 50  # of a slider
LONGEST = 40  # characters of a column's name above its slider
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


def edit_row(run: Run, state: PageState) -> ProbeInput:
    """Render a choice of an example of the run, and a slider for each of its most unusual values."""
    example = state.example or 0
    changes, start = _changes(run, state), row_values(run)[example]
    choose_example(run, example)
    order, names = _unusual_columns(run, state), row_names(run)
    with st.container(gap=None):
        for column in order[:SLIDERS]:
            _slider(run, state, column, float(start[column]))
    more: list[int] = []
    if len(order) > SLIDERS:
        more = st.multiselect(
            "More columns", range(len(names)), format_func=names.__getitem__, key=f"more-columns-{run.digest}"
        )
    with st.container(gap=None):
        for column in dict.fromkeys([*more, *changes]):
            if column not in order[:SLIDERS]:
                _slider(run, state, column, float(start[column]))
    st.button(
        "Reset",
        icon=":material/restart_alt:",
        disabled=not changes,
        on_click=update_state,
        kwargs={"values": ()},
        help="Take the values of the example again",
    )
    name = f"Example {example}" + (f", {counted(len(changes), 'value')} changed" if changes else "")
    return ProbeInput(_edited_row(run, state), name)


def row_along(run: Run, state: PageState) -> SliderSeries:
    """Render a choice of a column, and return the row with other values in it."""
    row, columns = _edited_row(run, state), [str(name) for name in run.content]
    by_unusual = [columns[column] for column in _unusual_columns(run, state)]
    name = choose_name(state.column, by_unusual)
    st.selectbox("Column", by_unusual, format_func=one_line, width=320, **state_widget_args("column", name))
    column = columns.index(name)
    low, high, _ = slider_range(row_values(run)[:, column], float(row[column]))
    amounts = np.linspace(low, high, POSITIONS, dtype=np.float32)
    varied = np.repeat(row[None], POSITIONS, axis=0)
    varied[:, column] = amounts
    return SliderSeries(amounts, varied, title=name, tick_format="", current=float(row[column]), are_pictures=False)


def explain_shuffled_rows(run: Run, state: PageState) -> None:  # noqa: ARG001 (there is nothing to choose)
    """Explain the rows of shuffled columns."""
    st.caption("Each column has the value of another example, so the values no longer belong together.")


def shuffled_sweep(run: Run, state: PageState) -> SweepInputs:  # noqa: ARG001
    """Return rows of shuffled columns, each of the seed that is its number."""

    def load(start: int, stop: int) -> np.ndarray:
        rows = row_values(run)
        return np.concatenate([shuffle_columns(rows[:1], rows, seed=seed) for seed in range(start, stop)])

    return SweepInputs(
        "shuffled rows", "shuffled columns", MOST_INPUTS, load, run.numbers_version, stored_as="noise-shuffled"
    )


def slider_range(values: np.ndarray, value: float) -> tuple[float, float, float]:
    """Return the ends and the step of a slider.

    Args:
        values: (N,) of a column; the slider goes a little beyond their range.
        value: of the slider.

    Returns:
        Both ends, multiples of the step as long as the value lies between them, and the step, a power of ten.
    """
    low, high = float(values.min()), float(values.max())
    width = (high - low) or abs(low) or 1.0
    step = 10.0 ** np.floor(np.log10(width / FEWEST_STEPS))
    if (values % 1 == 0).all():
        step = max(step, 1.0)
    ends = np.floor((low - BEYOND * width) / step), np.ceil((high + BEYOND * width) / step)
    low, high = (float(np.clip(float(f"{end * step:.12g}"), -LARGEST_VALUE, LARGEST_VALUE)) for end in ends)
    return min(low, value), max(high, value), float(step)


def _slider(run: Run, state: PageState, column: int, start: float) -> None:
    changes = dict(state.values)
    value = changes.get(column, start)
    low, high, step = slider_range(row_values(run)[:, column], value)
    name = row_names(run)[column]
    label = as_markdown(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")

    def put(new: float) -> None:
        others = {other: amount for other, amount in changes.items() if other != column}
        is_own = np.float32(new) == np.float32(start)
        update_state(values=tuple((others if is_own else {**others, column: new}).items()))

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.slider(
            f":material/edit: **{label}**, was {true_minus(f'{start:.4g}')}" if column in changes else label,
            low,
            high,
            step=step,
            format="%.4g",
            **state_widget_args(f"slider-{column}", value, put),
        )
        st.number_input(
            f"{label}, exactly",
            -LARGEST_VALUE,
            LARGEST_VALUE,
            step=step,
            format="%.6g",
            label_visibility="collapsed",
            width=116,
            **state_widget_args(f"exactly-{column}", value, put),
        )


def _unusual_columns(run: Run, state: PageState) -> list[int]:
    order: list[int] = most_unusual(usual_values(run).z(row_values(run)[state.example or 0])).tolist()
    return order


def _changes(run: Run, state: PageState) -> dict[int, float]:
    return {column: value for column, value in state.values if column < len(run.content.columns)}


def _edited_row(run: Run, state: PageState) -> np.ndarray:
    """Return the changed example, (D,) float32."""
    row = row_values(run)[state.example or 0].copy()
    for column, value in _changes(run, state).items():
        row[column] = value
    return row


def row_parts(row: np.ndarray, names: Sequence[str], medians: np.ndarray) -> Parts:
    """Return the values of a row, (D,) float32, of columns with these names and (D,) medians."""

    def render(added: Contributions) -> None:
        strongest = names[int(np.abs(added.mean).argmax())]
        figure = effect_bars(names, added.mean, added.std, added.unit)
        chart(figure, "effects", f"Bar chart of what each column adds to {added.name}, the most by {strongest}.")
        st.caption(
            f"Teal: with the usual value the prediction is lower, so the value speaks for {as_markdown(added.name)}. "
            "Brown: it speaks against it. The line at the end of a bar is one standard deviation over the passes to "
            "either side."
        )

    hidden = replace_each_by_median(row, medians)
    return Parts(
        len(row),
        lambda start, stop: hidden[start:stop],
        "Values are replaced, one after the other, by the median of their column in this run. Values that only matter "
        "together are not found in this way.",
        render,
    )


class RowRenderer(KindRenderer):
    """Rows of numbers, whose most unusual values are shown first."""

    inputs: ClassVar = {
        "noise": InputKind("Shuffled columns", explain_shuffled_rows, sweep=shuffled_sweep, is_noise=True),
        "row": InputKind("Change", edit_row, along=row_along),
        "distortion": InputKind("Distort", ROW_DISTORTER.choose, sweep=ROW_DISTORTER.sweep, along=ROW_DISTORTER.along),
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
        with st.container(key=f"all-values-{spoken}"):  # whose place is kept while the code of tables loads
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

    def values(self, run: Run, example: int) -> list[tuple[str, str]]:
        values = (true_minus(f"{value:.6g}") for value in row_values(run)[example])
        return list(zip(row_names(run), values, strict=True))

    def tiles(self, run: Run, examples: np.ndarray, side: int = TILE) -> Tiles:
        return self.input_tiles(run, row_values(run)[examples])

    def input_tiles(self, run: Run, contents: np.ndarray) -> Tiles:
        names = row_names(run)
        return Tiles(
            details=tuple(
                {"facts": [[names[column], true_minus(f"{row[column]:.4g}")] for column in most_unusual(z)[:FACTS]]}
                for row, z in zip(contents, usual_values(run).z(contents), strict=True)
            )
        )

    def noise(self, run: Run) -> ProbeInput:
        return ProbeInput(shuffled_sweep(run, PageState()).load(0, 1)[0], "Shuffled columns")

    def parts(self, run: Run, content: np.ndarray) -> Parts:
        return row_parts(content, row_names(run), usual_values(run).median)


def _all_values(run: Run, row: np.ndarray) -> pd.DataFrame:
    rows = row_values(run)
    lower, not_higher = (rows < row).mean(axis=0), (rows <= row).mean(axis=0)
    values = [true_minus(f"{value:.6g}") for value in row]  # a browser's numbers would not show very large ones
    return pd.DataFrame({"column": row_names(run), "value": values, "percentile": 50 * (lower + not_higher)})
