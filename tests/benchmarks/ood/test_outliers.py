"""Distances and densities against their definitions, written out."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from benchmarks.ood import outliers


def test_neighbours_are_the_nearest_of_all_distances() -> None:
    random = np.random.default_rng(0)
    known, vectors = random.normal(size=(200, 5)), random.normal(size=(20, 5)) * 4
    expected = np.sort(cdist(vectors, known), axis=1)[:, :7].mean(axis=1)
    np.testing.assert_allclose(outliers.nearest_neighbours(known, vectors, 7), expected, rtol=1e-9)
    single = outliers.nearest_neighbours(known.astype(np.float32), vectors.astype(np.float32), 7)
    np.testing.assert_allclose(single, expected, rtol=1e-5)


def test_a_gaussian_s_distance_is_that_of_mahalanobis_to_the_nearest_mean() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(200) % 3
    known = random.normal(size=(200, 5)) * [1, 2, 1, 0.5, 1] + labels[:, None] * 3
    vectors = random.normal(size=(20, 5)) * 4
    means = np.stack([known[labels == c].mean(axis=0) for c in range(3)])
    deviations = known - means[labels]
    expected = cdist(vectors, means, "mahalanobis", VI=np.linalg.inv(deviations.T @ deviations / 200)) ** 2
    np.testing.assert_allclose(outliers.gaussian_by_class(known, labels, vectors), expected.min(axis=1), rtol=0.02)


@pytest.mark.parametrize("model", [outliers.isolation_forest, outliers.one_class, outliers.nearest_neighbours])
def test_every_model_finds_what_is_far_out(model) -> None:
    known = np.random.default_rng(0).normal(size=(300, 4))
    ood_score = model(known, np.array([[0.1, 0, 0, 0], [6, 6, 6, 6]]))
    assert ood_score[1] > ood_score[0]
