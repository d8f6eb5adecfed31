"""Errors of a page: a visitor gets a sentence, the operator all of it."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st
from streamlit.logger import get_logger

from mcviz.app.state import address
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


@contextmanager
def show_failures(page: str) -> Iterator[None]:
    """Show an error of the page of this title as a sentence; the rest of the dashboard works on."""
    try:
        yield
    except McvizError as error:  # a run that is damaged, or kept without its images or its model
        st.error(refusal(error, page), icon=":material/error:")
    except Exception as error:  # noqa: BLE001 (whatever it was, it is logged in full)
        st.error(unforeseen(error, page), icon=":material/error:")


def refusal(error: BaseException, page: str) -> str:
    """Log an error, and return its sentence in Markdown without the folders above that of the runs.

    The operator, who knows where the runs are, is told in the log as well, with the whole paths.
    """
    log.warning("%s: %s", _where(page), one_line(str(error)))
    return as_markdown(hide_folders(str(error)))


def unforeseen(error: BaseException, page: str) -> str:
    """Log all of an error that has no sentence of its own, and return one for a visitor."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    log.error("%s failed.\n%s", _where(page), "\n".join(map(_line, lines)))
    return UNFORESEEN


def hide_folders(message: str) -> str:
    """Return a message as one line without the folders above that of the runs."""
    for folder in (cache_folder().parent, FOLDER):
        if folder != Path():  # of a relative `cache`
            message = message.replace(f"{folder}/", "")
    return one_line(message)


def _where(page: str) -> str:
    return one_line(f"Page {page}, run {address().get('run', 'by default')}")


def _line(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return " " * indent + one_line(line)
