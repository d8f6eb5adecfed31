"""The inputs of a new run, and the parts of its manifest that describe them."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from msgspec.structs import replace

from mcviz.manifest import Examples, Images, Manifest
from mcviz.runs.table import decode_columns, encode_columns, rename_reserved
from mcviz.tasks import TASKS
from mcviz.tasks.aggregates import Aggregates

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]
Seen = Callable[[Manifest, int, Aggregates], None]  # a run, the first example of some, and the aggregates of these
BLOCK_BYTES = 1 << 26  # of images that are looked at at once


class Rows(Protocol):
    """An array that is read where it is indexed, so it need not be in memory."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of every slice."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole."""

    def __getitem__(self, rows: slice | np.ndarray, /) -> np.ndarray:
        """Some of the rows, by a slice or by their numbers."""


class Source(Protocol):
    """Where predictions come from: the sampled model, over the examples of the run."""

    def passes(self, start: int, stop: int, first_pass: int, passes: int, progress: Progress) -> np.ndarray:
        """(passes, stop - start, K) float32: passes from `first_pass` on, of examples `start` to before `stop`."""

    def deterministic(self, start: int, stop: int) -> np.ndarray:
        """(stop - start, K) float32 of the model with dropout off."""


@dataclass(frozen=True)
class Contents:
    """The inputs of a run, beside its manifest.

    Attributes:
        source: of the predictions.
        images: (N, height, width, channels) of the manifest's dtype, read as they are sliced; or None.
        labels: (N,) int64 classes, (N, D) float32 true values of a regression, or None.
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


def describe_images(images: Rows, stored: bool) -> tuple[Images, str]:
    """Describe images for a manifest, and hash their content, in one reading.

    Args:
        images: (N, height, width, channels) uint8 or float32.
        stored: whether the run will hold them.
    """
    count, (height, width, channels) = images.shape[0], images.shape[1:]
    digest = _start_hash(images)
    lowest, highest = np.inf, -np.inf
    rows = max(1, BLOCK_BYTES // (height * width * channels * images.dtype.itemsize))
    for start in range(0, count, rows):
        block = np.ascontiguousarray(images[start : start + rows])
        digest.update(block.data)
        lowest, highest = min(lowest, float(block.min())), max(highest, float(block.max()))
    dtype: Literal["uint8", "float32"] = "uint8" if images.dtype == np.uint8 else "float32"
    return Images((height, width, channels), dtype, lowest, highest, stored), digest.hexdigest()


def describe_examples(
    examples: Examples, task: str, targets: Sequence[str], ids: tuple[str, ...] | None, *parts: "pd.DataFrame | None"
) -> tuple[Examples, bytes | None]:
    """Describe examples for a manifest, and encode the file of their ids and columns if they have any.

    Args:
        examples: their kind, number, and the SHA-256 of images; empty where there are none.
        task: of the run.
        targets: D names of a regression.
        ids: N texts, or None.
        parts: the columns that are the examples themselves, and the user's own, a row an example; or None each.
    """
    reserved = ("example", "id", *TASKS[task].table_columns(targets), *TASKS[task].scores)
    content, own = (None if part is None else rename_reserved(part, reserved) for part in parts)
    sha256 = examples.sha256
    if content is not None:
        sha256 = hashlib.sha256(content.to_csv(index=False).encode()).hexdigest()
    elif not sha256:
        sha256 = hashlib.sha256(json.dumps(ids or examples.count).encode()).hexdigest()
    there = [part for part in (content, own) if part is not None]
    named, file = None, encode_columns(ids, *there)
    if file is not None:  # as a run gives them back: whole numbers with gaps come back as floating point
        read = decode_columns(file, examples.count)
        tables = [read[list(part.columns)].to_csv(index=False) for part in there] or [""]
        named = hashlib.sha256(json.dumps([ids, *tables]).encode()).hexdigest()
    names = () if content is None else tuple(content.columns)
    return replace(examples, sha256=sha256, columns_sha256=named, content=names), file


def stored_scores(task: str, spread: bool = False) -> tuple[str, ...]:
    """The names of the scores that a new run stores: all that need only the passes.

    Args:
        task: of the run.
        spread: whether the passes predict variances.
    """
    there = {"probs", "outputs", *(["variances"] if spread else [])}
    return tuple(score.name for score in TASKS[task].scores.values() if there.issuperset(score.needs))


def hash_array(array: np.ndarray) -> str:
    """The SHA-256 of the dtype, shape and numbers of an array."""
    digest = _start_hash(array)
    for start in range(0, len(array) if array.ndim else 0, 1024):
        digest.update(np.ascontiguousarray(array[start : start + 1024]).data)
    return digest.hexdigest()


def _start_hash(array: Rows) -> Any:
    return hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
