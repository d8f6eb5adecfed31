"""The terms from which the measures of a run's task follow, a few numbers an example, by the way to predict."""

import numpy as np

from mcviz.analysis.base import require_known_labels
from mcviz.measures.registry import Terms
from mcviz.runs import Derived, Run, labelled_examples, load_derived, save_derived
from mcviz.runs.tables import Progress

Array = np.ndarray


def load_terms(run: Run, progress: Progress | None = None) -> dict[str, Terms]:
    """Compute the terms of the measures of each way to predict, the ensemble first.

    Where measures look at single passes these are read shard by shard, and what they come to is kept beside the run.

    Args:
        run: with labels, of any task.
        progress: called with (done, total) shards where passes are read; an exception from it stops the reading.

    Raises:
        InvalidInputError: the run has no labels, or one example.
    """
    run = labelled_examples(run)
    labels, task = require_known_labels(run), run.task
    if not task.measures_need_passes:
        return terms_of_means(run, labels)
    derived = Derived(f"{task.name}-terms", 2, {"terms": "float64"})
    stored = load_derived(run.path, run.digest, derived)
    if stored is None or stored["terms"].shape != (len(task.pass_terms), len(run)):
        stored = {"terms": _compute_pass_terms(run, labels, progress)}
        save_derived(run.path, run.digest, derived, stored)
    terms: dict[str, dict[str, Array]] = {}
    decided = task.decided_terms(run.manifest, run.array, labels)
    for (predictor, name), values in zip(task.pass_terms, stored["terms"], strict=True):
        if predictor == "ensemble" or not np.isnan(values).any():
            terms.setdefault(predictor, dict(decided.get(predictor, {})))[name] = values
    return {**terms}


def terms_of_means(run: Run, labels: Array) -> dict[str, Terms]:
    """Compute the terms of each way to predict that follow from the mean of the passes."""
    fixed = run.deterministic_predictions
    return {**run.task.terms_by_predictor(run.manifest, run.mean_predictions[None], labels, fixed)}


def _compute_pass_terms(run: Run, labels: Array, progress: Progress | None) -> Array:
    """Compute (R, N) float64 with the rows of `Task.pass_terms`, NaN where nothing is known."""
    fixed, blocks = run.deterministic_predictions, []
    for shard in range(run.manifest.shards):
        start, stop = run.manifest.shard_range(shard)
        deterministic = None if fixed is None else fixed[start:stop]
        passes = run.predictions_block(start, stop)
        terms = run.task.terms_by_predictor(run.manifest, passes, labels[start:stop], deterministic)
        unknown = np.full(stop - start, np.nan)
        blocks.append([terms.get(predictor, {}).get(name, unknown) for predictor, name in run.task.pass_terms])
        if progress:
            progress(shard + 1, run.manifest.shards)
    return np.concatenate(blocks, axis=1, dtype=np.float64)
