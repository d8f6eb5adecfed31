"""How wrong a regression is: with dropout off, in one pass, and as an ensemble."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from mcviz.app.components.charts import headed_chart
from mcviz.app.resources import quantity
from mcviz.app.tasks.regression.passes import blocks
from mcviz.app.wording import as_markdown, as_sentence, counted, ways_to_predict
from mcviz.figures import rmse_against_ensemble, rmse_by_ensemble_size
from mcviz.measures import percent, significant
from mcviz.measures.bootstrap import Interval
from mcviz.measures.regression import (
    TERMS,
    RegressionMeasures,
    RegressionTable,
    regression_terms,
    rmse_of_one_pass,
    table_of_terms,
)
from mcviz.runs import Derived, Run, load_derived, save_derived

SETTLED = 0.01  # of the RMSE at the end
FEWEST = 20  # examples, from which on a difference is judged
ROWS = ("deterministic", "single_pass", "ensemble")
MEASURED = Derived("regression-terms", 1, {"terms": "float64"})
MEASURES = {"rmse": "RMSE", "mae": "MAE", "nll": "NLL", "crps": "CRPS"}


def cards(run: Run) -> None:
    """The RMSEs as numbers: of the deterministic model where it is known, of one pass, of the ensemble."""
    single, ensemble = rmses(run)
    off, on = ("", "") if run.manifest.origin.kind == "imported" else ("Dropout off: ", "Dropout on: ")
    unit = run.manifest.unit
    lowest, highest = significant(single.min()), quantity(single.max(), unit)
    values = (
        (run.deterministic_rmse, as_sentence(f"{off}one prediction, no uncertainty")),
        (rmse_of_one_pass(single), as_sentence(f"{on}{lowest} to {highest}")),
        (ensemble[-1], f"The mean of {counted(len(single), 'pass')}. How far they differ is the uncertainty."),
    )
    named = zip(ways_to_predict(run.manifest), values, strict=True)
    shown = [(label, rmse, meaning) for label, (rmse, meaning) in named if rmse is not None]
    for place, (label, rmse, meaning) in zip(st.columns(len(shown)), shown, strict=True):
        place.metric(f"{label}: RMSE", as_markdown(quantity(rmse, unit)), border=True)
        place.caption(as_markdown(meaning))


def charts(run: Run) -> None:
    """The single passes against their ensemble, the ensemble against its size, and all measures with intervals."""
    single, ensemble = rmses(run)
    against_ensemble, by_size = _figures(run.digest, run.manifest.unit, run)
    left, right = st.columns(2, gap="large")
    with left:
        beaten = (single > ensemble[-1]).mean()
        passes = "every single pass" if beaten == 1 else f"{percent(beaten)} of the single passes"
        spoken = f"The error of the ensemble is lower than that of {passes}."
        headed_chart("RMSE versus ensemble", against_ensemble, "rmses", spoken)
    with right:
        spoken = (
            f"RMSE of the mean of the first 1, 2, … passes. From {counted(settled_at(ensemble), 'pass')} on it stays "
            "within 1% of the end."
        )
        headed_chart("How many passes it takes", by_size, "ensemble-size", spoken)
    st.header("How wrong it is, by other measures", anchor=False)
    found = measured(run)
    st.markdown(gain(run, found))
    _table(run, found)


def rmses(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """(T,) the RMSEs of the single passes and of their means, of a run with labels."""
    single, ensemble = run.pass_rmse, run.ensemble_rmse
    assert single is not None
    assert ensemble is not None
    return single, ensemble


def settled_at(ensemble: np.ndarray) -> int:
    """The number of passes from which on the ensemble's RMSE stays within 1% of its last value."""
    away = np.flatnonzero(np.abs(ensemble - ensemble[-1]) > SETTLED * ensemble[-1])
    return int(away[-1]) + 2 if len(away) else 1


def measured(run: Run) -> RegressionTable:
    """All measures of a run with labels with their intervals; computed once, and kept beside the run."""
    return _measured(run.digest, run)


def gain(run: Run, found: RegressionTable) -> str:
    """Whether the ensemble's error is lower by more than chance, in a sentence or two in Markdown."""
    if len(run) < FEWEST:
        return f"With fewer than {FEWEST} examples, a gain of the ensemble cannot be told from chance."
    told = [_compared(run, found.over_single_pass, "that of a single pass")]
    if found.over_deterministic is not None:
        told.append(_compared(run, found.over_deterministic, "that of the deterministic model"))
    return " ".join(told)


def _compared(run: Run, difference: RegressionMeasures, other: str) -> str:
    rmse, unit = difference.rmse, run.manifest.unit
    size = as_markdown(quantity(abs(rmse.value), unit))
    if rmse.low <= 0 <= rmse.high:
        ends = as_markdown(f"{significant(rmse.low)} to {quantity(rmse.high, unit)}")
        return f"The ensemble's RMSE differs from {other} by no more than chance (95% interval {ends})."
    low, high = sorted((abs(rmse.low), abs(rmse.high)))
    ends = as_markdown(f"{significant(low)} to {quantity(high, unit)}")
    word = "lower" if rmse.value < 0 else "higher"
    return f"The ensemble's RMSE is **{size} {word}** than {other} (95% interval {ends}): more than chance."


def _table(run: Run, found: RegressionTable) -> None:
    unit = f", {as_markdown(run.manifest.unit)}" if run.manifest.unit else ""
    measures = (found.deterministic, found.single_pass, found.ensemble)
    rows = {
        label: [_with_ends(getattr(each, name)) for name in MEASURES]
        for label, each in zip(ways_to_predict(run.manifest), measures, strict=True)
        if each is not None
    }
    titles = [f"{title}, nats" if name == "nll" else f"{title}{unit}" for name, title in MEASURES.items()]
    st.table(pd.DataFrame.from_dict(rows, orient="index", columns=titles).rename_axis("prediction by"))
    st.caption(
        "Lower is better; in brackets the 95% interval over other examples of the same kind. RMSE weighs large errors "
        "most, MAE all alike. NLL (negative log likelihood) and CRPS hold the whole predicted distribution against the "
        "label, so they are low where a model is both right and honest."
    )


def _with_ends(measure: Interval | None) -> str:
    if measure is None:
        return "–"
    return measure.written(significant)


@st.cache_resource(max_entries=8, show_spinner="Computing the intervals …")
def _measured(digest: str, _run: Run) -> RegressionTable:  # noqa: ARG001 (the digest is the cache's key)
    return table_of_terms(_terms(_run))


def _terms(run: Run) -> Mapping[str, Mapping[str, np.ndarray]]:
    """What the measures are means of, as `regression_terms` gives it; what is not known is kept as NaN."""
    kept = load_derived(run.path, run.digest, MEASURED)
    if kept is None or kept["terms"].shape != (len(ROWS), len(TERMS), len(run)):
        bar = st.empty()

        def progress(done: int, total: int) -> None:
            bar.progress(done / total, f"Measuring {done:,} of {total:,} examples …")

        found = [_as_array(regression_terms(block)) for block in blocks(run, progress)]
        bar.empty()
        kept = {"terms": np.concatenate(found, axis=2)}
        save_derived(run.path, run.digest, MEASURED, kept)
    known = {
        row: {name: values for name, values in zip(TERMS, of_row, strict=True) if not np.isnan(values).any()}
        for row, of_row in zip(ROWS, kept["terms"], strict=True)
    }
    return {row: terms for row, terms in known.items() if terms}


def _as_array(terms: Mapping[str, Mapping[str, np.ndarray]]) -> np.ndarray:
    """(3, 4, n) float64."""
    unknown = np.full(len(terms["ensemble"]["crps"]), np.nan)
    return np.array([[terms.get(row, {}).get(name, unknown) for name in TERMS] for row in ROWS])


@st.cache_resource(max_entries=8, show_spinner=False)
def _figures(digest: str, unit: str, _run: Run) -> tuple[go.Figure, go.Figure]:  # noqa: ARG001 (the keys)
    """The two charts of a run, drawn once for all sessions."""
    single, ensemble = rmses(_run)
    return (
        rmse_against_ensemble(single, ensemble[-1], _run.deterministic_rmse, unit),
        rmse_by_ensemble_size(ensemble, _run.deterministic_rmse, unit),
    )
