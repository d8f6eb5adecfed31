"""Active learning on MNIST in miniature: the accuracy by the number of labels and by method.

    python benchmarks/active_learning.py --data mnist.npz [--short] [--figure FILE]

After Gal et al. 2017, “Deep Bayesian Active Learning with Image Data”: a network learns from 20 labels, says by its
passes which 10 of a pool it would have labelled, and begins anew with these too. It takes up to half an hour on two
cores; the short form takes a minute, and its figures mean nothing. Both print a Markdown table and write a figure.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from mcviz.data import DataSet, read_mnist
from mcviz.figures.style import CLASSES, apply_layout
from mcviz.measures.labels import bald, batch_bald, entropy, power_bald, random
from mcviz.measures.scores import mutual_information

Array = np.ndarray
Labelled = tuple[Array, Array]

METHODS: dict[str, Callable[[Array, int, int], Array]] = {
    "random": lambda probs, batch, seed: random(probs.shape[1], batch, seed),
    "entropy": lambda probs, batch, _: entropy(probs, batch),
    "BALD": lambda probs, batch, _: bald(probs, batch),
    "PowerBALD": lambda probs, batch, seed: power_bald(mutual_information(probs), batch, seed),
    "BatchBALD": lambda probs, batch, seed: batch_bald(probs, batch, seed, rows=500),
}
TARGET = 0.9  # accuracy


@dataclass(frozen=True)
class Setting:
    """The size of the comparison.

    Attributes:
        pool: images that could be labelled.
        tests: images that the accuracy is of.
        start: labels to begin with, as many of each class.
        batch: labels that are acquired at a time.
        most: labels at the end.
        seeds: how often all is done.
        passes: over the pool and over the tests.
        steps: of training, in batches of 32.
    """

    pool: int = 2000
    tests: int = 2000
    start: int = 20
    batch: int = 10
    most: int = 200
    seeds: int = 5
    passes: int = 50
    steps: int = 300

    @property
    def labels(self) -> list[int]:
        """The number of labels in each round."""
        return list(range(self.start, self.most + 1, self.batch))


SHORT = Setting(pool=300, tests=300, most=50, seeds=2, passes=10, steps=60)


class Network:
    """Two convolutions and a hidden layer, with dropout in front of it and behind it; trained from scratch at each fit.

    Args:
        passes: T.
        steps: of training.
    """

    def __init__(self, passes: int, steps: int) -> None:
        import keras
        from keras import layers

        from mcviz.sampling import Sampler

        keras.utils.set_random_seed(0)
        self._network = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(16, 5, strides=2, activation="relu"),
                layers.Conv2D(32, 3, strides=2, activation="relu"),
                layers.Flatten(),
                layers.Dropout(0.25),
                layers.Dense(64, activation="relu"),
                layers.Dropout(0.5),
                layers.Dense(10, activation="softmax"),
            ]
        )
        self._network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
        self._network.optimizer.build(self._network.trainable_variables)
        self._variables = [*self._network.variables, *self._network.optimizer.variables]
        self._untrained = [variable.numpy() for variable in self._variables]
        self._initial = keras.initializers.GlorotUniform
        self._sampler, self._passes, self._steps = Sampler(self._network), passes, steps

    def fit(self, images: Array, labels: Array, seed: int) -> None:
        """Forget all, and learn from (n, …) images and their (n,) labels."""
        for variable, value in zip(self._variables, self._untrained, strict=True):
            variable.assign(value)
        for number, kernel in enumerate(self._network.trainable_variables[::2]):
            kernel.assign(self._initial(1000 * seed + number)(kernel.shape))
        batch = np.random.default_rng(seed).integers(len(labels), size=32 * self._steps)
        self._network.fit(images[batch], labels[batch], batch_size=32, epochs=1, shuffle=False, verbose=0)

    def passes(self, images: Array, seed: int) -> Array:
        """Return (T, N, C) float32 probabilities of (N, …) images, masks per pass."""
        return self._sampler.sample(images, passes=self._passes, seed=seed)


def learned(learner: Network, pool: Labelled, tests: Labelled, method: str, setting: Setting, seed: int) -> list[float]:
    """The accuracy of the mean of the passes in each round, as a fraction.

    Args:
        learner: trained from scratch in every round.
        pool: images and their labels, which are looked at only once they are acquired.
        tests: images and their labels.
        method: one of `METHODS`.
        setting: how many rounds of how many labels.
        seed: of the first labels, the weights, the masks and the draws.
    """
    (images, labels), (test_images, test_labels) = pool, tests
    known, accuracies = first_labels(labels, setting.start, seed), []
    for round_, _ in enumerate(setting.labels):
        now = 1000 * seed + round_
        learner.fit(images[known], labels[known], now)
        mean = learner.passes(test_images, now).mean(axis=0)
        accuracies.append(float((mean.argmax(axis=1) == test_labels).mean()))
        others = np.setdiff1d(np.arange(len(labels)), known)
        probs = learner.passes(images[others], now)
        known = np.concatenate([known, others[METHODS[method](probs, setting.batch, now)]])
    return accuracies


def first_labels(labels: Array, count: int, seed: int) -> Array:
    """(count,) int64 numbers of examples, as many of each class."""
    generator, classes = np.random.default_rng(seed), np.unique(labels)
    of_classes = [generator.permutation(np.flatnonzero(labels == c))[: count // len(classes)] for c in classes]
    return np.concatenate(of_classes)


def table(labels: Sequence[int], accuracies: Mapping[str, Array]) -> str:
    """A Markdown table.

    Args:
        labels: (R,) how many there are in each round.
        accuracies: (S, R) of each method, of S seeds.

    Returns:
        A row every third round with the mean over the seeds and its standard error, and the labels until `TARGET`.
    """
    lines = ["| labels | " + " | ".join(accuracies) + " |", "|---|" + "---|" * len(accuracies)]
    for at in sorted({*range(0, len(labels), 3), len(labels) - 1}):
        lines.append(f"| {labels[at]} | " + " | ".join(_mean(values[:, at]) for values in accuracies.values()) + " |")
    reached = [_reached(labels, values.mean(axis=0)) for values in accuracies.values()]
    return "\n".join([*lines, f"| labels until {TARGET:.0%} | " + " | ".join(reached) + " |"])


def _mean(values: Array) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{100 * values.mean():.1f}% ± {100 * error:.1f}"


def _reached(labels: Sequence[int], accuracy: Array) -> str:
    there = np.flatnonzero(accuracy >= TARGET)
    return str(labels[there[0]]) if len(there) else f"over {labels[-1]}"


def figure(labels: Sequence[int], accuracies: Mapping[str, Array]) -> go.Figure:
    """A line a method, of the mean over the seeds, with its standard error; arguments as of `table`."""
    chart = go.Figure()
    for (name, values), colour in zip(accuracies.items(), CLASSES, strict=False):
        error = values.std(axis=0) / np.sqrt(len(values))
        chart.add_scatter(
            x=list(labels),
            y=values.mean(axis=0),
            error_y={"array": error, "width": 2, "thickness": 1},
            mode="lines",
            line={"color": colour, "width": 2.5},
            name=name,
        )
    chart.update_xaxes(title="labels acquired")
    chart.update_yaxes(title="accuracy", tickformat=".0%")
    return apply_layout(chart, 480)


def _first(data: DataSet, count: int) -> Labelled:
    """The first images, float32 in 0..1, and their labels."""
    assert isinstance(data.images, Array)
    assert isinstance(data.labels, Array)
    return data.images[:count].astype(np.float32) / 255, data.labels[:count]


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare all methods, print the table and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="an .npz of MNIST, as keras.datasets.mnist packs it")
    parser.add_argument("--short", action="store_true", help="a minute, for a look at whether all works")
    parser.add_argument("--figure", type=Path, default=Path("active-learning.html"), help="where it is written")
    options = parser.parse_args(arguments)
    setting = SHORT if options.short else Setting()
    train, test = read_mnist(options.data)
    pool, tests = _first(train, setting.pool), _first(test, setting.tests)
    learner = Network(setting.passes, setting.steps)
    accuracies: dict[str, Array] = {}
    for name in METHODS:
        curves = []
        for seed in range(setting.seeds):
            curves.append(learned(learner, pool, tests, name, setting, seed))
            print(f"{name}, seed {seed}: {curves[-1][-1]:.1%} with {setting.labels[-1]} labels", file=sys.stderr)
        accuracies[name] = np.array(curves)
    print(f"{setting}\n\n{table(setting.labels, accuracies)}")
    figure(setting.labels, accuracies).write_html(options.figure, include_plotlyjs=True)


if __name__ == "__main__":
    main()
