"""The OOD scores of a run: a dot plot, a table and its details; computed on demand, with progress and a way to stop."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.kinds import kind_renderer
from mcviz.app.navigation import PROBE
from mcviz.app.on_request import compute_on_request, request
from mcviz.app.places import finished_runs, offered_data
from mcviz.app.resources import RunPart, check_needs, class_names, has, sampler
from mcviz.app.state import PageState, choose_name, quote, update_state, widget_value
from mcviz.app.wording import as_markdown
from mcviz.figures.trust import auroc_of_sets, ood_score_distributions, roc_curve, shade_cells, stopped_of_sets
from mcviz.measures import percent
from mcviz.measures.ood import DROPOUT_OFF, VERDICT, roc_points
from mcviz.permission import may_write
from mcviz.runs import Run
from mcviz.runs.ood_scores import OODScores, OODSet, load_ood_scores, save_ood_scores
from mcviz.text import one_line

WORK = "ood"  # of which the subject is the run's digest and the set, "" for those of its own examples
NEEDED: tuple[RunPart, ...] = "examples", "model"
FEW = 100  # examples for calibration, of which one in twenty is a handful
BINS = 40
RATES = np.linspace(0, 1, 101) ** 2
VERDICT_MEANS = "**The verdict** stops what looks less usual than 95 of 100 of this run's examples."
VERDICT_COLUMNS: dict[str, Callable[[OODSet], str]] = {
    "stopped": lambda others: percent(others.stopped.value),
    "sure": lambda others: percent(others.sure),
    "stopped of sure": lambda others: "–" if others.stopped_of_sure is None else percent(others.stopped_of_sure.value),
}


def load_scores(run: Run) -> OODScores | None:
    """Load the scores that were computed earlier, on this server or by the command line."""
    return _unsaved().get(run.digest) or load_ood_scores(run)


def describe_detectors(run: Run) -> str:
    """Say how many inputs of other kinds the verdict stops, where that is known."""
    scores = load_scores(run)
    if scores is None or not scores.sets:
        return "Does the model notice inputs that it was not made for?"
    return as_markdown(scores.sentences[0])


def render_detectors(run: Run, state: PageState) -> None:
    """Render what is known of a run's detectors, or an offer to compute it, and sets of one's own."""
    scores, can_ask = load_scores(run), has(run, "model")  # what to do without a model stands above, for all of Probe
    if scores is not None and scores.sets:
        _render_findings(run, scores, state)
    if can_ask and scores is None:
        _render_first_comparison(run)
    elif can_ask and scores is not None:
        _render_given_sets(run, scores)


def _render_first_comparison(run: Run) -> None:
    """Offer to compare the run's examples with sets made from them."""
    if not check_needs(run, NEEDED):
        return
    subject = run.digest, ""
    compute_on_request(WORK, subject, partial(_compute, run, None), PROBE.title)
    st.info(
        "Nothing is computed yet. Sets are made from this run's own examples, such as noise, mixed or shuffled ones, "
        f"and the model predicts each in {run.passes:,} passes. It takes up to a few minutes, and the result is kept.",
        icon=":material/rule:",
    )
    st.button(
        "Compare", type="primary", icon=":material/play_arrow:", key="ood", on_click=request, args=(WORK, subject)
    )


def _render_given_sets(run: Run, scores: OODScores) -> None:
    """Render a choice of one's own set to compare with, and a button to remove each that was added."""
    st.subheader("Your own sets", anchor=False)
    if not check_needs(run, NEEDED):
        return
    offered = _offered_sets(run)
    for name, path in offered.items():
        compute_on_request(WORK, (run.digest, name), partial(_compute, run, path), PROBE.title)
    if offered:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.selectbox("Compare also with", list(offered), format_func=one_line, width=320, key="ood-given")
            subject = run.digest, chosen
            st.button("Compare", icon=":material/add:", key="ood-add", on_click=request, args=(WORK, subject))
    else:
        st.caption(
            "There is no other run of such examples here, and no folder that visitors may read. Name folders in the "
            "variable `MCVIZ_DATA`, or type `mcviz ood RUN --against FOLDER`."
        )
    added = [ood_set for ood_set in scores.sets if ood_set.source] if may_write() else []
    with st.container(horizontal=True):
        for ood_set in added:
            label, key = f"Remove {quote(ood_set.label)}", ood_set.key
            st.button(label, icon=":material/close:", key=f"remove-{key}", on_click=_remove, args=(run, key))


def _render_findings(run: Run, scores: OODScores, state: PageState) -> None:
    """Render the share that is stopped, the AUROC of a few detectors and of all, and the details of one cell."""
    st.markdown(VERDICT_MEANS)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Stopped by the verdict**")
        _render_stopped(run, scores)
    with right:
        st.markdown("**How well detectors tell each set apart**")
        _render_dots(scores)
    st.header("Every detector", anchor=False)
    _render_table(scores)
    st.markdown(" ".join(map(as_markdown, scores.sentences[1:])))  # the first stands below the title
    _render_promise(scores)
    _render_details(run, scores, state)


def _offered_sets(run: Run) -> dict[str, Path]:
    """Return other runs of such examples, and the data that the operator lets visitors read, by name."""
    runs = {
        f"Run {name}": path
        for name, path, other in finished_runs()
        if other.digest != run.digest and other.examples.kind == run.manifest.examples.kind
    }
    return runs | offered_data()


def _compute(run: Run, path: Path | None) -> None:
    """Compute the scores of the sets made from the run's own examples, or add those of one's own."""
    bar = st.empty()
    try:
        bar.progress(0.0, "Loading the model")
        prepared = sampler(run)
        from mcviz.sampling.ood import compute_ood_scores, read_set

        def stage(words: str, done: float) -> None:
            bar.progress(min(done, 1.0), as_markdown(words))

        given = [] if path is None else [read_set(prepared, run, path)]
        _store(run, compute_ood_scores(prepared, run, given, kept=load_scores(run), stage=stage))
    finally:
        bar.empty()


def _remove(run: Run, key: str) -> None:
    scores = load_scores(run)
    if scores is not None:
        _store(run, scores.without(key))


def _store(run: Run, scores: OODScores) -> None:
    if save_ood_scores(run, scores):
        _unsaved().pop(run.digest, None)
    else:
        _unsaved()[run.digest] = scores


@st.cache_resource(show_spinner=False)
def _unsaved() -> dict[str, OODScores]:
    """Return the scores that cannot be written, by the run's digest, shared by all sessions."""
    return {}


def _render_stopped(run: Run, scores: OODScores) -> None:
    """Render the share of each set that the verdict stops as bars, and that of the run's own examples."""
    sets, thumbnail = scores.hardest_first(), kind_renderer(run).thumbnail
    shares = np.array([(each.value, each.low, each.high) for each in (*(s.stopped for s in sets), scores.own.stopped)])
    labels = [*(ood_set.label for ood_set in sets), "this run's examples"]
    figure = stopped_of_sets(labels, shares, [thumbnail(ood_set.shown[0]) for ood_set in sets])
    spoken = "; ".join(f"{label} {percent(share)}" for label, share in zip(labels, shares[:, 0], strict=True))
    chart(figure, "ood-stopped", f"Bar chart of the share that the verdict stops: {spoken}.")


def _render_dots(scores: OODScores) -> None:
    sets, chart_labels = scores.hardest_first(), scores.chart_labels()
    values = {label: np.array([_ends(ood_set, name) for ood_set in sets]) for name, label in chart_labels.items()}
    figure = auroc_of_sets([ood_set.label for ood_set in sets], values)
    spoken = "; ".join(f"{ood_set.label} {ood_set.figures[VERDICT][0].auroc:.3f}" for ood_set in sets)

    def open_point() -> None:
        points = widget_value("ood-dots")["selection"]["points"]
        if points:
            update_state(
                ood_set=sets[points[0]["point_index"]].key, detector=list(chart_labels)[points[0]["curve_number"]]
            )

    st.plotly_chart(
        figure,
        key="ood-dots",
        config={"displayModeBar": False, "scrollZoom": False},
        alt=f"Dot plot of AUROC by set. Of the verdict: {spoken}.",
        on_select=open_point,
        selection_mode="points",
    )


def _render_promise(scores: OODScores) -> None:
    """Render how many examples like the run's own are stopped, beside what chance explains."""
    low, high = map(percent, scores.stopped_by_chance)
    st.caption(
        "The verdict is by the model's uncertainty and by its activations together. Of held-out examples "
        f"{percent(scores.own.stopped.value)} are stopped; chance explains {low} to {high}. AUROC: 1 is perfect, 0.5 "
        "is guessing."
    )
    if scores.calibrated < FEW:
        st.caption(
            f"The verdict is calibrated on {scores.calibrated:,} examples: too few to stop much. Sample more "
            "examples for a sharper one."
        )


def _render_table(scores: OODScores) -> None:
    sets, names = scores.hardest_first(), {label: name for name, label in scores.labels.items()}
    aurocs = np.array([[ood_set.figures[name][0].auroc for name in scores.labels] for ood_set in sets])
    columns = {name: list(map(of_set, sets)) for name, of_set in VERDICT_COLUMNS.items()}
    cells = pd.DataFrame(columns | dict(zip(names, aurocs.T, strict=True)))
    cells.index = pd.Index(_number_repeats([one_line(ood_set.label) for ood_set in sets]), name="set")
    colours = np.hstack([np.full((len(sets), len(VERDICT_COLUMNS)), "", object), shade_cells(aurocs)])

    def open_cell() -> None:
        """Show the details of a cell; one beside the AUROCs is on the verdict."""
        cells = widget_value("ood-table")["selection"]["cells"]
        if cells:
            update_state(ood_set=sets[cells[0][0]].key, detector=names.get(cells[0][1], VERDICT))

    table = st.container(key="ood-every-detector")
    table.dataframe(
        cells.style.format("{:.3f}", subset=list(names)).apply(lambda _: colours, axis=None),
        key="ood-table",
        height="content",
        column_config={"_index": st.column_config.Column(width=180)}
        | {name: st.column_config.TextColumn(alignment="right") for name in VERDICT_COLUMNS},
        on_select=open_cell,
        selection_mode="single-cell",
    )
    st.caption(
        "Stopped: the verdict is out of distribution. Sure: the confidence is above 90%. The other columns are "
        f"AUROC, of {len(names)} detectors: the table goes on at the right. Click a cell to see its distributions "
        "below. What the detectors are: `docs/ood.md`. A study of many on MNIST: `docs/higher-moments.md`."
    )


def _render_details(run: Run, scores: OODScores, state: PageState) -> None:
    """Render the distributions of an OOD score, its ROC curve, and the surest inputs that are not stopped."""
    sets = {ood_set.key: ood_set for ood_set in scores.hardest_first()}
    ood_set = sets[choose_name(state.ood_set, sets)]
    name = choose_name(state.detector, scores.labels)
    label, auroc = scores.labels[name], ood_set.interval(name)
    st.subheader(f"{as_markdown(label)}: {as_markdown(ood_set.label)}", anchor=False)
    st.markdown(f"AUROC **{auroc.value:.3f}**, 95% interval {auroc.low:.3f} to {auroc.high:.3f}.")
    own, of_set = scores.own.scores[name], ood_set.scores[name]
    left, right = st.columns(2, gap="large")
    with left:
        low, high = _range(own, of_set)
        edges = np.linspace(low, high, BINS + 1)
        of_own, of_others = (np.histogram(np.clip(values, low, high), edges)[0] for values in (own, of_set))
        names = "this run's examples", one_line(ood_set.label)
        spoken = f"Distributions of the OOD score of this run's examples and of {ood_set.label}."
        chart(ood_score_distributions(edges, of_own, of_others, names), "ood-distributions", spoken)
    with right:
        other = VERDICT if name == DROPOUT_OFF else DROPOUT_OFF
        curves = [roc_points(scores.own.scores[which], ood_set.scores[which], RATES) for which in (name, other)]
        figure = roc_curve(RATES, curves[0], label, curves[1], scores.labels[other], "this run's examples")
        chart(figure, "ood-roc", f"ROC curve of {label} beside that of {scores.labels[other]}.")
    _render_surest(run, ood_set)


def _render_surest(run: Run, ood_set: OODSet) -> None:
    classes, renderer = class_names(run), kind_renderer(run)
    most, columns = (3, 3) if renderer.fits_column else (1, 2)
    listed = list(zip(ood_set.shown, ood_set.shown_numbers, ood_set.predictions, strict=True))[1 : most + 1]
    if listed:
        st.markdown("**Not stopped: those that the model is surest of**")
    for column, (content, example, prediction) in zip(st.columns(columns), listed, strict=False):
        with column:
            spoken = f"{ood_set.label}, number {example}, predicted as {classes[prediction]}"
            renderer.render_small(run, content, spoken)
            probability = percent(float(ood_set.confidence[example]))
            st.caption(f"predicted: {as_markdown(classes[prediction])}, {probability}")


def _number_repeats(labels: list[str]) -> list[str]:
    """Return labels with a number at each that was there before."""
    return [
        f"{label} ({labels[:place].count(label) + 1})" if label in labels[:place] else label
        for place, label in enumerate(labels)
    ]


def _ends(ood_set: OODSet, name: str) -> tuple[float, float, float]:
    interval = ood_set.interval(name)
    return interval.value, interval.low, interval.high


def _range(own: np.ndarray, of_set: np.ndarray) -> tuple[float, float]:
    """Return ends that half a percent of either may lie beyond."""
    low = min(float(np.quantile(values, 0.005)) for values in (own, of_set))
    high = max(float(np.quantile(values, 0.995)) for values in (own, of_set))
    return low, high if high > low else low + 1
