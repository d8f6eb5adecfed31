"""Trust: reliability diagrams, accuracy against referrals, and measures by passes and along distortions."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mcviz.figures.style import (
    CLASSES,
    DETERMINISTIC,
    ENSEMBLE,
    NEUTRAL,
    SINGLE_PASS,
    apply_layout,
    band,
    diagonal,
    escape_label,
    position_line,
)

PREDICTOR_COLOURS = {"deterministic": DETERMINISTIC, "single pass": SINGLE_PASS, "ensemble": ENSEMBLE}
PREDICTOR_LABELS = {"deterministic": "deterministic", "single_pass": "single pass", "ensemble": "ensemble"}
MOST_CURVE_POINTS = 400  # points of a curve
SMALLEST_MARKER, LARGEST_MARKER = 4, 22  # pixels of a bin's marker
LEAST_SHOWN = 0.2  # share of the examples


def reliability_diagram(bins: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> go.Figure:
    """Draw a reliability diagram: the accuracy of predictions by their confidence.

    On the line, probabilities are calibrated. Above it the model is under-confident, below it over-confident.

    Args:
        bins: for each model, by its name, (B,) mean max probability, (B,) accuracy and (B,) number of the examples in
            each bin.

    Returns:
        Accuracy against confidence with the diagonal, and below it the number of examples on a logarithmic axis.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.06)
    lowest = min((float(confidence[counts > 0].min()) for confidence, _, counts in bins.values()), default=0.0)
    others = [name for name in bins if name not in PREDICTOR_COLOURS]
    for name, (confidence, accuracy, counts) in bins.items():
        there = counts > 0
        colour = PREDICTOR_COLOURS.get(name) or CLASSES[others.index(name) % len(CLASSES)]
        sizes = SMALLEST_MARKER + (LARGEST_MARKER - SMALLEST_MARKER) * np.sqrt(counts[there] / max(counts.max(), 1))
        figure.add_scatter(
            x=confidence[there],
            y=accuracy[there],
            mode="markers",
            marker={"size": sizes, "color": colour, "line": {"width": 0}, "opacity": 0.85},
            name=name,
            customdata=counts[there],
            hovertemplate=f"{escape_label(name)}: of %{{customdata:,}} examples with a probability near %{{x:.1%}} "
            "%{y:.1%} are correct<extra></extra>",
            row=1,
            col=1,
        )
        figure.add_scatter(
            x=confidence[there],
            y=counts[there],
            mode="lines+markers",
            marker={"size": 5, "color": colour},
            line={"color": colour, "width": 1},
            showlegend=False,
            hovertemplate=f"{escape_label(name)}: %{{y:,}} examples near %{{x:.1%}}<extra></extra>",
            row=2,
            col=1,
        )
    figure.add_shape(**diagonal(lowest, 1), row=1, col=1)
    figure.update_yaxes(title="correct", tickformat=".0%", row=1, col=1)
    figure.update_yaxes(title="examples", type="log", row=2, col=1)
    figure.update_xaxes(title="max probability", tickformat=".0%", row=2, col=1)
    return apply_layout(figure, 460)


def accuracy_against_referred(
    curves: Mapping[str, np.ndarray],
    perfect: np.ndarray,
    accuracy: float,
    *,
    bands: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
) -> go.Figure:
    """Draw the accuracy of the rest by the share of examples that is referred to a person.

    Args:
        curves: for each score, by its label, (M,) accuracy of the rest after the share m / (M - 1) was referred.
        perfect: (M,) the same of an order that puts all mistakes first.
        accuracy: of all examples, which a random order keeps.
        bands: (M,) low and high ends of intervals, for some of the scores.

    Returns:
        A line a score over the share referred; of many points some.
    """
    figure = go.Figure()
    shares = np.linspace(0, 1, len(perfect))
    shown = np.unique(np.linspace(0, len(perfect) - 1, min(MOST_CURVE_POINTS, len(perfect))).round().astype(int))[:-1]
    for name, (low, high) in (bands or {}).items():
        figure.add_trace(band(shares[shown], low[shown], high[shown], _colour(name, curves)))
    for name, curve in curves.items():
        figure.add_scatter(
            x=shares[shown],
            y=curve[shown],
            mode="lines",
            line={"color": _colour(name, curves), "width": 2.5},
            name=name,
            hovertemplate=f"{escape_label(name)}: %{{x:.1%}} to a person, %{{y:.2%}} of the rest correct"
            "<extra></extra>",
        )
    for name, values in (("perfect order", perfect), ("random order", np.full(len(perfect), accuracy))):
        figure.add_scatter(
            x=shares[shown],
            y=values[shown],
            mode="lines",
            line={"color": NEUTRAL, "width": 2, "dash": "dash" if name == "perfect order" else "dot"},
            name=name,
            hoverinfo="skip",
        )
    figure.update_xaxes(title="share of the examples to a person", tickformat=".0%", range=[0, 1])
    figure.update_yaxes(title="accuracy of the rest", tickformat=".1%")
    return apply_layout(figure, 420)


def mark_share(figure: go.Figure, share: float) -> go.Figure:
    """Return a copy of a figure of `accuracy_against_referred` with a line at a share, and the shares around it."""
    marked = go.Figure(figure).add_shape(**position_line(share))
    return marked.update_xaxes(range=[0, min(1.0, max(LEAST_SHOWN, 3 * share))])


def measures_by_passes(
    passes: np.ndarray, values: Mapping[str, np.ndarray], formats: Mapping[str, str], enough: int | None = None
) -> go.Figure:
    """Draw figures by the number of passes, one below the other.

    Args:
        passes: (P,) numbers of passes.
        values: (P,) of each figure, by its name.
        formats: d3's format of each.
        enough: the number of passes from which on more change nothing that matters, or None.

    Returns:
        A line a figure over the number of passes, on a logarithmic axis.
    """
    figure = make_subplots(rows=len(values), cols=1, shared_xaxes=True, vertical_spacing=0.06)
    for row, (name, line) in enumerate(values.items(), 1):
        figure.add_scatter(
            x=passes,
            y=line,
            mode="lines+markers",
            line={"color": ENSEMBLE, "width": 2.5},
            marker={"size": 6},
            showlegend=False,
            hovertemplate=f"first %{{x}} passes: {escape_label(name)} %{{y:{formats[name]}}}<extra></extra>",
            row=row,
            col=1,
        )
        figure.update_yaxes(title=name, tickformat=formats[name], row=row, col=1)
        if enough is not None:
            figure.add_vline(x=enough, line={"color": NEUTRAL, "width": 2, "dash": "dot"}, row=row, col=1)
    figure.update_xaxes(type="log", tickvals=passes, ticktext=[f"{each:,}" for each in passes])
    figure.update_xaxes(title="passes in the ensemble", row=len(values), col=1)
    return apply_layout(figure, 150 * len(values) + 60)


def calibration_along(
    amounts: np.ndarray, measures: Mapping[str, Mapping[str, np.ndarray]], title: str, tick_format: str
) -> go.Figure:
    """Draw accuracy and calibration along a distortion.

    Args:
        amounts: (S,) of the distortion, ascending.
        measures: by the name of each measure and of `PREDICTOR_LABELS`, (S, 3) fractions: value, low and high end.
        title: of the distortion.
        tick_format: d3's format of amounts; empty for as they are.

    Returns:
        A chart a measure, one below the other: a line with a band for each predictor.
    """
    figure = make_subplots(rows=len(measures), cols=1, shared_xaxes=True, vertical_spacing=0.08)
    for row, (measure, by_predictor) in enumerate(measures.items(), 1):
        for predictor, name in PREDICTOR_LABELS.items():
            value, low, high = by_predictor[predictor].T
            figure.add_trace(band(amounts, low, high, PREDICTOR_COLOURS[name]), row=row, col=1)
            figure.add_scatter(
                x=amounts,
                y=value,
                mode="lines+markers",
                line={"color": PREDICTOR_COLOURS[name], "width": 2.5},
                marker={"size": 6},
                name=name,
                showlegend=row == 1,
                hovertemplate=f"{name}, %{{x}}: {escape_label(measure)} %{{y:.1%}}<extra></extra>",
                row=row,
                col=1,
            )
        figure.update_yaxes(title=measure, tickformat=".0%", row=row, col=1)
    figure.update_xaxes(title=title, row=len(measures), col=1)
    figure.update_xaxes(tickformat=tick_format)
    return apply_layout(figure, 230 * len(measures) + 60)


def _colour(name: str, curves: Mapping[str, np.ndarray]) -> str:
    return CLASSES[list(curves).index(name) % len(CLASSES)]
