"""The page Runs shows what rates of dropout are worth for the run's model, where its folder lies beside the runs."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mcviz.runs import Layer
from mcviz.runs.files import folder_at
from mcviz.manifest import Origin
from mcviz.runs.rates import FILE
from tests.app.probing import table, words
from tests.runs.making import FORMS, make
from tests.runs.test_rates import some_rates

ROOT = Path(__file__).parents[2]
TITLE = "Which rate of dropout?"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "runs"))
    return tmp_path / "runs"


def opened() -> AppTest:
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=60)
    app.query_params["run"] = "run"
    app.switch_page("mcviz/app/pages/runs.py").run()
    assert not app.exception
    assert app.title[0].value == "Runs"
    return app


@pytest.mark.parametrize("form", ["classes of images", "one target of rows"])
def test_what_was_found_for_the_model_is_shown(form: str, cache: Path) -> None:
    run = make(cache / "run", **FORMS[form])
    kept = some_rates(run.manifest.task, run.manifest.model.sha256, run.manifest.unit)
    kept.write(folder_at(cache / "mine"))
    some_rates(run.manifest.task, "of another model").write(folder_at(cache / "other"))
    app = opened()
    assert TITLE in [each.label for each in app.expander]
    assert kept.found.in_words(run.manifest.unit).split(",")[0] in words(app)
    assert len(app.get("plotly_chart")) == 4
    rates = [rate.replace("\\", "") for rate in table(app, "NLL, half that chooses").index]
    assert rates == ["as trained", "0.1", "0.3", "0.6"]
    assert "model.keras" in words(app)
    assert "in/model.keras" not in words(app)  # where it lay is the operator's
    assert not [each for each in app.selectbox if each.key == "rates-folder"]


def test_one_of_several_is_chosen(cache: Path) -> None:
    run = make(cache / "run")
    for name in ("first", "second"):
        some_rates("classification", run.manifest.model.sha256).write(folder_at(cache / name))
    app = opened()
    assert "first: model" in words(app)
    app.selectbox(key="rates-folder").select("second").run()
    assert "second: model" in words(app)


def test_what_is_damaged_says_what_to_do(cache: Path) -> None:
    make(cache / "run")
    (cache / "mine").mkdir()
    (cache / "mine" / FILE).write_text("{")
    app = opened()
    assert "Give `mcviz rates` once more" in words(app).replace("\\", "")
    assert "mcviz rates runs/run" not in "".join(each.value for each in app.code)


def test_without_any_the_command_is_shown_to_those_who_may_write(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(cache / "run")
    commands = [each.value for each in opened().code]
    assert "mcviz rates runs/run runs/run --out runs/run-rates" in commands
    monkeypatch.setenv("MCVIZ_READ_ONLY", "1")
    assert TITLE not in [each.label for each in opened().expander]


def test_passes_without_rates_have_none(cache: Path) -> None:
    make(
        cache / "run",
        origin=Origin("dropout", draw_scheme=1, product="matmul", stochastic_layers=(Layer("own", "Own", None),)),
    )
    assert TITLE not in [each.label for each in opened().expander]
