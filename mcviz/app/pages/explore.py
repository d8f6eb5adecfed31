"""All examples, ranked and filtered, in the view that fits the question."""

import numpy as np
import streamlit as st

from mcviz.app.components import render_empty_selection
from mcviz.app.components.gallery import (
    page_examples,
    prefetch_explanations,
    render_gallery,
    render_look_panel,
    render_marked_bar,
)
from mcviz.app.filters import Filters
from mcviz.app.jobs import render_resample_status
from mcviz.app.navigation import EXPLORE, begin, chips
from mcviz.app.resources import available, run_scores
from mcviz.app.selection import (
    Selection,
    filter_mask,
    label_error_ranking,
    label_error_words,
    mistakes,
    select,
)
from mcviz.app.state import PageState, choose_name, choose_segment, finish_page
from mcviz.app.thresholds import judged_words
from mcviz.app.views import VIEWS, View
from mcviz.app.views.actions import render_menus
from mcviz.app.views.rail import render_rail, render_rail_of_run
from mcviz.app.views.scatter import LAYOUT_WORK
from mcviz.app.wording import as_markdown, counted, direction, mistakes_sentence
from mcviz.app.work import is_requested, show_failures
from mcviz.runs import Run, labelled_numbers


def describe_selection(run: Run, state: PageState) -> str:
    """Describe matching, ranked and wrong examples."""
    selection = select(run, state)
    score, wrong = run_scores(run)[state.score], mistakes(run)
    matching, first = len(selection.examples), direction(score, state.order)
    some = f"**{matching:,}** of {counted(len(run), 'example')} match"
    which = counted(matching, "example") if matching == len(run) else some
    if not matching:
        return f"{some}."
    ranked = f"{which}, ranked by {as_markdown(score.inline_label)}, {first} first."
    if wrong is None:
        return ranked
    first_ones = "the first {}" if matching == len(run) else "the first {} that match"
    if not judged_words(run):
        return f"{ranked} {mistakes_sentence(wrong[selection.examples], first_ones)}"
    labelled = selection.examples[np.isin(selection.examples, labelled_numbers(run))]
    if not len(labelled):
        return f"{ranked} None of them has a label."
    words = "whose labels judge" if run.decisions.chosen_on else "with a label"
    return f"{ranked} Of the {len(labelled):,} {words}: {mistakes_sentence(wrong[labelled], first_ones)}"


def render_notes(selection: Selection) -> None:
    """Render active filters, notes on label errors, and a started sampling."""
    if selection.filters != Filters() or selection.state.flagged:
        chips(selection, with_count=False)
    if all(getattr(selection.state, name) == value for name, value in label_error_ranking(selection.run).items()):
        st.caption(label_error_words(selection.run))
    render_resample_status(selection)


def render_view(selection: Selection, view: View) -> None:
    """Render a view, and its gallery if it selects."""
    if not view.own_filters:
        view.show(selection)
    elif not filter_mask(selection.run, selection.filters.without(*view.own_filters)).any():
        render_empty_selection()
    else:
        view.show(selection)
        render_gallery(selection)


def render_page() -> None:
    """Render the rail and the page below the bar."""
    run, state = begin(EXPLORE, describe_selection)
    selection, names = select(run, state), available(VIEWS, run)
    name = choose_name(state.view, names)
    draw_rail = render_rail_of_run if VIEWS[name].of_whole_run else render_rail
    draw_rail(selection)
    with st.container(key="above-views"):
        render_notes(selection)
    with_gallery = name == "gallery" or bool(VIEWS[name].own_filters)
    beside, panel = st.columns([5, 2], gap="small")
    with beside:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="views"):
            labels = {each: VIEWS[each].label for each in names}
            choose_segment("View", "view", name, labels, label_visibility="collapsed")
            st.space("stretch")
            render_menus(selection, with_gallery=with_gallery)
        render_view(selection, VIEWS[name])
        render_marked_bar(selection)
    with panel:
        render_look_panel(run, paged=name == "gallery")
    if with_gallery:
        prefetch_explanations(run, state, page_examples(selection))


def render_alone() -> None:
    """Render the page after a click that keeps the bar."""
    with show_failures(EXPLORE.title):
        render_page()
    finish_page()


if is_requested(LAYOUT_WORK):
    with st.container():  # in the place of the fragment
        render_page()
else:
    st.fragment(render_alone, key="explore")()
