"""What a page, a view or a closer look needs of a run, and what to do where the run does not have it."""

from collections.abc import Collection, Mapping
from typing import Literal, Protocol

import streamlit as st

from mcviz.runs import Run

Need = Literal["labels", "images", "model"]
MISSING: dict[Need, tuple[str, str]] = {
    "labels": (
        ":material/label_off:",
        "This run has no labels. Sample it again with labels to see how often the model is correct.",
    ),
    "images": (
        ":material/hide_image:",
        "This run was kept without its images. Sample it again with the images kept to see them here.",
    ),
    "model": (
        ":material/no_sim:",
        "This run was kept without its model, so nothing new can be predicted. Sample it again with the model kept.",
    ),
}


class Needing(Protocol):
    """Something that is shown only where a run has what it needs."""

    @property
    def needs(self) -> Collection[Need]:
        """What the run has to have."""


def has(run: Run, need: Need) -> bool:
    """Whether a run has something."""
    if need == "labels":
        return run.labels is not None
    return run.has_images if need == "images" else run.model_path is not None


def met(run: Run, needs: Collection[Need]) -> bool:
    """Whether a run has all that is needed; where it does not, the page says what is missing and what to do."""
    missing = [need for need in MISSING if need in needs and not has(run, need)]
    for need in missing[:1]:
        icon, sentence = MISSING[need]
        st.info(sentence, icon=icon)
    return not missing


def offered(registry: Mapping[str, Needing], run: Run) -> list[str]:
    """The names of what a run has all that is needed for."""
    return [name for name, each in registry.items() if all(has(run, need) for need in each.needs)]
