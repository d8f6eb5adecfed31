"""The list of runs, and one of them: its state, its manifest, and buttons to open, grow, rename or remove it."""

import hashlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from mcviz.app.components.charts import text_table
from mcviz.app.failures import hide_folders, refusal
from mcviz.app.navigation import COMPARE, OVERVIEW, RUNS
from mcviz.app.on_request import compute_on_request, progress_bar, request
from mcviz.app.resources import check_needs, open_cached_run
from mcviz.app.runs.jobs import MOST_PASSES, change_jobs
from mcviz.app.state import address, go_to_run, session_store, widget_value
from mcviz.app.wording import all_as_markdown, as_markdown, counted
from mcviz.errors import McvizError
from mcviz.jobs import Jobs
from mcviz.jobs.of_run import can_be_sampled, options_of_more
from mcviz.kinds import kind_of
from mcviz.options import format_arguments
from mcviz.permission import may_write
from mcviz.reviews.store import locate_reviews
from mcviz.runs import Layer, ListedRun, Manifest, Run, preview_removal, remove_run, rename_run, verify_run
from mcviz.runs.folder import LONGEST_NAME, read_figures
from mcviz.runs.storage import is_shipped
from mcviz.tasks import task_of
from mcviz.text import format_bytes, one_line

MOST_NAMES = 12  # of classes, targets or layers
BEGINNING = 12  # characters of a digest
STATES = {"finished": "finished", "partial": "partial", "damaged": "damaged", "unreadable": "cannot be read"}

WORK = "verifying"  # of which the subject is the run's path and digest
RESULT = "verified"  # in the session: that subject, whether it is whole, and a sentence

PATIENCE = 2.0  # seconds that a click waits for a writer of the run
ASKED, SAID, TROUBLE = "runs-asked", "runs-said", "runs-trouble"  # in the session

COLUMNS = {
    "NLL": st.column_config.NumberColumn("NLL, nats", format="%.4f"),
    "ECE": st.column_config.NumberColumn("ECE", format="percent"),
    "passes": st.column_config.NumberColumn("passes", format="localized"),
    "size": st.column_config.NumberColumn("size", format="bytes"),
    "made": st.column_config.DatetimeColumn("made, UTC", format="YYYY-MM-DD HH:mm"),
}


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


def describe_examples(manifest: Manifest) -> str:
    """The number and kind of the examples, such as "10,000 images"."""
    plural = kind_of(manifest).plural or "examples"
    return f"{manifest.examples.count:,} {plural if manifest.examples.count != 1 else plural.removesuffix('s')}"


def time_made(manifest: Manifest) -> datetime | None:
    """The time at which a run was finished, or else begun, in UTC; None where it is not known."""
    return manifest.time("finished") or manifest.time("started")


def describe_manifest(manifest: Manifest) -> dict[str, str]:
    """The facts of a manifest by their titles, each text on one line."""
    model, origin, time = manifest.model, manifest.origin, time_made(manifest)
    facts = {
        "Predicts": _describe_outputs(manifest),
        "Examples": _describe_content(manifest),
        "Labels": "none" if manifest.labels_sha256 is None else "one for each example",
        "Passes": _describe_passes(manifest),
        "Random layers": _join([f"{layer.name} ({_describe_layer(layer)})" for layer in origin.stochastic_layers]),
        "Layers that stayed off": _join(origin.inactive_layers),
        "Model": "not known" if model is None else f"{model.name}, {'kept' if model.stored else 'not kept'} in the run",
        "Built by": model.function if model else "",
        "Transform": model.transform if model else "",
        "Output": model.output or "" if model else "",
        "Preprocessing": f"{manifest.preprocessing}. {manifest.preprocessing.reason}".strip(". ") + ".",
        "Also kept": _list_kept(manifest),
        **{f"About: {key}": str(value) for key, value in manifest.about.items()},
        "Made": "" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "By": ", ".join(f"{name} {version}" for name, version in manifest.created.get("versions", {}).items()),
        "Digest of the run": f"{manifest.digest[:BEGINNING]}…",
        "Digest of its examples": f"{manifest.examples.sha256[:BEGINNING]}…",
    }
    return {one_line(title): one_line(text) for title, text in facts.items() if text}


def _describe_outputs(manifest: Manifest) -> str:
    names = _join(manifest.class_names or manifest.targets)
    what = f"{counted(manifest.classes, 'class')}: {names}" if manifest.classes else f"the values of {names}"
    return f"{what}, in {manifest.unit}" if manifest.unit else what


def _describe_content(manifest: Manifest) -> str:
    description, images = describe_examples(manifest), manifest.images
    if images is not None:
        height, width, channels = images.shape
        description += f" of {height} × {width} pixels, {counted(channels, 'channel')}"
        return description if images.stored else f"{description}, which are not kept in the run"
    return (
        f"{description}, in the columns {_join(manifest.examples.content)}"
        if manifest.examples.content
        else description
    )


def _describe_passes(manifest: Manifest) -> str:
    if manifest.origin.kind == "imported":
        source = manifest.origin.source
        return f"{manifest.passes:,}, imported{f' from {source}' if source else ''}"
    settings = " and ".join(f"{name} {value}" for name, value in manifest.settings.items())
    return f"{manifest.passes:,}, sampled by mcviz with {settings}"


def _describe_layer(layer: Layer) -> str:
    return layer.kind if layer.rate is None else f"{layer.kind}, rate {layer.rate:g}"


def _list_kept(manifest: Manifest) -> str:
    parts = {
        "predictions with dropout off": manifest.deterministic,
        f"{manifest.features or 0:,} features by which examples are alike": manifest.features is not None,
        "ids and columns of the examples": manifest.examples.columns_sha256 is not None,
    }
    return ", ".join(what for what, there in parts.items() if there)


def _join(names: "tuple[str, ...] | list[str]") -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(map(one_line, names[:MOST_NAMES])) + (f" and {more:,} more" if more > 0 else "")


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


def render_run(run: ListedRun, path: Path, names: Collection[str]) -> None:
    """Render the run that the address names.

    Args:
        run: as the list has it.
        path: its folder.
        names: of all runs that can be chosen.
    """
    may_change = may_write() and (path.is_symlink() or not run.is_shipped)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if run.state == "finished":
            if st.button("Open", icon=":material/open_in_new:", key="open", type="primary"):
                st.switch_page(OVERVIEW.declare(), query_params=address())
            if len(names) > 1 and st.button("Compare", icon=":material/compare_arrows:", key="compare"):
                st.switch_page(COMPARE.declare(), query_params=address())
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


def describe_runs(runs: Sequence[ListedRun], folder: str) -> str:
    """Say how many runs there are.

    Args:
        runs: all of them.
        folder: of the runs, unless they came with mcviz, as visitors may know it.
    """
    whole = format_bytes(sum(run.bytes for run in runs))
    place = "that came with mcviz" if all(run.is_shipped for run in runs) else f"in **{as_markdown(folder)}**"
    return f"{counted(len(runs), 'run')} {place}, {whole}. Click one to see its details."


def render_runs(runs: Sequence[ListedRun], name: str) -> None:
    """Render a row for each run; a click on one opens it.

    Args:
        runs: all of them.
        name: of the one that is open.
    """
    names = [run.name for run in runs]
    key = f"runs-{hashlib.sha256(repr(names).encode()).hexdigest()[:16]}"  # of other runs, a row stands for another one
    open_rows = [names.index(name)] if name in names else []
    wanted = {"rows": open_rows, "columns": [], "cells": []}
    if key not in st.session_state or st.session_state[key]["selection"] != wanted:
        st.session_state[key] = {"selection": wanted}

    def open_row() -> None:
        selection = widget_value(key)["selection"]
        rows = [row for row, _ in selection["cells"]] or selection["rows"]
        if rows:
            go_to_run(names[rows[0]])

    st.dataframe(
        _table(runs),
        key=key,
        hide_index=True,
        on_select=open_row,
        selection_mode=("single-row", "single-cell"),
        column_config=COLUMNS,
        placeholder="",
        alt=f"Table of {counted(len(runs), 'run')}",
    )


@st.cache_resource(max_entries=1000, show_spinner="Reading the figures of the runs …")
def _figures(path: str, digest: str, _manifest: Manifest | None) -> dict[str, float]:  # noqa: ARG001 (a key)
    return read_figures(path, _manifest)


def _table(runs: Sequence[ListedRun]) -> pd.DataFrame:
    known = [run.manifest for run in runs]
    figures = [_figures(run.path, run.manifest.digest if run.manifest else "", run.manifest) for run in runs]
    rows = pd.DataFrame(
        {
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
