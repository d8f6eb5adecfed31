"""The comparison of what to label next: each label is acquired once, and the network learns from nothing else."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.active_learning import METHODS, Network, Setting, figure, first_labels, learned, main, table
from mcviz.sampling import Sampler

SETTING = Setting(pool=60, tests=30, start=6, batch=5, most=21, seeds=2, passes=4, steps=3)
RANDOM = np.random.default_rng(0)


class Counting:
    """A learner that keeps what it was given; the more labels, the more of three classes it tells."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []

    def fit(self, images: np.ndarray, labels: np.ndarray, seed: int) -> None:  # noqa: ARG002
        self.given.append(images[:, 0, 0, 0].astype(int))

    def passes(self, images: np.ndarray, seed: int) -> np.ndarray:
        probs = np.random.default_rng(seed).dirichlet(np.ones(3), (4, len(images)))
        return probs.astype(np.float32)


def numbered(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images whose first pixel is their number, and labels."""
    return np.arange(count, dtype=np.float32)[:, None, None, None], np.arange(count) % 3


@pytest.mark.parametrize("method", METHODS)
def test_every_round_adds_a_batch_that_was_not_labelled_yet(method: str) -> None:
    learner = Counting()
    found = learned(learner, numbered(60), numbered(30), method, SETTING, seed=1)
    assert [len(each) for each in learner.given] == SETTING.labels == [6, 11, 16, 21]
    assert len(found) == 4
    for before, after in zip(learner.given, learner.given[1:], strict=False):
        assert set(before) < set(after)
        assert len(set(after)) == len(after)


def test_methods_begin_with_the_same_labels_of_every_class() -> None:
    first = []
    for method in METHODS:
        learner = Counting()
        learned(learner, numbered(60), numbered(30), method, SETTING, seed=3)
        first.append(learner.given[0].tolist())
    assert all(each == first[0] for each in first)
    assert np.bincount(np.array(first[0]) % 3).tolist() == [2, 2, 2]
    assert first_labels(np.arange(60) % 3, 6, 3).tolist() != first_labels(np.arange(60) % 3, 6, 4).tolist()


def test_a_doubtful_example_is_acquired_before_a_certain_one() -> None:
    probs = np.tile([1.0, 0.0], (10, 20, 1))
    probs[::2, 7] = [0.0, 1.0]  # the passes disagree
    probs[:, 8] = [0.5, 0.5]  # every pass is in doubt
    chosen = {name: METHODS[name](probs, 2, 0) for name in METHODS if name != "random"}
    assert {name for name, each in chosen.items() if each[0] == 7} >= {"BALD", "PowerBALD", "BatchBALD"}
    assert set(chosen["entropy"]) == {7, 8}


def test_the_network_forgets_all_and_its_passes_are_those_of_its_weights() -> None:
    network = Network(passes=3, steps=20)
    images, labels = RANDOM.random((40, 28, 28, 1), dtype=np.float32), np.arange(40) % 10
    network.fit(images[:20], labels[:20], seed=1)
    first = network.passes(images, seed=5)
    network.fit(images[20:], labels[20:], seed=2)
    assert np.abs(network.passes(images, seed=5) - first).max() > 1e-3
    fresh = Sampler(network._network).sample(images, passes=3, seed=5)
    np.testing.assert_allclose(network.passes(images, seed=5), fresh, atol=1e-5)
    network.fit(images[:20], labels[:20], seed=1)
    np.testing.assert_allclose(network.passes(images, seed=5), first, atol=1e-3)


def test_the_table_and_the_figure_hold_means_over_the_seeds() -> None:
    found = {"random": np.array([[0.5, 0.7, 0.8], [0.7, 0.7, 0.9]]), "BALD": np.array([[0.6, 0.9, 0.9]] * 2)}
    lines = table([20, 30, 40], found).splitlines()
    assert lines[2] == "| 20 | 60.0% ± 10.0 | 60.0% ± 0.0 |"
    assert lines[-1] == "| labels until 90% | over 40 | 30 |"
    traces = figure([20, 30, 40], found).data
    np.testing.assert_allclose(traces[0].y, [0.6, 0.7, 0.85])
    assert [trace.name for trace in traces] == ["random", "BALD"]


def test_the_short_form_prints_a_table_and_writes_a_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = RANDOM.integers(0, 256, (100, 28, 28), dtype=np.uint8)
    labels = np.arange(100) % 10
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    tiny = Setting(pool=100, tests=100, start=10, batch=10, most=20, seeds=1, passes=3, steps=2)
    monkeypatch.setattr("benchmarks.active_learning.SHORT", tiny)
    written = tmp_path / "figure.html"
    main(["--data", str(tmp_path / "mnist.npz"), "--short", "--figure", str(written)])
    printed = capsys.readouterr().out
    assert all(f"| {name} " in printed for name in METHODS)
    assert "labels acquired" in written.read_text(encoding="utf-8")
