"""Show regression on pages: numbers, intervals and standard deviations of targets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import LEAST_LABELLED, as_predictions, column, group_sentence
from mcviz.analysis.comparison import Comparison
from mcviz.analysis.intervals import calibrate_intervals
from mcviz.analysis.quality_trust import QualityTrust, measure_quality
from mcviz.analysis.terms import load_terms
from mcviz.app.components import MOST_STRIPS, Explanation, chart, render_explanation, text_table
from mcviz.app.intervals import render_coverage
from mcviz.app.kinds import EXAMPLE_WIDTH, render_example
from mcviz.app.kinds.base import ProbeInput, SliderSeries
from mcviz.app.navigation import load_state, target_chooser
from mcviz.app.resources import (
    cached_for_run,
    has,
    numbers_key,
    ranking,
    run_numbers,
    run_scores,
    table,
    target_names,
)
from mcviz.app.selection import Selection
from mcviz.app.state import COVERAGES, PageState
from mcviz.app.tasks.base import (
    CloserLook,
    Evidence,
    ExampleContext,
    Phrases,
    Step,
    Story,
    SweepFindings,
    TaskRenderer,
    TileText,
    noise_steps,
    pass_quality,
    predicted_again,
    render_ensemble_sizes,
    render_large,
    review_step,
    side_by_side,
)
from mcviz.app.wording import all_as_markdown, as_inline_markdown, as_markdown, counted
from mcviz.app.work import progress_bar
from mcviz.figures import (
    Curve,
    curves_along,
    output_by_passes,
)
from mcviz.figures.style import ENSEMBLE
from mcviz.figures.sweeps import score_comparison
from mcviz.measures import regression_scores
from mcviz.measures.conformal import pass_intervals
from mcviz.measures.quality import INTERVAL
from mcviz.measures.regression import (
    FEWEST_UNBOUNDED,
    predictive_variance,
)
from mcviz.measures.scores import HISTOGRAM_BINS
from mcviz.runs import Run, labelled_examples
from mcviz.text import format_with_unit, make_target_names, one_line, percent, significant

NAMED_TARGETS = 3  # of an example, where there is room for a line

OUT_OF_TOLERANCE = "out-of-tolerance error"
DOUBT = "predictive_std"  # which every run has: what the passes add, whether variances are predicted or not

ENOUGH = 0.01  # of the RMSE: what more passes change of it does not matter
SMALL_CHART_HEIGHT = 260  # pixels, of a chart among others


@cached_for_run(numbers_key, max_entries=8, show_spinner="Computing the intervals …")
def regression_trust(run: Run) -> QualityTrust:
    """Compute the figures of `mcviz trust` for a run with labels, except slices."""
    with progress_bar("groups of examples measured") as progress:
        return measure_quality(run, progress=progress)


@cached_for_run(numbers_key, max_entries=8, show_spinner="Computing the intervals …")
def _held_share(run: Run) -> float:
    return float(load_terms(run)["ensemble"]["held"].mean())


def render_errors(run: Run, _state: PageState) -> None:
    """Render whether intervals hold, what the ensemble gains, and every measure of each way to predict."""
    trust = regression_trust(run)
    intervals, *gains = map(as_markdown, trust.sentences)
    st.markdown(f"**{intervals}** {' '.join(gains)}")
    (_, *predictors), *rows = zip(*trust.text_rows, strict=True)
    text_table(("measure", *predictors), map(all_as_markdown, rows))
    few = f"Fewer than {FEWEST_UNBOUNDED} are too few for it. " if run.manifest.labelled < FEWEST_UNBOUNDED else ""
    st.caption(
        f"Lower errors are better; in brackets the 95% interval over other examples of the same kind. {few}RMSE "
        "weighs large errors most, MAE all alike. NLL (negative log likelihood) and CRPS compare the whole "
        "predicted distribution with the label. They are low where a model is both right and honest. "
        f"{as_markdown(group_sentence(run, None))}"
    )


class Prediction:
    """The prediction for one example of a run or a new one, (D,) each, in the unit of the targets.

    Attributes:
        run: whose model predicts.
        predictions: (T, K) of the passes.
        coverage: of the interval, in percent.
        labels: the true values, where the example is one of the run and they are known.
        deterministic: the prediction of the deterministic model, where it is one of the run and that is known.
        outputs: (T, D) the mean that each pass predicts.
        variances: (T, D) the variance that each pass predicts, or None.
        mean: of the predictive distribution.
        std: of it: what the passes differ by, and what they expect.
        model_std: what the passes differ by: model (epistemic) uncertainty.
        data_std: what they expect: data (aleatoric) uncertainty; None where no variance is predicted.
        low: lower ends of its central interval.
        high: upper ends.
    """

    def __init__(self, run: Run, predictions: np.ndarray, coverage: int, example: int | None = None) -> None:
        self.run, self.predictions, self.coverage = run, predictions, coverage
        labels, deterministic = run.labels, run.deterministic_predictions
        label = None if example is None or labels is None else labels[example].astype(np.float64)
        self.labels = None if label is None or not np.isfinite(label).all() else label
        self.deterministic = None if example is None or deterministic is None else deterministic[example]
        given = as_predictions(run, predictions[:, None])
        interval = pass_intervals(given, coverage / 100)
        self.outputs = given.outputs[:, 0]
        self.variances = None if given.variances is None else given.variances[:, 0]
        self.mean = self.outputs.mean(axis=0, dtype=np.float64)
        self.std = np.sqrt(predictive_variance(given.outputs, given.variances)[0])
        self.model_std = np.sqrt(predictive_variance(given.outputs)[0])
        self.data_std = None if self.variances is None else np.sqrt(self.variances.mean(axis=0, dtype=np.float64))
        self.low, self.high = interval.low[0], interval.high[0]

    def describe(self) -> str:
        """Describe the prediction in Markdown."""
        unit = self.run.manifest.unit
        values = [
            f"**{as_markdown(with_std(*mean_and_std, unit))}**"
            for mean_and_std in zip(self.mean, self.std, strict=True)
        ]
        if len(values) > 1:
            names = all_as_markdown(target_names(self.run))
            values = [f"{value} for {name}" for value, name in zip(values, names, strict=True)]
        more = f" and {len(values) - NAMED_TARGETS} more targets" if len(values) > NAMED_TARGETS else ""
        return f"The ensemble predicts {', '.join(values[:NAMED_TARGETS])}{more}."

    def describe_interval(self, target: int) -> str:
        """Describe a target's interval, and whether it holds a known label."""
        run, unit, low, high = self.run, self.run.manifest.unit, self.low[target], self.high[target]
        ends = as_markdown(f"{significant(low)} to {format_with_unit(high, unit)}")
        interval = f"{self.coverage}% interval of the predictive distribution"
        of = f" of {as_markdown(target_names(run)[target])}" if len(run.targets) > 1 else ""
        if self.labels is None:
            return f"The {interval}{of} is {ends}."
        label = float(self.labels[target])
        holds = "holds it" if low <= label <= high else "does **not** hold it"
        away = as_markdown(format_with_unit(abs(self.mean[target] - label), unit))
        known = as_markdown(format_with_unit(label, unit))
        return f"The label{of} is **{known}**, {away} away: the {interval}, {ends}, {holds}."

    def describe_uncertainty(self, target: int) -> str:
        """List how much of a target's uncertainty is the model's and how much is in the data, in Markdown."""
        unit, model = self.run.manifest.unit, float(self.model_std[target])
        differ = "- **Model (epistemic) uncertainty**: " + (
            f"± {as_markdown(format_with_unit(float(f'{model:.3g}'), unit))}, by which the passes differ."
            if model > 0
            else "none, all passes predict the same."
        )
        if self.data_std is None:
            return f"{differ} This model predicts no variance: how far labels scatter by themselves is not in it."
        data = float(self.data_std[target])
        scatter = as_markdown(format_with_unit(float(f"{data:.3g}"), unit))
        share = data**2 / (data**2 + model**2)
        return (
            f"{differ}\n"
            f"- **Data (aleatoric) uncertainty**: ± {scatter}, which the passes expect on average.\n"
            f"- The model puts {percent(share, 0)} of the variance down to the data and the rest to itself. That is "
            "its own guess: with more training examples it may turn out otherwise."
        )

    def sentences(self, target: int) -> list[str]:
        """Describe prediction, interval and parts of uncertainty, in Markdown."""
        uncertainty = self.describe_uncertainty(target).splitlines()
        return [self.describe(), self.describe_interval(target), *uncertainty]

    def strips(self) -> dict[str, Any]:
        """Return a histogram of the passes for each of the first targets, as `Explanation.histograms`."""
        panels, names = [], target_names(self.run)
        for target, name in enumerate(names[:MOST_STRIPS]):
            values = self.outputs[:, target].astype(np.float64)
            low, high = float(values.min()), float(values.max())
            counts, _ = np.histogram(values, HISTOGRAM_BINS, (low, high) if low < high else (low - 0.5, high + 0.5))
            bins = np.flatnonzero(counts)
            ends = f"{significant(float(f'{low:.3g}'))} to {significant(float(f'{high:.3g}'))}"
            panels.append(
                {
                    "name": name,
                    "role": "",
                    "colour": ENSEMBLE,
                    "bins": bins.tolist(),
                    "counts": counts[bins].tolist(),
                    "mean": (float(values.mean()) - low) / (high - low) if low < high else 0.5,
                    "value": ends,
                    "spoken": f"{name}: the passes predict {ends}.",
                }
            )
        left = len(names) - len(panels)
        return {
            "passes": len(self.outputs),
            "spoken": f"Histograms of the passes. {self.describe()}".replace("**", ""),
            "panels": panels,
            "strips": list(range(len(panels))),
            "rest": f"{counted(left, 'more target')}." if left else "",
            "axis": f"{counted(len(self.outputs), 'pass')}, from the lowest to the highest; the line is the mean.",
        }

    def render_table(self) -> None:
        """Render a row a target: mean, std, interval, known label."""
        columns = {
            "target": all_as_markdown(target_names(self.run)),
            "prediction": list(map(significant, self.mean)),
            "std": [significant(float(f"{std:.3g}")) for std in self.std],
            f"{self.coverage}% interval": [
                f"{significant(low)} to {significant(high)}" for low, high in zip(self.low, self.high, strict=True)
            ],
        }
        if self.labels is not None:
            columns["label"] = list(map(significant, self.labels))
        unit = f", in {as_markdown(self.run.manifest.unit)}" if self.run.manifest.unit else ""
        st.markdown(f"**{'Each target' if len(self.mean) > 1 else 'The target'}, over all passes{unit}**")
        text_table(list(columns), zip(*columns.values(), strict=True))

    def render_histogram(self, target: int, key: str, height: int | None = None) -> None:
        """Render the passes of a target with the interval; one of `height` pixels stands among others."""
        figure = plot.passes(
            self.run,
            self.predictions,
            label=None if self.labels is None else float(self.labels[target]),
            deterministic=None if self.deterministic is None else float(self.deterministic[target]),
            target=target,
            coverage=self.coverage / 100,
        )
        if height:
            figure.update_layout(height=height, showlegend=False)
        chart(figure, key, f"Histogram of {counted(len(self.outputs), 'pass')}. {self.describe()}")

    def render_caption(self) -> None:
        """Render the histogram's caption."""
        curve = " The line is the predictive distribution: the passes with their spread."
        st.caption(
            f"One histogram of {counted(len(self.outputs), 'pass')}. The band is the {self.coverage}% interval of the "
            f"predictive distribution.{'' if self.variances is None else curve}"
        )


def first_targets(values: Sequence[float], unit: str = "") -> str:
    """Write a number for each of the first targets, as one line."""
    digits = 4 if len(values) == 1 else 3
    texts = [significant(float(f"{value:.{digits}g}")) for value in values[:NAMED_TARGETS]]
    return f"{', '.join(texts)}{' …' if len(values) > NAMED_TARGETS else ''} {unit}".rstrip()


def with_std(mean: float, std: float, unit: str) -> str:
    """Write a mean and a standard deviation, such as "152.3 ± 24.1 mg/dl"."""
    return format_with_unit(mean, f"± {format_with_unit(float(f'{std:.3g}'), unit)}")


class RegressionStory(Story):
    """The steps of a regression: a number, its passes, whether intervals hold, a wide one, noise, the review."""

    def steps(self, run: Run, *, live: bool = True) -> list[Callable[[Run], Step]]:
        """Return the steps for a run; some need labels, and noise a kind that has it."""
        holds, review = ([self.holds], [self.review]) if has(run, "labels") else ([], [])
        noise = noise_steps(run, "there is nothing to be predicted.", self.noise_prediction) if live else []
        return [self.sure, self.unsure, *holds, self.cause, *noise, *review]

    def sure(self, run: Run) -> Step:
        """Return the step on the number for the example whose passes differ least."""
        example = int(ranking(run, DOUBT)[-1])
        given = run.mean_predictions if run.deterministic_predictions is None else run.deterministic_predictions
        number = _number(run, given[example])
        return Step(
            "A regression gives a number, and no more.",
            side_by_side(lambda: render_example(run, example, EXAMPLE_WIDTH), lambda: render_large(number)),
            f"The model predicts {number}. How far that can be trusted, it does not say.",
            (example,),
        )

    def unsure(self, run: Run) -> Step:
        """Return the step on the example, and its target, about which the passes differ the most."""
        example, prediction, target = self._least_sure(run, DOUBT)
        outputs, mean = prediction.outputs[:, target], _number(run, prediction.mean, target)
        draw = side_by_side(
            lambda: render_example(run, example, EXAMPLE_WIDTH), lambda: _render_passes(prediction, target, "again")
        )
        if outputs.min() == outputs.max():
            more = f"Each pass predicts {mean} here, and the passes agree on every example of this run."
            return Step("Predict it again, and the number stays the same.", draw, more, (example,))
        ends = as_markdown(f"{significant(outputs.min())} to {format_with_unit(outputs.max(), run.manifest.unit)}")
        more = (
            f"{predicted_again(run)}, it is **{ends}**. The mean of the passes is {mean}. "
            f"{prediction.describe_interval(target)}"
        )
        return Step("Predict it again, and the number changes.", draw, more, (example,))

    def holds(self, run: Run) -> Step:
        """Return the step on whether the intervals of the first target hold as many labels as they promise."""
        calibrations = _interval_calibrations(run)
        found = calibrations[0]
        at = int(np.argmin(np.abs(found.nominal - COVERAGES[0] / 100)))
        nominal, held = found.nominal[at], found.observed[at]
        said = f"The {percent(nominal, 0)} intervals hold **{percent(held)}** of the labels."
        spoken = said.replace("**", "")
        if found.high[at] < nominal:
            more = "They promise more: the model is surer than it should be."
        elif found.low[at] > nominal:
            more = "They promise less: the intervals are wider than they need to be."
        else:
            more = "That is as many as they promise, as far as these labels can tell."
        return Step(said, lambda: chart(plot.intervals(run, found=calibrations), "holds", spoken), more)

    def cause(self, run: Run) -> Step:
        """Return the step on how much of the widest interval is the model's, and how much is in the data."""
        example, prediction, target = self._least_sure(run, run.first_score)
        if prediction.data_std is None:
            headline = "An interval is as wide as the passes differ."
        elif prediction.data_std[target] > prediction.model_std[target]:
            headline = "This interval is wide since the data scatter."
        else:
            headline = "This interval is wide since the passes differ."

        def render_parts() -> None:
            st.markdown(prediction.describe_uncertainty(target))

        draw = side_by_side(lambda: render_example(run, example, EXAMPLE_WIDTH), render_parts)
        return Step(headline, draw, prediction.describe_interval(target), (example,))

    def review(self, run: Run) -> Step:
        """Return the step on how many of the largest errors are among the examples of the most uncertainty."""
        score = run_scores(run)[run.first_score]
        mistake = RegressionRenderer.phrases.for_run(run).mistake
        return review_step(run, score.name, mistake, f" by {score.inline_label}")

    def noise_prediction(self, run: Run, predictions: np.ndarray) -> Step:
        """Return the step on noise, of its (T, K) predictions."""
        prediction = Prediction(run, predictions, COVERAGES[0])
        less = float(np.mean(table(run)[DOUBT].to_numpy() < np.sqrt((prediction.model_std**2).sum())))
        value = as_markdown(with_std(prediction.mean[0], prediction.std[0], run.manifest.unit))
        return Step(
            "This is noise, and the model still predicts a number.",
            lambda: _render_passes(prediction, 0, "noise"),
            f"Nothing is there to be predicted, and it gives **{value}**{_of_target(run, 0)}: its passes differ more "
            f"than for {percent(less, 0)} of the examples.",
        )

    def _least_sure(self, run: Run, score: str) -> tuple[int, Prediction, int]:
        example = int(ranking(run, score)[0])
        prediction = Prediction(run, run.predictions(example), COVERAGES[0], example)
        return example, prediction, int(prediction.std.argmax())


_interval_calibrations = cached_for_run(numbers_key, max_entries=4)(calibrate_intervals)


def _render_passes(prediction: Prediction, target: int, key: str) -> None:
    prediction.render_caption()
    prediction.render_histogram(target, key)


def _number(run: Run, values: np.ndarray, target: int = 0) -> str:
    return f"**{as_markdown(format_with_unit(float(values[target]), run.manifest.unit))}**{_of_target(run, target)}"


def _of_target(run: Run, target: int) -> str:
    name = target_names(run)[target]
    return f" for {as_markdown(name)}" if name not in make_target_names(1) else ""


def _predict(run: Run, predictions: np.ndarray) -> Prediction:
    return Prediction(run, predictions, load_state(run).coverage)


@dataclass(frozen=True)
class RegressionPhrases(Phrases):
    """The words of numbers."""

    def for_run(self, run: Run) -> Self:
        if not run.task.loss.is_mistake:
            return self
        return replace(self, mistake=OUT_OF_TOLERANCE, only_mistake=f"the only {OUT_OF_TOLERANCE}")

    def _describe_promise(self, run: Run) -> str:
        if run.manifest.labelled < LEAST_LABELLED:
            return ""
        labels = labelled_examples(run).labels
        assert labels is not None
        guessed = format_with_unit(float(np.sqrt(labels.astype(np.float64).var(axis=0).mean())), run.manifest.unit)
        of = _of_target(run, 0) if len(run.targets) == 1 else f", over {counted(len(run.targets), 'target')}"
        mean = f"{of}; {as_inline_markdown(guessed)} by always saying the mean"
        return f"{mean}; {INTERVAL:.0%} intervals hold **{percent(_held_share(run))}** of the labels"

    def describe_disagreement(self, run: Run) -> str:
        stds, unit = table(run)[DOUBT], run.manifest.unit
        middle, most = (
            as_inline_markdown(format_with_unit(float(f"{std:.3g}"), unit)) for std in (stds.median(), stds.max())
        )
        return f"the predictive std is **{middle}** at the median and {most} at most"

    def tile_text(self, run: Run, row: Mapping[Any, Any]) -> TileText:
        """Return predicted and known true numbers; of many targets the first."""
        predictions, labels = (
            [row[column(run, name, target)] for target in range(len(run.targets))] for name in ("prediction", "label")
        )
        return TileText(
            first_targets(predictions, one_line(run.manifest.unit)),
            first_targets(labels) if np.isfinite(labels).all() else "",
        )

    def describe_prediction(self, run: Run, predictions: np.ndarray) -> str:
        return _predict(run, predictions).describe()

    def describe_worst(self, run: Run, sweep: SweepFindings) -> str:
        values = [sweep.scores[column(run, "prediction", t)][sweep.worst] for t in range(len(run.targets))]
        std = run_scores(run)[DOUBT].format(float(sweep.scores[DOUBT][sweep.worst]))
        return (
            f"The ensemble predicts **{as_markdown(first_targets(values, run.manifest.unit))}**, with a predictive std "
            f"of {as_markdown(std)}."
        )

    def describe_sweep(self, run: Run, sweep: SweepFindings) -> list[str]:
        """Say between which ends the predictions of the first target lie."""
        values, name, unit = sweep.scores[column(run, "prediction", 0)], target_names(run)[0], run.manifest.unit
        of = f" for {name}" if len(run.targets) > 1 else ""
        if sweep.done == 1:
            kind = sweep.inputs.kind.removesuffix("s")
            return [f"For 1 {kind} the model predicts {format_with_unit(values[0], unit)}{of}."]
        ends = f"{significant(values.min())} to {format_with_unit(values.max(), unit)}"
        average = f"on average {format_with_unit(values.mean(), unit)}"
        return [f"For {sweep.done:,} {sweep.inputs.kind} the model predicts {ends}, {average}{of}."]


class RegressionRenderer(TaskRenderer):
    """Shows a regression; K numbers of D targets a pass."""

    ood_score = DOUBT
    phrases = RegressionPhrases(
        quality="off by {} (RMSE)",
        beats="The error of the ensemble is lower than that of {}.",
        group_column="absolute_error",
        group="mean absolute error",
        mistake="largest error",
        only_mistake="the largest error",
        least_sure="that it is most uncertain of",
        prominent_first="the most uncertain first",
        worst_heading="Where the passes differ the most",
        no_worst="Nowhere: all passes predict the same.",
        worst_clause="the most uncertain prediction",
    )
    story = RegressionStory()

    # The whole run

    def render_passes(self, run: Run, state: PageState) -> None:
        """Render how the error of the mean changes as passes are added."""
        quality = pass_quality(run)
        assert quality is not None
        step = ENOUGH * float(quality.ensembles[-1])
        render_ensemble_sizes(run, state, quality.ensembles, step, "RMSE", f"{ENOUGH:.0%}")

    def render_calibration(self, run: Run, state: PageState, group: str | None) -> None:
        """Render how many labels intervals hold, also by size of the prediction."""
        render_coverage(run, state, group)

    def render_measures(self, run: Run) -> None:
        st.header("How wrong it is, by other measures", anchor=False)
        if run.manifest.labelled < LEAST_LABELLED:
            st.caption("One example is too few to tell how wrong the model is.")
        else:
            render_errors(run, load_state(run))

    # Lists

    def table_columns(self, selection: Selection, most: int) -> dict[str, Any]:
        """Return true and predicted values, by the names that exports have, too."""
        run, rows = selection.run, selection.first(most)
        kinds = ["label", "prediction"] if has(run, "labels") else ["prediction"]
        names = [column(run, kind, target) for target in range(len(run.targets)) for kind in kinds]
        return {one_line(name): rows[name].to_numpy() for name in names}

    # One example

    def render_summary(self, context: ExampleContext) -> None:
        """Render prediction, label and interval in words, the parts of the uncertainty, and all targets in a table."""
        prediction = _prediction(context)
        render_explanation("explanation-sentences", {"sentences": prediction.sentences(context.state.target)})
        prediction.render_table()

    def render_charts(self, context: ExampleContext) -> None:
        """Render the passes of a target as a histogram, with interval and label."""
        prediction = _prediction(context)
        st.header("What the passes predict", anchor=False)
        target_chooser(context.run, context.state)
        prediction.render_caption()
        prediction.render_histogram(context.state.target, "example-passes")

    def explain(self, context: ExampleContext) -> Explanation:
        """Return the same words."""
        return {"sentences": _prediction(context).sentences(context.state.target)}

    def explain_alone(self, context: ExampleContext) -> Explanation:
        """Return the same words, and a histogram a target."""
        return {**self.explain(context), "histograms": _prediction(context).strips()}

    def render_preview(self, context: ExampleContext) -> None:
        """Render the passes of a target."""
        _prediction(context).render_histogram(context.state.target, "look-passes", SMALL_CHART_HEIGHT)

    def render_pinned(self, context: ExampleContext) -> None:
        """Render the prediction in words, and the passes of a target."""
        prediction, target = _prediction(context), context.state.target
        st.markdown(prediction.describe())
        st.caption(prediction.describe_interval(target))
        prediction.render_histogram(target, f"passes-{context.example}", SMALL_CHART_HEIGHT)

    def closer_looks(self) -> dict[str, CloserLook]:
        return {"passes": CloserLook("Enough passes?", _render_convergence)}

    # New inputs

    def render_probe(self, run: Run, chosen: ProbeInput, predictions: np.ndarray, key: str) -> None:
        """Render the passes of a target as a histogram, the parts of the uncertainty, and all targets in a table."""
        prediction, state = _predict(run, predictions), load_state(run)
        st.header("What the passes predict", anchor=False)
        target_chooser(run, state)
        prediction.render_caption()
        prediction.render_histogram(state.target, f"{key}-passes")
        st.markdown(prediction.describe_uncertainty(state.target))
        prediction.render_table()

    def render_curves(self, run: Run, along: SliderSeries, predictions: np.ndarray) -> None:
        """Render the predictive mean of a target with the std of the predictive distribution."""
        given, target, unit = as_predictions(run, predictions), load_state(run).target, run.manifest.unit
        mean = given.outputs.mean(axis=0, dtype=np.float64)[:, target]
        std = np.sqrt(predictive_variance(given.outputs, given.variances))[:, target]
        name = target_names(run)[target]
        st.caption("What the ensemble predicts at each position, and one standard deviation to either side.")
        figure = curves_along(
            along.amounts,
            [Curve(name, mean, ENSEMBLE, (mean - std, mean + std))],
            title=along.title,
            tick_format=along.tick_format,
            current=along.current,
            value_title=f"{name}, {unit}" if unit else name,
        )
        ends = f"{significant(mean[0])} to {format_with_unit(mean[-1], unit)}"
        chart(figure, "along-the-slider", f"Predictions along the slider {one_line(along.title)}: {ends}.")

    def choose_evidence(self, run: Run, state: PageState, predictions: np.ndarray) -> Evidence:
        """Render a choice of the target."""
        target_chooser(run, state)
        name = target_names(run)[state.target]
        return Evidence(
            state.target, f"a high {name}", f"the predicted {as_markdown(name)}", 1, one_line(run.manifest.unit) or name
        )

    def compute_scores(self, run: Run, predictions: np.ndarray) -> dict[str, np.ndarray]:
        given = as_predictions(run, predictions)
        means = given.outputs.mean(axis=0, dtype=np.float64).T
        predicted = {column(run, "prediction", target): mean for target, mean in enumerate(means)}
        return {**predicted, **regression_scores(given)}

    def prominence(self, scores: Mapping[str, np.ndarray], correct: np.ndarray) -> np.ndarray:
        """Return how far the passes differ."""
        return scores[DOUBT]

    def sweep_figure(self, run: Run, state: PageState, sweep: SweepFindings) -> go.Figure:
        """Return the predictions beside those of the run's examples."""
        name = column(run, "prediction", state.target)
        own, label = table(run)[name].to_numpy(), run_numbers(run)[name].label
        return score_comparison(own, sweep.scores[name], label, sweep.inputs.kind)

    # Two runs, and files to take away

    def render_example_of_both(self, context: ExampleContext, comparison: Comparison) -> None:
        """Render each run's prediction in a sentence, and the passes of a target."""
        state, there = context.state, comparison.pairs.other[comparison.pairs.find(context.example)]
        target_chooser(context.run, state)
        for run, passes in (
            (comparison.one, context.predictions),
            (comparison.other, comparison.other.predictions(int(there))),
        ):
            prediction = Prediction(run, passes, state.coverage)
            st.markdown(f"**{as_markdown(run.name)}**: {prediction.describe()}")
        figure = plot.example(comparison, context.example, target=state.target)
        chart(figure, "example-in-both", "Histograms of the passes of both runs.")


def _prediction(context: ExampleContext) -> Prediction:
    return Prediction(context.run, context.predictions, context.state.coverage, context.example)


def _render_convergence(context: ExampleContext) -> None:
    st.caption("The mean of the first 1, 2, … passes, with two standard errors. A flat line: there are enough passes.")
    prediction, target = _prediction(context), context.state.target
    outputs, label = prediction.outputs[:, target], None if prediction.labels is None else prediction.labels[target]
    figure = output_by_passes(outputs, label, context.run.manifest.unit)
    chart(figure, "estimate", f"The predictive mean over {counted(len(outputs), 'pass')}.")
