"""Scores of many examples against each other, against the classes, and on a map."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import (
    CORRECT,
    DENSITY,
    NAMED_CLASSES,
    NEUTRAL,
    WRONG,
    all_as_labels,
    class_colour,
    shortened,
    styled,
    uncertainty_scale,
)

MANY = 20_000  # points above which a browser draws a density and a sample instead of every point
SAMPLED = 4_000
CELLS = 160
FADED = 0.15  # opacity of what is not selected
STANDING_OUT = 9  # pixels, a selected point of a map
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
    figure, names = go.Figure(), all_as_labels(group_names)
    shown = np.arange(len(x))
    if len(x) > MANY:
        figure.add_trace(_density(x, y))
        shown = np.sort(np.random.default_rng(0).choice(len(x), SAMPLED, replace=False))
    size = 5 if len(x) > 2000 else 7
    for index, (name, colour) in enumerate(zip(names, colours, strict=True)):
        members = shown[groups[shown] == index]
        if len(members):
            marker = {"color": colour, "size": size, "opacity": _opacity(selected, members, 0.75)}
            figure.add_trace(
                _group(x[members], y[members], examples[members], name, marker, faded=selected is not None)
            )
    if selected is not None:  # a legend of faded points would be faded
        for index in np.unique(groups[shown]):
            name, swatch = names[index], {"color": colours[index], "size": 7}
            figure.add_scatter(x=[None], y=[None], mode="markers", marker=swatch, name=name, legendgroup=name)
    _ring(figure, x, y, examples, primary)
    if outline:
        path = "M" + "L".join(f"{px},{py}" for px, py in [*outline, outline[0]]) + "Z"
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
        showlegend=len(group_names) <= NAMED_CLASSES,
        legend={"y": -0.16, "yanchor": "top", "itemsizing": "constant"},
    )


def _group(
    x: np.ndarray, y: np.ndarray, examples: np.ndarray, name: str, marker: dict[str, object], faded: bool
) -> go.Scattergl:
    return go.Scattergl(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        customdata=examples,
        mode="markers",
        marker=marker,
        name=name,
        legendgroup=name if faded else None,
        showlegend=not faded,
        hovertemplate=f"example %{{customdata}}, {name}<extra></extra>",
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0.25}},
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
                "colorscale": uncertainty_scale(uncertain_when),
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
        One dot a class; top right are many mistakes and high values of the score. Of more than 20 classes the names
        are shown on hover alone.
    """
    figure = go.Figure(
        go.Scatter(
            x=uncertainty,
            y=1 - accuracy,
            mode="markers+text" if len(class_names) <= NAMED_CLASSES else "markers",
            text=all_as_labels(list(map(shortened, class_names))),
            hovertext=all_as_labels(class_names),
            textposition="top center",
            textfont={"size": 14},
            marker={"size": 14, "color": [class_colour(c) for c in range(len(class_names))]},
            customdata=accuracy,
            hovertemplate="%{hovertext}: %{customdata:.2%} correct, mean %{x:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(title=f"mean {title}")
    figure.update_yaxes(title="mistakes", tickformat=".1%", rangemode="tozero")
    return styled(figure, 380).update_layout(showlegend=False)
