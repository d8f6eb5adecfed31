"""Similar examples against distances that are known, the t-SNE layout, and the memory that finding them takes."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import silhouette_score

from mcviz.measures import similarity
from mcviz.measures.similarity import most_similar, principal_components, tsne, word_components
from tests.cases import one_in


class SlicedOnly:
    """Images that can be sliced and nothing else, as those of a run on disk; remembers the longest slice."""

    def __init__(self, images: np.ndarray) -> None:
        self._images, self.shape, self.longest = images, images.shape, 0

    def __getitem__(self, which: slice) -> np.ndarray:
        assert isinstance(which, slice)
        self.longest = max(self.longest, len(range(*which.indices(len(self._images)))))
        return self._images[which]


def some_images(count: int, shape: tuple[int, ...] = (12, 10, 3)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def test_components_are_those_of_scikit_learn_s_full_decomposition() -> None:
    pixels = np.random.default_rng(0).normal(size=(200, 60)) * 0.8 ** np.arange(60)
    found = principal_components(pixels.reshape(200, 6, 10, 1), 5)
    expected = PCA(5, svd_solver="full").fit_transform(pixels)
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=1e-3)


@pytest.mark.parametrize("dtype", one_in(3, [np.uint8, np.float32, np.float64]))
def test_images_that_are_read_in_small_blocks_have_the_same_components(dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    images = some_images(40).astype(dtype)
    whole = principal_components(images)
    monkeypatch.setattr(similarity, "IMAGE_BLOCK_BYTES", 7 * 4 * images[0].size)
    sliced = SlicedOnly(images)
    np.testing.assert_allclose(principal_components(sliced), whole, atol=1e-2)
    assert sliced.longest == 7


@pytest.mark.parametrize(
    ("compute", "total"),
    [
        (lambda progress: principal_components(some_images(40), progress=progress), 40),
        (lambda progress: word_components([f"word {number % 7}" for number in range(40)], progress=progress), 40),
    ],
    ids=["images", "texts"],
)
def test_progress_is_told_to_the_end_and_what_it_raises_stops_the_work(
    compute: Callable[[Callable[[int, int], None]], np.ndarray], total: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity, "IMAGE_BLOCK_BYTES", 7 * 4 * some_images(1)[0].size)
    monkeypatch.setattr(similarity, "REPORTED_TEXTS", 7)
    reports: list[tuple[int, int]] = []
    compute(lambda done, of: reports.append((done, of)))
    assert len(reports) > 5
    assert reports[-1] == (total, total)
    assert all(0 <= done <= of == total for done, of in reports)

    class StoppedError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        compute(stop)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_no_image_is_similar_to_itself_in_a_small_set(count: int) -> None:
    components = principal_components(some_images(count))
    assert components.shape == (count, count)
    for example in range(count):
        assert sorted(most_similar(components, example, 6)) == sorted(set(range(count)) - {example})


def test_similar_images_are_near_in_their_pixels() -> None:
    random = np.random.default_rng(1)
    kinds = random.random((20, 12, 10, 1))
    images = (kinds[np.arange(400) % 20] + 0.1 * random.random((400, 12, 10, 1))).astype(np.float32)
    components = principal_components(images)
    for example in (0, 7, 399):
        assert {other % 20 for other in most_similar(components, example, 19)} == {example % 20}


def test_the_nearest_come_first_and_equal_images_are_found() -> None:
    components = np.array([[0], [5], [1], [0], [2.5], [0]], dtype=np.float32)
    assert most_similar(components, 1, 3).tolist() == [4, 2, *most_similar(components, 1, 3)[2:]]
    for example in (0, 3, 5):
        assert set(most_similar(components, example, 2)) == {0, 3, 5} - {example}


def test_images_that_are_all_the_same_have_no_components() -> None:
    assert (principal_components(np.full((8, 4, 4, 1), 7, np.uint8)) == 0).all()


@pytest.mark.parametrize("shape", [(224, 224, 3), (223, 5000, 1), (70, 90, 3), (1, 100_000, 1)])
def test_large_images_are_averaged_down_to_some_thousand_values(shape: tuple[int, int, int]) -> None:
    stride = similarity._stride(shape)
    image = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    small = similarity._downscale(image, stride)
    assert similarity.MOST_VALUES / 5 < small[0].size <= similarity.MOST_VALUES
    np.testing.assert_allclose(small[:, 0, 0], image[:, :stride, :stride].mean(axis=(1, 2)), rtol=1e-4)
    rows, columns = (-(-size // stride) * stride - stride for size in shape[:2])
    np.testing.assert_allclose(small[:, -1, -1], image[:, rows:, columns:].mean(axis=(1, 2)), rtol=1e-4)


@pytest.mark.slow
def test_ten_thousand_photographs_take_a_small_part_of_their_own_size() -> None:
    """1.5 GB as bytes and 6 GB as float32, in views of one small buffer, so that only the work itself is measured."""
    count, shape, step = 10_000, (224, 224, 3), 1000
    values = int(np.prod(shape))
    buffer = np.random.default_rng(0).integers(0, 256, values + count * step, dtype=np.uint8)
    photographs = np.lib.stride_tricks.sliding_window_view(buffer, values)[: count * step : step].reshape(count, *shape)
    assert np.shares_memory(photographs, buffer)
    tracemalloc.start()
    try:
        components = principal_components(photographs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert components.shape == (count, similarity.COMPONENTS)
    assert np.isfinite(components).all()
    assert peak < 400 * 2**20


TOPICS = ["cat dog horse cow sheep", "oak elm birch maple ash", "bread butter cheese milk egg"]


def sentences(count: int) -> list[str]:
    """Sentences of four words of one topic each; the topics take turns."""
    random = np.random.default_rng(0)
    return [" ".join(random.choice(TOPICS[each % 3].split(), 4, replace=False)) for each in range(count)]


def test_texts_of_one_topic_are_near_each_other_whatever_their_length() -> None:
    texts = sentences(60)
    texts[7] = " ".join(texts[7::3])  # a long one
    components = word_components(texts, 3)
    assert components.shape == (60, 3)
    for example in (0, 7, 59):
        assert all(other % 3 == example % 3 for other in most_similar(components, example, 19))


def test_distances_are_those_of_the_cosine_in_a_full_decomposition_of_the_tf_idf() -> None:
    texts = [*sentences(12), "Cat, CAT!", "one"]
    weights = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+").fit_transform(texts).toarray()
    expected = 2 - 2 * weights @ weights.T  # the rows have a length of 1
    components = word_components(texts)
    found = ((components[:, None] - components[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    "texts", [[""], ["a"], ["", " ", "\n"], ["same words"] * 5, ["", "word"], ["?!", "\U0001f600", "x" * 10_000]]
)
def test_texts_without_words_alone_or_all_the_same_have_finite_components_and_the_same_each_time(texts) -> None:
    components = word_components(texts)
    assert components.dtype == np.float32
    assert len(components) == len(texts)
    assert np.isfinite(components).all()
    np.testing.assert_array_equal(components, word_components(texts))
    assert len(most_similar(components, 0, 6)) == len(texts) - 1
    if len(set(texts)) == 1:
        assert np.ptp(components, axis=0).max() < 1e-6


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "ITERATIONS", (20, 40))


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


@pytest.mark.slow
def test_progress_is_told_up_to_the_end_and_what_it_raises_ends_it() -> None:
    reports = []
    tsne(clusters(30)[0], lambda done, total: reports.append((done, total)))
    assert reports == [(done, 60) for done in range(10, 70, 10)]

    class StopError(BaseException):
        """As Streamlit stops a script."""

    def stop(done: int, total: int) -> None:
        if done >= 30:
            raise StopError

    with pytest.raises(StopError):
        tsne(clusters(30)[0], stop)


@pytest.mark.slow
def test_examples_beyond_the_most_that_are_laid_out_have_no_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "MOST_MAPPED", 40)
    layout = tsne(clusters(60)[0])
    there = np.isfinite(layout).all(axis=1)
    assert there.sum() == 40
    assert np.isnan(layout[~there]).all()
    np.testing.assert_array_equal(np.isfinite(tsne(clusters(60)[0])).all(axis=1), there)


@pytest.mark.slow
@pytest.mark.parametrize("count", one_in(2, [5, 6]))
def test_very_few_examples_have_a_layout(count: int) -> None:
    assert np.isfinite(tsne(clusters(count)[0])).all()


def test_fewer_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 5 examples\. Received: 4\."):
        tsne(clusters(4)[0])
