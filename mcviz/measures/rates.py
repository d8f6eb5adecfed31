"""Which rate of dropout is best: chosen on one half of the examples, and judged on the other.

A rate that is chosen by the labels flatters itself on these labels. So half of the examples, at random, choose the rate
that has the lowest NLL, a proper scoring rule; all figures with their intervals are those of the other half.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mcviz.measures.bootstrap import Interval
from mcviz.measures.quality import QUALITY, Compared, Terms, compared, measured, only

Array = np.ndarray
LEAST_EXAMPLES = 4  # two in each half


@dataclass(frozen=True)
class RateChoice:
    """What ensembles at several rates of dropout are worth.

    Attributes:
        task: of the predictions.
        rates: (R,) float64 ascending.
        choosing: (R,) float64, of the half that chooses: the measure by which a rate is chosen, low is good.
        figures: for each rate an interval a measure, of the other half.
        chosen: the rate that is best for the half that chooses.
        gain: what the chosen rate is worth against those of the training, paired, of the other half.
        examples: how many each half holds: that which chooses, and the other.
        confidence: of the intervals.
    """

    task: str
    rates: Array
    choosing: Array
    figures: list[list[Interval]]
    chosen: float
    gain: list[Compared]
    examples: tuple[int, int]
    confidence: float

    @property
    def as_trained(self) -> list[Interval]:
        """An interval a measure, of the other half, at the rates that the model was trained with."""
        return [each.one for each in self.gain]

    @property
    def decisive(self) -> Compared:
        """The gain by the measure that the rate was chosen by."""
        return self.gain[QUALITY[self.task].place[QUALITY[self.task].decides]]

    def in_words(self, target_unit: str = "") -> str:
        """Which rate was chosen, and whether it is better than those of the training, in two sentences."""
        found = self.decisive
        name = found.measure.label
        by = found.measure.with_interval(found.difference, target_unit, sign="+")
        by_size = found.measure.with_interval(found.difference.size, target_unit, sign="-")
        told = {
            "better": f"is better than as trained, by {by_size}: more than noise.",
            "worse": f"is worse than as trained, by {by_size}: more than noise.",
            "noise": f"differs from that as trained by {by}, which is within noise.",
            "unknown": f"differs from that as trained by {by}: too few examples to tell that from noise.",
        }
        half, other = self.examples
        return (
            f"A rate of {self.chosen:g} has the lowest {name} on {half:,} of the examples. "
            f"On the other {other:,} its {name} {told[found.verdict]}"
        )

    def rows(self, target_unit: str = "") -> list[dict[str, str]]:
        """Every figure as text under the heads of a table: a row as trained, and one for each rate."""
        measures = QUALITY[self.task].measures
        cells = [("as trained", "", self.as_trained)] + [
            (f"{rate:g}", self.decisive.measure.number(float(value)), figures)
            for rate, value, figures in zip(self.rates, self.choosing, self.figures, strict=True)
        ]
        return [
            {
                "rate": name,
                f"{self.decisive.measure.label}, half that chooses": value,
                **{each.label: each.with_interval(of, target_unit) for each, of in zip(measures, figures, strict=True)},
            }
            for name, value, figures in cells
        ]


def choose_rate(
    task: str,
    by_rate: Mapping[float, Terms],
    as_trained: Terms,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> RateChoice:
    """Choose a rate on one half of the examples, and judge all on the other.

    Args:
        task: one of `QUALITY`.
        by_rate: terms of N ≥ 4 examples at each of some rates, as `Quality.statistic` takes them.
        as_trained: the same at the rates that the model was trained with.
        confidence: 0 to 1, of the intervals.
        resamples: of the bootstrap.
        seed: of the halves and of the bootstrap.

    Raises:
        ValueError: fewer examples, or no rate.
    """
    count = len(next(iter(as_trained.values())))
    if count < LEAST_EXAMPLES or not by_rate:
        raise ValueError(
            f"A rate is chosen among some, on {LEAST_EXAMPLES} examples or more. "
            f"Received: {len(by_rate)} rates and {count} examples."
        )
    first, second = (np.sort(half) for half in np.array_split(np.random.default_rng(seed).permutation(count), 2))
    quality, rates = QUALITY[task], sorted(by_rate)
    place = quality.place[quality.decides]
    choosing = [quality.statistic(only(by_rate[rate], first))(np.ones((1, len(first))))[0, place] for rate in rates]
    chosen = rates[int(np.nanargmin(choosing))]
    measure = partial(measured, task, confidence=confidence, resamples=resamples, seed=seed)
    judged = {rate: only(by_rate[rate], second) for rate in rates}
    trained = only(as_trained, second)
    gain = compared(task, trained, judged[chosen], paired=True, confidence=confidence, resamples=resamples, seed=seed)
    return RateChoice(
        task=task,
        rates=np.array(rates),
        choosing=np.array(choosing),
        figures=[[each.other for each in gain] if rate == chosen else measure(judged[rate]) for rate in rates],
        chosen=chosen,
        gain=gain,
        examples=(len(first), len(second)),
        confidence=confidence,
    )
