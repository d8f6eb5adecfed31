"""Texts are changed as each distortion says."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.data.distortions import TEXT_DISTORTIONS, drop_words, random_characters, random_words, shuffle_words
from mcviz.errors import InvalidInputError


def array(*texts: str) -> np.ndarray:
    held = np.empty(len(texts), object)
    held[:] = texts
    return held


LONG = " ".join(f"word{n}" for n in range(40))
TEXTS = array(LONG, "  a\tfilm\n\nthat is good ", "größe", "", " ", "好 片")
OTHERS = array("red green", "blue  red", "")
ALL_TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=6)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", TEXT_DISTORTIONS)
def test_every_distortion_gives_texts_from_its_seed_and_changes_the_long_one(name, share):
    apply, before = TEXT_DISTORTIONS[name].apply, TEXTS.copy()
    changed = apply(TEXTS, share, 3, OTHERS)
    assert (changed.dtype, changed.shape) == (object, TEXTS.shape)
    assert {type(text) for text in changed} == {str}
    assert TEXTS.tolist() == before.tolist()
    assert changed.tolist() == apply(TEXTS, share, 3, OTHERS).tolist()
    assert changed[:2].tolist() == apply(TEXTS[:2], share, 3, OTHERS).tolist()
    if share == 0:
        assert changed.tolist() == TEXTS.tolist()
    else:
        assert changed[0] != LONG
        assert changed[0] != apply(TEXTS, share, 4, OTHERS)[0] or not changed[0]  # no word is left


@given(texts=ALL_TEXTS, share=st.floats(0, 1), seed=st.integers(0, 99))
def test_what_is_no_word_stays_and_words_are_shuffled_dropped_or_replaced_in_the_share(texts, share, seed):
    held = array(*texts)
    results = zip(
        texts,
        shuffle_words(held, share, seed),
        drop_words(held, share, seed),
        random_words(held, OTHERS, share, seed),
        random_characters(held, share, seed),
        strict=True,
    )
    for text, shuffled, dropped, replaced, noisy in results:
        words = text.split()
        moving = round(share * len(words))
        assert Counter(shuffled.split()) == Counter(words)
        assert len(shuffled) == len(text)
        assert len(dropped.split()) == len(words) - moving
        assert not Counter(dropped.split()) - Counter(words)
        assert len(replaced.split()) == len(words)
        same = sum(before == after for before, after in zip(words, replaced.split(), strict=True))
        assert same >= len(words) - moving
        assert len(noisy) == len(text)
        letters = sum(not character.isspace() for character in text)
        assert sum(a != b for a, b in zip(text, noisy, strict=True)) <= round(share * letters)
        assert [c for c in noisy if c.isspace()] == [c for c in text if c.isspace()]


def test_words_are_drawn_as_often_as_the_other_texts_have_them():
    words = random_words(array(" ".join(["x"] * 4000)), OTHERS)[0].split()
    shares = {word: count / 4000 for word, count in Counter(words).items()}
    assert shares == pytest.approx({"red": 0.5, "green": 0.25, "blue": 0.25}, abs=0.04)


@pytest.mark.parametrize("name", TEXT_DISTORTIONS)
@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_from_0_to_1(name, share):
    with pytest.raises(InvalidInputError, match="`share` should be a number from 0 to 1"):
        TEXT_DISTORTIONS[name].apply(TEXTS, share, 0, OTHERS)


def test_words_of_texts_that_have_none_cannot_be_drawn():
    with pytest.raises(InvalidInputError, match=r"texts with words\. Received: none"):
        random_words(TEXTS, array("", "  "))
