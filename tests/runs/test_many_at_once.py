"""Many processes and threads that want one run: one samples, the others wait or read; a dead one blocks nobody."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mcviz.errors import StorageError
from mcviz.runs import open_run
from mcviz.runs.storage import folder_at, write_lock
from tests.runs.making import MadeUpSource, make, numbers, some_images

ASK = """
import hashlib, json, sys
from tests.runs.making import MadeUpSource, make, numbers, some_images
source = MadeUpSource(some_images(), 3, 5, pause=0.02)
found = numbers(make(sys.argv[1], source=source))
print(json.dumps([len(source.asked), hashlib.sha256(json.dumps(found).encode()).hexdigest()]))
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


@pytest.mark.exhaustive
def test_eight_processes_ask_for_one_run(tmp_path: Path) -> None:
    asking = [python(ASK, str(tmp_path / "run")) for _ in range(8)]
    reading = python(READ, str(tmp_path / "run"), str(tmp_path / "truth"))
    answers = [json.loads(process.communicate(timeout=100)[0]) for process in asking]
    assert sorted(blocks for blocks, _ in answers) == [0] * 7 + [3], "one samples all blocks, the others none"
    assert len({found for _, found in answers}) == 1
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
        made = pool.submit(make, tmp_path / "run")
        time.sleep(0.3)
        assert not made.done()
        os.kill(holder.pid, signal.SIGKILL)
        assert numbers(made.result(timeout=30)) == numbers(open_run(tmp_path / "run"))
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
        found = list(pool.map(lambda image: again.probs(image % 11).tolist(), range(220)))
    assert found == truth * 20


def test_a_system_without_such_locks_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "there")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(StorageError, match=r"Windows lacks the file locks.*Use the Windows Subsystem for Linux"):
        make(tmp_path / "run")
    assert open_run(tmp_path / "there").probs(3).shape == (6, 3)
