"""How far out a vector lies, against what can be computed by hand."""

import numpy as np
import pytest

from mcviz.measures.ood import PrincipalSubspace, nearest_neighbours

RANDOM = np.random.default_rng(0)


def test_neighbours_are_those_of_a_slow_loop() -> None:
    known, vectors = RANDOM.normal(size=(30, 4)), RANDOM.normal(size=(7, 4))
    expected = [np.sort([np.linalg.norm(vector - each) for each in known])[:10].mean() for vector in vectors]
    np.testing.assert_allclose(nearest_neighbours(known, vectors), expected)


def test_of_few_vectors_all_are_neighbours() -> None:
    assert nearest_neighbours(np.zeros((3, 2)), np.array([[3.0, 4.0]])) == [5]


def test_what_lies_in_the_plane_of_the_known_vectors_is_near_and_how_far_the_rest_is_out() -> None:
    plane = RANDOM.normal(size=(200, 2)) @ np.array([[1.0, 0, 0], [0, 1, 0]]) + [5, 5, 2]
    span = PrincipalSubspace.fit(plane)
    assert span.components.shape == (2, 3)
    np.testing.assert_allclose(span.distance(np.array([[9.0, -3, 2], [5, 5, 6], [1, 2, -1]])), [0, 4, 3], atol=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_as_many_components_are_taken_as_explain_nine_tenths(share: float) -> None:
    spread = np.sqrt([share, 1 - share])
    known = RANDOM.normal(size=(4000, 2)) * spread
    assert len(PrincipalSubspace.fit(known).components) == (2 if share < 0.9 else 1)
