"""Networks that `sampling.py` times besides the reference network, of kinds that people have; their weights are random.

Nothing here imports mcviz, so that any version of it can be timed on them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

CLASSES = 10


@dataclass(frozen=True)
class Network:
    """A network with what it is timed on.

    Attributes:
        name: what is printed.
        build: makes the model.
        examples: how many examples a pass has.
        passes: how many passes are timed.
        loop_passes: how many passes of the loop are timed.
        vocabulary: how many tokens there are, for a network of texts; 0 for one of floats in 0..1.
    """

    name: str
    build: Callable[[], keras.Model]
    examples: int
    passes: int
    loop_passes: int = 2
    vocabulary: int = 0

    def inputs(self, model: keras.Model, count: int) -> np.ndarray:
        """`count` random examples: float32 in 0..1, or int32 tokens."""
        numbers, shape = np.random.default_rng(0), (count, *model.input_shape[1:])
        if self.vocabulary:
            return numbers.integers(0, self.vocabulary, shape, dtype=np.int32)
        return numbers.random(shape, dtype=np.float32)


def convolutional() -> keras.Model:
    """A small network with BatchNormalization and SpatialDropout2D in its early layers."""
    return _classifier(
        keras.Input((28, 28, 1)),
        layers.Conv2D(16, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.SpatialDropout2D(0.2),
        layers.Conv2D(32, 3, strides=2, activation="relu"),
        layers.BatchNormalization(),
        layers.SpatialDropout2D(0.2),
        layers.Conv2D(32, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.5),
    )


def recurrent() -> keras.Model:
    """A text model with dropout on the inputs and the state of an LSTM."""
    return _classifier(
        keras.Input((60,), dtype="int32"),
        layers.Embedding(5000, 32),
        layers.LSTM(48, dropout=0.2, recurrent_dropout=0.2),
    )


def transformer() -> keras.Model:
    """One transformer block over token embeddings, dropout in its attention and behind both halves."""
    tokens = keras.Input((40,), dtype="int32")
    hidden = _transformer_block(layers.Embedding(5000, 32)(tokens), 4, 8, 64)
    pooled = layers.Dropout(0.3)(layers.GlobalAveragePooling1D()(hidden))
    return keras.Model(tokens, layers.Dense(CLASSES, activation="softmax")(pooled))


def wide_recurrent() -> keras.Model:
    """A larger text model: an LSTM of 256 units with recurrent dropout."""
    return _classifier(
        keras.Input((60,), dtype="int32"),
        layers.Embedding(5000, 128),
        layers.LSTM(256, dropout=0.2, recurrent_dropout=0.2),
    )


def wide_transformer() -> keras.Model:
    """Four transformer blocks of 256 numbers a token, as in a small BERT."""
    tokens = keras.Input((64,), dtype="int32")
    hidden = layers.Embedding(5000, 256)(tokens)
    for _ in range(4):
        hidden = _transformer_block(hidden, 4, 64, 1024)
    pooled = layers.GlobalAveragePooling1D()(hidden)
    return keras.Model(tokens, layers.Dense(CLASSES, activation="softmax")(pooled))


def wide_table() -> keras.Model:
    """Dense layers of 1,024 units, with noise on what they get and dropout between."""
    return _classifier(
        keras.Input((200,)),
        layers.GaussianNoise(0.1),
        *(layer for _ in range(3) for layer in (layers.Dense(1024, activation="relu"), layers.Dropout(0.3))),
    )


def gated() -> keras.Model:
    """Two bidirectional GRUs over a series of numbers."""
    return _classifier(
        keras.Input((50, 6)),
        layers.Bidirectional(layers.GRU(24, dropout=0.2, return_sequences=True)),
        layers.Bidirectional(layers.GRU(24, dropout=0.2)),
    )


def text_convolutions() -> keras.Model:
    """Convolutions over words, with SpatialDropout1D on the embeddings."""
    return _classifier(
        keras.Input((80,), dtype="int32"),
        layers.Embedding(5000, 48),
        layers.SpatialDropout1D(0.2),
        layers.Conv1D(64, 5, activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dropout(0.4),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.4),
    )


def table() -> keras.Model:
    """Dense layers over the columns of a table, with noise on them and dropout between."""
    return _classifier(
        keras.Input((40,)),
        layers.GaussianNoise(0.1),
        *(layer for _ in range(3) for layer in (layers.Dense(128, activation="relu"), layers.Dropout(0.3))),
    )


def blocks() -> keras.Model:
    """Pairs of convolutions with pooling, and dropout behind each pair, as in many courses."""
    return _classifier(
        keras.Input((32, 32, 3)),
        *(layer for filters in (32, 64, 128) for layer in _pair(filters)),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.5),
    )


def residual() -> keras.Model:
    """A small residual network with SpatialDropout2D in every block."""
    images = keras.Input((32, 32, 3))
    hidden = layers.Conv2D(16, 3, padding="same", activation="relu")(images)
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        inner = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(hidden)
        inner = layers.SpatialDropout2D(0.1)(layers.ReLU()(layers.BatchNormalization()(inner)))
        inner = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(inner))
        beside = layers.Conv2D(filters, 1, strides=strides, use_bias=False)(hidden)
        hidden = layers.ReLU()(inner + beside)
    pooled = layers.GlobalAveragePooling2D()(hidden)
    return keras.Model(images, layers.Dense(CLASSES, activation="softmax")(pooled))


def separable() -> keras.Model:
    """Separable convolutions with SpatialDropout2D."""
    return _classifier(
        keras.Input((32, 32, 3)),
        layers.Conv2D(16, 3, activation="relu"),
        layers.SpatialDropout2D(0.1),
        layers.SeparableConv2D(32, 3, strides=2, activation="relu"),
        layers.SpatialDropout2D(0.1),
        layers.SeparableConv2D(64, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
    )


def vision_transformer() -> keras.Model:
    """Four transformer blocks over the patches of an image."""
    images = keras.Input((32, 32, 3))
    hidden = layers.Reshape((64, 64))(layers.Conv2D(64, 4, strides=4)(images))
    for _ in range(4):
        hidden = _transformer_block(layers.Dropout(0.1)(hidden), 4, 16, 128)
    pooled = layers.GlobalAveragePooling1D()(hidden)
    return keras.Model(images, layers.Dense(CLASSES, activation="softmax")(pooled))


def efficient() -> keras.Model:
    """EfficientNetB0 of keras.applications: stochastic depth in nearly all of its blocks, and dropout in its head."""
    return keras.applications.EfficientNetB0(weights=None, input_shape=(96, 96, 3), classes=CLASSES)


def photographs() -> keras.Model:
    """MobileNetV2 of keras.applications for photographs, with dropout only in the head that was put on it."""
    size = (224, 224, 3)
    body = keras.applications.MobileNetV2(weights=None, input_shape=size, include_top=False, pooling="avg")
    louder = layers.Rescaling(1e10)  # weights that were not trained leave features of 1e-11, and passes that are equal
    head = layers.Dropout(0.3), layers.Dense(256, activation="relu"), layers.Dropout(0.3)
    return _classifier(keras.Input(size), body, louder, *head)


def _behind_dropout(body: Callable[..., keras.Model], side: int) -> Callable[[], keras.Model]:
    """A network of keras.applications, all of it repeated, since what it gets has dropout."""

    def build() -> keras.Model:
        size = (side, side, 3)
        network = body(weights=None, input_shape=size, include_top=False, pooling="avg")
        brought_up = layers.LayerNormalization(epsilon=1e-30)  # what comes out of deep networks untrained is tiny
        return _classifier(keras.Input(size), layers.Dropout(0.1), network, brought_up)

    return build


def _classifier(inputs: keras.KerasTensor, *stack: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([inputs, *stack, layers.Dense(CLASSES, activation="softmax")])


def _pair(filters: int) -> tuple[keras.layers.Layer, ...]:
    convolutions = (layers.Conv2D(filters, 3, padding="same", activation="relu") for _ in range(2))
    return (*convolutions, layers.MaxPooling2D(), layers.Dropout(0.25))


def _transformer_block(hidden: keras.KerasTensor, heads: int, size: int, inner: int) -> keras.KerasTensor:
    attended = layers.MultiHeadAttention(heads, size, dropout=0.1)(hidden, hidden)
    hidden = layers.LayerNormalization()(hidden + layers.Dropout(0.1)(attended))
    forward = layers.Dense(hidden.shape[-1])(layers.Dense(inner, activation="relu")(hidden))
    return layers.LayerNormalization()(hidden + layers.Dropout(0.1)(forward))


NETWORKS: dict[str, Network] = {
    "convolutions": Network("convolutions, BatchNormalization, SpatialDropout2D", convolutional, 2000, 128),
    "lstm": Network("text: embedding, LSTM with recurrent dropout", recurrent, 2000, 128, vocabulary=5000),
    "transformer": Network("text: a transformer block", transformer, 2000, 128, vocabulary=5000),
    "gru": Network("series: two bidirectional GRUs", gated, 500, 128),
    "text_convolutions": Network("text: convolutions, SpatialDropout1D", text_convolutions, 1000, 128, vocabulary=5000),
    "table": Network("a table: dense layers, noise and dropout", table, 5000, 128),
    "wide_lstm": Network("text: an LSTM of 256 units", wide_recurrent, 100, 128, vocabulary=5000),
    "wide_transformer": Network("text: four blocks as in a small BERT", wide_transformer, 8, 128, vocabulary=5000),
    "wide_table": Network("a table: dense layers of 1,024 units", wide_table, 1000, 128),
    "blocks": Network("pairs of convolutions, pooling, dropout", blocks, 100, 128),
    "residual": Network("residual blocks, SpatialDropout2D", residual, 100, 128),
    "separable": Network("separable convolutions, SpatialDropout2D", separable, 300, 128),
    "vision_transformer": Network("a vision transformer of four blocks", vision_transformer, 64, 128),
    "efficientnet": Network("EfficientNetB0, 96 × 96, stochastic depth", efficient, 32, 64),
    "mobilenet": Network(
        "MobileNetV2, 96 × 96, behind dropout", _behind_dropout(keras.applications.MobileNetV2, 96), 8, 64
    ),
    "resnet50": Network("ResNet50, 64 × 64, behind dropout", _behind_dropout(keras.applications.ResNet50, 64), 4, 64),
    "vgg16": Network("VGG16, 64 × 64, behind dropout", _behind_dropout(keras.applications.VGG16, 64), 4, 64),
    "densenet": Network(
        "DenseNet121, 64 × 64, behind dropout", _behind_dropout(keras.applications.DenseNet121, 64), 4, 64
    ),
    "photographs": Network("MobileNetV2, 224 × 224, dropout in its head", photographs, 32, 500),
}
