"""The table of all runs."""

import hashlib
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from mcviz.app.failures import hide_folders
from mcviz.app.runs.words import describe_examples, describe_quality, describe_state, time_made
from mcviz.app.session import widget_value
from mcviz.app.state import go_to_run
from mcviz.app.wording import as_markdown, counted
from mcviz.runs import ListedRun, Manifest
from mcviz.runs.folder import read_figures
from mcviz.text import format_bytes, one_line

COLUMNS = {
    "NLL": st.column_config.NumberColumn("NLL, nats", format="%.4f"),
    "ECE": st.column_config.NumberColumn("ECE", format="percent"),
    "passes": st.column_config.NumberColumn("passes", format="localized"),
    "size": st.column_config.NumberColumn("size", format="bytes"),
    "made": st.column_config.DatetimeColumn("made, UTC", format="YYYY-MM-DD HH:mm"),
}


def render_runs(runs: Sequence[ListedRun], name: str, folder: str) -> None:
    """Render a row for each run; a click on one opens it.

    Args:
        runs: all of them.
        name: of the one that is open.
        folder: of the runs, unless they came with mcviz, as visitors may know it.
    """
    whole = format_bytes(sum(run.bytes for run in runs))
    place = "that came with mcviz" if all(run.is_shipped for run in runs) else f"in **{as_markdown(folder)}**"
    st.caption(f"{counted(len(runs), 'run')} {place}, {whole}. Click one to see its details.")
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


@st.cache_resource(max_entries=1000, show_spinner="Reading how good the runs are …")
def _figures(path: str, digest: str, _manifest: Manifest | None) -> dict[str, float]:  # noqa: ARG001 (a key)
    return read_figures(path, _manifest)


def _table(runs: Sequence[ListedRun]) -> pd.DataFrame:
    known = [run.manifest for run in runs]
    figures = [_figures(run.path, run.manifest.digest if run.manifest else "", run.manifest) for run in runs]
    rows = pd.DataFrame(
        {
            "run": [one_line(run.name) for run in runs],
            "state": [describe_state(run) for run in runs],
            "model": [one_line(each.model.name) if each and each.model else "" for each in known],
            "data": [describe_examples(each) if each else "" for each in known],
            "task": [each.task if each else "" for each in known],
            "passes": pd.array([each.passes if each else None for each in known], "Int64"),
            "rate": [each.rates if each else "" for each in known],
            "masks": [each.masks or each.origin.kind if each else "" for each in known],
            "how good": [describe_quality(run) for run in runs],
            "NLL": [each.get("nll") for each in figures],
            "ECE": [each.get("ece") for each in figures],
            "size": [run.bytes for run in runs],
            "made": pd.Series([time_made(each) if each else None for each in known], dtype="datetime64[s, UTC]"),
        }
    )
    if any(run.message for run in runs):
        rows["what is wrong"] = [hide_folders(run.message) for run in runs]
    return rows
