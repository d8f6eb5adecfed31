"""A new input of a regression: what its passes predict."""

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.components.target_chooser import target_chooser
from mcviz.app.inputs import Along
from mcviz.app.navigation import state_of
from mcviz.app.resources import quantity, target_names
from mcviz.app.state import PageState
from mcviz.app.tasks.regression import words
from mcviz.app.tasks.regression.example import histogram_of
from mcviz.app.tasks.regression.passes import Predicted, as_predictions, column, predicted
from mcviz.app.tasks.task import Evidence
from mcviz.app.wording import as_markdown
from mcviz.figures import Curve, curves_along
from mcviz.figures.style import ENSEMBLE
from mcviz.measures import regression_scores, significant
from mcviz.measures.regression_scores import predictive_variance
from mcviz.runs import Run
from mcviz.text import one_line


def in_words(run: Run, predictions: np.ndarray) -> str:
    """What the ensemble predicts of (T, K) predictions, and how sure that is."""
    return words.in_words(run, _found(run, predictions))


def probed(run: Run, predictions: np.ndarray, label: int | None, key: str) -> None:  # noqa: ARG001 (no class)
    """The passes of a target as a histogram, of (T, K) predictions, and what of the doubt is whose."""
    found, state = _found(run, predictions), state_of(run)
    st.header("What the passes predict", anchor=False)
    target_chooser(run, state)
    histogram_of(run, found, state.target, f"{key}-passes")
    st.markdown("\n".join(f"- {reason}" for reason in words.reasons(run, found, state.target)))


def along(run: Run, along: Along, predictions: np.ndarray) -> None:
    """The predictive mean of a target with the std of the predictive distribution, of (T, P, K) predictions."""
    given, target, unit = as_predictions(run, predictions), state_of(run).target, run.manifest.unit
    mean = given.outputs.mean(axis=0, dtype=np.float64)[:, target]
    std = np.sqrt(predictive_variance(given.outputs, given.variances))[:, target]
    name = target_names(run)[target]
    st.caption("What the ensemble predicts at each position, and one standard deviation to either side.")
    figure = curves_along(
        along.amounts,
        [Curve(name, mean, ENSEMBLE, (mean - std, mean + std))],
        title=along.title,
        tick_format=along.tick_format,
        current=along.current,
        value_title=f"{name}, {unit}" if unit else name,
    )
    ends = f"{significant(mean[0])} to {quantity(mean[-1], unit)}"
    chart(figure, "along-the-slider", f"Predictions along the slider {one_line(along.title)}: {ends}.")


def table(run: Run, predictions: np.ndarray) -> None:
    """Mean, standard deviation and interval of each target, of (T, K) predictions."""
    words.target_table(run, _found(run, predictions))


def scores_of_inputs(run: Run, predictions: np.ndarray) -> dict[str, np.ndarray]:
    """Every score that looks at no label, and what is predicted of each target, of (T, n, K) predictions."""
    given = as_predictions(run, predictions)
    means = given.outputs.mean(axis=0, dtype=np.float64).T
    return {
        **{column(run, "prediction", target): mean for target, mean in enumerate(means)},
        **regression_scores(given),
    }


def evidence(run: Run, state: PageState, predictions: np.ndarray) -> Evidence:  # noqa: ARG001 (the same for all)
    """A choice of the target."""
    target_chooser(run, state)
    name = target_names(run)[state.target]
    return Evidence(
        state.target, f"a high {name}", f"the predicted {as_markdown(name)}", 1, one_line(run.manifest.unit) or name
    )


def _found(run: Run, predictions: np.ndarray) -> Predicted:
    return predicted(run, predictions, state_of(run).coverage)
