"""Several labels an example: a pass gives the probability of each of C classes, whatever the others are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy  # loads scipy.special when it is first used, so that opening a run need not wait for it

from mcviz.choices import Predicts
from mcviz.decisions import Decisions
from mcviz.errors import InvalidInputError
from mcviz.manifest import LabelMaps, Manifest
from mcviz.measures.intervals import Interval, find_biased
from mcviz.measures.multilabel import (
    MULTILABEL,
    THRESHOLD,
    UNKNOWN,
    ClassFigures,
    class_figures,
    class_label_quality,
    count_wrong,
    is_wrong,
    label_losses,
)
from mcviz.measures.registry import MULTILABEL_SCORES, MultilabelPredictions, Terms
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
    locate,
    set_unlabelled_apart,
)
from mcviz.tasks.probabilities import ClassProbabilities
from mcviz.text import list_names, one_line, percent
from mcviz.validate import invalid

if TYPE_CHECKING:
    from mcviz.data import DataSet

MISSING_ON_DISK = -128
SEPARATOR = ";"  # between the names of classes in a text
ADVICE = "If these are logits, say so (from_logits), on the command line by --from-logits."


class Multilabel(ClassProbabilities):
    """Predict the classes of examples; K is C, labels are (N, C) of 0, 1 and -1 for unknown."""

    name = "multilabel"
    scores = MULTILABEL_SCORES
    first_scores = ("expected_error",)
    quality = MULTILABEL
    quality_name = "accuracy over labels"
    loss = Loss("wrong_labels", "wrong labels", "More wrong labels", "share of wrong labels", 1.0, "miss of all labels")
    loss_column = "loss"
    has_one_class = False
    outputs = "sigmoids"
    instead = (
        "Of several labels an example, `mcviz trust` measures each class, `mcviz slices` finds where the model is "
        "worse, `mcviz refer` chooses what a person looks at, `mcviz acquire` what to label next, and `mcviz compare` "
        "compares two runs."
    )
    named_columns = "label", "prediction", "wrong"
    label_score = "label_quality"
    decides = "classes"
    several_labels = True

    def __init__(self, thresholds: np.ndarray | float = THRESHOLD) -> None:
        """Make the task.

        Args:
            thresholds: (C,) float64, the probability above which each class is predicted; or one number for all.
        """
        self.thresholds = thresholds

    def classes_with_thresholds(self, manifest: Manifest) -> tuple[str, ...]:
        return manifest.class_names

    def decided(self, decisions: Decisions, manifest: Manifest) -> "Multilabel":
        if not decisions.thresholds:
            return self
        given = {name: threshold.value for name, threshold in decisions.thresholds.items()}
        return type(self)(np.array([given.get(name, THRESHOLD) for name in manifest.class_names]))

    @property
    def sealed_quality_name(self) -> str:
        return self.quality_name if isinstance(self.thresholds, float) else f"{self.quality_name} at {THRESHOLD:g}"

    def decide(self, predictions: np.ndarray) -> np.ndarray:
        return np.asarray(predictions > self.thresholds)

    def beside(self, first: Task, order: np.ndarray) -> "Multilabel":
        return type(self)(self.thresholds if isinstance(self.thresholds, float) else self.thresholds[order])

    def hide_labels(self, labels: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        return np.where(hidden[:, None], np.int8(UNKNOWN), labels)

    def decided_columns(
        self, manifest: Manifest, read: Callable[[str], np.ndarray], labels: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        if isinstance(self.thresholds, float) or labels is None:
            return {}
        return _losses(self.decide(read("mean_probs")), labels)

    def label_arrays(self, manifest: Manifest) -> Iterator[StoredArray]:
        count, classes = manifest.examples.count, manifest.classes
        rows = max(1, min(count, ROWS_VALUES // classes))
        attributes = {"long_name": "whether the example has the class: 1, 0, or -1 where nobody knows"}
        axes, bounds = ("example", "category"), (UNKNOWN, 1)
        yield StoredArray("label", (count, classes), "int8", axes, rows, rows, MISSING_ON_DISK, attributes, bounds)
        for name, long_name in (
            ("loss_per_pass", "sum over the examples of the share of known labels that each pass predicts wrongly"),
            ("loss_by_ensemble_size", "the same of the mean of the first 1, 2, … passes"),
            ("examples_with_labels", "number of examples of which a label is known"),
        ):
            yield by_pass(name, manifest.passes, "float64", float("nan"), {"long_name": long_name})

    def aggregate(self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None) -> Aggregates:
        known = self.predictions(passes)
        arrays = {"mean_probs": known.mean_probs.astype(np.float32)}
        columns = {name: self.scores[name].compute(known).astype(np.float32) for name in manifest.scores}
        if labels is None:
            return Aggregates(arrays, {}, columns)
        is_known = (labels != UNKNOWN).any(axis=1)
        sums = passes[:, is_known].cumsum(axis=0, dtype=np.float64)
        ensembles = sums / np.arange(1, len(passes) + 1)[:, None, None]
        totals = {
            "loss_per_pass": label_losses(passes[:, is_known] > THRESHOLD, labels[is_known]).sum(axis=1),
            "loss_by_ensemble_size": label_losses(ensembles > THRESHOLD, labels[is_known]).sum(axis=1),
            "examples_with_labels": np.full(len(passes), float(is_known.sum())),
        }
        return Aggregates(arrays, totals, columns | _losses(known.mean_probs > THRESHOLD, labels))

    def table_columns(self, targets: Sequence[str]) -> dict[str, str]:
        return {"exact_match": "bool", "loss": "float32"}

    def name_rows(self, manifest: Manifest, read: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        sets, labelled = self.class_sets(manifest, read), manifest.labels_sha256 is not None
        unknown = (read("label") == UNKNOWN).all(axis=1) if labelled else np.ones(manifest.examples.count, bool)
        return name_sets(sets, manifest.class_names, unknown)

    def class_sets(self, manifest: Manifest, read: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        (name,) = self.prediction_arrays(manifest, "mean")
        mean = read(name)
        predicted = self.decide(mean)
        if manifest.labels_sha256 is None:
            return {"prediction": predicted}
        labels = read("label")
        return {"label": labels == 1, "prediction": predicted, "wrong": is_wrong(predicted, labels)}

    def predictions(
        self,
        passes: np.ndarray,
        labels: np.ndarray | None = None,
        deterministic: np.ndarray | None = None,
        *,
        targets: int = 0,
    ) -> MultilabelPredictions:
        return MultilabelPredictions(passes, labels, deterministic)

    def terms_by_predictor(
        self, manifest: Manifest, passes: Any, labels: np.ndarray, deterministic: np.ndarray | None = None
    ) -> dict[str, dict[str, np.ndarray]]:
        terms = super().terms_by_predictor(manifest, passes, labels, deterministic)
        return {way: of_way | {"predicted": self.decide(of_way["probs"])} for way, of_way in terms.items()}

    def class_terms(self, manifest: Manifest, read: Callable[..., np.ndarray], labels: np.ndarray) -> dict[str, Terms]:
        fixed = read("deterministic_probs") if manifest.deterministic else None
        return {**self.terms_by_predictor(manifest, read("mean_probs")[None], labels, fixed)}

    def class_members(self, manifest: Manifest, read: Callable[[str], np.ndarray], labels: np.ndarray) -> np.ndarray:
        return np.asarray(labels == 1)

    def class_figures(
        self, class_names: Sequence[str], terms: Terms, groups: np.ndarray | None, confidence: float
    ) -> dict[str, ClassFigures]:
        figures = class_figures(terms, groups=groups, confidence=confidence)
        return dict(zip(class_names, figures, strict=True))

    def verdict(
        self,
        figures: Mapping[str, Interval],
        by_class: Mapping[str, ClassFigures],
        examples: int,
        groups: np.ndarray | None,
        confidence: float,
    ) -> list[str]:
        biased = find_biased({name: of_class.excess for name, of_class in by_class.items()})
        named = [f"{words} for {list_names([one_line(name) for name in names])}" for words, names in biased.items()]
        if named:
            return [f"Probabilities are {' and '.join(named)}, on average and beyond chance."]
        return ["No class is shown to be given probabilities that are too high or too low on average."]

    def names(self, examples: "DataSet", width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        require_separable(examples.class_names)
        return super().names(examples, width, predicts)

    def compute_quality(
        self,
        predictions: np.ndarray,
        labels: np.ndarray,
        manifest: Manifest | None = None,
        *,
        label_maps: LabelMaps | None = None,
    ) -> float:
        return float(1 - np.nanmean(label_losses(self.decide(predictions), labels)))

    def reorder_labels(self, labels: np.ndarray, order: np.ndarray) -> np.ndarray:
        return labels[:, order]

    def drop_labels(self, labels: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
        dropped = np.isin(np.arange(count), classes)
        return np.where(dropped, np.int8(UNKNOWN), labels)

    def loss_of_terms(self, terms: Terms) -> np.ndarray:
        return label_losses(terms["predicted"], terms["labels"])

    def mean_measure(self, terms: Terms) -> tuple[str, np.ndarray]:
        return "accuracy", 1 - self.loss_of_terms(terms)

    def quality_by_pass(self, manifest: Manifest, totals: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        count = totals["examples_with_labels"]
        return 1 - totals["loss_per_pass"] / count, 1 - totals["loss_by_ensemble_size"] / count

    def pass_format(self, predicts: Predicts, from_logits: bool) -> PassFormat:
        return IndependentPasses(predicts, from_logits)

    def label(self, examples: "DataSet", labels: Any, name: str) -> "DataSet":
        return examples.with_label_sets(labels, name)

    def check_labels(self, examples: "DataSet") -> "DataSet":
        return examples.with_label_sets(examples.labels)

    def guessing_hint(self, quality: float, labels: np.ndarray, width: int, which: str) -> str:
        is_known = labels != UNKNOWN
        share = (labels == 1).sum(axis=0) / np.maximum(is_known.sum(axis=0), 1)
        chance = float(np.maximum(share, 1 - share)[is_known.any(axis=0)].mean())
        if quality > chance + NEAR_CHANCE * (1 - chance):
            return ""
        return (
            f"The model is right on {percent(quality)} of the labels of {which}, and would be by always saying what is "
            f"more frequent of each class on {percent(chance)}."
        )

    def rescaling_hint(self, quality: float, better: float) -> str:
        return f"it is right on {percent(better)} of the labels" if better > quality + GAIN else ""

    def compare_predictions(
        self,
        manifest: Manifest,
        mean: np.ndarray,
        other: np.ndarray,
        labels: np.ndarray | None,
        other_task: Task | None = None,
    ) -> Changes:
        predicted, other_predicted = self.decide(mean), (other_task or self).decide(other)
        if labels is None:
            differs = np.abs(mean.astype(np.float64) - other).sum(axis=1)
            return compare_unlabelled(differs, (predicted == other_predicted).all(axis=1))
        wrong, other_wrong = (count_wrong(of_run, labels) for of_run in (predicted, other_predicted))
        kinds = ("more labels wrong", "fewer labels wrong", "as many labels wrong")
        kind = np.select([other_wrong > wrong, other_wrong < wrong], [0, 1], 2).astype(np.int64)
        fits = (class_label_quality(probs.astype(np.float64), labels) for probs in (mean, other))
        before, after = (np.where(labels == UNKNOWN, 0, fit).sum(axis=1) for fit in fits)
        changes = Changes(kinds, kinds[:2], kind, before - after)
        return set_unlabelled_apart(changes, (labels != UNKNOWN).any(axis=1))


def _losses(predicted: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    exact = (count_wrong(predicted, labels) == 0).astype(object)
    exact[(labels == UNKNOWN).all(axis=1)] = None  # missing in the table
    return {"exact_match": exact, "loss": label_losses(predicted, labels).astype(np.float32)}


def name_sets(sets: Mapping[str, np.ndarray], class_names: Sequence[str], unknown: np.ndarray) -> dict[str, np.ndarray]:
    """Name the classes that each example has, such as "cat;dog", in the columns of a table.

    Args:
        sets: (N, C) bool each, as `Task.class_sets` returns them.
        class_names: C names.
        unknown: (N,) bool, of which examples nobody knows a label.
    """
    columns = {name: join_names(rows, class_names) for name, rows in sets.items()}
    for name in ("label", "wrong"):
        columns.setdefault(name, np.full(len(unknown), None, object))[unknown] = None
    return {name: columns[name] for name in Multilabel.named_columns}


def require_separable(class_names: Sequence[str] | None) -> None:
    """Check that several names of classes can be told apart once `join_names` has joined them.

    Raises:
        InvalidInputError: one holds what stands between them.
    """
    if wrong := [name for name in class_names or () if SEPARATOR in name]:
        advice = f"{SEPARATOR} stands between the classes of an example. Rename the class."
        raise invalid("class_names", f"names without {SEPARATOR}", one_line(wrong[0]), advice)


def join_names(rows: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Join the names of the classes that each of (n, C) bool rows has, such as "cat;dog"."""
    names, joined = np.array(class_names, object), np.empty(len(rows), object)
    joined[:] = [SEPARATOR.join(names[row]) for row in rows]
    return joined


class IndependentPasses(PassFormat):
    """Passes of probabilities of classes that do not exclude each other, or their logits."""

    least = 1
    axis = "class"

    def __init__(self, predicts: Predicts, from_logits: bool) -> None:
        if predicts != "mean":
            raise invalid("predicts", "left out for several labels", predicts, "Or give task='regression'.")
        self._from_logits = from_logits

    def convert(self, block: np.ndarray) -> np.ndarray:
        return scipy.special.expit(block) if self._from_logits else block

    def check(self, block: np.ndarray, start: int, epsilon: float) -> None:
        wrong = (block < 0) | (block > 1 + epsilon)
        if wrong.any():
            raise InvalidInputError(f"A probability of {locate(wrong, start)} is not within 0 and 1. {ADVICE}")

    def deterministic(self, given: Any, shape: tuple[int, int], last: int) -> np.ndarray:
        probs = self.convert(convert_numbers("deterministic", given, shape))
        if (probs < 0).any() or (probs > 1).any():
            raise invalid("deterministic", "probabilities, 0 to 1", "others", ADVICE)
        return probs
