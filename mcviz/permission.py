"""Permission to change runs, derived files and reviews.

Every function that writes for the dashboard asks here first. `MCVIZ_READ_ONLY` forbids all changes unless it is empty,
0, false, no or off. `MCVIZ_WRITERS` lists addresses of users of the dashboard, separated by commas or spaces; if empty,
nobody. It does not bind commands in a terminal, whose users can write the files anyway.
"""

import os
from collections.abc import Callable

from mcviz.errors import NotPermittedError

READ_ONLY, WRITERS = "MCVIZ_READ_ONLY", "MCVIZ_WRITERS"
OFF = ("", "0", "false", "f", "no", "n", "off")

_person: Callable[[], str | None] | None = None


def identify_users(person: Callable[[], str | None]) -> None:
    """Set the function that identifies the user, for servers.

    Args:
        person: returns the address of the user that is logged in, or None where nobody is, as in a separate thread.
    """
    global _person
    _person = person


def refusal() -> str:
    """Return why the user may not write, as part of a sentence, or ""."""
    if _is_read_only():
        return f"everything is read-only ({READ_ONLY} is set)"
    listed = _list_writers()
    if listed is None or _person is None:
        return ""
    person = _person()
    if person is None:
        return "only those on a list may change anything, and nobody is logged in"
    if person.casefold() not in map(str.casefold, listed):
        return f"{person} is not on the list of those who may change anything"
    return ""


def describe_writers() -> str:
    """Describe who may write in a sentence."""
    listed = _list_writers()
    if _is_read_only():
        return f"Nobody may change anything ({READ_ONLY} is set)."
    if listed is None:
        return (
            f"Everybody who reaches this dashboard may change what it shows. {READ_ONLY} or {WRITERS} restricts that."
        )
    if not listed:
        return f"Nobody may change anything ({WRITERS} is a list of nobody)."
    return f"Who is logged in as one of these may change what this dashboard shows ({WRITERS}): {', '.join(listed)}."


def _is_read_only() -> bool:
    return os.environ.get(READ_ONLY, "").strip().lower() not in OFF


def _list_writers() -> list[str] | None:
    listed = os.environ.get(WRITERS)
    return None if listed is None else listed.replace(",", " ").split()


def may_write() -> bool:
    """Whether the user may write."""
    return not refusal()


def require_permission(what: str) -> None:
    """Raise unless the change is permitted.

    Args:
        what: the beginning of a sentence, such as "No run can be removed".

    Raises:
        NotPermittedError: the user may not write.
    """
    if reason := refusal():
        raise NotPermittedError(f"{what} here: {reason}. Ask whoever started mcviz.")
