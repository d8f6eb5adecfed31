"""The story of a classification: from a confident number to noise."""

from collections.abc import Callable

import numpy as np

from mcviz.app.components.charts import chart
from mcviz.app.components.shown import example_shown
from mcviz.app.kinds import kind_of
from mcviz.app.needs import has, missing
from mcviz.app.resources import class_names, ranking, table
from mcviz.app.tasks.story import WIDTH, beside_its_passes, noise_step, review_step
from mcviz.app.tasks.task import Step
from mcviz.app.wording import all_as_markdown, as_markdown, as_sentence, confidence, counted, votes
from mcviz.errors import McvizError
from mcviz.figures import accuracy_against_ensemble, class_probabilities
from mcviz.measures import percent, summarise
from mcviz.runs import Run

CONFIDENT = 0.7  # a probability from which on a prediction sounds confident


def classifier_probs(run: Run) -> np.ndarray:
    """(N, C) the deterministic probabilities; the predictive mean where the run has none."""
    return run.mean_probs if run.deterministic_probs is None else run.deterministic_probs


def confident(run: Run) -> Step:
    """The most confident correct prediction: what a classifier gives, and all that it gives."""
    order = ranking(run, "max_probability")[::-1]
    correct = table(run)["correct"].iloc[order]
    example = int(order[int(np.argmax(correct.fillna(True).to_numpy(bool)))])
    prediction = int(classifier_probs(run)[example].argmax())
    probability = float(classifier_probs(run)[example, prediction])
    number = "a confident number" if probability >= CONFIDENT else "a number"
    name = as_markdown(run.class_names[prediction])
    return (
        f"A classifier gives {number}: this is **{name}**, with **{percent(probability)}**.",
        lambda: example_shown(run, example, WIDTH),
    )


def passes_disagree(run: Run) -> Step:
    """The example whose deterministic prediction is the most confident for how far the passes disagree."""
    surprising = classifier_probs(run).max(axis=1) * table(run)["variation_ratio"].to_numpy()
    example = int(surprising.argmax())
    summary, prediction = run.summary(example), int(classifier_probs(run)[example].argmax())
    names = class_names(run)
    voted = votes(summary, all_as_markdown(names))

    draw = beside_its_passes(
        lambda: example_shown(run, example, WIDTH),
        lambda: chart(class_probabilities(summary, names), "again", votes(summary, names)),
    )
    number = (
        f"Here it gives one too: **{as_markdown(names[prediction])}**, with "
        f"**{percent(classifier_probs(run)[example, prediction])}**."
    )
    imported = run.manifest.origin.kind == "imported"
    each_time = f"{summary.passes} times over" if imported else "each time with other units dropped"
    again = f"predict it again, {each_time}, and **{voted}**"
    if summary.votes[prediction] == summary.passes:
        return f"{number} Now {again}: the passes agree on every example of this run.", draw
    return f"{number} But {again}.", draw


def uncertainty_finds_mistakes(run: Run) -> Step:
    """How many of the mistakes are among the most uncertain examples."""
    order = ranking(run, "max_probability")
    wrong = ~table(run)["correct"].iloc[order].to_numpy(bool)
    mistakes = int(wrong.sum())
    if mistakes == 0:
        sentence = (
            f"The model makes no mistake on its {counted(len(wrong), 'example')}, so there is none to find. This is "
            "the most uncertain one."
        )
        return sentence, lambda: example_shown(run, int(order[0]), WIDTH)
    return review_step(run, order, wrong, "mistakes", counted(mistakes, "mistake"))


def ensemble(run: Run) -> Step:
    """How the single passes and their mean compare."""
    single, by_size = run.pass_accuracy, run.ensemble_accuracy
    if single is None or by_size is None:
        raise McvizError(missing(run, "labels"))
    together, alone = (round(float(value), 4) for value in (by_size[-1], single.mean()))  # judged as they are shown
    verdict = "better than" if together > alone else "no better than" if together == alone else "worse than"
    sentence = (
        f"{'And' if together > alone else 'But'} together the passes are {verdict} alone: the mean of all "
        f"{len(single)} is correct for **{together:.2%}** of the examples, one pass on average for **{alone:.2%}**."
        f"{_against_deterministic(run, float(by_size[-1]))}"
    )
    return sentence, lambda: chart(
        accuracy_against_ensemble(single, by_size[-1], run.deterministic_accuracy), "together", sentence
    )


def _against_deterministic(run: Run, accuracy: float) -> str:
    """How many examples the ensemble gains over the deterministic model, as a sentence that goes on; or ""."""
    if run.deterministic_accuracy is None:
        return ""
    gained = round((accuracy - run.deterministic_accuracy) * len(run))
    model = "The deterministic model" if run.manifest.origin.kind == "imported" else "With dropout off, the model"
    as_many = f"{abs(gained):,} {'fewer' if gained > 0 else 'more'}" if gained else "as many"
    return f" {model} is correct for {as_many}."


def noise(run: Run) -> Step:
    """One input of noise, predicted live."""

    def told(probs: np.ndarray) -> Step:
        summary, names = summarise(probs), class_names(run)
        probability, voted = float(summary.mean.max()), votes(summary, all_as_markdown(names))
        limits = "But uncertainty has limits. This" if probability >= CONFIDENT else "This"
        return (
            f"{limits} is noise, and the model predicts **{as_markdown(names[summary.prediction])}** with "
            f"**{percent(probability)}**: it is {confidence(probability)}. {as_sentence(voted)}",
            lambda: chart(class_probabilities(summary, names), "noise", votes(summary, names)),
        )

    return noise_step(run, "no prediction is correct.", told)


def steps(run: Run) -> list[Callable[[Run], Step]]:
    """The steps for a run: without labels, nothing about correct and wrong; where there is no noise, none of it."""
    about_accuracy = [uncertainty_finds_mistakes, ensemble] if has(run, "labels") else []
    return [confident, passes_disagree, *about_accuracy, *([noise] if kind_of(run).noise else [])]
