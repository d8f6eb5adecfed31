"""One example, and what every pass predicts of it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.columns import facts_of, own_columns
from mcviz.app.components.charts import chart, class_charts, class_table, example_picture
from mcviz.app.components.chips import chips
from mcviz.app.components.gallery import tiles
from mcviz.app.components.keys import keys
from mcviz.app.components.score_chooser import score_chooser
from mcviz.app.components.widgets import bound
from mcviz.app.filters import Filters
from mcviz.app.navigation import EXAMPLE, SIDE_BY_SIDE, begin, open_page
from mcviz.app.needs import Need, offered
from mcviz.app.resources import class_names, label_of, ranking, table
from mcviz.app.selection import Selection, select
from mcviz.app.similar import compared, components
from mcviz.app.state import CONFIDENT_FIRST, ORDERS, PINS, PageState, go, one_of, quoted
from mcviz.app.wording import all_as_markdown, judged, predicted, reasons, votes
from mcviz.figures import estimate_by_passes, two_classes
from mcviz.measures import SCORES, PassSummary, summarise
from mcviz.measures.similarity import most_similar
from mcviz.runs import Run

SIMILAR = 6
MOST_FACTS = 8  # columns of the user's own, above which their table scrolls
FACTS_HEIGHT = 320  # pixels


def stepper(selection: Selection, example: int) -> None:
    """The controls that step through the selection, and a sentence with the rank of the example."""
    examples = selection.examples
    at = np.flatnonzero(examples == example)
    rank = int(at[0]) if len(at) else -1
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input("Example", 0, len(selection.run) - 1, width=140, **bound("example", example))
        score_chooser("Ranked by", selection.state)
        for label, icon, shortcut, step in (
            ("Previous", ":material/arrow_back:", "Left", -1),
            ("Next", ":material/arrow_forward:", "Right", 1),
        ):
            there = 0 <= rank + step < len(examples)
            st.button(
                label,
                icon=icon,
                shortcut=shortcut,
                disabled=not there,
                on_click=go,
                kwargs={"example": int(examples[rank + step]) if there else example},
            )
        st.button(
            "Random", icon=":material/casino:", key="random", disabled=not len(examples), on_click=go_to_random,
            args=(examples,), help="Key R",
        )  # fmt: skip
        keys(r="random")
    if selection.state.unknown_example:
        st.warning(
            f"There is no example {quoted(selection.state.unknown_example)} in this run: its examples are 0 to "
            f"{len(selection.run) - 1:,}. This is the most uncertain one, example {example:,}.",
            icon=":material/link_off:",
        )
    if selection.filters != Filters():
        chips(selection)
    st.caption(f"{rank_in(selection, rank)} Keys: ← → R F.")


def rank_in(selection: Selection, rank: int) -> str:
    """The rank of the example in the selection, as a sentence; a negative rank: it is not in the selection."""
    if len(selection.examples) == 0:
        return "No example passes all of these filters, so there is none to step through. Take one off."
    confident_first = selection.state.order == CONFIDENT_FIRST
    order = f", {ORDERS[CONFIDENT_FIRST]}" if confident_first else ""
    by = f"by {SCORES[selection.score].label.lower()}{order}"
    if rank < 0:
        return f"This example is not among the selected ones; Next goes to the first of those {by}."
    selected = " selected" if selection.filters != Filters() else ""
    return f"Rank **{rank + 1:,}** of {len(selection.examples):,}{selected} {by}."


def go_to_random(examples: np.ndarray) -> None:
    """Open a random one of these examples."""
    go(example=int(np.random.default_rng().choice(examples)))


def flag_and_pin(state: PageState, example: int) -> None:
    """Flag the example for later, and pin it for comparison."""
    flagged, pinned = state.flagged, state.pinned
    with st.container(horizontal=True, gap="small"):
        st.button(
            f"Flagged ({len(flagged)})" if example in flagged else "Flag",
            key="flag",  # or else, while the label changes, two buttons would hear the shortcut
            icon=":material/flag:",
            shortcut="F",
            type="primary" if example in flagged else "secondary",
            on_click=go,
            kwargs={"flagged": with_or_without(flagged, example)},
            help="Flags are kept in the address, and listed under the filters.",
        )
        full = example not in pinned and len(pinned) >= PINS
        st.button(
            "Unpin" if example in pinned else "Pin",
            key="pin",
            icon=":material/keep:",
            disabled=full,
            on_click=go,
            kwargs={"pinned": with_or_without(pinned, example)},
            help=f"Only {PINS} examples fit side by side." if full else "Pin examples to compare them side by side.",
        )
        if pinned and st.button(f"Compare {len(pinned)}", icon=":material/compare:"):
            open_page(SIDE_BY_SIDE, state)


def with_or_without(examples: tuple[int, ...], example: int) -> tuple[int, ...]:
    """The examples without one of them, or with one more."""
    others = tuple(other for other in examples if other != example)
    return others if example in examples else (*others, example)


def score_table(run: Run, row: "pd.Series[float]", example: int) -> None:
    """Every score of the example, and its rank by it."""
    rows = pd.DataFrame(
        {
            "score": [score.label for score in SCORES.values()],
            "value": [SCORES[name].format(row[name]) for name in SCORES],
            "rank": [f"{np.flatnonzero(ranking(run, name) == example)[0] + 1:,}" for name in SCORES],
        }
    ).set_index("score")
    st.table(rows)


def own_facts(run: Run, row: "pd.Series[float]") -> None:
    """The example's id and its values of the user's own columns, where there are any."""
    facts = facts_of(own_columns(run), row)
    if facts:
        names, values = (all_as_markdown(texts) for texts in zip(*facts, strict=True))
        with st.container(height=FACTS_HEIGHT if len(facts) > MOST_FACTS else "content", border=False):
            st.table(pd.DataFrame({"column": names, "value": values}).set_index("column"))


@dataclass(frozen=True)
class Shown:
    """The example that the page shows.

    Attributes:
        run: whose example it is.
        state: of the page, which names the example.
        example: its number.
        probs: (T, C) probabilities of its passes.
        summary: of these passes.
    """

    run: Run
    state: PageState
    example: int
    probs: np.ndarray
    summary: PassSummary


def similar_examples(shown: Shown) -> None:
    """The examples that are most like this one, by the run's features or else by its images."""
    nearest = most_similar(components(shown.run.digest, shown.run), shown.example, SIMILAR)
    if len(nearest) == 0:
        st.caption("This run has no other example.")
        return
    st.caption(f"The examples with the nearest {compared(shown.run)}. Click one to open it.")
    tiles(shown.run, shown.state, nearest, None, shown.state.score, key="similar")


def compare_classes(shown: Shown) -> None:
    """The probability of one class against that of another, one point a pass."""
    names = class_names(shown.run)
    likeliest = [int(c) for c in np.argsort(-shown.summary.mean)]
    chosen = []
    with st.container(horizontal=True):
        for label, key, default in (
            ("One class", "first_class", likeliest[0]),
            ("against", "second_class", likeliest[1]),
        ):
            named = getattr(shown.state, key)
            chosen.append(default if named is None else named)
            st.selectbox(label, range(len(names)), format_func=names.__getitem__, width=220, **bound(key, chosen[-1]))
    st.caption("One point a pass. Points in two corners: two groups of passes that disagree. One cloud: a wide spread.")
    chart(
        two_classes(shown.probs, chosen[0], chosen[1], names),
        "two-classes",
        f"One point a pass: {votes(shown.summary, names)}.",
    )


def convergence(shown: Shown) -> None:
    """How the mean changes as passes are added."""
    st.caption("The mean of the first 1, 2, … passes, with two standard errors. Flat lines: there are enough passes.")
    likeliest = [int(c) for c in np.argsort(-shown.summary.mean)[:3]]
    figure = estimate_by_passes(shown.probs, likeliest, class_names(shown.run))
    chart(figure, "estimate", f"The mean of the likeliest three classes over {len(shown.probs)} passes.")


@dataclass(frozen=True)
class CloserLook:
    """A detail of one example that is shown on demand.

    Attributes:
        label: what it is called.
        show: draws it.
        needs: what a run has to have for it to be offered.
    """

    label: str
    show: Callable[[Shown], None]
    needs: Collection[Need] = field(default_factory=frozenset)


CLOSER_LOOKS = {
    "similar": CloserLook("Similar examples", similar_examples, needs={"images or features"}),
    "two_classes": CloserLook("Two classes", compare_classes),
    "passes": CloserLook("Enough passes?", convergence),
}


def closer_look(shown: Shown) -> None:
    """The closer look that the state names, of those that the run has everything for."""
    names = offered(CLOSER_LOOKS, shown.run)
    name = one_of(shown.state.closer_look, names)
    st.segmented_control(
        "A closer look",
        names,
        format_func=lambda each: CLOSER_LOOKS[each].label,
        required=True,
        **bound("closer_look", name),
    )
    CLOSER_LOOKS[name].show(shown)


run, state = begin(EXAMPLE)
example = int(ranking(run, "max_probability")[0]) if state.example is None else state.example
stepper(select(run, state), example)
probs, row = run.probs(example), table(run).iloc[example]
summary, label, names = summarise(probs), label_of(run, example), class_names(run)

left, right = st.columns([2, 5], gap="large")
with left:
    example_picture(run, example)
    flag_and_pin(state, example)
    own_facts(run, row)
    st.markdown(f"{predicted(summary, names)} {judged(summary.prediction, label, names)}")
    st.markdown("\n".join(f"- {reason}" for reason in reasons(probs, summary, row, names)))
    class_table(summary, names)
    st.markdown("**Each score, and the example's rank by it**")
    score_table(run, row, example)
with right:
    class_charts(probs, summary, names, label, "example")
    closer_look(Shown(run, state, example, probs, summary))
