"""The activations of a model on its way to the output, and the examples of a run that are nearest by them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

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
        shared = [array[: rows.stop - rows.start] for array in plan.shared_part(block)]
        activations.append(np.concatenate([_pool_features(array) for array in shared], axis=1))
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
    try:
        features = sampler.network.compute_features(examples)
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


@lru_cache(maxsize=2)
def _random_directions(features: int) -> np.ndarray:
    """Draw (features, `MOST_COMPARED`) float32."""
    return np.random.default_rng(0).normal(size=(features, MOST_COMPARED)).astype(np.float32)


def _pool_features(array: np.ndarray) -> np.ndarray:
    """Reduce to (N, D) float32, D at most `MOST_FEATURES`, by averages over blocks along the axes before the last."""
    while array[0].size > MOST_FEATURES and array.ndim > 2:
        axis = int(np.argmax(array.shape[1:-1])) + 1
        if array.shape[axis] == 1:
            break
        edges = np.arange(0, array.shape[axis], 2)
        sums = np.add.reduceat(array, edges, axis=axis)
        widths = np.diff(np.r_[edges, array.shape[axis]])
        array = sums / widths.reshape([-1 if i == axis else 1 for i in range(array.ndim)])
    flat = array.reshape(len(array), -1).astype(np.float32)
    if flat.shape[1] <= MOST_FEATURES:
        return flat
    edges = np.linspace(0, flat.shape[1], MOST_FEATURES, endpoint=False).astype(int)
    return np.add.reduceat(flat, edges, axis=1)
