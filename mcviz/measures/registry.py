"""Scores, their registries, and the predictions they are computed from."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal, TypeVar

import numpy as np

from mcviz.text import format_with_unit, percent, true_minus

Array = np.ndarray
Terms = Mapping[str, Array]  # (N, …) numbers by name, to compute measures from
ScoreFunction = TypeVar("ScoreFunction", bound=Callable[..., Array])
NOT_FROM_PASSES = frozenset(  # inputs of scores beyond the passes
    ("labels", "dice_by_ensemble_size", "deterministic_probs", "deterministic_outputs", "deterministic_variances")
)


@dataclass(frozen=True)
class Predictions:
    """The arrays of classification that scores take, N examples in order.

    Attributes:
        probs: (T, N, C) floating point, the probabilities of each pass.
        labels: (N,) integers, or None if unknown.
        deterministic_probs: (N, C) floating point, the probabilities with dropout off, or None.
        mean_probs: (N, C) float64, the predictive mean.

    Raises:
        ValueError: an array of another shape, or `probs` with no pass, no example or fewer than two classes.
    """

    probs: Array
    labels: Array | None = None
    deterministic_probs: Array | None = None
    mean_probs: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shape = _require_axes("probs", self.probs, "passes", "examples", "classes ≥ 2", least=2)
        _check_shapes(self, "probs", labels=shape[1:2], deterministic_probs=shape[1:])
        object.__setattr__(self, "mean_probs", self.probs.mean(axis=0, dtype=np.float64))


@dataclass(frozen=True)
class RegressionPredictions:
    """The arrays of regression that scores take: N examples, D targets.

    Attributes:
        outputs: (T, N, D) floating point, the mean that each pass predicts, in the unit of the targets.
        variances: (T, N, D) floating point, above 0, the variance that each pass predicts, or None.
        labels: (N, D) floating point, the true values, or None if unknown.
        deterministic_outputs: (N, D) floating point, as `outputs` with dropout off, or None.
        deterministic_variances: (N, D) floating point, as `variances` with dropout off, or None.

    Raises:
        ValueError: an array of another shape, or `outputs` with no pass, no example or no target.
    """

    outputs: Array
    variances: Array | None = None
    labels: Array | None = None
    deterministic_outputs: Array | None = None
    deterministic_variances: Array | None = None

    def __post_init__(self) -> None:
        shape = _require_axes("outputs", self.outputs, "passes", "examples", "targets")
        one = shape[1:]
        _check_shapes(
            self, "outputs", variances=shape, labels=one, deterministic_outputs=one, deterministic_variances=one
        )


@dataclass(frozen=True)
class MultilabelPredictions:
    """The arrays of multilabel classification that scores take: N examples, C classes.

    Attributes:
        probs: (T, N, C) floating point, the probability that each pass gives each class, whatever the others.
        labels: (N, C) integers: 1 if the example has the class, 0 if not, -1 if unknown; or None.
        deterministic_probs: (N, C) floating point, the probabilities with dropout off, or None.
        mean_probs: (N, C) float64, the predictive mean.

    Raises:
        ValueError: an array of another shape, or `probs` with no pass, no example or no class.
    """

    probs: Array
    labels: Array | None = None
    deterministic_probs: Array | None = None
    mean_probs: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shape = _require_axes("probs", self.probs, "passes", "examples", "classes")
        _check_shapes(self, "probs", labels=shape[1:], deterministic_probs=shape[1:])
        object.__setattr__(self, "mean_probs", self.probs.mean(axis=0, dtype=np.float64))


@dataclass(frozen=True)
class SegmentationPredictions:
    """The arrays of segmentation that scores take: N images of H × W pixels.

    Attributes:
        classes: (T, N, H, W) uint8, the label map of each pass.
        class_count: C.
        background: the class that counts as none, or -1.
        mean_class: (N, H, W) uint8, the prediction of all passes together.
        mean_confidence: (N, H, W) floating point, its probability; or its share of the passes, if only their label
            maps are known.
        predictive_entropy: (N, H, W) floating point in nats, or None if unknown.
        mutual_information: (N, H, W) floating point in nats, or None if unknown.
        labels: (N, H, W) uint8, a pixel of the value C is ignored; or None if unknown.
        dice_by_ensemble_size: (N, T) floating point, mean Dice of the first 1, 2, … passes together; None without
            labels.
        foreground_probability: (N, H, W) floating point, if there are two classes, one the background, and
            probabilities are known; or None.

    Raises:
        ValueError: an array of another shape, or `classes` with an empty axis.
    """

    classes: Array
    class_count: int
    background: int
    mean_class: Array
    mean_confidence: Array
    predictive_entropy: Array | None = None
    mutual_information: Array | None = None
    labels: Array | None = None
    dice_by_ensemble_size: Array | None = None
    foreground_probability: Array | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shape = _require_axes("classes", self.classes, "passes", "images", "height", "width")
        maps = ("mean_class", "mean_confidence", "predictive_entropy", "mutual_information", "labels")
        _check_shapes(self, "classes", **dict.fromkeys(maps, shape[1:]), dice_by_ensemble_size=(shape[1], shape[0]))
        known = self.class_count == 2 and self.background >= 0 and self.predictive_entropy is not None
        foreground = np.where(self.mean_class == self.background, 1 - self.mean_confidence, self.mean_confidence)
        object.__setattr__(self, "foreground_probability", foreground if known else None)


AnyPredictions = Predictions | RegressionPredictions | MultilabelPredictions | SegmentationPredictions


def select_terms(terms: Terms, chosen: Array | slice) -> dict[str, Array]:
    """Return the terms of some examples, by a slice, numbers or a mask."""
    return {name: values[chosen] for name, values in terms.items()}


def join_terms(blocks: Sequence[Terms]) -> dict[str, Array]:
    """Concatenate terms of blocks in order."""
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def require_labels(predictions: AnyPredictions) -> Array:
    """Return the labels, in their own shape.

    Raises:
        ValueError: there are none.
    """
    if predictions.labels is None:
        raise ValueError("Predictions are compared with labels. Received: predictions without labels.")
    return predictions.labels


def _require_axes(name: str, array: Array, *axes: str, least: int = 1) -> tuple[int, ...]:
    shape = array.shape
    if len(shape) != len(axes) or 0 in shape or shape[-1] < least:
        raise ValueError(f"{name} should be ({', '.join(axes)}), with no axis empty. Received: shape {shape}.")
    return shape


def _check_shapes(predictions: object, beside: str, **wanted: tuple[int, ...]) -> None:
    for name, shape in wanted.items():
        array = getattr(predictions, name)
        if array is not None and array.shape != shape:
            raise ValueError(
                f"{name} should have the shape {shape}, to go with {beside}. Received: shape {array.shape}."
            )


@dataclass(frozen=True)
class Score:
    """A score to rank examples by.

    Attributes:
        name: its name in tables, files and addresses.
        label: its name for people.
        unit: "probability" or "share of passes", both shown in percent, "nats", "target" for the unit of the run's
            targets, any other word, or "" for none.
        uncertain_when: whether a low or a high value means uncertain.
        meaning: a sentence or two on how to read a value.
        function: takes the arrays that `needs` and `uses` name, in that order, and returns (N,) floating point.
        needs: fields of `Predictions`, or of `RegressionPredictions`.
        uses: more of these fields, each None if missing.
    """

    name: str
    label: str
    unit: str
    uncertain_when: Literal["low", "high"]
    meaning: str
    function: Callable[..., Array]
    needs: tuple[str, ...] = ("probs",)
    uses: tuple[str, ...] = ()

    @property
    def inline_label(self) -> str:
        """The label for use in a sentence: lower case, but for abbreviations."""
        return f"{self.label[:1].lower()}{self.label[1:]}" if self.label[1:2].islower() else self.label

    @property
    def needs_labels(self) -> bool:
        """Whether the score needs labels; new examples have no such score."""
        return "labels" in self.needs

    @property
    def from_passes(self) -> bool:
        """Whether the score needs nothing but the passes.

        It then also exists for some passes, and for new examples.
        """
        return NOT_FROM_PASSES.isdisjoint((*self.needs, *self.uses))

    def missing(self, predictions: AnyPredictions) -> list[str]:
        """List the needed arrays that predictions lack."""
        return [need for need in self.needs if getattr(predictions, need) is None]

    def compute(self, predictions: AnyPredictions) -> Array:
        """Compute the score of each example.

        Args:
            predictions: of N examples.

        Returns:
            (N,) float64, in the score's unit.

        Raises:
            ValueError: an array that the score needs is missing.
        """
        if missing := self.missing(predictions):
            raise ValueError(
                f"{self.label} is computed from {' and '.join(self.needs)}. "
                f"Received: predictions without {' and '.join(missing)}."
            )
        arrays = (getattr(predictions, name) for name in (*self.needs, *self.uses))
        return self.function(*arrays).astype(np.float64, copy=False)

    def uncertainty(self, values: Array) -> Array:
        """Flip the sign if low means uncertain; applied twice, it restores values."""
        return -values if self.uncertain_when == "low" else values

    def resolve_unit(self, target_unit: str) -> str:
        """Return the score's unit for the run's `target_unit`, which may be ""."""
        return target_unit if self.unit == "target" else self.unit

    @property
    def number_format(self) -> str:
        """The printf format of values in a table.

        Values in the unit of targets may have any size; others are about 1.
        """
        return "%.4g" if self.unit == "target" else "%.4f"

    def format(self, value: float, target_unit: str = "") -> str:
        """Format with unit, such as "97.1%", "0.322 nats" or "3.21 mg/dl"."""
        if self.unit in ("probability", "share of passes"):
            return percent(value)
        if self.unit == "nats":
            return true_minus(f"{value:z.3f} nats")
        return format_with_unit(value, self.resolve_unit(target_unit))


class Scores(dict[str, Score]):
    """The scores of a task, by their names.

    Attributes:
        predictions: the class of the predictions that they are computed from.
        other_columns: a pattern of the other columns of a table of scores, whose names a score cannot have.
    """

    def __init__(self, predictions: type[AnyPredictions], other_columns: str) -> None:
        super().__init__()
        self.predictions, self.other_columns = predictions, other_columns

    def copy(self) -> "Scores":
        """Copy the registry, to add scores to the copy alone."""
        copied = Scores(self.predictions, self.other_columns)
        copied.update(self)
        return copied

    def is_name(self, name: str) -> bool:
        """Whether a score may have that name.

        It has to be an identifier, and no other column of its table.
        """
        return name.isidentifier() and not re.fullmatch(self.other_columns, name)

    def compute(self, predictions: AnyPredictions) -> dict[str, Array]:
        """Compute every score whose arrays are present, by name, (N,) float32 each."""
        return {
            score.name: score.compute(predictions).astype(np.float32)
            for score in self.values()
            if not score.missing(predictions)
        }


SCORES = Scores(Predictions, "example|id|label|prediction|correct")
MULTILABEL_SCORES = Scores(MultilabelPredictions, "example|id|label|prediction|wrong|exact_match|loss")
SEGMENTATION_SCORES = Scores(
    SegmentationPredictions, "example|id|label|prediction|wrong|loss|dice_of_label|pooled_dice|loss_of_surplus"
)
REGRESSION_SCORES = Scores(RegressionPredictions, "example|id|error|(label|prediction)(_.*)?")


def register(
    label: str,
    unit: str,
    uncertain_when: Literal["low", "high"],
    meaning: str,
    *,
    scores: Scores = SCORES,
) -> Callable[[ScoreFunction], ScoreFunction]:
    """Register a function as a score under its name.

    The score then appears in every table, ranking and chart.

    Args:
        label: as in `Score`.
        unit: as in `Score`.
        uncertain_when: as in `Score`.
        meaning: as in `Score`.
        scores: those of the task whose predictions it is computed from.

    Returns:
        A decorator for a function whose parameters are fields of `Predictions`, or of `RegressionPredictions`: one
        without a default is needed, one with the default None is used if present. The function stays as it is.

    Raises:
        ValueError: a name that is taken, or a parameter that the predictions do not have.
    """

    def add(function: ScoreFunction) -> ScoreFunction:
        name, parameters = function.__name__, inspect.signature(function).parameters
        if not scores.is_name(name) or name in scores:
            raise ValueError(f"The name of a score should be an identifier that is not taken. Received: {name!r}.")
        known = [field.name for field in fields(scores.predictions)]
        needs = tuple(name for name, parameter in parameters.items() if parameter.default is parameter.empty)
        if not needs or not set(parameters) <= set(known):
            raise ValueError(
                f"The parameters of a score should be among {', '.join(known)}. Received: {tuple(parameters)}."
            )
        uses = tuple(name for name in parameters if name not in needs)
        scores[name] = Score(name, label, unit, uncertain_when, meaning, function, needs, uses)
        return function

    return add


def most_uncertain_first(name: str, values: Array, scores: Scores = SCORES) -> Array:
    """Rank examples by a score, the most uncertain first.

    Args:
        name: one of `scores`.
        values: (N,) that score of each example.
        scores: those of the task.

    Returns:
        (N,) int64 indices of the examples; ties keep the examples' own order.
    """
    return np.argsort(-scores[name].uncertainty(values), kind="stable")
