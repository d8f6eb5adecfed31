"""All that this app takes of Streamlit beside what it offers in `st`.

Tried with Streamlit 1.67.0; after an update, tests/app and tests/browser say what is left of it. What the browser's
scripts take stands in components/internals.js.
"""

from collections.abc import Collection
from threading import Thread

from streamlit import runtime
from streamlit.config import get_config_options
from streamlit.config_option import ConfigOption
from streamlit.delta_generator_singletons import context_dg_stack, get_default_dg_stack_value
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

__all__ = ["ConfigOption", "UploadedFile", "UploadedFileRec", "get_config_options"]


def current_visit() -> object | None:
    """Return what is one and the same object while one page is drawn for one visitor; None in a thread of its own."""
    return get_script_run_ctx(suppress_warning=True)


def is_history_navigation() -> bool:
    """Return whether the page is drawn because somebody went back or forward to it."""
    visit = get_script_run_ctx(suppress_warning=True)
    return visit is not None and visit.is_history_navigation


def draws_fragments(keys: Collection[str] | None) -> bool:
    """Return whether what follows a callback draws just these fragments; None for all of the page."""
    visit = get_script_run_ctx(suppress_warning=True)
    fragments = (visit and visit.fragment_ids_this_run) or None
    return fragments == (visit.fragment_storage.resolve_target(list(keys)) if visit and keys is not None else keys)


def join_visit(thread: Thread) -> None:
    """Let a thread that has not begun yet work for the visitor for whom this one works."""
    add_script_run_ctx(thread)


def draw_at_top() -> None:
    """Go on at the top of the page; a page that is drawn right after a fragment would go on in the fragment's place."""
    context_dg_stack.set(get_default_dg_stack_value())


def uploaded_files() -> MemoryUploadedFileManager:
    """Return the files that all sessions have uploaded."""
    uploads = runtime.get_instance().uploaded_file_mgr
    assert isinstance(uploads, MemoryUploadedFileManager)
    return uploads


def is_active_session(session: str) -> bool:
    """Return whether a session has a connection."""
    return runtime.get_instance().is_active_session(session)


def clears_cache(message: bytes) -> bool:
    """Return whether a browser's message asks to clear the cache, which is everybody's."""
    try:
        return BackMsg.FromString(message).WhichOneof("type") == "clear_cache"
    except Exception:  # noqa: BLE001 (protobuf's own; Streamlit ends the connection)
        return False
