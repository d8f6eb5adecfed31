"""How often a slice is named where there is nothing to find, and how often one that is worse is found: Markdown tables.

    python benchmarks/slices.py [PART …] [--draws 1000] [--planted 100]

All parts take half an hour of one core. The exit code is 1 where a bound does not hold: any slice is named in at most
6.5% of the draws without anything to find, and any other behind one that is worse; the planted one is found first in at
least 95% of the others.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from mcviz.measures.slices import (
    PERMUTATIONS,
    Key,
    Scan,
    ScanResult,
    calibration_z,
    change_z,
    error_z,
    excess_z,
    make_partitions,
    mistakes_z,
    paired_z,
    scan_slices,
)

Array = np.ndarray
Columns = Mapping[str, Array]
Random = np.random.Generator
Once = Callable[[Random, int], ScanResult]

FALSE, FOUND = 0.065, 0.95  # shares of the draws
LEVEL = 0.05
GROUP, CORRELATION = 10, 0.5  # examples of a group, and the correlation of what is normal behind their mistakes
GROUPS = {"site": 33, "age": 6, "device": 6, "label": 10, "range": 5, "flag": 2}  # of each column
SITE: Key = (("site", 7),)  # 3.0% of the examples
PAIR: Key = (("age", 2), ("device", 4))  # 2.8%
WITH_CLASS = 0.5, 0.2, 0.1, 0.03  # shares of the examples that have each class among their labels
CLASS: Key = (("given", 2),)
LABELS = 4  # of an example, of which a share is wrong


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without it")
    parser.add_argument("--draws", type=int, default=1000, help="without anything to find")
    parser.add_argument("--planted", type=int, default=100, help="draws with a slice that is worse")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"There is no part {', '.join(unknown)}: choose of {', '.join(PARTS)}.")
    holds = [PARTS[part](options) for part in options.parts or PARTS]
    sys.exit(not all(holds))


def print_false(title: str, cases: Sequence[tuple[str, int, Once]], draws: int) -> bool:
    """Print how often a slice is named wrongly; whether the bound holds."""
    print(f"| {title} | examples | a slice is named in |\n|---|---|---|")
    shares = []
    for name, examples, once in cases:
        shares.append(rate(draws, once, examples))
        print(f"| {name} | {examples:,} | {shares[-1]:.1%} |", flush=True)
    print()
    return max(shares) <= FALSE


def print_planted(options: argparse.Namespace) -> bool:
    """Print how often a slice that is worse is found first; whether the bound holds."""
    print("| what is worse, of 10,000 examples | found first in |\n|---|---|")
    shares = [rate(options.planted, is_first, 10_000, once, key) for _, once, key in PLANTED]
    for (name, _, _), share in zip(PLANTED, shares, strict=True):
        print(f"| {name} | {share:.0%} |")
    return min(shares) >= FOUND


def print_times(_options: argparse.Namespace) -> bool:
    """Print how long permutations take."""
    print(f"\nOf one core, {PERMUTATIONS:,} permutations of mistakes and calibration take:\n")
    for examples in (10_000, 200_000):
        count, seconds = measure_time(examples)
        print(f"{seconds:.2f} s of {examples:,} examples in {count:,} slices")
    return True


def rate(draws: int, once: Callable[..., ScanResult | bool], *given: object) -> float:
    """The share of the draws in which any slice is named, or something is true."""
    results = [once(np.random.default_rng(seed), *given) for seed in range(draws)]
    return float(np.mean([bool(result.slices) if isinstance(result, ScanResult) else result for result in results]))


def is_first(random: Random, examples: int, once: Once, key: Key) -> bool:
    """Whether a slice is the first that is found."""
    slices = once(random, examples).slices
    return bool(slices) and slices[0].key == key


def draw_columns(random: Random, examples: int) -> dict[str, Array]:
    """Columns that are independent of each other."""
    return {name: random.integers(groups, size=examples) for name, groups in GROUPS.items()}


def draw_sets(random: Random, examples: int) -> dict[str, Array]:
    """The same, and the classes that are given and predicted, of which an example may have several."""
    given = random.random((examples, len(WITH_CLASS))) < WITH_CLASS
    predicted = given ^ (random.random(given.shape) < 0.05)
    return draw_columns(random, examples) | {"given": given, "predicted": predicted}


def within(columns: Columns, key: Key) -> Array:
    """(N,) bool, the examples of a slice."""
    masks = [columns[name][:, group] if columns[name].ndim > 1 else columns[name] == group for name, group in key]
    mask: Array = np.logical_and.reduce(masks)
    return mask


def scan(
    columns: Columns, terms: Array, scans: Mapping[str, Scan], groups: Array | None = None
) -> dict[str, ScanResult]:
    """Scan all slices of the columns and of pairs of them, but for classes that are given and predicted."""
    pairs = [pair for pair in combinations(columns, 2) if pair != ("given", "predicted")]
    return scan_slices(terms, make_partitions(columns, pairs), scans, groups=groups)


def both(results: Mapping[str, ScanResult]) -> ScanResult:
    """The slices of all scans."""
    first, *others = results.values()
    return ScanResult(sum((scan.slices for scan in others), first.slices), first.threshold, first.count)


def scan_classes(
    columns: Columns, wrong: Array, confidence: Array, groups: Array | None = None
) -> dict[str, ScanResult]:
    """Scan mistakes and calibration, as `mcviz slices` does."""
    scans = {"mistakes": Scan(mistakes_z, LEVEL / 2), "overconfidence": Scan(calibration_z, LEVEL / 2, alone=excess_z)}
    return scan(columns, np.stack([wrong, 1 - confidence]), scans, groups)


def confidences(random: Random, examples: int, mistakes: float) -> Array:
    """Confidences of which most are close to 1, with a mean of 1 − mistakes."""
    return 1 - np.clip(random.gamma(0.3, mistakes / 0.3, examples), 1e-5, 0.9)


def nothing(mistakes: float) -> Once:
    """Mistakes that are independent of all columns, of a calibrated model."""

    def once(random: Random, examples: int) -> ScanResult:
        confidence = confidences(random, examples, mistakes)
        return both(scan_classes(draw_columns(random, examples), random.random(examples) >= confidence, confidence))

    return once


def in_groups(constant: int) -> Once:
    """Mistakes that are correlated within groups of ten, of a calibrated model; some columns are constant in groups."""

    def once(random: Random, examples: int) -> ScanResult:
        members = np.arange(examples) // GROUP
        columns = draw_columns(random, examples)
        for name in list(columns)[:constant]:
            columns[name] = random.integers(GROUPS[name], size=members.max() + 1)[members]
        shared, own = random.normal(size=members.max() + 1)[members], random.normal(size=examples)
        chance = stats.norm.cdf(np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own)
        confidence = confidences(random, examples, 0.1)
        return both(scan_classes(columns, chance >= confidence, confidence, members))

    return once


def behind(random: Random, examples: int) -> ScanResult:
    """What is named beside a site with 30% of mistakes, where there are 5% elsewhere."""
    scan = planted_mistakes(SITE, 0.05, 0.3)(random, examples)
    return replace(scan, slices=tuple(slice_ for slice_ in scan.slices if slice_.key != SITE))


def hard_site(random: Random, examples: int) -> ScanResult:
    """A calibrated model whose confidence is low at one site: its calibration alone."""
    columns = draw_columns(random, examples)
    confidence = confidences(random, examples, 0.02)
    confidence = np.where(within(columns, SITE), 1 - np.minimum(10 * (1 - confidence), 0.9), confidence)
    return scan_classes(columns, random.random(examples) >= confidence, confidence)["overconfidence"]


def honest_site(random: Random, examples: int) -> ScanResult:
    """An under-confident model that is calibrated at one site: its calibration alone."""
    columns = draw_columns(random, examples)
    confidence = confidences(random, examples, 0.1)
    chance = np.where(within(columns, SITE), 1, 0.2) * (1 - confidence)
    return scan_classes(columns, random.random(examples) < chance, confidence)["overconfidence"]


def scan_errors(columns: Columns, errors: Array) -> ScanResult:
    """Scan the absolute errors, as `mcviz slices` does of a regression, or another loss."""
    dispersion = float(errors.var() / errors.mean() ** 2)
    return scan(columns, errors[None], {"errors": Scan(error_z(dispersion), LEVEL)})["errors"]


def draw_errors(random: Random, examples: int) -> Array:
    """Absolute errors with heavy tails: normal ones, of scales that differ from example to example."""
    return np.abs(random.normal(size=examples) * np.exp(random.normal(0, 0.7, examples)))


def no_errors(random: Random, examples: int) -> ScanResult:
    """Errors that are independent of all columns."""
    return scan_errors(draw_columns(random, examples), draw_errors(random, examples))


def scan_numbers(columns: Columns, errors: Array, outside: Array) -> dict[str, ScanResult]:
    """Scan absolute errors and the labels outside of intervals, as `mcviz slices` does of a regression."""
    z = error_z(float(errors.var() / errors.mean() ** 2))
    scans = {
        "errors": Scan(lambda inside, whole: z(inside[:2], whole[:2]), LEVEL / 2),
        "coverage": Scan(lambda inside, whole: mistakes_z(inside[::2], whole[::2]), LEVEL / 2),
    }
    return scan(columns, np.stack([errors, outside]), scans)


def honest_intervals(random: Random, examples: int) -> ScanResult:
    """Errors that are independent of all columns, and 90% intervals that hold 90% everywhere."""
    errors, columns = draw_errors(random, examples), draw_columns(random, examples)
    return both(scan_numbers(columns, errors, random.random(examples) < 0.1))


def planted_misses(random: Random, examples: int) -> ScanResult:
    """A slice whose 90% intervals hold 70%, where those of the rest hold 90%."""
    columns = draw_columns(random, examples)
    outside = random.random(examples) < np.where(within(columns, SITE), 0.3, 0.1)
    return scan_numbers(columns, draw_errors(random, examples), outside)["coverage"]


def draw_shares(random: Random, examples: int, mean: float | Array = 0.1) -> Array:
    """Shares of wrong labels: of most examples none is wrong, and of some most are."""
    return random.binomial(LABELS, random.beta(5 * mean, 5 - 5 * mean, examples)) / LABELS


def no_shares(mean: float) -> Once:
    """Shares of wrong labels that are independent of all columns and classes."""

    def once(random: Random, examples: int) -> ScanResult:
        return scan_errors(draw_sets(random, examples), draw_shares(random, examples, mean))

    return once


def planted_shares(key: Key) -> Once:
    """A slice whose share of wrong labels is twice as large."""

    def once(random: Random, examples: int) -> ScanResult:
        columns = draw_sets(random, examples)
        return scan_errors(columns, draw_shares(random, examples, np.where(within(columns, key), 0.2, 0.1)))

    return once


def scan_pair(columns: Columns, before: Array, after: Array) -> ScanResult:
    """Scan what a second model is worse on, as `mcviz compare` does."""
    worse = after.astype(float) - before
    scans = {"change": Scan(change_z, LEVEL, alone=paired_z)}
    return scan(columns, np.stack([worse, worse**2]), scans)["change"]


def exchangeable(random: Random, examples: int) -> ScanResult:
    """Two models that are equally good, both worse at one site."""
    columns = draw_columns(random, examples)
    mistakes = np.where(within(columns, SITE), 0.3, 0.05)
    return scan_pair(columns, *(random.random((2, examples)) < mistakes))


def uniform_loss(random: Random, examples: int) -> ScanResult:
    """A second model that loses one in ten of the right predictions, wherever they are; both are worse at one site."""
    columns = draw_columns(random, examples)
    before = random.random(examples) < np.where(within(columns, SITE), 0.15, 0.05)
    return scan_pair(columns, before, before | (random.random(examples) < 0.1))


def uniform_growth(random: Random, examples: int) -> ScanResult:
    """A second regression whose errors are half as large again everywhere."""
    errors = draw_errors(random, examples)
    return scan_pair(draw_columns(random, examples), errors, 1.5 * draw_errors(random, examples))


def uniform_loss_of_labels(random: Random, examples: int) -> ScanResult:
    """A second model of several labels that is wrong in more of them, wherever they are; both are worse at one site."""
    columns = draw_sets(random, examples)
    mean = np.where(within(columns, SITE), 0.2, 0.05)
    return scan_pair(columns, draw_shares(random, examples, mean), draw_shares(random, examples, mean + 0.05))


def planted_mistakes(key: Key, rest: float, share: float) -> Once:
    """A slice with more mistakes than the rest."""

    def once(random: Random, examples: int) -> ScanResult:
        columns = draw_columns(random, examples)
        scale = np.where(within(columns, key), share, rest)
        wrong = random.random(examples) < scale
        return scan(columns, wrong[None].astype(float), {"mistakes": Scan(mistakes_z, LEVEL / 2)})["mistakes"]

    return once


def planted_confidence(random: Random, examples: int) -> ScanResult:
    """A slice with mistakes that the confidences do not expect."""
    columns = draw_columns(random, examples)
    wrong = random.random(examples) < np.where(within(columns, SITE), 0.08, 0.01)
    return scan_classes(columns, wrong, np.full(examples, 0.99))["overconfidence"]


def planted_errors(random: Random, examples: int) -> ScanResult:
    """A slice whose errors are twice as large."""
    columns = draw_columns(random, examples)
    return scan_errors(columns, draw_errors(random, examples) * np.where(within(columns, SITE), 2, 1))


def planted_change(share: float, elsewhere: float) -> Once:
    """A slice on which the second model makes more mistakes than elsewhere, where the first makes 1%."""

    def once(random: Random, examples: int) -> ScanResult:
        columns = draw_columns(random, examples)
        before = random.random(examples) < 0.01
        return scan_pair(columns, before, random.random(examples) < np.where(within(columns, SITE), share, elsewhere))

    return once


def measure_time(examples: int) -> tuple[int, float]:
    """How many slices ten columns and their pairs have, and the processor's seconds that scanning them takes."""
    random = np.random.default_rng(0)
    columns = {str(column): random.integers(6 + column % 2, size=examples) for column in range(10)}
    confidence = confidences(random, examples, 0.1)
    started = time.process_time()
    scans = scan_classes(columns, random.random(examples) >= confidence, confidence)
    return scans["mistakes"].count, time.process_time() - started


NOTHING: list[tuple[str, int, Once]] = [
    ("1% of mistakes, and calibration", 2_000, nothing(0.01)),
    ("10% of mistakes, and calibration", 2_000, nothing(0.1)),
    ("10% of mistakes, and calibration", 100, nothing(0.1)),
    ("calibration, where confidence is low at one site", 2_000, hard_site),
    ("calibration, where confidence is too low but at one site", 2_000, honest_site),
    ("absolute errors of a regression", 2_000, no_errors),
    ("10% of several labels wrong", 2_000, no_shares(0.1)),
    ("1% of several labels wrong", 2_000, no_shares(0.01)),
    ("10% of several labels wrong", 100, no_shares(0.1)),
]
INTERVALS: list[tuple[str, int, Once]] = [
    ("absolute errors of a regression, and its intervals", 2_000, honest_intervals),
    ("absolute errors of a regression, and its intervals", 200, honest_intervals),
]
BETWEEN: list[tuple[str, int, Once]] = [
    ("two models that are alike", 2_000, exchangeable),
    ("a second model that is worse everywhere alike", 2_000, uniform_loss),
    ("a second regression that is worse everywhere alike", 2_000, uniform_growth),
    ("a second model of several labels that is worse everywhere alike", 2_000, uniform_loss_of_labels),
]
IN_GROUPS: list[tuple[str, int, Once]] = [
    ("all columns constant in groups", 2_000, in_groups(len(GROUPS))),
    ("half of the columns constant in groups", 2_000, in_groups(len(GROUPS) // 2)),
    ("no column constant in groups", 2_000, in_groups(0)),
]
BEHIND: list[tuple[str, int, Once]] = [("30% of mistakes at one site, 5% elsewhere", 5_000, behind)]
PLANTED: list[tuple[str, Once, Key]] = [
    ("8% of mistakes in a slice of 3%, 1% in the rest", planted_mistakes(SITE, 0.01, 0.08), SITE),
    ("25% of mistakes in a slice of 3%, 10% in the rest", planted_mistakes(SITE, 0.1, 0.25), SITE),
    ("8% of mistakes in a slice of two columns, 1% in the rest", planted_mistakes(PAIR, 0.01, 0.08), PAIR),
    ("25% of mistakes in a slice of two columns, 10% in the rest", planted_mistakes(PAIR, 0.1, 0.25), PAIR),
    ("8% of mistakes in a slice of 3% with a confidence of 99%", planted_confidence, SITE),
    ("absolute errors in a slice of 3% that are twice as large", planted_errors, SITE),
    ("labels in a slice of 3% of which intervals hold 70%, of the rest 90%", planted_misses, SITE),
    ("20% of several labels wrong in a slice of 3%, 10% in the rest", planted_shares(SITE), SITE),
    ("20% of several labels wrong where one class is given, 10% in the rest", planted_shares(CLASS), CLASS),
    ("12% of mistakes in a slice of 3%, where an older model made 1%", planted_change(0.12, 0.01), SITE),
    (
        "18% of mistakes in a slice of 3%, 5% in the rest, where an older model made 1%",
        planted_change(0.18, 0.05),
        SITE,
    ),
]

PARTS: dict[str, Callable[[argparse.Namespace], bool]] = {
    "nothing": lambda options: print_false("there is nothing to find in", NOTHING, options.draws),
    "intervals": lambda options: print_false("there is nothing to find in", INTERVALS, options.draws),
    "between": lambda options: print_false("between two runs there is nothing to find in", BETWEEN, options.draws),
    "groups": lambda options: print_false("nothing to find in groups of ten", IN_GROUPS, options.draws),
    "behind": lambda options: print_false("another slice behind", BEHIND, options.draws),
    "planted": print_planted,
    "time": print_times,
}

if __name__ == "__main__":
    main()
