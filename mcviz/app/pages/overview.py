"""Quality of the model, least confident examples, and the number of passes."""

import streamlit as st

from mcviz import plot
from mcviz.app.components import chart, heading
from mcviz.app.components.gallery import has_long_names, tiles
from mcviz.app.navigation import EXPLORE, OVERVIEW, begin, link_to, scroll_to_section
from mcviz.app.referral import cached_best_score
from mcviz.app.resources import check_needs, has, ranking, run_scores
from mcviz.app.state import UNCERTAIN_FIRST, PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import PASSES, QUALITY_HEIGHT
from mcviz.app.wording import as_markdown, direction
from mcviz.runs import Run

TILES, NAMED_TILES, LARGE_TILES = 16, 12, 8  # in full rows: with long names, and with texts, facts or numbers
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


def describe_run(run: Run, _state: PageState) -> str:
    """Describe quality and mistakes; without labels, disagreement."""
    return task_renderer(run).phrases.describe_run(run)


def render_most_uncertain(run: Run, state: PageState) -> None:
    """Render the most uncertain examples."""
    score = run_scores(run)[run.first_score]
    legend = task_renderer(run).phrases.tile_legend
    marked = f" {legend}" if has(run, "labels") and legend else ""
    first_end = direction(score, UNCERTAIN_FIRST)
    heading("What it is most uncertain about", f"{score.label}, {first_end} first. Click one to open it.{marked}")
    pictures, numbers = has(run, "images"), not task_renderer(run).phrases.marks_mistakes
    usual = NAMED_TILES if has_long_names(run) else TILES
    most = LARGE_TILES if run.kind.content.in_columns or (pictures and numbers) else usual
    size = "dense" if pictures and not numbers else "large"
    tiles(run, state, ranking(run, score.name)[:most], 1, score.name, key="most-uncertain", size=size)
    if best := cached_best_score(run):
        st.caption(as_markdown(best))
    with st.container(horizontal=True, vertical_alignment="center"):
        link_to(EXPLORE, "All examples, ranked", ":material/arrow_forward:")
        with st.popover("What is this?", icon=":material/help:", type="tertiary"):
            st.markdown(IMPORTED if run.manifest.origin.kind == "imported" else DROPOUT)


def render_distribution(run: Run) -> None:
    """Render the distribution of uncertainty if quality is unknown."""
    score = run_scores(run)[run.first_score]
    st.header("How uncertain it is", anchor=False)
    check_needs(run, {"labels"})
    figure = plot.distribution(run, score.name).update_layout(height=QUALITY_HEIGHT)
    chart(figure, "distribution", f"Histogram of {score.inline_label} over all examples.")


def render_passes(run: Run, state: PageState) -> None:
    """Render how many passes it takes."""
    with st.container(key=PASSES, gap="xsmall"):
        st.header("How many passes it takes", anchor=False)
        task_renderer(run).render_passes(run, state)
    scroll_to_section(state, PASSES)


run, state = begin(OVERVIEW, describe_run)
labelled = has(run, "labels")
with st.container(key="overview"):
    left, right = st.columns([3, 2], gap="large")
with left:
    render_most_uncertain(run, state)
with right:
    if labelled:
        task_renderer(run).render_quality(run)
    else:
        render_distribution(run)
with left:  # after the chart, which takes a browser longest
    from mcviz.app.sweep import render_noise_summary  # with jobs and detectors, for which no tile waits

    render_noise_summary(run)
if labelled:
    render_passes(run, state)
    task_renderer(run).render_measures(run)
