"""Reviews as files, and imports from Label Studio and shared pages.

A moved file's target depends only on the run and its reviews, so an interrupted plan can be made again and completed.
Nothing is overwritten, no link is followed, and nothing outside the folder is touched.
"""

import io
import os
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from xml.sax.saxutils import quoteattr

import msgspec
import numpy as np
import pandas as pd

from mcviz.data.content import Content
from mcviz.errors import InvalidInputError, StorageError
from mcviz.reviews.answers import (
    LABEL_IS_WRONG,
    NO_CLASS_FITS,
    ChosenClasses,
    Decision,
    answers_of,
    chosen_classes_of,
    label_answers_of,
)
from mcviz.reviews.decisions import (
    ReviewSummary,
    compute_outcome,
    corrected_labels,
    select_new_entries,
    summarise_reviews,
)
from mcviz.reviews.store import LONGEST_REVIEWER, DecisionKind, Entry, ReviewRow, Reviews
from mcviz.runs import Run
from mcviz.text import first_line, list_names, one_line, printable

CHOICE_NAME, NOTE_NAME, OBJECT_NAME = (
    "class",
    "note",
    "example",
)  # in Label Studio's data


@dataclass(frozen=True)
class Move:
    """A file and its target, both relative to the folder of all classes."""

    source: str
    target: str


def plan_moves(run: Run, known: ReviewSummary) -> list[Move]:
    """Plan the moves of files to the classes that reviewers settled.

    A file keeps its name, unless another example has or gets the place: then `1.png` of cat becomes `1-from-cat.png`.

    Args:
        run: a classification with labels, of files in one folder for each class.
        known: its reviews.

    Raises:
        InvalidInputError: a relabelled example is not in the folder of its class, or a class's name cannot name a
            folder.
    """
    table = corrected_labels(run, known)
    changed = table[table["old"] != table["new"]]
    ids = set(run.scores()["id"])
    wanted = []
    for name, old, new in zip(changed["id"], changed["old"], changed["new"], strict=True):
        parts = PurePosixPath(name).parts
        if len(parts) < 2 or parts[0] != old or ".." in parts or name.startswith("/"):
            raise InvalidInputError(
                f"Files are moved where each lies in the folder of its class. Received: {run.path}, with {name} of the "
                f"class {old}. Write the labels as a table, with --to."
            )
        if PurePosixPath(new).parts != (new,) or new in ("/", ".."):
            raise InvalidInputError(f"A class whose files are moved has the name of a folder. Received: {new}.")
        wanted.append((name, PurePosixPath(new, *parts[1:]), old))
    count = Counter(str(target) for _, target, _ in wanted)
    moves = []
    for name, target, old in wanted:
        is_taken = str(target) in ids or count[str(target)] > 1
        moves.append(Move(name, str(target.with_stem(f"{target.stem}-from-{old}") if is_taken else target)))
    targets = Counter(move.target for move in moves)
    taken = next((move for move in moves if targets[move.target] > 1 or move.target in ids), None)
    if taken is not None:
        raise InvalidInputError(
            f"{taken.source} and another file would both become {taken.target}. Rename one of them."
        )
    return moves


def find_open_moves(folder: str | os.PathLike[str], moves: list[Move]) -> list[Move]:
    """Find the moves still to be done.

    Raises:
        InvalidInputError: there is no such folder, a file is missing, is no file or lies behind a link, or its target
            is taken.
        StorageError: the folder cannot be read.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InvalidInputError(f"There is no folder {folder}. Give the one that holds a folder a class.")
    all_moves = []
    try:
        for move in moves:
            source, target = _find_file(root, move.source), _find_file(root, move.target)
            if source is None and target is None:
                raise InvalidInputError(f"{root / move.source} is not there. Give the folder that the run was made of.")
            if source is not None and target is not None and not os.path.samestat(source, target):
                raise InvalidInputError(f"{root / move.target} is there already. Rename it, or {root / move.source}.")
            if source is not None:
                all_moves.append(move)
    except OSError as error:
        raise StorageError(f"{root} cannot be read: {error.strerror or error}.") from error
    return all_moves


def move_files(folder: str | os.PathLike[str], moves: list[Move]) -> None:
    """Move files one by one; after an error, call it again.

    Raises:
        InvalidInputError: as `find_open_moves`, before anything is moved.
        StorageError: a file cannot be moved.
    """
    root = Path(folder)
    for move in find_open_moves(root, moves):
        source, target = root / move.source, root / move.target
        try:
            if not os.path.lexists(target):  # else it is the same file, from an interrupted move
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(source, target, follow_symlinks=False)  # never overwrites
            source.unlink()
        except OSError as error:
            raise StorageError(
                f"{source} cannot be moved to {target}: {error.strerror or error}. Files before it are moved; the same "
                "command moves the rest."
            ) from error


def _find_file(root: Path, name: str) -> os.stat_result | None:
    """Find a file without following links; None if missing.

    Raises:
        InvalidInputError: it is no regular file, or a part of its path is no folder.
    """
    path, parts = root, PurePosixPath(name).parts
    for number, part in enumerate(parts, 1):
        path = path / part
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
        if not (stat.S_ISREG if number == len(parts) else stat.S_ISDIR)(status.st_mode):
            kind = "file" if number == len(parts) else "folder"
            raise InvalidInputError(f"{path} should be a {kind}, and no link. Nothing is moved.")
    return status


def decisions_table(run: Run, known: ReviewSummary) -> pd.DataFrame:
    """Tabulate the decisions, one row each.

    Returns:
        `example`, `id`, `label`, `label_name`, `prediction`, `prediction_name`, `reviewer`, `decision` (class, none,
        wrong_label or skip), `class` (Int64), `class_name`, `note`, `time` (UTC). In a multilabel task `label` and
        `prediction` are names such as "cat;dog", `decision` is classes, wrong_label or skip, and `classes` and
        `undecided` replace the class. For numbers, a `value` for each target replaces it, and if people judge
        predictions, a `verdict`.
    """
    rows = answers_of(run).tabulate(known.decisions)
    notes = [known.notes.get((decision.example, decision.reviewer), "") for decision in known.decisions]
    rows["note"] = pd.array(notes, "string")
    rows["time"] = pd.to_datetime([decision.time for decision in known.decisions], utc=True)
    return rows


def encode_csv(run: Run, known: ReviewSummary) -> bytes:
    """Encode `decisions_table` as CSV."""
    return decisions_table(run, known).to_csv(index=False).encode()


def encode_labels(run: Run, known: ReviewSummary) -> bytes:
    """Encode `corrected_labels` as CSV."""
    return corrected_labels(run, known).to_csv(index=False).encode()


def encode_parquet(run: Run, known: ReviewSummary) -> bytes:
    """Encode `decisions_table` as Parquet."""
    file = io.BytesIO()
    decisions_table(run, known).to_parquet(file, index=False)
    return file.getvalue()


def encode_npz(run: Run, known: ReviewSummary) -> bytes:
    """Encode corrected labels as numpy's npz.

    Returns:
        A file with `labels` (N,) int64, `mask` (N,) bool and `reviewed` (N,) bool, from `Outcome`, `given` (N,) int64,
        the original labels, -1 if unknown, `class_names` (C,) texts, and `ids` (N,) texts. In a multilabel task
        `labels` and `given` are (N, C) int8, for numbers (N, D) float32.
    """
    outcome, file = compute_outcome(run, known), io.BytesIO()
    np.savez_compressed(
        file,
        labels=outcome.labels,
        mask=outcome.mask,
        reviewed=outcome.settled,
        given=label_answers_of(run).given,
        class_names=np.array(run.class_names, dtype=np.str_),
        ids=run.scores()["id"].to_numpy(np.str_),
    )
    return file.getvalue()


def encode_label_studio(run: Run, known: ReviewSummary, picture: Callable[[np.ndarray], str] | None = None) -> bytes:
    """Encode the decided examples as Label Studio tasks, in its JSON.

    A task's data has `example`, `id`, and content: `image`, `text`, or `row`. It has a prediction, and for each
    reviewer an annotation: a choice `class` and a text `note`. `label_studio_setup` is their interface. Decisions with
    undecided classes are left out.

    Args:
        run: the reviewed run.
        known: its reviews.
        picture: makes an address that holds an image, (height, width, channels); without it tasks have no image.
    """
    table, answers = run.scores(), chosen_classes_of(run)
    tasks: list[dict[str, Any]] = []
    for example, decisions in known.by_example().items():
        data: dict[str, Any] = {"example": example, "id": table["id"].iloc[example]}
        prediction, score = answers.predicted_choices(example)
        predicted = {"model_version": run.name, "score": score, "result": [_choices(prediction)]}
        annotations = [
            {"result": _result(known, decision, choices)}
            for decision in decisions
            if (choices := answers.choices(decision))
        ]
        content = _task_content(run, example, picture)
        tasks.append({"data": data | content, "annotations": annotations, "predictions": [predicted]})
    return msgspec.json.format(msgspec.json.encode(tasks))


def label_studio_setup(run: Run) -> str:
    """Return the labelling interface for tasks of `encode_label_studio`, in XML."""
    tag, field = _content(run).tag
    answers = [*run.class_names, NO_CLASS_FITS, *([] if run.labels is None else [LABEL_IS_WRONG])]
    choices = "".join(f"    <Choice value={quoteattr(answer)}{_hotkey_attribute(answer)}/>\n" for answer in answers)
    how_many = "multiple" if answers_of(run).several else "single"
    return (
        f'<View>\n  <Choices name="{CHOICE_NAME}" toName="{OBJECT_NAME}" choice="{how_many}" showInline="true">\n'
        f'{choices}  </Choices>\n  <TextArea name="{NOTE_NAME}" toName="{OBJECT_NAME}" placeholder="note"/>\n'
        f'  <{tag} name="{OBJECT_NAME}" value="${field}"/>\n</View>'
    )


def _hotkey_attribute(answer: str) -> str:
    """Return a class's hotkey: by default Label Studio gives class 0 the key 1."""
    return f' hotkey="{answer}"' if len(answer) == 1 and answer.isascii() and answer.isalnum() else ""


def _task_content(run: Run, example: int, picture: Callable[[np.ndarray], str] | None) -> dict[str, Any]:
    content = _content(run)
    _, field = content.tag
    if content.of_images:
        return {field: picture(run.pictures[example])} if picture else {}
    return {field: content.label_studio_value(run.content.iloc[example])} if content.in_columns else {}


def _content(run: Run) -> type[Content]:
    return run.kind.content if run.manifest.has_examples else Content


def _result(known: ReviewSummary, decision: Decision, choices: list[str]) -> list[dict[str, Any]]:
    reviewer = {"meta": {"text": [decision.reviewer]}}  # only Label Studio's own users can be authors
    results = [_choices(choices) | reviewer]
    if note := known.notes.get((decision.example, decision.reviewer)):
        results.append(
            {"from_name": NOTE_NAME, "to_name": OBJECT_NAME, "type": "textarea", "value": {"text": [note]}} | reviewer
        )
    return results


def _choices(choices: list[str]) -> dict[str, Any]:
    return {"from_name": CHOICE_NAME, "to_name": OBJECT_NAME, "type": "choices", "value": {"choices": choices}}


class _PageDecision(msgspec.Struct, forbid_unknown_fields=True):
    example: int
    kind: DecisionKind | None = None
    class_name: str | None = None
    label: str | None = None
    note: str = ""


class _PageDecisions(msgspec.Struct, forbid_unknown_fields=True):
    examples_sha256: str
    reviewer: str
    decisions: list[_PageDecision]
    format: Literal[1] = 1


def read_decisions(run: Run, content: bytes) -> list[Entry]:
    """Read the JSON decisions of a shared page for `Reviews.add_all`.

    They also apply to a run of the same examples with more passes.

    Raises:
        InvalidInputError: it is no such file, it is of other examples, or it names an unknown example or class.
    """
    try:
        read = msgspec.json.decode(content, type=_PageDecisions)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInputError(f"These are no decisions that a shared page saved: {first_line(error)}.") from error
    examples, answers = run.manifest.examples, answers_of(run)
    if read.examples_sha256 != examples.sha256:
        raise InvalidInputError(
            f"The decisions are about other examples, {one_line(read.examples_sha256):.12}…. Received for {run.path}, "
            f"over {examples.sha256[:12]}…. Import them for a run over the examples of their page."
        )
    reviewer, entries = printable(one_line(read.reviewer)), []
    for made in read.decisions:
        if not 0 <= made.example < len(run):
            raise InvalidInputError(f"There are examples 0 to {len(run) - 1}. Received: a decision on {made.example}.")
        if made.kind:
            said = made.kind, made.class_name, made.label, None, None
            if answers.read(ReviewRow(1, made.example, reviewer, datetime.now(UTC), *said)) is None:
                words = one_line(f"{made.kind} {made.class_name or ''}").strip()
                raise InvalidInputError(
                    f"The decision “{words:.80}” on example {made.example} says nothing of this run: it has no such "
                    "class, or another label. Import the file for the run of its page."
                )
            entries.append(Entry(made.example, reviewer, made.kind, made.class_name, made.label))
        if made.note:
            entries.append(Entry(made.example, reviewer, "note", note=printable(made.note), label=made.label))
    return entries


def read_reviews(run: Run, content: bytes) -> list[Entry]:
    """Read decisions of a shared page or Label Studio.

    Raises:
        InvalidInputError: as `read_decisions` and `read_label_studio`.
    """
    return (read_decisions if content.lstrip().startswith(b"{") else read_label_studio)(run, content)


@dataclass(frozen=True)
class ImportedReviews:
    """The result of an import of reviews.

    Attributes:
        added: the lines that were new.
        read: how many lines there were.
        disputed: the examples among them with disagreements now.
        changed: the examples with another decision by the same reviewer before.
    """

    added: int
    read: int
    disputed: list[int]
    changed: list[int]

    @property
    def in_words(self) -> str:
        """The result in sentences."""
        sentences = [f"{self.added:,} of {self.read:,} lines were new."]
        if self.changed:
            sentences.append(f"Decided otherwise before by the same person: example {list_names(self.changed)}.")
        if self.disputed:
            sentences.append(f"Disputed, to be settled on the page Label: example {list_names(self.disputed)}.")
        return " ".join(sentences)


def import_reviews(run: Run, reviews: Reviews, content: bytes) -> ImportedReviews:
    """Add a file's new decisions, all or none.

    Raises:
        InvalidInputError: as `read_reviews`; nothing is added then.
    """
    entries, known = read_reviews(run, content), summarise_reviews(run, reviews.rows())
    added = select_new_entries(entries, known, run.class_names)
    before = {(decision.example, decision.reviewer) for decision in known.decisions}
    reviews.add_all(added)
    decided = [entry for entry in added if entry.kind != "note"]
    changed = {entry.example for entry in decided if (entry.example, entry.reviewer) in before}
    disputed = summarise_reviews(run, reviews.rows()).disagreements().keys() & {entry.example for entry in entries}
    return ImportedReviews(len(added), len(entries), sorted(disputed), sorted(changed))


class _Value(msgspec.Struct):
    choices: list[str] = []
    text: list[str] | str = []


class _Meta(msgspec.Struct):
    text: list[str] = []


class _Result(msgspec.Struct):
    type: str = ""
    value: _Value = msgspec.field(default_factory=_Value)
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _Annotation(msgspec.Struct):
    result: list[_Result] = []
    was_cancelled: bool = False
    completed_by: Any = None
    updated_by: Any = None


class _LabelStudioTask(msgspec.Struct):
    data: dict[str, Any]
    annotations: list[_Annotation] = []


def read_label_studio(run: Run, content: bytes) -> list[Entry]:
    """Read Label Studio's JSON annotations for `Reviews.add_all`.

    A task's example is that of its data's `id`, or else `example`. An annotation is a class, "no class fits" or "the
    given label is wrong"; in a multilabel task all classes. A cancelled one is a skip. Its reviewer is the first text
    of the choice's `meta`, or the user if somebody changed the annotation.

    Raises:
        InvalidInputError: it is no such file, or names an unknown example or class.
    """
    try:
        tasks = msgspec.json.decode(content, type=list[_LabelStudioTask])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInputError(
            f"This is no JSON that Label Studio exports: {first_line(error)}. Export the project as JSON, not JSON-MIN."
        ) from error
    ids = {} if run.columns is None else {name: example for example, name in enumerate(run.columns["id"])}
    answers, entries = chosen_classes_of(run), []
    for number, task in enumerate(tasks, 1):
        example = _find_example(run, ids, task, number)
        for annotation in task.annotations:
            entries += _annotation_entries(answers, example, annotation, number)
    return entries


def _find_example(run: Run, ids: dict[str, int], task: _LabelStudioTask, number: int) -> int:
    name, example = task.data.get("id"), task.data.get("example")
    place = (ids.get(name) if isinstance(name, str) else None) if ids else example
    if type(place) is not int or not 0 <= place < len(run):
        named = repr(name if ids else example)
        raise InvalidInputError(
            f"Task {number} is about {'the id' if ids else 'the example'} {one_line(named):.80}, which this run does "
            "not have. Import what was exported from a run over the same examples."
        )
    return place


def _annotation_entries(answers: ChosenClasses, example: int, annotation: _Annotation, number: int) -> list[Entry]:
    reviewer, label = _reviewer_name(annotation), answers.label_text(example)
    if annotation.was_cancelled:
        return [Entry(example, reviewer, "skip", label=label)]
    chosen = [choice for result in annotation.result if result.type == "choices" for choice in result.value.choices]
    texts = [result.value.text for result in annotation.result if result.type == "textarea"]
    notes = [
        text
        for text_or_texts in texts
        for text in ([text_or_texts] if isinstance(text_or_texts, str) else text_or_texts)
    ]
    if len(chosen) != 1 and not (answers.several and chosen):
        wanted = "a choice or more" if answers.several else "one choice"
        raise InvalidInputError(
            f"Each annotation should have {wanted}; one of task {number} has {len(chosen)}. Correct it there."
        )
    entries = [Entry(example, reviewer, "note", note=printable(note), label=label) for note in notes if note.strip()]
    answer = answers.from_choices(chosen)
    if answer is None:
        wrong = next(choice for choice in chosen if choice not in answers.run.class_names)
        raise InvalidInputError(
            f"Task {number} has the choice “{one_line(wrong):.80}”, which is no class of this run. Rename it "
            "there, or import it for the run that has it."
        )
    kind, class_name = answer
    return [*entries, Entry(example, reviewer, kind, class_name=class_name, label=label)]


def _reviewer_name(annotation: _Annotation) -> str:
    user, changed_by, named = annotation.completed_by, annotation.updated_by, []
    if changed_by is None:
        named = [text for result in annotation.result for text in result.meta.text]
    elif not (isinstance(user, dict) and user.get("id") == changed_by):
        user = changed_by  # the earlier reviewer did not decide this
    if isinstance(user, dict):  # exported with the users' addresses
        named.append(str(user.get("email", "")))
        user = user.get("id")
    name = next((text for text in named if text.strip()), f"Label Studio, user {user}")
    return printable(one_line(name))[:LONGEST_REVIEWER]
