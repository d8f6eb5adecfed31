"""Predictions along a slider or a column, and score distributions of many inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.passes import select_classes
from mcviz.figures.style import (
    CLASSES,
    ENSEMBLE,
    NEUTRAL,
    NUMBER,
    OTHERS,
    UNCERTAIN,
    add_line,
    apply_layout,
    band,
    class_colour,
    escape_label,
    escape_labels,
    png_url,
    position_line,
)
from mcviz.measures import scores
from mcviz.text import significant

HIGH, LOW = 360, 240  # pixels
MOST_PICTURES = 13
PICTURE_SIDE = 84  # pixels
SCORE_BINS = 40
SWEEP_SCORES = {"predictive_entropy": ("entropy", UNCERTAIN), "mutual_information": ("mutual information", CLASSES[0])}
AXIS_DOMAINS = {"y": (0.0, 0.33), "y2": (0.41, 0.74), "y3": (0.77, 0.84), "y4": (0.86, 1.0)}


def predictions_along(
    amounts: np.ndarray,
    probs: np.ndarray,
    images: np.ndarray,
    class_names: Sequence[str],
    *,
    title: str,
    tick_format: str,
    current: float,
) -> go.Figure:
    """Draw ensemble predictions along a distortion.

    Args:
        amounts: (P,) positions of the slider, ascending.
        probs: (T, P, C) probabilities of the image at each of them.
        images: (P, height, width, channels) float32 in 0..1, the image at each of them.
        class_names: C names.
        title: of the slider.
        tick_format: d3's format of its numbers; empty for as they are.
        current: the slider's position now.

    Returns:
        From the top: pictures of the image, the predicted class as a coloured band, the max probability, and the
        predictive entropy and mutual information in nats, all above the same axis.
    """
    values = scores(probs)
    traces: list[dict[str, object]] = [
        _line(amounts, values["max_probability"], "confidence", ENSEMBLE, "y2", ".1%"),
        *(_line(amounts, values[name], label, colour, "y", ".3f") for name, (label, colour) in SWEEP_SCORES.items()),
        *_prediction_bars(amounts, values["prediction"], class_names),
    ]
    half = (amounts[1] - amounts[0]) * -(-len(amounts) // MOST_PICTURES) / 2
    hidden = {"visible": False, "range": [0, 1], "fixedrange": True}
    figure = go.Figure(
        {
            "data": traces,
            "layout": {
                "xaxis": {
                    "title": {"text": title},
                    "tickformat": tick_format,
                    "range": [amounts[0] - half, amounts[-1] + half],
                    "anchor": "y",
                },
                "yaxis": {"title": {"text": "nats"}, "rangemode": "tozero", "domain": AXIS_DOMAINS["y"]},
                "yaxis2": {
                    "title": {"text": "probability"},
                    "range": [0, 1.04],
                    "tickformat": ".0%",
                    "domain": AXIS_DOMAINS["y2"],
                },
                "yaxis3": {**hidden, "domain": AXIS_DOMAINS["y3"]},
                "yaxis4": {**hidden, "domain": AXIS_DOMAINS["y4"]},
                "images": _image_strip(amounts, images),
                "shapes": [position_line(current)],
            },
        }
    )
    return apply_layout(figure, 460).update_layout(bargap=0)


@dataclass(frozen=True)
class Curve:
    """A curve along a slider or a column.

    Attributes:
        name: for the legend.
        values: (P,) floating point.
        colour: of the line and of its band.
        ends: (P,) each, the lower and the upper ends of a band around the line, if any.
    """

    name: str
    values: np.ndarray
    colour: str
    ends: tuple[np.ndarray, np.ndarray] | None = None


def class_curves(probs: np.ndarray, class_names: Sequence[str]) -> list[Curve]:
    """Compute the predictive mean ± one std of each class.

    Args:
        probs: (T, P, C) probabilities at P values of a column.
        class_names: C names.

    Returns:
        One curve for each of up to 20 classes; of more, the ten that are most probable anywhere.
    """
    mean, std = probs.mean(axis=0, dtype=np.float64), probs.std(axis=0, dtype=np.float64)
    low, high = np.maximum(mean - std, 0), np.minimum(mean + std, 1)
    classes = select_classes(mean.max(axis=0))
    return [Curve(class_names[c], mean[:, c], class_colour(c), (low[:, c], high[:, c])) for c in classes]


def curves_along(
    amounts: np.ndarray,
    curves: Sequence[Curve],
    *,
    current: float,
    title: str,
    value_title: str,
    number: str = NUMBER,
    tick_format: str = "",
    low: bool = False,
) -> go.Figure:
    """Draw predictions of an input along a slider, such as a column's values.

    Args:
        amounts: (P,) positions, ascending.
        curves: scores, predictions or probabilities at each of them.
        current: the slider's position.
        title: of the slider.
        value_title: of the curves' values.
        number: d3's format of the curves' values.
        tick_format: d3's format of the positions; empty for as they are.
        low: whether the chart is a low one below another.

    Returns:
        A line for each curve, and a vertical line at the slider's position.
    """
    figure = go.Figure()
    for curve in curves:
        name = escape_label(curve.name)
        if curve.ends is not None:
            figure.add_trace(band(amounts, *curve.ends, curve.colour))
        hover = f"{name} %{{y:{number}}} at %{{x:{tick_format or NUMBER}}}"
        add_line(figure, amounts, curve.values, curve.colour, name=name, showlegend=len(curves) > 1, hover=hover)
    figure.add_shape(**position_line(current))
    figure.update_xaxes(title=escape_label(title), tickformat=tick_format)
    figure.update_yaxes(title=escape_label(value_title), tickformat=number)
    return apply_layout(figure, LOW if low else HIGH)


def score_comparison(run_values: np.ndarray, input_values: np.ndarray, title: str, name: str) -> go.Figure:
    """Draw a score's distributions over inputs and over the run's examples.

    Args:
        run_values: (N,) the score of the run's examples.
        input_values: (n,) the score of the inputs.
        title: of the score.
        name: of the inputs.

    Returns:
        Two histograms as shares of their own group.
    """
    edges = np.histogram_bin_edges(np.concatenate([run_values, input_values]), bins=SCORE_BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    bars = []
    for label, values, colour in (("this run's examples", run_values, NEUTRAL), (name, input_values, OTHERS)):
        counts, _ = np.histogram(values, bins=edges)
        bars.append(
            {
                "type": "bar",
                "x": centres,
                "y": counts / len(values),
                "customdata": counts,
                "name": f"{label} ({len(values):,})",
                "marker": {"color": colour},
                "opacity": 0.75,
                "hovertemplate": f"%{{customdata}} of {len(values):,} {label} near %{{x:.3f}}<extra></extra>",
            }
        )
    axes = {
        "xaxis": {"title": {"text": title}},
        "yaxis": {"title": {"text": "share of the group"}, "tickformat": ".0%"},
    }
    return apply_layout(go.Figure({"data": bars, "layout": axes}), 320).update_layout(barmode="overlay", bargap=0.02)


def _line(x: np.ndarray, y: np.ndarray, name: str, colour: str, axis: str, number_format: str) -> dict[str, object]:
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "yaxis": axis,
        "name": name,
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2},
        "marker": {"size": 5},
        "hovertemplate": f"{name} %{{y:{number_format}}} at %{{x}}<extra></extra>",
    }


def _prediction_bars(
    amounts: np.ndarray, predictions: np.ndarray, class_names: Sequence[str]
) -> list[dict[str, object]]:
    """Return a bar for each stretch of equal predictions."""
    step, names = amounts[1] - amounts[0], escape_labels(class_names)
    starts = np.flatnonzero(np.diff(predictions, prepend=-1))
    stops = np.append(starts[1:], len(predictions))
    return [
        {
            "type": "bar",
            "x": [(amounts[start] + amounts[stop - 1]) / 2],
            "y": [1],
            "width": [(stop - start) * step],
            "yaxis": "y3",
            "marker": {"color": class_colour(int(predictions[start])), "line": {"width": 0}},
            "text": [names[predictions[start]]],
            "textposition": "inside",
            "insidetextanchor": "middle",
            "textangle": 0,
            "insidetextfont": {"size": 13},
            "showlegend": False,
            "hovertemplate": f"{names[predictions[start]]} from {significant(amounts[start])} to "
            f"{significant(amounts[stop - 1])}<extra></extra>",
        }
        for start, stop in zip(starts, stops, strict=True)
    ]


def _image_strip(amounts: np.ndarray, images: np.ndarray) -> list[dict[str, object]]:
    stride = -(-len(amounts) // MOST_PICTURES)
    step = amounts[1] - amounts[0]
    first = (len(amounts) - 1) % stride // 2
    scale = max(1, PICTURE_SIDE // max(images.shape[1:3]))
    return [
        {
            "source": png_url(images[index], scale),
            "xref": "x",
            "yref": "y4",
            "x": amounts[index],
            "y": 0.5,
            "xanchor": "center",
            "yanchor": "middle",
            "sizex": step * stride * 0.92,
            "sizey": 1,
            "sizing": "contain",
            "layer": "above",
        }
        for index in range(first, len(amounts), stride)
    ]
