"""A run is the same on this machine, in memory and in object storage, and one for all who want it at the same time."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mcviz.errors import CorruptRunError, PartialRunError, RunExistsError, RunNotFoundError, StorageError
from mcviz.runs import list_runs, open_run, remove_run, verify_run
from mcviz.runs.storage import LocalFolder, folder_at, write_lock
from tests.runs.making import MadeUpSource, make, make_partial, numbers, some_images


def test_files_come_and_go(address: str) -> None:
    place = folder_at(f"{address}/folder")
    assert place.sizes() == {}
    place.write("a", b"first")
    place.write("inner/b", b"0123456789")
    assert place.sizes() == {"a": 5, "inner/b": 10}
    place.write("a", b"second")
    assert place.read("a") == b"second"
    assert place.read("inner/b", 3, 4) == b"3456"
    assert place.read("inner/b", 8, 10**12) == b"89"
    assert place.read("inner/b", 0, 0) == b""
    place.delete("a")
    place.delete("a")
    assert place.sizes() == {"inner/b": 10}
    with pytest.raises(FileNotFoundError):
        place.read("a")
    place.write("mine", b"stays")
    place.remove(["inner/b"])
    assert place.sizes() == {"mine": 5}
    place.remove(["mine"])
    place.remove(["mine"])
    assert place.sizes() == {}


def test_a_run_is_made_resumed_grown_verified_and_removed(address: str, tmp_path: Path) -> None:
    out = f"{address}/run"
    with pytest.raises(RunNotFoundError, match="There is no run at"):
        open_run(out)
    make_partial(out, predictions=30)
    with pytest.raises(PartialRunError, match="4 of 11 examples"):
        open_run(out)
    source = MadeUpSource(some_images(), 3, 5)
    assert numbers(make(out, source=source)) == numbers(make(tmp_path / "truth" / "run"))
    assert len(source.asked) == 2
    grown = make(out, passes=10)
    assert numbers(grown) == numbers(make(tmp_path / "truth" / "grown", passes=10))
    assert verify_run(out).files == 20
    with pytest.raises(RunExistsError):
        make(out, seed=6)
    assert [(run.state, run.examples_done) for run in list_runs(address)] == [("finished", 11)]
    remove_run(out)
    assert list_runs(address) == []
    assert folder_at(out).sizes() == {}


def test_a_damaged_file_is_named_by_its_address(address: str) -> None:
    out = f"{address}/run"
    make(out)
    place = folder_at(out)
    name = "predictions.zarr/probs/c.1.0.0"
    content = place.read(name)
    place.write(name, content[:70] + bytes([content[70] ^ 1]) + content[71:])
    with pytest.raises(CorruptRunError, match=f"{out}/{name}"):
        open_run(out).probs_block(0, 11)
    assert open_run(out).probs(0).shape == (6, 3)
    place.delete(name)
    with pytest.raises(CorruptRunError, match=f"{out}/{name} is missing"):
        open_run(out)


def test_a_remote_model_has_no_path(address: str) -> None:
    run = make(f"{address}/run")
    assert (run.model_path is None) == ("://" in address)


def test_file_addresses_are_local(tmp_path: Path) -> None:
    assert isinstance(folder_at(f"file://{tmp_path}"), LocalFolder)
    make(f"file://{tmp_path}/run")
    assert open_run(tmp_path / "run").manifest.passes == 6


def test_an_address_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="nosuchthing://run is no address that can be used"):
        open_run("nosuchthing://run")
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(StorageError, match="needs the package fsspec: pip install fsspec"):
        open_run("memory://run")


@pytest.mark.slow
@pytest.mark.parametrize("address", ["s3"], indirect=True)
def test_a_store_that_does_not_answer(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StorageError, match=f"{address}/run/manifest.json cannot be read"):
        open_run(f"{address}/run")


# Many processes and threads that want one run: one samples, the others wait or read; a dead one blocks nobody


ASK = """
import hashlib, json, sys
from tests.runs.making import MadeUpSource, make, numbers, some_images
source = MadeUpSource(some_images(), 3, 5, pause=0.02)
values = numbers(make(sys.argv[1], source=source))
print(json.dumps([len(source.asked), hashlib.sha256(json.dumps(values).encode()).hexdigest()]))
"""

READ = """
import sys, time
from mcviz.errors import PartialRunError, RunNotFoundError
from mcviz.errors import StorageError
from mcviz.runs import open_run
from tests.runs.making import make, numbers
truth = numbers(make(sys.argv[2]))
reads = 0
while reads < 20:
    try:
        assert numbers(open_run(sys.argv[1])) == truth
        reads += 1
    except (PartialRunError, RunNotFoundError):
        time.sleep(0.001)
"""

HOLD = """
import sys, time
from mcviz.runs.storage import write_lock
from mcviz.runs.storage import folder_at
with write_lock(folder_at(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_eight_processes_ask_for_one_run(tmp_path: Path) -> None:
    asking = [python(ASK, str(tmp_path / "run")) for _ in range(8)]
    reading = python(READ, str(tmp_path / "run"), str(tmp_path / "truth"))
    answers = [json.loads(process.communicate(timeout=100)[0]) for process in asking]
    assert sorted(blocks for blocks, _ in answers) == [0] * 7 + [3], "one samples all blocks, the others none"
    assert len({digest for _, digest in answers}) == 1
    reading.communicate(timeout=100)
    assert reading.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"run", "truth"}


def test_threads_ask_for_one_run(tmp_path: Path) -> None:
    sources = [MadeUpSource(some_images(), 3, 5, pause=0.005) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        runs = list(pool.map(lambda source: make(tmp_path / "run", source=source), sources))
    assert sorted(len(source.asked) for source in sources) == [0] * 5 + [3]
    assert all(numbers(run) == numbers(runs[0]) for run in runs)


def test_a_lock_is_waited_for_and_one_of_a_dead_process_is_not(tmp_path: Path) -> None:
    holder = python(HOLD, str(tmp_path / "run"))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(make, tmp_path / "run")
        time.sleep(0.3)
        assert not writing.done()
        os.kill(holder.pid, signal.SIGKILL)
        assert numbers(writing.result(timeout=30)) == numbers(open_run(tmp_path / "run"))
    holder.communicate()


def test_a_lock_file_without_a_holder_blocks_nobody(tmp_path: Path) -> None:
    (tmp_path / ".run.lock").touch()
    with write_lock(folder_at(tmp_path / "run")):
        assert (tmp_path / ".run.lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_one_run_can_be_read_by_many_threads(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    truth = [run.probs(image).tolist() for image in range(11)]
    again = open_run(tmp_path / "run")
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda image: again.probs(image % 11).tolist(), range(220)))
    assert read == truth * 20


def test_a_system_without_such_locks_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "there")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(StorageError, match=r"Windows lacks the file locks.*Use the Windows Subsystem for Linux"):
        make(tmp_path / "run")
    assert open_run(tmp_path / "there").probs(3).shape == (6, 3)
