"""Requirements on figures of a run, as a pipeline states them."""

import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from mcviz.analysis.base import Figures
from mcviz.analysis.comparison import Comparison
from mcviz.analysis.parts import (
    BARE,
    Part,
    count_examples,
    find_parts,
    find_worst_slices,
    prepare_class_figures,
    prepare_figures,
    quote,
    split_by_class,
)
from mcviz.errors import InvalidInputError
from mcviz.measures.intervals import Interval, count_groups
from mcviz.measures.measure import ClassMeasure, Measure
from mcviz.measures.quality import difference_intervals, overconfidence_growth
from mcviz.measures.registry import Terms
from mcviz.measures.slices import FEWEST_IN_GROUP
from mcviz.runs import Run, labelled_examples
from mcviz.tasks import TASKS, Task
from mcviz.text import true_minus

MAGNITUDE = "overconfidence"  # whose distance from 0 must not grow
OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
NAMED_AT_MOST = 10  # parts, in a sentence
COUNTED = "accuracy", "exact_match"  # of which a changed prediction costs as much as one can, and the margin twice that
STEPS = [digit * 10**power for power in range(12) for digit in (1, 2, 5)]  # numbers of examples that are advised
NUMBER = r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)\s*(?P<percent>%?)"
NAME = rf"""{BARE.pattern}|"(?:[^"\\]|\\.)*\""""
REQUIREMENT = re.compile(
    rf"""\s*(?:(?P<predictor>\w+)\.)?(?P<measure>(?!(?:low|high)\b)\w+)(?:\.(?P<end>low|high))?
    (?:\s+of\s+(?:(?P<every_class>every\s+class)|(?P<class_name>{NAME})))?
    \s*(?P<comparison>[<>]=?)\s*{NUMBER}
    (?:\s+in\s+(?:(?P<worst_slice>worst\s+slice)|every\s+(?P<every>{NAME})|(?P<column>{NAME})\s*=\s*(?P<value>{NAME})))?
    (?:\s+with\s+at\s+least\s+(?P<fewest>[0-9]{{1,9}})\s+examples)?\s*""",
    re.VERBOSE | re.DOTALL,
)
NON_INFERIORITY = re.compile(rf"\s*(?P<measure>\w+)\s+not\s+worse(?:\s+by\s+{NUMBER})?\s*")
REQUIREMENT_FORM = (
    "[PREDICTOR.]MEASURE[.low|.high] [of CLASS|of every class] (>=|<=|>|<) NUMBER[%] "
    "[in COLUMN=VALUE|in every COLUMN|in worst slice] [with at least N examples]"
)
NON_INFERIORITY_FORM = "MEASURE not worse [by NUMBER[%]]"


@dataclass(frozen=True)
class Judgement:
    """Whether a requirement is met.

    Attributes:
        requirement: as `str` gives it.
        found: the figure and the ends of its interval, NaN where there are none; of several parts those of the worst.
        in_words: the same, in percent where the requirement is, and the parts that do not meet it.
        met: whether it is, by every part; None where the requirement means nothing here, which `in_words` explains.
        parts: that the requirement names: classes, groups or slices; the worst first.
    """

    requirement: str
    found: Interval
    in_words: str
    met: bool | None
    parts: tuple["PartJudgement", ...] = ()


@dataclass(frozen=True)
class PartJudgement:
    """Whether a part of a run meets a requirement.

    Attributes:
        part: such as "in region=west" or "of cat".
        examples: how many it has; of a class those with its label.
        found: the figure and the ends of its interval, which hold for all parts together (Bonferroni).
        in_words: the same, in percent where the requirement is.
        met: whether it does.
    """

    part: str
    examples: int
    found: Interval
    in_words: str
    met: bool


@dataclass(frozen=True)
class Requirement:
    """A bound on a figure of a run or on an end of its interval.

    Attributes:
        measure: its name.
        comparison: one of `OPERATORS`.
        number: the bound, as it was typed.
        percent: whether the bound is in percent.
        predictor: its name.
        end: "low" or "high" for an end of the interval; "" for the figure itself.
        class_name: of the class that the measure is of, or None.
        every_class: whether it holds for every class.
        column: by which examples are grouped, or None for all examples.
        value: of the column; None for every one.
        worst_slice: whether it is of the slices that are worse than chance explains.
        fewest: how many examples a class or group has to have. Without it 20, and where one of several has fewer the
            requirement means nothing; with it smaller ones are left out.
    """

    measure: str
    comparison: str
    number: Decimal
    percent: bool = False
    predictor: str = "ensemble"
    end: str = ""
    class_name: str | None = None
    every_class: bool = False
    column: str | None = None
    value: str | None = None
    worst_slice: bool = False
    fewest: int | None = None

    def __str__(self) -> str:
        figure = ".".join(filter(None, (self.predictor, self.measure, self.end))).removeprefix("ensemble.")
        words = [figure]
        if self.is_of_class:
            words.append("of every class" if self.class_name is None else f"of {quote(self.class_name)}")
        words += [self.comparison, _format_bound(self.number, self.percent)]
        if self.worst_slice:
            words.append("in worst slice")
        elif self.column is not None:
            column = quote(self.column)
            words.append(f"in every {column}" if self.value is None else f"in {column}={quote(self.value)}")
        if self.fewest is not None:
            words.append(f"with at least {self.fewest} examples")
        return " ".join(words)

    @property
    def is_of_class(self) -> bool:
        """Return whether it names one class or every class."""
        return self.every_class or self.class_name is not None

    @property
    def names_parts(self) -> bool:
        """Return whether it names a group, a class or a number of examples."""
        parts = self.class_name, self.column, self.fewest
        return self.every_class or self.worst_slice or any(part is not None for part in parts)

    def judge(self, figures: Figures, run: Run | None = None, confidence: float = 0.95) -> Judgement:
        """Hold it against the figures of a run.

        Args:
            figures: of all examples.
            run: that they are of, which a requirement of a class, a group or a slice takes.
            confidence: above 0 and below 1, of the intervals of these.

        Raises:
            InvalidInputError: it means nothing of this run: there is no such figure, no interval, too few examples, or
                every value of the measure meets it, or none.
        """
        if self.predictor not in figures:
            raise _meaningless(self, f"has no predictor {self.predictor}, but {', '.join(figures)}")
        measures = figures[self.predictor]
        if self.is_of_class:
            self._require_run(run)
        measure = self._find_measure(measures, TASKS.values() if run is None else (run.task,))
        _check_percent(self, measure)
        _check_bounds(self, measure)
        if self.measure in measures and not self.names_parts:
            interval = measures[self.measure]
            return Judgement(str(self), interval, self._describe(interval, measure), self._is_met_by(interval))
        parts = self._judge_parts(measure, run, confidence)
        worst, failed = parts[0], [judgement.part for judgement in parts if not judgement.met]
        words = f"{worst.in_words} {worst.part}".rstrip()
        if len(failed) > 1:
            more = f", and {len(failed) - NAMED_AT_MOST:,} more" if len(failed) > NAMED_AT_MOST else ""
            words += f"; it is not met {', '.join(failed[:NAMED_AT_MOST])}{more}"
        elif len(parts) > 1:
            words += f", the worst of {len(parts):,}"
        return Judgement(str(self), worst.found, words, not failed, tuple(parts))

    def _require_run(self, run: Run | None) -> Run:
        if run is None:
            raise InvalidInputError(f"{str(self)!r} is about a part of a run. Give `judge` the run, too.")
        return run

    def _find_measure(self, known: Mapping[str, Interval], tasks: Iterable[Task]) -> Measure:
        declared: dict[str, Measure] = {}
        of_class: dict[str, Measure] = {}
        for task in tasks:
            of_task = {measure.name: measure for measure in task.quality.measures}
            if known.keys() <= of_task.keys():
                declared = {name: of_task[name] for name in known}
                of_class = {measure.name: measure for measure in task.quality.of_class}
                break
        if self.is_of_class and self.measure not in of_class:
            offered = f"has no {self.measure} of a class, but {', '.join(of_class)}"
            raise _meaningless(self, offered if of_class else "has no measure of a class")
        offered_here = of_class if self.is_of_class else of_class | declared
        if self.measure not in offered_here:
            there = ", ".join(declared | of_class)
            raise _meaningless(self, f"has no measure {self.measure} of {self.predictor}, but {there}")
        return offered_here[self.measure]

    def _judge_parts(self, measure: Measure, run: Run | None, confidence: float) -> list[PartJudgement]:
        run = labelled_examples(self._require_run(run))
        of_two = self.measure == "roc_auc" and len(run.class_names) == 2
        if isinstance(measure, ClassMeasure) and not of_two and not self.is_of_class:
            raise _meaningless(self, f"has no {self.measure} of all classes; write '{self.measure} of every class'")
        parts, looked_at = [Part("", np.ones(len(run), bool))], 1
        if self.worst_slice:
            parts, looked_at = find_worst_slices(run)
        elif self.column is not None:
            parts = find_parts(run, self.column, self.value)
        if self.is_of_class:
            parts = split_by_class(run, parts, self.class_name)
        parts = self._select_large(parts)
        # The slices are those that stood out among all that were looked at.
        together = 1 - (1 - confidence) / max(looked_at, len(parts))
        compute = (
            prepare_class_figures(run, self.predictor, measure)
            if isinstance(measure, ClassMeasure)
            else prepare_figures(run, self.predictor, self.measure)
        )
        judged = []
        for part in parts:
            interval = compute(part, together)
            met = self._is_met_by(interval, part.name)
            words = self._describe(interval, measure)
            judged.append(PartJudgement(part.name, count_examples(part), interval, words, met))
        lowest_first = self.comparison.startswith(">")
        return sorted(judged, key=lambda part_judged: self._value(part_judged.found) * (1 if lowest_first else -1))

    def _select_large(self, parts: list[Part]) -> list[Part]:
        fewest = max(1, FEWEST_IN_GROUP if self.fewest is None else self.fewest)
        counts = list(map(count_examples, parts))
        large = [part for part, count in zip(parts, counts, strict=True) if count >= fewest]
        if len(large) < len(parts) and (self.fewest is None or not large):
            count, name = min((count, part.name) for part, count in zip(parts, counts, strict=True))
            what = "labels" if self.is_of_class else "examples"
            advice = ""
            if self.fewest is None:
                least, why = (max(count, 1), "") if len(parts) == 1 else (fewest, " to leave smaller ones out")
                advice = f". Write 'with at least {least} examples' behind it{why}"
            raise _meaningless(self, f"has {f'{count:,} {what} {name}'.rstrip()}, and it takes {fewest:,}{advice}")
        return large

    def _value(self, interval: Interval) -> float:
        return getattr(interval, self.end or "value")

    def _describe(self, interval: Interval, measure: Measure) -> str:
        return f"{measure.label} is {_format_figure(interval, self.percent, '%')}"

    def _is_met_by(self, interval: Interval, where: str = "") -> bool:
        value = self._value(interval)
        if math.isnan(value):
            raise _meaningless(self, f"has no {'interval' if self.end else 'value'} of {self.measure} {where}".rstrip())
        return OPERATORS[self.comparison](value, _bound(self.number, self.percent))


@dataclass(frozen=True)
class NonInferiority:
    """A requirement that the second run is not worse by a margin.

    Attributes:
        measure: its name.
        margin: 0 or more, as it was typed.
        percent: whether the margin is in percent.
    """

    measure: str
    margin: Decimal = Decimal(0)
    percent: bool = False

    def __str__(self) -> str:
        by = f" by {_format_bound(self.margin, self.percent)}" if self.margin or self.percent else ""
        return f"{self.measure} not worse{by}"

    def judge(self, comparison: Comparison) -> Judgement:
        """Judge the second run by the worse end of the difference's interval.

        Confidence − accuracy compares magnitudes. Unchanged runs always pass.

        Raises:
            InvalidInputError: it means nothing of these runs: there is no such measure, or no interval of its
                difference; labels are missing; or the examples are not the same.
        """
        measure = self._find_measure(comparison)
        if comparison.terms is None:
            raise _meaningless(self, "has no labels")
        if not comparison.paired:
            raise _meaningless(self, "is over other examples than the first")
        if comparison.is_unchanged:
            return Judgement(str(self), Interval(0.0), comparison.in_words.rstrip("."), True)
        figure = f"the magnitude of {measure.label}" if self.measure == MAGNITUDE else measure.label
        difference = self._difference(comparison, *comparison.terms)
        worst, margin = _worse(measure, difference).high, _bound(self.margin, self.percent)
        if math.isnan(worst):
            raise _meaningless(self, f"has too few examples, changes or mistakes for an interval of the {self.measure}")
        words = f"{figure} changes by {_format_figure(difference, self.percent, ' points', sign='+')}"
        if worst > margin >= _worse(measure, difference).low:
            words += self._describe_limit(measure, comparison)
        return Judgement(str(self), difference, words, worst <= margin)

    def _find_measure(self, comparison: Comparison) -> Measure:
        by_name = comparison.one.task.quality.compared
        offered = [
            name for name, measure in by_name.items() if (measure.better and measure.has_interval) or name == MAGNITUDE
        ]
        if self.measure in by_name and not by_name[self.measure].has_interval:
            raise _meaningless(
                self,
                f"has no interval of how much worse its {self.measure} is, which chance alone raises, most for the "
                f"better one; require {', '.join(offered)}",
            )
        if self.measure not in offered:
            raise _meaningless(self, f"has no measure {self.measure} that can be worse, but {', '.join(offered)}")
        measure = by_name[self.measure]
        _check_percent(self, measure)
        widest = 1 if self.measure == MAGNITUDE else measure.bounds[1] - measure.bounds[0]
        if _bound(self.margin, self.percent) >= widest:
            raise _meaningless(self, f"could not miss it: two values differ by {_format_range(measure, (0, widest))}")
        return measure

    def _difference(self, comparison: Comparison, one: Terms, other: Terms) -> Interval:
        options: dict[str, Any] = {"groups": comparison.groups, "confidence": comparison.confidence}
        if self.measure == MAGNITUDE:
            return overconfidence_growth(one, other, **options)
        quality = comparison.one.task.quality
        found = difference_intervals(quality, one, other, [self.measure], resamples=1000, seed=0, **options)
        return found.get(self.measure, Interval(math.nan))

    def _describe_limit(self, measure: Measure, comparison: Comparison) -> str:
        assert comparison.terms is not None
        same, margin = comparison.terms[0], _bound(self.margin, self.percent)
        best = _worse(measure, self._difference(comparison, same, same)).high
        if not margin or math.isnan(best) or best <= margin:
            return ""
        groups = comparison.groups
        count, noun = count_groups(len(comparison.measured), groups), "examples" if groups is None else "groups"
        scaled, unit = (100 * best, "%") if self.percent else (best, "")
        digits = 1 - math.floor(math.log10(scaled))
        shown = math.ceil(scaled * 10**digits) / 10**digits
        as_many = count * best / margin * (2 if self.measure in COUNTED else 1)
        needed = next(step for step in STEPS if step >= as_many)
        return f"; {count:,} {noun} can show {shown:g}{unit} at best; about {needed:,} are needed"


Judged = TypeVar("Judged", Requirement, NonInferiority)


def judge_all(requirements: Iterable[Judged], judge: Callable[[Judged], Judgement]) -> list[Judgement]:
    """Judge requirements; a meaningless one gets a reason."""
    judgements = []
    for requirement in requirements:
        try:
            judgements.append(judge(requirement))
        except InvalidInputError as error:
            judgements.append(Judgement(str(requirement), Interval(math.nan), str(error), None))
    return judgements


def parse_requirement(text: str) -> Requirement:
    """Parse a bound, such as "accuracy >= 99%" or "recall.low of cat >= 80% in region=west".

    Names with spaces, quotes or any of <, > = and % are JSON strings.

    Raises:
        InvalidInputError: it is none.
    """
    match = REQUIREMENT.fullmatch(text)
    try:
        if match is None or not math.isfinite(float(match["number"])):
            raise ValueError(text)
        class_name, every, column, value = map(_unquote, match.group("class_name", "every", "column", "value"))
    except ValueError:
        raise _not_understood(text, REQUIREMENT_FORM, "accuracy >= 99%") from None
    return Requirement(
        match["measure"],
        match["comparison"],
        Decimal(match["number"]),
        bool(match["percent"]),
        match["predictor"] or "ensemble",
        match["end"] or "",
        class_name,
        match["every_class"] is not None,
        every if every is not None else column,
        value,
        match["worst_slice"] is not None,
        None if match["fewest"] is None else int(match["fewest"]),
    )


def parse_non_inferiority(text: str) -> NonInferiority:
    """Parse a requirement such as "accuracy not worse by 0.5%".

    Raises:
        InvalidInputError: it is none.
    """
    match = NON_INFERIORITY.fullmatch(text)
    number = float(match["number"] or 0) if match else -1
    if match is None or not 0 <= number < math.inf:
        raise _not_understood(text, NON_INFERIORITY_FORM, "accuracy not worse by 0.5%")
    return NonInferiority(match["measure"], Decimal(match["number"] or 0), bool(match["percent"]))


def _worse(measure: Measure, difference: Interval) -> Interval:
    if measure.better == "high":
        return Interval(-difference.value, -difference.high, -difference.low)
    return difference


def _bound(number: Decimal, percent: bool) -> float:
    return float(number.scaleb(-2)) if percent else float(number)  # 99.9% is 0.999


def _format_bound(number: Decimal, percent: bool) -> str:
    return f"{number}{'%' if percent else ''}"


def _format_figure(interval: Interval, percent: bool, unit: str, sign: str = "") -> str:
    scale = 100 if percent else 1
    return interval.format(lambda value: true_minus(f"{scale * value:{sign}z.6g}"), unit if percent else "")


def _unquote(name: str | None) -> str | None:
    return json.loads(name, strict=False) if name is not None and name.startswith('"') else name


def _check_percent(requirement: Requirement | NonInferiority, measure: Measure) -> None:
    if requirement.percent and not measure.takes_percent:
        raise _meaningless(requirement, f"has a {requirement.measure} that is no share, so it is not in percent")


def _check_bounds(requirement: Requirement, measure: Measure) -> None:
    bound, is_met = _bound(requirement.number, requirement.percent), OPERATORS[requirement.comparison]
    low, high = (is_met(end, bound) for end in measure.bounds)
    if low == high:
        meets = "cannot miss it" if low else "cannot meet it"
        raise _meaningless(requirement, f"{meets}: {measure.label} is {_format_range(measure, measure.bounds)}")


def _format_range(measure: Measure, bounds: tuple[float, float]) -> str:
    low, high = bounds
    if math.isinf(high):
        return f"{low:g} and up"
    return f"{low:g} to {high:g}" + (f", which is {100 * low:g}% to {100 * high:g}%" if measure.takes_percent else "")


def _meaningless(requirement: Requirement | NonInferiority, reason: str) -> InvalidInputError:
    return InvalidInputError(f"The requirement {str(requirement)!r} means nothing here: the run {reason}.")


def _not_understood(text: str, form: str, example: str) -> InvalidInputError:
    quoting = " Put names with spaces in double quotes." if " of " in text or " in " in text else ""
    return InvalidInputError(f"A requirement should be {form}, such as {example!r}. Received: {text!r}.{quoting}")
