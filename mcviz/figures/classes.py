"""What the passes say of one image, or of many, class by class."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import ENSEMBLE, NEUTRAL, SPREAD, TRUE_CLASS, styled

OTHERS = "other classes"
SHORT_NAME = 4  # letters, which fit under a bar


def by_role(predicted: int, label: int | None, classes: int) -> list[tuple[str, str, list[int]]]:
    """The roles that classes play in an answer.

    Args:
        predicted: the index of the predicted class.
        label: the index of the true class, where it is known.
        classes: how many there are, C.

    Returns:
        Each role's name, its colour and its classes, without the roles that nobody plays.
    """
    answer = "predicted class" if label != predicted else "predicted and true class"
    roles = {predicted: (answer, ENSEMBLE)}
    if label is not None:
        roles.setdefault(label, ("true class", TRUE_CLASS))
    others = [c for c in range(classes) if c not in roles]
    named = [(name, colour, [c]) for c, (name, colour) in roles.items()]
    return [*named, (OTHERS, NEUTRAL, others)] if others else named


def class_probabilities(probs: np.ndarray, class_names: Sequence[str], label: int | None = None) -> go.Figure:
    """The predictive mean of each class with one standard deviation over the passes to either side.

    Args:
        probs: (T, C) probabilities of one image.
        class_names: C names.
        label: its index, where it is known.

    Returns:
        A bar chart, the predicted class in blue, the true one in green where it is another.
    """
    mean, std = probs.mean(axis=0, dtype=np.float64), probs.std(axis=0, dtype=np.float64)
    figure = go.Figure()
    for name, colour, classes in by_role(int(mean.argmax()), label, len(mean)):
        low = np.minimum(std, mean)[classes]
        high = np.minimum(std, 1 - mean)[classes]
        figure.add_bar(
            x=[class_names[c] for c in classes],
            y=mean[classes],
            marker_color=colour,
            name=name,
            error_y={"type": "data", "array": high, "arrayminus": low, "thickness": 1.5, "width": 4, "color": SPREAD},
            customdata=std[classes],
            hovertemplate="%{x}: %{y:.1%} ± %{customdata:.1%}<extra></extra>",
        )
    order = list(class_names)
    # Room for the labels that is known beforehand need not be found out by drawing all twice.
    long_names = max(map(len, order)) > SHORT_NAME
    figure.update_xaxes(
        title="class", type="category", categoryorder="array", categoryarray=order, automargin=long_names
    )
    figure.update_yaxes(title="probability", tickformat=".0%", range=[0, 1.04], automargin=False)
    return styled(figure, 340).update_layout(margin={"l": 68, "b": 52})


def class_counts(predicted: np.ndarray, class_names: Sequence[str]) -> go.Figure:
    """How many images are taken for each class.

    Args:
        predicted: (N,) integer predicted classes.
        class_names: C names.

    Returns:
        A bar chart over all classes, the most frequent one in blue.
    """
    counts = np.bincount(predicted, minlength=len(class_names))
    colours = np.where(counts == counts.max(), ENSEMBLE, NEUTRAL)
    figure = go.Figure(
        go.Bar(
            x=list(class_names),
            y=counts,
            marker_color=colours,
            text=counts,
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"%{{y}} of {len(predicted)} images taken for %{{x}}<extra></extra>",
        )
    )
    figure.update_xaxes(title="predicted class", type="category")
    figure.update_yaxes(title="images")
    return styled(figure, 320)
