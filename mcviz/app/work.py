"""Long or failing work of a page: a sentence for errors, a button to start and to stop.

Visitors see the sentence, operators the traceback. A click interrupts work; the next rerun continues it.
"""

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.logger import get_logger

from mcviz.app.server import is_click_waiting
from mcviz.app.state import address, rerun_fragments, session_store
from mcviz.app.wording import as_markdown
from mcviz.errors import McvizError
from mcviz.runs.folder import cache_folder
from mcviz.runs.storage import FOLDER
from mcviz.text import one_line

UNFORESEEN = (
    "Something went wrong on this page, and the server's log says what. Reload the page; if that does not help, open "
    "another run or another page."
)
log = get_logger(__name__)  # to standard error, with the time

NOTICEABLE = 0.5  # seconds


@contextmanager
def show_failures(page: str) -> Iterator[None]:
    """Show an error of a page as a sentence; the dashboard keeps running."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (whatever it was, it is logged in full)
        _show(error, page)


def _show(error: Exception, page: str) -> None:
    words = refusal(error, page) if isinstance(error, McvizError) else unforeseen(error, page)
    st.error(words, icon=":material/error:")


def refusal(error: BaseException, page: str) -> str:
    """Log an error with full paths; return its sentence in Markdown without them."""
    log.warning("%s: %s", _where(page), one_line(str(error)))
    return as_markdown(hide_folders(str(error)))


def unforeseen(error: BaseException, page: str) -> str:
    """Log an unexpected error; return a sentence for visitors."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    log.error("%s failed.\n%s", _where(page), "\n".join(map(_line, lines)))
    return UNFORESEEN


def hide_folders(message: str) -> str:
    """Return one line without the folders above the runs."""
    for folder in (cache_folder().parent, FOLDER):
        if folder != Path():  # of a relative `cache`
            message = message.replace(f"{folder}/", "")
    return one_line(message)


def _where(page: str) -> str:
    return one_line(f"Page {page}, run {address().get('run', 'by default')}")


def _line(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return " " * indent + one_line(line)


@contextmanager
def progress_bar(things: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress if it takes long."""
    bar, started = st.empty(), time.monotonic()

    def progress(done: int, total: int) -> None:
        if time.monotonic() > started + NOTICEABLE:
            give_way_to_clicks()
            bar.progress(done / total, f"{done:,} of {total:,} {things}")

    try:
        yield progress
    finally:
        bar.empty()


def give_way_to_clicks() -> None:
    """End drawing after a click, and redraw with its change.

    Streamlit does so at its next element, except for clicks in a fragment.
    """
    if is_click_waiting():
        st.rerun()


def request(work: str, subject: object) -> None:
    """Request work in a callback, or stop it with None; redraws the page.

    Args:
        work: the name of its kind, of which a visitor has one at a time.
        subject: what is computed, such as the digest of a run.
    """
    session_store()[work] = subject
    rerun_fragments()


def is_requested(work: str) -> bool:
    """Return whether requested work is unfinished."""
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
    """Do requested work with a stop button, then redraw; clicks interrupt it, and errors become sentences.

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
    button = (place or st).empty()
    button.button(stop, icon=":material/stop_circle:", key=key or f"stop-{work}", on_click=request, args=(work, None))
    try:
        compute()
    except Exception as error:  # noqa: BLE001 (or else it would be done again at each click)
        session_store()[work] = None
        button.empty()
        _show(error, page)
    else:
        session_store()[work] = None
        st.rerun()
    return True


def stop_work(work: str) -> None:
    """Stop automatic work in a callback until it is resumed."""
    session_store()[work] = False


def is_stopped(work: str) -> bool:
    """Return whether automatic work is stopped."""
    return session_store().get(work) is False


def offer_to_go_on(work: str, words: str, label: str, **options: Any) -> None:
    """Render that work is stopped, with a button to resume.

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
