"""Tiles of examples, the gallery, and the panel beside a view.

The browser cuts one picture into all tiles.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.components import (
    PICTURE_WIDTH,
    TURNS,
    Explanation,
    load_assets,
    render_empty_selection,
    send_ahead,
)
from mcviz.app.kinds import EXAMPLE_WIDTH, kind_renderer, render_example
from mcviz.app.kinds.base import TILE, Tiles
from mcviz.app.kinds.image import picture_tiles
from mcviz.app.navigation import EXAMPLE, SIDE_BY_SIDE, Page, open_page
from mcviz.app.resources import (
    cached_for_run,
    class_names,
    details,
    format_facts,
    format_value,
    has,
    names_key,
    numbers_key,
    run_scores,
    table,
)
from mcviz.app.selection import Selection, find_rank, select
from mcviz.app.state import (
    PINS,
    TICKS,
    PageState,
    add_examples,
    latest_state,
    mark_rendered,
    queue_toast,
    rerun_fragments,
    session_store,
    state_widget_args,
    toggle_example,
    update_state,
    widget_value,
)
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import ExampleContext, TileText, load_example
from mcviz.app.wording import abbreviated, counted
from mcviz.errors import McvizError
from mcviz.figures import sheet_url
from mcviz.measures import Score
from mcviz.runs import Run
from mcviz.text import percent, true_minus

SHORT_NAME = 5  # letters, of which two names and a value fit in the line of a tile
MOST_FACTS = 12  # columns, that a tile's tooltip lists

_mounted = st.components.v2.component(
    "mcviz_gallery",
    css=load_assets("tile.css", "acts.css", "gallery.css"),
    js=load_assets(
        "listening.js", "element.js", "tile.js", "acts.js", "act_buttons.js", "latest_data.js", "gallery.js"
    ),
)

_mounted_look = st.components.v2.component(
    "mcviz_look",
    css=load_assets("tile.css", "acts.css", "text_box.css", "sentences.css", "strips.css", "look.css"),
    js=load_assets(
        "internals.js",
        "listening.js",
        "element.js",
        "tile.js",
        "acts.js",
        "act_buttons.js",
        "text.js",
        "sentences.js",
        "histograms.js",
        "strips.js",
        "latest_data.js",
        "sender.js",
        "look.js",
    ),
)

POINTS, PICTURED = "points", "pictured"  # the fragment of a chart's pictures, and its examples, in the session
MOST_PICTURES = 150  # points in view, up to which they are pictures
PANEL = "look"  # the key of the fragment, of its container and of its head
AROUND = 100  # examples before and after the one that is looked at, through which keys go without asking
LARGE = 360  # pixels, of a picture in the panel on a screen of twice the usual sharpness
SMALL_WIDTH = 170  # pixels, of one example among others in the panel

MOST_AHEAD = 2_000_000  # predicted numbers, which are read and summed up in a second


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
    facts: Sequence[Sequence[tuple[str, str]]] = (),
    pictures: np.ndarray | None = None,
) -> None:
    """Render examples as tiles; a click opens one or shows it in the panel.

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
        facts: of each example, the lines that stand in place of label and prediction: names and values.
        pictures: (n, height, width, channels) uint8, in place of the usual ones.
    """
    data = tile_data(run, state, examples, first_rank, score, pictures=pictures)
    for tile, lines in zip(data["tiles"], facts, strict=True) if facts else ():
        tile |= {"facts": lines, "prediction": ""}
    data |= {"looks": looks, "size": state.tile_size if looks else size}
    result = _mounted(key=key, data=data, on_clicked_change=lambda: None)
    if result.clicked is not None:
        open_page(to, state, example=result.clicked)


def tile_data(
    run: Run,
    state: PageState,
    examples: np.ndarray,
    first_rank: int | None,
    score: str,
    side: int = TILE,
    pictures: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return the browser's data of tiles; see `tiles` and `KindRenderer.tiles`."""
    rows, score_shown, own = table(run).iloc[examples].to_dict("records"), run_scores(run)[score], details(run)
    draw = _keep_pictures if has(run, "images") else _draw_contents
    contents = draw(run, examples, side) if pictures is None else picture_tiles(pictures, side)
    tile_text = task_renderer(run).phrases.tile_text
    more_of_tiles, texts = contents.details or ({},) * len(rows), [tile_text(run, row) for row in rows]
    return {
        **contents.sheet,
        "named": has_long_names(run),
        "tiles": [
            _tile(row, text, score_shown)
            | {
                "example": int(example),
                "current": int(example) == state.example,
                "marks": {name: int(example) in marked for name, marked in marks(state).items()},
                "name": format_value(row["id"]) if "id" in own else f"example {example}",
                "hover": "\n".join(
                    [
                        *([text.whole[:1].upper() + text.whole[1:]] if text.whole else []),
                        f"{f'#{first_rank + index:,} by ' if first_rank else ''}{score_shown.inline_label}: "
                        f"{score_shown.format(row[score])}",
                        *(f"{name}: {value}" for name, value in format_facts(own[:MOST_FACTS], row)),
                    ]
                ),
                **more,
            }
            for index, (example, row, more, text) in enumerate(zip(examples, rows, more_of_tiles, texts, strict=True))
        ],
    }


def has_long_names(run: Run) -> bool:
    """Return whether label and prediction need a line each."""
    return has(run, "classes") and max(map(len, class_names(run))) > SHORT_NAME


def _draw_contents(run: Run, examples: np.ndarray, side: int) -> Tiles:
    return task_renderer(run).tiles(run, examples, side)


_keep_pictures = cached_for_run(numbers_key, max_entries=16)(_draw_contents)


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
    """Render inputs outside the run as tiles.

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
    tile_text = task_renderer(run).phrases.tile_text
    texts = [tile_text(run, defaultdict(lambda: np.nan, row)) if row else TileText("") for row in rows]
    tiles = [
        {
            "example": number,
            "current": number == current,
            "name": f"seed {number}",
            "spoken": f"{name} {number}",
            "prediction": text.prediction,
            "brief": text.brief,
            "value": short_value(score, row[score.name]) if row else "",
            "hover": f"{score.inline_label}: {score.format(row[score.name])}" if row else "",
            **more,
        }
        for number, row, text, more in zip(numbers, rows, texts, shown.details or ({},) * len(numbers), strict=True)
    ]
    data = {**shown.sheet, "tiles": tiles, "looks": False, "size": "small" if shown.sheet else ""}
    _mounted(key=key, data=data, on_clicked_change=heard)


def marks(state: PageState) -> dict[str, tuple[int, ...]]:
    """Return marked examples by the act that toggles the mark."""
    return {"tick": state.ticked, "pin": state.pinned, "flag": state.flagged}


def _tile(row: dict[Any, Any], text: TileText, score: Score) -> dict[str, object]:
    return {
        "prediction": text.prediction,
        "brief": text.brief,
        "label": text.label,
        "wrong": text.wrong and not score.needs_labels,  # by which the label is suspect, and not the model
        "value": short_value(score, row[score.name]),
    }


def short_value(score: Score, value: float) -> str:
    """Format a score as a whole percentage or with three digits."""
    if score.unit in ("probability", "share of passes"):
        return abbreviated(percent(value, 0))
    return true_minus(f"{value:.2f}" if score.unit == "nats" else f"{value:.3g}")


def look_head(key: str, data: dict[str, Any], act: Callable[[Any], None]) -> Any:
    """Render the head, which receives requests of the browser: `what`, an `example`, and for ranges all `examples`.

    Args:
        key: of the component.
        data: the example's tile and picture as `tile_data` gives them, its rank, what is said of it, and the numbers
            of those around it; only the latter where no example is shown.
        act: called with what is asked, as a callback.

    Returns:
        What was asked in this rerun, or None.
    """

    def heard() -> None:
        component = widget_value(key)  # which is gone where somebody left the page meanwhile
        act(component.asked if component else None)

    return _mounted_look(key=key, data=data, on_asked_change=heard).asked


def render_look_panel(run: Run, paged: bool) -> None:
    """Render the panel, which handles requests of views and keys.

    Args:
        run: that is open.
        paged: whether the view beside is a page of the selection, which then turns over to the example.
    """
    with st.container(key=PANEL):
        _render_panel(run, paged)


def look_at_example(run: Run, example: int, paged: bool) -> None:
    """Show an example in a callback; only the panel is redrawn on the same page."""
    state = latest_state()
    at = find_rank(example, select(run, state).examples)
    page = at // state.page_size + 1 if at >= 0 and paged else state.page
    if page != state.page:
        update_state(example=example, page=page)
        return
    update_state(example=example, parts=(PANEL,))


def tick_examples(examples: tuple[int, ...]) -> None:
    """Tick exactly these examples in a callback, as many as an address holds."""
    if len(examples) > TICKS:
        queue_toast(f"Only {TICKS} examples can be ticked at a time.", ":material/select_check_box:")
    update_state(ticked=examples[:TICKS])


def pin_examples(examples: tuple[int, ...]) -> None:
    """Pin exactly these examples in a callback, if they fit."""
    if len(examples) > PINS:
        queue_toast(f"Only {PINS} examples fit side by side. Unpin one first.", ":material/keep:")
        rerun_fragments()
    else:
        update_state(pinned=examples)


def render_marked_bar(selection: Selection) -> None:
    """Render buttons for ticked and pinned examples."""
    ticked, pinned = selection.state.ticked, selection.state.pinned
    if not ticked and len(pinned) < 2:
        return
    full = len(add_examples(pinned, ticked)) > PINS
    acts: dict[str, tuple[str, Callable[[PageState], None]]] = {  # with the state at the click
        "Filter to these": (
            ":material/filter_alt:", lambda now: update_state(filters=replace(now.filters, selected=now.ticked)),
        ),
        "Flag": (":material/flag:", lambda now: update_state(flagged=add_examples(now.flagged, now.ticked))),
        "Pin": (":material/keep:", lambda now: pin_examples(add_examples(now.pinned, now.ticked))),
        "Untick": (":material/close:", lambda _: update_state(ticked=())),
    }  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="marked"):
        if ticked:
            st.markdown(f"**{counted(len(ticked), 'example')}** ticked", width="content")
        for label, (icon, act) in acts.items() if ticked else ():
            st.button(
                label,
                icon=icon,
                type="tertiary",
                key=f"ticked-{label}",
                disabled=label == "Pin" and full,
                help=f"Only {PINS} examples fit side by side." if label == "Pin" else None,
                on_click=lambda act: act(latest_state()),
                args=(act,),
            )
        if len(pinned) > 1 and st.button(f"Compare {len(pinned)} pinned", icon=SIDE_BY_SIDE.icon, key="compare-pinned"):
            open_page(SIDE_BY_SIDE, latest_state())


@st.fragment(key=PANEL)
def _render_panel(run: Run, paged: bool) -> None:
    state = latest_state()
    selection = select(run, state)
    example = state.example
    if example is None and len(selection.examples):
        example = int(selection.examples[0])
    alone = example not in state.ticked or len(state.ticked) == 1
    context = load_example(run, state, example) if example is not None and alone else None
    head = {**_head_data(selection, example), **_explanation_data(context), "turn": next(TURNS)}
    asked = look_head("look-head", head, partial(_handle_request, run, paged))
    if isinstance(asked, dict) and asked.get("what") == "open" and _is_example(run, asked.get("example")):
        open_page(EXAMPLE, state, example=asked["example"])
    if context is not None:
        _render_below(context)
    elif example is not None:
        _render_side_by_side(run, state, example)
    mark_rendered(PANEL)


def _head_data(selection: Selection, example: int | None) -> dict[str, Any]:
    run, state, examples = selection.run, selection.state, selection.examples
    if example is None:
        return {"near": []}
    at = find_rank(example, examples)
    data = tile_data(run, state, np.array([example]), None if at < 0 else at + 1, selection.score)
    (tile,) = data.pop("tiles")
    return {
        **data,
        "sheet": sheet_url(task_renderer(run).pictures(run, np.array([example]), LARGE), 1, LARGE)
        if has(run, "images")
        else "",
        "tile": tile,
        "rank": "does not match" if at < 0 else f"{at + 1:,} of {len(examples):,}",
        "near": examples[max(0, at - AROUND) : max(0, at) + AROUND + 1].tolist(),
        "chosen": state.example is not None,
        "pinsFull": len(state.pinned) >= PINS,
    }


def _explanation_data(context: ExampleContext | None) -> dict[str, Any]:
    if context is None:
        return {"alone": False}
    run, example = context.run, context.example
    text = kind_renderer(run).text(run, example) if has(run, "examples") else ""
    return {"alone": True, "text": text, "explanation": task_renderer(run).explain(context)}


def _render_below(context: ExampleContext) -> None:
    run, example = context.run, context.example
    task_renderer(run).render_preview(context)
    if has(run, "examples") and not has(run, "images") and not kind_renderer(run).text(run, example):
        render_example(run, example, EXAMPLE_WIDTH)


def _render_side_by_side(run: Run, state: PageState, example: int) -> None:
    others = [other for other in state.ticked if other != example]
    compared = [example, *others[: PINS - 1]]
    those = f", {PINS} of them" if len(others) >= PINS else ""
    st.markdown(f"**{counted(len(state.ticked), 'ticked example')}**{those} side by side")
    for pair in (compared[:2], compared[2:]):
        for column, member in zip(st.columns(2, gap="small"), pair, strict=False):
            with column:
                if not task_renderer(run).draws_examples(run):
                    render_example(run, member, SMALL_WIDTH)
                st.caption(f"Example {member}")
                task_renderer(run).render_pinned(load_example(run, state, member))


def _handle_request(run: Run, paged: bool, asked: Any) -> None:
    state = latest_state()
    if not isinstance(asked, dict) or not _is_example(run, asked.get("example")):
        return
    example: int = asked["example"]
    match asked.get("what"):
        case "look":
            look_at_example(run, example, paged)
        case "hover" | "pictures":
            wanted = [near for near in asked.get("examples", (example,)) if _is_example(run, near)]
            session_store()[PICTURED] = wanted[:MOST_PICTURES]
            rerun_fragments(POINTS)
            return
        case "close":
            update_state(example=None, parts=(PANEL,))
        case "range":
            wanted = [near for near in asked.get("examples", ()) if _is_example(run, near)]
            tick_examples(add_examples(state.ticked, wanted))
        case "tick" | "pin" | "flag" as what:
            toggle_mark(what, example)
    rerun_fragments(PANEL)


def toggle_mark(what: str, example: int) -> None:
    """Toggle a mark of an example in a callback.

    Args:
        what: the act, of `marks`.
        example: its number.
    """
    changed = toggle_example(marks(latest_state())[what], example)
    match what:
        case "tick":
            tick_examples(changed)
        case "pin":
            pin_examples(changed)
        case "flag":
            update_state(flagged=changed)


def _is_example(run: Run, example: object) -> bool:
    return isinstance(example, int) and not isinstance(example, bool) and 0 <= example < len(run)


def render_gallery(selection: Selection) -> None:
    """Render one page of the selection, and a choice of page."""
    state, size = selection.state, selection.state.page_size
    pages, page = _pages(selection)
    if len(selection.examples) == 0:
        render_empty_selection()
        return
    if page != state.page:
        st.caption(f"There is no page {state.page:,}: these examples fill {counted(pages, 'page')}.")
    tiles(
        selection.run,
        state,
        page_examples(selection),
        (page - 1) * size + 1,
        selection.score,
        key="gallery",
        looks=True,
    )
    st.pagination(pages, width="stretch", **state_widget_args("page", page))


def page_examples(selection: Selection) -> np.ndarray:
    """Return the examples of the current page."""
    size, (_, page) = selection.state.page_size, _pages(selection)
    return selection.examples[(page - 1) * size : page * size]


def _pages(selection: Selection) -> tuple[int, int]:
    pages = max(1, -(-len(selection.examples) // selection.state.page_size))
    return pages, selection.state.page if selection.state.page <= pages else 1


def prefetch_explanations(run: Run, state: PageState, examples: Collection[int]) -> None:
    """Send explanations ahead, with the histograms of a look."""
    explanations = _explain_all(run, examples, partial(explain_example, run, state))
    for example, explanation in explanations.items():
        if histograms := explanation.get("histograms"):
            shown = [histograms["panels"][index] for index in histograms["strips"]]
            fewer = {**histograms, "panels": shown, "strips": list(range(len(shown)))}
            explanations[example] = {**explanation, "histograms": fewer}
    send_ahead(explanations)


def send_steps_ahead(run: Run, steps: Mapping[str, int], explain: Callable[[int], Explanation]) -> None:
    """Send pictures and explanations of the next examples ahead.

    Args:
        run: whose examples they are.
        steps: the examples, by what the keys of the buttons begin with.
        explain: an example by its number.
    """
    explanations, renderer = _explain_all(run, dict.fromkeys(steps.values()), explain), kind_renderer(run)
    for example, explanation in explanations.items():
        picture = renderer.tiles(run, np.array([example]), 2 * PICTURE_WIDTH).sheet
        explanations[example] = {**explanation, "picture": picture}
    send_ahead(explanations, steps)


def explain_example(run: Run, state: PageState, example: int) -> Explanation:
    """Explain an example as its task does."""
    return _explain(run, example, state.target, state.coverage, state)


def _explain_all(run: Run, examples: Collection[int], explain: Callable[[int], Explanation]) -> dict[int, Explanation]:
    explanations, most = {}, MOST_AHEAD // (run.passes * run.manifest.outputs)
    for example in map(int, list(examples)[:most]):
        try:
            explanations[example] = explain(example)
        except McvizError:  # which a look at it will tell
            continue
    return explanations


@cached_for_run(names_key, max_entries=2_000)
def _explain(run: Run, example: int, target: int, coverage: int, _state: PageState) -> Explanation:  # noqa: ARG001
    return task_renderer(run).explain(load_example(run, _state, example))
