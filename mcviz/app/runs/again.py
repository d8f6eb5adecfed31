"""Examples that are sampled again with another seed, to see whether their ranking holds."""

import hashlib
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.navigation import EXPLORE, RUNS
from mcviz.app.resources import check_needs, open_cached_run, run_scores, table
from mcviz.app.runs.jobs import HIGHEST_SEED, change_jobs, open_jobs, render_buttons, render_job, render_live_jobs
from mcviz.app.selection import Selection
from mcviz.app.wording import counted, ranking_end_labels
from mcviz.errors import McvizError
from mcviz.jobs import FoundJob, Job, Jobs
from mcviz.jobs.of_run import can_be_sampled, options_of_more
from mcviz.measures import fixed, most_uncertain_first
from mcviz.measures.quality import count_shared, rank_correlation
from mcviz.options import format_arguments
from mcviz.runs import Run

FIRST = 10  # examples of the ranking, and a tenth of it
FEWEST = 3  # examples, of which a ranking says something
LISTED = 25


def render_resample_form(selection: Selection, leave: Callable[..., None]) -> None:
    """Render what sampling again is for, and its button.

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
    """How far the sampling of this very selection is, or what came of it; nothing where it was not sampled again."""
    render_live_jobs(EXPLORE.title, partial(_is_of, selection), partial(_shown, selection))


def can_resample(run: Run) -> bool:
    """Whether there is a model that can sample a run's examples again."""
    return run.manifest.seed is not None and can_be_sampled(run)


def _shown(selection: Selection, entry: FoundJob) -> None:
    if entry.state == "finished":
        _result(selection, entry)
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


def _result(selection: Selection, entry: FoundJob) -> None:
    """Whether the ranking holds: in a sentence, by every score, and example by example."""
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
    """The examples by a score, most uncertain first, of the run and of the fresh passes."""
    one, other = (most_uncertain_first(name, scores[name].to_numpy(), run.score_registry) for scores in (first, fresh))
    return one, other


def _sizes(count: int) -> list[int]:
    """How many first examples are looked at: ten, and a tenth where that is more; fewer of a small selection."""
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
    """The first of the ranking with both their ranks and values."""
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
