"""Every kind of noise: reproducible, in range, of the distribution it is named after, faded by its strength."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from mcviz.errors import InvalidInputError
from mcviz.kinds.image_distortions import NOISES, gaussian_noise, salt_and_pepper_noise, smooth_noise, uniform_noise
from mcviz.kinds.text_distortions import TEXT_NOISES, noise_of_characters, noise_of_words

KINDS = pytest.mark.parametrize("draw", [noise.draw for noise in NOISES.values()], ids=list(NOISES))
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))


@KINDS
@given(shape=SHAPES, strength=st.floats(0, 1), seed=st.integers(0, 2**40))
@settings(max_examples=25)
def test_every_value_is_a_grey_within_its_contrast(draw, shape, strength, seed) -> None:
    noise = draw(3, shape, seed, strength)
    assert noise.shape == (3, *shape)
    assert noise.dtype == np.float32
    if draw is not salt_and_pepper_noise:  # whose strength is the share of pixels
        assert np.abs(noise - 0.5).max() <= strength / 2 + 1e-6
    assert noise.min() >= 0
    assert noise.max() <= 1


@KINDS
def test_an_image_of_a_seed_is_the_same_however_many_are_drawn(draw) -> None:
    np.testing.assert_array_equal(draw(2, (28, 28, 1), 3, 1.0), draw(5, (28, 28, 1), 3, 1.0)[:2])


@KINDS
def test_another_seed_and_another_image_are_other_noise(draw) -> None:
    noise = draw(2, (28, 28, 1), 0, 1.0)
    assert (noise[0] != noise[1]).mean() > 0.3
    assert (noise != draw(2, (28, 28, 1), 1, 1.0)).mean() > 0.3


@KINDS
def test_no_strength_is_mid_grey(draw) -> None:
    np.testing.assert_array_equal(draw(2, (5, 6, 3), 0, 0.0), np.float32(0.5))


@KINDS
@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_refused(draw, strength) -> None:
    with pytest.raises(InvalidInputError, match=r"`strength` should be a number from 0 to 1\. Received"):
        draw(1, (4, 4, 1), 0, strength)


@KINDS
@pytest.mark.parametrize("seed", [-1, 0.5, None])
def test_a_seed_that_is_no_whole_number_from_0_up_is_refused(draw, seed) -> None:
    with pytest.raises(InvalidInputError, match=r"`seed` should be a whole number of at least 0\. Received"):
        draw(1, (4, 4, 1), seed, 1.0)


def test_noise_is_uniform_in_0_to_1() -> None:
    noise = uniform_noise(20, (28, 28, 1), seed=0)
    assert noise.max() < 1
    assert stats.kstest(noise.ravel(), "uniform").pvalue > 0.001


def test_noise_is_normal_but_for_its_cut_off_tails() -> None:
    noise = gaussian_noise(20, (28, 28, 1), seed=0)
    assert noise.min() == 0
    assert noise.max() == 1
    inner = noise[(noise > 0) & (noise < 1)]
    assert stats.kstest(inner, stats.truncnorm(-2, 2, 0.5, 0.25).cdf).pvalue > 0.001
    assert (noise == 0).mean() == pytest.approx(stats.norm.cdf(-2), abs=0.005)


@pytest.mark.parametrize("strength", [0.2, 1.0])
def test_salt_and_pepper_take_equal_shares_of_the_strength(strength: float) -> None:
    noise = salt_and_pepper_noise(20, (28, 28, 1), 0, strength)
    for grey, share in ((0, strength / 2), (0.5, 1 - strength), (1, strength / 2)):
        assert (noise == grey).mean() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("channels", [1, 3])
def test_neighbours_are_alike_in_smooth_noise_alone(channels: int) -> None:
    def roughness(noise: np.ndarray) -> float:
        return float(np.abs(np.diff(noise, axis=2)).mean() / noise.std())

    smooth = smooth_noise(10, (28, 28, channels), seed=0)
    assert roughness(smooth) < roughness(uniform_noise(10, (28, 28, channels), seed=0)) / 5
    np.testing.assert_allclose(
        [smooth.min(axis=(1, 2, 3)), smooth.max(axis=(1, 2, 3))], [[0] * 10, [1] * 10], atol=1e-6
    )


def test_smooth_noise_has_more_to_it_than_its_coarsest_grid() -> None:
    smooth = smooth_noise(10, (28, 28, 1), seed=0)
    blurred = ndimage.gaussian_filter(smooth, (0, 6, 6, 0))
    assert (smooth - blurred).std() > 0.05


def test_grey_is_one_grey() -> None:
    grey = NOISES["grey"].draw(200, (3, 4, 3), 0, 1.0)
    assert (grey == grey[:, :1, :1, :1]).all()
    assert stats.kstest(grey[:, 0, 0, 0], "uniform").pvalue > 0.001


# Texts: as long as texts that are there, of their words or of none


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
