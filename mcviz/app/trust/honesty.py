"""Is the number honest? Calibration of the deterministic model, a single pass and the ensemble."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.analysis.trust import (
    CLASS_COLUMNS,
    Convergence,
    compute_convergence,
    group_by_column,
    predictors,
    run_group_tests,
    verdict_sentences,
)
from mcviz.app.caching import cached_for_run, numbers_key, table_key
from mcviz.app.columns import grouping_columns
from mcviz.app.columns import groups as own_groups
from mcviz.app.compared_run import ComparedRun
from mcviz.app.components.charts import chart
from mcviz.app.components.widgets import bind
from mcviz.app.state import PageState, choose_name
from mcviz.app.wording import as_markdown, counted
from mcviz.figures.trust import PREDICTOR_LABELS, measures_by_passes, reliability_diagram
from mcviz.measures import SCORES, percent
from mcviz.measures.bootstrap import Interval
from mcviz.measures.calibration import (
    FEWEST_OF_EACH,
    Bins,
    Calibration,
    CalibrationFigures,
    CalibrationTerms,
    calibration,
    calibration_by_group,
    has_enough_mistakes,
)
from mcviz.measures.groups import FEWEST_IN_GROUP, GroupTest
from mcviz.runs import Derived, Run, load_derived, save_derived
from mcviz.runs.columns import Groups
from mcviz.runs.contents import Progress
from mcviz.text import one_line

NAMES = {
    "deterministic": "deterministic",
    "single_pass": "single pass, on average",
    "ensemble": "ensemble",
    "deterministic_scaled": "deterministic, temperature-scaled",
    "ensemble_scaled": "ensemble, temperature-scaled",
}
BINS = {"width": "of equal width", "mass": "of equally many examples"}
MOST_GROUPS = 50
MOST_UNCERTAIN = 100  # examples, by which rankings are compared
TABLE_ROWS = 12
HEIGHT = 460  # pixels


def honesty(run: Run, state: PageState) -> None:
    """The first half of the page: a verdict in words, the figures behind it, where they come from, and by group."""
    found = _calibration(run)
    compared = run.change if isinstance(run, ComparedRun) else None  # follows from what is correct
    columns = {name: _members(run, name) for name in _offered(run) if name != compared}
    tests = _tests(run, columns)
    verdict, *others = verdict_sentences(run, found, tests, columns, as_markdown)
    st.markdown("\n".join([verdict, "", *(f"- {other}" for other in others)]))
    _figures_table(found)
    fewest = f"{FEWEST_OF_EACH} mistakes and {FEWEST_OF_EACH} correct predictions"
    enough = has_enough_mistakes(*found.predictors.values())
    least = "" if enough else f" NLL and Brier score have one from {fewest} on."
    st.caption(
        f"In brackets 95% intervals.{least} Beside an ECE stands what a calibrated model stays below, by chance, 99 "
        "times in 100. For the NLL, probabilities are clipped at half a step of storage, since a stored 0 would make "
        f"it infinite. Each half of the labels sets the temperature of the other half."
    )
    left, right = st.columns(2, gap="large")
    with left:
        _reliability(found, state)
    with right:
        _groups(run, tests, state)


def enough_passes(run: Run, state: PageState) -> None:
    """How the figures and the ranking change as passes are added."""
    score = state.score if not SCORES[state.score].needs_labels else "max_probability"
    found = _convergence(run, score)
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
            f"uncertain examples by {SCORES[score].inline_label}."
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
        if way in PREDICTOR_LABELS:
            rows[f"ensemble − {PREDICTOR_LABELS[way]}"] = _row(difference, signed=True)
    with st.container(key="figures"):
        st.table(pd.DataFrame.from_dict(rows, orient="index").rename_axis("prediction by"))


def _row(of: CalibrationFigures, signed: bool = False) -> dict[str, str]:
    sign = "+" if signed else ""
    return {
        "accuracy": _percent(of.accuracy, sign),
        "NLL, nats": of.nll.format(f"{{:{sign}.4f}}".format),
        "Brier score": of.brier.format(f"{{:{sign}.4f}}".format),
        "ECE": _percent(of.ece, sign) + _by_chance(of.ece_by_chance),
        "ECE, equal mass": _percent(of.ece_equal_mass, sign) + _by_chance(of.ece_equal_mass_by_chance),
        "confidence − accuracy": _percent(of.overconfidence, "+"),
    }


def _by_chance(ece: float) -> str:
    return "" if np.isnan(ece) else f", chance {percent(ece, 2)}"


def _percent(of: Interval, sign: str) -> str:
    points = Interval(100 * of.value, 100 * of.low, 100 * of.high)
    unit = " points" if sign else "%"
    return points.format(f"{{:{sign}.2f}}".format, unit)


def _reliability(found: Calibration, state: PageState) -> None:
    st.subheader("Are the probabilities calibrated?", anchor=False)
    st.caption(
        "Of the predictions with a probability of 80%, four in five should be correct. Above the dotted line the model "
        "is under-confident, below it over-confident."
    )
    bins = choose_name(state.bins, BINS)
    st.segmented_control("Bins", list(BINS), format_func=BINS.__getitem__, required=True, **bind("bins", bins))
    drawn = found.bins if bins == "width" else found.equal_mass_bins
    chart(
        reliability_diagram({name: _points(drawn[way]) for way, name in PREDICTOR_LABELS.items() if way in drawn}),
        "reliability",
        f"Accuracy against max probability in bins {BINS[bins]}; the table above has the ECE of each.",
    )


def _points(bins: Bins) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return bins.confidence, bins.accuracy, bins.count


def _offered(run: Run) -> list[str]:
    return [*CLASS_COLUMNS, *grouping_columns(run)]


def _groups(run: Run, tests: Sequence[GroupTest], state: PageState) -> None:
    st.subheader("Does a group fare worse?", anchor=False)
    offered = _offered(run)
    column = choose_name(state.column, offered)
    st.selectbox("Group by", offered, format_func=one_line, width=250, **bind("column", column))
    groups = _members(run, column)
    counts = np.bincount(groups.members, minlength=len(groups.names))
    largest = np.argsort(-counts, kind="stable")[:MOST_GROUPS]
    kept = [int(group) for group in largest if counts[group] >= FEWEST_IN_GROUP]
    if not kept:
        st.info(f"No group has {FEWEST_IN_GROUP} examples, so none can be told from chance.", icon=":material/inbox:")
        return
    by_group = _by_group(run, column)
    beyond: dict[int, list[str]] = {}
    for test in sorted(tests, key=lambda test: test.measure):
        if test.column == column and test.is_beyond_chance:
            beyond.setdefault(test.group, []).append(
                "less accurate" if test.measure == "accuracy" else f"{'over' if test.value > 0 else 'under'}-confident"
            )
    rows = pd.DataFrame(
        [
            {
                "group": groups.names[group],
                "examples": int(counts[group]),
                "accuracy": each.figures["ensemble"].accuracy.value,
                "interval": _ends(each.figures["ensemble"].accuracy),
                "confidence − accuracy": 100 * each.figures["ensemble"].overconfidence.value,
                "its interval": _ends(each.figures["ensemble"].overconfidence),
                "beyond chance": ", ".join(beyond.get(group, [])),
            }
            for group, each in by_group.items()
            if group in kept
        ]
    ).sort_values("accuracy", kind="stable")
    st.caption(
        "Of the ensemble, the least accurate group first, with 95% intervals. Groups of fewer than "
        f"{FEWEST_IN_GROUP} examples are left out. Confidence less accuracy is in points: above 0 is over-confident. "
        "Beyond chance is what a test of all groups together finds, of accuracy against the rest and of confidence; "
        "by label of accuracy alone."
    )
    st.dataframe(
        rows,
        key=f"by-group-{column}",
        hide_index=True,
        height="content" if len(rows) <= TABLE_ROWS else HEIGHT,
        column_config={
            "accuracy": st.column_config.NumberColumn("accuracy", format="percent"),
            "interval": st.column_config.TextColumn("interval, %"),
            "confidence − accuracy": st.column_config.NumberColumn("confidence − accuracy", format="%+.2f"),
            "its interval": st.column_config.TextColumn("interval, points"),
        },
        alt=f"Table of {len(rows)} groups with accuracy and calibration",
    )


def _ends(of: Interval) -> str:
    return f"{100 * of.low:.2f} to {100 * of.high:.2f}"


def _members(run: Run, column: str) -> Groups:
    """The groups of a column; the user's own are kept."""
    return group_by_column(run, column) if column in CLASS_COLUMNS else own_groups(run, column)


@cached_for_run(numbers_key, max_entries=4)
def _ways(run: Run) -> dict[str, CalibrationTerms]:
    with _bar("Reading the passes") as progress:
        return predictors(run, progress)


@cached_for_run(numbers_key, max_entries=4, show_spinner="Resampling the examples …")
def _calibration(run: Run) -> Calibration:
    return calibration(_ways(run))


@cached_for_run(table_key, max_entries=4, show_spinner="Testing the groups …")
def _tests(run: Run, _columns: Mapping[str, Groups]) -> list[GroupTest]:
    return run_group_tests(_calibration(run).predictors["ensemble"], _columns)


@cached_for_run(table_key, max_entries=8, show_spinner="Resampling the groups …")
def _by_group(run: Run, column: str) -> dict[int, Calibration]:
    return calibration_by_group({"ensemble": _calibration(run).predictors["ensemble"]}, _members(run, column).members)


@cached_for_run(numbers_key, max_entries=16)
def _convergence(run: Run, score: str) -> Convergence:
    """From beside the run if it is there."""
    names = [field.name for field in fields(Convergence)]
    derived = Derived(f"convergence-{score.replace('_', '-')}", 1, dict.fromkeys(names, "float64"))
    kept = load_derived(run.path, run.digest, derived)
    if kept is not None and len({len(kept[name]) for name in names}) == 1 and kept["sizes"][-1:] == run.passes:
        return Convergence(**{**kept, "sizes": kept["sizes"].astype(np.int64)})
    with _bar("Comparing sizes of the ensemble") as progress:
        found = compute_convergence(run, score, progress)
    save_derived(run.path, run.digest, derived, {name: getattr(found, name) for name in names})
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
