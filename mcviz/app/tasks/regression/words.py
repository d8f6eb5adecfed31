"""What is predicted of an example, in words and as a table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.resources import quantity, target_names
from mcviz.app.tasks.regression.passes import Predicted
from mcviz.app.wording import all_as_markdown, as_markdown
from mcviz.measures import percent, significant
from mcviz.runs import Run

NAMED_TARGETS = 3  # of an example, where there is room for a line


def several(values: Sequence[float], unit: str = "") -> str:
    """A number for each of the first targets, as one line."""
    digits = 4 if len(values) == 1 else 3
    shown = [significant(float(f"{value:.{digits}g}")) for value in values[:NAMED_TARGETS]]
    return f"{', '.join(shown)}{' …' if len(values) > NAMED_TARGETS else ''} {unit}".rstrip()


def with_std(mean: float, std: float, unit: str) -> str:
    """A mean and a standard deviation, such as "152.3 ± 24.1 mg/dl"."""
    return quantity(mean, f"± {quantity(float(f'{std:.3g}'), unit)}")


def in_words(run: Run, found: Predicted) -> str:
    """What the ensemble predicts, in a sentence in Markdown."""
    unit = run.manifest.unit
    values = [f"**{as_markdown(with_std(*each, unit))}**" for each in zip(found.mean, found.std, strict=True)]
    if len(values) > 1:
        values = [f"{value} for {name}" for value, name in zip(values, all_as_markdown(target_names(run)), strict=True)]
    more = f" and {len(values) - NAMED_TARGETS} more targets" if len(values) > NAMED_TARGETS else ""
    return f"The ensemble predicts {', '.join(values[:NAMED_TARGETS])}{more}."


def judged(run: Run, found: Predicted, label: float | None, target: int) -> str:
    """The interval of a target, and whether it holds the label where that is known, in Markdown."""
    unit = run.manifest.unit
    ends = as_markdown(f"{significant(found.low[target])} to {quantity(found.high[target], unit)}")
    interval = f"{found.coverage}% interval of the predictive distribution"
    of = f" of {as_markdown(target_names(run)[target])}" if len(run.targets) > 1 else ""
    if label is None:
        return f"The {interval}{of} is {ends}."
    holds = "holds it" if found.low[target] <= label <= found.high[target] else "does **not** hold it"
    away = as_markdown(quantity(abs(found.mean[target] - label), unit))
    return f"The label{of} is **{as_markdown(quantity(label, unit))}**, {away} away: the {interval}, {ends}, {holds}."


def reasons(run: Run, found: Predicted, target: int) -> list[str]:
    """What of the uncertainty of a target is the model's and what is in the data, sentences in Markdown."""
    unit, model = run.manifest.unit, float(found.model_std[target])
    differ = "**Model (epistemic) uncertainty**: " + (
        f"± {as_markdown(quantity(float(f'{model:.3g}'), unit))}, by which the passes differ."
        if model > 0
        else "none, all passes predict the same."
    )
    if found.data_std is None:
        return [f"{differ} This model predicts no variance: how far labels scatter by themselves is not in it."]
    data = float(found.data_std[target])
    share = data**2 / (data**2 + model**2)
    return [
        differ,
        f"**Data (aleatoric) uncertainty**: ± {as_markdown(quantity(float(f'{data:.3g}'), unit))}, which the passes "
        "expect on average.",
        f"The model puts {percent(share, 0)} of the variance down to the data and the rest to itself. That is its own "
        "guess: with more training examples it may turn out otherwise.",
    ]


def target_table(run: Run, found: Predicted, labels: np.ndarray | None = None) -> None:
    """A row a target: mean, standard deviation, interval, and the label where it is known."""
    rows = {
        "target": all_as_markdown(target_names(run)),
        "prediction": list(map(significant, found.mean)),
        "std": [significant(float(f"{std:.3g}")) for std in found.std],
        f"{found.coverage}% interval": [
            f"{significant(low)} to {significant(high)}" for low, high in zip(found.low, found.high, strict=True)
        ],
    }
    if labels is not None:
        rows["label"] = list(map(significant, labels))
    unit = f", in {as_markdown(run.manifest.unit)}" if run.manifest.unit else ""
    st.markdown(f"**{'Each target' if len(found.mean) > 1 else 'The target'}, over all passes{unit}**")
    st.table(pd.DataFrame(rows).set_index("target"))
