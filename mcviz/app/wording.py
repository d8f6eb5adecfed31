"""Sentences for people: what the numbers of a run say, in words."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mcviz.measures import SCORES
from mcviz.measures import percent as percent  # the other modules of the app take it from here

SURE = 0.95  # an answer above this, by as many of the passes, leaves nothing to explain


def score_value(name: str, value: float) -> str:
    """One value of one of `SCORES` with its unit."""
    return SCORES[name].format(value)


def sureness(probability: float) -> str:
    """How sure an answer with this probability sounds."""
    for bound, words in ((0.99, "very sure"), (0.9, "quite sure"), (0.7, "fairly sure"), (0.5, "not sure")):
        if probability >= bound:
            return words
    return "torn"


def votes(probs: np.ndarray, class_names: Sequence[str]) -> str:
    """How the passes vote, the most frequent answers first.

    Args:
        probs: (T, C) probabilities of one image.
        class_names: C names.

    Returns:
        Such as "312 of 500 passes say 3, 180 say 5".
    """
    counts = np.bincount(probs.argmax(axis=-1), minlength=len(class_names))
    order = [c for c in np.argsort(-counts, kind="stable")[:3] if counts[c]]
    if counts[order[0]] == len(probs):
        return f"all {len(probs)} passes say {class_names[order[0]]}"
    others = ", ".join(f"{counts[c]} {'says' if counts[c] == 1 else 'say'} {class_names[c]}" for c in order[1:])
    return f"{counts[order[0]]} of {len(probs)} passes say {class_names[order[0]]}, {others}"


def answer(probs: np.ndarray, class_names: Sequence[str]) -> str:
    """What the ensemble says of an image, and how sure it seems.

    Args:
        probs: (T, C) probabilities of one image.
        class_names: C names.

    Returns:
        One sentence, in Markdown.
    """
    mean = probs.mean(axis=0, dtype=np.float64)
    said = int(mean.argmax())
    return (
        f"The ensemble says **{class_names[said]}** with {percent(mean[said])} and is "
        f"{sureness(mean[said])}: {votes(probs, class_names)}."
    )


def judged(predicted: int, label: int | None, class_names: Sequence[str]) -> str:
    """Whether an answer is right, in one short sentence; nothing where the true class is not known."""
    if label is None:
        return ""
    if predicted == label:
        return "That is right."
    return f"That is wrong: the label says **{class_names[label]}**."


def reasons(probs: np.ndarray, row: "Mapping[str, float] | pd.Series[float]", class_names: Sequence[str]) -> list[str]:
    """Why an answer is doubtful, in words.

    Args:
        probs: (T, C) probabilities of one image.
        row: its scores, by their names in `SCORES`.
        class_names: C names.

    Returns:
        Sentences in Markdown, the weightiest first; one that says so where there is nothing to doubt.
    """
    mean = probs.mean(axis=0, dtype=np.float64)
    first, second = (int(c) for c in np.argsort(-mean)[:2])
    if mean[first] >= SURE and row["variation_ratio"] <= 1 - SURE:
        return ["Nothing here speaks for doubt: the passes agree, and each is sure."]
    found = [f"**Between two classes**: {class_names[first]} leads {class_names[second]} by {percent(row['margin'])}."]
    if row["mutual_information"] > row["expected_entropy"]:
        found.append(
            "**Doubt in the model**: most of the entropy is disagreement between passes that are sure of themselves. "
            "More training images like this one would help."
        )
    else:
        found.append(
            "**Doubt in the data**: most of the entropy is in every single pass, so the image itself is ambiguous to "
            "this model."
        )
    leading = probs[:, first]
    for_it, against = (leading > 0.8).mean(), (leading < 0.2).mean()
    if min(for_it, against) >= 0.1:
        found.append(
            f"**Two opinions**: {percent(for_it)} of the passes give {class_names[first]} over 80%, {percent(against)} "
            "give it under 20%."
        )
    elif row["predictive_std"] > 0.15:
        found.append(
            f"**One spread-out opinion**: the probability of {class_names[first]} swings by ± "
            f"{percent(row['predictive_std'])} around its mean, without two camps."
        )
    return found
