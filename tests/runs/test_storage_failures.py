"""A disk that is full, a folder that may not be written: a clear error, the old run whole, nothing left behind."""

import errno
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mcviz.errors import PartialRunError, RunNotFoundError, StorageError
from mcviz.runs import list_runs, open_run, remove_run
from tests.runs.making import contents, make, numbers

pytestmark = pytest.mark.attack


class FailsAt:
    """Stands in for a function of the system, and fails from a certain call on."""

    def __init__(self, function: Callable[..., Any], call: int, number: int) -> None:
        self.function, self.left, self.number = function, call, number

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise OSError(self.number, os.strerror(self.number))
        return self.function(*arguments, **keywords)


def failures(monkeypatch: pytest.MonkeyPatch, what: str, number: int, attempt: Callable[[], None]) -> Iterator[str]:
    """Make an attempt fail at its first call of a system function, then at its second, until it fails no more."""
    for call in range(100):
        with monkeypatch.context() as patch:
            patch.setattr(f"os.{what}", FailsAt(getattr(os, what), call, number))
            try:
                attempt()
            except StorageError as error:
                yield str(error)
            else:
                assert call > 3, "it was to fail a few times"
                return
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize(
    ("what", "number", "sentence"),
    [
        ("fsync", errno.ENOSPC, "no space left on device"),
        ("replace", errno.EACCES, "permission denied"),
        ("fsync", errno.EIO, "input/output error"),
    ],
)
def test_a_new_run_on_a_disk_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, number: int, sentence: str
) -> None:
    whole = numbers(make(tmp_path / "whole"))
    for message in failures(monkeypatch, what, number, lambda: make(tmp_path / "run") and None):
        assert sentence in message
        assert "cannot be written" in message
        assert str(tmp_path / "run") in message
        assert not list(tmp_path.rglob("*.tmp"))
        assert state(tmp_path / "run", whole) in ("none", "partial", "whole")
    assert state(tmp_path / "run", whole) == "whole"


def state(out: Path, whole: dict[str, Any]) -> str:
    """What stands after a failure: it may hit the very last call, when all is written but its folder's entry."""
    try:
        return "whole" if numbers(open_run(out)) == whole else "wrong"
    except RunNotFoundError:
        return "none"
    except PartialRunError:
        return "partial"


def test_an_old_run_on_a_disk_that_fails_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = numbers(make(tmp_path / "run"))
    new = numbers(make(tmp_path / "whole", passes=10))
    for _ in failures(monkeypatch, "fsync", errno.ENOSPC, lambda: make(tmp_path / "run", passes=10) and None):
        assert numbers(open_run(tmp_path / "run")) in (old, new)
        assert not list(tmp_path.rglob("*.tmp"))
    assert numbers(open_run(tmp_path / "run")) == new
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_a_file_size_limit_that_the_system_enforces(tmp_path: Path) -> None:
    script = """
import resource, sys
from tests.runs.making import make
from mcviz.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
try:
    make(sys.argv[1])
except StorageError as error:
    print(error)
"""
    printed = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "run")], capture_output=True, text=True, check=True
    ).stdout
    assert "cannot be written: file too large" in printed
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
