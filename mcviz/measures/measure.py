"""A measure of the quality of predictions, with its unit, bounds and formats."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from mcviz.measures.intervals import Interval
from mcviz.measures.registry import Terms
from mcviz.text import fixed, percent, significant

Unit = Literal["share", "per mille", "nats", "target", ""]
Place = Literal["trust", "compare"]
MEASURE_DIGITS = {"share": 2, "per mille": 2, "nats": 4, "": 4}
SCALE = {"share": 100, "per mille": 1000}


@dataclass(frozen=True)
class Measure:
    """A measure of the quality of predictions.

    Attributes:
        name: its name in files.
        label: its name for people.
        unit: "share" is shown in percent, "per mille" in thousandths; "target" is the unit of the run's targets.
        better: whether low or high values are better; "" if that depends.
        bounds: its lowest and highest possible value.
        has_interval: whether it has an interval, given enough examples and mistakes.
        too_few: a sentence on how many are too few; "" if it always has an interval, or shows that itself.
        places: that show it: the trust in one run, and the comparison of two.
    """

    name: str
    label: str
    unit: Unit
    better: Literal["low", "high", ""]
    bounds: tuple[float, float] = (-np.inf, np.inf)
    has_interval: bool = True
    too_few: str = ""
    places: frozenset[Place] = frozenset(("trust", "compare"))

    @property
    def heading(self) -> str:
        """The label with the unit that values below omit: "NLL, nats"."""
        return f"{self.label}, nats" if self.unit == "nats" else self.label

    @property
    def takes_percent(self) -> bool:
        """Whether a bound may be in percent: shares and 0-to-1 scores."""
        return self.unit in SCALE or (self.better == "high" and self.bounds == (0, 1))

    @property
    def is_signed(self) -> bool:
        """Whether the measure is itself a difference, shown with its sign."""
        return -np.inf < self.bounds[0] < 0

    def format(self, value: float, target_unit: str = "", *, sign: str = "") -> str:
        """Format a value with its unit, such as "98.21%".

        With `sign` "+" it is a difference, such as "+0.21 points".
        """
        return f"{self.format_number(value, sign=sign)}{self._unit(target_unit, sign)}"

    def format_number(self, value: float, *, sign: str = "", digits: int | None = None) -> str:
        """Format a value without its unit; "–" for NaN.

        Args:
            value: of the measure; a share is a fraction.
            sign: "+" for a difference.
            digits: after the point; None for the usual number.
        """
        if np.isnan(value):
            return "–"
        if digits is not None:
            return fixed(value, digits, sign)
        if self.unit == "target":
            return f"{'+' if sign == '+' and value >= 0 else ''}{significant(value)}"
        if self.unit == "share" and not (sign or self.is_signed):
            return percent(value, MEASURE_DIGITS[self.unit]).removesuffix("%")
        return fixed(SCALE.get(self.unit, 1) * value, MEASURE_DIGITS[self.unit], sign)

    def format_interval(
        self, interval: Interval, target_unit: str = "", *, sign: str = "", digits: int | None = None
    ) -> str:
        """Format a value with unit and interval: "98.21% (97.95 to 98.44)".

        The AUROC of few mistakes has no interval, nor has a difference between too few examples.
        """
        if np.isnan(interval.value):
            return "–"
        if self.has_interval and (np.isnan(interval.low) or np.isnan(interval.high)):
            number = self.format_number(interval.value, sign=sign, digits=digits)
            return f"{number}{self._unit(target_unit, sign)} (no interval)"
        return interval.format(partial(self.format_number, sign=sign, digits=digits), self._unit(target_unit, sign))

    def format_below_heading(self, interval: Interval, sign: str = "") -> str:
        """Format a value and its interval, if any, below `heading`."""
        sign = "+" if self.is_signed else sign
        unit = "" if self.unit == "nats" else self._unit("", sign)
        return interval.format(partial(self.format_number, sign=sign), unit)

    def _unit(self, target_unit: str, sign: str) -> str:
        points = " points" if sign else "%"
        unit = {"share": points, "per mille": " ‰", "target": f" {target_unit}", "nats": " nats"}.get(self.unit, "")
        return unit.rstrip()


@dataclass(frozen=True)
class ClassMeasure(Measure):
    """A measure of the predictions of one class.

    Attributes:
        compute: takes the terms that `Task.class_terms` returns, the number of the class and the confidence of the
            interval; the value is NaN if the terms have none.
    """

    compute: Callable[[Terms, int, float], Interval] = field(kw_only=True)


TRUST, COMPARE = frozenset[Place](("trust",)), frozenset[Place](("compare",))
CLASSIFICATION_MEASURES = (
    Measure("accuracy", "accuracy", "share", "high", (0, 1)),
    Measure("nll", "NLL", "nats", "low", (0, np.inf)),
    Measure("brier", "Brier score", "", "low", (0, 2)),
    Measure("ece", "ECE", "share", "low", (0, 1), has_interval=False),
    Measure("ece_equal_mass", "ECE, equal mass", "share", "low", (0, 1), has_interval=False, places=TRUST),
    Measure("overconfidence", "confidence − accuracy", "share", "", (-1, 1)),
    Measure("aurc", "AURC", "per mille", "low", (0, 1), places=COMPARE),
    Measure("auroc", "AUROC of finding mistakes", "", "high", (0, 1), places=COMPARE),
)
