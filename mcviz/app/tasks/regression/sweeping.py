"""A sweep over inputs of a regression: what is predicted, and where the passes differ the most."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.kinds import kind_of
from mcviz.app.resources import numbers_of, quantity, scores_of, table, target_names
from mcviz.app.state import PageState
from mcviz.app.tasks.regression.passes import column
from mcviz.app.tasks.regression.words import several
from mcviz.app.tasks.task import Swept
from mcviz.app.wording import as_markdown
from mcviz.figures.sweeps import score_comparison
from mcviz.measures import significant
from mcviz.runs import Run

STANDS_OUT = "predictive_std"


def standing_out(scores: Mapping[str, np.ndarray], correct: np.ndarray) -> np.ndarray:  # noqa: ARG001 (none is)
    """(n,) how far the passes differ."""
    return scores[STANDS_OUT]


def swept(run: Run, state: PageState, sweep: Swept) -> None:
    """The input whose passes differ the most, and what is predicted, beside the predictions of the run's examples."""
    name, kind = column(run, "prediction", state.target), sweep.inputs.kind
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown("**Where the passes differ the most**")
        if sweep.worst < 0:
            st.caption("Nowhere: all passes predict the same.")
        else:
            kind_of(run).draw(run, sweep.worst_content, f"The one of the {kind} with the most uncertain prediction")
            score = scores_of(run)[STANDS_OUT]
            values = [sweep.scores[column(run, "prediction", t)][sweep.worst] for t in range(len(run.targets))]
            st.caption(
                f"The ensemble predicts **{as_markdown(several(values, run.manifest.unit))}**, with a predictive std "
                f"of {as_markdown(score.format(float(sweep.scores[STANDS_OUT][sweep.worst])))}."
            )
    with right:
        st.markdown("**Predictions of the ensemble**")
        figure = score_comparison(table(run)[name].to_numpy(), sweep.scores[name], numbers_of(run)[name].label, kind)
        chart(figure, "sweep-predictions", " ".join(swept_in_words(run, sweep)))


def swept_in_words(run: Run, sweep: Swept) -> list[str]:
    """Between what the predictions of each target lie; of many targets the first."""
    values, name = sweep.scores[column(run, "prediction", 0)], target_names(run)[0]
    kind = sweep.inputs.kind.removesuffix("s") if sweep.done == 1 else sweep.inputs.kind
    of = f" for {name}" if len(run.targets) > 1 else ""
    ends = f"{significant(values.min())} to {quantity(values.max(), run.manifest.unit)}"
    predicted = quantity(values[0], run.manifest.unit) if sweep.done == 1 else f"{ends}, on average "
    average = "" if sweep.done == 1 else quantity(values.mean(), run.manifest.unit)
    return [f"For {sweep.done:,} {kind} the model predicts {predicted}{average}{of}."]
