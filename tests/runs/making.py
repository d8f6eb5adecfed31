"""Small runs from a source that needs no TensorFlow: every number follows from seed, pass, image and class."""

import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from mcviz.measures import SCORES
from mcviz.runs import Examples, Images, Layer, Layout, Manifest, Model, Origin, Run
from mcviz.runs.contents import Contents
from mcviz.runs.writer import write

MODEL_FILE = b"not a model, but the bytes of one" * 3


class MadeUpSource:
    """Softmax of random numbers that are keyed by (seed, image, pass), so that any split gives the same bits."""

    def __init__(self, images: np.ndarray, classes: int, seed: int, pause: float = 0.0) -> None:
        self.images, self.classes, self.seed, self.pause = images, classes, seed, pause
        self.asked: list[tuple[int, int, int, int]] = []

    def passes(
        self, start: int, stop: int, first_pass: int, passes: int, progress: Callable[[int, int], None]
    ) -> np.ndarray:
        self.asked.append((start, stop, first_pass, passes))
        probs = np.empty((passes, stop - start, self.classes), np.float32)
        for image in range(start, stop):
            for number in range(passes):
                probs[number, image - start] = self._one(image, first_pass + number)
            time.sleep(self.pause)
            progress((image - start + 1) * passes, passes * (stop - start))
        return probs

    def deterministic(self, start: int, stop: int) -> np.ndarray:
        return np.stack([self._one(image, 1_000_000) for image in range(start, stop)])

    def _one(self, image: int, number: int) -> np.ndarray:
        logits = np.random.default_rng([self.seed, image, number]).normal(size=self.classes)
        logits[image % self.classes] += 4
        exponentials = np.exp(logits)
        return (exponentials / exponentials.sum()).astype(np.float32)


def some_images(count: int = 11, shape: tuple[int, ...] = (4, 3, 1)) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, *shape), dtype=np.uint8)


def some_labels(count: int = 11, classes: int = 3) -> np.ndarray:
    return np.arange(count, dtype=np.int64) * 2 % classes


def wanted(
    images: np.ndarray, labels: np.ndarray | None, /, *, passes: int = 6, classes: int = 3, **changes: Any
) -> Manifest:
    manifest = Manifest(
        passes=passes,
        seed=5,
        masks="per_pass",
        classes=classes,
        class_names=tuple("abcdefghij"[:classes]),
        examples=Examples("image", len(images), digest(images)),
        images=Images(images.shape[1:], str(images.dtype), float(images.min()), float(images.max()), True),
        labels_sha256=None if labels is None else digest(labels),
        model=Model("made_up", digest(np.arange(3)), True),
        origin=Origin("dropout", None, 1, "matmul", (Layer("dropout", "Dropout", 0.5),)),
        scores=tuple(SCORES),
        layout=Layout(2, 4, 3, 6),
    )
    return replace(manifest, **changes)


def make(
    out: str | Path,
    *,
    pixels: np.ndarray | None = None,
    labelled: bool = True,
    passes: int = 6,
    classes: int = 3,
    pause: float = 0.0,
    source: MadeUpSource | None = None,
    resume: bool = True,
    keep: bool = True,
    progress: Callable[[int, int], None] | None = None,
    **changes: Any,
) -> Run:
    images = some_images() if pixels is None else pixels
    labels = some_labels(len(images), classes) if labelled else None
    manifest = wanted(images, labels, passes=passes, classes=classes, **changes)
    manifest = replace(
        manifest, images=replace(manifest.images, stored=keep), model=replace(manifest.model, stored=keep)
    )
    source = source or MadeUpSource(images, classes, manifest.seed, pause)
    model = MODEL_FILE if keep else None
    return write(out, manifest, Contents(source, images, labels, model=model), resume=resume, progress=progress)


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(repr((array.dtype.str, array.shape)).encode() + array.tobytes()).hexdigest()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run but its manifest, which says when it was made; the same names for a run that grew."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    return {
        re.sub(r"^(predictions|scores)-\d+", r"\1", str(path.relative_to(folder))): path.read_bytes() for path in files
    }


def numbers(run: Run) -> dict[str, Any]:
    """Every number that a run gives."""
    table = run.scores()
    return {
        "probs": run.probs_block(0, None).tolist(),
        "images": np.asarray(run.images).tolist(),
        "labels": None if run.labels is None else run.labels.tolist(),
        "deterministic": run.deterministic_probs.tolist(),
        "mean": run.mean_probs.tolist(),
        "scores": {name: table[name].astype(object).where(table[name].notna(), None).tolist() for name in table},
        "pass accuracy": None if run.pass_accuracy is None else run.pass_accuracy.tolist(),
        "ensemble accuracy": None if run.ensemble_accuracy is None else run.ensemble_accuracy.tolist(),
        "deterministic accuracy": run.deterministic_accuracy,
    }
