"""Verify checksums and recompute all that follows from the passes."""

import os
from dataclasses import dataclass

import numpy as np

from mcviz.measures import SCORES
from mcviz.runs.files import folder_at
from mcviz.runs.manifest import corrupt
from mcviz.runs.run import Run, open_run
from mcviz.runs.summary import Summary, joined, summarise

ROUNDING = 1e-6  # another processor's, in the recomputed scores


@dataclass(frozen=True)
class Verification:
    """What a run was found to hold.

    Attributes:
        run: the run.
        files: how many files were read, every byte of them.
        bytes: of those files.
        deterministic_accuracy: of the model with dropout off, or None where that is not known.
        pass_accuracy: the mean over the single passes, or None.
        ensemble_accuracy: of the mean of all passes, or None.
        mean_scores: the mean over the examples of each score.
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
            f"{self.run.path}: {manifest.passes:,} passes over {len(self.run):,} examples, "
            f"{manifest.classes} classes, {manifest.how}",
            f"{self.files} files, {self.bytes:,} bytes: all as they were written",
        ]
        for label, accuracy in (
            ("deterministic", self.deterministic_accuracy),
            ("mean single pass", self.pass_accuracy),
            ("ensemble", self.ensemble_accuracy),
        ):
            if accuracy is not None:
                lines.append(f"accuracy, {label + ':':<18} {accuracy:.2%}")
        lines += [f"mean {SCORES[name].label + ':':<28} {value:.4f}" for name, value in self.mean_scores.items()]
        return "\n".join([*lines, "The stored scores and accuracies are those of the stored passes."])


def verify_run(path: str | os.PathLike[str]) -> Verification:
    """Verify the checksum of every file of a run, and recompute its scores and accuracies from its passes.

    Raises:
        CorruptRunError: a file is not what was written, or a stored number is not what the passes come to.
        RunNotFoundError: there is no run, or it was removed or replaced by another while it was verified.
        Others: as `open_run`.
    """
    run, folder = open_run(path), folder_at(path)
    read = sum(len(run.read_file(name)) for name in run.manifest.files)
    names = tuple(name for name in run.manifest.scores if name in SCORES)
    shards = [run.manifest.shard_range(shard) for shard in range(run.manifest.shards)]
    found = joined([_summary(run, start, stop, names) for start, stop in shards])
    for array, agrees in _agreements(run, found).items():
        if not agrees:
            raise corrupt(folder.address(array), "holds numbers that are not those of the passes")
    passes, ensemble = run.pass_accuracy, run.ensemble_accuracy
    return Verification(
        run=run,
        files=len(run.manifest.files),
        bytes=read,
        deterministic_accuracy=run.deterministic_accuracy,
        pass_accuracy=None if passes is None else float(passes.mean()),
        ensemble_accuracy=None if ensemble is None else float(ensemble[-1]),
        mean_scores={name: float(found.scores[name].mean(dtype=np.float64)) for name in names},
    )


def _summary(run: Run, start: int, stop: int, names: tuple[str, ...]) -> Summary:
    return summarise(run.probs_block(start, stop), None if run.labels is None else run.labels[start:stop], names)


def _agreements(run: Run, found: Summary) -> dict[str, bool]:
    """Whether what is stored is what the passes come to, by the file that holds it."""
    manifest, table, count = run.manifest, run.scores(), len(run)
    scores = all(np.allclose(table[name], values, rtol=0, atol=ROUNDING) for name, values in found.scores.items())
    correct = table["label"].eq(table["prediction"]).astype("boolean")
    labels_agree = run.labels is None or np.array_equal(table["label"].to_numpy(np.int64), run.labels)
    ids_agree = run.columns is None or run.columns["id"].equals(table["id"])
    agree = {
        manifest.table: scores
        and labels_agree
        and ids_agree
        and np.array_equal(table["prediction"], found.prediction)
        and table["correct"].equals(correct),
        f"{manifest.store}/mean_probs": np.allclose(run.mean_probs, found.mean, rtol=0, atol=ROUNDING),
    }
    for name, stored, counts in (
        ("correct_per_pass", run.pass_accuracy, found.correct_per_pass),
        ("correct_by_ensemble_size", run.ensemble_accuracy, found.correct_by_ensemble_size),
    ):
        if stored is not None and counts is not None:
            agree[f"{manifest.store}/{name}"] = np.array_equal(stored, counts / count)
    return agree
