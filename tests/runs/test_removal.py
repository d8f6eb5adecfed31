"""A run is removed whole or not at all, whenever the remover is killed or the power goes; and then removed again."""

import errno
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from mcviz.errors import PartialRunError, RunNotFoundError, StorageError
from mcviz.runs import Run, list_runs, open_run, remove_run
from mcviz.runs.storage import LocalFolder
from tests.cases import one_in
from tests.runs.killing import CALLS
from tests.runs.making import contents, make, numbers
from tests.runs.power_loss import lay_out, recorded

pytestmark = pytest.mark.attack

KILL = """
import shutil, sys
from itertools import count
from pathlib import Path
from mcviz.errors import RunNotFoundError
from mcviz.runs import list_runs, open_run, remove_run
from tests.runs.killing import killed_before
from tests.runs.making import make, numbers

folder, step, others = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
run = folder / "cache/run"
truth = numbers(make(folder / "whole"))
for other in others:
    (folder / "whole" / other).parent.mkdir(exist_ok=True)
    (folder / "whole" / other).write_text("mine")
seen = {"whole": 0, "none": 0}
for call in count(0, step):
    shutil.copytree(folder / "whole", run)
    if not killed_before(call, lambda: remove_run(run)):
        break
    try:
        assert numbers(open_run(run)) == truth
        seen["whole"] += 1
        assert [found.state for found in list_runs(folder / "cache")] == ["finished"]
    except RunNotFoundError:
        seen["none"] += 1
        assert all("mcviz remove" in found.message for found in list_runs(folder / "cache"))
    if not others and call % 10 == 0:
        assert numbers(make(run)) == truth, "what is left is in nobody's way"
    try:
        remove_run(run)
    except RunNotFoundError:
        pass
    left = sorted(str(path.relative_to(run)) for path in (folder / "cache").rglob("*") if not path.is_dir())
    assert left == sorted(others), (call, left)
    assert others or not list((folder / "cache").iterdir()), (call, list((folder / "cache").iterdir()))
    shutil.rmtree(folder / "cache")
print(min(seen.values()))
"""


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.exhaustive), 5])
@pytest.mark.parametrize("others", [[], ["README.md", "predictions.zarr/holiday.jpg"]])
def test_killed_before_every_call(tmp_path: Path, others: list[str], step: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILL, str(tmp_path), str(step), *others], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * step > 5, "it was to be killed on both sides of the step that counts"


def state(out: Path, truths: list[dict[str, Any]]) -> str:
    try:
        return "whole" if numbers(open_run(out)) in truths else "wrong"
    except RunNotFoundError:
        return "none"
    except PartialRunError:
        return "partial"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make(tmp_path / "disk/run")


@pytest.mark.parametrize("seed", one_in(4, [None, 1, 2, 3]))
def test_a_removal_and_a_loss_of_power(run: Run, tmp_path: Path, seed: int | None) -> None:
    truth = numbers(run)
    disk = recorded(tmp_path / "disk", lambda: remove_run(run.path))
    seen = set()
    for steps in range(len(disk.steps) + 1):
        after = tmp_path / f"after-{steps}"
        lay_out(disk, steps, after, None if seed is None else random.Random(seed))
        seen.add(state(after / "run", [truth]))
        if (after / "run").exists():
            with suppress(RunNotFoundError):
                remove_run(after / "run")
        assert not (after / "run").exists()
    assert seen == {"whole", "none"}
    assert not any(path.is_dir() for path in after.iterdir()), "what was removed when power went stays removed"


def test_a_new_run_in_new_folders_outlasts_a_loss_of_power(tmp_path: Path) -> None:
    truth = numbers(make(tmp_path / "truth"))
    (tmp_path / "disk").mkdir()
    disk = recorded(tmp_path / "disk", lambda: make(tmp_path / "disk/a/b/run"))
    lay_out(disk, len(disk.steps), tmp_path / "after")
    assert numbers(open_run(tmp_path / "after/a/b/run")) == truth


@pytest.mark.parametrize("passes", [6, 10])
def test_writing_and_a_loss_of_power(tmp_path: Path, passes: int) -> None:
    truths = [numbers(make(tmp_path / f"truth-{number}", passes=number)) for number in (6, 10)]
    (tmp_path / "disk").mkdir()
    if passes == 10:
        make(tmp_path / "disk/run")
    disk = recorded(tmp_path / "disk", lambda: make(tmp_path / "disk/run", passes=passes))
    for steps in range(0, len(disk.steps) + 1, 3):
        after = tmp_path / f"after-{steps}"
        lay_out(disk, steps, after, random.Random(steps))
        assert state(after / "run", truths) in (("none", "partial", "whole") if passes == 6 else ("whole",))
        if steps % 15 == 0:
            make(after / "run", passes=passes)
            assert contents(after / "run") == contents(tmp_path / f"truth-{passes}")


@contextmanager
def dead_from(call: int) -> Iterator[None]:
    """Let no call of the system that changes a folder have an effect any more, from the nth on."""
    left = count(call, -1)

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def attempt(*arguments: Any, **keywords: Any) -> Any:
            if next(left) <= 0:
                raise OSError(errno.EIO, "Input/output error")
            return function(*arguments, **keywords)

        return attempt

    with patch.multiple(os, **{name: dying(getattr(os, name)) for name in CALLS}):
        yield


def test_a_new_run_that_was_resumed_outlasts_a_loss_of_power(tmp_path: Path) -> None:
    truth = numbers(make(tmp_path / "truth"))
    for call in range(0, 60, 3):
        here = tmp_path / f"disk-{call}"
        here.mkdir()

        def stopped_and_resumed(out: Path, call: int) -> None:
            with dead_from(call), pytest.raises(StorageError):
                make(out)
            make(out)

        disk = recorded(here, lambda out=here / "a/b/run", call=call: stopped_and_resumed(out, call))
        lay_out(disk, len(disk.steps), tmp_path / f"after-{call}")
        assert numbers(open_run(tmp_path / f"after-{call}/a/b/run")) == truth


def test_strays_of_killed_writers_go_with_the_run(run: Run, tmp_path: Path) -> None:
    for name in (
        ".manifest.json.0123456789ab.tmp",
        "derived/.x-1.npz.0123456789ab.tmp",
        "predictions-9.zarr/probs/c.0.0.0",
    ):
        (Path(run.path) / name).parent.mkdir(parents=True, exist_ok=True)
        (Path(run.path) / name).write_text("x")
    (tmp_path / "disk/.run.lock").touch()
    assert remove_run(run.path) == []
    assert not list((tmp_path / "disk").iterdir())


def test_a_run_whose_removal_was_stopped_is_listed_and_its_place_can_be_used(run: Run, tmp_path: Path) -> None:
    truth = numbers(run)
    LocalFolder(run.path).rename("manifest.json", "manifest-removed.json")
    with pytest.raises(RunNotFoundError):
        open_run(run.path)
    (found,) = list_runs(tmp_path / "disk")
    assert (found.state, found.message) == (
        "damaged",
        f"Its removal was stopped. Finish it with `mcviz remove {run.path}`.",
    )
    made = make(run.path, seed=6)
    assert numbers(made) != truth
    assert "manifest-removed.json" not in contents(Path(run.path))


def test_a_removal_that_the_disk_refuses_is_gone_on_with(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "whole")
    for call in count():
        shutil.copytree(tmp_path / "whole", run.path, dirs_exist_ok=True)
        try:
            with dead_from(call):
                remove_run(run.path)
        except StorageError as error:
            told = str(error)
        else:
            break
        assert told.startswith((run.path, str(tmp_path / "disk")))
        assert "input/output error" in told
        with suppress(RunNotFoundError):
            remove_run(run.path)
        assert not list((tmp_path / "disk").iterdir())
    assert call > 20
