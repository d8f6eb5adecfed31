"""Render one run of the list: its state, its manifest, and buttons to open, grow, rename or remove it."""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import pandas as pd
import streamlit as st

from mcviz.app.failures import hide_folders, refusal
from mcviz.app.navigation import COMPARE, OVERVIEW, RUNS, choose_run
from mcviz.app.needs import check_needs
from mcviz.app.resources import open_cached_run
from mcviz.app.runs.jobs import MOST_PASSES, change_jobs
from mcviz.app.runs.verification import render_verification
from mcviz.app.runs.words import describe_manifest, describe_quality
from mcviz.app.session import session_store, widget_value
from mcviz.app.state import address, go_to_run
from mcviz.app.wording import all_as_markdown, as_markdown, counted
from mcviz.errors import McvizError
from mcviz.jobs import Jobs
from mcviz.jobs.of_run import can_be_sampled, options_of_more
from mcviz.options import format_arguments
from mcviz.permission import may_write
from mcviz.reviews.store import locate_reviews
from mcviz.runs import ListedRun, Run, preview_removal, remove_run, rename_run
from mcviz.runs.folder import LONGEST_NAME
from mcviz.runs.storage import is_shipped

PATIENCE = 2.0  # seconds that a click waits for a writer of the run
ASKED, SAID, TROUBLE = "runs-asked", "runs-said", "runs-trouble"  # in the session


def render_run(run: ListedRun, path: Path, names: Collection[str]) -> None:
    """Render the run that the address names.

    Args:
        run: as the list has it.
        path: its folder.
        names: of all runs that can be chosen.
    """
    may_change = may_write() and (path.is_symlink() or not run.is_shipped)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        choose_run(names, run.name)
        if run.state == "finished":
            if st.button("Open", icon=":material/open_in_new:", key="open", type="primary"):
                st.switch_page(OVERVIEW.script, query_params=address())
            if len(names) > 1 and st.button("Compare", icon=":material/compare_arrows:", key="compare"):
                st.switch_page(COMPARE.script, query_params=address())
            verify = st.container(width="content")
        if may_change:
            if run.state == "finished":
                with suppress(McvizError):  # one that cannot be opened cannot grow
                    _render_growth(open_cached_run(path))
            _render_rename(run, path)
            st.button("Remove", icon=":material/delete:", key="remove", on_click=_ask_removal, args=(run.name,))
    _render_outcome()
    _render_state(run)
    if run.state == "finished":
        render_verification(run, path, verify)
    if may_change and session_store().get(ASKED) == run.name:
        _render_removal(run, path, next((name for name in names if name != run.name), ""))
    if run.manifest is not None:
        with st.expander("How it was made, and what is in it", icon=":material/description:"):
            what = describe_manifest(run.manifest)
            rows = pd.DataFrame({"what": all_as_markdown(list(what)), "said": all_as_markdown(list(what.values()))})
            st.table(rows.set_index("what"))


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


def _render_outcome() -> None:
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


def _render_rename(run: ListedRun, path: Path) -> None:
    with st.popover("Rename", icon=":material/edit:"), st.form(f"rename-{run.name}", border=False):
        field = f"new-name-{run.name}"
        st.text_input("Its new name", run.name, max_chars=LONGEST_NAME, key=field)
        st.form_submit_button("Rename", on_click=_rename, args=(run.name, path, field))


def _rename(old: str, path: Path, field: str) -> None:
    name = widget_value(field).strip()
    try:
        rename_run(path, name, PATIENCE)
    except McvizError as error:
        session_store()[TROUBLE] = error
        return
    session_store()[SAID] = f"{as_markdown(old)} is now called {as_markdown(name)}. Links to it need the new name."
    go_to_run(name)


def _ask_removal(name: str | None) -> None:
    session_store()[ASKED] = name


def _render_removal(run: ListedRun, path: Path, another: str) -> None:
    """Ask whether to remove the run, and list its files; another run is opened in its place."""
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
                args=(run.name, path, another),
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
