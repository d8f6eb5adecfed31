"""Make one shard of a run, in any process: sample, check, encode, write and aggregate it."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from msgspec.structs import replace

from mcviz.errors import InvalidInputError
from mcviz.manifest import Manifest, StoredFile
from mcviz.runs.arrays import encode_shard, shard_file, stored_arrays
from mcviz.runs.contents import Progress, Source
from mcviz.runs.files import Folder
from mcviz.runs.run import Run
from mcviz.runs.verified import describe_file
from mcviz.tasks import task_of
from mcviz.tasks.aggregates import Aggregates


@dataclass(frozen=True)
class ShardResult:
    """The result of a shard of n examples, beside its files.

    Attributes:
        files: that were written, by name; none where the shard was there before.
        aggregates: over the passes as they are stored.
        deterministic: (n, K) float32 of the model with dropout off, or None where the run has none.
    """

    files: dict[str, StoredFile]
    aggregates: Aggregates
    deterministic: np.ndarray | None


@dataclass(frozen=True)
class Shards:
    """The shards of a run, to be made.

    Attributes:
        folder: of the run.
        name: of its manifest, while it is partial; it is there before anything is made.
        manifest: of the run; its `files` are complete.
        old: the manifest of the finished run of fewer passes that grows, or None.
        there: the numbers of the shards that are complete, and are only read and aggregated.
    """

    folder: Folder
    name: str
    manifest: Manifest
    old: Manifest | None
    there: frozenset[int]


class ShardExecutor(Protocol):
    """Other processes that make shards."""

    def run(self, shards: Shards, poll: Callable[[], None]) -> Generator[tuple[int, ShardResult]]:
        """Make all shards of a run, and yield each with its number as it is done, in any order.

        Args:
            shards: of the run.
            poll: called several times a second; what it raises stops the making.

        Raises:
            McvizError: they cannot be made. Those that were yielded stay.
        """


def make_shard(
    run: Run,
    old: Run | None,
    shard: int,
    source: Source,
    labels: np.ndarray | None,
    report: Progress,
    *,
    folder: Folder | None,
    permit: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> ShardResult:
    """Make one shard, or read and aggregate one that is complete.

    Args:
        run: to be written, as far as it is there.
        old: the finished run of fewer passes that grows, or None.
        shard: its number.
        source: of the predictions.
        labels: of the shard's examples, or None.
        report: called with (done, total) predictions of the shard; what it raises stops the making.
        folder: where the files go; None where the shard is there.
        permit: entered for as long as files are written.

    Raises:
        InvalidInputError: the task does not take the source's numbers.
        CorruptRunError: a file is damaged.
        StorageError: the files cannot be written.
    """
    manifest = run.manifest
    task, (start, stop) = task_of(manifest), manifest.shard_range(shard)
    if folder is None:
        deterministic = source.deterministic(start, stop) if manifest.deterministic else None
        return ShardResult({}, task.aggregate(manifest, run.predictions_block(start, stop), labels), deterministic)
    report(0, 0)
    deterministic = source.deterministic(start, stop) if manifest.deterministic else None
    first = old.passes if old else 0
    passes = source.passes(start, stop, first, manifest.passes - first, report)
    _check_passes(manifest, passes, (manifest.passes - first, stop - start, manifest.width))
    if old:
        passes = np.concatenate([old.predictions_block(start, stop), passes])
    rows = task.encode(manifest, passes)
    arrays = stored_arrays(manifest)
    encoded = {
        shard_file(manifest, arrays[name], shard): encode_shard(arrays[name], shard, part)
        for name, part in rows.items()
    }
    with permit():
        for file, content in encoded.items():
            folder.write(file, content)
    files = {file: describe_file(content) for file, content in encoded.items()}
    return ShardResult(files, task.aggregate(manifest, task.decode(rows), labels), deterministic)


def trim_files(manifest: Manifest, start: int, stop: int) -> Manifest:
    """Keep only the files in a manifest from which some examples are read, whatever the size of its shards."""
    size, arrays = manifest.layout.examples_per_shard, stored_arrays(manifest)
    read = []
    for name in task_of(manifest).pass_arrays(manifest):
        read.append(f"{manifest.store}/{name}/zarr.json")
        read += [shard_file(manifest, arrays[name], shard) for shard in range(start // size, -(-stop // size))]
    return replace(manifest, files={name: manifest.files[name] for name in read if name in manifest.files})


def _check_passes(manifest: Manifest, passes: np.ndarray, shape: tuple[int, int, int]) -> None:
    if passes.shape != shape or passes.dtype != np.float32:
        expected, found = f"float32 {shape}", f"{passes.dtype} {passes.shape}"
        raise InvalidInputError(f"Passes to be kept should be {expected}. Received: {found}.")
    task_of(manifest).check_passes(manifest, passes)
