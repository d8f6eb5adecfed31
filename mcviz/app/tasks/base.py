"""Show a task on pages: how its predictions are described, rendered, listed, exported and presented."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import REVIEWED_SHARE, mistakes_in_order
from mcviz.analysis.comparison import Comparison
from mcviz.analysis.quality_trust import compare_with_deterministic
from mcviz.app.components import Explanation, cards, chart, heading
from mcviz.app.filters import Filters
from mcviz.app.kinds import EXAMPLE_WIDTH, kind_renderer, render_example
from mcviz.app.kinds.base import TILE, ProbeInput, SliderSeries, SweepInputs, Tiles, as_batch, predict
from mcviz.app.resources import Need, cached_for_run, has, missing, numbers_key, ranking, table, table_key
from mcviz.app.selection import Selection, labelled_ranking
from mcviz.app.state import PageState
from mcviz.app.thresholds import judged_words
from mcviz.app.wording import (
    MOST_FIRST,
    as_inline_markdown,
    as_markdown,
    as_sentence,
    capitalised,
    counted,
    plural,
)
from mcviz.measures.intervals import finds_more_than_chance
from mcviz.runs import Run, labelled_numbers
from mcviz.tasks.multilabel import SEPARATOR
from mcviz.text import list_names, one_line, percent

QUALITY_HEIGHT = 290  # pixels, of a chart beside examples
PASSES = "passes"  # the section of Overview

HEADLINE_NAME = 2  # words of a name in a headline


@dataclass(frozen=True)
class Step:
    """A step of a story.

    Attributes:
        headline: its sentence in Markdown, of at most twelve words.
        render: renders what is seen.
        more: what else is said, in Markdown.
        examples: the numbers of its examples.
        of_passes: whether it is about how good each pass is.
    """

    headline: str
    render: Callable[[], None]
    more: str = ""
    examples: tuple[int, ...] = ()
    of_passes: bool = False


class Story(ABC):
    """The story of a task."""

    @abstractmethod
    def steps(self, run: Run, *, live: bool = True) -> list[Callable[[Run], Step]]:
        """Return the steps for a run, each to be called with it; if not `live`, none that the model predicts then."""


def noise_steps(run: Run, no_answer: str, describe: Callable[[Run, np.ndarray], Step]) -> list[Callable[[Run], Step]]:
    """Return the step on one input of noise, predicted live; none for a kind without noise.

    Args:
        run: whose model predicts.
        no_answer: what is said of noise where the run has no model, before it says so.
        describe: returns the step on (T, K) predictions of noise.
    """

    def noise(run: Run) -> Step:
        renderer = kind_renderer(run)
        given = renderer.noise(run)

        def draw() -> None:
            renderer.render_input(run, given.content, given.name)

        if not has(run, "model"):
            return Step(f"This is noise: {no_answer}", draw, missing(run, "model"))
        step = describe(run, predict(run, as_batch(given.content))[:, 0])
        return replace(step, render=side_by_side(draw, step.render))

    return [noise] if kind_renderer(run).has_noise else []


def side_by_side(example: Callable[[], None], passes: Callable[[], None]) -> Callable[[], None]:
    """Return a renderer of an example and its predictions."""

    def draw() -> None:
        left, right = st.columns([1, 2], gap="large")
        with left:
            example()
        with right:
            passes()

    return draw


def render_large(words: str) -> None:
    """Render large words in Markdown."""
    with st.container(key="story-large"):
        st.markdown(words)


def predicted_again(run: Run) -> str:
    """Return the beginning of a sentence on the passes of an example."""
    if run.manifest.origin.kind == "imported":
        return f"Predicted {run.passes} times over"
    return "Predicted again, each time with other units dropped"


def headline_name(name: str) -> str:
    """Return the beginning of a name in Markdown, for a headline."""
    words = name.split()
    begun = " ".join(words[:HEADLINE_NAME]).rstrip(",;:")
    return as_markdown(f"{begun}…" if len(words) > HEADLINE_NAME else begun)


def review_step(run: Run, score: str, noun: str, by: str = "") -> Step:
    """Return the step on whether a look at the most uncertain examples finds more mistakes than chance does.

    Args:
        run: with labels.
        score: the name of the uncertainty.
        noun: what a mistake is called.
        by: the uncertainty, as words that follow the examples.
    """
    order = labelled_ranking(run, score)
    mistakes = mistakes_in_order(run, order)

    def first() -> None:
        render_example(run, int(order[0]), EXAMPLE_WIDTH)

    examples, kind = counted(len(order), "example"), noun.split()[-1]
    kinds = plural(kind)
    if not mistakes.any():
        more = f"This is the most uncertain one of {examples}."
        return Step(f"The model makes no {kind} here: there is none to find.", first, more, (int(order[0]),))
    inspected = max(1, int(REVIEWED_SHARE * len(mistakes)))
    reviewed_first = tuple(order[:inspected].tolist())
    share, found = percent(inspected / len(mistakes), 0), f"{mistakes[:inspected].sum():,}"
    of_all = counted(int(mistakes.sum()), noun)
    reviewed = f"The {share} most uncertain are **{inspected:,}** of {examples}{by}"
    if finds_more_than_chance(mistakes, inspected):
        headline = f"Review the **{share}** most uncertain and find **{found}** of {of_all}."
        more = f"The uncertainty is useful. {reviewed}; as many at random would hold fewer {kinds}."
    else:
        headline = f"The most uncertain are not shown to hold more {kinds}."
        more = f"{reviewed}, and hold **{found}** of {of_all}, which may be chance."
    if len(mistakes) * REVIEWED_SHARE < 1:  # too few examples for a curve
        return Step(headline, first, more, reviewed_first)
    return Step(headline, lambda: chart(plot.ranking(run, score), "found", headline), more, reviewed_first)


cached_gain = cached_for_run(numbers_key, max_entries=8)(compare_with_deterministic)
WAYS_TO_PREDICT = "Deterministic", "One pass", "All passes"


@dataclass(frozen=True)
class ExampleContext:
    """The example that a page shows.

    Attributes:
        run: whose example it is.
        state: of the page.
        example: its number.
        row: its row of the run's table.
    """

    run: Run
    state: PageState
    example: int
    row: "pd.Series[Any]"

    @cached_property
    def predictions(self) -> np.ndarray:
        """(T, K) of its passes, as `Run.predictions` gives them."""
        return self.run.predictions(self.example)


def load_example(run: Run, state: PageState, example: int) -> ExampleContext:
    """Load a run's data of an example."""
    return ExampleContext(run, state, example, table(run).iloc[example])


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
        brief: what stands in place of a prediction that does not fit; "" for its beginning.
        whole: all of it as a sentence, where the prediction may not fit.
    """

    prediction: str
    label: str = ""
    wrong: bool = False
    brief: str = ""
    whole: str = ""


@dataclass(frozen=True)
class PassQuality:
    """How good the passes of a run are, alone and together.

    Attributes:
        deterministic: of the model with dropout off, or None where that is not known.
        passes: (T,) of each pass.
        one_pass: of one pass, on average.
        ensembles: (T,) of the mean of the first 1, 2, … passes.
        beaten: the share of the passes that the ensemble of all beats.
    """

    deterministic: float | None
    passes: np.ndarray
    one_pass: float
    ensembles: np.ndarray
    beaten: float


class SweepFindings(Protocol):
    """The findings of a sweep over inputs so far.

    Attributes:
        inputs: that it goes over.
        scores: scores by name, as `TaskRenderer.compute_scores` returns them.
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


def pass_quality(run: Run) -> PassQuality | None:
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
    )


def quality_cards(run: Run, quality: PassQuality) -> list[tuple[str, str, str]]:
    """Return quality with dropout off, in one pass and in all: label, value, sentence."""
    deterministic, one_pass, ensemble = WAYS_TO_PREDICT
    passes = quality.passes
    off = "" if run.manifest.origin.kind == "imported" else "Dropout off: "
    least, most = run.task.format_quality(passes.min(), ""), run.task.format_quality(passes.max(), "")
    ends = "the same in each" if least == most else f"from {least} to {most}"
    figures = (
        (deterministic, quality.deterministic, as_sentence(f"{off}one prediction, no uncertainty")),
        (one_pass, quality.one_pass, f"On average, {ends}."),
        (ensemble, quality.ensembles[-1], f"The mean of {counted(len(passes), 'pass')}."),
    )
    return [(way, run.task.format_quality(value, ""), text) for way, value, text in figures if value is not None]


@dataclass(frozen=True)
class Phrases(ABC):
    """The words of a task: parts of sentences that all tasks have, and its own sentences.

    Attributes:
        quality: how good the ensemble is, with a place for its quality.
        beats: a sentence on what the ensemble beats, with a place for the passes.
        group_column: the column of a run's table whose mean says how good the predictions of a group of examples are.
        group: what that mean is called.
        mistake: what a prediction is that a person would rather look at.
        only_mistake: the same, where there is one.
        least_sure: the beginning of the ranking, as words that follow "the 200".
        prominent_first: how inputs are ordered of which the most prominent are shown.
        worst_heading: what the most prominent input of a sweep is.
        no_worst: a sentence for where there is none.
        worst_clause: its prediction, such as "the most uncertain prediction".
        tile_legend: a sentence on the colour of tiles; "" if none is marked.
        marks_mistakes: whether a prediction is either right or wrong, and a wrong one is marked in lists.
    """

    quality: str
    beats: str
    group_column: str
    group: str
    mistake: str
    only_mistake: str
    least_sure: str
    prominent_first: str
    worst_heading: str
    no_worst: str
    worst_clause: str
    tile_legend: str = ""
    marks_mistakes: bool = False

    def describe_run(self, run: Run) -> str:
        """Say how good the ensemble is, also against dropout off, and how many mistakes the uncertainty finds."""
        examples = counted(len(run), run.kind.name if run.kind.plural else "example")
        if not has(run, "labels"):
            return f"**{as_markdown(run.name)}**: {examples} without labels; {self.describe_disagreement(run)}."
        found = run.manifest.quality
        if run.decisions.thresholds:
            found = 1 - float(np.nanmean(run.task.loss_of_table(table(run))))
        assert found is not None
        quality = as_inline_markdown(run.task.format_quality(found, run.manifest.unit))
        counted_by = f", {judged_words(run)}" if judged_words(run) else ""
        right = f"**{as_markdown(run.name)}**: **{self.quality.format(quality)}** on {examples}{counted_by}"
        return f"{right}{self._describe_promise(run)}{self._describe_gain(run)}{self._describe_found(run)}."

    def for_run(self, run: Run) -> Self:
        """Return the words for sentences about a run; its decisions may define a mistake."""
        return self

    def _describe_promise(self, run: Run) -> str:
        return ""

    def _describe_gain(self, run: Run) -> str:
        off = "the deterministic model" if run.manifest.origin.kind == "imported" else "dropout off"
        words = {"better": f", better than {off}", "worse": f", worse than {off}"}
        return (words | {"noise": f", not shown to differ from {off}"}).get(cached_gain(run)[0], "")

    def _describe_found(self, run: Run) -> str:
        labelled, phrases = len(labelled_numbers(run)), self.for_run(run)
        first = min(MOST_FIRST, labelled // 5)
        count, early = _count_mistakes(run, first)
        if not self.marks_mistakes and not first:
            return ""
        if count in (0, labelled):
            return "; every prediction is wrong" if count else "; no prediction is wrong"
        if not first:
            return f"; {counted(count, phrases.mistake)}"
        where = f"among the {first:,} {phrases.least_sure}"
        if count == 1:
            return f"; {phrases.only_mistake} is {'' if early else 'not '}{where}"
        some = f"{early:,}" if early else "none"
        return f"; {some} of the {counted(count, phrases.mistake)} {'are' if early > 1 else 'is'} {where}"

    @abstractmethod
    def describe_disagreement(self, run: Run) -> str:
        """Say how far the passes differ, as a part of a sentence in Markdown."""

    def describe_beaten(self, quality: PassQuality) -> str:
        """Say how many of the passes the ensemble beats."""
        if (quality.passes == quality.ensembles[-1]).all():
            return "Every single pass is as good as the ensemble."
        if quality.beaten in (0, 1):
            return self.beats.format("every single pass" if quality.beaten else "none of the single passes")
        return self.beats.format(f"{percent(quality.beaten)} of the single passes")

    @abstractmethod
    def tile_text(self, run: Run, row: Mapping[Any, Any]) -> TileText:
        """Return the words on a tile, of a row of the run's table."""

    def describe_example(self, run: Run, row: Mapping[Any, Any]) -> str:
        """Describe an example's prediction by its row, in Markdown."""
        text = self.tile_text(run, row)
        label = f"; its label is **{as_markdown(text.label)}**" if text.label else ""
        return f"is predicted as **{as_markdown(text.prediction)}**{label}"

    def describe_label(self, run: Run, example: int) -> str:
        """Describe an example's labels in Markdown, or ""."""
        return ""

    @abstractmethod
    def describe_prediction(self, run: Run, predictions: np.ndarray) -> str:
        """Describe (T, K) predictions of a new input in a sentence in Markdown."""

    @abstractmethod
    def describe_worst(self, run: Run, sweep: SweepFindings) -> str:
        """Describe the prediction of the prominent input, in Markdown."""

    @abstractmethod
    def describe_sweep(self, run: Run, sweep: SweepFindings) -> list[str]:
        """Describe a sweep's findings."""


class TaskRenderer(ABC):
    """Shows a task; T passes predict K numbers; subclasses define differences.

    Attributes:
        ood_score: the score by which a new input is compared with the run's examples where nothing better is known.
        fits_detector: whether an OOD detector can be fitted to the run's examples, which is better.
        phrases: its words.
        story: the demo's steps; None where there is no demo.
    """

    ood_score: str
    fits_detector = False
    phrases: Phrases
    story: Story | None = None

    # The whole run

    def render_quality(self, run: Run) -> None:
        """Render how good the passes are, alone and together, of a run with labels."""
        quality = pass_quality(run)
        assert quality is not None
        name, spoken = capitalised(run.task.sealed_quality_name), self.phrases.describe_beaten(quality)
        unit = f" in {as_markdown(run.manifest.unit)}" if run.manifest.unit else ""
        heading("Each pass, and all of them together", f"{name}{unit}. {spoken}")
        cards(quality_cards(run, quality))
        if gain := cached_gain(run)[1]:
            st.markdown(as_markdown(gain))
        chart(_quality_figure(run), "single-passes", spoken)

    @abstractmethod
    def render_passes(self, run: Run, state: PageState) -> None:
        """Render from how many passes on more change nothing that matters, of a run with labels."""

    def compute_passes(self, run: Run, progress: Callable[[int, int], None]) -> None:  # noqa: B027
        """Compute and keep beside a run with labels what `render_passes` shows, if that takes long."""

    def render_measures(self, run: Run) -> None:  # noqa: B027
        """Render how good the predictions are by other measures, of a run with labels."""

    def render_calibration(self, run: Run, state: PageState, group: str | None) -> None:
        """Render whether probabilities can be trusted, of a run with labels that are not one class an example.

        Args:
            run: whose labels these are.
            state: of the page.
            group: the column whose values are groups of examples that belong together; None where each is its own.
        """
        st.header("How far can it be trusted?", anchor=False)
        st.markdown(f"What the labels of a {run.task.name} tell is printed by `mcviz trust {as_markdown(run.name)}`.")

    def render_trust(self, run: Run, group: str | None) -> None:  # noqa: B027
        """Render all figures that labels tell, with the arguments of `render_calibration`."""

    # Lists and filters

    def pictures(self, run: Run, examples: np.ndarray, side: int) -> np.ndarray:
        """Return (n, height, width, channels) uint8: the images of examples in lists, `side` pixels large at most."""
        return run.pictures[examples]

    def tiles(self, run: Run, examples: np.ndarray, side: int = TILE) -> Tiles:
        """Return the gallery's view of some examples, as `KindRenderer.tiles` does."""
        return kind_renderer(run).tiles(run, examples, side)

    @abstractmethod
    def table_columns(self, selection: Selection, most: int) -> dict[str, Any]:
        """Return the columns of the table between ids and scores, of at most so many examples."""

    def filter_words(self, run: Run) -> list[str]:
        """Return sample words for the filter, besides ids."""
        return []

    def narrow_filters(self, run: Run, filters: Filters, words: str) -> Filters:
        """Narrow the filters by typed words.

        Raises:
            ValueError: the words are no filter; with what may be typed.
        """
        raise ValueError(f"“{words}” is no filter. Ranges are under More.")

    # One example

    def draws_examples(self, run: Run) -> bool:
        """Say whether the charts of an example show the example itself."""
        return False

    @abstractmethod
    def render_summary(self, context: ExampleContext) -> None:
        """Render prediction and reasons of uncertainty."""

    @abstractmethod
    def render_charts(self, context: ExampleContext) -> None:
        """Render the charts of an example."""

    @abstractmethod
    def explain(self, context: ExampleContext) -> Explanation:
        """Return prediction and reasons for a narrow column."""

    def explain_alone(self, context: ExampleContext) -> Explanation:
        """Return these without a preview below."""
        return self.explain(context)

    def maps(self, context: ExampleContext) -> dict[str, Any]:
        """Return the label maps of an example as the browser draws them, with one map of doubt; empty without any."""
        return {}

    def render_preview(self, context: ExampleContext) -> None:  # noqa: B027
        """Render the preview below an explanation."""

    @abstractmethod
    def render_pinned(self, context: ExampleContext) -> None:
        """Render an example among others side by side."""

    def closer_looks(self) -> dict[str, CloserLook]:
        """Return details of an example, by name."""
        return {}

    # New inputs

    @abstractmethod
    def render_probe(self, run: Run, chosen: ProbeInput, predictions: np.ndarray, key: str) -> None:
        """Render the charts of (T, K) predictions of a new input, which is chosen."""

    @abstractmethod
    def render_curves(self, run: Run, along: SliderSeries, predictions: np.ndarray) -> None:
        """Render (T, P, K) predictions along a slider."""

    @abstractmethod
    def choose_evidence(self, run: Run, state: PageState, predictions: np.ndarray) -> Evidence:
        """Render a choice of the predicted number that is explained, of (T, K) predictions, and return it."""

    @abstractmethod
    def compute_scores(self, run: Run, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """Compute predictions and label-free scores of (T, n, K), by name."""

    @abstractmethod
    def prominence(self, scores: Mapping[str, np.ndarray], correct: np.ndarray) -> np.ndarray:
        """Return (n,) how much each input of a sweep stands out; the most is shown, 0 is none.

        Args:
            scores: as `compute_scores` gives them.
            correct: (n,) bool, which predictions are correct.
        """

    def render_sweep(self, run: Run, state: PageState, sweep: SweepFindings) -> None:
        """Render a sweep's prominent input and all predictions."""
        left, right = st.columns([2, 3], gap="large")
        with left:
            st.markdown(f"**{self.phrases.worst_heading}**")
            if sweep.worst < 0:
                st.caption(self.phrases.no_worst)
            else:
                spoken = f"The one of the {sweep.inputs.kind} with {self.phrases.worst_clause}"
                kind_renderer(run).render_input(run, sweep.worst_content, spoken)
                st.caption(self.phrases.describe_worst(run, sweep))
        with right:
            st.markdown("**Predictions of the ensemble**")
            figure = self.sweep_figure(run, state, sweep)
            chart(figure, "sweep-predictions", " ".join(self.phrases.describe_sweep(run, sweep)))

    @abstractmethod
    def sweep_figure(self, run: Run, state: PageState, sweep: SweepFindings) -> go.Figure:
        """Return a figure of a sweep's predictions."""

    # Two runs, and files to take away

    def pictures_of_both(self, comparison: Comparison, examples: np.ndarray, side: int) -> np.ndarray | None:
        """Return (n, height, 2 × width, channels): examples as each run draws them; None if both draw the same."""
        return None

    def render_comparison(self, comparison: Comparison, state: PageState) -> None:  # noqa: B027
        """Render charts of two runs' quality, with labels."""

    @abstractmethod
    def render_example_of_both(self, context: ExampleContext, comparison: Comparison) -> None:
        """Render an example that two runs share as both predict it."""

    def export_table(self, selection: Selection) -> pd.DataFrame:
        """Return all columns of selected examples, with names."""
        return selection.table.rename_axis("example").reset_index()


def mark_classes(row: Mapping[Any, Any], class_count: int) -> TileText:
    """Return the predicted classes, wrong ones marked, then the missed classes.

    Args:
        row: of the run's table, with the columns that `mcviz.tasks.multilabel.name_sets` makes.
        class_count: how many classes there are to predict.
    """
    predicted, wrong, missed = _classes_of_row(row)
    marked = [f"✗ {name}" if name in wrong else name for name in predicted]
    words = ", ".join([*marked, *(f"missed {name}" for name in missed)]) or "none"
    is_right = isinstance(row["wrong"], str)  # if nothing is wrong; of unknown labels nobody knows
    brief = f"{len(wrong) + len(missed):,} wrong" if wrong or missed else ""
    parts = {"predicted": predicted or ["none"], "wrong": wrong, "missed": missed}
    return TileText(
        words,
        wrong=bool(wrong or missed),
        brief=brief or ("right" if is_right else f"{len(predicted):,} of {class_count:,}"),
        whole="; ".join(f"{part} {', '.join(of_part)}" for part, of_part in parts.items() if of_part),
    )


def describe_classes(row: Mapping[Any, Any]) -> str:
    """Say which classes are predicted, wrong and missed, as words that follow the example; of such a row."""
    predicted, wrong, missed = ([f"**{as_markdown(name)}**" for name in names] for names in _classes_of_row(row))
    parts = [f"is predicted to have {list_names(predicted) if predicted else '**none of the classes**'}"]
    for words, names in (("wrong", wrong), ("missed", missed)):
        if names:
            parts.append(f"{list_names(names)} {'is' if len(names) == 1 else 'are'} {words}")
    return "; ".join(parts)


def _classes_of_row(row: Mapping[Any, Any]) -> tuple[list[str], list[str], list[str]]:
    predicted, wrong = (
        [one_line(name) for name in row[column].split(SEPARATOR) if name] if isinstance(row[column], str) else []
        for column in ("prediction", "wrong")
    )
    return predicted, [name for name in wrong if name in predicted], [name for name in wrong if name not in predicted]


def enough_passes_sentence(enough: int, passes: int, figures_move: str, steps: str) -> str:
    """Say from how many passes on more change nothing that matters, in Markdown.

    Args:
        enough: that number, or all passes where there is none.
        passes: all of them.
        figures_move: what is looked at, with its verb.
        steps: by how much it may move.
    """
    if enough < passes:
        are = "is" if enough == 1 else "are"
        return f"**{counted(enough, 'pass')} {are} enough**: with more, {figures_move} by less than {steps}."
    return f"**{counted(passes, 'pass')} may be too few**: up to the last one, {figures_move} by more than {steps}."


def render_by_passes(state: PageState, names: str, draw: Callable[[], go.Figure], spoken: str, more: str = "") -> None:
    """Render a chart by number of passes, open if the address asks.

    Args:
        state: of the page.
        names: of the figures that it has.
        draw: draws it.
        spoken: what it shows, in a sentence.
        more: a sentence below it.
    """
    title = f"{capitalised(names)} by number of passes"
    place = st.expander(title, state.section == PASSES, key="by-passes-place", on_change="rerun")
    if place.open:
        with place:
            chart(draw(), "by-passes", f"{title}. {spoken}")
            if more:
                st.caption(more)


def render_ensemble_sizes(
    run: Run, state: PageState, ensembles: np.ndarray, step: float, name: str, step_in_words: str
) -> None:
    """Render from how many passes on more do not matter to the quality, and how it changes as they are added.

    Args:
        run: with labels.
        state: of the page.
        ensembles: (T,) the quality of the mean of the first 1, 2, … passes.
        step: by which it may move.
        name: of the quality, within a sentence.
        step_in_words: the step, in words.
    """
    moving = np.flatnonzero(np.abs(ensembles - ensembles[-1]) > step)
    enough = int(moving[-1]) + 2 if len(moving) else 1
    spoken = enough_passes_sentence(enough, run.passes, f"the {name} moves", step_in_words)
    st.markdown(spoken)
    render_by_passes(state, name, lambda: _size_figure(run), spoken)


@cached_for_run(numbers_key, max_entries=8)
def _size_figure(run: Run) -> go.Figure:
    return plot.ensemble_size(run)


@cached_for_run(table_key, max_entries=8)
def _count_mistakes(run: Run, first: int) -> tuple[int, int]:
    wrong = mistakes_in_order(run, ranking(run, run.first_score))
    return int(wrong.sum()), int(wrong[:first].sum())


@cached_for_run(numbers_key, max_entries=8)
def _quality_figure(run: Run) -> go.Figure:
    return plot.accuracy(run).update_layout(height=QUALITY_HEIGHT)
