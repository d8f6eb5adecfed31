"""The passes of a regression over one example, in numbers, words, a table and a chart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import as_predictions
from mcviz.app.components.charts import chart
from mcviz.app.resources import target_names
from mcviz.app.wording import all_as_markdown, as_markdown, counted
from mcviz.measures import percent, significant
from mcviz.measures.conformal import pass_intervals
from mcviz.measures.registry import format_with_unit
from mcviz.measures.regression import predictive_variance
from mcviz.runs import Run

NAMED_TARGETS = 3  # of an example, where there is room for a line


@dataclass(frozen=True)
class Prediction:
    """The prediction for one example, (D,) each, in the unit of the targets.

    Attributes:
        run: whose model predicts.
        predictions: (T, K) of the passes.
        outputs: (T, D) the mean that each pass predicts.
        variances: (T, D) the variance that each pass predicts, or None.
        mean: of the predictive distribution.
        std: of it: what the passes differ by, and what they expect.
        model_std: what the passes differ by: model (epistemic) uncertainty.
        data_std: what they expect: data (aleatoric) uncertainty; None where no variance is predicted.
        low: lower ends of its central interval.
        high: upper ends.
        coverage: of the interval, in percent.
    """

    run: Run
    predictions: np.ndarray
    outputs: np.ndarray
    variances: np.ndarray | None
    mean: np.ndarray
    std: np.ndarray
    model_std: np.ndarray
    data_std: np.ndarray | None
    low: np.ndarray
    high: np.ndarray
    coverage: int

    def describe(self) -> str:
        """Say what the ensemble predicts, in a sentence in Markdown."""
        unit = self.run.manifest.unit
        values = [f"**{as_markdown(with_std(*each, unit))}**" for each in zip(self.mean, self.std, strict=True)]
        if len(values) > 1:
            names = all_as_markdown(target_names(self.run))
            values = [f"{value} for {name}" for value, name in zip(values, names, strict=True)]
        more = f" and {len(values) - NAMED_TARGETS} more targets" if len(values) > NAMED_TARGETS else ""
        return f"The ensemble predicts {', '.join(values[:NAMED_TARGETS])}{more}."

    def describe_interval(self, target: int, label: float | None) -> str:
        """Give the interval of a target, and say whether it holds the label where that is known, in Markdown."""
        run, unit, low, high = self.run, self.run.manifest.unit, self.low[target], self.high[target]
        ends = as_markdown(f"{significant(low)} to {format_with_unit(high, unit)}")
        interval = f"{self.coverage}% interval of the predictive distribution"
        of = f" of {as_markdown(target_names(run)[target])}" if len(run.targets) > 1 else ""
        if label is None:
            return f"The {interval}{of} is {ends}."
        holds = "holds it" if low <= label <= high else "does **not** hold it"
        away = as_markdown(format_with_unit(abs(self.mean[target] - label), unit))
        known = as_markdown(format_with_unit(label, unit))
        return f"The label{of} is **{known}**, {away} away: the {interval}, {ends}, {holds}."

    def describe_uncertainty(self, target: int) -> str:
        """List how much of a target's uncertainty is the model's and how much is in the data, in Markdown."""
        unit, model = self.run.manifest.unit, float(self.model_std[target])
        differ = "- **Model (epistemic) uncertainty**: " + (
            f"± {as_markdown(format_with_unit(float(f'{model:.3g}'), unit))}, by which the passes differ."
            if model > 0
            else "none, all passes predict the same."
        )
        if self.data_std is None:
            return f"{differ} This model predicts no variance: how far labels scatter by themselves is not in it."
        data = float(self.data_std[target])
        scatter = as_markdown(format_with_unit(float(f"{data:.3g}"), unit))
        share = data**2 / (data**2 + model**2)
        return (
            f"{differ}\n"
            f"- **Data (aleatoric) uncertainty**: ± {scatter}, which the passes expect on average.\n"
            f"- The model puts {percent(share, 0)} of the variance down to the data and the rest to itself. That is "
            "its own guess: with more training examples it may turn out otherwise."
        )

    def render_table(self, labels: np.ndarray | None = None) -> None:
        """Render a row a target: mean, standard deviation, interval, and the label where it is known."""
        rows = {
            "target": all_as_markdown(target_names(self.run)),
            "prediction": list(map(significant, self.mean)),
            "std": [significant(float(f"{std:.3g}")) for std in self.std],
            f"{self.coverage}% interval": [
                f"{significant(low)} to {significant(high)}" for low, high in zip(self.low, self.high, strict=True)
            ],
        }
        if labels is not None:
            rows["label"] = list(map(significant, labels))
        unit = f", in {as_markdown(self.run.manifest.unit)}" if self.run.manifest.unit else ""
        st.markdown(f"**{'Each target' if len(self.mean) > 1 else 'The target'}, over all passes{unit}**")
        st.table(pd.DataFrame(rows).set_index("target"))

    def render_histogram(
        self,
        target: int,
        key: str,
        *,
        deterministic: float | None = None,
        label: float | None = None,
        height: int | None = None,
    ) -> None:
        """Render the passes of a target with the interval; one of `height` pixels stands among others."""
        figure = plot.passes(
            self.run,
            self.predictions,
            label=label,
            deterministic=deterministic,
            target=target,
            coverage=self.coverage / 100,
        )
        if height:
            figure.update_layout(height=height, showlegend=False)
        chart(figure, key, f"Histogram of {counted(len(self.outputs), 'pass')}. {self.describe()}")

    def render_caption(self) -> None:
        """Render what the histogram shows."""
        curve = " The line is the predictive distribution: the passes with their spread."
        st.caption(
            f"One histogram of {counted(len(self.outputs), 'pass')}. The band is the {self.coverage}% interval of the "
            f"predictive distribution.{'' if self.variances is None else curve}"
        )


def predict_example(run: Run, predictions: np.ndarray, coverage: int) -> Prediction:
    """Summarise (T, K) passes over an example of a run or a new one, with an interval of `coverage` percent."""
    given = as_predictions(run, predictions[:, None])
    interval = pass_intervals(given, coverage / 100)
    outputs, variances = given.outputs[:, 0], None if given.variances is None else given.variances[:, 0]
    return Prediction(
        run,
        predictions,
        outputs,
        variances,
        mean=outputs.mean(axis=0, dtype=np.float64),
        std=np.sqrt(predictive_variance(given.outputs, given.variances)[0]),
        model_std=np.sqrt(predictive_variance(given.outputs)[0]),
        data_std=None if variances is None else np.sqrt(variances.mean(axis=0, dtype=np.float64)),
        low=interval.low[0],
        high=interval.high[0],
        coverage=coverage,
    )


def first_targets(values: Sequence[float], unit: str = "") -> str:
    """Write a number for each of the first targets, as one line."""
    digits = 4 if len(values) == 1 else 3
    shown = [significant(float(f"{value:.{digits}g}")) for value in values[:NAMED_TARGETS]]
    return f"{', '.join(shown)}{' …' if len(values) > NAMED_TARGETS else ''} {unit}".rstrip()


def with_std(mean: float, std: float, unit: str) -> str:
    """Write a mean and a standard deviation, such as "152.3 ± 24.1 mg/dl"."""
    return format_with_unit(mean, f"± {format_with_unit(float(f'{std:.3g}'), unit)}")
