"""Regression: a pass gives D numbers, and their variances where the model predicts these too."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.measures import REGRESSION_SCORES, RegressionPredictions, Score
from mcviz.measures.regression import rmse_of_one_pass, squared_error_by_ensemble_size, squared_error_per_pass
from mcviz.measures.units import with_unit
from mcviz.runs.manifest import Manifest
from mcviz.runs.stored_array import StoredArray, by_example, by_pass
from mcviz.runs.summary import Summary

MISSING = float("nan")


class Regression:
    """See `Task`; K is D, or D outputs and then their D variances."""

    scores: Mapping[str, Score] = REGRESSION_SCORES
    quality = "RMSE"

    def arrays(self, manifest: Manifest) -> Iterator[StoredArray]:
        """See `Task`."""
        layout, count, targets = manifest.layout, manifest.examples.count, len(manifest.targets)
        unit = {"units": manifest.unit} if manifest.unit else {}
        squared = {"units": f"({manifest.unit})^2"} if manifest.unit else {}
        for name in self.passes_in(manifest):
            named = {"outputs": "predicted mean of each pass", "variances": "predicted variance of each pass"}[name]
            yield StoredArray(
                name,
                (count, targets, manifest.passes),
                "float32",
                ("example", "target", "draw"),
                layout.examples_per_chunk,
                layout.examples_per_shard,
                MISSING,
                (unit if name == "outputs" else squared) | {"long_name": named},
            )
        long_names = {f"mean_{name}": f"mean over the passes of the {name}" for name in self.passes_in(manifest)}
        if manifest.deterministic:
            long_names |= {f"deterministic_{name}": f"{name} with dropout off" for name in self.passes_in(manifest)}
        if manifest.labels_sha256 is not None:
            long_names["label"] = "true value"
        for name, long_name in long_names.items():
            attributes = (squared if name.endswith("variances") else unit) | {"long_name": long_name}
            yield by_example(name, count, ("target", targets), attributes)
        if manifest.labels_sha256 is not None:
            for name, of_what in (
                ("squared_error_per_pass", "each pass"),
                ("squared_error_by_ensemble_size", "the mean of the first 1, 2, … passes"),
            ):
                attributes = squared | {"long_name": f"sum over examples and targets of the squared error of {of_what}"}
                yield by_pass(name, manifest.passes, "float64", MISSING, attributes)

    def passes_in(self, manifest: Manifest) -> tuple[str, ...]:
        """See `Task`."""
        return ("outputs",) if manifest.predicts == "mean" else ("outputs", "variances")

    def check(self, manifest: Manifest, passes: np.ndarray) -> None:
        """See `Task`."""
        if not np.isfinite(passes).all():
            raise InvalidInputError("Passes to be kept should be finite numbers. Received: some that are not.")
        variances = passes[..., len(manifest.targets) :]
        if variances.size and variances.min() <= 0:
            raise InvalidInputError(f"Predicted variances should be above 0. Received: {float(variances.min())}.")

    def encoded(self, manifest: Manifest, passes: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`."""
        return {
            name: np.ascontiguousarray(part.transpose(1, 2, 0)) for name, part in self.parts(manifest, passes).items()
        }

    def decoded(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """See `Task`."""
        return np.ascontiguousarray(np.concatenate(list(rows.values()), axis=1).transpose(2, 0, 1))

    def parts(self, manifest: Manifest, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`."""
        width = len(manifest.targets)
        return {
            name: predictions[..., at * width : (at + 1) * width] for at, name in enumerate(self.passes_in(manifest))
        }

    def deterministic(self, manifest: Manifest, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`."""
        return {f"deterministic_{name}": part for name, part in self.parts(manifest, predictions).items()}

    def summarise(self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None) -> Summary:
        """See `Task`."""
        known = self.predictions(manifest, passes, None, None)
        mean = passes.mean(axis=0, dtype=np.float64).astype(np.float32)
        arrays = {f"mean_{name}": part for name, part in self.parts(manifest, mean).items()}
        columns = dict(zip(_by_target("prediction", manifest.targets), arrays["mean_outputs"].T, strict=True))
        columns |= {
            name: REGRESSION_SCORES[name].compute(known).astype(np.float32)
            for name in manifest.scores
            if name in REGRESSION_SCORES
        }
        if labels is None:
            return Summary(arrays, {}, columns)
        totals = {
            "squared_error_per_pass": squared_error_per_pass(known.outputs, labels),
            "squared_error_by_ensemble_size": squared_error_by_ensemble_size(known.outputs, labels),
        }
        return Summary(
            arrays, totals, columns | dict(zip(_by_target("label", manifest.targets), labels.T, strict=True))
        )

    def columns(self, targets: Sequence[str]) -> dict[str, str]:
        """See `Task`."""
        return dict.fromkeys((*_by_target("label", targets), *_by_target("prediction", targets)), "float32")

    def available(self, manifest: Manifest) -> set[str]:
        """See `Task`."""
        known = {"labels": manifest.labels_sha256 is not None, "deterministic_outputs": manifest.deterministic}
        return {*self.passes_in(manifest), *(name for name, is_known in known.items() if is_known)}

    def predictions(
        self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None, deterministic: np.ndarray | None
    ) -> RegressionPredictions:
        """See `Task`."""
        parts = self.parts(manifest, passes)
        fixed = {} if deterministic is None else self.deterministic(manifest, deterministic)
        return RegressionPredictions(labels=labels, **parts, **fixed)

    def quality_of(self, predictions: np.ndarray, labels: np.ndarray) -> float:
        """See `Task`."""
        errors = predictions[:, : labels.shape[1]].astype(np.float64) - labels
        return float(np.sqrt(np.square(errors).mean()))

    def quality_of_columns(self, columns: Mapping[str, np.ndarray]) -> float | None:
        """See `Task`."""
        errors = [
            columns[name.replace("label", "prediction", 1)] - columns[name]
            for name in columns
            if name.startswith("label")
        ]
        return float(np.sqrt(np.mean(np.square(errors)))) if errors else None

    def quality_by_pass(self, manifest: Manifest, totals: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """See `Task`."""
        numbers = manifest.examples.count * len(manifest.targets)
        per_pass, by_size = totals["squared_error_per_pass"], totals["squared_error_by_ensemble_size"]
        return np.sqrt(per_pass / numbers), np.sqrt(by_size / numbers)

    def quality_of_one_pass(self, by_pass: np.ndarray) -> float:
        """See `Task`."""
        return rmse_of_one_pass(by_pass)

    def quality_in_words(self, manifest: Manifest, value: float) -> str:
        """See `Task`."""
        return with_unit(value, manifest.unit)


def _by_target(name: str, targets: Sequence[str]) -> list[str]:
    """The columns of a value of each target: of the only one it has no name."""
    return [name] if len(targets) == 1 else [f"{name}_{target}" for target in targets]
