"""The charts of calibration, of referrals and of detection: what they hold, looked up in their data."""

import numpy as np
import pytest

from mcviz.figures.trust import (
    PREDICTOR_LABELS,
    accuracy_against_referred,
    auroc_of_sets,
    calibration_along,
    class_reliability_diagram,
    mark_share,
    measures_by_passes,
    ood_score_distributions,
    reliability_diagram,
    roc_curve,
    shade_cells,
    stopped_of_sets,
)
from mcviz.measures.calibration import Bins
from mcviz.measures.intervals import Interval
from tests.figures.reading import contrast, rgb

SETS = ["Noise", "<b>Mine</b>"]
VALUES = {
    "Verdict": np.array([[0.99, 0.98, 1.0], [0.9, 0.85, 0.93]]),
    "Pixels alone": np.array([[0.7, 0.6, 0.8], [0.1, 0.05, 0.15]]),
}


def test_a_reliability_diagram_spreads_confidences_near_one_and_says_what_a_bin_holds() -> None:
    edges, counts = np.array([0.5, 0.9, 0.99, 1.0]), np.array([60.0, 70.0, 4000.0])
    confidence, gaps = np.array([0.7, 0.95, 0.999]), [Interval(0.05, -0.1, 0.2), Interval(0, -0.1, 0.1), Interval(0, 0)]
    bins = Bins(edges, counts, confidence, confidence + np.array([0.05, 0, 0]))
    figure = reliability_diagram({"ensemble": (bins, gaps), "<other>": (bins, gaps)})
    dots, bars, others, _ = figure.data
    assert list(dots.y) == [5, 0, 0]
    assert (dots.error_y.array[0], dots.error_y.arrayminus[0]) == (pytest.approx(15), pytest.approx(15))
    assert list(bars.y) == list(counts)
    assert list(bars.x) == list(dots.x)
    places = dict(zip(figure.layout.xaxis.ticktext, figure.layout.xaxis.tickvals, strict=True))
    assert places["99%"] - places["90%"] == pytest.approx(places["99.9%"] - places["99%"])  # each a tenth of the doubt
    for one, other, low, high in zip(dots.x, others.x, ("50%", "90%"), ("90%", "99%"), strict=False):
        assert places[low] < one < other < places[high]
    assert np.isfinite([dots.x, others.x]).all()  # though 100% is infinitely far
    for text in ("50% to 90%", "60 examples", "70.00%, accuracy 75.00%", "+5.00 points (−10.00 to +20.00)"):
        assert text in dots.hovertext[0]
    assert "<other>" not in others.name + others.hovertext[0]
    (zero,) = figure.layout.shapes
    assert zero.y0 == zero.y1 == 0
    low, high = figure.layout.yaxis.range
    assert low < -10 < 20 < high
    assert [each.text for each in figure.layout.annotations] == ["↑ under-confident", "↓ over-confident"]


def test_a_diagram_of_a_class_has_its_share_over_its_probability() -> None:
    edges, counts = np.array([0, 0.2, 1.0]), np.array([600.0, 40.0])
    bins = Bins(edges, counts, np.array([0.05, 0.7]), np.array([0.1, 0.6]))
    gaps = [Interval(0.05, 0.01, 0.09), Interval(-0.1)]
    line, dots, bars = class_reliability_diagram("<cat>", bins, gaps).data
    assert list(line.x) == list(line.y) == [0, 1]
    assert list(dots.x) == [0.05, 0.7]
    assert list(dots.y) == pytest.approx([0.1, 0.6])
    assert (dots.error_y.array[0], dots.error_y.arrayminus[0]) == (pytest.approx(0.04), pytest.approx(0.04))
    assert np.isnan(dots.error_y.array[1])
    assert list(bars.y) == list(counts)
    assert list(bars.x) == pytest.approx([0.1, 0.6])
    assert "<cat>" not in dots.name + dots.hovertext[0]
    for text in ("0% to 20%", "600 examples", "5.00%, 10.00% have it", "+5.00 points (+1.00 to +9.00)"):
        assert text in dots.hovertext[0]
    assert dots.hovertext[1].endswith("−10.00 points")


def test_the_rest_gets_better_as_more_is_referred() -> None:
    curve, perfect = np.array([0.5, 0.6, 0.8, 1.0, 1.0]), np.array([0.5, 2 / 3, 1, 1, 1])
    figure = mark_share(accuracy_against_referred({"<score>": curve}, perfect, 0.5), 0.25)
    line, best, random = figure.data
    assert list(line.x) == [0, 0.25, 0.5, 0.75]  # where all are referred there is no rest
    assert list(line.y) == list(curve[:-1])
    assert list(best.y) == list(perfect[:-1])
    assert set(random.y) == {0.5}
    assert figure.layout.shapes[0].x0 == 0.25
    assert "<score>" not in line.hovertemplate
    assert figure.layout.yaxis.title.text == "accuracy left after review"
    other = accuracy_against_referred({"a": curve}, perfect, 0.5, quality="overlap")
    assert other.layout.yaxis.title.text == "overlap left after review"


def test_of_many_points_some_are_drawn_and_the_ends_are_kept() -> None:
    curve = np.linspace(0.9, 1, 10_001)
    line = accuracy_against_referred({"a": curve}, curve, 0.9).data[0]
    assert len(line.x) < 500
    assert line.x[0] == 0


def test_a_band_is_drawn_beneath_the_curve_that_it_belongs_to() -> None:
    curve = np.array([0.5, 0.75, 1.0])
    band = (curve - 0.1, curve + 0.1)
    figure = accuracy_against_referred({"a": curve, "b": curve}, curve, 0.5, bands={"b": band})
    shade, _, of_b = figure.data[:3]
    assert shade.fillcolor == of_b.line.color
    assert sorted(shade.y) == sorted([0.4, 0.65, 0.6, 0.85])


def test_each_figure_has_its_own_axis_over_the_passes() -> None:
    passes, values = np.array([1, 10, 100]), {"accuracy": np.array([0.8, 0.9, 0.95]), "NLL": np.array([1, 0.5, 0.4])}
    figure = measures_by_passes(passes, values, {"accuracy": ".1%", "NLL": ".2f"}, enough=10)
    assert [list(line.y) for line in figure.data] == [list(each) for each in values.values()]
    assert [each.title.text for each in (figure.layout.yaxis, figure.layout.yaxis2)] == list(values)
    assert {shape.x0 for shape in figure.layout.shapes} == {10}


def test_every_way_to_predict_has_a_line_and_a_band_for_each_measure_along_a_distortion() -> None:
    amounts, values = np.array([0.0, 0.5, 1.0]), np.array([[0.9, 0.8, 1.0], [0.5, 0.4, 0.6], [0.2, 0.1, 0.3]])
    figure = calibration_along(
        amounts, {name: dict.fromkeys(PREDICTOR_LABELS, values) for name in ("a", "b")}, "Blur", ".0%"
    )
    bands, lines = figure.data[::2], figure.data[1::2]
    assert len(bands) == len(lines) == 2 * len(PREDICTOR_LABELS)
    for band, line in zip(bands, lines, strict=True):
        assert list(line.x) == list(amounts)
        assert list(line.y) == list(values[:, 0])
        assert sorted(band.y) == sorted(values[:, 1:].ravel())
        assert band.mode == "lines"
    assert [line.name for line in lines if line.showlegend] == list(PREDICTOR_LABELS.values()), "named once"


def shade(words: str) -> tuple[tuple[float, ...], float]:
    """The colour of a cell, and how much of it there is."""
    *colour, alpha = map(float, words.partition("(")[2].strip(")").split(","))
    return tuple(colour), alpha


def test_better_cells_have_more_colour() -> None:
    words = shade_cells(np.array([[0.5, 0.95, np.nan], [0.99, 0.999, 1.0]]))
    assert words[0, 2] == ""
    order = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    assert (np.diff([shade(words[cell])[1] for cell in order]) > 0).all()


@pytest.mark.parametrize(("ink", "page"), [("#1c2733", "#ffffff"), ("#e8edf2", "#10161d")])
def test_text_stands_out_on_every_shade_in_both_themes(ink: str, page: str) -> None:
    for words in shade_cells(1 - np.geomspace(0.2, 1e-5, 200)[None])[0]:
        colour, alpha = shade(words)
        mixed = alpha * np.array(colour) / 255 + (1 - alpha) * rgb(page)
        assert contrast(rgb(ink), mixed) > 4.5  # as WCAG 2.1 asks for


def test_the_roc_keeps_its_shares_behind_the_stretched_axis() -> None:
    rates = np.array([0, 0.04, 1])
    compared, chosen = roc_curve(rates, np.array([0.9, 1, 1]), "new", np.array([0.1, 0.5, 1]), "old").data
    assert (compared.name, chosen.name) == ("old", "new")
    np.testing.assert_allclose(chosen.x, [0, 0.2, 1])
    np.testing.assert_array_equal(chosen.customdata, rates)
    np.testing.assert_array_equal(chosen.y, [0.9, 1, 1])


def test_the_roc_says_what_the_false_positives_are() -> None:
    curve = roc_curve(np.array([0, 1]), np.array([0, 1]), "new", np.array([0, 1]), "old", "correct predictions")
    assert curve.layout.xaxis.title.text == "false positive rate, among correct predictions"


def test_distributions_are_shares_of_each_set_over_the_same_bins() -> None:
    in_distribution, out_of_distribution = ood_score_distributions(
        np.array([0.0, 1, 2]), np.array([30, 10]), np.array([0, 5]), ["test images", "noise"]
    ).data
    assert in_distribution.y.tolist() == [0.75, 0.25]
    assert out_of_distribution.y.tolist() == [0, 1]
    assert in_distribution.x.tolist() == out_of_distribution.x.tolist() == [0.5, 1.5]
    assert in_distribution.line.color != out_of_distribution.line.color


def test_a_set_without_images_draws_an_empty_line() -> None:
    _, out_of_distribution = ood_score_distributions(np.array([0.0, 1]), np.array([3]), np.array([0]), ["a", "b"]).data
    assert out_of_distribution.y.tolist() == [0]


def test_a_dot_is_the_auroc_with_the_ends_of_its_interval() -> None:
    verdict, pixels = auroc_of_sets(SETS, VALUES).data
    assert (verdict.name, pixels.name) == tuple(VALUES)
    np.testing.assert_allclose(verdict.x, [0.99, 0.9])
    np.testing.assert_allclose(verdict.x + verdict.error_x.array, [1.0, 0.93])
    np.testing.assert_allclose(verdict.x - verdict.error_x.arrayminus, [0.98, 0.85])
    assert verdict.y[0] > pixels.y[0] > verdict.y[1] > pixels.y[1], "a row a set, from top to bottom"


def test_what_is_worse_than_guessing_is_at_the_edge_with_an_arrow_and_told_as_it_is() -> None:
    pixels = auroc_of_sets(SETS, VALUES).data[1]
    assert pixels.x[1] == 0.5
    assert list(pixels.text) == ["", "◂"]
    assert pixels.customdata[1][0] == 0.1


def test_names_are_shown_as_they_were_typed_and_pictures_stand_beside_them() -> None:
    shares = np.array([[0.9, 0.8, 0.95], [0.0, 0.0, 0.1], [0.05, 0.04, 0.06]])
    figure = stopped_of_sets([*SETS, "own"], shares, ["data:image/png;base64,AAAA", ""])
    assert list(figure.layout.yaxis.ticktext) == ["Noise", "&lt;b&gt;Mine&lt;/b&gt;", "own"]
    (picture,) = figure.layout.images
    assert picture.y == 0
    assert picture.x < 0 == min(figure.layout.xaxis.tickvals)


def test_the_share_that_is_stopped_is_a_bar_with_its_interval_and_the_run_s_own_examples_have_another_colour() -> None:
    shares = np.array([[0.9, 0.8, 0.95], [0.0, 0.0, 0.1], [0.05, 0.04, 0.06]])
    (bars,) = stopped_of_sets([*SETS, "own"], shares).data
    assert list(bars.x) == [0.9, 0.0, 0.05]
    np.testing.assert_allclose(bars.x + bars.error_x.array, shares[:, 2])
    np.testing.assert_allclose(bars.x - bars.error_x.arrayminus, shares[:, 1])
    assert list(bars.y) == [0, -1, -2], "a row a set, from top to bottom"
    of_set, of_other, own = bars.marker.color
    assert of_set == of_other != own


def test_a_chart_of_more_sets_is_higher() -> None:
    figure = auroc_of_sets(SETS, VALUES)
    assert list(figure.layout.yaxis.ticktext) == ["Noise", "&lt;b&gt;Mine&lt;/b&gt;"]
    assert figure.layout.height > auroc_of_sets(SETS[:1], {"Verdict": VALUES["Verdict"][:1]}).layout.height
