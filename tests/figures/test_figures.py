"""What the figures hold, looked up in their data: never their pixels."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from mcviz import figures
from mcviz.figures.trust import measures_by_passes
from mcviz.measures import summarise

pytestmark = pytest.mark.lowest

NAMES = [str(c) for c in range(10)]


@pytest.fixture
def probs() -> np.ndarray:
    """200 passes of one example, most of them for class 3, some for class 5."""
    drawn = np.random.default_rng(0).dirichlet(np.full(10, 0.05) + np.eye(10)[3] * 3 + np.eye(10)[5], 200)
    return drawn.astype(np.float32)


def traces(figure, kind: str) -> list:
    return [trace for trace in figure.data if trace.type == kind]


def test_accuracy_chart_counts_every_pass_and_marks_the_ensemble_in_blue() -> None:
    accuracy = np.random.default_rng(0).normal(0.98, 0.001, 500)
    figure = figures.accuracy_against_ensemble(accuracy, ensemble=0.992, deterministic=0.991)
    (bars,) = traces(figure, "bar")
    assert sum(bars.y) == 500
    assert min(bars.x) >= accuracy.min()
    assert max(bars.x) <= accuracy.max()
    lines = {line.name.split(" 9")[0]: line for line in traces(figure, "scatter")}
    assert set(lines["ensemble"].x) == {0.992}
    assert lines["ensemble"].line.color == "#0072B2"
    assert set(lines["deterministic"].x) == {0.991}


def test_accuracy_chart_survives_passes_that_all_agree() -> None:
    figure = figures.accuracy_against_ensemble(np.full(5, 0.5), ensemble=0.5, deterministic=0.5)
    assert sum(traces(figure, "bar")[0].y) == 5


def test_an_axis_of_accuracies_that_are_all_alike_ends_at_the_most_that_there_is() -> None:
    against = figures.accuracy_against_ensemble(np.ones(5), ensemble=1.0, deterministic=1.0)
    assert against.layout.xaxis.range[1] <= 1.02
    (bar,) = (x for x, count in zip(against.data[0].x, against.data[0].y, strict=True) if count)
    assert bar == pytest.approx(1)
    by_size = figures.accuracy_by_ensemble_size(np.ones(3), deterministic=None)
    by_passes = measures_by_passes(
        np.arange(3), {"accuracy": np.ones(3), "NLL": np.ones(3)}, {"accuracy": ".2%", "NLL": ""}
    )
    for axis in (by_size.layout.yaxis, by_passes.layout.yaxis):
        assert (axis.range, axis.autorangeoptions.clipmax) == (None, 1.02)
    assert by_passes.layout.yaxis2.autorangeoptions.clipmax is None


def test_ensemble_size_is_counted_from_one() -> None:
    figure = figures.accuracy_by_ensemble_size(np.array([0.9, 0.92, 0.95]), deterministic=0.91)
    ensemble, deterministic = traces(figure, "scatter")
    assert list(ensemble.x) == [1, 2, 3]
    assert list(ensemble.y) == [0.9, 0.92, 0.95]
    assert set(deterministic.y) == {0.91}


def test_accuracy_charts_without_a_deterministic_accuracy_have_no_line_for_it() -> None:
    against = figures.accuracy_against_ensemble(np.array([0.9, 0.92]), ensemble=0.95, deterministic=None)
    by_size = figures.accuracy_by_ensemble_size(np.array([0.9, 0.95]), deterministic=None)
    assert [line.name for line in traces(against, "scatter")] == ["ensemble 95.00%"]
    assert [line.name for line in traces(by_size, "scatter")] == ["ensemble"]


def test_class_chart_shows_mean_and_spread_of_every_class(probs: np.ndarray) -> None:
    figure = figures.class_probabilities(summarise(probs), NAMES, label=5)
    shown = {name: (y, std) for bar in figure.data for name, y, std in zip(bar.x, bar.y, bar.customdata, strict=True)}
    assert set(shown) == set(NAMES)
    for c, name in enumerate(NAMES):
        assert shown[name] == pytest.approx((probs[:, c].mean(), probs[:, c].std()), abs=1e-6)
    colours = {bar.name: bar.marker.color for bar in figure.data}
    assert len(set(colours.values())) == 3
    assert {bar.name: list(bar.x) for bar in figure.data} == {
        "prediction": ["3"],
        "label": ["5"],
        "other classes": [name for name in NAMES if name not in "35"],
    }


def test_spread_stays_between_nothing_and_certainty(probs: np.ndarray) -> None:
    for bar in figures.class_probabilities(summarise(probs), NAMES).data:
        assert (np.array(bar.y) - np.array(bar.error_y.arrayminus) >= -1e-9).all()
        assert (np.array(bar.y) + np.array(bar.error_y.array) <= 1 + 1e-9).all()


def test_a_correct_prediction_has_one_colour() -> None:
    figure = figures.class_probabilities(summarise(np.eye(10)[[3, 3]]), NAMES, label=3)
    assert [bar.name for bar in figure.data] == ["prediction and label", "other classes"]


def test_class_counts_add_up() -> None:
    figure = figures.class_counts(np.array([8, 8, 2, 8]), NAMES)
    assert dict(zip(figure.data[0].x, figure.data[0].y, strict=True)) == {
        name: {"8": 3, "2": 1}.get(name, 0) for name in NAMES
    }


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_contact_sheet_keeps_every_pixel_in_its_place(channels: int, dtype: type) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 5, channels)).astype(np.uint8)
    given = images if dtype == np.uint8 else (images / 255).astype(np.float32)
    sheet = figures.contact_sheet(given, columns=3)
    assert sheet.shape == (12, 15, channels)
    for i, image in enumerate(images):
        row, column = divmod(i, 3)
        np.testing.assert_array_equal(sheet[row * 4 : row * 4 + 4, column * 5 : column * 5 + 5], image)


def test_png_is_read_back_enlarged_crisply() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 1)).astype(np.uint8)
    read = np.asarray(Image.open(io.BytesIO(figures.png(image, scale=3))))
    np.testing.assert_array_equal(read, image[..., 0].repeat(3, 0).repeat(3, 1))


@pytest.mark.parametrize(("channels", "seen"), [(1, 1), (2, 1), (3, 3), (4, 3)])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (32, 128), (300, 90)])
def test_pictures_of_any_channels_and_size_can_be_looked_at(channels: int, seen: int, height: int, width: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, height, width, channels), dtype=np.uint8)
    small = figures.thumbnails(images, 256)
    assert max(small.shape[1:3]) <= 256
    if max(height, width) <= 256:
        np.testing.assert_array_equal(small, images[..., :seen])
    for url in (figures.picture_url(images[0], 100), figures.sheet_url(images, 2, 208)):
        picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        assert picture.width / picture.height == pytest.approx(width / height, rel=0.02)
        assert picture.mode in ("L", "RGB")
