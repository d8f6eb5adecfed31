"""The t-SNE layout: near what is alike, bounded, reproducible, and stopped by whoever is told of its progress."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from mcviz.measures import similarity
from mcviz.measures.similarity import tsne


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "ITERATIONS", (50, 100))


def clusters(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Three clusters in ten dimensions, and which of them each point is of."""
    random = np.random.default_rng(0)
    members = np.arange(count) % 3
    return (random.normal(0, 10, (3, 10))[members] + random.normal(size=(count, 10))).astype(np.float32), members


def test_what_is_alike_lies_together_and_the_same_again() -> None:
    points, members = clusters(150)
    layout = tsne(points)
    assert layout.shape == (150, 2)
    assert layout.dtype == np.float32
    assert silhouette_score(layout, members) > 0.6
    np.testing.assert_array_equal(tsne(points), layout)


def test_progress_is_told_up_to_the_end_and_what_it_raises_ends_it() -> None:
    told = []
    tsne(clusters(30)[0], lambda done, total: told.append((done, total)))
    assert told == [(done, 150) for done in range(10, 160, 10)]

    class StopError(BaseException):
        """As Streamlit stops a script."""

    def stop(done: int, total: int) -> None:
        if done >= 30:
            raise StopError

    with pytest.raises(StopError):
        tsne(clusters(30)[0], stop)


def test_examples_beyond_the_most_that_are_laid_out_have_no_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "MOST_MAPPED", 40)
    layout = tsne(clusters(60)[0])
    there = np.isfinite(layout).all(axis=1)
    assert there.sum() == 40
    assert np.isnan(layout[~there]).all()
    np.testing.assert_array_equal(np.isfinite(tsne(clusters(60)[0])).all(axis=1), there)


@pytest.mark.parametrize("count", [5, 6])
def test_very_few_examples_have_a_layout(count: int) -> None:
    assert np.isfinite(tsne(clusters(count)[0])).all()


def test_fewer_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 5 examples\. Received: 4\."):
        tsne(clusters(4)[0])
