"""A few steps for a demo, from a confident number to noise that is stopped, made from the open run."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import streamlit as st

from mcviz.app.components import for_an_audience, keys
from mcviz.app.kinds import kind_renderer
from mcviz.app.kinds.base import as_batch, import_ahead, predict
from mcviz.app.navigation import OVERVIEW, PAGES, PRESENT, begin, link_to, open_page
from mcviz.app.out_of_distribution import (
    detector_for,
    less_usual_examples,
    render_reasons,
    replace_when_ready,
)
from mcviz.app.resources import has
from mcviz.app.state import PageState, latest_state, update_state
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import Step, render_large, side_by_side
from mcviz.app.wording import as_markdown, counted
from mcviz.measures.ood import OOD_P_VALUE
from mcviz.runs import Run


def noise_verdict(run: Run) -> Step:
    """Return the step on whether the OOD detector stops one input of noise, predicted live."""
    renderer = kind_renderer(run)
    noise = renderer.noise(run)
    verdict = detector_for(run).verdict(noise.content, predict(run, as_batch(noise.content))[:, 0])

    def render_verdict() -> None:
        render_large("**Stopped**" if verdict.is_ood else "**Not stopped**")
        render_reasons(verdict)
        if verdict.is_preliminary:
            replace_when_ready(run)

    render = side_by_side(lambda: renderer.render_input(run, noise.content, noise.name), render_verdict)
    usual = less_usual_examples(verdict.less_usual)
    if verdict.is_ood:
        return Step(
            "But noise can be stopped before anybody believes the answer.",
            render,
            f"This is **out of distribution**. {usual} Of inputs like the run's own, at most {OOD_P_VALUE:.0%} are "
            "stopped as well.",
        )
    return Step("This noise is not stopped.", render, f"The detector cannot tell it from the run's examples. {usual}")


def name_run(run: Run, _state: PageState) -> str:
    """Name the run of the demo."""
    made_from = f"{counted(len(run), 'example')} in {counted(run.passes, 'pass')}"
    return f"A demo made from **{as_markdown(run.name)}**, {made_from}."


def find_step(state: PageState, steps: int) -> int:
    """Return the shown step, the first by default."""
    return state.step if state.step <= steps else 1


def step_through(steps: int, more: int) -> None:
    """Go on from the step that was opened last, in a callback, or back.

    Args:
        steps: how many there are.
        more: how many to go, back where negative.
    """
    update_state(step=min(max(1, find_step(latest_state(), steps) + more), steps))


def render_buttons(state: PageState, step: int, steps: int) -> None:
    """Render buttons to step, start and end the presentation."""
    with st.container(horizontal=True, key="story-steps"):
        st.button(
            "Back",
            key="story-back",
            icon=":material/arrow_back:",
            disabled=step == 1,
            on_click=step_through,
            args=(steps, -1),
            shortcut="Left",
        )
        if step < steps:
            st.button(
                "Next",
                key="story-next",
                type="primary",
                icon=":material/arrow_forward:",
                on_click=step_through,
                args=(steps, 1),
                shortcut="Right",
            )
        else:
            st.button("Start again", icon=":material/replay:", on_click=update_state, kwargs={"step": 1})
        origin = next((page for page in PAGES if page.url_path == state.origin), None) if state.present else None
        # Two keys, so that the focus does not stay on what leaves: a space would press it.
        pressed = st.button(
            "Leave" if state.present else "Present",
            key="story-leave" if state.present else "story-present",
            icon=":material/close_fullscreen:" if state.present else ":material/open_in_full:",
            type="tertiary",
            on_click=None if origin else partial(update_state, present=not state.present),
            help="Large, without the navigation. Keys: ← and →, Page up and Page down, or Space step; P begins and "
            "ends it, Escape ends it; F11 fills the screen.",
        )
        if pressed and origin:
            open_page(origin, state, step=1, present=False, origin="")
    pressing = {"pagedown": "story-next", " ": "story-next", "pageup": "story-back"}
    keys(pressing | ({"p": "story-leave", "escape": "story-leave"} if state.present else {"p": "story-present"}))


run, state = begin(PRESENT, name_run)
story = task_renderer(run).story
if story is None:
    st.info("There is no demo of a run of this task. Overview and Explore show what there is.", icon=":material/info:")
    link_to(OVERVIEW)
    st.stop()
steps: list[Callable[[Run], Step]] = story.steps(run)
if kind_renderer(run).has_noise and has(run, "model"):
    steps.append(noise_verdict)
    if len(steps) - state.step > 1:  # while somebody still reads
        import_ahead(run)
number = find_step(state, len(steps))
if number != state.step:
    st.caption(f"There is no step {state.step:,}: this is the first of {len(steps)}.")
st.progress(number / len(steps), f"Step {number} of {len(steps)}")
sentence = st.container(key="story-sentence", gap="xsmall")
render_buttons(state, number, len(steps))
with sentence:
    step = steps[number - 1](run)
    st.header(step.headline, anchor=False)
    if step.more:
        st.markdown(step.more)
with st.container(key="story-drawn"), for_an_audience() if state.present else nullcontext():
    step.render()
