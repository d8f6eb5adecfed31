"""Class by class: the probabilities of one example, the predictions of many."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import ENSEMBLE, LABEL, NEUTRAL, SPREAD, all_as_labels, styled
from mcviz.measures import PassSummary

OTHERS = "other classes"
SHORT_NAME = 4  # letters, which fit under a bar


def by_role(prediction: int, label: int | None, classes: int) -> list[tuple[str, str, list[int]]]:
    """Group the classes of one example into its prediction, its label and all others.

    Args:
        prediction: the index of the predicted class.
        label: the index of the label's class, where it is known.
        classes: how many there are, C.

    Returns:
        For each group its name, its colour and its classes; groups without a class are left out.
    """
    roles = {prediction: ("prediction" if label != prediction else "prediction and label", ENSEMBLE)}
    if label is not None:
        roles.setdefault(label, ("label", LABEL))
    others = [c for c in range(classes) if c not in roles]
    named = [(name, colour, [c]) for c, (name, colour) in roles.items()]
    return [*named, (OTHERS, NEUTRAL, others)] if others else named


def class_probabilities(summary: PassSummary, class_names: Sequence[str], label: int | None = None) -> go.Figure:
    """The predictive mean of each class with one standard deviation over the passes to either side.

    Args:
        summary: of one example's passes.
        class_names: C names.
        label: the index of the label's class, where it is known.

    Returns:
        A bar chart, the prediction in blue, the label in green where it is another class.
    """
    mean, std, names = summary.mean, summary.std, all_as_labels(class_names)
    figure = go.Figure()
    for name, colour, classes in by_role(summary.prediction, label, len(mean)):
        low = np.minimum(std, mean)[classes]
        high = np.minimum(std, 1 - mean)[classes]
        figure.add_bar(
            x=[names[c] for c in classes],
            y=mean[classes],
            marker_color=colour,
            name=name,
            error_y={"type": "data", "array": high, "arrayminus": low, "thickness": 1.5, "width": 4, "color": SPREAD},
            customdata=std[classes],
            hovertemplate="%{x}: %{y:.1%} ± %{customdata:.1%}<extra></extra>",
        )
    # Room for the labels that is known beforehand need not be found out by drawing all twice.
    long_names = max(map(len, class_names)) > SHORT_NAME
    figure.update_xaxes(
        title="class", type="category", categoryorder="array", categoryarray=names, automargin=long_names
    )
    figure.update_yaxes(title="probability", tickformat=".0%", range=[0, 1.04], automargin=False)
    return styled(figure, 340).update_layout(margin={"l": 68, "b": 52})


def class_counts(predictions: np.ndarray, class_names: Sequence[str]) -> go.Figure:
    """How many examples each class is predicted for.

    Args:
        predictions: (N,) integer classes.
        class_names: C names.

    Returns:
        A bar chart over all classes, the most frequent one in blue.
    """
    counts = np.bincount(predictions, minlength=len(class_names))
    colours = np.where(counts == counts.max(), ENSEMBLE, NEUTRAL)
    figure = go.Figure(
        go.Bar(
            x=all_as_labels(class_names),
            y=counts,
            marker_color=colours,
            text=counts,
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"%{{y}} of {len(predictions)} examples predicted as %{{x}}<extra></extra>",
        )
    )
    figure.update_xaxes(title="prediction", type="category")
    figure.update_yaxes(title="examples")
    return styled(figure, 320)
