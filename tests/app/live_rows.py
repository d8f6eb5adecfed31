"""Runs of rows with a model, for AppTest and for a browser: `cache_of_rows` makes them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mcviz
from mcviz.data import DataSet
from tests.app.hostile import HOSTILE

EXAMPLES = 40
PASSES = 10


def _network(columns: int, first: Any, last: Any) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((columns,)),
            first,
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.3),
            last,
        ]
    )


def cache_of_rows(folder: Path) -> None:
    """Make three runs in a folder.

    `few` has four columns, of which one is constant and one of huge values, with names that could do harm; `wide` has
    300; `measured` is a regression.
    """
    import keras

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, EXAMPLES)
    values = [
        np.full(EXAMPLES, 7.0),
        rng.normal(0, 1e37, EXAMPLES),
        rng.integers(0, 2, EXAMPLES),
        rng.normal(20, 5, EXAMPLES),
    ]
    few = pd.DataFrame(dict(zip(list(HOSTILE)[:4], values, strict=True)), dtype=np.float32)
    wide = pd.DataFrame(rng.normal(size=(EXAMPLES, 300)), dtype=np.float32).add_prefix("sensor ")
    own = pd.DataFrame({"source": rng.choice(["clinic A", "clinic B"], EXAMPLES)})
    for name, rows in (("few", few), ("wide", wide)):
        network = _network(
            rows.shape[1], keras.layers.Activation("softsign"), keras.layers.Dense(3, activation="softmax")
        )
        examples = DataSet(None, labels, rows=rows, columns=own)
        mcviz.sample_run(network, examples, folder / name, passes=PASSES, class_names=["low", "middle", "high"])
    rows = pd.DataFrame(rng.normal(50, 10, (EXAMPLES, 4)), columns=["age", "bmi", "pressure", "glucose"])
    examples = DataSet(None, rng.normal(150, 70, (EXAMPLES, 1)).astype(np.float32), rows=rows.astype(np.float32))
    network = _network(4, keras.layers.Rescaling(0.1, -5), keras.layers.Dense(1))
    mcviz.sample_run(network, examples, folder / "measured", passes=PASSES, task="regression", unit="mg/dl")
