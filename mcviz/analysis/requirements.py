"""Requirements on a run's figures, as a pipeline asks for them, and whether they are met."""

import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from mcviz.analysis.comparison import Comparison
from mcviz.errors import InvalidInputError
from mcviz.measures.bootstrap import Interval
from mcviz.measures.quality import CLASSIFICATION, REGRESSION, SCALE, overconfidence_growth

Figures = Mapping[str, Mapping[str, Interval]]  # by the names of the predictor and of the measure

MAGNITUDE = "overconfidence"  # whose distance from 0 must not grow
OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
SHARES = {each.name for each in (*CLASSIFICATION.measures, *REGRESSION.measures) if each.unit in SCALE}
SHARES |= {"ece_equal_mass"}
NUMBER = r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)\s*(?P<percent>%?)"
REQUIREMENT = re.compile(
    rf"\s*(?:(?P<predictor>\w+)\.)?(?P<measure>(?!(?:low|high)\b)\w+)(?:\.(?P<end>low|high))?\s*(?P<comparison>[<>]=?)\s*{NUMBER}\s*"
)
NON_INFERIORITY = re.compile(rf"\s*(?P<measure>\w+)\s+not\s+worse(?:\s+by\s+{NUMBER})?\s*")
REQUIREMENT_FORM = "[PREDICTOR.]MEASURE[.low|.high] (>=|<=|>|<) NUMBER[%]"
NON_INFERIORITY_FORM = "MEASURE not worse [by NUMBER[%]]"


@dataclass(frozen=True)
class Judgement:
    """Whether a requirement is met.

    Attributes:
        requirement: as `str` gives it.
        found: the figure and the ends of its interval, NaN where there are none.
        in_words: the same, in percent where the requirement is.
        met: whether it is.
    """

    requirement: str
    found: Interval
    in_words: str
    met: bool


@dataclass(frozen=True)
class Requirement:
    """A bound on a figure of a run, or on an end of its interval.

    Attributes:
        measure: its name.
        comparison: one of `OPERATORS`.
        number: the bound, as it was typed.
        percent: whether the bound is in percent.
        predictor: its name.
        end: "low" or "high" for an end of the interval; "" for the figure itself.
    """

    measure: str
    comparison: str
    number: Decimal
    percent: bool = False
    predictor: str = "ensemble"
    end: str = ""

    def __str__(self) -> str:
        figure = ".".join(filter(None, (self.predictor, self.measure, self.end)))
        return f"{figure.removeprefix('ensemble.')} {self.comparison} {_format_bound(self.number, self.percent)}"

    def judge(self, figures: Figures) -> Judgement:
        """Hold it against the figures of a run.

        Raises:
            InvalidInputError: it means nothing of this run: there is no such figure, or no interval.
        """
        if self.predictor not in figures:
            raise _meaningless(self, f"has no predictor {self.predictor}, but {', '.join(figures)}")
        measures = figures[self.predictor]
        if self.measure not in measures:
            raise _meaningless(self, f"has no measure {self.measure} of {self.predictor}, but {', '.join(measures)}")
        _check_percent(self)
        found = measures[self.measure]
        value = getattr(found, self.end or "value")
        if math.isnan(value):
            raise _meaningless(self, f"has no {'interval' if self.end else 'value'} of {self.measure}")
        met = OPERATORS[self.comparison](value, _bound(self.number, self.percent))
        return Judgement(str(self), found, f"{self.measure} is {_format_figure(found, self.percent, '%')}", met)


@dataclass(frozen=True)
class NonInferiority:
    """That a second run is not worse than the first by more than a margin.

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
        """Judge the second run by the worse end of the interval of its difference from the first.

        Of confidence − accuracy it is the difference of the magnitudes.

        Raises:
            InvalidInputError: it means nothing of these runs: there is no such measure, or no interval of its
                difference; labels are missing; or the examples are not the same.
        """
        by_name = {each.name: each for each in comparison.one.task.quality.measures}
        offered = [name for name, each in by_name.items() if (each.better and each.has_interval) or name == MAGNITUDE]
        if self.measure in by_name and not by_name[self.measure].has_interval:
            raise _meaningless(
                self,
                f"has no interval of how much worse its {self.measure} is, which chance alone raises, most for the "
                f"better one; require {', '.join(offered)}",
            )
        if self.measure not in offered:
            raise _meaningless(self, f"has no measure {self.measure} that can be worse, but {', '.join(offered)}")
        _check_percent(self)
        if comparison.terms is None:
            raise _meaningless(self, "has no labels")
        if not comparison.paired:
            raise _meaningless(self, "is over other examples than the first")
        if self.measure == MAGNITUDE:
            figure = f"the magnitude of {self.measure}"
            difference = overconfidence_growth(*comparison.terms, confidence=comparison.confidence)
        else:
            figure = self.measure
            (difference,) = (each.difference for each in comparison.measures if each.measure.name == self.measure)
        worst = difference.low if by_name[self.measure].better == "high" else -difference.high
        if math.isnan(worst):
            raise _meaningless(self, f"has too few examples, changes or mistakes for an interval of the {self.measure}")
        met = worst >= -_bound(self.margin, self.percent)
        by = _format_figure(difference, self.percent, " points", sign="+")
        return Judgement(str(self), difference, f"{figure} changes by {by}", met)


def parse_requirement(text: str) -> Requirement:
    """Parse a bound, such as "accuracy >= 99%" or "deterministic.nll.high < 0.05".

    Raises:
        InvalidInputError: it is none.
    """
    found = REQUIREMENT.fullmatch(text)
    if found is None or not math.isfinite(float(found["number"])):
        raise _not_understood(text, REQUIREMENT_FORM, "accuracy >= 99%")
    return Requirement(
        found["measure"],
        found["comparison"],
        Decimal(found["number"]),
        bool(found["percent"]),
        found["predictor"] or "ensemble",
        found["end"] or "",
    )


def parse_non_inferiority(text: str) -> NonInferiority:
    """Parse what a comparison is asked for, such as "accuracy not worse by 0.5%".

    Raises:
        InvalidInputError: it is none.
    """
    found = NON_INFERIORITY.fullmatch(text)
    number = float(found["number"] or 0) if found else -1
    if found is None or not 0 <= number < math.inf:
        raise _not_understood(text, NON_INFERIORITY_FORM, "accuracy not worse by 0.5%")
    return NonInferiority(found["measure"], Decimal(found["number"] or 0), bool(found["percent"]))


def _bound(number: Decimal, percent: bool) -> float:
    return float(number.scaleb(-2)) if percent else float(number)  # 99.9% is 0.999


def _format_bound(number: Decimal, percent: bool) -> str:
    return f"{number}{'%' if percent else ''}"


def _format_figure(found: Interval, percent: bool, unit: str, sign: str = "") -> str:
    scale = 100 if percent else 1
    return found.format(lambda value: f"{scale * value:{sign}.6g}", unit if percent else "")


def _check_percent(requirement: Requirement | NonInferiority) -> None:
    if requirement.percent and requirement.measure not in SHARES:
        raise _meaningless(requirement, f"has a {requirement.measure} that is no share, so it is not in percent")


def _meaningless(requirement: Requirement | NonInferiority, reason: str) -> InvalidInputError:
    return InvalidInputError(f"The requirement {str(requirement)!r} means nothing here: the run {reason}.")


def _not_understood(text: str, form: str, example: str) -> InvalidInputError:
    return InvalidInputError(f"A requirement should be {form}, such as {example!r}. Received: {text!r}.")
