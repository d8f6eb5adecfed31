"""Writing a run: begun, gone on with, or given more passes, block by block, and only ever whole."""

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np

from mcviz.errors import CorruptRunError, InvalidInputError, RunExistsError, RunNotFoundError, StorageError
from mcviz.runs.blocks import Block, ImageBlock, pack_block, pack_images, pack_labels
from mcviz.runs.lock import writing
from mcviz.runs.manifest import (
    LABELS,
    MODEL,
    NAME,
    Manifest,
    StoredFile,
    block_files,
    check_manifest,
    identity,
    image_block_name,
    image_files,
    read_manifest,
    write_manifest,
)
from mcviz.runs.place import TEMPORARY, Place, place_of
from mcviz.runs.run import Run, open_run

Progress = Callable[[int, int], None]


class Source(Protocol):
    """Where predictions come from: the sampled model, over the images of the run."""

    def passes(self, start: int, stop: int, first_pass: int, passes: int, progress: Progress) -> np.ndarray:
        """(passes, stop - start, C) float32: passes from `first_pass` on, of images `start` to before `stop`."""

    def plain(self, start: int, stop: int) -> np.ndarray:
        """(stop - start, C) float32 of the ordinary model."""


def write_run(
    out: str | os.PathLike[str],
    wanted: Manifest,
    source: Source,
    images: np.ndarray,
    labels: np.ndarray | None,
    model: bytes | None,
    *,
    resume: bool = True,
    progress: Progress | None = None,
) -> Run:
    """Bring about the run that is wanted, doing only what is not there yet.

    A finished run is opened; a partial one is gone on with; one that differs by fewer passes alone gets the others. The
    result is bit for bit that of a run that was never stopped. Other processes that want the same run wait.

    Args:
        out: its folder, or an fsspec address.
        wanted: what the run is to be, `partial` and without files.
        source: of the predictions.
        images: (N, height, width, channels), of the manifest's dtype.
        labels: (N,) int64, or None.
        model: the bytes of the model file to keep, or None.
        resume: whether to go on with a partial run; False begins anew.
        progress: called with (done, total) predictions. What it raises stops the writing; what is done stays.

    Raises:
        RunExistsError: another run, or something else, is there.
        CorruptRunError: the run that is there is damaged.
        StorageError: it cannot be written. What was there is there still.
        InvalidInputError: the source's numbers are no probabilities.
    """
    place = place_of(out)
    check_manifest(wanted)
    expected = np.dtype(wanted.images.dtype), (wanted.images.count, *wanted.images.shape)
    if (images.dtype, images.shape) != expected:
        raise InvalidInputError(f"Images should be {expected}. Received: {images.dtype} {images.shape}.")
    if _is_finished(place, wanted) and not _outgrown(place, wanted):
        return open_run(out)
    with writing(place):
        if not _is_finished(place, wanted):
            _refuse_another(place, wanted)
            _Writing(place, wanted, source, images, labels, model, progress).carry_out(resume)
        for name in _outgrown(place, wanted):
            place.delete(name)
    return open_run(out)


def _is_finished(place: Place, wanted: Manifest) -> bool:
    try:
        there = read_manifest(place)
    except RunNotFoundError:
        return False
    return there.state == "finished" and there.digest == wanted.digest


def _refuse_another(place: Place, wanted: Manifest) -> None:
    """Raise unless there is nothing, the wanted run in part, or one that more passes make the wanted one."""
    try:
        there = read_manifest(place)
    except RunNotFoundError:
        _refuse_strangers(place)
        return
    ours, theirs = identity(wanted), identity(there)
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    grows = differing == ["passes"] and there.state == "finished" and there.passes < wanted.passes
    if differing and not grows:
        found = [
            f"{name} ({theirs[name]} there, {ours[name]} asked for)" if name in ("passes", "seed", "masks") else name
            for name in differing
        ]
        raise RunExistsError(
            f"Another {there.state} run is at {place.path}, which differs in: {', '.join(found)}. "
            f"Choose another place, or take it away with `python -m mcviz remove {place.path}`."
        )


def _outgrown(place: Place, finished: Manifest) -> list[str]:
    """Blocks of the run with fewer passes that this one was before, left by a writer that was killed."""
    numbers = ((name, re.fullmatch(r"passes-(\d{1,12})/\d+\.frames", name)) for name in place.sizes())
    return [name for name, passes in numbers if passes and int(passes[1]) < finished.passes]


def _refuse_strangers(place: Place) -> None:
    ours = [name for name in place.sizes() if name in (LABELS, MODEL) or name.startswith(("images/", "passes-"))]
    if ours:
        raise RunExistsError(
            f"{place.path} holds {ours[0]} but no run, and a run would overwrite it. Choose another place."
        )


class _Writing:
    """The writing of one run, by the one process that holds its lock."""

    def __init__(
        self,
        place: Place,
        wanted: Manifest,
        source: Source,
        images: np.ndarray,
        labels: np.ndarray | None,
        model: bytes | None,
        progress: Progress | None,
    ) -> None:
        self.place, self.source, self.progress = place, source, progress
        self.images, self.labels, self.model = images, labels, model
        self.manifest = wanted
        self.old: Run | None = None

    def carry_out(self, resume: bool) -> None:
        try:
            self._begin(resume)
            self._write_inputs()
            for block in self._missing_blocks():
                self._write_block(block)
            self._finish()
        except BaseException:
            self._forget_if_empty()
            raise

    def _begin(self, resume: bool) -> None:
        try:
            there = read_manifest(self.place)
        except RunNotFoundError:
            there = None
        if there and there.state == "finished":
            self.old = Run(self.place, there)
            self._keep_what_is_kept(there)
            return
        if there and not resume:
            for name in [NAME, *self._own_files()]:
                self.place.delete(name)
            there = None
        if there:
            self._keep_what_is_kept(there)
            self.manifest = replace(self.manifest, layout=there.layout, scores=there.scores)
        else:
            self.manifest = replace(self.manifest, made={"started": _now(), **self.manifest.made})
        write_manifest(self.place, self.manifest)

    def _keep_what_is_kept(self, there: Manifest) -> None:
        images, model = self.manifest.images, self.manifest.model
        kept = there.layout
        self.manifest = replace(
            self.manifest,
            layout=replace(self.manifest.layout, image_block=kept.image_block, image_frame=kept.image_frame),
            made=_merged(there.made, self.manifest.made),
            images=replace(images, kept=images.kept or there.images.kept),
            model=replace(model, kept=model.kept or there.model.kept),
            data={**there.data, **self.manifest.data},
        )

    def _write_inputs(self) -> None:
        sizes = self.place.sizes()
        size = self.manifest.layout.image_block
        for block in range(self.manifest.image_blocks):
            if not self._has_images(block, sizes):
                content = np.ascontiguousarray(self.images[block * size : (block + 1) * size])
                self.place.write(image_block_name(block), pack_images(self.manifest, block, content))
        if self.labels is not None and (self.old is None or LABELS not in sizes):
            self.place.write(LABELS, pack_labels(self.manifest, self.labels))
        if self.model is not None and (self.old is None or MODEL not in sizes):
            self.place.write(MODEL, self.model)

    def _has_images(self, block: int, sizes: dict[str, int]) -> bool:
        if image_block_name(block) not in sizes:
            return False
        try:
            there = ImageBlock.open(self.place, self.manifest, block)
            for frame in range(len(there.file.lengths)):
                there.frame(frame)
        except CorruptRunError:
            return False
        return True

    def _missing_blocks(self) -> list[int]:
        sizes = self.place.sizes()
        return [block for block in range(self.manifest.blocks) if not self._has_block(block, sizes)]

    def _has_block(self, block: int, sizes: dict[str, int]) -> bool:
        if self.manifest.block_name(block) not in sizes:
            return False
        try:
            there = Block.open(self.place, self.manifest, block)
            there.probs(0, there.count)
            there.plain()
            there.summary()
        except CorruptRunError:
            return False
        return True

    def _write_block(self, block: int) -> None:
        manifest, (start, stop) = self.manifest, self.manifest.block_range(block)
        first = self.old.manifest.passes if self.old else 0
        fresh = manifest.passes - first

        def report(part: int, _: int) -> None:
            self._report(start * fresh + part)

        report(0, 0)
        probs = self.source.passes(start, stop, first, fresh, report)
        _check(probs, (fresh, stop - start, manifest.classes))
        if self.old:
            probs = np.concatenate([self.old.probs_block(start, stop), probs])
        plain = self.source.plain(start, stop)
        labels = None if self.labels is None else self.labels[start:stop]
        self.place.write(manifest.block_name(block), pack_block(manifest, block, probs, plain, labels))

    def _finish(self) -> None:
        for name in self.place.sizes():
            if TEMPORARY.fullmatch(name.rpartition("/")[2]):  # an earlier writer was killed over it
                self.place.delete(name)
        files = {}
        for name in self._own_files():
            content = self.place.read(name)
            files[name] = StoredFile(len(content), hashlib.sha256(content).hexdigest())
        made = {**self.manifest.made, "finished": _now()}
        write_manifest(self.place, replace(self.manifest, state="finished", made=made, files=files))

    def _report(self, done: int) -> None:
        passes = self.manifest.passes - (self.old.manifest.passes if self.old else 0)
        if self.progress:
            self.progress(done, self.manifest.images.count * passes)

    def _own_files(self) -> list[str]:
        manifest = self.manifest
        names = [*block_files(manifest), *image_files(manifest)]
        names += [LABELS] if manifest.labels_sha256 is not None else []
        return names + ([MODEL] if manifest.model.kept else [])

    def _forget_if_empty(self) -> None:
        """Leave nothing behind of a run that has not one block: nothing of it is worth going on with."""
        with suppress(StorageError):  # the error that ended the writing is the one to tell
            sizes = self.place.sizes()
            if self.old is None and not any(name in sizes for name in block_files(self.manifest)):
                for name in [NAME, *self._own_files()]:
                    self.place.delete(name)


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
