"""The figures of `benchmarks/ood.py` for the shipped model and other trainings of it, as the dashboard shows them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

FILE = Path(__file__).parent / "detection.npz"
FIGURES = ("AUROC", "FPR at 95% TPR", "Average precision")
SHIFT = "digits"  # of the digit classes, and so not out of scope
MISTAKES = "mistakes"


@dataclass(frozen=True)
class Results:
    """D detectors × S sets, the last of them the model's own mistakes.

    Attributes:
        detectors: D names.
        families: (D,) what each is made of.
        columns: S keys.
        labels: their names.
        chosen: the place of the one detector whose verdict the probe shows.
        models: how many trainings; the first is the shipped one.
        passes: how many each figure rests on.
        figures: (models, 3, D, S) of `FIGURES`; NaN where there is no such cell.
        low: (3, D, S) of the shipped model, lower ends of 95% bootstrap intervals.
        high: (3, D, S) upper ends.
        false_stops: (P,) shares.
        roc: (D, S, P) found shares.
        inside: (D, S, B) counts of test images.
        outside: (D, S, B) counts of the set.
        edges: (D, S, B + 1) of the bins.
        not_normal: by "test" and the keys of the sets, the share of the shipped model's images whose logit is not
            normal over the passes.
    """

    detectors: list[str]
    families: np.ndarray
    columns: list[str]
    labels: list[str]
    chosen: int
    models: int
    passes: int
    figures: np.ndarray
    low: np.ndarray
    high: np.ndarray
    false_stops: np.ndarray
    roc: np.ndarray
    inside: np.ndarray
    outside: np.ndarray
    edges: np.ndarray
    not_normal: dict[str, float]

    def auroc(self, detector: str, column: str) -> float:
        """The median AUROC over the trainings."""
        cell = self.detectors.index(detector), self.columns.index(column)
        return float(np.median(self.figures[:, 0, cell[0], cell[1]]))

    def worst(self, detector: str) -> tuple[float, str]:
        """The lowest of these over the out-of-scope sets, and the set's name."""
        sets = [column for column in self.columns if column not in (SHIFT, MISTAKES)]
        low, column = min((self.auroc(detector, column), column) for column in sets)
        return low, self.labels[self.columns.index(column)]


@st.cache_resource(show_spinner=False)
def results() -> Results:
    """The figures that ship with the project, read-only."""
    with np.load(FILE, allow_pickle=False) as file:
        detectors = [str(name) for name in file["detectors"]]
        arrays = {
            name: file[name] for name in ("figures", "low", "high", "false_stops", "roc", "inside", "outside", "edges")
        }
        for array in arrays.values():
            array.setflags(write=False)
        return Results(
            detectors=detectors,
            families=file["families"],
            columns=[str(name) for name in file["columns"]],
            labels=[str(name) for name in file["labels"]],
            chosen=detectors.index(str(file["chosen"])),
            models=len(file["models"]),
            passes=int(file["passes"]),
            not_normal=dict(zip(["test", *file["columns"].tolist()], file["not_normal"].tolist(), strict=False)),
            **arrays,
        )
