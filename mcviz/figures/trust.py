"""Trust: reliability, referrals, measures by passes and distortions, and OOD detectors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from mcviz.choices import PREDICTOR_NAMES
from mcviz.figures.style import (
    CLASSES,
    DETERMINISTIC,
    ENSEMBLE,
    NEUTRAL,
    OTHERS,
    SHARES,
    SINGLE_PASS,
    SPREAD,
    add_line,
    apply_layout,
    band,
    escape_label,
    label_lines,
    log_axis,
    pad_range,
    position_line,
    shorten_name,
)
from mcviz.measures.calibration import (
    CALIBRATION_MEASURES,
    CONFIDENCE_EDGES,
    ECES,
    SCALED,
    Bins,
    Calibration,
    calibration_table,
)
from mcviz.measures.intervals import Interval
from mcviz.measures.measure import SCALE
from mcviz.text import fixed, percent

Array = np.ndarray
PREDICTOR_COLOURS = {"deterministic": DETERMINISTIC, "single pass": SINGLE_PASS, "ensemble": ENSEMBLE}
PREDICTOR_LABELS = {key: name for key, name in PREDICTOR_NAMES.items() if not key.endswith(SCALED)}
ROW_HEIGHT, PANEL_GAP = 30, 56  # pixels, of a predictor in a panel, and between panels
DETERMINISTIC_CURVE = "Deterministic confidence"  # the name of the curve of that model
MOST_CURVE_POINTS = 400  # points of a curve
SHORTEST_OF_ONE = 0.0003  # 1 − the highest drawn confidence
WIDEST_BAR = 0.15  # tenfold steps of 1 − confidence
LEAST_SHOWN = 0.2  # share of the examples

FAR_FROM_PERFECT, NEAR_PERFECT = 0.1, 0.0001  # distances from perfection, the ends of the shades
GUESSING = 0.5  # the AUROC of chance, and the lowest drawn
THUMBNAILS = 0.09  # of the width of the plot
SET_HEIGHT = 36  # pixels
LONGEST_SET = 24  # characters of a name
SYMBOLS = ("circle", "diamond", "square", "circle-open", "diamond-open", "x")
SHADE, STRONGEST_SHADE = "120, 140, 160", 0.65


def reliability_diagram(bins: Mapping[str, tuple[Bins, Sequence[Interval]]]) -> go.Figure:
    """Draw a reliability diagram: accuracy − confidence, by confidence.

    Above zero a model is under-confident, below it over-confident.

    Args:
        bins: for each model, by its name, the result of `measures.calibration.reliability_near_one`.

    Returns:
        Accuracy − confidence in percentage points, with intervals, on an axis that is logarithmic in 1 − confidence;
        below it the number of examples in each bin, on a logarithmic axis.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.76, 0.24], vertical_spacing=0.04)
    others = [name for name in bins if name not in PREDICTOR_COLOURS]
    heights = [0.0]
    for place, (name, (counted, gaps)) in enumerate(bins.items()):
        colour = PREDICTOR_COLOURS.get(name) or CLASSES[others.index(name) % len(CLASSES)]
        ends = _nines(counted.edges)
        widths = np.minimum(0.8 * np.diff(ends) / len(bins), WIDEST_BAR)
        middles = (ends[:-1] + ends[1:]) / 2 + widths * (place + (1 - len(bins)) / 2)  # beside the other models
        points, low, high = (np.array([100 * getattr(gap, end) for gap in gaps]) for end in ("value", "low", "high"))
        hover = {"hovertext": _bin_texts(name, counted, gaps), "hovertemplate": "%{hovertext}<extra></extra>"}
        heights += [*low, *high]
        figure.add_scatter(
            x=middles,
            y=points,
            error_y={
                "array": high - points,
                "arrayminus": points - low,
                "symmetric": False,
                "thickness": 2,
                "width": 3,
            },
            mode="markers",
            marker={"size": 8, "color": colour},
            name=escape_label(name),
            customdata=counted.count,
            **hover,
            row=1,
            col=1,
        )
        figure.add_bar(
            x=middles,
            y=counted.count,
            width=widths,
            marker={"color": colour, "line": {"width": 0}},
            showlegend=False,
            **hover,
            row=2,
            col=1,
        )
    margin = 0.12 * (max(heights) - min(heights))  # room for the words above and below
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 2, "dash": "dot"}, layer="below", row=1, col=1)
    for words, at, anchor in (("↑ under-confident", 1, "top"), ("↓ over-confident", 0, "bottom")):
        figure.add_annotation(
            text=words, x=0.01, y=at, xref="x domain", yref="y domain", xanchor="left", yanchor=anchor, showarrow=False
        )
    figure.update_yaxes(
        title="accuracy − confidence, points", range=[min(heights) - margin, max(heights) + margin], row=1, col=1
    )
    figure.update_yaxes(
        title="examples", row=2, col=1, **_count_axis(max(counted.count.max() for counted, _ in bins.values()))
    )
    ticks = [
        share for share in CONFIDENCE_EDGES[1:-1] if share >= 0.5 or ends[-1] <= _nines(0.5)
    ]  # below is little room
    figure.update_xaxes(
        tickvals=_nines(ticks),
        ticktext=[f"{100 * share:g}%" for share in ticks],
        range=[ends[0] - 0.05, ends[-1] + 0.05],
    )
    figure.update_xaxes(title="confidence", autotickangles=[0, 45], row=2, col=1)
    return apply_layout(figure, 360).update_layout(barmode="overlay", hovermode="closest")


def _count_axis(largest: float) -> dict[str, Any]:
    """Return the attributes of a logarithmic axis of counts from 1."""
    most = np.log10(largest)
    powers = range(max(int(most), 1), -1, -1 if most <= 4 else -2)  # from the last one down
    return log_axis([0, 1.05 * max(most, 1)], [10**power for power in powers])


def precision_recall_curve(recall: np.ndarray, precision: np.ndarray, thresholds: np.ndarray, at: int) -> go.Figure:
    """Draw precision over recall of one class.

    Args:
        recall: (K,) float64, 0 to 1.
        precision: (K,) float64, 0 to 1; NaN without predictions.
        thresholds: (K,) float64, for the hover text.
        at: the index of the marked threshold.
    """
    figure = go.Figure()
    hover = {"hovertemplate": "recall %{x:.1%}<br>precision %{y:.1%}<br>above %{customdata:.4g}<extra></extra>"}
    figure.add_scatter(
        x=recall, y=precision, customdata=thresholds, mode="lines", line={"color": ENSEMBLE, "width": 2}, **hover
    )
    figure.add_scatter(
        x=recall[[at]],
        y=precision[[at]],
        customdata=thresholds[[at]],
        mode="markers",
        marker={"size": 12, "color": ENSEMBLE},
        **hover,
    )
    figure.update_xaxes(title="recall", range=[0, 1.02], tickformat=".0%")
    figure.update_yaxes(title="precision", range=[0, 1.05], tickformat=".0%")
    return apply_layout(figure, 300).update_layout(showlegend=False, hovermode="closest")


def class_reliability_diagram(name: str, bins: Bins, gaps: Sequence[Interval]) -> go.Figure:
    """Draw a class's share of examples by its predicted probability.

    Args:
        name: of the class.
        bins: as `measures.multilabel.class_reliability` returns them.
        gaps: the same, the share − the probability of each bin.

    Returns:
        The share of examples that have the class over its mean probability, with intervals, and the line on which
        probabilities are calibrated; below it the number of examples in each bin, on a logarithmic axis.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.76, 0.24], vertical_spacing=0.04)
    share, low, high = (bins.confidence + [getattr(gap, end) for gap in gaps] for end in ("value", "low", "high"))
    hover = {"hovertext": _class_bin_texts(name, bins, gaps), "hovertemplate": "%{hovertext}<extra></extra>"}
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": NEUTRAL, "width": 2, "dash": "dot"},
        name="as often as it says",
        hoverinfo="skip",
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=bins.confidence,
        y=share,
        error_y={"array": high - share, "arrayminus": share - low, "symmetric": False, "thickness": 2, "width": 3},
        mode="markers",
        marker={"size": 8, "color": ENSEMBLE},
        name=escape_label(name),
        **hover,
        row=1,
        col=1,
    )
    figure.add_bar(
        x=(bins.edges[:-1] + bins.edges[1:]) / 2,
        y=bins.count,
        width=0.9 * np.diff(bins.edges),
        marker={"color": ENSEMBLE, "line": {"width": 0}},
        showlegend=False,
        **hover,
        row=2,
        col=1,
    )
    shares = {"range": [-0.02, 1.02], "tickformat": ".0%"}
    figure.update_yaxes(title="examples that have it", **shares, row=1, col=1)
    figure.update_yaxes(title="examples", row=2, col=1, **_count_axis(bins.count.max()))
    figure.update_xaxes(**shares)
    figure.update_xaxes(title="its probability", row=2, col=1)
    return apply_layout(figure, 360).update_layout(hovermode="closest")


def _class_bin_texts(name: str, bins: Bins, gaps: Sequence[Interval]) -> list[str]:
    points = [Interval(100 * gap.value, 100 * gap.low, 100 * gap.high) for gap in gaps]
    columns = zip(bins.edges, bins.edges[1:], bins.count, bins.confidence, bins.accuracy, points, strict=False)
    return [
        f"{escape_label(name)}, probability {100 * low:g}% to {100 * high:g}%<br>{count:,.0f} examples<br>"
        f"mean probability {percent(probability, 2)}, {percent(share, 2)} have it<br>share − probability "
        f"{gap.format(lambda value: fixed(value, 2, '+'), ' points')}"
        for low, high, count, probability, share, gap in columns
    ]


def _nines(confidence: ArrayLike) -> Array:
    """Return the position of a confidence: 90% at 1, 99% at 2.

    100%, which would be infinitely far, is a bit beyond 99.9%.
    """
    return -np.log10(np.maximum(1 - np.asarray(confidence), SHORTEST_OF_ONE))


def _bin_texts(name: str, bins: Bins, gaps: Sequence[Interval]) -> list[str]:
    points = [Interval(100 * gap.value, 100 * gap.low, 100 * gap.high) for gap in gaps]
    columns = zip(bins.edges, bins.edges[1:], bins.count, bins.confidence, bins.accuracy, points, strict=False)
    return [
        f"{escape_label(name)}, confidence {100 * low:g}% to {100 * high:g}%<br>{count:,.0f} examples<br>"
        f"mean confidence {percent(confidence, 2)}, accuracy {percent(accuracy, 2)}<br>accuracy − confidence "
        f"{gap.format(lambda value: fixed(value, 2, '+'), ' points')}"
        for low, high, count, confidence, accuracy, gap in columns
    ]


def calibration_intervals(calibration: Calibration) -> go.Figure:
    """Draw each predictor's figures with intervals, one panel per measure.

    An ECE has no interval: a tick marks its upper bound for a calibrated model.

    Args:
        calibration: of the predictors to draw.

    Returns:
        Panels in two columns, with a row for each predictor. Shares are in percent, confidence − accuracy in points.
    """
    predictors = [name for name in PREDICTOR_NAMES if name in calibration.figures]
    rows = [PREDICTOR_NAMES[name].replace(", temperature-", ",<br>") for name in predictors]
    texts = calibration_table(calibration)
    titles = [
        f"{measure.heading} (❘ chance)" if name == ECES[0] else measure.heading
        for name, measure in CALIBRATION_MEASURES.items()
    ]
    height, panel_rows = ROW_HEIGHT * len(predictors), -(-len(titles) // 2)
    figure = make_subplots(
        rows=panel_rows, cols=2, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.08,
        vertical_spacing=PANEL_GAP / (panel_rows * height + (panel_rows - 1) * PANEL_GAP),
    )  # fmt: skip
    for number, (measure, shown) in enumerate(CALIBRATION_MEASURES.items()):
        at, title = {"row": number // 2 + 1, "col": number % 2 + 1}, shown.heading
        scale = SCALE.get(shown.unit, 1)
        for name, label in zip(predictors, rows, strict=True):
            interval = calibration.figures[name][measure]
            text = f"{PREDICTOR_NAMES[name]}<br>{title} {texts[PREDICTOR_NAMES[name]][title]}"
            difference = texts.get(f"ensemble − {PREDICTOR_NAMES[name]}")
            if difference:
                text += f"<br>ensemble − this: {difference[title]}"
            whisker = None
            if not np.isnan(interval.low):
                ends = {
                    "array": [scale * (interval.high - interval.value)],
                    "arrayminus": [scale * (interval.value - interval.low)],
                }
                whisker = {**ends, "symmetric": False, "thickness": 2, "width": 3}
            colour = PREDICTOR_COLOURS[PREDICTOR_LABELS[name.removesuffix(SCALED)]]
            figure.add_scatter(
                x=[scale * interval.value],
                y=[label],
                error_x=whisker,
                mode="markers",
                marker={
                    "size": 9,
                    "color": colour,
                    "symbol": "circle-open" if name.endswith(SCALED) else "circle",
                    "line": {"width": 2},
                },
                name=PREDICTOR_NAMES[name],
                showlegend=False,
                hovertext=text,
                hovertemplate="%{hovertext}<extra></extra>",
                **at,
            )
        if measure in ECES:
            figure.add_scatter(
                x=[100 * calibration.eces_by_chance[name][measure] for name in predictors],
                y=rows,
                mode="markers",
                marker={"symbol": "line-ns-open", "size": 14, "color": NEUTRAL, "line": {"width": 3}},
                showlegend=False,
                hovertemplate="by chance alone at most %{x:.2f}%<extra></extra>",
                **at,
            )
            figure.update_xaxes(rangemode="tozero", **at)
        if shown.is_signed:
            figure.add_vline(x=0, line={"color": NEUTRAL, "width": 2, "dash": "dot"}, layer="below", **at)
        figure.update_xaxes(ticksuffix="%" if shown.unit == "share" and not shown.is_signed else "", **at)
    figure.update_annotations(font_size=12)
    figure.update_xaxes(nticks=4)
    figure.update_yaxes(
        tickfont_size=11, categoryorder="array", categoryarray=rows, range=[len(predictors) - 0.5, -0.5]
    )
    return apply_layout(figure, panel_rows * (height + PANEL_GAP))


def accuracy_against_referred(
    curves: Mapping[str, np.ndarray],
    perfect: np.ndarray,
    accuracy: float,
    *,
    bands: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    quality: str = "accuracy",
) -> go.Figure:
    """Draw the accuracy of the rest by the share of referred examples.

    Args:
        curves: for each score, by its label, (M,) accuracy of the rest after the share m / (M - 1) was referred.
        perfect: (M,) the same of an order that puts all mistakes first.
        accuracy: of all examples, which a random order keeps.
        bands: (M,) low and high ends of intervals, for some of the scores.
        quality: name of the figure, if it is not the accuracy.

    Returns:
        A line for each score over the share referred, thinned if there are many points.
    """
    figure = go.Figure()
    shares = np.linspace(0, 1, len(perfect))
    places = np.unique(np.linspace(0, len(perfect) - 1, min(MOST_CURVE_POINTS, len(perfect))).round().astype(int))[:-1]
    for name, (low, high) in (bands or {}).items():
        figure.add_trace(band(shares[places], low[places], high[places], _colour(name, curves)))
    for name, curve in curves.items():
        hover = f"{escape_label(name)}: %{{x:.1%}} to a person, {quality} left %{{y:.2%}}"
        add_line(figure, shares[places], curve[places], _colour(name, curves), name=name, hover=hover)
    random = np.full(len(perfect), accuracy)
    for name, values, dash in (("perfect order", perfect, "dash"), ("random order", random, "dot")):
        add_line(figure, shares[places], values[places], NEUTRAL, width=2, dash=dash, name=name)
    figure.update_xaxes(title="share of the examples to a person", tickformat=".0%", range=[0, 1])
    figure.update_yaxes(title=f"{quality} left after review", tickformat=".1%", autorangeoptions=SHARES)
    return apply_layout(figure, 420)


def mark_share(figure: go.Figure, share: float) -> go.Figure:
    """Mark a share in a copy of an `accuracy_against_referred` figure, zoomed in."""
    marked = go.Figure(figure).add_shape(**position_line(share))
    return marked.update_xaxes(range=[0, min(1.0, max(LEAST_SHOWN, 3 * share))])


def measures_by_passes(
    passes: np.ndarray, values: Mapping[str, np.ndarray], formats: Mapping[str, str], enough: int | None = None
) -> go.Figure:
    """Draw figures by number of passes, one below the other.

    Args:
        passes: (P,) numbers of passes.
        values: (P,) of each figure, by its name.
        formats: d3's format of each.
        enough: the number of passes that suffices, or None.

    Returns:
        A line a figure over the number of passes, on a logarithmic axis.
    """
    figure = make_subplots(rows=len(values), cols=1, shared_xaxes=True, vertical_spacing=0.06)
    for row, (name, line) in enumerate(values.items(), 1):
        hover = f"first %{{x}} passes: {escape_label(name)} %{{y:{formats[name]}}}"
        add_line(
            figure,
            passes,
            line,
            ENSEMBLE,
            marked=True,
            marker_size=6,
            showlegend=False,
            hover=hover,
            row=row,
            col=1,
        )
        ends = SHARES if formats[name].endswith("%") else None
        figure.update_yaxes(title=name, tickformat=formats[name], autorangeoptions=ends, row=row, col=1)
        if enough is not None:
            figure.add_vline(x=enough, line={"color": NEUTRAL, "width": 2, "dash": "dot"}, row=row, col=1)
    figure.update_xaxes(log_axis(pad_range(np.log10(passes)), passes.tolist()))
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
            add_line(
                figure,
                amounts,
                value,
                PREDICTOR_COLOURS[name],
                marked=True,
                marker_size=6,
                name=name,
                showlegend=row == 1,
                hover=f"{name}, %{{x}}: {escape_label(measure)} %{{y:.1%}}",
                row=row,
                col=1,
            )
        figure.update_yaxes(title=measure, tickformat=".0%", row=row, col=1)
    figure.update_xaxes(title=title, row=len(measures), col=1)
    figure.update_xaxes(tickformat=tick_format)
    return apply_layout(figure, 230 * len(measures) + 60)


def _colour(name: str, curves: Mapping[str, np.ndarray]) -> str:
    if name == DETERMINISTIC_CURVE:
        return DETERMINISTIC
    return CLASSES[list(curves).index(name) % len(CLASSES)]


def shade_cells(shares: np.ndarray) -> np.ndarray:
    """Shade table cells by quality, on a log scale of 1 − share.

    Args:
        shares: (D, S) fractions; NaN has no colour.

    Returns:
        (D, S) CSS for backgrounds that let the table's own through, so that its text can be read in both themes.
    """
    errors = np.clip(1 - shares, NEAR_PERFECT, FAR_FROM_PERFECT)
    depth = np.log(FAR_FROM_PERFECT / errors) / np.log(FAR_FROM_PERFECT / NEAR_PERFECT)
    words = np.full(shares.shape, "", dtype=object)
    for cell in zip(*np.nonzero(np.isfinite(shares)), strict=True):
        words[cell] = f"background-color: rgba({SHADE}, {STRONGEST_SHADE * depth[cell]:.3f})"
    return words


def stopped_of_sets(names: Sequence[str], shares: np.ndarray, pictures: Sequence[str] = ()) -> go.Figure:
    """Draw the share of each set that a verdict stops, with intervals.

    The last row, in distribution, should have few.

    Args:
        names: S + 1, of S sets from top to bottom, and of the in-distribution examples.
        shares: (S + 1, 3) the stopped share, with the low and the high end of its interval.
        pictures: of the sets, as addresses; "" for none.

    Returns:
        A row a set, and one below for the examples that are in distribution, in grey.
    """
    rows = -np.arange(len(names), dtype=float)
    room = THUMBNAILS if any(pictures) else 0.0
    labels = [escape_label(shorten_name(label) if len(label) > LONGEST_SET else label) for label in names]
    figure = go.Figure(
        go.Bar(
            x=shares[:, 0],
            y=rows,
            orientation="h",
            width=0.62,
            marker={"color": [OTHERS] * (len(names) - 1) + [NEUTRAL]},
            error_x=_error_bars(shares, SPREAD),
            customdata=shares,
            hovertext=[escape_label(label) for label in names],
            hovertemplate="%{hovertext}: %{customdata[0]:.1%} stopped, 95% interval %{customdata[1]:.1%} to "
            "%{customdata[2]:.1%}<extra></extra>",
        )
    )
    for row, (share, _, end) in zip(rows, shares, strict=True):
        if share < 1:  # the whole is seen
            figure.add_annotation(x=end, y=row, text=percent(share, 0), xanchor="left", xshift=4, showarrow=False)
    for row, picture in zip(rows, pictures, strict=False):
        if picture:
            place = {"xref": "x", "yref": "y", "x": -room, "y": row, "xanchor": "left", "yanchor": "middle"}
            figure.add_layout_image(source=picture, sizex=0.85 * room, sizey=0.85, **place)
    figure.update_xaxes(title="share stopped", range=[-room, 1.15], tickvals=[0, 0.5, 1], tickformat=".0%")
    figure.update_yaxes(tickvals=rows, ticktext=labels, range=[rows.min() - 0.55, 0.55], showgrid=False, zeroline=False)
    return apply_layout(figure, 90 + SET_HEIGHT * len(names)).update_layout(showlegend=False)


def _error_bars(intervals: Array, colour: str) -> dict[str, Any]:
    """Return the `error_x` of (S, 3) values with low and high ends."""
    value, low, high = intervals.T
    return {
        "type": "data",
        "symmetric": False,
        "array": np.maximum(high - value, 0),
        "arrayminus": np.maximum(value - low, 0),
        "thickness": 1,
        "width": 0,
        "color": colour,
    }


def auroc_of_sets(sets: Sequence[str], values: Mapping[str, np.ndarray]) -> go.Figure:
    """Draw the AUROC of some detectors on each set, with intervals.

    Args:
        sets: S names, from top to bottom.
        values: for each detector, by its name, (S, 3) AUROC with the low and the high end of its interval.

    Returns:
        A row for each set and a trace for each detector, in the order of `values`. Values below 0.5 are drawn at 0.5,
        with an arrow.
    """
    figure, rows = go.Figure(), -np.arange(len(sets), dtype=float)
    lowest = min((float(intervals[:, 0].min()) for intervals in values.values()), default=1.0)
    floor = max(GUESSING, np.floor(20 * lowest) / 20)
    offsets = np.linspace(0.32, -0.32, len(values)) if len(values) > 1 else np.zeros(1)
    for (name, intervals), offset, colour, symbol in zip(values.items(), offsets, CLASSES, SYMBOLS, strict=False):
        drawn = np.maximum(intervals, floor)
        figure.add_scatter(
            x=drawn[:, 0],
            y=rows + offset,
            mode="markers+text",
            marker={"color": colour, "size": 8, "symbol": symbol},
            text=["◂" if below else "" for below in intervals[:, 0] < floor],
            textposition="middle left",
            textfont={"color": colour},
            error_x=_error_bars(drawn, colour),
            name=escape_label(name),
            customdata=intervals,
            hovertext=[escape_label(label) for label in sets],
            hovertemplate=f"%{{hovertext}}: {escape_label(name)} %{{customdata[0]:.3f}}, "
            "95% interval %{customdata[1]:.3f} to %{customdata[2]:.3f}<extra></extra>",
        )
    for row in rows[:-1]:
        figure.add_hline(y=row - 0.5, line={"color": NEUTRAL, "width": 0.5}, opacity=0.4)
    ticks = np.linspace(floor, 1, 6)
    figure.update_xaxes(
        title="AUROC",
        range=[floor - 0.01 * (1 - floor), 1 + 0.01 * (1 - floor)],
        tickvals=ticks,
        tickformat=".2f",
        zeroline=False,
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
    """Draw two detectors' ROC curves.

    Args:
        false_positive_rates: (P,) shares of the in-distribution examples that are flagged, ascending.
        true_positive_rates: (P,) shares of the out-of-distribution examples that are flagged.
        name: of the detector.
        compared: (P,) true positive rates of another detector.
        compared_with: its name.
        in_distribution: a name of the in-distribution examples.

    Returns:
        Two lines; the axis of false positives has a square-root scale, which shows its lower end.
    """
    figure = go.Figure()
    for label, values, colour, dash in (
        (compared_with, compared, NEUTRAL, "dash"),
        (name, true_positive_rates, CLASSES[0], "solid"),
    ):
        add_line(
            figure,
            np.sqrt(false_positive_rates),
            values,
            colour,
            dash=dash,
            name=label,
            customdata=false_positive_rates,
            hover="%{customdata:.1%} stopped by mistake, %{y:.1%} found",
        )
    gap = int(np.abs(true_positive_rates - compared).argmax())
    x = float(np.sqrt(false_positive_rates[gap]))
    label_lines(figure, {compared_with: (x, compared[gap]), name: (x, true_positive_rates[gap])}, apart=True)
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
    """Draw a detector's OOD score distributions in and out of distribution.

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
    for name, counts, colour in zip(names, both, (NEUTRAL, OTHERS), strict=True):
        add_line(
            figure,
            centres,
            counts / max(counts.sum(), 1),
            colour,
            width=2,
            line_shape="hvh",
            fill="tozeroy",
            name=name,
            hover="%{y:.1%} near %{x:.3g}",
        )
    figure.update_xaxes(title="OOD score")
    figure.update_yaxes(title="share of examples", tickformat=".0%", rangemode="tozero")
    return apply_layout(figure, 340)
