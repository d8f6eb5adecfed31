"""Class by class: where the model has problems."""

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app import address
from mcviz.app.parts import chart
from mcviz.app.views.gallery import tiles
from mcviz.app.views.looked_at import LookedAt
from mcviz.app.wording import percent
from mcviz.figures import class_accuracies, score_distributions
from mcviz.measures import SCORES


def classes_view(looked: LookedAt) -> None:
    """Accuracy and doubt of every true class, then one class from near."""
    run, score = looked.run, SCORES[looked.score]
    scores = run.scores()
    by_class = scores.assign(correct=scores["correct"].astype(float)).groupby("label")
    summary = by_class.agg(images=("correct", "size"), accuracy=("correct", "mean"), doubt=(looked.score, "mean"))
    summary = summary.reindex(range(len(run.class_names)))
    worst = int(np.nanargmin(summary["accuracy"].to_numpy()))
    st.caption(f"All figures here are of all {len(scores):,} images of the run, whatever the filters.")
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(_most_missed(run.class_names[worst], summary["accuracy"][worst]))
        chart(
            class_accuracies(
                summary["accuracy"].to_numpy(), summary["doubt"].to_numpy(), run.class_names, score.label.lower()
            ),
            "class-dots",
            f"Mistakes against mean {score.label.lower()} of each class.",
        )
    with right:
        st.table(_named(summary, looked))
    chosen = looked.selection.true[0] if len(looked.selection.true) == 1 else worst
    st.segmented_control(
        "From near",
        range(len(run.class_names)),
        format_func=run.class_names.__getitem__,
        **address.bound(
            "class",
            chosen,
            lambda new: address.select(replace(looked.selection, true=() if new is None else (new,))),
        ),
    )
    _from_near(looked, chosen)


def _most_missed(class_name: str, accuracy: float) -> str:
    if accuracy == 1:
        return "No class is ever missed: every answer is right."
    return f"**{class_name}** is missed most often: {percent(1 - accuracy)}."


def _named(summary: pd.DataFrame, looked: LookedAt) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "class": looked.run.class_names,
            "images": [f"{count:,.0f}" for count in summary["images"].fillna(0)],
            "right": summary["accuracy"].map(percent, na_action="ignore").fillna("–"),
            f"mean {SCORES[looked.score].label.lower()}": summary["doubt"].map("{:.3f}".format, "ignore").fillna("–"),
        }
    ).set_index("class")


def _from_near(looked: LookedAt, chosen: int) -> None:
    run, score = looked.run, looked.score
    everything = run.scores()
    members = np.flatnonzero((everything["label"] == chosen).to_numpy(bool))
    if len(members) == 0:
        st.info("No image of this run is of that class.", icon=":material/inbox:")
        return
    scores = everything.iloc[members]
    left, right = st.columns([3, 2], gap="large")
    with left:
        chart(
            score_distributions(scores[score].to_numpy(), scores["correct"].to_numpy(bool), SCORES[score].label),
            "class-distribution",
            f"Distribution of {SCORES[score].label.lower()} for class {run.class_names[chosen]}, right and wrong.",
        )
    with right:
        order = members[np.argsort(scores[score].to_numpy(), kind="stable")]
        if SCORES[score].uncertain_when == "high":
            order = order[::-1]
        st.markdown("**Most uncertain, and most certain**")
        tiles(run, order[[0, 1, -2, -1]] if len(order) > 3 else order, None, score, key="class-extremes")
