"""The bar of filters, the chips of those that are on, and how many images they leave."""

from dataclasses import replace
from functools import partial
from math import inf

import numpy as np
import streamlit as st

from mcviz.app import address
from mcviz.app.exporting import EXPORTS, sheet
from mcviz.app.parts import score_chooser
from mcviz.app.selection import ANSWERS, Selection
from mcviz.app.views.looked_at import SURE_FIRST, UNSURE_FIRST, LookedAt, looked_at
from mcviz.measures import SCORES
from mcviz.runs import Run

DIGITS = 3  # of a score, after the point, on its slider


def filter_bar(run: Run) -> LookedAt:
    """The controls of what is looked at, and what they select."""
    selection = address.selection(run)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        score = score_chooser("Rank by")
        order = address.one_of("order", [UNSURE_FIRST, SURE_FIRST], UNSURE_FIRST)
        st.selectbox("Order", [UNSURE_FIRST, SURE_FIRST], width=210, **address.bound("order", order))
        if run.labels is not None:
            _typed(run, selection)
        with st.popover("Filters", icon=":material/filter_list:"):
            _filters(run, selection)
        looked = looked_at(run, score)
        with st.popover("Export", icon=":material/download:"):
            _exports(looked)
    st.caption(SCORES[score].meaning)
    chips(looked)
    return looked


def _typed(run: Run, selection: Selection) -> None:
    """The field for `3 as 5`, which is empty again once it was understood."""

    def understood() -> None:
        words = st.session_state["find"]
        try:
            address.select(selection.narrowed_by(words, run.class_names))
        except ValueError as error:
            st.session_state["not-understood"] = str(error)
        st.session_state["find"] = ""

    st.text_input("Find", placeholder="3 as 5, or wrong", width=180, key="find", on_change=understood)
    if message := st.session_state.pop("not-understood", None):
        st.toast(message, icon=":material/help:")


def _filters(run: Run, selection: Selection) -> None:
    classes = range(len(run.class_names))
    named = run.class_names.__getitem__
    if run.labels is not None:
        st.multiselect(
            "True class",
            classes,
            format_func=named,
            **address.bound(
                "true", list(selection.true), lambda new: address.select(replace(selection, true=tuple(new)))
            ),
        )
    st.multiselect(
        "Predicted class",
        classes,
        format_func=named,
        **address.bound("said", list(selection.said), lambda new: address.select(replace(selection, said=tuple(new)))),
    )
    if run.labels is not None:
        st.segmented_control(
            "Answers",
            ANSWERS,
            required=True,
            **address.bound("answers", selection.answers, lambda new: address.select(replace(selection, answers=new))),
        )
    st.toggle(
        "Passes disagree",
        **address.bound("disagree", selection.disagree, lambda new: address.select(replace(selection, disagree=new))),
    )
    _range(run, selection)


def _range(run: Run, selection: Selection) -> None:
    """A slider over any score. Its ends are whole steps, as the browser rounds to them and Streamlit then compares."""
    name = st.selectbox("Range of", list(SCORES), format_func=lambda name: SCORES[name].label, key="ranged")
    values = run.scores()[name]
    if values.min() == values.max():
        return
    low, high = _outwards(float(values.min()), float(values.max()))
    kept = {score: (a, b) for score, a, b in selection.ranges}.get(name, (low, high))
    shown = _outwards(*np.clip(kept, low, high).tolist())

    def put(new: tuple[float, float]) -> None:
        ends = (-inf if new[0] <= low else new[0], inf if new[1] >= high else new[1])
        address.select(selection.with_range(name, *ends))

    st.slider(
        f"{SCORES[name].label}, {SCORES[name].unit}",
        low,
        high,
        step=10.0**-DIGITS,
        format=f"%.{DIGITS}f",
        **address.bound(f"range-{name}", shown, put),
    )


def _outwards(low: float, high: float) -> tuple[float, float]:
    """The nearest whole steps below and above, so that what is between stays between."""
    below, above, step = round(low, DIGITS), round(high, DIGITS), 10.0**-DIGITS
    return (
        below if below <= low else round(below - step, DIGITS),
        above if above >= high else round(above + step, DIGITS),
    )


def _exports(looked: LookedAt) -> None:
    """Each file is made when it is asked for, of what is selected then."""
    st.markdown(f"The **{len(looked.images):,}** selected images")
    for label, (ending, mime, made) in EXPORTS.items():
        if made is sheet and not looked.run.has_images:
            continue
        st.download_button(
            label,
            partial(made, looked),
            file_name=f"{looked.run.name}-{len(looked.images)}.{ending}",
            mime=mime,
            key=f"export-{ending}",
            on_click="ignore",
            disabled=len(looked.images) == 0,
            width="stretch",
        )


def chips(looked: LookedAt) -> None:
    """How many images the filters leave, and a button for each filter that is on, which takes it off."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="chips"):
        st.markdown(f"**{len(looked.images):,}** of {len(looked.run):,} images", width="content")
        filters = looked.selection.chips(looked.run.class_names)
        for place, (label, without) in enumerate(filters):
            st.button(
                label,
                icon=":material/close:",
                key=f"chip-{place}",
                help="Take this filter off",
                on_click=address.select,
                args=(without,),
            )
        flagged = address.images("flags", looked.run)
        if flagged and looked.selection.picked != tuple(flagged):
            st.button(
                f"Show the {len(flagged)} flagged",
                icon=":material/flag:",
                type="tertiary",
                on_click=address.select,
                args=(Selection(picked=tuple(flagged)),),
            )
        if len(filters) > 1:
            st.button("Clear all", type="tertiary", key="clear", on_click=address.select, args=(Selection(),))
