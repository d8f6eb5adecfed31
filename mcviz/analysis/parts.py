"""The figures of a part of a run: of a class, of a group of examples, or of the slices that are worse than the rest."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mcviz.analysis.base import require_known_labels
from mcviz.analysis.predictors import group_by_column, main_predictors, predictors
from mcviz.analysis.slices import slices
from mcviz.analysis.terms import load_terms
from mcviz.errors import InvalidInputError
from mcviz.measures.calibration import calibration_figures
from mcviz.measures.intervals import Interval
from mcviz.measures.measure import ClassMeasure
from mcviz.measures.quality import compute_measures
from mcviz.measures.registry import select_terms
from mcviz.runs import Run
from mcviz.text import one_line

Array = np.ndarray

BARE = re.compile(r"""[^\s"<>=%]+""")  # a name that needs no quotes
WHOLE = "in all examples, since no slice is worse than chance explains"


@dataclass(frozen=True)
class Part:
    """A part of a run's examples, and a class for class figures.

    Attributes:
        name: such as "of cat in region=west".
        within: (N,) bool, the examples.
        number: of the class, or None.
        has_class: (N,) bool, the examples with that class by their labels, or None.
    """

    name: str
    within: Array
    number: int | None = None
    has_class: Array | None = None


def quote(name: str) -> str:
    """Put a name in quotes, with the escapes of JSON, unless it can stand without them."""
    return name if BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def find_parts(run: Run, column: str, value: str | None) -> list[Part]:
    """Find the groups of examples that `group_by_column` makes; of a value that one alone.

    Raises:
        InvalidInputError: there is no such column or value.
    """
    groups, wanted = group_by_column(run, column), None if value is None else one_line(value)
    numbers = [number for number, name in enumerate(groups.names) if wanted in (None, name)]
    if not numbers:
        there = ", ".join(map(quote, groups.names))
        raise InvalidInputError(f"{one_line(column)} has the values {there}. Received: {quote(wanted or '')}.")
    return [Part(f"in {quote(column)}={quote(groups.names[number])}", groups.members == number) for number in numbers]


def find_worst_slices(run: Run) -> tuple[list[Part], int]:
    """Find the slices that are worse than chance explains, or else all examples, and how many were looked at."""
    worst, numbers = slices(run), np.arange(len(run))
    if not worst.slices:
        return [Part(WHOLE, numbers >= 0)], 1
    names = [
        " and ".join(f"{quote(condition.column)}={quote(condition.name)}" for condition in part.conditions)
        for part in worst.slices
    ]
    parts = {name: np.isin(numbers, part.examples) for name, part in zip(names, worst.slices, strict=True)}
    return [Part(f"in {name}", within) for name, within in parts.items()], max(worst.counts.values())


def split_by_class(run: Run, parts: Sequence[Part], name: str | None) -> list[Part]:
    """Split parts into the examples of a class and others, for every class or the one of a name.

    Raises:
        InvalidInputError: there is no such class, or the run has no labels.
    """
    members = run.task.class_members(run.manifest, run.array, require_known_labels(run))
    names = tuple(map(one_line, run.class_names))
    if name is not None and one_line(name) not in names:
        there = ", ".join(map(quote, names))
        raise InvalidInputError(f"The classes are {there}. Received: {quote(one_line(name))}.")
    numbers = range(len(names)) if name is None else [names.index(one_line(name))]
    return [
        Part(f"of {quote(names[number])} {part.name}".rstrip(), part.within, number, members[:, number])
        for part in parts
        for number in numbers
    ]


def count_examples(part: Part) -> int:
    """Count the examples of a part, of a class those that have its label."""
    return int((part.within if part.has_class is None else part.within & part.has_class).sum())


def prepare_class_figures(run: Run, predictor: str, measure: ClassMeasure) -> Callable[[Part, float], Interval]:
    """Prepare a function of a part of one class and a confidence that computes a measure with its interval.

    Args:
        run: with labels.
        predictor: its name.
        measure: one of the task's.

    Raises:
        InvalidInputError: the run has no labels, one example, or the measure is not known of this predictor.
    """
    known = run.task.class_terms(run.manifest, run.array, require_known_labels(run))
    if predictor not in known:
        raise InvalidInputError(f"The {measure.name} of a class is known of {', '.join(known)}. Received: {predictor}.")
    terms = known[predictor]
    return lambda part, confidence: measure.compute(select_terms(terms, part.within), part.number or 0, confidence)


def prepare_figures(run: Run, predictor: str, measure: str) -> Callable[[Part, float], Interval]:
    """Prepare a function of a part and a confidence that computes a measure with its interval.

    Args:
        run: with labels.
        predictor: its name.
        measure: its name.

    Raises:
        InvalidInputError: the run has no labels, one example, or no such predictor.
    """
    if run.task.has_one_class:
        main = main_predictors(run)
        terms = main[predictor] if predictor in main else predictors(run)[predictor]
        return lambda part, confidence: calibration_figures(select_terms(terms, part.within), confidence=confidence)[
            measure
        ]
    of_all = load_terms(run)[predictor]
    is_known = ~np.isnan(run.task.loss_of_terms(of_all))

    def compute_part(part: Part, confidence: float) -> Interval:
        known = part.within & is_known
        if not known.any():
            return Interval(np.nan)
        return compute_measures(run.task.quality, select_terms(of_all, known), confidence=confidence)[measure]

    return compute_part
