"""A run gets another name in one step, with all that belongs to it, and never takes the place of something else."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcviz.errors import InvalidInputError, NotPermittedError, RunExistsError, RunNotFoundError, StorageError
from mcviz.runs import Derived, list_runs, load_derived, open_run, preview_removal, remove_run, rename_run, save_derived
from mcviz.runs.storage import folder_at, write_lock
from mcviz.runs.writer import rename_classes
from tests.runs.making import make, make_partial

SPEED = Derived("speed", 1, {"metres": "float64"})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    cache = tmp_path / "cache"
    make(cache / "whole")
    make_partial(cache / "stopped")
    shutil.copytree(cache / "whole", cache / "damaged")
    (cache / "damaged" / "manifest.json").write_text("{")
    return cache


@pytest.mark.parametrize("name", ["whole", "stopped", "damaged"])
def test_a_run_in_any_state_keeps_every_byte(cache: Path, name: str) -> None:
    before = {path.relative_to(cache / name): path.read_bytes() for path in (cache / name).rglob("*") if path.is_file()}
    assert rename_run(cache / name, "zwölf ✓ (2)") == str(cache / "zwölf ✓ (2)")
    there = cache / "zwölf ✓ (2)"
    assert {path.relative_to(there): path.read_bytes() for path in there.rglob("*") if path.is_file()} == before
    assert not (cache / name).exists()
    assert len(list_runs(cache)) == 3
    assert not list(cache.glob(".*"))


@pytest.mark.parametrize("what", ["run", "folder", "file", "broken link"])
def test_nothing_that_is_there_is_replaced(cache: Path, what: str) -> None:
    taken = cache / "taken"
    if what == "run":
        make(taken)
    elif what == "folder":
        taken.mkdir()
    elif what == "file":
        taken.write_text("mine")
    else:
        taken.symlink_to(cache / "nowhere")
    with pytest.raises(RunExistsError, match="taken is there already"):
        rename_run(cache / "whole", "taken")
    assert os.path.lexists(taken)
    assert open_run(cache / "whole").probs(0).shape == (6, 3)
    assert what != "file" or taken.read_text() == "mine"


NO_NAMES = ["", " ", ".", "..", ".hidden", "a/b", "a\\b", "/etc/x", "a\n", "a\x1b[1m", "x" * 201, "\ud800", " a"]
NO_NAMES += ["reviews", "Reviews"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_no_run_can_be_called_is_refused(cache: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match="`name` should be"):
        rename_run(cache / "whole", name)
    assert (cache / "whole").exists()


@pytest.mark.parametrize("name", ["reviews", "REVIEWS"])
def test_no_new_run_lies_in_the_folder_of_reviews_and_one_of_before_still_grows(cache: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match="`name` should be another than reviews"):
        make(cache / name)
    assert not (cache / name).exists()
    (cache / "whole").rename(cache / name)
    assert make(cache / name, passes=10).passes == 10


def test_what_is_no_run_is_not_renamed(cache: Path) -> None:
    (cache / "photos").mkdir()
    for name in ("photos", "nowhere"):
        with pytest.raises(RunNotFoundError, match="so nothing was renamed"):
            rename_run(cache / name, "other")
    with pytest.raises(InvalidInputError, match="address of the network"):
        rename_run("memory://cache/run", "other")
    assert rename_run(cache / "whole", "whole") == str(cache / "whole")


def test_of_a_link_to_a_run_only_the_link_is_renamed(cache: Path) -> None:
    (cache / "link").symlink_to(cache / "whole")
    rename_run(cache / "link", "other")
    assert (cache / "other").is_symlink()
    assert open_run(cache / "other").probs(0).shape == (6, 3)
    assert (cache / "whole").is_dir()
    assert not (cache / "whole").is_symlink()


def test_two_that_want_each_other_s_names_both_come_to_an_end(cache: Path) -> None:
    make(cache / "a")
    make(cache / "b")
    found: list[type[BaseException]] = []

    def rename(old: str, new: str) -> None:
        for _ in range(20):
            try:
                rename_run(cache / old, new)
            except (RunExistsError, RunNotFoundError) as error:
                found.append(type(error))

    threads = [threading.Thread(target=rename, args=each, daemon=True) for each in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert {run.name for run in list_runs(cache)} == {"a", "b", "whole", "stopped", "damaged"}


@pytest.mark.parametrize("change", [remove_run, lambda path, patience: rename_run(path, "other", patience)])
def test_who_has_no_patience_does_not_wait_for_a_writer(cache: Path, change) -> None:
    began = time.monotonic()
    with write_lock(folder_at(cache / "whole")), pytest.raises(StorageError, match="whole is being written by another"):
        change(cache / "whole", patience=0.1)
    assert time.monotonic() - began < 5
    assert open_run(cache / "whole").probs(0).shape == (6, 3)
    change(cache / "whole", patience=0.1)
    assert not (cache / "whole").exists()


def test_what_is_derived_while_a_run_is_written_is_kept_for_the_user(cache: Path, monkeypatch) -> None:
    monkeypatch.setattr("mcviz.runs.derived.PATIENCE", 0.1)
    run = open_run(cache / "whole")
    with write_lock(folder_at(cache / "whole")):
        assert save_derived(run.path, run.digest, SPEED, {"metres": np.arange(3.0)})
    assert load_derived(run.path, run.digest, SPEED) is not None
    assert not (cache / "whole" / SPEED.file).exists()


CHANGES = {
    "removed": remove_run,
    "renamed": lambda path: rename_run(path, "other"),
    "grown": lambda path: make(path, passes=8),
    "its classes renamed": lambda path: rename_classes(open_run(path), ("x", "y", "z")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_came_with_mcviz_stays_as_it_is_and_a_copy_can_be_changed(
    cache: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    shutil.copytree(cache / "whole", cache / "copy")
    (cache.parent / "linked").symlink_to(cache)
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", (cache / "gone", cache / "whole"))
    before = {path: path.stat().st_mtime_ns for path in sorted(cache.rglob("*"))}
    for path in (cache / "whole", cache.parent / "linked" / "whole"):
        with pytest.raises(NotPermittedError, match=f"{path} came with mcviz and cannot be changed. Copy its folder"):
            change(path)
    assert {path: path.stat().st_mtime_ns for path in sorted(cache.rglob("*"))} == before
    assert [run.is_shipped for run in list_runs(cache)] == [False, False, False, True]
    change(cache / "copy")


def test_of_a_link_to_what_came_with_mcviz_the_link_alone_is_renamed_and_removed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", (cache / "whole",))
    link = cache.parent / "link"
    link.symlink_to(cache / "whole")
    with pytest.raises(NotPermittedError, match="came with mcviz"):
        make(link, passes=8)
    rename_run(link, "other")
    assert preview_removal(cache.parent / "other").link
    remove_run(cache.parent / "other")
    assert open_run(cache / "whole").passes == 6


@pytest.mark.parametrize("name", ["whole", "stopped", "damaged"])
def test_what_is_said_to_go_is_what_goes(cache: Path, name: str) -> None:
    if name == "whole":
        run = open_run(cache / name)
        save_derived(run.path, run.digest, SPEED, {"metres": np.arange(3.0)})
        with write_lock(folder_at(run.path)):  # which goes to the user's own folder
            save_derived(run.path, run.digest, Derived("other", 2, {"metres": "float64"}), {"metres": np.arange(9.0)})
    (cache / name / "notes.txt").write_text("mine")
    before = {path: path.stat().st_size for path in cache.parent.rglob("*") if path.is_file()}
    goes = preview_removal(cache / name)
    assert remove_run(cache / name) == goes.stays == ["notes.txt"]
    gone = {path: size for path, size in before.items() if not path.exists()}
    assert goes.files + len(goes.derived) == len(gone)
    assert goes.bytes + sum(goes.derived.values()) == sum(gone.values())
    assert sorted(goes.derived) == (["other-2.npz", "speed-1.npz"] if name == "whole" else [])
    assert goes.model == any(path.name == "model.keras" for path in gone)


def test_of_a_link_it_is_said_that_the_run_stays(cache: Path) -> None:
    (cache / "link").symlink_to(cache / "whole")
    assert preview_removal(cache / "link").lines() == [
        "Only the link to the run goes. The run itself stays where it is."
    ]
    with pytest.raises(RunNotFoundError):
        preview_removal(cache / "nowhere")
