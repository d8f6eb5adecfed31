"""How good the model is, one pass and the ensemble, and what it is most uncertain about."""

import streamlit as st

from mcviz.app.components.gallery import tiles
from mcviz.app.navigation import OVERVIEW, UNCERTAIN, begin, link_to
from mcviz.app.needs import check_needs, has
from mcviz.app.resources import ranking, run_scores
from mcviz.app.state import PageState
from mcviz.app.tasks import task_of
from mcviz.app.wording import counted
from mcviz.runs import Run

SHOWN = 8
COMMON = (
    "The **ensemble** is the mean of all passes: it is the prediction, and how far the passes are from each other is "
    "its uncertainty. Passes that are each confident, of different things, say that the **model** has seen too little "
    "of this kind. Passes that are all unsure say that the **example** is ambiguous."
)
DROPOUT = (
    "**Monte Carlo dropout** (Gal & Ghahramani 2016). Dropout switches random parts of a network off while it is "
    "trained. Here it is left on afterwards as well: each **pass** predicts every example with another random part "
    "switched off, as another network would. **Deterministic** is the usual prediction, with dropout off.\n\n"
    f"{COMMON}"
)
IMPORTED = (
    "The **passes** were made elsewhere, such as by the members of an ensemble or from altered inputs. Each "
    f"predicts every example.\n\n{COMMON}"
)


def most_uncertain(run: Run, state: PageState) -> None:
    """The examples that the ensemble is most uncertain of."""
    score = run_scores(run)[run.task.first_score]
    end = "lowest" if score.uncertain_when == "low" else "highest"
    st.header("What it is most uncertain about", anchor=False)
    marked = "✗ marks a wrong prediction." if has(run, "labels") and task_of(run).marks_mistakes else ""
    st.caption(f"The examples with the {end} {score.inline_label}. {marked} Click one to open it.")
    tiles(run, state, ranking(run, score.name)[:SHOWN], 1, score.name, key="most-uncertain")
    link_to(UNCERTAIN, "All examples, ranked", ":material/arrow_forward:")


def what_is_this(run: Run) -> None:
    """Where the uncertainty comes from, for those who ask."""
    with st.popover("What is this?", icon=":material/help:", type="tertiary"):
        st.markdown(IMPORTED if is_imported(run) else DROPOUT)


def what_is_shown(run: Run) -> None:
    """Where the uncertainty comes from, in a sentence."""
    each = f"Each example has {counted(run.passes, 'prediction')}"
    parts = "" if is_imported(run) else ", every one with other parts of the model switched off"
    st.markdown(f"{each}{parts}. Where they disagree, the model is uncertain.")


def is_imported(run: Run) -> bool:
    """Whether the passes were made elsewhere."""
    return run.manifest.origin.kind == "imported"


run, state = begin(OVERVIEW, "What is this model uncertain about?", what_is_this)
labelled = check_needs(run, {"labels"})
what_is_shown(run)
most_uncertain(run, state)
if labelled:
    task_of(run).render_overview(run)
