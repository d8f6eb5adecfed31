"""The story of a regression: from a number alone to noise."""

import numpy as np

from mcviz import plot
from mcviz.analysis.base import REVIEWED_SHARE, mistakes_in_order
from mcviz.app.components.charts import chart
from mcviz.app.components.example import EXAMPLE_WIDTH, render_example
from mcviz.app.needs import missing
from mcviz.app.resources import ranking, run_scores, table, target_names
from mcviz.app.state import COVERAGES
from mcviz.app.tasks.regression_prediction import Prediction, predict_example, with_std
from mcviz.app.tasks.story import Step, Story, review_step, side_by_side
from mcviz.app.wording import as_markdown, counted
from mcviz.errors import McvizError
from mcviz.measures import percent, significant
from mcviz.measures.registry import format_with_unit
from mcviz.measures.regression import single_pass_rmse
from mcviz.runs import Run

DOUBT = "predictive_std"  # which every run has: what the passes add, whether variances are predicted or not


class RegressionStory(Story):
    """See `Story`."""

    no_answer = "there is nothing to be predicted."

    def one_prediction(self, run: Run) -> Step:
        example = int(ranking(run, DOUBT)[-1])
        return (
            f"A regression gives a number: {_number(run, example)}. How far it can be trusted, it does not say.",
            lambda: render_example(run, example, EXAMPLE_WIDTH),
        )

    def all_passes(self, run: Run) -> Step:
        """Return the step on the example, and its target, about which the passes differ the most."""
        example = int(ranking(run, DOUBT)[0])
        prediction = predict_example(run, run.predictions(example), COVERAGES[0])
        target = int(prediction.model_std.argmax())
        outputs, number = prediction.outputs[:, target], f"Here it gives one too: {_number(run, example, target)}."
        draw = side_by_side(
            lambda: render_example(run, example, EXAMPLE_WIDTH), lambda: _render_passes(prediction, target, "again")
        )
        if outputs.min() == outputs.max():
            return f"{number} Each pass predicts the same, for every example of this run.", draw
        imported = run.manifest.origin.kind == "imported"
        each_time = f"{len(outputs)} times over" if imported else "each time with other units dropped"
        ends = as_markdown(f"{significant(outputs.min())} to {format_with_unit(outputs.max(), run.manifest.unit)}")
        return f"{number} But predict it again, {each_time}, and you get **{ends}**.", draw

    def review(self, run: Run) -> Step:
        """Return the step on how many of the largest errors are among the examples of the most uncertainty.

        That is the whole uncertainty where it is known.
        """
        score = run_scores(run)[run.first_score]
        order = ranking(run, score.name)
        large = mistakes_in_order(run, order)
        largest = f"the {counted(max(1, int(REVIEWED_SHARE * len(order))), 'largest error')}"
        return review_step(run, score.name, order, large, "largest error", largest, f" by {score.inline_label}")

    def ensemble(self, run: Run) -> Step:
        """Return the step on the errors of single passes and of their mean, whose being lower is no achievement."""
        single, by_size, off = run.pass_rmse, run.ensemble_rmse, run.deterministic_rmse
        if single is None or by_size is None:
            raise McvizError(missing(run, "labels"))
        together, unit = float(by_size[-1]), run.manifest.unit
        words = [as_markdown(format_with_unit(value, unit)) for value in (together, single_pass_rmse(single))]
        sentence = (
            "The mean of the passes is never worse than they are on average, whatever the model. Its root mean squared "
            f"error (RMSE) is **{words[0]}**; that of one pass is **{words[1]}** on average."
        )
        if off is not None:
            sentence += f" The deterministic model's is **{as_markdown(format_with_unit(off, unit))}**."
        return sentence, lambda: chart(plot.accuracy(run), "together", sentence)

    def noise_prediction(self, run: Run, predictions: np.ndarray) -> Step:
        prediction = predict_example(run, predictions, COVERAGES[0])
        less = float(np.mean(table(run)[DOUBT].to_numpy() < np.sqrt((prediction.model_std**2).sum())))
        value = as_markdown(with_std(prediction.mean[0], prediction.std[0], run.manifest.unit))
        return (
            f"This is noise, where nothing is there to be predicted, and the model predicts **{value}**: its passes "
            f"differ more than for {percent(less, 0)} of the examples.",
            lambda: _render_passes(prediction, 0, "noise"),
        )


def _render_passes(prediction: Prediction, target: int, key: str) -> None:
    prediction.render_caption()
    prediction.render_histogram(target, key)


def _number(run: Run, example: int, target: int = 0) -> str:
    """Write the prediction of the deterministic model, or the mean of the passes where the run has none."""
    given = run.mean_predictions if run.deterministic_predictions is None else run.deterministic_predictions
    of = f" for {as_markdown(target_names(run)[target])}" if len(run.targets) > 1 else ""
    return f"**{as_markdown(format_with_unit(float(given[example, target]), run.manifest.unit))}**{of}"
