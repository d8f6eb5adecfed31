"""Which detector tells out-of-scope images, and do higher moments help? AUROC, FPR at 95% TPR, average precision.

    python benchmarks/ood.py                             the model of the shipped run, in minutes
    python benchmarks/ood.py --models A.keras B.keras    each of these, with the median and the range over them
    … --keep                                             and keeps what the dashboard's page shows of it

The run's images with even numbers fit whatever is fitted; those with odd numbers are in distribution.
"""

import argparse
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np  # noqa: E402 (mcviz need not be installed)

from benchmarks.ood_detectors import CHOSEN, Network, Surprises, not_normal, surprises  # noqa: E402
from mcviz.data import as_model_input  # noqa: E402
from mcviz.data.outside import OutsideSet, outside_sets  # noqa: E402
from mcviz.data.unseen import unseen_sets  # noqa: E402
from mcviz.measures.detection import bootstrap, detection, roc_points  # noqa: E402
from mcviz.model import Sampler, load_model  # noqa: E402
from mcviz.model.ood import fit_ood_detector  # noqa: E402
from mcviz.runs import Run, open_run  # noqa: E402

SHIPPED = ROOT / "cache" / "mnist-cnn"
IN_FULL, TRAININGS = ROOT / "mcviz/app/detection.npz", ROOT / "mcviz/app/trainings.npz"
FIGURES = ("auroc", "fpr95", "average_precision")
BINS = 60
FALSE_STOPS = np.r_[0, np.logspace(-3, -1, 21), np.linspace(0.12, 1, 23)]


@dataclass(frozen=True)
class Table:
    """One model's figures.

    Attributes:
        model: its file's name.
        detectors: D labels.
        families: of each detector.
        columns: S names of sets, and "mistakes".
        figures: (3, D, S) AUROC, FPR95, average precision; NaN where a detector has no such cell.
        rehearsed: the label of the candidate that this model's rehearsal chose.
        not_normal: by name of a set, and "test", the share of images whose logits are not normal over the passes.
    """

    model: str
    detectors: list[str]
    families: list[str]
    columns: list[str]
    figures: np.ndarray
    rehearsed: str
    not_normal: dict[str, float]


@dataclass(frozen=True)
class Cells:
    """What lies behind the figures of one model.

    Attributes:
        low: (3, D, S) lower ends of the figures' 95% bootstrap intervals.
        high: (3, D, S) upper ends.
        roc: (D, S, P) found shares at `FALSE_STOPS`.
        inside: (D, S, BINS) how many images inside have which surprise.
        outside: (D, S, BINS) the same for those outside.
        edges: (D, S, BINS + 1) of the bins.
    """

    low: np.ndarray
    high: np.ndarray
    roc: np.ndarray
    inside: np.ndarray
    outside: np.ndarray
    edges: np.ndarray


def figures_of(found: Surprises, columns: list[str]) -> np.ndarray:
    """(3, D, S) the figures of every cell that there is."""
    figures = np.full((3, len(found.pairs), len(columns)), np.nan, np.float32)
    for d, pairs in enumerate(found.pairs.values()):
        for column, pair in pairs.items():
            values = detection(*pair)
            figures[:, d, columns.index(column)] = [getattr(values, name) for name in FIGURES]
    return figures


def cells_of(found: Surprises, columns: list[str]) -> Cells:
    """What lies behind the figures."""
    shape = len(found.pairs), len(columns)
    low, high = (np.full((3, *shape), np.nan, np.float32) for _ in range(2))
    roc = np.full((*shape, len(FALSE_STOPS)), np.nan, np.float32)
    inside, outside = (np.zeros((*shape, BINS), np.uint16) for _ in range(2))
    edges = np.zeros((*shape, BINS + 1), np.float32)
    for d, pairs in enumerate(found.pairs.values()):
        for column, pair in pairs.items():
            s = columns.index(column)
            for ends, values in zip((low, high), bootstrap(*pair), strict=True):
                ends[:, d, s] = [getattr(values, name) for name in FIGURES]
            roc[d, s] = np.round(roc_points(*pair, FALSE_STOPS), 4)
            edges[d, s] = _edges(*pair)
            inside[d, s], outside[d, s] = (
                np.histogram(np.clip(v, edges[d, s, 0], edges[d, s, -1]), edges[d, s])[0] for v in pair
            )
    return Cells(low, high, roc, inside, outside, edges)


def _edges(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Bins that both sets share; a hundredth of each may lie beyond the ends and counts in the outermost bins."""
    low = min(np.quantile(inside, 0.005), np.quantile(outside, 0.005))
    high = max(np.quantile(inside, 0.995), np.quantile(outside, 0.995))
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def the_sets(run: Run) -> dict[str, OutsideSet]:
    """All sets of images that are not in distribution, those that are made of digits from the run's odd images."""
    held_out = as_model_input(np.asarray(run.images))[1::2], np.asarray(run.labels)[1::2]
    return outside_sets(*held_out) | unseen_sets(*held_out)


def measure(model: Path, run: Run, sets: dict[str, OutsideSet], passes: int) -> tuple[Table, Surprises]:
    """One model's table, printed, and the surprises behind it."""
    images, labels = as_model_input(np.asarray(run.images)), np.asarray(run.labels)
    started = time.perf_counter()

    def say(what: str) -> None:
        print(f"  {time.perf_counter() - started:4.0f} s {what}", flush=True)

    network = Network(model, passes)
    found, rehearsed = surprises(network, images, labels, sets, say)
    asked = {"test": images[1::2]} | {name: each.images for name, each in sets.items()}
    not_normal_shares = {name: not_normal(network, each) for name, each in asked.items()}
    columns = [*sets, "mistakes"]
    detectors = list(found.pairs)
    families = [found.family[name] for name in detectors]
    figures = figures_of(found, columns)
    table = Table(model.name, detectors, families, columns, figures, rehearsed, not_normal_shares)
    print(f"\n{model.name}, {passes} passes, {time.perf_counter() - started:.0f} s; the rehearsal chose: {rehearsed}")
    for name, values in zip(("AUROC", "FPR at 95% TPR", "average precision"), figures, strict=True):
        print_table(name, table, values)
    shares = ", ".join(f"{name} {share:.1%}" for name, share in not_normal_shares.items())
    print(f"\nImages whose logit is not normal over the passes (1% expected of normal ones): {shares}")
    return table, found


def print_table(name: str, table: Table, values: np.ndarray) -> None:
    """One figure of all detectors and sets."""
    print(f"\n{name:42s}" + "".join(f"{column[:9]:>10s}" for column in table.columns))
    for d in sorted(range(len(table.detectors)), key=lambda d: table.families[d]):
        cells = "".join(f"{value:10.4f}" if np.isfinite(value) else f"{'':10s}" for value in values[d])
        print(f"{table.detectors[d][:41]:42s}{cells}")


def print_intervals(table: Table, cells: Cells) -> None:
    """Half the widths of the AUROCs' 95% bootstrap intervals."""
    print_table("AUROC, half of the 95% interval", table, (cells.high[0] - cells.low[0]) / 2)


def print_range(tables: list[Table]) -> None:
    """The median and the range of the AUROC over the models."""
    values = np.stack([table.figures[0] for table in tables])
    print_table(f"AUROC, median of {len(tables)} models", tables[0], np.median(values, axis=0))
    print_table("AUROC, lowest", tables[0], values.min(axis=0))
    print_table("AUROC, highest", tables[0], values.max(axis=0))
    print("the rehearsals chose:", "; ".join(table.rehearsed for table in tables))


def keep(path: Path, tables: list[Table], sets: dict[str, OutsideSet], passes: int, cells: Cells | None) -> None:
    """Keep what the dashboard shows: the figures of some models, or all of one."""
    first = tables[0]
    arrays: dict[str, Any] = {
        "models": np.array([table.model for table in tables]),
        "passes": np.array(passes),
        "detectors": np.array(first.detectors),
        "families": np.array(first.families),
        "columns": np.array(first.columns),
        "labels": np.array([*(each.label for each in sets.values()), "Own mistakes"]),
        "out_of_scope": np.array([each.out_of_distribution for each in sets.values()]),
        "known": np.array([each.known for each in sets.values()]),
        "chosen": np.array(CHOSEN),
        "rehearsed": np.array([table.rehearsed for table in tables]),
        "figures": np.stack([table.figures for table in tables]),
        "not_normal": np.array([[table.not_normal[name] for name in (*sets, "test")] for table in tables], np.float32),
    }
    if cells:
        arrays |= asdict(cells) | {"false_stops": FALSE_STOPS.astype(np.float32)}
    np.savez_compressed(path, **arrays)
    print(f"kept in {path}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=SHIPPED, help="whose images are in distribution")
    parser.add_argument("--models", type=Path, nargs="+", help="Keras files; the run's own model without it")
    parser.add_argument("--passes", type=int, default=500)
    parser.add_argument("--keep", action="store_true", help="for the dashboard's page, beside its code")
    options = parser.parse_args()
    run = open_run(options.run)
    if run.labels is None:
        raise SystemExit("The run has no labels, so mistakes cannot be told. Give a run of labelled images.")
    sets = the_sets(run)
    if options.models:
        tables = [measure(model, run, sets, options.passes)[0] for model in options.models]
        print_range(tables)
        path, cells = TRAININGS, None
    else:
        table, found = measure(Path(run.model_path or ""), run, sets, options.passes)
        tables, path, cells = [table], IN_FULL, cells_of(found, table.columns)
        print_intervals(table, cells)
    if options.keep:
        keep(path, tables, sets, options.passes, cells)
        if not options.models:
            fit_ood_detector(Sampler(load_model(run.model_path or "")), run)


if __name__ == "__main__":
    main()
