"""Pieces that several pages show in the same way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from mcviz.app import address
from mcviz.app.histograms import pass_histograms
from mcviz.app.wording import percent, votes
from mcviz.figures import class_probabilities, png_url
from mcviz.measures import SCORES, most_uncertain_first, summarise
from mcviz.runs import Run

FOLDER = Path(__file__).parent / "pages"
PICTURE_WIDTH = 280
NO_IMAGES = "This run was kept without its images; sample it again and keep them to see them here."


@dataclass(frozen=True)
class Listed:
    """A page of the dashboard: where its script is, what it is called, and its icon."""

    script: str
    title: str
    icon: str


OVERVIEW = Listed(f"{FOLDER}/overview.py", "Overview", ":material/monitoring:")
UNCERTAIN = Listed(f"{FOLDER}/uncertain.py", "Uncertain examples", ":material/grid_view:")
EXAMPLE = Listed(f"{FOLDER}/example.py", "One example", ":material/image_search:")
PROBE = Listed(f"{FOLDER}/probe.py", "Noise probe", ":material/grain:")
COMPARE = Listed(f"{FOLDER}/compare.py", "Side by side", ":material/compare:")
STORY = Listed(f"{FOLDER}/story.py", "Story", ":material/auto_stories:")
OUT_OF_DISTRIBUTION = Listed(f"{FOLDER}/out_of_distribution.py", "Out of distribution", ":material/rule:")
PAGES = (OVERVIEW, UNCERTAIN, EXAMPLE, COMPARE, PROBE, OUT_OF_DISTRIBUTION, STORY)


def navigation() -> None:
    """Links to every page, which carry the run, the selection and the image along."""
    with st.container(horizontal=True, gap="xsmall", key="navigation"):
        for listed in PAGES:
            st.page_link(listed.script, label=listed.title, icon=listed.icon, query_params=st.query_params.to_dict())


def open_page(listed: Listed, **values: object) -> None:
    """Go to a page with the address as it is, but for these values."""
    query = {**st.query_params.to_dict(), **{key: str(value) for key, value in values.items()}}
    st.switch_page(listed.script, query_params=query)


def title(text: str, run: Run) -> None:
    """The page's heading, with the run that it is about."""
    manifest = run.manifest
    st.title(text, anchor=False)
    st.caption(
        f"**{run.name}** · {manifest.images.count:,} images · {manifest.passes:,} passes · masks "
        f"{'shared by the images of a pass' if manifest.masks == 'per_pass' else 'drawn for each image'}"
    )


def chosen_score() -> str:
    """The score that images are ranked by, as the address says."""
    return address.one_of("score", list(SCORES), "max_probability")


def score_chooser(label: str) -> str:
    """A choice among `SCORES`, which all pages share."""
    chosen = chosen_score()
    st.selectbox(
        label,
        list(SCORES),
        format_func=lambda name: SCORES[name].label,
        width=250,
        **address.bound("score", chosen),
    )
    return chosen


@st.cache_data(max_entries=64, show_spinner=False)
def ranking(digest: str, score: str, _run: Run) -> np.ndarray:  # noqa: ARG001 (the digest is the cache's key)
    """(N,) int64: the image of each rank by a score, most uncertain first."""
    return most_uncertain_first(score, _run.scores()[score].to_numpy())


def chart(figure: go.Figure, key: str, spoken: str) -> None:
    """A plotly chart without a toolbar, and a sentence for those who cannot see it."""
    st.plotly_chart(figure, key=key, config={"displayModeBar": False, "scrollZoom": False}, alt=spoken)


def picture(image: np.ndarray, spoken: str, width: int = PICTURE_WIDTH) -> None:
    """One image, small ones enlarged to crisp squares.

    Args:
        image: (height, width, channels) uint8 or float32 in 0..1.
        spoken: what it is, for those who cannot see it.
        width: in pixels.
    """
    source = png_url(image, scale=max(1, 2 * width // max(image.shape[:2])))
    # Within the page, not as a file beside it: Streamlit would make a JPEG, and may delete it before it is fetched.
    st.image(source, width=width, alt=spoken)


def pictured(run: Run, image: int, width: int = PICTURE_WIDTH) -> None:
    """One image of a run, or a word on why it cannot be shown."""
    if run.has_images:
        picture(run.images[image], f"Image {image}", width)
    else:
        st.caption(f":material/hide_image: Image {image}. {NO_IMAGES}")


def nothing_passes() -> None:
    """What a view of the selected images shows when there is none."""
    st.info("No image passes all of these filters. Take one off above.", icon=":material/filter_alt_off:")


def class_table(probs: np.ndarray, class_names: Sequence[str]) -> None:
    """Mean and standard deviation of each class's probability over the passes, in percent.

    Args:
        probs: (T, C) probabilities of one image.
        class_names: C names.
    """
    table = pd.DataFrame(
        {
            "class": class_names,
            "mean": [f"{100 * mean:.2f} %" for mean in probs.mean(axis=0, dtype=np.float64)],
            "std": [f"{100 * std:.2f} %" for std in probs.std(axis=0, dtype=np.float64)],
        }
    ).set_index("class")
    st.table(table)


def class_charts(probs: np.ndarray, class_names: Sequence[str], label: int | None, key: str) -> None:
    """The predictive mean with its spread, and one histogram a class.

    Args:
        probs: (T, C) probabilities of one image.
        class_names: C names.
        label: its index, where it is known.
        key: that the charts' keys start with.
    """
    mean = probs.mean(axis=0, dtype=np.float64)
    spoken = f"{percent(mean.max())} for {class_names[int(mean.argmax())]}; {votes(probs, class_names)}."
    st.subheader("What the ensemble says", anchor=False)
    st.caption("The mean of all passes for each class, and one standard deviation to either side.")
    figure = class_probabilities(summarise(probs), class_names, label)
    chart(figure, f"{key}-classes", f"Bar chart of the mean: {spoken}")
    st.subheader("What the single passes say", anchor=False)
    st.caption(
        f"One histogram a class: how often each probability was given in the {len(probs)} passes. A narrow peak means "
        "that the passes agree; a wide one, or two, that they do not. The height is on a square-root scale."
    )
    pass_histograms(probs, class_names, f"{key}-passes", f"Histograms of the passes: {spoken}", label)
