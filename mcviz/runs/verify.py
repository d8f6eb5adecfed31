"""Holding a run against itself: every byte against its checksum, every kept number against the passes."""

import os
from dataclasses import dataclass

import numpy as np

from mcviz.measures import SCORES
from mcviz.runs.blocks import Block, Summary, summarise
from mcviz.runs.damage import damaged
from mcviz.runs.place import Place, place_of
from mcviz.runs.run import Run, check_file, open_run

ROUNDING = 1e-6  # logarithms differ in their last bits from one processor to another


@dataclass(frozen=True)
class Verification:
    """What a run's passes come to, computed anew and found to be what the run says.

    Attributes:
        run: the run.
        files: how many files were read, each byte of them.
        bytes: of those files.
        deterministic_accuracy: of the ordinary model, or None without labels.
        pass_accuracy: the mean over the single passes, or None.
        ensemble_accuracy: of the mean of all passes, or None.
        mean_scores: the mean over the images of each score.
    """

    run: Run
    files: int
    bytes: int
    deterministic_accuracy: float | None
    pass_accuracy: float | None
    ensemble_accuracy: float | None
    mean_scores: dict[str, float]

    def __str__(self) -> str:
        manifest = self.run.manifest
        lines = [
            f"{self.run.path}: {manifest.passes:,} passes over {manifest.images.count:,} images, "
            f"{manifest.classes} classes, masks {manifest.masks}, seed {manifest.seed}",
            f"{self.files} files, {self.bytes:,} bytes: all as they were written",
        ]
        for label, accuracy in (
            ("ordinary model", self.deterministic_accuracy),
            ("mean single pass", self.pass_accuracy),
            ("ensemble", self.ensemble_accuracy),
        ):
            if accuracy is not None:
                lines.append(f"accuracy, {label + ':':<18} {accuracy:.2%}")
        lines += [f"mean {SCORES[name].label + ':':<28} {value:.4f}" for name, value in self.mean_scores.items()]
        return "\n".join([*lines, "The kept scores and accuracies are those of the kept passes."])


def verify_run(path: str | os.PathLike[str]) -> Verification:
    """Read every byte of a run, and compute its scores and accuracies again from its passes.

    Raises:
        CorruptRunError: a file is not what was written, or a kept number is not what the passes come to.
        Others: as `open_run`.
    """
    run, place = open_run(path), place_of(path)
    read = sum(check_file(place, run.manifest, name) for name in run.manifest.files)
    names = tuple(name for name in run.manifest.scores if name in SCORES)
    totals = np.zeros(len(names))
    for block in range(run.manifest.blocks):
        summary = _check_block(place, run, block, names)
        totals += summary.scores.sum(axis=1, dtype=np.float64)
    if run.manifest.images.kept:
        for _ in run.images:
            pass
    passes, ensemble = run.pass_accuracy, run.ensemble_accuracy
    return Verification(
        run=run,
        files=len(run.manifest.files),
        bytes=read,
        deterministic_accuracy=run.deterministic_accuracy,
        pass_accuracy=None if passes is None else float(passes.mean()),
        ensemble_accuracy=None if ensemble is None else float(ensemble[-1]),
        mean_scores=dict(zip(names, (totals / run.manifest.images.count).tolist(), strict=True)),
    )


def _check_block(place: Place, run: Run, block: int, names: tuple[str, ...]) -> Summary:
    start, stop = run.manifest.block_range(block)
    kept = Block.open(place, run.manifest, block).summary()
    labels = None if run.labels is None else run.labels[start:stop]
    found = summarise(run.probs_block(start, stop), labels, names)
    kept_scores = kept.scores[[run.manifest.scores.index(name) for name in names]]
    exact = [
        (kept.predicted, found.predicted),
        (kept.correct_per_pass, found.correct_per_pass),
        (kept.correct_by_ensemble_size, found.correct_by_ensemble_size),
    ]
    agree = all(np.array_equal(a, b) for a, b in exact if a is not None and b is not None)
    close = all(
        np.allclose(a, b, rtol=0, atol=ROUNDING) for a, b in ((kept.mean, found.mean), (kept_scores, found.scores))
    )
    if not (agree and close):
        name = place.address(run.manifest.block_name(block))
        raise damaged(name, "keeps scores or accuracies that are not those of its passes")
    return found
