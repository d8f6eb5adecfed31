"""Tasks whose passes give probabilities of C classes: storage, names, descriptions."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mcviz.choices import Predicts
from mcviz.errors import InvalidInputError
from mcviz.manifest import Manifest
from mcviz.tasks.base import PassNames, StoredArray, Task, by_example
from mcviz.text import list_names

if TYPE_CHECKING:
    from mcviz.data import DataSet

STEPS = 65534
MISSING = 65535
ROUNDING = 1e-3  # by which rounding may take a probability out of 0..1
PROBABILITY = {"units": "1", "valid_min": 0.0, "valid_max": 1.0}


class ClassProbabilities(Task):
    """Predict probabilities of C classes; K is C. Subclasses define labels."""

    last_axis = "class"
    dimension = "category"
    pass_names = PassNames(
        ("probs", "probabilities", "passes", "predictions", "logits"),
        "class",
        ("class", "category", "classes", "categories"),
        "probability",
        "class_names",
    )

    def claims(self, manifest: Manifest) -> Iterator[tuple[bool, str]]:
        yield from super().claims(manifest)
        yield manifest.classes > 0, f"{manifest.classes} classes are predicted"
        yield not manifest.targets, f"{len(manifest.targets)} targets are predicted"
        yield manifest.predicts == "mean", f"classes are predicted as {manifest.predicts}"
        yield not manifest.unit, f"classes are predicted in {manifest.unit!r:.60}"

    def arrays(self, manifest: Manifest) -> Iterator[StoredArray]:
        layout, count, classes = manifest.layout, manifest.examples.count, manifest.classes
        yield StoredArray(
            "probs",
            (count, classes, manifest.passes),
            "uint16",
            ("example", "category", "draw"),
            layout.examples_per_chunk,
            layout.examples_per_shard,
            MISSING,
            {
                "long_name": "probability of each class in each pass",
                "units": "1",
                "scale_factor": 1 / STEPS,
                "_FillValue": MISSING,
            },
        )
        long_names = {"mean_probs": "mean of the probability over the passes"}
        if manifest.deterministic:
            long_names["deterministic_probs"] = "probability of each class with dropout off"
        for name, long_name in long_names.items():
            yield by_example(name, count, ("category", classes), PROBABILITY | {"long_name": long_name})
        if manifest.labels_sha256 is not None:
            yield from self.label_arrays(manifest)

    @abstractmethod
    def label_arrays(self, manifest: Manifest) -> Iterator[StoredArray]:
        """Return arrays of labels and totals by pass."""

    def pass_arrays(self, manifest: Manifest) -> tuple[str, ...]:
        return ("probs",)

    def check_passes(self, manifest: Manifest, passes: np.ndarray) -> None:
        low, high = float(passes.min()), float(passes.max())
        if not (low >= -ROUNDING and high <= 1 + ROUNDING):
            raise InvalidInputError(f"Passes to be kept should be probabilities, 0 to 1. Received: {low} to {high}.")

    def encode(self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
        return {"probs": quantise(passes)}

    def decode(self, manifest: Manifest, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        return dequantise(rows["probs"])

    def split(self, manifest: Manifest, predictions: np.ndarray) -> dict[str, np.ndarray]:
        return {"probs": predictions}

    def name_axis(self, examples: "DataSet", names: Sequence[str] | Mapping[str, str]) -> "DataSet":
        return examples.with_class_names(names)

    def default_names(self, width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return tuple(map(str, range(width))), ()

    def names(self, examples: "DataSet", width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        examples.check_classes(width)
        return examples.class_names or (), ()

    def reorder_predictions(self, predictions: np.ndarray, order: np.ndarray) -> np.ndarray:
        return predictions[..., order]

    def describe_outputs(self, examples: "DataSet", width: int, predicts: Predicts) -> dict[str, str]:
        return {"classes": f"{width:,}" + (f": {list_names(examples.class_names)}" if examples.class_names else "")}

    def score_inputs(self, manifest: Manifest) -> set[str]:
        known = {
            "labels": manifest.labels_sha256 is not None,
            "deterministic_probs": manifest.deterministic,
        }
        return {"probs", "mean_probs", *(name for name, is_known in known.items() if is_known)}


def quantise(probs: np.ndarray) -> np.ndarray:
    """Round probabilities to the nearest 1/65534.

    Args:
        probs: (T, N, C) float32 in 0..1.

    Returns:
        (N, C, T) uint16: one example's numbers together, one class's passes in a row.
    """
    steps = np.rint(np.clip(probs, 0, 1) * np.float32(STEPS)).astype(np.uint16)
    return np.ascontiguousarray(steps.transpose(1, 2, 0))


def dequantise(steps: np.ndarray) -> np.ndarray:
    """Return probabilities: (N, C, T) uint16 to (T, N, C) float32."""
    return np.ascontiguousarray(steps.transpose(2, 0, 1)) / np.float32(STEPS)
