"""A sweep over many inputs of one kind: what is predicted, and how their scores compare with the run's examples."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart, picture
from mcviz.app.components.score_chooser import score_chooser
from mcviz.app.components.widgets import bound
from mcviz.app.failures import refusal
from mcviz.app.navigation import PROBE, state_of
from mcviz.app.probe.verdict import Detector, EntropyDetector, detector_for
from mcviz.app.resources import class_names, for_the_model, masks, sampler, sorted_scores
from mcviz.app.state import PageState
from mcviz.app.wording import as_markdown
from mcviz.errors import McvizError
from mcviz.figures import class_counts
from mcviz.figures.sweeps import score_comparison
from mcviz.measures import SCORES, percent, scores
from mcviz.runs import Run

DEFAULT_INPUTS, MOST_INPUTS = 100, 2000
BLOCK = 20  # inputs that are predicted at a time; one that is stopped amid a block loses it


@dataclass(frozen=True)
class SweepInputs:
    """What can be swept over.

    Attributes:
        kind: what the inputs are called, such as "noise images".
        name: what exactly they are, such as "uniform noise at 80% strength".
        available: how many there are.
        load: (start, stop) to (stop - start, height, width, channels) float32 in 0..1.
        digest: of the run whose model predicts.
        labels: (available,) int, or None where no prediction is correct.
    """

    kind: str
    name: str
    available: int
    load: Callable[[int, int], np.ndarray]
    digest: str
    labels: np.ndarray | None = None

    def same_as(self, other: "SweepInputs") -> bool:
        """Whether the inputs of both are the same."""
        return (self.digest, self.kind, self.name) == (other.digest, other.kind, other.name)


@dataclass
class Sweep:
    """What a sweep has found so far.

    Attributes:
        inputs: that it goes over.
        total: how many of them it is to have.
        detector: tells which of them are out of distribution.
        running: whether it goes on.
        scores: name to (done,) arrays, as `mcviz.measures.scores` gives them.
        is_ood: (done,) bool, by the detector.
        correct: (done,) bool: whether the prediction is the label; never, where there are no labels.
        worst: the number, counted from 0, of the most confident wrong prediction; -1 while there is none.
        worst_image: (height, width, channels) float32, its input.
    """

    inputs: SweepInputs
    total: int
    detector: Detector | None = None
    running: bool = True
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    is_ood: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    correct: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    worst: int = -1
    worst_image: np.ndarray | None = None

    @property
    def done(self) -> int:
        """How many inputs are predicted."""
        return len(self.is_ood)

    def add(self, run: Run, images: np.ndarray, labels: np.ndarray | None, probs: np.ndarray) -> None:
        """Add the predictions of more inputs: all of them, or none where the detector is interrupted.

        Args:
            run: whose examples are in distribution.
            images: (n, height, width, channels) float32 in 0..1.
            labels: (n,) int, or None where no prediction is correct.
            probs: (T, n, C) probabilities.
        """
        self.detector = self.detector or detector_for(run)
        is_ood, found = self.detector.is_ood(images, probs), scores(probs)
        correct = np.zeros(len(images), bool) if labels is None else found["prediction"] == labels
        confidence_if_wrong = np.where(correct, 0, found["max_probability"])
        worst = int(confidence_if_wrong.argmax())
        before = float(self.scores["max_probability"][self.worst]) if self.worst >= 0 else 0.0
        if confidence_if_wrong[worst] > before:
            self.worst, self.worst_image = self.done + worst, images[worst]
        self.scores = {
            name: np.concatenate([self.scores.get(name, values[:0]), values]) for name, values in found.items()
        }
        self.correct = np.concatenate([self.correct, correct])
        self.is_ood = np.concatenate([self.is_ood, is_ood])


def show_sweep(run: Run, state: PageState, choose: Callable[[Run, PageState], SweepInputs]) -> None:
    """The sweep's controls, its progress and what it found.

    Args:
        run: whose model predicts.
        state: of the page.
        choose: says what would be swept over now.
    """
    now = choose(run, state)
    st.subheader(f"Many {now.kind} at once", anchor=False)
    st.caption(
        "A sweep predicts many inputs with the settings above. It shows which classes are predicted, how confidently, "
        "and how many inputs are detected as out of distribution."
    )
    most = min(MOST_INPUTS, now.available)
    count = state.sweep if state.sweep is not None and state.sweep <= most else min(DEFAULT_INPUTS, most)
    sweep: Sweep | None = st.session_state.get("sweep")
    if sweep and (sweep.inputs.digest, sweep.inputs.kind) != (now.digest, now.kind):
        sweep = None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = bound("sweep", count)
        st.number_input("How many", 1, most, step=10, width=150, **number)
        buttons = st.empty()
    if sweep and sweep.running:
        buttons.button("Stop the sweep", icon=":material/stop_circle:", on_click=stop)
        carry_on(run, sweep)
    with buttons.container(horizontal=True):
        if sweep and sweep.done < sweep.total and sweep.inputs.same_as(now):
            st.button("Go on", icon=":material/resume:", on_click=go_on)
        st.button("Run the sweep", icon=":material/grain:", on_click=start, args=(run, choose, number["key"]))
    if sweep and sweep.done:
        show_findings(run, state, sweep)


def start(run: Run, choose: Callable[[Run, PageState], SweepInputs], count_key: str) -> None:
    """Begin a sweep over what is chosen by now, a number that was typed just before the click included."""
    st.session_state["sweep"] = Sweep(choose(run, state_of(run)), st.session_state[count_key])


def stop() -> None:
    """End the sweep; what it has found stays."""
    st.session_state["sweep"].running = False


def go_on() -> None:
    """Predict the inputs that are left as well, whatever is chosen by now."""
    st.session_state["sweep"].running = True


def carry_on(run: Run, sweep: Sweep) -> None:
    """Predict all inputs that are left; each block is kept, whatever interrupts, and an error ends the sweep."""
    bar, inputs, total = st.empty(), sweep.inputs, run.passes * sweep.total

    def progress(predictions: int, _: int) -> None:
        share = (run.passes * sweep.done + predictions) / total
        bar.progress(share, f"{sweep.done:,} of {sweep.total:,} {inputs.kind}, {run.passes:,} passes each")

    try:
        prepared = sampler(run)
        while sweep.done < sweep.total:
            progress(0, total)
            start, stop = sweep.done, min(sweep.done + BLOCK, sweep.total)
            images = inputs.load(start, stop)
            labels = None if inputs.labels is None else inputs.labels[start:stop]
            probs = prepared.sample(
                for_the_model(run, images), passes=run.passes, masks=masks(run), first_example=start, progress=progress
            )
            sweep.add(run, images, labels, probs)
        sweep.running = False
    except McvizError as error:
        sweep.running = False
        st.error(refusal(error, PROBE.title), icon=":material/error:")
    finally:
        bar.empty()


def show_findings(run: Run, state: PageState, sweep: Sweep) -> None:
    """Which classes are predicted, the most confident wrong prediction, and the scores beside the run's."""
    predictions, kind, names = sweep.scores["prediction"], sweep.inputs.kind, class_names(run)
    found = summary(run, sweep)
    st.markdown(f"**{sweep.inputs.name[:1].upper()}{sweep.inputs.name[1:]}**: {as_markdown(found)}")
    left, middle, right = st.columns([2, 3, 3], gap="large")
    with left:
        st.markdown("**Most confident wrong prediction**")
        if sweep.worst_image is None:
            st.caption("There is none: every prediction is correct.")
        else:
            picture(sweep.worst_image, f"The one of the {kind} with the most confident wrong prediction")
            confidence = percent(float(sweep.scores["max_probability"][sweep.worst]))
            st.caption(f"The ensemble predicts **{as_markdown(names[predictions[sweep.worst]])}** with {confidence}.")
    with middle:
        st.markdown("**Predictions of the ensemble**")
        chart(class_counts(predictions, names), "sweep-classes", found)
    with right:
        score_chooser("Compared with this run's examples, by", state)
        of_run, label = sorted_scores(run, state.score), SCORES[state.score].label
        figure = score_comparison(of_run, sweep.scores[state.score], label, kind)
        chart(figure, "sweep-scores", f"Histograms of {label} of this run's examples and of the {kind}. {found}")


def summary(run: Run, sweep: Sweep) -> str:
    """What a sweep found, in short sentences."""
    predictions, confidences = sweep.scores["prediction"], sweep.scores["max_probability"]
    counts = np.bincount(predictions, minlength=len(run.class_names))
    favourite = int(counts.argmax())
    kind = sweep.inputs.kind.removesuffix("s") if sweep.done == 1 else sweep.inputs.kind
    are, on_average = ("is", "") if counts[favourite] == 1 else ("are", " on average")
    found = [
        f"{counts[favourite]:,} of {sweep.done:,} {kind} {are} predicted as {class_names(run)[favourite]}, with "
        f"{percent(float(confidences[predictions == favourite].mean()))}{on_average}."
    ]
    if sweep.inputs.labels is not None:
        found.append(f"Correct: {sweep.correct.sum():,} of {sweep.done:,}.")
    by = ", by expected entropy alone" if isinstance(sweep.detector, EntropyDetector) else ""
    found.append(f"Out of distribution{by}: {sweep.is_ood.sum():,} of {sweep.done:,}.")
    if sweep.done < sweep.total:
        found.append(f"Stopped after {sweep.done:,} of {sweep.total:,}.")
    return " ".join(found)
