"""How well scores and other detectors find out-of-distribution images, as the OOD study found on MNIST."""

from pathlib import Path

import pandas as pd
import streamlit as st

from mcviz.figures.detection import shades

STUDY = Path(__file__).parents[1] / "ood_study.csv"  # written by `python -m benchmarks.ood.tables --keep`


@st.cache_data(show_spinner=False)
def study() -> pd.DataFrame:
    """AUROC, 0 to 1: a row a detector, a column a set of images."""
    return pd.read_csv(STUDY, index_col="detector")


st.title("Out of distribution", anchor=False)
st.info(
    "This table is about five trainings of a small network on MNIST, and not about the open run.",
    icon=":material/info:",
)
st.markdown(
    "A cell is the AUROC, the median of the trainings: the chance that an image of the set gets a higher OOD score "
    "than a test image; 1 is perfect, 0.5 is guessing, and “own mistakes” are wrong predictions against correct ones. "
    "Activations in front of dropout find the most, averaging passes helps on letters and on rotated or inverted "
    "digits, and higher moments of the passes hardly help."
)
st.caption("Method, ranges and all 49 detectors: `docs/higher-moments.md` in the project’s folder.")
table = study()
colours = shades(table.to_numpy())
st.dataframe(
    table.style.format("{:.3f}").apply(lambda _: colours, axis=None),
    key="ood-study",
    height="content",
    column_config={"_index": st.column_config.Column(width=240)},
)
