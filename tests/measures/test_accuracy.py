"""Accuracies against a simple loop, and that the counts of blocks add up."""

import numpy as np

from mcviz import measures


def drawn(seed: int, passes: int = 7, examples: int = 40, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    probs = generator.dirichlet(np.ones(classes), (passes, examples)).astype(np.float32)
    return probs, generator.integers(classes, size=examples)


def test_each_pass_and_each_ensemble_is_counted_as_a_simple_loop_counts() -> None:
    probs, labels = drawn(0)
    single = measures.correct_per_pass(probs, labels)
    together = measures.correct_by_ensemble_size(probs, labels)
    for t in range(len(probs)):
        assert single[t] == sum(int(np.argmax(probs[t, i]) == labels[i]) for i in range(len(labels)))
        mean = probs[: t + 1].astype(float).mean(axis=0)
        assert together[t] == sum(int(np.argmax(mean[i]) == labels[i]) for i in range(len(labels)))


def test_the_ensemble_of_one_pass_is_that_pass() -> None:
    probs, labels = drawn(1)
    assert measures.correct_by_ensemble_size(probs, labels)[0] == measures.correct_per_pass(probs, labels)[0]


def test_the_counts_of_blocks_of_examples_add_up() -> None:
    probs, labels = drawn(2)
    for count in (measures.correct_per_pass, measures.correct_by_ensemble_size):
        blocks = sum(count(probs[:, block], labels[block]) for block in (slice(0, 13), slice(13, 40)))
        assert (blocks == count(probs, labels)).all()
