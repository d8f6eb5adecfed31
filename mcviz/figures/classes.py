"""What the passes say of one image, or of many, class by class."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import ENSEMBLE, NEUTRAL, SPREAD, TRUE_CLASS, styled

BINS = 100
EDGES = np.linspace(0, 1, BINS + 1)
CENTRES = (EDGES[:-1] + EDGES[1:]) / 2
COLUMN_GAP, ROW_GAP = 0.06, 0.035  # as fractions of the figure


def class_probabilities(probs: np.ndarray, class_names: Sequence[str], true_class: int | None = None) -> go.Figure:
    """The predictive mean of each class with one standard deviation over the passes to either side.

    Args:
        probs: (T, C) probabilities of one image.
        class_names: C names.
        true_class: its index, where it is known.

    Returns:
        A bar chart, the predicted class in blue, the true one in green where it is another.
    """
    mean, std = probs.mean(axis=0, dtype=np.float64), probs.std(axis=0, dtype=np.float64)
    figure = go.Figure()
    for name, colour, classes in _by_role(mean.argmax(), true_class, len(mean)):
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
    figure.update_xaxes(title="class", type="category", categoryorder="array", categoryarray=list(class_names))
    figure.update_yaxes(title="probability", tickformat=".0%", range=[0, 1.04])
    return styled(figure, 340)


def pass_histograms(probs: np.ndarray, class_names: Sequence[str], true_class: int | None = None) -> go.Figure:
    """One small histogram a class of its probability in each pass: 100 bins over 0 to 1, two columns, shared axes.

    The counts are drawn on a square-root scale, so that a few passes of another opinion stay visible beside hundreds.

    Args:
        probs: (T, C) probabilities of one image.
        class_names: C names.
        true_class: its index, where it is known.

    Returns:
        A grid of C histograms, read row by row.
    """
    passes, classes = probs.shape
    rows = -(-classes // 2)
    bars = []
    for role, colour, members in _by_role(probs.mean(axis=0).argmax(), true_class, classes):
        for order, c in enumerate(members):
            counts, _ = np.histogram(probs[:, c], bins=EDGES)
            bars.append(
                {
                    "type": "bar",
                    "x": CENTRES,
                    "y": np.sqrt(counts),
                    "customdata": counts,
                    "marker": {"color": colour, "line": {"width": 0}},
                    "name": role,
                    "legendgroup": role,
                    "showlegend": order == 0,
                    "hovertemplate": f"{class_names[c]}: %{{customdata}} of {passes} passes near %{{x:.1%}}"
                    "<extra></extra>",
                    "xaxis": _axis("x", c),
                    "yaxis": _axis("y", c),
                }
            )
    names = [
        {
            "text": f"<b>{class_names[c]}</b>",
            "xref": f"{_axis('x', c)} domain",
            "yref": f"{_axis('y', c)} domain",
            "x": 0.5,
            "y": 0.98,
            "showarrow": False,
            "font": {"size": 14},
        }
        for c in range(classes)
    ]
    # As one dictionary: plotly takes a tenth of a second to put twenty axes together one call at a time.
    figure = go.Figure({"data": bars, "layout": {"annotations": names, **_grid(rows, classes, passes)}})
    return styled(figure, 60 + 105 * rows).update_layout(bargap=0)


def _axis(letter: str, index: int) -> str:
    return f"{letter}{index + 1}" if index else letter


def _grid(rows: int, classes: int, passes: int) -> dict[str, dict[str, object]]:
    """The axes of two columns of histograms, which all share their ranges."""
    counts = [n for n in (0, 50, 250, 500, 1000, 2500, 5000, 10000) if n <= passes]
    width, height = (1 - COLUMN_GAP) / 2, (1 - ROW_GAP * (rows - 1)) / rows
    axes: dict[str, dict[str, object]] = {}
    for c in range(classes):
        row, column = divmod(c, 2)
        left, bottom = column * (width + COLUMN_GAP), (rows - 1 - row) * (height + ROW_GAP)
        lowest = c + 2 >= classes
        axes[f"xaxis{c + 1}"] = {
            "anchor": _axis("y", c),
            "domain": [left, left + width],
            "range": [0, 1],
            "tickvals": [0, 0.5, 1],
            "showticklabels": lowest,
            "title": {"text": "probability in a pass"} if lowest else None,
            "matches": "x" if c else None,
        }
        axes[f"yaxis{c + 1}"] = {
            "anchor": _axis("x", c),
            "domain": [bottom, bottom + height],
            "range": [0, np.sqrt(passes) * 1.05],
            "tickvals": np.sqrt(counts),
            "ticktext": [str(n) for n in counts],
            "showticklabels": column == 0,
            "title": {"text": "passes"} if column == 0 and row == (rows - 1) // 2 else None,
            "matches": "y" if c else None,
        }
    return axes


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


def _by_role(predicted: int, true_class: int | None, classes: int) -> list[tuple[str, str, list[int]]]:
    """Each role's name, colour and classes, without the roles that nobody plays."""
    answer = "predicted class" if true_class != predicted else "predicted and true class"
    roles = {predicted: (answer, ENSEMBLE)}
    if true_class is not None:
        roles.setdefault(true_class, ("true class", TRUE_CLASS))
    others = [c for c in range(classes) if c not in roles]
    return [(name, colour, [c]) for c, (name, colour) in roles.items()] + [("other classes", NEUTRAL, others)]
