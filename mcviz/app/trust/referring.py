"""Who looks at what? A budget that a person sets, what it catches and misses, and what is guaranteed."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.analysis.base import ranking_scores
from mcviz.analysis.referral import RunReferral, measure_prediction_sets, rank_by_all_scores, refer
from mcviz.app.caching import cached_for_run, numbers_key
from mcviz.app.components.charts import chart
from mcviz.app.components.gallery import tiles
from mcviz.app.components.widgets import bind
from mcviz.app.filters import Filters
from mcviz.app.navigation import REVIEW, UNCERTAIN, open_page
from mcviz.app.resources import ranking, run_scores, table
from mcviz.app.state import COVERAGES, PageState, choose_name, go
from mcviz.app.wording import counted
from mcviz.figures.trust import accuracy_against_referred
from mcviz.measures import percent
from mcviz.measures.bootstrap import Interval
from mcviz.measures.conformal import SetFigures
from mcviz.measures.referral import Costs, Referral, find_cheapest
from mcviz.measures.selective import (
    Ranking,
    SelectiveFigures,
    accuracy_of_rest,
    find_ties_with_best,
    perfect_ranking,
    risk_bands,
    selective_figures,
)
from mcviz.measures.units import percent_at_least
from mcviz.runs import Run

SHOWN = 8  # examples, of those that are referred and of the mistakes that are missed
BAND_POINTS = 41
DETERMINISTIC = "deterministic"


@dataclass(frozen=True)
class Target:
    """What a person may ask of a referral.

    Attributes:
        label: what it is called.
        field: the parameter of `mcviz.refer`.
        usual: its value where none was set, of N examples.
        most: the largest one.
        percent: whether it is set in percent.
    """

    label: str
    field: str
    usual: Callable[[int], float]
    most: Callable[[int], float]
    percent: bool


TARGETS = {
    "budget": Target("Budget of examples", "budget", lambda count: max(1, count // 50), float, percent=False),
    "accuracy": Target("Accuracy of the rest, at least", "accuracy", lambda _: 0.999, lambda _: 1.0, percent=True),
    "miss": Target("Mistakes missed, at most", "miss", lambda _: 0.1, lambda _: 1.0, percent=True),
}


def referral_control(run: Run, state: PageState, beside: Callable[[], None] | None = None) -> RunReferral:
    """The target and its value, and what stands beside them; what they refer by the score that ranks is returned."""
    name = choose_name(state.referral, TARGETS)
    target = TARGETS[name]
    value = target.usual(len(run)) if state.wanted is None else min(state.wanted, target.most(len(run)))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Target",
            list(TARGETS),
            format_func=lambda each: TARGETS[each].label,
            required=True,
            **bind("referral", name, lambda new: go(referral=new, wanted=None)),
        )
        if target.percent:
            st.number_input(
                "percent", 0.0, 100.0, step=0.1, format="%.4g", width=130,
                **bind(f"wanted-{name}", round(100 * value, 6), lambda new: go(wanted=round(new / 100, 8))),
            )  # fmt: skip
        else:
            st.number_input(
                "examples", 0, len(run), step=10, width=130,
                **bind(f"wanted-{name}", int(value), lambda new: go(wanted=float(new))),
            )  # fmt: skip
        if beside is not None:
            beside()
    return _referral(run, _score(run, state), target.field, value if target.percent else int(value))


def _score(run: Run, state: PageState) -> str:
    """The score that ranks, or the first of those that know no labels."""
    return choose_name(state.score, ranking_scores(run), "max_probability")


def _score_chooser(run: Run, state: PageState) -> None:
    scores = run_scores(run)
    st.selectbox(
        "Ranked by",
        ranking_scores(run),
        format_func=lambda each: scores[each].label,
        width=250,
        **bind("score", _score(run, state)),
    )


def filters_of(found: RunReferral) -> Filters:
    """What selects the examples that are referred, on Uncertain examples: a range of the score."""
    if found.threshold is None:
        return Filters()
    low_is_uncertain = found.score.uncertain_when == "low"
    ends = (-inf, found.threshold) if low_is_uncertain else (found.threshold, inf)
    return Filters().with_range(found.score.name, *ends)


def refer_in_popover(run: Run, state: PageState) -> None:
    """The control beside the filters of Uncertain examples; what it refers becomes the selection."""
    found = referral_control(run, state)
    on = found.on_labels
    assert on is not None
    rest = "no rest" if on.accuracy_of_rest is None else f"{percent(on.accuracy_of_rest, 2)} of the rest right"
    st.caption(
        f"{counted(len(on.referred), 'example')} to a person: {on.caught:,} of "
        f"{counted(on.caught + on.missed, 'mistake')} caught, {rest}."
    )
    st.button(
        "Select these",
        icon=":material/filter_list:",
        key="select-referred",
        disabled=len(on.referred) == 0,
        on_click=go,
        kwargs={"filters": filters_of(found), "score": found.score.name},
    )


def referring(run: Run, state: PageState) -> None:
    """The second half of the page."""
    found = referral_control(run, state, lambda: _score_chooser(run, state))
    on = found.on_labels
    assert on is not None
    _cards(run, on)
    _guaranteed(found)
    left, right = st.columns(2, gap="large")
    with left:
        _curves(run, found, len(on.referred) / len(run))
    with right:
        _orders(run)
    _examples(run, state, found, on)


def _cards(run: Run, on: Referral) -> None:
    mistakes = on.caught + on.missed
    rest = "–" if on.accuracy_of_rest is None else percent(on.accuracy_of_rest, 2)
    shown = (
        ("To a person", f"{len(on.referred):,}", f"of {counted(len(run), 'example')}"),
        ("Mistakes caught", f"{on.caught:,}", f"of {counted(mistakes, 'mistake')}"),
        ("Mistakes missed", f"{on.missed:,}", "which nobody sees"),
        ("The rest is right", rest, f"{percent(1 - mistakes / len(run), 2)} before"),
    )
    for column, (label, value, meaning) in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(label, value, border=True)
        column.caption(meaning)


def _guaranteed(found: RunReferral) -> None:
    """What holds for new examples, and why that is less than what the cards say."""
    given, examples = found.guarantee, found.guaranteed_examples
    if given is None or examples is None:
        st.markdown("**For new examples** nothing is guaranteed: there are too few labels, or too many mistakes.")
        return
    looked_at = (
        "nobody looks at any"
        if found.guaranteed_threshold is None
        else f"a person looks at those with {found.score.inline_label} {found.describe_threshold(given.threshold, 4)}, "
        f"here {len(examples):,}"
    )
    st.markdown(
        f"**For new examples**, with {100 * given.confidence:.6g}% confidence at least "
        f"{percent_at_least(given.accuracy, 2)} of the rest are right, where {looked_at}."
    )
    if len(given.others) == len(found.run):
        st.caption(
            "The threshold of a budget takes no labels, so all of them test it. It holds for examples drawn as these."
        )
        return
    on, tested = given.on_others, counted(len(given.others), "label")
    st.caption(
        f"The figures above are of the labels that chose their threshold, which flatters. This threshold was chosen on "
        f"one half of the labels and tested on the other: of {tested}, {len(on.referred):,} were referred, "
        f"{on.caught:,} of {counted(on.caught + on.missed, 'mistake')} caught. It holds for examples drawn as these."
    )


def _examples(run: Run, state: PageState, found: RunReferral, on: Referral) -> None:
    score = found.score.name
    st.markdown(f"**The first of those that go to a person** ({len(on.referred):,})")
    if len(on.referred) == 0:
        st.caption("Nobody has to look at any example for this.")
    else:
        tiles(run, state, on.referred[:SHOWN], 1, score, key="referred")
        with st.container(horizontal=True):
            if st.button("All of them, as a selection", icon=":material/filter_list:", key="select-referred"):
                open_page(UNCERTAIN, state, filters=filters_of(found), score=score, view="")
            if st.button("Review these", icon=REVIEW.icon, key="review-referred"):
                open_page(REVIEW, state, filters=filters_of(found), score=score, part="")
    order = ranking(run, score)
    left = order[~np.isin(order, on.referred)]
    missed = left[~table(run)["correct"].iloc[left].to_numpy(bool)]
    st.markdown(f"**Mistakes that nobody sees** ({len(missed):,})")
    if len(missed) == 0:
        st.caption("Every mistake goes to a person." if on.caught else "Every prediction is correct.")
    else:
        st.caption("The model is wrong about these and yet among the most certain. The least certain come first.")
        tiles(run, state, missed[:SHOWN], None, score, key="missed")


def _curves(run: Run, found: RunReferral, share: float) -> None:
    st.subheader("What a look is worth", anchor=False)
    names, rankings = _labels(run), _rankings(run)
    chosen, deterministic = rankings[found.score.name], rankings.get(DETERMINISTIC)
    curves = {names[found.score.name]: accuracy_of_rest(chosen)}
    if deterministic is not None:
        curves[names[DETERMINISTIC]] = accuracy_of_rest(deterministic)
    shares, low, high = _band(run, found.score.name)
    grid = np.linspace(0, 1, len(chosen) + 1)
    band = (np.interp(grid, shares, low), np.interp(grid, shares, high))
    figure = accuracy_against_referred(
        curves,
        accuracy_of_rest(perfect_ranking(chosen)),
        float(chosen.correct.mean()),
        bands={names[found.score.name]: band},
        chosen=share,
    )
    st.caption("Accuracy of the rest when the most uncertain share goes to a person, with a 95% band.")
    chart(figure, "what-a-look-is-worth", f"Accuracy of the rest against the share referred, by {found.score.label}.")


def _orders(run: Run) -> None:
    st.subheader("Which score finds the mistakes?", anchor=False)
    figures, names = _selective(run), _labels(run)
    if not any(each.augrc.value for each in figures.values()):
        st.caption("Every prediction is correct, so there are no mistakes by which scores could be ranked.")
        return
    tied = find_ties_with_best(figures)
    if len(tied) > 1:
        st.caption(f"Low is good. {len(tied)} of {len(figures)} tie with the best: within noise they are as good.")
    else:
        st.caption(f"Low is good. {names[tied[0]]} is the best by more than noise.")
    rows = sorted(figures.items(), key=lambda each: each[1].augrc.value)
    with st.container(key="orders"):
        st.table(
            pd.DataFrame(
                {
                    "score": [names[name] for name, _ in rows],
                    "AURC, ‰": [f"{1000 * each.aurc.value:.2f}" for _, each in rows],
                    "E-AURC, ‰": [f"{1000 * each.e_aurc.value:.2f}" for _, each in rows],
                    "AUGRC, ‰": [_permille(each.augrc) for _, each in rows],
                    "ties": ["yes" if each.ties_with_best else "no" for _, each in rows],
                }
            ).set_index("score")
        )


def _permille(of: Interval) -> str:
    return of.format(lambda value: f"{1000 * value:.2f}")


def costs(run: Run, state: PageState) -> None:
    """The cheapest threshold for what a mistake and a look cost."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        mistake = st.number_input(
            "An unseen mistake costs", 0.0, 1e9, step=1.0, format="%.6g", width=200,
            **bind("mistake_costs", state.mistake_costs),
        )  # fmt: skip
        look = st.number_input(
            "a look costs", 0.0, 1e9, step=1.0, format="%.6g", width=200, **bind("look_costs", state.look_costs)
        )
    score = _score(run, state)
    found: Costs = find_cheapest(_rankings(run)[score], mistake, look)
    looks = len(found.referral.referred)
    st.markdown(
        f"It is cheapest to look at **{looks:,}** of {counted(len(run), 'example')}, the most uncertain by "
        f"{run_scores(run)[score].inline_label}. That saves **{found.saved:,.6g}** against the cheaper of none and all."
    )
    st.table(
        pd.DataFrame(
            {
                "looking at": [counted(looks, "example"), "none", "all"],
                "costs": [f"{cost:,.6g}" for cost in (found.cost, found.of_none, found.of_all)],
            }
        ).set_index("looking at")
    )
    if st.button("Take that as the budget", icon=":material/check:", disabled=looks == 0):
        go(referral="budget", wanted=float(looks))
        st.rerun()


def prediction_sets(run: Run, state: PageState) -> None:
    """How large a set of classes has to be to hold the label as often as asked for."""
    coverage = state.coverage
    st.segmented_control(
        "The set holds the label for",
        sorted(COVERAGES),
        format_func=lambda each: f"{each}%",
        required=True,
        **bind("coverage", coverage),
    )
    figures = _sets(run, coverage)
    st.caption("Class-conditional conformal sets; each half of the labels calibrates the other half's.")
    size, held = figures.size, figures.coverage
    st.table(
        pd.DataFrame(
            {
                "sets": [
                    "classes in a set, on average",
                    "hold the label",
                    "are one class alone",
                    "are empty: none fits",
                ],
                "figure": [
                    size.format("{:.2f}".format),
                    held.format(lambda share: f"{100 * share:.2f}", "%"),
                    percent(figures.single),
                    percent(figures.empty),
                ],
            }
        ).set_index("sets")
    )


def _labels(run: Run) -> dict[str, str]:
    found = {name: score.label for name, score in run_scores(run).items()}
    return {**found, DETERMINISTIC: "Deterministic max probability"}


@cached_for_run(numbers_key, max_entries=64)
def _referral(run: Run, score: str, field: str, value: float) -> RunReferral:
    target: dict[str, Any] = {field: value}
    return refer(run, score=score, **target)


@cached_for_run(numbers_key, max_entries=4)
def _rankings(run: Run) -> dict[str, Ranking]:
    return rank_by_all_scores(run)


@cached_for_run(numbers_key, max_entries=4, show_spinner="Comparing the scores …")
def _selective(run: Run) -> dict[str, SelectiveFigures]:
    return selective_figures(_rankings(run))


@cached_for_run(numbers_key, max_entries=32)
def _band(run: Run, score: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares referred, and the ends of the accuracy of the rest at each."""
    coverages = np.linspace(1, 1 / BAND_POINTS, BAND_POINTS)
    found = risk_bands(_rankings(run)[score], coverages)
    low, high = (np.array([1 - getattr(each, end) for each in found]) for end in ("high", "low"))
    return 1 - coverages, low, high


@cached_for_run(numbers_key, max_entries=8, show_spinner="Calibrating the sets …")
def _sets(run: Run, coverage: int) -> SetFigures:
    return measure_prediction_sets(run, coverage / 100)
