"""Write a run: create, resume or extend it, shard by shard."""

import os
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from msgspec.structs import replace

from mcviz.errors import CorruptRunError, InvalidInputError, RunNotFoundError, StorageError
from mcviz.manifest import COLUMNS, Manifest
from mcviz.permission import require_permission
from mcviz.runs.arrays import (
    GROUP,
    complete_shards,
    encode_metadata,
    encode_shard,
    expected_files,
    read_whole_manifest,
    shard_file,
    stored_arrays,
)
from mcviz.runs.contents import Contents, Progress, Rows, Seen
from mcviz.runs.existing import (
    is_being_removed,
    is_finished,
    leftover_files,
    own_files,
    refuse_another,
    remove_files,
)
from mcviz.runs.files import Folder, folder_at
from mcviz.runs.lock import write_lock
from mcviz.runs.manifest_file import NAME, check_manifest, check_size, read_manifest, write_manifest
from mcviz.runs.opening import open_run
from mcviz.runs.run import Run
from mcviz.runs.shards import ShardExecutor, ShardResult, Shards, make_shard
from mcviz.runs.shipped import require_own
from mcviz.runs.table import encode_table
from mcviz.runs.verified import describe_file, is_intact, read_verified
from mcviz.tasks import task_of
from mcviz.tasks.aggregates import join_aggregates
from mcviz.tasks.stored_array import StoredArray

SHARE_OF_TIME = 0.05  # at most, for writing down which shards are done


def write(
    out: str | os.PathLike[str],
    wanted: Manifest,
    contents: Contents,
    *,
    executor: ShardExecutor | None = None,
    resume: bool = True,
    progress: Progress | None = None,
    seen: Seen | None = None,
) -> Run:
    """Create, resume or extend a run, making only the missing shards.

    A finished run is opened; a partial one is resumed; one that differs by fewer passes alone gets the others. The
    result is bit for bit that of a run that was never stopped. Other processes that want the same run wait.

    Args:
        out: its folder, or an fsspec address.
        wanted: the manifest of the run, `partial` and without files.
        contents: the inputs of the run.
        executor: other processes that make the shards in place of the contents' source, or None.
        resume: whether to go on with a partial run; False starts again.
        progress: called with (done, total) predictions. An error in it stops the writing; finished shards stay.
        seen: called with the aggregates of each shard, also of those that were there before.

    Raises:
        RunExistsError: another run, or something else, is there.
        CorruptRunError: the run that is there is damaged.
        StorageError: it cannot be written. Files that were there are unchanged.
        InvalidInputError: the source's numbers are no probabilities; or it would be of more files than can be listed.
        NotPermittedError: something is to be written, and may not be; or a run that came with mcviz is to grow.
    """
    folder = folder_at(out)
    check_manifest(wanted)
    images = contents.images
    if wanted.images is not None and images is not None:
        expected = np.dtype(wanted.images.dtype), (wanted.examples.count, *wanted.images.shape)
        if (images.dtype, images.shape) != expected:
            raise InvalidInputError(f"Images should be {expected}. Received: {images.dtype} {images.shape}.")
    check_size(wanted, expected_files(wanted))
    while True:
        if not is_finished(folder, wanted):
            require_permission("No run can be written")
            with write_lock(folder):
                if is_being_removed(folder):
                    remove_files(folder)
                if not is_finished(folder, wanted):
                    refuse_another(folder, wanted)
                    _Writer(folder, wanted, contents, executor, progress, seen).carry_out(resume)
                    _remove_left_over(folder)
        _sweep(folder)
        run = open_run(out)
        if run.digest == wanted.digest:  # or else somebody has replaced it meanwhile
            return run


def rename_classes(run: Run, class_names: tuple[str, ...]) -> Run:
    """Rename the classes of a run; its numbers and its identity stay.

    Raises:
        InvalidInputError: their number is not that of the classes.
        RunNotFoundError: the run is gone, or was replaced by another.
        StorageError: it cannot be written.
        NotPermittedError: nothing may be written, or the run came with mcviz.
    """
    require_permission("No run can be changed")
    require_own(run.path)
    folder = folder_at(run.path)
    renamed = replace(run.manifest, class_names=class_names)
    check_manifest(renamed)
    with write_lock(folder):
        if read_manifest(folder) != run.manifest:
            raise RunNotFoundError(f"{run.path} was replaced by another run since it was opened. Open it again.")
        write_manifest(folder, renamed)
    return open_run(run.path)


def discard_growth(path: str | os.PathLike[str], patience: float | None = None) -> None:
    """Remove unfinished files: all of a partial run, or the growth of a finished one.

    Args:
        path: of the run.
        patience: seconds to wait for another process that writes it; None waits for as long as that takes.

    Raises:
        RunNotFoundError: there is no run.
        StorageError: it cannot be removed, or another process writes it all the time.
        NotPermittedError: nothing may be written.
    """
    require_permission("No run can be removed")
    folder = folder_at(path)
    with write_lock(folder, patience):
        there = read_manifest(folder)
        if there.state == "partial":
            remove_files(folder)
        else:
            folder.remove(leftover_files(folder, there, growing=True))


def _sweep(folder: Folder) -> None:
    """Remove leftover files of a finished run, if anything can be removed."""
    finished = read_manifest(folder)
    if leftover_files(folder, finished):
        with suppress(StorageError), write_lock(folder):
            _remove_left_over(folder)


def _remove_left_over(folder: Folder) -> None:
    with suppress(StorageError):  # the run is whole all the same
        folder.remove(leftover_files(folder, read_manifest(folder)))


class _Writer:
    """The writing of one run, by the one process that holds its lock."""

    def __init__(
        self,
        folder: Folder,
        wanted: Manifest,
        contents: Contents,
        executor: ShardExecutor | None,
        progress: Progress | None,
        seen: Seen | None,
    ) -> None:
        self.folder, self.contents, self.executor, self.progress, self.seen = folder, contents, executor, progress, seen
        self.manifest = replace(wanted, files={})  # a list of its own, which grows in place with every file
        self.old: Run | None = None
        self.name = NAME  # of the manifest, while it is partial
        self.task = task_of(wanted)
        self.begun = False
        self.done = 0
        self.recorded = (0.0, 0.0)  # when the manifest was last written, and how many seconds that took

    def carry_out(self, resume: bool) -> None:
        try:
            self._start(resume)
            self._write_inputs()
            made = dict(self._make_shards())
            self._finish([made[shard] for shard in range(self.manifest.shards)])
        except BaseException:
            with suppress(StorageError):  # the error that ended the writing is the one to tell
                self._save_or_discard()
            raise

    def _start(self, resume: bool) -> None:
        finished = self._read_manifest(NAME)
        if finished and finished.state == "finished":
            self.old = Run(self.folder, finished)
            self.name = f"manifest-{self.manifest.passes}.json"
            self._carry_over(finished, finished.has_model)
            self.manifest = replace(
                self.manifest,
                store=f"predictions-{self.manifest.passes}.zarr",
                table=f"scores-{self.manifest.passes}.parquet",
            )
        there = self._read_manifest(self.name)
        if there and (not resume or there.digest != self.manifest.digest):
            self._delete()
            there = None
        if there:
            done = {name: file for name, file in there.files.items() if is_intact(self.folder, there, name)}
            self._carry_over(there, there.model_file in done)
            self.manifest = replace(self.manifest, layout=there.layout, scores=there.scores, files=done)
        else:
            self.manifest = replace(self.manifest, created={"started": _now(), **self.manifest.created})
        self.begun = True
        self._record()

    def _read_manifest(self, name: str) -> Manifest | None:
        try:
            return read_whole_manifest(self.folder, name)
        except RunNotFoundError:
            return None
        except CorruptRunError:
            if name == NAME:
                raise
            return None

    def _carry_over(self, there: Manifest, model: bool) -> None:
        wanted = self.manifest
        if wanted.images is not None and there.has_images:
            wanted = replace(wanted, images=replace(wanted.images, stored=True))
        if wanted.model is not None and there.model is not None and model:
            function = wanted.model.function or there.model.function
            wanted = replace(wanted, model=replace(wanted.model, stored=True, function=function))
        created = _merge_created(there.created, wanted.created)
        self.manifest = replace(wanted, created=created, about={**there.about, **wanted.about})

    def _write_inputs(self) -> None:
        contents = self.contents
        images, labels, features, columns = contents.images, contents.labels, contents.features, contents.columns
        if self.manifest.has_images and images is not None:
            self._write_array("images", images)
        if labels is not None:
            self._write_array("label", labels)
        if features is not None:
            self._write_array("features", features)
        model = self.manifest.model_file
        for name, content in ((COLUMNS, columns), *([(model, contents.model)] if model else [])):
            if self.old and name in self.old.manifest.files:  # the same, though other versions write other bytes
                there = describe_file(read_verified(self.folder, self.old.manifest, name))
                self.manifest.files[name] = there
            elif content is not None:
                self._write(name, content)

    def _make_shards(self) -> Generator[tuple[int, ShardResult]]:
        """Yield every shard in any order; missing ones are sampled and written."""
        manifest, there = self.manifest, frozenset(complete_shards(self.manifest))
        self.done = sum(self._count_predictions(shard) for shard in there)
        for name in self.task.pass_arrays(manifest):
            self._write_metadata(stored_arrays(manifest)[name])
        if self.executor:
            old = self.old.manifest if self.old else None
            shards = Shards(self.folder, self.name, self.manifest, old, there)
            made = self.executor.run(shards, partial(self._report, 0, 0))
        else:
            made = self._make_locally(there)
        with closing(made):
            for shard, each in made:
                self.manifest.files.update(each.files)
                if shard not in there:
                    self.done += self._count_predictions(shard)
                    self._record_if_due()
                    self._report(0, 0)
                if self.seen:
                    self.seen(manifest, manifest.shard_range(shard)[0], each.aggregates)
                yield shard, each

    def _make_locally(self, there: frozenset[int]) -> Generator[tuple[int, ShardResult]]:
        run, contents = Run(self.folder, self.manifest), self.contents
        for shard in range(self.manifest.shards):
            labels = None if contents.labels is None else contents.labels[slice(*self.manifest.shard_range(shard))]
            folder = None if shard in there else self.folder
            yield (
                shard,
                make_shard(
                    run, self.old, shard, contents.source, labels, self._report, folder=folder, permit=self._check_there
                ),
            )

    @contextmanager
    def _check_there(self) -> Iterator[None]:
        """Refuse to write to a run that was moved or removed meanwhile: parts of it would be made again."""
        if not self._is_there():
            raise RunNotFoundError(
                f"{self.folder.path} was moved or removed while it was written. If it was moved, sample it again with "
                "its new place as the run's folder: that goes on with it."
            )
        yield

    def _is_there(self) -> bool:
        try:
            self.folder.read(self.name, 0, 1)
        except FileNotFoundError:
            return False
        return True

    def _report(self, part: int, _: int) -> None:
        if self.progress:
            self.progress(self.done + part, self._count_total())

    def _finish(self, made: list[ShardResult]) -> None:
        manifest, summary = self.manifest, join_aggregates([each.aggregates for each in made])
        self._write(f"{manifest.store}/zarr.json", GROUP)
        arrays = summary.arrays | summary.totals
        if manifest.deterministic:
            fixed = [each.deterministic for each in made if each.deterministic is not None]
            arrays |= self.task.split_deterministic(manifest, np.concatenate(fixed))
        for name, rows in arrays.items():
            self._write_array(name, rows)
        table = encode_table(
            self.contents.ids, manifest.examples.count, self.task.table_columns(manifest.targets), summary.columns
        )
        self._write(manifest.table, table)
        finished = replace(
            self.manifest,
            state="finished",
            quality=self.task.quality_of_totals(manifest, summary.totals),
            created={**self.manifest.created, "finished": _now()},
            files={name: self.manifest.files[name] for name in expected_files(self.manifest)},
        )
        write_manifest(self.folder, finished)

    def _write_array(self, name: str, rows: Rows) -> None:
        array = stored_arrays(self.manifest)[name]
        self._write_metadata(array)
        for shard in range(array.shards):
            file = shard_file(self.manifest, array, shard)
            if file not in self.manifest.files:
                part = rows[shard * array.shard : (shard + 1) * array.shard]
                self._write(file, encode_shard(array, shard, np.ascontiguousarray(part, array.dtype)))

    def _write_metadata(self, array: StoredArray) -> None:
        self._write(f"{self.manifest.store}/{array.name}/zarr.json", encode_metadata(array))

    def _write(self, name: str, content: bytes) -> None:
        file = describe_file(content)
        if self.manifest.files.get(name) != file:
            self.folder.write(name, content)
            self.manifest.files[name] = file

    def _record(self) -> None:
        """Write the manifest with the files that are complete."""
        began = time.monotonic()
        write_manifest(self.folder, self.manifest, self.name)
        self.recorded = time.monotonic(), time.monotonic() - began

    def _record_if_due(self) -> None:
        last, took = self.recorded
        if (time.monotonic() - last) * SHARE_OF_TIME > took:
            self._record()

    def _new_passes(self) -> int:
        return self.manifest.passes - (self.old.passes if self.old else 0)

    def _count_total(self) -> int:
        return self.manifest.examples.count * self._new_passes()

    def _count_predictions(self, shard: int) -> int:
        start, stop = self.manifest.shard_range(shard)
        return (stop - start) * self._new_passes()

    def _save_or_discard(self) -> None:
        """Record finished shards, or remove the run if there is none, since nothing is worth resuming."""
        there = self._read_manifest(NAME)
        if not self.begun or (there and there.state == "finished" and there.digest == self.manifest.digest):
            return
        if not complete_shards(self.manifest):
            self._delete()
        elif self._is_there():
            self._record()

    def _delete(self) -> None:
        """Remove the files of the partial run alone, its manifest last: without that, nobody knows them."""
        own = own_files(self.folder)
        if self.old is not None:
            of_growth = [name for name in own if name.startswith((f"{self.manifest.store}/", self.manifest.table))]
            own = [*leftover_files(self.folder, self.old.manifest), *of_growth]
        self.folder.remove(own)
        self.folder.delete(self.name)


def _merge_created(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Merge how a run was made over several sessions, with all versions of each library."""
    versions = dict(before.get("versions", {}))
    for library, version in now.get("versions", {}).items():
        named = versions.get(library, version).split(", ")
        versions[library] = ", ".join([*named, *([] if version in named else [version])])
    return {**now, **before, "versions": versions}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
