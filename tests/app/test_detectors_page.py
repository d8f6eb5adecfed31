"""The page on detectors: what it says is what its file holds, and what its file holds is what the project aims at."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mcviz.app.detection import AIM, COMPARED_AT_MISTAKES, FIGURES, IN_FULL, MISTAKES, PROBES, TRAININGS, aims, results
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
    assert (
        "Higher moments help a little on some noise and on mixtures, and hurt on distorted digits and letters" in said
    )
    assert "{" not in said


def test_what_the_text_claims_of_moments_and_disagreement_is_so() -> None:
    found = results()
    baseline, passes = "Max probability, dropout off", "Max probability"
    bimodality, information = "Bimodality coefficient of the probability", "Mutual information"
    for column in ("uniform", "gaussian", "mixed", "digits"):
        assert found.auroc(bimodality, column) > found.auroc(baseline, column) + 0.004
        assert found.auroc("Energy, dropout off", column) > found.auroc(bimodality, column) - 0.003
    for column in ("rotated", "inverted", "letters"):
        assert found.auroc(bimodality, column) < found.auroc(baseline, column) - 0.07
    for column in ("rotated", "inverted", "mirrored"):
        assert found.auroc(information, column) > found.auroc(passes, column) > found.auroc(baseline, column)
    for column in ("uniform", "grey"):
        assert found.auroc(information, column) < found.auroc(baseline, column)
    assert found.auroc(passes, "uniform") < found.auroc(baseline, "uniform")
    most = sorted(set(found.columns) - {MISTAKES}, key=found.not_normal_share)[-3:]
    assert all(found.auroc(baseline, column) > 0.998 for column in most)


def test_the_share_alone_tells_what_the_chosen_detector_misses_but_not_the_mistakes(page: AppTest) -> None:
    found, said = results(), " ".join(page.markdown[0].value.split())
    share, chosen = "Unexplained share", found.detectors[found.chosen]
    for column in ("letters", "shapes", "stacked"):
        assert f"{found.auroc(share, column):.4f} on" in said
    assert all(found.auroc(share, column) >= AIM > found.auroc(chosen, column) for column in ("letters", "shapes"))
    assert "on 10 of the 10 known" in said
    assert all(found.auroc(share, column) >= found.auroc(chosen, column) for column in found.sets(known=True))
    assert "2 of the 3 misses" in said
    assert found.auroc(share, MISTAKES) < found.auroc(COMPARED_AT_MISTAKES, MISTAKES) - 0.005
    assert found.auroc(chosen, MISTAKES) >= found.auroc(COMPARED_AT_MISTAKES, MISTAKES) - 0.005


def test_every_new_set_is_named_with_its_figure_whatever_came_out(page: AppTest) -> None:
    found, said = results(), page.markdown[0].value
    short_of = said[said.index(f"falls short of {AIM}") :]
    for column in found.sets(known=False):
        figure = found.auroc(found.detectors[found.chosen], column)
        assert f"({figure:.4f})" in said, column
        assert (f"({figure:.4f})" in short_of) == (figure < AIM), column


def test_every_aim_is_answered_with_yes_or_no(page: AppTest) -> None:
    found, table = results(), page.dataframe[0].value
    for aim in aims(found):
        row = table.loc[found.label(aim.column)]
        assert row["median meets it"] == ("yes" if np.median(aim.reached) >= aim.aim else "no")
        assert row["trainings that do"] == f"{(aim.reached >= aim.aim).sum()} of 5" or aim.column == MISTAKES
        assert (row["lowest"], row["highest"]) == (f"{aim.reached.min():.5f}", f"{aim.reached.max():.5f}")
        assert (float(row["median"]) >= float(row["aim"])) == (row["median meets it"] == "yes")
        if aim.column != MISTAKES:  # whose aim is another one in each training
            assert (float(row["lowest"]) >= float(row["aim"])) == (row["trainings that do"] == "5 of 5")
    assert {table["known before"][found.label(column)] for column in found.sets(known=False)} == {"no"}


def test_the_new_sets_have_a_table_of_their_own(page: AppTest) -> None:
    found = results()
    assert page.dataframe[1].value.columns.tolist()[:2] == ["Own mistakes", "Uniform noise"]
    page.segmented_control(key="sets-shown").set_value("New").run()
    assert not page.exception
    shown = page.dataframe[1].value
    assert shown.columns.tolist() == ["Own mistakes", *(found.labels[s] for s in np.flatnonzero(~found.known))]
    np.testing.assert_allclose(
        shown.loc["Expected entropy", "Printed letters"], found.auroc("Expected entropy", "letters")
    )


@pytest.mark.parametrize("figure", FIGURES)
def test_each_figure_has_its_table(page: AppTest, figure: str) -> None:
    page.segmented_control(key="figure-shown").set_value(figure).run()
    assert not page.exception
    found, shown = results(), page.dataframe[1].value
    medians = np.median(found.figures, axis=0)
    row = medians[FIGURES.index(figure), found.detectors.index("Expected entropy")]
    for label in shown.columns:
        assert shown.loc["Expected entropy", label] == pytest.approx(row[found.labels.index(label)])


def test_a_detector_has_one_name_of_its_own_in_text_table_and_list(page: AppTest) -> None:
    found = results()
    assert len({found.name(detector) for detector in found.detectors}) == len(found.detectors)
    assert f"{PROBES} (★)" in page.markdown[0].value
    assert f"★ {PROBES}" in page.dataframe[1].value.index
    assert f"★ {PROBES}" in page.selectbox(key="detector-widget").options
    assert {"Bimodality, probability", "Unexplained share"} < set(page.dataframe[1].value.index)


def test_own_mistakes_are_told_from_right_answers(page: AppTest) -> None:
    page.selectbox(key="set-widget").select(MISTAKES).run()
    said = [caption.value for caption in page.caption]
    assert any(caption.startswith("With one in twenty right answers stopped by mistake") for caption in said)
    assert not any("twenty test images" in caption for caption in said)


def test_a_cell_is_chosen_by_detector_and_set_and_shows_its_own_figures(page: AppTest) -> None:
    found = results()
    page.selectbox(key="detector-widget").select("Expected entropy")
    page.selectbox(key="set-widget").select("rotated").run()
    assert not page.exception
    cell = found.detectors.index("Expected entropy"), found.columns.index("rotated")
    medians = np.median(found.figures, axis=0)
    assert [metric.value for metric in page.metric] == [f"{medians[f][cell]:.4f}" for f in range(3)]


def test_all_detectors_can_be_shown_and_a_cell_that_is_not_there_says_so(page: AppTest) -> None:
    page.segmented_control(key="detectors-shown").set_value("All").run()
    page.selectbox(key="detector-widget").select("Shown the set: two moments")
    page.selectbox(key="set-widget").select(MISTAKES).run()
    assert not page.exception
    assert "no such figure" in page.info[0].value


def test_the_files_are_of_numbers_alone_and_small_and_about_the_same_cells() -> None:
    assert IN_FULL.stat().st_size + TRAININGS.stat().st_size < 500_000
    with np.load(IN_FULL, allow_pickle=False) as in_full, np.load(TRAININGS, allow_pickle=False) as trainings:
        for name in ("detectors", "families", "columns", "labels", "known", "out_of_scope", "chosen", "passes"):
            np.testing.assert_array_equal(in_full[name], trainings[name])
    found = results()
    assert set(found.detectors) >= {detector.label for detector in DETECTORS.values()}
    figures = found.figures[np.isfinite(found.figures)]
    assert figures.min() >= 0
    assert figures.max() <= 1
    detections = [d for d, family in enumerate(found.families) if family != "shown the set"]
    assert np.isfinite(found.figures[:, :, detections]).all()


def test_intervals_hold_the_figure_and_curves_its_area() -> None:
    found = results()
    shown = np.isfinite(found.shipped[0])
    assert (found.low[0][shown] <= found.shipped[0][shown] + 1e-6).all()
    assert (found.high[0][shown] >= found.shipped[0][shown] - 1e-6).all()
    area = np.trapezoid(found.roc, found.false_stops, axis=-1)
    difference = np.abs(area[shown] - found.shipped[0][shown])
    assert np.median(difference) < 0.001
    assert difference.max() < 0.021  # a drawn curve has points at some false stops only


def test_counts_are_of_5000_test_images_and_up_to_1000_others() -> None:
    found = results()
    sets = [s for s, column in enumerate(found.columns) if column != MISTAKES]
    assert (found.inside[:, sets].sum(axis=-1) == 5000).all()
    assert (found.outside[:, sets].sum(axis=-1) == 1000).all()


def test_the_chosen_detector_reaches_the_aim_on_every_set_that_was_known_before() -> None:
    found = results()
    assert len(found.trainings) == 5
    for aim in aims(found):
        if aim.column not in found.sets(known=False):
            assert aim.met_by_the_median, aim.column
