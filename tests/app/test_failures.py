"""A page that fails tells a visitor one sentence, and the operator all."""

import logging
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mcviz.app import work
from mcviz.runs.storage import SHIPPED_RUNS
from tests.app.opening import switch_page

ROOT = Path(__file__).parents[2]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the operator's log is told, in place of standard error."""
    told: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    monkeypatch.setattr(work.log, "handlers", [Kept()])
    return told


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=120)
    for key, value in query.items():
        app.query_params[key] = value
    return switch_page(app, page).run()


def failing(*_: object, **__: object) -> None:
    raise RuntimeError("no such thing: /srv/secret/\x1b[31mplace")


@pytest.mark.parametrize(
    ("page", "title", "broken"),
    [
        ("overview", "Overview", "mcviz.app.components.gallery.format_facts"),
        ("example", "One example", "mcviz.app.components.picture_url"),
        ("probe", "Probe", "mcviz.app.components.picture_url"),  # in a fragment, of a distorted image
    ],
)
def test_what_nobody_foresaw_is_a_sentence_to_the_visitor_and_a_traceback_to_the_operator(
    monkeypatch: pytest.MonkeyPatch, logged: list[str], page: str, title: str, broken: str
) -> None:
    monkeypatch.setattr(broken, failing)
    app = opened(page, run="mnist-cnn", **({"input": "distortion"} if page == "probe" else {}))
    (error,) = app.error
    assert error.value == work.UNFORESEEN
    (line, *trace) = logged[-1].splitlines()
    assert line == f"Page {title}, run mnist-cnn failed."
    assert trace[0].startswith("Traceback")
    assert r"RuntimeError: no such thing: /srv/secret/\x1b[31mplace" in trace[-1]
    assert "\x1b" not in logged[-1]


def test_a_damaged_run_is_named_to_the_visitor_and_its_place_to_the_operator_alone(
    monkeypatch: pytest.MonkeyPatch, logged: list[str], tmp_path: Path
) -> None:
    cache = tmp_path / "runs"
    (cache / "broken").mkdir(parents=True)
    (cache / "broken" / "manifest.json").write_text("{")
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    (error,) = opened("overview").error
    assert "runs/broken/manifest.json is damaged" in error.value.replace("\\", "")
    assert "Restore it from a copy" in error.value
    assert str(tmp_path) not in error.value
    assert str(cache / "broken" / "manifest.json") in logged[-1]


def test_a_model_that_cannot_be_loaded_is_told_without_the_server_s_folders(
    monkeypatch: pytest.MonkeyPatch, logged: list[str], tmp_path: Path
) -> None:
    from tests.runs.making import make

    make(tmp_path / "runs" / "bytes")  # whose model file is none
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "runs"))
    app = opened("probe", input="distortion")
    (error,) = app.error
    assert "Keras cannot load that model" in error.value
    assert str(tmp_path) not in error.value
    assert str(tmp_path) in logged[-1]


def test_a_visitor_is_told_no_folder_of_the_server_where_there_is_no_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", ())
    (info,) = opened("overview").info
    assert "“none”" in info.value
    assert str(tmp_path) not in info.value


@pytest.mark.parametrize("page", ["overview", "runs"])
def test_a_folder_that_was_named_and_is_gone_is_an_error_and_no_other_run_is_shown(
    monkeypatch: pytest.MonkeyPatch, logged: list[str], tmp_path: Path, page: str
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "gone"))
    app = opened(page)
    (error,) = app.error
    assert error.value == "There is no folder gone. Name the folder that holds the runs, or make it."
    assert f"There is no folder {tmp_path / 'gone'}." in logged[-1]
    assert not app.title
    assert not app.dataframe


def test_a_page_that_works_logs_nothing(logged: list[str]) -> None:
    assert not opened("overview", run=SHIPPED_RUNS[0].name).error
    assert logged == []
