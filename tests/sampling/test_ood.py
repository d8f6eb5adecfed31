"""The detector of out-of-scope images, from a run on disk to a verdict on an image."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from mcviz.data import DataSet
from mcviz.errors import InvalidInputError
from mcviz.kinds.image_distortions import uniform_noise
from mcviz.runs import load_derived, open_run
from mcviz.sampling import Sampler
from mcviz.sampling.ood import FIT, fit_ood_detector, ood_verdict, split_halves
from mcviz.sampling.run_sampling import sample_run
from tests.sampling.fake import FakeNetwork, make_arrays

ROOT = Path(__file__).parents[2]


def bars(labels: np.ndarray, seed: int) -> np.ndarray:
    """Images of one bright bar each, lying, standing or both, with a little noise."""
    random = np.random.default_rng(seed)
    images = 0.05 * random.random((len(labels), 10, 10, 1), dtype=np.float32)
    for image, label, place in zip(images, labels, random.integers(2, 8, len(labels)), strict=True):
        if label in (0, 2):
            image[place] += 0.9
        if label in (1, 2):
            image[:, place] += 0.9
    return np.minimum(images, 1)


@pytest.fixture(scope="module")
def model() -> FakeNetwork:
    labels = np.arange(900) % 3
    trained = MLPClassifier(16, tol=0.01, random_state=0).fit(bars(labels, 1).reshape(900, -1), labels)
    (first, second), (first_bias, second_bias) = trained.coefs_, trained.intercepts_
    weights = {"first": first, "first_bias": first_bias, "second": second, "second_bias": second_bias}
    arrays = {name: array.astype(np.float32) for name, array in weights.items()}
    return FakeNetwork(make_arrays((10, 10, 1), 3, rate=0.3) | arrays)


@pytest.fixture(scope="module", params=["with labels", "without"])
def run(request, model, tmp_path_factory):
    labels = np.arange(240) % 3
    data = DataSet(bars(labels, 2), labels if request.param == "with labels" else None)
    return sample_run(model, data, tmp_path_factory.mktemp("cache") / "bars", passes=20)


def test_images_like_the_run_s_are_kept_and_noise_is_not(model, run) -> None:
    sampler = Sampler(model)
    detector = fit_ood_detector(sampler, run)

    def verdict(images: np.ndarray):
        return ood_verdict(detector, sampler, images, sampler.sample(images, passes=20))

    alike = verdict(bars(np.arange(300) % 3, 3))
    assert alike.is_ood.mean() < 0.15
    noise = verdict(uniform_noise(50, (10, 10, 1), seed=0))
    assert noise.is_ood.all()
    assert noise.percentile.max() < 0.05
    assert verdict(1 - bars(np.arange(50) % 3, 4)).is_ood.mean() > 0.9


def test_what_takes_longest_is_computed_once_for_a_run(model, run, monkeypatch) -> None:
    first = fit_ood_detector(Sampler(model), run)

    def refuse(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("mcviz.measures.ood.unexplained_share", refuse)
    again = fit_ood_detector(Sampler(model), open_run(run.path))
    np.testing.assert_array_equal(again.uncertainty, first.uncertainty)
    np.testing.assert_array_equal(again.unexplained, first.unexplained)


def test_no_example_is_both_fitted_and_calibrated_on() -> None:
    for count in (20, 21, 37, 38, 100, 30_000):
        fitted, calibrating = split_halves(np.arange(count))
        assert not set(fitted) & set(calibrating)
        assert len(calibrating) == min(5000, max(19, (count + 1) // 2))
        assert len(fitted) == min(5000, count - len(calibrating))


def test_the_shipped_run_comes_with_it() -> None:
    run = open_run(ROOT / "cache" / "mnist-cnn")
    kept = load_derived(run.path, run.digest, FIT)
    unexplained = None if kept is None else kept["unexplained"]
    assert unexplained is not None
    assert 0 < unexplained.min() < unexplained.max() < 1


def test_a_run_of_few_images_is_refused(model, tmp_path) -> None:
    run = sample_run(model, bars(np.arange(19) % 3, 5), tmp_path / "few", passes=4)
    with pytest.raises(InvalidInputError, match="a run of 19 examples"):
        fit_ood_detector(Sampler(model), run)
