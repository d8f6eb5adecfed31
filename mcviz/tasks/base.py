"""A task: its scores, how its passes are stored and imported, how good they are, and how two runs compare."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mcviz import validate
from mcviz.choices import Ignore, Predicts
from mcviz.decisions import Decisions
from mcviz.manifest import LabelMaps, Manifest, TargetScaler
from mcviz.measures import Scores
from mcviz.measures.intervals import Interval
from mcviz.measures.quality import Quality
from mcviz.measures.registry import AnyPredictions, Terms
from mcviz.text import fixed, format_with_unit, percent

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.data import DataSet
    from mcviz.measures.multilabel import ClassFigures


ROWS_VALUES = 1 << 20  # of an array of one row an example that is read at once

NEAR_CHANCE = 0.15  # of the way from guessing to being always right
GAIN = 0.2  # of accuracy by another scale, or the part of the RMSE that it takes away


@dataclass(frozen=True)
class StoredArray:
    """One array of a run.

    Attributes:
        name: in the store.
        shape: of the whole array.
        dtype: as stored.
        dimensions: their names.
        chunk: how many rows are compressed together.
        shard: how many rows are in one file, a multiple of `chunk`.
        fill_value: for a missing number; 0 where any number may be valid.
        attributes: its CF attributes.
        bounds: the lowest and the highest number that it may hold; None for any. NaN is not held against them.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    dimensions: tuple[str, ...]
    chunk: int
    shard: int
    fill_value: float
    attributes: dict[str, Any] = field(default_factory=dict)
    bounds: tuple[float, float] | None = None

    @property
    def shards(self) -> int:
        """The number of files."""
        return -(-self.shape[0] // self.shard)

    def key(self, shard: int) -> str:
        """The name of one file within the array."""
        return ".".join(["c", str(shard), *["0"] * (len(self.shape) - 1)])


def by_example(name: str, count: int, columns: tuple[str, int], attributes: dict[str, Any]) -> StoredArray:
    """Describe an array with one row of float32 for each example, in as few files as can be read at once."""
    dimension, width = columns
    rows = max(1, min(count, ROWS_VALUES // width))
    return StoredArray(name, (count, width), "float32", ("example", dimension), rows, rows, float("nan"), attributes)


def by_pass(name: str, passes: int, dtype: str, fill_value: float, attributes: dict[str, Any]) -> StoredArray:
    """Describe an array with one number for each pass, in one file."""
    return StoredArray(name, (passes,), dtype, ("draw",), passes, passes, fill_value, attributes)


@dataclass(frozen=True)
class Aggregates:
    """Aggregates over the passes of n examples, by their names in a run.

    Attributes:
        arrays: of a row an example, (n, …) float32 each.
        totals: (T,) sums over the examples, a number a pass.
        columns: of the table of scores, (n,) each.
    """

    arrays: dict[str, np.ndarray]
    totals: dict[str, np.ndarray]
    columns: dict[str, np.ndarray]


def join_aggregates(parts: list[Aggregates]) -> Aggregates:
    """Join the aggregates of parts, in the order of their examples."""
    return Aggregates(
        arrays={name: np.concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays},
        totals={name: np.sum([part.totals[name] for part in parts], axis=0) for name in parts[0].totals},
        columns={name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
    )


@dataclass(frozen=True)
class PassNames:
    """The names under which files from elsewhere keep the passes of a task.

    Attributes:
        arrays: of arrays; the first is that of a run and of its exports.
        last_axis: the name of the axis that is neither of passes nor of examples.
        dimensions: of that axis.
        value: the column of a long table that holds a prediction.
        names_array: the array of the names along that axis.
        min_axes: how many axes there are at least; an axis of one target may be left out.
        most_axes: how many there are at most; of more than three, the last ones are of one example.
        spreads: of an array of the same shape beside the passes, and the name of both together.
        means: of the array of the mean of the passes, which stands beside passes of the fewest axes.
    """

    arrays: tuple[str, ...]
    last_axis: str
    dimensions: tuple[str, ...]
    value: str
    names_array: str
    min_axes: int = 3
    most_axes: int = 3
    spreads: Mapping[str, Predicts] = field(default_factory=dict)
    means: tuple[str, ...] = ()

    @property
    def axes(self) -> str:
        """The axes, in words."""
        return f"pass, example and {self.last_axis}"


@dataclass(frozen=True)
class StoredLabels:
    """The labels of a data set as a run holds them, and a report on them.

    Attributes:
        values: the labels; None where they are not known.
        summary: what they hold, such as the pixels of each class of masks; "" where there is nothing to say.
        advice: a sentence where they may not be what they are taken for, or "".
    """

    values: np.ndarray | None
    summary: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Changes:
    """How the predictions of the same examples changed from one run to the other.

    Attributes:
        kinds: of changes, such as "right to wrong".
        moved: those of them that are a change: with labels the ones that got worse and better.
        kind: (N,) int64, an index into `kinds`.
        worse: (N,) float64, by how much the other prediction fits the label worse: of classes the fall of the label's
            probability, of a regression the rise of the absolute error, of a segmentation the fall of the mean Dice;
            without labels how far the predictions differ.
    """

    kinds: tuple[str, ...]
    moved: tuple[str, ...]
    kind: np.ndarray
    worse: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        """How many examples are of each kind."""
        return dict(zip(self.kinds, np.bincount(self.kind, minlength=len(self.kinds)).tolist(), strict=True))

    def of(self, kind: str) -> np.ndarray:
        """(n,) int64, the examples of a kind, those first whose predictions changed the most."""
        changed = np.flatnonzero(self.kind == self.kinds.index(kind))
        return changed[np.argsort(-np.abs(self.worse[changed]), kind="stable")]


def join_changes(parts: Sequence[Changes]) -> Changes:
    """Join the changes of blocks of examples, in their order; the kinds of one may begin those of another."""
    most = max(parts, key=lambda part: len(part.kinds))
    kind, worse = (np.concatenate([getattr(part, name) for part in parts]) for name in ("kind", "worse"))
    return Changes(most.kinds, most.moved, kind, worse)


def find_mistakes(correct: "pd.Series") -> np.ndarray:
    """Return (n,) wrong predictions; bool, or 0, 1 and NaN if unknown."""
    return ~correct.to_numpy(bool) if correct.notna().all() else 1 - correct.to_numpy(np.float64, na_value=np.nan)


def compare_unlabelled(distance: np.ndarray, same: np.ndarray) -> Changes:
    """Compare predictions without labels.

    Args:
        distance: (N,) float64, how far each prediction moved.
        same: (N,) bool, whether it is still the same.
    """
    kinds = ("another prediction", "same prediction")
    return Changes(kinds, kinds[:1], same.astype(np.int64), distance)


def set_unlabelled_apart(changes: Changes, known: np.ndarray) -> Changes:
    """Mark examples without known labels, not `known` (N,), as a kind of their own."""
    if known.all():
        return changes
    kind = np.where(known, changes.kind, len(changes.kinds))
    return Changes((*changes.kinds, "no label known"), changes.moved, kind, np.where(known, changes.worse, 0))


class PassFormat(ABC):
    """A form of imported passes, and its conversion to stored ones, of K numbers for an example in a pass.

    Attributes:
        least: how many numbers an example has in a pass, at least.
        axis: the name of the axis of these numbers.
    """

    least: int
    axis: str

    def expand_axes(self, passes: Any, axes: Sequence[str] | None) -> tuple[Any, Sequence[str] | None]:
        """Give passes, and the order of their axes, the form of three axes if they have another."""
        return passes, axes

    @property
    def takes_whole_numbers(self) -> bool:
        """Whether passes are whole numbers, and not floating point, once `expand_axes` has seen them."""
        return False

    def restore_targets(self, scaler: TargetScaler) -> None:
        """Bring passes and deterministic predictions to the unit of targets that were scaled in training.

        Raises:
            InvalidInputError: passes are of no targets.
        """
        raise validate.invalid("target_scaler", "left out for a task without targets", scaler)

    def describe_maps(self, background: int | None, ignore: int | None) -> LabelMaps | None:
        """Describe the label maps that passes are of or give, once `expand_axes` has seen them; None without such.

        Args:
            background: the class that Dice leaves out, or None.
            ignore: what stands in the masks for a pixel that counts nowhere, or None.
        """
        return None

    def check_mean(self, mean_probs: Any, count: int) -> np.ndarray:
        """Check the mean of the passes over so many examples, as `Task.with_mean` takes it.

        Raises:
            InvalidInputError: it follows from the passes, or is nothing of the task.
        """
        advice = "The mean follows from the passes; it is given where these are label maps."
        raise validate.invalid("mean_probs", "left out", "an array", advice)

    def count_last(self, width: int, examples: "DataSet") -> int:
        """How many classes or outputs K = `width` numbers are of, once all passes of the examples were checked."""
        return width

    def settle(self, blocks: Iterable[np.ndarray], examples: "DataSet") -> None:  # noqa: B027 (most need not look)
        """Look at all passes, (T, n, K) float32 blocks, to settle their form."""

    def describe(self, passes: int, count: int, last: int) -> str:
        """Describe the axes of ambiguous passes, or return ""."""
        return ""

    @abstractmethod
    def convert(self, block: np.ndarray) -> np.ndarray:
        """Convert (…, K) float32 to stored passes."""

    @abstractmethod
    def check(self, block: np.ndarray, start: int, epsilon: float) -> None:
        """Check (T, n, K) stored passes, of examples from `start` on, which were given with a precision.

        Raises:
            InvalidInputError: it is nothing of the task.
        """

    @abstractmethod
    def deterministic(self, given: Any, shape: tuple[int, int], last: int) -> np.ndarray:
        """Check and convert deterministic predictions to (N, K) stored ones.

        Args:
            given: of the model with dropout off.
            shape: (N, K) of a pass.
            last: how many classes or outputs K numbers are of, as `count_last` says.

        Raises:
            InvalidInputError: another shape, or nothing of the task.
        """


@dataclass(frozen=True)
class Loss:
    """The loss of a task: how wrong the prediction of an example is.

    Attributes:
        name: in files, such as "mistakes".
        noun: what losses are called together, such as "mistakes".
        more: what there is where they are larger, at the beginning of a sentence, such as "More mistakes".
        mean: what their mean is called, such as "mean absolute error".
        largest: that an example can have; infinite where there is no bound.
        worst: an example of the largest loss that nobody sees, as words that follow "a".
        is_mistake: whether a prediction is right or wrong as a whole, so that the loss is 0 or 1.
    """

    name: str
    noun: str
    more: str
    mean: str
    largest: float
    worst: str = "miss of the largest loss"
    is_mistake: bool = False

    def format(self, value: float, unit: str = "") -> str:
        """Format a loss, or a mean of losses: as a share of the largest, or in a unit."""
        return percent(value / self.largest) if np.isfinite(self.largest) else format_with_unit(value, unit)

    def format_change(self, value: float, unit: str = "") -> str:
        """Format a difference of losses: in points, each a hundredth of the largest, or in a unit."""
        if np.isfinite(self.largest):
            return f"{fixed(100 * value / self.largest, 1, '-')} points"
        return format_with_unit(value, unit)


class Task(ABC):
    """A task of models. A pass gives K numbers for an example; D is the number of targets.

    Attributes:
        name: in manifests, on the command line and in Python.
        scores: by which examples can be ranked, by name.
        first_scores: of these a list for everybody is ranked by the first that a run has; every run has the last.
        best_score_varies: whether it depends on the model which score finds losses best, so that it is named.
        quality: the measures of how good predictions are.
        quality_name: the name of the one that `compute_quality` computes.
        pass_terms: of measures that look at single passes, the terms of one number an example that a run keeps beside
            it, by the way to predict and their name; none where measures look only at the mean of the passes.
        loss: of an example: how wrong its prediction is.
        loss_column: the column of the loss in the table of scores with labels; "" without one.
        has_one_class: whether the label of an example is one of the classes, of which each pass gives the probability.
        instead: what there is for runs of the task where something is for others, in sentences.
        outputs: what a model puts out: probabilities that exclude each other (a softmax), or each by itself (sigmoids),
            both also as logits; or values.
        named_columns: columns of the table of scores that have names of classes, which `name_rows` gives.
        label_score: the score that finds labels that are probably wrong; "" where there is none.
        decides: what a person can decide about an example: its class, which of the classes it has, or its numbers, or
            that its label is wrong; or a verdict on the prediction; "" where nothing.
        last_axis: what each of the K numbers is of.
        dimension: the name of that axis in a run.
        several_labels: whether an example has a label for each along that axis, (N, D), or one alone, (N,).
        pass_names: the names under which files from elsewhere keep the passes.
        first_doubt: a question on targets that stands before others where predictions are poor, or "".
        of_pixels: whether what a model puts out is scores of classes for each pixel of an image.
        keeps_passes: whether passes are kept as they were, so that a finished run takes more beside them. Of other
            tasks a run of more passes samples all of them anew.
    """

    name: str
    scores: Scores
    first_scores: tuple[str, ...]
    best_score_varies: bool = False
    quality: Quality
    quality_name: str
    pass_terms: tuple[tuple[str, str], ...] = ()
    loss: Loss
    loss_column: str = ""
    has_one_class: bool
    instead: str
    named_columns: tuple[str, ...] = ()
    label_score: str = ""
    decides: Literal["class", "classes", "values", "verdict", ""] = ""
    outputs: Literal["softmax", "sigmoids", "values"]
    last_axis: Literal["class", "target"]
    dimension: str
    several_labels: bool
    pass_names: PassNames
    first_doubt: str = ""
    of_pixels: bool = False
    keeps_passes: bool = True

    def classes_with_thresholds(self, manifest: Manifest) -> tuple[str, ...]:
        """Return the names of the classes whose threshold can be decided on."""
        return ()

    def decided(self, decisions: Decisions, manifest: Manifest) -> "Task":
        """Return the task with a user's decisions; this one if it takes none."""
        return self

    def decide(self, predictions: np.ndarray) -> np.ndarray:
        """Return decisions of (…, K) predictions: a class number, or (…, C) bool.

        Raises:
            NotImplementedError: predictions of the task are no choice of classes.
        """
        raise NotImplementedError

    def confidence(self, predictions: np.ndarray) -> np.ndarray:
        """Return the probabilities, (…), of the classes that (…, C) predictions decide.

        Raises:
            NotImplementedError: an example has not one class.
        """
        raise NotImplementedError

    def beside(self, first: "Task", order: np.ndarray) -> "Task":
        """Return the task of a run that is compared with a first one.

        Args:
            first: the task of the first run, whose tolerances both runs have.
            order: (C,) the numbers of this run's classes in the order of the first run.
        """
        return self

    def hide_labels(self, labels: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """Return the labels without those of some examples, (N,) bool, as if nobody knew them."""
        raise NotImplementedError

    def decided_columns(
        self, manifest: Manifest, read: Callable[[str], np.ndarray], labels: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """Compute decided columns, (N,) each, None or NaN if unknown.

        Args:
            manifest: of the run.
            read: reads one of the run's arrays by its name.
            labels: that judge, or None.
        """
        return {}

    def decided_terms(
        self, manifest: Manifest, read: Callable[..., np.ndarray], labels: np.ndarray
    ) -> dict[str, dict[str, np.ndarray]]:
        """Compute decided terms by predictor, like `class_terms`."""
        return {}

    @property
    def sealed_quality_name(self) -> str:
        """The name of the quality of each number of passes, which a run holds by no decision."""
        return self.quality_name

    @property
    def rest_name(self) -> str:
        """The name of one less the mean loss, such as "accuracy"."""
        return self.quality_name

    @property
    def measures_need_passes(self) -> bool:
        """Whether the measures look at single passes, and not only at their mean."""
        return bool(self.pass_terms)

    def claims(self, manifest: Manifest) -> Iterator[tuple[bool, str]]:
        """Conditions on a manifest of this task, each with the message if it does not hold."""
        yield all(map(self.scores.is_name, manifest.scores)), f"scores are called {manifest.scores!r:.100}"

    @abstractmethod
    def arrays(self, manifest: Manifest) -> Iterable[StoredArray]:
        """The arrays of predictions and labels; those that `pass_arrays` names are cut into shards of passes."""

    @abstractmethod
    def pass_arrays(self, manifest: Manifest) -> tuple[str, ...]:
        """The names of the arrays that hold the passes."""

    @abstractmethod
    def check_passes(self, manifest: Manifest, passes: np.ndarray) -> None:
        """Check (T, n, K) passes.

        Raises:
            InvalidInputError: they are no predictions of the task.
        """

    @abstractmethod
    def encode(self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
        """Return (T, n, K) float32 passes as rows of stored arrays.

        Args:
            manifest: of the run.
            passes: of n examples.
            labels: of these, as `stored_labels` returns them, or None.
        """

    def with_mean(
        self, manifest: Manifest, rows: Mapping[str, np.ndarray], mean: np.ndarray, labels: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """Return rows as `encode` does, with a given mean of passes.

        Args:
            manifest: of the run.
            rows: of n examples.
            mean: of these, as `PassFormat.check_mean` returns it.
            labels: as for `encode`.
        """
        raise NotImplementedError  # of passes from which their mean follows

    @abstractmethod
    def decode(self, manifest: Manifest, rows: Mapping[str, np.ndarray]) -> Any:
        """Return passes from rows of stored arrays: (T, n, K) float32."""

    def recompute(self, manifest: Manifest, passes: Any, labels: np.ndarray | None) -> dict[str, np.ndarray]:
        """Rows of those of `pass_arrays` that follow from others of them, by name; `passes` are of `decode`."""
        return {}

    def unverified_arrays(self, manifest: Manifest) -> tuple[str, ...]:
        """The names of those of `pass_arrays` that follow from nothing that is kept, beside the passes themselves."""
        return ()

    def keep_deterministic(self, manifest: Manifest, predictions: np.ndarray) -> np.ndarray:
        """Return the stored form of (n, K) float32 deterministic predictions."""
        return predictions

    def prediction_arrays(self, manifest: Manifest, way: Literal["mean", "deterministic"]) -> tuple[str, ...]:
        """The names of the arrays that hold the predictions of all passes together, or with dropout off."""
        return tuple(f"{way}_{name}" for name in self.pass_arrays(manifest))

    def stored_labels(
        self,
        examples: "DataSet",
        names: Sequence[str],
        label_maps: LabelMaps | None,
        *,
        crop: tuple[int, int] | None = None,
        as_images: bool = False,
        find_foreground: bool = False,
    ) -> StoredLabels:
        """The labels of a data set as a run holds them.

        Args:
            examples: with their labels as `label` and `check_labels` leave them.
            names: of the classes.
            label_maps: of the run.
            crop: as `DataSet.fit_masks` takes it.
            as_images: as `DataSet.fit_masks` takes it.
            find_foreground: whether masks that hold only 0 and one larger number than 1 are of two classes.

        Raises:
            InvalidInputError: labels of other classes, masks of other proportions, or masks of which no pixel counts.
        """
        return StoredLabels(examples.label_array)

    def check_mask_options(self, background: int | None, ignore: Ignore) -> None:
        """Check that options of masks belong to a task of pixels.

        Raises:
            InvalidInputError: it is not.
        """
        for name, given, usual in (("background", background, 0), ("ignore", ignore, "auto")):
            if given != usual and not self.of_pixels:
                raise validate.invalid(name, f"left out for a {self.name}", given)

    def find_labelled(self, labels: np.ndarray) -> np.ndarray:
        """Return (n,) bool of examples that measures take; all for single labels."""
        return np.ones(len(labels), bool)

    def given_labels(self, manifest: Manifest, labels: np.ndarray) -> np.ndarray:
        """The labels of a run as the data set had them."""
        return labels

    def export_labels(self, labels: np.ndarray) -> np.ndarray:
        """The labels of a run for other tools, to which a class of -1 says nothing."""
        return labels

    @abstractmethod
    def split(self, manifest: Manifest, predictions: Any) -> dict[str, np.ndarray]:
        """Return (…, K) predictions as named arrays."""

    def split_deterministic(self, manifest: Manifest, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """(N, K) predictions of the model with dropout off as the arrays that hold them, by name; see `arrays`."""
        return {f"deterministic_{name}": part for name, part in self.split(manifest, predictions).items()}

    @abstractmethod
    def aggregate(self, manifest: Manifest, passes: Any, labels: np.ndarray | None) -> Aggregates:
        """Aggregate stored passes as from `decode`."""

    @abstractmethod
    def table_columns(self, targets: Sequence[str]) -> dict[str, str]:
        """The columns of the table of scores between the ids and the scores, with their types in Parquet."""

    def name_rows(self, manifest: Manifest, read: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        """Return `named_columns` of the table, (N,) texts, None if unknown; see `class_sets`."""
        return {}

    def class_sets(self, manifest: Manifest, read: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        """Return (N, C) bool classes: `label`, `prediction`, `wrong`; one without labels, none for one class.

        Args:
            manifest: of the run.
            read: reads one of the run's arrays by its name.
        """
        return {}

    @abstractmethod
    def score_inputs(self, manifest: Manifest) -> set[str]:
        """The inputs from which scores of a run can be computed, by the names of their parameters."""

    def pass_inputs(self, manifest: Manifest) -> set[str]:
        """Those of `score_inputs` that follow from the passes alone, as decoded."""
        return set(self.pass_arrays(manifest))

    @abstractmethod
    def predictions(
        self,
        passes: Any,
        labels: np.ndarray | None = None,
        deterministic: np.ndarray | None = None,
        *,
        targets: int = 0,
    ) -> AnyPredictions:
        """Build the input of scores and measures.

        Args:
            passes: (T, n, K), or what else `decode` returns.
            labels: of n examples, or None.
            deterministic: (n, K), or None.
            targets: D, of a regression.
        """

    def terms_by_predictor(
        self, manifest: Manifest, passes: Any, labels: np.ndarray, deterministic: np.ndarray | None = None
    ) -> dict[str, dict[str, np.ndarray]]:
        """Compute the terms of `quality` of each way to predict that there is, by its name, such as `ensemble`.

        Args:
            manifest: of the run.
            passes: (T, n, K), or where measures do not look at single passes (1, n, K), their mean.
            labels: of n examples.
            deterministic: (n, K), or None.
        """
        ways = {"ensemble": passes} | ({} if deterministic is None else {"deterministic": deterministic[None]})
        return {way: self.quality.terms(self.predictions(of, labels)) for way, of in ways.items()}

    def class_terms(self, manifest: Manifest, read: Callable[..., np.ndarray], labels: np.ndarray) -> dict[str, Terms]:
        """Return terms of `quality.of_class` by predictor; none without class measures.

        Args:
            manifest: of the run.
            read: reads one of the run's arrays by its name, or its rows from a start to before a stop.
            labels: of all examples.
        """
        return {}

    def class_members(self, manifest: Manifest, read: Callable[[str], np.ndarray], labels: np.ndarray) -> np.ndarray:
        """Return (N, C) bool classes of labels, like `class_terms`."""
        return self.class_sets(manifest, read)["label"]

    def class_figures(
        self, class_names: Sequence[str], terms: Terms, groups: np.ndarray | None, confidence: float
    ) -> "dict[str, ClassFigures]":
        """Return figures of each class from the ensemble's terms, if any.

        Args:
            class_names: C names.
            terms: of the ensemble, as `terms_by_predictor` gives them.
            groups: (N,) integers, the group of each example; None where each is its own.
            confidence: 0 to 1, of the intervals.
        """
        return {}

    def verdict(
        self,
        figures: Mapping[str, Interval],
        by_class: "Mapping[str, ClassFigures]",
        examples: int,
        groups: np.ndarray | None,
        confidence: float,
    ) -> list[str]:
        """Describe whether predictions keep their promises.

        Args:
            figures: of the ensemble over all examples, by the name of the measure.
            by_class: as `class_figures` gives them.
            examples: N.
            groups: as for `class_figures`.
            confidence: as for `class_figures`.
        """
        return []

    @abstractmethod
    def compute_quality(
        self,
        predictions: np.ndarray,
        labels: np.ndarray,
        manifest: Manifest | None = None,
        *,
        label_maps: LabelMaps | None = None,
    ) -> float:
        """Compute the quality of predictions.

        Args:
            predictions: (N, K), or what `keep_deterministic` keeps of them.
            labels: of N examples.
            manifest: of the run, where they are of one.
            label_maps: of a segmentation, where they are of no run.
        """

    def loss_of_table(self, table: "pd.DataFrame") -> np.ndarray:
        """Return (n,) losses from a labelled table; bool for 0 or 1."""
        return table[self.loss_column].to_numpy(np.float64)

    @abstractmethod
    def loss_of_terms(self, terms: Terms) -> np.ndarray:
        """(n,) the loss of each example, from the terms of `quality`."""

    @abstractmethod
    def mean_measure(self, terms: Terms) -> tuple[str, np.ndarray]:
        """The name of a measure of `quality` that is a mean over examples, and the (n,) numbers whose mean it is."""

    def quality_of_table(self, columns: Mapping[str, np.ndarray]) -> float | None:
        """The quality of the ensemble, from the columns of a table of scores, (n,) each; None without labels."""
        return float(1 - np.nanmean(columns[self.loss_column])) if self.loss_column in columns else None

    @abstractmethod
    def quality_by_pass(self, manifest: Manifest, totals: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(T,) quality of each single pass, and of the mean of the first 1, 2, … passes, from aggregated totals."""

    def quality_of_totals(self, manifest: Manifest, totals: Mapping[str, np.ndarray]) -> float | None:
        """The quality of all passes together, from totals over all examples; None without labels."""
        return float(self.quality_by_pass(manifest, totals)[1][-1]) if totals else None

    def quality_of_single_pass(self, by_pass: np.ndarray) -> float:
        """The expected quality of a random pass, of the (T,) of all."""
        return float(by_pass.mean())

    def format_quality(self, value: float, unit: str = "", digits: int = 2) -> str:
        """A value of `compute_quality` as text, of targets in a unit; `digits` after the point of a percentage."""
        return percent(value, digits)

    @abstractmethod
    def pass_format(self, predicts: Predicts, from_logits: bool) -> PassFormat:
        """The form of passes from elsewhere.

        Raises:
            InvalidInputError: the task has no such passes.
        """

    @abstractmethod
    def label(self, examples: "DataSet", labels: Any, name: str) -> "DataSet":
        """Label examples from any form; errors use `name`.

        Raises:
            InvalidInputError: they are no labels of the task.
        """

    @abstractmethod
    def check_labels(self, examples: "DataSet") -> "DataSet":
        """Check the labels that examples have, and bring them into the form of the task.

        Raises:
            InvalidInputError: they are those of another task, or none.
        """

    def reorder_labels(self, labels: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Reorder labels by (C,) `order` of classes."""
        return labels

    def drop_labels(self, labels: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
        """The labels without some of so many classes, as if these were not known; as they are if each has one class."""
        return labels

    def reorder_predictions(self, predictions: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Reorder (…, n, K) or stored predictions by classes."""
        return predictions

    @abstractmethod
    def name_axis(self, examples: "DataSet", names: Sequence[str] | Mapping[str, str]) -> "DataSet":
        """Put the classes, or the targets, of examples in the order of some names; or rename classes by a mapping.

        Raises:
            InvalidInputError: they have others.
        """

    @abstractmethod
    def default_names(self, width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of classes and of targets, of K = `width` numbers, that nobody has named."""

    @abstractmethod
    def names(self, examples: "DataSet", width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return names of classes and targets of K = `width` numbers.

        Raises:
            InvalidInputError: names or labels of others than are predicted.
        """

    @abstractmethod
    def describe_outputs(self, examples: "DataSet", width: int, predicts: Predicts) -> dict[str, str]:
        """Describe the predicted classes or targets in words."""

    @abstractmethod
    def guessing_hint(self, quality: float, labels: np.ndarray, width: int, which: str) -> str:
        """Return a hint on quality near guessing, or ""; `which` names examples."""

    def target_hint(self, predictions: np.ndarray, labels: np.ndarray, quality: float) -> str:
        """Return a hint on scaled targets of poor quality, or "".

        Args:
            predictions: (n, K).
            labels: of n examples.
            quality: of the predictions.
        """
        return ""

    @abstractmethod
    def rescaling_hint(self, quality: float, better: float) -> str:
        """The quality of the model on another scale, if that is much better, or ""."""

    @abstractmethod
    def compare_predictions(
        self,
        manifest: Manifest,
        mean: np.ndarray,
        other: np.ndarray,
        labels: np.ndarray | None,
        other_task: "Task | None" = None,
    ) -> Changes:
        """Compare predictions of the same examples.

        Args:
            manifest: of the run of which `mean` is.
            mean: (n, K) the predictive mean, or what `keep_deterministic` keeps of it.
            other: the same of another run, its classes in the same order.
            labels: of the examples, or None.
            other_task: that decides for the other run; this one without it.
        """


def convert_numbers(name: str, given: Any, shape: tuple[int, int]) -> np.ndarray:
    """Convert an array of finite numbers of a shape to float32.

    Raises:
        InvalidInputError: it is none.
    """
    values = validate.dtype(name, validate.array(name, given), np.floating, np.integer)
    values = validate.finite(name, values.astype(np.float32, copy=False))
    if values.shape != shape:
        raise validate.invalid(name, f"of the shape {shape}", f"shape {values.shape}")
    return values


def locate(wrong: np.ndarray, start: int) -> str:
    """Name the pass and example of the first error, of (T, n, …) bool in examples from `start` on."""
    first = np.argwhere(wrong)[0]
    return f"pass {first[0]}, example {start + first[1]}"
