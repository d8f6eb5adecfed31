"""The decisions of a reviewer: one example of the queue after the other, by a key or a click."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from itertools import chain, pairwise
from math import isfinite
from typing import Any, Literal

import numpy as np
import streamlit as st

from mcviz.analysis.layouts import similarity_basis
from mcviz.app.components import PICTURE, Explanation, keys, render_explanation
from mcviz.app.components.gallery import send_steps_ahead, tiles
from mcviz.app.kinds import EXAMPLE_WIDTH, render_example
from mcviz.app.navigation import LABELLING
from mcviz.app.resources import class_names, has, own_columns, table, target_names
from mcviz.app.selection import Selection, components, find_rank
from mcviz.app.state import queue_toast, rerun_fragments, session_store, widget_value
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import load_example
from mcviz.app.wording import as_markdown, counted
from mcviz.app.work import refusal, show_failures
from mcviz.errors import McvizError
from mcviz.measures.multilabel import UNKNOWN
from mcviz.reviews import Answers, Decision, LabelAnswers, Reviews, ReviewSummary, answers_of, summarise_reviews
from mcviz.reviews.answers import ChosenClasses, Numbers
from mcviz.reviews.store import LONGEST_NOTE, LONGEST_REVIEWER, DecisionKind, encode_classes, encode_values
from mcviz.runs import Run, labelled_numbers
from mcviz.text import format_duration, one_line, percent, printable

BUTTONS = 10  # classes that have a key each; more are typed
DIGITS = "0123456789"
LETTERS = "wnmabdefghijklopqstuvxyz-+.,;"  # C and R are Streamlit's own
ANSWER_KEYS = {"label": "l", "prediction": "p", "wrong_label": "w", "none": "n", "note": "m"}
KEEP_KEY = {"keep": "k"}  # what is chosen of several classes
LABEL_ANSWERS = "label", "wrong_label"  # answers about the given label
VERDICT_KEYS = {"prediction": "p", "wrong_prediction": "w", "note": "m"}  # where no class is named
NUMBER_KEYS = {"label": "l", "wrong_label": "w", "number": "n", "note": "m"} | KEEP_KEY
MOVE_KEYS = {"skip": " ", "undo": "backspace", "back": "arrowleft", "forward": "arrowright"}
KEY_LABELS = {" ": "Space", "backspace": "⌫", "arrowleft": "←", "arrowright": "→"}
PAUSE = 120  # seconds; whoever needs longer for one example was away
RECENT = 20  # decisions that the pace is taken from
FEWEST = 3

# Of the session. AT is None where the next example is still to be found, after that which was decided LAST.
AT, LAST, QUEUE, TROUBLE = "review-at", "review-last", "review-queue", "review-trouble"
TURN, HEARD = "review-turn", "review-heard"  # how often the buttons were replaced, and how many presses were heard
DRAFT = "review-draft"  # of several classes: the run, the example, and the numbers of those that are chosen
REVIEWER, PENDING, ASKS = "reviewer", "review-pending", "review-asks"  # also of the session: see `_with_name`
KEYS = "keys-of-review"  # of the switch
LEAST_SHOWN = 0.005  # of a probability
SIMILAR = 6
MOST_NAMED = 3  # classes on a button
ANSWERS = {
    "label": "The given label is right",
    "prediction": "The prediction is right",
    "wrong_prediction": "The prediction is wrong",
    "wrong_label": "The given label is wrong",
    "none": "No class fits",
}
ANSWERS_OF_SEVERAL = ANSWERS | {"label": "The given labels are right", "wrong_label": "A given label is wrong"}


def class_keys(class_names: Sequence[str]) -> dict[str, int]:
    """Return up to ten classes by their keys: the digit that is the name, or else one that is no other's name."""
    if len(class_names) > BUTTONS:
        return {}
    named = {name: index for index, name in enumerate(class_names) if len(name) == 1 and name in DIGITS}
    left = iter([digit for digit in DIGITS if digit not in named])
    return {name if name in named else next(left): index for index, name in enumerate(class_names)}


def action_keys(class_names: Sequence[str], several: bool = False) -> dict[str, str]:
    """Return the key of each answer, avoiding class names, or ""."""
    taken, answer_keys = {name.lower() for name in class_names}, ANSWER_KEYS | (KEEP_KEY if several else {})
    free = [letter for letter in LETTERS if letter not in taken]
    keys: dict[str, str] = {}
    for action, usual in answer_keys.items():
        left = [letter for letter in free if letter not in keys.values()]
        others = (letter for letter in left if letter not in answer_keys.values())
        keys[action] = usual if usual in left else next(others, "")
    return keys


def review_keys(class_names: Sequence[str], labelled: bool, several: bool = False) -> dict[str, str]:
    """Return the key of each action; "" for none.

    Args:
        class_names: C names.
        labelled: whether there are labels that can be wrong.
        several: whether an example may have several classes.

    Returns:
        Of `class-0`, `class-1`, … or, of more than ten, of `class`, the field that one is typed in; then of answers and
        moves.
    """
    answers = action_keys(class_names, several).items()
    others = {name: key for name, key in answers if labelled or name not in LABEL_ANSWERS} | MOVE_KEYS
    taken = {*(name.lower() for name in class_names), *others.values()}
    free = (key for key in ("/", *DIGITS, *LETTERS) if key not in taken)
    classes = {f"class-{index}": key for key, index in class_keys(class_names).items()} or {"class": next(free, "")}
    return classes | others


def key_label(key: str) -> str:
    """Return the name of a key on the screen."""
    return KEY_LABELS.get(key, key.upper())


def next_open(
    queue: np.ndarray, done: Collection[int], skipped: Collection[int] = (), after: int | None = None
) -> int | None:
    """Return the next example: one that is neither done nor skipped, or else one that was skipped.

    Args:
        queue: (n,) int64 examples in their order.
        done: examples that are done.
        skipped: examples that were skipped.
        after: the example that the next one is to follow, in a circle; None for the first.

    Returns:
        Its number, or None where all are done.
    """
    at = np.flatnonzero(queue == after)
    start = int(at[0]) + 1 if len(at) else 0
    circle = [int(example) for example in np.roll(queue, -start)]
    left = (example for example in circle if example not in done and example not in skipped)
    again = (example for example in circle if example in skipped and example != after)
    return next(chain(left, again), None)


def pace(times: Collection[datetime]) -> float | None:
    """Return decisions a minute, by the latest ones without pauses; None while there are too few."""
    recent = sorted(times)[-RECENT - 1 :]
    seconds = [(later - earlier).total_seconds() for earlier, later in pairwise(recent)]
    worked = [pause for pause in seconds if pause <= PAUSE]
    return 60 * len(worked) / sum(worked) if len(worked) >= FEWEST and sum(worked) > 0 else None


@dataclass(frozen=True)
class Review:
    """The work of a reviewer.

    Attributes:
        selection: whose examples are the queue.
        store: of all decisions.
        reviewer: the name; "" while nothing is decided, since it is asked for then.
        disputed: whether these examples are disputed, and done when they are not any more.
        known: the decisions so far.
    """

    selection: Selection
    store: Reviews
    reviewer: str
    disputed: bool
    known: ReviewSummary

    @property
    def run(self) -> Run:
        """The run."""
        return self.selection.run

    @cached_property
    def mine(self) -> dict[int, Decision]:
        """The reviewer's own decisions by their examples."""
        return self.known.decisions_by(self.reviewer)

    @cached_property
    def answers(self) -> Answers:
        """The answers for the run's examples."""
        return answers_of(self.run)

    @cached_property
    def options(self) -> tuple[str, ...]:
        """The classes that answers name, as lines."""
        return tuple(map(one_line, self.answers.options))

    def explain(self, example: int) -> Explanation:
        """Say the given label and the prediction of the ensemble."""
        renderer = task_renderer(self.run)
        if not isinstance(self.answers, ChosenClasses):
            return renderer.explain(load_example(self.run, self.selection.state, example))
        given = renderer.phrases.describe_label(self.run, example)
        predicted = renderer.phrases.describe_prediction(self.run, self.run.predictions(example))
        return {"sentences": [f"{given} {predicted}".lstrip()]}

    def keyboard(self) -> dict[str, str]:
        """Return the key of each action; all are "" if keys are off."""
        keys = (NUMBER_KEYS if isinstance(self.answers, Numbers) else VERDICT_KEYS) | MOVE_KEYS
        if isinstance(self.answers, ChosenClasses):
            keys = review_keys(self.options, has(self.run, "labels"), self.answers.several)
        return keys if widget_value(KEYS) is not False else dict.fromkeys(keys, "")

    def describe(self, example: int) -> str:
        """Describe each reviewer's decision about an example, one's own first."""
        decisions = sorted(
            (decision for decision in self.known.decisions if decision.example == example),
            key=lambda decision: (decision.reviewer != self.reviewer, decision.reviewer),
        )
        return "; ".join(
            f"{'you' if decision.reviewer == self.reviewer else as_markdown(decision.reviewer)}: "
            f"**{as_markdown(decision.in_words(self.options))}**"
            for decision in decisions
        )


@st.fragment
def render_queue(selection: Selection, store: Reviews, reviewer: str, *, disputed: bool = False) -> None:
    """Render one example of the queue, its prediction, and the decisions to choose from; see `Review`."""
    with show_failures(LABELLING.title):
        # At one place in all reruns, or else the keys are not heard while it moves.
        listening = st.container(key="review-listening")
        review = Review(selection, store, reviewer, disputed, summarise_reviews(selection.run, store.rows()))
        session, queue = session_store(), selection.examples
        if session.get(QUEUE) != (wanted := (selection.run.digest, queue.tobytes())):
            session.update({QUEUE: wanted, AT: None, LAST: None})
        done, skipped = _done(review)
        _render_progress(review, len(done), len(skipped))
        if trouble := session.pop(TROUBLE, None):
            st.error(refusal(trouble, LABELLING.title), icon=":material/error:")
        last = session[LAST]
        with st.container(key="review-last"):  # one line from the first example on, so that nothing moves
            if last in review.mine:  # what others decided is shown only after one's own decision
                st.caption(f"Example {last}: {review.describe(last)}. “Undo” takes it back.")
            else:
                st.caption("“Undo” takes your latest decision back.")
        example = next_open(queue, done, skipped, last) if session[AT] is None else session[AT]
        if example is None:
            example = int(queue[-1])
            all_done = "Every dispute is settled." if disputed else "Every example of this list is decided."
            st.success(all_done, icon=":material/done_all:")
        pressing = _render_example(review, example)
        asks = session.pop(ASKS, False)
        with listening:
            keys(pressing | ({"": "first-name"} if asks else {}), session.get(HEARD, 0))
        following = next_open(queue, done | {example}, skipped, example) if reviewer else None
        steps = _steps(queue, example, following, "keep" if review.answers.several else "class")
        send_steps_ahead(review.run, steps, review.explain)
        if asks:
            _ask_name(review)


@st.dialog("Your name", icon=":material/person:", on_dismiss="rerun")
def _ask_name(review: Review) -> None:
    st.markdown("It is stored with your decisions, this one and all that follow.")
    with st.form("name-of-reviewer", border=False):
        st.text_input("Name", max_chars=LONGEST_REVIEWER, key="first-name")
        st.form_submit_button("Keep the decision", type="primary", on_click=_keep_pending, args=(review,))


def _steps(queue: np.ndarray, example: int, following: int | None, decision: str) -> dict[str, int]:
    rank = find_rank(example, queue)
    moves = {"review-back-": rank - 1, "review-forward-": rank + 1}
    following_examples = {name: int(queue[to]) for name, to in moves.items() if 0 <= to < len(queue)}
    if following is not None:
        following_examples |= dict.fromkeys((f"review-{name}-" for name in (*ANSWERS, decision, "skip")), following)
    return following_examples


def _done(review: Review) -> tuple[set[int], set[int]]:
    queue, mine = set(review.selection.examples.tolist()), review.mine
    if review.disputed:
        return queue - review.known.disagreements().keys(), set()
    skipped = {example for example in queue & mine.keys() if mine[example].kind == "skip"}
    return (queue & mine.keys()) - skipped, skipped


def _render_progress(review: Review, done: int, skipped: int) -> None:
    count = len(review.selection.examples)
    if review.disputed:
        st.progress(done / count, f"**{done:,}** of {counted(count, 'dispute')} settled")
        return
    words = [f"**{done:,}** of {counted(count, 'example')} decided"]
    if skipped:
        words.append(f"{skipped:,} skipped")
    if (speed := pace([answer.time for answer in review.mine.values()])) is not None:
        words.append(f"{speed:.0f} a minute")
        words.append(f"{format_duration(60 * (count - done - skipped) / speed)} left")
    others = Counter(decision.reviewer for decision in review.known.decisions if decision.reviewer != review.reviewer)
    words += [f"{as_markdown(name)}: {number:,}" for name, number in others.items()]
    st.progress(done / count, " · ".join(words))


def _render_example(review: Review, example: int) -> dict[str, str]:
    run, queue = review.run, review.selection.examples
    left, right = st.columns([1, 2], gap="large")
    with left:
        if isinstance(review.answers, LabelAnswers):
            with st.container(key=PICTURE):
                render_example(run, example, EXAMPLE_WIDTH)
        else:
            task_renderer(run).render_pinned(load_example(run, review.selection.state, example))
        name = f" ({as_markdown(table(run)['id'].iloc[example])})" if "id" in own_columns(run) else ""
        st.caption(f"Example {example}{name}, {find_rank(example, queue) + 1:,} of {len(queue):,}.")
        so_far = review.describe(example)
        if so_far and (review.disputed or example in review.mine):
            st.markdown(f"So far: {so_far}.")
        for (noted, reviewer), note in review.known.notes.items():
            if review.disputed and noted == example and note:
                st.caption(f"{as_markdown(reviewer)} notes: {as_markdown(note)}")
    with right:
        render_explanation("explanation-sentences", review.explain(example))
        if isinstance(review.answers, Numbers):
            task_renderer(run).render_preview(load_example(run, review.selection.state, example))
        pressing = _render_choices(review, example)
        _render_similar(review, example)
    return pressing


class _Controls:
    """An example's buttons and fields until one is pressed.

    Each press renders them with new keys, and old callbacks do nothing: a late click, or a repeated callback after an
    interrupt, was meant for the previous screen.
    """

    def __init__(self, example: int, keyboard: dict[str, str]) -> None:
        self.example, self.keyboard = example, keyboard
        self.turn: int = session_store().setdefault(TURN, 0)

    def key(self, name: str) -> str:
        return f"review-{name}-{self.example}-{self.turn}"

    def once(self, action: Callable[..., None]) -> Callable[..., None]:
        def run_once(*args: Any) -> None:
            if session_store()[TURN] == self.turn:
                session_store()[TURN] += 1
                action(*args)

        return run_once

    def button(
        self,
        name: str,
        words: str,
        action: Callable[[], None],
        *,
        after: str = "",
        style: Literal["primary", "secondary", "tertiary"] = "secondary",
        again: bool = False,
        bold: bool = False,
    ) -> None:
        """Render a button; `again` allows repeated presses."""
        pressed, words_shown = (
            key_label(self.keyboard[name]),
            f"**{as_markdown(words)}**" if bold else as_markdown(words),
        )
        st.button(
            (f"`{pressed}` " if pressed and pressed != words else "") + words_shown + after,
            key=self.key(name),
            type=style,
            on_click=_count_press(action if again else self.once(action)),
        )


def _render_choices(review: Review, example: int) -> dict[str, str]:
    keyboard = review.keyboard()
    controls, decide = _Controls(example, keyboard), partial(_decide, review, example)
    shortcuts = review.answers.shortcuts(example)
    with st.container(key="review-decisions", gap="small"):
        with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="review-answers"):
            for name, words in (ANSWERS_OF_SEVERAL if review.answers.several else ANSWERS).items():
                if name in shortcuts:
                    controls.button(name, words, partial(decide, *shortcuts[name]))
            if isinstance(review.answers, Numbers):
                _render_numbers(review, controls)
        if isinstance(review.answers, ChosenClasses):
            (_render_class_set if review.answers.several else _render_classes)(review, controls)
        with st.container(horizontal=True, gap="small", key="review-moves"):
            if review.answers.several:
                _render_keep(review, controls)
            if not review.disputed:  # where it would withdraw a decision
                controls.button("skip", "Skip", partial(decide, "skip"), style="tertiary")
            controls.button("undo", "Undo", partial(_undo, review), style="tertiary")
            for move, words, step in (("back", "Back", -1), ("forward", "Forward", 1)):
                go = partial(_move, review.selection.examples, example, step)
                controls.button(move, words, go, style="tertiary")
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="review-remarks"):
        note = controls.key("note")
        st.session_state[note] = review.known.notes.get((example, review.reviewer), "")
        st.text_input(
            f"`{key_label(keyboard['note'])}` Note" if keyboard["note"] else "Note",
            max_chars=LONGEST_NOTE, key=note, width=260, on_change=partial(_note, review, example, note),
        )  # fmt: skip
        st.toggle("Keys", True, key=KEYS, persist_state="session", help="Answer and move by single keys")
    return {key: f"review-{name}-" for name, key in keyboard.items() if key}


def _render_classes(review: Review, controls: _Controls) -> None:
    names, mean, likeliest = _likeliest_classes(review, controls.example)
    if len(names) <= BUTTONS:
        with st.container(horizontal=True, gap="small", key="review-classes"):
            for index, name in enumerate(names):
                decide = partial(_decide, review, controls.example, "class", review.run.class_names[index])
                controls.button(f"class-{index}", name, decide, after=_share(mean[index]), bold=index == likeliest[0])
        return
    field = controls.key("class")

    def decide_typed() -> None:
        _decide(review, controls.example, "class", review.run.class_names[widget_value(field)])

    st.selectbox(
        f"Class: {_typing(controls, 'a part of its name')}", likeliest, index=None, format_func=names.__getitem__,
        key=field, on_change=controls.once(decide_typed),
    )  # fmt: skip


def _render_numbers(review: Review, controls: _Controls) -> None:
    run, example = review.run, controls.example
    assert isinstance(review.answers, Numbers)
    names, label = target_names(run), review.answers.given[example].tolist()
    fields = [controls.key("number" if place == 0 else f"number{place}") for place in range(len(names))]

    def decide() -> None:
        values = [widget_value(field) for field in fields]
        if None not in values:
            _decide(review, example, "values", encode_values(dict(zip(run.targets, values, strict=True))))

    is_one, pressed = len(names) == 1, key_label(controls.keyboard["number"])
    for place, (name, field) in enumerate(zip(names, fields, strict=True)):
        words = "Another number" if is_one else as_markdown(name)
        if run.manifest.unit:
            words += f", {as_markdown(run.manifest.unit)}"
        st.number_input(
            f"`{pressed}` {words}" if pressed and place == 0 else words,
            value=None if is_one or not isfinite(label[place]) else label[place],
            format="%.6g",
            key=field,
            width=220,
            on_change=controls.once(decide) if is_one else None,
        )
    if not is_one:
        controls.button("keep", "Keep these numbers", decide)


def _render_class_set(review: Review, controls: _Controls) -> None:
    """Render a button a class that toggles it; many are typed."""
    (names, mean, likeliest), example = _likeliest_classes(review, controls.example), controls.example
    chosen = _draft(review, example)
    if len(names) <= BUTTONS:
        with st.container(horizontal=True, gap="small", key="review-classes"):
            for index, name in enumerate(names):
                is_chosen = index in chosen
                controls.button(
                    f"class-{index}",
                    name,
                    partial(_put_class, review, example, index, not is_chosen),
                    after=f"{_share(mean[index])}{' ✓' if is_chosen else ''}",
                    style="primary" if is_chosen else "secondary",
                    again=True,
                )
    else:
        field = controls.key("class")
        st.session_state[field] = [index for index in likeliest if index in chosen]
        st.multiselect(
            f"Classes: {_typing(controls, 'a part of a name')}", likeliest, format_func=names.__getitem__, key=field,
            on_change=lambda: _keep_draft(review, example, widget_value(field) or ()),
        )  # fmt: skip


def _render_keep(review: Review, controls: _Controls) -> None:
    chosen, names = _draft(review, controls.example), class_names(review.run)

    def decide() -> None:
        has_class = _draft(review, controls.example)  # as it is by then
        said = {name: index in has_class for index, name in enumerate(review.run.class_names)}
        _decide(review, controls.example, "classes", encode_classes(said))

    words = ", ".join(names[index] for index in sorted(chosen)) or "none of the classes"
    if len(chosen) > MOST_NAMED:
        words = counted(len(chosen), "class")
    controls.button("keep", f"Keep {words}", decide)


def _likeliest_classes(review: Review, example: int) -> tuple[Sequence[str], np.ndarray, list[int]]:
    mean = review.run.mean_probs[example]
    return class_names(review.run), mean, np.argsort(-mean, kind="stable").tolist()


def _share(probability: float) -> str:
    return f" · {percent(probability, 0)}" if probability >= LEAST_SHOWN else ""


def _typing(controls: _Controls, what: str) -> str:
    key = as_markdown(key_label(controls.keyboard["class"]))
    return f"type {key} and {what}" if key else f"type {what}"


def _draft(review: Review, example: int) -> frozenset[int]:
    kept = session_store().get(DRAFT)
    if kept is not None and kept[:2] == (review.run.digest, example):
        chosen: frozenset[int] = kept[2]
        return chosen
    assert isinstance(review.answers, ChosenClasses)
    mine, given = review.mine.get(example), review.answers.given[example]
    if mine is not None and mine.classes is not None:
        given = np.where(np.array(mine.classes) == UNKNOWN, given, mine.classes)
    has_class = np.where(given == UNKNOWN, review.run.task.decide(review.run.mean_probs[example]), given == 1)
    return frozenset(np.flatnonzero(has_class).tolist())


def _render_similar(review: Review, example: int) -> None:
    """Render the reviewer's nearest decided examples; of numbers all with labels."""
    run, mine = review.run, review.mine
    decided = np.array([other for other, of in mine.items() if other != example and of.kind != "skip"], int)
    of_labels = isinstance(review.answers, Numbers) and has(run, "labels")
    if of_labels:
        decided = np.delete(labelled_numbers(run), np.flatnonzero(labelled_numbers(run) == example))
    if len(decided) == 0 or not has(run, "examples or features"):
        return
    vectors, names = components(run), review.options
    distances = np.square(vectors[decided] - vectors[example]).sum(axis=1)
    nearest = decided[np.argsort(distances, kind="stable")[:SIMILAR]]
    if of_labels:
        st.caption(f"The examples with the nearest {similarity_basis(run)}, with their labels and predictions.")
    else:
        words = " · ".join(
            f"\\#{rank} {as_markdown(mine[neighbour].in_words(names))}"
            for rank, neighbour in enumerate(nearest.tolist(), 1)
        )
        st.caption(f"The examples with the nearest {similarity_basis(run)} that you decided about: {words}.")
    tiles(run, review.selection.state, nearest, 1, review.selection.score, key="review-similar")


# Callbacks
def _count_press(action: Callable[[], None]) -> Callable[[], None]:
    def count() -> None:
        session_store()[HEARD] = session_store().get(HEARD, 0) + 1
        action()

    return count


def _with_name(review: Review, act: Callable[[Review], object]) -> None:
    """Do something in the reviewer's name, asking for it first."""
    if review.reviewer:
        act(review)
    else:
        session_store().update({PENDING: act, ASKS: True})


def _keep_pending(review: Review) -> None:
    name = printable(widget_value("first-name").strip())
    if name:
        session_store()[REVIEWER] = name
        session_store()[TURN] += 1
        session_store().pop(PENDING)(replace(review, reviewer=name))
        rerun_fragments()  # of the whole page, which closes the dialog


def _decide(review: Review, example: int, verdict: DecisionKind, class_name: str | None = None) -> None:
    def keep(named: Review) -> None:
        if _add(named, example, verdict, class_name=class_name):
            session_store().update({LAST: example, AT: None, DRAFT: None})

    _with_name(review, keep)


def _put_class(review: Review, example: int, index: int, has_class: bool) -> None:
    _keep_draft(review, example, _draft(review, example) | {index} if has_class else _draft(review, example) - {index})


def _keep_draft(review: Review, example: int, chosen: Iterable[int]) -> None:
    session_store()[DRAFT] = (review.run.digest, example, frozenset(chosen))


def _note(review: Review, example: int, field: str) -> None:
    note = widget_value(field).strip()
    if note != review.known.notes.get((example, review.reviewer), ""):
        _with_name(review, lambda named: _add(named, example, "note", note=note))


def _add(review: Review, example: int, *entry: Any, **more: Any) -> bool:
    label = review.answers.label_text(example)
    try:
        review.store.add(example, review.reviewer, *entry, label=label, **more)
    except McvizError as error:
        session_store()[TROUBLE] = error
        return False
    return True


def _undo(review: Review) -> None:
    if not review.reviewer:
        return
    try:
        example = review.store.undo(review.reviewer)
    except McvizError as error:
        session_store()[TROUBLE] = error
        return
    if example in review.selection.examples:
        session_store().update({LAST: None, AT: example, DRAFT: None})
    elif example is not None:
        queue_toast(f"Undone about example {example}, which is not in this list.", ":material/undo:")


def _move(queue: np.ndarray, example: int, step: int) -> None:
    place = np.clip(find_rank(example, queue) + step, 0, len(queue) - 1)
    session_store()[AT] = int(queue[place])
