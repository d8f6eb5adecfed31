"""Label: one doubtful example after the other is decided; disputes, results, exports and an import."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.analysis.base import choosing_sentence
from mcviz.analysis.labelling import OUT_OF_FOLD
from mcviz.app.components import cards, render_empty_selection
from mcviz.app.filters import Filters
from mcviz.app.main import current_person
from mcviz.app.navigation import EXPLORE, LABELLING, begin, chips, link_to
from mcviz.app.resources import class_names, has, run_scores
from mcviz.app.reviewing import REVIEWER, render_queue
from mcviz.app.selection import (
    Selection,
    doubted_labels,
    label_error_ranking,
    probable_label_errors,
    ranked_examples,
    select,
)
from mcviz.app.state import PageState, choose_name, choose_segment, session_store, widget_value
from mcviz.app.wording import all_as_markdown, as_markdown, capitalised, counted, direction
from mcviz.app.work import refusal
from mcviz.errors import McvizError
from mcviz.figures import png_url
from mcviz.permission import may_write
from mcviz.permission import refusal as refusal_to_write
from mcviz.reviews import (
    Outcome,
    Reviews,
    ReviewSummary,
    answers_of,
    compute_outcome,
    import_reviews,
    open_reviews,
    settled_examples,
    summarise_reviews,
)
from mcviz.reviews.files import (
    encode_csv,
    encode_label_studio,
    encode_labels,
    encode_npz,
    encode_parquet,
    label_studio_setup,
)
from mcviz.reviews.store import LONGEST_REVIEWER
from mcviz.runs import Run
from mcviz.text import fixed, format_with_unit, one_line, percent, printable

FEWEST_DECISIONS = 20  # of which a percentage says something
MOST_SHOWN = 200  # rows of a table
COOKIE, SECONDS_KEPT = "mcviz-reviewer", 365 * 24 * 3600  # of the reviewer's name
SETTLED = {"class": "of those that were given a class", "classes": "of the labels of what is decided"}
TO_NAME = {
    "class": "name the class of each, the least confident first",
    "classes": "say which classes each has, the most uncertain first",
    "values": "type the number of each, the most uncertain first",
}
EXPORTS: dict[str, tuple[str, str, Callable[[Run, ReviewSummary], bytes]]] = {
    "csv": ("Decisions as CSV", "text/csv", encode_csv),
    "parquet": ("Decisions as Parquet", "application/vnd.apache.parquet", encode_parquet),
    "labels.csv": ("Corrected labels as CSV", "text/csv", encode_labels),
    "npz": ("Corrected labels as npz", "application/octet-stream", encode_npz),
    "json": ("Label Studio's JSON", "application/json", partial(encode_label_studio, picture=png_url)),
}
WITHOUT = {"verdict": ("labels.csv", "npz", "json"), "values": ("json",)}  # exports that take classes, or labels


def render_results(run: Run, reviews: Reviews) -> None:
    """Render the results of all reviewers, and files to export and import."""
    known = summarise_reviews(run, reviews.rows())
    if not known.decisions:
        st.info("Nothing is decided yet.", icon=":material/inbox:")
    elif run.task.decides == "verdict":
        _render_verdicts(run, known)
        _render_reviewers(run, known)
        _render_exports(run, known)
    else:
        outcome = compute_outcome(run, known)
        (_render_number_cards if run.task.decides == "values" else _render_cards)(run, outcome)
        if chosen := choosing_sentence(run):
            st.caption(chosen)
        if outcome.settled.sum() >= FEWEST_DECISIONS and run.class_names:
            left, right = st.columns(2, gap="large")
            with left:
                _render_classes(run, outcome)
            with right:
                _render_reviewers(run, known)
        else:
            _render_reviewers(run, known)
        _render_exports(run, known)
    if known.foreign:
        st.caption(
            f"Without {counted(known.foreign, 'decision')} of another run over the same examples, with other classes "
            "or labels."
        )
    if may_write():
        with st.expander("Import decisions of a shared page, or of Label Studio"):
            _render_import(run, reviews)


def _render_verdicts(run: Run, known: ReviewSummary) -> None:
    settled, by_example = np.flatnonzero(settled_examples(run, known)).tolist(), known.by_example()
    answers = answers_of(run).options
    given = Counter(by_example[example][0].in_words(answers) for example in settled)
    disputed = len(known.disagreements())
    decided = ("Decided", f"{len(settled):,}", f"of {counted(len(run), 'example')}; {disputed:,} disputed")
    cards((decided, *((capitalised(name), f"{given[name]:,}", f"of {len(settled):,}") for name in answers)))


def _render_cards(run: Run, outcome: Outcome) -> None:
    settled = int(outcome.settled.sum())
    few = settled < FEWEST_DECISIONS

    def share(value: float | None) -> str:
        return "–" if value is None or few else percent(value, 2)

    errors = f"{outcome.label_errors.sum():,}" if run.labels is not None else "–"
    before = f"{share(outcome.accuracy_before)} before" if run.labels is not None else "of those with a class"
    from_when = f"from {FEWEST_DECISIONS} decisions on"
    cards(
        (
            ("Decided", f"{settled:,}", f"of {counted(len(run), 'example')}; {outcome.disagreements:,} disputed"),
            ("Label errors found", errors, "as all their reviewers say"),
            (
                "Labels confirmed",
                share(outcome.agreement_with_labels),
                from_when if few else "of those that reviewers agree about",
            ),
            (
                "Model confirmed",
                share(outcome.agreement_with_model),
                from_when if few else SETTLED[run.task.decides],
            ),
            (capitalised(run.task.quality_name), share(outcome.accuracy_after), from_when if few else before),
        )
    )


def _render_number_cards(run: Run, outcome: Outcome) -> None:
    unit, settled = run.manifest.unit, int(outcome.settled.sum())
    before, after = (
        "–" if error is None else as_markdown(format_with_unit(error, unit))
        for error in (outcome.accuracy_before, outcome.accuracy_after)
    )
    confirmed = outcome.agreement_with_labels
    share = "–" if confirmed is None or settled < FEWEST_DECISIONS else percent(confirmed, 2)
    cards(
        (
            ("Decided", f"{settled:,}", f"of {counted(len(run), 'example')}; {outcome.disagreements:,} disputed"),
            ("Label errors found", f"{outcome.label_errors.sum():,}", "as all their reviewers say"),
            ("Labels confirmed", share, f"from {FEWEST_DECISIONS} decisions on"),
            ("Mean absolute error", after, f"{before} before"),
        )
    )


def _render_classes(run: Run, outcome: Outcome) -> None:
    st.header("Classes", anchor=False)
    rows = outcome.classes.assign(gain=outcome.classes["after"] - outcome.classes["before"])
    touched = rows[
        (rows["label_errors"] > 0) | (rows["gain"].abs() > 0) | (rows["before"].isna() & rows["after"].notna())
    ]
    if touched.empty:
        st.caption("The accuracy of no class changed.")
        return
    names = class_names(run)
    touched = touched.sort_values("gain", ascending=False, kind="stable")[:MOST_SHOWN]
    st.dataframe(
        touched.rename(columns={"label_errors": "label errors"}).set_axis([names[c] for c in touched.index]),
        column_config={name: st.column_config.NumberColumn(format="percent") for name in ("before", "after", "gain")},
        key="review-classes",
    )


def _render_reviewers(run: Run, known: ReviewSummary) -> None:
    st.header("Reviewers", anchor=False)
    for agreement in known.agreements():
        one, other = all_as_markdown(agreement.reviewers)
        kappa = "" if agreement.kappa is None else f"; Cohen's kappa {fixed(agreement.kappa, 2)}"
        same = f"{agreement.same:,} of {counted(agreement.examples, 'example')}"
        st.markdown(f"{one} and {other} gave the same answer to {same}{kappa}.")
    names, disputed = tuple(map(one_line, answers_of(run).options)), known.disagreements()
    if not disputed:
        st.caption("No example is disputed.")
        return
    st.dataframe(
        pd.DataFrame(
            {
                "example": list(disputed),
                "decisions": [
                    "; ".join(f"{one_line(decision.reviewer)}: {decision.in_words(names)}" for decision in decisions)
                    for decisions in disputed.values()
                ],
            }
        )[:MOST_SHOWN],
        hide_index=True,
        key="review-disagreements",
    )


def _render_exports(run: Run, known: ReviewSummary) -> None:
    with st.container(horizontal=True, gap="small"):
        for ending, (label, mime, make) in EXPORTS.items():
            if ending in WITHOUT.get(run.task.decides, ()):
                continue
            st.download_button(
                label, partial(make, run, known), file_name=f"{one_line(run.name)}-reviews.{ending}", mime=mime,
                key=f"review-export-{ending}", on_click="ignore", icon=":material/download:",
            )  # fmt: skip


def _render_import(run: Run, reviews: Reviews) -> None:
    with st.form("label-studio", border=False, clear_on_submit=True):
        file = st.file_uploader(
            "Decisions that a shared page saved, or annotations with choices, as Label Studio exports them in JSON",
            type="json",
        )
        if st.form_submit_button("Import", icon=":material/upload:") and file is not None:
            try:
                imported = import_reviews(run, reviews, file.getvalue())
            except McvizError as error:
                st.error(refusal(error, LABELLING.title), icon=":material/error:")
            else:
                st.toast(as_markdown(imported.in_words))
                st.rerun()
    if "json" in WITHOUT.get(run.task.decides, ()):
        return
    st.markdown(
        "To see the exported JSON in a project of Label Studio, paste this labelling interface there, under Settings → "
        "Labeling Interface → Code."
    )
    st.code(label_studio_setup(run), language="xml")


def describe_queue(run: Run, _state: PageState) -> str:
    """Say how many labels are to be checked and about how many are wrong; or how many there are to give."""
    decides = run.task.decides
    if not decides:
        return f"Nothing is to be decided about {counted(len(run), 'example')}."
    if decides == "verdict":
        return f"{counted(len(run), 'prediction')} to be judged, right or wrong, those first that are least certain."
    if not has(run, "labels"):
        return f"{counted(len(run), 'example')} without labels: {TO_NAME[decides]}."
    doubted = int(doubted_labels(run).sum())
    if decides == "values":
        farthest = (
            f"**{counted(doubted, 'label')} to check** of {run.manifest.labelled:,}: those that fit the predictions"
        )
        return f"{farthest} the least. {as_markdown(probable_label_errors(run))}".rstrip()
    why = "the model finds another class more probable than the label"
    if decides == "classes":
        why = "a class is given that the model finds improbable, or one is missing that it finds probable"
    return (
        f"**{counted(doubted, 'example')} to check** of {run.manifest.labelled:,}: {why}. "
        f"{as_markdown(probable_label_errors(run))}".rstrip()
    )


def select_label_errors(run: Run, state: PageState) -> Selection:
    """Return the matching examples with a label that is less probable than another answer, the least probable first."""
    selection, doubted = select(run, state.replace(**label_error_ranking(run))), doubted_labels(run)
    return Selection(run, selection.state, selection.examples[doubted[selection.examples]])


def select_disputed(run: Run, state: PageState, reviews: Reviews) -> Selection:
    """Return the examples that are disputed; one that is settled keeps its place in the queue of this visit."""
    disputed: set[int] = session_store().setdefault(f"disputed-{run.digest}", set())
    disputed.update(summarise_reviews(run, reviews.rows()).disagreements())
    order = ranked_examples(run, state.score, state.order)
    return Selection(run, state, order[np.isin(order, list(disputed))])


def render_reviewer(login: str | None) -> str:
    """Render who decides, and return the name, which the browser keeps; "" while it is not known."""
    if login is not None:
        st.caption(f"Reviewer: **{as_markdown(login)}**", width="content")
        return login[:LONGEST_REVIEWER]
    cookies, store = st.context.cookies, session_store()
    before = printable(one_line(unquote(cookies.get(COOKIE, ""))))[:LONGEST_REVIEWER]
    name: str = store.get(REVIEWER, before)
    field = f"reviewer-name-{name}"  # of one name only: a click that comes late has the field as it was before

    def rename() -> None:
        session_store()[REVIEWER] = printable(widget_value(field).strip())

    place = st.popover(f"Reviewer: {as_markdown(name)}", icon=":material/person:") if name else st.container(width=260)
    with place:
        st.text_input(
            "Reviewer", name, max_chars=LONGEST_REVIEWER, placeholder="Your name, stored with your decisions",
            key=field, on_change=rename, label_visibility="collapsed",
        )  # fmt: skip
    if name != before:
        cookie = f"{COOKIE}={quote(name)}; path=/; max-age={SECONDS_KEPT}; SameSite=Lax"
        st.html(f"<script>document.cookie = '{cookie}'</script>", unsafe_allow_javascript=True)
    return name


run, state = begin(LABELLING, describe_queue)
if not run.task.decides:
    st.info("Nothing is decided about the examples of this run. Explore ranks them.", icon=":material/info:")
    link_to(EXPLORE)
    st.stop()
reviews, part, reviewer = open_reviews(run), "results", ""
if may_write():
    matching = select(run, state)
    every = "All" if state.filters == Filters() else "Matching"
    parts = {"queue": f"{every} {len(matching.examples):,}", "disputes": "Disputes", "results": "Results"}
    if has(run, "labels") and run.task.decides != "verdict":
        errors = select_label_errors(run, state)
        parts = {"label_errors": f"{len(errors.examples):,} to check"} | parts
    part = choose_name(state.part, parts)
    with st.container(horizontal=True, vertical_alignment="center", key="review-head"):
        choose_segment("Part", "part", part, parts, label_visibility="collapsed")
        st.space("stretch")
        reviewer = render_reviewer(current_person())
else:
    st.info(f"Nothing can be labelled here: {as_markdown(refusal_to_write())}.", icon=":material/lock:")
if part == "results":
    render_results(run, reviews)
    st.stop()
if part == "disputes":
    queue = select_disputed(run, state, reviews)
    if not len(queue.examples):
        st.info("No example is disputed.", icon=":material/handshake:")
        st.stop()
    st.caption("A dispute is settled when its reviewers change their decisions so that they agree.")
else:
    queue = errors if part == "label_errors" else matching
    if state.filters != Filters():
        chips(queue, with_count=False)
if len(queue.examples) == 0:
    render_empty_selection()
    st.stop()
render_queue(queue, reviews, reviewer, disputed=part == "disputes")
if part == "label_errors":
    st.caption(OUT_OF_FOLD)
if part != "disputes":
    with st.container(horizontal=True, vertical_alignment="center"):
        score = run_scores(run)[queue.state.score]
        first = direction(score, queue.state.order)
        st.caption(f"Ranked by {as_markdown(score.inline_label)}, {first} first.", width="content")
        link_to(EXPLORE, "Choose other examples")
