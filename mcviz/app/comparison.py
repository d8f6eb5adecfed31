"""The parts of the page that compares two runs."""

from dataclasses import replace
from typing import get_args

import numpy as np
import streamlit as st

from mcviz.analysis.comparison import OTHER_PREFIX, Comparison, check_comparable, compare
from mcviz.analysis.pairing import LabelChoice
from mcviz.app.components.charts import text_table
from mcviz.app.components.gallery import tiles
from mcviz.app.failures import refusal
from mcviz.app.filters import ColumnFilter
from mcviz.app.kinds import render_example
from mcviz.app.navigation import COMPARE, EXAMPLE, EXPLORE, chips, open_page, score_chooser
from mcviz.app.resources import (
    ComparedRun,
    all_grouping_columns,
    available,
    cached_for_run,
    names_key,
    open_cached_run,
    run_numbers,
    run_paths,
    run_scores,
)
from mcviz.app.selection import filter_mask, select
from mcviz.app.state import PageState, choose_name, quote, state_widget_args, update_state
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import load_example
from mcviz.app.views.look_panel import render_gallery
from mcviz.app.views.scatter import COLOURINGS, render_scatter_chart
from mcviz.app.wording import all_as_markdown, as_markdown
from mcviz.errors import McvizError
from mcviz.runs import Run
from mcviz.text import one_line

MOST_CHANGED = 5  # examples that changed, of each kind: a row
COMPARED_WIDTH = 220  # pixels, of an example in both runs


def choose_other(run: Run, state: PageState) -> None:
    """Render the choice of the run that is compared with, where there are several."""
    others = [name for name in run_paths() if name != run.name]
    if others:
        st.selectbox(
            "Compare with",
            others,
            format_func=one_line,
            placeholder="Choose a run",
            width=320,
            **state_widget_args(
                "other",
                state.other if state.other in others else None,
                lambda new: update_state(other=new or ""),
                may_be_empty=True,
            ),
        )


def load_other(run: Run, state: PageState) -> Run:
    """Load the run that another is compared with; without one, the page ends with a sentence on what to do."""
    paths = run_paths()
    if len(paths) < 2:
        st.info(
            "There is only one run here. Sample the model again, with another seed or `--rate`, or another model, to "
            "compare the two.",
            icon=":material/inbox:",
        )
        st.stop()
    if state.other not in paths or state.other == run.name:
        if state.other not in ("", run.name):
            st.warning(f"There is no run {quote(state.other)} here.", icon=":material/link_off:")
        st.info("Choose the run to compare with above.", icon=":material/compare_arrows:")
        st.stop()
    try:
        other = open_cached_run(paths[state.other])
        check_comparable(run.manifest, other.manifest)
    except McvizError as error:
        st.error(
            f"**{as_markdown(state.other)}** cannot be compared. {refusal(error, COMPARE.title)}",
            icon=":material/error:",
        )
        st.stop()
    return other


def render_verdict(run: Run, other: Run, state: PageState, score: str) -> None:
    """Render a verdict in words, and the measures of both runs with their differences."""
    comparison = compare_cached(run, other, score, state.labels_of)
    st.markdown(comparison.examples_in_words)
    if comparison.pairs.labels_differ:
        _render_label_choice(comparison, state)
    for note in comparison.notes:
        st.caption(f":material/info: {note}")
    if not comparison.measures:
        return
    st.markdown(as_markdown(comparison.in_words))
    columns = "measure", as_markdown(run.name), as_markdown(other.name), "difference", ""
    with st.container(key="figures"):
        text_table(columns, map(all_as_markdown, comparison.text_rows))
    if comparison.paired:
        st.caption(
            f"The difference is {as_markdown(other.name)} − {as_markdown(run.name)}, with "
            f"{100 * comparison.confidence:.6g}% intervals; without 0, it is more than noise. Each row is judged by "
            "itself, the sentence above by its measures together. Examples are ranked by "
            f"{run_scores(run)[score].inline_label}."
        )
    task_renderer(run).render_comparison(comparison)


def render_changes(run: ComparedRun, state: PageState, score: str) -> None:
    """Render how many examples changed, the first of those that got worse or better, and links to all."""
    comparison = compare_cached(run, run.other, score, state.labels_of)
    changes = comparison.changes
    assert changes is not None  # they share examples
    counts = ", ".join(f"**{count:,}** {kind}" for kind, count in changes.counts.items())
    st.markdown(f"From {as_markdown(run.name)} to {as_markdown(run.other.name)}: {counts}.")
    for column, kind in zip(st.columns(len(changes.moved), gap="large"), changes.moved, strict=True):
        with column:
            st.subheader(kind.capitalize(), anchor=False)
            examples = comparison.changed(kind)
            if not len(examples):
                st.caption("No example.")
                continue
            tiles(run, state, examples[:MOST_CHANGED], None, state.score, key=f"changed-{kind.split()[0]}", to=COMPARE)
            filters = replace(state.filters, columns=(ColumnFilter(run.change, (kind,)),))
            st.page_link(
                EXPLORE.script,
                label="Filter to this one" if len(examples) == 1 else f"Filter to these {len(examples):,}",
                icon=":material/arrow_forward:",
                query_params=state.link(filters=filters.without("lasso", "area", "selected")),
            )
    st.caption("The largest changes first. Click one to see it in both runs below.")


def render_example_in_both(run: ComparedRun, state: PageState, score: str) -> None:
    """Render one example, and the passes of each run over it, on the same axes."""
    comparison = compare_cached(run, run.other, score, state.labels_of)
    changes = comparison.changes
    assert changes is not None
    example = int(comparison.pairs.one[np.abs(changes.worse).argmax()]) if state.example is None else state.example
    place = comparison.pairs.find(example)
    left, right = st.columns([1, 3], gap="large")
    with left:
        st.number_input("Example", 0, len(run) - 1, width=140, **state_widget_args("example", example))
        render_example(run, example, COMPARED_WIDTH)
        st.caption(
            f"{as_markdown(run.other.name)} does not have this example."
            if place is None
            else f"From {as_markdown(run.name)} to {as_markdown(run.other.name)}: {changes.kinds[changes.kind[place]]}."
        )
        if st.button("Open it", icon=":material/open_in_new:", key="open-example"):
            open_page(EXAMPLE, state, example=example)
    if place is not None:
        with right:
            task_renderer(run).render_example_of_both(load_example(run, state, example), comparison)


def render_doubt(run: ComparedRun, state: PageState, score: str) -> None:
    """Render a score in one run against the same in the other, with a lasso that filters."""
    comparison, numbers = compare_cached(run, run.other, score, state.labels_of), run_numbers(run)
    axis_score = choose_name(state.score, [name for name in run_scores(run) if OTHER_PREFIX + name in numbers], score)
    if comparison.shared_top is not None:
        st.markdown(
            f"Of the 100 examples that each is most uncertain about, by {run_scores(run)[score].inline_label}, "
            f"**{100 * comparison.shared_top:.0f}** are the same."
        )
    colourings = [*all_grouping_columns(run), *available(COLOURINGS, run)]
    colouring = choose_name(state.colour, colourings, choose_name(run.change, colourings))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        score_chooser("Score", run, state)
    selection = select(run, state)
    chips(selection)
    if not filter_mask(run, selection.filters.without("lasso")).any():
        render_gallery(selection)
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        render_scatter_chart(
            selection, axis_score, OTHER_PREFIX + axis_score, colouring, name="both", line=True, looks=False
        )
    with right:
        render_gallery(selection)


@cached_for_run(names_key, max_entries=4)
def compare_cached(run: Run, other: Run, score: str, labels: LabelChoice) -> Comparison:
    """Compare two runs."""
    bar = st.empty()

    def progress(done: int, total: int) -> None:
        bar.progress(done / total, "Reading the passes …" if done < total else "Resampling the examples …")

    try:
        return compare(run, other, score=score, labels=labels, progress=progress)
    finally:
        bar.empty()


def _render_label_choice(comparison: Comparison, state: PageState) -> None:
    """Render the choice of the run whose labels both are measured by."""
    newer_is_other = (comparison.pairs.labels_of is comparison.other) == (state.labels_of == "new")
    runs = (comparison.other, comparison.one) if newer_is_other else (comparison.one, comparison.other)
    names = {choice: run.name for choice, run in zip(get_args(LabelChoice), runs, strict=True)}
    st.radio(
        "Measure both by the labels of",
        list(names),
        format_func=lambda choice: f"{as_markdown(names[choice])}, the {choice}er run",
        horizontal=True,
        **state_widget_args("labels_of", state.labels_of),
    )
