"""A sweep over inputs of a classification: which classes are predicted, and the most confident wrong prediction."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.kinds import kind_of
from mcviz.app.resources import class_names
from mcviz.app.state import PageState
from mcviz.app.tasks.task import Swept
from mcviz.app.wording import as_markdown
from mcviz.figures import class_counts
from mcviz.measures import percent
from mcviz.runs import Run


def standing_out(scores: Mapping[str, np.ndarray], correct: np.ndarray) -> np.ndarray:
    """(n,) how confident each wrong prediction is; 0 for a correct one."""
    return np.where(correct, 0, scores["max_probability"])


def swept(run: Run, state: PageState, sweep: Swept) -> None:  # noqa: ARG001 (all classes are shown)
    """The most confident wrong prediction, and which classes are predicted."""
    predictions, kind, names = sweep.scores["prediction"], sweep.inputs.kind, class_names(run)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown("**Most confident wrong prediction**")
        if sweep.worst < 0:
            st.caption("There is none: every prediction is correct.")
        else:
            kind_of(run).draw(
                run, sweep.worst_content, f"The one of the {kind} with the most confident wrong prediction"
            )
            confidence = percent(float(sweep.scores["max_probability"][sweep.worst]))
            st.caption(f"The ensemble predicts **{as_markdown(names[predictions[sweep.worst]])}** with {confidence}.")
    with right:
        st.markdown("**Predictions of the ensemble**")
        chart(class_counts(predictions, names), "sweep-classes", " ".join(swept_in_words(run, sweep)))


def swept_in_words(run: Run, sweep: Swept) -> list[str]:
    """The class that is predicted most often, and how many predictions are correct, where that is known."""
    predictions, confidences = sweep.scores["prediction"], sweep.scores["max_probability"]
    counts = np.bincount(predictions, minlength=len(run.class_names))
    favourite = int(counts.argmax())
    kind = sweep.inputs.kind.removesuffix("s") if sweep.done == 1 else sweep.inputs.kind
    are, on_average = ("is", "") if counts[favourite] == 1 else ("are", " on average")
    found = [
        f"{counts[favourite]:,} of {sweep.done:,} {kind} {are} predicted as {class_names(run)[favourite]}, with "
        f"{percent(float(confidences[predictions == favourite].mean()))}{on_average}."
    ]
    if sweep.inputs.labels is not None:
        found.append(f"Correct: {sweep.correct.sum():,} of {sweep.done:,}.")
    return found
