"""The menus over the views: display options, and actions such as exports."""

import io
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from mcviz.analysis.labelling import methods_of_acquisition
from mcviz.app.components.gallery import page_examples, tick_examples
from mcviz.app.filters import Filters
from mcviz.app.jobs import can_resample, render_resample_form
from mcviz.app.navigation import LABELLING, SIDE_BY_SIDE, open_page
from mcviz.app.referral import (
    LIST_KEYS,
    caught_words,
    list_words,
    referral_controls,
    referral_filters,
    render_acquisition,
    render_promise,
)
from mcviz.app.resources import Need, available, has
from mcviz.app.selection import Selection, select
from mcviz.app.state import (
    PAGE_SIZES,
    TILE_SIZES,
    add_examples,
    choose_segment,
    latest_state,
    rerun_fragments,
    session_store,
    update_state,
)
from mcviz.app.tasks import task_renderer
from mcviz.app.views.rail import more_brushes, render_more_brushes
from mcviz.app.wording import counted
from mcviz.figures import contact_sheet, png, thumbnails
from mcviz.permission import may_write
from mcviz.text import one_line, percent

DIALOG = "dialog"  # the name in the session of the one that is to be opened

SHEET_EXAMPLES = 1_000
SHEET_TILE = 256  # pixels that a larger image is scaled down to


def render_menus(selection: Selection, *, with_gallery: bool) -> None:
    """Render the menus, and the dialog that an action opens.

    Args:
        selection: that is shown.
        with_gallery: whether tiles are, too.
    """
    dialog = session_store().get(DIALOG)
    if dialog:
        st.session_state["popover-Actions"] = False
    if with_gallery or more_brushes(selection):
        _render_menu("View", ":material/tune:", lambda: _render_view(selection, with_gallery))
    _render_menu("Actions", ":material/more_horiz:", lambda: _render_actions(selection, with_gallery))
    if dialog:
        DIALOGS[dialog](_chosen(selection))
        session_store().pop(DIALOG)


def _render_menu(label: str, icon: str, draw: Callable[[], None]) -> None:
    popover = st.popover(label, icon=icon, key=f"popover-{label}", on_change="rerun", type="tertiary")
    if popover.open:
        with popover, st.container(key=f"menu-{label}", gap="xxsmall"):
            draw()


def _render_view(selection: Selection, with_gallery: bool) -> None:
    state = selection.state
    if with_gallery:
        choose_segment("Tile size", "tile_size", state.tile_size, {size: size.capitalize() for size in TILE_SIZES})
        sizes = {size: str(size) for size in sorted(PAGE_SIZES)}
        choose_segment("Examples a page", "page_size", state.page_size, sizes)
    render_more_brushes(selection)


def _render_actions(selection: Selection, with_gallery: bool) -> None:
    run, state = selection.run, selection.state
    if with_gallery:
        examples = page_examples(selection).tolist()
        st.button(
            "Tick this page",
            key="tick-page",
            icon=":material/select_all:",
            disabled=set(examples) <= set(state.ticked),
            on_click=lambda: tick_examples(add_examples(latest_state().ticked, examples)),
            type="tertiary",
        )
    takes = _takes(selection)
    if len(takes) > 1:
        st.segmented_control(
            "Take these", list(takes), format_func=takes.__getitem__, default="ticked", required=True, key="take"
        )
    else:
        st.markdown(f"**{takes['matching'].capitalize()}**")
    chosen = _chosen(selection)
    _render_exports(chosen)
    if run.task.decides and st.button("Label these …", icon=LABELLING.icon, key="action-review", type="tertiary"):
        open_page(LABELLING, latest_state(), filters=chosen.filters, part="queue")
    if may_write() and can_resample(run):
        _dialog_button("Sample again …", ":material/replay:", "again")
    if st.button("Compare pinned …", icon=SIDE_BY_SIDE.icon, key="action-compare", type="tertiary"):
        open_page(SIDE_BY_SIDE, latest_state())
    can_refer = has(run, "labels") and has(run, "bounded loss") and run.manifest.labelled > 1
    can_acquire = len(methods_of_acquisition(run)) > 1  # and not only at random
    if can_refer or can_acquire:
        st.markdown("**The whole run**")
    if can_refer:
        _dialog_button("Refer to a person …", ":material/person_search:", "refer")
    if can_acquire:
        _dialog_button("List what to label next …", ":material/new_label:", "acquire")


def _takes(selection: Selection) -> dict[str, str]:
    matching, ticked = len(selection.examples), len(selection.state.ticked)
    of_ticked = {"ticked": f"{ticked:,} ticked"} if ticked else {}
    return {**of_ticked, "matching": f"all {matching:,} matching"}


def _chosen(selection: Selection) -> Selection:
    state = selection.state
    if not state.ticked or st.session_state.get("take") == "matching":
        return selection
    return select(selection.run, state.replace(filters=Filters(selected=state.ticked)))


def _render_exports(chosen: Selection) -> None:
    for name in available(EXPORTS, chosen.run):
        export = EXPORTS[name]
        st.download_button(
            export.label,
            partial(export.make, chosen),
            file_name=f"{one_line(chosen.run.name)}-{len(chosen.examples)}.{name}",
            mime=export.mime,
            icon=":material/download:",
            key=f"export-{name}",
            on_click="ignore",
            disabled=len(chosen.examples) == 0,
            type="tertiary",
        )


def _dialog_button(label: str, icon: str, dialog: str) -> None:
    st.button(
        label,
        icon=icon,
        key=f"action-{dialog}",
        on_click=session_store().__setitem__,
        args=(DIALOG, dialog),
        type="tertiary",
    )


def _leave_dialog(act: Callable[..., object], *args: Any, **changes: Any) -> None:
    act(*args, **changes)
    rerun_fragments()


@st.dialog("Refer to a person", icon=":material/person_search:")
def _refer(chosen: Selection) -> None:
    run = chosen.run
    st.caption(f"Of the whole run, {counted(len(run), 'example')}; the filters do not apply.")
    referral = referral_controls(run, latest_state())
    on, task = referral.on_labels, run.task
    assert on is not None
    rest = "no rest"
    if on.quality_of_rest is not None:
        rest = f"{task.rest_name} left after review {percent(on.quality_of_rest, 2)}"
    st.markdown(f"{counted(len(referral.examples), 'example')} to a person: {caught_words(task, on)}, {rest}.")
    render_promise(run, latest_state(), referral)
    for name, rule in referral.rules.items():
        count = len(referral.select(rule))
        st.button(
            f"Filter to these {count:,}{list_words(referral, name)}",
            icon=":material/filter_list:",
            key=f"select-{LIST_KEYS[name]}",
            type="primary",
            disabled=count == 0,
            on_click=_leave_dialog,
            args=(update_state,),
            kwargs={"filters": referral_filters(referral, name), "score": referral.score.name},
        )


@st.dialog("What to label next", icon=":material/new_label:")
def _acquire(chosen: Selection) -> None:
    st.caption(f"Of the whole run, {counted(len(chosen.run), 'example')}; the filters do not apply.")
    render_acquisition(chosen.run)


@st.dialog("Sample again", icon=":material/replay:")
def _sample_again(chosen: Selection) -> None:
    of = "ticked" if chosen.state.ticked == chosen.filters.selected else "matching"
    st.markdown(f"**{counted(len(chosen.examples), f'{of} example')}**")
    render_resample_form(chosen, _leave_dialog)


DIALOGS = {"refer": _refer, "acquire": _acquire, "again": _sample_again}


def csv(selection: Selection) -> bytes:
    """Write scores of selected examples as CSV, in order of the ranking.

    Class names are unchanged, so spreadsheets may read leading =, +, - or @ as formulas.
    """
    return task_renderer(selection.run).export_table(selection).to_csv(index=False).encode()


def parquet(selection: Selection) -> bytes:
    """Write all scores of the selected examples as Parquet, in the order of the ranking."""
    file = io.BytesIO()
    task_renderer(selection.run).export_table(selection).to_parquet(file, index=False)
    return file.getvalue()


def sheet(selection: Selection) -> bytes:
    """Write the images of the first 1,000 selected examples as one PNG, in the order of the ranking."""
    examples = selection.examples[:SHEET_EXAMPLES]
    columns = max(1, int(np.ceil(np.sqrt(len(examples)))))
    pictures = thumbnails((selection.run.pictures[int(example)] for example in examples), SHEET_TILE)
    return png(contact_sheet(pictures, columns))


@dataclass(frozen=True)
class Export:
    """A file to take away.

    Attributes:
        label: what its button says.
        mime: its media type.
        make: its content, of a selection.
        needs: what a run has to have for it to be offered.
    """

    label: str
    mime: str
    make: Callable[[Selection], bytes]
    needs: Collection[Need] = field(default_factory=frozenset)


EXPORTS = {  # by the ending of the file's name
    "csv": Export("Scores as CSV", "text/csv", csv),
    "parquet": Export("Scores as Parquet", "application/vnd.apache.parquet", parquet),
    "png": Export("Images as one PNG", "image/png", sheet, needs={"images"}),
}
