"""The pinned examples side by side, or the most uncertain ones."""

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from mcviz.app.kinds import render_example
from mcviz.app.navigation import EXAMPLE, SIDE_BY_SIDE, begin, open_page, target_chooser
from mcviz.app.resources import details, format_facts, ranking, run_scores, table
from mcviz.app.state import PINS, PageState, latest_state, update_state
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import load_example
from mcviz.app.wording import as_markdown, counted
from mcviz.runs import Run

PINNED_WIDTH = 180  # pixels, of an example
FIRST = 2  # of the ranking, where none is pinned


def render_pinned(run: Run, state: PageState, example: int) -> None:
    """Render an example with buttons to open and unpin it."""
    if not task_renderer(run).draws_examples(run):
        render_example(run, example, PINNED_WIDTH)
    with st.container(horizontal=True, gap="xsmall"):
        if st.button(f"Example {example}", key=f"open-{example}", icon=":material/open_in_new:"):
            open_page(EXAMPLE, state, example=example)
        if state.pinned:
            st.button("Unpin", icon=":material/keep_off:", key=f"unpin-{example}", on_click=unpin, args=(example,))
    task_renderer(run).render_pinned(load_example(run, state, example))


def unpin(example: int) -> None:
    """Unpin an example in a callback."""
    update_state(pinned=tuple(other for other in latest_state().pinned if other != example))


def render_differences(run: Run, pinned: tuple[int, ...]) -> None:
    """Render scores and columns, one example a column, differences in bold."""
    rows, examples, own = {}, table(run).iloc[list(pinned)], details(run)
    for name, score in run_scores(run).items():
        values = examples[name].to_numpy()
        most = values.min() if score.uncertain_when == "low" else values.max()
        texts = [score.format(value) for value in values]
        rows[score.label] = embolden((values == most) & (len(set(texts)) > 1), texts)
    facts_of_examples = [dict(format_facts(own, row)) for row in examples.to_dict("records")]
    for name in facts_of_examples[0]:
        texts = [facts[name] for facts in facts_of_examples]
        alone = [len(texts) > 1 and texts.count(text) == 1 for text in texts]
        rows[as_markdown(name)] = embolden(alone, texts)
    if len(pinned) > 1:
        st.header("Where they differ", anchor=False)
        in_columns = " and, in your own columns, a value that none of the others has" if own else ""
        st.caption(f"Bold marks the most uncertain by each score{in_columns}.")
    differences = pd.DataFrame.from_dict(rows, "index", columns=[f"example {example}" for example in pinned])
    st.table(differences.rename_axis("score or column" if own else "score"))


def embolden(marked: Iterable[bool], texts: Iterable[str]) -> list[str]:
    """Return texts as Markdown, the marked ones in bold."""
    pairs = zip(marked, map(as_markdown, texts), strict=True)
    return [f"**{text}**" if bold and text else text for bold, text in pairs]


def count_pinned(run: Run, state: PageState) -> str:
    """Describe the number of pinned or shown examples."""
    if not state.pinned:
        return "No example is pinned: these are the most uncertain ones."
    return f"{len(state.pinned)} of {counted(len(run), 'example')} {'is' if len(state.pinned) == 1 else 'are'} pinned."


run, state = begin(SIDE_BY_SIDE, count_pinned)
examples = state.pinned or tuple(ranking(run, run.first_score)[:FIRST].tolist())
if not state.pinned:
    st.info(
        f"Up to {PINS} pinned examples stand here side by side. Pin them on Explore or on their own page.",
        icon=":material/keep:",
    )
    st.button("Pin these", icon=":material/keep:", key="pin-these", on_click=update_state, kwargs={"pinned": examples})
target_chooser(run, state)
with st.container(key="side-by-side"):
    columns = st.columns(len(examples), gap="medium")
for column, example in zip(columns, examples, strict=True):
    with column:
        render_pinned(run, state, example)
render_differences(run, examples)
