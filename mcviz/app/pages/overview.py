"""The quality of the model, one pass and the ensemble, and its most uncertain examples."""

import streamlit as st

from mcviz.app.components.gallery import tiles
from mcviz.app.navigation import EXPLORE, OVERVIEW, begin, link_to
from mcviz.app.resources import check_needs, has, ranking, run_scores, table
from mcviz.app.selection import mistakes
from mcviz.app.state import PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.wording import as_inline_markdown, counted, mistakes_sentence
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
    marked = (
        "Orange marks a wrong prediction: label → prediction."
        if has(run, "labels") and task_renderer(run).marks_mistakes
        else ""
    )
    st.caption(f"The examples with the {end} {score.inline_label}. {marked} Click one to open it.")
    tiles(run, state, ranking(run, score.name)[:TILES], 1, score.name, key="most-uncertain")
    with st.container(horizontal=True, vertical_alignment="center"):
        link_to(EXPLORE, "All examples, ranked", ":material/arrow_forward:")
        render_help(run)


def render_help(run: Run) -> None:
    """Render an explanation of the uncertainty, on demand."""
    with st.popover("What is this?", icon=":material/help:", type="tertiary"):
        st.markdown(IMPORTED if is_imported(run) else DROPOUT)


def is_imported(run: Run) -> bool:
    """Whether the passes were made elsewhere."""
    return run.manifest.origin.kind == "imported"


def describe_run(run: Run, _state: PageState) -> str:
    """Say how accurate the ensemble is and how uncertain of its mistakes; or how often the passes disagree."""
    examples = counted(len(run), "example")
    if run.manifest.quality is not None:
        quality = run.task.format_quality(run.manifest.quality, run.manifest.unit)
        measured = f"On {examples} the ensemble's {run.task.quality_name} is {as_inline_markdown(quality)}."
        wrong = mistakes(run)
        if wrong is None:
            return measured
        return f"{measured} {mistakes_sentence(wrong[ranking(run, run.first_score)], 'the {} most uncertain examples')}"
    if "variation_ratio" in run_scores(run):
        disagree = int((table(run)["variation_ratio"] > 0).sum())
        return f"The passes disagree on {disagree:,} of {examples}."
    return f"{examples} in {counted(run.passes, 'pass')}."


run, state = begin(OVERVIEW, describe_run)
labelled = check_needs(run, {"labels"})
render_most_uncertain(run, state)
if labelled:
    task_renderer(run).render_overview(run)
