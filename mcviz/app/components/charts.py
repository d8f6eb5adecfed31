"""Charts, pictures and tables that several pages show in the same way."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from mcviz.app.components.explanation import render_explanation
from mcviz.app.components.histograms import pass_histograms
from mcviz.app.wording import all_as_markdown, counted, prediction_and_votes
from mcviz.figures import enlarge_letters, picture_url, select_classes
from mcviz.measures import PassSummary

PICTURE_WIDTH = 280
MOST_TABLE_ROWS = 12  # above which a table scrolls
TABLE_HEIGHT = 460  # pixels, of one that scrolls
_FOR_AN_AUDIENCE = ContextVar("for_an_audience", default=False)


def chart(figure: go.Figure, key: str, spoken: str) -> None:
    """Render a plotly chart without a toolbar, and a sentence for those who cannot see it."""
    height: Literal["stretch", "content"] = "content"
    if _FOR_AN_AUDIENCE.get():
        figure, height = enlarge_letters(figure), "stretch"
    config = {"displayModeBar": False, "scrollZoom": False}
    st.plotly_chart(figure, key=key, config=config, height=height, alt=spoken)


@contextmanager
def for_an_audience() -> Iterator[None]:
    """Let charts that are drawn within have large letters, and be as high as the page's style makes them."""
    before = _FOR_AN_AUDIENCE.set(True)
    try:
        yield
    finally:
        _FOR_AN_AUDIENCE.reset(before)


def headed_chart(heading: str, figure: go.Figure, key: str, spoken: str) -> None:
    """Render a chart under its heading, with a sentence on it, also for those who cannot see it."""
    st.header(heading, anchor=False)
    st.caption(spoken)
    chart(figure, key, spoken)


def table_height(rows: int) -> int | Literal["content"]:
    """Return how high a table is with so many rows."""
    return "content" if rows <= MOST_TABLE_ROWS else TABLE_HEIGHT


def picture(image: np.ndarray, spoken: str, width: int = PICTURE_WIDTH) -> None:
    """Render one image, small ones enlarged to crisp squares.

    Args:
        image: (height, width, channels) uint8 or float32 in 0..1.
        spoken: what it is, for those who cannot see it.
        width: in pixels; of an image that is taller than wide the height.
    """
    source = picture_url(image, width)
    # Within the page, not as a file beside it: Streamlit would make a JPEG, and may delete it before it is fetched.
    st.image(source, width=max(1, round(width * min(1, image.shape[1] / image.shape[0]))), alt=spoken)


def render_empty_selection() -> None:
    """Render a hint in place of a view of a selection that is empty."""
    st.info("No example passes all of these filters. Take one off above.", icon=":material/filter_alt_off:")


def class_table(summary: PassSummary, class_names: Sequence[str]) -> None:
    """Render mean and std of the classes' probabilities over the passes, in percent; of many classes a few."""
    shown = select_classes(summary.mean)
    rows = pd.DataFrame(
        {
            "class": all_as_markdown([class_names[c] for c in shown]),
            "mean": [f"{100 * mean:.2f} %" for mean in summary.mean[shown]],
            "std": [f"{100 * std:.2f} %" for std in summary.std[shown]],
        }
    ).set_index("class")
    st.markdown(f"**{_all_or_likeliest(len(shown), class_names)} over all passes**")
    st.table(rows)


def _all_or_likeliest(shown: int, class_names: Sequence[str]) -> str:
    return "Each class" if shown == len(class_names) else f"The likeliest {shown} of {len(class_names):,} classes"


def class_charts(
    figure: go.Figure, summary: PassSummary, class_names: Sequence[str], label: int | None, key: str
) -> None:
    """Render the predictive mean with its spread, and one histogram a class.

    Args:
        figure: of the predictive mean.
        summary: of the passes of one example.
        class_names: C names.
        label: its index, where it is known.
        key: that the charts' keys start with.
    """
    st.header("What the ensemble predicts", anchor=False)
    shown = len(select_classes(summary.mean))
    if shown < len(class_names):
        and_label = "" if label is None else " and the label"
        st.caption(f"The likeliest {shown} of {len(class_names):,} classes{and_label} are shown, here and below.")
    st.caption("The mean of all passes for each class, and one standard deviation to either side.")
    chart(figure, f"{key}-classes", f"Bar chart of the mean: {prediction_and_votes(summary, class_names)}")
    st.header("What the single passes predict", anchor=False)
    st.caption(
        f"One histogram a class: how often each probability was predicted in {counted(summary.passes, 'pass')}. A "
        "narrow peak means that the passes agree; a wide one, or two, that they do not. The height is on a "
        "square-root scale."
    )
    render_explanation(f"explanation-{key}", {"histograms": pass_histograms(summary, class_names, label)})
