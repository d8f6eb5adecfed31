"""Out of distribution: a verdict on an input, and the OOD scores of a run.

A verdict says whether an input looks like the examples of the open run, and by which figures. The scores are shown as a
dot plot, a table and its details; they are computed on demand, with progress and a way to stop.
"""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mcviz.app.components import chart, text_table
from mcviz.app.jobs import offered_data
from mcviz.app.kinds import kind_renderer
from mcviz.app.kinds.base import as_batch
from mcviz.app.navigation import PROBE
from mcviz.app.resources import (
    RunPart,
    cached_for_run,
    check_needs,
    class_names,
    has,
    model_inputs,
    numbers_key,
    run_paths,
    run_scores,
    sampler,
    sorted_scores,
)
from mcviz.app.server import join_visit
from mcviz.app.state import PageState, choose_name, quote, update_state, widget_value
from mcviz.app.tasks import task_renderer
from mcviz.app.thresholds import at_half
from mcviz.app.wording import as_markdown
from mcviz.app.work import compute_on_request, give_way_to_clicks, refusal, request, unforeseen
from mcviz.errors import McvizError
from mcviz.figures.trust import auroc_of_sets, ood_score_distributions, roc_curve, shade_cells, stopped_of_sets
from mcviz.measures import Score
from mcviz.measures.conformal import conformal_quantile
from mcviz.measures.ood import COVERAGE, DROPOUT_OFF, OOD_P_VALUE, VERDICT, OODDetector, roc_points
from mcviz.permission import may_write
from mcviz.runs import Manifest, Run
from mcviz.runs.manifest_file import NAME, read_manifest
from mcviz.runs.ood_scores import OODScores, OODSet, load_ood_scores, save_ood_scores
from mcviz.runs.storage import folder_at
from mcviz.text import one_line, percent

NEARLY_NONE = 1e-9  # of a share: rounding
POLL = 0.2  # seconds between two looks whether it is there
PATIENCE = 20  # seconds that the first verdicts wait for the detector; what fails is tried again after as many
EXPLAINED = (McvizError, ValueError, MemoryError)  # errors whose own words are shown to a visitor
NONE_TO_FIT = "A detector that also looks at the activations of the network exists for classifications only."
FITTED_SCORE = (
    "The score that stops them joins two p-values: of the confidence, and of the activations in front of the first "
    "stochastic layer."
)
STILL_FITTING = (
    "The OOD detector is still being fitted to this run's examples, which happens once. Its verdict takes the place of "
    "this one as soon as it is ready."
)
LOOK_AGAIN = 1.0  # seconds between two looks whether it can

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


@dataclass(frozen=True)
class OODVerdict:
    """The verdict of a detector on one input.

    Attributes:
        is_ood: whether the input is out of distribution.
        less_usual: the share of this run's examples that look less usual, 0 to 1.
        figures: behind the verdict, as texts by their names.
        by: in Markdown, which detector it is from, where it is not the fitted one, and why; or "".
        is_preliminary: whether that of the fitted detector is to come.
    """

    is_ood: bool
    less_usual: float
    figures: dict[str, str]
    by: str = ""
    is_preliminary: bool = False


class Detector(Protocol):
    """Finds out which inputs are out of distribution, by the examples of a run."""

    def is_ood(self, contents: np.ndarray, predictions: np.ndarray) -> np.ndarray:
        """Return (n,) bool, for n inputs with (T, n, K) predictions."""

    def verdict(self, content: Any, predictions: np.ndarray) -> OODVerdict:
        """Return the verdict on one input with (T, K) predictions."""


@dataclass(frozen=True)
class ScoreDetector:
    """Detects by one score alone, such as the expected entropy of a classification, which needs no fit.

    Attributes:
        run: whose examples are in distribution.
        reason: why the fitted detector is not used, in a sentence or two in Markdown.
    """

    run: Run
    reason: str

    @property
    def score(self) -> Score:
        """The score of detection: high is out of distribution."""
        return run_scores(self.run)[task_renderer(self.run).ood_score]

    def is_ood(self, contents: np.ndarray, predictions: np.ndarray) -> np.ndarray:  # noqa: ARG002 (passes are enough)
        """Return (n,) bool: whose score is above the limit."""
        return self._values(predictions) > self._limit

    def verdict(self, content: Any, predictions: np.ndarray) -> OODVerdict:  # noqa: ARG002
        """Compare the score of one input with those of the run's examples."""
        values = sorted_scores(self.run, self.score.name)
        value = float(self._values(predictions[:, None])[0])
        less_usual = 1 - float(np.searchsorted(values, value, side="right")) / len(values)
        limit, words = self._limit, "none: too few examples to tell"
        if np.isfinite(limit):
            words = as_markdown(self.score.format(limit))
        figures = {
            self.score.label: as_markdown(self.score.format(value)),
            "Examples with a higher one": _share(less_usual),
            f"Limit, passed by at most {OOD_P_VALUE:.0%} of inputs like these": words,
        }
        by = f"By {self.score.inline_label} alone. {self.reason}"
        return OODVerdict(value > limit, less_usual, figures, by, self.reason == STILL_FITTING)

    def _values(self, predictions: np.ndarray) -> np.ndarray:
        return task_renderer(self.run).compute_scores(self.run, predictions)[self.score.name]

    @property
    def _limit(self) -> float:
        return conformal_quantile(sorted_scores(self.run, self.score.name), COVERAGE)


@dataclass(frozen=True)
class FittedDetector:
    """Detects by the max probability and by the activations in front of the first stochastic layer.

    The two were found with the known sets of the OOD study in view; how they are combined was fixed by hand.

    Attributes:
        run: whose examples are in distribution.
        detector: fitted to them.
    """

    run: Run
    detector: OODDetector

    def is_ood(self, contents: np.ndarray, predictions: np.ndarray) -> np.ndarray:
        """Return (n,) bool, by both p-values together."""
        from mcviz.sampling.ood import ood_verdict

        return ood_verdict(self.detector, sampler(self.run), model_inputs(self.run, contents), predictions).is_ood

    def verdict(self, content: Any, predictions: np.ndarray) -> OODVerdict:
        """Compare one input with the run's examples by both p-values."""
        from mcviz.sampling.ood import ood_verdict

        model_input = model_inputs(self.run, as_batch(content))
        verdict = ood_verdict(self.detector, sampler(self.run), model_input, predictions[:, None])
        figures = {
            "Examples as uncertain, by confidence": self._share_of_examples(verdict.p_uncertainty[0]),
            "Examples with activations as unusual for their prediction": self._share_of_examples(
                verdict.p_unexplained[0]
            ),
            "Examples less usual by both together": _share(verdict.percentile[0]),
            "Out of distribution if that is at most": f"{OOD_P_VALUE:.0%}",
        }
        return OODVerdict(bool(verdict.is_ood[0]), float(verdict.percentile[0]), figures)

    def _share_of_examples(self, p_value: float) -> str:
        count = len(self.detector.unexplained)
        return _share((p_value * (count + 1) - 1) / count)


@dataclass(frozen=True)
class Fit:
    """A detector that is being fitted.

    Attributes:
        detector: or the error that there is instead.
        deadline: in seconds of `time.monotonic`, until when pages wait for it.
    """

    detector: Future[OODDetector] = field(default_factory=Future)
    deadline: float = field(default_factory=lambda: time.monotonic() + PATIENCE)

    @property
    def is_valid(self) -> bool:
        """Whether it need not be tried again; most failures are after a while, not those about the run's examples."""
        failure = self.detector.exception() if self.detector.done() else None
        return failure is None or isinstance(failure, ValueError) or time.monotonic() < self.deadline


def is_detector_ready(run: Run) -> bool:
    """Whether the detector of a run is fitted, or cannot be; the first call starts the fit.

    Raises:
        McvizError: the run's model cannot be loaded.
    """
    return not task_renderer(run).fits_detector or _fit(run).detector.done()


def detector_for(run: Run, *, patient: bool = False) -> Detector:
    """Return the fitted detector, or one by a score if it failed or takes long.

    Args:
        run: whose examples are in distribution.
        patient: whether to wait for the fit however long it takes.

    Raises:
        McvizError: the run's model cannot be loaded.
    """
    if not task_renderer(run).fits_detector:
        return ScoreDetector(run, NONE_TO_FIT)
    fit = _fit(run)
    deadline = math.inf if patient else fit.deadline
    if not fit.detector.done() and time.monotonic() < deadline:
        with st.spinner("Fitting the OOD detector to this run's examples …"):
            place = st.empty()
            while not fit.detector.done() and time.monotonic() < deadline:
                wait([fit.detector], POLL)
                give_way_to_clicks()
                place.empty()  # where something else is asked for by now, Streamlit ends this run here
    if not fit.detector.done():
        return ScoreDetector(run, STILL_FITTING)
    failure = fit.detector.exception()
    if failure is not None:
        reason = (refusal if isinstance(failure, EXPLAINED) else unforeseen)(failure, PROBE.title)
        return ScoreDetector(run, f"The OOD detector could not be fitted to this run. {reason}")
    return FittedDetector(run, fit.detector.result())


def render_headline(place: DeltaGenerator, run: Run, content: Any, predictions: np.ndarray) -> OODVerdict:
    """Render the meaning of a verdict in a sentence; return the verdict.

    Args:
        place: of the sentence.
        run: whose examples are in distribution.
        content: of the input.
        predictions: (T, K) of its passes.
    """
    with place:
        with st.container():  # of the spinner: what follows keeps its place, and is never seen twice
            detector = detector_for(run)
        verdict = detector.verdict(content, predictions)
        usual = less_usual_examples(verdict.less_usual)
        if verdict.is_preliminary:
            usual = f"{usual} This is **preliminary**: {STILL_FITTING[0].lower()}{STILL_FITTING[1:]}"
            replace_when_ready(run)
        if verdict.is_ood:
            words = f"**Out of distribution: treat the answer as a guess.** {usual}"
            st.warning(words, icon=":material/warning:")
        else:
            words = f"**This looks like this run's examples, as far as can be told.** {usual}"
            st.success(words, icon=":material/check_circle:")
    return verdict


def replace_when_ready(run: Run) -> None:
    """Draw the page again once the detector is fitted, whose verdict then takes the place of the preliminary one."""

    @st.fragment(run_every=LOOK_AGAIN)
    def look() -> None:
        if is_detector_ready(run):
            st.rerun()

    look()


def render_reasons(verdict: OODVerdict) -> None:
    """Render the figures behind a verdict."""
    st.markdown("**Does it look like this run's examples?**")
    if verdict.by:
        st.caption(verdict.by)
    text_table(("this input, against this run's examples", "figure"), verdict.figures.items(), width="content")


def less_usual_examples(share: float) -> str:
    """Describe how many of a run's examples look less usual than an input, such as "4 of 100 … look less usual."."""
    count = round(100 * share)
    if share <= NEARLY_NONE:
        return "No example of this run looks less usual."
    if share >= 1 - NEARLY_NONE:
        return "All examples of this run look less usual."
    if count == 0:
        return "Fewer than 1 of 100 examples of this run look less usual."
    if count == 100:
        return "More than 99 of 100 examples of this run look less usual."
    only, look = "Only " if share < 1 - COVERAGE else "", "looks" if count == 1 else "look"
    return f"{only}{count} of 100 examples of this run {look} less usual."


def render_score_comparison(run: Run, predictions: np.ndarray) -> None:
    """Render every score of one input, and how many of this run's examples are less uncertain by it.

    Args:
        run: whose examples the input is compared with.
        predictions: (T, K) of the input.
    """
    values = task_renderer(run).compute_scores(run, predictions[:, None])
    rows = []
    for name, score in run_scores(run).items():
        if name in values:
            of_run, value = sorted_scores(run, name), values[name][0]
            below = np.searchsorted(of_run, value) / len(of_run)
            above = 1 - np.searchsorted(of_run, value, side="right") / len(of_run)
            less_uncertain = percent(float(below if score.uncertain_when == "high" else above))
            rows.append((score.label, as_markdown(score.format(float(value))), less_uncertain))
    text_table(("score", "value", "more uncertain than"), rows)


@cached_for_run(numbers_key, max_entries=2, validate=lambda fit: fit.is_valid)
def _fit(run: Run) -> Fit:
    prepared = sampler(run)
    from mcviz.sampling.ood import fit_ood_detector

    fit = Fit()

    def work() -> None:
        try:
            fit.detector.set_result(fit_ood_detector(prepared, run))
        except BaseException as error:  # noqa: BLE001 (it is shown to whoever asks for the detector)
            fit.detector.set_exception(error)

    thread = threading.Thread(target=work)  # no daemon: a process that ends amid a product of OpenBLAS can hang
    join_visit(thread)  # whether it may keep what it finds depends on who asked
    thread.start()
    return fit


def _share(fraction: float) -> str:
    return percent(float(fraction)) if fraction > NEARLY_NONE else "none"


def load_scores(run: Run) -> OODScores | None:
    """Load the scores that were computed earlier, on this server or by the command line."""
    return _unsaved().get(run.digest) or load_ood_scores(run)


def describe_detectors(run: Run) -> str:
    """Describe how many other inputs the verdict stops, if known."""
    scores = load_scores(run)
    if scores is None or not scores.sets:
        return "Does the model notice inputs that it was not made for?"
    return as_markdown(scores.sentences[0])


def render_detectors(run: Run, state: PageState) -> None:
    """Render known detectors, or an offer to compute them, and own sets."""
    scores, can_ask = load_scores(run), has(run, "model")  # what to do without a model stands above, for all of Probe
    if scores is not None and scores.sets:
        _render_findings(run, scores, state)
    if can_ask and scores is None:
        _render_first_comparison(run)
    elif can_ask and scores is not None:
        _render_given_sets(run, scores)


def _render_first_comparison(run: Run) -> None:
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
    st.subheader("Your own sets", anchor=False)
    if not check_needs(run, NEEDED):
        return
    offered = _offered_sets(run)
    for name, path in offered.items():
        compute_on_request(WORK, (run.digest, name), partial(_compute, run, path), PROBE.title)
    if offered:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox("Compare also with", list(offered), format_func=one_line, width=320, key="ood-given")
            st.button(
                "Compare", icon=":material/add:", key="ood-add",
                on_click=lambda: request(WORK, (run.digest, widget_value("ood-given"))),
            )  # fmt: skip
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
    runs = {}
    for name, path in run_paths().items():
        with suppress(McvizError, OSError):  # its own line in the list of runs says so
            other = _read_manifest(str(path), (path / NAME).stat().st_mtime_ns)
            of_such_examples = other.examples.kind == run.manifest.examples.kind
            if other.state == "finished" and other.digest != run.digest and of_such_examples:
                runs[f"Run {name}"] = path
    return runs | offered_data()


@st.cache_resource(show_spinner=False, max_entries=1000)
def _read_manifest(path: str, changed: int) -> Manifest:  # noqa: ARG001 (what was written anew is read anew)
    return read_manifest(folder_at(path))


def _compute(run: Run, path: Path | None) -> None:
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
    return {}


def _render_stopped(run: Run, scores: OODScores) -> None:
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
        "below. `docs/how-to/out-of-distribution.md` explains the detectors; `docs/appendix/higher-moments.md` "
        "compares many on MNIST."
    )


def _render_details(run: Run, scores: OODScores, state: PageState) -> None:
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
            spoken = f"{ood_set.label}, number {example}, predicted{at_half(run)} as {classes[prediction]}"
            renderer.render_small(run, content, spoken)
            probability = percent(float(ood_set.confidence[example]))
            st.caption(f"predicted{at_half(run)}: {as_markdown(classes[prediction])}, {probability}")


def _number_repeats(labels: list[str]) -> list[str]:
    return [
        f"{label} ({labels[:place].count(label) + 1})" if label in labels[:place] else label
        for place, label in enumerate(labels)
    ]


def _ends(ood_set: OODSet, name: str) -> tuple[float, float, float]:
    interval = ood_set.interval(name)
    return interval.value, interval.low, interval.high


def _range(own: np.ndarray, of_set: np.ndarray) -> tuple[float, float]:
    """Return ends with half a percent beyond both."""
    low = min(float(np.quantile(values, 0.005)) for values in (own, of_set))
    high = max(float(np.quantile(values, 0.995)) for values in (own, of_set))
    return low, high if high > low else low + 1
