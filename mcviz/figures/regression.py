"""Regression: predictions against labels, errors, intervals, and the passes over one example."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.scores import Window, coloured_map, scatter
from mcviz.figures.style import (
    DETERMINISTIC,
    ENSEMBLE,
    HIGH,
    LABEL,
    LOW,
    NEUTRAL,
    NUMBER,
    SPREAD,
    add_line,
    apply_layout,
    axis_title,
    band,
    diagonal,
    pad_range,
    pass_histogram,
)
from mcviz.measures.conformal import IntervalCalibration
from mcviz.text import significant

ERROR_BARS = 300  # examples; with more, error bars would hide each other
TENTHS = 10
CURVE_POINTS = 200
PART_COLOURS = ENSEMBLE, LOW, NEUTRAL, HIGH  # all examples, then those of low to high predictions


def predicted_against_true(
    labels: np.ndarray,
    predictions: np.ndarray,
    examples: np.ndarray,
    *,
    unit: str = "",
    std: np.ndarray | None = None,
    score: np.ndarray | None = None,
    title: str = "",
    uncertain_when: Literal["low", "high"] = "high",
    outline: Sequence[tuple[float, float]] = (),
    selected: np.ndarray | None = None,
    window: Window | None = None,
) -> go.Figure:
    """Draw predictions against labels, with the diagonal.

    Args:
        labels: (N,) true values.
        predictions: (N,) predictive means.
        examples: (N,) int, the number of each example in the run.
        unit: of the target.
        std: (N,) of each prediction, drawn as error bars for up to 300 examples.
        score: (N,) to colour points by; one colour without it.
        title: of the score.
        uncertain_when: which values of the score mean uncertain; their points are the brightest.
        outline: as for `scatter`.
        selected: as for `scatter`.
        window: as for `scatter`.

    Returns:
        A scatter chart whose points carry their example's number as `customdata`.
    """
    axes = axis_title("label", unit), axis_title("prediction", unit)
    if score is None:
        figure = _scatter_in_one_colour(labels, predictions, examples, ENSEMBLE, axes, outline, selected, window)
    else:
        figure = coloured_map(
            labels,
            predictions,
            score,
            title,
            examples,
            axes=axes,
            outline=outline,
            uncertain_when=uncertain_when,
            selected=selected,
            window=window,
        )
    if std is not None and len(labels) <= ERROR_BARS:
        figure.add_trace(_error_bars(labels, predictions, std))
        figure.data = (figure.data[-1], *figure.data[:-1])  # below the points
    figure.add_shape(
        **diagonal(float(min(labels.min(), predictions.min())), float(max(labels.max(), predictions.max())))
    )
    return _set_hover(figure, "label", "prediction")


def error_against_score(
    values: np.ndarray,
    errors: np.ndarray,
    examples: np.ndarray,
    *,
    title: str,
    unit: str = "",
    outline: Sequence[tuple[float, float]] = (),
    selected: np.ndarray | None = None,
    window: Window | None = None,
) -> go.Figure:
    """Draw absolute errors against a score, one point per example.

    Args:
        values: (N,) the score.
        errors: (N,) absolute errors.
        examples: (N,) int, the number of each example in the run.
        title: of the score, with its unit.
        unit: of the target.
        outline: as for `scatter`.
        selected: as for `scatter`.
        window: as for `scatter`.

    Returns:
        A scatter chart whose points carry their example's number as `customdata`, and a line through the medians of
        each tenth of the examples, in the order of the score.
    """
    axes = title, axis_title("absolute error", unit)
    figure = _scatter_in_one_colour(values, errors, examples, NEUTRAL, axes, outline, selected, window)
    tenths = np.array_split(np.argsort(values, kind="stable"), min(TENTHS, len(values)))
    medians = [(np.median(values[tenth]), np.median(errors[tenth])) for tenth in tenths]
    x, y = np.array(medians).T
    figure.add_scattergl(  # WebGL like the points, which would hide any other line
        x=x,
        y=y,
        mode="lines",
        line={"color": ENSEMBLE, "width": 3},
        name="median of each tenth of the examples",
        hovertemplate=f"median error %{{y:{NUMBER}}} near %{{x:{NUMBER}}}<extra></extra>",
    )
    return _set_hover(figure, "score", "error").update_layout(showlegend=True)


def interval_coverage(calibration: IntervalCalibration) -> go.Figure:
    """Draw observed against nominal coverage of central predictive intervals.

    Args:
        calibration: of one target.

    Returns:
        A line with the band of the exact intervals of its shares, beside the diagonal; below it the model is
        overconfident.
    """
    nominal = calibration.nominal
    figure = go.Figure([band(nominal, calibration.low, calibration.high, ENSEMBLE)])
    add_line(
        figure,
        nominal,
        calibration.observed,
        ENSEMBLE,
        marked=True,
        name="intervals of the predictive distribution",
        showlegend=False,
        customdata=np.stack([calibration.low, calibration.high], axis=1),
        hover="intervals for %{x:.0%} hold %{y:.1%} of the labels (%{customdata[0]:.1%} to %{customdata[1]:.1%})",
    )
    figure.add_shape(**diagonal(0, 1))
    figure.update_xaxes(title="coverage asked for", tickformat=".0%", range=[0, 1])
    figure.update_yaxes(title="labels within", tickformat=".0%", range=[0, 1.02])
    return apply_layout(figure, 420)


def coverage_by_part(parts: Mapping[str, IntervalCalibration]) -> go.Figure:
    """Draw the observed coverage of intervals beside the nominal one, for parts of the examples side by side.

    Args:
        parts: of one target, by their names, at the same nominal coverages; the first is all examples.

    Returns:
        A group of bars a nominal coverage, with intervals, and a line across each at what is promised.
    """
    figure, first = go.Figure(), next(iter(parts.values()))
    names = [f"{level:.0%}" for level in first.nominal]
    for (name, part), colour in zip(parts.items(), PART_COLOURS, strict=False):
        figure.add_bar(
            x=names,
            y=part.observed,
            name=name,
            marker_color=colour,
            error_y={
                "array": part.high - part.observed,
                "arrayminus": part.observed - part.low,
                "color": SPREAD,
                "thickness": 1,
                "width": 3,
            },
            customdata=np.stack([part.low, part.high], axis=1),
            hovertemplate=f"{name}: %{{x}} intervals hold %{{y:.1%}} of the labels "
            "(%{customdata[0]:.1%} to %{customdata[1]:.1%})<extra></extra>",
        )
    for place, level in enumerate(first.nominal.tolist()):
        line = {"color": LABEL, "width": 2, "dash": "dot"}
        figure.add_shape(type="line", x0=place - 0.46, x1=place + 0.46, y0=level, y1=level, line=line)
    figure.update_layout(barmode="group", bargap=0.15)
    figure.update_xaxes(title="intervals that promise this share of the labels", type="category")
    figure.update_yaxes(title="labels within", tickformat=".0%", range=[0, 1.02])
    return apply_layout(figure, 380)


def example_outputs(
    outputs: np.ndarray,
    *,
    unit: str = "",
    variances: np.ndarray | None = None,
    deterministic: float | None = None,
    label: float | None = None,
    interval: tuple[float, float] | None = None,
    coverage: float = 0.9,
) -> go.Figure:
    """Draw the predictions of all passes for one example.

    Args:
        outputs: (T,) the mean that each pass predicts.
        unit: of the target.
        variances: (T,) the variance that each pass predicts, or None.
        deterministic: the prediction with dropout off, or None if unknown.
        label: the true value, if known.
        interval: the ends of a prediction interval to show; an infinite one fills the chart.
        coverage: of the interval.

    Returns:
        A histogram, with a line for the predictive mean and for each of the others, the interval as a band, and with
        variances the density of the predictive distribution, as high as if it were a histogram of T draws.
    """
    bars, edges = pass_histogram(outputs, NUMBER)
    figure, top, positions = go.Figure(bars), float(max(bars.y)), [*edges]
    if variances is not None:
        x, density = _density(outputs, variances)
        curve = density * len(outputs) * (edges[1] - edges[0])
        add_line(figure, x, curve, SPREAD, width=2, name="predictive distribution")
        top = max(top, float(curve.max()))
        positions += [x[0], x[-1]]
    top *= 1.08
    lines = [("predictive mean", float(outputs.mean(dtype=np.float64)), ENSEMBLE, "solid")]
    lines += [("deterministic", deterministic, DETERMINISTIC, "dash")] if deterministic is not None else []
    lines += [("label", label, LABEL, "dot")] if label is not None else []
    for name, value, colour, dash in lines:
        text = f"{name} {significant(value)}"
        add_line(figure, [value, value], [0, top], colour, width=3, dash=dash, name=text, hover=text)
    positions += [value for _, value, _, _ in lines] + [end for end in interval or () if np.isfinite(end)]
    low, high = pad_range(np.array(positions))
    if interval is not None:
        shade = band(np.clip(interval, low, high), np.zeros(2), np.full(2, top), ENSEMBLE)
        figure.add_trace(shade.update(name=f"{coverage:.0%} interval", showlegend=True))
    figure.update_xaxes(title=axis_title("prediction", unit), range=[low, high])
    figure.update_yaxes(title="passes", range=[0, top])
    return apply_layout(figure, 360)


def _scatter_in_one_colour(
    x: np.ndarray,
    y: np.ndarray,
    examples: np.ndarray,
    colour: str,
    axes: tuple[str, str],
    outline: Sequence[tuple[float, float]],
    selected: np.ndarray | None,
    window: Window | None,
) -> go.Figure:
    group = np.zeros(len(x), dtype=int)
    return scatter(
        x, y, group, ["examples"], [colour], examples, axes=axes, outline=outline, selected=selected, window=window
    ).update_layout(showlegend=False)


def _set_hover(figure: go.Figure, x: str, y: str) -> go.Figure:
    """Show an example's coordinates on hover."""
    for trace in figure.data:
        if trace.customdata is not None and trace.hovertemplate:
            trace.hovertemplate = f"example %{{customdata}}: {x} %{{x:{NUMBER}}}, {y} %{{y:{NUMBER}}}<extra></extra>"
    return figure


def _error_bars(x: np.ndarray, y: np.ndarray, std: np.ndarray) -> go.Scattergl:
    """Draw error bars as lines: unlike points, a lasso cannot select them."""
    gap = np.full(len(x), np.nan)
    return go.Scattergl(
        x=np.stack([x, x, gap], axis=1).ravel(),
        y=np.stack([y - std, y + std, gap], axis=1).ravel(),
        mode="lines",
        line={"color": SPREAD, "width": 1},
        opacity=0.35,
        name="one std",
        hoverinfo="skip",
        showlegend=False,
    )


def _density(means: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (P,) points and the density of the mixture there."""
    std = np.sqrt(variances.astype(np.float64))
    x = np.linspace((means - 4 * std).min(), (means + 4 * std).max(), CURVE_POINTS)
    z = (x[:, None] - means) / std
    return x, (np.exp(-(z**2) / 2) / (std * np.sqrt(2 * np.pi))).mean(axis=1)
