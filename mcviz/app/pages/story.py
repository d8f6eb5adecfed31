"""Five steps for a demo, from a confident number to noise, made from the open run."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from mcviz.app import address
from mcviz.app.histograms import pass_histograms
from mcviz.app.parts import chart, picture, pictured, ranking, title
from mcviz.app.resources import current_run, live_passes
from mcviz.app.wording import percent, sureness, votes
from mcviz.data import uniform_noise
from mcviz.figures import accuracy_against_ensemble, class_probabilities, mistakes_found
from mcviz.measures import summarise
from mcviz.runs import Run

PASSES = 500
SHARE = 0.05  # of the images, that a person might look at again
CONFIDENT = 0.7  # a probability from which on an answer sounds sure
WIDTH = 360
Step = tuple[str, Callable[[], None]]


def confident(run: Run) -> Step:
    """The surest right answer: what a classifier says, and all that it says."""
    order = ranking(run.digest, "max_probability", run)[::-1]
    correct = run.scores()["correct"].iloc[order]
    image = int(order[int(np.argmax(correct.fillna(True).to_numpy(bool)))])
    said = int(run.deterministic_probs[image].argmax())
    share = float(run.deterministic_probs[image, said])
    number = "a confident number" if share >= CONFIDENT else "a number"
    return (
        f"A classifier gives {number}: this is **{run.class_names[said]}**, with **{percent(share)}**.",
        lambda: pictured(run, image, WIDTH),
    )


def asked_again(run: Run) -> Step:
    """The image whose ordinary answer sounds surest for how far the passes disagree."""
    scores = run.scores()
    surprise = run.deterministic_probs.max(axis=1) * scores["variation_ratio"].to_numpy()
    image = int(surprise.argmax())
    probs, said = run.probs(image), int(run.deterministic_probs[image].argmax())

    def draw() -> None:
        left, right = st.columns([1, 2], gap="large")
        with left:
            pictured(run, image, WIDTH)
        with right:
            chart(class_probabilities(summarise(probs), run.class_names), "again", votes(probs, run.class_names))

    number = (
        f"Here it gives one too: **{run.class_names[said]}**, with **{percent(run.deterministic_probs[image, said])}**."
    )
    again = f"ask it again, each time with other neurons switched off, and **{votes(probs, run.class_names)}**"
    if (probs.argmax(axis=1) == said).all():
        return f"{number} Now {again}: they vote alike on every image of this run.", draw
    return f"{number} But {again}.", draw


def doubt_finds_mistakes(run: Run) -> Step:
    """How many of the mistakes are among the most uncertain images."""
    order = ranking(run.digest, "max_probability", run)
    wrong = ~run.scores()["correct"].iloc[order].to_numpy(bool)
    mistakes = int(wrong.sum())
    if mistakes == 0:
        sentence = (
            f"It makes no mistake on its {counted(len(wrong), 'image')}, so there is none that doubt could find. This "
            "is the image that it is least sure of."
        )
        return sentence, lambda: pictured(run, int(order[0]), WIDTH)
    looked_at = max(1, int(SHARE * len(wrong)))
    found, by_chance = wrong[:looked_at].sum() / mistakes, looked_at / len(wrong)
    finding = f"**{percent(found)}** of its {counted(mistakes, 'mistake')}"
    if found > by_chance:
        sentence = (
            f"That doubt is worth something: look again at the **{percent(by_chance, 0)}** that it is least sure of, "
            f"and you find {finding}."
        )
    else:
        sentence = (
            f"That doubt is worth nothing here: among the **{percent(by_chance, 0)}** that it is least sure of are "
            f"{finding}, no more than among as many at random."
        )
    if len(wrong) * SHARE < 1:  # too few for a curve: what is looked at is one image
        return sentence, lambda: pictured(run, int(order[0]), WIDTH)
    return sentence, lambda: chart(mistakes_found(wrong, SHARE), "mistakes", sentence)


def counted(count: int, noun: str) -> str:
    """A number of things, as it is said."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def ensemble(run: Run) -> Step:
    """How the single passes and their mean compare."""
    single, by_size, ordinary = run.pass_accuracy, run.ensemble_accuracy, run.deterministic_accuracy
    if single is None or by_size is None or ordinary is None:
        raise ValueError("A run without labels has no accuracies to compare.")
    together, alone = (round(float(value), 4) for value in (by_size[-1], single.mean()))  # judged as they are shown
    verdict = "better than" if together > alone else "no better than" if together == alone else "worse than"
    sentence = (
        f"{'And' if together > alone else 'But'} together the passes are {verdict} alone: the mean of all "
        f"{len(single)} is right for **{together:.2%}** of the images, one pass on average for **{alone:.2%}**."
    )
    return sentence, lambda: chart(accuracy_against_ensemble(single, by_size[-1], ordinary), "together", sentence)


def noise(run: Run) -> Step:
    """One image of noise, asked live."""
    image = uniform_noise(1, run.image_shape, seed=0)
    if run.model_path is None:
        return (
            "This is noise: there is no right answer. This run was kept without its model, so it cannot be asked here.",
            lambda: picture(image[0], "Uniform noise", WIDTH),
        )
    probs = st.session_state.setdefault("story-noise", {})
    if run.digest not in probs:
        probs[run.digest] = live_passes(run, image, PASSES, seed=0)[:, 0]
    passes = probs[run.digest]
    mean = passes.mean(axis=0, dtype=np.float64)

    def draw() -> None:
        left, right = st.columns([1, 2], gap="large")
        with left:
            picture(image[0], "Uniform noise", WIDTH)
        with right:
            pass_histograms(passes, run.class_names, "noise", votes(passes, run.class_names))

    voted = votes(passes, run.class_names)
    limits = "But doubt has limits. This" if mean.max() >= CONFIDENT else "This"
    return (
        f"{limits} is noise, and the model says **{run.class_names[mean.argmax()]}** with **{percent(mean.max())}**: "
        f"it is {sureness(mean.max())}. {voted[0].upper()}{voted[1:]}.",
        draw,
    )


def steps(run: Run) -> list[Callable[[Run], Step]]:
    """The steps that can be told of a run: without labels, nothing about right and wrong."""
    about_accuracy = [] if run.labels is None else [doubt_finds_mistakes, ensemble]
    return [confident, asked_again, *about_accuracy, noise]


run = current_run()
told = steps(run)
title(f"A story in {len(told)} steps", run)
step = address.whole_number("step", 1, 1, len(told))
st.progress(step / len(told), f"Step {step} of {len(told)}")
sentence, draw = told[step - 1](run)
st.header(sentence, anchor=False)
with st.container(horizontal=True):
    st.button(
        "Back",
        icon=":material/arrow_back:",
        disabled=step == 1,
        on_click=address.go,
        kwargs={"step": step - 1},
        shortcut="Left",
    )
    if step < len(told):
        st.button(
            "Next",
            type="primary",
            icon=":material/arrow_forward:",
            on_click=address.go,
            kwargs={"step": step + 1},
            shortcut="Right",
        )
    else:
        st.button("Start again", icon=":material/replay:", on_click=address.go, kwargs={"step": None})
draw()
