"""What pages ask of the task of a run: how its predictions are told, drawn, listed and exported."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcviz.app.filters import Filters
from mcviz.app.inputs import Along, SweepInputs
from mcviz.app.needs import Need
from mcviz.app.resources import table
from mcviz.app.selection import Selection
from mcviz.app.state import PageState
from mcviz.runs import Run

Step = tuple[str, Callable[[], None]]


@dataclass(frozen=True)
class Shown:
    """The example that a page shows.

    Attributes:
        run: whose example it is.
        state: of the page.
        example: its number.
        predictions: (T, K) of its passes, as `Run.predictions` gives them.
        row: its row of the run's table.
    """

    run: Run
    state: PageState
    example: int
    predictions: np.ndarray
    row: "pd.Series[Any]"


def shown_of(run: Run, state: PageState, example: int) -> Shown:
    """An example with what the run has of it."""
    return Shown(run, state, example, run.predictions(example), table(run).iloc[example])


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


@dataclass(frozen=True)
class Evidence:
    """The predicted number that is explained.

    Attributes:
        column: its index among the K numbers of a prediction.
        name: what it speaks for, as plain text, such as "8".
        told: the number, in Markdown, such as "the probability of **8**".
        scale: what a number is multiplied by to be in the unit.
        unit: as plain text, such as "percentage points".
    """

    column: int
    name: str
    told: str
    scale: float
    unit: str


@dataclass(frozen=True)
class TileText:
    """What is written of an example in a list.

    Attributes:
        prediction: what is predicted.
        label: what is true; empty where nobody knows it.
        wrong: whether the prediction is wrong, where that is so or not.
    """

    prediction: str
    label: str = ""
    wrong: bool = False


@dataclass(frozen=True)
class Quality:
    """A column of a run's table that says how good the predictions are, averaged over groups of examples.

    Attributes:
        column: of the table.
        label: what its mean is called.
        is_share: whether it is a part of a whole, which is shown in percent.
        low_is_bad: whether groups of a low mean come first.
    """

    column: str
    label: str
    is_share: bool
    low_is_bad: bool


class Swept(Protocol):
    """What a sweep over inputs has found so far.

    Attributes:
        inputs: that it goes over.
        scores: of those that are done by name, as `Task.scores` gives them.
        correct: (done,) bool: whether the prediction is the label; never, where that is not known.
        worst: the number, counted from 0, of the input that stands out the most; -1 while none does.
        worst_content: its input.
    """

    inputs: SweepInputs
    scores: dict[str, np.ndarray]
    correct: np.ndarray
    worst: int
    worst_content: Any

    @property
    def done(self) -> int:
        """How many inputs are predicted."""


@dataclass(frozen=True)
class Task:
    """What pages ask of a task.

    Attributes:
        first_score: the score that a list for everybody is ranked by.
        ood_score: the score by which a new input is compared with the run's examples where nothing better is known.
        fits_detector: whether an OOD detector can be fitted to the run's examples, which is better.
        cards: how good the model is, as numbers; of a run with labels.
        charts: how good the passes are, alone and together; of a run with labels.
        marks_mistakes: whether a prediction is either right or wrong, and a wrong one is marked in lists.
        tile: what is written of an example, of a row of the run's table.
        narrowing: the controls of filters that only this task has.
        typed: what a person may type to narrow the filters, as examples, besides ids; none where that is not offered.
        narrowed: the filters narrowed by what was typed, or a ValueError with what may be typed.
        columns: what the table shows between ids and scores, of a selection.
        quality: what says how good the predictions of a group of examples are.
        told: what is predicted of an example and why that is uncertain, in words and numbers.
        drawn: the charts of an example.
        looked: the same words and charts, in a narrow column.
        closer_looks: details of an example.
        pinned: an example among others side by side.
        steps: of the story, each a sentence and what draws it.
        probed: the charts of a new input, of its (T, K) predictions, its label or None, and a key.
        along: the chart of what is predicted along a slider, of (T, P, K) predictions.
        table: what is predicted, as a table, of (T, K) predictions.
        in_words: what is predicted of a new input, in a sentence in Markdown, of its (T, K) predictions.
        scores: the scores of new inputs and what is predicted, by name, of (T, n, K) predictions.
        evidence: a choice of the predicted number that is explained, of (T, K) predictions.
        sweep_shows: what a sweep over many inputs shows of their predictions, as the end of a sentence.
        standing_out: (n,) how much each input of a sweep stands out, of its scores and (n,) bool, which predictions are
            correct; the one of the most is shown, 0 is for none.
        swept: draws what a sweep found.
        swept_in_words: the same in sentences.
        accuracies: how good the model is, as rows of names and texts; empty without labels.
        summaries: figures of a run and a selection that hold no number of a single example.
        named: the table of a selection with names where the run has numbers.
        compared: charts of how good two runs are, of the terms of each by its name; see `measures.quality`.
        example_in_both: an example as both runs predict it.
    """

    first_score: str
    ood_score: str
    fits_detector: bool
    cards: Callable[[Run], None]
    charts: Callable[[Run], None]
    marks_mistakes: bool
    tile: Callable[[Run, Mapping[Any, Any]], TileText]
    narrowing: Callable[[Run, Filters], None]
    typed: Callable[[Run], list[str]]
    narrowed: Callable[[Run, Filters, str], Filters]
    columns: Callable[[Selection, int], dict[str, Any]]
    quality: Quality
    told: Callable[[Shown], None]
    drawn: Callable[[Shown], None]
    looked: Callable[[Shown], None]
    closer_looks: Mapping[str, CloserLook]
    pinned: Callable[[Shown], None]
    steps: Callable[[Run], list[Callable[[Run], Step]]]
    probed: Callable[[Run, np.ndarray, int | None, str], None]
    along: Callable[[Run, Along, np.ndarray], None]
    table: Callable[[Run, np.ndarray], None]
    in_words: Callable[[Run, np.ndarray], str]
    scores: Callable[[Run, np.ndarray], dict[str, np.ndarray]]
    evidence: Callable[[Run, PageState, np.ndarray], Evidence]
    sweep_shows: str
    standing_out: Callable[[Mapping[str, np.ndarray], np.ndarray], np.ndarray]
    swept: Callable[[Run, PageState, Swept], None]
    swept_in_words: Callable[[Run, Swept], list[str]]
    accuracies: Callable[[Run], dict[str, str]]
    summaries: Callable[[Selection], list[go.Figure]]
    named: Callable[[Selection], pd.DataFrame]
    compared: Callable[[Mapping[str, Mapping[str, np.ndarray]]], None]
    example_in_both: Callable[[Shown, Run], None]
