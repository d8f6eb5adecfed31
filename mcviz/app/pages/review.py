"""Review of one uncertain example after the other, and its results."""

import numpy as np
import streamlit as st

from mcviz.analysis.labelling import OUT_OF_FOLD
from mcviz.app.bar import current_person
from mcviz.app.components.charts import render_empty_selection
from mcviz.app.filters import Filters
from mcviz.app.navigation import EXPLORE, LABELLING, begin, chips, link_to, require_classes
from mcviz.app.resources import has, run_scores
from mcviz.app.review.decisions import render_queue
from mcviz.app.review.results import render_results
from mcviz.app.selection import LABEL_ERRORS, Selection, probable_label_errors, ranked_examples, select
from mcviz.app.state import PageState, choose_name, choose_segment, session_store
from mcviz.app.wording import as_markdown, counted, direction
from mcviz.permission import may_write, refusal
from mcviz.reviews import open_reviews, summarise_reviews
from mcviz.reviews.store import LONGEST_REVIEWER
from mcviz.runs import Run
from mcviz.text import printable

REVIEWER = "reviewer"  # of the session
PARTS = {
    "queue": "Matching examples",
    "label_errors": "Probable label errors",
    "disputes": "Settle disputes",
    "results": "Results",
}


def describe_queue(run: Run, _state: PageState) -> str:
    """Say how many labels are probably wrong, or how many there are to give."""
    if not has(run, "classes"):
        return f"This run predicts numbers for {counted(len(run), 'example')}, and no classes."
    if has(run, "labels"):
        return probable_label_errors(run)
    return f"{counted(len(run), 'example')} without labels: name the class of each, the most uncertain first."


run, state = begin(LABELLING, describe_queue)
require_classes(
    run,
    "This page gives examples the label of a class. The largest errors of a regression are on Explore.",
    EXPLORE,
)
login = current_person()
if may_write():
    has_label_errors = LABEL_ERRORS["score"] in run_scores(run)
    parts = {name: label for name, label in PARTS.items() if name != "label_errors" or has_label_errors}
    part = choose_name(state.part, parts)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choose_segment("Part", "part", part, parts, label_visibility="collapsed")
        if login is None:
            st.session_state.setdefault("reviewer-name", session_store().get(REVIEWER, ""))
            typed = st.text_input(
                "Reviewer", max_chars=LONGEST_REVIEWER, placeholder="your name", width=220, key="reviewer-name"
            )
            session_store()[REVIEWER] = printable(typed.strip())  # which stays where another page has no such field
        else:
            st.caption(f"Reviewer: **{as_markdown(login)}**", width="content")
else:
    part = "results"
    st.info(f"Nothing can be labelled here: {as_markdown(refusal())}.", icon=":material/lock:")
reviewer = login[:LONGEST_REVIEWER] if login else session_store().get(REVIEWER, "")
reviews = open_reviews(run)
if part == "results":
    render_results(run, reviews)
    st.stop()
if part == "disputes":
    # A dispute that is settled keeps its place in the queue of this visit.
    disputed: set[int] = session_store().setdefault(f"disputed-{run.digest}", set())
    disputed.update(summarise_reviews(run, reviews.rows()).disagreements())
    if not disputed:
        st.info("No example is disputed.", icon=":material/handshake:")
        st.stop()
    order = ranked_examples(run, state)
    selection = Selection(run, state, order[np.isin(order, list(disputed))])
    st.caption("A dispute is settled when its reviewers change their decisions so that they agree.")
else:
    state = state.replace(**LABEL_ERRORS) if part == "label_errors" else state
    selection = select(run, state)
    if state.filters != Filters():
        chips(selection)
    with st.container(horizontal=True, vertical_alignment="center"):
        score = run_scores(run)[state.score]
        first = direction(score, state.order)
        st.caption(f"Ranked by {as_markdown(score.inline_label)}, {first} first.", width="content")
        link_to(EXPLORE, "Choose other examples")
    if part == "label_errors":
        st.caption(OUT_OF_FOLD)
if len(selection.examples) == 0:
    render_empty_selection()
elif not reviewer:
    st.info("Type your name above to begin. It is stored with your decisions.", icon=":material/person:")
else:
    render_queue(selection, reviews, reviewer, disputed=part == "disputes")
