"""What runs a folder holds, and taking one away."""

import shutil
from pathlib import Path

import pytest

from mcviz.errors import InvalidInputError, RunNotFoundError
from mcviz.runs import list_runs, open_run, remove_run
from mcviz.runs.manifest import NAME, _checksum
from tests.runs.making import make


def stop(done: int, total: int) -> None:
    if done > 50:
        raise KeyboardInterrupt


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "stopped", progress=stop)
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


def test_no_folder_holds_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize("name", ["whole", "stopped", "damaged"])
def test_a_run_in_any_state_can_be_taken_away(folder: Path, name: str) -> None:
    remove_run(folder / name)
    assert not (folder / name).exists()
    assert len(list_runs(folder)) == 2
    assert not list(folder.glob(".*"))


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


def test_a_run_of_another_format_is_named_as_that(folder: Path) -> None:
    import json

    file = folder / "whole" / NAME
    content = json.loads(file.read_bytes())
    del content["checksum"]
    content |= {"format": 3, "something": "new"}
    content["checksum"] = _checksum(content)
    file.write_text(json.dumps(content))
    with pytest.raises(InvalidInputError, match=r"is in format 3 and this mcviz reads format 2\. Use the version"):
        open_run(folder / "whole")
    assert [run.state for run in list_runs(folder)] == ["damaged", "partial", "unreadable"]
