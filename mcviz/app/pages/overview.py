"""The quality of the model, one pass and the ensemble, and its most uncertain examples."""

import streamlit as st

from mcviz.app.components.gallery import tiles
from mcviz.app.navigation import OVERVIEW, UNCERTAIN, begin, link_to
from mcviz.app.resources import check_needs, has, ranking, run_scores
from mcviz.app.state import PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.wording import counted
from mcviz.runs import Run

TILES = 8
COMMON = (
    "The **ensemble** is the mean of all passes. It is the prediction, and the differences between the passes are its "
    "uncertainty. Where each pass is confident but they disagree, the **model** has seen too few such examples. "
    "Where every pass is unsure, the **example** is ambiguous."
)
DROPOUT = (
    "**Monte Carlo dropout** (Gal & Ghahramani 2016). Dropout switches off random parts of a network while it is "
    "trained. Here it stays on afterwards: each **pass** predicts every example with other random parts switched off, "
    "like another network. **Deterministic** is the usual prediction, with dropout off.\n\n"
    f"{COMMON}"
)
IMPORTED = (
    "The **passes** were made elsewhere, such as by the members of an ensemble or from altered inputs. Each "
    f"predicts every example.\n\n{COMMON}"
)


def render_most_uncertain(run: Run, state: PageState) -> None:
    """Render the examples that the ensemble is most uncertain about."""
    score = run_scores(run)[run.first_score]
    end = "lowest" if score.uncertain_when == "low" else "highest"
    st.header("What it is most uncertain about", anchor=False)
    marked = "✗ marks a wrong prediction." if has(run, "labels") and task_renderer(run).marks_mistakes else ""
    st.caption(f"The examples with the {end} {score.inline_label}. {marked} Click one to open it.")
    tiles(run, state, ranking(run, score.name)[:TILES], 1, score.name, key="most-uncertain")
    link_to(UNCERTAIN, "All examples, ranked", ":material/arrow_forward:")


def render_help(run: Run) -> None:
    """Render an explanation of the uncertainty, on demand."""
    with st.popover("What is this?", icon=":material/help:", type="tertiary"):
        st.markdown(IMPORTED if is_imported(run) else DROPOUT)


def is_imported(run: Run) -> bool:
    """Whether the passes were made elsewhere."""
    return run.manifest.origin.kind == "imported"


run, state = begin(OVERVIEW, "What is this model uncertain about?", render_help)
labelled = check_needs(run, {"labels"})
parts = "" if is_imported(run) else ", each with other parts of the model switched off"
st.markdown(
    f"Each example has {counted(run.passes, 'prediction')}{parts}. Where they disagree, the model is uncertain."
)
render_most_uncertain(run, state)
if labelled:
    task_renderer(run).render_overview(run)
