"""What tests of several files make for themselves, by subject."""

from pathlib import Path

import numpy as np

import mcviz
from mcviz.runs import Run

# Arrays of predictions


def draw_probs(
    random: np.random.Generator,
    labels: np.ndarray,
    *,
    passes: int,
    classes: int = 3,
    lean: float | np.ndarray,
    shared: float = 0.0,
    noise: float = 1.0,
) -> np.ndarray:
    """(T, N, C) float32 probabilities that lean to the labels, by so much or by (N,) numbers.

    The logits have `noise` of each pass, and what is `shared` by all passes.
    """
    from scipy.special import softmax

    shape = len(labels), classes
    logits = noise * random.normal(size=(passes, *shape)) + shared * random.normal(size=shape)
    logits += np.asarray(lean)[..., None] * np.eye(classes)[labels]
    return softmax(logits, axis=-1).astype(np.float32)


def make_doubtful_run(path: Path, examples: int, seed: int, *, labelled: bool = True, doubt: float = 1.0) -> Run:
    """A run of a model that is often wrong where its passes are in doubt; more `doubt` is another distribution."""
    import pandas as pd

    random = np.random.default_rng(seed)
    labels, certainty = random.integers(3, size=examples), random.gamma(3, 2 / doubt, examples)
    probs = draw_probs(random, labels, passes=8, lean=certainty, shared=1, noise=0.3)
    columns = pd.DataFrame({"source": np.where(np.arange(examples) % 3 == 0, "a", "b"), "number": np.arange(examples)})
    columns.loc[:4, "source"] = None
    return mcviz.write_run(
        path,
        probs,
        labels=labels if labelled else None,
        ids=[f"item {example}" for example in range(examples)],
        columns=columns,
        class_names=["cat", "dog", "=owl"],
    )
