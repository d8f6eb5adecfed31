"""The gallery, and the panel beside a view that shows one example."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.components.assets import load_assets
from mcviz.app.components.charts import (
    PICTURE_WIDTH,
    Explanation,
    render_empty_selection,
    render_explanation,
    send_ahead,
)
from mcviz.app.components.gallery import marks, tile_data, tiles
from mcviz.app.kinds import EXAMPLE_WIDTH, kind_renderer, render_example
from mcviz.app.navigation import EXAMPLE, open_page
from mcviz.app.resources import cached_for_run, has, names_key
from mcviz.app.selection import Selection, find_rank, select
from mcviz.app.state import (
    PAGE_SIZES,
    PINS,
    TICKS,
    TILE_SIZES,
    PageState,
    add_examples,
    choose_segment,
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
from mcviz.app.tasks.base import load_example
from mcviz.app.wording import counted
from mcviz.errors import McvizError
from mcviz.figures import sheet_url
from mcviz.runs import Run

SCRIPTS = "internals.js", "listening.js", "element.js", "tile.js", "acts.js", "latest_data.js", "sender.js", "look.js"
_mounted = st.components.v2.component(
    "mcviz_look", css=load_assets("tile.css", "acts.css", "look.css"), js=load_assets(*SCRIPTS)
)

POINTS, PICTURED = "points", "pictured"  # the fragment of a chart's pictures, and its examples, in the session
MOST_PICTURES = 150  # points in view, up to which they are pictures
PANEL = "look"  # the key of the fragment, of its container and of its head
AROUND = 100  # examples before and after the one that is looked at, through which keys go without asking
LARGE = 900  # pixels, of a picture in the panel on a screen of twice the usual sharpness
SMALL_WIDTH = 170  # pixels, of one example among others in the panel
MARKS = {"tick": "ticked", "pin": "pinned", "flag": "flagged"}  # the attribute of the state that each changes

MOST_AHEAD = 2_000_000  # predicted numbers, which are read and summed up in a second


def look_head(key: str, data: dict[str, Any], act: Callable[[Any], None]) -> Any:
    """Render the head. It draws at once what keys and views request, and receives these requests of the browser.

    A request is `what` is asked, the number of an `example`, and for a range all `examples`.

    Args:
        key: of the component.
        data: the example's tile and picture as `tile_data` gives them, its rank, and the numbers of those around it;
            only the latter where no example is shown.
        act: called with what is asked, as a callback.

    Returns:
        What was asked in this rerun, or None.
    """

    def heard() -> None:
        component = widget_value(key)  # which is gone where somebody left the page meanwhile
        act(component.asked if component else None)

    return _mounted(key=key, data=data, on_asked_change=heard).asked


def render_look_panel(run: Run, paged: bool) -> None:
    """Render the panel, which hears the requests of views and keys.

    Args:
        run: that is open.
        paged: whether the view beside is a page of the selection, which then turns over to the example.
    """
    with st.container(key=PANEL):
        _render_panel(run, paged)


def look_at_example(run: Run, example: int, paged: bool) -> None:
    """Look at an example, in a callback; only the panel is drawn anew, unless the page turns over."""
    state = latest_state()
    at = find_rank(example, select(run, state).examples)
    page = at // state.page_size + 1 if at >= 0 and paged else state.page
    if page != state.page:
        update_state(example=example, page=page)
        return
    update_state(example=example, parts=(PANEL,))


def tick_examples(examples: tuple[int, ...]) -> None:
    """Tick these examples and no others, in a callback, as far as an address can carry them."""
    if len(examples) > TICKS:
        queue_toast(f"Only {TICKS} examples can be ticked at a time.", ":material/select_check_box:")
    update_state(ticked=examples[:TICKS])


def render_ticked_bar(selection: Selection) -> None:
    """Render buttons for the examples that are ticked; nothing where none is."""
    state, ticked = selection.state, selection.state.ticked
    if not ticked:
        return
    flagged, pinned = (add_examples(marked, ticked) for marked in (state.flagged, state.pinned))
    acts: dict[str, tuple[str, dict[str, Any]]] = {
        "Keep only these": (":material/filter_alt:", {"filters": replace(state.filters, selected=ticked)}),
        "Flag them": (":material/flag:", {"flagged": flagged}),
        "Pin them": (":material/keep:", {"pinned": pinned}),
        "Untick": (":material/close:", {"ticked": ()}),
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="ticked"):
        st.markdown(f"**{counted(len(ticked), 'example')}** ticked", width="content")
        for label, (icon, changes) in acts.items():
            st.button(
                label,
                icon=icon,
                type="tertiary",
                key=f"ticked-{label}",
                disabled=label == "Pin them" and len(pinned) > PINS,
                help=f"Only {PINS} examples fit side by side." if label == "Pin them" else None,
                on_click=update_state,
                kwargs=changes,
            )


@st.fragment(key=PANEL)
def _render_panel(run: Run, paged: bool) -> None:
    """Render the current example, or the first of the selection; several that are ticked side by side."""
    state = latest_state()
    selection = select(run, state)
    example = state.example
    if example is None and len(selection.examples):
        example = int(selection.examples[0])
    alone = example not in state.ticked or len(state.ticked) == 1
    head = {**_head_data(selection, example), "alone": alone}
    asked = look_head("look-head", head, partial(_handle_request, run, paged))
    if isinstance(asked, dict) and asked.get("what") == "open" and _is_example(run, asked.get("example")):
        open_page(EXAMPLE, state, example=asked["example"])
    if example is not None and alone:
        _render_one(run, state, example)
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
        "sheet": sheet_url(run.pictures[[example]], 1, LARGE) if has(run, "images") else "",
        "tile": tile,
        "rank": "not among the selected" if at < 0 else f"{at + 1:,} of {len(examples):,}",
        "near": examples[max(0, at - AROUND) : max(0, at) + AROUND + 1].tolist(),
        "chosen": state.example is not None,
        "pinsFull": len(state.pinned) >= PINS,
    }


def _render_one(run: Run, state: PageState, example: int) -> None:
    if has(run, "examples") and not has(run, "images"):
        render_example(run, example, EXAMPLE_WIDTH)
    context, renderer = load_example(run, state, example), task_renderer(run)
    render_explanation("look-explanation", renderer.explain(context), example)
    renderer.render_preview(context)


def _render_side_by_side(run: Run, state: PageState, example: int) -> None:
    others = [other for other in state.ticked if other != example]
    shown = [example, *others[: PINS - 1]]
    those = f", {PINS} of them" if len(others) >= PINS else ""
    st.markdown(f"**{counted(len(state.ticked), 'ticked example')}**{those} side by side")
    for pair in (shown[:2], shown[2:]):
        for column, each in zip(st.columns(2, gap="small"), pair, strict=False):
            with column:
                render_example(run, each, SMALL_WIDTH)
                st.caption(f"Example {each}")
                task_renderer(run).render_pinned(load_example(run, state, each))


def _handle_request(run: Run, paged: bool, asked: Any) -> None:
    """Handle a request of an example, in a callback, which cannot open its page."""
    state = latest_state()
    if not isinstance(asked, dict) or not _is_example(run, asked.get("example")):
        return
    example: int = asked["example"]
    match asked.get("what"):
        case "look":
            look_at_example(run, example, paged)
        case "hover" | "pictures":
            wanted = [each for each in asked.get("examples", (example,)) if _is_example(run, each)]
            session_store()[PICTURED] = wanted[:MOST_PICTURES]
            rerun_fragments(POINTS)
            return
        case "close":
            update_state(example=None, parts=(PANEL,))
        case "range":
            wanted = [each for each in asked.get("examples", ()) if _is_example(run, each)]
            tick_examples(add_examples(state.ticked, wanted))
        case "tick" | "pin" | "flag" as what:
            _toggle_mark(what, state, example)
    rerun_fragments(PANEL)


def _toggle_mark(what: str, state: PageState, example: int) -> None:
    changed = toggle_example(marks(state)[what], example)
    if what == "pin" and len(changed) > PINS:
        queue_toast(f"Only {PINS} examples fit side by side. Unpin one first.", ":material/keep:")
        rerun_fragments()
    elif what == "tick":
        tick_examples(changed)
    else:
        marked: dict[str, Any] = {MARKS[what]: changed}
        update_state(**marked)


def _is_example(run: Run, example: object) -> bool:
    return isinstance(example, int) and not isinstance(example, bool) and 0 <= example < len(run)


def render_gallery(selection: Selection) -> None:
    """Render a page of the selected examples, with a choice of page and of its size."""
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
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.pagination(pages, width="stretch", **state_widget_args("page", page))
        sizes = {each: str(each) for each in PAGE_SIZES}
        choose_segment("Examples a page", "page_size", size, sizes, label_visibility="collapsed")


def render_gallery_controls(selection: Selection) -> None:
    """Render the size of the tiles, and a button that ticks all that are shown."""
    state = selection.state
    sizes = {each: each[0].upper() for each in TILE_SIZES}
    choose_segment("Size of the tiles", "tile_size", state.tile_size, sizes, label_visibility="collapsed")
    shown = page_examples(selection).tolist()
    st.button(
        "Tick all",
        key="tick-all",
        icon=":material/select_all:",
        help="Tick all examples that are shown",
        disabled=set(shown) <= set(state.ticked),
        on_click=tick_examples,
        args=(add_examples(state.ticked, shown),),
    )


def page_examples(selection: Selection) -> np.ndarray:
    """Return the examples of the page that is shown."""
    size, (_, page) = selection.state.page_size, _pages(selection)
    return selection.examples[(page - 1) * size : page * size]


def _pages(selection: Selection) -> tuple[int, int]:
    """Return how many pages there are, and the one that is shown."""
    pages = max(1, -(-len(selection.examples) // selection.state.page_size))
    return pages, selection.state.page if selection.state.page <= pages else 1


def prefetch_explanations(run: Run, state: PageState, examples: Collection[int]) -> None:
    """Send the explanations of examples."""
    send_ahead(_explain_all(run, examples, partial(explain_example, run, state)))


def send_steps_ahead(run: Run, steps: Mapping[str, int], explain: Callable[[int], Explanation]) -> None:
    """Send the pictures and explanations of the examples to which buttons lead.

    Args:
        run: whose examples they are.
        steps: the examples, by what the keys of the buttons begin with.
        explain: an example by its number.
    """
    found, renderer = _explain_all(run, dict.fromkeys(steps.values()), explain), kind_renderer(run)
    for example, explanation in found.items():
        picture = renderer.tiles(run, np.array([example]), 2 * PICTURE_WIDTH).sheet
        found[example] = {**explanation, "picture": picture}
    send_ahead(found, steps)


def explain_example(run: Run, state: PageState, example: int) -> Explanation:
    """Explain an example as its task does."""
    return _explain(run, example, state.target, state.coverage, state)


def _explain_all(run: Run, examples: Collection[int], explain: Callable[[int], Explanation]) -> dict[int, Explanation]:
    """Explain examples; only the first ones, where all are too much to read."""
    found, most = {}, MOST_AHEAD // (run.passes * len(run.class_names or run.targets))
    for example in map(int, list(examples)[:most]):
        try:
            found[example] = explain(example)
        except McvizError:  # which a look at it will tell
            continue
    return found


@cached_for_run(names_key, max_entries=2_000)
def _explain(run: Run, example: int, target: int, coverage: int, _state: PageState) -> Explanation:  # noqa: ARG001
    return task_renderer(run).explain(load_example(run, _state, example))
