"""Views of points and cells: any score against any other, errors, predictions, the map, and the confusion matrix."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import column, similarity_basis
from mcviz.app.filters import Filters, Lasso, lasso_on_map
from mcviz.app.navigation import EXPLORE, target_chooser
from mcviz.app.on_request import compute_on_request, request
from mcviz.app.resources import (
    Need,
    all_grouping_columns,
    available,
    cached_for_run,
    class_names,
    groups,
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
    state_widget_args,
    update_state,
    widget_value,
)
from mcviz.app.views.linked import axis_title, chart_key, lasso_marks, render_lasso_chart
from mcviz.app.wording import ranking_end_labels
from mcviz.figures import CORRECT, WRONG, Window, class_colour, coloured_map, scatter
from mcviz.figures.style import CLASSES, NEUTRAL, diagonal, escape_label
from mcviz.measures import fixed, percent
from mcviz.measures.quality import rank_correlation
from mcviz.runs import Run
from mcviz.text import one_line

HOVERED_NUMBER = ".6~g"  # d3's format of a number of the user's own

ERROR = "absolute_error"
LAYOUT_WORK = "t-sne"  # that a visitor asks for

CELLS = {"counts": "examples", "score": "mean of the score"}


@dataclass(frozen=True)
class Colouring:
    """A choice for the colours of the points.

    Attributes:
        label: what it is called.
        needs: what a run has to have for it to be offered.
    """

    label: str
    needs: Collection[Need] = field(default_factory=frozenset)


COLOURINGS = {
    "correct": Colouring("correct or wrong", needs={"labels", "classes"}),
    "label": Colouring("label", needs={"labels", "classes"}),
    "prediction": Colouring("prediction", needs={"classes"}),
    "score": Colouring("score of the ranking"),
}


def colouring_chooser(run: Run, state: PageState, default: str | None = None) -> str:
    """Render the choice of what the colours show, and return it: one of `COLOURINGS` or of `all_grouping_columns`."""
    colourings = [*available(COLOURINGS, run), *all_grouping_columns(run)]
    colouring = choose_name(state.colour, colourings, default)
    st.selectbox("Colour", colourings, format_func=colour_label, width=250, **state_widget_args("colour", colouring))
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
    """Return the group of each example, and name and colour of each group; of many groups the largest ten."""
    if colouring == "correct":
        return (~table(run)["correct"].astype(bool)).to_numpy(int), ("correct", "wrong"), [CORRECT, WRONG]
    if colouring in COLOURINGS:
        members, names = table(run)[colouring].to_numpy(int), class_names(run)
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
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for axis, chosen in (("x", x), ("y", y)):
            st.selectbox(
                f"{axis} axis", list(labels), format_func=labels.__getitem__, **state_widget_args(axis, chosen)
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
    """Render errors against the ranking's score, and their rank correlation; a lasso selects."""
    run, state, filters = selection.run, selection.state, selection.filters
    others, ranked_by = filters.without("lasso"), run_scores(run)[state.score]
    score = run_scores(run)[run.first_score] if ranked_by.needs_labels else ranked_by
    if score is not ranked_by:
        st.caption(
            f"{ranked_by.label} looks at the label itself, so the errors are shown against the "
            f"{score.inline_label}. Rank by another score to see them against that one."
        )

    def draw(lasso: Lasso | None, window: Window | None) -> go.Figure:
        rows = table(run)[filter_mask(run, others)]
        return plot.errors(run, score.name, rows=rows, **lasso_marks(lasso, score.name, ERROR, rows), window=window)

    render_lasso_chart(
        "errors",
        run,
        Lasso(score.name, ERROR, ()),
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
    """Say whether the examples of high scores are those of large errors, in a sentence or two."""
    shown = table(run)[filter_mask(run, others)]
    found = rank_correlation(shown[score].to_numpy(), shown[ERROR].to_numpy())
    climbs = "Where the line climbs, the score tells where errors are large."
    if found is None:  # one of the two is the same everywhere
        return climbs
    return (
        f"{climbs} The rank correlation of the two is {fixed(found, 2)}: 1 if the most uncertain examples have the "
        "largest errors, 0 if the score says nothing of them."
    )


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
            choose_segment("Layout", "layout", layout, {each: LAYOUTS[each] for each in layouts})
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
    """Render fields that filter to the examples around one, for those who cannot draw."""
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
    choose_segment("Cells show", "cells", shows, CELLS)
    others = filters.without("label", "prediction")
    shown = table(run)[["label", "prediction", "correct", selection.score]][filter_mask(run, others)]
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
    """Return the label and the prediction of the cell that the browser shows as selected, or None."""
    event = widget_value(key)
    if not event or not event["selection"]["points"]:
        return None
    return divmod(int(event["selection"]["points"][0]["customdata"]), classes)


def _apply_cell(key: str, classes: int) -> None:
    cell = _read_cell(key, classes)
    if cell:  # none when the chart is drawn anew, which changes nothing
        label, prediction = cell
        update_state(label=(label,), prediction=(prediction,))
