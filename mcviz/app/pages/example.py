"""One image, and what every pass says of it."""

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app import address
from mcviz.app.keys import keys
from mcviz.app.parts import (
    COMPARE,
    chart,
    class_charts,
    class_table,
    open_page,
    pictured,
    ranking,
    score_chooser,
    title,
)
from mcviz.app.resources import current_run
from mcviz.app.similar import components
from mcviz.app.views.filters import chips
from mcviz.app.views.gallery import tiles
from mcviz.app.views.looked_at import SURE_FIRST, LookedAt, looked_at
from mcviz.app.wording import answer, judged, reasons, score_value, votes
from mcviz.figures import estimate_by_passes, two_classes
from mcviz.measures import SCORES
from mcviz.measures.similarity import most_similar
from mcviz.runs import Run

SIMILAR = 6
ALIKE, OPINIONS, ENOUGH = "Similar images", "Two opinions or one?", "Are these passes enough?"


def chosen_image(run: Run) -> tuple[int, LookedAt]:
    """The controls that step through the ranking, the image that they are at, and what they step through."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        highest = len(run) - 1
        most_uncertain = int(ranking(run.digest, "max_probability", run)[0])
        image = address.whole_number("image", most_uncertain, 0, highest)
        st.number_input("Image", 0, highest, width=140, **address.bound("image", image))
        looked = looked_at(run, score_chooser("Ranked by"))
        place = np.flatnonzero(looked.images == image)
        rank = int(place[0]) if len(place) else -1
        for label, icon, shortcut, step in (
            ("Previous", ":material/arrow_back:", "Left", -1),
            ("Next", ":material/arrow_forward:", "Right", 1),
        ):
            there = 0 <= rank + step < len(looked.images)
            st.button(
                label,
                icon=icon,
                shortcut=shortcut,
                disabled=not there,
                on_click=address.go,
                kwargs={"image": looked.images[rank + step] if there else image},
            )
        st.button(
            "Random", icon=":material/casino:", key="random", disabled=not len(looked.images), on_click=go_to_any,
            args=(looked.images,), help="Key R",
        )  # fmt: skip
        keys(r="random")
    if (asked := st.query_params.get("image")) and address.whole_number("image", -1, 0, highest) < 0:
        st.warning(
            f"There is no image {address.quoted(asked)} in this run: its images are 0 to {highest:,}. "
            f"This is the most uncertain one, image {image:,}.",
            icon=":material/link_off:",
        )
    if looked.selection.to_query():
        chips(looked)
    st.caption(f"{stepped_through(looked, rank)} Keys: ← → R F.")
    return image, looked


def stepped_through(looked: LookedAt, rank: int) -> str:
    """Where the image is in what is stepped through, in a sentence; a negative rank says that it is not in there."""
    if len(looked.images) == 0:
        return "No image passes all of these filters, so there is none to step through. Take one off."
    order = f", {SURE_FIRST}" if address.one_of("order", [SURE_FIRST], None) else ""
    by = f"by {SCORES[looked.score].label.lower()}{order}"
    if rank < 0:
        return f"This image is not among the selected ones; Next goes to the first of those {by}."
    selected = " selected" if looked.selection.to_query() else ""
    return f"Rank **{rank + 1:,}** of {len(looked.images):,}{selected} {by}."


def go_to_any(images: np.ndarray) -> None:
    """Go to any of these images."""
    address.go(image=np.random.default_rng().choice(images))


def mark(key: str, run: Run, image: int, on: bool) -> None:
    """Put an image into a list of the address, or take it out."""
    others = [other for other in address.images(key, run) if other != image]
    address.go(**{key: ",".join(map(str, [*others, image] if on else others)) or None})


def marks(run: Run, image: int) -> None:
    """Flag the image for later, and pin it for comparison."""
    flagged, pinned = address.images("flags", run), address.pins(run)
    with st.container(horizontal=True, gap="small"):
        st.button(
            f"Flagged ({len(flagged)})" if image in flagged else "Flag",
            key="flag",  # or else, while the label changes, two buttons would hear the shortcut
            icon=":material/flag:",
            shortcut="F",
            type="primary" if image in flagged else "secondary",
            on_click=mark,
            args=("flags", run, image, image not in flagged),
            help="Flags are kept in the address, and listed under the filters.",
        )
        full = image not in pinned and len(pinned) >= address.PINS
        st.button(
            "Unpin" if image in pinned else "Pin",
            key="pin",
            icon=":material/keep:",
            disabled=full,
            on_click=mark,
            args=("pins", run, image, image not in pinned),
            help="Four are pinned, that is all that fits." if full else "Pinned images can be compared side by side.",
        )
        if pinned and st.button(f"Compare {len(pinned)}", icon=":material/compare:"):
            open_page(COMPARE)


def score_table(run: Run, row: "pd.Series[float]", image: int) -> None:
    """Every score of the image, and how many images are more uncertain by it."""
    table = pd.DataFrame(
        {
            "score": [score.label for score in SCORES.values()],
            "value": [score_value(name, row[name]) for name in SCORES],
            "rank": [f"{np.flatnonzero(ranking(run.digest, name, run) == image)[0] + 1:,}" for name in SCORES],
        }
    ).set_index("score")
    st.table(table)


def closer(run: Run, image: int, probs: np.ndarray, score: str) -> None:
    """One closer look, of three."""
    looks = ([ALIKE] if run.has_images else []) + [OPINIONS, ENOUGH]
    look = address.one_of("look", looks, looks[0])
    st.segmented_control("A closer look", looks, required=True, **address.bound("look", look))
    order = [int(c) for c in np.argsort(-probs.mean(axis=0))]
    if look == ALIKE:
        alike = most_similar(components(run.digest, run), image, SIMILAR)
        if len(alike) == 0:
            st.caption("This run has no other image.")
            return
        st.caption("The images whose pixels are nearest, with their labels. Click one to open it.")
        tiles(run, alike, None, score, key="similar")
    elif look == OPINIONS:
        with st.container(horizontal=True):
            first, second = (
                st.selectbox(
                    label,
                    range(len(run.class_names)),
                    format_func=run.class_names.__getitem__,
                    width=150,
                    **address.bound(key, address.whole_number(key, order[place], 0, len(order) - 1)),
                )
                for place, (label, key) in enumerate((("One class", "one"), ("against", "other")))
            )
        st.caption("One point a pass. Two clumps in the corners are two opinions; one cloud is a spread-out doubt.")
        chart(
            two_classes(probs, first, second, run.class_names),
            "two-classes",
            f"One point a pass: {votes(probs, run.class_names)}.",
        )
    else:
        st.caption("The mean of the first 1, 2, … passes, with two standard errors. Flat lines mean that T is enough.")
        figure = estimate_by_passes(probs, order[:3], run.class_names)
        chart(figure, "estimate", f"The mean of the likeliest three classes over {len(probs)} passes.")


run = current_run()
title("One example", run)
image, looked = chosen_image(run)
probs, row = run.probs(image), run.scores().iloc[image]
label = None if pd.isna(row["label"]) else int(row["label"])

left, right = st.columns([2, 5], gap="large")
with left:
    pictured(run, image)
    marks(run, image)
    st.markdown(f"{answer(probs, run.class_names)} {judged(int(row['prediction']), label, run.class_names)}")
    st.markdown("\n".join(f"- {reason}" for reason in reasons(probs, row, run.class_names)))
    st.markdown("**Each class over all passes**")
    class_table(probs, run.class_names)
    st.markdown("**Each score, and the image's rank by it**")
    score_table(run, row, image)
with right:
    class_charts(probs, run.class_names, label, "example")
    closer(run, image, probs, looked.score)
