"""What a run is made of, and how its manifest describes it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from mcviz.measures import SCORES
from mcviz.runs.manifest import Examples, Images

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]
BLOCK_BYTES = 1 << 26  # of images that are looked at at once


class Rows(Protocol):
    """An array that need not be in memory: what is sliced is read."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what a slice gives."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole."""

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        """Some of the rows."""


class Source(Protocol):
    """Where predictions come from: the sampled model, over the examples of the run."""

    def passes(self, start: int, stop: int, first_pass: int, passes: int, progress: Progress) -> np.ndarray:
        """(passes, stop - start, C) float32: passes from `first_pass` on, of examples `start` to before `stop`."""

    def deterministic(self, start: int, stop: int) -> np.ndarray:
        """(stop - start, C) float32 of the model with dropout off."""


@dataclass(frozen=True)
class Contents:
    """What a run is made of, beside its manifest.

    Attributes:
        source: of the predictions.
        images: (N, height, width, channels) of the manifest's dtype, read as they are sliced; or None.
        labels: (N,) int64, or None.
        ids: N texts, or None where the examples have no names but their numbers.
        columns: the bytes of `examples.parquet`, or None.
        features: (N, D) float32 by which examples are alike, or None.
        model: the bytes of the model file to keep, or None.
    """

    source: Source
    images: Rows | None = None
    labels: np.ndarray | None = None
    ids: tuple[str, ...] | None = None
    columns: bytes | None = None
    features: np.ndarray | None = None
    model: bytes | None = None


def described_images(images: Rows, stored: bool) -> tuple[Images, str]:
    """What a manifest says of images, and the SHA-256 of their content, found in one reading.

    Args:
        images: (N, height, width, channels) uint8 or float32.
        stored: whether the run will hold them.
    """
    count, (height, width, channels) = images.shape[0], images.shape[1:]
    digest = _begun(images)
    lowest, highest = np.inf, -np.inf
    rows = max(1, BLOCK_BYTES // (height * width * channels * images.dtype.itemsize))
    for start in range(0, count, rows):
        block = np.ascontiguousarray(images[start : start + rows])
        digest.update(block.data)
        lowest, highest = min(lowest, float(block.min())), max(highest, float(block.max()))
    dtype: Literal["uint8", "float32"] = "uint8" if images.dtype == np.uint8 else "float32"
    return Images((height, width, channels), dtype, lowest, highest, stored), digest.hexdigest()


def described_examples(
    kind: Literal["image", "none"],
    count: int,
    sha256: str | None,
    ids: tuple[str, ...] | None,
    columns: "pd.DataFrame | None",
) -> Examples:
    """What a manifest says of examples.

    Args:
        kind: what they are.
        count: N.
        sha256: of their content; of their ids, or else of their number, where there is no content.
        ids: N texts, or None.
        columns: the user's own, a row an example, or None.
    """
    content = sha256 or hashlib.sha256(json.dumps(ids or count).encode()).hexdigest()
    named = None
    if ids is not None or (columns is not None and len(columns.columns)):
        table = "" if columns is None else columns.to_csv(index=False)
        named = hashlib.sha256(json.dumps([ids, table]).encode()).hexdigest()
    return Examples(kind, count, content, named)


def stored_scores() -> tuple[str, ...]:
    """The names of the scores that a new run stores: those that need nothing but the probabilities of the passes."""
    return tuple(score.name for score in SCORES.values() if score.needs == ("probs",))


def sha256_of(array: np.ndarray) -> str:
    """SHA-256 of an array: of its dtype, its shape and its numbers."""
    digest = _begun(array)
    for start in range(0, len(array) if array.ndim else 0, 1024):
        digest.update(np.ascontiguousarray(array[start : start + 1024]).data)
    return digest.hexdigest()


def _begun(array: Rows) -> Any:
    return hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
