"""A network in NumPy behind the engine's protocol, for tests of the engine that need no framework.

It is a hidden layer with ReLU, dropout, and a second layer with softmax, or without in a regression. Its model is a
dict of arrays, and its file an `.npz` that ends in `.fake`.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np

from mcviz.errors import DataNotFoundError
from mcviz.options import ModelOptions, TaskOptions
from mcviz.runs import Run
from mcviz.runs.tables import hash_array
from mcviz.sampling import cluster, loading, sampler
from mcviz.sampling.base import (
    DEFAULT_SETTINGS,
    Inputs,
    InputSpec,
    LayerReport,
    MaskedDense,
    ModelSettings,
    Network,
    Plan,
    StochasticLayer,
)
from mcviz.sampling.examples import prepare_examples
from mcviz.sampling.masks import RandomRequest

Arrays = Mapping[str, np.ndarray]


def make_arrays(
    shape: tuple[int, ...] = (6, 5, 1),
    width: int = 4,
    *,
    hidden: int = 16,
    rate: float = 0.5,
    seed: int = 0,
    inputs: int = 1,
    factored: bool = False,
) -> dict[str, np.ndarray]:
    """Make the model of a network with random weights.

    Args:
        shape: of one example.
        width: the number of outputs.
        hidden: the units of the hidden layer.
        rate: of the dropout.
        seed: of the weights.
        inputs: how many inputs the network has; each takes a part of an example's first axis.
        factored: whether the second layer is computed from the masks of the dropout.
    """
    random, size = np.random.default_rng(seed), int(np.prod(shape))
    return {
        "first": (random.standard_normal((size, hidden)) / np.sqrt(size)).astype(np.float32),
        "first_bias": (random.standard_normal(hidden) / 8).astype(np.float32),
        "second": (2 * random.standard_normal((hidden, width)) / np.sqrt(hidden)).astype(np.float32),
        "second_bias": (random.standard_normal(width) / 8).astype(np.float32),
        "shape": np.array(shape),
        "settings": np.array([rate, inputs, factored]),
    }


class FakeNetwork(Network):
    """See `Network`."""

    backend = "keras"  # by which its file is called in a run

    def __init__(self, model: Arrays, settings: ModelSettings = DEFAULT_SETTINGS) -> None:
        self.model, self.name, self.settings = model, "fake", settings
        self.input_shape, self.input_dtype = tuple(map(int, model["shape"])), "float32"
        self._rate, self._inputs, self._factored = float(model["settings"][0]), *map(int, model["settings"][1:])

    @classmethod
    def load(cls, options: ModelOptions, task: TaskOptions, run: Run | None) -> Self:
        try:
            with np.load(options.model, allow_pickle=False) as arrays:
                model = dict(arrays)
        except FileNotFoundError as error:
            raise DataNotFoundError(f"There is no model at {options.model}.") from error
        return cls(model, ModelSettings.from_options(options, task)) if run is None else cls.for_run(model, run)

    @classmethod
    def for_run(cls, model: Arrays, run: Run) -> Self:
        return cls(model, ModelSettings.from_manifest(run.manifest, None))

    @classmethod
    def limit_threads(cls, most: int) -> None:
        """NumPy has none of its own for products of this size."""

    def report_layers(self) -> LayerReport:
        return LayerReport((StochasticLayer("dropout", "Dropout", self._rate),))

    @property
    def input_specs(self) -> tuple[InputSpec, ...]:
        parts = self._split(np.empty((1, *self.input_shape), np.float32))
        return tuple(InputSpec(name, part.shape[1:], "float32") for name, part in parts.items())

    def prepare(self, examples: Any) -> Inputs:
        return self._split(prepare_examples(examples, self))

    def make_plan(self, inputs: tuple[InputSpec, ...], *, channel_sums: bool, compiler: str | None) -> Plan:
        passes = 32
        request = RandomRequest(0, "bernoulli", self._rate, self.model["first_bias"].shape, shared=False)

        def random_part(shared: list[np.ndarray], numbers: list[np.ndarray]) -> np.ndarray:
            if self._factored:
                with np.errstate(over="ignore", invalid="ignore"):  # in rows that are not wanted
                    return self._finish(shared[0])
            return self._finish(np.repeat(shared[0], passes, axis=0) * numbers[0] @ self.model["second"])

        plan = Plan(
            passes_per_block=passes,
            examples_per_block=2,
            shared_examples_per_block=4,
            shared_bytes=self.model["first_bias"].nbytes,
            width=len(self.model["second_bias"]),
            random_requests=(request,),
            shared_part=lambda given: [self._hide(given) / np.float32(1 - self._rate)],
            random_part=random_part,
            deterministic=lambda given: self._finish(self._hide(given) @ self.model["second"]),
            layers=self.report_layers(),
            masked_arrays={0: 0},
        )
        if not self._factored:
            return plan
        # Column by column in memory, as it is for frameworks that keep a kernel by its units.
        dense = MaskedDense(request, plan.width, lambda: np.asfortranarray(self.model["second"]), multiply)
        return replace(plan, masked_dense=dense)

    def compute_digest(self) -> str:
        return hashlib.sha256(
            repr([(name, hash_array(self.model[name])) for name in sorted(self.model)]).encode()
        ).hexdigest()

    def save(self) -> bytes:
        file = io.BytesIO()
        np.savez(file, **self.model)
        return file.getvalue()

    def compute_features(self, examples: Any) -> np.ndarray:
        return self._hide(self.prepare(examples))

    def compute_gradient_sign(self, examples: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        hidden = self._hide(self.prepare(examples))
        probs = self._finish(hidden @ self.model["second"])
        wanted = np.eye(probs.shape[1])[probs.argmax(axis=1) if labels is None else labels]
        gradient = ((probs - wanted) @ self.model["second"].T * (hidden > 0)) @ self.model["first"].T
        return np.sign(gradient, dtype=np.float32).reshape(examples.shape)

    def _split(self, examples: np.ndarray) -> dict[str, np.ndarray]:
        parts = np.array_split(examples, self._inputs, axis=1)
        return {f"part {number}": part for number, part in enumerate(parts)}

    def _hide(self, inputs: Inputs) -> np.ndarray:
        flat = np.concatenate([part.reshape(len(part), -1) for part in inputs.values()], axis=1)
        return np.maximum(flat @ self.model["first"] + self.model["first_bias"], 0)

    def _finish(self, product: np.ndarray) -> np.ndarray:
        values = product + self.model["second_bias"]
        if self.settings.task == "regression":
            return values
        exponentials = np.exp(values - values.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)


def multiply(masks: np.ndarray, kernel: np.ndarray, transposed: bool) -> np.ndarray:
    return (masks.T if transposed else masks) @ kernel


def find_fake_backend(path: str) -> type[Network]:
    return FakeNetwork if path.endswith(".fake") else sampler.find_backend(path)


# Worker processes import this module before they load a model.
loading.find_backend = cluster.find_backend = find_fake_backend
