"""Examples as tiles that can be clicked: one picture for all, cut into tiles by the browser, or words on each."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.components import load_assets
from mcviz.app.kinds import kind_renderer
from mcviz.app.kinds.base import TILE
from mcviz.app.navigation import EXAMPLE, Page, open_page
from mcviz.app.resources import details, format_facts, format_value, run_scores, table
from mcviz.app.state import PageState, widget_value
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import TileText
from mcviz.app.wording import abbreviated
from mcviz.measures import Score, percent
from mcviz.runs import Run
from mcviz.text import true_minus

MOST_FACTS = 12  # columns, that a tile's tooltip lists

_mounted = st.components.v2.component(
    "mcviz_gallery",
    css=load_assets("tile.css", "acts.css", "gallery.css"),
    js=load_assets("listening.js", "element.js", "tile.js", "acts.js", "latest_data.js", "gallery.js"),
)


def tiles(
    run: Run,
    state: PageState,
    examples: np.ndarray,
    first_rank: int | None,
    score: str,
    key: str,
    to: Page = EXAMPLE,
    *,
    looks: bool = False,
    size: str = "",
) -> None:
    """Render examples with labels and predictions; a click opens one, or shows it in the panel beside.

    Args:
        run: whose examples they are.
        state: of the page; the example that was looked at last is marked.
        examples: (n,) integer numbers, in the order to be shown.
        first_rank: the rank of the first one, counted from 1; None where they are no ranking.
        score: the name of the score that is shown of each.
        key: of the component.
        to: the page that a click goes to.
        looks: whether there is a panel beside; then a click looks, Enter or a double click opens, and tiles are ticked,
            pinned and flagged in place.
        size: "dense" or "large" where there is no panel beside; with one, the state says it.
    """
    data = tile_data(run, state, examples, first_rank, score)
    data |= {"looks": looks, "size": state.tile_size if looks else size}
    result = _mounted(key=key, data=data, on_clicked_change=lambda: None)
    if result.clicked is not None:
        open_page(to, state, example=result.clicked)


def tile_data(
    run: Run, state: PageState, examples: np.ndarray, first_rank: int | None, score: str, side: int = TILE
) -> dict[str, Any]:
    """Return the data from which the browser draws examples as tiles; see `tiles`, and `KindRenderer.tiles`."""
    rows, score_shown, own = table(run).iloc[examples].to_dict("records"), run_scores(run)[score], details(run)
    contents, tile_text = kind_renderer(run).tiles(run, examples, side), task_renderer(run).tile_text
    more_of_tiles = contents.details or ({},) * len(rows)
    return {
        **contents.sheet,
        "tiles": [
            _tile(row, tile_text(run, row), score_shown)
            | {
                "example": int(example),
                "current": int(example) == state.example,
                "marks": {name: int(example) in marked for name, marked in marks(state).items()},
                "name": format_value(row["id"]) if "id" in own else f"example {example}",
                "hover": "\n".join(
                    [
                        f"{f'#{first_rank + index:,} by ' if first_rank else ''}{score_shown.inline_label}: "
                        f"{score_shown.format(row[score])}",
                        *(f"{name}: {value}" for name, value in format_facts(own[:MOST_FACTS], row)),
                    ]
                ),
                **more,
            }
            for index, (example, row, more) in enumerate(zip(examples, rows, more_of_tiles, strict=True))
        ],
    }


def input_tiles(
    run: Run,
    contents: np.ndarray,
    numbers: Sequence[int],
    rows: Sequence[Mapping[str, Any]],
    name: str,
    current: int | None,
    look: Callable[[int], None],
    key: str,
) -> None:
    """Render inputs that are not in the run as tiles.

    Args:
        run: whose model predicts.
        contents: n inputs.
        numbers: of the inputs.
        rows: what is predicted for each, as `TaskRenderer.compute_scores` names it; empty where that is not known.
        name: of one input, for those who cannot see it.
        current: the number of the one that is looked at.
        look: called with the number of one that is clicked, as a callback.
        key: of the component.
    """

    def heard() -> None:
        component = widget_value(key)  # which is gone where somebody left the page meanwhile
        if component and component.clicked is not None:
            look(component.clicked)

    shown, score = kind_renderer(run).input_tiles(run, contents), run_scores(run)[run.first_score]
    tiles = [
        {
            "example": number,
            "current": number == current,
            "name": f"seed {number}",
            "spoken": f"{name} {number}",
            "prediction": task_renderer(run).tile_text(run, defaultdict(lambda: np.nan, row)).prediction if row else "",
            "value": short_value(score, row[score.name]) if row else "",
            "hover": f"{score.inline_label}: {score.format(row[score.name])}" if row else "",
            **more,
        }
        for number, row, more in zip(numbers, rows, shown.details or ({},) * len(numbers), strict=True)
    ]
    data = {**shown.sheet, "tiles": tiles, "looks": False, "size": "small" if shown.sheet else ""}
    _mounted(key=key, data=data, on_clicked_change=heard)


def marks(state: PageState) -> dict[str, tuple[int, ...]]:
    """Return the examples of each mark, by the act that puts it on and takes it off."""
    return {"tick": state.ticked, "pin": state.pinned, "flag": state.flagged}


def _tile(row: dict[Any, Any], text: TileText, score: Score) -> dict[str, object]:
    return {
        "prediction": text.prediction,
        "label": text.label,
        "wrong": text.wrong and not score.needs_labels,  # by which the label is suspect, and not the model
        "value": short_value(score, row[score.name]),
    }


def short_value(score: Score, value: float) -> str:
    """Format a score for a tile: a whole percentage, or three digits without a unit."""
    if score.unit in ("probability", "share of passes"):
        return abbreviated(percent(value, 0))
    return true_minus(f"{value:.2f}" if score.unit == "nats" else f"{value:.3g}")
