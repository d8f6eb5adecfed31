"""A sweep over many inputs of one kind: what they are taken for, and how their doubt lies over the test images'."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from mcviz.app import address
from mcviz.app.opened import sampler
from mcviz.app.parts import chart, picture, score_chooser
from mcviz.app.probe.asking import PASSES, in_the_model_s_range
from mcviz.app.probe.verdict import judge, of_the_test_images
from mcviz.app.wording import percent
from mcviz.figures import class_counts
from mcviz.figures.sweeps import score_comparison
from mcviz.measures import SCORES, scores
from mcviz.runs import Run

DEFAULT, MOST = 100, 2000
BLOCK = 20  # images between two looks at whether to stop


@dataclass
class Sweep:
    """What a sweep has found so far.

    Attributes:
        of: what was swept over, so that other inputs begin anew.
        total: how many images it is to have.
        running: whether it goes on.
        scores: name to (done,) arrays, as `mcviz.measures.scores` gives them.
        unlike: (done,) bool, by the verdict.
        deceiving: (height, width, channels) float32: the image with the most confident answer.
    """

    of: tuple[object, ...]
    total: int
    running: bool = True
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    unlike: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    deceiving: np.ndarray | None = None

    @property
    def done(self) -> int:
        """How many images were asked about."""
        return len(self.unlike)

    def add(self, run: Run, images: np.ndarray, probs: np.ndarray) -> None:
        """Take in the answers to some more images.

        Args:
            run: whose own images are the test images.
            images: (n, height, width, channels) float32 in 0..1.
            probs: (T, n, C) probabilities.
        """
        found, before = scores(probs), self.scores.get("max_probability", np.zeros(0))
        surest = int(found["max_probability"].argmax())
        if found["max_probability"][surest] > before.max(initial=0):
            self.deceiving = images[surest]
        self.scores = {
            name: np.concatenate([self.scores.get(name, values[:0]), values]) for name, values in found.items()
        }
        self.unlike = np.concatenate([self.unlike, judge(run, probs).unlike])


@dataclass(frozen=True)
class Swept:
    """What can be swept over.

    Attributes:
        kind: what the inputs are called, such as "noise images".
        most: how many there are.
        some: (start, stop) to (stop - start, height, width, channels) float32 in 0..1.
        of: all that the inputs depend on.
    """

    kind: str
    most: int
    some: Callable[[int, int], np.ndarray]
    of: tuple[object, ...]


def show_sweep(run: Run, swept: Swept) -> None:
    """The sweep's controls, its progress and what it found."""
    st.subheader(f"A sweep over many {swept.kind}", anchor=False)
    st.caption("Chosen as above. Which classes are they taken for, how sure is the answer, and does the doubt show?")
    most = min(MOST, swept.most)
    count = address.whole_number("sweep", min(DEFAULT, most), 1, most)
    of = (run.digest, *swept.of, count)
    sweep: Sweep | None = st.session_state.get("sweep")
    if sweep and sweep.of != of:
        sweep = st.session_state["sweep"] = None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("How many", 1, most, step=10, width=150, **address.bound("sweep", count))
        place = st.empty()
    if sweep and sweep.running:
        place.button("Stop", icon=":material/stop_circle:", on_click=stop)
        carry_on(run, sweep, swept.some)
    place.button("Run the sweep", icon=":material/grain:", on_click=start, args=(of, count))
    if sweep and sweep.done:
        show_findings(run, sweep, swept.kind)


def start(of: tuple[object, ...], count: int) -> None:
    """Begin a sweep, or begin it anew."""
    st.session_state["sweep"] = Sweep(of, count)


def stop() -> None:
    """Leave it at what is there."""
    st.session_state["sweep"].running = False


def carry_on(run: Run, sweep: Sweep, some: Callable[[int, int], np.ndarray]) -> None:
    """Ask about all images that are left; each block is kept, whatever interrupts."""
    prepared, place = sampler(run), st.empty()
    try:
        while sweep.done < sweep.total:
            place.progress(sweep.done / sweep.total, f"{sweep.done:,} of {sweep.total:,} images, {PASSES} passes each")
            images = some(sweep.done, min(sweep.done + BLOCK, sweep.total))
            taken = in_the_model_s_range(run, images)
            probs = prepared.sample(taken, passes=PASSES, masks=run.manifest.masks, first_image=sweep.done)
            sweep.add(run, images, probs)
        sweep.running = False
    finally:
        place.empty()


def show_findings(run: Run, sweep: Sweep, kind: str) -> None:
    """Which classes the inputs fall into, the most deceiving one, and their scores over those of the test images."""
    predicted, sure = sweep.scores["predicted_class"], sweep.scores["max_probability"]
    counts = np.bincount(predicted, minlength=len(run.class_names))
    favourite, deceiving = int(counts.argmax()), int(sure.argmax())
    spoken = (
        f"{counts[favourite]:,} of {sweep.done:,} {kind} are taken for {run.class_names[favourite]}, with "
        f"{percent(sure[predicted == favourite].mean())} on average."
    )
    noticed = f"The verdict calls {sweep.unlike.sum():,} of them unlike the test images."
    stopped = f" Stopped after {sweep.done:,} of {sweep.total:,}." if sweep.done < sweep.total else ""
    st.markdown(f"{spoken} {noticed}{stopped}")
    left, middle, right = st.columns([2, 3, 3], gap="large")
    with left:
        if sweep.deceiving is not None:
            picture(sweep.deceiving, f"The one of the {kind} with the most confident answer")
        said, sureness = run.class_names[predicted[deceiving]], percent(float(sure[deceiving]))
        st.caption(f"The most deceiving one: **{said}** with {sureness}.")
    with middle:
        st.caption("The classes that they are taken for.")
        chart(class_counts(predicted, run.class_names), "sweep-classes", spoken)
    with right:
        score = score_chooser("Over the test images, by")
        own = of_the_test_images(run.digest, score, run)
        label = SCORES[score].label
        chart(
            score_comparison(own, sweep.scores[score], label, kind),
            "sweep-scores",
            f"Histograms of {label} of the test images and of the {kind}. {noticed}",
        )
