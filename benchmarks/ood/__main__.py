"""A study of detectors of out-of-distribution images: AUROC, FPR at 95% TPR and average precision of each.

    python -m benchmarks.ood                             the model of the shipped run, in minutes
    python -m benchmarks.ood --models A.keras B.keras    each of these, with the median and the range over them
    … --keep                                             and keeps the figures beside the code

Of the run's images, those with even numbers are fitted on; those with odd numbers are in distribution.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks.ood.detectors import family_of, label_of
from benchmarks.ood.results import FIGURES, MISTAKES, SHIPPED, TRAININGS, Cells, Results, save
from benchmarks.ood.sets import StudyImages, study_images
from benchmarks.ood.study import Network, OODScores, ood_scores
from mcviz.measures.detection import detection, detection_intervals, roc_points
from mcviz.runs import open_run

RUN = Path(__file__).parents[2] / "cache" / "mnist-cnn"
TITLES = ("AUROC", "FPR at 95% TPR", "average precision")
BINS = 60
FALSE_POSITIVE_RATES = np.r_[0, np.logspace(-3, -1, 21), np.linspace(0.12, 1, 23)]


def measure(model: Path, study: StudyImages, passes: int) -> tuple[Results, OODScores]:
    """Measure one model, and print its figures."""
    started = time.perf_counter()

    def say(what: str) -> None:
        print(f"  {time.perf_counter() - started:4.0f} s {what}", flush=True)

    network = Network(model, passes)
    scores = ood_scores(network, study.images, study.labels, study.sets, say)
    asked = [*(each.images for each in study.sets.values()), study.images[1::2]]
    results = Results(
        models=np.array([model.name]),
        passes=np.array(passes),
        detectors=np.array(list(scores.pairs)),
        sets=np.array([*study.sets, MISTAKES]),
        labels=np.array([*(each.label for each in study.sets.values()), "Own mistakes"]),
        out_of_distribution=np.array([*(each.out_of_distribution for each in study.sets.values()), False]),
        known=np.array([*(each.known for each in study.sets.values()), True]),
        selected=np.array([scores.selected]),
        figures=figures_of(scores, [*study.sets, MISTAKES])[None],
        not_normal=np.array([[network.not_normal(images) for images in asked]], np.float32),
    )
    print(f"\n{model.name}, {passes} passes, {time.perf_counter() - started:.0f} s; selected: {scores.selected}")
    for title, values in zip(TITLES, results.figures[0], strict=True):
        print_table(title, results, values)
    print_table("Logit not normal (1% expected), mistakes: test", results, results.not_normal, ["share of images"])
    return results, scores


def figures_of(scores: OODScores, sets: list[str]) -> np.ndarray:
    """(3, D, S) the figures of every cell that there is."""
    figures = np.full((3, len(scores.pairs), len(sets)), np.nan, np.float32)
    for d, pairs in enumerate(scores.pairs.values()):
        for name, pair in pairs.items():
            values = detection(*pair)
            figures[:, d, sets.index(name)] = [getattr(values, figure) for figure in FIGURES]
    return figures


def cells_of(scores: OODScores, sets: list[str]) -> Cells:
    """Compute what is behind the figures."""
    shape = len(scores.pairs), len(sets)
    low, high = (np.full((3, *shape), np.nan, np.float32) for _ in range(2))
    rates = np.full((*shape, len(FALSE_POSITIVE_RATES)), np.nan, np.float32)
    counts = np.zeros((2, *shape, BINS), np.uint16)
    edges = np.zeros((*shape, BINS + 1), np.float32)
    for d, pairs in enumerate(scores.pairs.values()):
        for name, pair in pairs.items():
            s = sets.index(name)
            for ends, found in zip((low, high), detection_intervals(*pair), strict=True):
                ends[:, d, s] = [getattr(found, figure) for figure in FIGURES]
            rates[d, s] = np.round(roc_points(*pair, FALSE_POSITIVE_RATES), 4)
            edges[d, s] = _edges(*pair)
            for side, values in zip(counts, pair, strict=True):
                side[d, s] = np.histogram(np.clip(values, edges[d, s, 0], edges[d, s, -1]), edges[d, s])[0]
    suspicious_ends = np.array([scores.ends[detector] for detector in scores.pairs], np.int8)
    return Cells(
        suspicious_ends, low, high, FALSE_POSITIVE_RATES.astype(np.float32), rates, counts[0], counts[1], edges
    )


def _edges(in_distribution: np.ndarray, out_of_distribution: np.ndarray) -> np.ndarray:
    """Bins that both share; a hundredth of each may lie beyond the ends and counts in the outermost bins."""
    low = min(np.quantile(in_distribution, 0.005), np.quantile(out_of_distribution, 0.005))
    high = max(np.quantile(in_distribution, 0.995), np.quantile(out_of_distribution, 0.995))
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def print_table(title: str, results: Results, values: np.ndarray, rows: list[str] | None = None) -> None:
    """Print (D, S) values, by detector, or by the rows that are named."""
    names = rows or [label_of(detector) for detector in results.detectors]
    order = range(len(names)) if rows else np.argsort([family_of(d) for d in results.detectors], kind="stable")
    print(f"\n{title:60s}" + "".join(f"{name[:9]:>10s}" for name in results.sets))
    for d in order:
        cells = "".join(f"{value:10.4f}" if np.isfinite(value) else f"{'':10s}" for value in values[d])
        print(f"{names[d]:60s}{cells}")


def joined(parts: list[Results]) -> Results:
    """The results of several models as one."""
    of_models = ("models", "selected", "figures", "not_normal")
    return Results(**vars(parts[0]) | {n: np.concatenate([getattr(part, n) for part in parts]) for n in of_models})


def measure_trainings(models: list[Path], study: StudyImages, passes: int) -> Results:
    """Measure several models, and print the median and the range of the AUROC over them."""
    results = joined([measure(model, study, passes)[0] for model in models])
    aurocs = results.figures[:, 0]
    for title, values in (("median", np.median(aurocs, 0)), ("lowest", aurocs.min(0)), ("highest", aurocs.max(0))):
        print_table(f"AUROC, {title} of {len(models)} models", results, values)
    return results


def measure_shipped(model: Path, study: StudyImages, passes: int) -> tuple[Results, Cells]:
    """Measure one model in full, and print half the widths of the AUROCs' 95% bootstrap intervals."""
    results, scores = measure(model, study, passes)
    cells = cells_of(scores, results.sets.tolist())
    print_table("AUROC, half of the 95% interval", results, (cells.high[0] - cells.low[0]) / 2)
    return results, cells


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ood", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, default=RUN, help="whose images are in distribution")
    parser.add_argument("--models", type=Path, nargs="+", help="Keras files; the run's own model without it")
    parser.add_argument("--passes", type=int, default=500)
    parser.add_argument("--keep", action="store_true", help="keep the figures that the documents are printed from")
    options = parser.parse_args()
    run = open_run(options.run)
    study = study_images(run)
    if options.models:
        results = measure_trainings(options.models, study, options.passes)
        if options.keep:
            save(TRAININGS, results)
        return
    if run.model_path is None:
        raise SystemExit("The run holds no model. Give one with --models.")
    results, cells = measure_shipped(Path(run.model_path), study, options.passes)
    if options.keep:
        save(SHIPPED, results, cells)


if __name__ == "__main__":
    main()
