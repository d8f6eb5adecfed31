"""Noise among texts: as long as texts that are there, of their words or of none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.data.distortions import TEXT_NOISES, noise_of_characters, noise_of_words
from mcviz.errors import InvalidInputError

OTHERS = np.array(["a good film", "", "bad", " \n ", "many words  in\none text"], object)


@pytest.mark.parametrize("name", TEXT_NOISES)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 9))
def test_noise_is_the_same_for_a_seed_and_however_many_are_drawn(name: str, seed: int, count: int) -> None:
    noise = TEXT_NOISES[name].draw(count, OTHERS, seed)
    assert (noise.dtype, noise.shape) == (object, (count,))
    assert {type(text) for text in noise} == {str}
    assert noise.tolist() == TEXT_NOISES[name].draw(count + 3, OTHERS, seed)[:count].tolist()


@given(seed=st.integers(0, 10**6))
def test_noise_has_the_words_of_the_others_or_words_as_long_as_theirs(seed: int) -> None:
    known = {word for text in OTHERS for word in text.split()}
    lengths = {tuple(map(len, text.split())) for text in OTHERS if text.strip()}
    for words, letters in zip(noise_of_words(5, OTHERS, seed), noise_of_characters(5, OTHERS, seed), strict=True):
        assert set(words.split()) <= known
        assert len(words.split()) in {len(each) for each in lengths}
        assert tuple(map(len, letters.split())) in lengths
        assert letters.replace(" ", "").replace("\n", "").isalpha()


@pytest.mark.parametrize("name", TEXT_NOISES)
def test_where_there_are_no_words_letters_take_their_place(name: str) -> None:
    for others in (OTHERS[:0], OTHERS[[1, 3]]):
        (text,) = TEXT_NOISES[name].draw(1, others, 0)
        assert len(text) == 1
        assert text.isalpha()


@pytest.mark.parametrize("name", TEXT_NOISES)
def test_another_seed_is_another_noise_and_a_negative_one_is_refused(name: str) -> None:
    assert len({TEXT_NOISES[name].draw(1, OTHERS[4:], seed)[0] for seed in range(20)}) > 10
    with pytest.raises(InvalidInputError, match="seed"):
        TEXT_NOISES[name].draw(1, OTHERS, -1)
