"""All passes over one example, and explanations of its prediction."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import (
    ENSEMBLE,
    LABEL,
    LOWERS,
    NAMED_CLASSES,
    NEUTRAL,
    NUMBER,
    RAISES,
    SPREAD,
    UNCERTAIN,
    add_line,
    apply_layout,
    axis_title,
    band,
    class_colour,
    escape_label,
    escape_labels,
    label_lines,
    pad_range,
    picture_url,
    to_pixels,
    veil,
)
from mcviz.measures import PassSummary
from mcviz.text import fixed, significant, true_minus

OTHER_CLASSES = "other classes"
LIKELIEST = 10  # classes shown of one example, or of a sweep, if there are many
SHORT_NAME = 4  # letters that fit under a bar
LONG_NAME = 14  # letters; longer names stand beside horizontal bars
BAR_HEIGHT = 26  # pixels of a horizontal bar
NARROWEST_BARS = 150  # pixels that long names leave to the bars

UNUSUAL = 2  # standard deviations; beyond, a value is dark
MOST_COLUMNS = 12
BAR_THICKNESS = 22  # pixels
AROUND_BARS = 56  # pixels, above and below the bars
TEXT_ROOM = 0.6  # of the bars' range, for values that do not fit inside
LONGEST_COLUMN_NAME = 24  # characters of a column's name beside its bar; hover shows all
MAP_SIDE = 340  # pixels, of the longer side of a map
SIGNED_COLOURS = [[0, veil(LOWERS, 0.9)], [0.5, veil(NEUTRAL, 0)], [1, veil(RAISES, 0.9)]]
UNSIGNED_COLOURS = [[0, veil(UNCERTAIN, 0)], [1, veil(UNCERTAIN, 0.9)]]


def select_classes(values: np.ndarray, label: int | None = None) -> list[int]:
    """Select the classes that fit in a chart.

    Args:
        values: (C,) to choose classes by, such as the predictive mean.
        label: the index of a class to show in any case.

    Returns:
        Up to 20 classes in their order; of more classes, the ten of the highest values, descending, then the label.
    """
    if len(values) <= NAMED_CLASSES:
        return list(range(len(values)))
    likeliest = [int(c) for c in np.argsort(-values, kind="stable")[:LIKELIEST]]
    return likeliest if label is None or label in likeliest else [*likeliest, label]


def group_by_role(prediction: int, label: int | None, classes: Sequence[int]) -> list[tuple[str, str, list[int]]]:
    """Group classes of an example into prediction, label and others.

    Args:
        prediction: the index of the predicted class.
        label: the index of the label's class, if known.
        classes: their indices.

    Returns:
        For each group its name, its colour and its classes; groups without a class are left out.
    """
    roles = {prediction: ("prediction" if label != prediction else "prediction and label", ENSEMBLE)}
    if label is not None:
        roles.setdefault(label, ("label", LABEL))
    others = [c for c in classes if c not in roles]
    named = [(name, colour, [c]) for c, (name, colour) in roles.items()]
    return [*named, (OTHER_CLASSES, NEUTRAL, others)] if others else named


def class_probabilities(summary: PassSummary, class_names: Sequence[str], label: int | None = None) -> go.Figure:
    """Draw the predictive mean ± one std of each class.

    Args:
        summary: of one example's passes.
        class_names: C names.
        label: the index of the label's class, if known.

    Returns:
        A bar chart of `select_classes`, the prediction in blue, the label in green if it is another class; horizontal
        bars if names are long.
    """
    mean, std, names = summary.mean, summary.std, escape_labels(class_names)
    classes_drawn = select_classes(mean, label)
    lying = max(len(class_names[c]) for c in classes_drawn) > LONG_NAME
    across, up = ("y", "x") if lying else ("x", "y")
    figure = go.Figure()
    for name, colour, classes in group_by_role(summary.prediction, label, classes_drawn):
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
    # fixed room for labels saves plotly a second drawing
    order = {"type": "category", "categoryorder": "array", "categoryarray": [names[c] for c in classes_drawn]}
    probability = {"title": "probability", "tickformat": ".0%", "range": [0, 1.04], "automargin": False}
    if lying:
        figure.update_xaxes(**probability)
        figure.update_yaxes(**order, autorange="reversed", dtick=1, automargin=True)
        return apply_layout(figure, 120 + BAR_HEIGHT * len(classes_drawn)).update_layout(
            margin_b=52, minreducedwidth=NARROWEST_BARS
        )
    long_names = max(len(class_names[c]) for c in classes_drawn) > SHORT_NAME
    figure.update_xaxes(title="class", **order, automargin=long_names)
    figure.update_yaxes(**probability)
    return apply_layout(figure, 340).update_layout(margin={"l": 68, "b": 52})


def two_classes(probs: np.ndarray, first: int, second: int, class_names: Sequence[str], votes: np.ndarray) -> go.Figure:
    """Draw one class's probability against another's, one point per pass.

    Two clusters in opposite corners mean that the passes disagree, one cloud along the diagonal that each is uncertain.

    Args:
        probs: (T, C) probabilities of one example.
        first: class index along the x axis.
        second: class index along the y axis.
        class_names: C names.
        votes: (T,) integers, the class that each pass predicts.

    Returns:
        A scatter chart of T points, coloured by each pass's own prediction.
    """
    names = escape_labels(class_names)
    figure = go.Figure()
    for predicted in (first, second, -1):
        members = ~np.isin(votes, (first, second)) if predicted < 0 else votes == predicted
        if members.any():
            figure.add_scatter(
                x=probs[members, first],
                y=probs[members, second],
                mode="markers",
                marker={"size": 7, "opacity": 0.6, "color": NEUTRAL if predicted < 0 else class_colour(predicted)},
                name=f"{members.sum()} passes predict {'another class' if predicted < 0 else names[predicted]}",
                hovertemplate=f"{names[first]} %{{x:.1%}}, {names[second]} %{{y:.1%}}<extra></extra>",
            )
    for axis, c in ((figure.update_xaxes, first), (figure.update_yaxes, second)):
        axis(title=f"probability of {names[c]}", range=[-0.02, 1.02], tickformat=".0%")
    return apply_layout(figure, 420)


def estimate_by_passes(probs: np.ndarray, classes: Sequence[int], class_names: Sequence[str]) -> go.Figure:
    """Draw the running predictive mean of classes ± two standard errors.

    Args:
        probs: (T, C) probabilities of one example.
        classes: indices of the classes to be drawn.
        class_names: C names.

    Returns:
        One line and one band a class over 1 … T passes.
    """
    figure, names = go.Figure(), escape_labels(class_names)
    ends: dict[str, tuple[float, float]] = {}
    for c in classes:
        count, mean, error = _running_mean(probs[:, c])
        colour = class_colour(c)
        figure.add_trace(band(count, np.maximum(mean - error, 0), np.minimum(mean + error, 1), colour))
        hover = f"{names[c]} after %{{x}} passes: %{{y:.1%}}"
        add_line(figure, count, mean, colour, name=names[c], hover=hover)
        ends[names[c]] = len(probs), mean[-1]
    if len(ends) == 2:
        label_lines(figure, ends)
    figure.update_xaxes(title="passes", range=pad_range(np.array([1, len(probs)])))
    figure.update_yaxes(title="predictive mean", tickformat=".0%", range=[0, 1.02])
    return apply_layout(figure, 420)


def output_by_passes(outputs: np.ndarray, label: float | None = None, unit: str = "") -> go.Figure:
    """Draw the running predictive mean of a target ± two standard errors.

    Args:
        outputs: (T,) the predictions of the passes for one example.
        label: the true value, if known.
        unit: of the target.

    Returns:
        A line and a band over 1 … T passes, and the label as a level.
    """
    count, mean, error = _running_mean(outputs)
    figure = go.Figure([band(count, mean - error, mean + error, ENSEMBLE)])
    hover = f"predictive mean after %{{x}} passes: %{{y:{NUMBER}}}"
    add_line(figure, count, mean, ENSEMBLE, name="predictive mean", hover=hover)
    if label is not None:
        text = f"label {significant(label)}"
        add_line(figure, count[[0, -1]], [label, label], LABEL, dash="dash", name=text, hover=text)
        label_lines(figure, {"predictive mean": (len(outputs), mean[-1]), text: (len(outputs), label)})
    figure.update_xaxes(title="passes", range=pad_range(count))
    figure.update_yaxes(title=axis_title("predictive mean", unit))
    return apply_layout(figure, 420)


def _running_mean(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (T,) each: 1 … T, the running mean, and two standard errors."""
    count, first = np.arange(1, len(values) + 1), float(values[0])
    away = values.astype(np.float64) - first  # squares of large values would leave no digits for their variance
    mean = np.cumsum(away) / count
    variance = np.maximum(np.cumsum(away**2) / count - mean**2, 0)
    return count, first + mean, 2 * np.sqrt(variance / count)


def map_over_picture(image: np.ndarray, cells: np.ndarray, step: int, unit: str, *, signed: bool) -> go.Figure:
    """Draw a number for each cell of an image over the grey image.

    Args:
        image: (height, width, channels) float32 in 0..1.
        cells: (rows, columns) floating point.
        step: the side of a cell in pixels of the image.
        unit: of the numbers.
        signed: whether they are above and below 0, with a colour for each; otherwise all are 0 or more.

    Returns:
        A heat map, with a scale beside it.
    """
    height, width = image.shape[:2]
    grey = to_pixels(image).mean(axis=-1, keepdims=True).round().astype(np.uint8)
    most = float(np.abs(cells).max()) or 1.0
    unit = escape_label(unit)
    texts = [[true_minus(f"{value:+.3g}" if signed else f"{value:.3g}") for value in row] for row in cells]
    figure = go.Figure(
        go.Heatmap(
            z=cells,
            x0=(step - 1) / 2,
            dx=step,
            y0=(step - 1) / 2,
            dy=step,
            zmin=-most if signed else 0,
            zmax=most,
            colorscale=SIGNED_COLOURS if signed else UNSIGNED_COLOURS,
            colorbar={"title": {"text": unit, "side": "right"}, "thickness": 10, "tickformat": ".2~r"},
            text=texts,
            hovertemplate=f"%{{text}} {unit}<extra></extra>",
        )
    )
    figure.add_layout_image(
        source=picture_url(grey, MAP_SIDE), xref="x", yref="y", x=-0.5, y=-0.5, sizex=width, sizey=height,
        sizing="stretch", layer="below",
    )  # fmt: skip
    figure.update_xaxes(visible=False, range=[-0.5, width - 0.5], fixedrange=True, constrain="domain")
    figure.update_yaxes(visible=False, range=[height - 0.5, -0.5], fixedrange=True, scaleanchor="x", constrain="domain")
    return apply_layout(figure, MAP_SIDE).update_layout(margin_t=8, plot_bgcolor="rgba(0,0,0,0)")


def effect_bars(names: Sequence[str], mean: np.ndarray, std: np.ndarray, unit: str) -> go.Figure:
    """Draw the effect ± one std of each column on a prediction.

    Args:
        names: D names of columns.
        mean: (D,) over the passes.
        std: (D,) over the passes.
        unit: of both.

    Returns:
        Up to 12 horizontal bars, the longest on top.
    """
    columns = np.argsort(-np.abs(mean), kind="stable")[:MOST_COLUMNS][::-1]
    shown_names = [names[column] for column in columns]
    effects = [f"{true_minus(f'{mean[column]:+.3g}')} ± {std[column]:.3g}" for column in columns]
    figure = go.Figure(
        go.Bar(
            x=mean[columns],
            y=np.arange(len(columns)),
            orientation="h",
            marker_color=np.where(mean[columns] >= 0, RAISES, LOWERS),
            error_x={"type": "data", "array": std[columns], "color": SPREAD, "thickness": 1.5, "width": 3},
            customdata=np.array([escape_labels(shown_names), effects], object).T,
            hovertemplate="%{customdata[0]}: %{customdata[1]} " + escape_label(unit) + "<extra></extra>",
        )
    )
    figure.update_xaxes(title=axis_title("effect", unit))
    return _name_bars(figure, shown_names)


def unusual_values(names: Sequence[str], z: np.ndarray, texts: Sequence[str]) -> go.Figure:
    """Draw the most unusual values of a row.

    Args:
        names: D names of columns.
        z: (D,) how many standard deviations each value lies above the column's median; a column whose z is not
            finite is left out.
        texts: D values as text.

    Returns:
        Up to 12 horizontal bars, the most unusual on top, with the value beside each; those of over two standard
        deviations are dark.
    """
    finite = np.flatnonzero(np.isfinite(z))
    columns = finite[np.argsort(-np.abs(z[finite]), kind="stable")][:MOST_COLUMNS][::-1]
    shown_names = [names[column] for column in columns]
    figure = go.Figure(
        go.Bar(
            x=z[columns],
            y=np.arange(len(columns)),
            orientation="h",
            marker_color=np.where(np.abs(z[columns]) > UNUSUAL, SPREAD, NEUTRAL),
            text=escape_labels([texts[column] for column in columns]),
            textposition="auto",
            textangle=0,
            customdata=np.array([escape_labels(shown_names), [fixed(value, 1, "+") for value in z[columns]]], object).T,
            hovertemplate="%{customdata[0]}: %{text}, %{customdata[1]} standard deviations from the median"
            "<extra></extra>",
        )
    )
    low, high = min([0.0, *z[columns]]), max([0.0, *z[columns]])
    room = TEXT_ROOM * (high - low or 1)
    ends = [low - room if low < 0 else 0, high + room if high > 0 or low == 0 else 0]
    figure.update_xaxes(title="standard deviations", range=ends)
    return _name_bars(figure, shown_names)


def _name_bars(figure: go.Figure, names: Sequence[str]) -> go.Figure:
    """Name bars by position, because shortened names may be equal."""
    short = [name if len(name) <= LONGEST_COLUMN_NAME else f"{name[: LONGEST_COLUMN_NAME - 1]}…" for name in names]
    figure.update_yaxes(tickvals=np.arange(len(names)), ticktext=escape_labels(short))
    return apply_layout(figure, AROUND_BARS + BAR_THICKNESS * len(names)).update_layout(margin_t=0)
