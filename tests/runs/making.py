"""Small runs from a source that needs no TensorFlow: every number follows from seed, pass, example and class or target.

`FORMS` has the tasks and kinds of examples; `make(out, **FORMS[name])` makes a run of one.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from mcviz.errors import PartialRunError, RunNotFoundError
from mcviz.kinds import KINDS
from mcviz.runs import Examples, Images, Layer, Layout, Manifest, Model, Origin, Run, open_run
from mcviz.runs.tables import Contents, describe_examples, with_scores
from mcviz.runs.writer import write
from tests.factories import Stop

MODEL_FILE = b"not a model, but the bytes of one" * 3
FORMS: dict[str, dict[str, Any]] = {
    "classes of images": {},
    "classes of texts": {"kind": "text"},
    "one target of rows": {"kind": "row", "targets": ("weight",), "unit": "kg"},
    "several labels of rows": {"kind": "row", "task": "multilabel"},
    "three targets with variances": {"kind": "none", "targets": ("x", "y", "z 1"), "predicts": "mean,log_variance"},
}
TEXTS = (
    "",
    "no",
    "A film\nof two lines.",
    "日本語",
    'a, b; "c"',
    "e\u0301 \u200b",
    "NaN",
    "007",
    " ",
    "null",
    "x" * 300,
)


class MadeUpSource:
    """Random numbers that are keyed by (seed, example, pass), so that any split gives the same bits.

    They are the softmax of C numbers, or K numbers above 0 of a regression.
    """

    def __init__(
        self, images: np.ndarray, classes: int, seed: int, pause: float = 0.0, regression: bool = False
    ) -> None:
        self.images, self.classes, self.seed, self.pause, self.regression = images, classes, seed, pause, regression
        self.asked: list[tuple[int, int, int, int]] = []

    def passes(
        self, start: int, stop: int, first_pass: int, passes: int, progress: Callable[[int, int], None]
    ) -> np.ndarray:
        self.asked.append((start, stop, first_pass, passes))
        probs = np.empty((passes, stop - start, self.classes), np.float32)
        for image in range(start, stop):
            for number in range(passes):
                probs[number, image - start] = self._one(image, first_pass + number)
            if self.pause:
                time.sleep(self.pause)
            progress((image - start + 1) * passes, passes * (stop - start))
        return probs

    def deterministic(self, start: int, stop: int) -> np.ndarray:
        return np.stack([self._one(image, 1_000_000) for image in range(start, stop)])

    def _one(self, image: int, number: int) -> np.ndarray:
        logits = np.random.default_rng([self.seed, image, number]).normal(size=self.classes)
        logits[image % self.classes] += 4
        exponentials = np.exp(logits)
        if self.regression:
            return exponentials.astype(np.float32)
        return (exponentials / exponentials.sum()).astype(np.float32)


def made_up(form: dict[str, Any], pause: float = 0.0) -> MadeUpSource:
    """The source of a run of one of `FORMS`."""
    width = len(form.get("targets", ())) * (2 if "predicts" in form else 1)
    return MadeUpSource(some_images(), width or 3, 5, pause, regression=bool(width))


def some_images(count: int = 11, shape: tuple[int, ...] = (4, 3, 1)) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, *shape), dtype=np.uint8)


def some_labels(count: int = 11, classes: int = 3) -> np.ndarray:
    return np.arange(count, dtype=np.int64) * 2 % classes


def some_targets(count: int = 11, targets: int = 3) -> np.ndarray:
    return np.random.default_rng(8).gamma(2, 3, (count, targets)).astype(np.float32)


def some_label_sets(count: int = 11, classes: int = 3) -> np.ndarray:
    labels = np.random.default_rng(8).integers(0, 2, (count, classes)).astype(np.int8)
    labels[1], labels[2, 0] = -1, -1  # nobody knows
    return labels


def some_content(kind: str, count: int = 11) -> pd.DataFrame | None:
    if KINDS[kind].content.searched:
        return pd.DataFrame({"text": [TEXTS[example % len(TEXTS)] for example in range(count)]})
    if KINDS[kind].content.in_columns:
        rows = np.random.default_rng(9).normal(size=(count, 3)).astype(np.float32)
        return pd.DataFrame(rows, columns=["height", "age in years", "label"])
    return None


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
        origin=Origin(
            "dropout", draw_scheme=1, product="matmul", stochastic_layers=(Layer("dropout", "Dropout", 0.5),)
        ),
        scores=(),
        layout=Layout(2, 4, 3, 6),
    )
    return replace(with_scores(manifest), **changes)


def make(
    out: str | Path,
    *,
    kind: str = "image",
    targets: tuple[str, ...] = (),
    predicts: str = "mean",
    pixels: np.ndarray | None = None,
    labelled: bool = True,
    passes: int = 6,
    classes: int = 3,
    pause: float = 0.0,
    source: MadeUpSource | None = None,
    resume: bool = True,
    keep: bool = True,
    model_file: bytes = MODEL_FILE,
    progress: Callable[[int, int], None] | None = None,
    **changes: Any,
) -> Run:
    images = some_images() if pixels is None else pixels
    count = len(images)
    labels = some_targets(count, len(targets)) if targets else some_labels(count, classes)
    if changes.get("task") == "multilabel":
        labels = some_label_sets(count, classes)
        of_task = wanted(images, labels, classes=classes, task="multilabel")
        changes = {"scores": with_scores(of_task).scores} | changes
    labels = labels if labelled else None
    manifest = wanted(images, labels, passes=passes, classes=0 if targets else classes, **changes)
    if targets:
        manifest = replace(manifest, task="regression", targets=targets, predicts=predicts)
        manifest = with_scores(manifest)
    columns = None
    if kind != "image":
        examples, columns = describe_examples(
            Examples(kind, count, ""), manifest.task, targets, None, some_content(kind, count), None
        )
        manifest = replace(manifest, examples=examples, images=None)
    else:
        manifest = replace(manifest, images=replace(manifest.images, stored=keep))
    manifest = replace(manifest, model=replace(manifest.model, stored=keep))
    source = source or MadeUpSource(images, manifest.width, manifest.seed, pause, bool(targets))
    contents = Contents(
        source, images if kind == "image" else None, labels, columns=columns, model=model_file if keep else None
    )
    return write(out, manifest, contents, resume=resume, progress=progress)


def make_partial(out: str | Path, *, predictions: int = 50, **options: Any) -> None:
    """Make a run, and stop when more than so many predictions of its 66 are sampled; those of a whole block stay."""

    def progress(done: int, total: int) -> None:
        if done > predictions:
            raise Stop

    with pytest.raises(Stop):
        make(out, **options, progress=progress)


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(repr((array.dtype.str, array.shape)).encode() + array.tobytes()).hexdigest()


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative path; `Path.rglob` takes ten times as long."""
    paths = [Path(inner, name) for inner, _, names in os.walk(folder) for name in names]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that makes a run, but its manifest, which says when it was made; the same names if it grew."""
    return {
        re.sub(r"^(predictions|scores)-\d+", r"\1", name): content
        for name, content in files_below(folder).items()
        if name != "manifest.json" and not name.startswith("derived/")
    }


def state_of(out: Path, *truths: dict[str, Any]) -> str:
    """What stands at a place: no run, a partial one, or one with the numbers of a run that was never stopped."""
    try:
        return "whole" if numbers(open_run(out)) in truths else "wrong"
    except RunNotFoundError:
        return "none"
    except PartialRunError:
        return "partial"


def numbers(run: Run) -> dict[str, Any]:
    """Every number that a run gives, and its texts, but for names of classes, which can be given anew."""
    table = run.scores().drop(columns=list(run.task.named_columns))
    values_of = {
        "predictions": run.predictions_block(0, None),
        "images": run.images if run.has_images else None,
        "content": run.content if run.manifest.examples.content else None,
        "labels": run.labels,
        "deterministic": run.deterministic_predictions,
        "mean": run.mean_predictions,
        "pass accuracy": run.pass_accuracy,
        "ensemble accuracy": run.ensemble_accuracy,
        "deterministic accuracy": run.deterministic_accuracy,
        "pass RMSE": run.pass_rmse,
        "ensemble RMSE": run.ensemble_rmse,
        "deterministic RMSE": run.deterministic_rmse,
    }
    return {
        "scores": {name: table[name].astype(object).where(table[name].notna(), None).tolist() for name in table},
        **{name: None if values is None else np.asarray(values).tolist() for name, values in values_of.items()},
    }
