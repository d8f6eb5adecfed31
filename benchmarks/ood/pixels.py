"""The baseline without any network: how far an image lies from what the principal components of pixels can make.

    python -m benchmarks.ood.pixels            prints its figures on each set, with 95% bootstrap intervals
    python -m benchmarks.ood.pixels --keep     and keeps them beside the code

It is fitted on the images that the other detectors are fitted on. It knows of the model only its own mistakes.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.ood.results import FIGURES, HERE, MISTAKES
from benchmarks.ood.sets import study_images
from mcviz.measures.detection import detection, detection_intervals
from mcviz.measures.detectors import PrincipalSubspace
from mcviz.runs import Run, open_run

KEPT = HERE / "pixels.csv"
RUN = HERE.parents[1] / "cache" / "mnist-cnn"


def distances(known: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The Euclidean distance from the span of the first principal components of the known images.

    Args:
        known: (M, height, width, channels) images; the components are those that explain 90% of their variance.
        images: (N, height, width, channels) images to be judged.

    Returns:
        (N,) OOD scores, in units of a pixel.
    """
    return PrincipalSubspace.fit(known.reshape(len(known), -1)).distance(images.reshape(len(images), -1))


def ood_score_pairs(run: Run) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The OOD scores in distribution and out of it, by set and for the mistakes of the run's model."""
    study = study_images(run)
    images = [study.images[1::2], *(each.images for each in study.sets.values())]
    of_all = distances(study.images[::2], np.concatenate(images))
    in_distribution, *of_sets = np.split(of_all, np.cumsum([len(each) for each in images])[:-1])
    correct = run.scores()["correct"].to_numpy()[1::2]
    pairs = {name: (in_distribution, each) for name, each in zip(study.sets, of_sets, strict=True)}
    return pairs | {MISTAKES: (in_distribution[correct], in_distribution[~correct])}


def figures_of(pairs: dict[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """A row a set: each figure, and the ends of its 95% interval."""
    rows = {}
    for name, pair in pairs.items():
        low, high = detection_intervals(*pair)
        parts = (("", detection(*pair)), ("_low", low), ("_high", high))
        rows[name] = {f"{figure}{end}": getattr(part, figure) for figure in FIGURES for end, part in parts}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("set").round(5)


def load_pixels() -> pd.DataFrame:
    """The figures that are kept, by set."""
    return pd.read_csv(KEPT, index_col="set")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ood.pixels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", type=Path, default=RUN, help="whose images are in distribution")
    parser.add_argument("--keep", action="store_true", help="keep the figures that the documents are printed from")
    options = parser.parse_args()
    figures = figures_of(ood_score_pairs(open_run(options.run)))
    print(figures.to_string())
    if options.keep:
        figures.to_csv(KEPT)


if __name__ == "__main__":
    main()
