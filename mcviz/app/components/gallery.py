"""Examples as tiles that can be clicked: one picture for all, cut into tiles by the browser; none without images."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.columns import facts_of, own_columns, shown
from mcviz.app.navigation import EXAMPLE, open_page
from mcviz.app.needs import has
from mcviz.app.resources import class_names, table
from mcviz.app.state import PageState
from mcviz.app.wording import abbreviated
from mcviz.figures import CRISP_BELOW, sheet_url
from mcviz.measures import SCORES
from mcviz.runs import Run

SHEET_COLUMNS = 12
TILE = 208  # pixels that a larger image is scaled down to: the smallest tile on a screen of twice the usual sharpness
MOST_FACTS = 12  # columns, that a tile's tooltip lists
HERE = Path(__file__).parent

_mounted = st.components.v2.component(
    "mcviz_gallery", css=(HERE / "gallery.css").read_text(), js=(HERE / "gallery.js").read_text()
)


def tiles(run: Run, state: PageState, examples: np.ndarray, first_rank: int | None, score: str, key: str) -> None:
    """Examples with their labels and predictions; a click opens one.

    Args:
        run: whose examples they are.
        state: of the page; the example that was opened last is marked.
        examples: (n,) integer numbers, in the order to be shown.
        first_rank: the rank of the first one, counted from 1; None where they are no ranking.
        score: the name of the score that is shown of each.
        key: of the component.
    """
    rows, names = table(run).iloc[examples].to_dict("records"), class_names(run)
    own = list(own_columns(run))
    result = _mounted(
        key=key,
        data=_sheet(run, examples)
        | {
            "tiles": [
                _tile(int(example), first_rank and first_rank + index, row, names, score)
                | {
                    "current": int(example) == state.example,
                    "name": shown(row["id"]) if "id" in own else f"example {example}",
                }
                | {"hover": "\n".join(f"{name}: {value}" for name, value in facts_of(own[:MOST_FACTS], row))}
                for index, (example, row) in enumerate(zip(examples, rows, strict=True))
            ],
        },
        on_clicked_change=lambda: None,
    )
    if result.clicked is not None:
        open_page(EXAMPLE, state, example=result.clicked)


def _sheet(run: Run, examples: np.ndarray) -> dict[str, object]:
    """The picture of all tiles, and how the browser cuts it; nothing where the run has no images."""
    if not has(run, "images"):
        return {}
    pictures = run.pictures[examples]
    height, width = pictures.shape[1:3]
    return {
        "sheet": sheet_url(pictures, SHEET_COLUMNS, TILE),
        "columns": SHEET_COLUMNS,
        "rows": -(-len(pictures) // SHEET_COLUMNS),
        "aspect": width / height,
        "crisp": max(height, width) < CRISP_BELOW,
    }


def _tile(
    example: int, rank: int | None, row: dict[Any, Any], class_names: tuple[str, ...], score: str
) -> dict[str, object]:
    known = not pd.isna(row["label"])
    prediction = class_names[row["prediction"]]
    label = class_names[row["label"]] if known else ""
    value = SCORES[score].format(row[score])
    return {
        "example": example,
        "rank": f"#{rank:,}" if rank else "",
        "prediction": prediction,
        "label": label,
        "wrong": bool(known and not row["correct"]),
        "value": abbreviated(value),
        "spoken": (f"Rank {rank}, example {example}: " if rank else f"Example {example}: ")
        + (f"label {label}, " if known else "")
        + f"predicted {prediction}, {SCORES[score].label} {value}. Open.",
    }
