"""A run of texts with its model, which can be asked; for AppTest and for a browser."""

from pathlib import Path

import numpy as np

import mcviz
from mcviz.data import DataSet
from tests.app.hostile import HOSTILE

WORDS = {
    "animal": ["cat", "dog", "horse", "cow", "sheep"],
    "plant": ["oak", "elm", "birch", "fern", "moss"],
    "food": ["bread", "milk", "egg", "pea", "nut"],
}
CLASSES = list(WORDS)
RUN = "live-texts"


def texts() -> list[str]:
    """45 of four words of one class each, and then what could do harm."""
    random = np.random.default_rng(0)
    return [*(" ".join(random.choice(WORDS[CLASSES[each % 3]], 4)) for each in range(45)), *HOSTILE]


def live_texts(cache: Path) -> None:
    """Make the run: a model that knows 15 words, each of them a reason for one class."""
    import keras

    known = [word for words in WORDS.values() for word in words]
    text = keras.Input((), dtype="string")
    hidden = keras.layers.TextVectorization(vocabulary=known, output_mode="multi_hot")(text)
    classify = keras.layers.Dense(3, activation="softmax")
    model = keras.Model(text, classify(keras.layers.Dropout(0.3)(hidden)))
    unknown = np.zeros((1, 3))
    classify.set_weights([np.vstack([unknown, np.repeat(3 * np.eye(3), 5, axis=0)]), np.zeros(3)])
    given = texts()
    data = DataSet(None, texts=np.array(given, object), labels=np.arange(len(given)) % 3)
    mcviz.sample_run(model, data, cache / RUN, passes=20, class_names=CLASSES)
