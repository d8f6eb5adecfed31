"""Writers and removers that are killed, refused by the disk or without power leave an old run, a new one or a part."""

import errno
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mcviz.errors import RunNotFoundError, StorageError
from mcviz.runs import Run, list_runs, open_run, remove_run
from mcviz.runs.storage import LocalFolder
from tests.cases import one_in, only
from tests.failing import from_call, full_disk, refuse
from tests.runs.making import contents, make, numbers, state_of
from tests.runs.power_loss import lay_out, recorded

pytestmark = pytest.mark.attack


@pytest.mark.slow
@pytest.mark.parametrize("form", ["classes of images", "three targets with variances"])
def test_killed_two_hundred_times(tmp_path: Path, form: str) -> None:
    command = [sys.executable, "-m", "tests.runs.killing", str(tmp_path), "200", form]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["kills"] >= 200
    assert min(seen["partial"], seen["whole, 6 passes"]) >= 10, f"the moments were too alike to mean something: {seen}"


KILL = """
import os, shutil, sys
from itertools import count
from pathlib import Path
from mcviz.errors import RunNotFoundError
from mcviz.runs import list_runs, open_run, remove_run
from tests.failing import killed_before
from tests.runs.making import make, numbers

os.fsync = os.fstat
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
        assert [listed.state for listed in list_runs(folder / "cache")] == ["finished"]
    except RunNotFoundError:
        seen["none"] += 1
        assert all("mcviz remove" in listed.message for listed in list_runs(folder / "cache"))
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


@pytest.mark.parametrize("step", only([11], [1, 11]))
@pytest.mark.parametrize("others", one_in(2, [["README.md", "predictions.zarr/holiday.jpg"], []]))
def test_killed_before_every_call(tmp_path: Path, others: list[str], step: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILL, str(tmp_path), str(step), *others], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * step > 5, "it was to be killed on both sides of the step that counts"


@pytest.fixture
def run(finished_runs: dict[str, Path], tmp_path: Path) -> Run:
    return open_run(shutil.copytree(finished_runs["classes of images"], tmp_path / "disk/run"))


@pytest.mark.parametrize("seed", one_in(4, [None, 1, 2, 3]))
def test_a_removal_and_a_loss_of_power(run: Run, tmp_path: Path, seed: int | None) -> None:
    truth = numbers(run)
    disk = recorded(tmp_path / "disk", lambda: remove_run(run.path))
    seen = set()
    for steps in range(len(disk.steps) + 1):
        after = tmp_path / f"after-{steps}"
        lay_out(disk, steps, after, None if seed is None else random.Random(seed))
        seen.add(state_of(after / "run", truth))
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


@pytest.mark.parametrize("passes", one_in(2, [6, 10]))
def test_writing_and_a_loss_of_power(tmp_path: Path, passes: int) -> None:
    truths = [numbers(make(tmp_path / f"truth-{number}", passes=number)) for number in (6, 10)]
    (tmp_path / "disk").mkdir()
    if passes == 10:
        make(tmp_path / "disk/run")
    disk = recorded(tmp_path / "disk", lambda: make(tmp_path / "disk/run", passes=passes))
    for steps in range(0, len(disk.steps) + 1, 3):
        after = tmp_path / f"after-{steps}"
        lay_out(disk, steps, after, random.Random(steps))
        assert state_of(after / "run", *truths) in (("none", "partial", "whole") if passes == 6 else ("whole",))
        if steps % 15 == 0:
            make(after / "run", passes=passes)
            assert contents(after / "run") == contents(tmp_path / f"truth-{passes}")


@pytest.mark.parametrize("call", one_in(7, range(0, 60, 3)))
def test_a_new_run_that_was_resumed_outlasts_a_loss_of_power(tmp_path: Path, call: int) -> None:
    truth = numbers(make(tmp_path / "truth"))
    (tmp_path / "disk").mkdir()

    def stopped_and_resumed() -> None:
        with from_call(call, refuse), pytest.raises(StorageError):
            make(tmp_path / "disk/a/b/run")
        make(tmp_path / "disk/a/b/run")

    disk = recorded(tmp_path / "disk", stopped_and_resumed)
    lay_out(disk, len(disk.steps), tmp_path / "after")
    assert numbers(open_run(tmp_path / "after/a/b/run")) == truth


def test_a_run_whose_removal_was_stopped_is_listed_and_its_place_can_be_used(run: Run, tmp_path: Path) -> None:
    truth = numbers(run)
    LocalFolder(run.path).rename("manifest.json", "manifest-removed.json")
    with pytest.raises(RunNotFoundError):
        open_run(run.path)
    (listed,) = list_runs(tmp_path / "disk")
    assert (listed.state, listed.message) == (
        "damaged",
        f"Its removal was stopped. Finish it with `mcviz remove {run.path}`.",
    )
    another = make(run.path, seed=6)
    assert numbers(another) != truth
    assert "manifest-removed.json" not in contents(Path(run.path))


def test_a_removal_that_the_disk_refuses_is_gone_on_with(run: Run, tmp_path: Path, stride: int) -> None:
    shutil.copytree(run.path, tmp_path / "whole")
    for call in count(0, min(stride, 7)):
        shutil.copytree(tmp_path / "whole", run.path, dirs_exist_ok=True)
        try:
            with from_call(call, refuse):
                remove_run(run.path)
        except StorageError as error:
            message = str(error)
        else:
            break
        assert message.startswith((run.path, str(tmp_path / "disk")))
        assert "input/output error" in message
        with suppress(RunNotFoundError):
            remove_run(run.path)
        assert not list((tmp_path / "disk").iterdir())
    assert call > 20


def failures(what: str, number: int, attempt: Callable[[], object], step: int = 1) -> Iterator[str]:
    """Make an attempt fail at its first call of a system function, then a step later, until it fails no more."""
    for call in range(0, 100, step):
        try:
            with from_call(call, lambda: refuse(number), [what]):
                attempt()
        except StorageError as error:
            yield str(error)
        else:
            assert call > 3, "it was to fail a few times"
            return
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize(
    ("what", "number", "sentence"),
    one_in(
        3,
        [
            ("fsync", errno.ENOSPC, "no space left on device"),
            ("replace", errno.EACCES, "permission denied"),
            ("fsync", errno.EIO, "input/output error"),
        ],
    ),
)
def test_a_new_run_on_a_disk_that_fails(tmp_path: Path, what: str, number: int, sentence: str) -> None:
    whole = numbers(make(tmp_path / "whole"))
    for message in failures(what, number, lambda: make(tmp_path / "run")):
        assert sentence in message
        assert "cannot be written" in message
        assert str(tmp_path / "run") in message
        assert not list(tmp_path.rglob("*.tmp"))
        assert state_of(tmp_path / "run", whole) in ("none", "partial", "whole")
    assert state_of(tmp_path / "run", whole) == "whole"


def test_an_old_run_on_a_disk_that_fails_stays_whole(tmp_path: Path, stride: int) -> None:
    old = numbers(make(tmp_path / "run"))
    new = numbers(make(tmp_path / "whole", passes=10))
    for _ in failures("fsync", errno.ENOSPC, lambda: make(tmp_path / "run", passes=10), min(stride, 4)):
        assert numbers(open_run(tmp_path / "run")) in (old, new)
        assert not list(tmp_path.rglob("*.tmp"))
    assert numbers(open_run(tmp_path / "run")) == new
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_a_file_size_limit_that_the_system_enforces(tmp_path: Path) -> None:
    with full_disk(500), pytest.raises(StorageError, match="cannot be written: file too large"):
        make(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


AS_NOBODY = """
import os, sys, tempfile
from mcviz.errors import McvizError
from mcviz.runs import list_runs, open_run, remove_run
from tests.runs.making import make
with tempfile.TemporaryDirectory() as folder:  # all that is imported late, while the interpreter's folder can be read
    run = make(folder + "/run")
    len(run.images), run.scores(), list_runs(folder), remove_run(folder + "/run")
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for attempt in (
    lambda: make(sys.argv[1] + "/new"),
    lambda: make(sys.argv[1] + "/run", passes=10),
    lambda: remove_run(sys.argv[1] + "/run"),
    lambda: open_run(sys.argv[1] + "/secret"),
):
    try:
        attempt()
        print("done")
    except McvizError as error:
        print(type(error).__name__, error)
print(len(make(sys.argv[1] + "/run").images), [run.state for run in list_runs(sys.argv[1])])
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others can enter, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp())
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700)
    shutil.rmtree(folder)


def test_no_permission(open_folder: Path) -> None:
    make(open_folder / "run")
    make(open_folder / "secret")
    before = contents(open_folder / "run")
    for path in [*open_folder.rglob("*"), open_folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    (open_folder / "secret/manifest.json").chmod(0)
    lines = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(open_folder)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert lines[0] == (
        f"StorageError {open_folder}/new cannot be written: permission denied. "
        "Choose a folder in which files can be made."
    )
    assert lines[1].startswith(f"StorageError {open_folder}/run cannot be written: permission denied.")
    assert lines[2].startswith(f"StorageError {open_folder}/run cannot be written: permission denied.")
    assert lines[3].startswith(f"StorageError {open_folder}/secret/manifest.json cannot be read: permission denied")
    assert lines[4] == "11 ['finished', 'unreadable']", "what may be read is read"
    assert contents(open_folder / "run") == before


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("not a folder")
    with pytest.raises(StorageError, match=r"cannot be written: (not a directory|file exists)"):
        make(tmp_path / "run")
    with pytest.raises(RunNotFoundError):
        open_run(tmp_path / "run")
    with pytest.raises(RunNotFoundError):
        remove_run(tmp_path / "run")
    assert list_runs(tmp_path) == []
    assert (tmp_path / "run").read_text() == "not a folder"


class FewBytesAtATime(io.FileIO):
    """A file of which the system gives 500 bytes at most in one go; Linux gives 2,147,479,552."""

    def read(self, size: int = -1) -> bytes:
        return super().read(500 if size < 0 else min(size, 500))

    def readinto(self, buffer: Any) -> int:
        return super().readinto(memoryview(buffer)[:500])


def test_a_file_that_the_system_gives_in_parts_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = numbers(make(tmp_path / "run"))

    def opened(file: str, mode: str, buffering: int = -1, opener: Any = None) -> Any:
        raw = FewBytesAtATime(file, mode, opener=opener)
        return raw if buffering == 0 else io.BufferedReader(raw)

    monkeypatch.setattr("mcviz.runs.storage.open", opened, raising=False)
    assert numbers(open_run(tmp_path / "run")) == whole
