"""The keys of a review as a reviewer wants them, kept for the session."""

from collections.abc import Sequence

import streamlit as st

from mcviz.app.review.queue import key_in_words, keys_for, usual_keys, with_key
from mcviz.app.session import kept, said

CHOSEN = "keys-of-reviews"  # in the session: by the reviewer and the classes
ACTIONS = {
    "class": "Type a class",
    "label": "The given label is right",
    "prediction": "The prediction is right",
    "wrong_label": "The given label is wrong",
    "none": "No class fits",
    "note": "Note",
    "skip": "Skip",
    "undo": "Undo",
    "back": "Back",
    "forward": "Forward",
}


def chosen_keys(reviewer: str, names: Sequence[str], labelled: bool) -> dict[str, str]:
    """The key of each action, as `usual_keys` has them or as the reviewer changed them."""
    chosen: dict[tuple[object, ...], dict[str, str]] = kept().setdefault(CHOSEN, {})
    return chosen.get((reviewer, *names, labelled)) or usual_keys(names, labelled)


def change_keys(reviewer: str, names: Sequence[str], labelled: bool) -> None:
    """A control that gives an action another key; none can have that of a class's name."""
    keys = chosen_keys(reviewer, names, labelled)

    def words(action: str) -> str:
        index = action.removeprefix("class-")
        return ACTIONS[action] if action in ACTIONS else f"Class {names[int(index)]}"

    def set_key() -> None:
        _keep((reviewer, *names, labelled), with_key(keys, action, said(field), names))

    with st.popover("Keys", icon=":material/keyboard:", type="tertiary"):
        action = st.selectbox("What", list(keys), format_func=words, key="keys-action")
        field = f"keys-key-{action}-{keys[action]}"
        offered = keys_for(action, names)
        had = {key: f"{key_in_words(key)}, which is now: {words(other)}" for other, key in keys.items() if key}
        st.selectbox(
            "Its key", offered, offered.index(keys[action]) if keys[action] in offered else None,
            format_func=lambda key: key_in_words(key) if key == keys[action] else had.get(key, key_in_words(key)),
            key=field, on_change=set_key,
        )  # fmt: skip
        st.caption("What had that key before gets another one.")
        st.button(
            "The usual keys", key="keys-usual", on_click=_keep,
            args=((reviewer, *names, labelled), usual_keys(names, labelled)),
        )  # fmt: skip


def _keep(whose: tuple[object, ...], keys: dict[str, str]) -> None:
    kept()[CHOSEN] = kept().get(CHOSEN, {}) | {whose: keys}
