"""Scores of many examples against each other, against the classes, and on a map."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import CORRECT, DARK_INK, DENSITY, NEUTRAL, SELECTED, WRONG, class_colour, styled

MANY = 20_000  # points above which a browser draws a density and a sample instead of every point
SAMPLED = 4_000
CELLS = 160
NARROWEST = 280  # pixels that all squares of a confusion matrix have on a phone
SMALLEST = 3  # pixels, a square; with more than about a hundred classes squares cover each other
NAMED = 20  # classes; above, names would take the place of the chart
FADED = 0.15  # opacity of what is not selected
STANDING_OUT = 9  # pixels, a selected point of a map
LONGEST = 12  # characters of a class's name along an axis
RING = 18  # pixels, around the primary example


def scatter(
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    group_names: Sequence[str],
    colours: Sequence[str],
    examples: np.ndarray,
    *,
    axes: tuple[str, str] | None,
    outline: Sequence[tuple[float, float]] = (),
    selected: np.ndarray | None = None,
    primary: int | None = None,
) -> go.Figure:
    """One point an example, in the colour of its group; above 20,000 a density with a sample of the points on top.

    Args:
        x: (N,) floating point.
        y: (N,) floating point.
        groups: (N,) int, an index into `group_names`.
        group_names: for the legend.
        colours: one a group.
        examples: (N,) int, the number of each example in the run.
        axes: the titles of the axes, or None for a map whose axes mean nothing.
        outline: corners of a polygon to be drawn around what is selected.
        selected: (N,) bool, all others are faded; None where the browser itself shows what is selected, or all is.
        primary: the number of the example that gets a ring.

    Returns:
        A WebGL scatter chart whose points carry their example's number as `customdata`.
    """
    figure = go.Figure()
    shown = np.arange(len(x))
    if len(x) > MANY:
        figure.add_trace(_density(x, y))
        shown = np.sort(np.random.default_rng(0).choice(len(x), SAMPLED, replace=False))
    for index, (name, colour) in enumerate(zip(group_names, colours, strict=True)):
        members = shown[groups[shown] == index]
        if len(members):
            figure.add_trace(
                go.Scattergl(
                    x=x[members].astype(np.float32),
                    y=y[members].astype(np.float32),
                    customdata=examples[members],
                    mode="markers",
                    marker={
                        "color": colour,
                        "size": 5 if len(x) > 2000 else 7,
                        "opacity": _opacity(selected, members, 0.75),
                    },
                    name=name,
                    legendgroup=None if selected is None else name,
                    showlegend=selected is None,
                    hovertemplate=f"example %{{customdata}}, {name}<extra></extra>",
                    selected={"marker": {"opacity": 1}},
                    unselected={"marker": {"opacity": 0.25}},
                )
            )
    if selected is not None:  # a legend of faded points would be faded
        for index in np.unique(groups[shown]):
            name, swatch = group_names[index], {"color": colours[index], "size": 7}
            figure.add_scatter(x=[None], y=[None], mode="markers", marker=swatch, name=name, legendgroup=name)
    _ring(figure, x, y, examples, primary)
    if outline:
        xs, ys = zip(*outline, outline[0], strict=True)
        path = "M" + "L".join(f"{px},{py}" for px, py in zip(xs, ys, strict=True)) + "Z"
        figure.add_shape(type="path", path=path, line={"color": NEUTRAL, "width": 2, "dash": "dot"})
    if axes:
        figure.update_xaxes(title=axes[0])
        figure.update_yaxes(title=axes[1])
    else:
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False, scaleanchor="x")
    # Below the chart: above it, the names of ten classes would lie under the toolbar.
    return styled(figure, 560).update_layout(
        dragmode="lasso",
        uirevision="kept",
        showlegend=len(group_names) <= NAMED,
        legend={"y": -0.16, "yanchor": "top", "itemsizing": "constant"},
    )


def _opacity(selected: np.ndarray | None, points: np.ndarray, usual: float) -> np.ndarray | float:
    return usual if selected is None else np.where(selected[points], usual, FADED)


def _ring(figure: go.Figure, x: np.ndarray, y: np.ndarray, examples: np.ndarray, primary: int | None) -> None:
    """Draw a ring around the primary example, where it is among the examples.

    It is a point as the others are: beside a shape that is measured in pixels, plotly takes a lasso to be so, too.
    """
    at = np.flatnonzero(examples == primary)
    if len(at):
        figure.add_scattergl(
            x=x[at].astype(np.float32),
            y=y[at].astype(np.float32),
            customdata=examples[at],
            mode="markers",
            marker={"symbol": "circle-open", "color": WRONG, "size": RING, "line": {"width": 3}},
            name=f"example {primary}",
            showlegend=False,
            hoverinfo="skip",
            unselected={"marker": {"opacity": 1}},
        )


def _density(x: np.ndarray, y: np.ndarray) -> go.Heatmap:
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=CELLS)
    counts = counts.T
    return go.Heatmap(
        x=(x_edges[:-1] + x_edges[1:]) / 2,
        y=(y_edges[:-1] + y_edges[1:]) / 2,
        z=np.where(counts > 0, np.log10(np.maximum(counts, 1)), np.nan),
        colorscale=DENSITY,
        showscale=False,
        hoverinfo="skip",
    )


def coloured_map(
    x: np.ndarray,
    y: np.ndarray,
    values: np.ndarray,
    title: str,
    examples: np.ndarray,
    *,
    uncertain_when: Literal["low", "high"] = "high",
    selected: np.ndarray | None = None,
    primary: int | None = None,
) -> go.Figure:
    """Examples on a plane, coloured by a score.

    Args:
        x: (N,) position.
        y: (N,) position.
        values: (N,) the score.
        title: of the colour bar.
        examples: (N,) int, the number of each example in the run.
        uncertain_when: which values of the score mean uncertain; their points are the brightest.
        selected: (N,) bool, all others are faded; None where the browser itself shows what is selected, or all is.
        primary: the number of the example that gets a ring.

    Returns:
        A WebGL scatter chart of at most 20,000 points, which carry their example's number as `customdata`.
    """
    shown = np.arange(len(x))
    if len(x) > MANY:
        shown = np.sort(np.random.default_rng(0).choice(len(x), MANY, replace=False))
    # The most uncertain on top, and a few extreme values must not wash out all the others.
    shown = shown[np.argsort(-values[shown] if uncertain_when == "low" else values[shown], kind="stable")]
    low, high = np.percentile(values, [1, 99])
    figure = go.Figure(
        go.Scattergl(
            x=x[shown].astype(np.float32),
            y=y[shown].astype(np.float32),
            customdata=examples[shown],
            mode="markers",
            marker={
                "color": values[shown].astype(np.float32),
                "cmin": low,
                "cmax": high if high > low else low + 1e-6,
                "colorscale": _brightest(uncertain_when),
                "size": 5 if selected is None else np.where(selected[shown], STANDING_OUT, 5),
                "opacity": _opacity(selected, shown, 1),
                "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 12},
            },
            hovertemplate="example %{customdata}: %{marker.color:.3f}<extra></extra>",
            unselected={"marker": {"opacity": 0.2}},
        )
    )
    _ring(figure, x, y, examples, primary)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return styled(figure, 560).update_layout(dragmode="lasso", uirevision="kept")


def _brightest(uncertain_when: Literal["low", "high"]) -> str:
    """The scale of colours on which what means uncertain is bright."""
    return "Cividis_r" if uncertain_when == "low" else "Cividis"


def confusion_matrix(
    labels: np.ndarray,
    predictions: np.ndarray,
    class_names: Sequence[str],
    values: np.ndarray | None = None,
    title: str = "examples",
    uncertain_when: Literal["low", "high"] = "high",
    selected: tuple[int, int] | None = None,
) -> go.Figure:
    """The confusion matrix, as squares that can be clicked.

    Args:
        labels: (N,) integer classes.
        predictions: (N,) integer classes.
        class_names: C names.
        values: (N,) a score to average in each square; without it, examples are counted.
        title: of what a square's colour means.
        uncertain_when: which values of the score mean uncertain; their squares are the brightest.
        selected: the label and the prediction of the square that is marked, if any.

    Returns:
        A scatter of square markers whose `customdata` are label × C + prediction. Squares on the diagonal, which
        hold nearly all examples, are outlined and left dark where examples are counted, so that mistakes stand out.
    """
    classes = len(class_names)
    cell = labels * classes + predictions
    counts = np.bincount(cell, minlength=classes**2)
    cells = np.flatnonzero(counts)
    rows, columns = np.divmod(cells, classes)
    if values is None:
        shown = counts[cells].astype(np.float64)
        texts = [str(count) for count in counts[cells]]
        colours = np.where(rows == columns, 0, shown)
        lowest, highest = 0.0, max(float(colours.max()), 1)
    else:
        shown = colours = np.bincount(cell, weights=values, minlength=classes**2)[cells] / counts[cells]
        texts = [f"{value:.2f}" for value in shown]
        lowest = float(colours.min())
        highest = max(float(colours.max()), lowest + 1e-6)
    brightness = (colours - lowest) / (highest - lowest)
    light = brightness < 0.45 if uncertain_when == "low" else brightness > 0.55
    side = max(SMALLEST, NARROWEST // classes)
    # Of long names, which often begin alike, both ends.
    short = [name if len(name) <= LONGEST else f"{name[:5]}…{name[6 - LONGEST :]}" for name in class_names]
    longest = max(map(len, short))
    every = -(-classes // NAMED)  # as many names as there is room for
    figure = go.Figure(
        go.Scatter(
            x=[class_names[c] for c in columns],
            y=[class_names[r] for r in rows],
            customdata=cells,
            selectedpoints=np.flatnonzero(cells == selected[0] * classes + selected[1]) if selected else None,
            hovertext=[f"{count:,}" for count in counts[cells]],
            mode="markers+text" if classes <= NAMED else "markers",
            text=texts,
            textfont={"size": 11, "color": [DARK_INK if bright else "#FFFFFF" for bright in light]},
            marker={
                "symbol": "square",
                "size": side,
                "color": colours,
                "colorscale": _brightest(uncertain_when),
                "cmin": lowest,
                "cmax": highest,
                "opacity": 1,
                "colorbar": {
                    "title": {"text": title},
                    "thickness": 12,
                    "orientation": "h",
                    "y": -0.16 - 0.015 * max(0, longest - 2),  # below names that stand upright for want of room
                    "yanchor": "top",
                },
                "line": {"width": np.where(rows == columns, 2 if classes <= NAMED else 1, 0), "color": NEUTRAL},
            },
            hovertemplate="label %{y}, prediction %{x}: %{hovertext} examples, mean %{text}<extra></extra>"
            if values is not None
            else "label %{y}, prediction %{x}: %{hovertext} examples<extra></extra>",
            # Without a text colour for the selected ones, plotly fades the numbers of all others.
            selected={"marker": {"opacity": 1, "color": SELECTED}, "textfont": {"color": DARK_INK}},
            unselected={"marker": {"opacity": 1}},
        )
    )
    axis = {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": list(class_names),
        "tickvals": list(range(0, classes, every)),
        "ticktext": short[::every],
    }
    figure.update_xaxes(title="prediction", range=[-0.6, classes - 0.4], **axis)
    figure.update_yaxes(title="label", range=[classes - 0.4, -0.6], **axis)
    figure.update_layout(clickmode="event+select")
    return styled(figure, 560)


def score_distributions(values: np.ndarray, correct: np.ndarray | None, title: str) -> go.Figure:
    """How a score is distributed, correct and wrong predictions side by side.

    Args:
        values: (N,) the score.
        correct: (N,) bool, or None without labels.
        title: of the score.

    Returns:
        Two histograms as shares of their own group, so that few wrong ones are not lost beside many correct ones.
    """
    edges = np.histogram_bin_edges(values, bins=30)
    groups = [("all", NEUTRAL, np.ones(len(values), dtype=bool))]
    if correct is not None:
        groups = [("correct", CORRECT, correct), ("wrong", WRONG, ~correct)]
    figure = go.Figure()
    for name, colour, members in groups:
        counts, _ = np.histogram(values[members], bins=edges)
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts / max(counts.sum(), 1),
            customdata=counts,
            marker_color=colour,
            name=f"{name} ({counts.sum():,})",
            hovertemplate=f"%{{customdata}} {name} near %{{x:.3f}}<extra></extra>",
        )
    figure.update_xaxes(title=title)
    figure.update_yaxes(title="share of the group", tickformat=".0%")
    return styled(figure, 300)


def class_accuracies(
    accuracy: np.ndarray, uncertainty: np.ndarray, class_names: Sequence[str], title: str
) -> go.Figure:
    """For each class its share of mistakes beside its mean uncertainty.

    Args:
        accuracy: (C,) accuracy over the examples of each label, as a fraction.
        uncertainty: (C,) mean of a score over the examples of each label.
        class_names: C names.
        title: of the score.

    Returns:
        One dot a class, named; top right are many mistakes and high values of the score.
    """
    figure = go.Figure(
        go.Scatter(
            x=uncertainty,
            y=1 - accuracy,
            mode="markers+text",
            text=list(class_names),
            textposition="top center",
            textfont={"size": 14},
            marker={"size": 14, "color": [class_colour(c) for c in range(len(class_names))]},
            customdata=accuracy,
            hovertemplate="%{text}: %{customdata:.2%} correct, mean %{x:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(title=f"mean {title}")
    figure.update_yaxes(title="mistakes", tickformat=".1%", rangemode="tozero")
    return styled(figure, 380).update_layout(showlegend=False)
