"""The files of a job: the job as requested, which its server writes, and its progress, which its process writes."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec.structs import replace

from mcviz.errors import InvalidInputError, McvizError
from mcviz.extras import is_function_name
from mcviz.options import JOB_ARGUMENTS
from mcviz.runs.files import Folder
from mcviz.tasks import find_task
from mcviz.text import is_text
from mcviz.validate import invalid

JobKind = Literal["sample", "again", "check"]
JobRequest = Literal["run", "pause", "stop"]
Ending = Literal["finished", "failed", "stopped"]
# A job that is to be stopped is renamed, which a full disk allows; earlier versions wrote that into its file.
REQUEST, STOPPED, PROGRESS = "job.json", "job-stopped.json", "progress.json"
MOST_BYTES = 1 << 24
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e18)]
NAME = re.compile(r"[^/\\\0.][^/\\\0]*")  # of a folder: one, and not hidden


class FilePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a file, every field checked against its type when it is read."""


class Job(FilePart, frozen=True, kw_only=True):
    """A job as requested.

    Attributes:
        id: the name of its folder; the earlier ones come first.
        kind: "sample", a run beside the others; "again", one of its own folder, to be held against a run; or "check".
        arguments: of `mcviz sample` or `mcviz check`, each as `--option=value`, without the place of the run.
        run: the name of the run that is made or grows; of "again" and "check" the name of the run or model it is about.
        title: what it is called.
        created: when, as ISO 8601.
        wanted: what it should be doing.
        queued: when it was last put into the queue, in seconds since 1970.
        waits: whether it is to be started, since it was put there.
        started: how often its process was started.
        about: free: what a page wants to know of it later.
        address: of what a page showed when it was added.
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
    about: dict[str, Any] = {}
    address: dict[str, str] = {}

    def check(self) -> None:
        """Check that it asks for nothing but to sample or to check.

        Raises:
            InvalidInputError: an option that no job has, or a name that no run can have.
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
        id: what it is called, or "".
        passes: how many of its passes are counted.
        score: of these.
        prediction: of the ensemble: number of a class, or a value.
        label: likewise, or None.
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
    """How far a job is.

    Attributes:
        process: the number of its process.
        started: when that began, in seconds since 1970.
        sampling: when it began to sample, or None while it loads model and data.
        updated: when this was written.
        before: how many predictions stood when it began to sample.
        done: how many stand; a prediction is one example in one pass.
        total: how many there will be.
        examples: how many there are, N.
        seen: of how many examples some passes are known.
        passes: the number of passes that all examples have.
        score: the name of the score that `top` is ranked by.
        task: what the model predicts.
        unit: of the targets of a regression.
        names: of the classes.
        quality: what the ensemble of those passes comes to, such as "accuracy 97.30%", or "" without labels.
        top: the most uncertain examples, the most uncertain first.
        found: of a check: what was found out, by name, in words.
        seconds: of a check: how long the sampling will take.
        bytes: of a check: how much room the predictions will take.
        advice: a sentence on what may be wrong, or "".
        ending: how it ended, or None.
        message: why it failed.
    """

    process: Count
    started: Amount
    sampling: Amount | None = None
    updated: Amount = 0.0
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
    seconds: Amount = 0.0
    bytes: Amount = 0.0
    advice: str = ""
    ending: Ending | None = None
    message: str = ""

    def check(self) -> None:
        """Check that its most uncertain examples have a score and classes that there are.

        Raises:
            InvalidInputError: they do not.
        """
        scores = find_task(self.task).scores
        classes = [value for each in self.top for value in (each.prediction, each.label) if value is not None]
        if self.top and self.score not in scores:
            raise invalid("score", "one that the task has", f"{self.score!r:.100}")
        if self.names and not all(value in range(len(self.names)) for value in classes):
            raise invalid("top", "of classes that there are", f"{len(self.names)} names and the classes {classes}")

    def seconds_left(self) -> float | None:
        """How long it will take from when this was written, in seconds; None while that is not known."""
        if self.sampling is None or self.done <= self.before or self.updated <= self.sampling:
            return None
        return (self.total - self.done) * (self.updated - self.sampling) / (self.done - self.before)


def check_name(name: str) -> None:
    """Check that a name is that of a folder beside the others: one, and not hidden.

    Raises:
        InvalidInputError: it may not.
    """
    if not NAME.fullmatch(name) or not is_text(name):
        raise invalid("name", "without slashes, and begin with no dot", f"{name!r:.120}")


def write(folder: Folder, name: str, content: Job | JobProgress) -> None:
    """Put one of a job's two files in place.

    Raises:
        StorageError: it cannot be written.
    """
    folder.write(name, msgspec.json.encode(content))


def read_job(folder: Folder) -> Job | None:
    """Read a job; return None where there is none.

    Raises:
        InvalidInputError: the file is not what was written, or asks for what no job does.
    """
    stopped: Job | None = _read(folder, STOPPED, Job)
    job: Job | None = _read(folder, REQUEST, Job) if stopped is None else replace(stopped, wanted="stop")
    if job is None:
        return None
    if job.id != Path(folder.path).name:  # it was copied from another place
        raise InvalidInputError(
            f"The job in {folder.path} is damaged: its id is {job.id!r:.100}, not the folder's name. Remove the folder."
        )
    job.check()
    return job


def read_progress(folder: Folder) -> JobProgress | None:
    """How far a job is, or None where it has not begun, or where that cannot be read."""
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
