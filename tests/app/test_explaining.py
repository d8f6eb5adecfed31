"""Why a prediction is as it is: maps over pictures, words and columns, and the examples nearest to the model."""

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz import Run
from mcviz.app import explain
from tests.app.keeping import kept_of
from tests.app.live_texts import RUN
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import OpenProbe, button, widget, words
from tests.cases import one_in


def opened(page: str, **query: str) -> AppTest:
    return opened_page(page, query)


def charts(app: AppTest) -> list[dict]:
    return [json.loads(each.proto.spec) for each in app.get("plotly_chart")]


def test_a_map_says_how_much_less_probable_the_class_is_without_each_place(run: Run) -> None:
    app = opened("example", example="115", closer_look="evidence")
    maps = [figure for figure in charts(app) if figure["data"][0]["type"] == "heatmap"]
    assert len(maps) == 2
    image = run.images[115].astype(np.float32) / np.float32(255)
    without = image.copy()
    without[12:16, 8:12] = 0  # a stroke of the four
    model = mcviz.load_model(run.model_path)
    passes = mcviz.sample(model, np.stack([image, without]), passes=100)[..., 4]
    lost = 100 * (passes[:, 0] - passes[:, 1])
    from mcviz.data.drawing import Windows

    effects = next(iter(kept_of(app)[explain.EFFECTS].values()))
    at = Windows.over(28, 28).corners.tolist().index([12, 8])
    assert 100 * effects.mean[at, 4] == pytest.approx(lost.mean(), abs=1e-3)
    assert 100 * effects.std[at, 4] == pytest.approx(lost.std(), abs=1e-3)
    assert abs(lost.mean()) > 1

    widget(app.selectbox, "first_class").set_value(9).run()
    assert "What speaks for 9" in words(app)


@pytest.mark.slow
def test_an_explanation_is_stopped_and_goes_on() -> None:
    app = opened("example", example="115", closer_look="similar")
    kept_of(app)[explain.WORK] = False
    widget(app.segmented_control, "closer_look").set_value("evidence").run()
    assert "The explanation was stopped." in words(app)
    button(app, "Go on").click().run()
    assert "What speaks for 4" in words(app)


def test_words_that_are_reasons_are_marked(texts_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(texts_cache))
    app = opened("probe", run=RUN, input="text", closer_look="evidence")
    app.text_area[0].set_value("the horse <b>eats</b>").run()
    assert_sound(app)
    (marked,) = [each.proto.body for each in app.get("html") if "pre-wrap" in each.proto.body]
    assert "&lt;b&gt;eats&lt;/b&gt;" in marked
    (table,) = [each.value for each in app.table if each.value.index.name == "words"]
    assert table.index[0] == "horse"
    assert table.iloc[0, 0].startswith("+")


@pytest.mark.parametrize(("name", "unit"), one_in(2, [("few", "percentage points"), ("measured", "mg/dl")]))
def test_a_row_has_a_bar_a_column(rows_cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, unit: str) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(rows_cache))
    app = opened("example", run=name, example="3", closer_look="evidence")
    bars = charts(app)[-1]
    assert bars["layout"]["xaxis"]["title"]["text"] == f"effect, {unit}"
    assert len(bars["data"][0]["y"]["bdata"] if isinstance(bars["data"][0]["y"], dict) else bars["data"][0]["y"])
    assert "Values are replaced, one after the other, by the median" in words(app)


@pytest.mark.parametrize("name", one_in(3, ["few", RUN, "measured"]))
def test_neighbours_of_any_kind_are_found(
    rows_cache: Path, texts_cache: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(texts_cache if name == RUN else rows_cache))
    assert "the model sees as most alike" in words(opened("example", run=name, example="3", closer_look="neighbours"))


@pytest.mark.slow
def test_the_probe_explains_nothing_before_it_is_asked(open_probe: OpenProbe) -> None:
    app = open_probe(input="distortion", example="115")
    assert explain.EFFECTS not in kept_of(app)
    widget(app.segmented_control, "closer_look").set_value("evidence").run()
    assert_sound(app)
    assert "What speaks for 4" in words(app)
    assert app.query_params["closer_look"] in ("evidence", ["evidence"])
