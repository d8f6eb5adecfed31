"""A page of images that can be clicked: one picture cut into tiles by the browser."""

import base64
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.wording import score_value
from mcviz.figures import contact_sheet, png
from mcviz.measures import SCORES
from mcviz.runs import Run

SHEET_COLUMNS = 12

_mounted = st.components.v2.component(
    "mcviz_gallery",
    css=(Path(__file__).parent / "gallery.css").read_text(),
    js=(Path(__file__).parent / "gallery.js").read_text(),
)


def gallery(run: Run, images: np.ndarray, first_rank: int, score: str, key: str) -> int | None:
    """Show ranked images with what was said of them.

    Args:
        run: whose images they are.
        images: (n,) integer indices, in the order to be shown.
        first_rank: the rank of the first one, counted from 1.
        score: the name of the score that they are ranked by.
        key: of the component.

    Returns:
        The index of an image that was just clicked, or None.
    """
    sheet = png(contact_sheet(run.images[np.sort(images)][np.argsort(np.argsort(images))], SHEET_COLUMNS))
    rows = run.scores().iloc[images]
    height, width = run.images.shape[1:3]
    result = _mounted(
        key=key,
        data={
            "sheet": "data:image/png;base64," + base64.b64encode(sheet).decode(),
            "columns": SHEET_COLUMNS,
            "rows": -(-len(images) // SHEET_COLUMNS),
            "aspect": width / height,
            "crisp": max(height, width) <= 112,
            "tiles": [
                _tile(int(image), first_rank + place, row, run.class_names, score)
                for place, (image, (_, row)) in enumerate(zip(images, rows.iterrows(), strict=True))
            ],
        },
        on_opened_change=lambda: None,
    )
    return result.opened


def _tile(image: int, rank: int, row: pd.Series, class_names: tuple[str, ...], score: str) -> dict[str, object]:
    known = not pd.isna(row["true_class"])
    said = class_names[int(row["predicted_class"])]
    true = class_names[int(row["true_class"])] if known else ""
    return {
        "image": image,
        "rank": f"#{rank:,}",
        "said": said,
        "true": true,
        "wrong": bool(known and not row["correct"]),
        "value": score_value(score, row[score]),
        "spoken": f"Rank {rank}, image {image}: {f'true class {true}, ' if known else ''}predicted {said}, "
        f"{SCORES[score].label} {score_value(score, row[score])}. Open.",
    }
