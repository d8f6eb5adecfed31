"""Rows of a table in the dashboard: what is shown of them, what is alike, and inputs for the probe."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from msgspec.structs import replace
from scipy.stats import median_abs_deviation, percentileofscore
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.analysis.layouts import load_components
from mcviz.app.kinds import base
from mcviz.app.kinds.row import SLIDERS, slider_range
from mcviz.app.wording import information
from mcviz.kinds.row_distortions import ROW_DISTORTIONS
from mcviz.runs import Preprocessing
from mcviz.text import true_minus
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import button, class_means, widget, words
from tests.app.test_kinds import OF_IMAGES, said, tiles_of
from tests.cases import one_in

RUNS = ["few", "wide", "measured"]
INPUTS = [
    {"input": "row"},
    {"input": "noise"},
    *({"input": "distortion", "distortion": name} for name in ROW_DISTORTIONS),
]


@pytest.fixture(autouse=True)
def _here(rows_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(rows_cache))


def opened(page: str, run: str, **query: str) -> AppTest:
    return opened_page(page, {"run": run, **query}, predicting=True)


def rows_of(folder: Path, run: str) -> np.ndarray:
    return mcviz.open_run(folder / run).content.to_numpy()


def z_of(rows: np.ndarray) -> np.ndarray:
    """(N, D): distances from the median in standard deviations by scipy's MAD, or else the std; 0 of constants."""
    rows = rows.astype(np.float64)
    spread = 1.4826 * median_abs_deviation(rows, axis=0)
    spread = np.where(spread, spread, rows.std(axis=0))
    return (rows - np.median(rows, axis=0)) / np.where(spread, spread, np.inf)


def means(app: AppTest) -> list[str]:
    return [f"{100 * mean:.2f} %" for mean in class_means(app).values()]


def predicted(folder: Path, run: str, row: np.ndarray) -> list[str]:
    model = mcviz.load_model(mcviz.open_run(folder / run).model_path)
    mean = mcviz.sample(model, row[None], passes=mcviz.open_run(folder / run).passes)[:, 0].mean(axis=0)
    return [f"{100 * value:.2f} %" for value in mean]


@pytest.mark.parametrize("run", one_in(3, RUNS))
def test_a_tile_has_the_most_unusual_values(rows_cache: Path, run: str) -> None:
    app, content = opened("uncertain", run), mcviz.open_run(rows_cache / run).content
    z = z_of(content.to_numpy())
    (data,) = (json.loads(each.proto.json) for each in app.get("bidi_component") if "tiles" in each.proto.json)
    for tile in data["tiles"]:
        most = np.argsort(-np.abs(z[tile["example"]]), kind="stable")[:4]
        row = content.iloc[tile["example"]]
        assert [value for _, value in tile["facts"]] == [true_minus(f"{row.iloc[column]:.4g}") for column in most]
    assert [name for name, _ in tile["facts"]] == [content.columns[column] for column in most]


@pytest.mark.parametrize("run", one_in(2, RUNS))
def test_all_values_are_in_a_table_with_their_percentiles_and_not_among_the_users_own_facts(
    rows_cache: Path, run: str
) -> None:
    app, content = opened("example", run, example="7"), mcviz.open_run(rows_cache / run).content
    (shown,) = (each.value for each in app.dataframe if "percentile" in each.value)
    assert shown["column"].tolist() == content.columns.tolist()
    assert shown["value"].tolist() == [true_minus(f"{value:.6g}") for value in content.iloc[7]]
    expected = [percentileofscore(content[name], content[name].iloc[7], "mean") for name in content]
    np.testing.assert_allclose(shown["percentile"], expected)
    facts = [each.value.index.tolist() for each in app.table if each.value.index.name == "column"]
    assert facts == ([] if run == "measured" else [["source"]])


def test_the_columns_of_rows_filter_and_group_behind_the_users_own(rows_cache: Path) -> None:
    app = opened("uncertain", "wide", view="groups")
    columns = ["source", *mcviz.open_run(rows_cache / "wide").content.columns]
    assert widget(app.selectbox, "column").options == columns
    (choice,) = (each for each in app.selectbox if each.key and each.key.startswith("filtered-column"))
    assert choice.options == columns
    shown, *_beside = opened("uncertain", "wide", view="table").dataframe
    assert shown.value.columns.tolist()[-301:] == columns


def test_rows_are_alike_by_their_standardised_columns(rows_cache: Path) -> None:
    app = opened("example", "few", example="3", closer_look="similar")
    z = np.clip(z_of(rows_of(rows_cache, "few")), -10, 10)
    away = ((z - z[3]) ** 2).sum(axis=1)
    assert tiles_of(app) == np.argsort(away, kind="stable")[1:7].tolist()
    assert "nearest values" in words(app)


def test_one_value_far_away_does_not_hide_what_else_is_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows, passes = rng.normal(size=(50, 3)).astype(np.float32), rng.dirichlet(np.ones(3), (4, 50))
    before = load_components(mcviz.write_run(tmp_path / "before", passes, data=rows))
    rows[0, 0] = 1e37
    after = load_components(mcviz.write_run(tmp_path / "after", passes, data=rows))
    assert np.isfinite(after).all()
    between = [np.linalg.norm(each[1] - each[2:], axis=1) for each in (before, after)]
    assert np.corrcoef(*between)[0, 1] > 0.98


@pytest.mark.parametrize(("run", "query"), one_in(14, product(RUNS, INPUTS)))
def test_every_input_is_predicted_and_nothing_is_said_of_images(run: str, query: dict[str, str]) -> None:
    app = opened("probe", run, example="3", **{"seed": "0", **query})
    assert "The ensemble predicts" in words(app)
    assert len(app.get("plotly_chart")) >= 1
    assert not OF_IMAGES.search(said(app))
    if query["input"] != "row":
        button(app, "Predict shuffled" if query["input"] == "noise" else "Predict distorted").click().run()
        assert_sound(app)
        assert f"of {100 if query['input'] == 'noise' else 40}" in words(app)
        assert not OF_IMAGES.search(said(app))


def test_a_value_that_is_changed_is_predicted_marked_kept_in_the_address_and_reset(rows_cache: Path) -> None:
    app, row = opened("probe", "few", input="row", example="3"), rows_of(rows_cache, "few")[3].copy()
    assert means(app) == predicted(rows_cache, "few", row)
    assert button(app, "Reset").disabled
    widget(app.slider, "slider-3").set_value(29.0).run()
    row[3] = 29
    assert means(app) == predicted(rows_cache, "few", row)
    assert app.query_params["values"] == "3:29"
    assert [f"was {rows_of(rows_cache, 'few')[3, 3]:.4g}" in each.label for each in app.slider].count(True) == 1
    assert widget(app.number_input, "exactly-3").value == 29
    widget(app.number_input, "exactly-3").set_value(-1e30).run()
    row[3] = -1e30
    assert means(app) == predicted(rows_cache, "few", row)
    assert widget(app.slider, "slider-3").value == widget(app.slider, "slider-3").min == -1e30
    again = opened("probe", "few", input="row", example="3", values=app.query_params["values"])
    assert means(again) == means(app)
    button(app, "Reset").click().run()
    assert "values" not in app.query_params
    assert means(app) == predicted(rows_cache, "few", rows_of(rows_cache, "few")[3])
    assert not any("was" in each.label for each in app.slider)


def test_a_value_that_is_set_back_is_unchanged_and_another_example_has_its_own(rows_cache: Path) -> None:
    app, row = opened("probe", "few", input="row", example="3", values="3:29,1:5"), rows_of(rows_cache, "few")[3]
    widget(app.number_input, "exactly-3").set_value(float(f"{row[3]:.9g}")).run()
    assert app.query_params["values"] == "1:5"
    widget(app.number_input, "example").set_value(4).run()
    assert "values" not in app.query_params
    assert means(app) == predicted(rows_cache, "few", rows_of(rows_cache, "few")[4])


def test_another_value_than_the_only_one_of_a_constant_column_is_said_beside_the_chart() -> None:
    constant = "all examples of this run have the same value"
    assert constant in words(opened("probe", "few", input="row", values="0:9"))
    assert constant not in words(opened("probe", "few", input="row", values="3:29"))


@pytest.mark.parametrize("values", one_in(3, ["900:1", "0:nan", "0:1e39", "x:1", "0", ":", "0:1:2,,"]))
def test_an_address_whose_values_mean_nothing_changes_nothing(values: str) -> None:
    assert not any("was" in each.label for each in opened("probe", "few", input="row", values=values).slider)


def test_of_many_columns_the_most_unusual_have_sliders_and_any_other_on_demand(rows_cache: Path) -> None:
    app, z = opened("probe", "wide", input="row", example="5"), z_of(rows_of(rows_cache, "wide"))[5]
    order = np.argsort(-np.abs(z), kind="stable")
    names = mcviz.open_run(rows_cache / "wide").content.columns[order]
    assert [each.label for each in app.slider] == names[:SLIDERS].tolist()
    (more,) = app.multiselect
    more.select(names[200]).select(names[0]).run()
    assert [each.label for each in app.slider] == [*names[:SLIDERS], names[200]]
    widget(app.slider, f"slider-{order[200]}").set_value(0.5).run()
    app.multiselect[0].unselect(names[200]).run()
    assert len(app.slider) == SLIDERS + 1, "what is changed stays in sight"


def test_along_a_column_only_that_column_differs_and_all_is_predicted_at_once(
    rows_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, live = [], base.predict_live
    monkeypatch.setattr(base, "predict_live", lambda run, rows: asked.append(rows) or live(run, rows))
    name = mcviz.open_run(rows_cache / "few").content.columns[3]
    app = opened("probe", "few", input="row", example="3", column=name, values="1:5")
    assert any(each.proto.alt.startswith("Entropies along the slider") for each in app.get("plotly_chart"))
    one, along = asked
    assert one.shape == (1, 4)
    assert along.shape == (25, 4)
    assert (along[:, :3] == one[:, :3]).all()
    values = rows_of(rows_cache, "few")[:, 3]
    assert along[0, 3] < values.min()
    assert along[-1, 3] > values.max()
    assert (np.diff(along[:, 3]) > 0).all()


def test_every_value_of_a_shuffled_row_is_its_columns_own_and_the_seed_says_which(
    rows_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, live = [], base.predict_live
    monkeypatch.setattr(base, "predict_live", lambda run, rows: asked.append(rows) or live(run, rows))
    rows, app = rows_of(rows_cache, "wide"), opened("probe", "wide", input="noise", seed="1")
    button(app, "Another shuffled row").click().run()
    assert app.query_params["seed"] == "2"
    first, second = (each[0] for each in asked)
    for row in (first, second):
        assert all(value in column for value, column in zip(row, rows.T, strict=True))
        assert not (row == rows).all(axis=1).any()
    assert (first != second).any()
    assert "No prediction is correct" in words(app)


@pytest.mark.parametrize("run", one_in(3, RUNS))
def test_the_story_ends_with_a_row_whose_columns_are_shuffled(run: str) -> None:
    app = opened("story", run, step="5")
    assert "This is noise" in "\n".join(each.value for each in app.header)
    assert any("percentile" in each.value for each in app.dataframe)
    assert not OF_IMAGES.search(said(app))


@pytest.mark.parametrize("applied", [True, False])
def test_a_scaler_of_many_columns_is_named_and_not_listed(tmp_path: Path, applied: bool) -> None:
    passes = np.random.default_rng(0).dirichlet(np.ones(3), (4, 5))
    manifest = replace(
        mcviz.write_run(tmp_path / "run", passes, data=np.zeros((5, 30), np.float32)).manifest,
        preprocessing=Preprocessing(mean=(1.0,) * 30, std=(2.0,) * 30, applied=applied, reason="By scaler.csv."),
    )
    stored = ", before the rows were stored" if applied else ""
    assert f"**Preprocessing**: scaled column by column{stored}, by scaler.csv." in information(manifest, False)


LARGEST = float(np.finfo(np.float32).max)
float32 = st.floats(-LARGEST, LARGEST, width=32, allow_subnormal=False)


@given(arrays(np.float32, st.integers(1, 9), elements=float32), float32)
def test_a_slider_holds_all_values_of_a_column_and_its_own(values: np.ndarray, value: float) -> None:
    low, high, step = slider_range(values, value)
    assert low <= min(values.min(), value)
    assert max(values.max(), value) <= high
    assert low < high
    assert step > 0
    assert np.isfinite(np.float32([low, high])).all()
