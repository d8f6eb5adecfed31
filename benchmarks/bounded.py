"""The rates of verdicts on shares of wrong labels and of pixels, losses from 0 to 1: Markdown tables.

    python benchmarks/bounded.py [PART …] [--draws 500]

All parts take a quarter of an hour of one core. The exit code is 1 where a bound of `benchmarks/verdicts.py` does not
hold: at most 5% of the guarantees are false, of the intervals of 95% at most 5% leave out what is true, and of the
gates at most 2.5% pass a model that is worse; what there is to find is found in at least 80% of the draws.
"""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from scipy import special

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.verdicts import (
    CHANGED,
    FALSE,
    MISSED,
    POOL,
    RESAMPLES,
    SMALLER,
    Array,
    Random,
    Report,
    about_differences,
    misses,
    passes,
    print_fewest,
    print_parts,
    rate,
)
from mcviz.measures.intervals import Interval, find_biased
from mcviz.measures.multilabel import MULTILABEL, THRESHOLD, label_means
from mcviz.measures.quality import difference_intervals
from mcviz.measures.registry import Terms
from mcviz.measures.segmentation import PixelSums, mean_of_known
from mcviz.measures.selective import (
    Ranking,
    guarantee_budget,
    guarantee_quality,
    guarantee_threshold,
    referral_for_misses,
)

LABELS = 5  # of an example
SHARES = 0.3, 0.1, 0.03  # means of the share of them that is wrong
GUARANTEED = "a quality", "a budget", "a share of the loss"
LABEL_ODDS = 0.0, -3.0  # log odds of a label in the middle: about half of them are 1, or one in ten
LABEL_MEANS = "accuracy", "nll", "brier"
LABEL_DIFFERENCES = {"accuracy": "high", "exact_match": "high", "nll": "low", "brier": "low"}


def guarantees(report: Report) -> None:
    """The guarantees of referral, by betting."""
    columns = [f"{mean:.0%} of the labels wrong" for mean in SHARES]
    statements = [(f"of shares of wrong labels, the guarantee for {target} is false", FALSE) for target in GUARANTEED]
    report.print_each(statements, report.rates(false_share_guarantees, SHARES, SMALLER), columns, sizes=SMALLER)
    found = {
        "95% of the labels of the rest are right, of 90% of all, of 2,000 examples": rate(
            report.draws, true_share_guarantee
        )
    }
    report.print_found(found)


def means(report: Report) -> None:
    """The intervals of means over several labels an example."""
    columns = ["half of the labels 1", "one in ten"]
    statements = [(f"the interval of the {name} over labels leaves it out", MISSED) for name in LABEL_MEANS]
    report.print_each(statements, report.rates(missed_label_means, LABEL_ODDS, SMALLER), columns, sizes=SMALLER)


def differences(report: Report) -> None:
    """The intervals of the difference of two runs over the same examples, and the gates that they decide."""

    def worst(examples: int, how: str) -> Array:
        return np.max([rate(report.draws, missed_label_differences, examples, odds, how) for odds in LABEL_ODDS], 0)

    cells = [[worst(examples, how) for how in CHANGED] for examples in report.compared]
    statements = about_differences([f"{name} over labels" for name in LABEL_DIFFERENCES])
    report.print_each(statements, cells, list(CHANGED), sizes=report.compared)


def rare(report: Report) -> None:
    """A run, and a gate, of which all labels of a few examples are wrong."""
    statements = [
        ("of 20 labels each, the interval of the accuracy over labels leaves it out", MISSED),
        *about_differences(["accuracy over 20 labels"]),
    ]
    columns = [f"all wrong in {share:.1%}" for share in FAILING]
    report.print_each(statements, report.rates(missed_failures, FAILING, IMAGES), columns, sizes=IMAGES)


def dice(report: Report) -> None:
    """The interval of a mean Dice, of images of which some fail."""
    columns = [f"{share:.0%} fail" for share in FAILING_IMAGES]
    rates = report.rates(missed_dice, FAILING_IMAGES, IMAGES)
    report.print_false("the interval of the mean Dice leaves it out", rates, columns, bound=MISSED, sizes=IMAGES)
    widths = [[np.mean([dice_width(seed, count, share) for seed in range(100)]) for share in FAILING_IMAGES]
              for count in IMAGES]  # fmt: skip
    print(f"\nIts width:\n\n| images | {' | '.join(columns)} |\n|{'---|' * (1 + len(columns))}")
    for count, row in zip(IMAGES, widths, strict=True):
        print(f"| {count:,} | {' | '.join(f'{width:.3f}' for width in row)} |", flush=True)


def pixels(report: Report) -> None:
    """Whether probabilities of pixels are said to be too high or too low, of any class, where they are true."""
    rates = report.rates(false_bias, list(PIXELS.values()), IMAGES)
    report.print_false("pixels of a calibrated segmentation are called off", rates, list(PIXELS), sizes=IMAGES)
    found = {f"10 points too high, {name}": [rate(report.draws, true_bias, count, how) for count in IMAGES]
             for name, how in PIXELS.items()}  # fmt: skip
    print(f"\nFound:\n\n| what there is, in so many images | {' | '.join(map(str, IMAGES))} |\n|---|---|---|---|")
    for name, shares in found.items():
        print(f"| {name} | {' | '.join(f'{share:.1%}' for share in shares)} |", flush=True)


def fewest(report: Report) -> None:
    """How many images, or examples of several labels, show that a model which is as good is not worse by more."""
    print_fewest(report, MARGINS, is_as_good)


PARTS: dict[str, Callable[[Report], None]] = {
    "guarantees": guarantees,
    "means": means,
    "differences": differences,
    "rare": rare,
    "dice": dice,
    "pixels": pixels,
    "fewest": fewest,
}
MARGINS = {
    "dice": (0.05, 0.02, 0.01, 0.005),
    "accuracy": (0.05, 0.02, 0.01, 0.005),
    "nll": (0.1, 0.05, 0.02, 0.01),
    "brier": (0.05, 0.02, 0.01, 0.005),
}
CHANGED_SHARE = 0.02  # of the examples, of which a model that is as good predicts another thing
FAILING = 0.002, 0.005, 0.01  # shares of examples all of whose labels are wrong
FAILING_IMAGES = 0.0, 0.01, 0.02, 0.05
IMAGES = 30, 100, 300
CLASSES = 3  # of pixels
PIXELS = {  # how alike the pixels of an image are (high: less), and how sizes are spread
    "images alike within": (2, 0.0),
    "images alike within, sizes spread": (2, 1.0),
    "images less so": (20, 0.0),
    "images less so, sizes spread": (20, 1.0),
}


@cache
def pool_of_shares(mean: float) -> tuple[Array, Array]:
    """(POOL,) float64 uncertainties, ascending, and the expected shares of wrong labels, of which they tell a part."""
    random = np.random.default_rng(0)
    expected = random.beta(4 * mean, 4 * (1 - mean), POOL)
    uncertainty = special.logit(np.clip(expected, 1e-9, 1 - 1e-9)) + random.normal(size=POOL)
    order = np.argsort(uncertainty)
    return uncertainty[order], expected[order]


def draw_shares(random: Random, examples: int, mean: float) -> Ranking:
    """A ranking of examples by shares of wrong labels; in half of the examples all labels are wrong, or none."""
    uncertainty, expected = pool_of_shares(mean)
    chosen, drawn = random.integers(POOL, size=examples), random.random((examples, LABELS))
    drawn = np.where(random.random((examples, 1)) < 0.5, drawn, drawn[:, :1])
    return Ranking(uncertainty[chosen], (drawn < expected[chosen, None]).mean(axis=1))


def false_share_guarantees(random: Random, examples: int, mean: float) -> list[bool]:
    """Whether each of `GUARANTEED` is false of shares of wrong labels."""
    ranking, (uncertainty, expected) = draw_shares(random, examples, mean), pool_of_shares(mean)
    guarantees = (
        guarantee_quality(ranking, 1 - mean / 2),
        guarantee_budget(ranking, examples // 5),
        guarantee_threshold(ranking, lambda labelled: referral_for_misses(labelled, 0.5)),
    )
    rests = [expected[uncertainty < given.threshold] if given else np.zeros(0) for given in guarantees]
    return [
        given is not None and len(rest) > 0 and bool(1 - rest.mean() < given.quality)
        for given, rest in zip(guarantees, rests, strict=True)
    ]


def true_share_guarantee(random: Random) -> bool:
    """Whether half of the loss of 2,000 examples is guaranteed to be found."""
    return guarantee_quality(draw_shares(random, 2000, 0.1), 0.95) is not None


@cache
def pool_of_labels(odds: float, how: str) -> tuple[Array, Array, Array]:
    """(POOL, LABELS) true probabilities of each class, and those that two models give, the second as `CHANGED` says.

    Where that fails, it gives one less its probabilities.
    """
    (temperature, again, share), random = CHANGED[how], np.random.default_rng(0)
    logits = odds + random.normal(0, 1.5, (POOL, 1)) + random.normal(0, 1.5, (POOL, LABELS))
    first, other = (logits + random.normal(0, 0.5, logits.shape) for _ in range(2))
    second = special.expit(other if again else first / temperature)
    fails = random.random((POOL, 1)) < share
    return special.expit(logits), special.expit(first), np.where(fails, 1 - second, second)


def two_models_of_labels(random: Random, examples: int, odds: float, how: str) -> tuple[Terms, Terms]:
    """The terms of two models of several labels an example, over the same examples."""
    chosen = random.integers(POOL, size=examples)
    truth, first, second = (probs[chosen] for probs in pool_of_labels(odds, how))
    labels = (random.random(truth.shape) < truth).astype(np.int8)
    one, other = ({"probs": probs, "predicted": probs > THRESHOLD, "labels": labels} for probs in (first, second))
    return one, other


@cache
def expected_of_labels(odds: float, how: str) -> list[dict[str, float]]:
    """The measures of `LABEL_DIFFERENCES` that are to be expected of each of two models."""
    truth, *models = pool_of_labels(odds, how)
    measures = []
    for probs in models:
        right = np.where(probs > 0.5, truth, 1 - truth)
        nll = special.rel_entr(truth, probs) + special.rel_entr(1 - truth, 1 - probs)
        means = {
            "accuracy": right,
            "exact_match": right.prod(axis=1),
            "nll": nll + special.entr(truth) + special.entr(1 - truth),
            "brier": truth * np.square(1 - probs) + (1 - truth) * np.square(probs),
        }
        measures.append({name: float(values.mean()) for name, values in means.items()})
    return measures


def missed_label_means(random: Random, examples: int, odds: float) -> list[bool]:
    """Whether the interval of each of `LABEL_MEANS` misses it."""
    how = "another training"
    one, _ = two_models_of_labels(random, examples, odds, how)
    intervals, true = label_means(one), expected_of_labels(odds, how)[0]
    return [misses(intervals[name], true[name]) for name in LABEL_MEANS]


def missed_label_differences(random: Random, examples: int, odds: float, how: str) -> list[bool]:
    """The same as `missed_differences`, of several labels an example."""
    before, after = expected_of_labels(odds, how)
    true = {name: after[name] - before[name] for name in before}
    intervals = difference_intervals(
        MULTILABEL,
        *two_models_of_labels(random, examples, odds, how),
        LABEL_DIFFERENCES,
        confidence=0.95,
        resamples=RESAMPLES,
        seed=0,
    )
    missed = [misses(intervals[name], true[name]) for name in LABEL_DIFFERENCES]
    return missed + [passes(intervals[name], true[name], better) for name, better in LABEL_DIFFERENCES.items()]


def missed_failures(random: Random, examples: int, share: float) -> list[bool]:
    """Whether intervals of one and of two models of 20 labels miss, and a gate passes; one is wrong in 2% of them."""
    one = random.random((examples, 20)) < 0.02
    fails = random.random((examples, 1)) < share
    other = fails | (random.random((examples, 20)) < 0.02)
    labels = np.zeros((examples, 20), np.int8)
    first, second = (
        {"probs": np.where(wrong, 0.9, 0.1), "predicted": wrong, "labels": labels} for wrong in (one, other)
    )
    worse = -0.98 * share
    alone = label_means(second)["accuracy"]
    both = difference_intervals(MULTILABEL, first, second, ["accuracy"], confidence=0.95, resamples=2, seed=0)
    return [
        misses(alone, 0.98 + worse),
        misses(both["accuracy"], worse),
        passes(both["accuracy"], worse, "high"),
    ]


def draw_dice(random: Random, images: int, share: float) -> Interval:
    """The interval of the mean Dice; of the images that fail it is about 0.1, of the others 0.9."""
    fails = random.random(images) < share
    return mean_of_known(np.where(fails, random.beta(2, 18, images), random.beta(18, 2, images)), None, 0.95)


def missed_dice(random: Random, images: int, share: float) -> bool:
    """Whether the interval of the mean Dice misses it."""
    return misses(draw_dice(random, images, share), 0.9 - 0.8 * share)


def is_as_good(random: Random, examples: int, measure: str, margin: float) -> bool:
    """Whether a model passes that is as good, and changes a few predictions: of images, or of several labels."""
    is_changed = random.random(examples) < CHANGED_SHARE
    if measure == "dice":
        one, again = random.beta(18, 2, (2, examples))
        return mean_of_known(np.where(is_changed, again - one, 0), None, 0.95, least=-1).low >= -margin
    one, again = two_models_of_labels(random, examples, 0.0, "another training")
    other = {**one, "probs": np.where(is_changed[:, None], again["probs"], one["probs"])}
    found = difference_intervals(MULTILABEL, one, other, [measure], confidence=0.95, resamples=2, seed=0)[measure]
    return found.low >= -margin if measure == "accuracy" else found.high <= margin


def dice_width(seed: int, images: int, share: float) -> float:
    """How wide the interval of the mean Dice is."""
    interval = draw_dice(np.random.default_rng(seed), images, share)
    return interval.high - interval.low


def biased_pixels(random: Random, images: int, how: tuple[float, float], excess: float) -> bool:
    """Whether pixels of any class, of all or of the foreground are said to be off by more than chance.

    Of a class in an image all confidences are alike, and the share of correct ones is drawn around them less `excess`.
    """
    (alike, spread), shape = how, (images, CLASSES)
    count = np.maximum(random.lognormal(6, spread, shape).astype(int), 1)
    confidence = random.uniform(0.75, 0.95, shape)
    mean = confidence - excess
    correct = random.binomial(count, random.beta(alike * mean, alike * (1 - mean)))
    sums = PixelSums(count, correct, confidence * count, np.zeros((1, 3)))
    every = [[0, 1, 2], [1, 2], [0], [1], [2]]
    together = 1 - 0.05 / len(every)
    found = {str(classes): sums.excess(classes, groups=None, confidence=together) for classes in every}
    return bool(find_biased(found))


def false_bias(random: Random, images: int, how: tuple[float, float]) -> bool:
    """Whether calibrated pixels are said to be off."""
    return biased_pixels(random, images, how, 0.0)


def true_bias(random: Random, images: int, how: tuple[float, float]) -> bool:
    """Whether pixels are said to be off whose confidence is 10 points too high."""
    return biased_pixels(random, images, how, 0.1)


if __name__ == "__main__":
    print_parts(__doc__, PARTS)
