"""The passes of a regression: of the whole run, and what they predict of one example, target by target."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import streamlit as st

from mcviz.measures import RegressionPredictions
from mcviz.measures.prediction_intervals import intervals_by_passes
from mcviz.measures.regression_scores import predictive_variance
from mcviz.runs import Run
from mcviz.tasks.regression import Regression


@dataclass(frozen=True)
class Predicted:
    """What the passes predict of one example, (D,) each, in the unit of the targets.

    Attributes:
        outputs: (T, D) the mean that each pass predicts.
        variances: (T, D) the variance that each pass predicts, or None.
        mean: of the predictive distribution.
        std: of it: what the passes differ by, and what they expect.
        model_std: what the passes differ by: model (epistemic) uncertainty.
        data_std: what they expect: data (aleatoric) uncertainty; None where no variance is predicted.
        low: lower ends of its central interval.
        high: upper ends.
        coverage: of the interval, in percent.
    """

    outputs: np.ndarray
    variances: np.ndarray | None
    mean: np.ndarray
    std: np.ndarray
    model_std: np.ndarray
    data_std: np.ndarray | None
    low: np.ndarray
    high: np.ndarray
    coverage: int


def predicted(run: Run, predictions: np.ndarray, coverage: int) -> Predicted:
    """What (T, K) passes predict of one example of a run or of a new one, with an interval of `coverage` percent."""
    given = as_predictions(run, predictions[:, None])
    within = intervals_by_passes(given, coverage / 100)
    outputs, variances = given.outputs[:, 0], None if given.variances is None else given.variances[:, 0]
    return Predicted(
        outputs,
        variances,
        mean=outputs.mean(axis=0, dtype=np.float64),
        std=np.sqrt(predictive_variance(given.outputs, given.variances)[0]),
        model_std=np.sqrt(predictive_variance(given.outputs)[0]),
        data_std=None if variances is None else np.sqrt(variances.mean(axis=0, dtype=np.float64)),
        low=within.low[0],
        high=within.high[0],
        coverage=coverage,
    )


def as_predictions(
    run: Run, predictions: np.ndarray, labels: np.ndarray | None = None, deterministic: np.ndarray | None = None
) -> RegressionPredictions:
    """What measures are computed from, of (T, n, K) predictions and what else is known of the n examples."""
    return Regression().predictions(predictions, labels, deterministic, targets=len(run.targets))


def whole(run: Run) -> RegressionPredictions:
    """All passes of a run at once."""
    return as_predictions(run, run.predictions_block(0, None), run.labels, run.deterministic_predictions)


def blocks(run: Run, progress: Callable[[int, int], None] = lambda *_: None) -> Iterator[RegressionPredictions]:
    """All passes of a run, one block of examples after the other.

    Args:
        run: whose they are.
        progress: is told (done, total) examples before each block.
    """
    labels, deterministic = run.labels, run.deterministic_predictions
    for shard in range(run.manifest.shards):
        start, stop = run.manifest.shard_range(shard)
        progress(start, len(run))
        yield as_predictions(
            run,
            run.predictions_block(start, stop),
            None if labels is None else labels[start:stop],
            None if deterministic is None else deterministic[start:stop],
        )


def std_of_targets(run: Run) -> np.ndarray:
    """(N, D) float64: the standard deviation of the predictive distribution, target by target."""
    return _std(run.digest, run)


@st.cache_resource(max_entries=8, show_spinner=False)
def _std(digest: str, _run: Run) -> np.ndarray:  # noqa: ARG001 (the digest is the cache's key)
    return np.sqrt(np.concatenate([predictive_variance(each.outputs, each.variances) for each in blocks(_run)]))


def column(run: Run, name: str, target: int) -> str:
    """The column of the run's table with a value of a target, such as "prediction" or "prediction_height"."""
    return name if len(run.targets) == 1 else f"{name}_{run.targets[target]}"
