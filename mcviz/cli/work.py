"""A job's process: `mcviz sample` at low priority, with progress reports."""

import faulthandler
import math
import os
import shutil
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import numpy as np
from msgspec.structs import replace

from mcviz.cli.base import tell
from mcviz.data import DataSet
from mcviz.errors import McvizError
from mcviz.jobs import Ending, JobProgress, Jobs, Top
from mcviz.measures import most_uncertain_first
from mcviz.runs import Manifest, ValueScale, open_run
from mcviz.sampling.checking import Check
from mcviz.tasks import task_of
from mcviz.tasks.base import Aggregates

LEAST_PRIORITY = 19
SECONDS_BETWEEN_QUESTIONS = 0.3
SECONDS_BETWEEN_NEWS = 1.0
TOP_EXAMPLES = 10  # examples, the most uncertain ones
PIXELS = 96  # side of a scaled-down image
ROOM = 2.2  # times the predictions: a growing run briefly exists twice
LONGEST = 160  # characters of a displayed text


class Stopped(BaseException):
    """A job's request to end; no error, so error handlers ignore it.

    Args:
        ending: how it ends.
    """

    def __init__(self, ending: Ending = "stopped") -> None:
        super().__init__(ending)
        self.ending = ending


class Watcher:
    """Writes the progress of a command to its job's files."""

    def __init__(self, jobs: Jobs, name: str) -> None:
        self.jobs, self.name, self.checks_first = jobs, name, False
        self.examples: DataSet | None = None
        self._known: dict[str, np.ndarray] = {}
        self._asked = self._told = 0.0
        self._manifest: Manifest
        self.news = JobProgress(process=os.getpid(), started=time.time())

    def begin(self, examples: DataSet, out: str) -> None:
        """Set the examples, and read a finished run of fewer passes."""
        self.examples = examples
        self._change(examples=len(examples))
        with suppress(McvizError):
            run = open_run(out)
            table, columns = run.scores(), run.task.table_columns(run.targets)
            known = [name for name in (*columns, *run.manifest.scores) if not table[name].isna().any()]
            values = {name: table[name].to_numpy(columns.get(name, "float32")) for name in known}
            self.seen(run.manifest, 0, Aggregates({}, {}, values))

    def ask(self) -> None:
        """End the job if requested.

        Raises:
            Stopped: it was requested.
        """
        if time.monotonic() > self._asked + SECONDS_BETWEEN_QUESTIONS:
            if self.jobs.wanted(self.name) != "run":
                raise Stopped
            self._asked = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        """Report the number of predictions, and end if requested."""
        if self.news.sampling is None:
            self._change(sampling=time.time(), before=done, step="")
        self._change(done=done, total=total)
        self.ask()
        if time.monotonic() > self._told + SECONDS_BETWEEN_NEWS:
            self.tell()

    def seen(self, manifest: Manifest, start: int, summary: Aggregates) -> None:
        """Record the results of the passes for some examples."""
        count = manifest.examples.count
        for name, values in {**summary.columns, "passes": np.full(_length(summary), manifest.passes)}.items():
            whole = self._known.setdefault(name, np.zeros(count, values.dtype))
            whole[start : start + len(values)] = values
        self._change(
            examples=count,
            seen=int((self._known["passes"] > 0).sum()),
            passes=int(self._known["passes"].min()),
            task=manifest.task,
            unit=manifest.unit,
            names=manifest.class_names,
        )
        self._manifest = manifest

    def checked(self, check: Check, passes: int) -> None:
        """Report the findings of a check.

        Raises:
            Stopped: somebody has to decide whether to go on, or another job is sampling.
        """
        advice = " ".join(filter(None, (check.advice, self._warn_of_little_room(passes * check.bytes_per_pass))))
        self.tell(found=check.findings(passes), advice=advice, examples=check.examples)
        self.ask()
        if advice:
            raise Stopped("asking")
        if self.jobs.is_sampling(other_than=self.name):
            raise Stopped("checked")

    def _warn_of_little_room(self, size: float) -> str:
        free, needed = shutil.disk_usage(self.jobs.folder).free, ROOM * size
        if needed <= free:
            return ""
        room = f"{free / 1e6:,.0f} MB are free, and about {needed / 1e6:,.0f} MB are needed while the run is written."
        return f"There may be too little room: {room}"

    def tell(self, **changes: Any) -> None:
        """Write the progress."""
        self._change(updated=time.time(), **changes)
        if self._known:
            self._change(**self._summary())
        self.jobs.tell(self.name, self.news)
        self._told = time.monotonic()

    def _change(self, **changes: Any) -> None:
        self.news = replace(self.news, **changes)

    def _summary(self) -> dict[str, Any]:
        manifest, task = self._manifest, task_of(self._manifest)
        score = next(name for name in task.first_scores if name in manifest.scores)
        there = self._known["passes"].nonzero()[0]
        known = {name: values[there] for name, values in self._known.items()}
        quality = task.quality_of_table(known)
        first = most_uncertain_first(score, known[score], task.scores)[:TOP_EXAMPLES]
        return {
            "quality": "" if quality is None else f"{task.quality_name} {task.format_quality(quality, manifest.unit)}",
            "score": score,
            "top": tuple(self._top(int(there[place]), score) for place in first),
        }

    def _top(self, example: int, score: str) -> Top:
        row = {name: values[[example]].tolist()[0] for name, values in self._known.items()}
        prediction = next(value for name, value in row.items() if name.startswith("prediction"))
        label = next((value for name, value in row.items() if name.startswith("label")), math.nan)
        known = None if label is None or math.isnan(label) else label
        ids = self.examples.ids if self.examples else None
        return Top(
            example, ids[example] if ids else "", row["passes"], row[score], prediction, known, self._shown(example)
        )

    def _shown(self, example: int) -> str:
        held = self.examples
        if held is not None and (text := held.held.text(example)):
            return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
        if held is None or held.images is None or self._manifest.images is None:
            return ""
        from mcviz.figures import png_url, thumbnails  # here, because only a job loads plotly

        scale = ValueScale.of(self._manifest.images, self._manifest.preprocessing)
        return png_url(thumbnails([scale.to_unit(held.images[example])], PIXELS)[0])


def work(folder: Path, lock: int) -> None:
    """Carry out a job, and release its lock in any case."""
    faulthandler.enable()  # prints the place of a crash
    os.nice(LEAST_PRIORITY)  # the dashboard goes first
    jobs = Jobs(folder.parent.parent)
    try:
        _work(jobs, folder.name)
    finally:
        sys.stderr.flush()
        os.close(lock)
        jobs.tend()


def _work(jobs: Jobs, name: str) -> None:
    watcher = Watcher(jobs, name)
    state_of_job = jobs.find(name)
    if state_of_job is None:
        return
    if state_of_job.progress is not None:  # of an earlier start, shown until there is more
        watcher.news = replace(
            state_of_job.progress, process=os.getpid(), started=time.time(), sampling=None, step="", ending=None
        )
    watcher.tell()
    watcher.checks_first = state_of_job.is_checking
    job, commands = state_of_job.job, click.get_current_context().find_root().command
    assert isinstance(commands, click.Group)
    command = commands.commands["sample"]
    try:
        watcher.ask()
        with command.make_context(command.name, [*job.arguments, f"--out={jobs.run_of(job)}"], obj=watcher) as inner:
            command.invoke(inner)
        watcher.tell(ending="finished")
    except Stopped as stopped:
        watcher.tell(ending=stopped.ending)
    except click.UsageError as error:
        _failed(watcher, error.format_message())
    except (McvizError, OSError) as error:
        _failed(watcher, str(error))
    except MemoryError:
        _failed(watcher, "The machine has no memory left for it. Take fewer examples at once, or a larger machine.")
    except Exception as error:
        traceback.print_exc()
        _failed(watcher, f"{type(error).__name__}: {error}. The whole error is in {jobs.folder / name / 'log'}.")
        raise


def _failed(watcher: Watcher, message: str) -> None:
    tell(message)  # into the log
    watcher.tell(ending="failed", message=message)


def _length(summary: Aggregates) -> int:
    return len(next(iter(summary.columns.values())))
