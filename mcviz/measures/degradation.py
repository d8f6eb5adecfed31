"""Whether a model stays honest as its examples are distorted more and more."""

from collections.abc import Sequence

from mcviz.measures.calibration import Calibration
from mcviz.measures.units import percent


def degradation_in_words(steps: Sequence[Calibration]) -> list[str]:
    """How good the ensemble still is at the end, and whether averaging passes makes calibration worse on the way.

    Args:
        steps: of the ways `ensemble` and `deterministic`, from the examples as they are to the most distorted ones.

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
    gaps = [step.differences["deterministic"].ece for step in steps]
    worse, better = sum(gap.low > 0 for gap in gaps), sum(gap.high < 0 for gap in gaps)
    of = f"of {len(steps)} steps, beyond noise"
    if worse and better:
        averaging = f"Averaging passes makes the ECE worse at {worse} and better at {better} {of}."
    elif worse:
        averaging = f"Averaging passes makes the ECE worse at {worse} {of}, and nowhere better."
    elif better:
        averaging = f"Averaging passes makes the ECE better at {better} {of}, and nowhere worse."
    else:
        averaging = "Averaging passes makes the ECE neither better nor worse, beyond noise."
    return [averaging, accuracy, honest]
