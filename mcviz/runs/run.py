"""A finished run, opened to be looked at. Nothing is read before it is asked for; nothing here needs TensorFlow."""

import hashlib
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np

from mcviz.errors import CorruptRunError, McvizError, PartialRunError, RunNotFoundError
from mcviz.measures import SCORES
from mcviz.runs.blocks import Block, Summary, read_labels
from mcviz.runs.damage import damaged
from mcviz.runs.images import StoredImages
from mcviz.runs.manifest import MODEL, Manifest, read_manifest
from mcviz.runs.place import LocalFolder, Place, place_of

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
P = ParamSpec("P")


def open_run(path: str | os.PathLike[str]) -> "Run":
    """Open a finished run.

    Args:
        path: its folder, or an fsspec address such as `s3://bucket/run`.

    Raises:
        RunNotFoundError: there is no run.
        PartialRunError: its sampling was stopped before the end; the message says how to go on.
        CorruptRunError: a file is missing, or is not what was written.
        InvalidInputError: a later version of mcviz wrote it.
        StorageError: it cannot be read.
    """
    place = place_of(path)
    while True:
        manifest = read_manifest(place)
        sizes = place.sizes()
        if manifest.state == "partial":
            raise PartialRunError(how_far(place, manifest, sizes))
        wrong = [name for name, file in manifest.files.items() if sizes.get(name) != file.bytes]
        if not wrong:
            return Run(place, manifest)
        if read_manifest(place) == manifest:  # or else it was replaced between the two looks at it
            raise _wrong_size(place, manifest, wrong[0], sizes)


def how_far(place: Place, manifest: Manifest, sizes: dict[str, int]) -> str:
    """A sentence on how much of a partial run is there, and how to go on."""
    done = images_done(manifest, sizes)
    return (
        f"{place.path} is a partial run: {done:,} of {manifest.images.count:,} images have their {manifest.passes:,} "
        f"passes. Go on with the `python -m mcviz sample` command that began it (--out {place.path}), or take it away "
        f"with `python -m mcviz remove {place.path}`."
    )


def check_file(place: Place, manifest: Manifest, name: str) -> int:
    """Hold a file of a finished run against its checksum.

    Returns:
        Its size in bytes.

    Raises:
        CorruptRunError: it is missing, or not what was written.
    """
    try:
        content = place.read(name)
    except FileNotFoundError as error:
        raise damaged(place.address(name), "is missing") from error
    if hashlib.sha256(content).hexdigest() != manifest.files[name].sha256:
        raise damaged(place.address(name), "does not match its checksum")
    return len(content)


def images_done(manifest: Manifest, sizes: dict[str, int]) -> int:
    """The number of images whose block is there."""
    ranges = (manifest.block_range(block) for block in range(manifest.blocks) if manifest.block_name(block) in sizes)
    return sum(stop - start for start, stop in ranges)


class Run:
    """One model × one data set × T passes × seed × mask mode, on disk.

    Arrays that come from here are read-only, and may be shared between threads.

    Attributes:
        path: the folder or address.
        manifest: what the run says about itself.
        digest: its identity, a SHA-256 of all that determines its numbers.
    """

    def __init__(self, place: Place, manifest: Manifest) -> None:
        self._place = place
        self._blocks: dict[int, Block] = {}
        self.path = place.path
        self.manifest = manifest
        self.digest = manifest.digest

    def __repr__(self) -> str:
        return f"<Run {self.path}: {self.manifest.passes} passes × {self.manifest.images.count} images>"

    def __len__(self) -> int:
        """The number of examples, N."""
        return self.manifest.images.count

    @property
    def passes(self) -> int:
        """The number of passes, T."""
        return self.manifest.passes

    @property
    def has_images(self) -> bool:
        """Whether the run keeps its images."""
        return self.manifest.images.kept

    @property
    def image_shape(self) -> tuple[int, ...]:
        """One image's (height, width, channels)."""
        return self.manifest.images.shape

    @property
    def divides_by_255(self) -> bool:
        """Whether uint8 images are divided by 255 before the model takes them."""
        return self.manifest.model.white == 1

    @property
    def value_range(self) -> tuple[float, float]:
        """The lowest and the highest value that the model takes: 0 and 1, unless its own images go beyond that."""
        images = self.manifest.images
        if images.dtype == "uint8":
            return 0, 1 if self.divides_by_255 else 255
        return (0, 1) if images.lowest >= 0 and images.highest <= 1 else (images.lowest, images.highest)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return PurePosixPath(self.path).name

    @property
    def class_names(self) -> tuple[str, ...]:
        """C names."""
        return self.manifest.class_names

    @cached_property
    def model_path(self) -> str | None:
        """The model's file, or None where it was not kept or is not on this machine.

        Raises:
            CorruptRunError: the file is not what was written.
        """
        if not self.manifest.model.kept or not isinstance(self._place, LocalFolder):
            return None
        check_file(self._place, self.manifest, MODEL)
        return self._place.address(MODEL)

    def probs(self, image: int) -> np.ndarray:
        """The passes of one image.

        Args:
            image: its number, 0 to N - 1.

        Returns:
            (T, C) float32 probabilities, within 1/131070 of what was sampled.

        Raises:
            TypeError: that is no whole number.
            IndexError: there is no such image.
            CorruptRunError: the file is not what was written.
        """
        if isinstance(image, bool) or not isinstance(image, int | np.integer):
            raise TypeError(f"An image is named by its number, a whole one. Received: {image!r}.")
        if not 0 <= image < self.manifest.images.count:
            raise IndexError(f"There are images 0 to {self.manifest.images.count - 1}. Received: {image}.")
        return self.probs_block(int(image), int(image) + 1)[:, 0]

    def probs_block(self, start: int, stop: int) -> np.ndarray:
        """The passes of the images from `start` to before `stop`, as a slice counts.

        Returns:
            (T, n, C) float32 probabilities.

        Raises:
            CorruptRunError: a file is not what was written.
        """
        start, stop, _ = slice(start, stop).indices(self.manifest.images.count)
        if start >= stop:
            return _shared(np.empty((self.manifest.passes, 0, self.manifest.classes), np.float32))
        size = self.manifest.layout.block
        blocks = range(start // size, -(-stop // size))
        pieces = [self._read(self._block_probs, block, start, stop) for block in blocks]
        return _shared(pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1))

    @cached_property
    def images(self) -> StoredImages:
        """(N, height, width, channels) uint8 in 0..255 or float32; read from disk as it is indexed.

        Raises:
            McvizError: the run was kept without its images.
        """
        if not self.manifest.images.kept:
            raise McvizError(f"{self.path} was kept without its images. Sample again and keep them to look at them.")
        return StoredImages(self._place, self.manifest, self._read)

    @cached_property
    def labels(self) -> np.ndarray | None:
        """(N,) int64 true classes, or None where nobody knows them."""
        if self.manifest.labels_sha256 is None:
            return None
        return _shared(self._read(read_labels, self._place, self.manifest))

    @cached_property
    def deterministic_probs(self) -> np.ndarray:
        """(N, C) float32 probabilities of the ordinary model, dropout off."""
        blocks = range(self.manifest.blocks)
        return _shared(np.concatenate([self._read(self._plain, block) for block in blocks]))

    @cached_property
    def mean_probs(self) -> np.ndarray:
        """(N, C) float32 predictive mean."""
        return _shared(np.concatenate([summary.mean for summary in self._summaries]))

    def scores(self) -> "pd.DataFrame":
        """Every score of every image.

        Returns:
            One row an image, indexed by `example`: `label` (Int64, missing where unknown), `prediction`
            (int64), the scores of `mcviz.measures.SCORES` (float32), `correct` (boolean, missing where unknown).
        """
        import pandas as pd  # here, because it takes longer to import than a run to open

        labels = [pd.NA] * self.manifest.images.count if self.labels is None else self.labels
        values = np.concatenate([summary.scores for summary in self._summaries], axis=1)
        kept = dict(zip(self.manifest.scores, values, strict=True)) | self._scores_not_kept
        columns = {
            "label": pd.array(labels, dtype="Int64"),
            "prediction": np.concatenate([summary.predicted for summary in self._summaries]),
            **{name: kept.pop(name) for name in SCORES},
            **kept,
        }
        table = pd.DataFrame(columns, index=pd.RangeIndex(self.manifest.images.count, name="example"))
        table["correct"] = (table["label"] == table["prediction"]).astype("boolean")
        return table

    @cached_property
    def pass_accuracy(self) -> np.ndarray | None:
        """(T,) float64 accuracy of each single pass, or None without labels."""
        return self._accuracy([summary.correct_per_pass for summary in self._summaries])

    @cached_property
    def ensemble_accuracy(self) -> np.ndarray | None:
        """(T,) float64 accuracy of the mean of the first t + 1 passes, or None without labels."""
        return self._accuracy([summary.correct_by_ensemble_size for summary in self._summaries])

    @property
    def deterministic_accuracy(self) -> float | None:
        """The accuracy of the ordinary model, dropout off, or None without labels."""
        return None if self.labels is None else float((self.deterministic_probs.argmax(axis=1) == self.labels).mean())

    @cached_property
    def _summaries(self) -> list[Summary]:
        return [self._read(self._summary, block) for block in range(self.manifest.blocks)]

    @cached_property
    def _scores_not_kept(self) -> dict[str, np.ndarray]:
        """Scores that mcviz did not know when the run was made, (N,) float32 by name."""
        blocks = [self.manifest.block_range(block) for block in range(self.manifest.blocks)]
        return {
            name: np.concatenate([score.function(self.probs_block(*block)) for block in blocks]).astype(np.float32)
            for name, score in SCORES.items()
            if name not in self.manifest.scores
        }

    def _accuracy(self, counts: list[np.ndarray | None]) -> np.ndarray | None:
        known = [count for count in counts if count is not None]
        return _shared(np.sum(known, axis=0) / self.manifest.images.count) if known else None

    def _block(self, block: int) -> Block:
        if block not in self._blocks:
            self._blocks[block] = Block.open(self._place, self.manifest, block)
        return self._blocks[block]

    def _block_probs(self, block: int, start: int, stop: int) -> np.ndarray:
        first, last = self.manifest.block_range(block)
        return self._block(block).probs(max(start, first) - first, min(stop, last) - first)

    def _plain(self, block: int) -> np.ndarray:
        return self._block(block).deterministic()

    def _summary(self, block: int) -> Summary:
        return self._block(block).summary()

    def _read(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except FileNotFoundError as error:
            if read_manifest(self._place).digest != self.digest:
                raise RunNotFoundError(
                    f"{self.path} was replaced by another run since it was opened. Open it again."
                ) from error
            raise damaged(self.path, f"is damaged: {str(error).rstrip('.')}") from error


def _shared(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def _wrong_size(place: Place, manifest: Manifest, name: str, sizes: dict[str, int]) -> CorruptRunError:
    found = f"has {sizes[name]} bytes" if name in sizes else "is missing"
    return damaged(place.address(name), f"{found}, and should have {manifest.files[name].bytes}")
