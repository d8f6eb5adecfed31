"""Writing a run: begun, gone on with, or given more passes, block by block, and only ever whole."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np

from mcviz.errors import CorruptRunError, InvalidInputError, RunNotFoundError, StorageError
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
    image_block_name,
    image_files,
    read_manifest,
    write_manifest,
)
from mcviz.runs.place import Place, place_of
from mcviz.runs.run import Run, check_file, open_run
from mcviz.runs.standing import files_but_manifest, is_finished, is_unfinished, outgrown, refuse_another

Progress = Callable[[int, int], None]


class Source(Protocol):
    """Where predictions come from: the sampled model, over the images of the run."""

    def passes(self, start: int, stop: int, first_pass: int, passes: int, progress: Progress) -> np.ndarray:
        """(passes, stop - start, C) float32: passes from `first_pass` on, of images `start` to before `stop`."""

    def deterministic(self, start: int, stop: int) -> np.ndarray:
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
    if is_finished(place, wanted) and not outgrown(place, wanted):
        return open_run(out)
    with writing(place):
        if not is_finished(place, wanted):
            refuse_another(place, wanted)
            _Writing(place, wanted, source, images, labels, model, progress).carry_out(resume)
        for name in outgrown(place, wanted):
            place.delete(name)
    return open_run(out)


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
        self.done = 0

    def carry_out(self, resume: bool) -> None:
        try:
            self._begin(resume)
            self._write_inputs()
            missing = self._missing_blocks()
            self.done = self._total() - sum(self._predictions(block) for block in missing)
            for block in missing:
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
            self._delete()
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
            model=replace(model, kept=model.kept or (there.model.kept and MODEL in self.place.sizes())),
            data={**there.data, **self.manifest.data},
        )

    def _write_inputs(self) -> None:
        sizes = self.place.sizes()
        size = self.manifest.layout.image_block
        for block in range(self.manifest.image_blocks):
            if not self._has_images(block, sizes):
                content = np.ascontiguousarray(self.images[block * size : (block + 1) * size])
                self.place.write(image_block_name(block), pack_images(self.manifest, block, content))
        if self.labels is not None:
            self.place.write(LABELS, pack_labels(self.manifest, self.labels))
        if self.old and MODEL in self.old.manifest.files:
            check_file(self.place, self.old.manifest, MODEL)
        elif self.model is not None:
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
            there.deterministic()
            there.summary()
        except CorruptRunError:
            return False
        return True

    def _write_block(self, block: int) -> None:
        manifest, (start, stop) = self.manifest, self.manifest.block_range(block)
        first, fresh = manifest.passes - self._fresh(), self._fresh()

        def report(part: int, _: int) -> None:
            if self.progress:
                self.progress(self.done + part, self._total())

        report(0, 0)
        probs = self.source.passes(start, stop, first, fresh, report)
        _check(probs, (fresh, stop - start, manifest.classes))
        if self.old:
            probs = np.concatenate([self.old.probs_block(start, stop), probs])
        plain = self.source.deterministic(start, stop)
        labels = None if self.labels is None else self.labels[start:stop]
        self.place.write(manifest.block_name(block), pack_block(manifest, block, probs, plain, labels))
        self.done += self._predictions(block)

    def _finish(self) -> None:
        for name in self.place.sizes():
            if is_unfinished(name):  # an earlier writer was killed over it
                self.place.delete(name)
        files = {}
        for name in self._own_files():
            content = self.place.read(name)
            files[name] = StoredFile(len(content), hashlib.sha256(content).hexdigest())
        made = {**self.manifest.made, "finished": _now()}
        write_manifest(self.place, replace(self.manifest, state="finished", made=made, files=files))

    def _fresh(self) -> int:
        return self.manifest.passes - (self.old.manifest.passes if self.old else 0)

    def _total(self) -> int:
        return self.manifest.images.count * self._fresh()

    def _predictions(self, block: int) -> int:
        start, stop = self.manifest.block_range(block)
        return (stop - start) * self._fresh()

    def _own_files(self) -> list[str]:
        manifest = self.manifest
        names = [*block_files(manifest), *image_files(manifest)]
        names += [LABELS] if manifest.labels_sha256 is not None else []
        return names + ([MODEL] if manifest.model.kept else [])

    def _delete(self) -> None:
        for name in [*files_but_manifest(self.place), NAME]:  # the manifest last: without it they are nobody's
            self.place.delete(name)

    def _forget_if_empty(self) -> None:
        """Leave nothing behind of a run that has not one block: nothing of it is worth going on with."""
        with suppress(StorageError):  # the error that ended the writing is the one to tell
            sizes = self.place.sizes()
            if self.old is None and not any(name in sizes for name in block_files(self.manifest)):
                self._delete()


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
