"""Sentences on calibration. Each verdict follows from an interval, or from the ECE that chance explains."""

import math
from collections.abc import Sequence

import numpy as np

from mcviz.choices import MEASURE_NAMES, PREDICTOR_NAMES
from mcviz.measures.bootstrap import Interval, mean_intervals
from mcviz.measures.calibration import (
    ENOUGH,
    Calibration,
    CalibrationFigures,
    has_enough_mistakes,
    join_calibration_terms,
    mistake_chances,
    split_confidence,
)
from mcviz.measures.groups import count_groups, largest_design_effect
from mcviz.measures.poisson_binomial import can_reject
from mcviz.measures.units import fixed, percent

SCALED = "_scaled"  # ends the names of predictors that are not compared with the ensemble
ECE_ROUNDING = 1e-9  # of an ECE: without mistakes, that of chance is often the same number, summed up otherwise


def calibration_sentences(result: Calibration) -> list[str]:
    """Say whether the ensemble is calibrated, and whether it is better than the other predictors.

    Returns:
        The verdict; its mean confidence and accuracy; then a sentence for each other predictor.
    """
    accuracy = percent(result.figures["ensemble"].accuracy.value, 2)
    confident = percent(float(result.predictors["ensemble"].confidence.mean()), 2)
    names = {"deterministic": "the deterministic model", "single_pass": "a single pass"}
    gains = [_gain_sentence(result.differences[key], name) for key, name in names.items() if key in result.differences]
    return [_verdict_sentence(result), f"Its mean confidence is {confident}, its accuracy {accuracy}.", *gains]


def _verdict_sentence(result: Calibration) -> str:
    figures, ensemble = result.figures["ensemble"], result.predictors["ensemble"]
    over, ece = figures.overconfidence, figures.ece.value
    ends = f"{100 * over.magnitude.low:.2f} to {100 * over.magnitude.high:.2f}"
    by = f"by {_percentage_points(over.value)} ({100 * result.confidence:.6g}% interval {ends})"
    if over.low > 0:
        return f"The ensemble is over-confident {by}."
    if over.high < 0:
        return f"The ensemble is under-confident {by}."
    if ece > figures.ece_by_chance + ECE_ROUNDING:
        return (
            "The ensemble is over-confident in places and under-confident in others: its ECE of "
            f"{percent(ece, 2)} is more than chance explains, up to {percent(figures.ece_by_chance, 2)}."
        )
    expected, mistakes = mistake_chances(ensemble), int((~ensemble.correct).sum())
    effect, mean_confidence = largest_design_effect(result.groups), split_confidence(result.confidence)[0]
    if not can_reject(expected, mean_confidence, effect):
        if can_reject(expected, mean_confidence):
            count = count_groups(len(ensemble), result.groups)
            return f"There are too few groups to tell whether the ensemble is calibrated: {count:,}."
        what = "mistakes" if expected.mean() < 1 / 2 else "examples"
        return (
            f"There are too few {what} to tell whether the ensemble is calibrated: {mistakes:,} of {len(ensemble):,}, "
            f"{expected.sum():,.1f} expected."
        )
    ends = f"between {100 * over.low:+.2f} and {100 * over.high:+.2f} percentage points"
    return (
        "No miscalibration of the ensemble is found: its confidence − accuracy may be anywhere "
        f"{ends} ({100 * result.confidence:.6g}% interval)."
    )


def _gain_sentence(difference: CalibrationFigures, other: str) -> str:
    gain, fits = difference.accuracy, difference.nll
    accuracy = _compare_accuracies(gain.value, other)
    if gain.value and not math.isnan(gain.low):
        accuracy += f", {'within' if gain.low <= 0 <= gain.high else 'more than'} noise"
    if math.isnan(fits.low):
        what = "that is noise" if gain.value and math.isnan(gain.low) else "the NLLs differ"
        return f"{accuracy}; it takes {ENOUGH} to tell whether {what}."
    if fits.low <= 0 <= fits.high:
        return f"{accuracy}; the NLLs do not differ beyond noise."
    return f"{accuracy}; its NLL is {'worse' if fits.value > 0 else 'better'} by {abs(fits.value):.4f} nats."


def pass_gain_sentence(accuracy: float, of_passes: np.ndarray) -> str:
    """Say what the ensemble gains over a single pass before the passes are read, which tell whether that is noise.

    Args:
        accuracy: of the ensemble, as a fraction.
        of_passes: (T,) floating point, the accuracy of each pass, such as `Run.pass_accuracy`.
    """
    return f"{_compare_accuracies(accuracy - float(of_passes.mean()), 'a single pass')}."


def _compare_accuracies(gain: float, other: str) -> str:
    if gain == 0:
        return f"Its accuracy is that of {other}"
    return f"Its accuracy is {_percentage_points(gain)} {'above' if gain > 0 else 'below'} that of {other}"


def _percentage_points(difference: float) -> str:
    """A difference of fractions, without its sign."""
    return f"{fixed(100 * abs(difference), 2)} percentage points"


def calibration_table(result: Calibration) -> dict[str, dict[str, str]]:
    """Format the figures of each predictor, and how far the ensemble is from the others.

    Returns:
        By the name of a row and that of a measure, such as "98.21% (97.95 to 98.44)". The rows of predictors stand in
        the order of `choices.PREDICTOR_NAMES`; then come the differences, in points where a measure is a share.
    """
    rows = {
        name: _format_figures(result.figures[key]) for key, name in PREDICTOR_NAMES.items() if key in result.figures
    }
    for key, difference in result.differences.items():
        if not key.endswith(SCALED):
            rows[f"ensemble − {PREDICTOR_NAMES[key]}"] = _format_figures(difference, "+")
    return rows


def calibration_text(result: Calibration) -> str:
    """Say all of `calibration_table` in one text, a sentence a row."""
    return " ".join(
        f"{name}: {'; '.join(f'{measure} {figure}' for measure, figure in row.items())}."
        for name, row in calibration_table(result).items()
    )


def _format_figures(figures: CalibrationFigures, sign: str = "") -> dict[str, str]:
    found = {
        "accuracy": _format_share(figures.accuracy, sign),
        "nll": figures.nll.format(f"{{:{sign}.4f}}".format),
        "brier": figures.brier.format(f"{{:{sign}.4f}}".format),
        "ece": _format_share(figures.ece, sign, figures.ece_by_chance),
        "ece_equal_mass": _format_share(figures.ece_equal_mass, sign, figures.ece_equal_mass_by_chance),
        "overconfidence": _format_share(figures.overconfidence, "+"),
    }
    return {name: found[measure] for measure, name in MEASURE_NAMES.items()}


def _format_share(share: Interval, sign: str, by_chance: float = math.nan) -> str:
    points = Interval(100 * share.value, 100 * share.low, 100 * share.high)
    chance = "" if math.isnan(by_chance) else f", chance {percent(by_chance, 2)}"
    return points.format(lambda value: fixed(value, 2, sign), " points" if sign else "%") + chance


def degradation_sentences(steps: Sequence[Calibration]) -> list[str]:
    """Say whether averaging passes helps as examples are distorted more and more, and how good the ensemble still is.

    Args:
        steps: of the predictors `ensemble` and `deterministic`, from the examples as they are to the most distorted
            ones, all of the same examples.

    Returns:
        Three sentences; each verdict follows from an interval.
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
        ends = f"between {100 * over.low:+.1f} and {100 * over.high:+.1f} percentage points"
        honest = f"At the end no miscalibration is found: confidence − accuracy may be anywhere {ends}."
    return [_averaging_sentence(steps), accuracy, honest]


def _averaging_sentence(steps: Sequence[Calibration]) -> str:
    """One test of the mean over the steps of each example's NLL, whatever the number of steps."""
    ensemble, other = ([step.predictors[name] for step in steps] for name in ("ensemble", "deterministic"))
    if not has_enough_mistakes(join_calibration_terms(ensemble), join_calibration_terms(other)):
        return "There are too few mistakes to tell whether averaging passes makes the NLL better."
    gains = np.mean([one.nll - two.nll for one, two in zip(ensemble, other, strict=True)], axis=0)
    (gain,) = mean_intervals(gains[:, None], confidence=steps[0].confidence)
    if gain.low <= 0 <= gain.high:
        return "Over all steps, averaging passes makes the NLL neither better nor worse, beyond noise."
    ends = f"{gain.magnitude.low:.4f} to {gain.magnitude.high:.4f}"
    return (
        f"Over all steps, averaging passes makes the NLL {'worse' if gain.value > 0 else 'better'} by "
        f"{abs(gain.value):.4f} nats ({100 * steps[0].confidence:.6g}% interval {ends})."
    )
