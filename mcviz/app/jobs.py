"""Jobs on a page: state, progress and findings; and models and data for them."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components import text_table
from mcviz.app.navigation import EXPLORE, OVERVIEW, RUNS, open_page
from mcviz.app.resources import check_needs, open_cached_run, run_scores, table
from mcviz.app.selection import Selection
from mcviz.app.state import PageState, mark_dirty, session_store
from mcviz.app.wording import all_as_markdown, as_markdown, counted, ranking_end_labels
from mcviz.app.work import hide_folders, refusal, show_failures
from mcviz.data.sources import is_idx
from mcviz.errors import McvizError
from mcviz.jobs import FoundJob, Job, JobProgress, Jobs, JobState
from mcviz.jobs.of_run import can_be_sampled, options_of_more
from mcviz.measures import most_uncertain_first
from mcviz.measures.quality import count_shared, rank_correlation
from mcviz.options import format_arguments
from mcviz.permission import may_write
from mcviz.runs import Run
from mcviz.runs.folder import cache_folder
from mcviz.runs.manifest_file import read_manifest
from mcviz.runs.storage import folder_at
from mcviz.tasks import TASKS
from mcviz.text import fixed, format_duration, format_with_unit, one_line

SECONDS = 1.0  # between two looks
MOST_PASSES, HIGHEST_SEED = 1_000_000, 2**32 - 1  # that a page asks for
TROUBLE = "jobs-trouble"  # of the session: the error of the last change
# Of examples that are sampled again.
FIRST = 10  # examples of the ranking, and a tenth of it
FEWEST = 3  # examples, of which a ranking says something
LISTED = 25

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

MODELS, DATA = "MCVIZ_MODELS", "MCVIZ_DATA"  # folders, separated as in PATH
SUFFIXES = (".npz", ".npy", ".csv", ".tsv", ".parquet", ".jsonl")
MOST = 500  # that are taken of a folder


def without_folders(message: str) -> str:
    """Strip the operator's folders from a path."""
    for folder in (*folders(MODELS), *folders(DATA)):
        message = message.replace(f"{folder}/", "")
    return message


def open_jobs() -> Jobs:
    """Return the jobs of the runs that are shown."""
    return Jobs(cache_folder())


def change_jobs(change: Callable[[Jobs], object], trouble: str = TROUBLE) -> None:
    """Change jobs in a callback; errors are shown on the page.

    Args:
        change: does it.
        trouble: the name in the session of an error, which says where on the page it is shown.
    """
    mark_dirty()
    try:
        change(open_jobs())
    except McvizError as error:
        session_store()[trouble] = error


def render_last_error(page: str, trouble: str = TROUBLE) -> None:
    """Render the error of the last change, if any."""
    if (error := session_store().pop(trouble, None)) is not None:
        st.error(refusal(error, page), icon=":material/error:")


def render_jobs(page: str) -> None:
    """Render all jobs and errors of damaged ones."""
    with show_failures(page):
        for message in open_jobs().damaged():
            _render_error(f"A job is damaged, and nothing of it was changed. {message}")
    render_live_jobs(page, lambda _: True, render_job, "Jobs")


def render_live_jobs(
    page: str, matches: Callable[[Job], bool], render: Callable[[FoundJob], None], heading: str = ""
) -> None:
    """Render jobs repeatedly while one may change.

    Args:
        page: the title of the page.
        matches: whether a job is one of them.
        render: renders one.
        heading: above them, where there is one.
    """
    render_last_error(page)
    with show_failures(page):
        entries = open_jobs().found(matches)
        if not entries:
            return
        if heading:
            st.header(heading, anchor=False)
        is_open = any(entry.is_open for entry in entries)

        def render_now() -> None:
            render_last_error(page)
            with show_failures(page):
                open_jobs().tend()
            with show_failures(page):
                now = open_jobs().found(matches)
                for entry in now:
                    with st.container(border=True, key=f"job-{entry.job.id}"), show_failures(page):
                        render(entry)
                if not now or is_open != any(entry.is_open for entry in now):
                    st.rerun()  # there may be another run, and another need to look again; after a click was heard

        st.fragment(render_now, run_every=SECONDS if is_open else None)()


def render_job(entry: FoundJob, *, linked: bool = True) -> None:
    """Render a job: name, state, buttons, and progress with first findings."""
    _, colour, icon = STATES[entry.state]
    progress = entry.progress
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{as_markdown(entry.job.title)}**", width="content")
        st.badge(describe_work(entry), icon=icon, color=colour)
        if entry.state == "finished":
            if progress is not None and progress.quality:
                st.markdown(f"Ensemble {as_markdown(progress.quality)}", width="content")
            render_buttons(entry, linked=linked)
            return
    if entry.message:
        _render_error(entry.message)
    if progress is not None:
        if progress.total and progress.examples:
            _render_progress(entry, progress)
        if progress.advice and entry.state == "paused":
            st.warning(as_markdown(f"{progress.advice} Nothing is sampled yet."), icon=":material/warning:")
        if progress.found:
            *_, costs = progress.found.items()
            with st.expander(as_markdown(f"Model and data were checked. {': '.join(costs)}")):
                text_table(("what", "found"), map(all_as_markdown, progress.found.items()))
        if entry.job.kind == "sample":
            _render_findings(entry.job.id, progress)
    render_buttons(entry, linked=linked)


def describe_work(entry: FoundJob) -> str:
    """Describe the state of a job; of one at work its step and the time since it began."""
    words, progress = STATES[entry.state][0], entry.progress
    if progress is None or not entry.alive or entry.state not in ("starting", "running"):
        return words
    return f"{progress.step or words} · {format_duration(time.time() - progress.started)}"


def _render_error(message: str) -> None:
    st.error(as_markdown(hide_folders(without_folders(message))), icon=":material/error:")


def _render_progress(entry: FoundJob, progress: JobProgress) -> None:
    examples = progress.examples
    passes = max(1, progress.total // examples)
    words = (
        f"{progress.done // examples:,} of {counted(passes, 'pass')} over {counted(examples, 'example')}"
        if TASKS[progress.task].keeps_passes  # or else all passes of some examples come first
        else f"{progress.done // passes:,} of {counted(examples, 'example')} in {counted(passes, 'pass')} each"
    )
    left = progress.seconds_left() if entry.state == "running" else None
    if left is not None:
        left -= time.time() - progress.updated
        words += f" · about {format_duration(left)} left" if left >= 1 else " · nearly done"
    st.progress(min(1.0, progress.done / progress.total), words)


def render_buttons(entry: FoundJob, *, linked: bool = True) -> None:
    """Render buttons to open results and, with permission, to change a job.

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
        # Not of a job at work: when that ends, the button would move away from under the pointer.
        has_run = entry.job.kind == "sample" and not entry.is_open and _finished_passes(entry)
        if has_run and st.button("Open", icon=":material/open_in_new:", key=f"open-{name}"):
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
    if not progress.top:
        return
    seen = f"of the first {progress.seen:,}" if progress.seen < progress.examples else f"of all {progress.examples:,}"
    quality = f"Ensemble {progress.quality}, {seen} examples" if progress.quality else f"{seen.capitalize()} examples"
    passes = f", after {counted(progress.passes, 'pass')} at least" if progress.passes else ""
    st.markdown(f"**{as_markdown(quality)}**{passes}.")
    with st.expander("The most uncertain ones so far"):
        st.dataframe(
            _table(progress), hide_index=True, key=f"top-{job}", row_height=44, height="content",
            column_config={"shown": st.column_config.ImageColumn("picture", width="small")},
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


def render_resample_form(selection: Selection, leave: Callable[..., None]) -> None:
    """Render the purpose and the button of sampling again.

    Args:
        selection: the examples.
        leave: calls what it is given, in a callback, and closes the form.
    """
    count = len(selection.examples)
    st.caption(
        "As many fresh passes of the run's own model, with the next seed, show how much of the ranking is chance. For "
        f"another seed or other passes, make a run of these examples on {RUNS.title}."
    )
    if not check_needs(selection.run, {"model"}):
        return
    if count < FEWEST:
        st.caption(f"It takes {FEWEST} examples at least.")
        return
    is_open = any(entry.is_open for entry in open_jobs().found(partial(_is_of, selection)))
    st.button(
        "Sample these again", icon=":material/replay:", key="again", type="primary", on_click=leave, disabled=is_open,
        args=(change_jobs, partial(_start, selection)),
    )  # fmt: skip


def render_resample_status(selection: Selection) -> None:
    """Render progress or result of sampling this selection again."""
    render_live_jobs(EXPLORE.title, partial(_is_of, selection), partial(_shown, selection))


def can_resample(run: Run) -> bool:
    """Return whether a model can sample the examples again."""
    return run.manifest.seed is not None and can_be_sampled(run)


def _shown(selection: Selection, entry: FoundJob) -> None:
    if entry.state == "finished":
        _render_result(selection, entry)
        render_buttons(entry, linked=False)
    else:
        render_job(entry, linked=False)


def _start(selection: Selection, jobs: Jobs) -> None:
    run, examples = selection.run, np.sort(selection.examples)
    assert run.manifest.seed is not None  # as `can_resample` says
    seed = (run.manifest.seed + 1) % HIGHEST_SEED
    options = format_arguments(options_of_more(run, seed=seed, passes=run.passes, keep=False))
    jobs.add(
        "again", options, run.name, f"{counted(len(examples), 'example')} of {run.name}, again with seed {seed}",
        examples=examples.tolist(),
        about={"digest": run.digest, "examples": _digest(examples)}, address=selection.state.to_query(),
    )  # fmt: skip


def _is_of(selection: Selection, job: Job) -> bool:
    if job.kind != "again" or job.about.get("digest") != selection.run.digest:
        return False
    return job.about.get("examples") == _digest(np.sort(selection.examples))


def _digest(examples: np.ndarray) -> str:
    return hashlib.sha256(examples.astype(np.int64).tobytes()).hexdigest()[:32]


def _render_result(selection: Selection, entry: FoundJob) -> None:
    examples, run = np.sort(selection.examples), selection.run
    try:
        again = open_cached_run(open_jobs().run_of(entry.job))
        fresh = again.scores()
    except McvizError:
        st.error("What was sampled is not there any more. Take it off the list, and sample again.")
        return
    first = table(run).iloc[examples].reset_index(drop=True)
    names = [name for name in run_scores(run) if name in fresh]
    sizes = _sizes(len(examples))
    name = selection.score if selection.score in names else names[0]
    orders, score = _orders(run, first, fresh, name), run_scores(run)[name]
    shared, first_ones = count_shared(*orders, sizes[0]), f"{sizes[0]:,} {ranking_end_labels(score)[0]}"
    st.markdown(
        f"**Sampled again: {shared:,} of the {first_ones} are again among the {first_ones}** by {score.inline_label}, "
        f"in {counted(again.passes, 'pass')} with seed {again.manifest.seed}."
    )
    details = st.expander("By every score, and example by example", key="again-details", on_change="rerun")
    if details.open:
        with details:
            _by_score(run, first, fresh, names, sizes)
            _by_example(run, examples, first, fresh, name, *orders)


def _orders(run: Run, first: pd.DataFrame, fresh: pd.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray]:
    one, other = (most_uncertain_first(name, scores[name].to_numpy(), run.score_registry) for scores in (first, fresh))
    return one, other


def _sizes(count: int) -> list[int]:
    """Return ten, and a tenth of the examples if that is more."""
    few = min(FIRST, count // 2)
    return sorted({max(1, few), max(1, few, round(count / 10))})


def _by_score(run: Run, first: pd.DataFrame, fresh: pd.DataFrame, names: list[str], sizes: list[int]) -> None:
    rows: dict[str, dict[str, str]] = {}
    for name in names:
        orders = _orders(run, first, fresh, name)
        correlation = rank_correlation(first[name].to_numpy(), fresh[name].to_numpy())
        rows[run_scores(run)[name].label] = {
            **{f"of the first {size:,}, again": f"{count_shared(*orders, size):,}" for size in sizes},
            "rank correlation": "–" if correlation is None else fixed(correlation, 3),
        }
    rows["by chance"] = {
        **{f"of the first {size:,}, again": f"{size * size / len(first):.1f}" for size in sizes},
        "rank correlation": "0",
    }
    st.table(pd.DataFrame.from_dict(rows, orient="index"))


def _by_example(
    run: Run,
    examples: np.ndarray,
    first: pd.DataFrame,
    fresh: pd.DataFrame,
    name: str,
    order: np.ndarray,
    other: np.ndarray,
) -> None:
    score = run_scores(run)[name]
    ranks = np.empty(len(examples), int)
    ranks[other] = np.arange(1, len(examples) + 1)
    listed = order[:LISTED]
    st.dataframe(
        pd.DataFrame(
            {
                "rank": np.arange(1, len(listed) + 1),
                "rank again": ranks[listed],
                "example": examples[listed],
                score.label: [score.format(value, run.manifest.unit) for value in first[name].to_numpy()[listed]],
                "again": [score.format(value, run.manifest.unit) for value in fresh[name].to_numpy()[listed]],
            }
        ),
        hide_index=True,
        key="again-examples",
    )


def folders(variable: str) -> list[Path]:
    """Return the folders of an environment variable."""
    return [Path(name).resolve() for name in os.environ.get(variable, "").split(os.pathsep) if name]


def list_offered(variable: str, entries: Callable[[Path], Iterator[Path]]) -> dict[str, Path]:
    """List the operator's offers by name, without hidden files and links that lead out; the first of a name counts.

    Args:
        variable: `MODELS` or `DATA`.
        entries: those of a folder that are meant.
    """
    offered: dict[str, Path] = {}
    for folder in folders(variable):
        try:
            paths = sorted(path for path in entries(folder) if not _hidden(path.relative_to(folder)))[:MOST]
        except OSError:  # it is gone, or may not be read
            continue
        for path in paths:
            if path.resolve().is_relative_to(folder):
                offered.setdefault(str(path.relative_to(folder)), path)
    return offered


def offered_data() -> dict[str, Path]:
    """Return folders, arrays and tables below `MCVIZ_DATA`."""
    return list_offered(DATA, lambda folder: filter(_is_data, folder.iterdir()))


def _is_data(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in SUFFIXES or is_idx(path)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
