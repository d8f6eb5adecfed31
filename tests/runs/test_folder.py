"""A folder of runs: what it holds, how good each run is, and runs that get another name or go."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.errors import InvalidInputError, NotPermittedError, RunExistsError, RunNotFoundError, StorageError
from mcviz.manifest import Manifest
from mcviz.runs import (
    Derived,
    list_runs,
    load_derived,
    open_run,
    preview_removal,
    remove_run,
    rename_run,
    save_derived,
    storage,
)
from mcviz.runs.storage import folder_at, write_lock
from mcviz.runs.writer import rename_classes
from tests.app.opening import assert_sound
from tests.runs.making import FORMS, contents, files_below, make, make_partial
from tests.runs.sealing import reseal

ROOT = Path(__file__).parents[2]
BOUND = 0.3  # seconds
SPEED = Derived("speed", 1, {"metres": "float64"})


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    make(folder / "whole")
    make_partial(folder / "stopped")
    for name in ("broken", "damaged"):
        shutil.copytree(folder / "whole", folder / name)
    (folder / "broken/manifest.json").write_text("{")
    (folder / "damaged/predictions.zarr/label/c.0").unlink()
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs in four states, beside an empty folder for what belongs to the user."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    return Path(shutil.copytree(original, tmp_path / "cache"))


def test_a_list_says_what_each_run_is(folder: Path) -> None:
    (folder / "no run").mkdir()
    (folder / "file").write_text("x")
    listed = {Path(run.path).name: run for run in list_runs(folder)}
    assert {name: run.state for name, run in listed.items()} == {
        "broken": "damaged",
        "damaged": "damaged",
        "stopped": "partial",
        "whole": "finished",
    }
    assert listed["stopped"].examples_done == 8
    assert "8 of 11 examples" in listed["stopped"].message
    assert "predictions.zarr/label/c.0 is missing" in listed["damaged"].message
    assert listed["whole"].message == ""
    assert listed["whole"].manifest == open_run(folder / "whole").manifest
    assert listed["whole"].bytes == sum(map(len, files_below(folder / "whole").values()))


def test_a_listed_run_is_a_line_of_a_notebook(folder: Path) -> None:
    for run in list_runs(folder):
        assert run.path in repr(run)
        assert run.state in repr(run)
        assert len(repr(run)) - len(run.path) - len(run.message) < 120


def test_no_folder_holds_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize("name", ["no run", "file", "nowhere", "link"])
def test_what_is_no_run_is_neither_removed_nor_renamed(folder: Path, name: str) -> None:
    (folder / "no run").mkdir()
    (folder / "no run/notes.txt").write_text("x")
    (folder / "file").write_text("x")
    (folder / "link").symlink_to(folder / "no run")
    with pytest.raises(RunNotFoundError, match="so nothing was removed"):
        remove_run(folder / name)
    with pytest.raises(RunNotFoundError, match="so nothing was renamed"):
        rename_run(folder / name, "other")
    assert (folder / "link/notes.txt").exists()


def test_a_link_to_a_run_is_taken_away_and_the_run_stays(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "whole")
    assert open_run(folder / "link").probs(0).shape == (6, 3)
    remove_run(folder / "link")
    assert not (folder / "link").is_symlink()
    assert open_run(folder / "whole").probs(0).shape == (6, 3)


@pytest.mark.parametrize("name", ["whole", "stopped", "damaged"])
def test_what_else_is_in_a_run_s_folder_stays_when_the_run_goes(folder: Path, name: str) -> None:
    (folder / name / "predictions.zarr/holiday.jpg").write_text("mine")
    make(folder / name / "another run")
    left = remove_run(folder / name)
    assert left == sorted(files_below(folder / name))
    assert {"predictions.zarr/holiday.jpg", "another run/manifest.json"} <= set(left)
    assert open_run(folder / name / "another run").probs(0).shape == (6, 3)
    with pytest.raises(RunNotFoundError):
        remove_run(folder / name)


def test_no_address_is_not_the_folder_that_one_is_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder / "whole")
    for use in (remove_run, make, open_run):
        with pytest.raises(InvalidInputError, match="should not be empty"):
            use("")
    assert open_run(folder / "whole").probs(0).shape == (6, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: m.update(format=3, something="new"),
            r"is in format 3 and this mcviz reads format 2\. Use the version",
        ),
        (lambda m: m.update(something="new"), r"was written by a later version of mcviz: it has the field `something`"),
        (lambda m: m["examples"].update(hue=[1]), r"later version of mcviz: it has the field `hue` - at `\$.examples`"),
        (lambda m: m.update(revision=2, task="ranking"), r"later version of mcviz: it is of revision 2, .* reads 1\."),
    ],
)
def test_a_run_of_another_version_is_named_as_that(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    reseal(folder / "whole", change)
    for use in (open_run, make):  # nor is it written over
        with pytest.raises(InvalidInputError, match=message):
            use(folder / "whole")
    assert [run.state for run in list_runs(folder) if run.name == "whole"] == ["unreadable"]


def test_a_growth_that_a_later_version_began_is_left_alone(folder: Path) -> None:
    make_partial(folder / "whole", passes=12)
    reseal(folder / "whole", lambda m: m.update(something="new"), "manifest-12.json")
    there = contents(folder / "whole")
    with pytest.raises(InvalidInputError, match="was written by a later version of mcviz"):
        make(folder / "whole", passes=12)
    assert contents(folder / "whole") == there


def test_a_later_revision_has_the_same_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = make(tmp_path / "before")
    monkeypatch.setattr(Manifest, "revision", 2)
    with monkeypatch.context() as later:
        later.setattr("mcviz.runs.manifest_file.REVISION", 2)
        assert open_run(before.path).digest == make(tmp_path / "after").digest == before.digest
    with pytest.raises(InvalidInputError, match="it is of revision 2, and this version reads 1"):
        open_run(tmp_path / "after")


@pytest.fixture
def hundred(tmp_path: Path) -> Path:
    """A hundred runs, whose files are links to those of one."""
    run = make(tmp_path / "one")
    storage = [path.relative_to(run.path) for path in Path(run.path).rglob("*") if path.is_file()]
    for number in range(100):
        for file in storage:
            there = tmp_path / "runs" / f"run {number:03}" / file
            there.parent.mkdir(parents=True, exist_ok=True)
            os.link(Path(run.path) / file, there)
    return tmp_path / "runs"


def test_a_hundred_runs_are_listed_in_under_300_ms(hundred: Path) -> None:
    times = []
    for _ in range(5):  # of the processor, on which nothing waits: what else this machine does is not measured
        began = time.process_time()
        runs = list_runs(hundred)
        times.append(time.process_time() - began)
    assert [run.state for run in runs] == ["finished"] * 100
    run = open_run(hundred / "run 042")
    assert run.labels is not None
    accuracy = float((run.mean_probs.argmax(axis=1) == run.labels).mean())
    assert {run.manifest.quality for run in runs if run.manifest} == {accuracy}
    assert min(times) < BOUND, times


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are opened from now on."""
    read: list[str] = []
    opening = storage._open
    monkeypatch.setattr(storage, "_open", lambda file, flags: read.append(file) or opening(file, flags))
    return read


def test_of_each_run_one_file_is_read_by_a_list(hundred: Path, read: list[str]) -> None:
    list_runs(hundred)
    assert sorted(read) == [f"{hundred}/run {number:03}/manifest.json" for number in range(100)]


@pytest.mark.slow
def test_of_each_run_one_file_is_read_by_the_page(
    hundred: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(hundred))
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=60)
    app.query_params["run"] = "run 042"
    app.switch_page("mcviz/app/pages/runs.py").run()
    assert len([box for box in app.checkbox if box.label.startswith("Tick ")]) == 100
    read.clear()
    app.run()
    assert_sound(app)
    assert len(read) <= 102, read[100:]  # the run that is open may be looked at once more


def test_a_table_of_runs_has_a_row_for_each_and_says_how_good_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs"
    runs = {form: make(folder / form, **options) for form, options in FORMS.items()}
    (folder / "broken").mkdir()
    (folder / "broken" / "manifest.json").write_text("{")
    table = mcviz.runs_table(folder)
    assert list(table.index) == sorted([*runs, "broken"])
    assert table["quality"].dropna().to_dict() == {
        form: pytest.approx(run.quality_by_pass[1][-1]) for form, run in runs.items()
    }
    assert table.loc["broken", "state"] == "damaged"
    for name, row in table.iterrows():
        (listed,) = [run.as_json() for run in list_runs(folder) if run.name == name]
        said = row.dropna().drop(["nll", "ece"], errors="ignore").to_dict()
        assert said == {key: value for key, value in listed.items() if value is not None and key != "name"}
    for form, run in runs.items():
        known = run.task.has_one_class and run.labels is not None
        assert table.loc[form, ["nll", "ece"]].notna().tolist() == [known, known]
        if known:
            truth = run.mean_probs[np.arange(len(run)), run.labels].astype(np.float64)
            assert table.loc[form, "nll"] == pytest.approx(-np.log(truth).mean(), rel=1e-5)
            measures = {one.measure.name: one.one.value for one in mcviz.compare(run, run).measures}
            assert table.loc[form, "ece"] == pytest.approx(measures["ece"])
    assert set(table["rate"].dropna()) == {"0.5"}
    monkeypatch.setenv("MCVIZ_CACHE", str(folder))
    assert mcviz.runs_table().equals(table)
    assert list(mcviz.runs_table(tmp_path).columns) == list(table.columns)
    assert mcviz.runs_table(tmp_path).empty, "runs that came with mcviz are in no folder of the user's"
    with pytest.raises(StorageError, match="that can be used"):
        mcviz.runs_table("ftp://127.0.0.1:9/runs")
    with pytest.raises(RunNotFoundError, match="no folder"):
        mcviz.runs_table(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["broken", "damaged"])
def test_a_damaged_run_that_is_renamed_keeps_every_byte(folder: Path, name: str) -> None:
    before = files_below(folder / name)
    renamed = folder / "zwölf ✓ (2)"
    assert rename_run(folder / name, renamed.name) == str(renamed)
    assert files_below(renamed) == before
    assert not (folder / name).exists()
    assert len(list_runs(folder)) == 4
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("what", ["folder", "file", "broken link"])
def test_nothing_that_is_there_is_replaced(folder: Path, what: str) -> None:
    taken = folder / "taken"
    if what == "folder":
        taken.mkdir()
    elif what == "file":
        taken.write_text("mine")
    else:
        taken.symlink_to(folder / "nowhere")
    with pytest.raises(RunExistsError, match="taken is there already"):
        rename_run(folder / "whole", "taken")
    assert os.path.lexists(taken)
    assert open_run(folder / "whole").probs(0).shape == (6, 3)
    assert what != "file" or taken.read_text() == "mine"


NO_NAMES = ["", " ", ".", "..", ".hidden", "a/b", "a\\b", "/etc/x", "a\n", "a\x1b[1m", "x" * 201, "\ud800", " a"]
NO_NAMES += ["reviews", "Reviews"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_no_run_can_be_called_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match="`name` should be"):
        rename_run(folder / "whole", name)
    assert (folder / "whole").exists()


@pytest.mark.parametrize("name", ["reviews", "REVIEWS"])
def test_no_new_run_lies_in_the_folder_of_reviews_and_one_of_before_still_grows(folder: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match="`name` should be another than reviews"):
        make(folder / name)
    assert not (folder / name).exists()
    (folder / "whole").rename(folder / name)
    assert make(folder / name, passes=10).passes == 10


def test_a_run_on_the_network_is_not_renamed_nor_one_that_has_the_name(folder: Path) -> None:
    with pytest.raises(InvalidInputError, match="address of the network"):
        rename_run("memory://cache/run", "other")
    assert rename_run(folder / "whole", "whole") == str(folder / "whole")


def test_of_a_link_to_a_run_only_the_link_is_renamed(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "whole")
    rename_run(folder / "link", "other")
    assert (folder / "other").is_symlink()
    assert open_run(folder / "other").probs(0).shape == (6, 3)
    assert (folder / "whole").is_dir()
    assert not (folder / "whole").is_symlink()


def test_two_that_want_each_other_s_names_both_come_to_an_end(folder: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(folder / "whole", folder / name)

    def rename(old: str, new: str) -> None:
        for _ in range(20):
            with suppress(RunExistsError, RunNotFoundError):
                rename_run(folder / old, new)

    threads = [threading.Thread(target=rename, args=names, daemon=True) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert {run.name for run in list_runs(folder)} == {"a", "b", "whole", "stopped", "damaged", "broken"}


def test_who_has_little_patience_does_not_wait_long_for_a_writer(folder: Path) -> None:
    began = time.monotonic()
    with write_lock(folder_at(folder / "whole")), pytest.raises(StorageError, match="is being written by another"):
        remove_run(folder / "whole", patience=0.1)
    assert time.monotonic() - began < 5
    assert open_run(folder / "whole").probs(0).shape == (6, 3)
    remove_run(folder / "whole", patience=0.1)
    assert not (folder / "whole").exists()


def test_what_is_derived_while_a_run_is_written_is_kept_for_the_user(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("mcviz.runs.derived.PATIENCE", 0.1)
    run = open_run(folder / "whole")
    with write_lock(folder_at(folder / "whole")):
        assert save_derived(run.path, run.digest, SPEED, {"metres": np.arange(3.0)})
    assert load_derived(run.path, run.digest, SPEED) is not None
    assert not (folder / "whole" / SPEED.file).exists()


CHANGES = {
    "removed": remove_run,
    "renamed": lambda path: rename_run(path, "other"),
    "grown": lambda path: make(path, passes=8),
    "its classes renamed": lambda path: rename_classes(open_run(path), ("x", "y", "z")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_came_with_mcviz_stays_as_it_is_and_a_copy_can_be_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    shutil.copytree(folder / "whole", folder / "copy")
    (folder.parent / "linked").symlink_to(folder)
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", (folder / "gone", folder / "whole"))
    before = {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}
    for path in (folder / "whole", folder.parent / "linked" / "whole"):
        with pytest.raises(NotPermittedError, match=f"{path} came with mcviz and cannot be changed. Copy its folder"):
            change(path)
    assert {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))} == before
    assert [run.is_shipped for run in list_runs(folder)] == [False, False, False, False, True]
    change(folder / "copy")


def test_of_a_link_to_what_came_with_mcviz_the_link_alone_is_renamed_and_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", (folder / "whole",))
    link = folder.parent / "link"
    link.symlink_to(folder / "whole")
    with pytest.raises(NotPermittedError, match="came with mcviz"):
        make(link, passes=8)
    rename_run(link, "other")
    assert preview_removal(folder.parent / "other").link
    remove_run(folder.parent / "other")
    assert open_run(folder / "whole").passes == 6


@pytest.mark.parametrize("name", ["whole", "stopped", "broken"])
def test_what_is_said_to_go_is_what_goes(folder: Path, name: str) -> None:
    if name == "whole":
        run = open_run(folder / name)
        save_derived(run.path, run.digest, SPEED, {"metres": np.arange(3.0)})
        with write_lock(folder_at(run.path)):  # which goes to the user's own folder
            save_derived(run.path, run.digest, Derived("other", 2, {"metres": "float64"}), {"metres": np.arange(9.0)})
    (folder / name / "notes.txt").write_text("mine")
    before = {path: path.stat().st_size for path in folder.parent.rglob("*") if path.is_file()}
    goes = preview_removal(folder / name)
    assert remove_run(folder / name) == goes.stays == ["notes.txt"]
    gone = {path: size for path, size in before.items() if not path.exists()}
    assert goes.files + len(goes.derived) == len(gone)
    assert goes.bytes + sum(goes.derived.values()) == sum(gone.values())
    assert sorted(goes.derived) == (["other-2.npz", "speed-1.npz"] if name == "whole" else [])
    assert goes.model == any(path.name == "model.keras" for path in gone)


def test_of_a_link_it_is_said_that_the_run_stays(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "whole")
    assert preview_removal(folder / "link").lines() == [
        "Only the link to the run goes. The run itself stays where it is."
    ]
    with pytest.raises(RunNotFoundError):
        preview_removal(folder / "nowhere")
