"""How often intervals of numbers hold the labels of new examples, and shares of thirds lie where they are said to.

    python benchmarks/intervals.py [--draws 300]

Labels scatter around the mean of the passes with a std that differs from example to example. The passes differ by as
much, or by half or twice of it. The exit code is 1 where conformal intervals hold less than they promise in the mean of
the draws, by more than three standard errors, or an interval of a share leaves out the true one in more than 7%.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from mcviz.measures.conformal import (
    IntervalCalibration,
    conformal_intervals_for_new,
    interval_calibration,
    pass_intervals,
)
from mcviz.measures.registry import RegressionPredictions

Array = np.ndarray
SPREADS = 0.5, 1.0, 2.0  # of the passes, beside that of the labels
SIZES = 50, 200, 1_000
PASSES, NEW, MANY = 20, 500, 40_000
COVERAGE = 0.9
LEAST_HELD, MOST_MISSED = 3, 0.07


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=300)
    draws, holds = parser.parse_args().draws, []
    print("| std of the passes, beside the labels' | labels | by the passes | of one width | by the std |")
    print("|---|---|---|---|---|")
    for spread in SPREADS:
        for size in SIZES:
            held = np.array([hold_new(spread, size, seed) for seed in range(draws)])
            mean, error = held.mean(axis=0), held.std(axis=0) / np.sqrt(draws)
            holds.append(bool((mean[1:] >= COVERAGE - LEAST_HELD * error[1:]).all()))
            print(f"| {spread:g} | {size:,} | {' | '.join(f'{share:.1%}' for share in mean)} |", flush=True)
    print("\n| std of the passes, beside the labels' | labels | an interval of a third leaves out the true share |")
    print("|---|---|---|")
    for spread in SPREADS:
        outputs, labels = draw(spread, MANY, np.random.default_rng(0))
        true = [part.observed[0] for part in thirds(outputs, labels)]
        for size in SIZES:
            missed = np.mean([miss(spread, size, true, seed) for seed in range(1, draws + 1)])
            holds.append(bool(missed <= MOST_MISSED))
            print(f"| {spread:g} | {size:,} | {missed:.1%} |", flush=True)
    sys.exit(not all(holds))


def draw(spread: float, count: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Draw (T, N, 1) passes and (N, 1) labels; labels scatter more where they are high."""
    mean = random.normal(size=count)
    std = np.exp(0.5 * mean + random.normal(0, 0.3, count))
    outputs = mean + spread * std * random.normal(size=(PASSES, count))
    return outputs[..., None], (mean + std * random.normal(size=count))[:, None]


def hold_new(spread: float, size: int, seed: int) -> list[float]:
    """Return the share of new labels that each kind of interval holds, once so many have calibrated it."""
    random = np.random.default_rng(seed)
    known, new = (RegressionPredictions(*_parts(draw(spread, count, random))) for count in (size, NEW))
    found = [pass_intervals(new, COVERAGE)]
    found += [conformal_intervals_for_new(known, new, COVERAGE, normalised=by_std) for by_std in (False, True)]
    return [float(((each.low <= new.labels) & (new.labels <= each.high)).mean()) for each in found]


def _parts(drawn: tuple[Array, Array]) -> tuple[Array, None, Array]:
    return drawn[0], None, drawn[1]


def thirds(outputs: Array, labels: Array) -> list[IntervalCalibration]:
    """Return the calibration of each third of the examples by the prediction."""
    order = np.argsort(outputs.mean(axis=0)[:, 0], kind="stable")
    given, levels = RegressionPredictions(outputs, labels=labels), np.array([COVERAGE])
    return [interval_calibration(given, levels=levels, members=part)[0] for part in np.array_split(order, 3)]


def miss(spread: float, size: int, true: list[float], seed: int) -> float:
    """Return the share of the thirds whose interval leaves out the true share."""
    found = thirds(*draw(spread, size, np.random.default_rng(seed)))
    return float(np.mean([not of.low[0] <= share <= of.high[0] for of, share in zip(found, true, strict=True)]))


if __name__ == "__main__":
    main()
