"""Decisions on Trust: a class's threshold, and tolerances."""

from functools import partial

import numpy as np
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import count_labels
from mcviz.analysis.thresholds import choosing_curve, costs_of_half, find_threshold, keep_threshold, thresholds
from mcviz.app.components import chart, text_table
from mcviz.app.navigation import load_state
from mcviz.app.resources import cached_for_run, class_names, numbers_key, table, target_names
from mcviz.app.state import queue_toast, rerun_fragments, session_store, state_widget_args, update_state, widget_value
from mcviz.app.wording import all_as_markdown, as_markdown
from mcviz.errors import InvalidInputError, McvizError
from mcviz.measures.intervals import Interval
from mcviz.measures.multilabel import THRESHOLD, measure_class
from mcviz.measures.thresholds import FEWEST_POSITIVE, Counts, Curve
from mcviz.permission import may_write
from mcviz.runs import Run
from mcviz.runs.storage import is_shipped
from mcviz.text import one_line, percent

HEADER = "From which probability on is it predicted?"
STEP = 0.005  # of the slider
FIELD = "tolerance-field"
USUAL_SHARE = 0.9  # of the errors, which are within the tolerance that is proposed


@cached_for_run(numbers_key, max_entries=32)
def _curve(run: Run, number: int, group: str | None) -> Curve:
    return choosing_curve(run, number, group)


@cached_for_run(numbers_key, max_entries=64)
def _f1(run: Run, number: int, group: str | None, threshold: float) -> Interval:
    probs, has_class = _curve(run, number, group).rows
    columns = (rows[:, None] for rows in (probs, has_class.astype(np.int8), probs > threshold))
    return measure_class(dict(zip(("probs", "labels", "predicted"), columns, strict=True)), 0).f1


@cached_for_run(numbers_key, max_entries=8)
def _costs(run: Run, group: str | None) -> str:
    return costs_of_half(run, group)


def at_half(run: Run) -> str:
    """Return the words behind a figure that does not follow the thresholds of its run; "" without any."""
    return f" at {THRESHOLD:g}" if run.decisions.thresholds else ""


def judged_words(run: Run) -> str:
    """Say how many examples count, such as "80 with a label"; "" for all."""
    if run.decisions.chosen_on:
        return f"{count_labels(run)[1]:,} whose labels judge"
    return "" if run.manifest.examples_with_labels is None else f"{run.manifest.labelled:,} with a label"


def describe_threshold(run: Run) -> str:
    """Say the threshold of one of two classes in Markdown; "" without one."""
    given = run.decisions.thresholds.items()
    return "".join(f"**{as_markdown(name)}** is predicted above {percent(each.value)}." for name, each in given)


def render_threshold_of_two(run: Run, trust_class: int | None, group: str | None) -> None:
    """Render the threshold of one of two classes: of that with a threshold, or else of the second."""
    names = class_names(run)
    decided = [names.index(name) for name in run.decisions.thresholds] or [1]
    number = decided[0] if trust_class not in (0, 1) else trust_class
    st.header(HEADER, anchor=False)
    st.markdown(" ".join(filter(None, [describe_threshold(run), as_markdown(_costs(run, group))])))
    widget = state_widget_args("trust_class", number, choose_class)
    st.segmented_control("Class", range(2), format_func=all_as_markdown(names).__getitem__, required=True, **widget)
    render_threshold(run, number, group)


def choose_class(number: int) -> None:
    """Show another class on Trust, with the threshold that counts for it, in a callback."""
    update_state(trust_class=number, trust_threshold=None)


@st.fragment
def render_threshold(run: Run, number: int, group: str | None) -> None:
    """Render the precision and recall of a class, and a slider for its threshold."""
    name = as_markdown(class_names(run)[number])
    if not run.task.has_one_class:
        st.header(HEADER, anchor=False)
    try:
        curve = _curve(run, number, group)
    except InvalidInputError as error:  # the half that chose earlier cuts groups
        st.caption(as_markdown(str(error)))
        return
    positives = curve.count(0.0).positives
    if positives < FEWEST_POSITIVE:
        st.caption(
            f"One half of the labels chooses a threshold, and {FEWEST_POSITIVE} of them with the class are needed. "
            f"**{name}** has {positives:,} there."
        )
        return
    is_wide = run.task.has_one_class
    left, right = st.columns(2, gap="medium") if is_wide else [st.container()] * 2
    with left:
        threshold = _choose_threshold(run, number, group, name)
    with right:
        chart(
            plot.precision_recall(run, number, threshold, group=group),
            "class-precision-recall",
            f"Precision over recall of {class_names(run)[number]}; marked is the threshold {threshold:.3f}.",
        )


def _choose_threshold(run: Run, number: int, group: str | None, name: str) -> float:
    counts_now, curve = find_threshold(run, number)[0], _curve(run, number, group)
    tried = load_state(run).trust_threshold
    threshold = counts_now if tried is None else tried
    st.slider(
        f"Threshold of {name}",
        0.0,
        1.0,
        step=STEP,
        format="%.3f",
        width=420,
        **state_widget_args("trust_threshold", threshold, partial(_try, counts_now)),
    )
    counts = curve.count(threshold)
    _render_counts(counts, curve.count(THRESHOLD))
    best = curve.find_best("f1")
    with st.container(horizontal=True, gap="small"):
        st.button(f"Best F1: {best:.3f}", on_click=partial(_try, counts_now, best), key="threshold-best")
        if may_write() and not is_shipped(run.path):
            keep = partial(_keep, run, run.class_names[number], threshold, group)
            st.button("Keep this threshold", on_click=keep, disabled=threshold == counts_now, key="threshold-keep")
    f1 = _f1(run, number, group, threshold)
    st.caption(
        f"Counted are the {counts.examples:,} labels that choose; its F1 by them is "
        f"{f1.format(lambda value: f'{value:.3f}')}. Once a threshold is kept, every figure is by the other half."
    )
    return threshold


def _render_counts(counts: Counts, at_half: Counts) -> None:
    rows = [
        (
            words,
            f"{of.both:,}",
            f"{of.positives - of.both:,}",
            f"{of.predicted - of.both:,}",
            percent(float(of.recall)),
            percent(float(of.precision)) if of.predicted else "–",
            f"{of.f1:.3f}",
        )
        for words, of in (("this", counts), (f"{THRESHOLD:g}", at_half))
    ]
    text_table(("threshold", "found", "missed", "false", "recall", "precision", "F1"), rows)


def _try(counts_now: float, threshold: float) -> None:
    update_state(trust_threshold=None if threshold == counts_now else round(threshold, 6))


def _keep(run: Run, name: str, threshold: float, group: str | None) -> None:
    try:
        keep_threshold(run, name, threshold, group)
    except McvizError as error:
        queue_toast(as_markdown(str(error)), ":material/error:")
    else:
        queue_toast(f"**{as_markdown(name)}** is predicted above {threshold:.3f}.", ":material/check:")
    update_state(trust_threshold=None)
    rerun_fragments()  # every figure of the page follows


def render_tolerance(run: Run) -> None:
    """Render a field for the tolerance of each target; nothing is computed by it until it is set."""
    st.markdown(as_markdown(thresholds(run).in_words))
    if not may_write() or is_shipped(run.path):
        return
    tolerances, unit = run.decisions.tolerances, as_markdown(run.manifest.unit)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for place, name in enumerate(target_names(run)):
            given = tolerances.get(run.targets[place])
            label = as_markdown(name) if len(run.targets) > 1 else "Tolerance"
            label += f", {unit}, or a share such as 5%" if unit else ", or a share such as 5%"
            st.text_input(label, str(given) if given else _propose(run, place), key=f"{FIELD}-{place}", width=260)
        st.button("Set", on_click=partial(_set_tolerance, run), key="tolerance-set")
        if tolerances:
            st.button("Clear", on_click=partial(_set_tolerance, run, clear=True), key="tolerance-clear")
    if problem := session_store().pop(FIELD, ""):
        st.error(problem)


def _propose(run: Run, place: int) -> str:
    several = len(run.targets) > 1
    label, prediction = (f"{name}_{run.targets[place]}" if several else name for name in ("label", "prediction"))
    errors = np.abs(table(run)[label].to_numpy(np.float64) - table(run)[prediction].to_numpy(np.float64))
    return f"{np.nanquantile(errors, USUAL_SHARE):.2g}"


def _set_tolerance(run: Run, *, clear: bool = False) -> None:
    given = {name: widget_value(f"{FIELD}-{place}") or "" for place, name in enumerate(run.targets)}
    try:
        thresholds(run, tolerance=None if clear else given, clear=clear)
    except McvizError as error:
        session_store()[FIELD] = as_markdown(one_line(str(error)))
