"""Jobs on a page: the state, the progress and the first findings of each, and what new ones are made of."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from mcviz.app.failures import hide_folders, refusal, show_failures
from mcviz.app.navigation import EXPLORE, OVERVIEW, open_page
from mcviz.app.places import DATA, MODELS, finished_runs, folders, list_offered, offered_data
from mcviz.app.state import PageState, mark_dirty, session_store
from mcviz.app.wording import as_markdown, counted
from mcviz.errors import McvizError
from mcviz.jobs import FoundJob, Job, JobProgress, Jobs, JobState
from mcviz.measures.registry import format_with_unit
from mcviz.permission import may_write
from mcviz.runs.folder import cache_folder
from mcviz.runs.manifest_file import read_manifest
from mcviz.runs.storage import folder_at
from mcviz.tasks import TASKS
from mcviz.text import format_duration, one_line

SECONDS = 1.0  # between two looks
MOST_PASSES, HIGHEST_SEED = 1_000_000, 2**32 - 1  # that a page asks for
TROUBLE = "jobs-trouble"  # of the session: the error of the last change
STATES: dict[JobState, tuple[str, Any, str]] = {
    "queued": ("waits for its turn", "grey", ":material/schedule:"),
    "starting": ("loads model and data", "blue", ":material/hourglass_top:"),
    "running": ("samples", "blue", ":material/play_circle:"),
    "pausing": ("is being paused", "orange", ":material/pause_circle:"),
    "paused": ("paused", "orange", ":material/pause_circle:"),
    "stopping": ("is being stopped", "orange", ":material/stop_circle:"),
    "finished": ("finished", "green", ":material/check_circle:"),
    "failed": ("failed", "red", ":material/error:"),
    "died": ("ended unexpectedly", "red", ":material/error:"),
}


@dataclass(frozen=True)
class InputSource:
    """A model or a data set.

    Attributes:
        name: what it is called.
        path: of the file or folder; of the run, where it is that of one.
        of_run: whether it is the model, or the examples, of a run.
    """

    name: str
    path: Path
    of_run: bool = False


def models() -> dict[str, InputSource]:
    """The models by their names: files of the operator's folders, and then those that runs have kept."""
    files = list_offered(MODELS, lambda folder: folder.rglob("*.keras"))
    of_runs = {
        f"model of the run {name}": InputSource(name, path, of_run=True)
        for name, path, manifest in finished_runs()
        if manifest.has_model
    }
    return _named(files) | of_runs


def data_sets() -> dict[str, InputSource]:
    """The data sets by their names: what is in the operator's folders, and then the examples of runs."""
    of_runs = {
        f"examples of the run {name}": InputSource(name, path, of_run=True)
        for name, path, manifest in finished_runs()
        if manifest.has_examples
    }
    return _named(offered_data()) | of_runs


def without_folders(message: str) -> str:
    """Leave out the folders above those of models and data, which are the operator's affair."""
    for folder in (*folders(MODELS), *folders(DATA)):
        message = message.replace(f"{folder}/", "")
    return message


def _named(files: dict[str, Path]) -> dict[str, InputSource]:
    return {name: InputSource(path.stem, path) for name, path in files.items()}


def open_jobs() -> Jobs:
    """Return the jobs of the runs that are shown."""
    return Jobs(cache_folder())


def change_jobs(change: Callable[[Jobs], object]) -> None:
    """Change something about jobs, in a callback; the page shows the error where that fails."""
    mark_dirty()
    try:
        change(open_jobs())
    except McvizError as error:
        session_store()[TROUBLE] = error


def _render_last_error(page: str) -> None:
    if (error := session_store().pop(TROUBLE, None)) is not None:
        st.error(refusal(error, page), icon=":material/error:")


def render_jobs(page: str) -> None:
    """Render all jobs that make runs, and errors about damaged ones; nothing where there is none."""
    with show_failures(page):
        for message in open_jobs().damaged():
            _render_error(f"A job is damaged, and nothing of it was changed. {message}")
    render_live_jobs(page, lambda job: job.kind != "check", render_job, "Jobs")


def render_live_jobs(
    page: str, matches: Callable[[Job], bool], render: Callable[[FoundJob], None], heading: str = ""
) -> None:
    """Render some of the jobs, again and again while one may change by itself.

    Args:
        page: the title of the page.
        matches: whether a job is one of them.
        render: renders one.
        heading: above them, where there is one.
    """
    _render_last_error(page)
    with show_failures(page):
        entries = open_jobs().found(matches)
        if not entries:
            return
        if heading:
            st.header(heading, anchor=False)
        is_open = any(entry.is_open for entry in entries)

        def render_now() -> None:
            _render_last_error(page)
            with show_failures(page):
                open_jobs().tend()
            with show_failures(page):
                now = open_jobs().found(matches)
                if not now or is_open != any(entry.is_open for entry in now):
                    st.rerun()  # there may be another run, and another need to look again
                for entry in now:
                    with st.container(border=True, key=f"job-{entry.job.id}"), show_failures(page):
                        render(entry)

        st.fragment(render_now, run_every=SECONDS if is_open else None)()


def render_job(entry: FoundJob, *, linked: bool = True) -> None:
    """Render one job: its name, state and buttons; until it is finished its progress and first findings as well."""
    words, colour, icon = STATES[entry.state]
    progress, samples = entry.progress, entry.job.kind == "sample"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{as_markdown(entry.job.title)}**", width="content")
        st.badge(words, icon=icon, color=colour)
        if entry.state == "finished":
            if progress is not None and progress.quality:
                st.markdown(f"Ensemble {as_markdown(progress.quality)}", width="content")
            render_buttons(entry, linked=linked)
            return
    if entry.message:
        _render_error(entry.message)
    if progress is not None and progress.total:
        _render_progress(entry, progress)
    if progress is not None and samples:
        _render_findings(entry.job.id, progress)
    render_buttons(entry, linked=linked)


def _render_error(message: str) -> None:
    st.error(as_markdown(hide_folders(without_folders(message))), icon=":material/error:")


def _render_progress(entry: FoundJob, progress: JobProgress) -> None:
    words = f"{progress.done:,} of {progress.total:,} predictions"
    left = progress.seconds_left() if entry.state == "running" else None
    if left is not None:
        left -= time.time() - progress.updated
        words += f" · about {format_duration(left)} left" if left >= 1 else " · nearly done"
    st.progress(min(1.0, progress.done / progress.total), words)


def render_buttons(entry: FoundJob, *, linked: bool = True) -> None:
    """Render the buttons that open what a job made and, for who may change runs, those that change the job.

    Args:
        entry: the job.
        linked: whether there is a link to the page that it was added on.
    """
    name, state = entry.job.id, entry.state
    with st.container(horizontal=True, width="content" if state == "finished" else "stretch"):
        if may_write() and state in ("queued", "starting", "running"):
            _button("Pause", ":material/pause:", f"pause-{name}", lambda jobs: jobs.pause(name))
        if may_write() and state in ("paused", "pausing", "failed", "died"):
            _button("Go on", ":material/play_arrow:", f"go-on-{name}", lambda jobs: jobs.go_on(name))
        has_run = entry.job.kind == "sample" and _finished_passes(entry)
        if has_run and st.button("Open the run", icon=":material/open_in_new:", key=f"open-{name}"):
            open_page(OVERVIEW, PageState(run=entry.job.run))
        if not may_write():
            return
        if linked and entry.job.address:
            label = "Open the result" if state == "finished" else "Open these examples"
            st.page_link(EXPLORE.script, label=label, icon=":material/open_in_new:", query_params=entry.job.address)
        if state == "finished":
            label = "Take off the list" if linked else "Close"
            _button(label, ":material/done:", f"forget-{name}", lambda jobs: jobs.forget(name))
        elif state != "stopping":
            with st.popover("Stop", icon=":material/stop:"):
                st.markdown(_describe_loss(entry))
                _button("Stop it", ":material/delete:", f"stop-{name}", lambda jobs: jobs.stop(name))


def _button(label: str, icon: str, key: str, change: Callable[[Jobs], object]) -> None:
    st.button(label, icon=icon, key=key, on_click=change_jobs, args=(change,))


def _describe_loss(entry: FoundJob) -> str:
    if entry.job.kind != "again" and (passes := _finished_passes(entry)):
        return f"The run keeps its {counted(passes, 'finished pass')}. Later passes are deleted."
    pause = " To keep them, pause instead." if entry.job.kind != "again" and entry.is_open else ""
    return f"The passes that it has sampled are deleted.{pause}"


def _finished_passes(entry: FoundJob) -> int:
    try:
        manifest = read_manifest(folder_at(open_jobs().run_of(entry.job)))
    except McvizError:
        return 0
    return manifest.passes if manifest.state == "finished" else 0


def _render_findings(job: str, progress: JobProgress) -> None:
    """Render the quality of the ensemble, and its most uncertain examples."""
    if not progress.top:
        return
    seen = f"of the first {progress.seen:,}" if progress.seen < progress.examples else f"of all {progress.examples:,}"
    quality = f"Ensemble {progress.quality}, {seen} examples" if progress.quality else f"{seen.capitalize()} examples"
    passes = f", after {counted(progress.passes, 'pass')} at least" if progress.passes else ""
    st.markdown(f"**{as_markdown(quality)}**{passes}. The most uncertain ones so far:")
    st.dataframe(
        _table(progress), hide_index=True, key=f"top-{job}", row_height=44, height="content",
        column_config={"shown": st.column_config.ImageColumn("", width="small")},
    )  # fmt: skip


def _table(progress: JobProgress) -> pd.DataFrame:
    score, top = TASKS[progress.task].scores[progress.score], progress.top

    def in_words(value: float | None) -> str:
        if value is None:
            return ""
        return one_line(progress.names[int(value)]) if progress.names else format_with_unit(value, progress.unit)

    columns = {"example": [one_line(example.id) or str(example.example) for example in top]}
    if all(example.shown.startswith("data:") for example in top):
        columns = {"shown": [example.shown for example in top], **columns}
    elif any(example.shown for example in top):
        columns["text"] = [one_line(example.shown) for example in top]
    if any(example.label is not None for example in top):
        columns["label"] = [in_words(example.label) for example in top]
    columns["predicted"] = [in_words(example.prediction) for example in top]
    columns[score.label] = [score.format(example.score, progress.unit) for example in top]
    return pd.DataFrame({**columns, "passes": [example.passes for example in top]})
