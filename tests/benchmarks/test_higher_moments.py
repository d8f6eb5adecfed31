"""The study of higher moments: its moments are those of closed forms, and it prints a row a set."""

import re

import numpy as np
import pytest
from scipy.stats import skew

import mcviz
from benchmarks import higher_moments as study


def test_a_moment_is_that_of_a_closed_form_and_of_a_normal_distribution_where_nothing_varies() -> None:
    two, even = np.r_[np.zeros(300), np.ones(100)], np.linspace(0, 1, 10_001)
    assert study.compute_moment(skew, two[:, None], 0)[0] == pytest.approx((1 - 2 * 0.25) / np.sqrt(0.25 * 0.75))
    assert study.compute_bimodality(two[:, None])[0] == pytest.approx(1)
    assert study.compute_bimodality(even[:, None])[0] == pytest.approx(5 / 9, abs=1e-3)
    assert study.compute_bimodality(np.full((5, 1), 0.3)).tolist() == [1 / 3]


def test_a_cell_has_the_figure_of_one_model_or_the_median_and_the_range_of_several() -> None:
    assert study.format_cell([0.8125]) == "0.812"
    assert study.format_cell([0.9, 0.7, 0.8]) == "0.800 (0.700 to 0.900)"


def test_what_is_observed_with_dropout_off_is_the_model_s_own() -> None:
    model, images = mcviz.load_model(study.MNIST / "model.keras"), np.random.default_rng(0).random((3, 28, 28, 1))
    observed = study.observe(model, images.astype(np.float32), passes=2)
    expected = model(images.astype(np.float32), training=False).numpy().max(axis=1)
    np.testing.assert_allclose(-observed["scores"][study.DROPOUT_OFF], expected, rtol=1e-5)


def test_every_set_is_of_images_and_the_same_again() -> None:
    images, labels = np.random.default_rng(0).random((40, 28, 28, 1), np.float32), np.arange(40) % 10
    sets, again = (study.make_sets(images, labels, 6) for _ in range(2))
    assert len(sets) == 18
    for name, each in sets.items():
        assert (each.shape, each.dtype) == ((6, 28, 28, 1), np.float32), name
        assert each.min() >= 0, name
        assert each.max() <= 1, name
        np.testing.assert_array_equal(each, again[name])


@pytest.mark.slow
def test_the_table_has_a_row_a_set_and_a_figure_a_detector(monkeypatch, capsys) -> None:
    make_sets = study.make_sets
    monkeypatch.setattr(study, "make_sets", lambda *given: dict([*make_sets(*given).items()][:2]))
    monkeypatch.setattr("sys.argv", ["higher_moments", "--passes", "5", "--images", "60"])
    study.main()
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 + 1
    for row in rows:
        figures = [float(cell) for cell in re.findall(r" (\d\.\d{3}) \|", row)]
        assert len(figures) == header.count("|") - 2
        assert 0 <= min(figures) <= max(figures) <= 1
