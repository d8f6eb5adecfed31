"""Five steps for a demo, from a confident number to noise, made from the open run."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart, example_picture, picture
from mcviz.app.components.histograms import pass_histograms
from mcviz.app.navigation import STORY, begin
from mcviz.app.needs import has, missing
from mcviz.app.resources import class_names, live_passes, ranking, table
from mcviz.app.state import go
from mcviz.app.wording import all_as_markdown, as_markdown, as_sentence, confidence, counted, votes
from mcviz.data import uniform_noise
from mcviz.errors import McvizError
from mcviz.figures import accuracy_against_ensemble, class_probabilities, mistakes_found
from mcviz.measures import percent, summarise
from mcviz.runs import Run

SHARE = 0.05  # of the examples, that a person might look at again
CONFIDENT = 0.7  # a probability from which on a prediction sounds confident
WIDTH = 360
Step = tuple[str, Callable[[], None]]


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
        lambda: example_picture(run, example, WIDTH),
    )


def passes_disagree(run: Run) -> Step:
    """The example whose deterministic prediction is the most confident for how far the passes disagree."""
    surprising = classifier_probs(run).max(axis=1) * table(run)["variation_ratio"].to_numpy()
    example = int(surprising.argmax())
    probs, prediction = run.probs(example), int(classifier_probs(run)[example].argmax())
    summary = summarise(probs)
    names = class_names(run)
    voted = votes(summary, all_as_markdown(names))

    def draw() -> None:
        left, right = st.columns([1, 2], gap="large")
        with left:
            example_picture(run, example, WIDTH)
        with right:
            chart(class_probabilities(summary, names), "again", votes(summary, names))

    number = (
        f"Here it gives one too: **{as_markdown(names[prediction])}**, with "
        f"**{percent(classifier_probs(run)[example, prediction])}**."
    )
    imported = run.manifest.origin.kind == "imported"
    each_time = f"{len(probs)} times over" if imported else "each time with other units dropped"
    again = f"predict it again, {each_time}, and **{voted}**"
    if summary.votes[prediction] == len(probs):
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
        return sentence, lambda: example_picture(run, int(order[0]), WIDTH)
    inspected = max(1, int(SHARE * len(wrong)))
    found, by_chance = wrong[:inspected].sum() / mistakes, inspected / len(wrong)
    finding = f"**{percent(found)}** of {counted(mistakes, 'mistake')}"
    reviewed = f"the **{percent(by_chance, 0)}** most uncertain examples"
    if found > by_chance:
        sentence = f"The uncertainty is useful: review {reviewed}, and you find {finding}."
    else:
        sentence = f"The uncertainty is no help here: {reviewed} hold {finding}, no more than as many random ones."
    if len(wrong) * SHARE < 1:  # too few examples for a curve
        return sentence, lambda: example_picture(run, int(order[0]), WIDTH)
    return sentence, lambda: chart(mistakes_found(wrong, SHARE), "mistakes", sentence)


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
    )
    return sentence, lambda: chart(
        accuracy_against_ensemble(single, by_size[-1], run.deterministic_accuracy), "together", sentence
    )


def noise(run: Run) -> Step:
    """One image of noise, predicted live."""
    image = uniform_noise(1, run.image_shape, seed=0)
    if not has(run, "model"):
        return (
            f"This is noise: no prediction is correct. {missing(run, 'model')}",
            lambda: picture(image[0], "Uniform noise", WIDTH),
        )
    predicted = st.session_state.setdefault("story-noise", {})
    if run.digest not in predicted:
        predicted[run.digest] = live_passes(run, image)[:, 0]
    probs = predicted[run.digest]
    summary, names = summarise(probs), class_names(run)
    probability, voted = float(summary.mean.max()), votes(summary, all_as_markdown(names))

    def draw() -> None:
        left, right = st.columns([1, 2], gap="large")
        with left:
            picture(image[0], "Uniform noise", WIDTH)
        with right:
            pass_histograms(probs, summary, names, "noise", votes(summary, names))

    limits = "But uncertainty has limits. This" if probability >= CONFIDENT else "This"
    return (
        f"{limits} is noise, and the model predicts **{as_markdown(names[summary.prediction])}** with "
        f"**{percent(probability)}**: it is {confidence(probability)}. {as_sentence(voted)}",
        draw,
    )


def steps(run: Run) -> list[Callable[[Run], Step]]:
    """The steps for a run: without labels, nothing about correct and wrong; without a kind of image, no noise."""
    about_accuracy = [uncertainty_finds_mistakes, ensemble] if has(run, "labels") else []
    of_images = [noise] if run.manifest.images is not None else []
    return [confident, passes_disagree, *about_accuracy, *of_images]


run, state = begin(STORY)
told = steps(run)
step = state.step if state.step <= len(told) else 1
st.progress(step / len(told), f"Step {step} of {len(told)}")
sentence, draw = told[step - 1](run)
st.header(sentence, anchor=False)
with st.container(horizontal=True):
    st.button(
        "Back",
        icon=":material/arrow_back:",
        disabled=step == 1,
        on_click=go,
        kwargs={"step": step - 1},
        shortcut="Left",
    )
    if step < len(told):
        st.button(
            "Next",
            type="primary",
            icon=":material/arrow_forward:",
            on_click=go,
            kwargs={"step": step + 1},
            shortcut="Right",
        )
    else:
        st.button("Start again", icon=":material/replay:", on_click=go, kwargs={"step": 1})
draw()
