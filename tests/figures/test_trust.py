"""What the figures of trust hold."""

import numpy as np

from mcviz.figures.trust import (
    PREDICTOR_LABELS,
    accuracy_against_referred,
    calibration_along,
    mark_share,
    measures_by_passes,
    reliability_diagram,
)


def test_a_reliability_diagram_has_every_bin_that_is_not_empty() -> None:
    confidence, accuracy = np.array([np.nan, 0.5, 0.9]), np.array([np.nan, 0.4, 1.0])
    counts = np.array([0.0, 10.0, 40.0])
    figure = reliability_diagram({"ensemble": (confidence, accuracy, counts)})
    above, below = figure.data
    assert (list(above.x), list(above.y)) == ([0.5, 0.9], [0.4, 1.0])
    assert list(below.y) == [10, 40]
    assert above.marker.size[0] < above.marker.size[1]
    (diagonal,) = figure.layout.shapes
    assert (diagonal.x0, diagonal.x1) == (0.5, 1)
    assert (diagonal.x0, diagonal.x1) == (diagonal.y0, diagonal.y1)


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
