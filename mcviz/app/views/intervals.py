"""Prediction intervals: how often they hold the label, and how wide they are."""

import math

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from mcviz import plot
from mcviz.app.caching import cached_for_run, numbers_key
from mcviz.app.components.charts import chart
from mcviz.app.components.choosers import target_chooser
from mcviz.app.components.widgets import choose_segment
from mcviz.app.selection import Selection
from mcviz.app.state import COVERAGES
from mcviz.app.tasks.regression_results import interval_coverages
from mcviz.app.wording import as_markdown, counted
from mcviz.measures import percent
from mcviz.measures.conformal import coverage_sentence
from mcviz.measures.registry import format_with_unit
from mcviz.runs import Run


def render_intervals(selection: Selection) -> None:
    """Render the calibration of a target's intervals, and how many labels those of one level hold."""
    run, target, coverage = selection.run, selection.state.target, selection.state.coverage
    st.caption(f"Figures of the whole run, {counted(len(run), 'example')}; the filters do not apply.")
    target_chooser(run, selection.state)
    left, right = st.columns(2, gap="large")
    with left:
        spoken = "How often intervals by the passes hold the label, against how often they should."
        st.markdown("**Do intervals hold what they promise?**")
        st.caption(
            f"{spoken} Below the dotted line they are too narrow, above it too wide. The band is what chance leaves "
            "open at each share."
        )
        chart(_figure(run, target), "coverage", spoken)
    with right:
        shares = {each: f"{each}%" for each in sorted(COVERAGES)}
        choose_segment("Intervals for this share of the labels", "coverage", coverage, shares)
        share, bare = interval_coverages(run, coverage)["by the passes"].shares[target], run.manifest.predicts == "mean"
        verdict = coverage_sentence(share, coverage / 100, len(run))
        fewest = math.ceil((100 + coverage) / (100 - coverage))  # of fewer, they cannot be as wide
        few = f" They take at least {fewest} passes, and this run has {run.passes}."
        st.markdown(f"**{verdict}**{few if bare and run.passes < fewest else ''}")
        st.table(_rows(run, coverage, target))
        normal = "" if bare else ", as of a normal one with its mean and variance"
        st.caption(
            f"By the passes: the central interval of the predictive distribution{normal}. Split-conformal: the "
            "prediction, plus and minus a distance that covered that share of the errors in the other half of the "
            "examples. It holds for new examples of the same kind, whatever the model. In brackets the exact 95% "
            "interval of the share."
        )


def _rows(run: Run, coverage: int, target: int) -> pd.DataFrame:
    rows = {}
    for method, each in interval_coverages(run, coverage).items():
        share, width = each.shares[target], float(each.widths[target])
        wide = "unbounded: too few examples"
        if width < float("inf"):
            wide = as_markdown(format_with_unit(width, run.manifest.unit))
        rows[method] = (share.format(percent), wide)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["hold", "mean width"]).rename_axis("interval")


@cached_for_run(numbers_key, max_entries=24, show_spinner="Comparing intervals with the labels …")
def _figure(run: Run, target: int) -> go.Figure:
    return plot.intervals(run, target)
