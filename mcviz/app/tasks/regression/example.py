"""One example of a regression: what its passes predict, and how sure that is."""

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.components.target_chooser import target_chooser
from mcviz.app.needs import has
from mcviz.app.tasks.regression.passes import Predicted, column, predicted
from mcviz.app.tasks.regression.words import in_words, judged, reasons, target_table
from mcviz.app.tasks.task import CloserLook, Shown
from mcviz.app.wording import counted
from mcviz.figures import output_by_passes, outputs_of_example
from mcviz.runs import Run

SMALL = 260  # pixels, the height of a chart among others


def told(shown: Shown) -> None:
    """Prediction, label and interval in words, what of the doubt is whose, and all targets in a table."""
    found = _found(shown)
    _sentences(shown, found)
    target_table(shown.run, found, _labels(shown))


def looked(shown: Shown) -> None:
    """Prediction, label and interval in words, what of the doubt is whose, and the passes of a target."""
    found = _found(shown)
    _sentences(shown, found)
    _chart(shown, found, "look-passes", SMALL)


def _sentences(shown: Shown, found: Predicted) -> None:
    labels, target = _labels(shown), shown.state.target
    label = None if labels is None else labels[target]
    st.markdown(in_words(shown.run, found))
    st.markdown(judged(shown.run, found, label, target))
    st.markdown("\n".join(f"- {reason}" for reason in reasons(shown.run, found, target)))


def drawn(shown: Shown) -> None:
    """The passes of a target as a histogram, with interval and label."""
    found = _found(shown)
    st.header("What the passes predict", anchor=False)
    target_chooser(shown.run, shown.state)
    st.caption(_caption(found))
    _chart(shown, found, "example-passes")


def pinned(shown: Shown) -> None:
    """The prediction in words, and the passes of a target."""
    found, labels, target = _found(shown), _labels(shown), shown.state.target
    st.markdown(in_words(shown.run, found))
    st.caption(judged(shown.run, found, None if labels is None else labels[target], target))
    _chart(shown, found, f"passes-{shown.example}", SMALL)


def histogram_of(run: Run, found: Predicted, target: int, key: str) -> None:
    """The passes over a new input: one target's histogram."""
    st.caption(_caption(found))
    figure = outputs_of_example(
        found.outputs[:, target],
        unit=run.manifest.unit,
        variances=None if found.variances is None else found.variances[:, target],
        interval=(found.low[target], found.high[target]),
        coverage=found.coverage / 100,
    )
    chart(figure, key, f"Histogram of {counted(len(found.outputs), 'pass')}. {in_words(run, found)}")


def convergence(shown: Shown) -> None:
    """How the mean changes as passes are added."""
    st.caption("The mean of the first 1, 2, … passes, with two standard errors. A flat line: there are enough passes.")
    outputs, labels, target = _found(shown).outputs[:, shown.state.target], _labels(shown), shown.state.target
    label = None if labels is None else float(labels[target])
    figure = output_by_passes(outputs, label, shown.run.manifest.unit)
    chart(figure, "estimate", f"The predictive mean over {counted(len(outputs), 'pass')}.")


def _found(shown: Shown) -> Predicted:
    return predicted(shown.run, shown.predictions, shown.state.coverage)


def _labels(shown: Shown) -> np.ndarray | None:
    """(D,) the true values, or None."""
    if not has(shown.run, "labels"):
        return None
    names = [column(shown.run, "label", target) for target in range(len(shown.run.targets))]
    return shown.row[names].to_numpy(np.float64)


def _caption(found: Predicted) -> str:
    curve = "" if found.variances is None else " The line is the predictive distribution: the passes with their spread."
    return (
        f"One histogram of {counted(len(found.outputs), 'pass')}. The band is the {found.coverage}% interval of the "
        f"predictive distribution.{curve}"
    )


def _chart(shown: Shown, found: Predicted, key: str, height: int | None = None) -> None:
    run, target, labels = shown.run, shown.state.target, _labels(shown)
    deterministic = run.deterministic_predictions
    figure = outputs_of_example(
        found.outputs[:, target],
        unit=run.manifest.unit,
        variances=None if found.variances is None else found.variances[:, target],
        deterministic=None if deterministic is None else float(deterministic[shown.example, target]),
        label=None if labels is None else float(labels[target]),
        interval=(found.low[target], found.high[target]),
        coverage=found.coverage / 100,
    )
    if height:
        figure.update_layout(height=height, showlegend=False)
    chart(figure, key, f"Histogram of {counted(len(found.outputs), 'pass')}. {in_words(run, found)}")


CLOSER_LOOKS = {"passes": CloserLook("Enough passes?", convergence)}
