"""Noise many times: its pictures, what they are taken for and how many are stopped; from findings that were kept."""

from typing import cast

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.components.gallery import input_tiles
from mcviz.app.kinds import kind_renderer
from mcviz.app.navigation import OVERVIEW, PROBE, link_to
from mcviz.app.probe.inputs import InputKind, SweepInputs
from mcviz.app.probe.sweep import (
    DEFAULT_INPUTS,
    Sweep,
    continue_on_request,
    find_sweep,
    render_comparison,
    start_sweep,
    summarize,
)
from mcviz.app.resources import has
from mcviz.app.state import PageState, update_state
from mcviz.app.tasks import task_renderer
from mcviz.app.wording import as_markdown, as_sentence
from mcviz.runs import Run

TILES = 24
PASSING = 12  # of them, at most, where others are stopped
WORDS = 6  # tiles of texts and rows, which take more room


def noise_kind(run: Run) -> InputKind | None:
    """Return the inputs of a run's kind that are noise; None where there are none."""
    return next((kind for kind in kind_renderer(run).inputs.values() if kind.is_noise), None)


def noise_inputs(run: Run, state: PageState) -> SweepInputs:
    """Return noise as the state says; of a run whose kind has some."""
    kind = cast("InputKind", noise_kind(run))
    assert kind.sweep is not None
    return kind.sweep(run, state)


def is_looked_at(state: PageState, sweep: Sweep | None) -> bool:
    """Return whether one input is looked at: by its seed, or since an address names it and no findings of many."""
    return state.seed is not None or (sweep is None and (state.noise != "" or state.strength != 1))


def render_tiles(run: Run, state: PageState, inputs: SweepInputs, sweep: Sweep | None) -> None:
    """Render some of the inputs as tiles, those first that are not stopped; a click looks at one."""
    pictures = run.kind.has_images
    most, first = TILES if pictures else WORDS, PASSING if pictures else WORDS // 2
    current = state.seed if is_looked_at(state, sweep) else None
    if sweep is None or not sweep.done:
        st.caption(f"{most} of the {inputs.kind}. Click one to see what is predicted for it.")
        _render_group(run, inputs, list(range(most)), None, current)
        return
    order = np.argsort(-task_renderer(run).prominence(sweep.scores, sweep.correct), kind="stable")
    passing, stopped = ([int(number) for number in order if sweep.is_ood[number] == side] for side in (False, True))
    shown = passing[: max(first, most - len(stopped))]
    for name, numbers, listed in (
        ("Not stopped", passing, shown),
        ("Stopped", stopped, stopped[: most - len(shown)]),
    ):
        if numbers:
            few = "" if len(listed) == len(numbers) else f"{len(listed)} of them, "
            st.markdown(f"**{name}: {len(numbers):,}** · {few}{task_renderer(run).prominent_first}")
            _render_group(run, inputs, listed, sweep, current)


def render_findings(run: Run, state: PageState, sweep: Sweep) -> None:
    """Render what is predicted for the inputs of a sweep, and a score of theirs beside that of the run's examples."""
    st.markdown(f"**What is predicted for {sweep.done:,} {sweep.inputs.kind}**")
    st.caption(as_markdown(as_sentence(sweep.inputs.name)))
    figure = task_renderer(run).sweep_figure(run, state, sweep)
    chart(figure, "sweep-predictions", " ".join(task_renderer(run).describe_sweep(run, sweep)))
    render_comparison(run, state, sweep)


def render_noise_summary(run: Run) -> None:
    """Render what noise is most often taken for and how much of it is stopped, or a button to find out.

    Nothing is rendered for a run of whose kind no noise is known, and for one without a model whose findings were not
    kept.
    """
    if noise_kind(run) is None:
        return
    inputs = noise_inputs(run, PageState())
    sweep = find_sweep(run, inputs)
    if sweep is None and not has(run, "model"):
        return
    st.header("What it makes of noise", anchor=False)
    requested = continue_on_request(run, OVERVIEW)
    words = st.container()
    if run.kind.has_images:
        left, words = st.columns([1, 4], gap="small", vertical_alignment="center")
        with left:
            kind_renderer(run).render_small(run, inputs.load(0, 1)[0], f"One of the {inputs.kind}")
    with words:
        if sweep is not None and sweep.done:
            st.markdown(as_markdown(summarize(run, sweep)))
        elif not requested:
            st.caption(
                f"What does the model predict for {inputs.kind}, and does it notice? It takes up to a minute, and the "
                "result is kept."
            )
            label = f"Predict {DEFAULT_INPUTS} {inputs.kind}"
            st.button(label, icon=":material/grain:", key="noise-summary", on_click=start_sweep, args=(inputs,))
        link_to(PROBE, "More on noise", ":material/arrow_forward:")


def _render_group(run: Run, inputs: SweepInputs, numbers: list[int], sweep: Sweep | None, current: int | None) -> None:
    contents = np.concatenate([inputs.load(number, number + 1) for number in numbers])
    scores = {} if sweep is None else sweep.scores
    rows = [{name: values[number] for name, values in scores.items()} for number in numbers]
    key = "noise-tiles" if sweep is None else f"noise-tiles-{sweep.is_ood[numbers[0]]}"
    input_tiles(run, contents, numbers, rows, f"{inputs.name}, number", current, _look, key)


def _look(number: int) -> None:
    update_state(seed=number)
