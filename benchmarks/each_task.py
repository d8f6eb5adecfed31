"""A run of each task: digits and diabetes of scikit-learn, and the canvases of the shipped segmentation.

    python benchmarks/each_task.py FOLDER [--passes 30]

Each model is a small network with dropout, which is trained on one half of the data. It takes some seconds, and no
network. The browser's test of what every task has on each page looks at these runs.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, load_digits

import mcviz
from mcviz.data import DataSet
from mcviz.sampling import Sampler

Array = np.ndarray
LABELS = ["even", "above 4", "has a loop"]
LOOPS = 0, 6, 8, 9
CANVASES = 100
TOLERANCE = 60  # of the progression of diabetes
SHIPPED = Path(__file__).resolve().parent.parent / "cache" / "digits-segmentation"


def main() -> None:
    """Make the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passes", type=int, default=30)
    options = parser.parse_args()
    for name in MAKE:
        make(name, options.folder, options.passes)
        print(options.folder / name)


def make(name: str, folder: Path, passes: int) -> None:
    """Make the run of one task in a folder."""
    keras.utils.set_random_seed(0)
    MAKE[name](folder / name, passes)


def make_classes(out: Path, passes: int) -> None:
    """Handwritten digits, a class each."""
    images, labels = _digits()
    half = len(images) // 2
    model = _network(images.shape[1:], 10, "softmax", "sparse_categorical_crossentropy")
    model.fit(images[:half], labels[:half], epochs=8, verbose=0)
    columns = pd.DataFrame({"ink": images[half:].mean(axis=(1, 2, 3)).round(1)})
    mcviz.sample_run(model, DataSet(images[half:], labels[half:], columns=columns), out, passes=passes)


def make_several_labels(out: Path, passes: int) -> None:
    """Handwritten digits, of which an example may be even, above 4, and have a loop."""
    images, digits = _digits()
    labels = np.stack([digits % 2 == 0, digits > 4, np.isin(digits, LOOPS)], axis=1).astype(np.int8)
    half = len(images) // 2
    model = _network(images.shape[1:], len(LABELS), "sigmoid", "binary_crossentropy")
    model.fit(images[:half], labels[:half], epochs=8, verbose=0)
    data = images[half:], labels[half:]
    mcviz.sample_run(model, data, out, passes=passes, task="multilabel", class_names=LABELS)


def make_numbers(out: Path, passes: int) -> None:
    """The progression of diabetes a year on, with a tolerance."""
    rows, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    values, half = rows.to_numpy(np.float32), len(rows) // 2
    scale = keras.layers.Normalization()
    scale.adapt(values[:half])
    model = keras.Sequential(
        [
            keras.Input((values.shape[1],)),
            scale,
            keras.layers.Dense(64, "relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(progression[:half].mean())),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")
    model.fit(values[:half], progression[:half], epochs=60, verbose=0)
    table = rows[half:].astype(np.float32).reset_index(drop=True)
    sex = np.where(table["sex"] == 1, "one", "other")
    data = DataSet(
        None,
        progression[half:].to_numpy(np.float32)[:, None],
        columns=pd.DataFrame({"group": sex}),
        rows=table,
        target_names=("progression",),
    )
    run = mcviz.sample_run(model, data, out, passes=passes, task="regression", unit="points")
    mcviz.thresholds(run, tolerance=TOLERANCE)


def make_masks(out: Path, passes: int) -> None:
    """Canvases of the shipped run, by its model."""
    shipped = mcviz.open_run(SHIPPED)
    assert shipped.labels is not None
    data = DataSet(shipped.pictures[:CANVASES], np.asarray(shipped.labels[:CANVASES]))
    sampler = Sampler(keras.saving.load_model(SHIPPED / "model.keras"), task="segmentation")
    mcviz.sample_run(sampler, data, out, passes=passes, class_names=shipped.class_names)


def _digits() -> tuple[Array, Array]:
    """(N, 8, 8, 1) float32 in 0..1, and (N,) int64."""
    images, labels = load_digits(return_X_y=True)
    return (images / 16).astype(np.float32).reshape(-1, 8, 8, 1), labels.astype(np.int64)


def _network(shape: tuple[int, ...], outputs: int, activation: str, loss: str) -> keras.Model:
    hidden = [keras.layers.Flatten(), keras.layers.Dense(64, "relu"), keras.layers.Dropout(0.4)]
    model = keras.Sequential([keras.Input(shape), *hidden, keras.layers.Dense(outputs, activation)])
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


MAKE: dict[str, Callable[[Path, int], None]] = {
    "classes": make_classes,
    "several-labels": make_several_labels,
    "numbers": make_numbers,
    "masks": make_masks,
}

if __name__ == "__main__":
    main()
