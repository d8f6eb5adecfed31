"""Classification: a pass gives the probabilities of C classes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy  # loads scipy.special when it is first used, so that opening a run need not wait for it

from mcviz.choices import Predicts
from mcviz.decisions import Decisions
from mcviz.errors import InvalidInputError
from mcviz.manifest import LabelMaps, Manifest
from mcviz.measures import SCORES, Predictions, correct_by_ensemble_size, correct_per_pass
from mcviz.measures.calibration import calibration_terms
from mcviz.measures.multilabel import THRESHOLD, UNKNOWN
from mcviz.measures.quality import CLASSIFICATION
from mcviz.measures.registry import Terms
from mcviz.measures.scores import find_likeliest
from mcviz.tasks.base import (
    GAIN,
    NEAR_CHANCE,
    ROWS_VALUES,
    Aggregates,
    Changes,
    Loss,
    PassFormat,
    StoredArray,
    Task,
    by_pass,
    compare_unlabelled,
    convert_numbers,
    find_mistakes,
    locate,
    set_unlabelled_apart,
)
from mcviz.tasks.probabilities import ClassProbabilities
from mcviz.text import percent
from mcviz.validate import invalid

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.data import DataSet

MISSING_ON_DISK = -2  # where some labels are not known
SUM_TOLERANCE = 1e-3  # how far a row of imported probabilities may be from a sum of one
NOT_PROBABILITIES_ADVICE = (
    "If these are logits, say so (from_logits), on the command line by --from-logits; or if they are the values of a "
    "regression (task='regression', on the command line by --task regression)."
)


class Classification(ClassProbabilities):
    """Predict one of C classes; K is C."""

    name = "classification"
    scores = SCORES
    first_scores = ("max_probability",)
    quality = CLASSIFICATION
    quality_name = "accuracy"
    loss = Loss("mistakes", "mistakes", "More mistakes", "share of mistakes", 1.0, "missed mistake", is_mistake=True)
    has_one_class = True
    outputs = "softmax"
    instead = ""
    label_score = "self_confidence"
    decides = "class"
    several_labels = False

    def __init__(self, threshold: float | None = None, positive: int = 1) -> None:
        """Make the task.

        Args:
            threshold: of two classes, the probability above which one is predicted; the likeliest class without it.
            positive: the number of that class.
        """
        self.threshold, self.positive = threshold, positive

    def classes_with_thresholds(self, manifest: Manifest) -> tuple[str, ...]:
        return manifest.class_names if manifest.classes == 2 else ()

    def decided(self, decisions: Decisions, manifest: Manifest) -> "Classification":
        if not decisions.thresholds:
            return self
        ((name, threshold),) = decisions.thresholds.items()
        return type(self)(threshold.value, manifest.class_names.index(name))

    @property
    def sealed_quality_name(self) -> str:
        return self.quality_name if self.threshold is None else f"{self.quality_name} at {THRESHOLD:g}"

    def decide(self, predictions: np.ndarray) -> np.ndarray:
        if self.threshold is None:
            return find_likeliest(predictions)
        return np.where(predictions[..., self.positive] > self.threshold, self.positive, 1 - self.positive)

    def confidence(self, predictions: np.ndarray) -> np.ndarray:
        return np.take_along_axis(predictions, self.decide(predictions)[..., None], axis=-1)[..., 0]

    def beside(self, first: Task, order: np.ndarray) -> "Classification":
        if self.threshold is None:
            return self
        return type(self)(self.threshold, int(np.flatnonzero(order == self.positive)[0]))

    def hide_labels(self, labels: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        return np.where(hidden, UNKNOWN, labels)

    def decided_columns(
        self, manifest: Manifest, read: Callable[[str], np.ndarray], labels: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        if self.threshold is None:
            return {}
        mean = read("mean_probs")
        prediction = self.decide(mean)
        columns = {"prediction": prediction, "max_probability": self.confidence(mean)}
        if labels is None:
            return columns
        correct = (prediction == labels).astype(object)
        correct[~self.find_labelled(labels)] = None
        return columns | {"correct": correct}

    def terms_by_predictor(
        self, manifest: Manifest, passes: Any, labels: np.ndarray, deterministic: np.ndarray | None = None
    ) -> dict[str, dict[str, np.ndarray]]:
        ways: dict[str, np.ndarray] = {"ensemble": self.predictions(passes).mean_probs}
        if deterministic is not None:
            ways["deterministic"] = deterministic
        return {way: calibration_terms(probs, labels, self.decide(probs)) for way, probs in ways.items()}

    def label_arrays(self, manifest: Manifest) -> Iterator[StoredArray]:
        attributes: dict[str, Any] = {"long_name": "number of the class that is the label"}
        count, fill_value, bounds = manifest.examples.count, UNKNOWN, (0, manifest.classes - 1)
        if manifest.examples_with_labels is not None:
            fill_value, bounds = MISSING_ON_DISK, (UNKNOWN, manifest.classes - 1)
            attributes |= {"missing_value": UNKNOWN}
        rows = min(count, ROWS_VALUES)
        yield StoredArray("label", (count,), "int64", ("example",), rows, rows, fill_value, attributes, bounds)
        for name, of_what in (
            ("correct_per_pass", "each pass"),
            ("correct_by_ensemble_size", "the mean of the first 1, 2, … passes"),
        ):
            attributes = {"long_name": f"number of examples whose label {of_what} predicts"}
            yield by_pass(name, manifest.passes, "int64", -1, attributes)

    def aggregate(self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None) -> Aggregates:
        predictions, mean = Predictions(passes), passes.mean(axis=0, dtype=np.float64)
        prediction, arrays = mean.argmax(axis=-1), {"mean_probs": mean.astype(np.float32)}
        values = {name: self.scores[name].compute(predictions) for name in manifest.scores}
        columns = {"prediction": prediction} | {name: array.astype(np.float32) for name, array in values.items()}
        if labels is None:
            return Aggregates(arrays, {}, columns)
        totals = {
            "correct_per_pass": correct_per_pass(passes, labels),
            "correct_by_ensemble_size": correct_by_ensemble_size(passes, labels),
        }
        of_labels = {"label": labels, "correct": prediction == labels}
        if manifest.examples_with_labels is not None:  # None is missing in the table
            known = self.find_labelled(labels)
            of_labels = {name: np.where(known, values, None) for name, values in of_labels.items()}
        return Aggregates(arrays, totals, columns | of_labels)

    def find_labelled(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray(labels != UNKNOWN)

    def export_labels(self, labels: np.ndarray) -> np.ndarray:
        known = self.find_labelled(labels)
        return labels if known.all() else np.where(known, labels, np.nan)

    def table_columns(self, targets: Sequence[str]) -> dict[str, str]:
        return {"label": "int64", "prediction": "int64", "correct": "bool"}

    def predictions(
        self,
        passes: np.ndarray,
        labels: np.ndarray | None = None,
        deterministic: np.ndarray | None = None,
        *,
        targets: int = 0,
    ) -> Predictions:
        return Predictions(passes, labels, deterministic)

    def class_terms(self, manifest: Manifest, read: Callable[..., np.ndarray], labels: np.ndarray) -> dict[str, Terms]:
        ways = {"ensemble": "mean_probs"} | ({"deterministic": "deterministic_probs"} if manifest.deterministic else {})
        probs = {way: read(name) for way, name in ways.items()}
        return {
            way: {"probs": of_way, "labels": labels, "predicted": self.decide(of_way)} for way, of_way in probs.items()
        }

    def class_members(self, manifest: Manifest, read: Callable[[str], np.ndarray], labels: np.ndarray) -> np.ndarray:
        return np.asarray(labels[:, None] == np.arange(manifest.classes))

    def compute_quality(
        self,
        predictions: np.ndarray,
        labels: np.ndarray,
        manifest: Manifest | None = None,
        *,
        label_maps: LabelMaps | None = None,
    ) -> float:
        known = self.find_labelled(labels)
        return float((self.decide(predictions) == labels)[known].mean())

    def reorder_labels(self, labels: np.ndarray, order: np.ndarray) -> np.ndarray:
        return np.append(np.argsort(order), UNKNOWN)[labels]  # the last one, of -1

    def loss_of_table(self, table: "pd.DataFrame") -> np.ndarray:
        return find_mistakes(table["correct"])

    def loss_of_terms(self, terms: Terms) -> np.ndarray:
        return ~np.asarray(terms["correct"], bool)

    def mean_measure(self, terms: Terms) -> tuple[str, np.ndarray]:
        return "accuracy", terms["correct"]

    def quality_of_table(self, columns: Mapping[str, np.ndarray]) -> float | None:
        if "correct" not in columns:
            return None
        known = np.array([value for value in columns["correct"] if value is not None], bool)
        return float(known.mean()) if len(known) else None

    def quality_by_pass(self, manifest: Manifest, totals: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        count = manifest.labelled
        return totals["correct_per_pass"] / count, totals["correct_by_ensemble_size"] / count

    def pass_format(self, predicts: Predicts, from_logits: bool) -> PassFormat:
        return ProbabilityPasses(predicts, from_logits)

    def label(self, examples: "DataSet", labels: Any, name: str) -> "DataSet":
        return examples.with_classes(labels, name)

    def check_labels(self, examples: "DataSet") -> "DataSet":
        return examples.check_class_labels()

    def guessing_hint(self, quality: float, labels: np.ndarray, width: int, which: str) -> str:
        chance = 1 / width
        if quality > chance + NEAR_CHANCE * (1 - chance):
            return ""
        return f"The model is right on {percent(quality)} of {which}, and would be by guessing on {percent(chance)}."

    def rescaling_hint(self, quality: float, better: float) -> str:
        return f"it is right on {percent(better)}" if better > quality + GAIN else ""

    def compare_predictions(
        self,
        manifest: Manifest,
        mean: np.ndarray,
        other: np.ndarray,
        labels: np.ndarray | None,
        other_task: Task | None = None,
    ) -> Changes:
        prediction, other_prediction = self.decide(mean), (other_task or self).decide(other)
        every = np.arange(len(mean))
        if labels is None:
            differs = np.abs(mean.astype(np.float64) - other).sum(axis=1) / 2
            return compare_unlabelled(differs, prediction == other_prediction)
        right, other_right = prediction == labels, other_prediction == labels
        kinds: tuple[str, ...] = ("right to wrong", "wrong to right", "right in both", "wrong in both")
        kind = np.select([right & ~other_right, ~right & other_right, right & other_right], [0, 1, 2], 3)
        worse = mean[every, labels].astype(np.float64) - other[every, labels]
        return set_unlabelled_apart(Changes(kinds, kinds[:2], kind.astype(np.int64), worse), self.find_labelled(labels))


class ProbabilityPasses(PassFormat):
    """Passes of probabilities of classes, or logits."""

    least = 2
    axis = "class"

    def __init__(self, predicts: Predicts, from_logits: bool) -> None:
        if predicts != "mean":
            raise invalid("predicts", "left out for a classification", predicts, "Or give task='regression'.")
        self._from_logits = from_logits

    def convert(self, block: np.ndarray) -> np.ndarray:
        return scipy.special.softmax(block, axis=-1) if self._from_logits else block

    def check(self, block: np.ndarray, start: int, epsilon: float) -> None:
        if self._from_logits:
            return
        if (block < 0).any():
            raise InvalidInputError(
                f"A probability of {locate(block < 0, start)} is negative. {NOT_PROBABILITIES_ADVICE}"
            )
        sums = block.sum(axis=-1, dtype=np.float64)
        tolerance = max(SUM_TOLERANCE, epsilon * block.shape[-1])
        wrong = np.abs(sums - 1) > tolerance
        if wrong.any():
            total = sums[tuple(np.argwhere(wrong)[0])]
            raise InvalidInputError(
                f"The probabilities of {locate(wrong, start)} sum to {total:.4g}, and should sum to 1 within "
                f"{tolerance:g}. {NOT_PROBABILITIES_ADVICE} If the axes are in another order, name them."
            )

    def deterministic(self, given: Any, shape: tuple[int, int], last: int) -> np.ndarray:
        probs = convert_numbers("deterministic", given, shape)
        if self._from_logits:
            return self.convert(probs)
        if (probs < 0).any() or (np.abs(probs.sum(axis=-1) - 1) > SUM_TOLERANCE).any():
            raise invalid("deterministic", "probabilities that sum to one", "others", "Are they logits?")
        return probs
