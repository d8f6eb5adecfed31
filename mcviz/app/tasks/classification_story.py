"""The story of a classification: from a confident number to noise."""

import numpy as np

from mcviz import plot
from mcviz.analysis.base import LEAST_LABELLED, mistakes_in_order
from mcviz.app.components.charts import chart
from mcviz.app.components.example import EXAMPLE_WIDTH, render_example
from mcviz.app.needs import missing
from mcviz.app.resources import class_names, ranking, table
from mcviz.app.tasks.story import Step, Story, review_step, side_by_side
from mcviz.app.trust.calibration import find_calibration
from mcviz.app.wording import all_as_markdown, as_markdown, as_sentence, confidence, counted, votes
from mcviz.errors import McvizError
from mcviz.measures import percent, summarise
from mcviz.measures.intervals import Interval
from mcviz.runs import Run

CONFIDENT = 0.7  # a probability from which on a prediction sounds confident


class ClassificationStory(Story):
    """See `Story`."""

    no_answer = "no prediction is correct."

    def one_prediction(self, run: Run) -> Step:
        """Return the step on the most confident correct prediction."""
        order = ranking(run, "max_probability")[::-1]
        correct = table(run)["correct"].iloc[order]
        example = int(order[int(np.argmax(correct.fillna(True).to_numpy(bool)))])
        probs = classifier_probs(run)[example]
        prediction = int(probs.argmax())
        probability = float(probs[prediction])
        number = "a confident number" if probability >= CONFIDENT else "a number"
        name = as_markdown(run.class_names[prediction])
        return (
            f"A classifier gives {number}: this is **{name}**, with **{percent(probability)}**.",
            lambda: render_example(run, example, EXAMPLE_WIDTH),
        )

    def all_passes(self, run: Run) -> Step:
        """Return the step on the example whose prediction is the most confident for how far the passes disagree."""
        surprising = classifier_probs(run).max(axis=1) * table(run)["variation_ratio"].to_numpy()
        example = int(surprising.argmax())
        summary, probs, names = run.summary(example), classifier_probs(run)[example], class_names(run)
        prediction = int(probs.argmax())
        draw = side_by_side(
            lambda: render_example(run, example, EXAMPLE_WIDTH),
            lambda: chart(plot.passes(run, run.probs(example)), "again", votes(summary, names)),
        )
        number = f"Here it gives one too: **{as_markdown(names[prediction])}**, with **{percent(probs[prediction])}**."
        imported = run.manifest.origin.kind == "imported"
        each_time = f"{summary.passes} times over" if imported else "each time with other units dropped"
        again = f"predict it again, {each_time}, and **{votes(summary, all_as_markdown(names))}**"
        if summary.votes[prediction] == summary.passes:
            return f"{number} Now {again}: the passes agree on every example of this run.", draw
        return f"{number} But {again}.", draw

    def review(self, run: Run) -> Step:
        order = ranking(run, "max_probability")
        wrong = mistakes_in_order(run, order)
        return review_step(run, "max_probability", order, wrong, "mistake", counted(int(wrong.sum()), "mistake"))

    def ensemble(self, run: Run) -> Step:
        single, by_size, deterministic = run.pass_accuracy, run.ensemble_accuracy, run.deterministic_accuracy
        if single is None or by_size is None:
            raise McvizError(missing(run, "labels"))
        together, alone = float(by_size[-1]), float(single.mean())
        sentence = (
            f"{_compare_with_alone(run, together - alone)}: the mean of all {len(single)} is correct for "
            f"**{together:.2%}** of the examples, one pass on average for **{alone:.2%}**."
        )
        if deterministic is not None:
            gained = round((float(by_size[-1]) - deterministic) * len(run))
            imported = run.manifest.origin.kind == "imported"
            model = "The deterministic model" if imported else "With dropout off, the model"
            as_many = f"{abs(gained):,} {'fewer' if gained > 0 else 'more'}" if gained else "as many"
            sentence += f" {model} is correct for {as_many}."
        return sentence, lambda: chart(plot.accuracy(run), "together", sentence)

    def noise_prediction(self, run: Run, predictions: np.ndarray) -> Step:
        summary, names = summarise(predictions), class_names(run)
        probability, voted = float(summary.mean.max()), votes(summary, all_as_markdown(names))
        limits = "But uncertainty has limits. This" if probability >= CONFIDENT else "This"
        return (
            f"{limits} is noise, and the model predicts **{as_markdown(names[summary.prediction])}** with "
            f"**{percent(probability)}**: it is {confidence(probability)}. {as_sentence(voted)}",
            lambda: chart(plot.passes(run, predictions), "noise", votes(summary, names)),
        )


def _compare_with_alone(run: Run, gain: float) -> str:
    """Say what Trust's test says of the ensemble's gain in accuracy over a single pass."""
    if gain == 0:
        return "But together the passes are no better than alone"
    found = Interval(gain)
    if len(run) >= LEAST_LABELLED:
        found = find_calibration(run).differences["single_pass"]["accuracy"]
    if found.low > 0:
        return "And together the passes are better than alone"
    if found.high < 0:
        return "But together the passes are worse than alone"
    return "But together the passes are not shown to be better than alone"


def classifier_probs(run: Run) -> np.ndarray:
    """Return (N, C) the deterministic probabilities; the predictive mean where the run has none."""
    return run.mean_probs if run.deterministic_probs is None else run.deterministic_probs
