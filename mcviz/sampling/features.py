"""The activations of a model on its way to the output, and the examples of a run that are nearest by them."""

from dataclasses import dataclass
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.measures.ood import scale_to_unit_length
from mcviz.runs import Derived, Run, load_derived, save_derived
from mcviz.runs.contents import Progress
from mcviz.sampling.adapters import adapter_for_run, load_stored
from mcviz.sampling.engine import iterate_blocks
from mcviz.sampling.sampler import Sampler

MOST_FEATURES = 16_384
EXAMPLES_AT_ONCE = 500
MOST_NEIGHBOURS = 10_000
STORED_FEATURES = Derived("model-features", 1, {"features": "float16"})
MOST_COMPARED = 512  # features of an example; more are projected onto as many


def activations_before_dropout(sampler: Sampler, examples: np.ndarray) -> np.ndarray:
    """Compute the inputs of the first stochastic layers, which are the same in every pass.

    Of more than 16,384 numbers an example, feature maps are averaged over blocks of pixels. A model that cannot be
    taken apart gives its input.

    Args:
        sampler: the prepared model.
        examples: (N, ...) as the model takes them, or N texts.

    Returns:
        (N, D) float32.

    Raises:
        InvalidInputError: examples that do not fit the model.
    """
    prepared, plan = sampler.plan_for(examples)
    activations = []
    for rows, block in iterate_blocks(prepared, plan.shared_examples_per_block):
        tensors = [tensor.numpy()[: rows.stop - rows.start] for tensor in plan.shared_part(tf.constant(block))]
        activations.append(np.concatenate([_pool_features(tensor) for tensor in tensors], axis=1))
    return np.concatenate(activations)


def unit_features(sampler: Sampler, examples: np.ndarray) -> np.ndarray:
    """Compute a model's features of examples, as directions: two that point the same way are alike to it.

    They are the inputs of the last layer, dropout off, or, where the model does not end in a dense layer, of the first
    stochastic layers. More than 512 are projected onto random directions, which nearly keeps the angles between
    examples (Johnson & Lindenstrauss 1984).

    Args:
        sampler: the prepared model.
        examples: (N, ...) as the model takes them, or N texts.

    Returns:
        (N, D) float32 of unit length; 0 where nothing is active.

    Raises:
        InvalidInputError: examples that do not fit the model.
    """
    model = sampler.model
    try:
        inputs = np.asarray(examples).reshape(-1, *model.inputs[0].shape[1:]) if sampler.takes_texts else examples
        features = penultimate_activations(model, inputs)
    except UnsuitableModelError:
        features = activations_before_dropout(sampler, examples)
    if features.shape[1] > MOST_COMPARED:
        features = features @ _random_directions(features.shape[1])
    return scale_to_unit_length(features)


@dataclass(frozen=True)
class Neighbours:
    """Examples of a run with their features.

    Attributes:
        examples: (M,) int64 numbers of the compared examples: all, or 10,000 at most, evenly spread.
        features: (M, D) float32 of unit length, from `unit_features`.
    """

    examples: np.ndarray
    features: np.ndarray

    def nearest(self, features: np.ndarray, count: int, without: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Find the examples whose features point in the most similar directions.

        Args:
            features: (D,) float32 of the input.
            count: how many, at most.
            without: the number of an example to leave out, or None.

        Returns:
            (n,) int64 numbers of examples, the nearest first, and (n,) the cosines, 1 where they are the same.
        """
        cosines = self.features @ features
        order = np.argsort(-cosines, kind="stable")
        order = order[self.examples[order] != without][:count] if without is not None else order[:count]
        return self.examples[order], cosines[order]


def find_neighbours(sampler: Sampler, run: Run, progress: Progress | None = None) -> Neighbours:
    """Compute the features of a run's examples, or load those that are kept beside the run.

    Args:
        sampler: of the run's model.
        run: a run that keeps its examples.
        progress: called with (done, total) examples; an error that it raises ends the work.

    Raises:
        McvizError: a run without its examples, or whose examples the model does not take.
    """
    stride = -(-len(run) // MOST_NEIGHBOURS)
    numbers = np.arange(0, len(run), stride)
    kept = load_derived(run.path, run.digest, STORED_FEATURES)
    if kept is not None and kept["features"].ndim == 2 and len(kept["features"]) == len(numbers):
        return Neighbours(numbers, kept["features"].astype(np.float32))
    adapter, stored, blocks = adapter_for_run(sampler, run), load_stored(run), []
    for start in range(0, len(numbers), EXAMPLES_AT_ONCE):
        stop = min(start + EXAMPLES_AT_ONCE, len(numbers))
        blocks.append(unit_features(sampler, adapter.from_stored(stored[start * stride : stop * stride : stride])))
        if progress:
            progress(stop, len(numbers))
    features = np.concatenate(blocks)
    save_derived(run.path, run.digest, STORED_FEATURES, {"features": features})
    return Neighbours(numbers, features)


def penultimate_model(model: keras.Model) -> keras.Model:
    """Return the part of a model in front of its last layer, dropout layers included; the weights are shared.

    Args:
        model: a Sequential or functional model with one output that ends in a dense layer.

    Raises:
        UnsuitableModelError: any other model.
    """
    one_output = getattr(model, "inputs", None) and len(model.outputs) == 1  # or the last layer need not be its own
    last = model.layers[-1] if one_output else None
    if not isinstance(last, keras.layers.Dense) or len(last.input.shape) != 2:
        raise UnsuitableModelError(
            "Penultimate activations need a Sequential or functional model with one output that ends in a dense layer. "
            f"Received: model {model.name!r}."
        )
    return keras.Model(model.inputs[0], last.input)


def penultimate_activations(model: keras.Model, examples: np.ndarray) -> np.ndarray:
    """Compute the inputs of the last layer, dropout off.

    Args:
        model: as for `penultimate_model`.
        examples: (N, ...) as the model takes them.

    Returns:
        (N, D) float32.
    """
    part = penultimate_model(model)
    return np.concatenate(
        [
            part(tf.constant(examples[start : start + EXAMPLES_AT_ONCE]), training=False).numpy()
            for start in range(0, len(examples), EXAMPLES_AT_ONCE)
        ]
    )


def last_logits(model: keras.Model, activations: np.ndarray) -> np.ndarray:
    """Compute the last layer's outputs before its activation.

    Args:
        model: as for `penultimate_model`.
        activations: (..., D) float32, the inputs of the layer.

    Returns:
        (..., C) float32.
    """
    kernel, bias = model.layers[-1].get_weights()
    return activations @ kernel + bias


@lru_cache(maxsize=2)
def _random_directions(features: int) -> np.ndarray:
    """Draw (features, `MOST_COMPARED`) float32."""
    return np.random.default_rng(0).normal(size=(features, MOST_COMPARED)).astype(np.float32)


def _pool_features(tensor: np.ndarray) -> np.ndarray:
    """Reduce to (N, D) float32, D at most `MOST_FEATURES`, by averages over blocks along the axes before the last."""
    while tensor[0].size > MOST_FEATURES and tensor.ndim > 2:
        axis = int(np.argmax(tensor.shape[1:-1])) + 1
        if tensor.shape[axis] == 1:
            break
        edges = np.arange(0, tensor.shape[axis], 2)
        sums = np.add.reduceat(tensor, edges, axis=axis)
        widths = np.diff(np.r_[edges, tensor.shape[axis]])
        tensor = sums / widths.reshape([-1 if i == axis else 1 for i in range(tensor.ndim)])
    flat = tensor.reshape(len(tensor), -1).astype(np.float32)
    if flat.shape[1] <= MOST_FEATURES:
        return flat
    edges = np.linspace(0, flat.shape[1], MOST_FEATURES, endpoint=False).astype(int)
    return np.add.reduceat(flat, edges, axis=1)
