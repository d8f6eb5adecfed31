"""Many inputs at once: what is predicted for them, and how many are detected as out of distribution."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.navigation import PROBE, load_state, score_chooser
from mcviz.app.on_request import compute_on_request, request
from mcviz.app.probe.inputs import MOST_INPUTS, SweepInputs
from mcviz.app.probe.verdict import Detector, ScoreDetector, detector_for
from mcviz.app.resources import masks, model_inputs, run_scores, sampler, seed, sorted_scores
from mcviz.app.state import PageState, session_store, state_widget_args, widget_value
from mcviz.app.tasks import task_renderer
from mcviz.app.wording import as_markdown
from mcviz.figures.sweeps import score_comparison
from mcviz.runs import Run

DEFAULT_INPUTS = 100
WORK = "sweeping"  # of which the subject is the run's digest
BLOCK = 20  # inputs that are predicted at a time; one that is stopped amid a block loses it


@dataclass
class Sweep:
    """A sweep and its findings so far.

    Attributes:
        inputs: that are predicted.
        total: how many of them are to be predicted.
        detector: finds out which of them are out of distribution.
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
        self.detector = self.detector or detector_for(run)
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


def render_sweep(run: Run, state: PageState, choose: Callable[[Run, PageState], SweepInputs]) -> None:
    """Render the sweep's controls, its progress and its findings.

    Args:
        run: whose model predicts.
        state: of the page.
        choose: returns the inputs that a new sweep would go over now.
    """
    now = choose(run, state)
    st.header(f"Many {now.kind} at once", anchor=False)
    st.caption(
        f"A sweep predicts many inputs with the settings above. It shows {task_renderer(run).sweep_subject}, and "
        "how many inputs are detected as out of distribution."
    )
    most = min(MOST_INPUTS, now.available)
    count = state.sweep if state.sweep is not None and state.sweep <= most else min(DEFAULT_INPUTS, most)
    sweep: Sweep | None = session_store().get("sweep")
    if sweep and (sweep.inputs.digest, sweep.inputs.kind) != (now.digest, now.kind):
        sweep = None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = state_widget_args("sweep", count)
        st.number_input("How many", 1, most, step=10, width=150, **number)
        buttons = st.empty()
    if sweep:
        go_on = partial(_continue, run, sweep)
        compute_on_request(WORK, run.digest, go_on, PROBE.title, stop="Stop the sweep", place=buttons)
    with buttons.container(horizontal=True):
        if sweep and sweep.done < sweep.total and sweep.inputs.same_as(now):
            st.button("Go on", icon=":material/resume:", on_click=request, args=(WORK, run.digest))
        st.button("Run the sweep", icon=":material/grain:", on_click=_start, args=(run, choose, number["key"]))
    if sweep and sweep.done:
        _render_findings(run, state, sweep)


def _start(run: Run, choose: Callable[[Run, PageState], SweepInputs], count_key: str) -> None:
    """Begin a sweep by the state of now, which also has a number that was typed just before the click."""
    session_store()["sweep"] = Sweep(choose(run, load_state(run)), widget_value(count_key))
    request(WORK, run.digest)


def _continue(run: Run, sweep: Sweep) -> None:
    """Predict all inputs that are left; a block that is done is kept."""
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
    finally:
        bar.empty()


def _render_findings(run: Run, state: PageState, sweep: Sweep) -> None:
    summary, kind = summarize(run, sweep), sweep.inputs.kind
    st.markdown(f"**{sweep.inputs.name[:1].upper()}{sweep.inputs.name[1:]}**: {as_markdown(summary)}")
    left, right = st.columns([5, 3], gap="large")
    with left:
        task_renderer(run).render_sweep(run, state, sweep)
    with right:
        score_chooser("Compared with this run's examples, by", run, state)
        score = run_scores(run)[state.score]
        if score.name not in sweep.scores:
            why = "was added to the run" if score.name in run.added_scores else "compares with a label"
            st.caption(f"{score.label} {why}, and these inputs have none. Choose another score.")
            return
        figure = score_comparison(sorted_scores(run, score.name), sweep.scores[score.name], score.label, kind)
        chart(
            figure, "sweep-scores", f"Histograms of {score.label} of this run's examples and of the {kind}. {summary}"
        )


def summarize(run: Run, sweep: Sweep) -> str:
    """Describe the findings of a sweep in short sentences."""
    sentences = task_renderer(run).describe_sweep(run, sweep)
    by = f", by {sweep.detector.score.inline_label} alone" if isinstance(sweep.detector, ScoreDetector) else ""
    sentences.append(f"Out of distribution{by}: {sweep.is_ood.sum():,} of {sweep.done:,}.")
    if sweep.done < sweep.total:
        sentences.append(f"Stopped after {sweep.done:,} of {sweep.total:,}.")
    return " ".join(sentences)
