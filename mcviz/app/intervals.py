"""Intervals of numbers: whether they hold the labels, by size of the prediction, and how wide conformal ones are."""

import math
from functools import partial

import numpy as np
import streamlit as st
from plotly.graph_objects import Figure

from mcviz import plot
from mcviz.analysis.base import group_sentence
from mcviz.analysis.intervals import BY_PASSES, find_intervals, measure_intervals, prediction_intervals
from mcviz.app.components import chart, text_table
from mcviz.app.navigation import target_chooser
from mcviz.app.resources import cached_for_run, numbers_key
from mcviz.app.state import COVERAGES, PageState, choose_segment
from mcviz.app.wording import as_markdown
from mcviz.measures.intervals import Interval
from mcviz.runs import Run
from mcviz.tasks.regression import coverage_sentence
from mcviz.text import format_with_unit, one_line, percent

WAITING = "Comparing intervals with the labels …"


@cached_for_run(numbers_key, max_entries=24, show_spinner=WAITING)
def _measured(run: Run, coverage: float) -> dict[str, tuple[list[Interval], np.ndarray]]:
    return measure_intervals(run, find_intervals(run, coverage))


@cached_for_run(numbers_key, max_entries=24, show_spinner=WAITING)
def _by_size(run: Run, target: int, group: str | None) -> Figure:
    return plot.intervals_by_size(run, target, group=group)


def render_coverage(run: Run, state: PageState, group: str | None) -> None:
    """Render how many labels the intervals of a target hold, of all examples and by size of the prediction."""
    st.header("Do intervals hold the labels as often as they say?", anchor=False)
    target_chooser(run, state)
    st.caption(
        "Below the dotted lines they are too narrow. Thirds are of the examples, by their predictions. With 95% "
        f"intervals. {as_markdown(group_sentence(run, group))}"
    )
    spoken = "Share of labels that intervals hold, of all examples and of those with low and high predictions."
    chart(_by_size(run, state.target, group), "coverage-by-size", spoken)


def render_widths(run: Run, state: PageState) -> None:
    """Render how many labels intervals of one level hold and how wide they are, also conformal ones; export them."""
    target, coverage, unit = state.target, state.coverage, run.manifest.unit
    shares = {share: f"{share}%" for share in sorted(COVERAGES)}
    choose_segment("Intervals for this share of the labels", "coverage", coverage, shares)
    measured, bare = _measured(run, coverage / 100), run.manifest.predicts == "mean"
    verdict = coverage_sentence(measured[BY_PASSES][0][target], coverage / 100, run.manifest.labelled)
    fewest = math.ceil((100 + coverage) / (100 - coverage))  # of fewer, they cannot be as wide
    few = f" They take at least {fewest} passes, and this run has {run.passes}."
    st.markdown(f"**{verdict}**{few if bare and run.passes < fewest else ''}")
    rows = [
        (method, held[target].format(percent), _format_width(float(widths[target]), unit))
        for method, (held, widths) in measured.items()
    ]
    text_table(("interval", "hold", "mean width"), rows)
    normal = "" if bare else ", as of a normal one with its mean and variance"
    st.caption(
        f"By the passes: the central interval of the predictive distribution{normal}. Split-conformal: the "
        "prediction, plus and minus a distance that covered that share of the errors in the other half of the "
        "examples. It holds for new examples of the same kind, whatever the model. In brackets the exact 95% "
        "interval of the share."
    )
    st.download_button(
        "Intervals as CSV",
        partial(_intervals_csv, run, coverage / 100),
        file_name=f"{one_line(run.name)}-intervals-{coverage}.csv",
        mime="text/csv",
        icon=":material/download:",
        key="intervals-csv",
        on_click="ignore",
        help="Of each example, by each method; `mcviz intervals` writes the same, also for new examples.",
    )


def _intervals_csv(run: Run, coverage: float) -> bytes:
    return prediction_intervals(run, coverage).to_csv(index=False).encode()


def _format_width(width: float, unit: str) -> str:
    return as_markdown(format_with_unit(width, unit)) if math.isfinite(width) else "unbounded: too few examples"
