"""Draw what is behind one figure of the shipped model: its ROC curve and the distributions of the OOD score.

python -m benchmarks.ood.cell expected_entropy rotated --out cell.html
"""

import argparse
from pathlib import Path

from benchmarks.ood.detectors import label_of
from benchmarks.ood.results import BASELINE, FIGURES, MISTAKES, SHIPPED, load, load_cells
from mcviz.figures.detection import ood_score_distributions, roc_curve


def cell_page(detector: str, name: str) -> str:
    """An HTML page about one detector on one set.

    Args:
        detector: its name, as in `Results.detectors`.
        name: of the set, as in `Results.sets`.
    """
    results, cells = load(SHIPPED), load_cells()
    d, s, label = results.row(detector), results.column(name), str(results.labels[results.column(name)])
    in_distribution = "correct predictions" if name == MISTAKES else "test images"
    rows = "".join(
        f"<li>{figure}: {results.figures[0, f, d, s]:.4f} ({cells.low[f, d, s]:.4f} to {cells.high[f, d, s]:.4f})</li>"
        for f, figure in enumerate(FIGURES)
    )
    roc = roc_curve(
        cells.false_positive_rates,
        cells.true_positive_rates[d, s],
        label_of(detector),
        cells.true_positive_rates[results.row(BASELINE), s],
        label_of(BASELINE),
        in_distribution,
    )
    counts = cells.in_distribution[d, s], cells.out_of_distribution[d, s]
    scores = ood_score_distributions(cells.edges[d, s], *counts, (in_distribution, label))
    figures = roc.to_html(full_html=False), scores.to_html(full_html=False, include_plotlyjs=False)
    heading = f"{label_of(detector)}: {label}"
    head = f"<!doctype html><meta charset=utf-8><title>{heading}</title>"
    return f"{head}<h1>{heading}</h1><ul>{rows}</ul>{''.join(figures)}"


def main() -> None:
    """Parse the command line, write the page."""
    results = load(SHIPPED)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ood.cell", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("detector", choices=results.detectors.tolist(), metavar="DETECTOR")
    parser.add_argument("set", choices=results.sets.tolist(), metavar="SET")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.html")
    options = parser.parse_args()
    options.out.write_text(cell_page(options.detector, options.set), encoding="utf-8")


if __name__ == "__main__":
    main()
