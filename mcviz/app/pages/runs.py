"""List all runs; manage one that is ticked, compare two; show jobs, and sample new runs."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from mcviz.app.address import ANY_RUN
from mcviz.app.comparison import render_comparison
from mcviz.app.components.charts import text_table
from mcviz.app.failures import hide_folders, refusal
from mcviz.app.jobs import MOST_PASSES, change_jobs, render_jobs
from mcviz.app.navigation import (
    OVERVIEW,
    RUNS,
    load_state,
    open_named_run,
    open_page,
    render_head,
    render_no_runs,
    run_name,
)
from mcviz.app.new_run import render_form, render_sample_again
from mcviz.app.on_request import compute_on_request, progress_bar, request
from mcviz.app.resources import check_needs, open_cached_run, run_paths
from mcviz.app.state import (
    PageState,
    go_to_run,
    latest_state,
    quote,
    read_state,
    session_store,
    update_state,
    widget_value,
)
from mcviz.app.wording import all_as_markdown, as_markdown, counted, describe_examples, describe_manifest, time_made
from mcviz.errors import McvizError
from mcviz.jobs import Jobs
from mcviz.jobs.of_run import can_be_sampled, options_of_more
from mcviz.jobs.queue import PATIENCE
from mcviz.options import format_arguments
from mcviz.permission import may_write
from mcviz.reviews.store import locate_reviews
from mcviz.runs import ListedRun, Manifest, Run, list_runs, preview_removal, remove_run, rename_run, verify_run
from mcviz.runs.folder import LONGEST_NAME, cache_folder, list_shipped_runs, read_figures
from mcviz.runs.storage import is_shipped
from mcviz.tasks import task_of
from mcviz.text import format_bytes, one_line

STATES = {"finished": "finished", "partial": "partial", "damaged": "damaged", "unreadable": "cannot be read"}
TICKS = 2  # runs
UNTICKED = (0, "open")  # the cell that the browser says is chosen where the last tick was taken off
NONE_TICKED = "."  # in the address; no run has such a name
MOST_LISTED, TABLE_HEIGHT = 8, 320  # runs, above which their table scrolls; pixels

WORK = "verifying"  # of which the subject is the run's path and digest
RESULT = "verified"  # in the session: that subject, whether it is whole, and a sentence

ASKED, SAID, TROUBLE = "runs-asked", "runs-said", "runs-trouble"  # in the session

COLUMNS = {
    "open": st.column_config.TextColumn("open", width=50, alignment="center"),
    "NLL": st.column_config.NumberColumn("NLL, nats", format="%.4f"),
    "ECE": st.column_config.NumberColumn("ECE", format="percent"),
    "passes": st.column_config.NumberColumn("passes", format="localized"),
    "size": st.column_config.NumberColumn("size", format="bytes"),
    "made": st.column_config.DatetimeColumn("made, UTC", format="YYYY-MM-DD HH:mm"),
}


def describe_runs(runs: Sequence[ListedRun], folder: str) -> str:
    """Say how many runs there are.

    Args:
        runs: all of them.
        folder: of the runs, unless they came with mcviz, as visitors may know it.
    """
    whole = format_bytes(sum(run.bytes for run in runs))
    place = "that came with mcviz" if all(run.is_shipped for run in runs) else f"in **{as_markdown(folder)}**"
    to_do = (
        "Tick one to see what it is, two to compare them."
        if len(runs) > 1
        else "It is the only run here: sample its model again, with another seed or rate, to compare the two."
    )
    return f"{counted(len(runs), 'run')} {place}, {whole}. {to_do}"


def find_ticked(names: Sequence[str], opened: str, state: PageState) -> list[str]:
    """Return the runs that are ticked, of these names: the open one, another, none, or the two that are compared."""
    if state.other in names and state.other != opened and opened in names:
        return [opened, state.other]
    if state.ticked_run == NONE_TICKED:
        return []
    return [state.ticked_run] if state.ticked_run in names else [opened] if opened in names else []


def tick(ticked: Sequence[str], opened: str) -> None:
    """Tick runs, in a callback; of two, one is the open run, from which the other's differences are counted.

    Args:
        ticked: their names, two at most.
        opened: the name of the open run.
    """
    if len(ticked) == TICKS and opened not in ticked:
        go_to_run(*ticked)
    elif len(ticked) == TICKS:
        (other,) = set(ticked) - {opened}
        update_state(run=opened, other=other, ticked_run="")
    else:
        alone = ticked[0] if ticked else NONE_TICKED
        update_state(other="", ticked_run="" if alone == opened else alone)


def render_runs(runs: Sequence[ListedRun], ticked: Sequence[str], opened: str) -> None:
    """Render a row for each run, with a box to tick; a click on a cell ticks its run alone.

    Args:
        runs: all of them.
        ticked: the names of those that are ticked.
        opened: the name of the open one.
    """
    names = [run.name for run in runs]
    key = f"runs-{hashlib.sha256(repr(names).encode()).hexdigest()[:16]}"  # of other runs, a row stands for another one
    wanted = {"rows": sorted(map(names.index, ticked)), "columns": [], "cells": []}
    if key not in st.session_state or st.session_state[key]["selection"] != wanted:
        st.session_state[key] = {"selection": wanted}

    def change() -> None:
        selection = widget_value(key)["selection"]
        chosen = [names[row] for row in selection["rows"]]
        if cells := [row for row, column in selection["cells"] if (row, column) != UNTICKED]:
            now = [names[cells[0]]]
        else:
            now = [name for name in ticked if name in chosen] + [name for name in chosen if name not in ticked]
        tick(now[-TICKS:], opened)

    st.dataframe(
        _table(runs, opened),
        key=key,
        hide_index=True,
        on_select=change,
        selection_mode=("multi-row", "single-cell"),
        column_config=COLUMNS,
        height=TABLE_HEIGHT if len(runs) > MOST_LISTED else "content",
        placeholder="",
        alt=f"Table of {counted(len(runs), 'run')}",
    )


@st.cache_resource(max_entries=1000, show_spinner="Reading the figures of the runs …")
def _figures(path: str, digest: str, _manifest: Manifest | None) -> dict[str, float]:  # noqa: ARG001 (a key)
    return read_figures(path, _manifest)


def _table(runs: Sequence[ListedRun], opened: str) -> pd.DataFrame:
    known = [run.manifest for run in runs]
    figures = [_figures(run.path, run.manifest.digest if run.manifest else "", run.manifest) for run in runs]
    rows = pd.DataFrame(
        {
            "open": ["●" if run.name == opened else "" for run in runs],
            "run": [one_line(run.name) for run in runs],
            "state": [describe_state(run) for run in runs],
            "model": [one_line(manifest.model.name) if manifest and manifest.model else "" for manifest in known],
            "data": [describe_examples(manifest) if manifest else "" for manifest in known],
            "task": [manifest.task if manifest else "" for manifest in known],
            "passes": pd.array([manifest.passes if manifest else None for manifest in known], "Int64"),
            "rate": [manifest.rates if manifest else "" for manifest in known],
            "masks": [manifest.masks or manifest.origin.kind if manifest else "" for manifest in known],
            "accuracy": [describe_quality(run).removeprefix("accuracy ") for run in runs],
            "NLL": [values.get("nll") for values in figures],
            "ECE": [values.get("ece") for values in figures],
            "size": [run.bytes for run in runs],
            "made": pd.Series(
                [time_made(manifest) if manifest else None for manifest in known], dtype="datetime64[s, UTC]"
            ),
        }
    )
    if any(run.message for run in runs):
        rows["what is wrong"] = [hide_folders(run.message) for run in runs]
    return rows


def describe_state(run: ListedRun) -> str:
    """The state of a run, with the share of its examples that a partial one has."""
    if run.state != "partial" or run.manifest is None:
        return STATES[run.state]
    return f"partial, {run.examples_done / run.manifest.examples.count:.0%}"


def describe_quality(run: ListedRun) -> str:
    """The quality of the ensemble, such as "accuracy 99.41%"; empty where it is not known."""
    manifest = run.manifest
    if manifest is None or manifest.quality is None:
        return ""
    task = task_of(manifest)
    return one_line(f"{task.quality_name} {task.format_quality(manifest.quality, manifest.unit)}")


def render_run(run: ListedRun, path: Path, names: Sequence[str], opened: str) -> None:
    """Render the run that is ticked alone: what it is, and what can be done with it.

    Args:
        run: as the list has it.
        path: its folder.
        names: of all runs.
        opened: the name of the open one.
    """
    may_change = may_write() and (path.is_symlink() or not run.is_shipped)
    _render_state(run)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if run.state == "finished":
            if st.button("Open", icon=":material/open_in_new:", key="open", type="primary"):
                open_page(OVERVIEW, latest_state() if run.name == opened else PageState(run=run.name))
            verify = st.container(width="content")
            with suppress(McvizError):  # one that cannot be opened cannot be sampled
                whole = open_cached_run(path)
                if may_write():
                    render_sample_again(whole)
                if may_change:
                    _render_growth(whole)
        if may_change:
            _render_rename(run, path, opened)
            st.button("Remove", icon=":material/delete:", key="remove", on_click=_ask_removal, args=(run.name,))
    if run.state == "finished":
        render_verification(run, path, verify)
    if may_change and session_store().get(ASKED) == run.name:
        _render_removal(run, path, next((name for name in names if name != run.name), ""), opened)
    if run.manifest is not None:
        with st.expander("How it was made, and what is in it", icon=":material/description:"):
            text_table(("fact", "value"), map(all_as_markdown, describe_manifest(run.manifest).items()))


def _render_state(run: ListedRun) -> None:
    name = f"**{as_markdown(run.name)}**"
    if run.state == "partial":
        st.info(f"{name}: {as_markdown(hide_folders(run.message))}", icon=":material/hourglass:")
    elif run.message:
        st.error(f"{name}: {as_markdown(hide_folders(run.message))}", icon=":material/error:")
    else:
        quality = describe_quality(run)
        shipped = " It came with mcviz and cannot be changed." if run.is_shipped else ""
        st.markdown(f"{name} is finished{f'; its ensemble has {as_markdown(quality)}' if quality else ''}.{shipped}")


def render_outcome() -> None:
    """Say how the last click ended."""
    if words := session_store().pop(SAID, None):
        st.success(words, icon=":material/check_circle:")
    if trouble := session_store().pop(TROUBLE, None):
        st.error(refusal(trouble, RUNS.title), icon=":material/error:")


def _render_growth(run: Run) -> None:
    """Offer more passes, unless the run cannot grow: shipped, or without its model."""
    if (seed := run.manifest.seed) is None or run.passes >= MOST_PASSES or not can_be_sampled(run):
        return
    if is_shipped(run.path):
        return
    with st.popover("More passes", icon=":material/add:"):
        if not check_needs(run, {"model"}):
            return
        name = as_markdown(run.name)
        st.markdown(f"**{name}** has {counted(run.passes, 'pass')}. These stay as they are, and others are added.")
        wanted = st.number_input(
            "Passes in all", run.passes + 1, MOST_PASSES, min(2 * run.passes, MOST_PASSES),
            key=f"more-passes-{run.digest[:12]}",
        )  # fmt: skip

        def start(jobs: Jobs) -> None:
            options = format_arguments(options_of_more(run, seed=seed, passes=wanted))
            jobs.add("sample", options, run.name, f"{run.name}: {run.passes:,} to {wanted:,} passes")

        st.button("Add passes", icon=":material/add:", key="more-passes", on_click=change_jobs, args=(start,))


def _render_rename(run: ListedRun, path: Path, opened: str) -> None:
    with st.popover("Rename", icon=":material/edit:"), st.form(f"rename-{run.name}", border=False):
        field = f"new-name-{run.name}"
        st.text_input("Its new name", run.name, max_chars=LONGEST_NAME, key=field)
        st.form_submit_button("Rename", on_click=_rename, args=(run.name, path, field, opened))


def _rename(old: str, path: Path, field: str, opened: str) -> None:
    name = widget_value(field).strip()
    try:
        rename_run(path, name, PATIENCE)
    except McvizError as error:
        session_store()[TROUBLE] = error
        return
    session_store()[SAID] = f"{as_markdown(old)} is now called {as_markdown(name)}. Links to it need the new name."
    if old == opened:
        go_to_run(name)
    else:
        update_state(ticked_run=name)


def _ask_removal(name: str | None) -> None:
    session_store()[ASKED] = name


def _render_removal(run: ListedRun, path: Path, another: str, opened: str) -> None:
    """Ask whether to remove the run, and list its files; in place of the open run another is opened."""
    goes = preview_removal(path)
    with st.container(border=True, key="removing"):
        st.markdown(f"**Remove {as_markdown(run.name)}?** This cannot be undone.")
        lines = [as_markdown(line) for line in goes.lines()]
        if run.manifest is not None and not goes.link and locate_reviews(path, run.manifest.examples).path.exists():
            lines.append("What reviewers decided stays: it belongs to the examples, whatever run they are in.")
        st.markdown("\n".join(f"- {line}" for line in lines))
        with st.container(horizontal=True, gap="small"):
            st.button("Keep it", key="keep", on_click=_ask_removal, args=(None,))
            st.button(
                "Remove it", key="remove-it", type="primary", icon=":material/delete_forever:", on_click=_remove,
                args=(run.name, path, another if run.name == opened else opened),
            )  # fmt: skip


def _remove(name: str, path: Path, another: str) -> None:
    session_store()[ASKED] = None
    try:
        left = remove_run(path, PATIENCE)
    except McvizError as error:
        session_store()[TROUBLE] = error
        return
    stays = f" Files that are not part of the run stay: {as_markdown(', '.join(left))}." if left else ""
    session_store()[SAID] = f"{as_markdown(name)} is removed.{stays}"
    go_to_run(another)


def render_verification(run: ListedRun, path: Path, place: Any) -> None:
    """Render the button, the bar and the result.

    Args:
        run: as the list has it.
        path: its folder.
        place: of the button.
    """
    assert run.manifest is not None
    key = str(path), run.manifest.digest
    # One button with one key: of two, that which was clicked keeps its room until the next click, and that goes astray.
    compute_on_request(WORK, key, partial(_verify, path, key), RUNS.title, place=place, key="verify")
    place.button(
        "Verify", icon=":material/fact_check:", key="verify", on_click=request, args=(WORK, key),
        help="Reads every byte, compares it with its checksum, and computes scores and accuracies again.",
    )  # fmt: skip
    verified, is_valid, words = session_store().get(RESULT, (None, False, ""))
    if verified == key:
        (st.success if is_valid else st.error)(words, icon=":material/verified:" if is_valid else ":material/error:")


def _verify(path: Path, key: tuple[str, str]) -> None:
    try:
        with progress_bar("files and groups of examples") as progress:
            verified = verify_run(path, progress)
    except McvizError as error:
        session_store()[RESULT] = key, False, refusal(error, RUNS.title)
    else:
        read = f"{counted(verified.files, 'file')}, {format_bytes(verified.bytes)}"
        words = f"All is as it was written: {read}. The stored scores and sums are those of the passes."
        session_store()[RESULT] = key, True, words


def open_run_and_state(paths: dict[str, Path]) -> tuple[Run | None, PageState]:
    """Open the run that the address names, where that can be opened, and read the address for it."""
    try:
        run = open_named_run(paths)
    except (McvizError, KeyError):  # the list says why
        return None, read_state(ANY_RUN)
    return run, load_state(run)


st.html(Path(__file__).parents[1] / "runs.css")
folder, paths = cache_folder(), run_paths()
runs = list_runs(folder) or list_shipped_runs()
opened = run_name(paths)
run, state = open_run_and_state(paths)
render_head(RUNS, describe_runs(runs, folder.name) if runs else "")
ticked = find_ticked([run.name for run in runs], opened, state)
if runs:
    if state.other and len(ticked) < TICKS and state.other != opened:
        st.warning(f"There is no run {quote(state.other)} here.", icon=":material/link_off:")
    render_runs(runs, ticked, opened)
render_outcome()
if len(ticked) == TICKS:
    render_comparison(run, state, paths)
for one in runs:
    if ticked == [one.name]:
        render_run(one, paths.get(one.name, folder / one.name), [run.name for run in runs], opened)
render_jobs(RUNS.title)
if may_write():
    render_form()
if all(run.is_shipped for run in runs):
    render_no_runs()
