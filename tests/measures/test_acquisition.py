"""Acquisition against brute force on tiny cases, and against frequencies of draws."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcviz.measures import mutual_information, predictive_entropy
from mcviz.measures.labels import bald, batch_bald, entropy, power_bald, random


def told_together(probs: np.ndarray, batch: tuple[int, ...]) -> float:
    """The mutual information of the labels of a batch and the pass: sums over all combinations, as it is defined."""
    passes, _, classes = probs.shape
    joint, within = 0.0, 0.0
    for labels in itertools.product(range(classes), repeat=len(batch)):
        of_pass = [math.prod(probs[t, i, c] for i, c in zip(batch, labels, strict=True)) for t in range(passes)]
        mean = sum(of_pass) / passes
        joint -= mean * math.log(mean) if mean > 0 else 0
        within -= sum(p * math.log(p) for p in of_pass if p > 0) / passes
    return joint - within


def slow_batch_bald(probs: np.ndarray, batch: int) -> tuple[int, ...]:
    chosen: tuple[int, ...] = ()
    while len(chosen) < batch:
        others = [i for i in range(probs.shape[1]) if i not in chosen]
        chosen += (max(others, key=lambda i: told_together(probs, (*chosen, i))),)
    return chosen


@settings(max_examples=30)
@given(st.integers(2, 4), st.integers(2, 6), st.integers(2, 3), st.integers(1, 3), st.integers(0, 10**6))
def test_batch_bald_is_greedy_brute_force(passes: int, pool: int, classes: int, batch: int, seed: int) -> None:
    probs = np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), (passes, pool))
    batch = min(batch, pool)
    found = batch_bald(probs, batch)
    assert len(set(found)) == batch
    assert told_together(probs, tuple(found)) == pytest.approx(
        told_together(probs, slow_batch_bald(probs, batch)), abs=1e-9
    )


def test_drawn_combinations_find_nearly_what_all_do() -> None:
    probs = np.random.default_rng(1).dirichlet(np.full(3, 0.5), (6, 12))
    exact = told_together(probs, tuple(batch_bald(probs, 5)))
    assert told_together(probs, tuple(batch_bald(probs, 5, rows=60))) > 0.97 * exact
    by_chance = np.mean([told_together(probs, tuple(random(12, 5, seed))) for seed in range(20)])
    assert by_chance < 0.9 * exact


def test_a_batch_does_not_hold_the_same_doubt_twice() -> None:
    disagree = np.array([[0.99, 0.01], [0.99, 0.01], [0.01, 0.99], [0.01, 0.99]])
    other = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]])
    probs = np.stack([disagree, disagree, disagree, other], axis=1)  # three copies of one doubt, and a smaller one
    assert bald(probs, 2).tolist() == [0, 1]
    assert batch_bald(probs, 2).tolist() == [0, 3]


def test_the_highest_scores_come_first() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (5, 20))
    assert bald(probs, 4).tolist() == np.argsort(-mutual_information(probs))[:4].tolist()
    assert entropy(probs, 4).tolist() == np.argsort(-predictive_entropy(probs))[:4].tolist()
    assert len(entropy(probs, 50)) == 20


def test_power_bald_draws_in_proportion_without_replacement() -> None:
    information = np.array([0.6, 0.3, 0.1, 0.0])
    draws = np.array([power_bald(information, 3, seed) for seed in range(4000)])
    first = np.bincount(draws[:, 0], minlength=4) / 4000
    np.testing.assert_allclose(first, information, atol=0.03)
    second = np.bincount(draws[draws[:, 0] == 0, 1], minlength=4)
    np.testing.assert_allclose(second / second.sum(), [0, 0.75, 0.25, 0], atol=0.04)
    assert all(len(set(draw)) == 3 for draw in draws)
    assert power_bald(information, 4, 0)[-1] == 3


def test_random_examples_are_each_as_likely() -> None:
    counts = np.bincount(np.concatenate([random(5, 2, seed) for seed in range(2000)]), minlength=5)
    np.testing.assert_allclose(counts / 2000, 0.4, atol=0.04)
