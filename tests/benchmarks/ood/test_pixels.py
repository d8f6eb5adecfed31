"""The baseline without any network: its distance, and its kept figures measured again from the shipped run."""

from pathlib import Path

import numpy as np
import pytest

import mcviz
from benchmarks.ood.pixels import distances, figures_of, load_pixels, ood_score_pairs
from benchmarks.ood.results import TRAININGS, load
from mcviz.measures.detection import detection

ROOT = Path(__file__).parents[3]


def test_the_distance_is_what_sticks_out_of_the_plane_of_the_known() -> None:
    random = np.random.default_rng(0)
    known = np.zeros((50, 2, 2, 1))
    known[:, 0] = random.normal(size=(50, 2, 1))  # a plane of four dimensions
    images = np.array([[[3.0, -2], [0, 0]], [[0, 1], [3, 4]]])[..., None]
    np.testing.assert_allclose(distances(known, images), [0, 5], atol=1e-9)


@pytest.mark.exhaustive
def test_the_kept_figures_are_those_of_the_shipped_run() -> None:
    kept = load_pixels()
    pairs = ood_score_pairs(mcviz.open_run(ROOT / "cache" / "mnist-cnn"))
    assert list(pairs) == kept.index.tolist() == load(TRAININGS).sets.tolist()
    for name, pair in pairs.items():
        assert detection(*pair).auroc == pytest.approx(kept.loc[name, "auroc"], abs=2e-4), name
    again = figures_of({"mistakes": pairs["mistakes"]}).loc["mistakes"]
    np.testing.assert_allclose(again.to_numpy(), kept.loc["mistakes"].to_numpy(), atol=2e-3)


def test_what_the_document_says_of_them_is_so() -> None:
    kept = load_pixels()
    assert ((kept["auroc_low"] <= kept["auroc"]) & (kept["auroc"] <= kept["auroc_high"])).all()
    found = ("uniform", "gaussian", "salt_and_pepper", "smooth", "inverted", "shuffled", "patterns", "fashion_inverted")
    assert (kept.loc[list(found), "auroc"] > 0.9995).all()
    assert kept["auroc"][["letters", "shapes"]].between(0.5, 0.6).all()
    assert (kept["auroc"][["mixed", "digits"]] < 0.2).all()
