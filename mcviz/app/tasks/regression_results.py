"""Results of a whole regression run: errors, prediction intervals and standard deviations."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.analysis.base import Figures, as_predictions
from mcviz.analysis.trust import compute_figures
from mcviz.app.caching import cached_for_run, numbers_key
from mcviz.app.wording import as_markdown, ways_to_predict
from mcviz.measures import RegressionPredictions, significant
from mcviz.measures.conformal import PredictionIntervals, conformal_intervals, pass_intervals
from mcviz.measures.intervals import Interval
from mcviz.measures.registry import format_with_unit
from mcviz.measures.regression import (
    FEWEST_FOR_RMSE,
    TERMS,
    regression_terms,
)
from mcviz.runs import Derived, Run, load_derived, save_derived

FEWEST = 20  # examples, from which on a difference is judged
PREDICTORS = ("deterministic", "single_pass", "ensemble")
REGRESSION_TERMS = Derived("regression-terms", 1, {"terms": "float64"})
MEASURES = {"rmse": "RMSE", "mae": "MAE", "nll": "NLL", "crps": "CRPS"}


# Prediction intervals


@dataclass(frozen=True)
class IntervalCoverage:
    """The coverage of the intervals of one method.

    Attributes:
        shares: D shares of the labels that are within.
        widths: (D,) mean widths, in the unit of the targets.
    """

    shares: list[Interval]
    widths: np.ndarray


@cached_for_run(numbers_key, max_entries=24, show_spinner="Comparing intervals with the labels …")
def interval_coverages(run: Run, coverage: int) -> dict[str, IntervalCoverage]:
    """Return the coverage of intervals of `coverage` percent by each method, of a run with labels.

    Of a run with one example there is only the first method.
    """
    predictions, share = _all_predictions(run), coverage / 100
    labels = predictions.labels
    assert labels is not None
    methods: dict[str, PredictionIntervals] = {"by the passes": pass_intervals(predictions, share)}
    if len(labels) > 1:  # one half of the examples calibrates the other
        methods["split-conformal, of one width"] = conformal_intervals(predictions, share)
        methods["split-conformal, in proportion to the std"] = conformal_intervals(predictions, share, normalised=True)
    return {name: IntervalCoverage(each.coverage(labels), each.width) for name, each in methods.items()}


# Errors


@cached_for_run(numbers_key, max_entries=8, show_spinner="Computing the intervals …")
def error_figures(run: Run) -> tuple[Figures, Figures]:
    """Return all measures of a run with labels, and the ensemble's less the others'; the terms are kept beside it."""
    return compute_figures(run, _terms(run), 0.95)


def describe_gain(run: Run, differences: Figures) -> str:
    """Say whether the ensemble's error is lower by more than chance, in a sentence or two in Markdown."""
    if len(run) < FEWEST:
        return f"With fewer than {FEWEST} examples, a gain of the ensemble cannot be told from chance."
    sentences = [_describe_difference(run, differences["single_pass"]["rmse"], "that of a single pass")]
    if "deterministic" in differences:
        rmse = differences["deterministic"]["rmse"]
        sentences.append(_describe_difference(run, rmse, "that of the deterministic model"))
    return " ".join(sentences)


def render_measures(run: Run) -> None:
    """Render all measures with intervals, and whether the ensemble gains by more than chance."""
    st.header("How wrong it is, by other measures", anchor=False)
    figures, differences = error_figures(run)
    st.markdown(describe_gain(run, differences))
    unit = f", {as_markdown(run.manifest.unit)}" if run.manifest.unit else ""
    rows = {
        label: [_with_ends(figures[name].get(measure)) for measure in MEASURES]
        for label, name in zip(ways_to_predict(run.manifest), PREDICTORS, strict=True)
        if name in figures
    }
    titles = [f"{title}, nats" if name == "nll" else f"{title}{unit}" for name, title in MEASURES.items()]
    st.table(pd.DataFrame.from_dict(rows, orient="index", columns=titles).rename_axis("prediction by"))
    few = f"Fewer than {FEWEST_FOR_RMSE} are too few for that of an RMSE. " if len(run) < FEWEST_FOR_RMSE else ""
    st.caption(
        f"Lower is better; in brackets the 95% interval over other examples of the same kind. {few}RMSE weighs "
        "large errors most, MAE all alike. NLL (negative log likelihood) and CRPS compare the whole predicted "
        "distribution with the label. They are low where a model is both right and honest."
    )


def _describe_difference(run: Run, rmse: Interval, other: str) -> str:
    unit = run.manifest.unit
    size = as_markdown(format_with_unit(abs(rmse.value), unit))
    if rmse.low <= 0 <= rmse.high:
        ends = as_markdown(f"{significant(rmse.low)} to {format_with_unit(rmse.high, unit)}")
        return f"The ensemble's RMSE differs from {other} by no more than chance (95% interval {ends})."
    low, high = sorted((abs(rmse.low), abs(rmse.high)))
    ends = as_markdown(f"{significant(low)} to {format_with_unit(high, unit)}")
    word = "lower" if rmse.value < 0 else "higher"
    return f"The ensemble's RMSE is **{size} {word}** than {other} (95% interval {ends}): more than chance."


def _with_ends(measure: Interval | None) -> str:
    return "–" if measure is None else measure.format(significant)


def _terms(run: Run) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Return the terms that the measures are means of, as `regression_terms` does, from beside the run if there."""
    kept = load_derived(run.path, run.digest, REGRESSION_TERMS)
    if kept is None or kept["terms"].shape != (len(PREDICTORS), len(TERMS), len(run)):
        bar = st.empty()

        def progress(done: int, total: int) -> None:
            bar.progress(done / total, f"Measuring {done:,} of {total:,} examples …")

        blocks = [_as_array(regression_terms(block)) for block in _blocks(run, progress)]
        bar.empty()
        kept = {"terms": np.concatenate(blocks, axis=2)}
        save_derived(run.path, run.digest, REGRESSION_TERMS, kept)
    known = {
        row: {name: values for name, values in zip(TERMS, of_row, strict=True) if not np.isnan(values).any()}
        for row, of_row in zip(PREDICTORS, kept["terms"], strict=True)
    }
    return {row: terms for row, terms in known.items() if terms}


def _as_array(terms: Mapping[str, Mapping[str, np.ndarray]]) -> np.ndarray:
    """Return (3, 4, n) float64, NaN where nothing is known."""
    unknown = np.full(len(terms["ensemble"]["crps"]), np.nan)
    return np.array([[terms.get(row, {}).get(name, unknown) for name in TERMS] for row in PREDICTORS])


def _all_predictions(run: Run) -> RegressionPredictions:
    return as_predictions(run, run.predictions_block(0, None), run.labels, run.deterministic_predictions)


def _blocks(run: Run, progress: Callable[[int, int], None] = lambda *_: None) -> Iterator[RegressionPredictions]:
    """Yield all passes of a run, a block of examples after the other; `progress` is told (done, total) before each."""
    labels, deterministic = run.labels, run.deterministic_predictions
    for shard in range(run.manifest.shards):
        start, stop = run.manifest.shard_range(shard)
        progress(start, len(run))
        yield as_predictions(
            run,
            run.predictions_block(start, stop),
            None if labels is None else labels[start:stop],
            None if deterministic is None else deterministic[start:stop],
        )
