"""Calibration in all, by group and in the worst slice, and the accuracy of a run without labels."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from mcviz import plot
from mcviz.analysis.base import find_groups, group_sentence
from mcviz.analysis.calibration_sentences import calibration_sentences, calibration_text
from mcviz.analysis.predictors import (
    CLASS_COLUMNS,
    group_by_column,
    main_predictors,
    other_predictors,
    verdict_sentences,
)
from mcviz.analysis.quality_trust import QualityTrust, measure_quality
from mcviz.analysis.referral import check_same_model
from mcviz.analysis.slices import Slice, Slices, slices
from mcviz.analysis.unlabelled import SHIFTED, Estimate, RunEstimate, estimate_without_labels
from mcviz.app.components import chart, table_height, text_table
from mcviz.app.filters import ColumnFilter, Filters
from mcviz.app.navigation import EXPLORE
from mcviz.app.resources import (
    MISSING,
    ComparedRun,
    cached_for_run,
    details,
    grouping_columns,
    has,
    missing,
    names_key,
    numbers_key,
    open_cached_run,
    run_numbers,
    run_paths,
    table_key,
)
from mcviz.app.resources import groups as own_groups
from mcviz.app.state import PageState, choose_name, state_widget_args
from mcviz.app.wording import as_markdown
from mcviz.app.work import hide_folders, progress_bar
from mcviz.errors import McvizError
from mcviz.measures.calibration import (
    CALIBRATION_MEASURES,
    Calibration,
    Verdict,
    add_predictors,
    calibration,
    calibration_by_group,
    find_verdict,
)
from mcviz.measures.shift import FEWEST_LABELS
from mcviz.measures.slices import FEWEST_IN_GROUP
from mcviz.runs import Run, labelled_examples, labelled_numbers
from mcviz.runs.columns import Groups
from mcviz.text import one_line, percent

INDEPENDENT = "none: all are independent"
ANSWERS: dict[Verdict, str] = {
    "calibrated": "Yes, as far as these examples tell: the model is right as often as the probabilities say.",
    "under-confident": "No, the probabilities are too low: the model is right more often than they say.",
    "over-confident": "No, the probabilities are too high: the model is right less often than they say.",
    "uneven": "No, the probabilities are too high in places and too low in others.",
    "too few examples": "Too few examples to tell.",
    "too few groups": "Too few groups of examples to tell.",
}
UNKNOWN = "Without labels nobody can tell whether the probabilities can be trusted"
MOST_GROUPS, MOST_NAMED = 50, 5
NO_LARGE_GROUP = f"No group has {FEWEST_IN_GROUP} examples, so no difference can be told from chance."
GROUP_MEASURES = "rmse", "coverage", "width", "within_tolerance"  # of numbers
WORSE = {"mistakes": "less accurate", "overconfidence": "over-confident"}  # measures of slices
cached_estimate = cached_for_run(names_key, max_entries=4, show_spinner="Comparing the runs …")(estimate_without_labels)


def chosen_group(run: Run, state: PageState) -> str | None:
    """Return the state's column if it exists, or None."""
    return state.group if state.group in _columns_of_groups(run) else None


def render_group_choice(run: Run, state: PageState) -> None:
    """Render the choice of a group column if there are own columns."""
    if columns := _columns_of_groups(run):
        label = "Groups that belong together, such as the images of a patient"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(label, width="content")
            st.selectbox(
                label,
                ["", *columns],
                format_func=lambda name: one_line(name) if name else INDEPENDENT,
                label_visibility="collapsed",
                width=260,
                **state_widget_args("group", chosen_group(run, state) or ""),
            )


def _columns_of_groups(run: Run) -> list[str]:
    own = details(run)
    return [name for name in own if name != run.change] if isinstance(run, ComparedRun) else own


def render_worst_slice(run: Run, state: PageState) -> None:
    """Render the worst slice by each measure, with a link that filters to its examples; or that there is none."""
    found = find_slices(run, chosen_group(run, state))
    if not found.slices:
        st.markdown(as_markdown(found.in_words))
    for sentence, worst in zip(found.sentences, found.worst, strict=bool(found.slices)):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(as_markdown(sentence), width="content")
            st.page_link(
                EXPLORE.script,
                label=f"Filter to these {len(worst.examples):,}",
                icon=":material/filter_list:",
                query_params=state.link(filters=slice_filters(run, worst), view=""),
            )


def slice_filters(run: Run, worst: Slice) -> Filters:
    """Return the filters that select the examples of a slice."""
    filters = Filters()
    for condition in worst.conditions:
        match condition.value:
            case int():
                filters = filters.with_column(ColumnFilter(condition.column, (condition.value,)), condition.column)
            case (low, high) if condition.column in run_numbers(run):
                filters = filters.with_range(condition.column, low, high)
            case (low, high):
                filters = filters.with_column(ColumnFilter(condition.column, low=low, high=high))
            case text:
                filters = filters.with_column(ColumnFilter(condition.column, (text,)))
    return filters


@cached_for_run(names_key, max_entries=4)
def find_slices(run: Run, group: str | None) -> Slices:
    """Find the slices that the model is worse on, with progress."""
    with progress_bar("permutations") as progress:
        return slices(run, group=group, progress=progress)


def describe_calibration(run: Run, state: PageState) -> str:
    """Say whether the probabilities can be trusted: yes, no, or too few examples to tell; with the figures."""
    measured = main_calibration(run, chosen_group(run, state))
    return " ".join([f"**{ANSWERS[find_verdict(measured)]}**", *calibration_sentences(measured)[:2]])


def render_reliability(run: Run, state: PageState) -> None:
    """Render the reliability diagram and the independent units."""
    group = chosen_group(run, state)
    st.caption(
        f"Above 0, it is right more often than it says. With 95% intervals. {as_markdown(group_sentence(run, group))}"
    )
    spoken = "Accuracy − confidence by confidence, with 95% intervals; above zero is under-confident."
    chart(_reliability(run, group), "reliability", spoken)


@cached_for_run(numbers_key, max_entries=4, show_spinner="Resampling the examples …")
def find_calibration(run: Run, group: str | None = None) -> Calibration:
    """Find the figures of all predictors, for which the passes are read; cached."""
    with progress_bar("groups of examples read") as progress:
        others = other_predictors(run, progress, group=group)
    return add_predictors(main_calibration(run, group), others)


def render_figures(run: Run, state: PageState) -> None:
    """Render figures of each predictor and the ensemble's gains."""
    measured = find_calibration(run, chosen_group(run, state))
    _, _, guessing, *gains = verdict_sentences(run, measured)
    st.markdown(" ".join(["**The ensemble.**", *gains, guessing]))
    chart(plot.calibration(run, measured), "figures", calibration_text(measured))
    st.caption(
        "With 95% intervals. Chance: a calibrated model has a lower ECE 99 times in 100. For the NLL, "
        "probabilities are clipped at half a step of storage, since a stored 0 would make it infinite. The temperature "
        "of each half of the examples is fitted to the labels of the other half."
    )


def render_groups(run: Run, state: PageState) -> None:
    """Render how good the ensemble is on each group of a column, and which groups are worse than chance explains."""
    columns = _group_columns(run)
    column = choose_name(state.column, columns)
    st.selectbox("Group by", columns, format_func=one_line, width=250, **state_widget_args("column", column))
    if not has(run, "classes"):
        _render_group_qualities(run, column, chosen_group(run, state))
        return
    groups = _load_groups(run, column)
    counts = np.bincount(groups.members, minlength=len(groups.names))
    largest = np.argsort(-counts, kind="stable")[:MOST_GROUPS]
    large_groups = [int(group) for group in largest if counts[group] >= FEWEST_IN_GROUP]
    if not large_groups:
        st.info(NO_LARGE_GROUP, icon=":material/inbox:")
        return
    beyond: dict[int, list[str]] = {}
    group_of_examples = chosen_group(run, state)
    for worse_slice in find_slices(run, group_of_examples).of_column(column):
        place = np.searchsorted(labelled_numbers(run), worse_slice.examples[0])
        beyond.setdefault(int(groups.members[place]), []).append(WORSE[worse_slice.measure])
    rows = pd.DataFrame(
        [
            {
                "group": groups.names[group],
                "examples": int(counts[group]),
                "accuracy": measured.figures["ensemble"]["accuracy"].value,
                "interval": _ends(measured, "accuracy"),
                "confidence − accuracy": 100 * measured.figures["ensemble"]["overconfidence"].value,
                "its interval": _ends(measured, "overconfidence"),
                "beyond chance": ", ".join(beyond.get(group, [])),
            }
            for group, measured in _group_calibrations(run, column, group_of_examples).items()
            if group in large_groups
        ]
    ).sort_values("accuracy", kind="stable")
    st.markdown(f"**{_name_worse(rows['group'][rows['beyond chance'] != ''].tolist())}**")
    st.caption(
        "Of the ensemble, the least accurate group first, with 95% intervals. Groups of fewer than "
        f"{FEWEST_IN_GROUP} examples are left out. Confidence − accuracy is in points: above 0 is over-confident. "
        "Beyond chance: in a test of all slices together, it is less accurate or more over-confident than the rest. "
        "By label, only accuracy is tested."
    )
    st.dataframe(
        rows,
        key=f"by-group-{column}",
        hide_index=True,
        height=table_height(len(rows)),
        column_config={
            "accuracy": st.column_config.NumberColumn("accuracy", format="percent"),
            "interval": st.column_config.TextColumn("interval, %"),
            "confidence − accuracy": st.column_config.NumberColumn("confidence − accuracy", format="%+.2f"),
            "its interval": st.column_config.TextColumn("interval, points"),
        },
        alt=f"Table of {len(rows)} groups with accuracy and calibration",
    )


def _render_group_qualities(run: Run, column: str, group: str | None) -> None:
    trust, worse = _group_qualities(run, column, group), find_slices(run, group).of_column(column)
    large = {name: found for name, found in trust.by_group.items() if found.examples >= FEWEST_IN_GROUP}
    if not large:
        st.info(NO_LARGE_GROUP, icon=":material/inbox:")
        return
    st.markdown(f"**{_name_worse(list(dict.fromkeys(one.conditions[0].name for one in worse)))}**")
    st.caption(
        "Of the ensemble, the worst group first, with 95% intervals where examples are enough. Groups of fewer than "
        f"{FEWEST_IN_GROUP} examples are left out. Worse: in a test of all slices together."
    )
    first, *_ = measures = [one for one in run.task.quality.measures if one.name in GROUP_MEASURES]
    sign = 1 if first.better == "high" else -1
    ordered = sorted(large.items(), key=lambda pair: sign * pair[1].figures[first.name].value)[:MOST_GROUPS]
    rows = [
        (as_markdown(name), f"{found.examples:,}", *(as_markdown(trust.format(found.figures, one)) for one in measures))
        for name, found in ordered
    ]
    text_table(("group", "examples", *(one.label for one in measures)), rows)


def _name_worse(worse: list[str]) -> str:
    named = ", ".join(map(as_markdown, worse[:MOST_NAMED]))
    more = f" and {len(worse) - MOST_NAMED:,} more" if len(worse) > MOST_NAMED else ""
    return f"Worse than chance explains: {named}{more}." if worse else "No group is worse than chance explains."


def _ends(measured: Calibration, name: str) -> str:
    share, write = measured.figures["ensemble"][name], CALIBRATION_MEASURES[name].format_number
    return f"{write(share.low)} to {write(share.high)}"


def _group_columns(run: Run) -> list[str]:
    return [*(CLASS_COLUMNS if has(run, "classes") else ()), *grouping_columns(run)]


def _load_groups(run: Run, column: str) -> Groups:
    labelled = labelled_examples(run)
    is_cached = column not in CLASS_COLUMNS and labelled is run
    return own_groups(run, column) if is_cached else group_by_column(labelled, column)


@cached_for_run(numbers_key, max_entries=4, show_spinner="Resampling the examples …")
def main_calibration(run: Run, group: str | None) -> Calibration:
    """Find the figures of the ensemble and of the deterministic model; cached."""
    return calibration(main_predictors(run), groups=find_groups(labelled_examples(run), group))


@cached_for_run(numbers_key, max_entries=4)
def _reliability(run: Run, group: str | None) -> Figure:
    return plot.reliability(run, main_calibration(run, group).predictors, group=group)


@cached_for_run(table_key, max_entries=8, show_spinner="Resampling the groups …")
def _group_calibrations(run: Run, column: str, group: str | None) -> dict[int, Calibration]:
    measured = main_calibration(run, group)
    ensemble = {"ensemble": measured.predictors["ensemble"]}
    return calibration_by_group(ensemble, _load_groups(run, column).members, groups=measured.groups)


@cached_for_run(table_key, max_entries=8, show_spinner="Measuring the groups …")
def _group_qualities(run: Run, column: str, group: str | None) -> QualityTrust:
    return measure_quality(run, group=group, by=column)


def describe_estimate(run: Run, state: PageState) -> str:
    """Say the estimated accuracy of a run without labels, and any doubt about it."""
    estimate = _find_estimate(run, state)
    if estimate is None:
        return f"**{UNKNOWN}**, and there is no run of the same model with labels here to estimate the accuracy by."
    doubt = ", and the estimate is in doubt" if estimate.shift_sentences else ""
    return f"**{UNKNOWN}{doubt}.** {as_markdown(estimate.sentences[0])}"


def render_estimate(run: Run, state: PageState) -> None:
    """Render the labelled run of the estimate, and differences from it."""
    if estimate := _find_estimate(run, state):
        st.header("What speaks for the estimate?", anchor=False)
        offered = _find_labelled_runs(run)
        st.selectbox(
            "Estimate the accuracy by the labels of", list(offered), format_func=one_line, width=340,
            **state_widget_args("calibrated_on", choose_name(state.calibrated_on, offered)),
        )  # fmt: skip
        _render_doubts(estimate, estimate.sentences[1:])
    st.info(missing(run, "labels"), icon=MISSING["labels"][0])


def render_unlabelled(run: Run, state: PageState) -> None:  # noqa: ARG001 (as of every question on Trust)
    """Render the estimate from some labels for the others."""
    if run.manifest.labelled < FEWEST_LABELS:
        st.caption(f"It takes {FEWEST_LABELS} labels or more.")
        return
    estimate = cached_estimate(run, run)
    first, *more = estimate.sentences
    st.markdown(f"**{as_markdown(first)}**")
    _render_doubts(estimate, more)


def _render_doubts(estimate: Estimate, sentences: Sequence[str]) -> None:
    for warning in (*estimate.shift_sentences, *estimate.warnings):
        st.warning(as_markdown(hide_folders(warning)), icon=":material/warning:")
    st.markdown(" ".join(map(as_markdown, sentences)))
    _render_shifts(estimate)


def _render_shifts(estimate: Estimate) -> None:
    at_temperature = ""
    if isinstance(estimate, RunEstimate):
        found = estimate.estimated
        at_temperature = (
            f"Temperature {found.temperature:.3f}, mean confidence at it {percent(found.mean_confidence, 2)}. "
        )
    st.caption(
        f"{at_temperature}Shifted: a p-value below {SHIFTED:g}, corrected for {len(estimate.columns):,} tests. "
        "`mcviz trust` with `--calibrated-on` asks the model for the OOD score as well."
    )
    labels = {name: score.label for name, score in estimate.run.score_registry.items()}
    rows = pd.DataFrame(
        [
            (
                labels.get(column.name, one_line(column.name)),
                column.test,
                column.statistic,
                column.p_value,
                column.corrected,
                column.is_shifted,
            )
            for column in estimate.columns
        ],
        columns=["column or score", "test", "statistic", "p", "corrected p", "shifted"],
    )
    numbers = {"statistic": "%.3f", "p": "%.2g", "corrected p": "%.2g"}
    st.dataframe(
        rows,
        key="shifts",
        hide_index=True,
        height=table_height(len(rows)),
        column_config={name: st.column_config.NumberColumn(format=form) for name, form in numbers.items()},
        alt=f"Table of {len(rows)} columns and scores, and whether they are distributed otherwise",
    )


def _find_estimate(run: Run, state: PageState) -> Estimate | None:
    offered = _find_labelled_runs(run)
    return cached_estimate(run, offered[choose_name(state.calibrated_on, offered)]) if offered else None


def _find_labelled_runs(run: Run) -> dict[str, Run]:
    labelled = {}
    for name, path in run_paths().items():
        try:
            other = open_cached_run(path)
            check_same_model(run, other)
        except McvizError:  # it is damaged, or of another model
            continue
        if other.manifest.labelled >= FEWEST_LABELS:
            labelled[name] = other
    return labelled
