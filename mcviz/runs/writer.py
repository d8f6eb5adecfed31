"""Write a run: create, resume or extend it, shard by shard."""

import os
import re
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from msgspec.structs import replace

from mcviz.decisions import Decisions
from mcviz.errors import CorruptRunError, InvalidInputError, McvizError, RunExistsError, RunNotFoundError, StorageError
from mcviz.manifest import COLUMNS, MODEL_FILES, Manifest, StoredFile
from mcviz.permission import require_permission
from mcviz.runs.arrays import (
    GROUP,
    complete_shards,
    describe_file,
    encode_metadata,
    encode_shard,
    expected_files,
    is_intact,
    read_verified,
    read_whole_manifest,
    shard_file,
    stored_arrays,
)
from mcviz.runs.decisions import FILE as DECISIONS
from mcviz.runs.decisions import encode_decisions
from mcviz.runs.derived import FILE as ADDED_SCORES
from mcviz.runs.derived import user_folder
from mcviz.runs.manifest_file import NAME, check_manifest, check_size, read_manifest, replaced, write_manifest
from mcviz.runs.run import Run, open_run
from mcviz.runs.storage import TEMPORARY, Folder, folder_at, require_own, write_lock
from mcviz.runs.tables import Contents, Progress, Rows, ShardCallback, Source, encode_table
from mcviz.tasks import task_of
from mcviz.tasks.base import Aggregates, StoredArray, Task, join_aggregates
from mcviz.text import printable
from mcviz.validate import invalid

REVIEWS = "reviews"  # the folder beside the runs, of what reviewers decide
REMOVED = "manifest-removed.json"  # what the manifest is called while the files of a run are removed
STORE = r"predictions(?:-\d{1,12})?\.zarr"
ARRAY = r"[a-z_]{1,40}"
OWN = re.compile(
    rf"{STORE}/(?:{ARRAY}/)?(?:zarr\.json)?|{STORE}/{ARRAY}/c\.\d+(?:\.\d+)*|scores(?:-\d{{1,12}})?\.parquet|"
    rf"examples\.parquet|added-scores\.parquet|decisions\.json|{'|'.join(map(re.escape, MODEL_FILES.values()))}|"
    r"manifest-(?:\d{1,12}|removed)\.json|derived/(?:[^/]+-\d+\.npz)?"
)
OWN_FOLDERS = re.compile(rf"|derived|{STORE}(?:/{ARRAY})?")
LONGEST = 100  # characters of a value in a message

SHARE_OF_TIME = 0.05  # at most, for writing down which shards are done


@dataclass(frozen=True)
class ShardResult:
    """The result of a shard of n examples, beside its files.

    Attributes:
        files: that were written, by name; none where the shard was there before.
        aggregates: over the passes as they are stored.
        deterministic: what is kept of the model with dropout off, a row an example; None where the run has none.
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
        old: the manifest of the finished run whose passes stay, or None.
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
    mean: np.ndarray | None = None,
    folder: Folder | None,
    permit: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> ShardResult:
    """Make one shard, or read and aggregate one that is complete.

    Args:
        run: to be written, as far as it is there.
        old: the finished run whose passes stay, or None.
        shard: its number.
        source: of the predictions.
        labels: of the shard's examples, or None.
        report: called with (done, total) predictions of the shard; what it raises stops the making.
        mean: of the shard's examples as `Contents` has it, or None.
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
        deterministic = (
            task.keep_deterministic(manifest, source.deterministic(start, stop)) if manifest.deterministic else None
        )
        return ShardResult({}, task.aggregate(manifest, run.predictions_block(start, stop), labels), deterministic)
    report(0, 0)
    deterministic = (
        task.keep_deterministic(manifest, source.deterministic(start, stop)) if manifest.deterministic else None
    )
    first = old.passes if old else 0
    passes = source.passes(start, stop, first, manifest.passes - first, report)
    _check_passes(manifest, passes, (manifest.passes - first, stop - start, manifest.width))
    if old:
        passes = np.concatenate([old.predictions_block(start, stop), passes])
    rows = task.encode(manifest, passes, labels)
    if mean is not None:
        rows = task.with_mean(manifest, rows, mean, labels)
    arrays = stored_arrays(manifest)
    encoded = {
        shard_file(manifest, arrays[name], shard): encode_shard(arrays[name], shard, part)
        for name, part in rows.items()
    }
    with permit():
        for file, content in encoded.items():
            folder.write(file, content)
    files = {file: describe_file(content) for file, content in encoded.items()}
    return ShardResult(files, task.aggregate(manifest, task.decode(manifest, rows), labels), deterministic)


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
        expected, received = f"float32 {shape}", f"{passes.dtype} {passes.shape}"
        raise InvalidInputError(f"Passes to be kept should be {expected}. Received: {received}.")
    task_of(manifest).check_passes(manifest, passes)


def is_finished(folder: Folder, wanted: Manifest) -> bool:
    """Whether the folder has the wanted run, finished."""
    try:
        there = read_manifest(folder)
    except RunNotFoundError:
        return False
    return there.state == "finished" and there.digest == wanted.digest


def check_known(folder: Folder, known: Mapping[str, Any], task: Task) -> None:
    """Check resumability before examples are described; see `check_resumable`.

    Args:
        folder: of the run.
        known: a part of its identity, as `Manifest.identity` names it, with its passes.
        task: of the run.
    """
    if not is_being_removed(folder):
        _check_resumable(folder, known, task, is_whole=False)


def check_resumable(folder: Folder, wanted: Manifest) -> None:
    """Raise unless the folder is empty, resumable as `wanted`, or grows into it.

    Raises:
        RunExistsError: another run is there, or files that are none of a run's.
        InvalidInputError: a new run would have the name of the folder of reviews.
        NotPermittedError: another run is there, which came with mcviz.
    """
    _check_resumable(folder, wanted.identity, task_of(wanted), is_whole=True)


def _check_resumable(folder: Folder, ours: Mapping[str, Any], task: Task, *, is_whole: bool) -> None:
    try:
        there = read_manifest(folder)
    except RunNotFoundError:
        refuse_name_of_reviews(Path(folder.path).absolute().name)
        _refuse_other_files(folder)
        return
    theirs, passes = there.identity, ours["passes"]
    names = ours.keys() | theirs.keys() if is_whole else ours.keys()
    differing = sorted(name for name in names if ours.get(name) != theirs.get(name))
    if differing:
        require_own(folder.path)
    more = differing == ["passes"] and there.state == "finished" and there.passes < passes
    if more and not (task.keeps_passes or there.origin.kind != "imported"):
        raise RunExistsError(
            f"The run at {folder.path} has {there.passes:,} imported passes, and takes no more ({passes:,} asked for): "
            f"of a {task.name}, the probabilities of the passes are not kept. Choose another folder, or remove it "
            f"with `mcviz remove {folder.path}`."
        )
    if differing and not more:
        differences = [
            f"{name} ({_shorten(theirs.get(name))} there, {_shorten(ours.get(name))} asked for)" for name in differing
        ]
        raise RunExistsError(
            f"Another {there.state} run is at {folder.path}, which differs in: {', '.join(differences)}. "
            f"Choose another folder, or remove it with `mcviz remove {folder.path}`."
        )


def refuse_name_of_reviews(name: str) -> None:
    """Refuse the name of the folder of reviews, whose files would lie among those of the run.

    Raises:
        InvalidInputError: it has that name, in big or small letters.
    """
    if name.casefold() == REVIEWS:
        raise invalid("name", f"another than {REVIEWS}, the folder of what reviewers decide", repr(name))


def own_files(folder: Folder) -> list[str]:
    """The files and empty folders that a run has made in a folder, without its manifest."""
    return [name for name in folder.sizes() if OWN.fullmatch(name) or is_temporary(name)]


def leftover_files(folder: Folder, finished: Manifest, *, growing: bool = False) -> list[str]:
    """Files that a finished run does not need: of fewer passes, or of a writer that was killed.

    Args:
        folder: of the run.
        finished: its manifest.
        growing: whether to include files of more passes, whose writing could be resumed.
    """
    named = re.compile(r"(?:predictions|scores|manifest)-(\d{1,12})\.")
    differences = []
    for name in own_files(folder):
        passes = named.match(name)
        beside = name in (ADDED_SCORES, DECISIONS) or (name.startswith("derived/") and not is_temporary(name))
        needed = name in finished.files or beside
        if not needed and (growing or not passes or int(passes[1]) <= finished.passes):
            differences.append(name)
    return differences


def is_being_removed(folder: Folder) -> bool:
    """Whether the removal of a run was stopped before its end."""
    return folder.sizes([NAME, REMOVED]).keys() == {REMOVED}


def remove_files(folder: Folder) -> None:
    """Remove the files of a run. Stopped anywhere, also by a loss of power, it leaves the whole run or none.

    Raises:
        StorageError: something cannot be removed.
    """
    folder.rename(NAME, REMOVED)
    with suppress(McvizError):  # a manifest that cannot be read names no run from which anything was derived
        shutil.rmtree(user_folder(read_manifest(folder, REMOVED).digest), ignore_errors=True)
    folder.remove([name for name in own_files(folder) if name != REMOVED])
    folder.delete(REMOVED)


def is_temporary(name: str) -> bool:
    """Whether a file has the temporary name that only a killed writer leaves."""
    folder, _, file = name.rpartition("/")
    return bool(OWN_FOLDERS.fullmatch(folder) and TEMPORARY.fullmatch(file))


def _refuse_other_files(folder: Folder) -> None:
    names = sorted(name for name in folder.sizes() if not is_temporary(name) and not name.endswith("/"))
    if names:
        others = f" and {len(names) - 1:,} other files" if len(names) > 1 else ""
        raise RunExistsError(
            f"{folder.path} holds {printable(names[0])}{others} but no run, and a run takes a folder of its own. "
            f"Choose a new one, such as {folder.address('run')}."
        )


def _shorten(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def write(
    out: str | os.PathLike[str],
    wanted: Manifest,
    contents: Contents,
    *,
    executor: ShardExecutor | None = None,
    resume: bool = True,
    progress: Progress | None = None,
    seen: ShardCallback | None = None,
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
                    check_resumable(folder, wanted)
                    _Writer(folder, wanted, contents, executor, progress, seen).run(resume)
                    _remove_left_over(folder)
        _sweep(folder)
        run = open_run(out)
        if run.digest == wanted.digest:  # or else somebody has replaced it meanwhile
            return run


def rename_classes(run: Run, class_names: tuple[str, ...]) -> Run:
    """Rename the classes of a run; its numbers and its identity stay, and the thresholds of its classes.

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
            raise replaced(run.path)
        _replace_manifest(folder, run, renamed)
    return open_run(run.path)


def _replace_manifest(folder: Folder, run: Run, manifest: Manifest) -> None:
    """Write another manifest of a run; renamed classes keep thresholds."""
    decisions = run.decisions if run.class_names != manifest.class_names else Decisions()
    write_manifest(folder, manifest)
    if decisions.thresholds:
        names = dict(zip(run.class_names, manifest.class_names, strict=True))
        thresholds = {names[name]: threshold for name, threshold in decisions.thresholds.items()}
        folder.write(DECISIONS, encode_decisions(replace(decisions, thresholds=thresholds), manifest))


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
    """Remove leftover files of a finished run, if it is writable."""
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
        seen: ShardCallback | None,
    ) -> None:
        self.folder, self.contents, self.executor, self.progress, self.seen = folder, contents, executor, progress, seen
        self.manifest = replace(wanted, files={})  # a list of its own, which grows in place with every file
        self.old: Run | None = None
        self.name = NAME  # of the manifest, while it is partial
        self.task = task_of(wanted)
        self.begun = False
        self.done = 0
        self.recorded = (0.0, 0.0)  # when the manifest was last written, and how many seconds that took

    def run(self, resume: bool) -> None:
        try:
            self._start(resume)
            self._write_inputs()
            results = dict(self._make_shards())
            self._finish([results[shard] for shard in range(self.manifest.shards)])
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

    @property
    def _kept(self) -> Run | None:
        """Return the run whose passes stay; None if all are made again."""
        return self.old if self.task.keeps_passes else None

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
        """Yield every shard in any order; sample missing ones."""
        manifest, there = self.manifest, frozenset(complete_shards(self.manifest))
        self.done = sum(self._count_predictions(shard) for shard in there)
        for name in self.task.pass_arrays(manifest):
            self._write_metadata(stored_arrays(manifest)[name])
        if self.executor:
            old = self._kept.manifest if self._kept else None
            shards = Shards(self.folder, self.name, self.manifest, old, there)
            results = self.executor.run(shards, partial(self._report, 0, 0))
        else:
            results = self._make_locally(there)
        with closing(results):
            for shard, result in results:
                self.manifest.files.update(result.files)
                if shard not in there:
                    self.done += self._count_predictions(shard)
                    self._record_if_due()
                    self._report(0, 0)
                if self.seen:
                    self.seen(manifest, manifest.shard_range(shard)[0], result.aggregates)
                yield shard, result

    def _make_locally(self, there: frozenset[int]) -> Generator[tuple[int, ShardResult]]:
        run, contents = Run(self.folder, self.manifest), self.contents
        for shard in range(self.manifest.shards):
            examples = slice(*self.manifest.shard_range(shard))
            labels, mean = (None if rows is None else rows[examples] for rows in (contents.labels, contents.mean))
            result = make_shard(
                run, self._kept, shard, contents.source, labels, self._report,
                mean=mean, folder=None if shard in there else self.folder, permit=self._check_there,
            )  # fmt: skip
            yield shard, result

    @contextmanager
    def _check_there(self) -> Iterator[None]:
        """Refuse to write to a run that was moved or removed meanwhile."""
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

    def _finish(self, results: list[ShardResult]) -> None:
        manifest, summary = self.manifest, join_aggregates([result.aggregates for result in results])
        self._write(f"{manifest.store}/zarr.json", GROUP)
        arrays = summary.arrays | summary.totals
        if manifest.deterministic:
            fixed = [result.deterministic for result in results if result.deterministic is not None]
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
        if self.old is None:
            write_manifest(self.folder, finished)
        else:
            _replace_manifest(self.folder, self.old, finished)

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
        began = time.monotonic()
        write_manifest(self.folder, self.manifest, self.name)
        self.recorded = time.monotonic(), time.monotonic() - began

    def _record_if_due(self) -> None:
        last, took = self.recorded
        if (time.monotonic() - last) * SHARE_OF_TIME > took:
            self._record()

    def _new_passes(self) -> int:
        return self.manifest.passes - (self._kept.passes if self._kept else 0)

    def _count_total(self) -> int:
        return self.manifest.examples.count * self._new_passes()

    def _count_predictions(self, shard: int) -> int:
        start, stop = self.manifest.shard_range(shard)
        return (stop - start) * self._new_passes()

    def _save_or_discard(self) -> None:
        """Record finished shards; remove a run without any."""
        there = self._read_manifest(NAME)
        if not self.begun or (there and there.state == "finished" and there.digest == self.manifest.digest):
            return
        if not complete_shards(self.manifest):
            self._delete()
        elif self._is_there():
            self._record()

    def _delete(self) -> None:
        """Remove only the partial run's files, the manifest last."""
        own = own_files(self.folder)
        if self.old is not None:
            of_growth = [name for name in own if name.startswith((f"{self.manifest.store}/", self.manifest.table))]
            own = [*leftover_files(self.folder, self.old.manifest), *of_growth]
        self.folder.remove(own)
        self.folder.delete(self.name)


def _merge_created(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    versions = dict(before.get("versions", {}))
    for library, version in now.get("versions", {}).items():
        named = versions.get(library, version).split(", ")
        versions[library] = ", ".join([*named, *([] if version in named else [version])])
    return {**now, **before, "versions": versions}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
