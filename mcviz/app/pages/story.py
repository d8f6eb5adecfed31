"""A few steps for a demo, from a confident number to noise that is stopped, made from the open run."""

from contextlib import nullcontext
from pathlib import Path

import streamlit as st

from mcviz.app.components.charts import for_an_audience
from mcviz.app.components.keys import keys
from mcviz.app.navigation import STORY, begin
from mcviz.app.probe.noise_stopped import last_steps
from mcviz.app.probe.predicting import load_ahead
from mcviz.app.state import go
from mcviz.app.tasks import task_of

run, state = begin(STORY)
live = last_steps(run)
told = [*task_of(run).story.steps(run), *live]
step = state.step if state.step <= len(told) else 1
if step != state.step:
    st.caption(f"There is no step {state.step:,}: this is the first of {len(told)}.")
st.progress(step / len(told), f"Step {step} of {len(told)}")
if live and len(told) - step > len(live):  # while somebody still reads
    load_ahead()
sentence, draw = told[step - 1](run)
with st.container(key="story-sentence"):
    st.header(sentence, anchor=False)
with st.container(horizontal=True, key="story-steps"):
    st.button(
        "Back",
        key="story-back",
        icon=":material/arrow_back:",
        disabled=step == 1,
        on_click=go,
        kwargs={"step": step - 1},
        shortcut="Left",
    )
    if step < len(told):
        st.button(
            "Next",
            key="story-next",
            type="primary",
            icon=":material/arrow_forward:",
            on_click=go,
            kwargs={"step": step + 1},
            shortcut="Right",
        )
    else:
        st.button("Start again", icon=":material/replay:", on_click=go, kwargs={"step": 1})
    st.button(
        "Leave" if state.present else "Present",
        key="story-present",
        icon=":material/close_fullscreen:" if state.present else ":material/open_in_full:",
        type="tertiary",
        on_click=go,
        kwargs={"present": not state.present},
        help="Large, without the navigation. Keys: ← and → or Page up and Page down step, P begins and ends it, "
        "Escape ends it; F11 fills the screen.",
    )
leave = {"escape": "story-present"} if state.present else {}
keys(pagedown="story-next", pageup="story-back", p="story-present", **leave)
if state.present:
    st.html(Path(__file__).parents[1] / "present.css")
with st.container(key="story-drawn"), for_an_audience() if state.present else nullcontext():
    draw()
