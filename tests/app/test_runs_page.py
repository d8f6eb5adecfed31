"""The page Runs: what is there, whole or not, and what can be done with it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mcviz.app.wording import describe_manifest
from mcviz.cli import main
from mcviz.reviews import open_reviews
from mcviz.runs import Derived, list_runs, open_run, save_derived
from mcviz.runs.storage import folder_at, write_lock
from tests.app.opening import SECONDS, assert_sound
from tests.app.probing import listed_runs, ticked_runs, words
from tests.cases import one_in
from tests.runs.making import FORMS, make

ROOT = Path(__file__).parents[2]
AUTH = {"redirect_uri": "http://127.0.0.1/oauth2callback", "google": {"client_id": "1"}, "*own*": {"client_id": "2"}}
NAMES = ["*bold*", "damaged", "stopped", "values", "whole"]


def stop(done: int, total: int) -> None:
    if done > 50:
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs in all states, of classes and of a regression."""
    cache = tmp_path_factory.mktemp("made")
    make(cache / "whole")
    make(cache / "values", **FORMS["three targets with variances"])
    make(cache / "*bold*", **FORMS["classes of texts"])
    with pytest.raises(KeyboardInterrupt):
        make(cache / "stopped", progress=stop)
    shutil.copytree(cache / "whole", cache / "damaged")
    (cache / "damaged/predictions.zarr/label/c.0").unlink()
    return cache


@pytest.fixture
def cache(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, which a test may change."""
    shutil.copytree(made, tmp_path / "runs")
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "runs"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    return tmp_path / "runs"


def opened(run: str = "", ticked_run: str = "", said: tuple[str, ...] = (), **user: object) -> AppTest:
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=SECONDS)
    if user:
        app.user, app.secrets["auth"] = user, AUTH
    if run:
        app.query_params["run"] = run
    if ticked_run:
        app.query_params["ticked_run"] = ticked_run
    app.switch_page("mcviz/app/pages/runs.py").run()
    assert_sound(app, *said)
    return app


def press(app: AppTest, key: str, *said: str) -> None:
    app.button(key=key).click().run()
    assert_sound(app, *said)


def keys(app: AppTest) -> set[str]:
    return {each.key for each in app.button if each.key}


def test_every_run_has_a_row_that_says_what_it_is(cache: Path) -> None:
    app = opened("whole")
    assert app.title[0].value == "Runs"
    rows = {name: row.split("||") for name, row in listed_runs(app).items()}
    assert list(rows) == NAMES
    run, regression = open_run(cache / "whole"), open_run(cache / "values")
    correct = int((run.mean_probs.argmax(axis=1) == run.labels).sum())
    errors = regression.mean_predictions[:, :3].astype(float) - regression.labels
    made = f"{run.manifest.time('finished'):%Y-%m-%d}"
    assert rows["whole"] == [f"accuracy {100 * correct / 11:.2f}%", "6 passes", made]
    assert rows["values"][0] == f"RMSE {np.sqrt((errors**2).mean()):.4g}"
    assert [rows[name][0] for name in ("stopped", "damaged")] == ["partial, 73%", "damaged"]
    (picture,) = {each.proto.body for each in app.get("html") if "<img" in each.proto.body}
    assert 'src="data:image/png;base64,' in picture
    assert ticked_runs(app) == {"whole"}


def test_a_box_ticks_a_run_beside_another_and_a_name_ticks_it_alone(cache: Path) -> None:
    app = opened("whole")
    names = {each.key.rpartition("-")[0]: each for each in app.checkbox}
    names["tick-values"].check().run()
    assert ticked_runs(app) == {"whole", "values"}
    app.button(key="alone-*bold*").click().run()
    assert ticked_runs(app) == {"*bold*"}
    assert "**\\*bold\\*** is finished" in words(app)
    {each.key.rpartition("-")[0]: each for each in app.checkbox}["tick-*bold*"].uncheck().run()
    assert ticked_runs(app) == set()


@pytest.mark.parametrize(
    ("name", "said", "controls"),
    [
        ("whole", "**whole** is finished; its ensemble has accuracy", {"open", "verify", "remove"}),
        ("*bold*", "**\\*bold\\*** is finished", {"open", "verify", "remove"}),
        ("stopped", "8 of 11 examples have their 6 passes", {"remove"}),
        ("damaged", "is missing, or no regular file", {"remove"}),
    ],
)
def test_a_run_is_told_about_and_offered_what_can_be_done_with_it(
    cache: Path, name: str, said: str, controls: set[str]
) -> None:
    app = opened(name, said=(said,) * (name == "damaged"))
    assert said in words(app)
    assert keys(app) & {"open", "verify", "remove"} == controls
    assert app.text_input(key=f"new-name-{name}").value == name


def test_how_a_run_was_made_is_said_in_words(cache: Path) -> None:
    said = app.table[0].value["value"].to_dict() if (app := opened("whole")).table else {}
    assert said["Predicts"].startswith("3 classes: ")
    assert said["Examples"].startswith("11 images of 4 × 3 pixels, 1 channel")
    assert said["Passes"] == "6, sampled by mcviz with masks per\\_pass and seed 5"
    assert said["Model"].startswith("made\\_up, kept")
    for name in ("whole", "values", "*bold*"):
        made = describe_manifest(open_run(cache / name).manifest)
        assert made["Digest of the run"]
        assert all(made.values())


def test_an_opened_run_is_shown_on_the_overview(cache: Path) -> None:
    app = opened("values")
    press(app, "open")
    assert app.title[0].value == "Overview"
    assert app.query_params["run"] in ("values", ["values"])


def test_a_run_gets_another_name_and_stays_open(cache: Path) -> None:
    app = opened("whole")
    app.text_input(key="new-name-whole").set_value(" best one ")
    next(each for each in app.button if each.label == "Rename").click().run()
    assert_sound(app)
    assert {run.name for run in list_runs(cache)} == {*NAMES, "best one"} - {"whole"}
    assert "**best one** is finished" in words(app)
    assert "whole is now called best one" in words(app)


def test_another_run_than_the_open_one_is_managed_without_being_opened(cache: Path) -> None:
    app = opened("whole", ticked_run="values")
    app.text_input(key="new-name-values").set_value("numbers")
    next(each for each in app.button if each.label == "Rename").click().run()
    assert "**numbers** is finished" in words(app)
    assert app.query_params["run"] in ("whole", ["whole"])
    press(app, "remove")
    press(app, "remove-it")
    assert "**whole** is finished" in words(app)
    assert {run.name for run in list_runs(cache)} == {*NAMES} - {"values"}
    app = opened("whole", ticked_run="*bold*")
    press(app, "open")
    assert (app.title[0].value, app.query_params["run"]) in (("Overview", "*bold*"), ("Overview", ["*bold*"]))


@pytest.mark.parametrize(("name", "said"), [("stopped", "stopped is there already"), (".x", "should be a name of")])
def test_a_name_that_cannot_be_is_told(cache: Path, name: str, said: str) -> None:
    app = opened("whole")
    app.text_input(key="new-name-whole").set_value(name)
    next(each for each in app.button if each.label == "Rename").click().run()
    assert_sound(app, said)
    assert {run.name for run in list_runs(cache)} == set(NAMES)


def test_a_run_is_removed_only_after_it_was_said_what_goes(cache: Path) -> None:
    run = open_run(cache / "whole")
    save_derived(run.path, run.digest, Derived("speed", 1, {"metres": "float64"}), {"metres": np.arange(3.0)})
    (cache / "whole" / "notes.txt").write_text("mine")
    open_reviews(run).add(0, "Ada", "none")
    app = opened("whole")
    press(app, "remove")
    said = words(app).replace("\\", "")
    assert "Remove whole?" in said
    assert "its model too" in said
    derived = (cache / "whole" / "derived" / "speed-1.npz").stat().st_size
    assert f"derived from it goes too, {derived / 1000:.1f} kB: speed-1" in said
    assert "What reviewers decided stays" in said
    assert "stay in its folder: notes.txt" in said
    press(app, "keep")
    assert open_run(cache / "whole").digest == run.digest
    assert "Remove whole?" not in words(app)
    press(app, "remove")
    press(app, "remove-it")
    assert sorted(path.name for path in (cache / "whole").iterdir()) == ["notes.txt"]
    assert "whole is removed. Files that are not part of the run stay: notes.txt" in words(app).replace("\\", "")
    assert list(listed_runs(app)) == [name for name in NAMES if name != "whole"]


def test_what_is_being_written_is_not_removed_and_that_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcviz.jobs.queue.PATIENCE", 0.1)
    app = opened("whole")
    press(app, "remove")
    with write_lock(folder_at(cache / "whole")):
        press(app, "remove-it", "is being written by another process")
    assert open_run(cache / "whole").probs(0).shape == (6, 3)


def test_verifying_says_that_all_is_well_or_what_is_not(cache: Path) -> None:
    app = opened("whole")
    press(app, "verify")
    assert "All is as it was written: 20 files" in app.success[0].value
    file = next((cache / "*bold*").glob("predictions.zarr/probs/c.*"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    app = opened("*bold*")
    press(app, "verify", "does not match its checksum")
    assert not app.success


def test_an_empty_folder_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", ())
    app = opened()
    assert "mcviz sample --model" in app.info[-1].value
    assert not listed_runs(app)


def test_the_last_run_leaves_a_page_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "runs" / "only")
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "runs"))
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", ())
    app = opened()
    press(app, "remove")
    press(app, "remove-it")
    assert "mcviz sample --model" in app.info[-1].value


@pytest.fixture
def shipped(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a checkout's runs, of which only `whole`, and one that cannot be opened, came with mcviz."""
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", (cache / "whole", cache / "damaged"))
    monkeypatch.setattr("mcviz.jobs.of_run.can_be_sampled", lambda _: True)
    return cache


CHANGING = {"remove", "more-passes", "rename-whole-submit"}


def controls(app: AppTest) -> set[str]:
    names = {each.key for each in app.button if each.key and each.key in CHANGING}
    return names | {each.key for each in app.text_input if each.key.startswith("new-name-")}


def test_what_came_with_mcviz_has_no_control_that_changes_it_and_says_so(shipped: Path) -> None:
    app = opened("whole")
    assert {"open", "verify"} <= keys(app)
    assert not controls(app)
    assert "It came with mcviz and cannot be changed." in words(app)
    own = opened("*bold*")
    assert controls(own) == {"remove", "more-passes", "new-name-*bold*"}
    for each in (app, own):
        assert list(listed_runs(each)) == NAMES
        assert "run of your own" not in words(each)
        assert "5 runs in **runs**" in words(each)
    assert "cannot be changed" not in words(own)


def test_a_folder_without_runs_shows_the_shipped_ones_as_examples_and_nobody_s_else(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "mine"))
    app = opened()
    assert app.info[-1].value.startswith("There is no run of your own in “mine” yet. Make one with `mcviz sample")
    assert "2 runs that came with mcviz" in words(app)
    assert list(listed_runs(app)) == ["whole", "damaged"]
    assert not controls(app)
    assert main(["list"]) == 0
    head, *listed = capsys.readouterr().out.splitlines()
    assert head == f"There is no run of your own in {tmp_path / 'mine'}. These came with mcviz, as examples:"
    assert [line.partition("  ")[0] for line in listed if line.startswith("/")] == [
        str(shipped / name) for name in ("whole", "damaged")
    ]
    make(tmp_path / "mine" / "first")
    assert main(["list", "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["name"], run["shipped"]) == ("first", False)
    app = opened()
    assert list(listed_runs(app)) == ["first"]
    assert "run of your own" not in words(app)


@pytest.mark.parametrize(
    ("variables", "user", "may"),
    one_in(
        3,
        [
            ({"MCVIZ_READ_ONLY": "1"}, {}, False),
            (
                {"MCVIZ_READ_ONLY": "1", "MCVIZ_WRITERS": "ann@x.org"},
                {"is_logged_in": True, "email": "ann@x.org"},
                False,
            ),
            ({"MCVIZ_WRITERS": "ann@x.org"}, {"is_logged_in": True, "email": "Ann@x.org"}, True),
            ({"MCVIZ_WRITERS": "ann@x.org"}, {"is_logged_in": True, "email": "eve@x.org"}, False),
            (
                {"MCVIZ_WRITERS": "ann@x.org"},
                {"is_logged_in": True, "email": "ann@x.org", "email_verified": False},
                False,
            ),
            ({"MCVIZ_WRITERS": "ann@x.org"}, {"is_logged_in": True, "name": "ann@x.org"}, False),
            ({"MCVIZ_WRITERS": "ann@x.org"}, {"is_logged_in": False, "email": "ann@x.org"}, False),
            ({"MCVIZ_WRITERS": "ann@x.org"}, {"email": "ann@x.org"}, False),
            ({}, {"is_logged_in": False}, True),
        ],
    ),
)
def test_who_may_only_look_has_no_control_and_is_refused_what_an_old_page_still_asks(
    cache: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], user: dict[str, object], may: bool
) -> None:
    old = opened("whole")
    press(old, "remove")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    app = opened("whole", **user)
    assert ("remove" in keys(app)) == may
    assert bool([each for each in app.text_input if each.key == "new-name-whole"]) == may
    assert {"open", "verify"} <= keys(app)
    assert ("read-only" in words(app)) != may
    old.user, old.secrets["auth"] = user or {"email": "test@example.com"}, AUTH
    press(old, "remove-it", *(() if may else ("No run can be removed here",)))
    assert (cache / "whole").exists() != may


def test_there_is_a_login_where_one_is_configured(cache: Path) -> None:
    assert "log-out" in keys(opened("whole", is_logged_in=True, email="ann@x.org"))
    labels = [each.label for each in opened("whole", is_logged_in=False).button]
    assert [each for each in labels if each.startswith("Log in")] == ["Log in with google", "Log in with \\*own\\*"]
    assert not {key for key in keys(opened("whole")) if key.startswith("log")}
