"""Keys of a review clash with no class's name, and the order of a queue and its pace are what they are said to be."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.app.reviewing import action_keys, class_keys, next_open, pace, review_keys

CHARACTERS = st.characters(min_codepoint=33, max_codepoint=126)
START = datetime(2025, 1, 1, tzinfo=UTC)


@given(st.lists(st.text(CHARACTERS, min_size=1, max_size=2), unique=True, min_size=2, max_size=120))
def test_no_key_is_the_name_of_something_else(names: list[str]) -> None:
    classes, actions = class_keys(names), action_keys(names)
    assert sorted(classes.values()) == (list(range(len(names))) if len(names) <= 10 else [])
    for key, index in classes.items():
        assert key not in names or names[index] == key
    used = [key for key in actions.values() if key]
    assert len(set(used)) == len(used)
    assert not {name.lower() for name in names} & {*used}
    assert not {*used} & {*classes, "c", "r", "/", " "}


@given(
    st.lists(st.text(CHARACTERS, min_size=1, max_size=2), unique=True, min_size=2, max_size=14),
    st.booleans(),
    st.booleans(),
)
def test_no_two_actions_have_one_key_and_none_has_that_of_a_class_s_name(
    names: list[str], labelled: bool, several: bool
) -> None:
    keys = review_keys(names, labelled, several)
    assert ("keep" in keys) == several
    used = [key for key in keys.values() if key]
    assert len(set(used)) == len(used)
    assert not {*used} & {"c", "r"}
    assert all(keys.values())
    for action, key in keys.items():
        owners = [f"class-{index}" for index, name in enumerate(names) if name.lower() == key]
        assert not owners or action in owners


def test_usual_names_have_the_review_keys() -> None:
    assert class_keys(["cat", "dog"]) == {"0": 0, "1": 1}
    assert class_keys(["1", "2", "zero"]) == {"1": 0, "2": 1, "0": 2}
    usual = {"label": "l", "prediction": "p", "wrong_label": "w", "none": "n", "note": "m"}
    assert action_keys(["cat", "dog"]) == usual
    assert action_keys(["cat", "dog"], several=True) == usual | {"keep": "k"}
    assert action_keys(["W", "E"])["wrong_label"] not in ("w", "e", "n", "m", "l", "p")
    assert not {"label", "wrong_label"} & set(review_keys(["cat", "dog"], labelled=False))


@given(
    st.lists(st.integers(0, 30), unique=True, min_size=1),
    st.dictionaries(st.integers(0, 30), st.sampled_from(["none", "skip"])),
    st.data(),
)
def test_what_comes_next_is_open_before_it_is_skipped(queue: list[int], kinds: dict[int, str], data) -> None:
    done, passed_over = ({each for each, kind in kinds.items() if kind == one} for one in ("none", "skip"))
    after = data.draw(st.sampled_from([None, *queue]))
    start = 0 if after is None else queue.index(after) + 1
    circle = queue[start:] + queue[:start]
    is_open = [each for each in circle if each not in kinds]
    skipped = [each for each in circle if kinds.get(each) == "skip" and each != after]
    expected = [*is_open, *skipped, None][0] if is_open or skipped else None
    assert next_open(np.array(queue), done, passed_over, after) == expected


@pytest.mark.parametrize(
    ("seconds", "a_minute"),
    [([0, 10, 20], None), ([0, 10, 20, 30], 6), ([0, 10, 20, 30, 3600, 3610], 6), ([0, 1000, 2000, 3000], None)],
)
def test_the_pace_leaves_pauses_out(seconds: list[int], a_minute: float | None) -> None:
    assert pace([START + timedelta(seconds=each) for each in seconds]) == a_minute
