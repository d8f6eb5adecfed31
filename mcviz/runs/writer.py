"""Writing a run: created, resumed or extended, shard by shard, and only ever whole."""

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np
from msgspec.structs import replace

from mcviz.errors import CorruptRunError, InvalidInputError, RunNotFoundError, StorageError
from mcviz.runs.arrays import (
    GROUP,
    StoredArray,
    arrays_of,
    dequantise,
    encode,
    encode_metadata,
    files_of,
    quantise,
    read_whole_manifest,
    shard_file,
)
from mcviz.runs.contents import Contents, Progress, Rows
from mcviz.runs.existing import (
    files_of_run,
    is_being_removed,
    is_finished,
    left_over,
    refuse_another,
    remove_files,
)
from mcviz.runs.files import Folder, folder_at
from mcviz.runs.lock import writing
from mcviz.runs.manifest import COLUMNS, MODEL, NAME, Manifest, check_manifest, read_manifest, write_manifest
from mcviz.runs.run import Run, open_run
from mcviz.runs.summary import Summary, joined, summarise
from mcviz.runs.table import encode_table
from mcviz.runs.verified import described, read_verified

SHARE_OF_TIME = 0.05  # at most, for writing down which shards are done


def write(
    out: str | os.PathLike[str],
    wanted: Manifest,
    contents: Contents,
    *,
    resume: bool = True,
    progress: Progress | None = None,
) -> Run:
    """Create, resume or extend a run, doing only what is not there yet.

    A finished run is opened; a partial one is resumed; one that differs by fewer passes alone gets the others. The
    result is bit for bit that of a run that was never stopped. Other processes that want the same run wait.

    Args:
        out: its folder, or an fsspec address.
        wanted: what the run is to be, `partial` and without files.
        contents: what it is made of.
        resume: whether to go on with a partial run; False begins anew.
        progress: called with (done, total) predictions. What it raises stops the writing; what is done stays.

    Raises:
        RunExistsError: another run, or something else, is there.
        CorruptRunError: the run that is there is damaged.
        StorageError: it cannot be written. What was there is there still.
        InvalidInputError: the source's numbers are no probabilities.
    """
    folder = folder_at(out)
    check_manifest(wanted)
    images = contents.images
    if wanted.images is not None and images is not None:
        expected = np.dtype(wanted.images.dtype), (wanted.examples.count, *wanted.images.shape)
        if (images.dtype, images.shape) != expected:
            raise InvalidInputError(f"Images should be {expected}. Received: {images.dtype} {images.shape}.")
    while True:
        if not is_finished(folder, wanted):
            with writing(folder):
                if is_being_removed(folder):
                    remove_files(folder)
                if not is_finished(folder, wanted):
                    refuse_another(folder, wanted)
                    _Writing(folder, wanted, contents, progress).carry_out(resume)
                    _remove_left_over(folder)
        _sweep(folder)
        run = open_run(out)
        if run.digest == wanted.digest:  # or else somebody has replaced it meanwhile
            return run


def rename_classes(run: Run, class_names: tuple[str, ...]) -> Run:
    """Give the classes of a run other names; its numbers and its identity stay.

    Raises:
        InvalidInputError: their number is not that of the classes.
        RunNotFoundError: the run is gone, or was replaced by another.
        StorageError: it cannot be written.
    """
    folder = folder_at(run.path)
    renamed = replace(run.manifest, class_names=class_names)
    check_manifest(renamed)
    with writing(folder):
        if read_manifest(folder) != run.manifest:
            raise RunNotFoundError(f"{run.path} was replaced by another run since it was opened. Open it again.")
        write_manifest(folder, renamed)
    return open_run(run.path)


def _sweep(folder: Folder) -> None:
    """Remove what a finished run does not need any more, where anything can be removed."""
    finished = read_manifest(folder)
    if left_over(folder, finished):
        with suppress(StorageError), writing(folder):
            _remove_left_over(folder)


def _remove_left_over(folder: Folder) -> None:
    with suppress(StorageError):  # the run is whole all the same
        folder.remove(left_over(folder, read_manifest(folder)))


class _Writing:
    """The writing of one run, by the one process that holds its lock."""

    def __init__(
        self,
        folder: Folder,
        wanted: Manifest,
        contents: Contents,
        progress: Progress | None,
    ) -> None:
        self.folder, self.contents, self.progress = folder, contents, progress
        self.manifest = wanted
        self.old: Run | None = None
        self.name = NAME  # of the manifest, while it is partial
        self.begun = False
        self.done = 0
        self.recorded = (0.0, 0.0)  # when the manifest was last written, and how many seconds that took

    def carry_out(self, resume: bool) -> None:
        try:
            self._begin(resume)
            self._write_inputs()
            self._finish(joined(self._summaries()))
        except BaseException:
            with suppress(StorageError):  # the error that ended the writing is the one to tell
                self._leave()
            raise

    def _begin(self, resume: bool) -> None:
        finished = self._partial(NAME)
        if finished and finished.state == "finished":
            self.old = Run(self.folder, finished)
            self.name = f"manifest-{self.manifest.passes}.json"
            self._keep_what_is_kept(finished, MODEL in finished.files)
            self.manifest = replace(
                self.manifest,
                store=f"predictions-{self.manifest.passes}.zarr",
                table=f"scores-{self.manifest.passes}.parquet",
            )
        there = self._partial(self.name)
        if there and (not resume or there.digest != self.manifest.digest):
            self._delete()
            there = None
        if there:
            done = {name: file for name, file in there.files.items() if self._is_whole(there, name)}
            self._keep_what_is_kept(there, MODEL in done)
            self.manifest = replace(self.manifest, layout=there.layout, scores=there.scores, files=done)
        else:
            self.manifest = replace(self.manifest, created={"started": _now(), **self.manifest.created})
        self.begun = True
        self._record()

    def _partial(self, name: str) -> Manifest | None:
        try:
            return read_whole_manifest(self.folder, name)
        except RunNotFoundError:
            return None
        except CorruptRunError:
            if name == NAME:
                raise
            return None

    def _is_whole(self, there: Manifest, name: str) -> bool:
        try:
            read_verified(self.folder, there, name)
        except (FileNotFoundError, CorruptRunError):
            return False
        return True

    def _keep_what_is_kept(self, there: Manifest, model: bool) -> None:
        wanted = self.manifest
        if wanted.images is not None and there.has_images:
            wanted = replace(wanted, images=replace(wanted.images, stored=True))
        if wanted.model is not None and model:
            wanted = replace(wanted, model=replace(wanted.model, stored=True))
        created = _merged(there.created, wanted.created)
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
        if columns is not None:
            self._write(COLUMNS, columns)
        if self.old and MODEL in self.old.manifest.files:
            content = read_verified(self.folder, self.old.manifest, MODEL)
            self.manifest = replace(self.manifest, files=self.manifest.files | {MODEL: described(content)})
        elif self.contents.model is not None:
            self._write(MODEL, self.contents.model)

    def _summaries(self) -> list[Summary]:
        """What every shard comes to; those that are not there yet are sampled and written."""
        probs, manifest = arrays_of(self.manifest)["probs"], self.manifest
        names = [shard_file(manifest, probs, shard) for shard in range(probs.shards)]
        self.done = sum(self._predictions(shard) for shard, name in enumerate(names) if name in manifest.files)
        self._write_metadata(probs)
        there, summaries = Run(self.folder, self.manifest), []
        for shard, name in enumerate(names):
            start, stop = manifest.shard_range(shard)
            stored = there.probs_block(start, stop) if name in manifest.files else self._write_shard(probs, shard)
            labels = None if self.contents.labels is None else self.contents.labels[start:stop]
            summaries.append(summarise(stored, labels, manifest.scores))
        return summaries

    def _write_shard(self, array: StoredArray, shard: int) -> np.ndarray:
        """Sample a shard, write it, and give its probabilities as they are stored, (T, n, C)."""
        manifest, (start, stop) = self.manifest, self.manifest.shard_range(shard)
        first, fresh = manifest.passes - self._fresh(), self._fresh()

        def report(part: int, _: int) -> None:
            if self.progress:
                self.progress(self.done + part, self._total())

        report(0, 0)
        probs = self.contents.source.passes(start, stop, first, fresh, report)
        _check(probs, (fresh, stop - start, manifest.classes))
        if self.old:
            probs = np.concatenate([self.old.probs_block(start, stop), probs])
        steps = quantise(probs)
        self._write(shard_file(manifest, array, shard), encode(array, shard, steps))
        self.done += self._predictions(shard)
        self._record_now_and_then()
        return dequantise(steps)

    def _finish(self, summary: Summary) -> None:
        manifest = self.manifest
        self._write(f"{manifest.store}/zarr.json", GROUP)
        self._write_array("mean_probs", summary.mean)
        if manifest.deterministic:
            ranges = [manifest.shard_range(shard) for shard in range(manifest.shards)]
            self._write_array(
                "deterministic_probs", np.concatenate([self.contents.source.deterministic(*r) for r in ranges])
            )
        if summary.correct_per_pass is not None and summary.correct_by_ensemble_size is not None:
            self._write_array("correct_per_pass", summary.correct_per_pass)
            self._write_array("correct_by_ensemble_size", summary.correct_by_ensemble_size)
        self._write(
            manifest.table, encode_table(self.contents.ids, self.contents.labels, summary.prediction, summary.scores)
        )
        created = {**self.manifest.created, "finished": _now()}
        files = {name: self.manifest.files[name] for name in files_of(self.manifest)}
        write_manifest(self.folder, replace(self.manifest, state="finished", created=created, files=files))

    def _write_array(self, name: str, rows: Rows) -> None:
        array = arrays_of(self.manifest)[name]
        self._write_metadata(array)
        for shard in range(array.shards):
            file = shard_file(self.manifest, array, shard)
            if file not in self.manifest.files:
                part = rows[shard * array.shard : (shard + 1) * array.shard]
                self._write(file, encode(array, shard, np.ascontiguousarray(part, array.dtype)))

    def _write_metadata(self, array: StoredArray) -> None:
        self._write(f"{self.manifest.store}/{array.name}/zarr.json", encode_metadata(array))

    def _write(self, name: str, content: bytes) -> None:
        file = described(content)
        if self.manifest.files.get(name) != file:
            self.folder.write(name, content)
            self.manifest = replace(self.manifest, files=self.manifest.files | {name: file})

    def _record(self) -> None:
        """Write down which files are complete."""
        began = time.monotonic()
        write_manifest(self.folder, self.manifest, self.name)
        self.recorded = time.monotonic(), time.monotonic() - began

    def _record_now_and_then(self) -> None:
        last, took = self.recorded
        if (time.monotonic() - last) * SHARE_OF_TIME > took:
            self._record()

    def _fresh(self) -> int:
        return self.manifest.passes - (self.old.passes if self.old else 0)

    def _total(self) -> int:
        return self.manifest.examples.count * self._fresh()

    def _predictions(self, shard: int) -> int:
        start, stop = self.manifest.shard_range(shard)
        return (stop - start) * self._fresh()

    def _leave(self) -> None:
        """Record what is done; leave nothing of a run that has not one shard, since nothing of it is worth resuming."""
        there = self._partial(NAME)
        if not self.begun or (there and there.state == "finished" and there.digest == self.manifest.digest):
            return
        if any(name.startswith(f"{self.manifest.store}/probs/c.") for name in self.manifest.files):
            self._record()
        else:
            self._delete()

    def _delete(self) -> None:
        """Remove all files of the partial run; its manifest last: without it they are nobody's."""
        kept = set() if self.old is None else set(self.old.manifest.files)
        kept.add(self.name)
        own = [name for name in files_of_run(self.folder) if name not in kept]
        self.folder.remove([name for name in own if not (self.old and name.startswith("derived/"))])
        self.folder.delete(self.name)


def _check(probs: np.ndarray, shape: tuple[int, int, int]) -> None:
    if probs.shape != shape or probs.dtype != np.float32:
        raise InvalidInputError(f"Passes to be kept should be float32 {shape}. Received: {probs.dtype} {probs.shape}.")
    low, high = float(probs.min()), float(probs.max())
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise InvalidInputError(f"Passes to be kept should be probabilities, 0 to 1. Received: {low} to {high}.")


def _merged(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """How a run was made, over several sessions: each library's versions are all named."""
    versions = dict(before.get("versions", {}))
    for library, version in now.get("versions", {}).items():
        named = versions.get(library, version).split(", ")
        versions[library] = ", ".join([*named, *([] if version in named else [version])])
    return {**now, **before, "versions": versions}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
