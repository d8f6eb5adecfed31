"""Whether whoever asks may change what is kept: runs, what is derived from them, reviews.

Every function that writes for the dashboard asks here before it does anything; the pages ask too, and draw no control
that would be refused. Two variables of the environment say who may not.

`MCVIZ_READ_ONLY`: nobody may, whatever the process, unless it is empty, 0, false, no or off. `MCVIZ_WRITERS`: of those
who use the dashboard nobody may but these, addresses with commas or spaces between them; where it is empty, nobody at
all. A command in a terminal is given by somebody who can write the files anyway, so the list does not hold there.
"""

import os
from collections.abc import Callable

from mcviz.errors import NotPermittedError

READ_ONLY, WRITERS = "MCVIZ_READ_ONLY", "MCVIZ_WRITERS"
OFF = ("", "0", "false", "f", "no", "n", "off")

_person: Callable[[], str | None] | None = None


def ask_as(person: Callable[[], str | None]) -> None:
    """Say how this process knows who asks, since it serves several people.

    Args:
        person: gives the address that somebody is logged in with, or None where nobody is, as in a thread of its own.
    """
    global _person
    _person = person


def refusal() -> str:
    """Why whoever asks may not write, as a part of a sentence; empty where they may."""
    if os.environ.get(READ_ONLY, "").strip().lower() not in OFF:
        return f"everything is read-only ({READ_ONLY} is set)"
    listed = os.environ.get(WRITERS)
    if listed is None or _person is None:
        return ""
    person = _person()
    if person is None:
        return "only those on a list may change anything, and nobody is logged in"
    if person.casefold() not in listed.casefold().replace(",", " ").split():
        return f"{person} is not on the list of those who may change anything"
    return ""


def may_write() -> bool:
    """Whether whoever asks may change what is kept."""
    return not refusal()


def require_permission(what: str) -> None:
    """Raise unless the change is permitted.

    Args:
        what: the beginning of a sentence, such as "No run can be removed".

    Raises:
        NotPermittedError: whoever asks may not write.
    """
    if reason := refusal():
        raise NotPermittedError(f"{what} here: {reason}. Ask whoever started mcviz.")
