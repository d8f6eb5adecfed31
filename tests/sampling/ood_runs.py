"""Runs of a few examples with small models, to be asked what they were not made for."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
from keras import layers
from sklearn.datasets import load_sample_images

import mcviz
from mcviz import Run
from mcviz.data import DataSet

EXAMPLES, PASSES, SIDE = 90, 8, 16
CLASSES = ["palace", "flower"]


def photographs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Patches of scikit-learn's two photographs, (count, 16, 16, 3) uint8, and which of the two each is of."""
    random, labels = np.random.default_rng(seed), np.arange(count) % 2
    pictures = [np.asarray(picture)[::4, ::4] for picture in load_sample_images().images]
    corners = (random.random((count, 2)) * np.array([pictures[0].shape[0] - SIDE, pictures[0].shape[1] - SIDE])).astype(
        int
    )
    patches = [pictures[label][y : y + SIDE, x : x + SIDE] for label, (y, x) in zip(labels, corners, strict=True)]
    return np.stack(patches), labels


def _trained(model: keras.Model, examples: np.ndarray, labels: np.ndarray) -> keras.Model:
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(examples, labels, epochs=3, batch_size=32, verbose=0)
    return model


def photograph_run(path: Path) -> Run:
    """Of photographs, with a small network that was trained on others."""
    keras.utils.set_random_seed(0)
    stack = [layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dropout(0.4)]
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), *stack, layers.Dense(2, activation="softmax")])
    images, labels = photographs(200, 1)
    _trained(model, images / np.float32(255), labels)
    data = DataSet(*photographs(EXAMPLES, 2), tuple(CLASSES))
    return mcviz.sample_run(model, data, path, passes=PASSES)


def row_run(path: Path) -> Run:
    """Of rows of five numbers, without labels."""
    keras.utils.set_random_seed(0)
    stack = [layers.Dense(16, activation="relu"), layers.Dropout(0.3), layers.Dense(3, activation="softmax")]
    random = np.random.default_rng(0)
    labels = np.arange(200) % 3
    rows = (random.normal(size=(200, 5)) + 2 * np.eye(3, 5)[labels]).astype(np.float32)
    model = _trained(keras.Sequential([keras.Input((5,)), *stack]), rows, labels)
    table = pd.DataFrame(rows[:EXAMPLES], columns=list("abcde"))
    return mcviz.sample_run(model, DataSet(None, rows=table), path, passes=PASSES)


def text_run(path: Path) -> Run:
    """Of texts of four words each."""
    words = [["cat", "dog", "horse", "cow"], ["oak", "elm", "birch", "fern"], ["bread", "milk", "egg", "pea"]]
    text = keras.Input((), dtype="string")
    numbers = layers.TextVectorization(vocabulary=np.ravel(words).tolist(), output_mode="multi_hot")(text)
    hidden = layers.Dense(8, activation="relu")(layers.Dropout(0.3)(numbers))
    model = keras.Model(text, layers.Dense(3, activation="softmax")(hidden))
    random, labels = np.random.default_rng(0), np.arange(EXAMPLES) % 3
    texts = np.array([" ".join(random.choice(words[label], 4)) for label in labels], object)
    return mcviz.sample_run(model, DataSet(None, texts=texts, labels=labels), path, passes=PASSES)
