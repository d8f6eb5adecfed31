"""The probe of a regression: live passes are told, compared and swept as those of the run are."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.app import out_of_distribution
from mcviz.app.out_of_distribution import NONE_TO_FIT, ScoreDetector
from mcviz.app.sweep import Sweep
from mcviz.text import significant
from tests.app.keeping import kept_of
from tests.app.opening import assert_sound, switch_page
from tests.app.probing import OpenProbe, button, table, verdict_figures, widget, words
from tests.app.test_kinds import OF_CLASSES
from tests.cases import only

PASSES, EXAMPLES = 30, 40


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of rows and two targets whose variances are predicted, and one of pictures and one target."""
    import keras

    folder, rng = tmp_path_factory.mktemp("probed"), np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(EXAMPLES, 3)), columns=["age", "bmi", "glucose"], dtype=np.float32)
    columns = keras.layers.Input((3,))
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(16, activation="relu")(columns))
    model = keras.Model(columns, keras.layers.Dense(4)(hidden))
    mcviz.sample_run(
        model, rows, folder / "rows", passes=PASSES, task="regression", predicts="mean,log_variance",
        target_names=["x", "y"], unit="*kg*",
    )  # fmt: skip
    pictures = rng.integers(0, 256, (EXAMPLES, 8, 8, 1), dtype=np.uint8)
    flat = keras.Sequential(
        [keras.layers.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    mcviz.sample_run(flat, pictures, folder / "pictures", passes=PASSES, task="regression", unit="°C")
    return folder


@pytest.fixture
def open_run_of(cache: Path, monkeypatch: pytest.MonkeyPatch, open_probe: OpenProbe) -> OpenProbe:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    return open_probe


def said(app: AppTest) -> str:
    return words(app) + "\n".join(shown.value.to_string() for shown in app.table)


def numbers_in(cell: str) -> list[float]:
    return [float(each.replace(",", "")) for each in cell.replace("\\", "").replace("−", "-").split(" to ")]


@pytest.mark.parametrize("target", only([1], [0, 1]))
def test_an_example_of_the_run_is_predicted_as_sampling_predicts_it(
    cache: Path, open_run_of: OpenProbe, target: int
) -> None:
    run = mcviz.open_run(cache / "rows")
    app = open_run_of(run="rows", input="row", example="3", target=str(target))
    sampler = mcviz.Sampler(mcviz.load_model(run.model_path), task="regression", predicts="mean,log_variance")
    passes = sampler.sample(run.content.to_numpy()[3:4], passes=PASSES)[:, 0].astype(np.float64)
    mean, std = passes[:, :2].mean(axis=0), np.sqrt(passes[:, :2].var(axis=0) + passes[:, 2:].mean(axis=0))
    shown = table(app, "90% interval")
    assert [numbers_in(each)[0] for each in shown["prediction"]] == pytest.approx(mean, rel=2e-3)
    assert [numbers_in(each)[0] for each in shown["std"]] == pytest.approx(std, rel=1e-2)
    name = "xy"[target]
    assert widget(app.selectbox, "target").value == target
    curve = next(
        spec
        for spec in (json.loads(each.proto.spec) for each in app.get("plotly_chart"))
        if spec["layout"]["yaxis"].get("title", {}).get("text") == f"{name}, *kg*"
    )
    assert curve["data"][1]["name"] == name
    assert not OF_CLASSES.search(said(app).replace(NONE_TO_FIT, ""))


def test_the_verdict_is_by_the_spread_of_the_passes_alone_and_says_so_plainly(
    cache: Path, open_run_of: OpenProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out_of_distribution, "_fit", None)  # nothing is fitted
    app, run = open_run_of(run="rows", input="row", example="3"), mcviz.open_run(cache / "rows")
    assert f"By predictive std alone. {NONE_TO_FIT}" in words(app)
    assert not app.error
    values = run.scores()["predictive_std"].to_numpy()
    figures = {name: text.replace("\\", "") for name, text in verdict_figures(app).items()}
    assert figures["Predictive std"] == f"{significant(values[3])} *kg*"
    higher = (values > values[3]).mean()
    assert figures["Examples with a higher one"] == (f"{100 * higher:.1f}%" if higher else "none")
    limit = np.sort(values)[int(np.ceil((len(values) + 1) * 0.95)) - 1]
    assert figures["Limit, passed by at most 5% of inputs like these"] == f"{significant(limit)} *kg*"
    assert bool(app.warning) == (values[3] > limit)


def test_a_sweep_finds_what_is_predicted_and_where_the_passes_differ_the_most(
    cache: Path, open_run_of: OpenProbe
) -> None:
    app, run = open_run_of(run="rows", input="distortion", sweep="25"), mcviz.open_run(cache / "rows")
    button(app, "Predict distorted").click().run()
    assert_sound(app)
    swept = np.random.default_rng(0).permutation(EXAMPLES)[:25]
    rows = run.scores().iloc[swept]
    sweep: Sweep = kept_of(app)["sweep"]
    assert isinstance(sweep.detector, ScoreDetector)
    np.testing.assert_allclose(sweep.scores["prediction_y"], rows["prediction_y"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sweep.scores["total_std"], rows["total_std"], rtol=1e-4)
    assert sweep.worst == int(rows["predictive_std"].to_numpy().argmax())
    ends = f"{significant(rows['prediction_x'].min())} to {significant(rows['prediction_x'].max())}"
    assert f"For 25 distorted examples the model predicts {ends}" in words(app).replace("\\", "")
    assert "stopped as out of distribution, by predictive std alone (95% interval" in words(app)
    assert not OF_CLASSES.search(said(app).replace(NONE_TO_FIT, ""))


@pytest.mark.parametrize("kind", ["noise", "distortion"])
def test_pictures_of_a_regression_are_probed_and_end_the_story(open_run_of: OpenProbe, kind: str) -> None:
    app = open_run_of(run="pictures", input=kind, seed="0")
    assert_sound(app)
    assert "The ensemble predicts **" in words(app)
    assert "°C" in words(app)
    app.query_params["step"] = "4"
    switch_page(app, "story").run()
    assert_sound(app)
    assert "Nothing is there to be predicted" in words(app)
