"""Two runs compared: which is better, which examples changed, by how much, and one example in both."""

import html
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import streamlit as st

from mcviz.analysis.comparison import OTHER_PREFIX, Comparison, check_comparable, compare, scores_to_compare
from mcviz.analysis.pairing import LabelChoice, name_apart
from mcviz.app.components.gallery import render_gallery, tiles
from mcviz.app.failures import refusal
from mcviz.app.filters import ColumnFilter
from mcviz.app.kinds import render_example
from mcviz.app.navigation import COMPARE, EXAMPLE, EXPLORE, chips, current_page, open_page, score_chooser
from mcviz.app.resources import (
    ComparedRun,
    all_grouping_columns,
    available,
    cached_for_run,
    names_key,
    open_cached_run,
    run_numbers,
    run_scores,
)
from mcviz.app.selection import filter_mask, select
from mcviz.app.state import PageState, choose_name, state_widget_args
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import load_example
from mcviz.app.views.scatter import COLOURINGS, render_scatter_chart
from mcviz.app.wording import as_markdown
from mcviz.errors import McvizError
from mcviz.measures.quality import MeasureComparison
from mcviz.runs import Run

MOST_CHANGED = 5  # examples that changed, of each kind: a row
VERDICT_MARKS = {"better": "▲ ", "worse": "▼ "}
COMPARED_WIDTH = 220  # pixels, of an example in both runs


def render_comparison(run: Run | None, state: PageState, paths: dict[str, Path]) -> None:
    """Render the comparison of the open run with the other one of the address, which is ticked beside it.

    Args:
        run: the open run, joined with the other where they share examples; None where it cannot be opened.
        state: of the page.
        paths: of all runs that can be opened, by their names.
    """
    st.header(f"{as_markdown(state.other)} compared with {as_markdown(run.name if run else state.run)}", anchor=False)
    other = _load_other(run, state, paths)
    if run is None or other is None:
        return
    score = choose_name(state.score, scores_to_compare(run, other), next(iter(run_scores(run))))
    comparison = compare_cached(run, other, score, state.labels_of)
    st.markdown(f"{as_markdown(comparison.in_words)} {comparison.examples_in_words}")
    if isinstance(run, ComparedRun):
        render_changes(run, state, comparison)
    if comparison.pairs.labels_differ:
        _render_label_choice(comparison, state)
    for note in comparison.notes:
        st.caption(f":material/info: {note}")
    if comparison.measures:
        st.header("By how much?" if comparison.paired else "Each by itself", anchor=False)
        render_figures(comparison)
        task_renderer(run).render_comparison(comparison)
    if isinstance(run, ComparedRun):
        st.header("One example in both", anchor=False)
        render_example_in_both(run, state, comparison)
        st.header("Are they uncertain about the same examples?", anchor=False)
        render_doubt(run, state, comparison)


def _load_other(run: Run | None, state: PageState, paths: dict[str, Path]) -> Run | None:
    """Load the run that another is compared with; say why, where nothing can be compared."""
    try:
        if run is None:
            open_cached_run(paths[state.run])
            return None
        other = open_cached_run(paths[state.other])
    except (McvizError, KeyError) as error:
        st.error(f"Nothing can be compared. {refusal(error, COMPARE.title)}", icon=":material/error:")
        return None
    try:
        check_comparable(run.manifest, other.manifest)
    except McvizError as error:
        st.info(f"**No verdict.** {as_markdown(str(error))}", icon=":material/compare_arrows:")
        return None
    return other


def render_figures(comparison: Comparison) -> None:
    """Render the measures of both runs; of runs that share examples with their differences, drawn on one axis."""
    names = [html.escape(name) for name in name_apart(comparison.one, comparison.other)]
    spans = [_scale_difference(measured) for measured in comparison.measures]
    most = max((max(abs(low), abs(high)) for low, _, high in filter(None, spans)), default=1.0)
    heads = ["measure", *names, *(["difference", "worse ← 0 → better", "verdict"] if comparison.paired else [])]
    rows = []
    for measured, (label, *both, difference, verdict), span in zip(
        comparison.measures, comparison.text_rows, spans, strict=True
    ):
        cells = [f"<td>{html.escape(text)}</td>" for text in both]
        if comparison.paired:
            mark = VERDICT_MARKS.get(measured.verdict, "")
            cells += [
                f"<td>{html.escape(difference)}</td>",
                f"<td>{_draw_interval(span, most, measured.verdict)}</td>",
                f'<td class="{measured.verdict}">{mark}{html.escape(verdict)}</td>',
            ]
        rows.append(f'<tr><th scope="row">{html.escape(label)}</th>{"".join(cells)}</tr>')
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    st.html(
        '<div class="mcviz-figures" tabindex="0" role="region" aria-label="Measures of both runs"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    if comparison.paired:
        one, other = as_markdown(comparison.one.name), as_markdown(comparison.other.name)
        st.caption(
            f"The difference is {other} − {one}, with "
            f"{100 * comparison.confidence:.6g}% intervals, each drawn in halves of its own width: one that does not "
            "touch 0 is more than noise. Each row is judged by itself, the sentence above by its measures together. "
            f"Examples are ranked by {run_scores(comparison.one)[comparison.score].inline_label}."
        )


def _scale_difference(measured: MeasureComparison) -> tuple[float, float, float] | None:
    """Return a difference and the ends of its interval, better to the right, in halves of the interval's width.

    None where it has no interval, or no better direction.
    """
    low, value, high = measured.difference.low, measured.difference.value, measured.difference.high
    if not measured.measure.better or not high > low:
        return None
    half = (high - low) / 2
    ends = (low / half, value / half, high / half)
    return ends if measured.measure.better == "high" else (-ends[2], -ends[1], -ends[0])


def _draw_interval(span: tuple[float, float, float] | None, most: float, verdict: str) -> str:
    """Draw an interval as boxes in a cell, around the line of 0; "" without one."""
    if span is None:
        return ""
    low, value, high = (50 + 48 * end / most for end in span)
    bar = f'<i class="bar" style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
    dot = f'<i class="dot" style="left:{value:.1f}%"></i>'
    return f'<span class="interval {verdict}" aria-hidden="true">{bar}{dot}</span>'


def render_changes(run: ComparedRun, state: PageState, comparison: Comparison) -> None:
    """Render how many examples changed, the first of those that got worse or better, and links to all."""
    changes = comparison.changes
    assert changes is not None  # they share examples
    counts = ", ".join(f"**{count:,}** {kind}" for kind, count in changes.counts.items())
    st.header("Which examples changed?", anchor=False)
    st.markdown(
        f"From {as_markdown(run.name)} to {as_markdown(run.other.name)}: {counts}. The largest changes come first; "
        "click one to see it in both runs below."
    )
    here = current_page()
    for column, kind in zip(st.columns(len(changes.moved), gap="large"), changes.moved, strict=True):
        with column:
            st.subheader(kind.capitalize(), anchor=False)
            examples = comparison.changed(kind)
            if not len(examples):
                st.caption("No example.")
                continue
            tiles(run, state, examples[:MOST_CHANGED], None, state.score, key=f"changed-{kind.split()[0]}", to=here)
            filters = replace(state.filters, columns=(ColumnFilter(run.change, (kind,)),))
            st.page_link(
                EXPLORE.script,
                label="Filter to this one" if len(examples) == 1 else f"Filter to these {len(examples):,}",
                icon=":material/arrow_forward:",
                query_params=state.link(filters=filters.without("lasso", "area", "selected")),
            )


def render_example_in_both(run: ComparedRun, state: PageState, comparison: Comparison) -> None:
    """Render one example, and the passes of each run over it, on the same axes."""
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


def render_doubt(run: ComparedRun, state: PageState, comparison: Comparison) -> None:
    """Render a score in one run against the same in the other, with a lasso that filters."""
    score, numbers = comparison.score, run_numbers(run)
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
