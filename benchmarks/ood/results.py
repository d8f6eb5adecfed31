"""The figures that the study keeps: of five trainings of the reference network, and of the shipped one in full."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SHIPPED, TRAININGS = HERE / "shipped.npz", HERE / "trainings.npz"
FIGURES = ("auroc", "fpr95", "average_precision")
MISTAKES = "mistakes"
PROBE = "harmonic_max_probability_unexplained_share"  # computed by `mcviz.measures.ood`, as the probe does
BASELINE = "deterministic_max_probability"
AIMS, AIM = {"uniform": 0.999, "gaussian": 0.999, "fashion": 0.995}, 0.98  # AUROC, by set, and of every other one
AT_MISTAKES = 0.005  # AUROC: how much less than the baseline has was allowed


@dataclass(frozen=True)
class Results:
    """The figures of M models: D detectors × S sets, the last of them the model's own mistakes.

    Attributes:
        models: (M,) names of files.
        passes: how many each figure rests on.
        detectors: (D,) names, as in `detectors.py`.
        sets: (S,) names.
        labels: (S,) the sets' names for people.
        out_of_distribution: (S,) bool, no class is right: neither a shift nor the mistakes.
        known: (S,) bool, known while the probe's detector was made.
        selected: (M,) the combination that each model's validation sets choose.
        figures: (M, 3, D, S) of `FIGURES`, float32; NaN where there is no such cell.
        not_normal: (M, S) share of images whose logit is not normal over the passes; the last is that of test images.
    """

    models: np.ndarray
    passes: np.ndarray
    detectors: np.ndarray
    sets: np.ndarray
    labels: np.ndarray
    out_of_distribution: np.ndarray
    known: np.ndarray
    selected: np.ndarray
    figures: np.ndarray
    not_normal: np.ndarray

    def of_trainings(self, detector: str, name: str, figure: str = "auroc") -> np.ndarray:
        """(M,) float64, a figure of one detector on one set in each model."""
        of_sets = self.figures[:, FIGURES.index(figure), self.row(detector)]
        return of_sets[:, self.column(name)].astype(np.float64)

    def median(self, detector: str, name: str, figure: str = "auroc") -> float:
        """The median of a figure over the models."""
        return float(np.median(self.of_trainings(detector, name, figure)))

    def row(self, detector: str) -> int:
        """The index of a detector."""
        return int(self.detectors.tolist().index(detector))

    def column(self, name: str) -> int:
        """The index of a set."""
        return int(self.sets.tolist().index(name))

    def ood_sets(self, *, known: bool) -> list[str]:
        """The out-of-distribution sets that were known, or those that were held out."""
        return list(self.sets[self.out_of_distribution & (self.known == known)].tolist())


@dataclass(frozen=True)
class Cells:
    """The data of each figure of one model: P points of a ROC curve, and histograms of OOD scores with B bins.

    Attributes:
        suspicious_ends: (D,) int8, 1 where a high value of a detector's statistic is suspicious, -1 where a low one is.
        low: (3, D, S) lower ends of the figures' 95% bootstrap intervals.
        high: (3, D, S) upper ends.
        false_positive_rates: (P,) where the curves have points.
        true_positive_rates: (D, S, P).
        in_distribution: (D, S, B) counts of images.
        out_of_distribution: (D, S, B) counts of images.
        edges: (D, S, B + 1) of the bins.
    """

    suspicious_ends: np.ndarray
    low: np.ndarray
    high: np.ndarray
    false_positive_rates: np.ndarray
    true_positive_rates: np.ndarray
    in_distribution: np.ndarray
    out_of_distribution: np.ndarray
    edges: np.ndarray


@dataclass(frozen=True)
class Aim:
    """The target of the probe's detector on one set, and its result.

    Attributes:
        name: of the set.
        aim: the AUROC to reach; of mistakes, the median of what each training asks for.
        reached: (M,) the AUROC in each training.
        met: (M,) bool.
    """

    name: str
    aim: float
    reached: np.ndarray
    met: np.ndarray

    @property
    def met_by_the_median(self) -> bool:
        """Whether most trainings meet it."""
        return bool(np.mean(self.met) > 0.5)


def aims(results: Results) -> list[Aim]:
    """Each aim: of the known sets, of the held-out ones, of the mistakes."""
    rows = []
    for name in [*results.ood_sets(known=True), *results.ood_sets(known=False), MISTAKES]:
        reached = results.of_trainings(PROBE, name)
        wanted = np.full(len(reached), AIMS.get(name, AIM))
        if name == MISTAKES:
            wanted = results.of_trainings(BASELINE, MISTAKES) - AT_MISTAKES
        rows.append(Aim(name, float(np.median(wanted)), reached, reached >= wanted))
    return rows


def save(path: Path, results: Results, cells: Cells | None = None) -> None:
    """Keep figures in a file of arrays."""
    behind = {f"cells.{name}": array for name, array in vars(cells).items()} if cells else {}
    with path.open("wb") as file:
        np.savez_compressed(file, **vars(results), **behind)


def load(path: Path) -> Results:
    """Read the figures of a file."""
    with np.load(path, allow_pickle=False) as arrays:
        return Results(**{field.name: arrays[field.name] for field in fields(Results)})


def load_cells(path: Path = SHIPPED) -> Cells:
    """Read what is behind the figures of a file."""
    with np.load(path, allow_pickle=False) as arrays:
        return Cells(**{field.name: arrays[f"cells.{field.name}"] for field in fields(Cells)})
