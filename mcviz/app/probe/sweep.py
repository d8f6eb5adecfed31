"""A sweep over many inputs of one kind: what is predicted, and their scores over those of the run's examples."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart, picture
from mcviz.app.components.score_chooser import score_chooser
from mcviz.app.components.widgets import bound
from mcviz.app.navigation import state_of
from mcviz.app.probe.verdict import ByDoubt, Judge, the_judge
from mcviz.app.resources import for_the_model, masks, sampler, sorted_scores
from mcviz.app.state import PageState
from mcviz.errors import McvizError
from mcviz.figures import class_counts
from mcviz.figures.sweeps import score_comparison
from mcviz.measures import SCORES, percent, scores
from mcviz.runs import Run

DEFAULT, MOST = 100, 2000
BLOCK = 20  # images between two looks at whether to stop


@dataclass(frozen=True)
class SweepInputs:
    """What can be swept over.

    Attributes:
        kind: what the inputs are called, such as "noise images".
        name: what exactly they are, such as "uniform noise at 80% strength".
        most: how many there are.
        some: (start, stop) to (stop - start, height, width, channels) float32 in 0..1.
        digest: of the run whose model is asked.
        labels: (most,) int, or None where no answer is right.
    """

    kind: str
    name: str
    most: int
    some: Callable[[int, int], np.ndarray]
    digest: str
    labels: np.ndarray | None = None

    def same_as(self, other: "SweepInputs") -> bool:
        """Whether the inputs of both are the same."""
        return (self.digest, self.kind, self.name) == (other.digest, other.kind, other.name)


@dataclass
class Sweep:
    """What a sweep has found so far.

    Attributes:
        over: the inputs.
        total: how many of them it is to have.
        judge: who gives the verdict on all of them.
        running: whether it goes on.
        scores: name to (done,) arrays, as `mcviz.measures.scores` gives them.
        unlike: (done,) bool, by the verdict.
        right: (done,) bool: whether the answer is what the label says; never, where there are no labels.
        deceiving: the number, counted from 0, of the most confident wrong answer; -1 while there is none.
        picture: (height, width, channels) float32: that image.
    """

    over: SweepInputs
    total: int
    judge: Judge | None = None
    running: bool = True
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    unlike: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    right: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    deceiving: int = -1
    picture: np.ndarray | None = None

    @property
    def done(self) -> int:
        """How many images were asked about."""
        return len(self.unlike)

    def add(self, run: Run, images: np.ndarray, labels: np.ndarray | None, probs: np.ndarray) -> None:
        """Take in the answers to some more images: all of them, or none where the verdict is interrupted.

        Args:
            run: whose own images are the test images.
            images: (n, height, width, channels) float32 in 0..1.
            labels: (n,) int, or None where no answer is right.
            probs: (T, n, C) probabilities.
        """
        self.judge = self.judge or the_judge(run)
        unlike, found = self.judge.unlike(images, probs), scores(probs)
        right = np.zeros(len(images), bool) if labels is None else found["prediction"] == labels
        wrongly_sure = np.where(right, 0, found["max_probability"])
        surest, before = int(wrongly_sure.argmax()), 0.0
        if self.deceiving >= 0:
            before = float(self.scores["max_probability"][self.deceiving])
        if wrongly_sure[surest] > before:
            self.deceiving, self.picture = self.done + surest, images[surest]
        self.scores = {
            name: np.concatenate([self.scores.get(name, values[:0]), values]) for name, values in found.items()
        }
        self.right = np.concatenate([self.right, right])
        self.unlike = np.concatenate([self.unlike, unlike])


def show_sweep(run: Run, state: PageState, choose: Callable[[Run, PageState], SweepInputs]) -> None:
    """The sweep's controls, its progress and what it found.

    Args:
        run: whose model predicts.
        state: of the page.
        choose: says what would be swept over now.
    """
    now = choose(run, state)
    st.subheader(f"A sweep over many {now.kind}", anchor=False)
    st.caption(
        "Over what is chosen above when it starts. Which classes are predicted, how confidently, and does "
        "the uncertainty show?"
    )
    most = min(MOST, now.most)
    count = state.sweep if state.sweep is not None and state.sweep <= most else min(DEFAULT, most)
    sweep: Sweep | None = st.session_state.get("sweep")
    if sweep and (sweep.over.digest, sweep.over.kind) != (now.digest, now.kind):
        sweep = None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = bound("sweep", count)
        st.number_input("How many", 1, most, step=10, width=150, **number)
        place = st.empty()
    if sweep and sweep.running:
        place.button("Stop", icon=":material/stop_circle:", on_click=stop)
        carry_on(run, sweep)
    with place.container(horizontal=True):
        if sweep and sweep.done < sweep.total and sweep.over.same_as(now):
            st.button("Go on", icon=":material/resume:", on_click=go_on)
        st.button("Run the sweep", icon=":material/grain:", on_click=start, args=(run, choose, number["key"]))
    if sweep and sweep.done:
        show_findings(run, state, sweep)


def start(run: Run, choose: Callable[[Run, PageState], SweepInputs], count_key: str) -> None:
    """Begin a sweep over what is chosen by now, a number that was typed just before the click included."""
    st.session_state["sweep"] = Sweep(choose(run, state_of(run)), st.session_state[count_key])


def stop() -> None:
    """Leave it at what is there."""
    st.session_state["sweep"].running = False


def go_on() -> None:
    """Ask about those that are left as well, whatever is chosen by now."""
    st.session_state["sweep"].running = True


def carry_on(run: Run, sweep: Sweep) -> None:
    """Ask about all images that are left; each block is kept, whatever interrupts, and an error ends it."""
    place, labels = st.empty(), sweep.over.labels
    try:
        prepared = sampler(run)
        while sweep.done < sweep.total:
            words = f"{sweep.done:,} of {sweep.total:,} images, {run.passes} passes each"
            place.progress(sweep.done / sweep.total, words)
            start, stop = sweep.done, min(sweep.done + BLOCK, sweep.total)
            images = sweep.over.some(start, stop)
            taken = for_the_model(run, images)
            probs = prepared.sample(taken, passes=run.passes, masks=masks(run), first_example=start)
            sweep.add(run, images, None if labels is None else labels[start:stop], probs)
        sweep.running = False
    except McvizError as error:
        sweep.running = False
        st.error(str(error), icon=":material/error:")
    finally:
        place.empty()


def show_findings(run: Run, state: PageState, sweep: Sweep) -> None:
    """Which classes are predicted, the most deceiving input, and the scores over those of the run's examples."""
    predicted, found, kind = sweep.scores["prediction"], summary(run, sweep), sweep.over.kind
    st.markdown(f"{sweep.over.name[:1].upper()}{sweep.over.name[1:]}: {found}")
    left, middle, right = st.columns([2, 3, 3], gap="large")
    with left:
        if sweep.picture is None:
            st.caption("None of them deceives: every prediction is correct.")
        else:
            st.caption("The most deceiving one.")
            picture(sweep.picture, f"The one of the {kind} with the most confident wrong prediction")
            sure = percent(float(sweep.scores["max_probability"][sweep.deceiving]))
            st.caption(f"The ensemble predicts **{run.class_names[predicted[sweep.deceiving]]}** with {sure}.")
    with middle:
        st.caption("The classes that are predicted.")
        chart(class_counts(predicted, run.class_names), "sweep-classes", found)
    with right:
        score_chooser("Against this run's examples, by", state)
        own, label = sorted_scores(run, state.score), SCORES[state.score].label
        figure = score_comparison(own, sweep.scores[state.score], label, kind)
        chart(figure, "sweep-scores", f"Histograms of {label} of this run's examples and of the {kind}. {found}")


def summary(run: Run, sweep: Sweep) -> str:
    """What a sweep found, in words."""
    predicted, sure = sweep.scores["prediction"], sweep.scores["max_probability"]
    counts = np.bincount(predicted, minlength=len(run.class_names))
    favourite, right = int(counts.argmax()), int(sweep.right.sum())
    taken, on_average = ("is taken", "") if counts[favourite] == 1 else ("are taken", " on average")
    kind = sweep.over.kind.removesuffix("s") if sweep.done == 1 else sweep.over.kind
    found = [
        f"{counts[favourite]:,} of {sweep.done:,} {kind} {taken} for {run.class_names[favourite]}, with "
        f"{percent(float(sure[predicted == favourite].mean()))}{on_average}."
    ]
    if sweep.over.labels is not None:
        still = "is still taken for what its" if right == 1 else "are still taken for what their"
        found.append(f"{right:,} {still} label says.")
    by = ", by the doubt alone," if isinstance(sweep.judge, ByDoubt) else ""
    found.append(f"The verdict{by} calls {sweep.unlike.sum():,} of {sweep.done:,} unlike this run's examples.")
    if sweep.done < sweep.total:
        found.append(f"Stopped after {sweep.done:,} of {sweep.total:,}.")
    return " ".join(found)
