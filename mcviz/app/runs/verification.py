"""Verification of a run: every byte is checked and its numbers are computed again, until somebody stops it."""

from pathlib import Path
from typing import Any

import streamlit as st

from mcviz.app.failures import refusal
from mcviz.app.navigation import RUNS
from mcviz.app.resources import progress_bar
from mcviz.app.session import session_store
from mcviz.app.wording import counted
from mcviz.errors import McvizError
from mcviz.runs import ListedRun, verify_run
from mcviz.text import format_bytes

REQUESTED, RESULT = (
    "verifying",
    "verified",
)  # in the session: the run's path and digest; these, whether it is whole, and a sentence


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
    if session_store().get(REQUESTED) == key:
        place.button("Stop", icon=":material/stop_circle:", key="verify", on_click=_request, args=(None,))
        _verify(path, key)
        return
    place.button(
        "Verify", icon=":material/fact_check:", key="verify", on_click=_request, args=(key,),
        help="Reads every byte, compares it with its checksum, and computes scores and accuracies again.",
    )  # fmt: skip
    verified, is_valid, words = session_store().get(RESULT, (None, False, ""))
    if verified == key:
        (st.success if is_valid else st.error)(words, icon=":material/verified:" if is_valid else ":material/error:")


def _verify(path: Path, key: tuple[str, str]) -> None:
    try:
        with progress_bar("files and groups of examples") as progress:
            found = verify_run(path, progress)
    except McvizError as error:
        session_store()[RESULT] = key, False, refusal(error, RUNS.title)
    else:
        read = f"{counted(found.files, 'file')}, {format_bytes(found.bytes)}"
        words = f"All is as it was written: {read}. The stored scores and sums are those of the passes."
        session_store()[RESULT] = key, True, words
    _request(None)
    st.rerun()


def _request(key: tuple[str, str] | None) -> None:
    session_store()[REQUESTED] = key
