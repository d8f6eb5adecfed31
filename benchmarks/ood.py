"""Which detector tells out-of-scope images, and do higher moments help? AUROC, FPR at 95% TPR, average precision.

    python benchmarks/ood.py                             the model of the shipped run, in minutes
    python benchmarks/ood.py --models A.keras B.keras    each of these, with the median and the range over them
    python benchmarks/ood.py --models … --out FILE.npz   and keeps what the dashboard's page shows, of the first in full

The run's images with even numbers fit whatever is fitted; those with odd numbers are in distribution.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np  # noqa: E402 (mcviz need not be installed)

from benchmarks.ood_detectors import Network, Surprises, not_normal, surprises  # noqa: E402
from mcviz.data import as_model_input  # noqa: E402
from mcviz.data.outside import outside_sets  # noqa: E402
from mcviz.data.unseen import unseen_sets  # noqa: E402
from mcviz.measures.detection import bootstrap, detection, roc_points  # noqa: E402
from mcviz.runs import open_run  # noqa: E402

SHIPPED = ROOT / "cache" / "mnist-cnn"
FIGURES = ("auroc", "fpr95", "average_precision")
BINS = 60
FALSE_STOPS = np.r_[0, np.logspace(-3, -1, 21), np.linspace(0.12, 1, 23)]


@dataclass(frozen=True)
class Table:
    """One model's figures.

    Attributes:
        detectors: D labels.
        families: of each detector.
        columns: S names of sets, and "mistakes".
        labels: of the columns.
        figures: (3, D, S) AUROC, FPR95, average precision; NaN where a detector has no such cell.
        low: (3, D, S) lower ends of their 95% bootstrap intervals.
        high: (3, D, S) upper ends.
        roc: (D, S, P) found shares at `FALSE_STOPS`.
        inside: (D, S, BINS) how many images inside have which surprise, by rank among them.
        outside: (D, S, BINS) the same for those outside.
        edges: (D, S, BINS + 1) of the bins.
        chosen: the label of the one detector that the rehearsal chose.
        not_normal: by name of a set, and "test", the share of images whose logits are not normal over the passes.
    """

    detectors: list[str]
    families: list[str]
    columns: list[str]
    labels: list[str]
    figures: np.ndarray
    low: np.ndarray
    high: np.ndarray
    roc: np.ndarray
    inside: np.ndarray
    outside: np.ndarray
    edges: np.ndarray
    chosen: str
    not_normal: dict[str, float]


def table_of(found: Surprises, labels: dict[str, str], chosen: str, not_normal: dict[str, float]) -> Table:
    """All figures from the surprises of every cell."""
    detectors, columns = list(found.pairs), list(labels)
    shape = len(detectors), len(columns)
    figures, low, high = (np.full((3, *shape), np.nan, np.float32) for _ in range(3))
    roc = np.full((*shape, len(FALSE_STOPS)), np.nan, np.float32)
    inside, outside = (np.zeros((*shape, BINS), np.int32) for _ in range(2))
    edges = np.zeros((*shape, BINS + 1), np.float32)
    for d, detector in enumerate(detectors):
        for s, column in enumerate(columns):
            if column not in found.pairs[detector]:
                continue
            pair = found.pairs[detector][column]
            for result, values in zip((figures, low, high), (detection(*pair), *bootstrap(*pair)), strict=True):
                result[:, d, s] = [getattr(values, name) for name in FIGURES]
            roc[d, s] = roc_points(*pair, FALSE_STOPS)
            edges[d, s] = _edges(*pair)
            inside[d, s], outside[d, s] = (
                np.histogram(np.clip(v, edges[d, s, 0], edges[d, s, -1]), edges[d, s])[0] for v in pair
            )
    families = [found.family[name] for name in detectors]
    return Table(
        detectors,
        families,
        columns,
        list(labels.values()),
        figures,
        low,
        high,
        roc,
        inside,
        outside,
        edges,
        chosen,
        not_normal,
    )


def _edges(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Bins that both sets share; a hundredth of each may lie beyond the ends and counts in the outermost bins."""
    low = min(np.quantile(inside, 0.005), np.quantile(outside, 0.005))
    high = max(np.quantile(inside, 0.995), np.quantile(outside, 0.995))
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def measure(model: Path, run_path: Path, passes: int) -> Table:
    """One model's table, printed on the way."""
    run = open_run(run_path)
    if run.labels is None:
        raise SystemExit("The run has no labels, so mistakes cannot be told. Give a run of labelled images.")
    images, labels = as_model_input(np.asarray(run.images)), np.asarray(run.labels)
    held_out = images[1::2], labels[1::2]
    sets = outside_sets(*held_out) | unseen_sets(*held_out)
    started = time.perf_counter()

    def say(what: str) -> None:
        print(f"  {time.perf_counter() - started:4.0f} s {what}", flush=True)

    network = Network(model, passes)
    found, chosen = surprises(network, images, labels, sets, say)
    names = {name: each.label for name, each in sets.items()} | {"mistakes": "Own mistakes"}
    asked = {"test": images[1::2]} | {name: each.images for name, each in sets.items()}
    table = table_of(found, names, chosen, {name: not_normal(network, each) for name, each in asked.items()})
    print(f"\n{model.name}, {passes} passes, {time.perf_counter() - started:.0f} s; chosen: {chosen}")
    for f, name in enumerate(("AUROC", "FPR at 95% TPR", "average precision")):
        print_table(name, table, table.figures[f], (table.high[f] - table.low[f]) / 2)
    shares = ", ".join(f"{name} {share:.1%}" for name, share in table.not_normal.items())
    print(f"\nImages whose logit is not normal over the passes (1% expected of normal ones): {shares}")
    return table


def print_table(name: str, table: Table, values: np.ndarray, half_widths: np.ndarray) -> None:
    """One figure of all detectors and sets, with the largest half width of the 95% intervals in each row."""
    print(f"\n{name:42s}" + "".join(f"{label[:9]:>10s}" for label in table.labels) + "   95% ±")
    for d in sorted(range(len(table.detectors)), key=lambda d: table.families[d]):
        cells = "".join(f"{value:10.4f}" if np.isfinite(value) else f"{'':10s}" for value in values[d])
        print(f"{table.detectors[d][:41]:42s}{cells}  {np.nanmax(half_widths[d]):.4f}")


def print_range(tables: list[Table]) -> None:
    """The median and the range of the AUROC over the models."""
    values = np.stack([table.figures[0] for table in tables])
    half = np.ptp(values, axis=0) / 2
    print_table(f"AUROC, median of {len(tables)} models", tables[0], np.median(values, axis=0), half)
    print_table("AUROC, lowest", tables[0], values.min(axis=0), half)
    print_table("AUROC, highest", tables[0], values.max(axis=0), half)
    print("chosen by the rehearsals:", "; ".join(table.chosen for table in tables))


def save(tables: list[Table], names: list[str], passes: int, path: Path) -> None:
    """Keep what the dashboard shows: all of the first model, and the figures of all models."""
    first = tables[0]
    np.savez_compressed(
        path,
        detectors=np.array(first.detectors),
        families=np.array(first.families),
        columns=np.array(first.columns),
        labels=np.array(first.labels),
        chosen=np.array(first.chosen),
        models=np.array(names),
        passes=np.array(passes),
        figures=np.stack([table.figures for table in tables]),
        low=first.low,
        high=first.high,
        false_stops=FALSE_STOPS.astype(np.float32),
        roc=np.round(first.roc, 4),
        inside=first.inside.astype(np.uint16),
        outside=first.outside.astype(np.uint16),
        edges=first.edges,
        not_normal=np.array([first.not_normal[name] for name in ("test", *first.columns[:-1])], np.float32),
    )
    print(f"kept in {path}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=SHIPPED, help="whose images are in distribution")
    parser.add_argument("--models", type=Path, nargs="+", help="Keras files; the run's own model without it")
    parser.add_argument("--passes", type=int, default=500)
    parser.add_argument("--out", type=Path, help="an .npz for the dashboard's page")
    options = parser.parse_args()
    models = options.models or [Path(open_run(options.run).model_path or "")]
    tables = [measure(model, options.run, options.passes) for model in models]
    if len(tables) > 1:
        print_range(tables)
    if options.out:
        save(tables, [model.name for model in models], options.passes, options.out)


if __name__ == "__main__":
    main()
