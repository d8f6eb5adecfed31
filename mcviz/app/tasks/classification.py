"""Show classification on pages: classes, probabilities and votes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import LEAST_LABELLED, convergence_score
from mcviz.analysis.comparison import Comparison
from mcviz.analysis.pairing import class_order
from mcviz.analysis.predictors import TOLERANCES, Convergence, compute_convergence
from mcviz.app.calibration import find_calibration
from mcviz.app.components import (
    Explanation,
    chart,
    pass_histograms,
    render_explanation,
    render_histograms,
)
from mcviz.app.filters import Filters, two_classes
from mcviz.app.kinds import EXAMPLE_WIDTH, render_example
from mcviz.app.kinds.base import ProbeInput, SliderSeries
from mcviz.app.navigation import OVERVIEW
from mcviz.app.resources import cached_for_run, class_names, has, missing, numbers_key, ranking, table
from mcviz.app.selection import Selection
from mcviz.app.state import PageState, choose_detail, session_store, state_widget_args
from mcviz.app.tasks.base import (
    PASSES,
    CloserLook,
    Evidence,
    ExampleContext,
    Phrases,
    Step,
    Story,
    SweepFindings,
    TaskRenderer,
    TileText,
    enough_passes_sentence,
    headline_name,
    noise_steps,
    predicted_again,
    render_by_passes,
    review_step,
    side_by_side,
)
from mcviz.app.thresholds import at_half, describe_threshold
from mcviz.app.wording import (
    all_as_markdown,
    as_markdown,
    as_sentence,
    confidence,
    correctness_sentence,
    doubt_sentences,
    prediction_sentence,
    votes,
)
from mcviz.app.work import compute_on_request, progress_bar, request
from mcviz.errors import McvizError
from mcviz.figures import (
    Curve,
    class_counts,
    class_curves,
    curves_along,
    estimate_by_passes,
)
from mcviz.figures import two_classes as two_classes_figure
from mcviz.figures.sweeps import SWEEP_SCORES, predictions_along
from mcviz.measures import PassSummary, scores, summarise
from mcviz.measures.intervals import Interval
from mcviz.measures.multilabel import UNKNOWN as UNKNOWN_LABEL
from mcviz.runs import Derived, Run, load_derived, save_derived
from mcviz.runs.columns import UNKNOWN
from mcviz.text import one_line, percent

CONVERGENCE = "convergence"  # work, of which the subject is the run and the score
CONVERGENCE_HEIGHT = 440  # pixels, of four figures one below the other
CONFIDENT = 0.7  # a probability from which on a prediction sounds confident


class ClassificationStory(Story):
    """The steps of a classification: a number, the votes, the mistakes, the mean of the passes, and noise."""

    def steps(self, run: Run, *, live: bool = True) -> list[Callable[[Run], Step]]:
        """Return the steps for a run; those about mistakes need labels, and noise a kind that has it."""
        labelled = [self.review, self.ensemble] if has(run, "labels") else []
        noise = noise_steps(run, "no prediction is correct.", self.noise_prediction) if live else []
        return [self.one_prediction, self.all_passes, *labelled, *noise]

    def one_prediction(self, run: Run) -> Step:
        """Return the step on the most confident correct prediction."""
        order = ranking(run, "max_probability")[::-1]
        correct = table(run)["correct"].iloc[order]
        example = int(order[int(np.argmax(correct.fillna(bool(correct.isna().all())).to_numpy(bool)))])
        probs = classifier_probs(run)[example]
        prediction = int(run.task.decide(probs))
        probability = float(probs[prediction])
        number = "a confident number" if probability >= CONFIDENT else "a number"
        bars = plot.passes(run, probs[None]).update_traces(error_x_visible=False, error_y_visible=False)
        spoken = f"Bar chart of the classes: {percent(probability)} for {run.class_names[prediction]}."
        return Step(
            f"A classifier gives {number}: **{headline_name(run.class_names[prediction])}**, "
            f"with **{percent(probability)}**.",
            side_by_side(
                lambda: render_example(run, example, EXAMPLE_WIDTH),
                lambda: chart(bars.update_traces(hovertemplate=None), "classifier", spoken),
            ),
            "How far it can be trusted, it does not say.",
            (example,),
        )

    def all_passes(self, run: Run) -> Step:
        """Return the step on the example whose prediction is the most confident for how far the passes disagree."""
        surprising = classifier_probs(run).max(axis=1) * table(run)["variation_ratio"].to_numpy()
        example = int(surprising.argmax())
        summary, names = run.summary(example), class_names(run)
        draw = side_by_side(
            lambda: render_example(run, example, EXAMPLE_WIDTH),
            lambda: chart(plot.passes(run, run.probs(example)), "again", votes(summary, names)),
        )
        mean = f"**{percent(summary.mean[summary.prediction])}** for **{as_markdown(names[summary.prediction])}**"
        more = f"{predicted_again(run)}, **{votes(summary, all_as_markdown(names))}**. The bars are their mean, {mean}."
        if summary.votes.max() == summary.passes:
            return Step(
                "Predict it again, and the answer stays the same.",
                draw,
                f"{more} They agree on every example.",
                (example,),
            )
        return Step("Predict it again, and the answer changes.", draw, more, (example,))

    def review(self, run: Run) -> Step:
        """Return the step on how many mistakes are among the least confident predictions."""
        return review_step(run, "max_probability", "mistake")

    def ensemble(self, run: Run) -> Step:
        """Return the step on how the single passes and their mean compare."""
        single, by_size, deterministic = run.pass_accuracy, run.ensemble_accuracy, run.deterministic_accuracy
        if single is None or by_size is None:
            raise McvizError(missing(run, "labels"))
        together, alone = float(by_size[-1]), float(single.mean())
        accuracies = f"**{percent(together, 2)}** against **{percent(alone, 2)}**"
        headline = f"{_compare_with_alone(run, together - alone)}: {accuracies}."
        more = f"So many examples are right{at_half(run)} by the mean of all {len(single)}, and by one pass on average."
        if deterministic is not None:
            gained = round((float(by_size[-1]) - deterministic) * run.manifest.labelled)
            imported = run.manifest.origin.kind == "imported"
            model = "The deterministic model" if imported else "With dropout off, the model"
            as_many = f"{abs(gained):,} {'fewer' if gained > 0 else 'more'}" if gained else "as many"
            more += f" {model} is correct for {as_many}."
        return Step(headline, lambda: chart(plot.accuracy(run), "together", headline), more, of_passes=True)

    def noise_prediction(self, run: Run, predictions: np.ndarray) -> Step:
        """Return the step on noise, of its (T, K) predictions."""
        summary, names = _summarise(run, predictions), class_names(run)
        probability, voted = float(summary.mean[summary.prediction]), votes(summary, all_as_markdown(names))
        model = "Uncertainty has limits: the model" if probability >= CONFIDENT else "The model"
        return Step(
            f"This is noise, taken for **{headline_name(names[summary.prediction])}** with **{percent(probability)}**.",
            lambda: chart(plot.passes(run, predictions), "noise", votes(summary, names)),
            f"{model} is {confidence(probability)}. {as_sentence(voted)}",
        )


def _compare_with_alone(run: Run, gain: float) -> str:
    if gain == 0:
        return "But together the passes are no better than alone"
    interval = Interval(gain)
    if run.manifest.labelled >= LEAST_LABELLED:
        interval = find_calibration(run.undecided).differences["single_pass"]["accuracy"]
    if interval.low > 0:
        return "And together the passes are better than alone"
    if interval.high < 0:
        return "But together the passes are worse than alone"
    return "Together the passes are not shown to be better"


def classifier_probs(run: Run) -> np.ndarray:
    """Return (N, C) deterministic probabilities, or else predictive means."""
    return run.mean_probs if run.deterministic_probs is None else run.deterministic_probs


@dataclass(frozen=True)
class ClassificationPhrases(Phrases):
    """The words of classes."""

    def describe_disagreement(self, run: Run) -> str:
        disagree = int((table(run)["variation_ratio"] > 0).sum())
        return f"the passes disagree on **{disagree:,}** of them{at_half(run)}"

    def tile_text(self, run: Run, row: Mapping[Any, Any]) -> TileText:
        names, label = class_names(run), row["label"]
        is_wrong = bool(not pd.isna(row["correct"]) and not row["correct"])
        return TileText(names[row["prediction"]], "" if pd.isna(label) else names[label], is_wrong)

    def describe_label(self, run: Run, example: int) -> str:
        label = table(run)["label"].iloc[example]
        return "" if pd.isna(label) else f"The given label is **{as_markdown(class_names(run)[label])}**."

    def describe_prediction(self, run: Run, predictions: np.ndarray) -> str:
        return _prediction_sentence(run, _summarise(run, predictions))

    def describe_worst(self, run: Run, sweep: SweepFindings) -> str:
        name = class_names(run)[sweep.scores["prediction"][sweep.worst]]
        confidence = percent(float(sweep.scores["max_probability"][sweep.worst]))
        return f"The ensemble predicts **{as_markdown(name)}** with {confidence}."

    def describe_sweep(self, run: Run, sweep: SweepFindings) -> list[str]:
        """Name the most frequent prediction and count correct ones."""
        predictions, confidences = sweep.scores["prediction"], sweep.scores["max_probability"]
        counts = np.bincount(predictions, minlength=len(run.class_names))
        favourite = int(counts.argmax())
        kind = sweep.inputs.kind.removesuffix("s") if sweep.done == 1 else sweep.inputs.kind
        are, on_average = ("is", "") if counts[favourite] == 1 else ("are", " on average")
        sentences = [
            f"{counts[favourite]:,} of {sweep.done:,} {kind} {are} predicted as {class_names(run)[favourite]}, with "
            f"{percent(float(confidences[predictions == favourite].mean()))}{on_average}."
        ]
        if sweep.inputs.labels is not None:
            sentences.append(f"Correct: {sweep.correct.sum():,} of {sweep.done:,}.")
        return sentences


class ClassificationRenderer(TaskRenderer):
    """How pages show a classification; K is the number of classes C, and predictions are probabilities."""

    ood_score = "expected_entropy"
    fits_detector = True
    phrases = ClassificationPhrases(
        quality="{} right",
        beats="The ensemble beats {}.",
        group_column="correct",
        group="correct",
        mistake="mistake",
        only_mistake="the only mistake",
        least_sure="that it is least confident of",
        prominent_first="the surest first",
        worst_heading="Most confident wrong prediction",
        no_worst="There is none: every prediction is correct.",
        worst_clause="the most confident wrong prediction",
        tile_legend="Orange marks a wrong prediction: label → prediction.",
        marks_mistakes=True,
    )
    story = ClassificationStory()

    # The whole run

    def render_passes(self, run: Run, state: PageState) -> None:
        """Render how the figures and the ranking change as passes are added, once that is computed."""
        score = convergence_score(run, state.score)
        convergence = load_convergence(run, score)
        if convergence is None:
            _offer_convergence(run, score, now=state.section == PASSES)
            return
        sentences = [enough_passes_sentence(convergence.enough, run.passes, "the figures move", "what matters")]
        if run.passes > 1 and run.manifest.labelled > plot.TOP_UNCERTAIN:
            sentences.append(
                f"Two halves of all passes share {percent(float(convergence.shared_top[-1]), 0)} of the "
                f"{plot.TOP_UNCERTAIN} most uncertain examples by {run.task.scores[score].inline_label}."
            )
        st.markdown(" ".join(sentences))
        accuracy, nll, ece = TOLERANCES
        matters = (
            f"A change matters from {100 * accuracy:g} percentage points of accuracy, {nll:g} nats of NLL and "
            f"{100 * ece:g} percentage points of ECE."
        )
        draw, spoken = (lambda: _convergence_figure(run, score)), " ".join(sentences)
        render_by_passes(state, "accuracy, NLL and ECE", draw, spoken, matters)

    def compute_passes(self, run: Run, progress: Callable[[int, int], None]) -> None:
        score = convergence_score(run, run.first_score)
        if load_convergence(run, score) is None:
            keep_convergence(run, score, progress)

    # Lists and filters

    def table_columns(self, selection: Selection, most: int) -> dict[str, Any]:
        """Return the names of label and prediction, and whether they are the same."""
        run, rows = selection.run, selection.first(most)
        names, labelled = np.array(class_names(run)), has(run, "labels")
        known = rows["label"].notna().to_numpy()
        given = np.where(known, names[rows["label"].fillna(0).to_numpy(int)], UNKNOWN)
        columns: dict[str, Any] = {"label": given} if labelled else {}
        columns["prediction"] = names[rows["prediction"].to_numpy()]
        if labelled:
            judged = np.where(rows["correct"].fillna(False).to_numpy(bool), "correct", "✗ wrong")
            columns["correct"] = np.where(rows["correct"].notna().to_numpy(), judged, UNKNOWN)
        return columns

    def filter_words(self, run: Run) -> list[str]:
        """Return two classes, and a word for the mistakes; nothing without labels."""
        return [two_classes(class_names(run)), "wrong"] if has(run, "labels") else []

    def narrow_filters(self, run: Run, filters: Filters, words: str) -> Filters:
        return filters.narrow(words, class_names(run))

    # One example

    def render_summary(self, context: ExampleContext) -> None:
        """Render prediction and label in a sentence, and the reasons for doubt."""
        sentences = _sentences(context, _summarise(context.run, context.predictions))
        render_explanation("explanation-sentences", {"sentences": sentences})

    def render_charts(self, context: ExampleContext) -> None:
        """Render one histogram a class, with its mean."""
        summary = _summarise(context.run, context.predictions)
        render_histograms(summary, class_names(context.run), _label(context), "example")

    def explain(self, context: ExampleContext, *, narrow: bool = False) -> Explanation:
        """Return the sentences, and one histogram a class with its mean."""
        summary, names, label = _summarise(context.run, context.predictions), class_names(context.run), _label(context)
        histograms = pass_histograms(summary, names, label, narrow=narrow)
        return {"sentences": _sentences(context, summary), "histograms": histograms}

    def explain_alone(self, context: ExampleContext) -> Explanation:
        return self.explain(context, narrow=True)

    def render_pinned(self, context: ExampleContext) -> None:
        """Render label, prediction, the mean of each class, and the votes."""
        summary, label, names = _summarise(context.run, context.predictions), _label(context), class_names(context.run)
        # One line, short enough that what follows is level in all columns.
        shown_names, mark = all_as_markdown(names), "" if label in (None, summary.prediction) else "✗ "
        prediction = (
            f"{mark}predicted **{shown_names[summary.prediction]}**, {percent(summary.mean[summary.prediction])}"
        )
        st.markdown(prediction if label is None else f"label **{shown_names[label]}** · {prediction}")
        chart(
            plot.passes(context.run, context.predictions, label=label).update_layout(showlegend=False, height=260),
            f"classes-{context.example}",
            f"Bar chart of the mean of each class: {votes(summary, names)}.",
        )
        st.caption(as_sentence(votes(summary, shown_names)))

    def closer_looks(self) -> dict[str, CloserLook]:
        return {
            "two_classes": CloserLook("Two classes", _render_two_classes),
            "passes": CloserLook("Enough passes?", _render_convergence),
        }

    # New inputs

    def render_probe(self, run: Run, chosen: ProbeInput, predictions: np.ndarray, key: str) -> None:
        render_histograms(_summarise(run, predictions), class_names(run), chosen.label, key)

    def render_curves(self, run: Run, along: SliderSeries, predictions: np.ndarray) -> None:
        """Render the probabilities of the classes and the entropies along the slider."""
        st.caption(
            "What the ensemble predicts at each position. Where the probability falls and the entropy rises, it is "
            "uncertain."
        )
        names = class_names(run)
        first = names[int(run.task.decide(predictions[:, 0].mean(axis=0)))]
        spoken = f"Predictions along the slider {one_line(along.title)}: at its left end {first}."
        slider: dict[str, Any] = {
            "title": along.title,
            "tick_format": along.tick_format,
            "current": along.current,
        }
        if along.are_pictures:
            figure = predictions_along(along.amounts, predictions, along.contents, names, **slider)
            chart(figure, "along-the-slider", spoken)
            return
        curves = class_curves(predictions, names)
        figure = curves_along(along.amounts, curves, value_title="probability", number=".0%", **slider)
        chart(figure, "along-the-slider", spoken)
        values = scores(predictions)
        entropies = [Curve(label, values[name], colour) for name, (label, colour) in SWEEP_SCORES.items()]
        figure = curves_along(along.amounts, entropies, value_title="nats", low=True, **slider)
        chart(figure, "entropies-along-the-slider", f"Entropies along the slider {one_line(along.title)}.")

    def choose_evidence(self, run: Run, state: PageState, predictions: np.ndarray) -> Evidence:
        """Render a choice of the class, at first the likeliest one."""
        names = class_names(run)
        chosen = _summarise(run, predictions).prediction if state.first_class is None else state.first_class
        st.selectbox(
            "Explain the class",
            range(len(names)),
            format_func=names.__getitem__,
            width=220,
            **state_widget_args("first_class", chosen),
        )
        return Evidence(
            chosen, names[chosen], f"the probability of **{as_markdown(names[chosen])}**", 100, "percentage points"
        )

    def compute_scores(self, run: Run, predictions: np.ndarray) -> dict[str, np.ndarray]:
        means = predictions.mean(axis=0, dtype=np.float64)
        found = run.task.scores.compute(run.task.predictions(predictions))
        return {"prediction": run.task.decide(means), **found, "max_probability": run.task.confidence(means)}

    def prominence(self, scores: Mapping[str, np.ndarray], correct: np.ndarray) -> np.ndarray:
        """Return how confident each wrong prediction is; 0 for a correct one."""
        return np.where(correct, 0, scores["max_probability"])

    def sweep_figure(self, run: Run, state: PageState, sweep: SweepFindings) -> go.Figure:
        """Return how often each class is predicted."""
        return class_counts(sweep.scores["prediction"], class_names(run))

    # Two runs, and files to take away

    def render_comparison(self, comparison: Comparison, state: PageState) -> None:
        """Render reliability and referral gains of both runs, on a click."""
        if comparison.terms is None:
            return
        place = choose_detail("Calibration, and accuracy left after review", "curves", state)
        if not place.open:
            return
        left, right = place.columns(2, gap="large")
        with left:
            st.subheader("Are the probabilities calibrated?", anchor=False)
            st.caption("Accuracy − confidence by confidence, with 95% intervals.")
            chart(
                plot.reliability(comparison),
                "reliability-of-both",
                "Accuracy − confidence by confidence, of both runs.",
            )
        with right:
            st.subheader("Accuracy left after review", anchor=False)
            st.caption("When a person reviews the most uncertain share.")
            spoken = "Accuracy left after review against the share reviewed, of both runs."
            chart(plot.risk_coverage(comparison), "referral-in-both", spoken)

    def render_example_of_both(self, context: ExampleContext, comparison: Comparison) -> None:
        """Render each run's prediction in a sentence, and histograms of the classes that they say most of."""
        run, other, order = comparison.one, comparison.other, class_order(comparison.one, comparison.other)
        place = comparison.pairs.find(context.example)
        labels, there = comparison.pairs.labels, other.summary(int(comparison.pairs.other[place]))
        own_names, other_names = (all_as_markdown(class_names(of_run)) for of_run in (run, other))
        both = {
            run.name: (run.summary(context.example), own_names),
            other.name: (there.reorder(order), [other_names[number] for number in order]),
        }
        for name, (summary, names) in both.items():
            mark = "" if labels is None or labels[place] in (UNKNOWN_LABEL, summary.prediction) else "✗ "
            prediction = f"**{names[summary.prediction]}** with {percent(summary.mean[summary.prediction])}"
            st.markdown(f"**{as_markdown(name)}**: {mark}{prediction}. {as_sentence(votes(summary, names))}")
        spoken = "Histograms of the passes of both runs for the classes that they say most of."
        chart(plot.example(comparison, context.example), "example-in-both", spoken)

    def export_table(self, selection: Selection) -> pd.DataFrame:
        """Return all columns of the selected examples, with the names of the classes beside their numbers."""
        rows = super().export_table(selection)
        names = dict(enumerate(selection.run.class_names))
        for index, column in ((3, "prediction"), (2, "label")):
            name = f"{column}_name"
            rows = rows.rename(columns={name: f"user_{name}"})
            rows.insert(index, name, rows[column].map(names))
        return rows


def load_convergence(run: Run, score: str) -> Convergence | None:
    """Load the effect of more passes; None if not computed yet."""
    found, key, derived = _convergences(), (run.numbers_version, score), _derived_convergence(score)
    is_kept = not run.decisions.thresholds
    if key not in found and is_kept and (stored := load_derived(run.path, run.digest, derived)) is not None:
        lengths = {len(stored[name]) for name in derived.dtypes}
        if len(lengths) == 1 and stored["sizes"][-1:] == run.passes:
            found[key] = Convergence(**{**stored, "sizes": stored["sizes"].astype(np.int64)})
    return found.get(key)


def keep_convergence(run: Run, score: str, progress: Callable[[int, int], None]) -> None:
    """Compute the effect of more passes, and keep it beside the run."""
    found = _convergences()[run.numbers_version, score] = compute_convergence(run, score, progress)
    derived = _derived_convergence(score)
    if not run.decisions.thresholds:
        save_derived(run.path, run.digest, derived, {name: getattr(found, name) for name in derived.dtypes})


@cached_for_run(numbers_key, max_entries=8)
def _convergence_figure(run: Run, score: str) -> go.Figure:
    return plot.convergence(run, score, load_convergence(run, score)).update_layout(height=CONVERGENCE_HEIGHT)


def _offer_convergence(run: Run, score: str, *, now: bool) -> None:
    """Render a button that computes the effect of more passes from all of them."""
    subject = run.numbers_version, score

    def compute() -> None:
        with progress_bar("groups of examples read") as progress:
            keep_convergence(run, score, progress)

    if now:  # unless it was stopped
        session_store().setdefault(CONVERGENCE, subject)
    if not compute_on_request(CONVERGENCE, subject, compute, OVERVIEW.title):
        st.caption("All passes are read for it, and the result is kept.")
        st.button(
            "Compute",
            icon=":material/play_arrow:",
            key="compute-convergence",
            on_click=request,
            args=(CONVERGENCE, subject),
        )


def _derived_convergence(score: str) -> Derived:
    names = [field.name for field in fields(Convergence)]
    return Derived(f"convergence-{score.replace('_', '-')}", 1, dict.fromkeys(names, "float64"))


@st.cache_resource(show_spinner=False)
def _convergences() -> dict[tuple[str, str], Convergence]:
    """Return the effect of more passes, by the run's version and the score, shared by all sessions."""
    return {}


def _summarise(run: Run, predictions: np.ndarray) -> PassSummary:
    return summarise(predictions, run.task.decide)


def _prediction_sentence(run: Run, summary: PassSummary) -> str:
    """Describe the prediction, and its threshold unless the likeliest class is predicted."""
    sentence = prediction_sentence(summary, class_names(run))
    above = "" if summary.prediction == summary.mean.argmax() else describe_threshold(run)
    return f"{sentence} {above}".rstrip()


def _label(context: ExampleContext) -> int | None:
    label = context.row["label"]
    return None if pd.isna(label) else int(label)


def _sentences(context: ExampleContext, summary: PassSummary) -> list[str]:
    names, label = class_names(context.run), _label(context)
    judgement = correctness_sentence(summary.prediction, label, names)
    doubts = doubt_sentences(summary, context.row, names, label)
    return [f"{_prediction_sentence(context.run, summary)} {judgement}", *(f"- {doubt}" for doubt in doubts)]


def _render_two_classes(context: ExampleContext) -> None:
    """Render the probability of one class against that of another, one point a pass."""
    probs, names = context.predictions, class_names(context.run)
    summary = _summarise(context.run, probs)
    likeliest = [int(c) for c in np.argsort(-summary.mean)]
    chosen = []
    with st.container(horizontal=True):
        for label, key, default in (
            ("One class", "first_class", likeliest[0]),
            ("against", "second_class", likeliest[1]),
        ):
            named = getattr(context.state, key)
            chosen.append(default if named is None else named)
            st.selectbox(
                label, range(len(names)), format_func=names.__getitem__, width=220, **state_widget_args(key, chosen[-1])
            )
    st.caption("One point a pass. Points in two corners: two groups of passes that disagree. One cloud: a wide spread.")
    chart(
        two_classes_figure(probs, chosen[0], chosen[1], names, context.run.task.decide(probs)),
        "two-classes",
        f"One point a pass: {votes(summary, names)}.",
    )


def _render_convergence(context: ExampleContext) -> None:
    st.caption("The mean of the first 1, 2, … passes, with two standard errors. Flat lines: there are enough passes.")
    probs = context.predictions
    likeliest = [int(c) for c in np.argsort(-summarise(probs).mean)[:3]]
    figure = estimate_by_passes(probs, likeliest, class_names(context.run))
    chart(figure, "estimate", f"The mean of the likeliest three classes over {len(probs)} passes.")
