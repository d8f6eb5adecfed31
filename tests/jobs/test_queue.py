"""Jobs are started one at a time and found again, whatever is killed; what stands in for sampling here only waits."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mcviz.errors import InvalidInputError, RunExistsError, StorageError
from mcviz.jobs import Job, JobProgress, Jobs, queue
from mcviz.jobs.queue import locked
from mcviz.runs import open_run
from mcviz.runs.writer import discard_growth
from tests.failing import from_call, refuse
from tests.runs.making import contents, make

pytestmark = pytest.mark.lowest

ROOT = Path(__file__).parents[2]
SECONDS = 120  # for a process to begin, on a machine that is busy
WAITING = """
import os, sys, time
sys.path.append(sys.argv.pop(1))
from pathlib import Path
from msgspec.structs import replace
from mcviz.jobs import JobProgress, Jobs, queue

queue.PROGRAM = sys.orig_argv[sys.orig_argv.index("-c") + 1]  # for the next one, too
folder, lock = Path(sys.argv[2]), int(sys.argv[3])
jobs, name = Jobs(folder.parent.parent), folder.name
writes = (jobs.cache / "writes").exists()  # and was not refused
news = JobProgress(process=os.getpid(), started=time.time(), sampling=time.time(), total=100 if writes else 0)
with (jobs.cache / "started").open("a") as file:
    file.write(jobs.find(name).job.run + "\\n")
print("a word", file=sys.stderr, flush=True)
checks = jobs.find(name).is_checking
news = replace(news, found={"examples": "3"} if checks else {})
jobs.tell(name, news)
ending = "checked" if checks and jobs.is_sampling(other_than=name) else None
while ending is None:
    time.sleep(0.01)
    ending = "finished" if (jobs.cache / f"end {jobs.find(name).job.run}").exists() else None
    ending = "stopped" if jobs.wanted(name) != "run" else ending
jobs.tell(name, replace(news, ending=ending))
os.close(lock)
jobs.tend()
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """The jobs of a folder, which end with the test."""
    monkeypatch.setattr(queue, "PROGRAM", WAITING)
    jobs = Jobs(tmp_path / "cache")
    yield jobs
    for each in jobs.found():
        (jobs.forget if each.state == "finished" else jobs.stop)(each.job.id)
    until(lambda: not jobs.found())


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def add(jobs: Jobs, run: str) -> Job:
    return jobs.add("sample", ["--passes=3"], run, f"Run {run}")


def states(jobs: Jobs) -> dict[str, str]:
    return {each.job.run: each.state for each in jobs.found()}


def running(jobs: Jobs, run: str) -> None:
    until(lambda: states(jobs).get(run) == "running")


def end(jobs: Jobs, run: str) -> None:
    (jobs.cache / f"end {run}").touch()


def process_of(jobs: Jobs, run: str) -> int:
    (found,) = [each.progress.process for each in jobs.found() if each.job.run == run]
    return found


def test_one_is_at_work_and_its_end_starts_the_next_without_any_server(jobs: Jobs) -> None:
    for name in ("a", "b", "c"):
        add(jobs, name)
    running(jobs, "a")
    assert states(jobs) == {"a": "running", "b": "queued", "c": "queued"}
    end(jobs, "a")
    until(lambda: (jobs.cache / "started").read_text().split() == ["a", "b"])
    running(jobs, "b")
    assert states(jobs) == {"a": "finished", "b": "running", "c": "queued"}
    jobs.forget(jobs.found()[0].job.id)
    assert states(jobs) == {"b": "running", "c": "queued"}
    with pytest.raises(InvalidInputError, match="has not ended"):
        jobs.forget(jobs.found()[0].job.id)


def test_a_job_that_is_paused_makes_room_and_comes_back_behind_the_others(jobs: Jobs) -> None:
    a, b, c = (add(jobs, name) for name in ("a", "b", "c"))
    running(jobs, "a")
    jobs.pause(a.id)
    running(jobs, "b")
    assert states(jobs) == {"a": "paused", "b": "running", "c": "queued"}
    jobs.pause(c.id)
    assert states(jobs)["c"] == "paused"
    jobs.go_on(a.id)
    jobs.go_on(c.id)
    jobs.stop(b.id)
    running(jobs, "a")
    assert states(jobs) == {"a": "running", "c": "queued"}
    assert (jobs.cache / "started").read_text().split() == ["a", "b", "a"]


def test_one_that_is_killed_says_so_with_its_last_words_and_can_be_gone_on_with(jobs: Jobs) -> None:
    job = add(jobs, "a")
    running(jobs, "a")
    os.kill(process_of(jobs, "a"), signal.SIGKILL)
    until(lambda: states(jobs) == {"a": "died"})
    assert "ended without a word" in jobs.find(job.id).message
    assert jobs.find(job.id).message.endswith("Its last words: a word")
    jobs.tend()
    assert states(jobs) == {"a": "died"}  # what takes the machine down with it is not started again and again
    jobs.go_on(job.id)
    running(jobs, "a")
    end(jobs, "a")
    until(lambda: states(jobs) == {"a": "finished"})


def test_a_job_outlives_the_server_that_started_it_and_the_next_one_finds_it(jobs: Jobs) -> None:
    server = f"""
import time
from mcviz.jobs import Jobs, queue
from tests.jobs.test_queue import WAITING
from pathlib import Path
queue.PROGRAM = WAITING
Jobs(Path({str(jobs.cache)!r})).add("sample", ["--passes=3"], "a", "Run a")
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", server], cwd=ROOT, start_new_session=True)
    running(jobs, "a")
    os.killpg(process.pid, signal.SIGKILL)  # as Ctrl-C in a terminal reaches a whole group
    process.wait()
    time.sleep(0.1)
    assert states(jobs) == {"a": "running"}
    assert len((jobs.cache / "started").read_text().split()) == 1


def test_two_servers_that_look_at_once_start_each_job_once(jobs: Jobs) -> None:
    names = [f"run {number}" for number in range(4)]
    servers = [threading.Thread(target=add, args=(Jobs(jobs.cache), name)) for name in names]
    for server in servers:
        server.start()
    deadline = time.monotonic() + SECONDS
    while set(states(jobs).values()) != {"finished"} or len(states(jobs)) < 4:
        Jobs(jobs.cache).tend()
        at_work = [name for name, state in states(jobs).items() if state in ("starting", "running")]
        assert len(at_work) <= 2  # one ended and another began between two looks
        for name in at_work:
            end(jobs, name)
        assert time.monotonic() < deadline
    for server in servers:
        server.join()
    assert sorted((jobs.cache / "started").read_text().splitlines()) == names


def test_what_is_stopped_takes_its_unfinished_files_along_and_leaves_finished_passes(jobs: Jobs) -> None:
    whole, growing, partial = ("whole", "growing", "partial")
    make(jobs.cache / whole, passes=6)
    make(jobs.cache / growing, passes=6)
    before = sorted(path.name for path in (jobs.cache / growing).iterdir())
    for name, passes in ((growing, 10), (partial, 6)):
        with pytest.raises(KeyboardInterrupt):
            make(jobs.cache / name, passes=passes, progress=_stopped_half_way)
    assert sorted(path.name for path in (jobs.cache / growing).iterdir()) != before
    for writes in (False, True):
        if writes:
            (jobs.cache / "writes").touch()
        add(jobs, partial)
        running(jobs, partial)
        jobs.stop(jobs.found()[0].job.id)
        until(lambda: not jobs.found())
        assert (jobs.cache / partial).exists() != writes  # one that was refused leaves what another program wrote
    discard_growth(jobs.cache / growing)
    discard_growth(jobs.cache / whole)
    assert sorted(path.name for path in (jobs.cache / growing).iterdir()) == before
    assert open_run(jobs.cache / growing).passes == open_run(jobs.cache / whole).passes == 6


def _stopped_half_way(done: int, total: int) -> None:
    if done > total / 2:
        raise KeyboardInterrupt


def test_a_job_is_found_while_it_is_stopped(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    job = add(jobs, "a")
    running(jobs, "a")
    read = queue._read

    def read_then_stop(*arguments: Any) -> Any:
        found = read(*arguments)
        monkeypatch.setattr(queue, "_read", read)
        jobs.stop(job.id)
        return found

    monkeypatch.setattr(queue, "_read", read_then_stop)
    found = jobs.find(job.id)
    assert found is not None
    assert found.state == "stopping"


def died(jobs: Jobs, run: str, **news: Any) -> Job:
    """A job whose process has ended at once, after it told something."""
    job = add(jobs, run)
    until(lambda: states(jobs)[run] == "died")
    jobs.tell(job.id, JobProgress(process=1, started=0.0, **news))
    return job


def change(jobs: Jobs, job: Job, file: str = "job.json", **changes: object) -> None:
    path = jobs.folder / job.id / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("alive", [False, True])
def test_a_full_disk_does_not_hinder_a_job_from_being_stopped(jobs: Jobs, jobs_end_at_once: None, alive: bool) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(jobs.cache / "partial", passes=6, progress=_stopped_half_way)
    job = died(jobs, "partial", total=100)

    with from_call(0, lambda: refuse(errno.ENOSPC), ["fdopen"]):
        with pytest.raises(StorageError, match="no space left"):
            jobs.go_on(job.id)
        if alive:
            with locked(jobs.folder / job.id / "lock"):
                jobs.stop(job.id)
                assert (states(jobs), jobs.wanted(job.id)) == ({"partial": "stopping"}, "stop")
                assert (jobs.cache / "partial").exists()
            jobs.tend()  # as its process does at its end
        else:
            jobs.stop(job.id)
    assert jobs.found() == []
    assert [path.name for path in jobs.folder.iterdir()] == ["lock"]
    assert not (jobs.cache / "partial").exists()


@pytest.mark.parametrize("file", [0, 1])  # its examples, or what it is to do
def test_a_job_that_cannot_be_written_leaves_no_folder(jobs: Jobs, file: int) -> None:
    disk_is_full = from_call(file, lambda: refuse(errno.ENOSPC), ["fdopen"])
    with disk_is_full, pytest.raises(StorageError, match="cannot be written: no space left"):
        jobs.add("again", ["--passes=3"], "a", "Run a", examples=[0])
    assert [path.name for path in jobs.folder.iterdir()] == ["lock"]


@pytest.mark.parametrize("name", ["", "..", "../../elsewhere", "/elsewhere", "another"])
def test_a_job_with_the_id_of_another_folder_is_said_and_all_files_are_left_alone(
    jobs: Jobs, jobs_end_at_once: None, tmp_path: Path, name: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    make(elsewhere / "run", passes=2)
    for file in ("job.json", "progress.json", "log", "lock", "examples.txt"):
        (elsewhere / file).write_text("mine")
    job = died(jobs, "a", total=100)
    change(jobs, job, id=str(elsewhere) if name == "/elsewhere" else name, wanted="stop")
    before = contents(tmp_path)
    jobs.tend()
    assert contents(tmp_path) == before
    assert jobs.found() == []
    (said,) = jobs.damaged()
    assert str(jobs.folder / job.id) in said
    with pytest.raises(InvalidInputError, match="is damaged: its id is "):
        jobs.stop(job.id)
    assert contents(tmp_path) == before
    change(jobs, job, id=job.id)


def test_a_job_that_an_earlier_version_stopped_is_cleared_away(jobs: Jobs, jobs_end_at_once: None) -> None:
    change(jobs, died(jobs, "a"), wanted="stop")
    jobs.tend()
    assert [path.name for path in jobs.folder.iterdir()] == ["lock"]


def test_a_stopped_job_discards_nothing_behind_a_link(jobs: Jobs, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "elsewhere", passes=6, progress=_stopped_half_way)
    before = contents(tmp_path / "elsewhere")
    jobs.cache.mkdir()
    (jobs.cache / "a").symlink_to(tmp_path / "elsewhere")
    (jobs.cache / "writes").touch()
    add(jobs, "a")
    running(jobs, "a")
    jobs.stop(jobs.found()[0].job.id)
    until(lambda: not jobs.found())
    assert contents(tmp_path / "elsewhere") == before


@pytest.mark.parametrize("file", ["lock", "log"])
@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a link"])
def test_a_lock_or_log_that_is_no_file_makes_nobody_wait_and_the_next_job_is_started(
    jobs: Jobs, jobs_end_at_once: None, file: str, kind: str
) -> None:
    job = died(jobs, "a")
    change(jobs, job, waits=True)
    path = jobs.folder / job.id / file
    path.unlink()
    {"a pipe": os.mkfifo, "a folder": os.mkdir, "a link": lambda path: path.symlink_to("job.json")}[kind](path)
    look = threading.Thread(target=lambda: (jobs.tend(), jobs.found(), add(jobs, "b")), daemon=True)
    look.start()
    look.join(SECONDS)
    assert not look.is_alive()
    until(lambda: states(jobs) == {"b": "died"})
    (said,) = jobs.damaged()
    assert said == f"{path} should be a regular file. Remove its folder."
    path.rmdir() if kind == "a folder" else path.unlink()


TOP = {"example": 0, "id": "", "passes": 1, "score": 0.1, "prediction": 1.0, "label": None, "shown": ""}
IMPOSSIBLE: list[dict[str, Any]] = [
    {"done": -1},
    {"total": 10**400},
    {"sampling": -1e300, "updated": 1e300, "done": 1},
    {"score": "none", "top": [TOP]},
    {"score": "max_probability", "names": ["one"], "top": [TOP]},
    {"score": "max_probability", "names": ["one", "two"], "top": [{**TOP, "label": 0.5}]},
    {"score": "max_probability", "names": ["one", "two"], "top": [{**TOP, "prediction": -1.0}]},
]


def test_progress_that_cannot_be_is_not_known(jobs: Jobs, jobs_end_at_once: None) -> None:
    job = died(jobs, "a", score="max_probability", names=("one", "two"))
    file = jobs.folder / job.id / "progress.json"
    change(jobs, job, "progress.json", top=[TOP])
    possible = file.read_bytes()
    assert jobs.find(job.id).progress is not None
    for news in IMPOSSIBLE:
        file.write_bytes(possible)
        change(jobs, job, "progress.json", **news)
        assert jobs.find(job.id).progress is None, news


def test_a_job_that_is_nested_too_deeply_is_damaged(jobs: Jobs, jobs_end_at_once: None) -> None:
    job = died(jobs, "a")
    file = jobs.folder / job.id / "job.json"
    content = file.read_text()
    file.write_text(content.replace('"about":{}', f'"about":{{"a":{"[" * 10**5}{"]" * 10**5}}}'))
    assert jobs.found() == []
    assert "is damaged" in jobs.damaged()[0]
    file.write_text(content)


def test_a_run_is_made_by_one_job(jobs: Jobs) -> None:
    add(jobs, "a")
    with pytest.raises(RunExistsError, match="A job that makes the run a is there already"):
        add(jobs, "a")


def test_a_job_may_not_run_code_or_write_elsewhere(jobs: Jobs) -> None:
    argument = "--import=antigravity"
    with pytest.raises(InvalidInputError, match="options that a job may have"):
        jobs.add("sample", [argument], "a", "Run a")
    job = add(jobs, "b")
    file = jobs.folder / job.id / "job.json"
    file.write_bytes(file.read_bytes().replace(b'"--passes=3"', f'"{argument}"'.encode()))
    with pytest.raises(InvalidInputError, match="options that a job may have"):
        jobs.find(job.id)
    assert jobs.found() == []  # and so it is never started
    file.write_bytes(b'{"id": 3}')
    with pytest.raises(InvalidInputError, match="is damaged"):
        jobs.find(job.id)


@pytest.mark.parametrize("name", ["", ".", "..", "../elsewhere", "a/b", "a\0b", ".hidden", "\ud83d"])
def test_a_name_that_no_run_can_have(jobs: Jobs, name: str) -> None:
    with pytest.raises(InvalidInputError, match="`name` should be"):
        add(jobs, name)
    with pytest.raises(InvalidInputError, match="`name` should be"):
        queue.check_new_name(jobs.cache, name)


@pytest.mark.parametrize("name", ["x" * 201, "ä" * 101, " a", "a\u202eb", "a\nb", "reviews"])
def test_a_name_that_no_new_run_can_have(jobs: Jobs, name: str) -> None:
    with pytest.raises(InvalidInputError, match="`name` should be"):
        queue.check_new_name(jobs.cache, name)


def test_a_name_that_is_taken(jobs: Jobs) -> None:
    make(jobs.cache / "run", passes=2)
    with pytest.raises(RunExistsError, match="run is there already"):
        queue.check_new_name(jobs.cache, "run")
    queue.check_new_name(jobs.cache, "another")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StorageError, match="No job can be kept in"):
        add(Jobs(tmp_path / "cache"), "a")


def test_a_check_waits_for_no_sampling_and_what_it_is_for_waits_for_its_turn(jobs: Jobs) -> None:
    add(jobs, "a")
    running(jobs, "a")
    jobs.add("sample", ["--passes=3"], "b", "Run b", check_first=True)
    until(lambda: jobs.found()[1].progress and not jobs.found()[1].alive)
    assert states(jobs) == {"a": "running", "b": "queued"}
    assert jobs.found()[1].progress.found == {"examples": "3"}
    assert (jobs.cache / "started").read_text().split() == ["a", "b"]
    end(jobs, "a")
    until(lambda: (jobs.cache / "started").read_text().split() == ["a", "b", "b"])
    running(jobs, "b")
    assert states(jobs) == {"a": "finished", "b": "running"}


def test_what_is_checked_while_nothing_is_sampled_goes_on_at_once(jobs: Jobs) -> None:
    jobs.add("sample", ["--passes=3"], "a", "Run a", check_first=True)
    running(jobs, "a")
    add(jobs, "b")
    assert states(jobs) == {"a": "running", "b": "queued"}
    assert (jobs.cache / "started").read_text().split() == ["a"]


def test_a_job_that_asks_is_paused_until_somebody_goes_on_with_it(jobs: Jobs) -> None:
    job = jobs.add("sample", ["--passes=3"], "a", "Run a", check_first=True)
    running(jobs, "a")
    end(jobs, "a")
    until(lambda: states(jobs) == {"a": "finished"})
    jobs.tell(job.id, JobProgress(process=1, started=0, found={"examples": "3"}, advice="Hm.", ending="asking"))
    assert states(jobs) == {"a": "paused"}
    jobs.go_on(job.id)
    until(lambda: states(jobs) == {"a": "finished"})
    assert (jobs.cache / "started").read_text().split() == ["a", "a"]
