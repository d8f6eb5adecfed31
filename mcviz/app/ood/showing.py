"""What the detectors find: a dot plot, a table, and what is behind one cell of it."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.kinds import kind_of
from mcviz.app.resources import class_names
from mcviz.app.session import widget_value
from mcviz.app.state import PageState, choose_name, go
from mcviz.app.wording import as_markdown
from mcviz.figures.detection import auroc_of_sets, ood_score_distributions, roc_curve, shade_cells
from mcviz.measures import percent
from mcviz.measures.detection import roc_points
from mcviz.measures.detectors import DROPOUT_OFF, VERDICT
from mcviz.runs import Run
from mcviz.runs.ood_scores import OODScores, OODSet, ood_in_words
from mcviz.text import one_line

FEW = 100  # examples for calibration, of which one in twenty is a handful
BINS = 40
RATES = np.linspace(0, 1, 101) ** 2
VERDICT_COLUMNS: dict[str, Callable[[OODSet], str]] = {
    "stopped": lambda each: percent(each.stopped.value),
    "sure": lambda each: percent(each.sure),
    "stopped of sure": lambda each: "–" if each.stopped_of_sure is None else percent(each.stopped_of_sure.value),
}


def sentences(found: OODScores) -> None:
    """The three that matter, the first of them in bold."""
    first, *others = map(as_markdown, ood_in_words(found))
    st.markdown(f"**{first}** {' '.join(others)}")


def dots(run: Run, found: OODScores) -> None:
    """The AUROC of a few detectors on each set."""
    sets, drawn = found.hardest_first(), found.chart_labels()
    values = {label: np.array([_ends(each, name) for each in sets]) for name, label in drawn.items()}
    thumbnail = kind_of(run).thumbnail
    figure = auroc_of_sets([each.label for each in sets], values, [thumbnail(each.shown[0]) for each in sets])
    spoken = "; ".join(f"{each.label} {each.figures[VERDICT][0].auroc:.3f}" for each in sets)
    st.plotly_chart(
        figure,
        key="ood-dots",
        config={"displayModeBar": False, "scrollZoom": False},
        alt=f"Dot plot of AUROC by set. Of the verdict: {spoken}.",
        on_select=lambda: _pointed(sets, list(drawn)),
        selection_mode="points",
    )
    st.caption(
        "1 is perfect, 0.5 guessing, with 95% intervals. Of this run's held-out examples "
        f"{found.own.stopped.format(percent)} are stopped; at most 5% should be."
    )
    if found.calibrated < FEW:
        st.caption(
            f"The verdict is calibrated on {found.calibrated:,} examples: too few to stop much. Sample more "
            "examples for a sharper one."
        )


def table(found: OODScores) -> None:
    """Every figure; a click on an AUROC shows what is behind it."""
    sets = found.hardest_first()
    aurocs = np.array([[each.figures[name][0].auroc for name in found.labels] for each in sets])
    columns = {name: list(map(of_set, sets)) for name, of_set in VERDICT_COLUMNS.items()}
    shown = pd.DataFrame(columns | dict(zip(found.labels.values(), aurocs.T, strict=True)))
    shown.index = pd.Index(_different([one_line(each.label) for each in sets]), name="set")
    colours = np.hstack([np.full((len(sets), len(VERDICT_COLUMNS)), "", object), shade_cells(aurocs)])
    st.dataframe(
        shown.style.format("{:.3f}", subset=list(found.labels.values())).apply(lambda _: colours, axis=None),
        key="ood-table",
        height="content",
        column_config={"_index": st.column_config.Column(width=180)}
        | {name: st.column_config.TextColumn(alignment="right") for name in VERDICT_COLUMNS},
        on_select=lambda: _clicked(sets, {label: name for name, label in found.labels.items()}),
        selection_mode="single-cell",
    )
    st.caption(
        "Stopped: the verdict says out of distribution. Sure: a max probability above 90%. The others are AUROC; click "
        "one to see what is behind it. What the detectors are: `docs/ood.md`. A study of many on MNIST: "
        "`docs/higher-moments.md`."
    )


def behind(run: Run, found: OODScores, state: PageState) -> None:
    """The distributions of an OOD score, its ROC curve, and the inputs that the model is surest of and that pass."""
    sets = {each.key: each for each in found.hardest_first()}
    each = sets[choose_name(state.ood_set, sets)]
    name = choose_name(state.detector, found.labels)
    label, low = found.labels[name], each.interval(name)
    st.subheader(f"{as_markdown(label)}: {as_markdown(each.label)}", anchor=False)
    st.markdown(f"AUROC **{low.value:.3f}**, 95% interval {low.low:.3f} to {low.high:.3f}.")
    own, of_set = found.own.scores[name], each.scores[name]
    left, right = st.columns(2, gap="large")
    with left:
        low_end, high_end = _range(own, of_set)
        edges = np.linspace(low_end, high_end, BINS + 1)
        of_own, of_others = (np.histogram(np.clip(values, low_end, high_end), edges)[0] for values in (own, of_set))
        names = "this run's examples", one_line(each.label)
        spoken = f"Distributions of the OOD score of this run's examples and of {each.label}."
        chart(ood_score_distributions(edges, of_own, of_others, names), "ood-distributions", spoken)
    with right:
        other = VERDICT if name == DROPOUT_OFF else DROPOUT_OFF
        curves = [roc_points(found.own.scores[which], each.scores[which], RATES) for which in (name, other)]
        figure = roc_curve(RATES, curves[0], label, curves[1], found.labels[other], "this run's examples")
        chart(figure, "ood-roc", f"ROC curve of {label} beside that of {found.labels[other]}.")
    _surest(run, each)


def _surest(run: Run, each: OODSet) -> None:
    """What passes unnoticed."""
    names, kind = class_names(run), kind_of(run)
    shown = list(zip(each.shown, each.shown_numbers, each.predictions, strict=True))[1 : 4 if kind.fits_column else 2]
    if shown:
        st.markdown("**Let pass, and the model is surest of them**")
    for column, (content, example, prediction) in zip(st.columns(3 if kind.fits_column else 2), shown, strict=False):
        with column:
            probability = percent(float(each.confidence[example]))
            spoken = f"{each.label}, number {example}, predicted as {names[prediction]}"
            kind.render_small(run, content, spoken)
            st.caption(f"predicted: {as_markdown(names[prediction])}, {probability}")


def _different(labels: list[str]) -> list[str]:
    """Labels of which each that was there before has a number."""
    return [
        f"{each} ({labels[:place].count(each) + 1})" if each in labels[:place] else each
        for place, each in enumerate(labels)
    ]


def _ends(each: OODSet, name: str) -> tuple[float, float, float]:
    interval = each.interval(name)
    return interval.value, interval.low, interval.high


def _range(own: np.ndarray, of_set: np.ndarray) -> tuple[float, float]:
    """Ends that a hundredth of either may lie beyond."""
    low = min(float(np.quantile(values, 0.005)) for values in (own, of_set))
    high = max(float(np.quantile(values, 0.995)) for values in (own, of_set))
    return low, high if high > low else low + 1


def _pointed(sets: list[OODSet], names: list[str]) -> None:
    points = widget_value("ood-dots")["selection"]["points"]
    if points:
        go(ood_set=sets[points[0]["point_index"]].key, detector=names[points[0]["curve_number"]])


def _clicked(sets: list[OODSet], names: dict[str, str]) -> None:
    """A click on a cell; one beside the AUROCs is on the verdict."""
    cells = widget_value("ood-table")["selection"]["cells"]
    if cells:
        go(ood_set=sets[cells[0][0]].key, detector=names.get(cells[0][1], VERDICT))
