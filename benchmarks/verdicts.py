"""The rates of verdicts where there is nothing to find, and where there is something: Markdown tables.

    python benchmarks/verdicts.py [PART …] [--draws 500]

All parts take an hour of one core. The exit code is 1 where a bound does not hold: at most 5% of the draws without
anything to find, at least 80% of those with it, at most 5% in which an interval of 95% leaves out what is true, at most
2.5% in which a gate passes a model that is worse, at least 95% in which it passes one that is as good, and what so many
draws differ from that by chance.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special, stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from mcviz.analysis.calibration_sentences import calibration_sentences
from mcviz.measures import Predictions, RegressionPredictions
from mcviz.measures.calibration import LARGEST_LOSSES, SMALLEST_PROBABILITY, apply_temperature, calibration_terms
from mcviz.measures.calibration import calibration as calibrated
from mcviz.measures.conformal import pass_intervals, share_by_chance
from mcviz.measures.intervals import Interval, accuracy_difference, bounded_interval, resample, share_interval
from mcviz.measures.ood import OOD_P_VALUE, ClassSubspaces, OODDetector
from mcviz.measures.quality import (
    CLASSIFICATION,
    REGRESSION,
    Quality,
    compare_measures,
    difference_intervals,
    judge_together,
    overconfidence_growth,
)
from mcviz.measures.registry import Terms
from mcviz.measures.regression import unbounded_intervals
from mcviz.measures.selective import (
    Ranking,
    area_intervals,
    auroc_of_mistakes,
    compute_areas,
    find_cheapest,
    guarantee_quality,
    selective_figures,
)
from mcviz.measures.shift import FEWEST_LABELS, estimate_accuracy
from mcviz.tasks.regression import coverage_sentence

Array = np.ndarray
Random = np.random.Generator

SIZES = 2, 10, 30, 100, 300, 1_000, 10_000
COMPARED = 20, 50, 200, 1_000  # examples of two runs
CONFIDENCES = 0.6, 0.9, 0.98, 0.995  # means over the examples
COVERAGES = 0.5, 0.8, 0.9, 0.95  # of prediction intervals
SMALLER = SIZES[:-1]  # of what takes long, and errs where examples are few
FALSE, MISSED, PASSED, FOUND, GOOD = 0.05, 0.05, 0.025, 0.8, 0.95  # shares of the draws
POOL = 50_000  # examples whose labels have known probabilities, of which those of a draw are taken
CHANCE = 1e-4  # that a share is beyond its tolerance
RESAMPLES = 200  # of each draw; more take longer and change no rate
OF_CLASSES = [f"mean confidence {mean}" for mean in CONFIDENCES]  # columns of a table
WITH_REGRESSION = [*OF_CLASSES, "regression"]
FIGURES = "confidence − accuracy", "the NLL", "the Brier score"
CASES = (0, 1), (1, 1), (1, 0.5), (1, 2)  # whether confidences differ, and the temperature of the labels
SCORES = 8  # that are ranked
IN_GROUPS = 30, 100, 300, 1_000  # examples
GROUP, CORRELATION = 10, 0.5  # examples of a group, and the correlation of what is normal behind their labels
PASSES = 8
DIFFER = "better", "worse", "differs"  # verdicts that two runs do


def main() -> None:
    """Print the tables of the parts."""
    print_parts(__doc__, PARTS)


def print_parts(description: str | None, parts: "Mapping[str, Callable[[Report], None]]") -> None:
    """Print the tables of the parts that the command line names, and exit with 1 where a bound does not hold."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; all without it")
    parser.add_argument("--draws", type=int, default=500, help="of each figure")
    parser.add_argument("--compared", type=int, nargs="+", default=COMPARED, help="numbers of examples of two runs")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(parts):
        parser.error(f"There is no part {', '.join(unknown)}: choose of {', '.join(parts)}.")
    report = Report(options.draws, tuple(options.compared))
    for part in options.parts or parts:
        parts[part](report)
    report.print_summary()
    sys.exit(not report.holds)


@dataclass
class Report:
    """The report.

    Attributes:
        draws: of each figure.
        compared: numbers of examples of two runs.
        holds: whether every bound does so far.
        false: of the summary, by sizes: rows by the number of examples, of each the highest of all columns.
        found: of the summary, rows of what there is to find.
    """

    draws: int
    compared: tuple[int, ...] = COMPARED
    holds: bool = True
    false: dict[tuple[int, ...], list[str]] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def print_false(
        self,
        statement: str,
        rates: list[list[Array]],
        columns: Sequence[str] = OF_CLASSES,
        *,
        bound: float = FALSE,
        sizes: tuple[int, ...] = SIZES,
    ) -> None:
        """Print how often a verdict is false, by the number of examples, the smaller ones of `sizes`, and `columns`.

        A bound of 1 holds always.
        """
        most = stats.binom.isf(CHANCE, self.draws, bound) / self.draws
        promise = f": at most {bound:.1%}, {most:.1%} by chance" if bound < 1 else ""
        print(f"\n{statement}{promise}.\n\n| examples | {' | '.join(columns)} |")
        print("|---" * (1 + len(columns)) + "|")
        for examples, row in zip(sizes, rates, strict=False):
            print(f"| {examples:,} | {' | '.join(f'{share:.1%}' for share in row)} |", flush=True)
        highest = [f"{max(row):.1%}" for row in rates] + ["–"] * (len(sizes) - len(rates))
        self.false.setdefault(sizes, []).append(f"| {statement} | {' | '.join(highest)} |")
        self.holds &= bool(np.max(rates) <= most)

    def print_each(
        self,
        statements: Sequence[tuple[str, float]],
        cells: Sequence[Sequence[Any]],
        columns: Sequence[str] = OF_CLASSES,
        *,
        sizes: tuple[int, ...] = SIZES,
    ) -> None:
        """Print how often each of some statements is false, with its bound; a cell has a rate for each, or more."""
        for at, (statement, bound) in enumerate(statements):
            rates = [[cell[at] for cell in row] for row in cells]
            self.print_false(statement, rates, columns, bound=bound, sizes=sizes)

    def rates(
        self, once: Callable[..., bool | list[bool]], cases: Sequence[Any], sizes: Sequence[int] = SIZES
    ) -> list[list[Array]]:
        """The rates of verdicts, by the number of examples and by case."""
        return [[rate(self.draws, once, examples, case) for case in cases] for examples in sizes]

    def print_found(self, rates: dict[str, Array]) -> None:
        """Print how often something is found in 1,000 examples, with a mean confidence of 0.9."""
        least = stats.binom.ppf(CHANCE, self.draws, FOUND) / self.draws
        print(f"\nFound in 1,000 examples: at least {FOUND:.0%}, {least:.1%} by chance.\n")
        rows = [f"| {what} | {share:.1%} |" for what, share in rates.items()]
        print("\n".join(["| what there is | found in |", "|---|---|", *rows]), flush=True)
        self.found += rows
        self.holds &= bool(min(rates.values()) >= least)

    def print_summary(self) -> None:
        """Print the highest of each table by the number of examples, and all that is to be found."""
        print(f"\nOf {self.draws:,} draws each, the highest of each table:\n")
        for sizes, rows in self.false.items():
            print(f"| said wrongly of so many examples | {' | '.join(f'{examples:,}' for examples in sizes)} |")
            print("\n".join(["|---" * (1 + len(sizes)) + "|", *rows, ""]))
        print("\n".join(["| what there is | found in |", "|---|---|", *self.found]))


def calibration(report: Report) -> None:
    """The verdict on confidences, of examples that have all the same one, or their own."""

    def worst(examples: int, mean: float) -> list[Array]:
        rates = np.array([rate(report.draws, judged, examples, mean, *case) for case in CASES])
        return [rates[:2, 0].max(), rates[:, 1].max()]  # only the first two cases are calibrated

    cells = [[worst(examples, mean) for mean in CONFIDENCES] for examples in SIZES]
    statements = [
        ("a calibrated model is called over- or under-confident", FALSE),
        ("the interval of confidence − accuracy leaves it out", MISSED),
    ]
    report.print_each(statements, cells)
    shares = {f"{how} is 5 points too high": rate(report.draws, true_overconfidence, at) for at, how in CONFIDENT}
    shares["confidences are 10 points too low in places, as much too high in others"] = rate(report.draws, true_places)
    report.print_found(shares)


def losses(report: Report) -> None:
    """The intervals of the NLL and the Brier score."""

    def worst(examples: int, mean: float) -> Array:
        return np.max([rate(report.draws, missed_losses, examples, mean, *case) for case in CASES], axis=0)

    cells = [[worst(examples, mean) for mean in CONFIDENCES] for examples in SIZES]
    report.print_each([(f"the interval of {name} leaves it out", MISSED) for name in FIGURES[1:]], cells)


def coverage(report: Report) -> None:
    """The verdict on prediction intervals of a regression."""
    spreads = 1, 0.5, 2  # of the labels, in units of the predicted one

    def worst(examples: int, share: float) -> list[Array]:
        rates = np.array([rate(report.draws, held_by_intervals, examples, share, spread) for spread in spreads])
        return [rates[0, 0], rates[:, 1].max()]

    statements = [
        ("true prediction intervals are called too narrow or too wide", FALSE),
        ("the interval of the share of labels that they hold leaves it out", MISSED),
    ]
    cells = [[worst(examples, share) for share in COVERAGES] for examples in SIZES]
    report.print_each(statements, cells, [f"intervals of {share:.0%}" for share in COVERAGES])
    report.print_found({"prediction intervals of 90% hold 85%": rate(report.draws, true_narrowness)})


def comparison(report: Report) -> None:
    """The verdicts on two runs over the same examples."""
    rates = report.rates(false_differences, (*CONFIDENCES, None), report.compared)
    cells = [[[cell[:-2].max(), cell[-2], cell[-1]] for cell in row] for row in rates]
    statements = (("by any one measure", FALSE), ("in any row of the table", 1.0), ("in the sentence", FALSE))
    differ = "two exchangeable runs over the same examples differ"
    report.print_each(
        [(f"{differ}, {how}", bound) for how, bound in statements], cells, WITH_REGRESSION, sizes=report.compared
    )
    shares = rate(report.draws, true_differences)
    report.print_found({f"over the same examples, {name}": share for name, share in zip(WORSE, shares, strict=True)})


def groups(report: Report) -> None:
    """The verdicts on correlated examples in groups of ten, with the groups and as if all were independent."""
    cells = report.rates(judged_in_groups, CONFIDENCES, IN_GROUPS)
    miscalibrated, guaranteed = "a calibrated model is called over- or under-confident", "a guarantee is false"
    missed = [(f"in groups of ten, the interval of {name} leaves it out", MISSED) for name in FIGURES]
    statements = [(f"in groups of ten, {miscalibrated}", FALSE), *missed, (f"in groups of ten, {guaranteed}", FALSE)]
    report.print_each(statements, cells, sizes=IN_GROUPS)
    rates = [[cell.max() for cell in row] for row in report.rates(false_group_differences, CONFIDENCES, IN_GROUPS)]
    statement = "in groups of ten, two exchangeable runs over the same examples differ, by any one measure"
    report.print_false(statement, rates, sizes=IN_GROUPS)
    print("\nWhere groups of ten are taken as independent, of 1,000 examples:\n\n| | said |\n|---|---|")
    row = cells[IN_GROUPS.index(1_000)]
    for place, name in ((5, miscalibrated), (6, guaranteed)):
        print(f"| {name} | {max(cell[place] for cell in row):.1%} |", flush=True)


def difference(report: Report) -> None:
    """The intervals of the difference of two runs over the same examples, and the gates that they decide."""

    def worst(examples: int, how: str) -> Array:
        return np.max(
            [rate(report.draws, missed_differences, examples, mean, how) for mean in DIFFERENCE_CONFIDENCES], 0
        )

    cells = [[worst(examples, how) for how in CHANGED] for examples in report.compared]
    report.print_each(about_differences(DIFFERENCES), cells, list(CHANGED), sizes=report.compared)


def rare(report: Report) -> None:
    """The same where a new model is better but for a few inputs, on which it is surely wrong, or for a few groups."""
    cells = [[rate(report.draws, judged_losses, examples, *how) for how in RARE.values()] for examples in RARE_SIZES]
    report.print_each(about_differences(RARE_MEASURES), cells, list(RARE), sizes=RARE_SIZES)
    cells = [[rate(report.draws, judged_groups, count, *how) for how in GROUPED.values()] for count in GROUP_COUNTS]
    report.print_each(about_differences(["accuracy in groups"]), cells, list(GROUPED), sizes=GROUP_COUNTS)


def large(report: Report) -> None:
    """The interval of an accuracy that is worse in large groups alone, for which an unseen group is taken too small."""
    rates = [[rate(report.draws, missed_large, count)] for count in LARGE_COUNTS]
    statement = "where the largest 2% of log-normal groups of 8 fail, the interval of the accuracy leaves it out"
    report.print_false(statement, rates, ["groups"], bound=1, sizes=LARGE_COUNTS)


def fewest(report: Report) -> None:
    """How many examples show that a model which is as good, and changes 2% of the predictions, is not worse by more."""
    print_fewest(report, MARGINS, is_as_good)


def print_fewest(report: Report, margins: Mapping[str, Sequence[float]], passes_once: Callable[..., bool]) -> None:
    """Print the fewest examples with which a model that is as good passes a margin, by measure."""
    print("\nA model that is as good, and changes 2% of the predictions, is not worse by the margin.\n")
    print("| measure | margin | fewest examples |\n|---|---|---|")
    for measure, margin in ((name, margin) for name, of_measure in margins.items() for margin in of_measure):
        examples = next(size for size in STEPS if rate(report.draws, passes_once, size, measure, margin) >= GOOD)
        print(f"| {measure} | {margin:g} | {examples:,} |", flush=True)


def about_differences(measures: Iterable[str]) -> list[tuple[str, float]]:
    """What may be wrong of the differences of measures, with its bound: first each interval, then each gate."""
    return [
        *((f"the interval of the difference of {name} leaves it out", MISSED) for name in measures),
        *((f"a model passes whose {name} is worse by more than the gate's number", PASSED) for name in measures),
    ]


def ranking(report: Report) -> None:
    """The verdicts on scores that rank the examples."""
    rates = report.rates(false_ranks, CONFIDENCES)
    report.print_false(f"one of {SCORES} equally good scores or more does not tie with the best", rates)
    report.print_found({"scores that know nothing do not tie with the best": rate(report.draws, true_rank)})


def costs(report: Report) -> None:
    """What the cheapest threshold saves, where a look costs what it finds."""
    statements = [
        ("a score that knows nothing saves at break-even", FALSE),
        ("the interval of what it saves leaves it out", MISSED),
    ]
    report.print_each(statements, report.rates(false_saving, CONFIDENCES))
    report.print_found({"max probability saves at break-even": rate(report.draws, true_saving)})


def together(report: Report) -> None:
    """Whether passes are better together, where labels are random of all examples that they disagree on."""
    rates = report.rates(false_gain, CONFIDENCES, SMALLER)
    report.print_false("passes that gain nothing are better together than alone", rates)
    report.print_found({"the mean of passes is 5 points better than one": rate(report.draws, true_gain)})


def areas(report: Report) -> None:
    """The intervals of AURC, E-AURC, AUGRC and AUROC."""
    names = "AURC", "E-AURC", "AUGRC", "AUROC"
    statements = [(f"the interval of the {name} leaves it out", MISSED) for name in names]
    report.print_each(statements, report.rates(missed_areas, CONFIDENCES, SMALLER))


def rmse(report: Report) -> None:
    """The interval of an RMSE, of errors with light and heavy tails."""
    rates = report.rates(missed_rmse, list(ERRORS))
    report.print_false("the interval of the RMSE leaves it out", rates, list(ERRORS), bound=MISSED)


def ood(report: Report) -> None:
    """Whether the share of held-out examples that the OOD verdict stops is above what chance explains."""
    rates = report.rates(false_shift, CALIBRATING, SMALLER)
    columns = [f"calibrated on {count}" for count in CALIBRATING]
    report.print_false("more of the run's own examples are stopped than chance explains", rates, columns)
    report.print_found({"examples of which 15% should be stopped": rate(report.draws, true_shift)})


def unlabelled(report: Report) -> None:
    """The interval of an accuracy that is estimated by as many labels of other examples."""
    cases = (0.5, 1), (1, 1), (2, 1), (1, 0.8)  # how the labels differ from the confidences

    def worst(examples: int, mean: float) -> Array:
        return np.max([rate(report.draws, estimated_accuracy, examples, mean, *case) for case in cases])

    missed = [[worst(examples, mean) for mean in CONFIDENCES] for examples in SIZES]
    statement = "the interval of an accuracy that is estimated without labels leaves it out"
    report.print_false(statement, missed, bound=MISSED)


PARTS: dict[str, Callable[[Report], None]] = {
    "calibration": calibration,
    "losses": losses,
    "coverage": coverage,
    "comparison": comparison,
    "groups": groups,
    "difference": difference,
    "rare": rare,
    "large": large,
    "fewest": fewest,
    "ranking": ranking,
    "costs": costs,
    "together": together,
    "areas": areas,
    "rmse": rmse,
    "ood": ood,
    "unlabelled": unlabelled,
}


def rate(draws: int, once: Callable[..., bool | list[bool]], *given: Any) -> Array:
    """The share of the draws with a verdict, or with each of some verdicts."""
    return np.mean([once(np.random.default_rng(seed), *given) for seed in range(draws)], axis=0)


def probabilities(random: Random, examples: int, mean: float) -> tuple[Array, Array]:
    """(N,) float64, true probabilities of the first of two classes, the larger ones of a given mean; (N,) labels."""
    larger = 0.5 + 0.5 * random.beta(4 * mean - 2, 4 - 4 * mean, examples)
    first = np.clip(np.where(random.random(examples) < 0.5, larger, 1 - larger), 1e-6, 1 - 1e-6)
    return first, (random.random(examples) > first).astype(int)


@cache
def pool(mean: float, varied: bool) -> Array:
    """(POOL, 2) float64 true probabilities, the larger ones of a given mean, or without `varied` all alike."""
    first = probabilities(np.random.default_rng(0), POOL, mean)[0] if varied else np.full(POOL, mean)
    return np.stack([first, 1 - first], axis=1)


def judged(random: Random, examples: int, mean: float, varied: bool, temperature: float) -> list[bool]:
    """Whether confidences are called too high or too low, and whether the interval of that misses the true value.

    Args:
        random: of the examples and labels.
        examples: how many.
        mean: of the confidences.
        varied: whether they differ.
        temperature: of the labels: 1 for a calibrated model.
    """
    probs = pool(mean, varied)[random.integers(POOL, size=examples)]
    truth = apply_temperature(probs, temperature)
    words, figures = on_calibration(random, probs, truth)
    over = (probs.max(axis=1) - np.take_along_axis(truth, probs.argmax(axis=1)[:, None], axis=1)[:, 0]).mean()
    return ["-confident" in words, misses(figures["overconfidence"], over)]


def missed_losses(random: Random, examples: int, mean: float, varied: bool, temperature: float) -> list[bool]:
    """Whether the intervals of the NLL and the Brier score miss them; takes what `judged` does."""
    probs = pool(mean, varied)[random.integers(POOL, size=examples)]
    terms = calibration_terms(probs, draw_labels(random, apply_temperature(probs, temperature)))
    true = zip(LARGEST_LOSSES.items(), expected_scores(mean, varied, temperature), strict=True)
    return [misses(bounded_interval(terms[name], (0, most)), value) for (name, most), value in true]


def draw_labels(random: Random, truth: Array) -> Array:
    """(N,) labels of (N, 2) true probabilities."""
    return (random.random(len(truth)) >= truth[:, 0]).astype(int)


def in_groups(random: Random, members: Array) -> Array:
    """(N,) float64, uniform numbers that are as correlated within groups as normal ones behind them."""
    shared, own = random.normal(size=members.max() + 1)[members], random.normal(size=len(members))
    return stats.norm.cdf(np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own)


def judged_in_groups(random: Random, examples: int, mean: float) -> list[bool]:
    """Verdicts on a calibrated model whose confidences and mistakes are correlated within groups.

    Returns:
        Whether confidences are called too high or too low, whether each of three intervals misses the true value, and
        whether a guarantee is false; then the first and the last as if examples were independent.
    """
    members = np.arange(examples) // GROUP
    true = np.sort(pool(mean, True).max(axis=1))
    confidence = true[(in_groups(random, members) * POOL).astype(int)]
    correct = in_groups(random, members) < confidence
    probs = np.stack([confidence, 1 - confidence], axis=1)
    terms = calibration_terms(probs, (~correct).astype(int))
    expected, wanted = (0.0, *expected_scores(mean, True, 1)), (1 + mean) / 2
    verdicts, missed, false = [], [], []
    for groups in (members, None):
        measured = calibrated({"ensemble": terms}, groups=groups, resamples=RESAMPLES)
        verdicts.append("-confident" in calibration_sentences(measured)[0])
        figures = measured.figures["ensemble"]
        intervals = figures["overconfidence"], figures["nll"], figures["brier"]
        missed.append([misses(*pair) for pair in zip(intervals, expected, strict=True)])
        given = guarantee_quality(Ranking(-confidence, ~correct, groups), wanted) if examples > GROUP else None
        false.append(given is not None and bool(true[true > -given.threshold].mean() < wanted))
    return [verdicts[0], *missed[0], false[0], verdicts[1], false[1]]


def estimated_accuracy(random: Random, examples: int, mean: float, temperature: float, shrunk: float = 1) -> bool:
    """Whether the interval of the accuracy on examples without labels, by as many with labels, leaves it out.

    Of fewer than `FEWEST_LABELS` there is none.

    Args:
        random: of the examples and labels.
        examples: how many of each.
        mean: of the confidences.
        temperature: of the labels: 1 for a calibrated model.
        shrunk: what their probabilities keep of their distance to one half, which no temperature does.
    """
    if examples < FEWEST_LABELS:
        return False
    probs = pool(mean, True)[random.integers(POOL, size=2 * examples)]
    truth = 0.5 + shrunk * (apply_temperature(probs, temperature) - 0.5)
    labels = (random.random(len(probs)) > truth[:, 0]).astype(int)
    old, new = slice(examples), slice(examples, None)
    estimate = estimate_accuracy(probs[old], labels[old], probs[new])
    return misses(estimate.accuracy, (probs[new].argmax(axis=1) == labels[new]).mean())


@cache
def expected_scores(mean: float, varied: bool, temperature: float) -> Array:
    """(2,) float64 the NLL and the Brier score that are to be expected of labels at a temperature."""
    probs = pool(mean, varied)
    nll = -np.log(np.maximum(probs, SMALLEST_PROBABILITY))
    brier = np.square(probs).sum(axis=1, keepdims=True) - 2 * probs + 1
    truth = apply_temperature(probs, temperature)
    return np.array([(truth * score).sum(axis=1).mean() for score in (nll, brier)])


def on_calibration(random: Random, probs: Array, truth: Array) -> tuple[str, Mapping[str, Interval]]:
    """The verdict on (N, 2) probabilities with labels drawn from those of `truth`, and the figures."""
    measured = calibrated({"ensemble": calibration_terms(probs, draw_labels(random, truth))}, resamples=RESAMPLES)
    return calibration_sentences(measured)[0], measured.figures["ensemble"]


def misses(interval: Interval, true: float) -> bool:
    """Whether there is an interval that misses the true value."""
    return bool(interval.low > true or interval.high < true)


CONFIDENT = (0, "the confidence of each example"), (1, "the mean confidence")


def true_overconfidence(random: Random, varied: int) -> bool:
    """Verdicts on 1,000 confidences of 0.9, whose mean is 5 points above the expected accuracy."""
    every = pool(0.9, bool(varied))
    at_random = 0.05 / (every.max(axis=1).mean() - 0.5)  # the share of labels that do not depend on the example
    probs = every[random.integers(POOL, size=1000)]
    return "over-confident by" in on_calibration(random, probs, (1 - at_random) * probs + at_random / 2)[0]


def true_places(random: Random) -> bool:
    """Verdicts on 1,000 confidences of 0.6 and 0.9 that should be 0.7 and 0.8."""
    probs, truth = (
        np.repeat([[first, 1 - first], [other, 1 - other]], 500, axis=0) for first, other in ((0.6, 0.9), (0.7, 0.8))
    )
    return "in places" in on_calibration(random, probs, truth)[0]


def held_by_intervals(random: Random, examples: int, share: float, spread: float) -> list[bool]:
    """Whether intervals are called too narrow or too wide, and whether the interval of the share held misses it.

    Args:
        random: of the passes, of which there are two with variances, and of the labels.
        examples: how many.
        share: what the intervals are to hold.
        spread: of the labels, in units of the one that is predicted.
    """
    words, interval = on_coverage(random, examples, share, spread)
    true = 1 - 2 * stats.norm.sf(stats.norm.ppf((1 + share) / 2) / spread)
    return ["too narrow" in words or "too wide" in words, misses(interval, true)]


def on_coverage(random: Random, examples: int, share: float, spread: float) -> tuple[str, Interval]:
    """The verdict on intervals, and the share of labels that they hold."""
    outputs, variances = random.normal(size=(2, examples, 1)), random.gamma(2, size=(2, examples, 1))
    std = np.sqrt(outputs.var(axis=0) + variances.mean(axis=0))
    labels = random.normal(outputs.mean(axis=0), spread * std)
    (interval,) = pass_intervals(RegressionPredictions(outputs, variances), share).coverage(labels)
    return coverage_sentence(interval, share, examples), interval


def true_narrowness(random: Random) -> bool:
    """Verdicts on intervals of 90% over 1,000 examples that hold 85%."""
    spread = stats.norm.ppf((1 + 0.9) / 2) / stats.norm.ppf((1 + 0.85) / 2)
    return "too narrow" in on_coverage(random, 1000, 0.9, spread)[0]


def predicted(random: Random, truth: Array, temperature: float = 1.0) -> Array:
    """(N,) float64, what a model gives for true probabilities: their logits with noise, at a temperature."""
    logits = (np.log(truth / (1 - truth)) + random.normal(0, 0.5, len(truth))) / temperature
    return 1 / (1 + np.exp(-logits))


def class_terms(first: Array, labels: Array, uncertainty: Array | None = None) -> Terms:
    """The terms of a comparison, of (N,) probabilities of the first class."""
    probs = np.stack([first, 1 - first], axis=1)
    doubt = -probs.max(axis=1) if uncertainty is None else uncertainty
    return {**CLASSIFICATION.terms(Predictions(probs[None], labels)), "uncertainty": doubt}


def regression_terms(random: Random, scale: Array, times: float = 1.0) -> Terms:
    """The same of a regression with errors of a given (N, 1) scale, and passes that spread as far."""
    error, passes = (scale * random.normal(size=(*shape, *scale.shape)) for shape in ((), (8,)))
    return REGRESSION.terms(RegressionPredictions(times * error + passes, labels=np.zeros_like(scale)))


def differing(quality: Quality, one: Terms, other: Terms, groups: Array | None = None) -> dict[str, bool]:
    """The measures that differ by more than noise."""
    compared = compare_measures(quality, one, other, groups=groups, resamples=RESAMPLES)
    return {each.measure.name: each.verdict in DIFFER for each in compared}


def false_differences(random: Random, examples: int, mean: float | None) -> list[bool]:
    """Verdicts on exchangeable runs over the same examples; on regressions without a `mean`.

    Returns:
        Whether the runs differ by each measure, by any of them, and in the sentence.
    """
    if mean is None:
        quality, scale = REGRESSION, np.exp(random.normal(0, 0.7, (examples, 1)))
        one, other = (regression_terms(random, scale) for _ in range(2))
    else:
        quality, (truth, labels) = CLASSIFICATION, probabilities(random, examples, mean)
        one, other = (class_terms(predicted(random, truth), labels) for _ in range(2))
    compared = compare_measures(quality, one, other, resamples=RESAMPLES)
    differences = [each.verdict in DIFFER for each in compared]
    both = [each for each in compared if each.measure.name in (quality.measures[0].name, quality.decides)]
    verdicts = judge_together(quality, one, other, both, resamples=RESAMPLES)
    return [*differences, any(differences), any(verdict in DIFFER for verdict in verdicts.values())]


DIFFERENCES = {
    "accuracy": "high",
    "nll": "low",
    "brier": "low",
    "overconfidence": "low",
    "aurc": "low",
    "auroc": "high",
}
DIFFERENCE_CONFIDENCES = 0.9, 0.98


CHANGED = {  # how the second model differs: a temperature, whether it is trained again, in which share it fails
    "a temperature of 1.3": (1.3, False, 0.0),
    "another training": (1.0, True, 0.0),
    "fails in 2%": (1.0, False, 0.02),
    "fails in 10%": (1.0, False, 0.1),
    "fails in 2%, temperature of 1.3": (1.3, False, 0.02),
    "fails in 10%, another training": (1.0, True, 0.1),
}


def two_models(random: Random, examples: int, mean: float, how: str) -> tuple[Terms, Terms]:
    """The terms of a model, calibrated where the temperature is another one, and of one as `CHANGED` says.

    Where that fails, it is wrong with a confidence of 98%.
    """
    temperature, again, share = CHANGED[how]
    truth, labels = probabilities(random, examples, mean)
    first = truth if temperature > 1 else predicted(random, truth)
    second = (
        predicted(random, truth) if again else apply_temperature(np.stack([first, 1 - first], 1), temperature)[:, 0]
    )
    second = np.where(random.random(examples) < share, np.where(labels == 0, 0.02, 0.98), second)
    return class_terms(first, labels), class_terms(second, labels)


@cache
def expected_differences(mean: float, how: str) -> dict[str, float]:
    """The differences that are to be expected, and how much larger the magnitude of confidence − accuracy is."""
    figures: list[dict[str, float]] = []
    for seed in range(20):
        before, after = map(values, two_models(np.random.default_rng(10**6 + seed), POOL, mean, how))
        more = {name: after[name] - before[name] for name in DIFFERENCES}
        figures.append(more | {"of one": before["overconfidence"]})
    means = {name: float(np.mean([values[name] for values in figures])) for name in figures[0]}
    start = 0.0 if CHANGED[how][0] > 1 else means["of one"]
    return means | {"growth": abs(start + means["overconfidence"]) - abs(start)}


def values(terms: Terms) -> dict[str, float]:
    """The measures of `DIFFERENCES`."""
    means = {name: float(terms[name].mean()) for name in ("nll", "brier", "correct", "confidence")}
    aurc, auroc = compute_all_areas(Ranking(terms["uncertainty"], ~terms["correct"]), np.ones((1, POOL)))[
        0, [0, 3]
    ].tolist()
    over = means["confidence"] - means["correct"]
    return means | {"accuracy": means["correct"], "overconfidence": over, "aurc": aurc, "auroc": auroc}


def missed_differences(random: Random, examples: int, mean: float, how: str) -> list[bool]:
    """Whether the interval of each difference misses it, and whether a gate passes whose number is just too small."""
    return judge_differences(*two_models(random, examples, mean, how), expected_differences(mean, how), DIFFERENCES)


def judge_differences(one: Terms, other: Terms, true: dict[str, float], measures: Mapping[str, str]) -> list[bool]:
    """Whether the interval of each difference misses the true one, and whether each gate passes.

    The gate of confidence − accuracy is on its magnitude, whose true `growth` is known.
    """
    intervals = difference_intervals(CLASSIFICATION, one, other, measures, confidence=0.95, resamples=RESAMPLES, seed=0)
    missed = [name in intervals and misses(intervals[name], true[name]) for name in measures]
    gated = intervals | {"overconfidence": overconfidence_growth(one, other)}
    true = true | {"overconfidence": true["growth"]}
    return missed + [name in gated and passes(gated[name], true[name], better) for name, better in measures.items()]


RARE_SIZES = 300, 1_000
RARE_MEASURES = {"nll": "low", "brier": "low", "overconfidence": "low"}
RARE = {  # the share of inputs on which the new model is surely wrong, its noise, where it is new, its temperature
    "surely wrong on 0.3%, better elsewhere": (0.003, 0.2, 1.0, 1.0),
    "surely wrong on 0.3%, a temperature of 1.3": (0.003, 0.3, 1.0, 1.3),
}
AS_GOOD = 0.0, 0.3, 0.02, 1.0  # the same of a model that is as good, and changes 2% of the predictions
GROUP_COUNTS = 40, 100, 200  # of groups
LARGE_COUNTS = 60, 200, 600  # of groups
LARGE, SPREAD = 0.02, 0.8  # the share of groups that are large, and how the logs of sizes are spread
GROUPED = {  # the size of a group, how sizes are spread, and in which share of groups the new model fails
    "groups of 50, 3% fail": (50, 0.0, 0.03),
    "groups of 10, 3% fail": (10, 0.0, 0.03),
    "groups of 10, 1% fail": (10, 0.0, 0.01),
    "groups of 10, none fails": (10, 0.0, 0.0),
    "log-normal groups of 8, 3% fail": (8, 0.8, 0.03),
}
STEPS = tuple(digit * 10**power for power in range(1, 6) for digit in (1, 2, 5))
MARGINS = {
    "accuracy": (0.05, 0.02, 0.01, 0.005, 0.001),
    "nll": (0.1, 0.05, 0.02, 0.01),
    "brier": (0.05, 0.02, 0.01, 0.005, 0.002),
}


@cache
def pool_of_logits(fail: float, noise: float, changed: float, temperature: float) -> tuple[Array, Array, Array]:
    """True probabilities of ten classes, and those of two models, (POOL, 10) float64 each.

    The first model has noise of 0.3 in its logits; the second has `noise` in a share `changed` of the inputs, or the
    first one's logits at another `temperature` than 1, predicts as the first in the others, and is surely wrong in a
    share `fail`.
    """
    random = np.random.default_rng(0)
    logits, every = random.normal(0, 1, (POOL, 10)), np.arange(POOL)
    margin = np.where(random.random(POOL) < 0.2, random.uniform(0, 2, POOL), random.uniform(3, 9, POOL))
    logits[every, random.integers(10, size=POOL)] += margin
    noisy, other = (logits + random.normal(0, scale, logits.shape) for scale in (0.3, noise))
    truth, first = (special.softmax(each, axis=1) for each in (logits, noisy))
    moved = special.softmax(other if temperature == 1 else noisy / temperature, axis=1)
    second = np.where(random.random((POOL, 1)) < changed, moved, first)
    fails = random.random(POOL) < fail
    second[fails] = special.softmax(10 * np.eye(10)[(truth[fails].argmax(axis=1) + 1) % 10], axis=1)
    return truth, first, second


@cache
def expected_growth(*how: float) -> dict[str, float]:
    """By how much more accuracy, NLL, Brier score and confidence − accuracy are to be expected of the second model.

    Models are those of `pool_of_logits`; `growth` is that of the magnitude of confidence − accuracy.
    """
    truth, *models = pool_of_logits(*how)
    means = [
        {
            "accuracy": np.take_along_axis(truth, probs.argmax(axis=1)[:, None], axis=1).mean(),
            "nll": -(truth * np.log(np.maximum(probs, SMALLEST_PROBABILITY))).sum(axis=1).mean(),
            "brier": (np.square(probs).sum(axis=1) - 2 * (truth * probs).sum(axis=1)).mean(),
        }
        for probs in models
    ]
    over = [
        float((probs.max(axis=1)).mean() - of_model["accuracy"]) for probs, of_model in zip(models, means, strict=True)
    ]
    growth = {"overconfidence": over[1] - over[0], "growth": abs(over[1]) - abs(over[0])}
    return {name: float(means[1][name] - means[0][name]) for name in means[0]} | growth


def two_models_of_classes(random: Random, examples: int, *how: float) -> tuple[Terms, Terms]:
    """The terms of two models of `pool_of_logits` over the same examples."""
    chosen = random.integers(POOL, size=examples)
    truth, *models = (probs[chosen] for probs in pool_of_logits(*how))
    labels = np.minimum((random.random((examples, 1)) > truth.cumsum(axis=1)).sum(axis=1), 9)
    one, other = (calibration_terms(probs, labels) for probs in models)
    return one, other


def judged_losses(random: Random, examples: int, *how: float) -> list[bool]:
    """The same as `missed_differences`, of the measures of `RARE_MEASURES`."""
    models = two_models_of_classes(random, examples, *how)
    return judge_differences(*models, expected_growth(*how), RARE_MEASURES)


def is_as_good(random: Random, examples: int, measure: str, margin: float) -> bool:
    """Whether a model passes that is as good, and changes 2% of the predictions."""
    models = two_models_of_classes(random, examples, *AS_GOOD)
    found = difference_intervals(CLASSIFICATION, *models, [measure], confidence=0.95, resamples=2, seed=0)[measure]
    return found.low >= -margin if measure == "accuracy" else found.high <= margin


def judged_groups(random: Random, count: int, size: int, spread: float, fail: float) -> list[bool]:
    """Whether the interval of a difference of accuracies misses it, and whether a gate passes: of failing groups."""
    sizes = np.maximum(1, random.lognormal(np.log(size), spread, count)).astype(int) if spread else np.full(count, size)
    groups = np.repeat(np.arange(count), sizes)
    fails = (random.random(count) < fail)[groups]
    one = random.random(len(groups)) >= np.where(fails, 0, 0.01)
    other = random.random(len(groups)) >= np.where(fails, 0.9, 0.01)
    found = accuracy_difference(one, other, groups)
    return [misses(found, -0.9 * fail), passes(found, -0.9 * fail, "high")]


def missed_large(random: Random, count: int) -> bool:
    """Whether the interval of an accuracy misses it, of groups of which the largest are wrong in 90%."""
    sizes = np.maximum(1, random.lognormal(np.log(8), SPREAD, count)).astype(int)
    limit = stats.norm.isf(LARGE)
    is_large = sizes > 8 * np.exp(SPREAD * limit)
    wrong = random.random(sizes.sum()) < np.repeat(0.9 * is_large, sizes)
    found = share_interval(~wrong, np.repeat(np.arange(count), sizes))
    return misses(found, 1 - 0.9 * float(stats.norm.sf(limit - SPREAD)))


def passes(difference: Interval, true: float, better: str) -> bool:
    """Whether a gate passes whose number is just too small."""
    return bool(difference.low > true if better == "high" else difference.high < true)


def false_group_differences(random: Random, examples: int, mean: float) -> list[bool]:
    """Verdicts on exchangeable runs over the same examples, whose errors are correlated within groups."""
    members = np.arange(examples) // GROUP
    truth, labels = probabilities(random, examples, mean)
    logits = np.log(truth / (1 - truth))
    noise = [stats.norm.ppf(in_groups(random, members)) for _ in range(2)]
    one, other = (class_terms(1 / (1 + np.exp(-logits - shift / 2)), labels) for shift in noise)
    return list(differing(CLASSIFICATION, one, other, members).values())


WORSE = {  # how the second run is worse, by the measure that should find it
    "5 points less accuracy": "accuracy",
    "a temperature of 3, by the NLL": "nll",
    "uncertainties that know nothing, by the AUROC": "auroc",
    "errors half as large again, by the RMSE": "rmse",
}


def true_differences(random: Random) -> list[bool]:
    """Verdicts on runs of which the second is worse in each of the ways of `WORSE`."""
    truth, labels = probabilities(random, 1000, 0.9)
    one = class_terms(predicted(random, truth), labels)
    scale = np.exp(random.normal(0, 0.7, (1000, 1)))
    errors = regression_terms(random, scale)
    first = predicted(random, truth)
    turned = np.where(random.random(1000) < 1 / 16, 1 - first, first)  # of 80% more right than wrong, 5 points
    others = {
        "accuracy": class_terms(turned, labels),
        "nll": class_terms(predicted(random, truth, 3.0), labels),
        "auroc": class_terms(first, labels, random.random(1000)),
    }
    differences = {name: differing(CLASSIFICATION, one, other)[name] for name, other in others.items()}
    differences["rmse"] = differing(REGRESSION, errors, regression_terms(random, scale, 1.5))["rmse"]
    return [differences[measure] for measure in WORSE.values()]


def false_ranks(random: Random, examples: int, mean: float) -> bool:
    """Verdicts on scores that are the confidence with equal noise in each."""
    truth, labels = probabilities(random, examples, mean)
    terms = class_terms(predicted(random, truth), labels)
    noise = terms["uncertainty"].std() * random.normal(size=(SCORES, examples))
    return not all(ties(terms, terms["uncertainty"] + noise))


def true_rank(random: Random) -> bool:
    """Verdicts on the confidence, and on a score that knows nothing."""
    truth, labels = probabilities(random, 1000, 0.9)
    terms = class_terms(predicted(random, truth), labels)
    noise = random.normal(size=(SCORES - 1, 1000))
    return not any(ties(terms, np.vstack([terms["uncertainty"], noise]))[1:])


def ties(terms: Terms, scores: Array) -> list[bool]:
    """Whether each of (K, N) scores ties with the best."""
    orders = {str(at): Ranking(score, ~terms["correct"]) for at, score in enumerate(scores)}
    return [figure.ties_with_best for figure in selective_figures(orders, resamples=RESAMPLES).values()]


def false_saving(random: Random, examples: int, mean: float) -> list[bool]:
    """Whether a random score saves where a look costs what it finds, and whether the interval leaves out 0."""
    cheapest = find_cheapest(Ranking(random.random(examples), random.random(examples) >= mean), 1 / (1 - mean), 1)
    return [cheapest.saved.low > 0, misses(cheapest.saved, 0)]


def true_saving(random: Random) -> bool:
    """Whether max probability saves there, in 1,000 examples."""
    truth, labels = probabilities(random, 1000, 0.9)
    terms = class_terms(predicted(random, truth), labels)
    return find_cheapest(Ranking(terms["uncertainty"], ~terms["correct"]), 10, 1).saved.low > 0


def false_gain(random: Random, examples: int, mean: float) -> bool:
    """Whether passes are better together where they agree, or labels are drawn at random."""
    first = random.uniform(0.01, 0.99, (PASSES, examples))
    alike = random.random(examples) < 2 * mean - 1
    first[:, alike] = 0.99
    return gains(first, np.where(alike, 0, random.integers(0, 2, examples)))


def true_gain(random: Random) -> bool:
    """Whether passes are better together whose mean errs in 10%, and each of which in 15%, of 1,000 examples."""
    wrong = random.random(1000) < 0.1
    turned = random.random((PASSES, 1000)) < 0.05 / 0.8
    first = np.where(turned ^ wrong, 0.4, np.where(wrong, 0.4, 0.6) + 0.3 * ~wrong)
    return gains(first, np.zeros(1000, int))


def gains(first: Array, labels: Array) -> bool:
    """Whether Trust's test says that the mean of (T, N) probabilities of the first class is better than one of them."""
    probs = np.stack([first, 1 - first], axis=2)
    predictors = {"ensemble": probs.mean(axis=0), "single_pass": probs}
    terms = {name: calibration_terms(probabilities, labels) for name, probabilities in predictors.items()}
    return calibrated(terms, resamples=RESAMPLES).differences["single_pass"]["accuracy"].low > 0


@cache
def expected_areas(mean: float) -> Array:
    """(4,) float64 the areas of very many examples."""
    return compute_all_areas(draw_ranking(np.random.default_rng(0), 1_000_000, mean), np.ones((1, 1_000_000)))[0]


def compute_all_areas(ranking: Ranking, weights: Array) -> Array:
    """(R, 4) float64 the areas of `compute_areas`, and the AUROC of finding mistakes."""
    found = compute_areas(ranking, weights)
    return np.column_stack([found, auroc_of_mistakes(ranking, weights, found[:, 2])])


def draw_ranking(random: Random, examples: int, mean: float) -> Ranking:
    """A ranking by the max probability of a model."""
    truth, labels = probabilities(random, examples, mean)
    terms = class_terms(predicted(random, truth), labels)
    return Ranking(terms["uncertainty"], ~terms["correct"])


def missed_areas(random: Random, examples: int, mean: float) -> list[bool]:
    """Whether the interval of each area misses it."""
    ranking, true = draw_ranking(random, examples, mean), expected_areas(mean)

    def build_statistic(chosen: Array | slice) -> Callable[[Array], Array]:
        some = ranking.select(chosen)
        return lambda weights: compute_all_areas(some, weights)

    value, draws = resample(build_statistic, examples, resamples=RESAMPLES)
    intervals = area_intervals(value, draws, ranking.loss, 0.95)
    return [misses(*pair) for pair in zip(intervals, true.tolist(), strict=True)]


ERRORS: dict[str, tuple[Callable[[Random, int], Array], float]] = {  # errors, and their mean square
    "normal": (lambda random, count: random.normal(size=count), 1.0),
    "Laplace": (lambda random, count: random.laplace(size=count), 2.0),
    "t, 5 degrees of freedom": (lambda random, count: random.standard_t(5, count), 5 / 3),
    "normal, of log-normal scale": (
        lambda random, count: np.exp(random.normal(0, 0.7, count)) * random.normal(size=count),
        float(np.exp(2 * 0.7**2)),
    ),
}


def missed_rmse(random: Random, examples: int, law: str) -> bool:
    """Whether the interval of the RMSE misses it."""
    draw, true = ERRORS[law]
    squares = {"rmse": np.square(draw(random, examples))}
    found = unbounded_intervals(squares, groups=None, confidence=0.95, resamples=RESAMPLES, seed=0)
    return misses(found["rmse"].root, true**0.5)


CALIBRATING = 19, 100, 1_000  # examples


def false_shift(random: Random, examples: int, calibrating: int) -> bool:
    """Whether more examples are stopped than chance explains, of examples that are drawn as those for calibration."""
    return stopped_beyond_chance(random.normal(size=(2, calibrating + examples)), calibrating)


def true_shift(random: Random) -> bool:
    """The same of 1,000 whose scores are higher, so that about 15% are stopped, with as many for calibration."""
    scores = random.normal(size=(2, 2000))
    scores[:, 1000:] += 0.6
    return stopped_beyond_chance(scores, 1000)


def stopped_beyond_chance(scores: Array, calibrating: int) -> bool:
    """Whether the verdict stops more of the last of (2, M + N) scores than chance explains."""
    fitted, new = scores[:, :calibrating], scores[:, calibrating:]
    verdict = OODDetector(ClassSubspaces(np.zeros(1), ()), *fitted).classify(*new)
    return bool(verdict.is_ood.mean() > share_by_chance(calibrating, new.shape[1], OOD_P_VALUE)[1])


if __name__ == "__main__":
    main()
