"""Scores of many images against each other, against the classes, and on a map."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import DENSITY, NEUTRAL, RIGHT, WRONG, class_colour, styled

MANY = 20_000  # points above which a browser draws a density and a sample instead of every point
SAMPLED = 4_000
CELLS = 160
NARROWEST = 280  # pixels that all squares of a confusion matrix have on a phone


def scatter(
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    group_names: Sequence[str],
    colours: Sequence[str],
    *,
    axes: tuple[str, str] | None,
    outline: Sequence[tuple[float, float]] = (),
) -> go.Figure:
    """One point an image, in the colour of its group; above 20,000 a density with a sample of the points on top.

    Args:
        x: (N,) floating point.
        y: (N,) floating point.
        groups: (N,) int, an index into `group_names`.
        group_names: for the legend.
        colours: one a group.
        axes: the titles of the axes, or None for a map whose axes mean nothing.
        outline: corners of a polygon to be drawn around what is selected.

    Returns:
        A WebGL scatter chart whose points carry their image's index as `customdata`.
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
                    customdata=members,
                    mode="markers",
                    marker={"color": colour, "size": 5 if len(x) > 2000 else 7, "opacity": 0.75},
                    name=name,
                    hovertemplate=f"image %{{customdata}}, {name}<extra></extra>",
                    selected={"marker": {"opacity": 1}},
                    unselected={"marker": {"opacity": 0.25}},
                )
            )
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
    return styled(figure, 560).update_layout(dragmode="lasso", uirevision="kept")


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


def coloured_map(x: np.ndarray, y: np.ndarray, values: np.ndarray, title: str, images: np.ndarray) -> go.Figure:
    """Images laid out on a plane, coloured by a score.

    Args:
        x: (N,) position.
        y: (N,) position.
        values: (N,) the score.
        title: of the colour bar.
        images: (N,) int, the index of each image.

    Returns:
        A WebGL scatter chart of at most 20,000 points, which carry their image's index as `customdata`.
    """
    shown = np.arange(len(x))
    if len(x) > MANY:
        shown = np.sort(np.random.default_rng(0).choice(len(x), MANY, replace=False))
    # The brightest on top, and a few extreme values must not wash out all the others.
    shown = shown[np.argsort(values[shown], kind="stable")]
    low, high = np.percentile(values, [1, 99])
    figure = go.Figure(
        go.Scattergl(
            x=x[shown].astype(np.float32),
            y=y[shown].astype(np.float32),
            customdata=images[shown],
            mode="markers",
            marker={
                "color": values[shown].astype(np.float32),
                "cmin": low,
                "cmax": high if high > low else low + 1e-6,
                "colorscale": "Cividis",
                "size": 5,
                "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 12},
            },
            hovertemplate="image %{customdata}: %{marker.color:.3f}<extra></extra>",
            unselected={"marker": {"opacity": 0.2}},
        )
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return styled(figure, 560).update_layout(dragmode="lasso", uirevision="kept")


def confusion_matrix(
    true: np.ndarray,
    predicted: np.ndarray,
    class_names: Sequence[str],
    values: np.ndarray | None = None,
    title: str = "images",
) -> go.Figure:
    """Which classes are taken for which, as squares that can be clicked.

    Args:
        true: (N,) int true classes.
        predicted: (N,) int predicted classes.
        class_names: C names.
        values: (N,) a score to average in each square; without it, images are counted.
        title: of what a square's colour means.

    Returns:
        A scatter of square markers whose `customdata` are true × C + predicted. Squares on the diagonal, which
        hold nearly all images, are outlined and left dark where images are counted, so that mistakes stand out.
    """
    classes = len(class_names)
    cell = true * classes + predicted
    counts = np.bincount(cell, minlength=classes**2)
    cells = np.flatnonzero(counts)
    rows, columns = np.divmod(cells, classes)
    if values is None:
        shown = counts[cells].astype(np.float64)
        texts = [str(count) for count in counts[cells]]
        colours = np.where(rows == columns, 0, shown)
    else:
        shown = colours = np.bincount(cell, weights=values, minlength=classes**2)[cells] / counts[cells]
        texts = [f"{value:.2f}" for value in shown]
    light = colours > 0.55 * max(colours.max(), 1e-9)
    side = max(12, NARROWEST // classes)
    figure = go.Figure(
        go.Scatter(
            x=[class_names[c] for c in columns],
            y=[class_names[r] for r in rows],
            customdata=cells,
            hovertext=[f"{count:,}" for count in counts[cells]],
            mode="markers+text" if classes <= 20 else "markers",
            text=texts,
            textfont={"size": 11, "color": ["#10161D" if bright else "#FFFFFF" for bright in light]},
            marker={
                "symbol": "square",
                "size": side,
                "color": colours,
                "colorscale": "Cividis",
                "cmin": 0,
                "opacity": 1,
                "colorbar": {
                    "title": {"text": title},
                    "thickness": 12,
                    "orientation": "h",
                    "y": -0.16,
                    "yanchor": "top",
                },
                "line": {"width": np.where(rows == columns, 2, 0), "color": NEUTRAL},
            },
            hovertemplate="true %{y}, said %{x}: %{hovertext} images, mean %{text}<extra></extra>"
            if values is not None
            else "true %{y}, said %{x}: %{hovertext} images<extra></extra>",
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
        )
    )
    axis = {"type": "category", "categoryorder": "array", "categoryarray": list(class_names)}
    figure.update_xaxes(title="predicted class", range=[-0.6, classes - 0.4], **axis)
    figure.update_yaxes(title="true class", range=[classes - 0.4, -0.6], **axis)
    figure.update_layout(clickmode="event+select")
    return styled(figure, 560)


def score_distributions(values: np.ndarray, correct: np.ndarray | None, title: str) -> go.Figure:
    """How a score is distributed, right and wrong answers side by side.

    Args:
        values: (N,) the score.
        correct: (N,) bool, or None where nobody knows.
        title: of the score.

    Returns:
        Two histograms as shares of their own group, so that a few wrong answers are not lost beside many right ones.
    """
    edges = np.histogram_bin_edges(values, bins=30)
    groups = [("all", NEUTRAL, np.ones(len(values), dtype=bool))]
    if correct is not None:
        groups = [("right", RIGHT, correct), ("wrong", WRONG, ~correct)]
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
        accuracy: (C,) fraction of each true class that is right.
        uncertainty: (C,) mean of a score over each true class.
        class_names: C names.
        title: of the score.

    Returns:
        One dot a class, named; top right is where the model has problems and knows it.
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
            hovertemplate="%{text}: %{customdata:.2%} right, mean %{x:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(title=f"mean {title}")
    figure.update_yaxes(title="mistakes", tickformat=".1%", rangemode="tozero")
    return styled(figure, 380).update_layout(showlegend=False)
