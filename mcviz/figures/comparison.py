"""One example in several runs: histograms above each other, on the same axes."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mcviz.figures.style import (
    ENSEMBLE,
    LABEL,
    NUMBER,
    SINGLE_PASS,
    add_line,
    apply_layout,
    axis_title,
    escape_label,
    escape_labels,
    shorten_name,
)
from mcviz.measures import PassSummary
from mcviz.text import significant

MOST_COMPARED_CLASSES = 4  # that fit side by side
RUN_BINS = 25
ROW_HEIGHT = 180  # pixels


def classes_to_compare(one: np.ndarray, other: np.ndarray, label: int | None = None) -> list[int]:
    """Select the likeliest classes of two runs.

    Args:
        one: (C,) predictive mean in the one run.
        other: (C,) the same in the other.
        label: the index of the label's class, if known.

    Returns:
        Up to four classes, the likeliest in either run first, and the label among them.
    """
    order = [int(c) for c in np.argsort(-np.maximum(one, other), kind="stable")[:MOST_COMPARED_CLASSES]]
    return order if label is None or label in order else [*order[:-1], label]


def class_histograms(
    runs: Sequence[PassSummary],
    names: Sequence[str],
    classes: Sequence[int],
    class_names: Sequence[str],
    label: int | None = None,
) -> go.Figure:
    """Draw the probabilities that each run's passes give some classes.

    Args:
        runs: the passes of each of R runs over one example; their number may differ.
        names: of the runs.
        classes: indices of the classes to show.
        class_names: C names.
        label: the index of the label's class, if known.

    Returns:
        A row of histograms for each run, a column for each class, all on the same axes: shares of the run's passes on a
        square-root scale, with a line at the predictive mean.
    """
    labels = escape_labels([shorten_name(class_names[c]) for c in classes])
    titles = [f"{name}, label" if c == label else name for c, name in zip(classes, labels, strict=True)]
    figure = make_subplots(
        rows=len(runs), cols=len(classes), shared_xaxes="all", shared_yaxes="all", column_titles=titles,
        row_titles=escape_labels([shorten_name(name) for name in names]),
        horizontal_spacing=0.03, vertical_spacing=0.08,
    )  # fmt: skip
    middles = (np.arange(RUN_BINS) + 0.5) / RUN_BINS
    for row, (summary, name) in enumerate(zip(runs, names, strict=True), 1):
        for column, c in enumerate(classes, 1):
            counts = summary.histograms[c].reshape(RUN_BINS, -1).sum(axis=1)
            figure.add_bar(
                x=middles,
                y=np.sqrt(counts / summary.passes),
                customdata=counts,
                width=1 / RUN_BINS,
                marker={"color": LABEL if c == label else SINGLE_PASS, "line": {"width": 0}},
                hovertemplate=f"{escape_label(name)}: %{{customdata:,}} of {summary.passes:,} passes give "
                f"{escape_label(class_names[c])} about %{{x:.0%}}<extra></extra>",
                row=row,
                col=column,
            )
            mean = float(summary.mean[c])
            add_line(figure, [mean, mean], [0, 1], ENSEMBLE, hover="predictive mean %{x:.1%}", row=row, col=column)
    figure.update_xaxes(range=[0, 1], tickvals=[0, 0.5, 1], ticktext=["0", "0.5", "1"])
    figure.update_xaxes(title="probability", row=len(runs), col=1)
    figure.update_yaxes(title="share of passes", col=1)
    figure.update_yaxes(range=[0, 1.02], tickvals=np.sqrt([0, 0.1, 0.5, 1]), ticktext=["0", "10%", "50%", "100%"])
    return _frame_rows(figure, len(runs))


def output_histograms(
    runs: Sequence[np.ndarray], names: Sequence[str], *, unit: str = "", label: float | None = None
) -> go.Figure:
    """Draw the predictions of a target by each run's passes.

    Args:
        runs: (T,) the mean that each pass predicts of one example, for each of R runs; T may differ.
        names: of the runs.
        unit: of the target.
        label: the true value, if known.

    Returns:
        A histogram for each run, one above the other on the same axes: shares of the run's passes, with lines at the
        predictive mean and at the label.
    """
    known = [] if label is None else [np.array([label])]
    edges = np.histogram_bin_edges(np.concatenate(runs).astype(np.float64), bins=RUN_BINS)
    both = np.concatenate([*runs, *known])
    figure = make_subplots(
        rows=len(runs), cols=1, shared_xaxes="all", shared_yaxes="all",
        row_titles=escape_labels([shorten_name(name) for name in names]), vertical_spacing=0.08,
    )  # fmt: skip
    shares = [np.histogram(outputs, bins=edges)[0] / len(outputs) for outputs in runs]
    top = max(float(share.max()) for share in shares)
    for row, (outputs, share, name) in enumerate(zip(runs, shares, names, strict=True), 1):
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=share,
            width=np.diff(edges),
            marker={"color": SINGLE_PASS, "line": {"width": 0}},
            hovertemplate=f"{escape_label(name)}: %{{y:.1%}} of the passes near %{{x:{NUMBER}}}<extra></extra>",
            row=row,
            col=1,
        )
        mean, hover = float(outputs.mean(dtype=np.float64)), f"predictive mean %{{x:{NUMBER}}}"
        add_line(figure, [mean, mean], [0, top], ENSEMBLE, hover=hover, row=row, col=1)
        if label is not None:
            hover = f"label {significant(label)}"
            add_line(figure, [label, label], [0, top], LABEL, width=3, dash="dash", hover=hover, row=row, col=1)
    margin = 0.03 * float(np.ptp(both)) or 1.0
    figure.update_xaxes(range=[float(both.min()) - margin, float(both.max()) + margin])
    figure.update_xaxes(title=axis_title("prediction", unit), row=len(runs), col=1)
    figure.update_yaxes(title="share of passes", range=[0, 1.05 * top], tickformat=".0%")
    return _frame_rows(figure, len(runs))


def _frame_rows(figure: go.Figure, rows: int) -> go.Figure:
    figure.update_xaxes(showticklabels=True, row=rows)
    return apply_layout(figure, rows * ROW_HEIGHT + 60).update_layout(showlegend=False, bargap=0, margin={"r": 28})
