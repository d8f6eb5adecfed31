"""Whether a model stays honest as its examples are distorted more and more."""

from collections.abc import Sequence

import numpy as np

from mcviz.measures.bootstrap import mean_intervals
from mcviz.measures.calibration import Calibration, enough, joined
from mcviz.measures.units import percent


def degradation_in_words(steps: Sequence[Calibration]) -> list[str]:
    """Whether averaging passes makes predictions worse on the way, and how good the ensemble still is at the end.

    Args:
        steps: of the ways `ensemble` and `deterministic`, from the examples as they are to the most distorted ones, all
            of the same examples.

    Returns:
        Three sentences, of which each verdict is that of an interval.
    """
    first, last = (step.figures["ensemble"] for step in (steps[0], steps[-1]))
    accuracy = f"The ensemble's accuracy goes from {percent(first.accuracy.value)} to {percent(last.accuracy.value)}."
    over = last.overconfidence
    by = f"by {100 * abs(over.value):.1f} percentage points"
    if over.low > 0:
        honest = f"At the end it is over-confident {by}."
    elif over.high < 0:
        honest = f"At the end it is under-confident {by}."
    else:
        honest = "At the end its mean confidence is its accuracy, within noise."
    return [_averaging(steps), accuracy, honest]


def _averaging(steps: Sequence[Calibration]) -> str:
    """By the mean over the steps of each example's NLL: one test, whatever the number of steps."""
    ensemble, other = ([step.ways[way] for step in steps] for way in ("ensemble", "deterministic"))
    if not enough(joined(ensemble), joined(other)):
        return "There are too few mistakes to tell whether averaging passes makes the NLL better."
    gains = np.mean([one.nll - two.nll for one, two in zip(ensemble, other, strict=True)], axis=0)
    (gain,) = mean_intervals(gains[:, None], confidence=steps[0].confidence)
    if gain.low <= 0 <= gain.high:
        return "Over all steps, averaging passes makes the NLL neither better nor worse, beyond noise."
    ends = f"{gain.size.low:.4f} to {gain.size.high:.4f}"
    return (
        f"Over all steps, averaging passes makes the NLL {'worse' if gain.value > 0 else 'better'} by "
        f"{abs(gain.value):.4f} nats ({100 * steps[0].confidence:.6g}% interval {ends})."
    )
