"""Prediction intervals of a run: by its passes, and by split-conformal prediction, which holds whatever the model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mcviz import validate
from mcviz.analysis.base import as_predictions, find_groups, require_any_labels, require_known_labels
from mcviz.analysis.referral import check_same_model
from mcviz.errors import InvalidInputError
from mcviz.measures.conformal import (
    IntervalCalibration,
    PredictionIntervals,
    conformal_intervals,
    conformal_intervals_for_new,
    interval_calibration,
    pass_intervals,
)
from mcviz.measures.intervals import Interval
from mcviz.measures.quality import INTERVAL
from mcviz.measures.registry import RegressionPredictions
from mcviz.runs import Run, labelled_examples, labelled_numbers

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray
BY_PASSES, OF_ONE_WIDTH, BY_STD = "by the passes", "split-conformal, of one width", "split-conformal, by the std"
COLUMNS = {BY_PASSES: "passes", OF_ONE_WIDTH: "conformal", BY_STD: "conformal_by_std"}  # of an exported table
SHOWN_LEVELS = np.array([0.5, 0.8, 0.9, 0.95])
EVERY = "all"
THIRDS = "lowest third", "middle third", "highest third"  # of the examples, by their predictions


def calibrate_intervals(run: Run) -> list[IntervalCalibration]:
    """Compare the intervals of each target of a regression with the labels, as `interval_calibration` does."""
    run = labelled_examples(run)
    return interval_calibration(_load(run, require_any_labels(run)))


def calibrate_by_size(run: Run, target: int = 0, group: str | None = None) -> dict[str, IntervalCalibration]:
    """Compare the intervals of a target with the labels: of all examples, and of thirds of them by the prediction.

    Args:
        run: a regression with labels.
        target: its index.
        group: one of the user's own columns, whose values are groups of examples that belong together.

    Returns:
        By the names in `EVERY` and `THIRDS`; the thirds are left out of fewer than three examples.

    Raises:
        InvalidInputError: another task, no labels, or no such column.
    """
    _require_targets(run)
    run = labelled_examples(run)
    predictions, groups = _load(run, labels=require_any_labels(run)), find_groups(run, group)
    order = np.argsort(predictions.outputs.mean(axis=0, dtype=np.float64)[:, target], kind="stable")
    parts = dict(zip(THIRDS, np.array_split(order, len(THIRDS)), strict=True)) if len(order) >= len(THIRDS) else {}
    return {
        name: interval_calibration(predictions, levels=SHOWN_LEVELS, members=members, groups=groups)[target]
        for name, members in ({EVERY: order} | parts).items()
    }


def find_intervals(
    run: Run, coverage: float = INTERVAL, calibrated_on: Run | None = None
) -> dict[str, PredictionIntervals]:
    """Compute the intervals of each example of a run, by each method that there is.

    Of the examples with labels, one half calibrates the other; those without are calibrated by all labels.

    Args:
        run: a regression.
        coverage: above 0 and below 1, the share of labels that intervals are to hold.
        calibrated_on: a run of the same model with labels, which calibrates all examples; the run itself without it.

    Returns:
        By the names in `COLUMNS`; of a run without labels, or with one, only those of the passes.

    Raises:
        InvalidInputError: another task, another coverage, no labels in `calibrated_on`, or two models.
    """
    _require_targets(run)
    if not 0 < validate.fraction("coverage", coverage) < 1:
        raise validate.invalid("coverage", "above 0 and below 1", coverage)
    predictions = _load(run)
    found = {BY_PASSES: pass_intervals(predictions, coverage)}
    if calibrated_on is not None:
        check_same_model(run, calibrated_on)
        labelled = labelled_examples(calibrated_on)
        known = _load(labelled, labels=require_known_labels(labelled))
    elif run.labels is None or run.manifest.labelled < 2:
        return found
    else:
        labelled = labelled_examples(run)
        known = _load(labelled, labels=labelled.labels)
    for name, by_std in ((OF_ONE_WIDTH, False), (BY_STD, True)):
        found[name] = conformal_intervals_for_new(known, predictions, coverage, normalised=by_std)
        if calibrated_on is None:
            halves, numbers = conformal_intervals(known, coverage, normalised=by_std), labelled_numbers(run)
            found[name].low[numbers], found[name].high[numbers] = halves.low, halves.high
    return found


def measure_intervals(run: Run, found: Mapping[str, PredictionIntervals]) -> dict[str, tuple[list[Interval], Array]]:
    """Measure how many of the run's own labels intervals hold, and their mean width.

    Args:
        run: with labels.
        found: its result of `find_intervals`; intervals of examples without a label do not count.

    Returns:
        By method D shares with their exact 95% intervals, and (D,) widths.
    """
    labels, numbers = require_any_labels(labelled_examples(run)), labelled_numbers(run)
    known = {name: PredictionIntervals(each.low[numbers], each.high[numbers]) for name, each in found.items()}
    return {name: (intervals.coverage(labels), intervals.width) for name, intervals in known.items()}


def prediction_intervals(run: Run, coverage: float = INTERVAL, calibrated_on: Run | None = None) -> "pd.DataFrame":
    """Tabulate the intervals of each example and target of a run, as `find_intervals` computes them.

    Args:
        run: as for `find_intervals`.
        coverage: as for `find_intervals`.
        calibrated_on: as for `find_intervals`.

    Returns:
        The table of `tabulate_intervals`.
    """
    return tabulate_intervals(run, find_intervals(run, coverage, calibrated_on))


def tabulate_intervals(run: Run, found: Mapping[str, PredictionIntervals]) -> "pd.DataFrame":
    """Tabulate the intervals of each example and target of a run.

    Args:
        run: a regression.
        found: its result of `find_intervals`.

    Returns:
        A row for each example and target: `example`, `id`, `target`, `prediction`, and the ends of each interval, such
        as `passes_low` and `passes_high`, in the unit of the target. Infinite ends mean too few labels.
    """
    import pandas as pd  # here, because it takes time to import

    targets = len(run.targets)
    examples = np.repeat(np.arange(len(run)), targets)
    columns = {
        "example": examples,
        "id": run.scores()["id"].to_numpy()[examples],
        "target": np.tile(np.array(run.targets, object), len(run)),
        "prediction": run.mean_predictions[:, :targets].ravel(),
    }
    for name, intervals in found.items():
        columns |= {f"{COLUMNS[name]}_low": intervals.low.ravel(), f"{COLUMNS[name]}_high": intervals.high.ravel()}
    return pd.DataFrame(columns)


def _load(run: Run, labels: Array | None = None) -> RegressionPredictions:
    return as_predictions(run, run.predictions_block(0, None), labels)


def _require_targets(run: Run) -> None:
    if not run.targets:
        raise InvalidInputError(f"Intervals are of numbers. Received: {run.path}, of a {run.task.name}.")
