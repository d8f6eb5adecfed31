"""Pages of ranked images that can be clicked: one picture a page, cut into tiles by the browser."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app import address
from mcviz.app.parts import EXAMPLE, NO_IMAGES, nothing_passes, open_page
from mcviz.app.views.linked import primary_image
from mcviz.app.views.looked_at import LookedAt
from mcviz.app.wording import score_value
from mcviz.figures import CRISP_BELOW, sheet_url
from mcviz.measures import SCORES
from mcviz.runs import Run

SHEET_COLUMNS = 12
PAGE_SIZES = (24, 48, 96)
TILE = 208  # pixels that a larger image is scaled down to: the smallest tile on a screen of twice the usual sharpness
HERE = Path(__file__).parent

_mounted = st.components.v2.component(
    "mcviz_gallery", css=(HERE / "gallery.css").read_text(), js=(HERE / "gallery.js").read_text()
)


def gallery(looked: LookedAt) -> None:
    """A page of the selected images, with a choice of page and of its size."""
    size = address.one_of("size", PAGE_SIZES, PAGE_SIZES[0])
    pages = max(1, -(-len(looked.images) // size))
    page = address.whole_number("page", 1, 1, pages)
    if len(looked.images) == 0:
        nothing_passes()
        return
    first = (page - 1) * size
    tiles(looked.run, looked.images[first : first + size], first + 1, looked.score, key="gallery")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.pagination(pages, width="stretch", **address.bound("page", page))
        st.segmented_control(
            "Images a page", PAGE_SIZES, required=True, label_visibility="collapsed", **address.bound("size", size)
        )


def tiles(run: Run, images: np.ndarray, first_rank: int | None, score: str, key: str) -> None:
    """Images with what was said of them; a click opens one.

    Args:
        run: whose images they are.
        images: (n,) integer indices, in the order to be shown.
        first_rank: the rank of the first one, counted from 1; None where they are no ranking.
        score: the name of the score that they are ranked by.
        key: of the component.
    """
    if not run.has_images:
        st.info(f"{NO_IMAGES} The table and the scatter chart show the scores.", icon=":material/hide_image:")
        return
    pictures = np.stack([run.images[image] for image in images])
    current = primary_image(run)
    height, width = pictures.shape[1:3]
    rows = run.scores().iloc[images].to_dict("records")
    result = _mounted(
        key=key,
        data={
            "sheet": sheet_url(pictures, SHEET_COLUMNS, TILE),
            "columns": SHEET_COLUMNS,
            "rows": -(-len(images) // SHEET_COLUMNS),
            "aspect": width / height,
            "crisp": max(height, width) < CRISP_BELOW,
            "tiles": [
                _tile(int(image), first_rank and first_rank + place, row, run.class_names, score)
                | {"current": int(image) == current}
                for place, (image, row) in enumerate(zip(images, rows, strict=True))
            ],
        },
        on_opened_change=lambda: None,
    )
    if result.opened is not None:
        open_page(EXAMPLE, image=result.opened)


def _tile(
    image: int, rank: int | None, row: dict[Any, Any], class_names: tuple[str, ...], score: str
) -> dict[str, object]:
    known = not pd.isna(row["label"])
    said = class_names[row["prediction"]]
    true = class_names[row["label"]] if known else ""
    value = score_value(score, row[score])
    return {
        "image": image,
        "rank": f"#{rank:,}" if rank else "",
        "said": said,
        "true": true,
        "wrong": bool(known and not row["correct"]),
        "value": value.replace("over ", ">").replace("under ", "<"),
        "spoken": (f"Rank {rank}, image {image}: " if rank else f"Image {image}: ")
        + (f"true class {true}, " if known else "")
        + f"predicted {said}, {SCORES[score].label} {value}. Open.",
    }
