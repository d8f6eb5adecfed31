"""The results of reviewing: figures, disagreements, exports and an import."""

from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from mcviz.app.components.charts import cards
from mcviz.app.failures import refusal
from mcviz.app.navigation import LABELLING
from mcviz.app.resources import class_names
from mcviz.app.wording import all_as_markdown, as_markdown, counted
from mcviz.errors import McvizError
from mcviz.figures import png_url
from mcviz.measures import fixed, percent
from mcviz.permission import may_write
from mcviz.reviews import Outcome, Reviews, ReviewSummary, compute_outcome, select_new_entries, summarise_reviews
from mcviz.reviews.files import (
    encode_csv,
    encode_label_studio,
    encode_labels,
    encode_npz,
    encode_parquet,
    label_studio_setup,
    read_label_studio,
)
from mcviz.runs import Run
from mcviz.text import one_line

MOST_SHOWN = 200  # rows of a table
EXPORTS: dict[str, tuple[str, str, Callable[[Run, ReviewSummary], bytes]]] = {
    "csv": ("Decisions as CSV", "text/csv", encode_csv),
    "parquet": ("Decisions as Parquet", "application/vnd.apache.parquet", encode_parquet),
    "labels.csv": ("Corrected labels as CSV", "text/csv", encode_labels),
    "npz": ("Corrected labels as npz", "application/octet-stream", encode_npz),
    "json": ("Label Studio's JSON", "application/json", partial(encode_label_studio, picture=png_url)),
}


def render_results(run: Run, reviews: Reviews) -> None:
    """Render the results of all reviewers, and files to export and import."""
    known = summarise_reviews(run, reviews.rows())
    outcome = compute_outcome(run, known)
    if not known.decisions:
        st.info("Nothing is decided yet.", icon=":material/inbox:")
    else:
        _render_cards(run, outcome)
        left, right = st.columns(2, gap="large")
        with left:
            _render_classes(run, outcome)
        with right:
            _render_reviewers(run, known)
        _render_exports(run, known)
    if known.foreign:
        st.caption(
            f"Without {counted(known.foreign, 'decision')} of another run over the same examples, with other classes "
            "or labels."
        )
    if may_write():
        with st.expander("Label Studio: import its JSON, set up a project there"):
            _render_import(run, reviews, known)


def _render_cards(run: Run, outcome: Outcome) -> None:
    errors = f"{outcome.label_errors.sum():,}" if run.labels is not None else "–"
    before = f"{_share(outcome.accuracy_before)} before" if run.labels is not None else "of those with a class"
    figures = (
        (
            "Decided",
            f"{outcome.settled.sum():,}",
            f"of {counted(len(run), 'example')}; {outcome.disagreements:,} disputed",
        ),
        ("Label errors found", errors, "as all their reviewers say"),
        ("Labels confirmed", _share(outcome.agreement_with_labels), "of those that reviewers agree about"),
        ("Model confirmed", _share(outcome.agreement_with_model), "of those that were given a class"),
        ("Accuracy", _share(outcome.accuracy_after), before),
    )
    cards(figures)


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value, 2)


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
    names, disputed = class_names(run), known.disagreements()
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
            st.download_button(
                label, partial(make, run, known), file_name=f"{one_line(run.name)}-reviews.{ending}", mime=mime,
                key=f"review-export-{ending}", on_click="ignore", icon=":material/download:",
            )  # fmt: skip


def _render_import(run: Run, reviews: Reviews, known: ReviewSummary) -> None:
    with st.form("label-studio", border=False, clear_on_submit=True):
        file = st.file_uploader("Annotations with choices, as Label Studio exports them in JSON", type="json")
        if st.form_submit_button("Import", icon=":material/upload:") and file is not None:
            try:
                entries = read_label_studio(run, file.getvalue())
                added = select_new_entries(entries, known, run.class_names)
                reviews.add_all(added)
            except McvizError as error:
                st.error(refusal(error, LABELLING.title), icon=":material/error:")
            else:
                st.toast(as_markdown(f"{counted(len(added), 'line')} of {len(entries):,} were new."))
                st.rerun()
    st.markdown(
        "To see the exported JSON in a project of Label Studio, paste this labelling interface there, under Settings → "
        "Labeling Interface → Code."
    )
    st.code(label_studio_setup(run), language="xml")
