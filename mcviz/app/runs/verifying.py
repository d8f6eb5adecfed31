"""Every byte of a run is checked and its numbers are computed again, with progress, until somebody stops it."""

from pathlib import Path
from typing import Any

import streamlit as st

from mcviz.app.failures import refusal
from mcviz.app.navigation import RUNS
from mcviz.app.session import session_store
from mcviz.app.wording import counted
from mcviz.errors import McvizError
from mcviz.runs import ListedRun, verify_run
from mcviz.text import format_bytes

ASKED, FOUND = "verifying", "verified"  # in the session: what is asked for, and what was found of what


def verifying(run: ListedRun, path: Path, place: Any) -> None:
    """The button, the bar, and what was found.

    Args:
        run: as the list has it.
        path: its folder.
        place: of the button.
    """
    assert run.manifest is not None
    this = str(path), run.manifest.digest
    # One button with one key: of two, that which was clicked keeps its room until the next click, and that goes astray.
    if session_store().get(ASKED) == this:
        place.button("Stop", icon=":material/stop_circle:", key="verify", on_click=_ask, args=(None,))
        _verify(path, this)
        return
    place.button(
        "Verify", icon=":material/fact_check:", key="verify", on_click=_ask, args=(this,),
        help="Reads every byte, holds it against its checksum, and computes scores and accuracies again.",
    )  # fmt: skip
    found = session_store().get(FOUND)
    if found is not None and found[0] == this:
        ok, words = found[1]
        (st.success if ok else st.error)(words, icon=":material/verified:" if ok else ":material/error:")


def _verify(path: Path, this: tuple[str, str]) -> None:
    bar = st.progress(0.0, "Reading the files …")

    def progress(done: int, total: int) -> None:
        bar.progress(done / total, f"{done:,} of {total:,} files and groups of examples")

    try:
        found = verify_run(path, progress)
    except McvizError as error:
        result = False, refusal(error, RUNS.title)
    else:
        read = f"{counted(found.files, 'file')}, {format_bytes(found.bytes)}"
        result = True, f"All is as it was written: {read}. The stored scores and sums are those of the passes."
    finally:
        bar.empty()
    session_store()[FOUND] = this, result
    _ask(None)
    st.rerun()


def _ask(what: tuple[str, str] | None) -> None:
    session_store()[ASKED] = what
