"""The order of a review: which example comes next, which keys decide, how long it will take. Nothing here draws."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import chain, pairwise

import numpy as np

BUTTONS = 10  # classes that have a key each; more are typed
DIGITS = "0123456789"
LETTERS = "wnmabdefghijklopqstuvxyz-+.,;"  # C and R are Streamlit's own
ANSWER_KEYS = {"label": "l", "prediction": "p", "wrong_label": "w", "none": "n", "note": "m"}
LABEL_ANSWERS = "label", "wrong_label"  # answers about the given label
MOVE_KEYS = {"skip": " ", "undo": "backspace", "back": "arrowleft", "forward": "arrowright"}
KEY_LABELS = {" ": "Space", "backspace": "⌫", "arrowleft": "←", "arrowright": "→"}
PAUSE = 120  # seconds; whoever needs longer for one example was away
RECENT = 20  # decisions that the pace is taken from
FEWEST = 3


def class_keys(class_names: Sequence[str]) -> dict[str, int]:
    """Return up to ten classes by their keys: the digit that is the name, or else one that is no other's name."""
    if len(class_names) > BUTTONS:
        return {}
    named = {name: index for index, name in enumerate(class_names) if len(name) == 1 and name in DIGITS}
    left = iter([digit for digit in DIGITS if digit not in named])
    return {name if name in named else next(left): index for index, name in enumerate(class_names)}


def action_keys(class_names: Sequence[str]) -> dict[str, str]:
    """Return the key of each answer; another one where the usual is the name of a class, or ""."""
    taken = {name.lower() for name in class_names}
    free = [letter for letter in LETTERS if letter not in taken]
    found: dict[str, str] = {}
    for action, usual in ANSWER_KEYS.items():
        left = [letter for letter in free if letter not in found.values()]
        others = (letter for letter in left if letter not in ANSWER_KEYS.values())
        found[action] = usual if usual in left else next(others, "")
    return found


def review_keys(class_names: Sequence[str], labelled: bool) -> dict[str, str]:
    """Return the key of each action; "" for none.

    Args:
        class_names: C names.
        labelled: whether there are labels that can be wrong.

    Returns:
        Of `class-0`, `class-1`, … or, of more than ten, of `class`, the field that one is typed in; then of answers and
        moves.
    """
    answers = action_keys(class_names).items()
    others = {name: key for name, key in answers if labelled or name not in LABEL_ANSWERS} | MOVE_KEYS
    taken = {*(name.lower() for name in class_names), *others.values()}
    free = (key for key in ("/", *DIGITS, *LETTERS) if key not in taken)
    classes = {f"class-{index}": key for key, index in class_keys(class_names).items()} or {"class": next(free, "")}
    return classes | others


def key_label(key: str) -> str:
    """Return the name of a key on the screen."""
    return KEY_LABELS.get(key, key.upper())


def next_open(
    queue: np.ndarray, done: Collection[int], skipped: Collection[int] = (), after: int | None = None
) -> int | None:
    """Return the next example: one that is neither done nor skipped, or else one that was skipped.

    Args:
        queue: (n,) int64 examples in their order.
        done: examples that are done.
        skipped: examples that were skipped.
        after: the example that the next one is to follow, in a circle; None for the first.

    Returns:
        Its number, or None where all are done.
    """
    at = np.flatnonzero(queue == after)
    start = int(at[0]) + 1 if len(at) else 0
    circle = [int(each) for each in np.roll(queue, -start)]
    left = (each for each in circle if each not in done and each not in skipped)
    again = (each for each in circle if each in skipped and each != after)
    return next(chain(left, again), None)


def pace(times: Collection[datetime]) -> float | None:
    """Return decisions a minute, by the latest ones without pauses; None while there are too few."""
    recent = sorted(times)[-RECENT - 1 :]
    seconds = [(later - earlier).total_seconds() for earlier, later in pairwise(recent)]
    worked = [each for each in seconds if each <= PAUSE]
    return 60 * len(worked) / sum(worked) if len(worked) >= FEWEST and sum(worked) > 0 else None
