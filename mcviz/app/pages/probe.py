"""What the model predicts of inputs that are not in the run: noise, drawings, uploads, distorted examples."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from mcviz.app.components.charts import class_charts, class_table, picture
from mcviz.app.components.widgets import bound
from mcviz.app.failures import failures_shown
from mcviz.app.navigation import PROBE, begin, state_of
from mcviz.app.needs import Part, met, offered
from mcviz.app.probe.distorting import distortion_input, distortion_sweep, show_curves
from mcviz.app.probe.drawing import drawing_input
from mcviz.app.probe.noise import noise_input, noise_sweep
from mcviz.app.probe.predicting import ProbeInput, predict
from mcviz.app.probe.sweep import SweepInputs, show_sweep
from mcviz.app.probe.uploading import upload_input
from mcviz.app.probe.verdict import compare_scores, fit_is_over, show_verdict
from mcviz.app.resources import class_names
from mcviz.app.state import PageState, one_of
from mcviz.app.wording import as_markdown, predicted
from mcviz.errors import InvalidInputError
from mcviz.measures import summarise
from mcviz.runs import Run


@dataclass(frozen=True)
class InputKind:
    """A kind of input for the model.

    Attributes:
        label: what it is called.
        choose: its controls, and the input that they give.
        nothing_yet: an icon, and what to do where there is no input yet.
        sweep: many inputs of the kind, where that makes sense.
        curves: predictions along a slider, where it has one.
        needs: what a run has to have.
    """

    label: str
    choose: Callable[[Run, PageState], ProbeInput | None]
    nothing_yet: tuple[str, str] = ("", "")
    sweep: Callable[[Run, PageState], SweepInputs] | None = None
    curves: Callable[[Run, PageState], None] | None = None
    needs: Collection[Part] = field(default_factory=frozenset)


INPUTS = {
    "noise": InputKind("Noise", noise_input, sweep=noise_sweep),
    "drawing": InputKind(
        "Draw", drawing_input, (":material/draw:", "Draw something on the pad, and the model predicts what it is.")
    ),
    "upload": InputKind("Upload", upload_input, (":material/upload:", "Choose a picture first.")),
    "distortion": InputKind(
        "Distort an example", distortion_input, sweep=distortion_sweep, curves=show_curves, needs={"images"}
    ),
}


@st.fragment
def probe(run: Run, kind: InputKind) -> None:
    """One input and what the model makes of it, which change without the rest of the page."""
    with failures_shown(PROBE.title):
        one_input(run, state_of(run), kind)


def one_input(run: Run, state: PageState, kind: InputKind) -> None:
    """The input on the left, in sight however far one scrolls; its predictions on the right."""
    left, right = st.columns([3, 7], gap="large")
    try:
        with left, st.container(key="probe-input"):
            chosen = kind.choose(run, state)
            if chosen is not None:
                picture(chosen.image, chosen.name)
                st.caption("As the model sees it.")
    except InvalidInputError as error:
        right.error(as_markdown(str(error)), icon=":material/broken_image:")
        return
    with right:
        if chosen is None:
            icon, words = kind.nothing_yet
            st.info(words, icon=icon)
        elif not st.session_state.get("predicting"):
            invitation(run)
        else:
            predictions(run, state, kind, chosen)


def predictions(run: Run, state: PageState, kind: InputKind, chosen: ProbeInput) -> None:
    """The verdict, the charts and the tables; while the verdict's detector is being fitted, the others do not wait."""
    probs = predict(run, chosen.image[None])[:, 0]
    summary, names = summarise(probs), class_names(run)
    st.markdown(f"{predicted(summary, names)} {chosen.note}")
    verdict_above, fitted = st.container(), fit_is_over(run)
    if fitted:
        with verdict_above:
            show_verdict(run, chosen.image, probs)
    if kind.curves:
        kind.curves(run, state)
    class_charts(probs, summary, names, chosen.label, "probe")
    left, right = st.columns(2, gap="large")
    with left:
        class_table(summary, names)
    with right:
        st.markdown("**Each score, against this run's examples**")
        compare_scores(run, probs)
    if not fitted:
        with verdict_above:
            show_verdict(run, chosen.image, probs)


def invitation(run: Run) -> None:
    """What predicting does, and the button for it."""
    st.info(
        f"Predict what is seen here, in {run.passes:,} passes with dropout left on. The first time, loading the model "
        "takes some seconds; after that, every change is predicted at once.",
        icon=":material/help:",
    )
    if st.button(f"Predict in {run.passes:,} passes", type="primary", icon=":material/play_arrow:"):
        st.session_state["predicting"] = True
        st.rerun()  # of the whole page, which has a button to stop from then on


def stop_predicting() -> None:
    """End the passes that are running, and predict nothing until it is started again."""
    st.session_state["predicting"] = False


st.html(Path(__file__).parents[1] / "probe" / "probe.css")
run, state = begin(PROBE, "What does the model make of other inputs?")
name = one_of(state.input, INPUTS)
with st.container(horizontal=True, vertical_alignment="center"):
    st.segmented_control(
        "Input",
        list(INPUTS),
        format_func=lambda each: INPUTS[each].label,
        required=True,
        label_visibility="collapsed",
        **bound("input", name),
    )
    if st.session_state.get("predicting") and name in offered(INPUTS, run):
        # Not in a fragment: a button in one waits until the fragment is done, this one interrupts it.
        st.button(
            "Stop predicting",
            icon=":material/stop_circle:",
            type="tertiary",
            help="Ends passes that are running, and leaves changes unpredicted until you start again.",
            on_click=stop_predicting,
        )
kind = INPUTS[name]
if met(run, kind.needs):
    probe(run, kind)
    if kind.sweep:
        # Not in a fragment: what runs in one cannot be stopped by a button.
        st.divider()
        show_sweep(run, state, kind.sweep)
