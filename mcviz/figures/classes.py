"""Class by class: the probabilities of one example, the predictions of many."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import ENSEMBLE, LABEL, NAMED_CLASSES, NEUTRAL, SPREAD, all_as_labels, styled
from mcviz.measures import PassSummary

OTHERS = "other classes"
LIKELIEST = 10  # classes of many that are shown of one example, or of a sweep
SHORT_NAME = 4  # letters, which fit under a bar
LONG_NAME = 14  # letters, above which names stand beside lying bars
BAR = 26  # pixels, the height of a lying bar
NARROWEST = 150  # pixels, the room that the names leave to lying bars


def shown_classes(values: np.ndarray, label: int | None = None) -> list[int]:
    """The classes that there is room for.

    Args:
        values: (C,) by which classes are chosen, such as the predictive mean.
        label: the index of a class that is shown in any case.

    Returns:
        All of up to 20 classes in their order; of more the ten of the highest values, those first, and the label.
    """
    if len(values) <= NAMED_CLASSES:
        return list(range(len(values)))
    likeliest = [int(c) for c in np.argsort(-values, kind="stable")[:LIKELIEST]]
    return likeliest if label is None or label in likeliest else [*likeliest, label]


def by_role(prediction: int, label: int | None, classes: Sequence[int]) -> list[tuple[str, str, list[int]]]:
    """Group classes of one example into its prediction, its label and all others.

    Args:
        prediction: the index of the predicted class.
        label: the index of the label's class, where it is known.
        classes: their indices.

    Returns:
        For each group its name, its colour and its classes; groups without a class are left out.
    """
    roles = {prediction: ("prediction" if label != prediction else "prediction and label", ENSEMBLE)}
    if label is not None:
        roles.setdefault(label, ("label", LABEL))
    others = [c for c in classes if c not in roles]
    named = [(name, colour, [c]) for c, (name, colour) in roles.items()]
    return [*named, (OTHERS, NEUTRAL, others)] if others else named


def class_probabilities(summary: PassSummary, class_names: Sequence[str], label: int | None = None) -> go.Figure:
    """The predictive mean of each class with one standard deviation over the passes to either side.

    Args:
        summary: of one example's passes.
        class_names: C names.
        label: the index of the label's class, where it is known.

    Returns:
        A bar chart of `shown_classes`, the prediction in blue, the label in green where it is another class; of lying
        bars where names are long.
    """
    mean, std, names = summary.mean, summary.std, all_as_labels(class_names)
    shown = shown_classes(mean, label)
    lying = max(len(class_names[c]) for c in shown) > LONG_NAME
    across, up = ("y", "x") if lying else ("x", "y")
    figure = go.Figure()
    for name, colour, classes in by_role(summary.prediction, label, shown):
        low = np.minimum(std, mean)[classes]
        high = np.minimum(std, 1 - mean)[classes]
        spread = {"type": "data", "array": high, "arrayminus": low, "thickness": 1.5, "width": 4, "color": SPREAD}
        figure.add_bar(
            **{across: [names[c] for c in classes], up: mean[classes], f"error_{up}": spread},
            orientation="h" if lying else "v",
            marker_color=colour,
            name=name,
            customdata=std[classes],
            hovertemplate=f"%{{{across}}}: %{{{up}:.1%}} ± %{{customdata:.1%}}<extra></extra>",
        )
    # Room for the labels that is known beforehand need not be found out by drawing all twice.
    order = {"type": "category", "categoryorder": "array", "categoryarray": [names[c] for c in shown]}
    probability = {"title": "probability", "tickformat": ".0%", "range": [0, 1.04], "automargin": False}
    if lying:
        figure.update_xaxes(**probability)
        figure.update_yaxes(**order, autorange="reversed", dtick=1, automargin=True)
        return styled(figure, 120 + BAR * len(shown)).update_layout(margin_b=52, minreducedwidth=NARROWEST)
    long_names = max(len(class_names[c]) for c in shown) > SHORT_NAME
    figure.update_xaxes(title="class", **order, automargin=long_names)
    figure.update_yaxes(**probability)
    return styled(figure, 340).update_layout(margin={"l": 68, "b": 52})


def class_counts(predictions: np.ndarray, class_names: Sequence[str]) -> go.Figure:
    """How many examples each class is predicted for.

    Args:
        predictions: (N,) integer classes.
        class_names: C names.

    Returns:
        A bar chart over all classes, or the ten most frequent of more than 20, the most frequent one in blue.
    """
    every, names = np.bincount(predictions, minlength=len(class_names)), all_as_labels(class_names)
    shown = shown_classes(every)
    counts = every[shown]
    colours = np.where(counts == counts.max(), ENSEMBLE, NEUTRAL)
    figure = go.Figure(
        go.Bar(
            x=[names[c] for c in shown],
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
