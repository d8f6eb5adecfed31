"""How often a verdict is given where there is nothing to find, and where there is something: Markdown tables.

    python benchmarks/verdicts.py [PART …] [--draws 500]

All parts take an hour on two cores. The exit code is 1 where a bound does not hold: at most 5% of the draws without
anything to find, at least 80% of those with it, and what so many draws differ from that by chance.
"""

import argparse
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from mcviz.measures import Predictions, RegressionPredictions
from mcviz.measures.permutation import finds_more_than_chance
from mcviz.measures.quality import QUALITY, Terms, compared
from mcviz.measures.selective import Ranking, selective_figures

Array = np.ndarray
Random = np.random.Generator

SIZES = 2, 10, 30, 100, 300, 1_000, 10_000
CONFIDENCES = 0.6, 0.9, 0.98, 0.995  # means over the examples
FALSE, FOUND = 0.05, 0.8  # shares of the draws
CHANCE = 1e-4  # that a share is beyond its tolerance
RESAMPLES = 200  # of each draw; more take longer and change no rate
SCORES = 8  # that are ranked
INSPECTED = 0.05  # of the examples, in the story


def main() -> None:
    """Print the tables of the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without it")
    parser.add_argument("--draws", type=int, default=500, help="of each figure")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"There is no part {', '.join(unknown)}: choose of {', '.join(PARTS)}.")
    held = [PARTS[part](options.draws) for part in options.parts or PARTS]
    sys.exit(not all(held))


def comparison(draws: int) -> bool:
    """The verdicts on two runs, over the same examples and over others."""
    held = True
    for paired, examples_are in ((True, "the same examples"), (False, "other examples")):
        rates = [
            [rate(draws, false_differences, examples, mean, paired).max() for mean in (*CONFIDENCES, None)]
            for examples in SIZES
        ]
        title = f"Exchangeable runs over {examples_are} that differ by more than noise, the highest of all measures"
        held &= false_table(title, rates, draws, "regression")
        found = rate(draws, true_differences, paired)
        held &= found_table(f"Worse runs of 1,000 over {examples_are}", dict(zip(WORSE, found, strict=True)), draws)
    return held


def ranking(draws: int) -> bool:
    """The verdicts on scores that rank the examples."""
    rates = [[rate(draws, false_ranks, examples, mean) for mean in CONFIDENCES] for examples in SIZES]
    held = false_table(f"One of {SCORES} equally good scores or more does not tie with the best", rates, draws)
    found = {"a score that knows nothing does not tie": rate(draws, true_rank)}
    return found_table("Scores of 1,000 examples", found, draws) and held


def story(draws: int) -> bool:
    """Whether the uncertainty is called useful."""
    rates = [[rate(draws, false_use, examples, mean) for mean in (*CONFIDENCES, None)] for examples in SIZES]
    held = false_table("A score that knows nothing is called useful", rates, draws, "regression")
    found = {"max probability is called useful": rate(draws, true_use)}
    return found_table("Predictions of 1,000 examples", found, draws) and held


PARTS: dict[str, Callable[[int], bool]] = {"comparison": comparison, "ranking": ranking, "story": story}


def rate(draws: int, once: Callable[..., bool | list[bool]], *given: Any) -> Array:
    """The share of the draws in which something, or each of some things, is said."""
    return np.mean([once(np.random.default_rng(seed), *given) for seed in range(draws)], axis=0)


def false_table(title: str, rates: list[list[Array]], draws: int, *more: str) -> bool:
    """Print rates by the number of examples and the mean confidence; whether none is too high."""
    most = stats.binom.isf(CHANCE, draws, FALSE) / draws
    print(f"\n{title}, in {draws:,} draws each: at most {FALSE:.0%}, {most:.1%} by chance.\n")
    print(f"| examples | {' | '.join([*(f'mean confidence {mean}' for mean in CONFIDENCES), *more])} |")
    print("|---" * (1 + len(rates[0])) + "|")
    for examples, row in zip(SIZES, rates, strict=True):
        print(f"| {examples:,} | {' | '.join(f'{each:.1%}' for each in row)} |", flush=True)
    return bool(np.max(rates) <= most)


def found_table(title: str, rates: dict[str, Array], draws: int) -> bool:
    """Print rates by what there is to find, at a mean confidence of 0.9; whether none is too low."""
    least = stats.binom.ppf(CHANCE, draws, FOUND) / draws
    print(f"\n{title}, mean confidence 0.9, in {draws:,} draws: at least {FOUND:.0%}, {least:.1%} by chance.\n")
    print("| to be found | is found in |\n|---|---|")
    for name, found in rates.items():
        print(f"| {name} | {found:.1%} |", flush=True)
    return min(rates.values()) >= least


def probabilities(random: Random, examples: int, mean: float) -> tuple[Array, Array]:
    """(N,) float64, true probabilities of the first of two classes, the larger ones of a given mean; (N,) labels."""
    larger = 0.5 + 0.5 * random.beta(4 * mean - 2, 4 - 4 * mean, examples)
    first = np.clip(np.where(random.random(examples) < 0.5, larger, 1 - larger), 1e-6, 1 - 1e-6)
    return first, (random.random(examples) > first).astype(int)


def predicted(random: Random, truth: Array, temperature: float = 1.0) -> Array:
    """(N,) float64, what a model gives for true probabilities: their logits with noise, at a temperature."""
    logits = (np.log(truth / (1 - truth)) + random.normal(0, 0.5, len(truth))) / temperature
    return 1 / (1 + np.exp(-logits))


def class_terms(first: Array, labels: Array, uncertainty: Array | None = None) -> Terms:
    """What a comparison is computed from, of (N,) probabilities of the first class."""
    probs = np.stack([first, 1 - first], axis=1)
    doubt = -probs.max(axis=1) if uncertainty is None else uncertainty
    return {**QUALITY["classification"].terms(Predictions(probs[None], labels)), "uncertainty": doubt}


def regression_terms(random: Random, scale: Array, times: float = 1.0) -> Terms:
    """The same of a regression with errors of a given (N, 1) scale, and passes that spread as far."""
    error, passes = (scale * random.normal(size=(*shape, *scale.shape)) for shape in ((), (8,)))
    return QUALITY["regression"].terms(RegressionPredictions(times * error + passes, labels=np.zeros_like(scale)))


def differing(task: str, one: Terms, other: Terms, paired: bool) -> dict[str, bool]:
    """Which measures differ by more than noise."""
    found = compared(task, one, other, paired=paired, resamples=RESAMPLES)
    return {each.measure.name: each.verdict not in ("noise", "unknown") for each in found}


def false_differences(random: Random, examples: int, mean: float | None, paired: bool) -> list[bool]:
    """Of exchangeable runs, where unpaired the second over half as many others; of regressions without a `mean`."""
    sizes = examples, examples if paired else ceil(examples / 2)
    if mean is None:
        scales = [np.exp(random.normal(0, 0.7, (size, 1))) for size in sizes]
        one, other = (regression_terms(random, scales[0 if paired else at]) for at in range(2))
        return list(differing("regression", one, other, paired).values())
    given = [probabilities(random, size, mean) for size in sizes]
    one, other = (
        class_terms(predicted(random, truth), labels) for truth, labels in ((given[0], given[0]) if paired else given)
    )
    return list(differing("classification", one, other, paired).values())


WORSE = {  # how the second run is worse, by the measure that should find it
    "5 points less accuracy": "accuracy",
    "a temperature of 3: NLL": "nll",
    "uncertainties that know nothing: AUROC": "auroc",
    "errors half as large again: RMSE": "rmse",
}


def true_differences(random: Random, paired: bool) -> list[bool]:
    """Of runs of which the second is worse in each of the ways of `WORSE`."""
    truth, labels = probabilities(random, 1000, 0.9)
    one = class_terms(predicted(random, truth), labels)
    scale = np.exp(random.normal(0, 0.7, (1000, 1)))
    errors = regression_terms(random, scale)
    if not paired:
        truth, labels = probabilities(random, 1000, 0.9)
        scale = np.exp(random.normal(0, 0.7, (1000, 1)))
    first = predicted(random, truth)
    turned = np.where(random.random(1000) < 1 / 16, 1 - first, first)  # of 80% more right than wrong, 5 points
    others = {
        "accuracy": class_terms(turned, labels),
        "nll": class_terms(predicted(random, truth, 3.0), labels),
        "auroc": class_terms(first, labels, random.random(1000)),
    }
    found = {name: differing("classification", one, other, paired)[name] for name, other in others.items()}
    found["rmse"] = differing("regression", errors, regression_terms(random, scale, 1.5), paired)["rmse"]
    return [found[measure] for measure in WORSE.values()]


def false_ranks(random: Random, examples: int, mean: float) -> bool:
    """Of scores that are the confidence with as much noise in each."""
    truth, labels = probabilities(random, examples, mean)
    terms = class_terms(predicted(random, truth), labels)
    noise = terms["uncertainty"].std() * random.normal(size=(SCORES, examples))
    return not all(ties(terms, terms["uncertainty"] + noise))


def true_rank(random: Random) -> bool:
    """Of the confidence, and of a score that knows nothing."""
    truth, labels = probabilities(random, 1000, 0.9)
    terms = class_terms(predicted(random, truth), labels)
    noise = random.normal(size=(SCORES - 1, 1000))
    return not any(ties(terms, np.vstack([terms["uncertainty"], noise]))[1:])


def ties(terms: Terms, scores: Array) -> list[bool]:
    """Whether each of (K, N) scores ties with the best."""
    orders = {str(at): Ranking(each, terms["correct"]) for at, each in enumerate(scores)}
    return [each.ties_with_best for each in selective_figures(orders, resamples=RESAMPLES).values()]


def false_use(random: Random, examples: int, mean: float | None) -> bool:
    """Of an order that knows nothing; of the largest errors of a regression without a `mean`."""
    if mean is None:
        return useful(random.permutation(examples) < max(1, int(INSPECTED * examples)))
    truth, labels = probabilities(random, examples, mean)
    return useful(~class_terms(predicted(random, truth), labels)["correct"])


def true_use(random: Random) -> bool:
    """Of the order by the confidence."""
    truth, labels = probabilities(random, 1000, 0.9)
    terms = class_terms(predicted(random, truth), labels)
    return useful(~terms["correct"][np.argsort(-terms["uncertainty"])])


def useful(wrong: Array) -> bool:
    """Whether the story calls an order useful."""
    return finds_more_than_chance(wrong, max(1, int(INSPECTED * len(wrong))))


if __name__ == "__main__":
    main()
