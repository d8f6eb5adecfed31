"""Classification: a pass gives the probabilities of C classes."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.measures import SCORES, Predictions, Score, correct_by_ensemble_size, correct_per_pass, percent
from mcviz.runs.manifest import Manifest
from mcviz.runs.stored_array import ROWS_VALUES, StoredArray, by_example, by_pass
from mcviz.runs.summary import Summary

STEPS = 65534
MISSING = 65535
TOLERANCE = 1e-3  # by which rounding may take a probability out of 0..1
PROBABILITY = {"units": "1", "valid_min": 0.0, "valid_max": 1.0}


class Classification:
    """See `Task`; K is C."""

    scores: Mapping[str, Score] = SCORES
    quality = "accuracy"

    def arrays(self, manifest: Manifest) -> Iterator[StoredArray]:
        """See `Task`."""
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
            attributes = {"long_name": "number of the class that is the label"}
            rows = min(count, ROWS_VALUES)
            yield StoredArray("label", (count,), "int64", ("example",), rows, rows, -1, attributes)
            for name, of_what in (
                ("correct_per_pass", "each pass"),
                ("correct_by_ensemble_size", "the mean of the first 1, 2, … passes"),
            ):
                attributes = {"long_name": f"number of examples whose label {of_what} predicts"}
                yield by_pass(name, manifest.passes, "int64", -1, attributes)

    def passes_in(self, manifest: Manifest) -> tuple[str, ...]:  # noqa: ARG002
        """See `Task`."""
        return ("probs",)

    def check(self, manifest: Manifest, passes: np.ndarray) -> None:  # noqa: ARG002
        """See `Task`."""
        low, high = float(passes.min()), float(passes.max())
        if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
            raise InvalidInputError(f"Passes to be kept should be probabilities, 0 to 1. Received: {low} to {high}.")

    def encoded(self, manifest: Manifest, passes: np.ndarray) -> dict[str, np.ndarray]:  # noqa: ARG002
        """See `Task`."""
        return {"probs": quantise(passes)}

    def decoded(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """See `Task`."""
        return dequantise(rows["probs"])

    def parts(self, manifest: Manifest, predictions: np.ndarray) -> dict[str, np.ndarray]:  # noqa: ARG002
        """See `Task`."""
        return {"probs": predictions}

    def deterministic(self, manifest: Manifest, predictions: np.ndarray) -> dict[str, np.ndarray]:  # noqa: ARG002
        """See `Task`."""
        return {"deterministic_probs": predictions}

    def summarise(self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None) -> Summary:
        """See `Task`."""
        known, mean = Predictions(passes), passes.mean(axis=0, dtype=np.float64)
        prediction, arrays = mean.argmax(axis=-1), {"mean_probs": mean.astype(np.float32)}
        values = {name: self.scores[name].compute(known) for name in manifest.scores}
        columns = {"prediction": prediction} | {name: each.astype(np.float32) for name, each in values.items()}
        if labels is None:
            return Summary(arrays, {}, columns)
        totals = {
            "correct_per_pass": correct_per_pass(passes, labels),
            "correct_by_ensemble_size": correct_by_ensemble_size(passes, labels),
        }
        return Summary(arrays, totals, columns | {"label": labels, "correct": prediction == labels})

    def columns(self, targets: Sequence[str]) -> dict[str, str]:  # noqa: ARG002
        """See `Task`."""
        return {"label": "int64", "prediction": "int64", "correct": "bool"}

    def available(self, manifest: Manifest) -> set[str]:
        """See `Task`."""
        known = {
            "labels": manifest.labels_sha256 is not None,
            "deterministic_probs": manifest.deterministic,
        }
        return {"probs", "mean_probs", *(name for name, is_known in known.items() if is_known)}

    def predictions(
        self,
        manifest: Manifest,  # noqa: ARG002
        passes: np.ndarray,
        labels: np.ndarray | None,
        deterministic: np.ndarray | None,
    ) -> Predictions:
        """See `Task`."""
        return Predictions(passes, labels, deterministic)

    def quality_of(self, predictions: np.ndarray, labels: np.ndarray) -> float:
        """See `Task`."""
        return float((predictions.argmax(axis=1) == labels).mean())

    def quality_of_columns(self, columns: Mapping[str, np.ndarray]) -> float | None:
        """See `Task`."""
        return float(columns["correct"].mean()) if "correct" in columns else None

    def quality_by_pass(self, manifest: Manifest, totals: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """See `Task`."""
        count = manifest.examples.count
        return totals["correct_per_pass"] / count, totals["correct_by_ensemble_size"] / count

    def quality_of_one_pass(self, by_pass: np.ndarray) -> float:
        """See `Task`."""
        return float(by_pass.mean())

    def quality_in_words(self, manifest: Manifest, value: float) -> str:  # noqa: ARG002
        """See `Task`."""
        return percent(value, 2)


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
    """The probabilities that `quantise` stands for: (N, C, T) uint16 to (T, N, C) float32."""
    return np.ascontiguousarray(steps.transpose(2, 0, 1)) / np.float32(STEPS)
