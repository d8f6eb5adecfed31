import numpy as np
from scipy import stats

from mcviz.data import uniform_noise


def test_an_image_of_a_seed_is_the_same_however_many_are_asked_for():
    np.testing.assert_array_equal(uniform_noise(2, (28, 28, 1), seed=3), uniform_noise(5, (28, 28, 1), seed=3)[:2])


def test_another_seed_is_another_image():
    assert (uniform_noise(1, (28, 28, 1), seed=0) != uniform_noise(1, (28, 28, 1), seed=1)).mean() > 0.99


def test_noise_is_uniform_float32_in_0_to_1():
    noise = uniform_noise(20, (28, 28, 1), seed=0)
    assert noise.shape == (20, 28, 28, 1)
    assert noise.dtype == np.float32
    assert noise.min() >= 0
    assert noise.max() < 1
    assert stats.kstest(noise.ravel(), "uniform").pvalue > 0.001
