"""Examples for a person: referral of the most uncertain ones, its guarantee and costs, and a list to label next."""

from functools import partial
from math import inf
from typing import Any

import numpy as np
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import ranking_scores
from mcviz.analysis.labelling import acquire, methods_of_acquisition
from mcviz.analysis.referral import (
    DETERMINISTIC,
    DETERMINISTIC_SCORE,
    NEW,
    THESE,
    CheapestReferral,
    RunReferral,
    compare_scores_here,
    describe_caught,
    describe_scores_here,
    describe_threshold,
    find_cheapest_referral,
    measure_prediction_sets,
    name_best_score,
    refer,
    set_rows,
)
from mcviz.app.calibration import chosen_group
from mcviz.app.components import chart, text_table
from mcviz.app.components.gallery import tiles
from mcviz.app.filters import Filters
from mcviz.app.navigation import EXPLORE, LABELLING, open_page
from mcviz.app.resources import cached_for_run, numbers_key, ranking, run_scores, scores_key, table
from mcviz.app.selection import doubted_labels
from mcviz.app.state import COVERAGES, PageState, choose_name, choose_segment, state_widget_args, update_state
from mcviz.app.wording import as_markdown, capitalised, counted
from mcviz.choices import Method
from mcviz.figures.trust import mark_share
from mcviz.measures.calibration import ENOUGH
from mcviz.measures.selective import Guarantee, Referral
from mcviz.runs import Run
from mcviz.tasks import Task
from mcviz.text import one_line, percent, percent_at_least

CARD_WIDTH, WIDE_CARD = 130, 190  # pixels; two stand side by side on a phone
TILES = 8  # examples, of those that are referred and of the mistakes that are missed
LIST_KEYS = {THESE: "referred", NEW: "guaranteed"}
CHEAPEST = "cheapest"
QUALITY = "accuracy"  # in the address, whatever the task calls it
TARGETS = ("budget", QUALITY, "miss", CHEAPEST)
USUAL_ACCURACY, USUAL_MISSED = 0.999, 0.1
USUAL_BATCH = 100  # examples to label next
METHOD_LABELS: dict[Method, str] = {
    "bald": "BALD",
    "power-bald": "PowerBALD",
    "batch-bald": "BatchBALD",
    "entropy": "entropy",
    "random": "at random",
}
cached_referral = cached_for_run(scores_key, max_entries=64)(refer)
cached_cheapest_referral = cached_for_run(scores_key, max_entries=64)(find_cheapest_referral)
cached_scores_here = cached_for_run(scores_key, max_entries=4, show_spinner="Comparing the scores …")(
    compare_scores_here
)
cached_best_score = cached_for_run(scores_key, max_entries=8)(name_best_score)
cached_risk_coverage = cached_for_run(scores_key, max_entries=32)(plot.risk_coverage)
cached_set_figures = cached_for_run(numbers_key, max_entries=8, show_spinner="Calibrating the sets …")(
    measure_prediction_sets
)


def find_referral(run: Run, state: PageState) -> RunReferral:
    """Find the referral that a state asks for; cached."""
    name = _target(state)
    if name == CHEAPEST:
        return _find_cheapest(run, state).referral
    target: dict[str, Any] = {"quality" if name == QUALITY else name: _wanted(run, state)}
    return cached_referral(run, score=_score(run, state), group=chosen_group(run, state), **target)


def referral_controls(run: Run, state: PageState, *, with_score: bool = False) -> RunReferral:
    """Render a choice of the target of a referral, and of the score that ranks, and return the referral."""
    name, quality, losses = _target(state), capitalised(run.task.rest_name), capitalised(run.task.loss.noun)
    choose_segment(
        "Target",
        "referral",
        name,
        dict(zip(TARGETS, ("Budget", quality, losses, "Cheapest"), strict=True)),
        lambda new: update_state(referral=new, wanted=None),
        label_visibility="collapsed",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if name == CHEAPEST:
            costs = (f"A {run.task.loss.worst} costs", "mistake_costs"), ("A review costs", "look_costs")
            for label, field in costs:
                cost = state_widget_args(field, getattr(state, field))
                st.number_input(label, 0.0, 1e9, step=1.0, format="%.6g", width=190, **cost)
        elif name in (QUALITY, "miss"):
            share = state_widget_args(
                f"wanted-{name}",
                round(100 * _wanted(run, state), 6),
                lambda new: update_state(wanted=round(new / 100, 8)),
            )
            label = f"{quality} left, at least, %" if name == QUALITY else f"{losses} missed, at most, %"
            st.number_input(label, 0.0, 100.0, step=0.1, format="%.4g", width=190, **share)
        else:
            budget = state_widget_args(
                f"wanted-{name}", int(_wanted(run, state)), lambda new: update_state(wanted=float(new))
            )
            st.number_input("Examples, at most", 0, len(run), step=10, width=190, **budget)
        if with_score:
            labels = {name: run_scores(run)[name].label for name in ranking_scores(run)}
            st.selectbox(
                "Ranked by", list(labels), format_func=labels.__getitem__, width=250,
                **state_widget_args("score", _score(run, state)),
            )  # fmt: skip
    return find_referral(run, state)


def referral_filters(referral: RunReferral, name: str = "") -> Filters:
    """Return the filters that select the examples of a list, the first without a name: a range of the score."""
    threshold = referral.guaranteed_threshold if name == NEW else referral.threshold
    if threshold is None:
        return Filters()
    low_is_uncertain = referral.score.uncertain_when == "low"
    ends = (-inf, threshold) if low_is_uncertain else (threshold, inf)
    return Filters().with_range(referral.score.name, *ends)


def render_acquisition(run: Run) -> None:
    """Render a choice of the method and the number of examples to label next; the list is made on demand."""
    methods = [
        method
        for method in methods_of_acquisition(run)
        if method != "batch-bald" or run.manifest.masks != "per_example"
    ]
    method = st.selectbox("Method", methods, format_func=METHOD_LABELS.__getitem__, key="acquire-method")
    batch = st.number_input("How many examples", 1, len(run), min(USUAL_BATCH, len(run)), key="acquire-batch")
    if method == "batch-bald":
        st.caption("BatchBALD compares the passes of all examples, which takes some seconds.")
    st.download_button(
        "List as CSV",
        partial(acquisition_csv, run, method, int(batch)),
        file_name=f"{one_line(run.name)}-to-label-{batch}.csv",
        mime="text/csv",
        key="acquire",
        on_click="ignore",
        width="stretch",
        help="Of the whole run, whatever the filters; `mcviz acquire` writes the same.",
    )


def acquisition_csv(run: Run, method: Method, batch: int) -> bytes:
    """Return the examples to label next as CSV."""
    return acquire(run, method, batch).to_csv(index=False).encode()


def render_referral(run: Run, state: PageState) -> None:
    """Render the choice of referral, figures, and guarantee or saving."""
    referral = referral_controls(run, state, with_score=True)
    assert referral.on_labels is not None
    _render_cards(referral, referral.on_labels)
    render_promise(run, state, referral)
    if best := cached_best_score(run, chosen_group(run, state)):
        st.markdown(as_markdown(best))


def referral_cards(referral: RunReferral, on: Referral) -> list[tuple[int, str, str, str]]:
    """Return figures of a referral: card width in pixels, label, value, words."""
    run, task, total = referral.run, referral.run.task, on.caught + on.missed
    losses, before = capitalised(task.loss.noun), 1 - total / referral.labelled
    if task.loss.is_mistake:
        caught, missed, of_all = f"{on.caught:,}", f"{on.missed:,}", f"of {total:,}"
    else:
        caught, missed = (percent(part / total) if total else "–" for part in (on.caught, on.missed))
        of_all = f"of all {task.loss.noun}"
    rest = "–" if on.quality_of_rest is None else percent(on.quality_of_rest, 2)
    return [
        (CARD_WIDTH, "To a person", f"{len(referral.examples):,}", f"of {len(run):,}"),
        (CARD_WIDTH, f"{losses} caught", caught, of_all),
        (CARD_WIDTH, f"{losses} missed", missed, "which nobody sees"),
        (WIDE_CARD, f"{capitalised(task.rest_name)} left", rest, f"after review; {percent(before, 2)} before"),
    ]


def _render_cards(referral: RunReferral, on: Referral) -> None:
    with st.container(horizontal=True):
        for width, label, value, meaning in referral_cards(referral, on):
            with st.container(width=width, gap=None):
                st.metric(label, value)
                st.caption(meaning)


def render_promise(run: Run, state: PageState, referral: RunReferral) -> None:
    """Render the guarantee or saving of a referral."""
    if _target(state) == CHEAPEST:
        _render_saving(_find_cheapest(run, state))
    else:
        _render_guarantee(referral)


def _render_guarantee(referral: RunReferral) -> None:
    given = referral.guarantee
    st.markdown(describe_guarantee(referral), help=_explain_guarantee(referral, given) if given else None)


def describe_guarantee(referral: RunReferral) -> str:
    """Describe a referral's guarantee in Markdown."""
    given, examples, task = referral.guarantee, referral.guaranteed_examples, referral.run.task
    if given is None or examples is None:
        large = "too many mistakes" if task.loss.is_mistake else "too large losses"
        return f"**For new examples** nothing is guaranteed: there are too few labels, or {large}."
    looked_at = (
        "nobody looks at any"
        if referral.guaranteed_threshold is None
        else f"a person looks at those with {referral.score.inline_label} "
        f"{describe_threshold(referral.score, given.threshold, 4)}, here {len(examples):,}"
    )
    least = percent_at_least(given.quality, 2)
    promise = f"the {task.rest_name} of the rest is at least {least}"
    if task.loss.is_mistake:
        promise = f"at least {least} of the rest are right"
    return (
        f"**For new examples** from the same source, {promise}, where {looked_at}. Such a bound holds "
        f"{100 * given.confidence:.6g} times in 100."
    )


def _explain_guarantee(referral: RunReferral, given: Guarantee) -> str:
    if len(given.others) == referral.labelled:
        return "A budget sets its threshold without labels, so all labels test it."
    on, task = given.on_others, referral.run.task
    tested = counted(len(given.others), "label" if task.loss.is_mistake else "labelled example")
    return (
        "The figures above are too good for new examples, since their threshold was chosen by the same labels. This "
        f"threshold was chosen on one half of the labels and tested on the other: of {tested}, {len(on.referred):,} "
        f"were referred, {caught_words(task, on)}."
    )


def caught_words(task: Task, on: Referral) -> str:
    """Say how many of the mistakes went to a person, or how much of another loss."""
    if task.loss.is_mistake:
        return f"{on.caught:,} of {counted(int(on.caught + on.missed), 'mistake')} caught"
    return f"{describe_caught(task, on)} of the {task.loss.noun} caught"


def _render_saving(cheapest: CheapestReferral) -> None:
    costs, reviews = cheapest.costs, len(cheapest.costs.on_others.referred)
    noun = cheapest.run.task.loss.noun
    st.markdown(as_markdown(cheapest.in_words))
    st.caption(
        f"On the other half, {counted(reviews, 'review')} and the {noun} that are missed cost {costs.cost:,.6g}; no "
        f"review costs {costs.of_none:,.6g}, and a review of all {cheapest.judged:,} costs {costs.of_all:,.6g}."
    )


def render_first_referred(run: Run, state: PageState) -> None:
    """Render each list of examples that go to a person, with its uses, and the first ones, which are in all of them."""
    referral = find_referral(run, state)
    for name in referral.rules:
        _render_list(referral, state, name)
    longest = max(map(referral.select, referral.rules.values()), key=len)
    if len(longest):
        tiles(run, state, longest[:TILES], 1, referral.score.name, key="referred")


def render_least_certain(run: Run, state: PageState) -> None:
    """Render the least certain examples, for runs without known mistakes."""
    score = run_scores(run)[run.first_score]
    with st.container(horizontal=True, vertical_alignment="center", key="first-least-certain"):
        st.markdown(f"**First to look at**, by {as_markdown(score.inline_label)}", width="content")
        if run.task.decides and st.button("Label these", icon=LABELLING.icon, key="review-least-certain"):
            open_page(LABELLING, state, score=score.name, part="queue")
    tiles(run, state, ranking(run, score.name)[:TILES], 1, score.name, key="referred")


def _render_list(referral: RunReferral, state: PageState, name: str) -> None:
    run, score, key = referral.run, referral.score.name, LIST_KEYS[name]
    referred, filters = referral.select(referral.rules[name]), referral_filters(referral, name)
    with st.container(horizontal=True, vertical_alignment="center", key=f"first-{key}"):
        st.markdown(f"**{counted(len(referred), 'example')} to look at**{list_words(referral, name)}", width="content")
        if len(referred) == 0:
            st.caption("Nobody has to look at any example for this.")
            return
        if st.button("Filter to these", icon=":material/filter_list:", key=f"select-{key}"):
            open_page(EXPLORE, state, filters=filters, score=score, view="")
        if run.task.decides and st.button("Label these", icon=LABELLING.icon, key=f"review-{key}"):
            open_page(LABELLING, state, filters=filters, score=score, part="queue")
        st.download_button(
            "CSV",
            partial(referral_csv, referral, name),
            file_name=f"{one_line(run.name)}-{key}-{len(referred)}.csv",
            mime="text/csv",
            icon=":material/download:",
            key=f"csv-{key}",
            on_click="ignore",
            help="`mcviz refer` writes the same.",
        )


def list_words(referral: RunReferral, name: str) -> str:
    """Name a list's examples; "" for a single list."""
    return f" for {name}" if len(referral.rules) > 1 else ""


def referral_csv(referral: RunReferral, name: str) -> bytes:
    """Return a list of examples that go to a person as CSV."""
    table = referral.guaranteed_table if name == NEW else referral.table
    assert table is not None  # such a list is only named where there is one
    return table.to_csv(index=False).encode()


def render_scores(run: Run, state: PageState) -> None:
    """Render how well each score finds the mistakes, the quality left after review, and those that nobody sees."""
    referral = find_referral(run, state)
    left, right = st.columns(2, gap="large")
    with left:
        _render_score_table(run, chosen_group(run, state))
    with right:
        _render_curves(run, referral, len(referral.examples) / len(run), chosen_group(run, state))
    _render_missed_mistakes(run, state, referral)


def _render_missed_mistakes(run: Run, state: PageState, referral: RunReferral) -> None:
    assert referral.on_labels is not None
    noun = run.task.loss.noun
    st.markdown(f"**The {noun} that nobody sees**")
    score, order = referral.score.name, ranking(run, referral.score.name)
    left = order[~np.isin(order, referral.examples)]
    missed = left[doubted_labels(run)[left]]
    if len(missed) == 0:
        every = "Every mistake goes" if run.task.loss.is_mistake else f"All {noun} go"
        st.caption(f"{every} to a person." if referral.on_labels.caught else "Every prediction is correct.")
        return
    st.caption(
        f"The model is wrong about these {len(missed):,}, which do not go to a person. The most uncertain come first."
    )
    tiles(run, state, missed[:TILES], None, score, key="missed")


def _render_curves(run: Run, referral: RunReferral, share: float, group: str | None) -> None:
    figure = mark_share(cached_risk_coverage(run, referral.score.name, group=group), share)
    quality = capitalised(run.task.rest_name)
    st.caption(f"{quality} left after a person reviews the most uncertain share, with a 95% band.")
    chart(
        figure,
        "accuracy-after-review",
        f"{quality} left after review against the share reviewed, by {referral.score.label}.",
    )


def _render_score_table(run: Run, group: str | None) -> None:
    figures = cached_scores_here(run, group=group)
    names = {name: score.label for name, score in run_scores(run).items()}
    names[DETERMINISTIC] = capitalised(DETERMINISTIC_SCORE)
    if not any(figure.augrc.value for figure in figures.values()):
        noun = run.task.loss.noun
        st.caption(f"Every prediction is correct, so there are no {noun} by which scores could be ranked.")
        return
    no_interval = any(np.isnan(figure.augrc.low) for figure in figures.values())
    takes = f" An AUGRC has an interval only from {ENOUGH} on." if no_interval else ""
    st.markdown(as_markdown(describe_scores_here(run, figures)))
    st.caption(f"Lower is better; those that tie may be the best.{takes}")
    rows = [
        (
            names[name],
            f"{1000 * of_score.aurc.value:.2f}",
            f"{1000 * of_score.e_aurc.value:.2f}",
            of_score.augrc.format(lambda value: f"{1000 * value:.2f}"),
            "yes" if of_score.ties_with_best else "no",
        )
        for name, of_score in sorted(figures.items(), key=lambda figure: figure[1].augrc.value)
    ]
    first = next(iter(figures.values()))
    random = first.augrc.value - first.above_random.value
    best = first.aurc.value - first.e_aurc.value
    aurc, e_aurc, augrc = (f"{1000 * value:.2f}" for value in (2 * random, 2 * random - best, random))
    rows.append(("random order", aurc, e_aurc, augrc, "–"))
    with st.container(key="orders"):
        text_table(("score", "AURC, ‰", "E-AURC, ‰", "AUGRC, ‰", "ties"), rows)


def render_prediction_sets(run: Run, state: PageState) -> None:
    """Render how large a set of classes has to be to hold the label as often as wanted."""
    coverage = state.coverage
    labels = {share: f"{share}%" for share in sorted(COVERAGES)}
    choose_segment("The set holds the label for", "coverage", coverage, labels)
    figures = cached_set_figures(run, coverage / 100, group=chosen_group(run, state))
    st.markdown(f"**{figures.size.value:.2f} classes on average.**")
    st.caption("Class-conditional conformal sets. Those of each half of the examples are calibrated on the other half.")
    text_table(("sets", "figure"), set_rows(figures))


def _target(state: PageState) -> str:
    return choose_name(state.referral, TARGETS)


def _wanted(run: Run, state: PageState) -> float:
    name, wanted = _target(state), state.wanted
    if name == "miss":
        return USUAL_MISSED if wanted is None else min(wanted, 1.0)
    if name == QUALITY:
        return _usual_quality(run) if wanted is None else min(wanted, 1.0)
    return max(1, len(run) // 50) if wanted is None else int(min(wanted, len(run)))


def _usual_quality(run: Run) -> float:
    """Return the first target: for other losses than mistakes, half of the mean loss."""
    if run.task.loss.is_mistake:
        return USUAL_ACCURACY
    loss = float(np.nanmean(run.task.loss_of_table(table(run))))
    return round(1 - loss / 2, 3)


def _find_cheapest(run: Run, state: PageState) -> CheapestReferral:
    return cached_cheapest_referral(run, state.mistake_costs, state.look_costs, _score(run, state))


def _score(run: Run, state: PageState) -> str:
    return choose_name(state.score, ranking_scores(run), run.first_score)
