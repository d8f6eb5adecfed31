"""The job queue of a folder of runs.

A process holds its job's lock as long as it lives. Its parent hands the lock over, so any server sees which job is at
work, and none is started twice, even after crashes. A job that ends starts the next one. Requests and progress are two
files, each with one kind of writer.
"""

import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec.structs import replace

from mcviz.errors import InvalidInputError, McvizError, RunExistsError, RunNotFoundError, StorageError
from mcviz.extras import is_function_name
from mcviz.options import JOB_ARGUMENTS
from mcviz.permission import may_write, require_permission
from mcviz.runs import remove_run
from mcviz.runs.folder import check_run_name
from mcviz.runs.storage import Folder, folder_at, require_locks
from mcviz.runs.writer import discard_growth
from mcviz.tasks import find_task
from mcviz.text import is_text
from mcviz.validate import invalid

JobKind = Literal["sample", "again"]
JobRequest = Literal["run", "pause", "stop"]
Ending = Literal["finished", "failed", "stopped", "checked", "asking"]

# stopping renames the request, which works on a full disk; earlier versions rewrote it
REQUEST, STOPPED, PROGRESS = "job.json", "job-stopped.json", "progress.json"
MOST_BYTES = 1 << 24
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e18)]
NAME = re.compile(r"[^/\\\0.][^/\\\0]*")  # of a single, visible folder

JobState = Literal["queued", "starting", "running", "pausing", "paused", "stopping", "finished", "failed", "died"]
FOLDER = ".jobs"  # beside the runs
LOG, LOCK, EXAMPLES, OWN_RUN = "log", "lock", "examples.txt", "run"
PATIENCE = 2.0  # seconds to wait for a run that another process writes
LINES = 3  # of the log, in messages
LOG_BYTES = 4000

# `python -m mcviz` from its own folder, last on the path. -P leaves out the working directory, which may hold runs.
PROGRAM = "import sys; sys.path.append(sys.argv.pop(1)); from mcviz.cli import run; run()"
SILENT = (
    "Its process ended without a word, as when the machine is switched off or has no memory left. Go on with it; what "
    "was finished is kept."
)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock of a file, waiting for it, and yield its descriptor.

    Copies of the descriptor in other processes hold the lock too.

    Raises:
        StorageError: this system has no locks.
        OSError: the file cannot be created.
    """
    require_locks()
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of a file."""
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class FilePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a file, with fields type-checked on reading."""


class Job(FilePart, frozen=True, kw_only=True):
    """A job as requested.

    Attributes:
        id: the name of its folder; the earlier ones come first.
        kind: "sample", a run beside the others; or "again", one in the job's folder, to compare with a run.
        arguments: of `mcviz sample`, each as `--option=value`, without the place of the run.
        run: the name of the run that is made or grows; for "again" the name of the compared run.
        title: its name for people.
        created: when, as ISO 8601.
        wanted: the latest request.
        queued: when it was last put into the queue, in seconds since 1970.
        waits: whether it has not been started since.
        started: how often its process was started.
        check_first: whether model and data are checked before anything is sampled.
        about: free data of a page.
        address: of the page when it was added.
    """

    id: str
    kind: JobKind
    arguments: tuple[str, ...]
    run: str
    title: str
    created: str
    wanted: JobRequest = "run"
    queued: Amount = 0.0
    waits: bool = True
    started: Count = 0
    check_first: bool = False
    about: dict[str, Any] = {}
    address: dict[str, str] = {}

    def check(self) -> None:
        """Check that it only asks to sample.

        Raises:
            InvalidInputError: an option that jobs may not have, or an invalid name of a run.
        """
        for argument in self.arguments:
            option, separator, value = argument.partition("=")
            runs_code = option == "--model" and is_function_name(value)
            if option + separator not in JOB_ARGUMENTS or runs_code or not is_text(argument):
                raise invalid("arguments", "options that a job may have, such as --passes=100", f"{argument!r:.100}")
        check_name(self.run)


class Top(FilePart, frozen=True):
    """An example among the most uncertain ones so far.

    Attributes:
        example: its number.
        id: its id, or "".
        passes: how many of its passes are counted.
        score: of these.
        prediction: of the ensemble: number of a class, or a value.
        label: number of a class, or a value; or None.
        shown: an image as a `data:` address, or a text, cut short; or "".
    """

    example: Count
    id: str
    passes: Count
    score: float
    prediction: float
    label: float | None
    shown: str = ""


class JobProgress(FilePart, frozen=True, kw_only=True):
    """The progress of a job.

    Attributes:
        process: the number of its process.
        started: when that began, in seconds since 1970.
        sampling: when it began to sample, or None while it loads model and data.
        updated: when this was written.
        step: its work before or after it samples, in words, such as "loads TensorFlow", or "".
        before: number of predictions when it began to sample.
        done: number of predictions now; a prediction is one example in one pass.
        total: number of predictions at the end.
        examples: number of examples, N.
        seen: number of examples with some passes.
        passes: the number of passes that all examples have.
        score: the name of the score that `top` is ranked by.
        task: of the model.
        unit: of the targets of a regression.
        names: of the classes.
        quality: of the ensemble of those passes, such as "accuracy 97.30%", or "" without labels.
        top: the most uncertain examples, the most uncertain first.
        found: the findings of the check, by name, in words; empty before it.
        advice: sentences on possible problems, or "".
        ending: how it ended, or None; "checked" if it waits for another job to end sampling, and "asking" if
            somebody has to decide whether it goes on in spite of the advice.
        message: why it failed.
        seconds: reserved, 0; earlier versions wrote it for checks, and their jobs can be read.
        bytes: reserved, as `seconds`.
    """

    process: Count
    started: Amount
    sampling: Amount | None = None
    updated: Amount = 0.0
    step: str = ""
    before: Count = 0
    done: Count = 0
    total: Count = 0
    examples: Count = 0
    seen: Count = 0
    passes: Count = 0
    score: str = ""
    task: str = "classification"
    unit: str = ""
    names: tuple[str, ...] = ()
    quality: str = ""
    top: tuple[Top, ...] = ()
    found: dict[str, str] = {}
    advice: str = ""
    ending: Ending | None = None
    message: str = ""
    seconds: Amount = 0.0
    bytes: Amount = 0.0

    def check(self) -> None:
        """Check that its most uncertain examples have a known score and classes.

        Raises:
            InvalidInputError: one is unknown.
        """
        scores = find_task(self.task).scores
        classes = [value for example in self.top for value in (example.prediction, example.label) if value is not None]
        if self.top and self.score not in scores:
            raise invalid("score", "one that the task has", f"{self.score!r:.100}")
        if self.names and not all(value in range(len(self.names)) for value in classes):
            raise invalid("top", "of classes that there are", f"{len(self.names)} names and the classes {classes}")

    def seconds_left(self) -> float | None:
        """Estimate the remaining seconds as of `updated`; None if unknown."""
        if self.sampling is None or self.done <= self.before or self.updated <= self.sampling:
            return None
        return (self.total - self.done) * (self.updated - self.sampling) / (self.done - self.before)


def check_name(name: str) -> None:
    """Check that a name is a single, visible folder name.

    Raises:
        InvalidInputError: it is not.
    """
    if not NAME.fullmatch(name) or not is_text(name):
        raise invalid("name", "without slashes, and begin with no dot", f"{name!r:.120}")


def write(folder: Folder, name: str, content: Job | JobProgress) -> None:
    """Write one of a job's two files.

    Raises:
        StorageError: it cannot be written.
    """
    folder.write(name, msgspec.json.encode(content))


def read_job(folder: Folder) -> Job | None:
    """Read a job; return None if there is none.

    Raises:
        InvalidInputError: the file is damaged, or asks for more than sampling.
    """
    asked: Job | None = _read(folder, REQUEST, Job)
    stopped: Job | None = _read(folder, STOPPED, Job)  # in this order, a job that is renamed meanwhile is found
    job = asked if stopped is None else replace(stopped, wanted="stop")
    if job is None:
        return None
    if job.id != Path(folder.path).name:  # copied from another place
        raise InvalidInputError(
            f"The job in {folder.path} is damaged: its id is {job.id!r:.100}, not the folder's name. Remove the folder."
        )
    job.check()
    return job


def read_progress(folder: Folder) -> JobProgress | None:
    """Return a job's progress; None if it has not begun or is unreadable."""
    try:
        progress: JobProgress | None = _read(folder, PROGRESS, JobProgress)
        if progress is not None:
            progress.check()
    except McvizError:
        return None
    return progress


def _read(folder: Folder, name: str, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(folder.read(name, 0, MOST_BYTES), type=kind)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"{folder.address(name)} is damaged: {error}. Remove its folder.") from error


@dataclass(frozen=True)
class FoundJob:
    """A job in its current state.

    Attributes:
        job: its request.
        state: its current state.
        progress: its progress, or None if it has not begun.
        alive: whether a process is at work on it.
        message: why it failed or died, or "".
    """

    job: Job
    state: JobState
    progress: JobProgress | None
    alive: bool
    message: str = ""

    @property
    def is_open(self) -> bool:
        """Whether its state may change by itself."""
        return self.state in ("queued", "starting", "running", "pausing", "stopping")

    @property
    def is_checking(self) -> bool:
        """Whether model and data are unchecked; a check waits for no sampling."""
        return self.job.check_first and not (self.progress and self.progress.found)


class Jobs:
    """The jobs of a folder of runs.

    Every method raises StorageError if the folder cannot be read or written.
    """

    def __init__(self, cache: Path) -> None:
        """Manage the jobs of a folder of runs, which need not exist yet."""
        self.cache = cache.absolute()
        self.folder = self.cache / FOLDER

    def found(self, looked_for: Callable[[Job], bool] | None = None) -> list[FoundJob]:
        """List the jobs, the earliest first, without damaged ones.

        Args:
            looked_for: selects jobs; all without it. The progress of others is not read.
        """
        jobs = []
        for name in self._names():
            with suppress(McvizError):
                job = read_job(folder_at(self.folder / name)) if looked_for else None
                if looked_for is None or (job is not None and looked_for(job)):
                    found_job = self.find(name)
                    jobs += [] if found_job is None else [found_job]
        return jobs

    def damaged(self) -> list[str]:
        """Describe each damaged job in a sentence."""
        problems = []
        for name in self._names():
            try:
                self.find(name)
            except McvizError as error:
                problems.append(str(error))
        return problems

    def find(self, name: str) -> FoundJob | None:
        """Return the job of an id, or None.

        Raises:
            InvalidInputError: one of its files is damaged, or no regular file.
        """
        folder = folder_at(self.folder / name)
        for file in (LOCK, LOG):  # opening a pipe would block
            if os.path.lexists(self.folder / name / file) and not folder.sizes([file]):
                raise InvalidInputError(f"{folder.address(file)} should be a regular file. Remove its folder.")
        alive = self._is_alive(name)  # before reading its files, which are complete once it has ended
        job = read_job(folder)
        if job is None:
            return None
        progress = read_progress(folder)
        state = _state(job, progress, alive)
        message = progress.message if progress and state == "failed" else ""
        return FoundJob(job, state, progress, alive, _last_words(folder) if state == "died" else message)

    def add(
        self,
        kind: JobKind,
        arguments: Sequence[str],
        run: str,
        title: str,
        *,
        examples: Sequence[int] | None = None,
        check_first: bool = False,
        about: Mapping[str, Any] | None = None,
        address: Mapping[str, str] | None = None,
    ) -> Job:
        """Add a job to the queue, and start it if possible.

        Args:
            kind: of the job.
            arguments: of `mcviz sample`, each as `--option=value`.
            run: the name of the run.
            title: its name for people.
            examples: numbers of the examples to take from the data; all without it.
            check_first: whether model and data are checked before anything is sampled.
            about: free data to store with it.
            address: of the current page, to return to.

        Raises:
            InvalidInputError: arguments that jobs may not have, or an invalid name of a run.
            NotPermittedError: the caller may not write; the other methods that change jobs raise it too.
            RunExistsError: another job makes that run already.
        """
        require_permission("No job can be started")
        now = time.time()
        stamp = datetime.now(UTC)
        name = f"{stamp:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(3)}"
        if examples is not None:
            arguments = [*arguments, f"--only={self.folder / name / EXAMPLES}"]
        job = Job(
            id=name,
            kind=kind,
            arguments=tuple(arguments),
            run=run,
            title=title,
            created=stamp.isoformat(timespec="seconds"),
            queued=now,
            check_first=check_first,
            about=dict(about or {}),
            address=dict(address or {}),
        )
        job.check()
        with self._locked():
            if kind == "sample":
                self._refuse_second(run)
            folder = folder_at(self.folder / name)
            try:
                if examples is not None:
                    folder.write(EXAMPLES, "\n".join(str(int(number)) for number in examples).encode())
                write(folder, REQUEST, job)
            except BaseException:
                with suppress(StorageError):
                    folder.remove([REQUEST, EXAMPLES])
                raise
        self.tend()
        return job

    def pause(self, name: str) -> None:
        """End a job for now; it can be resumed."""
        self._want(name, "pause")

    def go_on(self, name: str) -> None:
        """Queue a paused, failed or dead job again."""
        self._want(name, "run")

    def stop(self, name: str) -> None:
        """End and forget a job; passes finished for all examples stay."""
        require_permission("No job can be changed")
        with self._locked():
            job = self.find(name)
            if job is None or job.state == "finished":
                return
            folder_at(self.folder / name).rename(REQUEST, STOPPED)
        self.tend()

    def forget(self, name: str) -> None:
        """Take an ended job off the list; its run stays.

        Raises:
            InvalidInputError: it has not ended.
        """
        require_permission("No job can be changed")
        with self._locked():
            job = self.find(name)
            if job is None:
                return
            if job.state not in ("finished", "failed", "died", "paused"):
                raise InvalidInputError(f"{job.job.title} has not ended. Stop it first.")
            self._remove(name)

    def tend(self) -> None:
        """Clear away stopped jobs and start the next; nothing if read-only."""
        if not may_write():
            return
        jobs = self.found()
        if not any(map(_is_over, jobs)) and not _due(jobs):
            return
        with self._locked():  # look again: others may have done it meanwhile
            for over in filter(_is_over, self.found()):
                self._discard(over)
                self._remove(over.job.id)
            for job in _due(self.found()):
                self._start(job)

    def run_of(self, job: Job) -> Path:
        """Return the folder of a job's run."""
        return self.folder / job.id / OWN_RUN if job.kind == "again" else self.cache / job.run

    def wanted(self, name: str) -> JobRequest:
        """Return the request to a job; "stop" if the job is gone."""
        job = read_job(folder_at(self.folder / name))
        return "stop" if job is None else job.wanted

    def is_sampling(self, other_than: str) -> bool:
        """Return whether another job than that of an id is sampling."""
        return any(job.alive and not job.is_checking and job.job.id != other_than for job in self.found())

    def tell(self, name: str, progress: JobProgress) -> None:
        """Write a job's progress; nothing if its folder was removed or moved."""
        if (self.folder / name).is_dir():
            write(folder_at(self.folder / name), PROGRESS, progress)

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self.folder.iterdir() if path.is_dir() and not path.is_symlink())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"The jobs in {self.folder} cannot be listed: {error.strerror}.") from error

    def _refuse_second(self, run: str) -> None:
        for job in self.found():
            if job.job.kind == "sample" and job.job.run == run and job.state != "finished":
                raise RunExistsError(
                    f"A job that makes the run {run} is there already. Go on with that one, stop it, or choose another "
                    "name."
                )

    def _want(self, name: str, wanted: Literal["run", "pause"]) -> None:
        require_permission("No job can be changed")
        with self._locked():
            there = self.find(name)
            if there is None or there.job.wanted == "stop" or there.state == "finished":
                return
            folder, job = folder_at(self.folder / name), replace(there.job, wanted=wanted)
            if wanted == "run":
                job = replace(job, queued=time.time(), waits=True)
            write(folder, REQUEST, job)
        self.tend()

    def _start(self, job: Job) -> None:
        """Start a job's process; the caller holds the queue's lock."""
        folder = self.folder / job.id
        if (before := read_progress(folder_at(folder))) is not None:  # shown until there is news
            self.tell(job.id, replace(before, sampling=None, ending=None, message=""))
        try:
            with locked(folder / LOCK) as lock, open(folder / LOG, "ab", opener=_without_following) as log:
                write(folder_at(folder), REQUEST, replace(job, started=job.started + 1, waits=False))
                package = Path(__file__).parents[2]
                process = subprocess.Popen(
                    [sys.executable, "-P", "-c", PROGRAM, str(package), "work", str(folder), str(lock)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # out of reach of Ctrl-C and the server's end
                    pass_fds=(lock,),
                )
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(f"{job.title} cannot be started: {error.strerror or error}.") from error
        threading.Thread(target=process.wait, daemon=True).start()  # avoids a zombie

    def _is_alive(self, name: str) -> bool:
        return is_locked(self.folder / name / LOCK)

    def _discard(self, there: FoundJob) -> None:
        """Remove the unfinished output of a job, if it wrote any."""
        wrote, run = there.progress is not None and there.progress.total, self.run_of(there.job)
        if there.job.kind == "sample" and wrote and not run.is_symlink():  # a link may lead out of this folder of runs
            with suppress(RunNotFoundError):
                discard_growth(run, PATIENCE)

    def _remove(self, name: str) -> None:
        folder = folder_at(self.folder / name)
        if (self.folder / name / OWN_RUN).exists():
            with suppress(RunNotFoundError):
                remove_run(self.folder / name / OWN_RUN)
        folder.remove([REQUEST, STOPPED])  # without them there is no job
        folder.remove([PROGRESS, LOG, LOCK, EXAMPLES])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with ExitStack() as held:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(self.folder / LOCK))
            except StorageError:
                raise
            except OSError as error:
                raise StorageError(
                    f"No job can be kept in {self.folder}: {(error.strerror or str(error)).lower()}. Start the "
                    "dashboard with a folder of runs in which files can be made."
                ) from error
            yield


def check_new_name(cache: Path, name: str) -> None:
    """Check the name of a new run.

    Raises:
        InvalidInputError: the name is invalid.
        RunExistsError: the name is taken.
    """
    check_run_name(name)
    if os.path.lexists(cache / name):
        raise RunExistsError(f"{name} is there already. Choose another name.")


def _is_over(there: FoundJob) -> bool:
    """Whether a stopped job can be cleared away."""
    return there.state == "stopping" and not there.alive


def _due(jobs: list[FoundJob]) -> list[Job]:
    """Return the jobs to start: at most one that samples and one that checks."""
    due = []
    for checks in (False, True):
        sort = [there for there in jobs if there.is_checking == checks]
        queue = sorted((there for there in sort if there.state == "queued"), key=lambda there: there.job.queued)
        if queue and not any(there.alive for there in sort):
            due.append(queue[0].job)
    return due


def _state(job: Job, progress: JobProgress | None, alive: bool) -> JobState:
    if alive:
        by_wish: dict[JobRequest, JobState] = {"pause": "pausing", "stop": "stopping"}
        return by_wish.get(job.wanted) or ("running" if progress and progress.sampling else "starting")
    ending = progress.ending if progress else None
    if ending == "finished":
        return "finished"
    if job.wanted != "run":
        return "paused" if job.wanted == "pause" else "stopping"
    if job.waits or ending == "checked":
        return "queued"
    if ending == "asking":
        return "paused"
    return "failed" if ending == "failed" else "died"


def _last_words(folder: Folder) -> str:
    try:
        start = max(0, folder.sizes([LOG]).get(LOG, 0) - LOG_BYTES)
        text = folder.read(LOG, start, LOG_BYTES).decode(errors="replace")
    except OSError:
        return SILENT
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{SILENT} Its last words: {' / '.join(lines[-LINES:])}" if lines else SILENT


def _without_following(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)
