"""Predictions of new inputs: noise, drawings, texts, uploads and distortions; and detectors."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mcviz.app.explain import InputContext, explanations
from mcviz.app.kinds import kind_renderer
from mcviz.app.kinds.base import InputKind, ProbeInput, as_batch, import_ahead, predict
from mcviz.app.navigation import OUT_OF_DISTRIBUTION, PROBE, begin, load_state, open_page
from mcviz.app.out_of_distribution import (
    describe_detectors,
    is_detector_ready,
    render_detectors,
    render_headline,
    render_reasons,
    render_score_comparison,
)
from mcviz.app.resources import MISSING, available, check_needs, has, missing
from mcviz.app.state import (
    HIGHEST_SEED,
    PageState,
    choose_name,
    choose_segment,
    is_open,
    mark_rendered,
    session_store,
    state_widget_args,
    update_state,
)
from mcviz.app.sweep import (
    DEFAULT_INPUTS,
    NOISE_LOOK,
    NOISE_TILES,
    find_sweep,
    is_looked_at,
    look_at_noise,
    noise_inputs,
    render_controls,
    render_degradation,
    render_findings,
    render_sweep,
    render_tiles,
    summarize,
)
from mcviz.app.tasks import task_renderer
from mcviz.app.wording import as_markdown, capitalised, counted
from mcviz.app.work import is_stopped, offer_to_go_on, show_failures, stop_work
from mcviz.errors import InvalidInputError
from mcviz.runs import Run

WORK = "predicting"
DETECTORS = "detectors"  # the part of the page that is no input
CHOSEN = "part-chosen"  # of the session


@st.fragment
def render_probe(run: Run, kind: InputKind) -> None:
    """Render an input and its predictions, as a fragment."""
    with show_failures(PROBE.title):
        render_input(run, load_state(run), kind)


def render_input(run: Run, state: PageState, kind: InputKind) -> None:
    """Render an input that stays in sight, with its predictions."""
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
            icon, words = kind.nothing_yet
            with st.container(key="probe-nothing-yet"):
                st.info(words, icon=icon)
        else:
            render_answer(run, state, kind, chosen)


def render_noise(run: Run, state: PageState, kind: InputKind) -> None:
    """Render inputs of noise with predictions, or one; no fragment, since clicks cannot end one."""
    inputs = noise_inputs(run, state)
    sweep = find_sweep(run, inputs)
    left, right = st.columns(2, gap="large")
    with left:
        with st.container(key=NOISE_TILES):
            render_noise_tiles(run)
        kind.choose(run, state)
        controls = st.container()
    with right:
        if is_looked_at(state, sweep):
            with st.container(key=NOISE_LOOK):
                render_noise_look(run, kind)
        elif sweep is not None and sweep.done:
            render_findings(run, state, sweep)
        else:
            st.caption(
                f"The {inputs.kind} are predicted in {counted(run.passes, 'pass')} each, which takes up to a minute. "
                f"The result for {DEFAULT_INPUTS} is kept."
            )
            controls = st.container()
    with controls:
        render_controls(run, state, noise_inputs)


@st.fragment(key=NOISE_TILES)
def render_noise_tiles(run: Run) -> None:
    """Render inputs of noise as tiles."""
    state = load_state(run)
    inputs = noise_inputs(run, state)
    render_tiles(run, state, inputs, find_sweep(run, inputs))
    mark_rendered(NOISE_TILES)


@st.fragment(key=NOISE_LOOK)
def render_noise_look(run: Run, kind: InputKind) -> None:
    """Render one input of noise, and links to others."""
    with show_failures(PROBE.title):
        state = load_state(run)
        inputs, seed = noise_inputs(run, state), state.seed or 0
        name = f"{capitalised(inputs.name)}, seed {seed}"
        st.markdown(f"**{as_markdown(name)}**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.number_input("Seed", 0, HIGHEST_SEED, width=140, **state_widget_args("seed", seed, look_at_noise))
            another = f"Another {inputs.kind.removesuffix('s')}"
            st.button(another, icon=":material/casino:", on_click=look_at_noise, args=(seed + 1,))
            if state.seed is not None:
                st.button(
                    "All of them",
                    icon=":material/close:",
                    key="look-at-all",
                    type="tertiary",
                    on_click=look_at_noise,
                    args=(None,),
                )
        note = "No prediction is correct: this is noise, and the model cannot say so."
        render_answer(run, state, kind, ProbeInput(inputs.load(seed, seed + 1)[0], name, note))
    mark_rendered(NOISE_LOOK)


def render_answer(run: Run, state: PageState, kind: InputKind, chosen: ProbeInput) -> None:
    """Render predictions of an input, or that they are stopped."""
    if is_stopped(WORK):
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
    """Render verdict, prediction, passes and reasons; fitting the detector blocks nothing else."""
    words = st.container()
    if kind.is_noise:
        words = render_beside(run, chosen)
    with words:
        headline = st.container()
        predicted, renderer = predict(run, as_batch(chosen.content))[:, 0], task_renderer(run)
        st.markdown(f"{renderer.phrases.describe_prediction(run, predicted)} {chosen.note}")
    verdict = render_headline(headline, run, chosen.content, predicted) if is_detector_ready(run) else None
    renderer.render_probe(run, chosen, predicted, "probe")
    reasons = st.container()  # filled last: the charts do not wait for it
    if kind.along:
        st.header("Along the whole slider", anchor=False)
        along = kind.along(run, state)
        renderer.render_curves(run, along, predict(run, along.contents))
    left, right = (st.container(), st.container()) if kind.is_noise else st.columns(2, gap="large")
    with right:
        st.markdown("**Each score, against this run's examples**")
        render_score_comparison(run, predicted)
    with left:
        render_reasons(verdict or render_headline(headline, run, chosen.content, predicted))
    with reasons:
        render_explanations(InputContext(run, state, chosen.content, predicted))


def render_beside(run: Run, chosen: ProbeInput) -> DeltaGenerator:
    """Render a small input and return a place for words."""
    renderer = kind_renderer(run)
    if not renderer.fits_column:
        words = st.container()
        with st.expander("The input"):
            renderer.render_input(run, chosen.content, chosen.name)
        return words
    left, right = st.columns([1, 4], gap="small")
    with left:
        renderer.render_small(run, chosen.content, chosen.name)
    return right


def render_explanations(context: InputContext) -> None:
    """Render a choice of explanations; compute the chosen one."""
    offered = explanations(context.run)
    if not offered:
        st.caption("No explanations: they are of one predicted number, and this is a class for each pixel.")
        return
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


def page_parts(run: Run) -> dict[str, str]:
    """Return labels of available inputs and detectors, by name."""
    inputs = kind_renderer(run).inputs if has(run, "model") else {}
    parts = {name: kind.label for name, kind in inputs.items()}
    return parts | ({DETECTORS: "Detectors"} if has(run, "classes") else {})


def choose_part(run: Run, state: PageState) -> str:
    """Return the chosen part; changed values or a path choose theirs."""
    parts = page_parts(run)
    if DETECTORS in parts and is_open(OUT_OF_DISTRIBUTION.title):
        return DETECTORS
    return choose_name(state.input, parts, "row" if state.values and "row" in parts else None) if parts else ""


def is_predicting(run: Run, state: PageState, part: str) -> bool:
    """Return whether the part predicts one input."""
    if part == DETECTORS or part not in available(kind_renderer(run).inputs, run):
        return False
    if not kind_renderer(run).inputs[part].is_noise:
        return True
    return is_looked_at(state, find_sweep(run, noise_inputs(run, state)))


def describe_probe(run: Run, state: PageState) -> str:
    """Describe predictions of noise, the verdict, or a prediction."""
    part = choose_part(run, state)
    if part == DETECTORS:
        return describe_detectors(run)
    if not part:
        return "Nothing new can be predicted for this run."
    if kind_renderer(run).inputs[part].is_noise:
        inputs = noise_inputs(run, state)
        sweep = find_sweep(run, inputs)
        if sweep is not None and sweep.done:
            return as_markdown(summarize(run, sweep))
        return f"What does the model make of {inputs.kind}, and does it notice? They are not predicted yet."
    return (
        f"Each input is predicted in {counted(run.passes, 'pass')}, as the run's own {counted(len(run), 'example')} "
        "were, and compared with them."
    )


def change_part(name: str) -> None:
    """Choose another part, in a callback."""
    session_store()[CHOSEN] = True
    update_state(input=name)


run, state = begin(PROBE, describe_probe)
if session_store().pop(CHOSEN, False) and is_open(OUT_OF_DISTRIBUTION.title):
    open_page(PROBE, state)
parts, part = page_parts(run), choose_part(run, state)
if not has(run, "model"):
    st.info(missing(run, "model"), icon=MISSING["model"][0])
elif not kind_renderer(run).inputs:
    st.info("The examples of this run are not in it, so nothing new can be made like them.", icon=":material/inbox:")
if DETECTORS not in parts and (is_open(OUT_OF_DISTRIBUTION.title) or state.input == DETECTORS):
    st.info(
        "Detectors are about probabilities of classes. How unusual an input is to this run is shown by how far its "
        "passes differ.",
        icon=":material/info:",
    )
if not part:
    st.stop()
if has(run, "model"):
    import_ahead(run)
with st.container(horizontal=True, vertical_alignment="center"):
    choose_segment("Input", "input", part, parts, change_part, label_visibility="collapsed")
    if is_predicting(run, state, part) and not is_stopped(WORK):
        # Not in a fragment: a click in one ends only what gives way to clicks, this one all that is drawn.
        st.button(
            "Stop predicting",
            icon=":material/stop_circle:",
            key="stop-predicting",
            type="tertiary",
            help="Stops the passes that are running. Changes are not predicted until you start again.",
            on_click=stop_work,
            args=(WORK,),
        )
if part == DETECTORS:
    render_detectors(run, state)
    st.stop()
kind = kind_renderer(run).inputs[part]
if check_needs(run, kind.needs):
    if kind.is_noise:
        render_noise(run, state, kind)
    else:
        render_probe(run, kind)
    if part == "distortion" and kind.sweep:
        # Not in a fragment: a click in one ends only what gives way to clicks.
        st.divider()
        render_degradation(run, state)
        render_sweep(run, state, kind.sweep)
