"""Two runs of regression: one example in both."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.components.target_chooser import target_chooser
from mcviz.app.needs import has
from mcviz.app.tasks.regression.passes import column, predicted
from mcviz.app.tasks.regression.words import in_words
from mcviz.app.tasks.task import Shown
from mcviz.app.wording import as_markdown
from mcviz.figures.comparison import output_histograms
from mcviz.runs import Run


def charts(terms: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Nothing: the table has all."""


def example(shown: Shown, other: Run) -> None:
    """The prediction of each run in a sentence, and the passes of a target."""
    run, state, target = shown.run, shown.state, shown.state.target
    target_chooser(run, state)
    both = [(run, shown.predictions), (other, other.predictions(shown.example))]
    for each, passes in both:
        found = predicted(each, passes, state.coverage)
        st.markdown(f"**{as_markdown(each.name)}**: {in_words(each, found)}")
    label = float(shown.row[column(run, "label", target)]) if has(run, "labels") else None
    chart(
        output_histograms(
            [passes[:, target] for _, passes in both],
            [run.name, other.name],
            unit=run.manifest.unit,
            label=label,
        ),
        "example-in-both",
        "Histograms of the passes of both runs.",
    )
