"""Show several labels an example on pages: which classes are predicted, wrong and missed, and each class by itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import group_sentence
from mcviz.analysis.comparison import Comparison
from mcviz.analysis.pairing import class_order, paired_class_names
from mcviz.analysis.quality_trust import QualityTrust, add_slices, measure_quality
from mcviz.analysis.terms import load_terms
from mcviz.app.components import (
    MOST_STRIPS,
    Explanation,
    chart,
    class_panel,
    heading,
    render_explanation,
    text_table,
    ticks,
)
from mcviz.app.kinds import EXAMPLE_WIDTH, render_example
from mcviz.app.kinds.base import ProbeInput, SliderSeries
from mcviz.app.resources import cached_for_run, class_names, has, numbers_key, ranking, table
from mcviz.app.selection import Selection
from mcviz.app.state import PageState, state_widget_args
from mcviz.app.tasks.base import (
    Evidence,
    ExampleContext,
    Phrases,
    Step,
    Story,
    SweepFindings,
    TaskRenderer,
    TileText,
    describe_classes,
    headline_name,
    mark_classes,
    noise_steps,
    pass_quality,
    predicted_again,
    render_ensemble_sizes,
    render_large,
    review_step,
    side_by_side,
)
from mcviz.app.thresholds import choose_class, render_threshold
from mcviz.app.wording import all_as_markdown, as_markdown, counted
from mcviz.app.work import progress_bar
from mcviz.figures import class_counts, class_curves, curves_along
from mcviz.figures.style import ENSEMBLE, NEUTRAL, WRONG
from mcviz.measures import PassSummary, summarise
from mcviz.measures.multilabel import UNKNOWN, binary_entropy, class_ece
from mcviz.measures.registry import MULTILABEL_SCORES, MultilabelPredictions, Terms
from mcviz.runs import Run
from mcviz.text import list_names, one_line, percent

ENOUGH = 0.0005  # of the accuracy over labels: what more passes change of it does not matter
MOST_COMPARED = 10  # classes of an example that two runs share, those first on which they differ most
MOST_SHOWN = 20  # doubtful classes of an example
MOST_PINNED = 5  # classes of an example among others


@cached_for_run(numbers_key, max_entries=8, show_spinner="Measuring each class …")
def label_trust(run: Run, group: str | None) -> QualityTrust:
    """Measure trust of a run with labels, as `mcviz trust`."""
    with progress_bar("permutations done") as progress:
        return add_slices(measure_quality(run, group=group), progress)


@cached_for_run(numbers_key, max_entries=8)
def _terms(run: Run) -> Terms:
    return load_terms(run)["ensemble"]


@cached_for_run(numbers_key, max_entries=8)
def _class_eces(run: Run) -> list[float]:
    return [class_ece(_terms(run), number) for number in range(len(run.class_names))]


@cached_for_run(numbers_key, max_entries=32)
def _class_reliability(run: Run, number: int, group: str | None) -> go.Figure:
    return plot.class_reliability(run, number, group=group)


def _mean_and_share(run: Run, number: int) -> tuple[float, float]:
    """Return a class's mean probability and share, over examples whose label of it is known."""
    probs, labels = (_terms(run)[name][:, number] for name in ("probs", "labels"))
    is_known = labels != UNKNOWN
    return float(probs[is_known].mean(dtype=float)), float((labels[is_known] == 1).mean())


def _doubtful_first(summary: PassSummary) -> np.ndarray:
    """(C,) the numbers of the classes, those first whose mean is the nearest to one half."""
    return np.argsort(-binary_entropy(summary.mean), kind="stable")


def _predicted(is_predicted: np.ndarray, names: Sequence[str]) -> list[str]:
    return [name for name, chosen in zip(names, is_predicted, strict=True) if chosen]


def _list_predicted(is_predicted: np.ndarray, names: Sequence[str]) -> str:
    predicted = _predicted(is_predicted, all_as_markdown(names))
    return list_names([f"**{name}**" for name in predicted]) if predicted else "**none of the classes**"


def _role(is_predicted: bool, label: int | None) -> tuple[str, str]:
    if not is_predicted:
        return ("missed label", WRONG) if label == 1 else ("not known" if label == UNKNOWN else "", NEUTRAL)
    if label == 0:
        return "prediction, no label", WRONG
    return ("prediction and label" if label == 1 else "prediction", ENSEMBLE)


def _describe_thresholds(run: Run) -> str:
    thresholds = run.decisions.thresholds
    own = list_names([f"{as_markdown(name)} above {percent(each.value)}" for name, each in thresholds.items()])
    return f"Predicted are {own}, and other classes above 50%." if own else "A class is predicted above 50%."


def _histograms(
    summary: PassSummary, is_predicted: np.ndarray, names: Sequence[str], labels: np.ndarray | None
) -> dict[str, Any]:
    known = [None] * len(names) if labels is None else labels.tolist()
    order = _doubtful_first(summary).tolist()
    shown = [c for rank, c in enumerate(order) if rank < MOST_SHOWN or is_predicted[c] or known[c] == 1]
    panels = [class_panel(summary, c, names[c], *_role(bool(is_predicted[c]), known[c])) for c in shown]
    left = len(names) - min(MOST_STRIPS, len(panels))
    top = int(summary.histograms[shown].max())  # doubtful classes would leave an axis to all passes empty
    return {
        "passes": summary.passes,
        "top": top,
        "ticks": ticks(top),
        "spoken": f"Histograms of the passes, the most doubtful class first: {names[order[0]]}.",
        "panels": panels,
        "strips": list(range(min(MOST_STRIPS, len(panels)))),
        "rest": f"{counted(left, 'class')} more, less doubtful." if left else "",
    }


class MultilabelStory(Story):
    """The steps of several labels: sure classes, a doubtful one, how often a class is there, the review, and noise."""

    def steps(self, run: Run, *, live: bool = True) -> list[Callable[[Run], Step]]:
        """Return the steps for a run; some need labels, and noise a kind that has it."""
        labelled = [self.holds, self.review] if has(run, "labels") else []
        noise = noise_steps(run, "none of the classes is there.", self.noise_prediction) if live else []
        return [self.sure, self.unsure, *labelled, *noise]

    def sure(self, run: Run) -> Step:
        """Return the step on the example whose classes are the least doubtful."""
        example, names = int(ranking(run, run.first_score)[-1]), class_names(run)
        mean = run.mean_predictions[example]
        first = np.argsort(-mean, kind="stable")[:MOST_PINNED]
        shares = list_names([f"{as_markdown(names[c])} {percent(float(mean[c]))}" for c in first])
        predicted = _list_predicted(run.task.decide(mean), names)
        draw = side_by_side(lambda: render_example(run, example, EXAMPLE_WIDTH), lambda: render_large(predicted))
        more = f"The model predicts {predicted}: {shares}. How far that can be trusted, it does not say."
        return Step("A model gives a number for each class.", draw, more, (example,))

    def unsure(self, run: Run) -> Step:
        """Return the step on the example, and its class, about which the passes are most divided."""
        example, names = int(ranking(run, run.first_score)[0]), class_names(run)
        passes = run.predictions(example)
        summary, votes = summarise(passes), run.task.decide(passes).sum(axis=0)
        number = int(np.minimum(votes, len(passes) - votes).argmax())
        histograms = _histograms(summary, run.task.decide(summary.mean), names, None)

        def draw_passes() -> None:
            render_explanation("explanation-story", {"histograms": histograms})

        draw = side_by_side(lambda: render_example(run, example, EXAMPLE_WIDTH), draw_passes)
        changes = "changes" if 0 < votes[number] < len(passes) else "stays the same"
        more = (
            f"{predicted_again(run)}, **{votes[number]:,} of {counted(len(passes), 'pass')}** predict "
            f"**{as_markdown(names[number])}**, with {percent(float(summary.mean[number]))} on average."
        )
        return Step(f"Predict it again, and the answer {changes}.", draw, more, (example,))

    def holds(self, run: Run) -> Step:
        """Return the step on how often the class with the largest ECE is there, by its probability."""
        number = int(np.nanargmax(_class_eces(run)))
        probability, share = _mean_and_share(run, number)
        name = headline_name(class_names(run)[number])
        headline = f"**{name}** gets **{percent(probability)}** on average, and **{percent(share)}** have it."
        more = f"Of all classes its probability is the farthest off: its ECE is {percent(_class_eces(run)[number], 2)}."
        return Step(headline, lambda: chart(_class_reliability(run, number, None), "holds", headline), more)

    def review(self, run: Run) -> Step:
        """Return the step on how many of the worst predictions are among the most uncertain examples."""
        return review_step(run, run.first_score, "worst prediction")

    def noise_prediction(self, run: Run, predictions: np.ndarray) -> Step:
        """Return the step on noise, of its (T, C) predictions."""
        summary, names = summarise(predictions), class_names(run)
        likeliest, is_predicted = int(summary.mean.argmax()), run.task.decide(summary.mean)
        histograms = _histograms(summary, is_predicted, names, None)
        said = f"**{headline_name(names[likeliest])}** gets **{percent(float(summary.mean[likeliest]))}**"
        return Step(
            f"This is noise, and {said}.",
            lambda: render_explanation("explanation-noise", {"histograms": histograms}),
            f"The ensemble predicts {_list_predicted(is_predicted, names)}.",
        )


def _means(run: Run, scores: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([scores[f"prediction_{c}"] for c in range(len(run.class_names))], axis=1)


@dataclass(frozen=True)
class MultilabelPhrases(Phrases):
    """The words of several labels an example."""

    def _describe_found(self, run: Run) -> str:
        exact = table(run)["exact_match"].dropna()
        return f"; of **{percent(float(exact.mean()))}** of the examples every label" if len(exact) else ""

    def describe_disagreement(self, run: Run) -> str:
        doubtful = int((np.abs(run.mean_predictions - 0.5) < 0.25).any(axis=1).sum())
        return f"**{doubtful:,}** of them have a class between 25% and 75%"

    def tile_text(self, run: Run, row: Mapping[Any, Any]) -> TileText:
        """Return the predicted classes, wrong ones marked, then the missed classes."""
        names = class_names(run)
        if not isinstance(row["prediction"], str):  # of a new input
            mean = np.array([row[f"prediction_{c}"] for c in range(len(names))], float)
            predicted = _predicted(run.task.decide(mean), names)
            unknown = "" if np.isnan(mean).any() else "none"
            return TileText(", ".join(predicted) or unknown, brief=f"{len(predicted):,} of {len(names):,}")
        return mark_classes(row, len(run.class_names))

    def describe_example(self, run: Run, row: Mapping[Any, Any]) -> str:
        """Say which classes are predicted, wrong and missed, as words that follow the example."""
        return describe_classes(row)

    def describe_label(self, run: Run, example: int) -> str:
        """Say which classes the example was given, and of how many nobody knows."""
        labels = None if run.labels is None else run.labels[example]
        if labels is None or (labels == UNKNOWN).all():
            return ""
        names = all_as_markdown(class_names(run))
        given = [f"**{names[c]}**" for c in np.flatnonzero(labels == 1)]
        unknown = int((labels == UNKNOWN).sum())
        rest = f" Of {counted(unknown, 'class')} nobody knows." if unknown else ""
        if not given:
            return f"It was given **none of the classes**.{rest}"
        is_one = len(given) == 1
        return f"The given {'label is' if is_one else 'labels are'} {list_names(given)}.{rest}"

    def describe_prediction(self, run: Run, predictions: np.ndarray) -> str:
        predicted = run.task.decide(predictions.mean(axis=0))
        return f"The ensemble predicts {_list_predicted(predicted, class_names(run))}."

    def describe_worst(self, run: Run, sweep: SweepFindings) -> str:
        mean = _means(run, sweep.scores)[sweep.worst]
        name = class_names(run)[int(mean.argmax())]
        return f"**{as_markdown(name)}** has a probability of {percent(float(mean.max()))}."

    def describe_sweep(self, run: Run, sweep: SweepFindings) -> list[str]:
        """Count the inputs for which some class is predicted."""
        some = int(run.task.decide(_means(run, sweep.scores)).any(axis=1).sum())
        return [f"For {some:,} of {sweep.done:,} {sweep.inputs.kind} the model predicts a class or more."]


class MultilabelRenderer(TaskRenderer):
    """How pages show several labels an example; K is the number of classes C, and each has its own probability."""

    ood_score = "expected_entropy"
    phrases = MultilabelPhrases(
        quality="{} of the labels right",
        beats="The ensemble beats {}.",
        group_column="loss",
        group="share of wrong labels",
        mistake="wrong prediction",
        only_mistake="the only wrong prediction",
        least_sure="that it is most uncertain of",
        prominent_first="the surest first",
        worst_heading="Most confident prediction of a class",
        no_worst="There is none.",
        worst_clause="the most confident prediction",
        tile_legend="Orange marks wrong classes, with a ✗, and those that are missed.",
    )
    story = MultilabelStory()

    # The whole run

    def render_passes(self, run: Run, state: PageState) -> None:
        """Render how the accuracy over labels changes as passes are added."""
        quality = pass_quality(run)
        assert quality is not None
        in_words = f"{100 * ENOUGH:g} percentage points"
        render_ensemble_sizes(run, state, quality.ensembles, ENOUGH, "accuracy over labels", in_words)

    def render_calibration(self, run: Run, state: PageState, group: str | None) -> None:
        """Render the reliability diagram of a class that is chosen, at first of that with the largest ECE."""
        names, eces = class_names(run), _class_eces(run)
        known = [number for number, ece in enumerate(eces) if not np.isnan(ece)]
        chosen = int(np.nanargmax(eces)) if state.trust_class not in known else state.trust_class
        assert chosen is not None
        st.header("Is a class there as often as it says?", anchor=False)
        widget = state_widget_args("trust_class", chosen, choose_class)
        st.selectbox("Class", known, format_func=names.__getitem__, width=260, **widget)
        probability, share = _mean_and_share(run, chosen)
        is_known = _terms(run)["labels"][:, chosen] != UNKNOWN
        st.markdown(
            f"The probability of **{as_markdown(names[chosen])}** is {percent(probability)} on average, and "
            f"{percent(share)} of {counted(int(is_known.sum()), 'example')} have it. "
            f"Its ECE is {percent(eces[chosen], 2)}."
        )
        st.caption(
            "Above the line it is there more often than the model says. The 95% intervals count examples; each bin "
            f"has 5 or more with the class, and 5 without it. {as_markdown(group_sentence(run, group))}"
        )
        spoken = f"Share of examples that have {names[chosen]} over its probability, with 95% intervals."
        chart(_class_reliability(run, chosen, group), "class-reliability", spoken)
        render_threshold(run, chosen, group)

    def render_trust(self, run: Run, group: str | None) -> None:
        """Render how good the predictions are, and the same of each class."""
        trust = label_trust(run, group)
        heading("How good it is", "In brackets the 95% interval over other examples of the same kind.")
        for sentence in trust.sentences:
            st.markdown(f"- {as_markdown(sentence)}")
        (_, *predictors), *rows = zip(*trust.text_rows, strict=True)
        text_table(("measure", *predictors), map(all_as_markdown, rows))
        measures = {measure.name: measure for measure in run.task.quality.measures}
        heading(
            "Each class by itself",
            "The lowest average precision (AP) first. Probability − share: by how much a class is thought likelier "
            f"than it is. {measures['map'].too_few}",
        )
        by_precision = sorted(trust.by_class.items(), key=lambda pair: np.nan_to_num(pair[1].map.value, nan=2))
        text_table(
            ("class", "examples", "AP", "AUROC", "F1", "ECE", "probability − share"),
            [
                (
                    as_markdown(name),
                    f"{figures.examples:,}",
                    *(measures[each].format_interval(getattr(figures, each)) for each in ("map", "auroc", "f1")),
                    measures["ece"].format(figures.ece),
                    measures["accuracy"].format_interval(figures.excess, sign="+"),
                )
                for name, figures in by_precision
            ],
        )

    # Lists

    def table_columns(self, selection: Selection, most: int) -> dict[str, Any]:
        """Return the names of given, predicted and wrong classes."""
        rows = selection.first(most)
        names = ["label", "prediction", "wrong"] if has(selection.run, "labels") else ["prediction"]
        return {name: rows[name].to_numpy() for name in names}

    # One example

    def _labels(self, context: ExampleContext) -> np.ndarray | None:
        return None if context.run.labels is None else context.run.labels[context.example]

    def _sentences(self, context: ExampleContext) -> list[str]:
        summary, names, labels = summarise(context.predictions), class_names(context.run), self._labels(context)
        shown, is_predicted = all_as_markdown(names), context.run.task.decide(summary.mean)
        sentences = [f"The ensemble predicts {_list_predicted(is_predicted, names)}."]
        if labels is not None:
            parts = {
                "Wrong, since they are no labels": is_predicted & (labels == 0),
                "Missed": ~is_predicted & (labels == 1),
                "Not known": labels == UNKNOWN,
            }
            said = {
                words: list_names([shown[c] for c in np.flatnonzero(of)]) for words, of in parts.items() if of.any()
            }
            right = ["It is right about every class."] if (is_predicted == (labels == 1)).all() else []
            sentences[0] += f" {' '.join([*right, *(f'{words}: {names_of}.' for words, names_of in said.items())])}"
        first = int(_doubtful_first(summary)[0])
        information = MULTILABEL_SCORES["mutual_information"].compute(self._as_predictions(context.predictions))
        doubt = f"{percent(summary.mean[first])} ± {percent(summary.std[first])}"
        return [
            *sentences,
            f"- **{shown[first]}** is the most doubtful class: {doubt}.",
            f"- **Model (epistemic) uncertainty**: {information[0]:.3f} nats of mutual information over all classes, "
            "by which the passes differ.",
        ]

    def _as_predictions(self, passes: np.ndarray) -> MultilabelPredictions:
        return MultilabelPredictions(passes if passes.ndim == 3 else passes[:, None])

    def explain(self, context: ExampleContext) -> Explanation:
        """Return the sentences, and a row a class with its histogram."""
        summary, names = summarise(context.predictions), class_names(context.run)
        is_predicted = context.run.task.decide(summary.mean)
        return {
            "sentences": self._sentences(context),
            "histograms": _histograms(summary, is_predicted, names, self._labels(context)),
        }

    def render_summary(self, context: ExampleContext) -> None:
        """Render predicted, wrong and missed classes, and the most doubtful one."""
        render_explanation("explanation-sentences", {"sentences": self._sentences(context)})

    def render_charts(self, context: ExampleContext) -> None:
        """Render a histogram a class with mean and spread, the most doubtful first."""
        self._render_histograms(context.run, context.predictions, self._labels(context), "example")

    def _render_histograms(self, run: Run, predictions: np.ndarray, labels: np.ndarray | None, key: str) -> None:
        heading(
            "What the passes predict",
            f"One histogram a class, the most doubtful first: how often each probability was predicted in "
            f"{counted(len(predictions), 'pass')}, with mean ± standard deviation. {_describe_thresholds(run)}",
        )
        summary = summarise(predictions)
        histograms = _histograms(summary, run.task.decide(summary.mean), class_names(run), labels)
        render_explanation(f"explanation-{key}", {"histograms": histograms})

    def render_pinned(self, context: ExampleContext) -> None:
        """Render predictions and the most doubtful classes."""
        summary, names = summarise(context.predictions), all_as_markdown(class_names(context.run))
        st.markdown(f"It {self.phrases.describe_example(context.run, context.row.to_dict())}.")
        rows = [
            (names[c], f"{percent(summary.mean[c])} ± {percent(summary.std[c])}")
            for c in _doubtful_first(summary)[:MOST_PINNED]
        ]
        text_table(("most doubtful", "mean ± std"), rows)

    # New inputs

    def render_probe(self, run: Run, chosen: ProbeInput, predictions: np.ndarray, key: str) -> None:
        self._render_histograms(run, predictions, None, key)

    def render_curves(self, run: Run, along: SliderSeries, predictions: np.ndarray) -> None:
        """Render the probabilities of the classes along the slider."""
        st.caption(f"What the ensemble predicts at each position. {_describe_thresholds(run)}")
        figure = curves_along(
            along.amounts,
            class_curves(predictions, class_names(run)),
            title=along.title,
            tick_format=along.tick_format,
            current=along.current,
            value_title="probability",
            number=".0%",
        )
        chart(figure, "along-the-slider", f"Predictions along the slider {one_line(along.title)}.")

    def choose_evidence(self, run: Run, state: PageState, predictions: np.ndarray) -> Evidence:
        """Render a choice of the class, at first the likeliest one."""
        names = class_names(run)
        chosen = summarise(predictions).prediction if state.first_class is None else state.first_class
        widget = state_widget_args("first_class", chosen)
        st.selectbox("Explain the class", range(len(names)), format_func=names.__getitem__, width=220, **widget)
        in_words = f"the probability of **{as_markdown(names[chosen])}**"
        return Evidence(chosen, names[chosen], in_words, 100, "percentage points")

    def compute_scores(self, run: Run, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """Compute the mean of each class, `prediction_0` and so on, and the scores."""
        means = predictions.mean(axis=0, dtype=np.float64).T
        predicted = {f"prediction_{c}": mean for c, mean in enumerate(means)}
        return {**predicted, **MULTILABEL_SCORES.compute(self._as_predictions(predictions))}

    def prominence(self, scores: Mapping[str, np.ndarray], correct: np.ndarray) -> np.ndarray:
        """Return the largest probability of a class."""
        return np.max([values for name, values in scores.items() if name.startswith("prediction_")], axis=0)

    def sweep_figure(self, run: Run, state: PageState, sweep: SweepFindings) -> go.Figure:
        """Return how often each class is predicted."""
        return class_counts(np.nonzero(run.task.decide(_means(run, sweep.scores)))[1], class_names(run))

    # Two runs, and files to take away

    def render_example_of_both(self, context: ExampleContext, comparison: Comparison) -> None:
        """Render the mean and the spread of each class in both runs, those first on which they differ most."""
        run, other = comparison.one, comparison.other
        names = paired_class_names(run, other)
        there = other.summary(int(comparison.pairs.other[comparison.pairs.find(context.example)]))
        order = class_order(run, other)
        both = {run.name: run.summary(context.example), other.name: there.reorder(order)}
        tasks = run.task, other.task.beside(run.task, order)
        for task, (name, summary) in zip(tasks, both.items(), strict=True):
            st.markdown(f"**{as_markdown(name)}** predicts {_list_predicted(task.decide(summary.mean), names)}.")
        means = [summary.mean for summary in both.values()]
        order = np.argsort(-np.abs(means[1] - means[0]), kind="stable")[:MOST_COMPARED]
        text_table(
            ("class", *map(as_markdown, both)),
            [
                (
                    as_markdown(names[c]),
                    *(f"{percent(each.mean[c])} ± {percent(each.std[c])}" for each in both.values()),
                )
                for c in order
            ],
        )
