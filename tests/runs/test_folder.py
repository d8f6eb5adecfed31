"""What runs a folder holds, and taking one away."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcviz.errors import InvalidInputError, RunNotFoundError
from mcviz.runs import list_runs, open_run, remove_run
from tests.runs.making import contents, make, make_partial
from tests.runs.sealing import reseal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path / "whole")
    make_partial(tmp_path / "stopped")
    shutil.copytree(tmp_path / "whole", tmp_path / "damaged")
    (tmp_path / "damaged/predictions.zarr/label/c.0").unlink()
    (tmp_path / "no run").mkdir()
    (tmp_path / "no run/notes.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    return tmp_path


def test_a_list_says_what_each_run_is(folder: Path) -> None:
    listed = {Path(run.path).name: run for run in list_runs(folder)}
    assert list(listed) == ["damaged", "stopped", "whole"]
    assert [run.state for run in listed.values()] == ["damaged", "partial", "finished"]
    assert listed["stopped"].examples_done == 8
    assert "8 of 11 examples" in listed["stopped"].message
    assert "predictions.zarr/label/c.0 is missing" in listed["damaged"].message
    assert listed["whole"].message == ""
    assert listed["whole"].manifest == open_run(folder / "whole").manifest
    assert listed["whole"].bytes == sum(path.stat().st_size for path in (folder / "whole").rglob("*") if path.is_file())


def test_a_listed_run_is_a_line_of_a_notebook(folder: Path) -> None:
    for run in list_runs(folder):
        assert run.path in repr(run)
        assert run.state in repr(run)
        assert len(repr(run)) - len(run.path) - len(run.message) < 120


def test_no_folder_holds_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize("name", ["no run", "file", "nowhere"])
def test_what_is_no_run_is_not_taken_away(folder: Path, name: str) -> None:
    with pytest.raises(RunNotFoundError, match="so nothing was removed"):
        remove_run(folder / name)
    assert (folder / "no run/notes.txt").exists()


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
    assert left == sorted(str(path.relative_to(folder / name)) for path in (folder / name).rglob("*") if path.is_file())
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
        (lambda m: m.update(revision=1, task="ranking"), r"later version of mcviz: it is of revision 1, .* reads 0\."),
    ],
)
def test_a_run_of_another_version_is_named_as_that(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    reseal(folder / "whole", change)
    for use in (open_run, make):  # nor is it written over
        with pytest.raises(InvalidInputError, match=message):
            use(folder / "whole")
    assert [run.state for run in list_runs(folder)] == ["damaged", "partial", "unreadable"]


def test_a_growth_that_a_later_version_began_is_left_alone(folder: Path) -> None:
    make_partial(folder / "whole", passes=12)
    reseal(folder / "whole", lambda m: m.update(something="new"), "manifest-12.json")
    there = contents(folder / "whole")
    with pytest.raises(InvalidInputError, match="was written by a later version of mcviz"):
        make(folder / "whole", passes=12)
    assert contents(folder / "whole") == there


def test_a_later_revision_has_the_same_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = make(tmp_path / "before")
    monkeypatch.setattr("mcviz.runs.manifest_file.REVISION", 1)
    assert open_run(before.path).digest == make(tmp_path / "after").digest == before.digest
    monkeypatch.undo()
    with pytest.raises(InvalidInputError, match="it is of revision 1, and this version reads 0"):
        open_run(tmp_path / "after")
