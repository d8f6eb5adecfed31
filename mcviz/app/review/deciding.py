"""One example after the other: what a person decides about it, by a key or a click."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.components.example import render_example
from mcviz.app.components.gallery import tiles
from mcviz.app.components.keys import keys
from mcviz.app.failures import refusal, show_failures
from mcviz.app.navigation import REVIEW
from mcviz.app.needs import has
from mcviz.app.resources import class_names, table
from mcviz.app.review.queue import BUTTONS, key_in_words, next_open, pace, review_keys
from mcviz.app.selection import Selection, find_rank
from mcviz.app.session import queue_toast, session_store, widget_value
from mcviz.app.similar import components, similarity_basis
from mcviz.app.wording import as_markdown, counted, predicted, votes
from mcviz.errors import McvizError
from mcviz.figures import class_probabilities
from mcviz.reviews import Decision, Reviews, ReviewSummary, summarise_reviews
from mcviz.reviews.store import LONGEST_NOTE, DecisionKind
from mcviz.runs import Run
from mcviz.text import format_duration

# Of the session. AT is None where the next example is still to be found, after that which was decided LAST.
AT, LAST, QUEUE, TROUBLE, PRESSES = "review-at", "review-last", "review-queue", "review-trouble", "review-presses"
KEYS = "keys-of-review"  # of the switch
WIDTH = 360  # pixels, of a picture
HEIGHT = 220  # pixels, of the chart
SIMILAR = 6
ANSWERS = {
    "label": "The given label is right",
    "prediction": "The prediction is right",
    "wrong_label": "The given label is wrong",
    "none": "No class fits",
}


@dataclass(frozen=True)
class Review:
    """What a reviewer works on.

    Attributes:
        selection: whose examples are the queue.
        reviews: where decisions are kept.
        reviewer: the name.
        disputed: whether these examples are disputed, and done when they are not any more.
    """

    selection: Selection
    reviews: Reviews
    reviewer: str
    disputed: bool = False

    @property
    def run(self) -> Run:
        """The run."""
        return self.selection.run


@st.fragment
def deciding(review: Review) -> None:
    """The queue: one example, what is believed of it, and what may be decided."""
    with show_failures(REVIEW.title):
        listening = st.container()  # at one place in all reruns, or else the keys are not heard while it moves
        known = summarise_reviews(review.run, review.reviews.rows())
        mine, queue = known.decisions_by(review.reviewer), review.selection.examples
        if session_store().get(QUEUE) != (found := (review.run.digest, queue.tobytes())):
            session_store()[QUEUE], session_store()[AT], session_store()[LAST] = found, None, None
        done, skipped = _done(review, known, mine)
        _progress(review, known, len(done), len(skipped))
        if trouble := session_store().pop(TROUBLE, None):
            st.error(refusal(trouble, REVIEW.title), icon=":material/error:")
        _last(review, known)
        at = session_store()[AT]
        example = next_open(queue, done, skipped, session_store()[LAST]) if at is None else at
        if example is None:
            example = int(queue[-1])
            all_done = "Every dispute is settled." if review.disputed else "Every example of this selection is decided."
            st.success(all_done, icon=":material/done_all:")
        pressing = _example(review, known, example)
        with listening:
            keys(**pressing)


def _done(review: Review, known: ReviewSummary, mine: Mapping[int, Decision]) -> tuple[set[int], set[int]]:
    """The examples of the queue that are done, and those that were skipped."""
    queue = set(review.selection.examples.tolist())
    if review.disputed:
        return queue - known.disagreements().keys(), set()
    skipped = {example for example in queue & mine.keys() if mine[example].kind == "skip"}
    return (queue & mine.keys()) - skipped, skipped


def _progress(review: Review, known: ReviewSummary, done: int, skipped: int) -> None:
    count = len(review.selection.examples)
    if review.disputed:
        st.progress(done / count, f"**{done:,}** of {counted(count, 'dispute')} settled")
        return
    said = [f"**{done:,}** of {counted(count, 'example')} decided"]
    if skipped:
        said.append(f"{skipped:,} skipped")
    if (speed := pace([each.time for each in known.decisions_by(review.reviewer).values()])) is not None:
        said.append(f"{speed:.0f} a minute")
        said.append(f"{format_duration(60 * (count - done - skipped) / speed)} left")
    others: dict[str, int] = {}
    for each in known.decisions:
        if each.reviewer != review.reviewer:
            others[each.reviewer] = others.get(each.reviewer, 0) + 1
    said += [f"{as_markdown(name)}: {count:,}" for name, count in others.items()]
    st.progress(done / count, " · ".join(said))


def _last(review: Review, known: ReviewSummary) -> None:
    """What was decided last, and what others decided about that example: only after one's own decision."""
    example = session_store()[LAST]
    mine = known.decisions_by(review.reviewer).get(example) if example is not None else None
    if mine is not None:
        undo = as_markdown(key_in_words(_keys(review)["undo"])) or "“Undo”"
        st.caption(f"Example {example}: {_said(review, known, mine.example)}. {undo} undoes it.")


def _said(review: Review, known: ReviewSummary, example: int) -> str:
    """What each reviewer decided about an example, one's own decision first."""
    found = sorted(
        (each for each in known.decisions if each.example == example),
        key=lambda each: (each.reviewer != review.reviewer, each.reviewer),
    )
    names = class_names(review.run)
    return "; ".join(
        f"{'you' if each.reviewer == review.reviewer else as_markdown(each.reviewer)}: "
        f"**{as_markdown(each.in_words(names))}**"
        for each in found
    )


def _example(review: Review, known: ReviewSummary, example: int) -> dict[str, str]:
    """The example and what may be decided; the key of the button or field for each key of the keyboard."""
    run = review.run
    mine = known.decisions_by(review.reviewer)
    left, right = st.columns([2, 3], gap="large")
    with left:
        render_example(run, example, WIDTH)
        _facts(review, known, example)
    with right:
        summary, names = run.summary(example), class_names(run)
        label = _label(run, example)
        given = "" if label is None else f"The given label is **{as_markdown(names[label])}**. "
        st.markdown(given + predicted(summary, names))
        pressing = _choices(review, known, example)
        figure = class_probabilities(summary, names, label)
        spoken = f"Bar chart of the mean of each class: {votes(summary, names)}."
        chart(figure.update_layout(showlegend=False, height=HEIGHT), "review-classes", spoken)
        _similar(review, mine, example)
    return pressing


def _facts(review: Review, known: ReviewSummary, example: int) -> None:
    queue = review.selection.examples
    place = find_rank(example, queue) + 1
    st.caption(f"Example {example}, {place:,} of {len(queue):,}.")
    so_far = _said(review, known, example)
    if so_far and (review.disputed or example in known.decisions_by(review.reviewer)):
        st.markdown(f"So far: {so_far}.")
    if review.disputed:
        for (noted, reviewer), note in known.notes.items():
            if noted == example and note:
                st.caption(f"{as_markdown(reviewer)} notes: {as_markdown(note)}")


def _choices(review: Review, known: ReviewSummary, example: int) -> dict[str, str]:
    """The buttons and fields, by their keys on the keyboard."""
    # Each press draws them anew under other keys of Streamlit's, and what is heard of the old ones is passed over: a
    # click that came late was meant for what was on the screen before, and Streamlit may call a callback again where
    # the next click interrupts a rerun.
    presses = session_store().setdefault(PRESSES, 0)
    names = class_names(review.run)
    classes = {"label": _label(review.run, example), "prediction": int(table(review.run)["prediction"].iloc[example])}
    keyed = _keys(review)
    pressing = {key: f"review-{name}-" for name, key in keyed.items() if key}
    decide = partial(_decide, review, example)

    def own(name: str) -> str:
        return f"review-{name}-{example}-{presses}"

    def once(action: Callable[..., None]) -> Callable[..., None]:
        def act(*args: Any) -> None:
            if session_store()[PRESSES] == presses:
                session_store()[PRESSES] += 1
                action(*args)

        return act

    with st.container(horizontal=True, gap="small"):
        for name, words in ANSWERS.items():
            if name in keyed:
                arguments = ("class", classes[name]) if name in classes else (name,)
                st.button(_with_key(keyed[name], words), key=own(name), on_click=once(decide), args=arguments)
    if len(names) <= BUTTONS:
        with st.container(horizontal=True, gap="small"):
            for index, class_name in enumerate(names):
                button = f"class-{index}"
                st.button(
                    _with_key(keyed[button], class_name), key=own(button), on_click=once(decide),
                    args=("class", index),
                )  # fmt: skip
    else:
        field, key = own("class"), as_markdown(key_in_words(keyed["class"]))
        typing = f"type {key} and a part of its name" if key else "type a part of its name"
        st.selectbox(
            f"Class: {typing}", range(len(names)), index=None, format_func=names.__getitem__, key=field,
            on_change=once(lambda: decide("class", widget_value(field))),
        )  # fmt: skip
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        back, forward = _beside(review.selection.examples, example)
        skip = [] if review.disputed else [("skip", "Skip", partial(decide, "skip"))]  # which would withdraw a decision
        for move, words, action in (
            *skip,
            ("undo", "Undo", partial(_undo, review)),
            ("back", "Back", partial(_show, back)),
            ("forward", "Forward", partial(_show, forward)),
        ):
            st.button(_with_key(keyed[move], words), key=own(move), type="tertiary", on_click=once(action))
        note = own("note")
        st.session_state[note] = known.notes.get((example, review.reviewer), "")
        st.text_input(
            f"Note (key {as_markdown(key_in_words(keyed['note']))})" if keyed["note"] else "Note",
            max_chars=LONGEST_NOTE, key=note, width=260, on_change=partial(_note, review, known, example, note),
        )  # fmt: skip
        st.toggle("Keys", True, key=KEYS, persist_state="session", help="Answer and move by single keys")
    return pressing


def _keys(review: Review) -> dict[str, str]:
    """The key of each action; "" for each where keys are switched off."""
    keys = review_keys(class_names(review.run), has(review.run, "labels"))
    return keys if widget_value(KEYS) is not False else dict.fromkeys(keys, "")


def _with_key(key: str, words: str) -> str:
    return f"`{key_in_words(key)}` {as_markdown(words)}" if key else as_markdown(words)


def _similar(review: Review, mine: Mapping[int, Decision], example: int) -> None:
    """The nearest of the examples that this reviewer decided about, and how."""
    run = review.run
    decided = np.array([each for each, of in mine.items() if each != example and of.kind != "skip"], int)
    if len(decided) == 0 or not has(run, "examples or features"):
        return
    vectors = components(run)
    distances = np.square(vectors[decided] - vectors[example]).sum(axis=1)
    nearest = decided[np.argsort(distances, kind="stable")[:SIMILAR]]
    names = class_names(run)
    words = " · ".join(
        f"\\#{rank} {as_markdown(mine[each].in_words(names))}" for rank, each in enumerate(nearest.tolist(), 1)
    )
    st.caption(f"The examples with the nearest {similarity_basis(run)} that you decided about: {words}.")
    tiles(run, review.selection.state, nearest, 1, review.selection.score, key="review-similar")


def _label(run: Run, example: int) -> int | None:
    return None if run.labels is None else int(table(run)["label"].iloc[example])


def _beside(queue: np.ndarray, example: int) -> tuple[int, int]:
    """The examples before and after one in the queue; at an end the example itself."""
    at = find_rank(example, queue)
    return int(queue[max(at - 1, 0)]), int(queue[min(at + 1, len(queue) - 1)])


# Callbacks


def _decide(review: Review, example: int, verdict: DecisionKind, class_index: int | None = None) -> None:
    """Keep a decision and go on; where it cannot be kept, stay and say so."""
    run = review.run
    label = _label(run, example)
    entry: dict[str, Any] = {
        "class_name": None if class_index is None else run.class_names[class_index],
        "label": None if label is None else run.class_names[label],
    }
    try:
        review.reviews.add(example, review.reviewer, verdict, **entry)
    except McvizError as error:
        session_store()[TROUBLE] = error
        return
    session_store()[LAST], session_store()[AT] = example, None


def _undo(review: Review) -> None:
    try:
        example = review.reviews.undo(review.reviewer)
    except McvizError as error:
        session_store()[TROUBLE] = error
        return
    if example in review.selection.examples:
        session_store()[LAST], session_store()[AT] = None, example
    elif example is not None:
        queue_toast(f"Undone about example {example}, which is not in this selection.", ":material/undo:")


def _note(review: Review, known: ReviewSummary, example: int, field: str) -> None:
    note = widget_value(field).strip()
    if note == known.notes.get((example, review.reviewer), ""):
        return
    label = _label(review.run, example)
    named = None if label is None else review.run.class_names[label]
    try:
        review.reviews.add(example, review.reviewer, "note", note=note, label=named)
    except McvizError as error:
        session_store()[TROUBLE] = error


def _show(example: int) -> None:
    session_store()[AT] = example
