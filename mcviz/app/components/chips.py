"""How many examples the filters leave, and a chip for each filter that is on."""

import streamlit as st

from mcviz.app.filters import Filters
from mcviz.app.resources import class_names, run_numbers
from mcviz.app.selection import Selection
from mcviz.app.state import change_filters, update_state
from mcviz.app.wording import as_markdown


def chips(selection: Selection) -> None:
    """Render how many examples are selected, a button that takes off each filter, and one for the flagged."""
    filters, flagged = selection.filters, selection.state.flagged
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content", key="chips"):
        st.markdown(f"**{len(selection.examples):,}** of {len(selection.run):,} examples", width="content")
        removable = filters.chips(class_names(selection.run), run_numbers(selection.run))
        for index, (label, take_off) in enumerate(removable):
            st.button(
                as_markdown(label),
                icon=":material/close:",
                key=f"chip-{index}",
                help="Take this filter off",
                on_click=change_filters,
                args=(take_off,),
            )
        if flagged and filters.selected != flagged:
            st.button(
                f"Show the {len(flagged)} flagged",
                icon=":material/flag:",
                type="tertiary",
                on_click=update_state,
                kwargs={"filters": Filters(selected=flagged)},
            )
        if len(removable) > 1:
            st.button("Clear all", type="tertiary", key="clear", on_click=update_state, kwargs={"filters": Filters()})
