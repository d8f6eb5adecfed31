"""The colours of Scatter and Map by columns of the user's own: values with a legend, numbers on a scale."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

import mcviz
from mcviz.app import resources
from mcviz.app.views.scatter import draw_points
from mcviz.figures.style import CLASSES, INK, NEUTRAL
from tests.app.opening import assert_sound, opened_page
from tests.cases import only

COUNT, PLACES = 2100, 300
RANDOM = np.random.default_rng(0)
OWN = {
    "place": [f"place {min(PLACES, zipf)}" for zipf in RANDOM.zipf(1.3, COUNT)],
    "few": [f"few {row % 51}" for row in range(COUNT)],
    "most": [f"most {row % 1000}" for row in range(COUNT)],
    "too many": [f"many {row % 1001}" for row in range(COUNT)],
    "age": np.where(np.arange(COUNT) % 7, RANDOM.normal(40, 9, COUNT), np.nan),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mcviz.Run:
    folder = tmp_path_factory.mktemp("colours")
    images = RANDOM.integers(0, 256, (COUNT, 4, 4, 1)).astype(np.uint8)
    probs = RANDOM.dirichlet(np.ones(3), (4, COUNT)).astype(np.float32)
    return mcviz.write_run(folder / "run", probs, data=images, labels=np.arange(COUNT) % 3, columns=pd.DataFrame(OWN))


def test_the_ink_on_veils_is_the_one_that_the_style_turns_bright_on_a_dark_page() -> None:
    style = (Path(resources.__file__).parent / "page.css").read_text()
    red, green, blue = (int(INK[place : place + 2], 16) for place in (1, 3, 5))
    assert f'.bartext[style*="rgb({red}, {green}, {blue})"]' in style


def draw(run: mcviz.Run, colouring: str) -> go.Figure:
    x, y = np.random.default_rng(1).random((2, COUNT))
    return draw_points(run, colouring, "", x, y, np.arange(COUNT), axes=None)


def test_up_to_a_thousand_values_make_groups_and_no_more_are_a_choice_than_before(run: mcviz.Run) -> None:
    assert resources.all_grouping_columns(run) == ["place", "few", "most", "age"]
    assert resources.grouping_columns(run) == ["age"]
    assert len(resources.groups(run, "most").names) == 1000


def test_the_ten_largest_groups_have_a_colour_each_and_the_rest_is_grey(run: mcviz.Run) -> None:
    sizes = Counter(OWN["place"])
    largest = {name for name, _ in sizes.most_common(len(CLASSES))}
    traces = draw(run, "place").data
    assert {each.name for each in traces} == {*largest, f"{len(sizes) - len(CLASSES)} others"}
    assert len({each.marker.color for each in traces}) == len(traces)
    for each in traces:
        of_it = {OWN["place"][example] for example in each.customdata}
        assert of_it == {each.name} if each.name in largest else of_it.isdisjoint(largest)
        assert (each.marker.color == NEUTRAL) == (each.name not in largest)
    assert sum(len(each.customdata) for each in traces) == COUNT


def test_numbers_are_on_a_scale_and_missing_ones_are_grey_below_them(run: mcviz.Run) -> None:
    missing, known = draw(run, "age").data
    assert (missing.marker.color, missing.marker.colorscale) == (NEUTRAL, None)
    np.testing.assert_array_equal(np.sort(missing.customdata), np.flatnonzero(np.isnan(OWN["age"])))
    np.testing.assert_allclose(known.marker.color, OWN["age"][known.customdata], rtol=1e-6)
    assert known.marker.colorbar.title.text == "age"


@pytest.mark.parametrize("view", only(["map"], ["map", "scatter"]))
def test_a_column_is_chosen_on_the_page_and_is_in_its_address(
    run: mcviz.Run, view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(Path(run.path).parent))
    app = opened_page("uncertain", {"view": view})
    (colour,) = (each for each in app.selectbox if each.label == "Colour")
    assert colour.value == ("score" if view == "map" else "correct")
    colour.select("place").run()
    assert_sound(app)
    assert app.query_params["colour"] == "place"
    assert "coloured by place" in app.get("plotly_chart")[0].proto.alt
