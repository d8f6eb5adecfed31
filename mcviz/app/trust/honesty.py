"""Is the number honest? Calibration of the deterministic model, a single pass and the ensemble."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.columns import grouping_columns
from mcviz.app.columns import groups as own_groups
from mcviz.app.components.charts import chart
from mcviz.app.components.widgets import bound
from mcviz.app.needs import has, met
from mcviz.app.state import PageState, one_of
from mcviz.app.wording import counted
from mcviz.figures.trust import WAYS, measures_by_passes, reliability_diagram
from mcviz.measures import SCORES, percent
from mcviz.measures.bootstrap import Interval
from mcviz.measures.calibration import (
    Bins,
    Calibration,
    Figures,
    Terms,
    calibration,
    calibration_by_group,
    calibration_sentences,
)
from mcviz.runs import Derived, Run, load_derived, save_derived
from mcviz.runs.contents import Progress
from mcviz.text import one_line
from mcviz.trust import Convergence, convergence_of, groups_of, ways_of

NAMES = {
    "deterministic": "deterministic",
    "single_pass": "single pass, on average",
    "ensemble": "ensemble",
    "deterministic_scaled": "deterministic, temperature-scaled",
    "ensemble_scaled": "ensemble, temperature-scaled",
}
BINS = {"width": "of equal width", "mass": "of equally many examples"}
FEWEST_OF_GROUP = 20  # examples, below which an interval says nothing
MOST_GROUPS = 50
MOST_UNCERTAIN = 100  # examples, by which rankings are compared
TABLE_ROWS = 12
HEIGHT = 460  # pixels


def honesty(run: Run, state: PageState) -> None:
    """The first half of the page: a verdict in words, the figures behind it, where they come from, and by group."""
    found = _calibration(run.digest, run)
    verdict, *gains = calibration_sentences(found)
    st.markdown("\n".join([verdict, "", *(f"- {gain}" for gain in gains)]))
    _figures_table(found)
    st.caption(
        "With 95% intervals. For the NLL, probabilities are clipped at half a step of storage, since a stored zero "
        "would make it infinite. Each half of the labels sets the temperature of the other half."
        f"{'' if has(run, 'passes') else ' This run keeps a summary, so a single pass is not among them.'}"
    )
    left, right = st.columns(2, gap="large")
    with left:
        _reliability(found, state)
    with right:
        _groups(run, found, state)


def enough_passes(run: Run, state: PageState) -> None:
    """How the figures and the ranking change as passes are added."""
    if not met(run, {"passes"}):
        return
    score = state.score if not SCORES[state.score].needs_labels else "max_probability"
    found = _convergence(run.digest, score, run)
    settled = found.enough < run.passes
    steps = "0.05 points of accuracy, 0.001 nats of NLL and 0.1 points of ECE"
    sentences = [
        f"From {counted(found.enough, 'pass')} on, more passes change less than {steps}."
        if settled
        else f"The figures still move by more than {steps} up to the last of the {counted(run.passes, 'pass')}."
    ]
    values = {"accuracy": found.accuracy, "NLL, nats": found.nll, "ECE": found.ece}
    if run.passes > 1 and len(run) > MOST_UNCERTAIN:  # of fewer, both halves name all
        values["top shared"] = found.shared_top
        sentences.append(
            f"Two halves of the passes share {percent(float(found.shared_top[-1]), 0)} of the {MOST_UNCERTAIN} most "
            f"uncertain examples by {SCORES[score].in_sentence}."
        )
    st.caption(" ".join(sentences))
    formats = {"accuracy": ".2%", "NLL, nats": ".3f", "ECE": ".2%", "top shared": ".0%"}
    chart(
        measures_by_passes(found.sizes, values, formats, found.enough if settled else None),
        "by-passes",
        f"{', '.join(values)} by number of passes. {' '.join(sentences)}",
    )


def _figures_table(found: Calibration) -> None:
    rows = {NAMES[way]: _row(found.figures[way]) for way in NAMES if way in found.figures}
    for way, difference in found.differences.items():
        if way in WAYS:
            rows[f"ensemble less {WAYS[way]}"] = _row(difference, signed=True)
    with st.container(key="figures"):
        st.table(pd.DataFrame.from_dict(rows, orient="index").rename_axis("prediction by"))


def _row(of: Figures, signed: bool = False) -> dict[str, str]:
    sign = "+" if signed else ""
    return {
        "accuracy": _percent(of.accuracy, sign),
        "NLL, nats": of.nll.written(f"{{:{sign}.4f}}".format),
        "Brier score": of.brier.written(f"{{:{sign}.4f}}".format),
        "ECE": _percent(of.ece, sign),
        "ECE, equal mass": _percent(of.ece_equal_mass, sign),
        "confidence less accuracy": _percent(of.overconfidence, "+"),
    }


def _percent(of: Interval, sign: str) -> str:
    points = Interval(100 * of.value, 100 * of.low, 100 * of.high)
    unit = " points" if sign else "%"
    return points.written(f"{{:{sign}.2f}}".format, unit)


def _reliability(found: Calibration, state: PageState) -> None:
    st.subheader("Are the probabilities calibrated?", anchor=False)
    st.caption(
        "Of the predictions with a probability of 80%, four in five should be correct. Above the dotted line the model "
        "is under-confident, below it over-confident."
    )
    bins = one_of(state.bins, BINS)
    st.segmented_control("Bins", list(BINS), format_func=BINS.__getitem__, required=True, **bound("bins", bins))
    drawn = found.bins if bins == "width" else found.equal_mass_bins
    chart(
        reliability_diagram({name: _points(drawn[way]) for way, name in WAYS.items() if way in drawn}),
        "reliability",
        f"Accuracy against max probability in bins {BINS[bins]}; the table above has the ECE of each.",
    )


def _points(bins: Bins) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return bins.confidence, bins.accuracy, bins.count


def _groups(run: Run, found: Calibration, state: PageState) -> None:
    st.subheader("Does a group fare worse?", anchor=False)
    offered = ["label", "prediction", *(name for name in grouping_columns(run) if name not in ("label", "prediction"))]
    column = one_of(state.column, offered)
    st.selectbox("Group by", offered, format_func=one_line, width=250, **bound("column", column))
    groups, names = _members(run, column)
    counts = np.bincount(groups, minlength=len(names))
    largest = np.argsort(-counts, kind="stable")[:MOST_GROUPS]
    kept = [int(group) for group in largest if counts[group] >= FEWEST_OF_GROUP]
    if not kept:
        st.info(f"No group has {FEWEST_OF_GROUP} examples, so none can be told from chance.", icon=":material/inbox:")
        return
    by_group = _by_group(run.digest, column, groups, found)
    rows = pd.DataFrame(
        [
            {
                "group": names[group],
                "examples": int(counts[group]),
                "accuracy": each.figures["ensemble"].accuracy.value,
                "interval": _percent(each.figures["ensemble"].accuracy, "").partition(" ")[2].strip("()"),
                "ECE": each.figures["ensemble"].ece.value,
                "confidence less accuracy": 100 * each.figures["ensemble"].overconfidence.value,
            }
            for group, each in by_group.items()
            if group in kept
        ]
    ).sort_values("accuracy", kind="stable")
    st.caption(
        f"Of the ensemble, the worst group first, with 95% intervals of the accuracy. Groups of fewer than "
        f"{FEWEST_OF_GROUP} examples are left out. Confidence less accuracy is in points: above 0 is over-confident."
    )
    st.dataframe(
        rows,
        key=f"by-group-{column}",
        hide_index=True,
        height="content" if len(rows) <= TABLE_ROWS else HEIGHT,
        column_config={
            "accuracy": st.column_config.NumberColumn("accuracy", format="percent"),
            "interval": st.column_config.TextColumn("interval, %"),
            "ECE": st.column_config.NumberColumn("ECE", format="percent"),
            "confidence less accuracy": st.column_config.NumberColumn("confidence less accuracy", format="%+.2f"),
        },
        alt=f"Table of {len(rows)} groups with accuracy and calibration",
    )


def _members(run: Run, column: str) -> tuple[np.ndarray, Sequence[str]]:
    """The group of each example, and the names of the groups, each as one line."""
    if column in grouping_columns(run):
        found = own_groups(run, column)
        return found.members, found.names
    groups, names = groups_of(run, column)
    return groups, list(map(one_line, names))


# The digest is the caches' key.


@st.cache_resource(max_entries=4, show_spinner=False)
def _ways(digest: str, _run: Run) -> dict[str, Terms]:  # noqa: ARG001
    with _bar("Reading the passes") as progress:
        return ways_of(_run, progress)


@st.cache_resource(max_entries=4, show_spinner="Resampling the examples …")
def _calibration(digest: str, _run: Run) -> Calibration:
    return calibration(_ways(digest, _run))


@st.cache_resource(max_entries=8, show_spinner="Resampling the groups …")
def _by_group(digest: str, column: str, _groups: np.ndarray, _found: Calibration) -> dict[int, Calibration]:  # noqa: ARG001
    return calibration_by_group({"ensemble": _found.ways["ensemble"]}, _groups)


@st.cache_resource(max_entries=16, show_spinner=False)
def _convergence(digest: str, score: str, _run: Run) -> Convergence:  # noqa: ARG001
    """From beside the run if it is there."""
    names = [field.name for field in fields(Convergence)]
    derived = Derived(f"convergence-{score.replace('_', '-')}", 1, dict.fromkeys(names, "float64"))
    kept = load_derived(_run, derived)
    if kept is not None and len({len(kept[name]) for name in names}) == 1 and kept["sizes"][-1:] == _run.passes:
        return Convergence(**{**kept, "sizes": kept["sizes"].astype(np.int64)})
    with _bar("Comparing sizes of the ensemble") as progress:
        found = convergence_of(_run, score, progress)
    save_derived(_run, derived, {name: getattr(found, name) for name in names})
    return found


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    """A progress bar while something is read; a click elsewhere stops that."""
    bar = st.empty()

    def progress(done: int, total: int) -> None:
        bar.progress(done / total, f"{what} …")

    try:
        yield progress
    finally:
        bar.empty()
