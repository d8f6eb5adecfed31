"""Regression: D numbers a pass, and variances if predicted."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz import validate
from mcviz.choices import PREDICTS, Predicts
from mcviz.decisions import Decisions, Tolerance
from mcviz.errors import InvalidInputError
from mcviz.manifest import LabelMaps, Manifest, TargetScaler
from mcviz.measures import REGRESSION_SCORES, RegressionPredictions
from mcviz.measures.intervals import Interval, can_reject, largest_design_effect
from mcviz.measures.quality import INTERVAL, REGRESSION, TOLERANT_REGRESSION
from mcviz.measures.registry import Terms
from mcviz.measures.regression import (
    MEASURED_BY,
    TERMS,
    regression_terms,
    single_pass_rmse,
    squared_error_by_ensemble_size,
    squared_error_per_pass,
)
from mcviz.tasks.base import (
    GAIN,
    NEAR_CHANCE,
    Aggregates,
    Changes,
    Loss,
    PassFormat,
    PassNames,
    StoredArray,
    Task,
    by_example,
    by_pass,
    compare_unlabelled,
    convert_numbers,
    find_mistakes,
    locate,
    set_unlabelled_apart,
)
from mcviz.tasks.classification import Classification
from mcviz.text import format_with_unit, list_names, make_target_names, significant
from mcviz.validate import choice, different_names, invalid

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.data import DataSet
    from mcviz.measures.multilabel import ClassFigures

VARIANCES: dict[Predicts, Callable[[np.ndarray], np.ndarray]] = {
    "mean,variance": np.asarray,
    "mean,log_variance": np.exp,
    "mean,std": np.square,
}
MISSING = float("nan")
MISSING_LABEL = float("-inf")  # on disk, where NaN is a label that is not known


class Regression(Task):
    """Predict D numbers; K is D, or D outputs and then their D variances."""

    name = "regression"
    scores = REGRESSION_SCORES
    first_scores = ("total_std", "predictive_std")  # the whole uncertainty, where the model predicts that in the data
    quality = REGRESSION
    quality_name = "RMSE"
    pass_terms = (
        *(("ensemble", name) for name in MEASURED_BY.values()),
        *((predictor, name) for predictor in ("deterministic", "single_pass") for name in TERMS),
    )
    loss = Loss("absolute_error", "errors", "Larger errors", "mean absolute error", math.inf)
    loss_column = "absolute_error"
    label_score = "crps"  # which found most planted errors, see benchmarks/wrong_numbers.py
    decides = "values"
    has_one_class = False
    instead = (
        "Of a regression, the dashboard shows how wrong it is, on Overview; and whether its scores find the errors and "
        "its intervals hold the labels, on Explore under Errors and Intervals. On the command line, `mcviz trust` "
        "prints these figures, and `mcviz compare` compares two."
    )
    first_doubt = (
        "Were the targets scaled in training? Then give target_scaler, on the command line --target-scaler. Otherwise: "
    )
    outputs = "values"
    last_axis = "target"
    dimension = "target"
    several_labels = True
    pass_names = PassNames(
        ("outputs", "values", "predictions", "passes", "y_pred"),
        "target",
        ("target", "output", "targets", "outputs"),
        "value",
        "target_names",
        min_axes=2,
        spreads={"variances": "mean,variance", "log_variances": "mean,log_variance", "stds": "mean,std"},
    )

    def __init__(self, tolerances: Sequence[Tolerance] = ()) -> None:
        """Make the task.

        Args:
            tolerances: of each target, the largest error that is right; without any, no prediction is right or wrong.
        """
        self.tolerances = tuple(tolerances)
        if tolerances:
            self.loss, self.quality, self.best_score_varies = Classification.loss, TOLERANT_REGRESSION, True

    def decided(self, decisions: Decisions, manifest: Manifest) -> "Regression":
        tolerances = decisions.tolerances
        return type(self)([tolerances[name] for name in manifest.targets]) if tolerances else self

    def beside(self, first: Task, order: np.ndarray) -> Task:
        return first

    @property
    def rest_name(self) -> str:
        return "accuracy" if self.tolerances else self.quality_name

    def _is_within(self, predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return (n,) bool, all errors of (n, D) predictions within tolerance."""
        errors = np.abs(predicted.astype(np.float64) - labels)
        scale = [np.abs(labels[:, place]) if each.is_share else 1 for place, each in enumerate(self.tolerances)]
        limits = [each.value * of for each, of in zip(self.tolerances, scale, strict=True)]
        return np.all([error <= limit for error, limit in zip(errors.T, limits, strict=True)], axis=0)

    def decided_columns(
        self, manifest: Manifest, read: Callable[[str], np.ndarray], labels: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        if not self.tolerances:
            return {}
        if labels is None:
            return {"within_tolerance": np.full(manifest.examples.count, None)}
        within, known = self._is_within(read("mean_outputs"), labels), self.find_labelled(labels)
        if not known.all():
            within = within.astype(object)
            within[~known] = None
        return {"within_tolerance": within}

    def decided_terms(
        self, manifest: Manifest, read: Callable[..., np.ndarray], labels: np.ndarray
    ) -> dict[str, dict[str, np.ndarray]]:
        ways = {"ensemble": "mean_outputs"} | (
            {"deterministic": "deterministic_outputs"} if manifest.deterministic else {}
        )
        if not self.tolerances:
            return {}
        return {way: {"within": self._is_within(read(name), labels)} for way, name in ways.items()}

    def claims(self, manifest: Manifest) -> Iterator[tuple[bool, str]]:
        yield from super().claims(manifest)
        yield manifest.classes == 0, f"{manifest.classes} classes are predicted"
        yield bool(manifest.targets), "0 targets are predicted"
        scaler, targets = manifest.target_scaler, len(manifest.targets)
        is_of_targets = scaler is None or len(scaler.mean) == len(scaler.std) == targets
        yield is_of_targets, f"{targets} targets were scaled otherwise"

    def arrays(self, manifest: Manifest) -> Iterator[StoredArray]:
        layout, count, targets = manifest.layout, manifest.examples.count, len(manifest.targets)
        unit = {"units": manifest.unit} if manifest.unit else {}
        squared = {"units": f"({manifest.unit})^2"} if manifest.unit else {}
        for name in self.pass_arrays(manifest):
            named = {"outputs": "predicted mean of each pass", "variances": "predicted variance of each pass"}[name]
            yield StoredArray(
                name,
                (count, targets, manifest.passes),
                "float32",
                ("example", "target", "draw"),
                layout.examples_per_chunk,
                layout.examples_per_shard,
                MISSING,
                (unit if name == "outputs" else squared) | {"long_name": named},
            )
        long_names = {f"mean_{name}": f"mean over the passes of the {name}" for name in self.pass_arrays(manifest)}
        if manifest.deterministic:
            long_names |= {f"deterministic_{name}": f"{name} with dropout off" for name in self.pass_arrays(manifest)}
        if manifest.labels_sha256 is not None:
            long_names["label"] = "true value"
        for name, long_name in long_names.items():
            attributes = (squared if name.endswith("variances") else unit) | {"long_name": long_name}
            array = by_example(name, count, ("target", targets), attributes)
            is_partial = name == "label" and manifest.examples_with_labels is not None
            yield replace(array, fill_value=MISSING_LABEL) if is_partial else array
        if manifest.labels_sha256 is not None:
            for name, of_what in (
                ("squared_error_per_pass", "each pass"),
                ("squared_error_by_ensemble_size", "the mean of the first 1, 2, … passes"),
            ):
                attributes = squared | {"long_name": f"sum over examples and targets of the squared error of {of_what}"}
                yield by_pass(name, manifest.passes, "float64", MISSING, attributes)

    def pass_arrays(self, manifest: Manifest) -> tuple[str, ...]:
        return ("outputs",) if manifest.predicts == "mean" else ("outputs", "variances")

    def check_passes(self, manifest: Manifest, passes: np.ndarray) -> None:
        if not np.isfinite(passes).all():
            raise InvalidInputError("Passes to be kept should be finite numbers. Received: some that are not.")
        variances = passes[..., len(manifest.targets) :]
        if variances.size and variances.min() <= 0:
            raise InvalidInputError(f"Predicted variances should be above 0. Received: {float(variances.min())}.")

    def encode(self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
        return {
            name: np.ascontiguousarray(part.transpose(1, 2, 0)) for name, part in self.split(manifest, passes).items()
        }

    def decode(self, manifest: Manifest, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.ascontiguousarray(np.concatenate(list(rows.values()), axis=1).transpose(2, 0, 1))

    def split(self, manifest: Manifest, predictions: np.ndarray) -> dict[str, np.ndarray]:
        width = len(manifest.targets)
        return {
            name: predictions[..., at * width : (at + 1) * width] for at, name in enumerate(self.pass_arrays(manifest))
        }

    def aggregate(self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None) -> Aggregates:
        known = self.predictions(passes, targets=len(manifest.targets))
        mean = passes.mean(axis=0, dtype=np.float64).astype(np.float32)
        arrays = {f"mean_{name}": part for name, part in self.split(manifest, mean).items()}
        columns = dict(zip(_columns_by_target("prediction", manifest.targets), arrays["mean_outputs"].T, strict=True))
        columns |= {
            name: REGRESSION_SCORES[name].compute(known).astype(np.float32)
            for name in manifest.scores
            if name in REGRESSION_SCORES
        }
        if labels is None:
            return Aggregates(arrays, {}, columns)
        is_known = self.find_labelled(labels)
        some = known.outputs[:, is_known]
        totals = {
            "squared_error_per_pass": squared_error_per_pass(some, labels[is_known]),
            "squared_error_by_ensemble_size": squared_error_by_ensemble_size(some, labels[is_known]),
        }
        return Aggregates(
            arrays, totals, columns | dict(zip(_columns_by_target("label", manifest.targets), labels.T, strict=True))
        )

    def find_labelled(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray(np.isfinite(labels).all(axis=1))

    def table_columns(self, targets: Sequence[str]) -> dict[str, str]:
        columns = dict.fromkeys(
            (*_columns_by_target("label", targets), *_columns_by_target("prediction", targets)), "float32"
        )
        return columns | ({"within_tolerance": "bool"} if self.tolerances else {})

    def score_inputs(self, manifest: Manifest) -> set[str]:
        known = {
            "labels": manifest.labels_sha256 is not None,
            "deterministic_outputs": manifest.deterministic,
            "deterministic_variances": manifest.deterministic and manifest.predicts != "mean",
        }
        return {*self.pass_arrays(manifest), *(name for name, is_known in known.items() if is_known)}

    def predictions(
        self,
        passes: np.ndarray,
        labels: np.ndarray | None = None,
        deterministic: np.ndarray | None = None,
        *,
        targets: int = 0,
    ) -> RegressionPredictions:
        outputs, variances = _outputs_and_variances(passes, targets)
        fixed, fixed_variances = (
            (None, None) if deterministic is None else _outputs_and_variances(deterministic, targets)
        )
        return RegressionPredictions(outputs, variances, labels, fixed, fixed_variances)

    def terms_by_predictor(
        self, manifest: Manifest, passes: Any, labels: np.ndarray, deterministic: np.ndarray | None = None
    ) -> dict[str, dict[str, np.ndarray]]:
        predictions = self.predictions(passes, labels, deterministic, targets=len(manifest.targets))
        ensemble = self.quality.terms(predictions)
        if self.tolerances:
            ensemble["within"] = self._is_within(predictions.outputs.mean(axis=0, dtype=np.float64), labels)
        return regression_terms(predictions) | {"ensemble": ensemble}

    def verdict(
        self,
        figures: Mapping[str, Interval],
        by_class: "Mapping[str, ClassFigures]",
        examples: int,
        groups: np.ndarray | None,
        confidence: float,
    ) -> list[str]:
        effect = largest_design_effect(groups)
        return [coverage_sentence(figures["coverage"], INTERVAL, examples, confidence, effect)]

    def compute_quality(
        self,
        predictions: np.ndarray,
        labels: np.ndarray,
        manifest: Manifest | None = None,
        *,
        label_maps: LabelMaps | None = None,
    ) -> float:
        known = self.find_labelled(labels)
        errors = predictions[known, : labels.shape[1]].astype(np.float64) - labels[known]
        return float(np.sqrt(np.square(errors).mean()))

    def loss_of_table(self, table: "pd.DataFrame") -> np.ndarray:
        return find_mistakes(table["within_tolerance"]) if self.tolerances else super().loss_of_table(table)

    def loss_of_terms(self, terms: Terms) -> np.ndarray:
        return ~terms["within"] if "within" in terms else np.asarray(terms["absolute_error"], np.float64)

    def mean_measure(self, terms: Terms) -> tuple[str, np.ndarray]:
        return ("within_tolerance", terms["within"]) if "within" in terms else ("mae", terms["absolute_error"])

    def quality_of_table(self, columns: Mapping[str, np.ndarray]) -> float | None:
        errors = [
            columns[name.replace("label", "prediction", 1)] - columns[name]
            for name in columns
            if name.startswith("label")
        ]
        known = np.isfinite(errors).all(axis=0) if errors else np.zeros(0, bool)
        return float(np.sqrt(np.mean(np.square(np.stack(errors)[:, known])))) if known.any() else None

    def quality_by_pass(self, manifest: Manifest, totals: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        numbers = manifest.labelled * len(manifest.targets)
        per_pass, by_size = totals["squared_error_per_pass"], totals["squared_error_by_ensemble_size"]
        return np.sqrt(per_pass / numbers), np.sqrt(by_size / numbers)

    def quality_of_single_pass(self, by_pass: np.ndarray) -> float:
        return single_pass_rmse(by_pass)

    def format_quality(self, value: float, unit: str = "", digits: int = 2) -> str:
        return format_with_unit(value, unit)

    def pass_format(self, predicts: Predicts, from_logits: bool) -> PassFormat:
        return TargetPasses(predicts, from_logits)

    def label(self, examples: "DataSet", labels: Any, name: str) -> "DataSet":
        return examples.with_targets(labels, name=name)

    def check_labels(self, examples: "DataSet") -> "DataSet":
        return examples.with_targets(examples.labels, examples.target_names)

    def name_axis(self, examples: "DataSet", names: Sequence[str] | Mapping[str, str]) -> "DataSet":
        return examples.with_target_names(tuple(names))

    def default_names(self, width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return (), make_target_names(_count_targets(width, predicts))

    def names(self, examples: "DataSet", width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if examples.class_names is not None:
            raise invalid("class_names", "left out for a regression", list_names(examples.class_names))
        labels, targets = examples.label_array, _count_targets(width, predicts)
        if labels is not None and labels.shape[1] != targets:
            advice = "Name the columns of labels, or say what the outputs are (predicts)."
            raise invalid("labels", f"of {targets:,} targets, as are predicted", f"{labels.shape[1]:,}", advice)
        return (), different_names("target_names", _target_names(examples, targets), targets)

    def describe_outputs(self, examples: "DataSet", width: int, predicts: Predicts) -> dict[str, str]:
        spread = "" if predicts == "mean" else ", with a spread"
        return {"targets": f"{list_names(_target_names(examples, _count_targets(width, predicts)))}{spread}"}

    def guessing_hint(self, quality: float, labels: np.ndarray, width: int, which: str) -> str:
        guessed = float(np.sqrt(labels.astype(np.float64).var(axis=0).mean()))
        if not guessed or quality < (1 - NEAR_CHANCE) * guessed:
            return ""
        return (
            f"The model's RMSE on {which} is {significant(quality)}, and would be {significant(guessed)} by always "
            "saying the mean."
        )

    def target_hint(self, predictions: np.ndarray, labels: np.ndarray, quality: float) -> str:
        values, std = predictions[:, : labels.shape[1]].astype(np.float64), labels.std(axis=0, dtype=np.float64)
        restored = values * std + labels.mean(axis=0, dtype=np.float64)
        better, guessed = self.compute_quality(restored, labels), float(np.sqrt(np.square(std).mean()))
        if better >= (1 - GAIN) * min(quality, guessed):
            return ""
        return (
            f"Were the targets scaled in training? By the mean and std of these labels it is {significant(better)}: "
            "give target_scaler, on the command line --target-scaler."
        )

    def rescaling_hint(self, quality: float, better: float) -> str:
        return f"it is {significant(better)}" if better < (1 - GAIN) * quality else ""

    def compare_predictions(
        self,
        manifest: Manifest,
        mean: np.ndarray,
        other: np.ndarray,
        labels: np.ndarray | None,
        other_task: Task | None = None,
    ) -> Changes:
        mean, other = (of_run[:, : len(manifest.targets)].astype(np.float64) for of_run in (mean, other))
        if labels is None:
            distance = np.linalg.norm(mean - other, axis=1)
            return compare_unlabelled(distance, distance == 0)
        worse = np.linalg.norm(other - labels, axis=1) - np.linalg.norm(mean - labels, axis=1)
        kinds = ("larger error", "smaller error", "same error")
        kind = np.select([worse > 0, worse < 0], [0, 1], 2).astype(np.int64)
        return set_unlabelled_apart(Changes(kinds, kinds[:2], kind, worse), self.find_labelled(labels))


class TargetPasses(PassFormat):
    """Passes of values of targets, or of means and then spreads."""

    least = 1
    axis = "target"

    def __init__(self, predicts: Predicts, from_logits: bool) -> None:
        if from_logits:
            raise invalid("from_logits", "left out for a regression", from_logits)
        self._predicts = choice("predicts", predicts, PREDICTS)
        self._scaler: TargetScaler | None = None

    def restore_targets(self, scaler: TargetScaler) -> None:
        self._scaler = scaler

    def expand_axes(self, passes: Any, axes: Sequence[str] | None) -> tuple[Any, Sequence[str] | None]:
        if isinstance(passes, list | tuple):
            passes = validate.array("passes", passes)
        if isinstance(passes, Iterator):
            return map(_in_columns, passes), axes
        if len(getattr(passes, "shape", ())) != 2:
            return passes, axes
        given = passes[..., None] if isinstance(passes, np.ndarray) else OneTarget(passes)
        return given, None if axes is None else (*axes, self.axis)

    def convert(self, block: np.ndarray) -> np.ndarray:
        if self._predicts != "mean":
            if block.shape[-1] % 2:
                expected = "a spread for each mean, so an even number of columns"
                raise invalid("passes", f"of {expected}", f"{block.shape[-1]} columns")
            means, spreads = np.split(block, 2, axis=-1)
            block = np.concatenate([means, VARIANCES[self._predicts](spreads)], axis=-1)
        if self._scaler is None:
            return block
        self._scaler.check(_count_targets(block.shape[-1], self._predicts))
        return self._scaler.restore(block)

    def check(self, block: np.ndarray, start: int, epsilon: float) -> None:
        if self._predicts == "mean":
            return
        wrong = np.any(block[..., block.shape[-1] // 2 :] <= 0, axis=-1)
        if wrong.any():
            raise InvalidInputError(
                f"The variance of {locate(wrong, start)} is not above 0. Are the last columns something "
                "else? Say what they are (predicts, on the command line --predicts)."
            )

    def deterministic(self, given: Any, shape: tuple[int, int], last: int) -> np.ndarray:
        values = self.convert(convert_numbers("deterministic", _in_columns(given), shape))
        self.check(values[None], 0, 0.0)
        return values


class OneTarget:
    """(T, N) values of one target as (T, N, 1), read as they are sliced."""

    def __init__(self, values: Any) -> None:
        self._values, self.dtype, self.shape = values, values.dtype, (*values.shape, 1)
        chunks = getattr(values, "chunks", None)
        self.chunks = None if chunks is None else (*chunks, 1 if isinstance(chunks[0], int) else (1,))

    def __getitem__(self, part: tuple[slice, ...]) -> np.ndarray:
        return np.asarray(self._values[part[:2]])[..., None]


def coverage_sentence(
    held: Interval, coverage: float, examples: int, confidence: float = 0.95, effect: float = 1.0
) -> str:
    """Say whether intervals by the passes hold as many labels as they should: the exact test whose inversion is `held`.

    Args:
        held: the share of labels that they hold, with its exact interval of `confidence`.
        coverage: 0 to 1, the share that they should hold.
        examples: number of labels.
        confidence: 0 to 1, the chance that correct intervals are not called too wide or too narrow.
        effect: the largest design effect of the examples, which says whether their groups are too few.
    """
    share = f"they hold {held.format(lambda share: f'{100 * share:.1f}', '%')} of the labels"
    intervals = f"{100 * coverage:.6g}% intervals of the passes"
    if held.high < coverage:
        return f"The {intervals} are too narrow: {share}."
    if held.low > coverage:
        return f"The {intervals} are too wide: {share}."
    if not can_reject(np.full(examples, 1 - coverage), confidence, effect):
        return (
            f"There are too few examples to tell whether the {intervals} hold what they promise: they hold "
            f"{round(held.value * examples):,} of {examples:,} labels, {coverage * examples:,.1f} expected."
        )
    return f"No fault of the {intervals} is found: {share}."


def _outputs_and_variances(predictions: np.ndarray, targets: int) -> tuple[np.ndarray, np.ndarray | None]:
    variances = predictions[..., targets:] if predictions.shape[-1] > targets else None
    return predictions[..., :targets], variances


def _count_targets(width: int, predicts: Predicts) -> int:
    return width if predicts == "mean" else width // 2


def _target_names(examples: "DataSet", count: int) -> tuple[str, ...]:
    return examples.target_names or make_target_names(count)


def _in_columns(values: Any) -> Any:
    """Return (N,) values of one target as (N, 1)."""
    return values[:, None] if getattr(values, "ndim", 0) == 1 else values


def _columns_by_target(name: str, targets: Sequence[str]) -> list[str]:
    return [name] if len(targets) == 1 else [f"{name}_{target}" for target in targets]
