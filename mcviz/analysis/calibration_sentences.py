"""Sentences on calibration: of one run, and of examples that are distorted more and more."""

from collections.abc import Sequence

import numpy as np

from mcviz.measures.calibration import (
    LARGEST_LOSSES,
    PREDICTOR_WORDS,
    TOO_FEW,
    Calibration,
    calibration_table,
    find_verdict,
    mistake_chances,
)
from mcviz.measures.intervals import bounded_interval, count_groups
from mcviz.text import fixed, percent


def calibration_sentences(result: Calibration) -> list[str]:
    """Say whether the ensemble is calibrated, and whether it is better than the other predictors.

    Returns:
        The verdict; its mean confidence and accuracy; then a sentence for each other predictor.
    """
    accuracy = percent(result.figures["ensemble"]["accuracy"].value, 2)
    confident = percent(float(result.predictors["ensemble"]["confidence"].mean()), 2)
    gains = [_gain_sentence(result, key, name) for key, name in PREDICTOR_WORDS.items() if key in result.differences]
    return [_verdict_sentence(result), f"Its mean confidence is {confident}, its accuracy {accuracy}.", *gains]


def calibration_text(result: Calibration) -> str:
    """Write `calibration_table` as text, one sentence per row."""
    return " ".join(
        f"{name}: {'; '.join(f'{measure} {figure}' for measure, figure in row.items())}."
        for name, row in calibration_table(result).items()
    )


def _verdict_sentence(result: Calibration) -> str:
    verdict, figures, ensemble = find_verdict(result), result.figures["ensemble"], result.predictors["ensemble"]
    over, expected = figures["overconfidence"], mistake_chances(ensemble)
    if verdict in ("over-confident", "under-confident"):
        ends = f"{fixed(100 * over.magnitude.low, 2, '-')} to {fixed(100 * over.magnitude.high, 2, '-')}"
        by = f"{_percentage_points(over.value)} ({100 * result.confidence:.6g}% interval {ends})"
        return f"The ensemble is {verdict} by {by}."
    if verdict == "uneven":
        by_chance = percent(result.eces_by_chance["ensemble"]["ece"], 2)
        return (
            "The ensemble is over-confident in places and under-confident in others: its ECE of "
            f"{percent(figures['ece'].value, 2)} is more than chance explains, up to {by_chance}."
        )
    if verdict == "too few groups":
        count = count_groups(len(expected), result.groups)
        return f"There are too few groups to tell whether the ensemble is calibrated: {count:,}."
    if verdict == "too few examples":
        what, mistakes = "mistakes" if expected.mean() < 1 / 2 else "examples", int((~ensemble["correct"]).sum())
        return (
            f"There are too few {what} to tell whether the ensemble is calibrated: {mistakes:,} of {len(expected):,}, "
            f"{expected.sum():,.1f} expected."
        )
    ends = f"between {fixed(100 * over.low, 2, '+')} and {fixed(100 * over.high, 2, '+')} percentage points"
    return (
        "No miscalibration of the ensemble is found: its confidence − accuracy may be anywhere "
        f"{ends} ({100 * result.confidence:.6g}% interval)."
    )


def _gain_sentence(result: Calibration, key: str, other: str) -> str:
    gain, fits = (result.gains[key][name] for name in ("accuracy", "nll"))
    both = result.figures["ensemble"], result.figures[key]
    accuracy = _compare_accuracies(gain.value, other)
    if gain.value and not gain.low <= 0 <= gain.high:
        accuracy += ", more than noise"
    elif gain.value:
        is_noise = gain.is_noise(1 - min(figures["accuracy"].value for figures in both))
        accuracy += f", {'within noise' if is_noise else TOO_FEW}"
    if not fits.low <= 0 <= fits.high:
        by = f"{'worse' if fits.value > 0 else 'better'} by {fixed(abs(fits.value), 4, '-')} nats"
        return f"{accuracy}; its NLL is {by}."
    if fits.is_noise(max(figures["nll"].value for figures in both)):
        return f"{accuracy}; the NLLs do not differ beyond noise."
    return f"{accuracy}; there are {TOO_FEW} whether the NLLs differ."


def _compare_accuracies(gain: float, other: str) -> str:
    if gain == 0:
        return f"Its accuracy is that of {other}"
    return f"Its accuracy is {_percentage_points(gain)} {'above' if gain > 0 else 'below'} that of {other}"


def _percentage_points(difference: float) -> str:
    return f"{fixed(100 * abs(difference), 2, '-')} percentage points"


def degradation_sentences(steps: Sequence[Calibration]) -> list[str]:
    """Say whether averaging passes helps as examples are distorted more and more, and how good the ensemble still is.

    Args:
        steps: of the predictors `ensemble` and `deterministic`, from the examples as they are to the most distorted
            ones, all of the same examples.

    Returns:
        Three sentences; each verdict follows from an interval.
    """
    first, last = (step.figures["ensemble"] for step in (steps[0], steps[-1]))
    start, end = (percent(figures["accuracy"].value) for figures in (first, last))
    accuracy, over = f"The ensemble's accuracy goes from {start} to {end}.", last["overconfidence"]
    by = f"by {fixed(100 * abs(over.value), 1, '-')} percentage points"
    if over.low > 0:
        honest = f"At the end it is over-confident {by}."
    elif over.high < 0:
        honest = f"At the end it is under-confident {by}."
    else:
        ends = f"between {fixed(100 * over.low, 1, '+')} and {fixed(100 * over.high, 1, '+')} percentage points"
        honest = f"At the end no miscalibration is found: confidence − accuracy may be anywhere {ends}."
    return [_averaging_sentence(steps), accuracy, honest]


def _averaging_sentence(steps: Sequence[Calibration]) -> str:
    """Test the mean over steps of each example's NLL once."""
    ensemble, other = ([step.predictors[name] for step in steps] for name in ("ensemble", "deterministic"))
    gains = np.mean([one["nll"] - two["nll"] for one, two in zip(ensemble, other, strict=True)], axis=0)
    most = LARGEST_LOSSES["nll"]
    gain = bounded_interval(gains, (-most, most), confidence=steps[0].confidence)
    if gain.low <= 0 <= gain.high:
        if gain.is_noise(float(np.mean([terms["nll"].mean() for terms in ensemble]))):
            return "Over all steps, averaging passes makes the NLL neither better nor worse, beyond noise."
        return f"There are {TOO_FEW} whether averaging passes makes the NLL better."
    ends = f"{fixed(gain.magnitude.low, 4, '-')} to {fixed(gain.magnitude.high, 4, '-')}"
    return (
        f"Over all steps, averaging passes makes the NLL {'worse' if gain.value > 0 else 'better'} by "
        f"{fixed(abs(gain.value), 4, '-')} nats ({100 * steps[0].confidence:.6g}% interval {ends})."
    )
