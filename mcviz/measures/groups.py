"""Groups of examples that are less accurate than the rest, or not calibrated, beyond chance.

Each group has an exact test of its accuracy against that of the rest (Fisher 1935), and one of its calibration
(`measures.poisson_binomial`). The tests are corrected for their number (Holm 1979): where there is nothing to find, any
group is named with a chance of at most 1 - `confidence`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy  # loads scipy.stats when it is first used

from mcviz.measures.calibration import CalibrationTerms, mistake_chances
from mcviz.measures.poisson_binomial import mistakes_p_value

Array = np.ndarray

FEWEST_IN_GROUP = 20  # examples of a group; of fewer, little can be told


@dataclass(frozen=True)
class GroupTest:
    """A test of one group.

    Attributes:
        column: by which examples are grouped.
        group: its number.
        examples: how many it has.
        measure: "accuracy", against the rest; or "confidence", against the group's own accuracy.
        value: the group's accuracy, or its mean confidence less its accuracy; fractions.
    of_rest: the accuracy of all other examples; NaN of "confidence".
        p_value: of the test.
        is_beyond_chance: whether it is significant among all tests.
    """

    column: str
    group: int
    examples: int
    measure: Literal["accuracy", "confidence"]
    value: float
    of_rest: float
    p_value: float
    is_beyond_chance: bool = False


def group_tests(
    terms: CalibrationTerms,
    columns: Mapping[str, Array],
    accuracy_alone: Collection[str] = (),
    confidence: float = 0.95,
) -> list[GroupTest]:
    """Test all groups of at least `FEWEST_IN_GROUP` examples; the smallest p-value comes first.

    Args:
        terms: of N examples, of one prediction each.
        columns: (N,) integers of at least 0, the group of each example, by the name of the column.
        accuracy_alone: those columns whose groups need not be calibrated: grouped by label, the predictions of a
            perfect model are not, since which of them are wrong is known from the group.
        confidence: 0 to 1.
    """
    correct, expected = terms.correct[:, 0], mistake_chances(terms)
    count, mistakes = len(terms), int((~correct).sum())
    found = []
    for column, members in columns.items():
        sizes = np.bincount(members)
        for group in np.flatnonzero((sizes >= FEWEST_IN_GROUP) & (sizes < count)).tolist():
            within, size = members == group, int(sizes[group])
            wrong = int((~correct[within]).sum())
            accuracy, rest_accuracy = 1 - wrong / size, 1 - (mistakes - wrong) / (count - size)
            by_chance = float(scipy.stats.hypergeom.sf(wrong - 1, count, mistakes, size))
            found.append(GroupTest(column, group, size, "accuracy", accuracy, rest_accuracy, by_chance))
            if column not in accuracy_alone:
                over = float(wrong / size - expected[within].mean())
                by_chance = mistakes_p_value(expected[within], wrong)
                found.append(GroupTest(column, group, size, "confidence", over, np.nan, by_chance))
    found.sort(key=lambda test: test.p_value)
    levels = (1 - confidence) / np.arange(len(found), 0, -1)
    refused = np.logical_and.accumulate([test.p_value <= level for test, level in zip(found, levels, strict=True)])
    return [replace(test, is_beyond_chance=bool(each)) for test, each in zip(found, refused, strict=True)]
