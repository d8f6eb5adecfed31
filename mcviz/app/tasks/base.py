"""Show a task on pages: how its predictions are described, rendered, listed, exported and presented."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import REVIEWED_SHARE
from mcviz.analysis.comparison import Comparison
from mcviz.app.components.charts import Explanation, cards, chart, headed_chart
from mcviz.app.filters import Filters
from mcviz.app.kinds import EXAMPLE_WIDTH, kind_renderer, render_example
from mcviz.app.probe.inputs import SliderSeries, SweepInputs, as_batch, predict
from mcviz.app.resources import Need, cached_for_run, has, missing, numbers_key, table
from mcviz.app.selection import Selection
from mcviz.app.state import PageState
from mcviz.app.wording import as_markdown, as_sentence, counted, ways_to_predict
from mcviz.measures import percent
from mcviz.measures.intervals import finds_more_than_chance
from mcviz.runs import Run

Step = tuple[str, Callable[[], None]]  # a sentence, and what renders the step


class Story(ABC):
    """The story of a task.

    Attributes:
        no_answer: what is said of noise where the run has no model, before it says so.
    """

    no_answer: str

    def steps(self, run: Run) -> list[Callable[[Run], Step]]:
        """Return the steps for a run: without labels none about mistakes, and noise only where there is some."""
        with_labels = [self.review, self.ensemble] if has(run, "labels") else []
        noise = [self.noise] if kind_renderer(run).has_noise else []
        return [self.one_prediction, self.all_passes, *with_labels, *noise]

    @abstractmethod
    def one_prediction(self, run: Run) -> Step:
        """Return the step on a sure prediction as a model gives it: a number, and all that it gives."""

    @abstractmethod
    def all_passes(self, run: Run) -> Step:
        """Return the step on an example about which the passes differ."""

    @abstractmethod
    def review(self, run: Run) -> Step:
        """Return the step on how many mistakes are among the most uncertain examples."""

    @abstractmethod
    def ensemble(self, run: Run) -> Step:
        """Return the step on how the single passes and their mean compare."""

    @abstractmethod
    def noise_prediction(self, run: Run, predictions: np.ndarray) -> Step:
        """Return the step on noise, of its (T, K) predictions."""

    def noise(self, run: Run) -> Step:
        """Return the step on one input of noise, predicted live."""
        renderer = kind_renderer(run)
        given = renderer.noise(run)

        def draw() -> None:
            renderer.render_input(run, given.content, given.name)

        if not has(run, "model"):
            return f"This is noise: {self.no_answer} {missing(run, 'model')}", draw
        sentence, passes = self.noise_prediction(run, predict(run, as_batch(given.content))[:, 0])
        return sentence, side_by_side(draw, passes)


def side_by_side(example: Callable[[], None], passes: Callable[[], None]) -> Callable[[], None]:
    """Return what renders an example, and right of it what the passes predict."""

    def draw() -> None:
        left, right = st.columns([1, 2], gap="large")
        with left:
            example()
        with right:
            passes()

    return draw


def review_step(
    run: Run, score: str, order: np.ndarray, mistakes: np.ndarray, noun: str, which: str, by: str = ""
) -> Step:
    """Return the step on whether a look at the most uncertain examples finds more mistakes than chance does.

    Args:
        run: of N examples.
        score: the name of the uncertainty.
        order: (N,) integers, the examples, the most uncertain first.
        mistakes: (N,) bool in that order.
        noun: what a mistake is called.
        which: all of them, as "70 mistakes".
        by: the uncertainty, as words that follow the examples.
    """

    def first() -> None:
        render_example(run, int(order[0]), EXAMPLE_WIDTH)

    if not mistakes.any():
        sentence = (
            f"The model makes no {noun.split()[-1]} on its {counted(len(order), 'example')}, so there is none to find. "
            "This is the most uncertain one."
        )
        return sentence, first
    inspected = max(1, int(REVIEWED_SHARE * len(mistakes)))
    reviewed = f"the **{percent(inspected / len(mistakes), 0)}** most uncertain examples{by}"
    of_them = f"**{mistakes[:inspected].sum():,}** of {which}"
    if finds_more_than_chance(mistakes, inspected):
        sentence = f"The uncertainty is useful: review {reviewed}, and you find {of_them}."
    else:
        sentence = f"The uncertainty is not shown to be useful here: {reviewed} hold {of_them}, which may be chance."
    if len(mistakes) * REVIEWED_SHARE < 1:  # too few examples for a curve
        return sentence, first
    return sentence, lambda: chart(plot.ranking(run, score), "found", sentence)


@dataclass(frozen=True)
class ExampleContext:
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


def load_example(run: Run, state: PageState, example: int) -> ExampleContext:
    """Load what a run has of an example."""
    return ExampleContext(run, state, example, run.predictions(example), table(run).iloc[example])


@dataclass(frozen=True)
class CloserLook:
    """A detail of one example that is shown on demand.

    Attributes:
        label: what it is called.
        show: renders it.
        needs: what a run has to have for it to be offered.
    """

    label: str
    show: Callable[[ExampleContext], None]
    needs: Collection[Need] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Evidence:
    """The predicted number that is explained.

    Attributes:
        column: its index among the K numbers of a prediction.
        name: what it speaks for, as plain text, such as "8".
        in_words: the number, in Markdown, such as "the probability of **8**".
        scale: what a number is multiplied by to be in the unit.
        unit: as plain text, such as "percentage points".
    """

    column: int
    name: str
    in_words: str
    scale: float
    unit: str


@dataclass(frozen=True)
class TileText:
    """The words on an example's tile in a list.

    Attributes:
        prediction: what is predicted.
        label: what is true; empty where nobody knows it.
        wrong: whether the prediction is wrong, where that is so or not.
    """

    prediction: str
    label: str = ""
    wrong: bool = False


@dataclass(frozen=True)
class PassQuality:
    """How good the passes of a run are, alone and together.

    Attributes:
        deterministic: of the model with dropout off, or None where that is not known.
        passes: (T,) of each pass.
        one_pass: of one pass, on average.
        ensembles: (T,) of the mean of the first 1, 2, … passes.
        beaten: the share of the passes that the ensemble of all beats.
        tolerance: how far ensembles may be from the last one to count as good as it.
    """

    deterministic: float | None
    passes: np.ndarray
    one_pass: float
    ensembles: np.ndarray
    beaten: float
    tolerance: float

    @property
    def enough(self) -> int:
        """The number of passes from which on ensembles stay as good as the last one."""
        away = np.flatnonzero(np.abs(self.ensembles - self.ensembles[-1]) > self.tolerance)
        return int(away[-1]) + 2 if len(away) else 1


class SweepFindings(Protocol):
    """The findings of a sweep over inputs so far.

    Attributes:
        inputs: that it goes over.
        scores: of those that are done by name, as `TaskRenderer.compute_scores` gives them.
        correct: (done,) bool: whether the prediction is the label; never, where that is not known.
        worst: the number, counted from 0, of the most prominent input; -1 while there is none.
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


class TaskRenderer(ABC):
    """How pages show a task. T passes predict K numbers each for an example; a subclass says only where it differs.

    Attributes:
        ood_score: the score by which a new input is compared with the run's examples where nothing better is known.
        fits_detector: whether an OOD detector can be fitted to the run's examples, which is better.
        marks_mistakes: whether a prediction is either right or wrong, and a wrong one is marked in lists.
        group_column: the column of a run's table whose mean says how good the predictions of a group of examples are.
        group_label: what that mean is called.
        disagreement_verb: what passes do that are not the same, as a verb.
        beats: a sentence on what the ensemble beats, with a place for the passes.
        tolerance_label: `PassQuality.tolerance`, such as "1%".
        prominent_first: how inputs are ordered of which the most prominent are shown.
        worst_heading: what the most prominent input of a sweep is.
        no_worst: a sentence for where there is none.
        worst_clause: its prediction, such as "the most uncertain prediction".
        story: the demo's steps.
    """

    ood_score: str
    fits_detector = False
    marks_mistakes = False
    group_column: str
    group_label: str
    disagreement_verb: str
    beats: str
    tolerance_label: str
    prominent_first: str
    worst_heading: str
    no_worst: str
    worst_clause: str
    story: Story

    # The whole run

    def pass_quality(self, run: Run) -> PassQuality | None:
        """Return how good the passes are; None without labels."""
        if run.quality_by_pass is None:
            return None
        single, ensembles = run.quality_by_pass
        high_is_better = run.task.quality.measures[0].better == "high"
        worse = single < ensembles[-1] if high_is_better else single > ensembles[-1]
        return PassQuality(
            run.deterministic_quality,
            single,
            one_pass=run.task.quality_of_single_pass(single),
            ensembles=ensembles,
            beaten=float(worse.mean()),
            tolerance=self.tolerance(float(ensembles[-1])),
        )

    @abstractmethod
    def tolerance(self, ensemble: float) -> float:
        """Return how far an ensemble may be from the last one, of this quality, to count as good as it."""

    @abstractmethod
    def format_quality(self, value: float, unit: str) -> str:
        """Format a number of `PassQuality`, in the unit of the run."""

    def render_overview(self, run: Run) -> None:
        """Render how good the passes are, alone and together, of a run with labels."""
        quality, name = self.pass_quality(run), f"{run.task.quality_name[:1].upper()}{run.task.quality_name[1:]}"
        assert quality is not None
        self._render_cards(run, quality)
        against_ensemble, by_size = _quality_figures(run)
        left, right = st.columns(2, gap="large")
        with left:
            headed_chart(f"{name} versus ensemble", against_ensemble, "single-passes", self._describe_beaten(quality))
        with right:
            spoken = f"{name} of the mean of the first 1, 2, … passes."
            if quality.enough < len(quality.passes):
                spoken += (
                    f" From {counted(quality.enough, 'pass')} on it stays within {self.tolerance_label} of the end."
                )
            elif quality.enough > 1:
                spoken += f" It still changes by more than {self.tolerance_label} with the last pass."
            headed_chart("How many passes it takes", by_size, "ensemble-size", spoken)

    def quality_rows(self, run: Run) -> dict[str, str]:
        """Return how good the model is, as texts by what each is called; empty without labels."""
        quality = self.pass_quality(run)
        if quality is None:
            return {}
        deterministic, *others = ways_to_predict(run.manifest)
        off = "" if run.manifest.origin.kind == "imported" else " (dropout off)"
        values = quality.deterministic, quality.one_pass, quality.ensembles[-1]
        rows = zip((deterministic + off, *others), values, strict=True)
        return {name: self.format_quality(value, run.manifest.unit) for name, value in rows if value is not None}

    def _render_cards(self, run: Run, quality: PassQuality) -> None:
        unit, passes = as_markdown(run.manifest.unit), quality.passes
        off, on = ("", "") if run.manifest.origin.kind == "imported" else ("Dropout off: ", "Dropout on: ")
        least, most = self.format_quality(passes.min(), unit), self.format_quality(passes.max(), unit)
        ends = f"{most} in every pass" if least == most else f"{self.format_quality(passes.min(), '')} to {most}"
        mean = f"The mean of {counted(len(passes), 'pass')}. How far they {self.disagreement_verb} is the uncertainty."
        values = (
            (quality.deterministic, as_sentence(f"{off}one prediction, no uncertainty")),
            (quality.one_pass, as_sentence(f"{on}{ends}")),
            (quality.ensembles[-1], mean),
        )
        named = zip(ways_to_predict(run.manifest), values, strict=True)
        cards(
            [
                (f"{label}: {run.task.quality_name}", self.format_quality(value, unit), meaning)
                for label, (value, meaning) in named
                if value is not None
            ]
        )

    def _describe_beaten(self, quality: PassQuality) -> str:
        """Say how many of the passes the ensemble beats."""
        if (quality.passes == quality.ensembles[-1]).all():
            return "Every single pass is as good as the ensemble."
        if quality.beaten in (0, 1):
            return self.beats.format("every single pass" if quality.beaten else "none of the single passes")
        return self.beats.format(f"{percent(quality.beaten)} of the single passes")

    # Lists and filters

    @abstractmethod
    def tile_text(self, run: Run, row: Mapping[Any, Any]) -> TileText:
        """Return the words on a tile, of a row of the run's table."""

    @abstractmethod
    def table_columns(self, selection: Selection, most: int) -> dict[str, Any]:
        """Return the columns of the table between ids and scores, of at most so many examples."""

    def filter_words(self, run: Run) -> list[str]:
        """Return examples of what a person may type to narrow the filters, besides ids; none if nothing."""
        return []

    def narrow_filters(self, run: Run, filters: Filters, words: str) -> Filters:
        """Narrow the filters by typed words.

        Raises:
            ValueError: the words are no filter; with what may be typed.
        """
        raise ValueError(f"“{words}” is no filter. Ranges are under More.")

    # One example

    @abstractmethod
    def render_summary(self, context: ExampleContext) -> None:
        """Render what is predicted and why that is uncertain, in words and numbers."""

    @abstractmethod
    def render_charts(self, context: ExampleContext) -> None:
        """Render the charts of an example."""

    @abstractmethod
    def explain(self, context: ExampleContext) -> Explanation:
        """Return what is predicted and why that is uncertain, for a narrow column."""

    def render_preview(self, context: ExampleContext) -> None:  # noqa: B027
        """Render what belongs below the explanation in a narrow column."""

    @abstractmethod
    def render_pinned(self, context: ExampleContext) -> None:
        """Render an example among others side by side."""

    def closer_looks(self) -> dict[str, CloserLook]:
        """Return details of an example, by name."""
        return {}

    # New inputs

    @abstractmethod
    def describe_prediction(self, run: Run, predictions: np.ndarray) -> str:
        """Describe (T, K) predictions of a new input in a sentence in Markdown."""

    @abstractmethod
    def render_probe(self, run: Run, predictions: np.ndarray, label: int | None, key: str) -> None:
        """Render the charts of (T, K) predictions of a new input."""

    @abstractmethod
    def render_curves(self, run: Run, along: SliderSeries, predictions: np.ndarray) -> None:
        """Render (T, P, K) predictions along a slider."""

    @abstractmethod
    def choose_evidence(self, run: Run, state: PageState, predictions: np.ndarray) -> Evidence:
        """Render a choice of the predicted number that is explained, of (T, K) predictions, and return it."""

    @abstractmethod
    def compute_scores(self, run: Run, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """Compute what is predicted and every score that needs no label, of (T, n, K) predictions, by name."""

    @abstractmethod
    def prominence(self, scores: Mapping[str, np.ndarray], correct: np.ndarray) -> np.ndarray:
        """Return (n,) how much each input of a sweep stands out; the most is shown, 0 is none.

        Args:
            scores: as `compute_scores` gives them.
            correct: (n,) bool, which predictions are correct.
        """

    def render_sweep(self, run: Run, state: PageState, sweep: SweepFindings) -> None:
        """Render the most prominent input of a sweep, and what the ensemble predicts for all."""
        left, right = st.columns([2, 3], gap="large")
        with left:
            st.markdown(f"**{self.worst_heading}**")
            if sweep.worst < 0:
                st.caption(self.no_worst)
            else:
                spoken = f"The one of the {sweep.inputs.kind} with {self.worst_clause}"
                kind_renderer(run).render_input(run, sweep.worst_content, spoken)
                st.caption(self.describe_worst(run, sweep))
        with right:
            st.markdown("**Predictions of the ensemble**")
            figure = self.sweep_figure(run, state, sweep)
            chart(figure, "sweep-predictions", " ".join(self.describe_sweep(run, sweep)))

    @abstractmethod
    def describe_worst(self, run: Run, sweep: SweepFindings) -> str:
        """Say what is predicted for the most prominent input of a sweep, in a sentence in Markdown."""

    @abstractmethod
    def sweep_figure(self, run: Run, state: PageState, sweep: SweepFindings) -> go.Figure:
        """Return a figure of what the ensemble predicts for the inputs of a sweep."""

    @abstractmethod
    def describe_sweep(self, run: Run, sweep: SweepFindings) -> list[str]:
        """Describe what a sweep found in sentences."""

    # Two runs, and files to take away

    def render_comparison(self, comparison: Comparison) -> None:  # noqa: B027
        """Render charts of how good two runs are, where labels are known."""

    @abstractmethod
    def render_example_of_both(self, context: ExampleContext, comparison: Comparison) -> None:
        """Render an example that two runs share as both predict it."""

    @abstractmethod
    def summary_figures(self, selection: Selection) -> list[go.Figure]:
        """Return figures of a run and a selection that hold no number of a single example."""

    def export_table(self, selection: Selection) -> pd.DataFrame:
        """Return all columns of the selected examples, with names where the run has numbers."""
        return selection.table.rename_axis("example").reset_index()


@cached_for_run(numbers_key, max_entries=8)
def _quality_figures(run: Run) -> list[go.Figure]:
    return [plot.accuracy(run), plot.ensemble_size(run)]
