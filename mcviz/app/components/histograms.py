"""The probabilities of the passes class by class, as small histograms that the browser draws in place.

A plotly chart of ten pairs of axes is taken down and built up at each step to another example,
for a quarter of a second.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcviz.app.wording import abbreviated, prediction_and_votes
from mcviz.figures import group_by_role, select_classes
from mcviz.figures.passes import OTHER_CLASSES
from mcviz.measures import PassSummary, percent

TICKS = (1, 2, 5, 10, 25, 50, 250, 500, 1000, 2500, 5000, 10000)  # passes
LOWEST_TICK = 1 / 12  # of the passes: lower ones would stand too close together


def pass_histograms(summary: PassSummary, class_names: Sequence[str], label: int | None = None) -> dict[str, Any]:
    """Return a small histogram a class of its probability in each pass: 100 bins over 0 to 1, shared axes.

    The counts are drawn on a square-root scale, so that a few passes of another prediction stay visible beside
    hundreds.

    Args:
        summary: of the passes of one example.
        class_names: C names.
        label: its index, where it is known.

    Returns:
        As `Explanation.histograms`.
    """
    return {
        "passes": summary.passes,
        "ticks": ticks(summary.passes),
        "spoken": f"Histograms of the passes: {prediction_and_votes(summary, class_names)}",
        "panels": class_panels(summary, class_names, label),
    }


def ticks(passes: int) -> list[int]:
    """Return counts for the height of a histogram: 0, and a few up to all passes."""
    return [0, *(count for count in TICKS if LOWEST_TICK * passes <= count <= passes)]


def class_panels(summary: PassSummary, class_names: Sequence[str], label: int | None) -> list[dict[str, object]]:
    """Return the data from which the browser draws each class.

    Args:
        summary: of the passes of one example.
        class_names: C names.
        label: its index, where it is known.

    Returns:
        For each of `select_classes` its name, its role and the role's colour, the hundredths into which passes fall and
        how many do, and the mean and the standard deviation, also as a sentence.
    """
    mean, std = summary.mean, summary.std
    panels: dict[int, dict[str, object]] = {}
    shown = select_classes(mean, label)
    for role, colour, members in group_by_role(summary.prediction, label, shown):
        for c in members:
            counts = summary.histograms[c]
            bins = np.flatnonzero(counts)
            most, value = int(counts.argmax()), f"{percent(mean[c])} ± {percent(std[c])}"
            panels[c] = {
                "name": class_names[c],
                "role": "" if role == OTHER_CLASSES else role,
                "colour": colour,
                "bins": bins.tolist(),
                "counts": counts[bins].tolist(),
                "value": abbreviated(value),
                "spoken": f"{class_names[c]}, {role}: {value}; most often {most}% to {most + 1}%, "
                f"in {counts[most]} of {summary.passes} passes.",
            }
    return [panels[c] for c in shown]
