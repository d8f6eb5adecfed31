"""How far a run's probabilities can be trusted, and which examples a person should look at."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import streamlit as st

from mcviz.analysis.base import LEAST_LABELLED, labelled_sentence
from mcviz.app.calibration import (
    chosen_group,
    describe_calibration,
    describe_estimate,
    render_estimate,
    render_figures,
    render_group_choice,
    render_groups,
    render_reliability,
    render_unlabelled,
    render_worst_slice,
)
from mcviz.app.intervals import render_widths
from mcviz.app.navigation import TRUST, begin
from mcviz.app.referral import (
    render_first_referred,
    render_least_certain,
    render_prediction_sets,
    render_referral,
    render_scores,
)
from mcviz.app.resources import Need, check_needs, has
from mcviz.app.state import PageState, choose_detail
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.regression import regression_trust, render_errors
from mcviz.app.thresholds import render_threshold_of_two, render_tolerance
from mcviz.app.wording import counted
from mcviz.runs import Run


@dataclass(frozen=True)
class Question:
    """A question that opens on a click.

    Attributes:
        words: of the question, with a place for the name of losses.
        render: renders the answer.
        needs: the parts that a run must have for it to be asked.
    """

    words: str
    render: Callable[[Run, PageState], None]
    needs: Collection[Need]


QUESTIONS = {  # by their names in `PageState.details`
    "figures": Question("How accurate is each way to predict?", render_figures, {"classes"}),
    "errors": Question("How accurate is each way to predict?", render_errors, {"targets"}),
    "groups": Question("Does a group fare worse?", render_groups, {"groups or classes"}),
    "scores": Question("Which score finds the {noun}?", render_scores, {"bounded loss"}),
    "sets": Question("How many classes are possible?", render_prediction_sets, {"classes"}),
    "widths": Question("How wide are intervals that hold by construction?", render_widths, {"targets"}),
    "unlabelled": Question("How good is it on those without a label?", render_unlabelled, {"unlabelled examples"}),
}


def describe_trust(run: Run, state: PageState) -> str:
    """Describe trust in probabilities, or in intervals of numbers."""
    if has(run, "labels") and run.manifest.labelled < LEAST_LABELLED:
        return "**Too few examples to tell**: there is one."
    if has(run, "classes"):
        return describe_calibration(run, state) if has(run, "labels") else describe_estimate(run, state)
    if not has(run, "targets") and has(run, "labels"):
        return task_renderer(run).phrases.describe_run(run)
    if has(run, "labels"):
        verdict, _, figures = regression_trust(run).sentences[0].partition(":")
        return f"**{verdict}**:{figures} {labelled_sentence(run)}".rstrip()
    return f"**Without labels nobody can tell** how good the predictions for {counted(len(run), 'example')} are."


def render_classification(run: Run, state: PageState) -> None:
    """Render the verdict's diagram, the referral, the threshold of two classes, the worst slice, and more questions."""
    render_group_choice(run, state)
    left, right = st.columns(2, gap="medium")
    with left:
        st.header("Is the model right as often as it says?", anchor=False)
        render_reliability(run, state)
    with right:
        st.header("Who looks at what?", anchor=False)
        render_referral(run, state)
        worst = st.container()
    render_first_referred(run, state)
    if run.task.classes_with_thresholds(run.manifest):
        render_threshold_of_two(run, state.trust_class, chosen_group(run, state))
    render_questions(run, state)
    with worst:
        render_worst_slice(run, state)


def render_loss(run: Run, state: PageState) -> None:
    """Render of a loss that is no class's how far predictions hold, the referral, and all figures."""
    render_group_choice(run, state)
    renderer, group = task_renderer(run), chosen_group(run, state)
    left, right = st.columns(2, gap="medium")
    with left:
        renderer.render_calibration(run, state, group)
    with right:
        st.header("Who looks at what?" if has(run, "bounded loss") else "Which error is too large?", anchor=False)
        if has(run, "targets"):
            render_tolerance(run)
        if has(run, "bounded loss"):
            render_referral(run, state)
        worst = st.container()
    (render_first_referred if has(run, "bounded loss") else render_least_certain)(run, state)
    render_questions(run, state)
    renderer.render_trust(run, group)
    if has(run, "targets"):
        with worst:
            render_worst_slice(run, state)


def render_questions(run: Run, state: PageState) -> None:
    """Render each question; an open one computes its answer."""
    with st.container(gap="xsmall"):
        for name, question in QUESTIONS.items():
            if not all(has(run, need) for need in question.needs):
                continue
            expander = choose_detail(question.words.format(noun=run.task.loss.noun), name, state)
            if expander.open:
                with expander:
                    question.render(run, state)


run, state = begin(TRUST, describe_trust)
if has(run, "labels") and run.manifest.labelled < LEAST_LABELLED:
    st.info("One example tells nothing. Sample the model on more of them, with labels.", icon=":material/inbox:")
elif not has(run, "classes"):
    if check_needs(run, {"labels"}):
        render_loss(run, state)
elif has(run, "labels"):
    render_classification(run, state)
else:
    render_estimate(run, state)
