"""One example and the predictions of all passes for it."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.analysis.layouts import similarity_basis
from mcviz.app.components import PICTURE, arrow_keys, keys, text_table
from mcviz.app.components.gallery import explain_example, send_steps_ahead, tiles, toggle_mark
from mcviz.app.explain import explanations_for
from mcviz.app.filters import Filters
from mcviz.app.kinds import render_example
from mcviz.app.navigation import EXAMPLE, SIDE_BY_SIDE, begin, chips, open_page, score_chooser
from mcviz.app.resources import available, details, format_facts, ranking, run_scores, table
from mcviz.app.selection import Selection, components, find_rank, select
from mcviz.app.state import (
    CONFIDENT_FIRST,
    PINS,
    PageState,
    choose_name,
    choose_segment,
    latest_state,
    quote,
    state_widget_args,
    toggle_example,
    update_state,
)
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import CloserLook, ExampleContext, load_example
from mcviz.app.wording import all_as_markdown, as_inline_markdown, as_markdown, ranking_end_labels
from mcviz.measures.similarity import most_similar
from mcviz.runs import Run

SIMILAR = 6
STEPS = {-1: "step-back", 1: "step-forward"}  # the keys of the buttons
MOST_FACTS = 8  # columns of the user's own, above which their table scrolls
FACTS_HEIGHT = 320  # pixels


def render_stepper(selection: Selection, example: int) -> None:
    """Render controls to step through the selection, and the rank."""
    examples = selection.examples
    rank = find_rank(example, examples)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="stepper"):
        st.number_input("Example", 0, len(selection.run) - 1, width=140, **state_widget_args("example", example))
        score_chooser("Ranked by", selection.run, selection.state)
        for label, icon, step in (
            ("Previous", ":material/arrow_back:", -1),
            ("Next", ":material/arrow_forward:", 1),
        ):
            is_end = not 0 <= rank + step < len(examples)
            st.button(
                label, icon=icon, key=STEPS[step], disabled=is_end, on_click=follow,
                args=(examples, example, (step, False)),
            )  # fmt: skip
        st.button(
            "Random", icon=":material/casino:", key="random", disabled=not len(examples), on_click=go_to_random,
            args=(examples,), help="Key R",
        )  # fmt: skip
        keys({"r": "random"})
        arrow_keys(partial(follow, examples, example))
    if selection.state.unknown_example:
        st.warning(
            f"There is no example {quote(selection.state.unknown_example)} in this run: its examples are 0 to "
            f"{len(selection.run) - 1:,}. This is the most uncertain one, example {example:,}.",
            icon=":material/link_off:",
        )
    if selection.filters != Filters():
        chips(selection)
    st.caption(f"{describe_rank(selection, rank)} Keys: ← previous, → next, R random, F flag.")


def describe_rank(selection: Selection, rank: int) -> str:
    """Describe an example's rank, negative outside the selection."""
    if len(selection.examples) == 0:
        return "No example matches all of these filters, so there is none to step through. Take one off."
    score = run_scores(selection.run)[selection.score]
    order = f", {ranking_end_labels(score)[1]} first" if selection.state.order == CONFIDENT_FIRST else ""
    by = f"by {score.inline_label}{order}"
    if rank < 0:
        return f"This example does not match the filters; Next goes to the first that does, {by}."
    matching = " matching" if selection.filters != Filters() else ""
    return f"Rank **{rank + 1:,}** of {len(selection.examples):,}{matching} {by}."


def follow(examples: np.ndarray, first: int, *moves: tuple[int, bool]) -> None:
    """Step through the selection, and flag examples on the way.

    Args:
        examples: (n,) numbers in their order; no step is made where there is none.
        first: the example of an address that names none.
        moves: how many steps, back where negative, and whether to flag what they lead to, or to take its flag off. A
            step on from an example that is not among these leads to the first.
    """
    before = opened = _opened(first)
    flagged = latest_state().flagged
    for steps, is_marked in moves:
        if steps and len(examples):
            rank = find_rank(opened, examples) + steps
            opened = int(examples[np.clip(rank, 0, len(examples) - 1)])
        if is_marked:
            flagged = toggle_example(flagged, opened)
    changes: dict[str, Any] = {} if opened == before else {"example": opened}
    update_state(flagged=flagged, **changes)


def _opened(first: int) -> int:
    opened = latest_state().example
    return first if opened is None else opened


def go_to_random(examples: np.ndarray) -> None:
    """Open one of these examples at random."""
    update_state(example=int(np.random.default_rng().choice(examples)))


def render_marks(state: PageState, example: int) -> None:
    """Render buttons to flag and pin an example."""
    flagged, pinned = state.flagged, state.pinned
    with st.container(horizontal=True, gap="small"):
        st.button(
            "`F` " + (f"Flagged ({len(flagged)})" if example in flagged else "Flag"),
            key="flag",
            icon=":material/flag:",
            type="primary" if example in flagged else "secondary",
            on_click=lambda: toggle_mark("flag", _opened(example)),
            help="Flagged examples are kept in the address; Explore shows them on demand.",
        )
        full = example not in pinned and len(pinned) >= PINS
        st.button(
            "Unpin" if example in pinned else "Pin",
            key="pin",
            icon=":material/keep:",
            disabled=full,
            on_click=lambda: toggle_mark("pin", _opened(example)),
            help=f"Only {PINS} examples fit side by side." if full else "Pin examples to compare them side by side.",
        )
        if pinned and st.button(f"Compare {len(pinned)}", icon=":material/compare:"):
            open_page(SIDE_BY_SIDE, state)


def render_scores(run: Run, row: "pd.Series[float]", example: int) -> None:
    """Render all scores of an example with ranks."""
    scores = run_scores(run)
    rows = [
        (score.label, as_markdown(score.format(row[name])), f"{find_rank(example, ranking(run, name)) + 1:,}")
        for name, score in scores.items()
    ]
    text_table(("score", "value", "rank"), rows)


def render_columns(run: Run, row: "pd.Series[float]") -> None:
    """Render the id and the user's columns of an example."""
    facts = format_facts(details(run), row)
    if facts:
        with st.container(height=FACTS_HEIGHT if len(facts) > MOST_FACTS else "content", border=False):
            text_table(("column", "value"), map(all_as_markdown, facts))


def render_similar(context: ExampleContext) -> None:
    """Render the most similar examples, by features or the examples themselves."""
    nearest = most_similar(components(context.run), context.example, SIMILAR)
    if len(nearest) == 0:
        st.caption("This run has no other example.")
        return
    st.caption(f"The examples with the nearest {similarity_basis(context.run)}. Click one to open it.")
    tiles(context.run, context.state, nearest, None, context.state.score, key="similar")


def render_closer_look(context: ExampleContext) -> None:
    """Render a choice of available closer looks, and the chosen one."""
    similar = CloserLook("Similar examples", render_similar, needs={"examples or features"})
    looks = {"similar": similar, **explanations_for(context.run), **task_renderer(context.run).closer_looks()}
    names = available(looks, context.run)
    if not names:
        return
    name = choose_name(context.state.closer_look, names)
    choose_segment("A closer look", "closer_look", name, {look: looks[look].label for look in names})
    looks[name].show(context)


def steps_from(example: int, examples: np.ndarray) -> dict[str, int]:
    """Return neighbouring examples by the keys of their buttons."""
    rank = find_rank(example, examples)
    return {key: int(examples[rank + step]) for step, key in STEPS.items() if 0 <= rank + step < len(examples)}


def open_example(run: Run, state: PageState) -> int:
    """Return the example of the address, or the most uncertain one."""
    return int(ranking(run, run.first_score)[0]) if state.example is None else state.example


def describe_example(run: Run, state: PageState) -> str:
    """Describe prediction and uncertainty of an example."""
    example, score = open_example(run, state), run_scores(run)[state.score]
    row = table(run).iloc[example]
    described = task_renderer(run).phrases.describe_example(run, row.to_dict())
    value = as_inline_markdown(score.format(row[state.score]))
    return f"Example {example} {described}. Its {score.inline_label} is {value}."


run, state = begin(EXAMPLE, describe_example)
renderer = task_renderer(run)
example = open_example(run, state)
selection = select(run, state)
render_stepper(selection, example)
context = load_example(run, state, example)

drawn = renderer.draws_examples(run)
columns = st.columns([5, 2] if drawn else [2, 5], gap="large")
charts, words = columns if drawn else reversed(columns)  # the example comes first, on a phone, too
with words:
    if not drawn:
        with st.container(key=PICTURE):
            render_example(run, example)
    render_marks(state, example)
    renderer.render_summary(context)
    render_columns(run, context.row)
    st.markdown("**Each score, and the example's rank by it**")
    render_scores(run, context.row, example)
with charts:
    renderer.render_charts(context)
    render_closer_look(context)
send_steps_ahead(run, steps_from(example, selection.examples), partial(explain_example, run, state))
