"""Prediction intervals of a run: how often they hold the label, and how wide they are."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from mcviz.app.tasks.regression.passes import whole
from mcviz.measures.bootstrap import Interval
from mcviz.measures.prediction_intervals import (
    IntervalCalibration,
    PredictionIntervals,
    conformal_intervals,
    interval_calibration,
    intervals_by_passes,
)
from mcviz.runs import Run


@dataclass(frozen=True)
class Held:
    """What the intervals of one method hold.

    Attributes:
        shares: D shares of the labels that are within.
        widths: (D,) mean widths, in the unit of the targets.
    """

    shares: list[Interval]
    widths: np.ndarray


def calibration(run: Run) -> list[IntervalCalibration]:
    """How often intervals of the passes hold the labels of a run with labels; D calibrations."""
    return _calibration(run.digest, run)


def held(run: Run, coverage: int) -> dict[str, Held]:
    """What intervals of `coverage` percent hold by each method, of a run with labels; of an only example the first."""
    return _held(run.digest, coverage, run)


# The digest is the caches' key.


@st.cache_resource(max_entries=8, show_spinner="Holding intervals against the labels …")
def _calibration(digest: str, _run: Run) -> list[IntervalCalibration]:  # noqa: ARG001
    return interval_calibration(whole(_run))


@st.cache_resource(max_entries=24, show_spinner="Holding intervals against the labels …")
def _held(digest: str, coverage: int, _run: Run) -> dict[str, Held]:  # noqa: ARG001
    predictions, share = whole(_run), coverage / 100
    labels = predictions.labels
    assert labels is not None
    methods: dict[str, PredictionIntervals] = {"by the passes": intervals_by_passes(predictions, share)}
    if len(labels) > 1:  # one half of the examples calibrates the other
        methods["split-conformal, of one width"] = conformal_intervals(predictions, share)
        methods["split-conformal, in proportion to the std"] = conformal_intervals(predictions, share, normalised=True)
    return {name: Held(each.coverage(labels), each.width) for name, each in methods.items()}
