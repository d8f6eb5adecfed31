"""The story of a regression: from a number alone to noise."""

from collections.abc import Callable

import numpy as np

from mcviz.app.components.charts import chart
from mcviz.app.components.shown import example_shown
from mcviz.app.kinds import kind_of
from mcviz.app.needs import has
from mcviz.app.resources import quantity, ranking, scores_of, table, target_names
from mcviz.app.state import COVERAGES
from mcviz.app.tasks.regression.example import histogram_of
from mcviz.app.tasks.regression.overview import rmses
from mcviz.app.tasks.regression.passes import Predicted, predicted
from mcviz.app.tasks.regression.words import with_std
from mcviz.app.tasks.story import SHARE, WIDTH, beside_its_passes, noise_step, review_step
from mcviz.app.tasks.task import Step
from mcviz.app.wording import as_markdown, counted
from mcviz.figures import rmse_against_ensemble
from mcviz.measures import percent, significant
from mcviz.measures.regression import rmse_of_one_pass
from mcviz.runs import Run

DOUBT = "predictive_std"


def number_alone(run: Run) -> Step:
    """A prediction as a regression gives it: a number, and all that it gives."""
    example = int(ranking(run, DOUBT)[-1])
    return (
        f"A regression gives a number: {_number(run, example)}. How far it can be trusted, it does not say.",
        lambda: example_shown(run, example, WIDTH),
    )


def passes_differ(run: Run) -> Step:
    """The example about which the passes differ the most, and its target of which they do."""
    example = int(ranking(run, DOUBT)[0])
    found = _found(run, run.predictions(example))
    target = int(found.model_std.argmax())
    outputs, given = found.outputs[:, target], f"Here it gives one too: {_number(run, example, target)}."

    draw = beside_its_passes(
        lambda: example_shown(run, example, WIDTH), lambda: histogram_of(run, found, target, "again")
    )
    if outputs.min() == outputs.max():
        return f"{given} Each pass predicts the same, for every example of this run.", draw
    imported = run.manifest.origin.kind == "imported"
    each_time = f"{len(outputs)} times over" if imported else "each time with other units dropped"
    ends = as_markdown(f"{significant(outputs.min())} to {quantity(outputs.max(), run.manifest.unit)}")
    return f"{given} But predict it again, {each_time}, and you get **{ends}**.", draw


def uncertainty_finds_errors(run: Run) -> Step:
    """How many of the largest errors are among the examples of the most uncertainty, the whole where it is known."""
    score = scores_of(run)["total_std" if "total_std" in scores_of(run) else DOUBT]
    order = ranking(run, score.name)
    errors = table(run)["absolute_error"].to_numpy()[order]
    count = max(1, int(SHARE * len(errors)))
    if errors.max() == 0:
        return (
            f"The model makes no error on its {counted(len(errors), 'example')}, so there is none to find. This is "
            "the most uncertain one.",
            lambda: example_shown(run, int(order[0]), WIDTH),
        )
    large = np.zeros(len(errors), bool)
    large[np.argsort(-errors, kind="stable")[:count]] = True
    largest = f"the {counted(count, 'largest error')}"
    return review_step(run, order, large, "largest errors", largest, f" by {score.in_sentence}")


def ensemble(run: Run) -> Step:
    """The errors of the single passes, of their mean and of the deterministic model; the mean's is no achievement."""
    single, by_size = rmses(run)
    together, off = float(by_size[-1]), run.deterministic_rmse
    words = [as_markdown(quantity(value, run.manifest.unit)) for value in (together, rmse_of_one_pass(single))]
    sentence = (
        "The mean of the passes is never worse than they are on average, whatever the model: its root mean squared "
        f"error (RMSE) is **{words[0]}**, that of one pass on average **{words[1]}**."
    )
    if off is not None:
        sentence += f" The deterministic model's is **{as_markdown(quantity(off, run.manifest.unit))}**."
    return sentence, lambda: chart(
        rmse_against_ensemble(single, together, off, run.manifest.unit), "together", sentence
    )


def noise(run: Run) -> Step:
    """One input of noise, predicted live."""

    def told(predictions: np.ndarray) -> Step:
        found = _found(run, predictions)
        less = float(np.mean(table(run)[DOUBT].to_numpy() < np.sqrt((found.model_std**2).sum())))
        return (
            f"This is noise, where nothing is there to be predicted, and the model predicts "
            f"**{as_markdown(with_std(found.mean[0], found.std[0], run.manifest.unit))}**: its passes differ more than "
            f"for {percent(less, 0)} of the examples.",
            lambda: histogram_of(run, found, 0, "noise"),
        )

    return noise_step(run, "there is nothing to be predicted.", told)


def steps(run: Run) -> list[Callable[[Run], Step]]:
    """The steps for a run: without labels, nothing about errors; where there is no noise, none of it."""
    about_errors = [uncertainty_finds_errors, ensemble] if has(run, "labels") else []
    return [number_alone, passes_differ, *about_errors, *([noise] if kind_of(run).noise else [])]


def _number(run: Run, example: int, target: int = 0) -> str:
    """What the deterministic model predicts of an example; the mean of the passes where the run has none."""
    given = run.mean_predictions if run.deterministic_predictions is None else run.deterministic_predictions
    of = f" for {as_markdown(target_names(run)[target])}" if len(run.targets) > 1 else ""
    return f"**{as_markdown(quantity(float(given[example, target]), run.manifest.unit))}**{of}"


def _found(run: Run, predictions: np.ndarray) -> Predicted:
    return predicted(run, predictions, COVERAGES[0])
