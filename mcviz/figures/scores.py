"""Scores of many examples: scatter charts, maps and charts by class."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageColor

from mcviz.figures.passes import select_classes
from mcviz.figures.style import (
    CHART_HEIGHT,
    CORRECT,
    ENSEMBLE,
    NAMED_CLASSES,
    NEUTRAL,
    UNLABELLED,
    WRONG,
    apply_layout,
    class_colour,
    escape_label,
    escape_labels,
    shorten_name,
    value_colours,
)
from mcviz.text import percent, true_minus

MOST_DRAWN_POINTS = 20_000  # visible ones; browsers draw more slowly, so they become cells
CELLS_ALONG_AXIS = 160  # along each axis
FADED = 0.15  # opacity of unselected examples
FAINTEST = 0.3  # opacity of a confident example, and of a cell of one example among fuller ones
MARGIN = 0.03  # of the plane, around all examples

SELECTED_SIZE = 9  # pixels, a selected point of a map
# The chart of classes; all in pixels.
PLOT = 250, 230  # the usual room for its dots
DOT, LETTER = 14, (8, 18)
FAR = 0, 15, 30, 50, 75  # between a dot and its name
SIDES = np.array([(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)])
COLOUR_BAR = 0.13  # of the height of a map, at the bottom


@dataclass(frozen=True)
class Window:
    """The visible part of a plane.

    Attributes:
        x: the lowest and the highest value along the x axis.
        y: the same along the y axis.
    """

    x: tuple[float, float]
    y: tuple[float, float]

    @classmethod
    def fit(cls, x: np.ndarray, y: np.ndarray) -> "Window":
        """Fit a window to the finite ones of (N,) points."""
        finite = np.isfinite(x) & np.isfinite(y)
        return cls(_pad_with_margin(x[finite]), _pad_with_margin(y[finite]))

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return (N,) bool: whether each point is visible."""
        (left, right), (bottom, top) = self.x, self.y
        return (x >= left) & (x <= right) & (y >= bottom) & (y <= top)

    def intersect(self, other: "Window") -> "Window":
        """Return the part that both windows show; if none, this window."""
        pairs = (self.x, other.x), (self.y, other.y)
        (left, right), (bottom, top) = ((max(a[0], b[0]), min(a[1], b[1])) for a, b in pairs)
        return Window((left, right), (bottom, top)) if left < right and bottom < top else self


class Cells:
    """The K cells of a grid over a window that hold points.

    Attributes:
        members: (n,) int64, the visible points.
        cell: (n,) int64, the cell of each of these, an index into `counts`.
        counts: (K,) int64, how many points each holds.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, window: Window) -> None:
        """Sort points into cells.

        Args:
            x: (N,) floating point.
            y: (N,) floating point.
            window: the visible part.
        """
        self._window = window
        self.members = np.flatnonzero(window.contains(x, y))
        self._sides = [(high - low) / CELLS_ALONG_AXIS for low, high in (window.x, window.y)]
        along = [
            np.minimum((values[self.members].astype(np.float64) - low) / side, CELLS_ALONG_AXIS - 1).astype(np.int64)
            for values, (low, _), side in zip((x, y), (window.x, window.y), self._sides, strict=True)
        ]
        place = along[1] * CELLS_ALONG_AXIS + along[0]
        counts = np.bincount(place, minlength=CELLS_ALONG_AXIS**2)
        self._places = np.flatnonzero(counts)
        self.counts = counts[self._places]
        numbers = np.zeros(CELLS_ALONG_AXIS**2, dtype=np.int64)
        numbers[self._places] = np.arange(len(self._places))
        self.cell = numbers[place]

    def sums(self, weights: np.ndarray) -> np.ndarray:
        """Sum (n,) weights of the members over each cell: (K,) float64."""
        return np.bincount(self.cell, weights, minlength=len(self.counts))

    def layout_image(self, colours: np.ndarray, selected: np.ndarray | None) -> dict[str, object]:
        """Draw the cells as an image, more opaque with more examples.

        Args:
            colours: (K, 3) uint8.
            selected: (N,) bool, a cell that holds none of these is faded; or None.
        """
        opacity = FAINTEST + (1 - FAINTEST) * np.log1p(self.counts) / np.log1p(self.counts.max())
        if selected is not None:
            opacity = np.where(self.sums(selected[self.members]) > 0, opacity, FADED)
        pixels = np.zeros((CELLS_ALONG_AXIS**2, 4), dtype=np.uint8)
        pixels[self._places] = np.column_stack([colours, np.round(255 * opacity)])
        file = io.BytesIO()
        Image.fromarray(pixels.reshape(CELLS_ALONG_AXIS, CELLS_ALONG_AXIS, 4)[::-1]).save(file, "PNG")
        (left, right), (bottom, top) = self._window.x, self._window.y
        return {
            "source": f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}",
            "xref": "x",
            "yref": "y",
            "x": left,
            "y": top,
            "sizex": right - left,
            "sizey": top - bottom,
            "sizing": "stretch",
            "layer": "below",
        }

    def hover_points(self, texts: Sequence[str], **marker: object) -> go.Scattergl:
        """Return invisible points in the middles of the cells, with hover texts.

        Args:
            texts: K of them.
            marker: more attributes of the points' markers.
        """
        unseen = {"marker": {"opacity": 0}}
        x, y = (
            (low + (at + 0.5) * side).astype(np.float32)
            for at, (low, _), side in zip(
                (self._places % CELLS_ALONG_AXIS, self._places // CELLS_ALONG_AXIS),
                (self._window.x, self._window.y),
                self._sides,
                strict=True,
            )
        )
        return go.Scattergl(
            x=x,
            y=y,
            mode="markers",
            marker={"opacity": 0, **marker},
            text=[f"{count:,} examples<br>{text}" for count, text in zip(self.counts, texts, strict=True)],
            hovertemplate="%{text}<extra></extra>",
            selected=unseen,
            unselected=unseen,
            showlegend=False,
        )


def mean_colours(counts: np.ndarray, colours: Sequence[str]) -> np.ndarray:
    """Return (K, 3) uint8 mean colours of cells.

    Args:
        counts: (K, G) how many examples of each of G groups each cell holds.
        colours: G of them, such as "#0072B2".
    """
    palette = np.array([ImageColor.getrgb(colour)[:3] for colour in colours])
    return np.round(counts @ palette / counts.sum(axis=1, keepdims=True)).astype(np.uint8)


def scale_colours(values: np.ndarray, low: float, high: float, colours: tuple[str, str]) -> np.ndarray:
    """Blend the colours of `low` and `high` for (K,) values: (K, 3) uint8."""
    first, last = (np.array(ImageColor.getrgb(colour)[:3]) for colour in colours)
    at = np.clip((values - low) / (high - low), 0, 1)[:, None]
    return np.round(first + at * (last - first)).astype(np.uint8)


def usual_range(values: np.ndarray) -> tuple[float, float]:
    """Return the range of (N,) values without extremes (1st to 99th percentile)."""
    low, high = map(float, np.percentile(values, [1, 99])) if len(values) else (0.0, 0.0)
    return low, high if high > low else low + 1e-6


def measure_doubt(values: np.ndarray, uncertain_when: Literal["low", "high"]) -> np.ndarray:
    """Scale (N,) finite values from confident, 0, to uncertain, 1."""
    low, high = usual_range(values)
    at = np.clip((values - low) / (high - low), 0, 1)
    return 1 - at if uncertain_when == "low" else at


def _pad_with_margin(values: np.ndarray) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * (high - low) or 0.5
    return low - margin, high + margin


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
    window: Window | None = None,
    doubt: np.ndarray | None = None,
    classes: tuple[np.ndarray, Sequence[str]] | None = None,
) -> go.Figure:
    """Draw one point per example, in the colour of its group.

    If more than 20,000 are visible, draw cells of a grid.

    Args:
        x: (N,) floating point.
        y: (N,) floating point.
        groups: (N,) int, an index into `group_names`.
        group_names: for the legend.
        colours: one a group.
        examples: (N,) int, the number of each example in the run.
        axes: the titles of the axes, or None for a map with meaningless axes.
        outline: corners of a polygon to draw around the selection.
        selected: (N,) bool, all others are faded; None if the browser shows the selection, or all are selected.
        window: the visible part; without it, all.
        doubt: (N,) as `measure_doubt` returns it: the less, the fainter a point is.
        classes: (N,) the class of each example, and names, each of which stands in the middle of its class.

    Returns:
        A WebGL scatter chart whose points carry their example's number as `customdata`. Cells carry none.
    """
    figure, names = go.Figure(), escape_labels(group_names)
    window, in_view = _select_in_view(x, y, window, axes)
    as_cells, faded = len(in_view) > MOST_DRAWN_POINTS, selected is not None or doubt is not None
    if window and as_cells:
        _add_group_cells(figure, Cells(x, y, window.intersect(Window.fit(x, y))), groups, names, colours, selected)
    else:
        for index, (name, colour) in enumerate(zip(names, colours, strict=True)):
            members = in_view[groups[in_view] == index]
            if len(members):
                marker = {
                    "color": colour,
                    "size": _point_size(len(in_view)),
                    "opacity": _opacity(selected, doubt, members, 0.75),
                }
                figure.add_trace(_group_points(x[members], y[members], examples[members], name, marker, faded=faded))
    if as_cells or faded:  # a legend of faded points would be faded
        for index in np.unique(groups[in_view]):
            name, swatch = names[index], {"color": colours[index], "size": 7}
            figure.add_scatter(x=[None], y=[None], mode="markers", marker=swatch, name=name, legendgroup=name)
    _frame(figure, axes, outline, window)
    _name_classes(figure, x, y, classes)
    # above the chart, ten class names would lie under the toolbar
    return apply_layout(figure, CHART_HEIGHT).update_layout(
        dragmode="lasso",
        uirevision="kept",
        showlegend=len(group_names) <= NAMED_CLASSES,
        legend={"y": -0.16, "yanchor": "top", "itemsizing": "constant"},
    )


def _point_size(points: int) -> int:
    return 5 if points > 2000 else 7


def _select_in_view(
    x: np.ndarray, y: np.ndarray, window: Window | None, axes: tuple[str, str] | None
) -> tuple[Window | None, np.ndarray]:
    """Return the window, if needed, and the numbers of the visible points.

    Both axes of a map share one scale: if its window were cut in one direction, the browser would show an area without
    points in the other.
    """
    if window is None and len(x) <= MOST_DRAWN_POINTS:
        return None, np.arange(len(x))
    if window is None or axes:
        everything = Window.fit(x, y)
        window = everything if window is None else window.intersect(everything)
    return window, np.flatnonzero(window.contains(x, y))


def _add_group_cells(
    figure: go.Figure,
    cells: Cells,
    groups: np.ndarray,
    names: Sequence[str],
    colours: Sequence[str],
    selected: np.ndarray | None,
) -> None:
    both = cells.cell * len(names) + groups[cells.members]
    counts = np.bincount(both, minlength=len(cells.counts) * len(names)).reshape(-1, len(names))
    figure.add_layout_image(cells.layout_image(mean_colours(counts, colours), selected))
    most = counts.argmax(axis=1)
    shares = counts.max(axis=1) / cells.counts
    figure.add_trace(
        cells.hover_points([f"{percent(share, 0)} {names[group]}" for share, group in zip(shares, most, strict=True)])
    )


def _frame(
    figure: go.Figure,
    axes: tuple[str, str] | None,
    outline: Sequence[tuple[float, float]],
    window: Window | None,
) -> None:
    if window:
        figure.update_xaxes(range=window.x)
        figure.update_yaxes(range=window.y)
    if outline:
        path = "M" + "L".join(f"{px},{py}" for px, py in [*outline, outline[0]]) + "Z"
        figure.add_shape(type="path", path=path, line={"color": NEUTRAL, "width": 2, "dash": "dot"})
    if axes:
        figure.update_xaxes(title=axes[0])
        figure.update_yaxes(title=axes[1])
    else:
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False, scaleanchor="x")


def _name_classes(
    figure: go.Figure, x: np.ndarray, y: np.ndarray, classes: tuple[np.ndarray, Sequence[str]] | None
) -> None:
    members, names = classes or (np.empty(0, int), ())
    for number in np.unique(members) if len(names) <= NAMED_CLASSES else ():
        of_class = members == number
        figure.add_annotation(
            x=float(np.median(x[of_class])),
            y=float(np.median(y[of_class])),
            text=escape_label(shorten_name(names[number])),
            showarrow=False,
            font={"size": 15, "weight": 700, "shadow": "auto"},
        )


def _group_points(
    x: np.ndarray, y: np.ndarray, examples: np.ndarray, name: str, marker: dict[str, object], faded: bool
) -> go.Scattergl:
    return _points(x, y, examples, marker, f", {name}", 0.25).update(
        name=name,
        legendgroup=name if faded else None,
        showlegend=not faded,
        selected={"marker": {"opacity": 1}},
    )


def _points(
    x: np.ndarray, y: np.ndarray, examples: np.ndarray, marker: dict[str, object], hover: str, unselected: float
) -> go.Scattergl:
    """Return points whose hover text is their number and `hover`."""
    return go.Scattergl(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        customdata=examples,
        mode="markers",
        marker=marker,
        hovertemplate=f"example %{{customdata}}{hover}<extra></extra>",
        unselected={"marker": {"opacity": unselected}},
    )


def _opacity(
    selected: np.ndarray | None, doubt: np.ndarray | None, points: np.ndarray, usual: float
) -> np.ndarray | float:
    opacity = usual if doubt is None else (usual * (FAINTEST + (1 - FAINTEST) * doubt[points])).astype(np.float32)
    return opacity if selected is None else np.where(selected[points], opacity, FADED)


def coloured_map(
    x: np.ndarray,
    y: np.ndarray,
    values: np.ndarray,
    title: str,
    examples: np.ndarray,
    *,
    axes: tuple[str, str] | None = None,
    outline: Sequence[tuple[float, float]] = (),
    uncertain_when: Literal["low", "high"] | None = "high",
    selected: np.ndarray | None = None,
    window: Window | None = None,
    doubt: np.ndarray | None = None,
    classes: tuple[np.ndarray, Sequence[str]] | None = None,
    number: str = ".3f",
) -> go.Figure:
    """Draw examples on a plane, coloured by a score.

    If more than 20,000 are visible, draw cells of a grid by their mean.

    Args:
        x: (N,) position.
        y: (N,) position.
        values: (N,) the score, or another number; non-finite values are grey.
        title: of the colour bar.
        examples: (N,) int, the number of each example in the run.
        axes: the titles of the axes, or None for a map whose axes mean nothing.
        outline: corners of a polygon to draw around the selection.
        uncertain_when: which values of the score mean uncertain; None for a number that is no score.
        selected: (N,) bool, all others are faded; None if the browser shows the selection, or all are selected.
        window: the visible part; without it, all.
        doubt: as for `scatter`.
        classes: as for `scatter`.
        number: d3's format of the values.

    Returns:
        A WebGL scatter chart whose points carry their example's number as `customdata`. Cells carry none.
    """
    window, in_view = _select_in_view(x, y, window, axes)
    known = np.isfinite(values)
    (low, high), ends = usual_range(values[known]), value_colours(uncertain_when)
    bar: dict[str, object] = {"title": {"text": title, "side": "right"}, "thickness": 12}
    if axes is None:
        bar = {"title": {"text": title, "side": "top"}, "thickness": 10, "orientation": "h", "len": 0.6, "ypad": 0}
        bar |= {"x": 0, "xanchor": "left", "y": 0, "yanchor": "bottom"}
    colours: dict[str, object] = {"cmin": low, "cmax": high, "colorscale": [*enumerate(ends)], "colorbar": bar}
    if window and len(in_view) > MOST_DRAWN_POINTS:
        cells = Cells(x, y, window.intersect(Window.fit(x, y)))
        within = known[cells.members]
        counts = cells.sums(within)
        means = cells.sums(np.where(within, values[cells.members], 0)) / np.maximum(counts, 1)
        painted = scale_colours(means, low, high, ends)
        painted[counts == 0] = ImageColor.getrgb(NEUTRAL)
        shape = number.replace("~", "")  # Python's formats lack it
        words = [
            f"mean {true_minus(f'{mean:{shape}}')}" if count else "no number"
            for mean, count in zip(means, counts, strict=True)
        ]
        figure = go.Figure(cells.hover_points(words, color=means, showscale=True, **colours))
        figure.add_layout_image(cells.layout_image(painted, selected))
    else:
        # the most uncertain on top
        in_view = in_view[np.argsort(-values[in_view] if uncertain_when == "low" else values[in_view], kind="stable")]
        unknown, in_view = in_view[~known[in_view]], in_view[known[in_view]]
        by_value: dict[str, object] = {"color": values[in_view].astype(np.float32), **colours}
        layers = [(in_view, by_value, f": %{{marker.color:{number}}}")]
        if len(unknown):
            layers.insert(0, (unknown, {"color": NEUTRAL}, ", no number"))
        figure, size = go.Figure(), _point_size(len(in_view) + len(unknown))
        for members, colour, hover in layers:
            marker = {"size": size, "opacity": _opacity(selected, doubt, members, 1), **colour}
            if selected is not None:
                marker["size"] = np.where(selected[members], SELECTED_SIZE, size)
            figure.add_trace(_points(x[members], y[members], examples[members], marker, hover, 0.2))
    _frame(figure, axes, outline, window)
    _name_classes(figure, x, y, classes)
    if axes is None:
        figure.update_yaxes(domain=[COLOUR_BAR, 1])
    return apply_layout(figure, CHART_HEIGHT).update_layout(dragmode="lasso", uirevision="kept", showlegend=False)


def score_distributions(values: np.ndarray, correct: np.ndarray | None, title: str) -> go.Figure:
    """Draw the distributions of a score for correct and wrong predictions.

    Args:
        values: (N,) the score.
        correct: (N,) bool, or numbers 0 and 1, NaN for unknown labels; None without labels.
        title: of the score.

    Returns:
        Two histograms as shares of their own group, so that few wrong ones are not lost beside many correct ones.
    """
    edges = np.histogram_bin_edges(values.astype(np.float64), bins=30)  # float32 has no 30 steps near 1
    groups = [("all", NEUTRAL, np.ones(len(values), dtype=bool))]
    if correct is not None:
        groups = [("correct", CORRECT, correct == 1), ("wrong", WRONG, correct == 0)]
        if (unlabelled := np.isnan(correct)).any():
            groups.append(("no label", UNLABELLED, unlabelled))
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
    share = "share of the examples" if correct is None else "share of the group"
    figure.update_yaxes(title=share, tickformat=".0%")
    return apply_layout(figure, 300)


def class_counts(predictions: np.ndarray, class_names: Sequence[str]) -> go.Figure:
    """Draw how many examples each class is predicted for.

    Args:
        predictions: (N,) integer classes.
        class_names: C names.

    Returns:
        A bar chart over all classes, or the ten most frequent of more than 20, the most frequent one in blue.
    """
    every, names = np.bincount(predictions, minlength=len(class_names)), escape_labels(class_names)
    classes = select_classes(every)
    counts = every[classes]
    colours = np.where(counts == counts.max(), ENSEMBLE, NEUTRAL)
    figure = go.Figure(
        go.Bar(
            x=[names[c] for c in classes],
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
    return apply_layout(figure, 320)


def class_accuracies(
    accuracy: np.ndarray, uncertainty: np.ndarray, class_names: Sequence[str], title: str
) -> go.Figure:
    """Draw each class's share of mistakes against its mean uncertainty.

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
            mode="markers",
            hovertext=escape_labels(class_names),
            marker={"size": DOT, "color": [class_colour(c) for c in range(len(class_names))]},
            customdata=accuracy,
            hovertemplate="%{hovertext}: %{customdata:.2%} correct, mean %{x:.3f}<extra></extra>",
        )
    )
    if len(class_names) <= NAMED_CLASSES:
        _name_dots(figure, uncertainty, 1 - accuracy, list(map(shorten_name, class_names)))
    figure.update_xaxes(title=f"mean {title}")
    figure.update_yaxes(title="mistakes", tickformat=".1%", rangemode="tozero")
    return apply_layout(figure, 380).update_layout(showlegend=False)


def _name_dots(figure: go.Figure, x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    """Write each name near its dot, covering the least of dots, edges and names before it."""
    start, end, plot = np.nanmin(x), np.nanmax(x), np.array(PLOT)
    dots = np.stack([(x - start) / ((end - start) or 1), y / (np.nanmax(y) or 1)], axis=1) * plot
    middles, halves = list(dots), [np.full(2, DOT / 2)] * len(dots)
    for number in np.flatnonzero(~np.isnan(dots).any(axis=1)).tolist():
        half = np.array([LETTER[0] * len(names[number]), LETTER[1]]) / 2
        offsets = np.concatenate([SIDES * (half + DOT / 2 + far) for far in FAR])
        wanted = dots[number] + offsets
        shared = half + np.array(halves) - np.abs(wanted[:, None] - middles)  # (places, boxes, 2) pixels
        beyond = (np.abs(wanted - plot / 2) + half - plot / 2 - DOT).clip(0).sum(axis=1)
        covered = np.nan_to_num(shared.clip(0).prod(axis=2)).sum(axis=1) + LETTER[1] * beyond
        place = int((covered + np.repeat(FAR, len(SIDES))).argmin())
        middles.append(wanted[place])
        halves.append(half)
        right, up = offsets[place].tolist()
        figure.add_annotation(
            x=float(x[number]), y=float(y[number]), ax=right, ay=-up, text=escape_label(names[number]),
            font={"size": 14}, arrowhead=0, arrowwidth=1, arrowcolor=NEUTRAL, standoff=DOT / 2, borderpad=0,
        )  # fmt: skip
