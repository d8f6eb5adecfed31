"""The pinned examples, side by side."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from mcviz.app.components.charts import chart, example_picture
from mcviz.app.navigation import EXAMPLE, SIDE_BY_SIDE, begin, open_page
from mcviz.app.resources import class_names, label_of, table
from mcviz.app.state import PINS, PageState, go
from mcviz.app.wording import all_as_markdown, as_sentence, votes
from mcviz.figures import class_probabilities
from mcviz.measures import SCORES, PassSummary, percent, summarise
from mcviz.runs import Run


def pinned_example(run: Run, state: PageState, example: int) -> None:
    """One pinned example, with buttons to open and to unpin it."""
    probs, row = run.probs(example), table(run).iloc[example]
    summary, label, names = summarise(probs), label_of(run, example), class_names(run)
    example_picture(run, example, width=180)
    with st.container(horizontal=True, gap="xsmall"):
        if st.button(f"Example {example}", key=f"open-{example}", icon=":material/open_in_new:"):
            open_page(EXAMPLE, state, example=example)
        rest = tuple(other for other in state.pinned if other != example)
        st.button("Unpin", key=f"unpin-{example}", icon=":material/keep_off:", on_click=go, kwargs={"pinned": rest})
    st.markdown(headline(summary, label, names))
    chart(
        class_probabilities(summary, names, label).update_layout(showlegend=False, height=260),
        f"classes-{example}",
        f"Bar chart of the mean of each class: {votes(summary, names)}.",
    )
    st.table(
        pd.DataFrame(
            {"score": [score.label for score in SCORES.values()], "value": [SCORES[n].format(row[n]) for n in SCORES]}
        ).set_index("score")
    )
    st.caption(as_sentence(votes(summary, all_as_markdown(names))))


def headline(summary: PassSummary, label: int | None, class_names: Sequence[str]) -> str:
    """Label and prediction as one line in Markdown, short enough that what follows is level in all columns."""
    names, probability = all_as_markdown(class_names), summary.mean[summary.prediction]
    prediction = f"predicted **{names[summary.prediction]}**, {percent(probability)}"
    if label is None:
        return prediction
    return f"label **{names[label]}** · {'' if summary.prediction == label else '✗ '}{prediction}"


run, state = begin(SIDE_BY_SIDE)
if not state.pinned:
    st.info(
        f"Nothing is pinned yet. Open an example and press Pin to compare up to {PINS} here.",
        icon=":material/keep:",
    )
    if st.button("Open the most uncertain example", icon=":material/arrow_forward:"):
        open_page(EXAMPLE, state)
for column, example in zip(st.columns(max(len(state.pinned), 1), gap="medium"), state.pinned, strict=False):
    with column:
        pinned_example(run, state, example)
