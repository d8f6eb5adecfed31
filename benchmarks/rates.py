"""Choose a rate of dropout for a trained classifier on one half of labelled examples, and judge it on the other.

    python benchmarks/rates.py --model MODEL.keras --data DATA [--first N] [--rates R ...] [--passes T]

The same weights are sampled with all dropout at each rate, and once at the rates of the training. A rate that is chosen
by labels flatters itself on these labels. So half of the examples, at random, choose the rate with the lowest NLL, and
all other figures are those of the other half. It prints a Markdown table.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

import mcviz
from mcviz.analysis.comparison import Comparison
from mcviz.data import DataSet

SEED = 0  # of the halves
RATES = [0.05, 0.2, 0.35, 0.5, 0.65, 0.8]
COLUMNS = {"accuracy": "accuracy", "nll": "NLL", "ece": "ECE", "auroc": "AUROC of finding mistakes"}


def compare_rates(
    model: keras.Model, data: DataSet, rates: Sequence[float], passes: int, folder: Path
) -> dict[float, Comparison]:
    """Compare the run at each rate with the one at the rates of the training.

    Args:
        model: with dropout.
        data: examples with labels.
        rates: above 0 and below 1.
        passes: at each rate, T.
        folder: where the runs go.
    """

    def sample(rate: float | None, name: str) -> mcviz.Run:
        sampler = mcviz.Sampler(model, rate=rate)
        return mcviz.sample_run(sampler, data, folder / name, passes=passes, keep_images=False, keep_model=False)

    trained = sample(None, "as-trained")
    return {rate: mcviz.compare(trained, sample(rate, f"rate-{rate:g}")) for rate in rates}


def choose_rate(choosing: Mapping[float, Comparison]) -> float:
    """Return the rate with the lowest NLL."""
    return min(choosing, key=lambda rate: _nll(choosing[rate]))


def table(choosing: Mapping[float, Comparison], judging: Mapping[float, Comparison]) -> str:
    """Return a Markdown table with a row as trained and one for each rate.

    Args:
        choosing: by rate, of the half of the examples that chooses.
        judging: by rate, of the other half.
    """
    lines = [f"| rate | NLL, half that chooses | {' | '.join(COLUMNS.values())} |", "|---" * (2 + len(COLUMNS)) + "|"]
    measures = [each for each in next(iter(judging.values())).measures if each.measure.name in COLUMNS]
    lines.append(_row("as trained", "", [each.measure.format_interval(each.one) for each in measures]))
    for rate, found in judging.items():
        measures = [each for each in found.measures if each.measure.name in COLUMNS]
        figures = [each.measure.format_interval(each.other) for each in measures]
        lines.append(_row(f"{rate:g}", f"{_nll(choosing[rate]):.4f}", figures))
    return "\n".join(lines)


def _nll(found: Comparison) -> float:
    return next(each.other.value for each in found.measures if each.measure.name == "nll")


def _row(rate: str, nll: str, figures: Sequence[str]) -> str:
    return f"| {rate} | {nll} | {' | '.join(figures)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Sample at all rates, and print the table and whether the chosen rate is better."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a Keras classifier with dropout")
    parser.add_argument("--data", required=True, help="labelled examples, as `mcviz.read_data` takes them")
    parser.add_argument("--first", type=int, help="take only the first examples")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="above 0 and below 1")
    parser.add_argument("--passes", type=int, default=100, help="at each rate")
    options = parser.parse_args(arguments)
    model, data = mcviz.load_model(options.model), mcviz.read_data(options.data)
    count = min(len(data), options.first or len(data))
    halves = np.array_split(np.random.default_rng(SEED).permutation(count), 2)
    with tempfile.TemporaryDirectory() as folder:
        choosing, judging = (
            compare_rates(model, data.only(np.sort(half)), options.rates, options.passes, Path(folder, str(number)))
            for number, half in enumerate(halves)
        )
        chosen = choose_rate(choosing)
        print(f"{table(choosing, judging)}\n\nChosen: {chosen:g}. On the other half: {judging[chosen].in_words}")


if __name__ == "__main__":
    main()
