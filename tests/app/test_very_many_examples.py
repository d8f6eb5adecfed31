"""Charts of more examples than a browser draws one by one: cells of a grid, parts of it, and a lasso over them."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mcviz import Run
from mcviz.app.filters import Filters, Lasso, lasso_on_map
from mcviz.app.resources import table_key
from mcviz.app.selection import filter_mask, positions
from mcviz.app.views import scatter
from mcviz.figures import Window, scores
from tests.app.keeping import kept_of
from tests.app.opening import opened_page
from tests.polygons import surrounded_by_a_loop

FEW = 100
ALL = "10,000 of 10,000 examples"


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(scores, "MOST_DRAWN_POINTS", FEW)
    scatter._figure.clear()  # those of other tests, which drew the same examples one by one
    yield
    scatter._figure.clear()


def opened(**query: str) -> AppTest:
    return opened_page("uncertain", query)


def chart_of(app: AppTest) -> dict[str, Any]:
    (chart,) = app.get("plotly_chart")
    return json.loads(chart.proto.spec)


@pytest.mark.parametrize(
    ("view", "plane"), [("scatter", Lasso("margin", "max_probability", ())), ("map", lasso_on_map("tsne"))]
)
def test_a_part_with_few_examples_shows_each_and_a_button_leads_back(run: Run, view: str, plane: Lasso) -> None:
    app = opened(view=view, x="margin", y="max_probability")
    assert len(chart_of(app)["layout"]["images"]) == 1
    assert any("Each cell counts examples" in caption.value for caption in app.caption)
    if plane.layout:
        x, y = positions(run, "tsne").T
    else:
        x, y = (run.scores()[name].to_numpy() for name in (plane.x, plane.y))
    part = Window((float(np.sort(x)[5]), float(np.sort(x)[50])), (float(y.min()), float(y.max())))
    inside = np.flatnonzero((x >= part.x[0]) & (x <= part.x[1]))
    assert 40 < len(inside) <= FEW
    kept_of(app)[f"{view}-window"] = (table_key(run), plane, part)
    app.run()
    figure = chart_of(app)
    assert "images" not in figure["layout"]
    assert figure["layout"]["xaxis"]["range"] == list(part.x)
    packed = [trace["customdata"] for trace in figure["data"]]
    shown = np.concatenate([np.frombuffer(base64.b64decode(each["bdata"]), each["dtype"]) for each in packed])
    np.testing.assert_array_equal(np.sort(shown), inside)
    (button,) = (each for each in app.button if each.label == "Show all")
    button.click().run()
    assert len(chart_of(app)["layout"]["images"]) == 1
    assert not any(each.label == "Show all" for each in app.button)


def test_an_area_of_the_map_selects_exactly_what_it_surrounds(run: Run) -> None:
    corners = ((-500.0, -300.0), (900.0, -400.0), (100.0, 50.0), (800.0, 600.0))
    found = filter_mask(run, Filters(area=lasso_on_map("pca", corners)))
    plane = positions(run, "pca")
    assert plane is not None
    np.testing.assert_array_equal(found[:2000], surrounded_by_a_loop(corners, plane[:2000].tolist()))
    assert 0 < found[:2000].sum() < 2000
    app = opened(view="map", area="pca:" + ",".join(str(value) for corner in corners for value in corner))
    assert any(f"{found.sum():,}" in text.value and "10,000" in text.value for text in app.markdown)
    assert any(button.label == "lasso on the map" for button in app.button)


def test_an_area_of_a_layout_that_is_not_there_is_told_of(run: Run) -> None:
    assert len(run)
    app = opened(area="umap:0,0,1,0,1,1")
    assert any("area=umap" in warning.value for warning in app.warning)


@pytest.mark.parametrize(
    "told",
    [
        None,
        {},
        {"x": [0, 1]},
        {"x": [1, 0], "y": [0, 1]},
        {"x": [0, float("nan")], "y": [0, 1]},
        {"x": ["0", "1"], "y": [0, 1]},
        {"x": [0, 1, 2], "y": [0, 1]},
    ],
)
def test_what_is_no_part_of_a_plane_is_passed_over(told: object) -> None:
    assert scatter._zoom_window(told) is None
    assert scatter._zoom_window({"x": [0, 1], "y": [-1, 0.5]}) == Window((0.0, 1.0), (-1.0, 0.5))
