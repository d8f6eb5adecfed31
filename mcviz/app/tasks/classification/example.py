"""One example of a classification: what its passes predict, and why that is uncertain."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components.charts import chart, class_charts, class_table
from mcviz.app.components.histograms import pass_histograms
from mcviz.app.components.widgets import bound
from mcviz.app.resources import class_names
from mcviz.app.tasks.task import CloserLook, Shown
from mcviz.app.wording import all_as_markdown, as_sentence, judged, predicted, reasons, votes
from mcviz.figures import class_probabilities, estimate_by_passes, two_classes
from mcviz.measures import PassSummary, percent, summarise


def told(shown: Shown) -> None:
    """Prediction and label in a sentence, the reasons for doubt, and the classes in a table."""
    _sentences(shown)
    class_table(summarise(shown.predictions), class_names(shown.run))


def looked(shown: Shown) -> None:
    """Prediction and label in a sentence, the reasons for doubt, and one histogram a class with its mean."""
    _sentences(shown)
    summary, names = summarise(shown.predictions), class_names(shown.run)
    spoken = f"Histograms of the passes: {votes(summary, names)}."
    pass_histograms(summary, names, "look-passes", spoken, _label(shown))


def _sentences(shown: Shown) -> None:
    summary, names, label = summarise(shown.predictions), class_names(shown.run), _label(shown)
    st.markdown(f"{predicted(summary, names)} {judged(summary.prediction, label, names)}")
    found = reasons(summary, shown.row, names, label)
    st.markdown("\n".join(f"- {reason}" for reason in found))


def drawn(shown: Shown) -> None:
    """The predictive mean with its spread, and one histogram a class."""
    class_charts(summarise(shown.predictions), class_names(shown.run), _label(shown), "example")


def pinned(shown: Shown) -> None:
    """Label, prediction, the mean of each class, and the votes."""
    summary, label, names = summarise(shown.predictions), _label(shown), class_names(shown.run)
    st.markdown(headline(summary, label, names))
    chart(
        class_probabilities(summary, names, label).update_layout(showlegend=False, height=260),
        f"classes-{shown.example}",
        f"Bar chart of the mean of each class: {votes(summary, names)}.",
    )
    st.caption(as_sentence(votes(summary, all_as_markdown(names))))


def headline(summary: PassSummary, label: int | None, class_names: Sequence[str]) -> str:
    """Label and prediction as one line in Markdown, short enough that what follows is level in all columns."""
    names, probability = all_as_markdown(class_names), summary.mean[summary.prediction]
    prediction = f"predicted **{names[summary.prediction]}**, {percent(probability)}"
    if label is None:
        return prediction
    return f"label **{names[label]}** · {'' if summary.prediction == label else '✗ '}{prediction}"


def compare_classes(shown: Shown) -> None:
    """The probability of one class against that of another, one point a pass."""
    probs, names = shown.predictions, class_names(shown.run)
    summary = summarise(probs)
    likeliest = [int(c) for c in np.argsort(-summary.mean)]
    chosen = []
    with st.container(horizontal=True):
        for label, key, default in (
            ("One class", "first_class", likeliest[0]),
            ("against", "second_class", likeliest[1]),
        ):
            named = getattr(shown.state, key)
            chosen.append(default if named is None else named)
            st.selectbox(label, range(len(names)), format_func=names.__getitem__, width=220, **bound(key, chosen[-1]))
    st.caption("One point a pass. Points in two corners: two groups of passes that disagree. One cloud: a wide spread.")
    chart(
        two_classes(probs, chosen[0], chosen[1], names),
        "two-classes",
        f"One point a pass: {votes(summary, names)}.",
    )


def convergence(shown: Shown) -> None:
    """How the mean changes as passes are added."""
    st.caption("The mean of the first 1, 2, … passes, with two standard errors. Flat lines: there are enough passes.")
    probs = shown.predictions
    likeliest = [int(c) for c in np.argsort(-summarise(probs).mean)[:3]]
    figure = estimate_by_passes(probs, likeliest, class_names(shown.run))
    chart(figure, "estimate", f"The mean of the likeliest three classes over {len(probs)} passes.")


def _label(shown: Shown) -> int | None:
    label = shown.row["label"]
    return None if pd.isna(label) else int(label)


CLOSER_LOOKS = {
    "two_classes": CloserLook("Two classes", compare_classes),
    "passes": CloserLook("Enough passes?", convergence),
}
