"""Show regression on pages: numbers, intervals and standard deviations of targets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import as_predictions, column
from mcviz.analysis.comparison import Comparison
from mcviz.app.components.charts import chart
from mcviz.app.components.choosers import target_chooser
from mcviz.app.components.explanation import Explanation, render_explanation
from mcviz.app.inputs import Along
from mcviz.app.kinds import kind_renderer
from mcviz.app.navigation import load_state
from mcviz.app.needs import has
from mcviz.app.resources import run_numbers, run_scores, table, target_names
from mcviz.app.selection import Selection
from mcviz.app.state import PageState
from mcviz.app.tasks.base import (
    CloserLook,
    Evidence,
    ExampleContext,
    GroupMeasure,
    QualityWords,
    SweepFindings,
    TaskRenderer,
    TileText,
)
from mcviz.app.tasks.regression_prediction import Prediction, first_targets, predict_example
from mcviz.app.tasks.regression_results import render_measures
from mcviz.app.tasks.regression_story import RegressionStory
from mcviz.app.wording import as_markdown, counted
from mcviz.figures import (
    Curve,
    curves_along,
    output_by_passes,
)
from mcviz.figures.style import ENSEMBLE
from mcviz.figures.sweeps import score_comparison
from mcviz.measures import regression_scores, significant
from mcviz.measures.registry import format_with_unit
from mcviz.measures.regression import predictive_variance
from mcviz.runs import Run
from mcviz.text import one_line

DOUBT = "predictive_std"  # which every run has: what the passes add, whether variances are predicted or not
SMALL_CHART_HEIGHT = 260  # pixels, of a chart among others


class RegressionRenderer(TaskRenderer):
    """See `TaskRenderer`; K is what a pass predicts of D targets."""

    ood_score = DOUBT
    group_measure = GroupMeasure("absolute_error", "mean absolute error", is_share=False, low_is_bad=False)
    quality_words = QualityWords("RMSE", "differ", "The error of the ensemble is lower than that of {}.", "1%")
    sweep_subject = "what is predicted, how far the passes differ"
    story = RegressionStory()

    # The whole run

    def tolerance(self, ensemble: float) -> float:
        return 0.01 * ensemble

    def format_quality(self, value: float, unit: str) -> str:
        return format_with_unit(value, unit)

    def render_overview(self, run: Run) -> None:
        super().render_overview(run)
        render_measures(run)

    def quality_rows(self, run: Run) -> dict[str, str]:
        return {name: f"RMSE {value}" for name, value in super().quality_rows(run).items()}

    # Lists

    def tile_text(self, run: Run, row: Mapping[Any, Any]) -> TileText:
        """Return the predicted numbers, and the true ones where they are known; of many targets the first."""
        predictions, labels = (
            [row[column(run, name, target)] for target in range(len(run.targets))] for name in ("prediction", "label")
        )
        return TileText(
            first_targets(predictions, one_line(run.manifest.unit)),
            first_targets(labels) if has(run, "labels") else "",
        )

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
        render_explanation("explanation-sentences", {"sentences": _sentences(context, prediction)})
        prediction.render_table(_labels(context))

    def render_charts(self, context: ExampleContext) -> None:
        """Render the passes of a target as a histogram, with interval and label."""
        prediction = _prediction(context)
        st.header("What the passes predict", anchor=False)
        target_chooser(context.run, context.state)
        prediction.render_caption()
        _render_histogram(context, prediction, "example-passes")

    def explain(self, context: ExampleContext) -> Explanation:
        """Return the same words."""
        return {"sentences": _sentences(context, _prediction(context))}

    def render_preview(self, context: ExampleContext) -> None:
        """Render the passes of a target."""
        _render_histogram(context, _prediction(context), "look-passes", SMALL_CHART_HEIGHT)

    def render_pinned(self, context: ExampleContext) -> None:
        """Render the prediction in words, and the passes of a target."""
        prediction = _prediction(context)
        st.markdown(prediction.describe())
        st.caption(prediction.describe_interval(context.state.target, _label(context)))
        _render_histogram(context, prediction, f"passes-{context.example}", SMALL_CHART_HEIGHT)

    def closer_looks(self) -> dict[str, CloserLook]:
        return {"passes": CloserLook("Enough passes?", _render_convergence)}

    # New inputs

    def describe_prediction(self, run: Run, predictions: np.ndarray) -> str:
        return self._predict(run, predictions).describe()

    def render_probe(self, run: Run, predictions: np.ndarray, label: int | None, key: str) -> None:
        """Render the passes of a target as a histogram, and the parts of the uncertainty."""
        prediction, state = self._predict(run, predictions), load_state(run)
        st.header("What the passes predict", anchor=False)
        target_chooser(run, state)
        prediction.render_caption()
        prediction.render_histogram(state.target, f"{key}-passes")
        st.markdown(prediction.describe_uncertainty(state.target))

    def render_prediction_table(self, run: Run, predictions: np.ndarray) -> None:
        self._predict(run, predictions).render_table()

    def render_curves(self, run: Run, along: Along, predictions: np.ndarray) -> None:
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

    def render_sweep(self, run: Run, state: PageState, sweep: SweepFindings) -> None:
        """Render the input whose passes differ the most, and the predictions beside those of the run's examples."""
        name, kind = column(run, "prediction", state.target), sweep.inputs.kind
        left, right = st.columns([2, 3], gap="large")
        with left:
            st.markdown("**Where the passes differ the most**")
            if sweep.worst < 0:
                st.caption("Nowhere: all passes predict the same.")
            else:
                spoken = f"The one of the {kind} with the most uncertain prediction"
                kind_renderer(run).render_input(run, sweep.worst_content, spoken)
                score = run_scores(run)[DOUBT]
                values = [sweep.scores[column(run, "prediction", t)][sweep.worst] for t in range(len(run.targets))]
                st.caption(
                    f"The ensemble predicts **{as_markdown(first_targets(values, run.manifest.unit))}**, with a "
                    f"predictive std of {as_markdown(score.format(float(sweep.scores[DOUBT][sweep.worst])))}."
                )
        with right:
            st.markdown("**Predictions of the ensemble**")
            own, label = table(run)[name].to_numpy(), run_numbers(run)[name].label
            figure = score_comparison(own, sweep.scores[name], label, kind)
            chart(figure, "sweep-predictions", " ".join(self.describe_sweep(run, sweep)))

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

    # Two runs, and files to take away

    def render_example_of_both(self, context: ExampleContext, found: Comparison) -> None:
        """Render each run's prediction in a sentence, and the passes of a target."""
        state, there = context.state, found.pairs.other[found.pairs.find(context.example)]
        target_chooser(context.run, state)
        for run, passes in ((found.one, context.predictions), (found.other, found.other.predictions(int(there)))):
            prediction = predict_example(run, passes, state.coverage)
            st.markdown(f"**{as_markdown(run.name)}**: {prediction.describe()}")
        figure = plot.example(found, context.example, target=state.target)
        chart(figure, "example-in-both", "Histograms of the passes of both runs.")

    def summary_figures(self, selection: Selection) -> list[go.Figure]:
        run = selection.run
        distribution = plot.distribution(run, selection.score, rows=selection.table)
        if not has(run, "labels"):
            return [distribution]
        coverage = plot.intervals(run, selection.state.target)
        return [plot.accuracy(run), plot.ensemble_size(run), distribution, coverage]

    def _predict(self, run: Run, predictions: np.ndarray) -> Prediction:
        return predict_example(run, predictions, load_state(run).coverage)


def _prediction(context: ExampleContext) -> Prediction:
    return predict_example(context.run, context.predictions, context.state.coverage)


def _labels(context: ExampleContext) -> np.ndarray | None:
    """Return (D,) the true values, or None."""
    if not has(context.run, "labels"):
        return None
    names = [column(context.run, "label", target) for target in range(len(context.run.targets))]
    return context.row[names].to_numpy(np.float64)


def _label(context: ExampleContext) -> float | None:
    labels = _labels(context)
    return None if labels is None else float(labels[context.state.target])


def _sentences(context: ExampleContext, prediction: Prediction) -> list[str]:
    target = context.state.target
    interval, uncertainty = prediction.describe_interval, prediction.describe_uncertainty
    return [prediction.describe(), interval(target, _label(context)), *uncertainty(target).splitlines()]


def _render_histogram(context: ExampleContext, prediction: Prediction, key: str, height: int | None = None) -> None:
    target, deterministic = context.state.target, context.run.deterministic_predictions
    prediction.render_histogram(
        target,
        key,
        deterministic=None if deterministic is None else float(deterministic[context.example, target]),
        label=_label(context),
        height=height,
    )


def _render_convergence(context: ExampleContext) -> None:
    """Render how the mean changes as passes are added."""
    st.caption("The mean of the first 1, 2, … passes, with two standard errors. A flat line: there are enough passes.")
    outputs = _prediction(context).outputs[:, context.state.target]
    figure = output_by_passes(outputs, _label(context), context.run.manifest.unit)
    chart(figure, "estimate", f"The predictive mean over {counted(len(outputs), 'pass')}.")
