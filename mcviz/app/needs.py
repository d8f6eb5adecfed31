"""Needs of pages, views and closer looks of a run, and what to do where the run does not have it."""

from collections.abc import Collection, Mapping
from typing import Literal, Protocol

import streamlit as st

from mcviz.app.columns import all_grouping_columns
from mcviz.extras import named_modules
from mcviz.runs import Run
from mcviz.runs.manifest_file import explain_closed_model

RunPart = Literal["labels", "examples", "images", "model"]
Need = RunPart | Literal["examples or features", "groups", "classes", "targets"]
MISSING: dict[RunPart, tuple[str, str]] = {
    "labels": (
        ":material/label_off:",
        "This run has no labels. {ways}To see how good its predictions are, sample it again with labels.",
    ),
    "examples": (
        ":material/hide_image:",
        "This run was kept without its {examples}. Sample it again with the {examples} kept to see them here.",
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
WITHOUT_LABELS = (
    "Trust estimates its accuracy by a labelled run of the same model, and on Review people give examples labels. "
)
NOT_IMPORTED: dict[RunPart, str] = {
    "labels": "These passes were imported without labels. {ways}To see how good they are, import them again with "
    "labels.",
    "examples": "These passes were imported without {examples}. Import them again with {examples} to see them here.",
    "images": "These passes were imported without images. Import them again with images to see them here.",
    "model": "These passes were imported, so there is no model to ask. Sample a model of Keras or PyTorch itself with "
    "`mcviz sample` to probe it.",
}


class Needing(Protocol):
    """Something that is shown only where a run has what it needs."""

    @property
    def needs(self) -> Collection[Need]:
        """The parts that the run must have."""


def has(run: Run, need: Need) -> bool:
    """Return whether a run has something."""
    match need:
        case "labels":
            return run.labels is not None
        case "images":
            return run.has_images
        case "model":
            return run.model_path is not None and not explain_closed_model(run.manifest, named_modules())
        case "examples":
            return run.manifest.has_examples
        case "examples or features":
            return has(run, "examples") or run.manifest.features is not None
        case "classes":
            return bool(run.class_names)
        case "targets":
            return bool(run.targets)
        case "groups":
            return bool(all_grouping_columns(run))


def missing(run: Run, part: RunPart) -> str:
    """Say what a run does not have, and how to make one that has it; or why its model cannot be opened here."""
    of_model = part == "model" and run.manifest.has_model
    if of_model and (closed := explain_closed_model(run.manifest, named_modules())):
        return closed
    sentence = NOT_IMPORTED[part] if run.manifest.origin.kind == "imported" else MISSING[part][1]
    if part == "labels":
        return sentence.format(ways=WITHOUT_LABELS if has(run, "classes") else "")
    if part == "examples":  # texts and rows are in every run of them
        return sentence.format(examples="examples" if run.manifest.images is None else "images")
    return sentence


def check_needs(run: Run, needs: Collection[RunPart]) -> bool:
    """Return whether a run has all that is needed; otherwise the page says what is missing and what to do."""
    lacking = [part for part in MISSING if part in needs and not has(run, part)]
    for part in lacking[:1]:
        st.info(missing(run, part), icon=MISSING[part][0])
    return not lacking


def available(registry: Mapping[str, Needing], run: Run) -> list[str]:
    """Return the names of all whose needs a run meets."""
    return [name for name, each in registry.items() if all(has(run, need) for need in each.needs)]
