"""Sentences for people: what the numbers of a run say, in words."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mcviz.measures import PassSummary, percent
from mcviz.runs import Manifest
from mcviz.text import one_line

MASKS = {
    "per_pass": "`per_pass`: all examples of a pass share one draw of dropout masks, so a pass is one network.",
    "per_example": "`per_example`: every example of a pass has its own draw of dropout masks, so a pass is not one "
    "network, and the accuracies of the passes scatter less than those of ensemble members would.",
}
CONFIDENT = 0.95  # a mean probability above which, with as many votes, there is no uncertainty to explain
MARKUP = re.compile(r"[\\`*_\[\]<>&$~|]|:(?=\S)|^[-+=#]")
LIST_NUMBER = re.compile(r"^(\d+)([.)])")
# Streamlit looks for icons, arrows and addresses in the text that Markdown leaves, where no escape is seen any more.
FOUND_IN_TEXT = re.compile(r"(?<=[:@])(?=\S)|(?<=www)(?=\.)|(?<=[-<>~])(?=[-=>])", re.IGNORECASE)
WORD_JOINER = "\u2060"  # without width, and with no line break


def as_markdown(text: str) -> str:
    """A text that others wrote, such as the name of a class, as Markdown that shows it as it was typed.

    Streamlit takes much for Markdown: captions, headings, messages, tooltips, the labels of buttons and of
    `segmented_control`, and the cells of `st.table`.
    """
    escaped = MARKUP.sub(r"\\\g<0>", FOUND_IN_TEXT.sub(WORD_JOINER, one_line(text)))
    return LIST_NUMBER.sub(r"\1\\\2", escaped)


def all_as_markdown(texts: Sequence[str]) -> list[str]:
    """Each of some texts as Markdown."""
    return [as_markdown(text) for text in texts]


def information(manifest: Manifest, stretched: bool) -> str:
    """How a run was made and how its images are shown, in Markdown: a paragraph each.

    Args:
        manifest: of the run.
        stretched: whether the range of the images was only taken from the images.
    """
    origin, found = manifest.origin, []
    if origin.kind == "imported":
        source = f" from {as_markdown(origin.source)}" if origin.source else ""
        found.append(f"**Passes**: imported{source}.")
    if manifest.masks is not None:
        found.append(MASKS[manifest.masks])
    if manifest.images is not None:
        done, steps = manifest.preprocessing, manifest.preprocessing.steps
        if steps or done.reason:  # of images that were imported it is often not known
            how = " and ".join(steps) or "taken as they are"
            when = ", before the images were stored" if steps and done.applied else ""
            found.append(f"**Preprocessing**: {how}{when}. {as_markdown(done.reason)}".rstrip())
        if stretched:
            found.append(
                "**Colours**: what stands for black and white is not known, so the pictures are stretched from the "
                f"lowest value, {manifest.images.lowest:.4g}, to the highest, {manifest.images.highest:.4g}."
            )
    return "\n\n".join(found)


def accuracy_labels(manifest: Manifest) -> tuple[str, str, str]:
    """What the accuracies of the deterministic model, of one pass and of the ensemble are called."""
    if manifest.origin.kind == "imported":
        return "Deterministic", "One pass, on average", "Ensemble"
    return "Deterministic", "One MC pass, on average", "MC ensemble"


def counted(count: int, noun: str) -> str:
    """A number of things, such as "1 pass" or "10,000 examples"."""
    plural = "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{'' if count == 1 else plural}"


def as_sentence(text: str) -> str:
    """A text as a sentence, with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def abbreviated(value: str) -> str:
    """A value with its unit, in few characters: ">99.9%" for "over 99.9%"."""
    return value.replace("over ", ">").replace("under ", "<")


def confidence(probability: float) -> str:
    """How confident a prediction with this probability sounds."""
    for bound, words in ((0.99, "very confident"), (0.9, "confident"), (0.7, "fairly confident")):
        if probability >= bound:
            return words
    return "uncertain"


def votes(summary: PassSummary, class_names: Sequence[str]) -> str:
    """How the passes vote, the most frequent predictions first.

    Args:
        summary: of the passes of one example.
        class_names: C names, as Markdown where the sentence is to be.

    Returns:
        Such as "312 of 500 passes predict 3, 180 predict 5".
    """
    counts, passes = summary.votes, int(summary.votes.sum())
    order = [c for c in np.argsort(-counts, kind="stable")[:3] if counts[c]]
    if counts[order[0]] == passes:
        return f"all {passes} passes predict {class_names[order[0]]}"
    others = ", ".join(f"{counts[c]} {'predicts' if counts[c] == 1 else 'predict'} {class_names[c]}" for c in order[1:])
    return f"{counts[order[0]]} of {passes} passes predict {class_names[order[0]]}, {others}"


def predicted(summary: PassSummary, class_names: Sequence[str]) -> str:
    """What the ensemble predicts of an example, and how confident it is: one sentence, in Markdown."""
    probability, names = summary.mean[summary.prediction], all_as_markdown(class_names)
    return (
        f"The ensemble predicts **{names[summary.prediction]}** with {percent(probability)} and is "
        f"{confidence(probability)}: {votes(summary, names)}."
    )


def judged(prediction: int, label: int | None, class_names: Sequence[str]) -> str:
    """Whether a prediction is correct, in one short sentence in Markdown; nothing where there is no label."""
    if label is None:
        return ""
    if prediction == label:
        return "That is correct."
    return f"That is wrong: the label is **{as_markdown(class_names[label])}**."


def reasons(
    probs: np.ndarray,
    summary: PassSummary,
    row: "Mapping[str, float] | pd.Series[float]",
    class_names: Sequence[str],
) -> list[str]:
    """Why a prediction is uncertain, in words.

    Args:
        probs: (T, C) probabilities of one example.
        summary: of these passes.
        row: its scores, by their names in `SCORES`.
        class_names: C names.

    Returns:
        Sentences in Markdown, the most important first; one that says so where the prediction is confident.
    """
    first, second = (int(c) for c in np.argsort(-summary.mean)[:2])
    leader, follower = as_markdown(class_names[first]), as_markdown(class_names[second])
    if summary.mean[first] >= CONFIDENT and row["variation_ratio"] <= 1 - CONFIDENT:
        return ["No sign of uncertainty: the passes agree, and each is confident."]
    found = [f"**Between two classes**: {leader} leads {follower} by {percent(row['margin'])}."]
    if row["mutual_information"] > row["expected_entropy"]:
        found.append(
            "**Model (epistemic) uncertainty**: most of the entropy is disagreement between passes. More training "
            "examples like this one would help."
        )
    else:
        found.append(
            "**Data (aleatoric) uncertainty**: most of the entropy is within the single passes, so the example itself "
            "is ambiguous to this model."
        )
    leading = probs[:, first]
    for_it, against = (leading > 0.8).mean(), (leading < 0.2).mean()
    if min(for_it, against) >= 0.1:
        found.append(
            f"**Two groups of passes**: {percent(for_it)} give {leader} over 80%, {percent(against)} give it under 20%."
        )
    elif row["predictive_std"] > 0.15:
        found.append(
            f"**One wide spread**: the probability of {leader} has a standard deviation of "
            f"{percent(row['predictive_std'])}, without two groups of passes."
        )
    return found
