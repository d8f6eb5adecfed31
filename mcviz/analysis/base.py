"""Helpers of all analyses: requirements on a run, and its scores of uncertainty."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.measures import RegressionPredictions
from mcviz.measures.intervals import Interval, count_groups
from mcviz.measures.multilabel import UNKNOWN
from mcviz.runs import Run, labelled_examples, labelled_numbers
from mcviz.tasks import TASKS
from mcviz.tasks.regression import Regression
from mcviz.text import describe_in_html, one_line

if TYPE_CHECKING:
    import pandas as pd


Array = np.ndarray
Figures = Mapping[str, Mapping[str, Interval]]  # by the names of the predictor and of the measure
LEAST_LABELLED = 2  # examples, one half of which calibrates the other
REVIEWED_SHARE = 0.05  # of the examples, that a person might look at again


def require_one_class(run: Run) -> None:
    """Raise an `InvalidInputError` for a run whose labels are not one class an example."""
    if not run.task.has_one_class:
        raise _refuse(run, "This takes one class an example")


def require_label_score(run: Run) -> None:
    """Raise an `InvalidInputError` for a run without labels, or whose labels no score can find to be wrong."""
    if not run.task.label_score:
        raise _refuse(run, "This takes labels of classes or numbers")
    require_known_labels(run)


def require_bounded_loss(run: Run) -> None:
    """Raise an `InvalidInputError` for a run whose loss has no bound, so that nothing can be guaranteed of its mean."""
    if not np.isfinite(run.task.loss.largest):
        raise _refuse(run, "This takes a loss that has a bound, as a mistake has")


def _refuse(run: Run, what: str) -> InvalidInputError:
    received = f"{run.path}, of {run.manifest.task}"
    return InvalidInputError(f"{what}. Received: {received}. {run.task.instead}".rstrip())


def require_labels(run: Run) -> Array:
    """Return the labels of two examples or more, of one class each.

    Raises:
        InvalidInputError: it has none, one example, or other labels.
    """
    require_one_class(run)
    return require_known_labels(run)


def require_known_labels(run: Run) -> Array:
    """Return the labels of two examples or more, of any task.

    Raises:
        InvalidInputError: it has none, or one example.
    """
    labels, count = require_any_labels(run), run.manifest.labelled
    if count < LEAST_LABELLED:
        what = "examples" if count == len(run) else "labelled examples"
        raise InvalidInputError(f"This takes {LEAST_LABELLED} {what} or more. Received: {run.path}, with {count}.")
    return labels


def require_any_labels(run: Run) -> Array:
    """Return the labels of a run of any task, without those that chose its thresholds.

    Raises:
        InvalidInputError: it has none.
    """
    if run.labels is None:
        instead = (
            "With --calibrated-on OLD, a labelled run of the same model, `mcviz trust` estimates the accuracy without "
            "them, and `mcviz refer` chooses examples. "
        )
        raise InvalidInputError(
            f"This takes labels, and {run.path} has none. {instead if run.task.has_one_class else ''}To have labels, "
            "sample or import it again with them."
        )
    labels = run.judging_labels
    assert labels is not None
    return labels


def ranking_scores(run: Run) -> list[str]:
    """Return the names of the scores of a run that need no labels, those that were added last."""
    scores = run.score_registry
    return [name for name in run.score_names if not scores[name].needs_labels]


def convergence_score(run: Run, score: str) -> str:
    """Return a score, or max probability if it needs more than passes."""
    scores = run.task.scores
    return score if score in scores and scores[score].from_passes else "max_probability"


def find_groups(run: Run, group: str | None) -> Array | None:
    """Return the group of each example, by the values of a column; None without a column: each is its own.

    Args:
        run: any run.
        group: one of the user's own columns. An example without a value is a group of its own.

    Returns:
        (N,) int64.

    Raises:
        InvalidInputError: there is no such column.
    """
    if group is None:
        return None
    columns = run.columns
    offered = [] if columns is None else list(map(str, columns))
    if columns is None or group not in offered:
        raise InvalidInputError(
            "Examples belong together by one of the run's own columns. Received: group="
            f"{group}. {run.path} has {', '.join(offered) or 'none: add it with the data, or leave the group out'}."
        )
    groups: Array = columns[group].factorize()[0].astype(np.int64)
    missing = np.flatnonzero(groups < 0)
    groups[missing] = len(groups) + missing
    return groups


def group_sentence(run: Run, group: str | None) -> str:
    """Describe how many examples have labels, count as independent, and may miss failures.

    Unbounded losses have no interval for unseen failures, so a share of inputs is named that a failure of 5% chance can
    miss.
    """
    labelled = labelled_examples(run)
    count = count_groups(len(labelled), find_groups(labelled, group))
    together = "Examples count as independent."
    if group is not None:
        together = f"Examples count as independent only between groups: {count:,} by {one_line(group)}."
    together = f"{labelled_sentence(run)} {together}".lstrip()
    if np.isfinite(TASKS[run.manifest.task].loss.largest):  # without a tolerance
        return together
    share = f"{100 * (1 - 0.05 ** (1 / count)):.2g}%"
    return f"{together} A failure on less than {share} of inputs may not be among them, and no interval allows for it."


def labelled_sentence(run: Run) -> str:
    """Say how many examples of a run have a label, and judge; "" where measures take all of its examples, or none."""
    if run.decisions.chosen_on:
        return choosing_sentence(run)
    if run.manifest.examples_with_labels is None:
        return ""
    return f"All figures that take labels are of the {run.manifest.labelled:,} of {len(run):,} examples that have one."


def count_labels(run: Run) -> tuple[int, int]:
    """Count the examples whose labels chose thresholds, and those whose labels judge them."""
    if run.labels is None:
        return 0, 0
    known = run.labels != UNKNOWN
    known = known if known.ndim == 1 else known.any(axis=1)
    return int((known & run.choosing).sum()), int((known & ~run.choosing).sum())


def choosing_sentence(run: Run) -> str:
    """Say how many labels chose thresholds, and how many judge them; "" where none chose."""
    if not run.decisions.chosen_on:
        return ""
    chosen, judging = count_labels(run)
    return f"The labels of {chosen:,} examples chose, and judge nothing; those of the other {judging:,} do."


def describe_run(run: Run, sentences: Sequence[str]) -> dict[str, Any]:
    """Return the beginning of the JSON on a run."""
    labelled = {} if run.manifest.examples_with_labels is None else {"labelled": run.manifest.labelled}
    counts = {"examples": len(run), **labelled, "passes": run.passes}
    return {"run": run.path, **counts, "in_words": " ".join(sentences)}


def interval_columns(figures: Mapping[str, Interval]) -> dict[str, float]:
    """Return each figure by its name, followed by its ends, such as `accuracy_low` and `accuracy_high`."""
    ends = {"": "value", "_low": "low", "_high": "high"}
    return {
        f"{name}{end}": getattr(interval, field) for name, interval in figures.items() for end, field in ends.items()
    }


@dataclass(frozen=True, repr=False)
class RunTrust(ABC):
    """How far the predictions of a run can be trusted.

    Attributes:
        run: with labels.
        score: that ranks its examples.
        group: the column whose values are groups of examples that belong together; None where each is its own.
        confidence: of all intervals.
        figures: with their intervals, by predictor and measure; shares are fractions.
        sentences: the verdict, then what else is found.
    """

    run: Run
    score: str
    group: str | None
    confidence: float
    figures: Figures
    sentences: list[str]

    @property
    def in_words(self) -> str:
        """The findings, in sentences."""
        return f"{' '.join(self.sentences)} {labelled_sentence(self.run)}".rstrip()

    @property
    def table(self) -> "pd.DataFrame":
        """Figures of each predictor, one row each, indexed by `predictor`.

        A column has a measure, followed by its interval, such as `accuracy`, `accuracy_low` and `accuracy_high`,
        float64 or missing. Shares are fractions.
        """
        import pandas as pd  # here, because it takes time to import

        rows = [interval_columns(figures) for figures in self.figures.values()]
        return pd.DataFrame(rows, pd.Index(self.figures, name="predictor"))

    @property
    @abstractmethod
    def text_rows(self) -> list[Sequence[str]]:
        """The figures as people read them, a row each way to predict; the names of the columns come first."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Return all that is found for JSON."""

    def __repr__(self) -> str:
        return self.in_words

    def _repr_html_(self) -> str:
        return describe_in_html(self.run.path, self.sentences, self.text_rows)


def column(run: Run, name: str, target: int) -> str:
    """Name the column of the run's table with a value of a target, such as "prediction" or "prediction_height"."""
    return name if len(run.targets) == 1 else f"{name}_{run.targets[target]}"


def as_predictions(
    run: Run, predictions: Array, labels: Array | None = None, deterministic: Array | None = None
) -> RegressionPredictions:
    """Return the input of measures from (T, n, K) predictions and facts of n examples."""
    return Regression().predictions(predictions, labels, deterministic, targets=len(run.targets))


def mistakes_in_order(run: Run, order: Array) -> Array:
    """Return (n,) bool: whether each example in an order is a mistake, of those that `labelled_examples` has.

    Args:
        run: with labels.
        order: (N,) the numbers of its examples. Where predictions are not right or wrong, the largest losses count, of
            one example in twenty.
    """
    order = order[np.isin(order, labelled_numbers(run))]
    loss = run.task.loss_of_table(run.scores().iloc[order])
    if run.task.loss.is_mistake:
        return loss
    loss, large = np.nan_to_num(loss), np.zeros(len(order), bool)
    if loss.max() > 0:
        large[np.argsort(-loss, kind="stable")[: max(1, int(REVIEWED_SHARE * len(order)))]] = True
    return large


def summarise_classes(rows: "pd.DataFrame", score: str, classes: int) -> "pd.DataFrame":
    """Return a row a class: the number of its `examples`, their `accuracy` and the mean of a `score`.

    Args:
        rows: of `Run.table` of a classification with labels.
        score: the name of a column.
        classes: the number of classes; one without examples has missing values.
    """
    rows = rows[rows["correct"].notna()]
    by_class = rows[["label", score]].assign(correct=rows["correct"].astype(float)).groupby("label")
    classes_with_examples = by_class.agg(
        examples=("correct", "size"), accuracy=("correct", "mean"), score=(score, "mean")
    )
    return classes_with_examples.reindex(range(classes))


def example_rows(run: Run, examples: Array) -> "pd.DataFrame":
    """Return rows of `Run.table` for (R,) numbers of examples, in their order, with number and names of the classes."""
    table = run.table().iloc[examples].reset_index()
    names = dict(enumerate(run.class_names))
    for column in ("prediction", "label") if run.task.has_one_class else ():
        name = f"{column}_name"
        table = table.rename(columns={name: f"user_{name}"})
        table.insert(list(table).index(column) + 1, name, table[column].map(names))
    return table
