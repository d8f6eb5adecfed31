"""Similarity of examples: components, nearest neighbours and t-SNE.

Images are read in blocks, so memory does not grow with their size.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Protocol

import numpy as np

COMPONENTS = 50
MOST_VALUES = 4096  # of an image; larger ones are averaged over squares of pixels
IMAGE_BLOCK_BYTES = 2**25  # of the images that are read at once, as float32
SAMPLE_BYTES = 2**26  # of the images that the components are fitted on
WALKS = 2  # through all images: for the sample, and to project them
SAMPLED = 10_000  # images; more give visually equal components
REPORTED_TEXTS = 1000  # between reports of progress
VOCABULARY_SIZE = 20_000  # the most frequent words
WORD_PATTERN = re.compile(r"\w+")
Progress = Callable[[int, int], object]

MOST_MAPPED = 20_000  # more take many minutes, and their points cover each other
FEWEST_MAPPED = 5  # with fewer there is no map
PERPLEXITY = 30
ITERATIONS = (250, 500)  # of both phases of van der Maaten & Hinton (2008), openTSNE's defaults
REPORTED = 10  # iterations between reports of progress


class ImageSource(Protocol):
    """An array of images or features, or an object that slices like one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, height, width, channels) or (N, D)."""

    def __getitem__(self, which: slice, /) -> np.ndarray:
        """Read a slice of them."""


def principal_components(images: ImageSource, count: int = COMPONENTS, progress: Progress | None = None) -> np.ndarray:
    """Project images onto their strongest principal components.

    The components are fitted to a random sample of up to 10,000 images and 64 MB, by a randomised decomposition (Halko
    et al. 2011). Images of more than 4,096 values are first downscaled by averaging.

    Args:
        images: (N, height, width, channels), or (N, D) features, of any dtype; an array or something sliced like one.
        count: how many components, at most.
        progress: called with (done, total) examples; an exception from it ends the computation.

    Returns:
        (N, K) float32, the strongest component first; K is `count`, N or the number of values, whichever is least.
    """
    from sklearn.decomposition import PCA  # here, because scikit-learn takes most of a second to import

    total = images.shape[0]

    def blocks(walk: int) -> Iterator[slice]:
        for block in _blocks(images.shape):
            yield block
            if progress:
                progress((walk * total + min(block.stop, total)) // WALKS, total)

    stride = _stride(images.shape[1:])
    values = _downscale(images[:1], stride).size
    sampled = np.random.default_rng(0).permutation(total) < min(SAMPLED, max(2, SAMPLE_BYTES // (4 * values)))
    sample = np.empty((int(sampled.sum()), values), dtype=np.float32)
    done = 0
    for block in blocks(0):
        chosen = images[block][sampled[block]]
        sample[done : done + len(chosen)] = _downscale(chosen, stride).reshape(len(chosen), values)
        done += len(chosen)
    components_kept = min(count, *sample.shape)
    with np.errstate(invalid="ignore", divide="ignore"):  # no variance if all images are the same
        pca = PCA(components_kept, svd_solver="randomized", random_state=0).fit(sample)
    components = np.empty((total, components_kept), dtype=np.float32)
    for block in blocks(1):
        pixels = _downscale(images[block], stride)
        components[block] = pca.transform(pixels.reshape(len(pixels), values))
    return components


def word_components(texts: Sequence[str], count: int = COMPONENTS, progress: Progress | None = None) -> np.ndarray:
    """Project texts by latent semantic analysis (Deerwester et al. 1990).

    The words' TF-IDF is decomposed (truncated SVD), and each text scaled to length 1. The components are rotated so
    that the strongest come first, as in `principal_components`.

    Args:
        texts: N of them; those without words are all the same.
        count: how many components, at most.
        progress: called with (done, total) texts; an exception from it ends the computation.

    Returns:
        (N, K) float32; K is `count`, N or the number of different words, whichever is least.
    """
    # Here, because scikit-learn takes most of a second to import.
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize
    from sklearn.utils.extmath import randomized_svd

    tf_idf = TfidfVectorizer(analyzer=_words, sublinear_tf=True, max_features=VOCABULARY_SIZE, dtype=np.float32)

    def read() -> Iterator[str]:
        for done, text in enumerate(texts, 1):
            yield text
            if progress and (done % REPORTED_TEXTS == 0 or done == len(texts)):
                progress(done, len(texts))

    weights = tf_idf.fit_transform(read())
    left, strengths, _ = randomized_svd(weights, min(count, *weights.shape), random_state=0)
    return principal_components(normalize(left * strengths), count)


def most_similar(components: np.ndarray, example: int, count: int) -> np.ndarray:
    """Find the other examples nearest to one.

    Args:
        components: (N, K) float32, as `principal_components` gives them.
        example: its number.
        count: how many others, at most.

    Returns:
        (n,) int64 numbers of examples, the nearest first; n is `count` or N - 1, whichever is less.
    """
    from sklearn.neighbors import NearestNeighbors  # here, because scikit-learn takes most of a second to import

    count = min(count, len(components) - 1)
    neighbours = NearestNeighbors(n_neighbors=count + 1, algorithm="brute").fit(components)
    nearest = neighbours.kneighbors(components[example : example + 1], return_distance=False)[0]
    return nearest[nearest != example][:count]  # more than `count` others may equal the example


def _words(text: str) -> list[str]:
    """Return the lower-case words of a text, or [""] without words."""
    return WORD_PATTERN.findall(text.lower()) or [""]


def _blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    step = max(1, IMAGE_BLOCK_BYTES // (4 * int(np.prod(shape[1:]))))
    return (slice(start, start + step) for start in range(0, shape[0], step))


def _stride(shape: tuple[int, ...]) -> int:
    if len(shape) != 3:
        return 1
    height, width, channels = shape
    stride = 1
    while -(-height // stride) * -(-width // stride) * channels > MOST_VALUES and stride < max(height, width):
        stride += 1
    return stride


def _downscale(images: np.ndarray, stride: int) -> np.ndarray:
    """Average images over squares of pixels, smaller at edges: (n, …) float32."""
    pixels = images.astype(np.float32)
    for axis in (1, 2) if stride > 1 else ():
        starts = np.arange(0, pixels.shape[axis], stride)
        sizes = np.diff(starts, append=pixels.shape[axis]).astype(np.float32)
        pixels = np.add.reduceat(pixels, starts, axis=axis)
        pixels /= sizes.reshape([-1 if a == axis else 1 for a in range(pixels.ndim)])
    return pixels


def tsne(components: np.ndarray, progress: Callable[[int, int], object] | None = None) -> np.ndarray:
    """Map examples by t-SNE (van der Maaten & Hinton 2008); takes minutes.

    Args:
        components: (N, K) floating point, K numbers an example, such as `principal_components` gives.
        progress: called with (done, total) iterations; an exception from it ends the computation.

    Returns:
        (N, 2) float32 positions; those of examples beyond the 20,000 that a fixed draw chooses are NaN.

    Raises:
        ValueError: fewer than 5 examples.
    """
    total = len(components)
    if total < FEWEST_MAPPED:
        raise ValueError(f"t-SNE needs at least {FEWEST_MAPPED} examples. Received: {total}.")
    import openTSNE  # here, because it takes a second to import

    rounds = count(1)

    def report(*_: object) -> bool:
        if progress:
            progress(next(rounds) * REPORTED, sum(ITERATIONS))
        return False

    chosen = np.sort(np.random.default_rng(0).choice(total, min(total, MOST_MAPPED), replace=False))
    embedding = openTSNE.TSNE(
        n_jobs=-1,
        random_state=0,
        early_exaggeration_iter=ITERATIONS[0],
        n_iter=ITERATIONS[1],
        perplexity=min(PERPLEXITY, (len(chosen) - 1) // 3),
        callbacks=report,
        callbacks_every_iters=REPORTED,
    )
    layout = np.full((total, 2), np.nan, dtype=np.float32)
    layout[chosen] = np.asarray(embedding.fit(components[chosen]))
    return layout
