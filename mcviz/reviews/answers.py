"""The possible answers about an example, by task: its class, classes or numbers, or whether the prediction is right."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import pandas as pd

from mcviz.errors import InvalidInputError
from mcviz.measures.multilabel import label_losses
from mcviz.reviews.store import (
    DecisionKind,
    ReviewRow,
    decode_classes,
    decode_values,
    encode_classes,
    encode_values,
)
from mcviz.runs import Run
from mcviz.tasks.multilabel import join_names
from mcviz.text import list_names, significant

NO_CLASS_FITS = "no class fits"
LABEL_IS_WRONG = "the given label is wrong"
PREDICTION_IS_RIGHT, PREDICTION_IS_WRONG = "prediction is right", "prediction is wrong"

UNKNOWN_LABEL = -1  # also in a multilabel task
Answer = tuple[DecisionKind, str | None]  # the kind of a decision, and its `class_name` in a `ReviewRow`


@dataclass(frozen=True)
class Decision:
    """The latest decision of a reviewer about an example.

    Attributes:
        example: its number.
        reviewer: their name.
        kind: the kind of decision.
        class_index: the given class, an index into `Answers.options`, or None.
        time: in UTC.
        label_is_right: whether the given label is right by this decision; None if it does not tell.
        classes: in a multilabel task 1 for each class that the example has, 0 for one that it has not, -1 if undecided;
            None for other kinds.
        values: the number of each target by its name; None for other kinds.
    """

    example: int
    reviewer: str
    kind: DecisionKind
    class_index: int | None
    time: datetime
    label_is_right: bool | None = None
    classes: tuple[int, ...] | None = None
    values: Mapping[str, float] | None = None

    def in_words(self, options: Sequence[str]) -> str:
        """Describe the decision, with the names of `Answers.options`."""
        if self.classes is not None:
            has_class = [name for name, said in zip(options, self.classes, strict=True) if said == 1]
            return list_names(has_class) if has_class else NO_CLASS_FITS
        if self.values is not None:
            written = {name: significant(value) for name, value in self.values.items()}
            return ", ".join(written.values() if len(written) == 1 else map(" ".join, written.items()))
        if self.class_index is not None:
            return options[self.class_index]
        return {"none": NO_CLASS_FITS, "wrong_label": LABEL_IS_WRONG, "skip": "skipped"}[self.kind]

    def class_text(self, class_names: Sequence[str]) -> str | None:
        """Return its `class_name` for a `ReviewRow`."""
        if self.classes is not None:
            said = zip(class_names, self.classes, strict=True)
            return encode_classes({name: value == 1 for name, value in said if value != UNKNOWN_LABEL})
        if self.values is not None:
            return encode_values(self.values)
        return None if self.class_index is None else class_names[self.class_index]

    def contradicts(self, other: "Decision") -> bool:
        """Return whether the two decisions cannot both be right.

        A “wrong label” that names nothing else contradicts only decisions for the given label.
        """
        if {self.label_is_right, other.label_is_right} == {True, False}:
            return True
        if "wrong_label" in (self.kind, other.kind):
            return False
        if self.classes is not None and other.classes is not None:
            return any({one, two} == {0, 1} for one, two in zip(self.classes, other.classes, strict=True))
        return self.class_index != other.class_index or self.values != other.values


class Answers(ABC):
    """The possible answers about the examples of a run.

    Attributes:
        run: the reviewed run.
        options: the names in answers: the classes, or the verdicts on a prediction.
        several: whether an example may have several classes.
    """

    several = False

    def __init__(self, run: Run, options: tuple[str, ...]) -> None:
        self.run, self.options = run, options
        self._indices = {name: index for index, name in enumerate(options)}

    @abstractmethod
    def label_text(self, example: int) -> str | None:
        """Return an example's label for `ReviewRow`; None if unknown."""

    @abstractmethod
    def shortcuts(self, example: int) -> dict[str, Answer]:
        """Return the answers that need no choice of class.

        Keys are `label`, `prediction`, `wrong_label`, `wrong_prediction` and `none` (no class fits).
        """

    @abstractmethod
    def read(self, row: ReviewRow) -> Decision | None:
        """Read the decision of a history line; None if not applicable here."""

    @abstractmethod
    def tabulate(self, decisions: Sequence[Decision]) -> pd.DataFrame:
        """Tabulate decisions with their examples, one row each."""

    def _rows(self, decisions: Sequence[Decision], columns: list[str]) -> pd.DataFrame:
        return self.run.scores().loc[[decision.example for decision in decisions], columns].reset_index()


class LabelAnswers(Answers):
    """Answers that imply labels.

    Attributes:
        given: the labels of the run; -1 if unknown.
    """

    given: np.ndarray

    def __init__(self, run: Run) -> None:
        super().__init__(run, run.class_names or run.targets)

    @abstractmethod
    def merge(self, example: int, decisions: Sequence[Decision]) -> int | np.ndarray:
        """Return an example's label by decisions that agree, or all reject it."""

    @abstractmethod
    def fit(self, labels: np.ndarray) -> np.ndarray:
        """Return the ensemble's correctness, (N,) float64 0 to 1, or its errors; NaN without labels."""

    @abstractmethod
    def fit_by_class(self, labels: np.ndarray) -> list[float | None]:
        """Return each class's share of correctly predicted labels; None without any."""

    @abstractmethod
    def errors_by_class(self, labels: np.ndarray, wrong: np.ndarray) -> list[int]:
        """Count each class's wrong given labels among (N,) bool `wrong` examples."""

    @abstractmethod
    def names(self, labels: np.ndarray) -> np.ndarray:
        """Return (N,) names of labels; "" without one."""


class ChosenClasses(LabelAnswers):
    """Answers that are choices among classes, as Label Studio takes them."""

    @abstractmethod
    def predicted_choices(self, example: int) -> tuple[list[str], float]:
        """Return the predicted names and their confidence, 0 to 1."""

    @abstractmethod
    def choices(self, decision: Decision) -> list[str]:
        """Return a decision as class names or another answer.

        Empty if a class is undecided.
        """

    @abstractmethod
    def from_choices(self, choices: Sequence[str]) -> Answer | None:
        """Return the answer of `choices`; None if they mean nothing here."""


class OneClass(ChosenClasses):
    """Answers about the class of an example: labels are (N,) int64."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.given = np.full(len(run), UNKNOWN_LABEL) if run.labels is None else run.labels

    @cached_property
    def _prediction(self) -> np.ndarray:
        return self.run.task.decide(self.run.mean_probs)

    def label_text(self, example: int) -> str | None:
        label = self.given[example]
        return None if label == UNKNOWN_LABEL else self.run.class_names[label]

    def shortcuts(self, example: int) -> dict[str, Answer]:
        answers: dict[str, Answer] = {"prediction": ("class", self.run.class_names[self._prediction[example]])}
        if (label := self.label_text(example)) is not None:
            answers = {"label": ("class", label), **answers, "wrong_label": ("wrong_label", None)}
        return {**answers, "none": ("none", None)}

    def read(self, row: ReviewRow) -> Decision | None:
        assert row.kind != "note"
        assert row.kind != "undo"
        label = self.label_text(row.example)
        if row.kind == "classes" or (row.kind == "class" and row.class_name not in self._indices):
            return None
        if row.kind == "wrong_label" and (label is None or row.label != label):
            return None
        index = self._indices[row.class_name] if row.kind == "class" and row.class_name is not None else None
        is_right = None if label is None or row.kind == "skip" else row.class_name == label
        return Decision(row.example, row.reviewer, row.kind, index, row.time, is_right)

    def merge(self, example: int, decisions: Sequence[Decision]) -> int:
        named = {decision.class_index for decision in decisions if decision.kind != "wrong_label"}
        index = named.pop() if len(named) == 1 else None
        return UNKNOWN_LABEL if index is None else index

    def fit(self, labels: np.ndarray) -> np.ndarray:
        return np.where(labels == UNKNOWN_LABEL, np.nan, self._prediction == labels)

    def fit_by_class(self, labels: np.ndarray) -> list[float | None]:
        correct = self._prediction == labels
        return [mean_or_none(correct[labels == c]) for c in range(len(self.run.class_names))]

    def errors_by_class(self, labels: np.ndarray, wrong: np.ndarray) -> list[int]:
        return [int(wrong[self.given == c].sum()) for c in range(len(self.run.class_names))]

    def names(self, labels: np.ndarray) -> np.ndarray:
        named = np.array(self.run.class_names, object)[labels]
        named[labels == UNKNOWN_LABEL] = ""
        return named

    def tabulate(self, decisions: Sequence[Decision]) -> pd.DataFrame:
        names = dict(enumerate(self.run.class_names))
        rows = self._rows(decisions, ["id", "label", "prediction"])
        rows.insert(3, "label_name", rows["label"].map(names).astype("string"))
        rows["prediction_name"] = rows["prediction"].map(names).astype("string")
        rows = _add_reviewers(rows, decisions)
        rows["class"] = pd.array([decision.class_index for decision in decisions], "Int64")
        rows["class_name"] = rows["class"].map(names).astype("string")
        return rows

    def predicted_choices(self, example: int) -> tuple[list[str], float]:
        prediction = self._prediction[example]
        return [self.run.class_names[prediction]], float(self.run.mean_probs[example, prediction])

    def choices(self, decision: Decision) -> list[str]:
        return [decision.in_words(self.run.class_names)]

    def from_choices(self, choices: Sequence[str]) -> Answer | None:
        (choice,) = choices
        if choice in self._indices:
            return "class", choice
        nameless: dict[str, Answer] = {NO_CLASS_FITS: ("none", None), LABEL_IS_WRONG: ("wrong_label", None)}
        return nameless.get(choice)


class ClassSets(ChosenClasses):
    """Answers about the classes that an example has: labels are (N, C) int8 of 0, 1 and -1."""

    several = True

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        unknown = np.full(run.mean_predictions.shape, UNKNOWN_LABEL, np.int8)
        self.given = unknown if run.labels is None else run.labels

    def text_of(self, has_class: Iterable[bool]) -> str:
        """Encode (C,) booleans for all classes as text."""
        return encode_classes(dict(zip(self.run.class_names, map(bool, has_class), strict=True)))

    def label_text(self, example: int) -> str | None:
        labels = self.given[example].tolist()
        known = {name: label == 1 for name, label in zip(self._indices, labels, strict=True) if label != UNKNOWN_LABEL}
        return encode_classes(known) if known else None

    def shortcuts(self, example: int) -> dict[str, Answer]:
        predicted = self.text_of(self.run.task.decide(self.run.mean_predictions[example]))
        answers: dict[str, Answer] = {"prediction": ("classes", predicted)}
        if (label := self.label_text(example)) is not None:
            answers = {"label": ("classes", label), **answers, "wrong_label": ("wrong_label", None)}
        return {**answers, "none": ("classes", self.text_of([False] * len(self._indices)))}

    def read(self, row: ReviewRow) -> Decision | None:
        if row.kind == "skip":
            return Decision(row.example, row.reviewer, "skip", None, row.time)
        if row.kind == "wrong_label":
            label = self.label_text(row.example)
            is_same = label is not None and row.label == label
            return Decision(row.example, row.reviewer, "wrong_label", None, row.time, False) if is_same else None
        said = decode_classes(row.class_name or "") if row.kind == "classes" else {}
        if not said or not said.keys() <= self._indices.keys():
            return None
        classes, given = np.full(len(self._indices), UNKNOWN_LABEL), self.given[row.example]
        classes[[self._indices[name] for name in said]] = list(said.values())
        both = (classes != UNKNOWN_LABEL) & (given != UNKNOWN_LABEL)
        is_right = bool((classes == given)[both].all()) if both.any() else None
        return Decision(row.example, row.reviewer, "classes", None, row.time, is_right, tuple(classes.tolist()))

    def merge(self, example: int, decisions: Sequence[Decision]) -> np.ndarray:
        given = self.given[example]
        said = np.array([decision.classes for decision in decisions if decision.classes is not None], np.int8)
        said = said.reshape(-1, len(given))
        has_class, lacks_class = (said == 1).any(axis=0), (said == 0).any(axis=0)
        differs = (has_class & (given == 0)) | (lacks_class & (given == 1))
        blames = any(decision.kind == "wrong_label" for decision in decisions)
        labels = np.full_like(given, UNKNOWN_LABEL) if blames and not differs.any() else given.copy()
        labels[has_class], labels[lacks_class] = 1, 0
        labels[has_class & lacks_class] = UNKNOWN_LABEL
        return labels

    def fit(self, labels: np.ndarray) -> np.ndarray:
        return 1 - label_losses(self.run.task.decide(self.run.mean_predictions), labels)

    def fit_by_class(self, labels: np.ndarray) -> list[float | None]:
        correct, is_known = self.run.task.decide(self.run.mean_predictions) == (labels == 1), labels != UNKNOWN_LABEL
        return [mean_or_none(correct[known, c]) for c, known in enumerate(is_known.T)]

    def errors_by_class(self, labels: np.ndarray, wrong: np.ndarray) -> list[int]:
        both = (labels != UNKNOWN_LABEL) & (self.given != UNKNOWN_LABEL)
        return [int(count) for count in ((labels != self.given) & both)[wrong].sum(axis=0)]

    def names(self, labels: np.ndarray) -> np.ndarray:
        return join_names(labels == 1, self.run.class_names)

    def tabulate(self, decisions: Sequence[Decision]) -> pd.DataFrame:
        rows = self._rows(decisions, ["id", "label", "prediction"])
        for name in ("label", "prediction"):
            rows[name] = rows[name].astype("string")
        rows = _add_reviewers(rows, decisions)
        said = np.array([decision.classes or (2,) * len(self._indices) for decision in decisions], np.int8)
        said = said.reshape(-1, len(self._indices))
        is_said = np.array([decision.classes is not None for decision in decisions], bool)
        for name, value in (("classes", 1), ("undecided", UNKNOWN_LABEL)):
            rows[name] = pd.array(join_names(said == value, self.run.class_names), "string")
            rows.loc[~is_said, name] = pd.NA
        return rows

    def predicted_choices(self, example: int) -> tuple[list[str], float]:
        mean = self.run.mean_predictions[example]
        predicted = [name for name, chosen in zip(self._indices, self.run.task.decide(mean), strict=True) if chosen]
        return predicted or [NO_CLASS_FITS], float(np.maximum(mean, 1 - mean).mean())

    def choices(self, decision: Decision) -> list[str]:
        if decision.classes is None:
            return [decision.in_words(self.run.class_names)]
        if UNKNOWN_LABEL in decision.classes:
            return []
        has_class = [name for name, said in zip(self._indices, decision.classes, strict=True) if said]
        return has_class or [NO_CLASS_FITS]

    def from_choices(self, choices: Sequence[str]) -> Answer | None:
        if set(choices) <= self._indices.keys():
            return "classes", self.text_of([name in choices for name in self._indices])
        none: Answer = "classes", self.text_of([False] * len(self._indices))
        answers: dict[tuple[str, ...], Answer] = {(NO_CLASS_FITS,): none, (LABEL_IS_WRONG,): ("wrong_label", None)}
        return answers.get(tuple(choices))


class Numbers(LabelAnswers):
    """Answers about the numbers of an example; labels are (N, D) float32, NaN if unknown."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        unknown = np.full((len(run), len(run.targets)), np.nan, np.float32)
        self.given = unknown if run.labels is None else run.labels

    def text_of(self, values: Iterable[float]) -> str:
        """Return the text of a number for each target."""
        return encode_values(dict(zip(self.run.targets, map(_shortest, values), strict=True)))

    def label_text(self, example: int) -> str | None:
        label = self.given[example]
        return self.text_of(label) if np.isfinite(label).all() else None

    def shortcuts(self, example: int) -> dict[str, Answer]:
        label = self.label_text(example)
        return {} if label is None else {"label": ("values", label), "wrong_label": ("wrong_label", None)}

    def read(self, row: ReviewRow) -> Decision | None:
        if row.kind == "skip":
            return Decision(row.example, row.reviewer, "skip", None, row.time)
        label = self.label_text(row.example)
        if row.kind == "wrong_label":
            is_same = label is not None and row.label == label
            return Decision(row.example, row.reviewer, "wrong_label", None, row.time, False) if is_same else None
        values = decode_values(row.class_name or "") if row.kind == "values" else {}
        if values.keys() != self._indices.keys():
            return None
        is_right = None if label is None else encode_values(values) == label
        values = {name: values[name] for name in self.run.targets}
        return Decision(row.example, row.reviewer, "values", None, row.time, is_right, values=values)

    def merge(self, example: int, decisions: Sequence[Decision]) -> np.ndarray:
        named = {decision.class_text(()): decision.values for decision in decisions if decision.values is not None}
        values = next(iter(named.values())) if len(named) == 1 else None
        return np.array([np.nan if values is None else values[name] for name in self.run.targets], np.float32)

    def fit(self, labels: np.ndarray) -> np.ndarray:
        errors = self.run.mean_predictions[:, : labels.shape[1]].astype(np.float64) - labels
        return np.asarray(np.linalg.norm(errors, axis=1))

    def fit_by_class(self, labels: np.ndarray) -> list[float | None]:
        return []

    def errors_by_class(self, labels: np.ndarray, wrong: np.ndarray) -> list[int]:
        return []

    def names(self, labels: np.ndarray) -> np.ndarray:
        """Return (N,) float64 numbers; for several targets texts such as "1.5;20", "" without one."""
        numbers = [[_shortest(value) for value in row] for row in labels]
        if labels.shape[1] == 1:
            return np.array(numbers)[:, 0]
        texts = [";".join(map(str, row)) if np.isfinite(row).all() else "" for row in numbers]
        return np.array(texts, object)

    def tabulate(self, decisions: Sequence[Decision]) -> pd.DataFrame:
        rows = _add_reviewers(self._rows(decisions, ["id", *self.run.task.table_columns(self.run.targets)]), decisions)
        for name in self.run.targets:
            values = [None if decision.values is None else decision.values[name] for decision in decisions]
            rows["value" if len(self.run.targets) == 1 else f"value_{name}"] = pd.array(values, "Float64")
        return rows


def _shortest(value: float) -> float:
    """Return the number with the fewest digits that is this one of float32."""
    return float(str(np.float32(value)))


class Verdicts(Answers):
    """Answers that a prediction is right or wrong, for tasks without classes."""

    def __init__(self, run: Run) -> None:
        super().__init__(run, (PREDICTION_IS_RIGHT, PREDICTION_IS_WRONG))

    def label_text(self, example: int) -> str | None:
        return None

    def shortcuts(self, example: int) -> dict[str, Answer]:
        return {"prediction": ("class", PREDICTION_IS_RIGHT), "wrong_prediction": ("class", PREDICTION_IS_WRONG)}

    def read(self, row: ReviewRow) -> Decision | None:
        if row.kind == "skip":
            return Decision(row.example, row.reviewer, "skip", None, row.time)
        if row.kind != "class" or row.class_name not in self._indices:
            return None
        return Decision(row.example, row.reviewer, "class", self._indices[row.class_name], row.time)

    def tabulate(self, decisions: Sequence[Decision]) -> pd.DataFrame:
        rows = self._rows(decisions, ["id", "label", "prediction"])
        for name in ("label", "prediction"):
            rows[name] = rows[name].astype("string")
        said = [None if decision.class_index is None else self.options[decision.class_index] for decision in decisions]
        return _add_reviewers(rows, decisions).assign(verdict=pd.array(said, "string"))


def answers_of(run: Run) -> Answers:
    """Return the possible answers about a run's examples."""
    by_decision: dict[str, Callable[[Run], Answers]] = {
        "class": OneClass,
        "classes": ClassSets,
        "values": Numbers,
        "verdict": Verdicts,
    }
    return by_decision[run.task.decides](run)


def label_answers_of(run: Run) -> LabelAnswers:
    """Return the possible answers about a run's labels.

    Raises:
        InvalidInputError: the answers are not about labels.
    """
    answers = answers_of(run)
    if not isinstance(answers, LabelAnswers):
        raise InvalidInputError(
            f"Of a {run.task.name} people say whether a prediction is right, and no labels follow from that. "
            f"Received: {run.path}. Export the decisions as CSV or Parquet."
        )
    return answers


def chosen_classes_of(run: Run) -> ChosenClasses:
    """Return the same for a run whose answers are choices among classes.

    Raises:
        InvalidInputError: they are not.
    """
    answers = label_answers_of(run)
    if not isinstance(answers, ChosenClasses):
        raise InvalidInputError(
            f"Label Studio's choices are of classes. Received: {run.path}, of a {run.task.name}. Export the decisions "
            "as CSV or Parquet."
        )
    return answers


def _add_reviewers(rows: pd.DataFrame, decisions: Sequence[Decision]) -> pd.DataFrame:
    return rows.assign(
        reviewer=pd.array([decision.reviewer for decision in decisions], "string"),
        decision=pd.array([decision.kind for decision in decisions], "string"),
    )


def mean_or_none(values: np.ndarray) -> float | None:
    """Return the mean of the known values; None without any, and NaN is unknown."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
