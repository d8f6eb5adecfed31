"""The OOD scores of a run: a dot plot, a table and its details; computed on demand, with progress and a way to stop."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.failures import refusal
from mcviz.app.kinds import kind_renderer
from mcviz.app.navigation import OUT_OF_DISTRIBUTION
from mcviz.app.places import finished_runs, offered_data
from mcviz.app.resources import RunPart, check_needs, class_names, sampler
from mcviz.app.state import PageState, choose_name, quote, session_store, update_state, widget_value
from mcviz.app.wording import as_markdown
from mcviz.errors import McvizError
from mcviz.figures.trust import auroc_of_sets, ood_score_distributions, roc_curve, shade_cells
from mcviz.measures import percent
from mcviz.measures.ood import DROPOUT_OFF, VERDICT, roc_points
from mcviz.permission import may_write
from mcviz.runs import Run
from mcviz.runs.ood_scores import OODScores, OODSet, load_ood_scores, save_ood_scores
from mcviz.text import one_line

REQUESTED = "ood-asked"  # in the session: the run's digest and the set, "" for those of its own examples
NEEDED: tuple[RunPart, ...] = "examples", "model"
FEW = 100  # examples for calibration, of which one in twenty is a handful
BINS = 40
RATES = np.linspace(0, 1, 101) ** 2
VERDICT_COLUMNS: dict[str, Callable[[OODSet], str]] = {
    "stopped": lambda each: percent(each.stopped.value),
    "sure": lambda each: percent(each.sure),
    "stopped of sure": lambda each: "–" if each.stopped_of_sure is None else percent(each.stopped_of_sure.value),
}


def load_scores(run: Run) -> OODScores | None:
    """Load the scores that were computed earlier, on this server or by the command line."""
    return _unsaved().get(run.digest) or load_ood_scores(run)


def render_first_comparison(run: Run) -> None:
    """Offer to compare the run's examples with sets made from them."""
    if not check_needs(run, NEEDED):
        return
    if session_store().get(REQUESTED) == (run.digest, ""):
        _compute(run, "")
    st.info(
        "Nothing is computed yet. Sets are made from this run's own examples, such as noise, mixed or shuffled ones, "
        f"and the model predicts each in {run.passes:,} passes. It takes up to a few minutes, and the result is kept.",
        icon=":material/rule:",
    )
    st.button(
        "Compare", type="primary", icon=":material/play_arrow:", key="ood", on_click=_request, args=(run.digest, "")
    )


def render_given_sets(run: Run, found: OODScores) -> None:
    """Render a choice of one's own set to compare with, and a button to remove each that was added."""
    offered = _offered_sets(run)
    st.subheader("Your own sets", anchor=False)
    if not check_needs(run, NEEDED):
        return
    requested = session_store().get(REQUESTED)
    if requested and requested[0] == run.digest and requested[1] in offered:
        _compute(run, requested[1])
    if offered:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.selectbox("Compare also with", list(offered), format_func=one_line, width=320, key="ood-given")
            wanted = run.digest, chosen or ""
            st.button("Compare", icon=":material/add:", key="ood-add", on_click=_request, args=wanted)
    else:
        st.caption(
            "There is no other run of such examples here, and no folder that visitors may read. Name folders in the "
            "variable `MCVIZ_DATA`, or type `mcviz ood RUN --against FOLDER`."
        )
    added = [each for each in found.sets if each.source] if may_write() else []
    with st.container(horizontal=True):
        for each in added:
            label = f"Remove {quote(each.label)}"
            st.button(label, icon=":material/close:", key=f"remove-{each.key}", on_click=_remove, args=(run, each.key))


def render_findings(run: Run, found: OODScores, state: PageState) -> None:
    """Render the findings: sentences, the AUROC of a few detectors, the table of all, and the details of one cell."""
    st.markdown(" ".join(map(as_markdown, found.sentences[1:])))  # the first stands below the title
    _render_dots(run, found)
    st.header("Every detector", anchor=False)
    _render_table(found)
    _render_details(run, found, state)


def _offered_sets(run: Run) -> dict[str, Path]:
    """Return other runs of such examples, and the data that the operator lets visitors read, by name."""
    runs = {
        f"Run {name}": path
        for name, path, other in finished_runs()
        if other.digest != run.digest and other.examples.kind == run.manifest.examples.kind
    }
    return runs | offered_data()


def _compute(run: Run, name: str) -> None:
    """Compute the scores, with a button to stop, and render the page again; an error is shown, and the page goes on."""
    st.button("Stop", icon=":material/stop_circle:", key="ood-stop", on_click=_request, args=(None,))
    bar = st.empty()
    try:
        bar.progress(0.0, "Loading the model")
        prepared = sampler(run)
        from mcviz.sampling.ood import compute_ood_scores, read_set

        def stage(words: str, done: float) -> None:
            bar.progress(min(done, 1.0), as_markdown(words))

        given = [read_set(prepared, run, _offered_sets(run)[name])] if name else []
        _store(run, compute_ood_scores(prepared, run, given, kept=load_scores(run), stage=stage))
    except McvizError as error:
        _request(None)
        st.error(refusal(error, OUT_OF_DISTRIBUTION.title), icon=":material/error:")
    else:
        _request(None)
        st.rerun()
    finally:
        bar.empty()


def _request(digest: str | None, name: str = "") -> None:
    session_store()[REQUESTED] = None if digest is None else (digest, name)


def _remove(run: Run, key: str) -> None:
    found = load_scores(run)
    if found is not None:
        _store(run, found.without(key))


def _store(run: Run, found: OODScores) -> None:
    if save_ood_scores(run, found):
        _unsaved().pop(run.digest, None)
    else:
        _unsaved()[run.digest] = found


@st.cache_resource(show_spinner=False)
def _unsaved() -> dict[str, OODScores]:
    """Return the scores that cannot be written, by the run's digest, shared by all sessions."""
    return {}


def _render_dots(run: Run, found: OODScores) -> None:
    sets, chart_labels = found.hardest_first(), found.chart_labels()
    values = {label: np.array([_ends(each, name) for each in sets]) for name, label in chart_labels.items()}
    thumbnail = kind_renderer(run).thumbnail
    figure = auroc_of_sets([each.label for each in sets], values, [thumbnail(each.shown[0]) for each in sets])
    spoken = "; ".join(f"{each.label} {each.figures[VERDICT][0].auroc:.3f}" for each in sets)

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
    low, high = map(percent, found.stopped_by_chance)
    st.caption(
        "1 is perfect, 0.5 guessing, with 95% intervals. Of held-out examples "
        f"{percent(found.own.stopped.value)} are stopped; chance explains {low} to {high}."
    )
    if found.calibrated < FEW:
        st.caption(
            f"The verdict is calibrated on {found.calibrated:,} examples: too few to stop much. Sample more "
            "examples for a sharper one."
        )


def _render_table(found: OODScores) -> None:
    sets, names = found.hardest_first(), {label: name for name, label in found.labels.items()}
    aurocs = np.array([[each.figures[name][0].auroc for name in found.labels] for each in sets])
    columns = {name: list(map(of_set, sets)) for name, of_set in VERDICT_COLUMNS.items()}
    shown = pd.DataFrame(columns | dict(zip(names, aurocs.T, strict=True)))
    shown.index = pd.Index(_number_repeats([one_line(each.label) for each in sets]), name="set")
    colours = np.hstack([np.full((len(sets), len(VERDICT_COLUMNS)), "", object), shade_cells(aurocs)])

    def open_cell() -> None:
        """Show the details of a cell; one beside the AUROCs is on the verdict."""
        cells = widget_value("ood-table")["selection"]["cells"]
        if cells:
            update_state(ood_set=sets[cells[0][0]].key, detector=names.get(cells[0][1], VERDICT))

    st.dataframe(
        shown.style.format("{:.3f}", subset=list(names)).apply(lambda _: colours, axis=None),
        key="ood-table",
        height="content",
        column_config={"_index": st.column_config.Column(width=180)}
        | {name: st.column_config.TextColumn(alignment="right") for name in VERDICT_COLUMNS},
        on_select=open_cell,
        selection_mode="single-cell",
    )
    st.caption(
        "Stopped: the verdict is out of distribution. Sure: the max probability is above 90%. The other columns are "
        "AUROC; click a cell to see its distributions below. What the detectors are: `docs/ood.md`. A study of many on "
        "MNIST: `docs/higher-moments.md`."
    )


def _render_details(run: Run, found: OODScores, state: PageState) -> None:
    """Render the distributions of an OOD score, its ROC curve, and the surest inputs that are not stopped."""
    sets = {each.key: each for each in found.hardest_first()}
    each = sets[choose_name(state.ood_set, sets)]
    name = choose_name(state.detector, found.labels)
    label, auroc = found.labels[name], each.interval(name)
    st.subheader(f"{as_markdown(label)}: {as_markdown(each.label)}", anchor=False)
    st.markdown(f"AUROC **{auroc.value:.3f}**, 95% interval {auroc.low:.3f} to {auroc.high:.3f}.")
    own, of_set = found.own.scores[name], each.scores[name]
    left, right = st.columns(2, gap="large")
    with left:
        low, high = _range(own, of_set)
        edges = np.linspace(low, high, BINS + 1)
        of_own, of_others = (np.histogram(np.clip(values, low, high), edges)[0] for values in (own, of_set))
        names = "this run's examples", one_line(each.label)
        spoken = f"Distributions of the OOD score of this run's examples and of {each.label}."
        chart(ood_score_distributions(edges, of_own, of_others, names), "ood-distributions", spoken)
    with right:
        other = VERDICT if name == DROPOUT_OFF else DROPOUT_OFF
        curves = [roc_points(found.own.scores[which], each.scores[which], RATES) for which in (name, other)]
        figure = roc_curve(RATES, curves[0], label, curves[1], found.labels[other], "this run's examples")
        chart(figure, "ood-roc", f"ROC curve of {label} beside that of {found.labels[other]}.")
    _render_surest(run, each)


def _render_surest(run: Run, each: OODSet) -> None:
    classes, renderer = class_names(run), kind_renderer(run)
    most, columns = (3, 3) if renderer.fits_column else (1, 2)
    shown = list(zip(each.shown, each.shown_numbers, each.predictions, strict=True))[1 : most + 1]
    if shown:
        st.markdown("**Not stopped: those that the model is surest of**")
    for column, (content, example, prediction) in zip(st.columns(columns), shown, strict=False):
        with column:
            renderer.render_small(run, content, f"{each.label}, number {example}, predicted as {classes[prediction]}")
            probability = percent(float(each.confidence[example]))
            st.caption(f"predicted: {as_markdown(classes[prediction])}, {probability}")


def _number_repeats(labels: list[str]) -> list[str]:
    """Return labels with a number at each that was there before."""
    return [
        f"{each} ({labels[:place].count(each) + 1})" if each in labels[:place] else each
        for place, each in enumerate(labels)
    ]


def _ends(each: OODSet, name: str) -> tuple[float, float, float]:
    interval = each.interval(name)
    return interval.value, interval.low, interval.high


def _range(own: np.ndarray, of_set: np.ndarray) -> tuple[float, float]:
    """Return ends that half a percent of either may lie beyond."""
    low = min(float(np.quantile(values, 0.005)) for values in (own, of_set))
    high = max(float(np.quantile(values, 0.995)) for values in (own, of_set))
    return low, high if high > low else low + 1
