"""Predictions of inputs that are not in the run: drawn, typed or uploaded ones, noise, and distorted examples."""

from pathlib import Path

import streamlit as st

from mcviz.app.failures import show_failures
from mcviz.app.kinds import kind_renderer
from mcviz.app.navigation import PROBE, begin, load_state
from mcviz.app.on_request import is_stopped, offer_to_go_on, stop_work
from mcviz.app.probe.degradation import render_degradation
from mcviz.app.probe.explain import InputContext, explanations
from mcviz.app.probe.inputs import InputKind, ProbeInput, as_batch, import_ahead, predict
from mcviz.app.probe.sweep import render_sweep
from mcviz.app.probe.verdict import is_detector_ready, render_headline, render_reasons, render_score_comparison
from mcviz.app.resources import available, check_needs
from mcviz.app.state import PageState, choose_name, choose_segment, state_widget_args, update_state
from mcviz.app.tasks import task_renderer
from mcviz.app.wording import as_markdown, counted
from mcviz.errors import InvalidInputError
from mcviz.runs import Run

WORK = "predicting"


@st.fragment
def render_probe(run: Run, kind: InputKind) -> None:
    """Render one input and its predictions, which change without the rest of the page."""
    with show_failures(PROBE.title):
        render_input(run, load_state(run), kind)


def render_input(run: Run, state: PageState, kind: InputKind) -> None:
    """Render the input on the left, in sight however far one scrolls, and its predictions on the right."""
    left, right = st.columns([3, 7], gap="large")
    try:
        with left, st.container(key="probe-input"):
            chosen = kind.choose(run, state)
            if chosen is not None and not kind.seen_in_its_controls:
                kind_renderer(run).render_input(run, chosen.content, chosen.name)
    except InvalidInputError as error:
        right.error(as_markdown(str(error)), icon=":material/broken_image:")
        return
    with right:
        if chosen is None:
            import_ahead(run)
            icon, words = kind.nothing_yet
            st.info(words, icon=icon)
        elif is_stopped(WORK):
            offer_to_go_on(
                WORK,
                "Predictions are stopped. Start again to predict this input, and every change of it, in "
                f"{run.passes:,} passes with dropout left on.",
                f"Predict in {run.passes:,} passes",
                type="primary",
            )
        else:
            render_predictions(run, state, kind, chosen)


def render_predictions(run: Run, state: PageState, kind: InputKind, chosen: ProbeInput) -> None:
    """Render the verdict, then the prediction, then the reasons of both.

    While the verdict's detector is being fitted, all else does not wait.
    """
    predicted, renderer = predict(run, as_batch(chosen.content))[:, 0], task_renderer(run)
    headline = st.container()
    st.markdown(f"{renderer.describe_prediction(run, predicted)} {chosen.note}")
    verdict = render_headline(headline, run, chosen.content, predicted) if is_detector_ready(run) else None
    reasons = st.container()  # filled last: the charts do not wait for it
    if kind.along:
        st.header("Along the whole slider", anchor=False)
        along = kind.along(run, state)
        renderer.render_curves(run, along, predict(run, along.contents))
    renderer.render_probe(run, predicted, chosen.label, "probe")
    left, right = st.columns(2, gap="large")
    with left:
        renderer.render_prediction_table(run, predicted)
        figures = st.container()
    with right:
        st.markdown("**Each score, against this run's examples**")
        render_score_comparison(run, predicted)
    with figures:
        render_reasons(verdict or render_headline(headline, run, chosen.content, predicted))
    with reasons:
        render_explanations(InputContext(run, state, chosen.content, predicted))


def render_explanations(context: InputContext) -> None:
    """Render a choice of explanations of the prediction; only the chosen one is computed."""
    offered = explanations(context.run)
    name = choose_name(context.state.closer_look, ["", *offered])
    st.header("Why this prediction?", anchor=False)
    st.segmented_control(
        "Why this prediction?",
        list(offered),
        format_func=lambda name: offered[name][0],
        label_visibility="collapsed",
        **state_widget_args("closer_look", name or None, lambda new: update_state(closer_look=new or "")),
    )
    if name:
        offered[name][1](context)


st.html(Path(__file__).parents[1] / "probe" / "probe.css")


def describe_passes(run: Run, _state: PageState) -> str:
    """Say how an input is predicted."""
    return (
        f"Each input is predicted in {counted(run.passes, 'pass')}, as the run's own {counted(len(run), 'example')} "
        "were, and compared with them."
    )


run, state = begin(PROBE, describe_passes)
inputs = kind_renderer(run).inputs
if not inputs:
    st.info("The examples of this run are not in it, so nothing new can be made like them.", icon=":material/inbox:")
    st.stop()
name = choose_name(state.input, inputs)
with st.container(horizontal=True, vertical_alignment="center"):
    labels = {name: kind.label for name, kind in inputs.items()}
    choose_segment("Input", "input", name, labels, label_visibility="collapsed")
    if not is_stopped(WORK) and name in available(inputs, run):
        # Not in a fragment: a button in one waits until the fragment is done, this one interrupts it.
        st.button(
            "Stop predicting",
            icon=":material/stop_circle:",
            type="tertiary",
            help="Stops the passes that are running. Changes are not predicted until you start again.",
            on_click=stop_work,
            args=(WORK,),
        )
kind = inputs[name]
if check_needs(run, kind.needs):
    render_probe(run, kind)
    if kind.sweep:
        # Not in a fragment: what runs in one cannot be stopped by a button.
        st.divider()
        render_sweep(run, state, kind.sweep)
    if name == "distortion":
        render_degradation(run, state)
