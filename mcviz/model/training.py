"""Training the reference network on MNIST."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mcviz.data import LabelledImages, as_model_input, read_mnist
from mcviz.errors import DataNotFoundError
from mcviz.model.reference import reference_network

BATCH_SIZE = 128
LEARNING_RATE = 1.0  # Keras's default for Adadelta is 0.001, which does not train


def load_mnist(path: str | Path | None = None) -> tuple[LabelledImages, LabelledImages]:
    """MNIST's training and test images, from a file or, without one, from Keras's own download.

    Raises:
        DataNotFoundError: no such file, or no network to download from.
        InvalidInputError: the file is not MNIST-shaped.
    """
    if path is None:
        try:
            path = keras.utils.get_file(
                origin="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz", fname="mnist.npz"
            )
        except Exception as error:
            raise DataNotFoundError(f"x {error}") from error
    return read_mnist(path)


def train(
    train_images: LabelledImages,
    test_images: LabelledImages,
    *,
    epochs: int = 10,
    seed: int = 0,
    activation: str = "relu",
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> tuple[keras.Model, pd.DataFrame]:
    assert train_images.labels is not None and test_images.labels is not None
    classes = int(train_images.labels.max()) + 1
    model = reference_network(train_images.images.shape[1:], classes, activation, seed)
    model.compile(
        optimizer=keras.optimizers.Adadelta(learning_rate=LEARNING_RATE),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    inputs, targets = as_model_input(train_images.images), np.eye(classes, dtype=np.float32)[train_images.labels]
    batches = (
        tf.data.Dataset.from_tensor_slices((inputs, targets))
        .shuffle(len(inputs), seed=seed)
        .batch(BATCH_SIZE)
        .prefetch(tf.data.AUTOTUNE)
    )
    held_out = as_model_input(test_images.images), np.eye(classes, dtype=np.float32)[test_images.labels]
    report = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: on_epoch(epoch, logs) if on_epoch else None
    )
    history = model.fit(batches, epochs=epochs, validation_data=held_out, verbose=0, callbacks=[report])
    return model, pd.DataFrame(history.history)
