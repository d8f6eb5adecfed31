"""The figures of `benchmarks/ood.py`, of trainings of the reference network and of the shipped one, for a page."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

HERE = Path(__file__).parent
IN_FULL, TRAININGS = HERE / "detection.npz", HERE / "trainings.npz"
FIGURES = ("AUROC", "FPR at 95% TPR", "Average precision")
MISTAKES = "mistakes"
AIMS, AIM = {"uniform": 0.999, "gaussian": 0.999, "fashion": 0.995}, 0.98  # AUROC, by set, and of every other one
AT_MISTAKES = 0.005  # AUROC, by how much less than max probability is as good
COMPARED_AT_MISTAKES = "Max probability, dropout off"
PROBES = "The probe’s detector"
SHORTER = {  # so that a name and two figures fit the width of a phone
    " of the probability": ", probability",
    " of the logit": ", logit",
    "Bimodality coefficient": "Bimodality",
    "nine tenths": "90%",
    "Gaussian by class": "Gaussian",
    "penultimate of the passes": "penultimate, MC",
    "Disagreement of logits": "Disagreement",
    "Harmonic mean: ": "Harmonic: ",
    "max probability": "max p",
    "expected entropy": "entropy",
    "neighbours, penultimate": "neighbours",
    "unexplained share": "share",
}


@dataclass(frozen=True)
class Results:
    """D detectors × S sets, the last of them the model's own mistakes.

    Attributes:
        detectors: D names.
        families: (D,) what each is made of.
        columns: S keys.
        labels: their names.
        known: (S,) bool, in view while the chosen detector was being made.
        out_of_distribution: (S,) bool, no answer is right: neither a shift nor the mistakes.
        chosen: the place of the one detector whose verdict the probe shows.
        trainings: names of the M trainings that nobody had looked at when it was made.
        rehearsed: how many of their rehearsals choose it.
        passes: how many each figure rests on.
        figures: (M, 3, D, S) of `FIGURES`; NaN where there is no such cell.
        not_normal: (M, S) shares of images whose logit is not normal over the passes; of the test images at the end.
        shipped: (3, D, S) figures of the shipped model.
        low: (3, D, S) lower ends of their 95% bootstrap intervals.
        high: (3, D, S) upper ends.
        false_stops: (P,) shares.
        roc: (D, S, P) found shares of the shipped model.
        inside: (D, S, B) counts of test images.
        outside: (D, S, B) counts of the set.
        edges: (D, S, B + 1) of the bins.
    """

    detectors: list[str]
    families: np.ndarray
    columns: list[str]
    labels: list[str]
    known: np.ndarray
    out_of_distribution: np.ndarray
    chosen: int
    trainings: list[str]
    rehearsed: int
    passes: int
    figures: np.ndarray
    not_normal: np.ndarray
    shipped: np.ndarray
    low: np.ndarray
    high: np.ndarray
    false_stops: np.ndarray
    roc: np.ndarray
    inside: np.ndarray
    outside: np.ndarray
    edges: np.ndarray

    def of_trainings(self, detector: str, column: str) -> np.ndarray:
        """(M,) the AUROC in each training."""
        return self.figures[:, 0, self.detectors.index(detector), self.columns.index(column)]

    def auroc(self, detector: str, column: str) -> float:
        """The median AUROC over the trainings."""
        return float(np.median(self.of_trainings(detector, column)))

    def name(self, detector: str) -> str:
        """What a detector is called on the page."""
        if detector == self.detectors[self.chosen]:
            return PROBES
        for words, fewer in SHORTER.items():
            detector = detector.replace(words, fewer)
        return detector

    def label(self, column: str) -> str:
        """The name of a set."""
        return self.labels[self.columns.index(column)]

    def not_normal_share(self, column: str) -> float:
        """The median share of a set's images whose logit is not normal; for `MISTAKES`, of the test images."""
        return float(np.median(self.not_normal[:, self.columns.index(column)]))

    def sets(self, *, known: bool) -> list[str]:
        """The out-of-scope sets that were known, or those that were new."""
        wanted = self.out_of_distribution & (self.known == known)
        return [column for column, mine in zip(self.columns, wanted, strict=True) if mine]


@dataclass(frozen=True)
class Aim:
    """What the chosen detector was to reach on one set, and what it does.

    Attributes:
        column: the set.
        aim: the AUROC to reach; of mistakes, the median of what is asked for in each training.
        reached: (M,) the AUROC in each training.
        met: (M,) bool.
    """

    column: str
    aim: float
    reached: np.ndarray
    met: np.ndarray

    @property
    def met_by_the_median(self) -> bool:
        """Whether most trainings meet it."""
        return bool(np.mean(self.met) > 0.5)


def aims(found: Results) -> list[Aim]:
    """Each aim, in the order of the table."""
    chosen, result = found.detectors[found.chosen], []
    for column in [*found.sets(known=True), *found.sets(known=False), MISTAKES]:
        reached = found.of_trainings(chosen, column)
        bar = np.full(len(reached), AIMS.get(column, AIM))
        if column == MISTAKES:
            bar = found.of_trainings(COMPARED_AT_MISTAKES, MISTAKES) - AT_MISTAKES
        result.append(Aim(column, float(np.median(bar)), reached, reached >= bar))
    return result


@st.cache_resource(show_spinner=False)
def results() -> Results:
    """The figures that ship with the project, read-only."""
    with np.load(TRAININGS, allow_pickle=False) as trainings, np.load(IN_FULL, allow_pickle=False) as in_full:
        detectors, chosen = trainings["detectors"].tolist(), str(trainings["chosen"])
        arrays = {
            "figures": trainings["figures"],
            "not_normal": trainings["not_normal"],
            "shipped": in_full["figures"][0],
            **{name: in_full[name] for name in ("low", "high", "false_stops", "roc", "inside", "outside", "edges")},
        }
        for array in arrays.values():
            array.setflags(write=False)
        return Results(
            detectors=detectors,
            families=trainings["families"],
            columns=trainings["columns"].tolist(),
            labels=trainings["labels"].tolist(),
            known=np.r_[trainings["known"], True],
            out_of_distribution=np.r_[trainings["out_of_scope"], False],
            chosen=detectors.index(chosen),
            trainings=trainings["models"].tolist(),
            rehearsed=int((trainings["rehearsed"] == chosen).sum()),
            passes=int(trainings["passes"]),
            **arrays,
        )
