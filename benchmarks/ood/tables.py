"""Print the tables of docs/higher-moments.md from the figures that are kept.

python -m benchmarks.ood.tables                     Markdown
python -m benchmarks.ood.tables --figure fpr95      the tables of all detectors by another figure
python -m benchmarks.ood.tables --keep              writes them into the document
"""

import argparse
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.ood.detectors import SHAPE, family_of, label_of
from benchmarks.ood.pixels import load_pixels
from benchmarks.ood.results import BASELINE, FIGURES, HERE, MISTAKES, PROBE, TRAININGS, Results, aims, load, load_cells

DOCUMENT = HERE.parents[1] / "docs" / "higher-moments.md"
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
PIXELS = "Pixels alone, no network"
ENDS = {1: "high", -1: "low"}

Column = Callable[[str], str]


def name_of(detector: str) -> str:
    """A detector's name in the tables."""
    return "The probe’s detector" if detector == PROBE else label_of(detector)


def spread(values: np.ndarray) -> str:
    """The median of a figure over the trainings, and its range from the lowest to the highest."""
    median, low, high = np.round([np.median(values), values.min(), values.max()], 3) + 0.0  # never "-0.000"
    return f"{median:.3f} ({low:.3f} to {high:.3f})"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def by_set(results: Results, columns: Mapping[str, Column]) -> str:
    """A table with a row a set, the known ones first; a column is a function of a set's name."""
    header = ["set", "when", *columns]
    return markdown(
        header, ([*_set_cells(results, name), *(c(name) for c in columns.values())] for name in results.sets)
    )


def of_detectors(results: Results, *detectors: str) -> dict[str, Column]:
    """Columns of the AUROC of some detectors."""
    return {name_of(d): lambda name, d=d: spread(results.of_trainings(d, name)) for d in detectors}  # type: ignore[misc]


def moments_table(results: Results) -> str:
    """Statistics of shape against max probability."""
    shapes = ("skewness_probability", "bimodality_probability", "skewness_logit", "kurtosis_logit")
    return by_set(results, of_detectors(results, BASELINE, *shapes))


def ends_table(results: Results) -> str:
    """The suspicious end of each statistic, by the mistakes of the shipped model."""
    ends = load_cells().suspicious_ends
    sets = {"uniform": "Uniform noise", "letters": "Printed letters", MISTAKES: "Own mistakes"}
    rows = []
    for detector in results.detectors:
        if family_of(detector) == SHAPE:
            aurocs = [spread(results.of_trainings(detector, name)) for name in sets]
            rows.append([label_of(detector), ENDS[int(ends[results.row(detector)])], *aurocs])
    return markdown(["statistic", "suspicious end, shipped model", *sets.values()], rows)


def averaging_table(results: Results) -> str:
    """The gain of the mean of the passes over dropout off, and the quality of their disagreement."""

    def gain(name: str) -> str:
        return spread(results.of_trainings("max_probability", name) - results.of_trainings(BASELINE, name))

    both = of_detectors(results, BASELINE, "max_probability")
    return by_set(results, both | {"gained by averaging": gain} | of_detectors(results, "mutual_information"))


def models_table(results: Results) -> str:
    """Models that are fitted on two and on four moments of every class."""

    def gain(name: str) -> str:
        gains = results.of_trainings("bound_four_moments", name) - results.of_trainings("bound_two_moments", name)
        return "" if np.isnan(gains).any() else spread(gains)

    fitted = [f"{model}_{count}_moments" for model in ("neighbours", "gaussian") for count in ("two", "four")]
    return by_set(results, of_detectors(results, *fitted) | {"bound: gained by four moments": gain})


def activations_table(results: Results) -> str:
    """The baseline without a network, and detectors that look at activations."""
    pixels = load_pixels()

    def interval(name: str) -> str:
        auroc, low, high = pixels.loc[name, ["auroc", "auroc_low", "auroc_high"]]
        return f"{auroc:.3f} ({low:.3f} to {high:.3f})"

    others = of_detectors(results, "neighbours_penultimate", "unexplained_share", PROBE)
    return by_set(results, {f"{PIXELS} (95% interval)": interval} | others)


def aims_table(results: Results) -> str:
    """Whether the probe's detector reaches its targets, set by set."""
    rows = [
        [
            *_set_cells(results, aim.name),
            f"{aim.aim:.4f}",
            *(f"{value:.4f}" for value in (np.median(aim.reached), aim.reached.min(), aim.reached.max())),
            f"{aim.met.sum()} of {len(aim.met)}",
            "yes" if aim.met_by_the_median else "**no**",
        ]
        for aim in aims(results)
    ]
    return markdown(["set", "when", "aim", "median", "lowest", "highest", "trainings that meet it", "met"], rows)


def normality_table(results: Results) -> str:
    """The number of images with a logit that is not normal over the passes, the most first."""
    labels = ["In distribution" if name == MISTAKES else _label(results, name) for name in results.sets]
    shares = 100 * results.not_normal.astype(np.float64)
    order = np.argsort(-np.median(shares, axis=0), kind="stable")
    cells = [f"{np.median(v):.1f}% ({v.min():.1f}% to {v.max():.1f}%)" for v in shares.T]
    return markdown(["set", "images whose logit is not normal"], ([labels[s], cells[s]] for s in order))


def all_detectors_table(results: Results, *, known: bool, figure: str = "auroc") -> str:
    """The median of every detector on the known or the held-out sets; mistakes are with the known ones."""
    sets = [name for name, mine in zip(results.sets, results.known == known, strict=True) if mine]
    pixels = load_pixels()[figure]
    rows = [[PIXELS, "no network", *(f"{pixels[name]:.3f}" for name in sets)]]
    for detector in results.detectors:
        medians = [results.median(detector, name, figure) for name in sets]
        cells = ["" if np.isnan(median) else f"{median:.3f}" for median in medians]
        rows.append([name_of(detector), family_of(detector), *cells])
    return markdown(["detector", "family", *(_label(results, name) for name in sets)], rows)


TABLES: dict[str, Callable[[Results], str]] = {
    "moments": moments_table,
    "ends": ends_table,
    "models": models_table,
    "averaging": averaging_table,
    "activations": activations_table,
    "aims": aims_table,
    "normality": normality_table,
    "known": lambda results: all_detectors_table(results, known=True),
    "held_out": lambda results: all_detectors_table(results, known=False),
}


def with_tables(document: str, results: Results) -> str:
    """A document with every table as it is now."""
    return BLOCK.sub(lambda block: block[1] + TABLES[block[2]](results) + block[3], document)


def keep(results: Results, document: Path = DOCUMENT) -> None:
    """Write the tables into the document."""
    document.write_text(with_tables(document.read_text(encoding="utf-8"), results), encoding="utf-8")


def _label(results: Results, name: str) -> str:
    return str(results.labels[results.column(name)])


def _set_cells(results: Results, name: str) -> list[str]:
    when = "" if name == MISTAKES else "known before" if results.known[results.column(name)] else "held out"
    return [_label(results, name), when]


def main() -> None:
    """Parse the command line, print, keep."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ood.tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--figure", choices=FIGURES, default="auroc", help="of the tables of all detectors")
    parser.add_argument("--keep", action="store_true", help="write them where they are shown")
    options = parser.parse_args()
    results = load(TRAININGS)
    if options.figure != "auroc":
        for known in (True, False):
            print(all_detectors_table(results, known=known, figure=options.figure))
        return
    for name, table in TABLES.items():
        print(f"{name}\n\n{table(results)}")
    if options.keep:
        keep(results)


if __name__ == "__main__":
    main()
