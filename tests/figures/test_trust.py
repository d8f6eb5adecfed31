"""What the figures of trust hold."""

import numpy as np
import pytest

from mcviz.figures.trust import (
    PREDICTOR_LABELS,
    accuracy_against_referred,
    calibration_along,
    mark_share,
    measures_by_passes,
    reliability_diagram,
)
from mcviz.measures.calibration import Bins
from mcviz.measures.intervals import Interval


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
    for text in ("50% to 90%", "60 examples", "70.00%, accuracy 75.00%", "+5.00 points (-10.00 to +20.00)"):
        assert text in dots.hovertext[0]
    assert "<other>" not in others.name + others.hovertext[0]
    (zero,) = figure.layout.shapes
    assert zero.y0 == zero.y1 == 0
    low, high = figure.layout.yaxis.range
    assert low < -10 < 20 < high
    assert [each.text for each in figure.layout.annotations] == ["↑ under-confident", "↓ over-confident"]


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
