"""The reference network of the shipped run, and its training on MNIST."""

import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mcviz.data import DataSet, as_data_set, as_model_input, read_mnist
from mcviz.errors import DataNotFoundError
from mcviz.interrupts import hold_interrupts
from mcviz.validate import class_indices, invalid, whole_number

BATCH_SIZE = 128
LEAST_SIDE = 6  # pixels: two convolutions take two each, and pooling halves the rest
MOST_CLASSES = 1000
LEARNING_RATE = 1.0  # Keras's default for Adadelta is 0.001, which does not train
COLUMNS = {
    "loss": "train_loss",
    "accuracy": "train_accuracy",
    "val_loss": "test_loss",
    "val_accuracy": "test_accuracy",
}


def reference_network(
    input_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10, activation: str = "relu", seed: int = 0
) -> keras.Model:
    """Build the untrained reference network.

    Args:
        input_shape: one image's (height, width, channels).
        classes: the number of classes, C.
        activation: of every layer but the last, by its Keras name.
        seed: of the initial weights and of the dropout masks in training.

    Returns:
        A model from (N, height, width, channels) float32 in 0..1 to (N, C) probabilities.
    """
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))

    def initializer() -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=next(seeds))

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 3, activation=activation, kernel_initializer=initializer()),
            layers.Conv2D(64, 3, activation=activation, kernel_initializer=initializer()),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25, seed=next(seeds)),
            layers.Flatten(),
            layers.Dense(128, activation=activation, kernel_initializer=initializer()),
            layers.Dropout(0.5, seed=next(seeds)),
            layers.Dense(classes, activation="softmax", kernel_initializer=initializer()),
        ],
        name="reference_network",
    )


def load_mnist(path: str | Path | None = None) -> tuple[DataSet, DataSet]:
    """Load MNIST from a file or by `keras.datasets.mnist`.

    Args:
        path: an `.npz` laid out as `keras.datasets.mnist` packs it.

    Returns:
        The training and the test images, each (N, height, width, 1) uint8, with their labels.

    Raises:
        DataNotFoundError: no such file, or no network to download from.
        InvalidInputError: the file is not MNIST-shaped.
    """
    if path is not None:
        return read_mnist(path)
    try:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:  # a failed download is a bare Exception in Keras
        raise DataNotFoundError(
            f"MNIST could not be downloaded ({error}). Connect to the network, or give an .npz of MNIST with --data."
        ) from error
    return as_data_set((x_train, y_train)), as_data_set((x_test, y_test))


def train(
    train_images: DataSet,
    test_images: DataSet,
    *,
    epochs: int = 10,
    seed: int = 0,
    activation: str = "relu",
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> tuple[keras.Model, pd.DataFrame]:
    """Train a reference network: cross-entropy, Adadelta at 1, batches of 128.

    Args:
        train_images: at least 6 × 6 pixels, uint8 or float32 in 0..1. Their labels' range is the number of classes, 2
            to 1000.
        test_images: for the test figures after each epoch. Nothing is chosen by them.
        epochs: the number of times that it sees every training image.
        seed: of the initial weights, the dropout masks and the order of the images.
        activation: of every layer but the last, by its Keras name.
        on_epoch: called after each epoch with its number, from 1, and its row of the history.

    Returns:
        The trained network, without an optimizer; and its history, one row an epoch with the columns `train_loss`,
        `test_loss` (nats) and `train_accuracy`, `test_accuracy` (fractions). The training figures are means over
        the epoch while the weights moved and dropout was on.

    Raises:
        InvalidInputError: images or labels are not MNIST-shaped, a test label is not a training class, or `epochs`,
            `seed` or `activation` cannot be used.
        KeyboardInterrupt: Ctrl-C, between two batches.
    """
    for split in (train_images, test_images):
        _check_images(split.pixels, train_images.pixels.shape[1:])
    targets, test_targets = _one_hot(train_images, test_images)
    inputs = as_model_input(train_images.pixels)
    validation = as_model_input(test_images.pixels), test_targets
    with hold_interrupts() as held:
        _check_settings(epochs, seed, activation)

        def report(epoch: int, logs: dict[str, float]) -> None:
            if on_epoch is not None:
                on_epoch(epoch + 1, {COLUMNS[name]: value for name, value in logs.items()})

        def check_interrupt(*_: object, **__: object) -> None:
            held.check()

        model = reference_network(inputs.shape[1:], targets.shape[1], activation, seed)
        model.compile(
            optimizer=keras.optimizers.Adadelta(learning_rate=LEARNING_RATE),
            loss="categorical_crossentropy",
            metrics=["accuracy"],
        )
        batches = (
            tf.data.Dataset.from_tensor_slices((inputs, targets))
            .shuffle(len(inputs), seed=seed)
            .batch(BATCH_SIZE)
            .prefetch(tf.data.AUTOTUNE)
        )
        history = model.fit(
            batches,
            epochs=epochs,
            validation_data=validation,
            verbose=0,
            shuffle=False,  # the data set shuffles itself, from the seed
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_epoch_end=report, on_train_batch_end=check_interrupt, on_test_batch_end=check_interrupt
                )
            ],
        )
        model = _remove_optimizer(model)
    table = pd.DataFrame(history.history).rename(columns=COLUMNS)[list(COLUMNS.values())]
    table.index = pd.RangeIndex(1, epochs + 1, name="epoch")
    return model, table


def save_trained(model: keras.Model, history: pd.DataFrame, path: str | Path) -> Path:
    """Write a model and its history, each atomically.

    Args:
        model: any Keras model.
        history: as `train` returns it.
        path: of the model, ending in `.keras`.

    Returns:
        The path of the history, `MODEL.history.csv` for `MODEL.keras`.

    Raises:
        OSError: a file cannot be written.
    """
    path = Path(path)
    history_path = path.with_suffix(".history.csv")
    temporaries = {name: name.with_name(f".unfinished-{os.getpid()}-{name.name}") for name in (path, history_path)}
    try:
        with hold_interrupts():
            model.save(temporaries[path])
        history.to_csv(temporaries[history_path], float_format="%.6g")
        for final, temporary in temporaries.items():
            temporary.replace(final)
    finally:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
    return history_path


def _one_hot(train_images: DataSet, test_images: DataSet) -> tuple[np.ndarray, np.ndarray]:
    if train_images.labels is None or test_images.labels is None:
        raise invalid("labels", "there for training and test images", "images without labels")
    classes = int(np.max(train_images.labels)) + 1
    if not 2 <= classes <= MOST_CLASSES:
        expected = f"class indices of 2 to {MOST_CLASSES:,} classes, from 0 upwards"
        raise invalid("labels", expected, f"labels up to {classes - 1}", "Number the classes anew.")
    class_indices("test labels", test_images.labels, len(test_images.labels), classes)
    one_hot = np.eye(classes, dtype=np.float32)
    return one_hot[train_images.labels], one_hot[test_images.labels]


def _check_images(images: np.ndarray, shape: tuple[int, ...]) -> None:
    if images.shape[1:] != shape or min(shape[:2]) < LEAST_SIDE:
        expected = f"of one size, at least {LEAST_SIDE} × {LEAST_SIDE} pixels (MNIST's are 28 × 28)"
        raise invalid("images", expected, f"shape {images.shape}", "Scale them up.")
    if images.dtype != np.uint8 and not (images.min() >= 0 and images.max() <= 1):
        received = f"{images.dtype} from {images.min():g} to {images.max():g}"
        raise invalid("images", "uint8, or floating point in 0..1", received, "Save them as uint8, or scale them.")


def _check_settings(epochs: int, seed: int, activation: str) -> None:
    whole_number("epochs", epochs, 1)
    whole_number("seed", seed)
    try:
        keras.activations.get(activation)
    except ValueError as error:
        raise invalid("activation", "the name of a Keras activation, such as relu or tanh", activation) from error


def _remove_optimizer(model: keras.Model) -> keras.Model:
    # Keras saves the optimizer's state with a compiled model, and Adadelta's is twice the size of the weights.
    copy = keras.Sequential.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy
