"""The files of a run: what is in the frames of each, and how it is packed and read."""

from dataclasses import dataclass

import numpy as np

from mcviz.measures import correct_by_ensemble_size, correct_per_pass, scores
from mcviz.runs.codec import (
    decode_steps,
    dequantise,
    encode_steps,
    from_planes,
    quantise,
    steps_bytes,
    to_planes,
)
from mcviz.runs.frames import FrameFile, pack
from mcviz.runs.manifest import LABELS, Manifest, image_block_name
from mcviz.runs.place import Place

PLAIN, MEAN, SCORES, COUNTS = range(4)  # the frames behind those of the passes


@dataclass(frozen=True)
class Summary:
    """What a block's passes come to.

    Attributes:
        mean: (n, C) float32, the predictive mean.
        predicted: (n,) int64, its argmax.
        scores: (S, n) float32, in the order of the manifest's `scores`.
        correct_per_pass: (T,) int64 images that each pass gets right, or None without labels.
        correct_by_ensemble_size: (T,) int64 images that the mean of the first t + 1 passes gets right, or None.
    """

    mean: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray
    correct_per_pass: np.ndarray | None
    correct_by_ensemble_size: np.ndarray | None


def summarise(probs: np.ndarray, labels: np.ndarray | None, names: tuple[str, ...]) -> Summary:
    """Compute what is kept beside the passes of a block: (T, n, C) float32 as stored, (n,) labels if known."""
    values = scores(probs)
    return Summary(
        mean=probs.mean(axis=0, dtype=np.float64).astype(np.float32),
        predicted=values["prediction"],
        scores=np.stack([values[name] for name in names]).astype(np.float32),
        correct_per_pass=None if labels is None else correct_per_pass(probs, labels),
        correct_by_ensemble_size=None if labels is None else correct_by_ensemble_size(probs, labels),
    )


def pack_block(
    manifest: Manifest, block: int, probs: np.ndarray, plain: np.ndarray, labels: np.ndarray | None
) -> bytes:
    """The file of one block of predictions.

    Args:
        manifest: of the run.
        block: its number.
        probs: (T, n, C) float32.
        deterministic: (n, C) float32, the ordinary model's.
        labels: (n,) int64, or None.
    """
    steps = quantise(probs)
    summary = summarise(dequantise(steps), labels, manifest.scores)
    step = manifest.layout.frame
    frames = [encode_steps(steps[at : at + step]) for at in range(0, len(steps), step)]
    frames += [to_planes(plain.astype(np.float32, copy=False)), to_planes(summary.mean)]
    frames.append(to_planes(summary.predicted) + to_planes(summary.scores))
    if summary.correct_per_pass is not None and summary.correct_by_ensemble_size is not None:
        frames.append(to_planes(np.stack([summary.correct_per_pass, summary.correct_by_ensemble_size])))
    return pack(_block_key(manifest, block), frames)


@dataclass(frozen=True)
class Block:
    """An open file of predictions."""

    manifest: Manifest
    count: int
    file: FrameFile

    @classmethod
    def open(cls, place: Place, manifest: Manifest, block: int) -> "Block":
        """Open one block of a run.

        Raises:
            FileNotFoundError: it is not there.
            CorruptRunError: it is not what was written.
        """
        start, stop = manifest.block_range(block)
        frames = _frames(stop - start, manifest.layout.frame) + (3 if manifest.labels_sha256 is None else 4)
        return cls(
            manifest,
            stop - start,
            FrameFile.open(place, manifest.block_name(block), _block_key(manifest, block), frames),
        )

    def probs(self, start: int, stop: int) -> np.ndarray:
        """Images `start` to `stop` of the block: (T, stop - start, C) float32."""
        step, manifest = self.manifest.layout.frame, self.manifest
        pieces = []
        for frame in range(start // step, -(-stop // step)):
            first = frame * step
            shape = (min(step, self.count - first), manifest.classes, manifest.passes)
            steps = decode_steps(self.file.read(frame, steps_bytes(shape)), shape)
            pieces.append(steps[max(start - first, 0) : stop - first])
        return dequantise(np.concatenate(pieces))

    def deterministic(self) -> np.ndarray:
        """(n, C) float32, the ordinary model's."""
        return self._array(PLAIN, (self.count, self.manifest.classes))

    def summary(self) -> Summary:
        """What the block's passes come to."""
        names, passes = len(self.manifest.scores), self.manifest.passes
        data = self._frame(SCORES, (8 + 4 * names) * self.count)
        counts = (
            (None, None)
            if self.manifest.labels_sha256 is None
            else from_planes(self._frame(COUNTS, 16 * passes), np.dtype(np.int64), (2, passes))
        )
        return Summary(
            mean=self._array(MEAN, (self.count, self.manifest.classes)),
            predicted=from_planes(data[: 8 * self.count], np.dtype(np.int64), (self.count,)),
            scores=from_planes(data[8 * self.count :], np.dtype(np.float32), (names, self.count)),
            correct_per_pass=counts[0],
            correct_by_ensemble_size=counts[1],
        )

    def _array(self, which: int, shape: tuple[int, int]) -> np.ndarray:
        return from_planes(self._frame(which, 4 * shape[0] * shape[1]), np.dtype(np.float32), shape)

    def _frame(self, which: int, expected_bytes: int) -> bytes:
        return self.file.read(_frames(self.count, self.manifest.layout.frame) + which, expected_bytes)


def pack_images(manifest: Manifest, block: int, images: np.ndarray) -> bytes:
    """The file of one block of images: (n, height, width, channels) of the manifest's dtype."""
    step = manifest.layout.image_frame
    frames = [to_planes(images[at : at + step]) for at in range(0, len(images), step)]
    return pack(_images_key(manifest, block), frames)


@dataclass(frozen=True)
class ImageBlock:
    """An open file of images."""

    manifest: Manifest
    count: int
    file: FrameFile

    @classmethod
    def open(cls, place: Place, manifest: Manifest, block: int) -> "ImageBlock":
        """Open one block of a run's images.

        Raises:
            FileNotFoundError: it is not there.
            CorruptRunError: it is not what was written.
        """
        start = block * manifest.layout.image_block
        count = min(manifest.layout.image_block, manifest.images.count - start)
        frames = _frames(count, manifest.layout.image_frame)
        return cls(
            manifest, count, FrameFile.open(place, image_block_name(block), _images_key(manifest, block), frames)
        )

    def frame(self, frame: int) -> np.ndarray:
        """One frame's images, (n, height, width, channels)."""
        step, images = self.manifest.layout.image_frame, self.manifest.images
        shape = (min(step, self.count - frame * step), *images.shape)
        dtype = np.dtype(images.dtype)
        return from_planes(self.file.read(frame, int(np.prod(shape, dtype=object)) * dtype.itemsize), dtype, shape)


def pack_labels(manifest: Manifest, labels: np.ndarray) -> bytes:
    """The file of the true classes, (N,) int64."""
    return pack(_labels_key(manifest), [to_planes(labels.astype(np.int64, copy=False))])


def read_labels(place: Place, manifest: Manifest) -> np.ndarray:
    """The true classes, (N,) int64.

    Raises:
        FileNotFoundError: the file is not there.
        CorruptRunError: it is not what was written.
    """
    count = manifest.images.count
    data = FrameFile.open(place, LABELS, _labels_key(manifest), 1).read(0, 8 * count)
    return from_planes(data, np.dtype(np.int64), (count,))


def _frames(count: int, step: int) -> int:
    return -(-count // step)


def _block_key(manifest: Manifest, block: int) -> str:
    return f"predictions {manifest.digest} {block}"


def _images_key(manifest: Manifest, block: int) -> str:
    return f"images {manifest.images.sha256} {block}"


def _labels_key(manifest: Manifest) -> str:
    return f"labels {manifest.labels_sha256}"
