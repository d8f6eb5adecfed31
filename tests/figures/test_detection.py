"""What the figures of detection hold, looked up in their data."""

import numpy as np
import pytest

from mcviz.figures.detection import detection_table, roc_curve, surprise_distributions


def test_the_table_says_every_figure_and_is_darker_where_detectors_are_better() -> None:
    auroc = np.array([[0.5, 0.95, np.nan], [0.99, 0.999, 1.0]])
    (cells,) = detection_table(auroc, ["a", "b"], ["x", "y", "z"]).data
    assert cells.text.tolist() == [["0.500", "0.950", ""], ["0.990", "0.999", "1.000"]]
    shades = np.array(cells.z)
    order = np.argsort(auroc[np.isfinite(auroc)])
    assert (np.diff(shades[np.isfinite(auroc)][order]) > 0).all()
    assert shades[0, 0] == 0
    assert shades[1, 2] == pytest.approx(1)
    assert list(cells.y) == ["a", "b"]


def test_the_roc_keeps_its_shares_behind_the_stretched_axis() -> None:
    stops = np.array([0, 0.04, 1])
    compared, chosen = roc_curve(stops, np.array([0.9, 1, 1]), "new", np.array([0.1, 0.5, 1]), "old").data
    assert (compared.name, chosen.name) == ("old", "new")
    np.testing.assert_allclose(chosen.x, [0, 0.2, 1])
    np.testing.assert_array_equal(chosen.customdata, stops)
    np.testing.assert_array_equal(chosen.y, [0.9, 1, 1])


def test_distributions_are_shares_of_each_set_over_the_same_bins() -> None:
    inside, outside = surprise_distributions(
        np.array([0.0, 1, 2]), np.array([30, 10]), np.array([0, 5]), ["test images", "noise"]
    ).data
    assert inside.y.tolist() == [0.75, 0.25]
    assert outside.y.tolist() == [0, 1]
    assert inside.x.tolist() == outside.x.tolist() == [0.5, 1.5]
    assert inside.line.color != outside.line.color


def test_a_set_without_images_draws_an_empty_line() -> None:
    _, outside = surprise_distributions(np.array([0.0, 1]), np.array([3]), np.array([0]), ["a", "b"]).data
    assert outside.y.tolist() == [0]
