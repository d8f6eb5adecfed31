"""Two runs of classification: how well each is calibrated, and one example in both."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.resources import class_names
from mcviz.app.tasks.task import Shown
from mcviz.app.wording import all_as_markdown, as_markdown, as_sentence, votes
from mcviz.comparing import class_order
from mcviz.figures.comparison import class_histograms, classes_to_compare
from mcviz.figures.trust import accuracy_against_referred, reliability_diagram
from mcviz.measures import PassSummary, percent
from mcviz.measures.calibration import Terms, equal_width_edges, reliability
from mcviz.measures.selective import Ranking, accuracy_of_rest, perfect
from mcviz.runs import Run


def charts(terms: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """The reliability diagram of both runs, and what referring the uncertain examples to a person gains in each."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Are the probabilities calibrated?", anchor=False)
        st.caption("Above the dotted line a run is under-confident, below it over-confident.")
        bins = {name: _bins(of) for name, of in terms.items()}
        chart(reliability_diagram(bins), "reliability-of-both", "Accuracy against max probability of both runs.")
    with right:
        st.subheader("What is a look worth?", anchor=False)
        st.caption("Accuracy of the rest when the most uncertain share goes to a person.")
        rankings = {name: Ranking(of["uncertainty"], of["correct"]) for name, of in terms.items()}
        first = next(iter(rankings.values()))
        shares = np.linspace(0, 1, len(first) + 1)
        figure = accuracy_against_referred(
            {name: _at(shares, accuracy_of_rest(each)) for name, each in rankings.items()},
            accuracy_of_rest(perfect(first)),
            float(first.correct.mean()),
        )
        chart(figure, "referral-in-both", "Accuracy of the rest against the share referred, of both runs.")


def _at(shares: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """A curve over the share referred, of any number of examples, at other shares."""
    return np.interp(shares, np.linspace(0, 1, len(curve)), curve)


def _bins(of: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    terms = Terms(of["correct"][:, None], of["confidence"][:, None], of["nll"], of["brier"])
    found = reliability(terms, equal_width_edges())
    return found.confidence, found.accuracy, found.count


def example(shown: Shown, other: Run) -> None:
    """The prediction of each run in a sentence, and the histograms of the classes that they say most of."""
    names, order = class_names(shown.run), class_order(shown.run, other)
    both = [shown.run.summary(shown.example), other.summary(shown.example).in_order(order)]
    label = None if pd.isna(shown.row["label"]) else int(shown.row["label"])
    runs = [shown.run.name, other.name]
    for name, summary in zip(runs, both, strict=True):
        st.markdown(f"**{as_markdown(name)}**: {_in_words(summary, names, label)}")
    classes = classes_to_compare(both[0].mean, both[1].mean, label)
    chart(
        class_histograms(both, runs, classes, names, label),
        "example-in-both",
        f"Histograms of the passes of both runs for {', '.join(names[c] for c in classes)}.",
    )


def _in_words(summary: PassSummary, names: Sequence[str], label: int | None) -> str:
    predicted = all_as_markdown(names)[summary.prediction]
    mark = "✗ " if label is not None and label != summary.prediction else ""
    share = percent(summary.mean[summary.prediction])
    return f"{mark}**{predicted}** with {share}. {as_sentence(votes(summary, all_as_markdown(names)))}"
