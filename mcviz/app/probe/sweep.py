"""Many inputs at once: what is predicted for them, and how many are stopped as out of distribution."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.navigation import PROBE, Page, load_state, score_chooser
from mcviz.app.on_request import compute_on_request, request
from mcviz.app.probe.inputs import MOST_INPUTS, SweepInputs
from mcviz.app.probe.verdict import Detector, ScoreDetector, detector_for
from mcviz.app.resources import masks, model_inputs, run_scores, sampler, seed, sorted_scores
from mcviz.app.state import PageState, session_store, state_widget_args, widget_value
from mcviz.app.tasks import task_renderer
from mcviz.app.wording import as_markdown
from mcviz.figures.sweeps import score_comparison
from mcviz.measures import percent
from mcviz.measures.intervals import proportion
from mcviz.runs import Derived, Run, load_derived, save_derived

DEFAULT_INPUTS = 100  # as many findings are kept beside a run
SWEEP = "sweep"  # of the session
WORK = "sweeping"  # of which the subject is the run's digest
BLOCK = 20  # inputs that are predicted at a time; one that is stopped amid a block loses it


@dataclass
class Sweep:
    """A sweep and its findings so far.

    Attributes:
        inputs: that are predicted.
        total: how many of them are to be predicted.
        detector: finds out which of them are out of distribution; None before, and of findings that were kept.
        by: the score that it detects by, where that is not the fitted one; or "".
        scores: name to (done,) arrays, as `TaskRenderer.compute_scores` gives them.
        is_ood: (done,) bool, by the detector.
        correct: (done,) bool: whether the prediction is the label; never, where that is not known.
        worst: the number, counted from 0, of the most prominent input; -1 while there is none.
        worst_content: its input.
        prominence: of the worst, as `TaskRenderer.prominence` gives it.
    """

    inputs: SweepInputs
    total: int
    detector: Detector | None = None
    by: str = ""
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    is_ood: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    correct: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    worst: int = -1
    worst_content: Any = None
    prominence: float = 0.0

    @property
    def done(self) -> int:
        """How many inputs are predicted."""
        return len(self.is_ood)

    def add(self, run: Run, contents: np.ndarray, labels: np.ndarray | None, predictions: np.ndarray) -> None:
        """Add the predictions of more inputs: all of them, or none where the detector is interrupted.

        Args:
            run: whose examples are in distribution.
            contents: n inputs.
            labels: (n,) int, or None where no prediction is correct.
            predictions: (T, n, K) of their passes.
        """
        self.detector = self.detector or detector_for(run, patient=True)
        self.by = self.detector.score.inline_label if isinstance(self.detector, ScoreDetector) else ""
        renderer = task_renderer(run)
        is_ood, scores = self.detector.is_ood(contents, predictions), renderer.compute_scores(run, predictions)
        correct = np.zeros(len(contents), bool) if labels is None else scores["prediction"] == labels
        prominence = renderer.prominence(scores, correct)
        worst = int(prominence.argmax())
        if prominence[worst] > self.prominence:
            self.prominence = float(prominence[worst])
            self.worst, self.worst_content = self.done + worst, contents[worst]
        self.scores = {
            name: np.concatenate([self.scores.get(name, values[:0]), values]) for name, values in scores.items()
        }
        self.correct = np.concatenate([self.correct, correct])
        self.is_ood = np.concatenate([self.is_ood, is_ood])


def find_sweep(run: Run, inputs: SweepInputs) -> Sweep | None:
    """Return the sweep over these inputs of this visit, or its findings that are kept beside the run."""
    sweep: Sweep | None = session_store().get(SWEEP)
    if sweep and sweep.inputs.same_as(inputs):
        return sweep
    arrays = load_derived(run.path, run.digest, _derived(inputs)) if inputs.stored_as else None
    if arrays is None:
        return None
    about, is_ood = json.loads(arrays["about"].tobytes()), arrays["is_ood"]
    values = zip(about["scores"], arrays["values"], strict=True)
    scores = {name: value.astype(int) if name == "prediction" else value for name, value in values}
    return Sweep(inputs, len(is_ood), None, about["by"], scores, is_ood, np.zeros(len(is_ood), bool))


def start_sweep(inputs: SweepInputs, total: int = DEFAULT_INPUTS) -> None:
    """Begin a sweep, in a callback."""
    session_store()[SWEEP] = Sweep(inputs, min(total, inputs.available))
    request(WORK, inputs.digest)


def continue_on_request(run: Run, page: Page, place: Any = None) -> bool:
    """Go on with the sweep of this visit where that was requested, as `compute_on_request` does."""
    sweep: Sweep | None = session_store().get(SWEEP)
    if sweep is None or sweep.inputs.digest != run.digest:
        return False
    return compute_on_request(WORK, run.digest, partial(compute, run, sweep), page.title, place=place)


def render_sweep(run: Run, state: PageState, choose: Callable[[Run, PageState], SweepInputs]) -> None:
    """Render the findings of a sweep over distorted examples, and its controls.

    Args:
        run: whose model predicts.
        state: of the page.
        choose: returns the inputs that a new sweep would go over now.
    """
    now = choose(run, state)
    st.header(f"Many {now.kind} at once", anchor=False)
    sweep: Sweep | None = session_store().get(SWEEP)
    if sweep and (sweep.inputs.digest, sweep.inputs.kind) != (now.digest, now.kind):
        sweep = None
    render_controls(run, state, choose)
    if sweep and sweep.done:
        name = f"{sweep.inputs.name[:1].upper()}{sweep.inputs.name[1:]}"
        st.markdown(f"**{name}**: {as_markdown(summarize(run, sweep))}")
        left, right = st.columns([5, 3], gap="large")
        with left:
            task_renderer(run).render_sweep(run, state, sweep)
        with right:
            render_comparison(run, state, sweep)


def render_controls(run: Run, state: PageState, choose: Callable[[Run, PageState], SweepInputs]) -> None:
    """Render how many inputs are predicted, and the buttons that begin, stop and continue a sweep."""
    now, sweep = choose(run, state), session_store().get(SWEEP)
    most = min(MOST_INPUTS, now.available)
    count = state.sweep if state.sweep is not None and state.sweep <= most else min(DEFAULT_INPUTS, most)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = state_widget_args("sweep", count)
        st.number_input("How many", 1, most, step=10, width=150, **number)
        buttons = st.empty()
    continue_on_request(run, PROBE, buttons)
    with buttons.container(horizontal=True):
        if sweep and sweep.done < sweep.total and sweep.inputs.same_as(now):
            st.button("Go on", icon=":material/resume:", on_click=request, args=(WORK, run.digest))
        st.button(
            f"Predict {now.kind}",
            icon=":material/grain:",
            type="secondary" if find_sweep(run, now) else "primary",
            on_click=_start,
            args=(run, choose, number["key"]),
        )


def render_comparison(run: Run, state: PageState, sweep: Sweep) -> None:
    """Render a score of the inputs of a sweep beside that of the run's examples."""
    score_chooser("Compared with this run's examples, by", run, state)
    score, kind = run_scores(run)[state.score], sweep.inputs.kind
    if score.name not in sweep.scores:
        why = "was added to the run" if score.name in run.added_scores else "compares with a label"
        st.caption(f"{score.label} {why}, and these inputs have none. Choose another score.")
        return
    figure = score_comparison(sorted_scores(run, score.name), sweep.scores[score.name], score.label, kind)
    chart(figure, "sweep-scores", f"Histograms of {score.label} of this run's examples and of the {kind}.")


def summarize(run: Run, sweep: Sweep) -> str:
    """Describe the findings of a sweep in short sentences."""
    stopped, kind = int(sweep.is_ood.sum()), sweep.inputs.kind.removesuffix("s" if sweep.done == 1 else "")
    share, by = proportion(stopped, sweep.done), f", by {sweep.by} alone" if sweep.by else ""
    are = "is" if 1 in (stopped, sweep.done) else "are"
    sentences = [
        f"{stopped:,} of {sweep.done:,} {kind} {are} stopped as out of distribution{by} "
        f"(95% interval {percent(share.low, 0)} to {percent(share.high, 0)}).",
        *task_renderer(run).describe_sweep(run, sweep),
    ]
    if sweep.done < sweep.total:
        sentences.append(f"Ended after {sweep.done:,} of {sweep.total:,}.")
    return " ".join(sentences)


def _start(run: Run, choose: Callable[[Run, PageState], SweepInputs], count_key: str) -> None:
    """Begin a sweep by the state of now, which also has a number that was typed just before the click."""
    start_sweep(choose(run, load_state(run)), widget_value(count_key))


def compute(run: Run, sweep: Sweep) -> None:
    """Predict all inputs that are left; a block that is done stays, and findings of a usual sweep are kept."""
    bar, inputs, total = st.empty(), sweep.inputs, run.passes * sweep.total

    def progress(predictions: int, _: int) -> None:
        share = (run.passes * sweep.done + predictions) / total
        bar.progress(share, f"{sweep.done:,} of {sweep.total:,} {inputs.kind}, {run.passes:,} passes each")

    try:
        prepared = sampler(run)
        while sweep.done < sweep.total:
            progress(0, total)
            start, stop = sweep.done, min(sweep.done + BLOCK, sweep.total)
            contents = inputs.load(start, stop)
            labels = None if inputs.labels is None else inputs.labels[start:stop]
            predictions = prepared.sample(
                model_inputs(run, contents),
                passes=run.passes,
                seed=seed(run),
                masks=masks(run),
                first_example=start,
                progress=progress,
            )
            sweep.add(run, contents, labels, predictions)
        if sweep.inputs.stored_as and sweep.total == DEFAULT_INPUTS:
            _keep(run, sweep)
    finally:
        bar.empty()


def _derived(inputs: SweepInputs) -> Derived:
    return Derived(inputs.stored_as, 1, {"about": "uint8", "values": "float64", "is_ood": "bool"})


def _keep(run: Run, sweep: Sweep) -> None:
    """Keep the findings of a sweep of the usual size beside the run."""
    about = json.dumps({"by": sweep.by, "scores": list(sweep.scores)}).encode()
    arrays = {
        "about": np.frombuffer(about, np.uint8),
        "values": np.stack(list(sweep.scores.values())),
        "is_ood": sweep.is_ood,
    }
    save_derived(run.path, run.digest, _derived(sweep.inputs), arrays)
