"""Single passes, ensemble and deterministic model compared, and the confusion matrix."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from PIL import ImageColor
from plotly.colors import get_colorscale

from mcviz.figures.style import (
    CHART_HEIGHT,
    CORRECT,
    DARK_INK,
    DETERMINISTIC,
    ENSEMBLE,
    INK,
    NAMED_CLASSES,
    NEUTRAL,
    NUMBER,
    SELECTED,
    SHARES,
    WRONG,
    add_line,
    apply_layout,
    axis_title,
    escape_labels,
    label_lines,
    log_axis,
    pad_range,
    pass_histogram,
    shorten_name,
    uncertainty_scale,
    veil,
)
from mcviz.text import fixed, percent, significant

NARROWEST_MATRIX = 280  # pixels of all cells together on a phone
NEXT_TICK = 1.5  # least ratio of the last tick to the one before
SMALLEST_CELL = 3  # pixels of a cell; beyond about a hundred classes, cells overlap
SHORT_NAME = 3  # letters that fit under a cell
EMPTY_CELLS = "rgba(128, 136, 148, 0.12)"  # of empty cells
EDGE = "rgba(128, 136, 148, 0.35)"
DIAGONAL = "rgba(128, 136, 148, 0.3)"  # a quiet grey on any page
FAINT, FAINT_OF_MANY, LOUD = 0.12, 0.4, 0.8  # opacities for few mistakes, the same with many classes, many


@dataclass(frozen=True)
class PassMeasure:
    """The measure that compares passes.

    Attributes:
        title: its name on an axis, with its unit.
        format: formats a value as text.
        number: d3's format of its values.
        tick: d3's format of the numbers along an axis.
        ends: the limits of an axis.
    """

    title: str
    format: Callable[[float], str]
    number: str
    tick: str
    ends: Mapping[str, float] = field(default_factory=dict)


ACCURACY = PassMeasure("accuracy", partial(percent, digits=2), ".2%", ".1%", SHARES)


def accuracy_against_ensemble(
    pass_accuracy: np.ndarray, ensemble: float, deterministic: float | None, name: str = ACCURACY.title
) -> go.Figure:
    """Draw the accuracies of single passes, ensemble and deterministic model.

    Args:
        pass_accuracy: (T,) accuracy of each single pass, as a fraction.
        ensemble: accuracy of the mean of all passes, as a fraction.
        deterministic: accuracy of the model with dropout off, as a fraction, or None if unknown.
        name: of the measure, if it is another share.

    Returns:
        A histogram with a vertical line for each of the two.
    """
    return _draw_against_ensemble(pass_accuracy, ensemble, deterministic, replace(ACCURACY, title=name))


def rmse_against_ensemble(
    pass_rmse: np.ndarray, ensemble: float, deterministic: float | None, unit: str = ""
) -> go.Figure:
    """Draw the RMSEs of single passes, ensemble and deterministic model.

    Args:
        pass_rmse: (T,) RMSE of each single pass.
        ensemble: RMSE of the mean of all passes.
        deterministic: RMSE of the model with dropout off, or None if unknown.
        unit: of the targets.

    Returns:
        A histogram with a vertical line for each of the two.
    """
    return _draw_against_ensemble(pass_rmse, ensemble, deterministic, _rmse_measure(unit))


def accuracy_by_ensemble_size(
    ensemble_accuracy: np.ndarray, deterministic: float | None, name: str = ACCURACY.title
) -> go.Figure:
    """Draw ensemble accuracy by number of passes.

    Args:
        ensemble_accuracy: (T,) accuracy of the mean of the first 1, 2, … T passes, as a fraction.
        deterministic: accuracy of the model with dropout off, as a fraction, or None if unknown.
        name: of the measure, if it is another share.

    Returns:
        A line over the number of passes, on a logarithmic axis, with the deterministic model as a level.
    """
    return _draw_by_ensemble_size(ensemble_accuracy, deterministic, replace(ACCURACY, title=name))


def rmse_by_ensemble_size(ensemble_rmse: np.ndarray, deterministic: float | None, unit: str = "") -> go.Figure:
    """Draw ensemble RMSE by number of passes.

    Args:
        ensemble_rmse: (T,) RMSE of the mean of the first 1, 2, … T passes.
        deterministic: RMSE of the model with dropout off, or None if unknown.
        unit: of the targets.

    Returns:
        A line over the number of passes, on a logarithmic axis, with the deterministic model as a level.
    """
    return _draw_by_ensemble_size(ensemble_rmse, deterministic, _rmse_measure(unit))


def _rmse_measure(unit: str) -> PassMeasure:
    return PassMeasure(axis_title("RMSE", unit), significant, NUMBER, "")


def _draw_against_ensemble(
    single: np.ndarray, ensemble: float, deterministic: float | None, measure: PassMeasure
) -> go.Figure:
    bars, edges = pass_histogram(single, measure.number)
    figure, top = go.Figure(bars), max(bars.y) * 1.08
    lines = [("ensemble", ensemble, ENSEMBLE, "solid")]
    if deterministic is not None:
        lines.append(("deterministic", deterministic, DETERMINISTIC, "dash"))
    for name, value, colour, dash in lines:
        text = f"{name} {measure.format(value)}"
        add_line(figure, [value, value], [0, top], colour, width=3, dash=dash, name=text, hover=text)
    values = np.append(edges, [value for _, value, _, _ in lines])
    ends = np.clip(pad_range(values), measure.ends.get("clipmin"), measure.ends.get("clipmax"))
    figure.update_xaxes(title=measure.title, tickformat=measure.tick, range=ends.tolist())
    figure.update_yaxes(title="passes", range=[0, top])
    return apply_layout(figure, 360)


def _draw_by_ensemble_size(ensemble: np.ndarray, deterministic: float | None, measure: PassMeasure) -> go.Figure:
    sizes = np.arange(1, len(ensemble) + 1)
    hover = f"first %{{x}} passes: %{{y:{measure.number}}}"
    figure = add_line(go.Figure(), sizes, ensemble, ENSEMBLE, name="ensemble", hover=hover)
    if deterministic is not None:
        text, level = measure.format(deterministic), [deterministic, deterministic]
        name, hover = f"deterministic {text}", f"deterministic model {text}"
        add_line(figure, sizes[[0, -1]], level, DETERMINISTIC, width=3, dash="dash", name=name, hover=hover)
        label_lines(figure, {"ensemble": (len(sizes), ensemble[-1]), name: (len(sizes), deterministic)}, log=True)
    ticks = [n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if NEXT_TICK * n <= len(sizes)]
    ticks.append(len(sizes))
    figure.update_xaxes(title="passes in the ensemble", **log_axis(pad_range(np.log10(sizes)), ticks))
    figure.update_yaxes(title=measure.title, tickformat=measure.tick, autorangeoptions=measure.ends)
    return apply_layout(figure, 360)


def mistakes_by_reviewed(wrong: np.ndarray, share: float, mistakes: str = "mistakes") -> go.Figure:
    """Draw the mistakes found by reviewing the most uncertain examples first.

    Args:
        wrong: (N,) bool, whether each example's prediction is wrong, the most uncertain example first.
        share: the fraction of the examples to mark.
        mistakes: the word for them.

    Returns:
        A line over the fraction reviewed, on a logarithmic axis, beside that of a random order.
    """
    reviewed = np.arange(1, len(wrong) + 1) / len(wrong)
    share_of_mistakes = np.cumsum(wrong) / max(wrong.sum(), 1)
    places = np.unique(np.geomspace(1, len(wrong), min(400, len(wrong))).astype(int)) - 1
    x, hover = reviewed[places], "%{x:.1%} of the examples: %{y:.1%} of the " + mistakes
    figure = add_line(
        go.Figure(), x, share_of_mistakes[places], ENSEMBLE, width=3, name="most uncertain first", hover=hover
    )
    add_line(figure, x, x, NEUTRAL, width=2, dash="dot", name="in random order")
    most = int((share_of_mistakes[places] - x).argmax())
    early = most // 2
    names = {
        "most uncertain first": (x[early], share_of_mistakes[places[early]]),
        "in random order": (x[most], x[most]),
    }
    label_lines(figure, names, apart=True, log=True)
    marked = min(int(share * len(wrong)), len(wrong)) or 1
    figure.add_scatter(
        x=[share],
        y=[share_of_mistakes[marked - 1]],
        mode="markers+text",
        text=[f"{percent(share_of_mistakes[marked - 1], 0)} of the {mistakes}"],
        textposition="top left" if share_of_mistakes[marked - 1] > share else "top right",
        marker={"color": ENSEMBLE, "size": 12},
        showlegend=False,
        hoverinfo="skip",
    )
    ticks = [n for n in (0.0001, 0.001, 0.01, 0.05, 0.2, 1) if n >= 1 / len(wrong)]
    axis = log_axis(pad_range(np.log10(x)), ticks, lambda share: f"{100 * share:g}%")
    figure.update_xaxes(title="examples reviewed", **axis)
    figure.update_yaxes(title=f"{mistakes} found", tickformat=".0%", range=[0, 1.08])
    return apply_layout(figure, 380)


def confusion_matrix(
    labels: np.ndarray,
    predictions: np.ndarray,
    class_names: Sequence[str],
    values: np.ndarray | None = None,
    title: str = "examples",
    uncertain_when: Literal["low", "high"] = "high",
    selected: tuple[int, int] | None = None,
) -> go.Figure:
    """Draw the confusion matrix as clickable cells.

    Args:
        labels: (N,) integer classes.
        predictions: (N,) integer classes.
        class_names: C names.
        values: (N,) a score to average in each cell; without it, examples are counted.
        title: of the colour bar.
        uncertain_when: which values of the score mean uncertain; their cells are the brightest.
        selected: the label and the prediction of the marked cell, if any.

    Returns:
        Bars as high and as wide as a cell, whose `customdata` are label × C + prediction. If examples are counted,
        cells of few mistakes are faint, cells of many stand out, and the diagonal, which holds nearly all examples, has
        one quiet colour. If a score is averaged, the diagonal has an outline.
    """
    classes, names = len(class_names), escape_labels(class_names)
    cells = _cells(labels, predictions, classes, values, uncertain_when)
    figure = go.Figure()
    right = cells.numbers // classes == cells.numbers % classes
    for members, on_diagonal in ((~right, False), (right, True)):
        if members.any():
            figure.add_trace(_bars(cells, members, names, selected, averaged=values is not None, right=on_diagonal))
    if values is not None or (classes > NAMED_CLASSES and not right.all()):  # else the cells show the numbers
        # bars with numbers on a colour axis make plotly warn, so this trace carries the scale
        scale = {"color": [cells.lowest], "coloraxis": "coloraxis"}
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=scale, hoverinfo="skip")
    short = [shorten_name(name) for name in class_names]
    figure.update_layout(
        coloraxis={
            "cmin": cells.lowest,
            "cmax": cells.highest,
            "colorscale": [*enumerate(_veils([0, 1], classes))]
            if values is None
            else uncertainty_scale(uncertain_when),
            "colorbar": _colour_bar(title, max(map(len, short))),
        }
    )
    every = -(-classes // NAMED_CLASSES)  # names that fit
    axis = {"tickvals": list(range(0, classes, every)), "ticktext": escape_labels(short[::every]), "showgrid": False}
    # names turned to the left stay in the chart; plotly drops others
    angle = 0 if max(map(len, short)) <= SHORT_NAME else -45 if classes <= NAMED_CLASSES // 2 else -90
    figure.update_xaxes(title="prediction", range=[-0.5, classes - 0.5], zeroline=False, tickangle=angle, **axis)
    figure.update_yaxes(title="label", range=[classes - 0.5, -0.5], zeroline=False, **axis)
    figure.update_layout(clickmode="event+select", barmode="overlay", plot_bgcolor=EMPTY_CELLS)
    return apply_layout(figure, CHART_HEIGHT).update_layout(bargap=0, showlegend=False)


def _bars(
    cells: "_Cells",
    members: np.ndarray,
    names: Sequence[str],
    selected: tuple[int, int] | None,
    *,
    averaged: bool,
    right: bool,
) -> go.Bar:
    classes, numbers = len(names), cells.numbers[members]
    rows, columns = np.divmod(numbers, classes)
    brightness = (cells.values[members] - cells.lowest) / (cells.highest - cells.lowest)
    inks = np.where(cells.is_bright(brightness), DARK_INK, "#FFFFFF") if averaged else np.full(len(numbers), INK)
    mean = ", mean %{text}" if averaged else ""
    few = classes <= NAMED_CLASSES
    fill: dict[str, Any] = {"color": DIAGONAL if right else _veils(brightness, classes)}
    if averaged:
        fill = {"color": _colours(brightness, cells.low_is_bright)}
    return go.Bar(
        x=columns,
        y=np.ones(len(numbers)),
        base=rows - 0.5,
        width=1,
        customdata=numbers,
        selectedpoints=np.flatnonzero(numbers == selected[0] * classes + selected[1]) if selected else None,
        hovertext=[
            f"label {names[row]}, prediction {names[column]}: {count:,} examples"
            for row, column, count in zip(rows, columns, cells.counts[members], strict=True)
        ],
        text=[cells.texts[at] for at in np.flatnonzero(members)] if few or averaged else None,
        textposition="inside" if few else "none",
        insidetextanchor="middle",
        textangle=0,
        constraintext="none",
        textfont={"size": 11, "color": inks.tolist()},
        marker={"line": _edge(classes, fill, outlined=right and averaged), **fill},
        hovertemplate=f"%{{hovertext}}{mean}<extra></extra>",
        # without a text colour for selected cells, plotly fades all other numbers
        selected={"marker": {"opacity": 1, "color": SELECTED}, "textfont": {"color": DARK_INK}},
        unselected={"marker": {"opacity": 1}},
    )


def _edge(classes: int, fill: dict[str, Any], *, outlined: bool) -> dict[str, Any]:
    """Return the line around cells, wide enough to show tiny cells."""
    if outlined:
        return {"color": CORRECT, "width": 2 if classes <= NAMED_CLASSES else 1}
    if classes <= NAMED_CLASSES:
        return {"color": EDGE, "width": 1}
    return {**fill, "width": max(0, SMALLEST_CELL - NARROWEST_MATRIX / classes)}


@dataclass(frozen=True)
class _Cells:
    """Cells with examples: numbers, counts, texts and values."""

    numbers: np.ndarray
    counts: np.ndarray
    texts: list[str]
    values: np.ndarray
    lowest: float
    highest: float
    low_is_bright: bool

    def is_bright(self, brightness: np.ndarray) -> np.ndarray:
        """Whether text on cells of this brightness, 0 to 1, should be dark."""
        return brightness < 0.45 if self.low_is_bright else brightness > 0.55


def _cells(
    labels: np.ndarray, predictions: np.ndarray, classes: int, values: np.ndarray | None, uncertain_when: str
) -> _Cells:
    numbers, places, counts = _count_cells(labels * classes + predictions, classes**2)
    low = uncertain_when == "low"
    if values is None:
        mistakes = counts[numbers // classes != numbers % classes]
        most = max(float(mistakes.max(initial=0)), 1)
        return _Cells(numbers, counts, [f"{count:,}" for count in counts], counts.astype(float), 0.0, most, low)
    means = np.bincount(places, weights=values) / counts
    lowest = float(means.min())
    highest = max(float(means.max()), lowest + 1e-6)
    return _Cells(numbers, counts, [fixed(value, 2) for value in means], means, lowest, highest, low)


def _veils(shares: "np.ndarray | Sequence[float]", classes: int) -> list[str]:
    """Return colours that are the more opaque, the more mistakes."""
    faint = FAINT if classes <= NAMED_CLASSES else FAINT_OF_MANY
    return [veil(WRONG, round(faint + (LOUD - faint) * share, 3)) for share in shares]


def _colours(brightness: np.ndarray, low_is_bright: bool) -> list[str]:
    """Return colours on the uncertainty scale, for values from 0 to 1."""
    places, shades = zip(*get_colorscale(uncertainty_scale("low" if low_is_bright else "high")), strict=True)
    parts = np.array([ImageColor.getrgb(shade) for shade in shades]).T
    mixed = np.stack([np.interp(brightness, places, part) for part in parts], axis=-1).round().astype(int)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in mixed]


def _count_cells(cells: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the occurring cells' numbers, each example's index, and counts."""
    if most > len(cells):  # sorting a few is quicker than a large table
        return np.unique(cells, return_inverse=True, return_counts=True)
    counts = np.bincount(cells, minlength=most)
    numbers = np.flatnonzero(counts)
    places = np.zeros(most, dtype=np.int64)
    places[numbers] = np.arange(len(numbers))
    return numbers, places[cells], counts[numbers]


def _colour_bar(title: str, longest_name: int) -> dict[str, object]:
    return {
        "title": {"text": title, "side": "top"},
        "thickness": 12,
        "len": 0.6,
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": -0.16 - 0.015 * max(0, longest_name - 2),  # below upright names
        "yanchor": "top",
    }
