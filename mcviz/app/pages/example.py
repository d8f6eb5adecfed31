"""One image, and what every pass says of it."""

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.opened import current_run
from mcviz.app.parts import class_charts, class_table, picture, score_chooser, title
from mcviz.app.wording import answer, judged, score_value
from mcviz.measures import SCORES, most_uncertain_first
from mcviz.runs import Run


def ranks(run: Run, score: str) -> np.ndarray:
    """(N,) the image of each rank, most uncertain first."""
    return most_uncertain_first(score, run.scores()[score].to_numpy())


def show(image: int) -> None:
    """Go to another image."""
    st.session_state["image"] = int(image)


def show_any(count: int) -> None:
    """Go to any of so many images."""
    show(np.random.default_rng().integers(count))


def chosen_image(run: Run) -> int:
    """The controls that step through the ranking, and the image that they are at."""
    most_uncertain = int(ranks(run, "max_probability")[0])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        image = int(
            st.number_input(
                "Image", 0, len(run.images) - 1, most_uncertain, key="image", bind="query-params", width=150
            )
        )
        score = score_chooser("Ranked by")
        order = ranks(run, score)
        rank = int(np.flatnonzero(order == image)[0])
        for label, icon, shortcut, step in (
            ("More uncertain", ":material/arrow_back:", "Left", -1),
            ("Less uncertain", ":material/arrow_forward:", "Right", 1),
        ):
            there = 0 <= rank + step < len(order)
            neighbour = order[rank + step] if there else image
            st.button(label, icon=icon, shortcut=shortcut, disabled=not there, on_click=show, args=(neighbour,))
        st.button("Random", icon=":material/casino:", on_click=show_any, args=(len(order),))
    st.caption(f"Rank **{rank + 1:,}** of {len(order):,} by {SCORES[score].label.lower()}.")
    return image


def score_table(run: Run, image: int) -> None:
    """Every score of the image, and how many images are more uncertain by it."""
    row = run.scores().iloc[image]
    table = pd.DataFrame(
        {
            "score": [score.label for score in SCORES.values()],
            "value": [score_value(name, row[name]) for name in SCORES],
            "rank": [f"{np.flatnonzero(ranks(run, name) == image)[0] + 1:,}" for name in SCORES],
        }
    ).set_index("score")
    st.table(table)


run = current_run()
title("One example", run)
image = chosen_image(run)
probs, row = run.probs(image), run.scores().iloc[image]
true_class = None if pd.isna(row["true_class"]) else int(row["true_class"])

left, right = st.columns([2, 5], gap="large")
with left:
    picture(run.images[image], f"Image {image}")
    st.markdown(f"{answer(probs, run.class_names)} {judged(int(row['predicted_class']), true_class, run.class_names)}")
    st.markdown("**Each class over all passes**")
    class_table(probs, run.class_names)
    st.markdown("**Each score, and the image's rank by it**")
    score_table(run, image)
with right:
    class_charts(probs, run.class_names, true_class, "example")
