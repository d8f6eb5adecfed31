"""Sentences on calibration. Each verdict follows from an interval, or from the ECE that chance explains."""

import math
from collections.abc import Sequence

import numpy as np

from mcviz.measures.bootstrap import mean_intervals
from mcviz.measures.calibration import FEWEST_OF_EACH, Calibration, Figures, chances, enough, joined, levels
from mcviz.measures.poisson_binomial import can_refuse
from mcviz.measures.units import percent

ROUNDING = 1e-9  # of an ECE: without mistakes, that of chance is often the same number, summed up otherwise


def calibration_sentences(result: Calibration) -> list[str]:
    """Whether the ensemble's probabilities can be taken at their word, and whether the ensemble gains anything.

    Returns:
        The verdict, then a sentence for each other way to predict.
    """
    accuracy = percent(result.figures["ensemble"].accuracy.value, 2)
    confident = percent(float(result.ways["ensemble"].confidence.mean()), 2)
    names = {"deterministic": "the deterministic model", "single_pass": "a single pass"}
    gains = [_gain(result.differences[way], name) for way, name in names.items() if way in result.differences]
    return [f"{_verdict(result)} Its mean confidence is {confident}, its accuracy {accuracy}.", *gains]


def _verdict(result: Calibration) -> str:
    figures, ensemble = result.figures["ensemble"], result.ways["ensemble"]
    over, ece = figures.overconfidence, figures.ece.value
    size = over.size
    ends = f"{100 * size.low:.2f} to {100 * size.high:.2f}"
    by = f"by {_points(over.value)} ({100 * result.confidence:.6g}% interval {ends})"
    if over.low > 0:
        return f"The ensemble is over-confident {by}."
    if over.high < 0:
        return f"The ensemble is under-confident {by}."
    if ece > figures.ece_by_chance + ROUNDING:
        return (
            "The ensemble is over-confident in places and under-confident in others: its ECE of "
            f"{percent(ece, 2)} is more than chance explains, up to {percent(figures.ece_by_chance, 2)}."
        )
    expected, mistakes = chances(ensemble), int((~ensemble.correct).sum())
    if not can_refuse(expected, levels(result.confidence)[0]):
        what = "mistakes" if expected.mean() < 1 / 2 else "examples"
        return (
            f"There are too few {what} to tell whether the ensemble is calibrated: {mistakes:,} of {len(ensemble):,}, "
            f"{expected.sum():,.1f} expected."
        )
    return f"The ensemble is well calibrated, as far as {len(ensemble):,} examples tell."


def _gain(difference: Figures, other: str) -> str:
    gain, fits = difference.accuracy, difference.nll
    if gain.value == 0:
        accuracy = f"Its accuracy is that of {other}"
    else:
        accuracy = f"Its accuracy is {_points(gain.value)} {'above' if gain.value > 0 else 'below'} that of {other}"
        if not math.isnan(gain.low):
            accuracy += f", which is {'within' if gain.low <= 0 <= gain.high else 'more than'} noise"
    if math.isnan(fits.low):
        what = "that is noise" if gain.value and math.isnan(gain.low) else "the NLLs differ"
        fewest = f"{FEWEST_OF_EACH} mistakes and {FEWEST_OF_EACH} correct predictions"
        return f"{accuracy}; it takes {fewest} to tell whether {what}."
    if fits.low <= 0 <= fits.high:
        return f"{accuracy}; the NLLs do not differ beyond noise."
    return f"{accuracy}; its NLL is {'worse' if fits.value > 0 else 'better'} by {abs(fits.value):.4f} nats."


def _points(difference: float) -> str:
    """A difference of fractions, without its sign."""
    return f"{100 * abs(difference):.2f} percentage points"


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
