"""How many wrong labels are found and counted, of labels that were changed at random: two Markdown tables.

    python benchmarks/label_errors.py [--draws 100]

First handwritten digits of scikit-learn, by a network with dropout that was trained on these labels or out of fold;
then simulated probabilities of a model that knows all but which labels were changed.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from mcviz.measures.intervals import Interval
from mcviz.measures.labels import estimate_label_errors

if TYPE_CHECKING:
    import keras

Array = np.ndarray

CHANGED = 0.0, 0.02, 0.1  # shares of the labels
FOLDS, PASSES, EPOCHS = 3, 50, 60
SIZES = 1_000, 5_000
CLASSES = 10
STRENGTHS = 8.0, 4.0  # how far the logit of one class stands out, in the mean


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100, help="of each row of the simulation")
    draws = parser.parse_args().draws
    print("| digits, of 1,797 | accuracy by these labels | found among as many first | estimated |\n|---|---|---|---|")
    for share in CHANGED:
        for row in judge_digits(share):
            print(row, flush=True)
    print("\n| simulated examples | accuracy | changed | estimated, in the mean | intervals that hold the number |")
    print("|---|---|---|---|---|")
    for examples in SIZES:
        for strength in STRENGTHS:
            for share in CHANGED:
                outcomes = [simulate(examples, share, strength, seed) for seed in range(draws)]
                accuracy, changed, estimated = (np.mean([outcome[at] for outcome in outcomes]) for at in range(3))
                held = np.mean([outcome[3] for outcome in outcomes])
                print(f"| {examples:,} | {accuracy:.1%} | {changed:,.0f} | {estimated:,.0f} | {held:.0%} |", flush=True)


def judge_digits(share: float) -> list[str]:
    """Return the rows of a share of changed labels: in-sample, and out of fold."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import StratifiedKFold

    import mcviz

    images, true = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    random = np.random.default_rng(0)
    labels = change_labels(true, round(share * len(true)), CLASSES, random)
    in_sample = mcviz.sample(train(images, labels), images, passes=PASSES)
    out_of_fold = np.empty_like(in_sample)
    for others, held_out in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(images, labels):
        model = train(images[others], labels[others])
        out_of_fold[:, held_out] = mcviz.sample(model, images[held_out], passes=PASSES)
    rows = []
    for name, passes in {"trained on them": in_sample, f"{FOLDS} folds": out_of_fold}.items():
        mean, changed = passes.mean(axis=0), labels != true
        first = np.argsort(mean[np.arange(len(labels)), labels], kind="stable")[: changed.sum()]
        hits = f"{changed[first].mean():.0%}" if changed.any() else "–"
        accuracy = (mean.argmax(axis=1) == labels).mean()
        estimated = format_count(estimate_label_errors(mean, labels))
        rows.append(f"| {changed.sum()} changed, {name} | {accuracy:.1%} | {hits} | {estimated} |")
    return rows


def train(images: Array, labels: Array) -> "keras.Model":
    """Train a network with dropout."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(256, "relu"), layers.Dropout(0.2), layers.Dense(256, "relu"), layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input(images.shape[1:]), *hidden, layers.Dense(CLASSES, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images, labels, epochs=EPOCHS, verbose=0)
    return model


def simulate(examples: int, share: float, strength: float, seed: int) -> tuple[float, int, float, bool]:
    """Estimate the wrong labels of one draw.

    Args:
        examples: N.
        share: of the labels, that are changed.
        strength: how far the logit of one class stands out, in the mean.
        seed: of the draw.

    Returns:
        The accuracy by the true labels, how many labels were changed, the estimate, and whether its interval holds it.
    """
    random = np.random.default_rng(seed)
    logits = random.normal(size=(examples, CLASSES))
    logits[np.arange(examples), random.integers(0, CLASSES, examples)] += random.gamma(4, strength / 4, examples)
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    true = (probs.cumsum(axis=1) > random.random((examples, 1))).argmax(axis=1)
    labels = change_labels(true, random.binomial(examples, share), CLASSES, random)
    of_given = (1 - share) * probs + share / (CLASSES - 1) * (1 - probs)  # as a model learns from such labels
    estimate, changed = estimate_label_errors(of_given, labels), int((labels != true).sum())
    return (
        float((probs.argmax(axis=1) == true).mean()),
        changed,
        estimate.value,
        estimate.low <= changed <= estimate.high,
    )


def change_labels(labels: Array, count: int, classes: int, random: np.random.Generator) -> Array:
    """Return (N,) labels of which so many, drawn at random, are those of another class."""
    changed, chosen = labels.copy(), random.choice(len(labels), count, replace=False)
    changed[chosen] = (labels[chosen] + random.integers(1, classes, count)) % classes
    return changed


def format_count(interval: Interval) -> str:
    """Write a number and the ends of its interval, as whole numbers."""
    return interval.format(lambda value: f"{value:,.0f}")


if __name__ == "__main__":
    main()
