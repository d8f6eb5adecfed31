"""The worst slice of a run, as a selection."""

import streamlit as st

from mcviz.analysis.slices import Slice, Slices, slices
from mcviz.app.caching import cached_for_run, names_key
from mcviz.app.filters import ColumnFilter, Filters
from mcviz.app.navigation import UNCERTAIN
from mcviz.app.resources import progress_bar, run_numbers
from mcviz.app.state import PageState
from mcviz.app.trust.grouping import chosen_group
from mcviz.app.wording import as_markdown
from mcviz.runs import Run


def render_worst_slice(run: Run, state: PageState) -> None:
    """Render the worst slice in one line, with a link that selects its examples; or say that there is none."""
    found = find_slices(run, chosen_group(run, state))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(as_markdown(found.in_words), width="content")
        if found.slices:
            worst = found.slices[0]
            st.page_link(
                UNCERTAIN.script,
                label=f"Select these {len(worst.examples):,}",
                icon=":material/filter_list:",
                query_params=state.link(filters=slice_filters(run, worst), view=""),
            )


def slice_filters(run: Run, found: Slice) -> Filters:
    """Return the filters that select the examples of a slice."""
    filters = Filters()
    for each in found.conditions:
        match each.value:
            case int():
                filters = filters.put(each.column, (each.value,))
            case (low, high) if each.column in run_numbers(run):
                filters = filters.with_range(each.column, low, high)
            case (low, high):
                filters = filters.with_column(ColumnFilter(each.column, low=low, high=high))
            case text:
                filters = filters.with_column(ColumnFilter(each.column, (text,)))
    return filters


@cached_for_run(names_key, max_entries=4)
def find_slices(run: Run, group: str | None) -> Slices:
    """Find the slices that the model is worse on, with progress."""
    with progress_bar("permutations") as progress:
        return slices(run, group=group, progress=progress)
