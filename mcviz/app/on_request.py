"""Work that takes long: it starts on request, shows its progress, and can be stopped; what is done is not lost.

A button in a fragment waits until the fragment is done. So work that can be stopped stands outside of fragments, where
any click interrupts it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mcviz.app.failures import refusal
from mcviz.app.state import rerun_fragments, session_store
from mcviz.errors import McvizError

NOTICEABLE = 0.5  # seconds


@contextmanager
def progress_bar(things: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar of how many things are done, where that takes long enough to be noticed."""
    bar, started = st.empty(), time.monotonic()

    def progress(done: int, total: int) -> None:
        if time.monotonic() > started + NOTICEABLE:
            bar.progress(done / total, f"{done:,} of {total:,} {things}")

    try:
        yield progress
    finally:
        bar.empty()


def request(work: str, subject: object) -> None:
    """Ask for work, in a callback; its subject is None to stop it. All of the page is drawn, outside of fragments.

    Args:
        work: the name of its kind, of which a visitor has one at a time.
        subject: what is computed, such as the digest of a run.
    """
    session_store()[work] = subject
    rerun_fragments()


def is_requested(work: str) -> bool:
    """Return whether a visitor asked for work that is not done yet."""
    return bool(session_store().get(work))


def compute_on_request(
    work: str,
    subject: object,
    compute: Callable[[], None],
    page: str,
    *,
    stop: str = "Stop",
    place: DeltaGenerator | None = None,
    key: str = "",
) -> bool:
    """Do work that was requested, with a button to stop it, and draw the page again.

    A click on anything else interrupts it, and the next drawing of the page goes on. An error is shown as a sentence.

    Args:
        work: as for `request`.
        subject: as for `request`.
        compute: does the work, and keeps what it finds.
        page: title of the page, for the log.
        stop: what the button says.
        place: of the button, if not here.
        key: of the button.

    Returns:
        Whether it was requested; then it failed.
    """
    if session_store().get(work) != subject:
        return False
    (place or st).button(
        stop, icon=":material/stop_circle:", key=key or f"stop-{work}", on_click=request, args=(work, None)
    )
    try:
        compute()
    except McvizError as error:
        session_store()[work] = None
        st.error(refusal(error, page), icon=":material/error:")
    else:
        session_store()[work] = None
        st.rerun()
    return True


def stop_work(work: str) -> None:
    """Stop work that otherwise starts by itself, in a callback; it stays so until a visitor lets it go on."""
    session_store()[work] = False


def is_stopped(work: str) -> bool:
    """Return whether a visitor stopped work that otherwise starts by itself."""
    return session_store().get(work) is False


def offer_to_go_on(work: str, words: str, label: str, **options: Any) -> None:
    """Say that work is stopped, with a button to go on.

    Args:
        work: as for `stop_work`.
        words: that say so.
        label: of the button.
        options: of the button, too.
    """
    st.info(words, icon=":material/pause_circle:")
    if st.button(label, icon=":material/play_arrow:", **options):
        session_store()[work] = True
        st.rerun()  # of the whole page, which has a button to stop from then on
