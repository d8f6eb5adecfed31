"""OOD detectors: the shades of a table, AUROCs, a ROC curve, and the distributions of an OOD score."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import (
    DETERMINISTIC,
    ENSEMBLE,
    LABEL,
    NEUTRAL,
    SINGLE_PASS,
    apply_layout,
    escape_label,
    shorten_name,
)

FAR_FROM_PERFECT, NEAR_PERFECT = (
    0.1,
    0.0001,
)  # distances from perfection with a shade of their own; all beyond look alike
GUESSING = 0.5  # the AUROC of chance, and the lowest that is drawn
THUMBNAILS = 0.09  # of the width of the plot
SET_HEIGHT = 36  # pixels
LONGEST_SET = 24  # characters of a name
DETECTOR_COLOURS = (ENSEMBLE, LABEL, "#CC79A7", SINGLE_PASS, DETERMINISTIC, NEUTRAL)
SYMBOLS = ("circle", "diamond", "square", "circle-open", "diamond-open", "x")
LIGHT, DARK = (243, 246, 249), (0, 114, 178)


def shade_cells(shares: np.ndarray, *, perfect: float = 1, far: float = FAR_FROM_PERFECT) -> np.ndarray:
    """Colour the cells of a table, the better the darker, on a logarithmic scale of the distance from perfection.

    Args:
        shares: (D, S) fractions; NaN has no colour.
        perfect: the best that there is, 0 or 1.
        far: the distance from it that is as light as any larger one.

    Returns:
        (D, S) CSS for the background and for the text, so that both themes can read it.
    """
    errors = np.clip(np.abs(perfect - shares), NEAR_PERFECT, far)
    depth = np.log(far / errors) / np.log(far / NEAR_PERFECT)
    words = np.full(shares.shape, "", dtype=object)
    for cell in zip(*np.nonzero(np.isfinite(shares)), strict=True):
        red, green, blue = (
            round(light + depth[cell] * (dark - light)) for light, dark in zip(LIGHT, DARK, strict=True)
        )
        text = "#FFFFFF" if depth[cell] > 0.93 else "#000000"
        words[cell] = f"background-color: #{red:02X}{green:02X}{blue:02X}; color: {text}"
    return words


def auroc_of_sets(sets: Sequence[str], values: Mapping[str, np.ndarray], pictures: Sequence[str] = ()) -> go.Figure:
    """Draw the AUROC of some detectors on each set, as dots with intervals.

    Args:
        sets: S names, from top to bottom.
        values: for each detector, by its name, (S, 3) AUROC with the low and the high end of its interval.
        pictures: of the sets, as addresses; "" for none.

    Returns:
        A row a set with a trace a detector, in the order of `values`. What is below 0.5 is drawn there, with an arrow.
    """
    figure, rows = go.Figure(), -np.arange(len(sets), dtype=float)
    lowest = min((float(each[:, 0].min()) for each in values.values()), default=1.0)
    floor = max(GUESSING, np.floor(20 * lowest) / 20)
    room = THUMBNAILS * (1 - floor) if any(pictures) else 0.0
    offsets = np.linspace(0.32, -0.32, len(values)) if len(values) > 1 else np.zeros(1)
    for (name, each), offset, colour, symbol in zip(values.items(), offsets, DETECTOR_COLOURS, SYMBOLS, strict=False):
        value, low, high = np.maximum(each, floor).T
        figure.add_scatter(
            x=value,
            y=rows + offset,
            mode="markers+text",
            marker={"color": colour, "size": 8, "symbol": symbol},
            text=["◂" if below else "" for below in each[:, 0] < floor],
            textposition="middle left",
            textfont={"color": colour},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": np.maximum(high - value, 0),
                "arrayminus": np.maximum(value - low, 0),
                "thickness": 1,
                "width": 0,
                "color": colour,
            },
            name=escape_label(name),
            customdata=each,
            hovertext=[escape_label(label) for label in sets],
            hovertemplate=f"%{{hovertext}}: {escape_label(name)} %{{customdata[0]:.3f}}, "
            "95% interval %{customdata[1]:.3f} to %{customdata[2]:.3f}<extra></extra>",
        )
    for row, picture in zip(rows, pictures, strict=False):
        if picture:
            place = {"xref": "x", "yref": "y", "x": floor - room, "y": row, "xanchor": "left", "yanchor": "middle"}
            figure.add_layout_image(source=picture, sizex=0.85 * room, sizey=0.85, **place)
    for row in rows[:-1]:
        figure.add_hline(y=row - 0.5, line={"color": NEUTRAL, "width": 0.5}, opacity=0.4)
    ticks = np.linspace(floor, 1, 6)
    figure.update_xaxes(
        title="AUROC", range=[floor - room, 1 + 0.01 * (1 - floor)], tickvals=ticks, tickformat=".2f", zeroline=False
    )
    labels = [escape_label(shorten_name(label) if len(label) > LONGEST_SET else label) for label in sets]
    figure.update_yaxes(tickvals=rows, ticktext=labels, range=[rows.min() - 0.55, 0.55], showgrid=False, zeroline=False)
    return apply_layout(figure, 90 + SET_HEIGHT * len(sets))


def roc_curve(
    false_positive_rates: np.ndarray,
    true_positive_rates: np.ndarray,
    name: str,
    compared: np.ndarray,
    compared_with: str,
    in_distribution: str = "test images",
) -> go.Figure:
    """Draw a detector's ROC curve beside another detector's.

    Args:
        false_positive_rates: (P,) shares of the in-distribution examples that are flagged, ascending.
        true_positive_rates: (P,) shares of the out-of-distribution examples that are flagged.
        name: of the detector.
        compared: (P,) true positive rates of another detector.
        compared_with: its name.
        in_distribution: a name of the in-distribution examples.

    Returns:
        Two lines; the axis of false positives is linear to the eye in its square root, so that its lower end is seen.
    """
    figure = go.Figure()
    for label, values, colour, dash in (
        (compared_with, compared, NEUTRAL, "dash"),
        (name, true_positive_rates, ENSEMBLE, "solid"),
    ):
        figure.add_scatter(
            x=np.sqrt(false_positive_rates),
            y=values,
            customdata=false_positive_rates,
            mode="lines",
            line={"color": colour, "width": 2.5, "dash": dash},
            name=label,
            hovertemplate="%{customdata:.1%} flagged by mistake, %{y:.1%} found<extra></extra>",
        )
    ticks = np.array([0, 0.01, 0.05, 0.2, 0.5, 1])
    figure.update_xaxes(
        title=f"false positive rate, among {in_distribution}",
        tickvals=np.sqrt(ticks),
        ticktext=[f"{t:.0%}" for t in ticks],
        range=[0, 1],
    )
    figure.update_yaxes(title="true positive rate", tickformat=".0%", range=[0, 1.02])
    return apply_layout(figure, 340)


def ood_score_distributions(
    edges: np.ndarray, in_distribution: np.ndarray, out_of_distribution: np.ndarray, names: Sequence[str]
) -> go.Figure:
    """Draw the distributions of a detector's OOD score in and out of distribution.

    Args:
        edges: (B + 1,) of the bins, ascending.
        in_distribution: (B,) counts.
        out_of_distribution: (B,) counts.
        names: of the two.

    Returns:
        Two outlined step charts of shares, one over the other.
    """
    figure = go.Figure()
    centres = (edges[:-1] + edges[1:]) / 2
    both = (in_distribution, out_of_distribution)
    for name, counts, colour in zip(names, both, (ENSEMBLE, DETERMINISTIC), strict=True):
        figure.add_scatter(
            x=centres,
            y=counts / max(counts.sum(), 1),
            mode="lines",
            line={"color": colour, "width": 2, "shape": "hvh"},
            fill="tozeroy",
            name=name,
            hovertemplate="%{y:.1%} near %{x:.3g}<extra></extra>",
        )
    figure.update_xaxes(title="OOD score")
    figure.update_yaxes(title="share of examples", tickformat=".0%", rangemode="tozero")
    return apply_layout(figure, 340)
