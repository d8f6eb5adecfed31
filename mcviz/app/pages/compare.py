"""The pinned examples, side by side."""

import pandas as pd
import streamlit as st

from mcviz.app import address
from mcviz.app.parts import EXAMPLE, chart, chosen_score, open_page, pictured, title
from mcviz.app.resources import current_run
from mcviz.app.wording import answer, judged, score_value, votes
from mcviz.figures import class_probabilities
from mcviz.measures import SCORES, summarise
from mcviz.runs import Run


def example(run: Run, image: int, pinned: list[int]) -> None:
    """One pinned example, with buttons to open it and to let it go."""
    probs, row = run.probs(image), run.scores().iloc[image]
    label = None if pd.isna(row["label"]) else int(row["label"])
    pictured(run, image, width=180)
    with st.container(horizontal=True, gap="xsmall"):
        if st.button(f"Image {image}", key=f"open-{image}", icon=":material/open_in_new:"):
            open_page(EXAMPLE, image=image)
        rest = ",".join(str(other) for other in pinned if other != image) or None
        st.button("Unpin", key=f"unpin-{image}", icon=":material/keep_off:", on_click=address.go, kwargs={"pins": rest})
    st.markdown(f"{answer(probs, run.class_names)} {judged(int(row['prediction']), label, run.class_names)}")
    chart(
        class_probabilities(summarise(probs), run.class_names, label).update_layout(showlegend=False, height=260),
        f"classes-{image}",
        f"Bar chart of the mean of each class: {votes(probs, run.class_names)}.",
    )
    st.table(
        pd.DataFrame(
            {"score": [score.label for score in SCORES.values()], "value": [score_value(n, row[n]) for n in SCORES]}
        ).set_index("score")
    )


run = current_run()
title("Side by side", run)
pinned = address.pins(run)
if not pinned:
    st.info(
        f"Nothing is pinned yet. Open an example and press Pin; up to {address.PINS} then stand here side by side.",
        icon=":material/keep:",
    )
    if st.button("Open the most uncertain example", icon=":material/arrow_forward:"):
        open_page(EXAMPLE, score=chosen_score())
for column, image in zip(st.columns(max(len(pinned), 1), gap="medium"), pinned, strict=False):
    with column:
        example(run, image, pinned)
