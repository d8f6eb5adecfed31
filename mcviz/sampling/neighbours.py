"""The examples of a run that its model sees as most alike to an input."""

from dataclasses import dataclass

import numpy as np

from mcviz.runs import Derived, Run, load_derived, save_derived
from mcviz.sampling.adapters import adapter_for_run, load_stored
from mcviz.sampling.features import own_features
from mcviz.sampling.job import Progress
from mcviz.sampling.sampler import Sampler

MOST_EXAMPLES = 10_000
EXAMPLES_AT_ONCE = 500
FEATURES = Derived("model-features", 1, {"features": "float16"})


@dataclass(frozen=True)
class Neighbours:
    """Examples of a run as its model sees them.

    Attributes:
        examples: (M,) int64 numbers of those that are compared: all, or 10,000 at most, evenly spread.
        features: (M, D) float32 of unit length, as from `own_features`.
    """

    examples: np.ndarray
    features: np.ndarray

    def nearest(self, features: np.ndarray, count: int, without: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The examples whose features point the most the same way.

        Args:
            features: (D,) float32 of the input.
            count: how many, at most.
            without: the number of an example that is left out.

        Returns:
            (n,) int64 numbers of examples, the nearest first, and (n,) the cosines, 1 where they are the same.
        """
        cosines = self.features @ features
        order = np.argsort(-cosines, kind="stable")
        order = order[self.examples[order] != without][:count] if without is not None else order[:count]
        return self.examples[order], cosines[order]


def find_neighbours(sampler: Sampler, run: Run, progress: Progress | None = None) -> Neighbours:
    """Compute the features of a run's examples, or take them from beside the run, where they are kept.

    Args:
        sampler: of the run's model.
        run: a run that keeps its examples.
        progress: called with (done, total) examples; what it raises ends the work.

    Raises:
        McvizError: a run without its examples, or whose examples the model does not take.
    """
    stride = -(-len(run) // MOST_EXAMPLES)
    numbers = np.arange(0, len(run), stride)
    kept = load_derived(run.path, run.digest, FEATURES)
    if kept is not None and kept["features"].ndim == 2 and len(kept["features"]) == len(numbers):
        return Neighbours(numbers, kept["features"].astype(np.float32))
    adapter, stored, found = adapter_for_run(sampler, run), load_stored(run), []
    for start in range(0, len(numbers), EXAMPLES_AT_ONCE):
        stop = min(start + EXAMPLES_AT_ONCE, len(numbers))
        found.append(own_features(sampler, adapter.from_stored(stored[start * stride : stop * stride : stride])))
        if progress:
            progress(stop, len(numbers))
    features = np.concatenate(found)
    save_derived(run.path, run.digest, FEATURES, {"features": features})
    return Neighbours(numbers, features)
