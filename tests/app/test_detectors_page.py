"""The page on detectors: what it says is what its file holds, and what its file holds is what the project aims at."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mcviz.app.detection import FILE, MISTAKES, SHIFT, results
from mcviz.measures.detectors import DETECTORS

PAGE = Path(__file__).parents[2] / "mcviz" / "app" / "pages" / "detectors.py"


@pytest.fixture
def page() -> AppTest:
    app = AppTest.from_file(str(PAGE), default_timeout=60).run()
    assert not app.exception
    return app


def test_the_page_says_what_was_found_with_the_figures_of_its_file(page: AppTest) -> None:
    found, said = results(), page.markdown[0].value
    chosen = found.detectors[found.chosen]
    for column in ("uniform", "gaussian", "fashion", MISTAKES):
        assert f"{found.auroc(chosen, column):.4f}" in said
    assert "Higher moments do not help" in said
    assert "{" not in said


def test_a_cell_is_chosen_by_detector_and_set_and_shows_its_own_figures(page: AppTest) -> None:
    found = results()
    page.selectbox(key="detector-widget").select("Expected entropy")
    page.selectbox(key="set-widget").select("rotated").run()
    assert not page.exception
    cell = found.detectors.index("Expected entropy"), found.columns.index("rotated")
    assert [metric.value for metric in page.metric] == [f"{found.figures[0, f][cell]:.4f}" for f in range(3)]


def test_all_detectors_can_be_shown_and_a_cell_that_is_not_there_says_so(page: AppTest) -> None:
    page.segmented_control(key="detectors-shown").set_value("All").run()
    page.selectbox(key="detector-widget").select("Shown the set: two moments")
    page.selectbox(key="set-widget").select(MISTAKES).run()
    assert not page.exception
    assert "no such figure" in page.info[0].value


def test_the_file_is_of_numbers_alone_and_small() -> None:
    assert FILE.stat().st_size < 500_000
    found = results()
    assert set(found.detectors) >= {detector.label for detector in DETECTORS.values()}
    figures = found.figures[np.isfinite(found.figures)]
    assert figures.min() >= 0
    assert figures.max() <= 1
    detections = [d for d, family in enumerate(found.families) if family != "shown the set"]
    assert np.isfinite(found.figures[:, :, detections]).all()


def test_intervals_hold_the_figure_and_curves_its_area() -> None:
    found = results()
    shown = np.isfinite(found.figures[0, 0])
    assert (found.low[0][shown] <= found.figures[0, 0][shown] + 1e-6).all()
    assert (found.high[0][shown] >= found.figures[0, 0][shown] - 1e-6).all()
    area = np.trapezoid(found.roc, found.false_stops, axis=-1)
    # Where many images tie, a curve of thresholds lies below the straight line that the AUROC counts.
    difference = area[shown] - found.figures[0, 0][shown]
    assert np.abs(np.median(difference)) < 0.002
    assert difference.max() < 0.021


def test_counts_are_of_5000_test_images_and_up_to_1000_others() -> None:
    found = results()
    sets = [s for s, column in enumerate(found.columns) if column != MISTAKES]
    assert (found.inside[:, sets].sum(axis=-1) == 5000).all()
    assert (found.outside[:, sets].sum(axis=-1) == 1000).all()


def test_the_chosen_detector_reaches_the_aim() -> None:
    found = results()
    chosen = found.detectors[found.chosen]
    assert found.models == 5
    for column in found.columns:
        if column in (SHIFT, MISTAKES):
            continue
        aim = {"uniform": 0.999, "gaussian": 0.999, "fashion": 0.995}.get(column, 0.98)
        assert found.auroc(chosen, column) >= aim, column
    assert found.auroc(chosen, MISTAKES) >= found.auroc("Max probability", MISTAKES) - 0.005
