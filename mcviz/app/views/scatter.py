"""Views of points and cells: any score against any other, errors, predictions, the map, and the confusion matrix.

Such a chart both shows the selection and makes it, with pictures of the points in view.
"""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.graph_objects import Figure

from mcviz import plot
from mcviz.analysis.base import column
from mcviz.analysis.layouts import similarity_basis
from mcviz.app.components import load_assets
from mcviz.app.components.gallery import MOST_PICTURES, PICTURED, POINTS, tile_data
from mcviz.app.filters import Filters, Lasso, lasso_on_map, round_corners
from mcviz.app.kinds.base import TILE
from mcviz.app.navigation import EXPLORE, target_chooser
from mcviz.app.resources import (
    Need,
    all_grouping_columns,
    available,
    cached_for_run,
    class_names,
    groups,
    has,
    names_key,
    own_columns,
    run_numbers,
    run_scores,
    table,
    table_key,
)
from mcviz.app.selection import (
    LAYOUTS,
    Selection,
    add_tsne,
    available_layouts,
    choose_layout,
    filter_mask,
    positions,
)
from mcviz.app.state import (
    TICKS,
    PageState,
    choose_name,
    choose_segment,
    latest_state,
    mark_dirty,
    mark_rendered,
    queue_toast,
    session_store,
    state_widget_args,
    update_state,
    widget_value,
)
from mcviz.app.wording import ranking_end_labels
from mcviz.app.work import compute_on_request, request
from mcviz.figures import CORRECT, WRONG, Window, class_colour, coloured_map, scatter
from mcviz.figures.scores import MOST_DRAWN_POINTS
from mcviz.figures.style import CLASSES, NEUTRAL, UNLABELLED, diagonal, escape_label
from mcviz.measures.quality import rank_correlation
from mcviz.runs import Run
from mcviz.text import fixed, one_line, percent

HOVERED_NUMBER = ".6~g"  # d3's format of a number of the user's own

LAYOUT_WORK = "t-sne"  # that a visitor asks for

CELLS = {"counts": "examples", "score": "mean of the score"}

_mounted = st.components.v2.component(
    "mcviz_points",
    css=load_assets("tile.css", "points.css"),
    js=load_assets("internals.js", "listening.js", "element.js", "tile.js", "latest_data.js", "points.js"),
)

_mounted_zoom = st.components.v2.component("mcviz_zoom", js=load_assets("internals.js", "zoom.js"))

T = TypeVar("T")
CORNERS = 40  # of a lasso in the address
THUMBNAIL = 128  # pixels, of a photograph among many in a chart


@dataclass(frozen=True)
class Colouring:
    """A choice for the colours of the points.

    Attributes:
        label: what it is called.
        needs: what a run has to have for it to be offered.
    """

    label: str
    needs: Collection[Need] = field(default_factory=frozenset)


NO_LABEL, NOT_JUDGED = "no label", "not judged"
COLOURINGS = {
    "correct": Colouring("correct or wrong", needs={"labels", "mistakes"}),
    "label": Colouring("label", needs={"labels", "classes"}),
    "prediction": Colouring("prediction", needs={"classes"}),
    "score": Colouring("score of the ranking"),
}


def colouring_chooser(run: Run, state: PageState, default: str | None = None) -> str:
    """Render and return the choice of colours: of `COLOURINGS` or `all_grouping_columns`."""
    colourings = [*available(COLOURINGS, run), *all_grouping_columns(run)]
    colouring = choose_name(state.colour, colourings, default)
    st.selectbox(
        "Colour",
        colourings,
        format_func=lambda each: f"Colour: {colour_label(each)}",
        label_visibility="collapsed",
        width=250,
        **state_widget_args("colour", colouring),
    )
    return colouring


def colour_label(colouring: str) -> str:
    """Return how a choice is called."""
    return COLOURINGS[colouring].label if colouring in COLOURINGS else one_line(colouring)


def draw_points(
    run: Run, colouring: str, ranked_by: str, x: np.ndarray, y: np.ndarray, examples: np.ndarray, **more: Any
) -> go.Figure:
    """Draw examples as points: classes and values in colours with a legend, scores and numbers on a scale.

    Args:
        run: whose examples they are.
        colouring: as `colouring_chooser` returns it.
        ranked_by: the name of the score of the ranking.
        x: (n,) positions.
        y: (n,) positions.
        examples: (n,) their numbers.
        more: keyword arguments that `figures.scatter` and `figures.coloured_map` share.
    """
    if colouring == "score":
        score = run_scores(run)[ranked_by]
        values, uncertain_when = table(run)[ranked_by].to_numpy()[examples], score.uncertain_when
        return coloured_map(x, y, values, score.label, examples, uncertain_when=uncertain_when, **more)
    if colouring not in COLOURINGS and own_columns(run)[colouring] == "number":
        values = table(run)[colouring].to_numpy(np.float64, na_value=np.nan)[examples]
        title = escape_label(colouring)
        return coloured_map(x, y, values, title, examples, uncertain_when=None, number=HOVERED_NUMBER, **more)
    members, names, colours = _colour_groups(run, colouring)
    return scatter(x, y, members[examples], names, colours, examples, **more)


def _colour_groups(run: Run, colouring: str) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    if colouring == "correct":
        wrong = run.task.loss_of_table(table(run)).astype(np.float64)
        members = np.where(np.isnan(wrong), 2, wrong).astype(int)
        kinds = 3 if np.isnan(wrong).any() else 2
        third = NOT_JUDGED if run.decisions.chosen_on else NO_LABEL
        return members, ("correct", "wrong", third)[:kinds], [CORRECT, WRONG, UNLABELLED][:kinds]
    names: tuple[str, ...]
    if colouring in COLOURINGS:
        members, names = table(run)[colouring].fillna(len(run.class_names)).to_numpy(int), class_names(run)
        names = (*names, NO_LABEL) if (members == len(names)).any() else names
    else:
        members, names = groups(run, colouring).members, groups(run, colouring).names
    if len(names) <= len(CLASSES):
        return members, names, [class_colour(group) for group in range(len(names))]
    kept = np.sort(np.argsort(-np.bincount(members, minlength=len(names)), kind="stable")[: len(CLASSES)])
    place = np.full(len(names), len(kept))
    place[kept] = range(len(kept))
    others = f"{len(names) - len(kept):,} others"
    return place[members], (*(names[group] for group in kept), others), [*CLASSES, NEUTRAL]


def render_scatter(selection: Selection) -> None:
    """Render the chart with its axes and colours, and the meaning of its corners."""
    run, state, numbers = selection.run, selection.state, run_numbers(selection.run)
    labels = {name: number.label for name, number in numbers.items()}
    x, y = state.x, state.y
    with st.container(horizontal=True, vertical_alignment="bottom", key="axes"):
        for axis, chosen in (("x", x), ("y", y)):
            st.selectbox(
                f"{axis} axis",
                list(labels),
                format_func={name: f"{axis}: {label}" for name, label in labels.items()}.__getitem__,
                label_visibility="collapsed",
                **state_widget_args(axis, chosen),
            )
        colouring = colouring_chooser(run, state)

    render_scatter_chart(selection, x, y, colouring)
    if (x, y) == ("predictive_entropy", "mutual_information"):
        st.caption(
            "**Top right**: model (epistemic) uncertainty; the passes are confident of different classes, and more "
            "training examples of this kind may help. **Bottom right**: data (aleatoric) uncertainty; every single "
            "pass is uncertain. **Bottom left**: confident; a wrong prediction here is the worst kind. No point can "
            "lie above the diagonal."
        )


def render_scatter_chart(
    selection: Selection,
    x: str,
    y: str,
    colouring: str,
    *,
    name: str = "scatter",
    line: bool = False,
    looks: bool = True,
) -> None:
    """Render the chart of two numbers, with the lasso that selects.

    All that the other filters leave is drawn, so that a lasso can be seen among its surroundings.

    Args:
        selection: with the lasso that is on.
        x: name of the number along the x axis.
        y: the same for the y axis.
        colouring: what the colours show, one of `COLOURINGS` or of `all_grouping_columns`.
        name: of the chart.
        line: whether the line is drawn on which both numbers are equal.
        looks: whether there is a panel beside, in which a point can be looked at.
    """
    run, state, filters = selection.run, selection.state, selection.filters
    labels = {each: number.label for each, number in run_numbers(run).items()}
    others = filters.without("lasso")
    ranked_by = state.score if colouring == "score" else ""

    def draw(lasso: Lasso | None, window: Window | None) -> go.Figure:
        rows = table(run)[list(labels)][filter_mask(run, others)].dropna(subset=[x, y])  # which another run may lack
        along, marks = (rows[x].to_numpy(), rows[y].to_numpy()), lasso_marks(lasso, x, y, rows)
        axes, examples = (axis_title(run, x), axis_title(run, y)), rows.index.to_numpy()
        figure = draw_points(run, colouring, ranked_by, *along, examples, axes=axes, window=window, **marks)
        if line and len(rows):
            both = np.concatenate(along)
            figure.add_shape(**diagonal(float(both.min()), float(both.max())))
        return figure

    render_lasso_chart(
        name,
        run,
        Lasso(x, y, ()),
        filters.lasso,
        (others, x, y, colouring, ranked_by, table_key(run)),
        draw,
        f"Scatter chart of {filter_mask(run, others).sum():,} examples: {labels[x]} against {labels[y]}, "
        f"coloured by {colour_label(colouring)}. The table view lists the same numbers.",
        looks=looks,
    )


def render_errors(selection: Selection) -> None:
    """Render errors or other losses against the ranking's score, and their rank correlation; a lasso selects."""
    run, state, filters = selection.run, selection.state, selection.filters
    others, ranked_by, error = filters.without("lasso"), run_scores(run)[state.score], run.task.loss_column
    score = run_scores(run)[run.first_score] if ranked_by.needs_labels else ranked_by
    if has(run, "bounded loss"):
        render_scatter_chart(selection, score.name, error, "score", name="errors")
        st.caption(correlation(run, others, score.name))
        return
    if score is not ranked_by:
        st.caption(
            f"{ranked_by.label} looks at the label itself, so the errors are shown against the "
            f"{score.inline_label}. Rank by another score to see them against that one."
        )

    def draw(lasso: Lasso | None, window: Window | None) -> go.Figure:
        rows = table(run)[filter_mask(run, others)]
        return plot.errors(run, score.name, rows=rows, **lasso_marks(lasso, score.name, error, rows), window=window)

    render_lasso_chart(
        "errors",
        run,
        Lasso(score.name, error, ()),
        filters.lasso,
        (others, score.name, table_key(run)),
        draw,
        f"Scatter chart of {filter_mask(run, others).sum():,} examples: absolute error against {score.inline_label}. "
        "The table view lists the same numbers.",
    )
    several = " Of several targets the error is the Euclidean distance." if len(run.targets) > 1 else ""
    st.caption(f"{correlation(run, others, score.name)}{several}")


@cached_for_run(names_key, max_entries=8)
def correlation(run: Run, others: Filters, score: str) -> str:
    """Say whether the most uncertain examples are those of large errors, in a sentence or two."""
    loss, noun, sentences = run.task.loss_column, run.task.loss.mean, []
    if not has(run, "bounded loss"):  # whose chart has a line
        noun = run.task.loss.noun
        sentences.append(f"Where the line climbs, the score tells where {noun} are large.")
    shown = table(run)[[score, loss]][filter_mask(run, others)].dropna()
    uncertainty = run_scores(run)[score].uncertainty(shown[score].to_numpy())
    found = rank_correlation(uncertainty, shown[loss].to_numpy())
    if found is not None:  # else one of the two is the same everywhere
        sentences.append(
            f"The rank correlation of the two is {fixed(found, 2)}: 1 if the most uncertain examples have the largest "
            f"{noun}, 0 if the score says nothing of them."
        )
    return " ".join(sentences)


def render_predicted(selection: Selection) -> None:
    """Render the chart of a target, coloured by the ranking's score; a lasso selects."""
    run, state, filters = selection.run, selection.state, selection.filters
    target_chooser(run, state)
    x, y = column(run, "label", state.target), column(run, "prediction", state.target)
    others, score = filters.without("lasso"), run_scores(run)[state.score]

    def draw(lasso: Lasso | None, window: Window | None) -> go.Figure:
        rows = table(run)[filter_mask(run, others)]
        marks = lasso_marks(lasso, x, y, rows)
        return plot.predicted(run, state.score, target=state.target, rows=rows, **marks, window=window)

    render_lasso_chart(
        "predicted",
        run,
        Lasso(x, y, ()),
        filters.lasso,
        (others, state.target, state.score, table_key(run)),
        draw,
        f"Scatter chart of {filter_mask(run, others).sum():,} examples: prediction against label, coloured by "
        f"{score.inline_label}. The table view lists the same numbers.",
    )
    st.caption(
        "On the dotted line predictions are right. Far from it and violet: an error that the score warns of. Far from "
        "it and grey: one that it does not see. Of up to 300 examples, bars show one standard deviation of the "
        "prediction to either side."
    )


def render_map(selection: Selection) -> None:
    """Render the map of all examples that the other filters leave; a lasso selects from it."""
    run, filters, score = selection.run, selection.filters, run_scores(selection.run)[selection.score]
    layouts = available_layouts(run)
    layout = choose_layout(run, selection.state)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if len(layouts) > 1:
            labels = {each: LAYOUTS[each] for each in layouts}
            choose_segment("Layout", "layout", layout, labels, label_visibility="collapsed")
        colouring = colouring_chooser(run, selection.state, "score")
    plane = positions(run, layout)
    if plane is None:
        _compute_tsne_on_request(run)
        return
    others, basis = filters.without("area", "selected"), similarity_basis(run)
    ranked_by = selection.score if colouring == "score" else ""
    shown = np.flatnonzero(filter_mask(run, others) & np.isfinite(plane[:, 0]))
    if len(shown) == 0:
        st.info("No example in this layout matches the filters. Take one off above.", icon=":material/filter_alt_off:")
        return
    x, y = plane[shown].T

    def draw(area: Lasso | None, window: Window | None) -> go.Figure:
        chosen = Filters(area=area, selected=filters.selected)
        marks: dict[str, Any] = {
            "outline": area.corners if area and area.layout == layout else (),
            "selected": None if chosen == Filters() else filter_mask(run, chosen)[shown],
            "window": window,
            **plot.map_marks(run, table(run).iloc[shown]),
        }
        return draw_points(run, colouring, ranked_by, x, y, shown, axes=None, **marks)

    render_lasso_chart(
        "map",
        run,
        lasso_on_map(layout),
        filters.area,
        (others, filters.selected, colouring, ranked_by, table_key(run)),
        draw,
        f"Map of {len(shown):,} examples by similarity of their {basis}, coloured by "
        f"{score.inline_label if ranked_by else colour_label(colouring)}.",
    )
    strongest = f"; the violet ones are {ranking_end_labels(score)[0]}" if ranked_by else ""
    st.caption(f"Examples with similar {basis} are near each other{strongest}. Confident ones are faded.")
    _render_around_example(selection, plane, shown)


def _render_around_example(selection: Selection, plane: np.ndarray, shown: np.ndarray) -> None:
    state = selection.state
    with (
        st.popover("Filter around an example", icon=":material/near_me:"),
        st.form("around", border=False),
    ):
        example = st.number_input("Example", 0, len(selection.run) - 1, int(state.example or 0), key="around-example")
        count = st.number_input("How many nearest", 1, min(TICKS, len(shown)), min(24, len(shown)), key="around")
        if st.form_submit_button("Filter", icon=":material/filter_list:"):
            if not np.isfinite(plane[example]).all():
                st.info(f"Example {example} is not in this layout, which has only some of the examples.")
                return
            distances = np.linalg.norm(plane[shown] - plane[example], axis=1)
            nearest = shown[np.argsort(distances, kind="stable")[:count]]
            update_state(area=None, selected=tuple(nearest.tolist()))
            st.rerun()


def _compute_tsne_on_request(run: Run) -> None:
    def compute() -> None:
        bar = st.progress(0.0, "Finding each example's neighbours …")
        try:
            add_tsne(run, lambda done, total: bar.progress(done / total, f"Iteration {done} of {total}"))
        finally:
            bar.empty()

    compute_on_request(LAYOUT_WORK, run.digest, compute, EXPLORE.title)
    st.info(
        "This layout is computed once, in a minute or two for 10,000 examples, and kept. Stop it at any time.",
        icon=":material/hourglass:",
    )
    label, subject = "Compute the t-SNE layout", (LAYOUT_WORK, run.digest)
    st.button(label, type="primary", icon=":material/play_arrow:", on_click=request, args=subject)


def render_confusion(selection: Selection) -> None:
    """Render the matrix of all examples that the other filters leave; a click selects a cell."""
    run, filters = selection.run, selection.filters
    shows = choose_name(selection.state.cells, CELLS)
    choose_segment("Cells show", "cells", shows, CELLS, label_visibility="collapsed")
    others = filters.without("label", "prediction")
    shown = table(run)[["label", "prediction", "correct", selection.score]][filter_mask(run, others)].dropna(
        subset="correct"
    )
    classes, averaged = len(run.class_names), shows == "score"
    one_cell = len(filters.label) == len(filters.prediction) == 1
    cell = (filters.label[0], filters.prediction[0]) if one_cell else None
    points_key = (others, shows, selection.score if averaged else None, table_key(run))
    key, shows_it = chart_key("confusion", points_key, lambda key: _read_cell(key, classes), cell)
    figure = plot.confusion(run, selection.score if averaged else None, rows=shown, selected=None if shows_it else cell)
    wrong = ~shown["correct"].astype(bool)
    st.plotly_chart(
        figure,
        key=key,
        on_select=lambda: _apply_cell(key, classes),
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"Confusion matrix of {len(shown):,} examples, {wrong.sum():,} of them ({percent(wrong.mean())}) off the "
        "diagonal. The table view lists label and prediction of each.",
    )
    st.caption(
        "Click a cell to filter to its examples, or choose label and prediction in the filters. The diagonal holds the "
        "correct predictions."
    )


def _read_cell(key: str, classes: int) -> tuple[int, int] | None:
    event = widget_value(key)
    if not event or not event["selection"]["points"]:
        return None
    return divmod(int(event["selection"]["points"][0]["customdata"]), classes)


def _apply_cell(key: str, classes: int) -> None:
    cell = _read_cell(key, classes)
    if cell:  # none when the chart is drawn anew, which changes nothing
        label, prediction = cell
        update_state(label=(label,), prediction=(prediction,))


def points(key: str, container: str, current: int | None, content: dict[str, Any], version: str, most: int) -> None:
    """Let the points of a chart be looked at by a click, and show the pictures that were asked for.

    Args:
        key: of the component.
        container: the key of the container of the chart, whose points carry the numbers of examples as `customdata`.
        current: the number of the example that is looked at, or None.
        content: the examples that were asked for last, as `tile_data` gives them.
        version: decides whether pictures from before still hold.
        most: points in view, up to which they are pictures; 0 for none.
    """
    data = {**content, "container": container, "current": current, "version": version, "most": most}
    _mounted(key=key, height=1, data=data)


def zoom(key: str, container: str, change: Callable[[Window], None]) -> None:
    """Hear of the part of a chart's plane that somebody zoomed in on, or moved to.

    Args:
        key: of the component.
        container: the key of the container of the chart.
        change: takes the part, in a callback.
    """

    def changed() -> None:
        component = widget_value(key)  # which is gone where somebody left the page meanwhile
        window = _zoom_window(component.window) if component else None
        if window:
            change(window)

    _mounted_zoom(key=key, height=1, data={"container": container}, on_window_change=changed)


def _zoom_window(window: Any) -> Window | None:
    match window:
        case {"x": [float() | int(), float() | int()] as x, "y": [float() | int(), float() | int()] as y}:
            if all(isfinite(low) and isfinite(high) and low < high for low, high in (x, y)):
                return Window((float(x[0]), float(x[1])), (float(y[0]), float(y[1])))
    return None


def chart_key(
    name: str, points_key: Hashable, read_selection: Callable[[str], T | None], selected: T | None
) -> tuple[str, bool]:
    """Return a chart's key, and whether the browser already shows the selection.

    Such a chart stays, because redrawing ten thousand points is slow. Other points, or a removed selection, need a new
    key.

    Args:
        name: of the chart; its key is the name and a number.
        points_key: decides which points the chart has.
        read_selection: gives the selection that the browser shows in the chart of a key; nothing that is true, if none.
        selected: the selection as the state has it.
    """
    before, number, came_with_one = session_store().get(f"{name}-chart", (points_key, 0, False))
    inside = read_selection(f"{name}-{number}")
    anew = points_key != before or bool(inside and (came_with_one or inside != selected))
    number += anew
    shows_it = bool(inside) and not anew
    session_store()[f"{name}-chart"] = points_key, number, bool(selected) and not shows_it
    return f"{name}-{number}", shows_it


def render_lasso_chart(
    name: str,
    run: Run,
    plane: Lasso,
    lasso: Lasso | None,
    points_key: Hashable,
    draw: Callable[[Lasso | None, Window | None], Figure],
    spoken: str,
    *,
    looks: bool = True,
) -> None:
    """Render a chart of numbers of the examples, in which a lasso or a box selects.

    Args:
        name: of the chart and of its container.
        run: whose examples they are.
        plane: the numbers along its axes, or the layout, as a lasso without corners.
        lasso: that is on.
        points_key: decides which points the chart has, and all else of it that does not follow from its name, from
            `run` and `plane`.
        draw: draws the chart, with a lasso that it has to show by itself, and of a part of the plane alone.
        spoken: what it shows, for those who cannot see it.
        looks: whether there is a panel beside, in which a point can be looked at.
    """
    window = _window(name, run, plane)
    key, shows_it = chart_key(name, (points_key, window), lambda key: _read_lasso(key, plane), lasso)
    chart = _figure(run, name, points_key, plane, None if shows_it else lasso, window, draw)
    zoomable = window is not None or bool(chart.layout.images)
    hidden = ["toImage", "autoScale2d", "resetScale2d"] if zoomable else ["toImage"]
    with st.container(key=name):
        st.plotly_chart(
            chart,
            key=key,
            on_select=lambda: _apply_lasso(key, run, plane),
            selection_mode=("lasso", "box"),
            config={"displaylogo": False, "modeBarButtonsToRemove": hidden, "scrollZoom": False},
            alt=spoken,
        )
    if zoomable:
        _render_zoom(name, run, plane, chart, window)
    if looks:
        render_point_pictures(run, name)
    pictures = (
        f" Zoom in: up to {MOST_PICTURES} points in view become pictures." if looks and has(run, "images") else ""
    )
    without = "“Filter around an example” below" if plane.layout else "“Range of”, under More in the filters"
    st.caption(
        "Draw around points with the lasso, or with the box at the top right, to filter to the examples inside. "
        f"Without a pointer: {without}.{pictures}"
    )


@cached_for_run(names_key, max_entries=32)  # a copy would be another chart to the browser
def _figure(
    run: Run,  # noqa: ARG001 (the key)
    name: str,  # noqa: ARG001
    points_key: Hashable,  # noqa: ARG001
    plane: Lasso,  # noqa: ARG001
    lasso: Lasso | None,
    window: Window | None,
    _draw: Callable[[Lasso | None, Window | None], Figure],
) -> Figure:
    return _draw(lasso, window)


def _render_zoom(name: str, run: Run, plane: Lasso, chart: Figure, window: Window | None) -> None:
    def show(part: Window | None) -> None:
        if part != _window(name, run, plane):
            session_store()[f"{name}-window"] = (table_key(run), plane, part)
            mark_dirty()

    zoom(f"zoom-{name}", name, show)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if window is not None:
            st.button("Show all", key=f"all-of-{name}", icon=":material/zoom_out_map:", on_click=show, args=(None,))
        if chart.layout.images:
            st.caption(
                "Each cell counts examples. Its colour is the mean of theirs, and stronger where there are more. "
                "Zoom in with the tools at the top right: "
                f"up to {MOST_DRAWN_POINTS:,} examples in view are drawn one by one.",
                width="stretch",
            )


def _window(name: str, run: Run, plane: Lasso) -> Window | None:
    of, on, part = session_store().get(f"{name}-window", (None, None, None))
    return part if (of, on) == (table_key(run), plane) else None


@st.fragment(key=POINTS)
def render_point_pictures(run: Run, container: str) -> None:
    """Render the pictures of the points that were asked for, and a ring around the example in the panel.

    Args:
        run: whose examples the points are.
        container: the key of the container of the chart.
    """
    state = latest_state()
    asked = [
        example for example in session_store().get(PICTURED, ()) if example < len(run)
    ]  # or of a run that was open before
    side = TILE if len(asked) == 1 else THUMBNAIL
    pictures = tile_data(run, state, np.array(asked, int), None, state.score, side) if asked else {"tiles": []}
    with st.container(key="points"):
        points(
            f"points-{container}",
            container,
            state.example,
            pictures,
            f"{run.digest} {state.score}",
            MOST_PICTURES if has(run, "images") else 0,
        )
    mark_rendered(POINTS)


def lasso_marks(lasso: Lasso | None, x: str, y: str, scores: pd.DataFrame) -> dict[str, Any]:
    """Return how a figure of two numbers shows a lasso: its outline, if it is over these, and the points inside.

    Args:
        lasso: that the figure has to show by itself, or None.
        x: the name of the number along the x axis.
        y: the same for the y axis.
        scores: (n,) rows of the run's table, the points of the figure.
    """
    return {
        "outline": lasso.corners if lasso and (lasso.x, lasso.y) == (x, y) else (),
        "selected": lasso.mask(scores) if lasso else None,
    }


def axis_title(run: Run, name: str) -> str:
    """Return an axis title for plotly, with the run's unit if it applies."""
    number = run_numbers(run)[name]
    unit = number.unit if number.unit == run.manifest.unit else ""
    return escape_label(f"{number.label}, {unit}" if unit else number.label)


def _apply_lasso(key: str, run: Run, plane: Lasso) -> None:
    """Filter by a new lasso; an empty or stale one changes nothing."""
    lasso = _read_lasso(key, plane)
    if lasso is None:
        return
    changes: dict[str, Any] = {"area": lasso, "selected": ()} if lasso.layout else {"lasso": lasso}
    if not filter_mask(run, latest_state().replace(**changes).filters).any():
        queue_toast("No point lies within what was drawn, so nothing changes.", ":material/lasso_select:")
    else:
        update_state(**changes)


def _read_lasso(key: str, plane: Lasso) -> Lasso | None:
    event = widget_value(key)
    corners: Sequence[tuple[float, float]] = ()
    if event and event["selection"]["lasso"]:
        lasso = event["selection"]["lasso"][-1]
        corners = list(zip(lasso["x"], lasso["y"], strict=True))
    elif event and event["selection"]["box"]:
        (x0, x1), (y0, y1) = (event["selection"]["box"][-1][axis] for axis in "xy")
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    thinned = list(corners[:: -(-len(corners) // CORNERS) or 1])
    if not thinned:
        return None
    thinned += thinned[-1:] * (3 - len(thinned))  # a line is an area with nothing inside
    written = round_corners(tuple((float(a), float(b)) for a, b in thinned))
    return replace(plane, corners=written) if written else None
