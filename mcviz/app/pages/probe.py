"""What the model predicts of inputs that are not in the run: what is drawn, typed or uploaded, noise, distortions."""

from pathlib import Path

import streamlit as st

from mcviz.app.components.widgets import bind
from mcviz.app.explaining.looks import Explained, explanations
from mcviz.app.failures import show_failures
from mcviz.app.inputs import InputKind, ProbeInput, as_batch
from mcviz.app.kinds import kind_of
from mcviz.app.navigation import PROBE, begin, load_state
from mcviz.app.needs import available, check_needs
from mcviz.app.probe.predicting import load_ahead, predict
from mcviz.app.probe.sweep import show_sweep
from mcviz.app.probe.verdict import compare_scores, fit_is_over, show_headline, show_reasons
from mcviz.app.session import session_store
from mcviz.app.state import PageState, choose_name, go
from mcviz.app.tasks import task_of
from mcviz.app.wording import as_markdown
from mcviz.errors import InvalidInputError
from mcviz.runs import Run

PREDICTING = "predicting"  # of the session: False once it was stopped


@st.fragment
def probe(run: Run, kind: InputKind) -> None:
    """One input and what the model makes of it, which change without the rest of the page."""
    with show_failures(PROBE.title):
        one_input(run, load_state(run), kind)


def one_input(run: Run, state: PageState, kind: InputKind) -> None:
    """The input on the left, in sight however far one scrolls; its predictions on the right."""
    left, right = st.columns([3, 7], gap="large")
    try:
        with left, st.container(key="probe-input"):
            chosen = kind.choose(run, state)
            if chosen is not None and not kind.seen_in_its_controls:
                kind_of(run).render_input(run, chosen.content, chosen.name)
    except InvalidInputError as error:
        right.error(as_markdown(str(error)), icon=":material/broken_image:")
        return
    with right:
        if chosen is None:
            load_ahead()
            icon, words = kind.nothing_yet
            st.info(words, icon=icon)
        elif not session_store().get(PREDICTING, True):
            invitation(run)
        else:
            predictions(run, state, kind, chosen)


def predictions(run: Run, state: PageState, kind: InputKind, chosen: ProbeInput) -> None:
    """What to think of the answer, then the answer, then what both rest on.

    While the verdict's detector is being fitted, all else does not wait.
    """
    predicted, task = predict(run, as_batch(chosen.content))[:, 0], task_of(run)
    headline = st.container()
    st.markdown(f"{task.describe_prediction(run, predicted)} {chosen.note}")
    verdict = show_headline(headline, run, chosen.content, predicted) if fit_is_over(run) else None
    reasons = st.container()  # filled last: the charts do not wait for it
    if kind.along:
        st.header("Along the whole slider", anchor=False)
        along = kind.along(run, state)
        task.render_curves(run, along, predict(run, along.contents))
    task.render_probe(run, predicted, chosen.label, "probe")
    left, right = st.columns(2, gap="large")
    with left:
        task.render_prediction_table(run, predicted)
        figures = st.container()
    with right:
        st.markdown("**Each score, against this run's examples**")
        compare_scores(run, predicted)
    with figures:
        show_reasons(verdict or show_headline(headline, run, chosen.content, predicted))
    with reasons:
        why(Explained(run, state, chosen.content, predicted))


def why(explained: Explained) -> None:
    """Why the prediction is as it is, by what is asked for; nothing of it is computed before that."""
    looks = explanations(explained.run)
    name = choose_name(explained.state.closer_look, ["", *looks])
    st.header("Why this prediction?", anchor=False)
    st.segmented_control(
        "Why this prediction?",
        list(looks),
        format_func=lambda each: looks[each][0],
        label_visibility="collapsed",
        **bind("closer_look", name or None, lambda new: go(closer_look=new or "")),
    )
    if name:
        looks[name][1](explained)


def invitation(run: Run) -> None:
    """What predicting does, and the button for it, where it was stopped."""
    st.info(
        f"Predictions are stopped. Start again to have what is seen here predicted in {run.passes:,} passes with "
        "dropout left on, and every change after that.",
        icon=":material/pause_circle:",
    )
    if st.button(f"Predict in {run.passes:,} passes", type="primary", icon=":material/play_arrow:"):
        session_store()[PREDICTING] = True
        st.rerun()  # of the whole page, which has a button to stop from then on


def stop_predicting() -> None:
    """End the passes that are running, and predict nothing until it is started again."""
    session_store()[PREDICTING] = False


st.html(Path(__file__).parents[1] / "probe" / "probe.css")
run, state = begin(PROBE, "What does the model make of other inputs?")
inputs = kind_of(run).inputs
if not inputs:
    st.info("The examples of this run are not in it, so nothing new can be made like them.", icon=":material/inbox:")
    st.stop()
name = choose_name(state.input, inputs)
with st.container(horizontal=True, vertical_alignment="center"):
    st.segmented_control(
        "Input",
        list(inputs),
        format_func=lambda each: inputs[each].label,
        required=True,
        label_visibility="collapsed",
        **bind("input", name),
    )
    if session_store().get(PREDICTING, True) and name in available(inputs, run):
        # Not in a fragment: a button in one waits until the fragment is done, this one interrupts it.
        st.button(
            "Stop predicting",
            icon=":material/stop_circle:",
            type="tertiary",
            help="Ends passes that are running, and leaves changes unpredicted until you start again.",
            on_click=stop_predicting,
        )
kind = inputs[name]
if check_needs(run, kind.needs):
    probe(run, kind)
    if kind.sweep:
        # Not in a fragment: what runs in one cannot be stopped by a button.
        st.divider()
        show_sweep(run, state, kind.sweep)
