"""Figures of a run for lists of runs, beside the quality that its manifest has."""

import numpy as np

from mcviz.errors import McvizError
from mcviz.manifest import Manifest
from mcviz.measures.calibration import calibration_terms, equal_width_edges, reliability
from mcviz.runs.opening import open_run

FIGURES = "nll", "ece"  # of the ensemble: in nats, and as a fraction


def read_figures(path: str, manifest: Manifest | None) -> dict[str, float]:
    """Compute NLL and ECE of the ensemble, by name; none unless it is a finished classification with labels.

    Args:
        path: of the run.
        manifest: of the run, or None where it cannot be read.
    """
    if manifest is None or manifest.state != "finished" or not manifest.classes or manifest.labels_sha256 is None:
        return {}
    try:
        run = open_run(path)
        terms = calibration_terms(run.mean_probs[None], np.asarray(run.labels))
    except McvizError:  # which the list says
        return {}
    return {"nll": float(terms.nll.mean()), "ece": reliability(terms, equal_width_edges()).ece}
