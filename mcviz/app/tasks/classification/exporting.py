"""A classification in files to take away."""

import pandas as pd
import plotly.graph_objects as go

from mcviz.app.resources import class_names, scores_of
from mcviz.app.selection import Selection
from mcviz.app.wording import ways_to_predict
from mcviz.figures import (
    accuracy_against_ensemble,
    accuracy_by_ensemble_size,
    confusion_matrix,
    score_distributions,
)
from mcviz.runs import Run


def named(selection: Selection) -> pd.DataFrame:
    """All columns of the selected examples, with the names of the classes beside their numbers."""
    scores = selection.table.rename_axis("example").reset_index()
    names = dict(enumerate(selection.run.class_names))
    for index, column in ((3, "prediction"), (2, "label")):
        name = f"{column}_name"
        scores = scores.rename(columns={name: f"user_{name}"})
        scores.insert(index, name, scores[column].map(names))
    return scores


def accuracies(run: Run) -> dict[str, str]:
    """The accuracies that are known, by what they are called."""
    if run.pass_accuracy is None or run.ensemble_accuracy is None:
        return {}
    values = run.deterministic_accuracy, run.pass_accuracy.mean(), run.ensemble_accuracy[-1]
    deterministic, *others = ways_to_predict(run.manifest)
    off = "" if run.manifest.origin.kind == "imported" else " (dropout off)"
    rows = zip((deterministic + off, *others), values, strict=True)
    return {name: f"{value:.2%}" for name, value in rows if value is not None}


def summaries(selection: Selection) -> list[go.Figure]:
    """Aggregates of the run and of the selection; none holds a number of a single example."""
    run, scores = selection.run, selection.table
    label, values = scores_of(run)[selection.score].label, scores[selection.score].to_numpy()
    if run.pass_accuracy is None or run.ensemble_accuracy is None:
        return [score_distributions(values, None, label)]
    return [
        accuracy_against_ensemble(run.pass_accuracy, run.ensemble_accuracy[-1], run.deterministic_accuracy),
        accuracy_by_ensemble_size(run.ensemble_accuracy, run.deterministic_accuracy),
        score_distributions(values, scores["correct"].to_numpy(bool), label),
        confusion_matrix(scores["label"].to_numpy(int), scores["prediction"].to_numpy(int), class_names(run)),
    ]
