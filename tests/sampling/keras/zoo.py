"""Small models, one for each kind of stochastic layer and each way of putting a model together."""

import threading
from collections.abc import Callable, Iterable
from functools import partial
from itertools import product
from typing import Any

import keras
import numpy as np
from keras import layers

from mcviz.sampling import Sampler

CLASSES = 3
WORDS = ("good", "bad", "film", "actor", "long", "never", "again")


@keras.saving.register_keras_serializable("mcviz_tests")
class AlwaysOn(layers.Dropout):
    """The well-known trick: a Dropout that ignores `training`."""

    def call(self, inputs):
        return super().call(inputs, training=True)


@keras.saving.register_keras_serializable("mcviz_tests")
class Halved(layers.Dropout):
    """A person's own layer, that does something with what Dropout returns."""

    def call(self, inputs, training=None):
        return 0.5 * super().call(inputs, training=training)


@keras.saving.register_keras_serializable("mcviz_tests")
class ConcreteDropout(keras.Layer):
    """A person's own layer, of no known kind: dropout by a smooth mask, its rate a weight (Gal et al. 2017)."""

    def __init__(self, start=0.3, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(4)
        self.logit = self.add_weight(initializer=keras.initializers.Constant(np.log(start / (1 - start))))

    def call(self, inputs, training=False):
        if not training:
            return inputs
        uniform = keras.ops.clip(keras.random.uniform(keras.ops.shape(inputs), seed=self.seeds), 1e-6, 1 - 1e-6)
        noise = keras.ops.log(uniform) - keras.ops.log(1 - uniform)
        dropped = keras.ops.sigmoid((self.logit + noise) / 0.1)
        return inputs * (1 - dropped) / (1 - keras.ops.sigmoid(self.logit))


@keras.saving.register_keras_serializable("mcviz_tests")
class DropConnect(keras.layers.Dense):
    """A person's own layer on one that is not stochastic: a dense layer that drops weights, each row its own."""

    def __init__(self, units, rate=0.4, **kwargs):
        super().__init__(units, **kwargs)
        self.rate, self.seeds = rate, keras.random.SeedGenerator(5)

    def call(self, inputs, training=False):
        if not training:
            return super().call(inputs)
        kernels = keras.ops.broadcast_to(self.kernel, (keras.ops.shape(inputs)[0], *self.kernel.shape))
        kernels = keras.random.dropout(kernels, self.rate, seed=self.seeds)
        return self.activation(keras.ops.einsum("ni,nij->nj", inputs, kernels) + self.bias)


@keras.saving.register_keras_serializable("mcviz_tests")
class Subclassed(keras.Model):
    """A model whose graph is Python code, with a residual connection around its dropout."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(8, activation="relu")
        self.dropout = layers.Dropout(0.4, seed=1)
        self.inside = [layers.Dense(8, activation="tanh"), layers.Dropout(0.2, seed=2)]
        self.last = layers.Dense(CLASSES)

    def call(self, inputs, training=False):
        hidden = self.first(layers.Flatten()(inputs))
        dropped = self.dropout(hidden, training=training)
        for layer in self.inside:
            dropped = layer(dropped)
        return keras.activations.softmax(self.last(hidden + dropped))


@keras.saving.register_keras_serializable("mcviz_tests")
class Untraceable(Subclassed):
    """A subclassed model that looks at the values, which a graph cannot."""

    def call(self, inputs, training=False):
        total = float(np.abs(np.asarray(inputs)).sum())
        return super().call(inputs, training=training) if total >= 0 else inputs


class OwnModel(keras.Model):
    """A subclassed model with one layer of its own; an eager one looks at the values, which a graph cannot."""

    def __init__(self, own: keras.Layer, *, eager: bool) -> None:
        super().__init__()
        self.first, self.own = layers.Dense(8, activation="relu"), own
        self.last = layers.Dense(CLASSES, activation="softmax")
        self.eager = eager

    def call(self, inputs, training=False):
        if self.eager:
            float(np.asarray(inputs).sum())
        return self.last(self.own(self.first(layers.Flatten()(inputs)), training=training))


def sequential(item: tuple[int, ...], *stack: keras.Layer, dtype: str = "float32") -> keras.Model:
    return keras.Sequential([keras.Input(item, dtype=dtype), *stack])


def image_model(*stack: keras.Layer) -> keras.Model:
    """6×6 images with 2 channels, a convolution, `stack`, and a dense softmax layer."""
    convolution = layers.Conv2D(4, 3, activation="relu", bias_initializer=keras.initializers.RandomNormal(seed=8))
    return sequential((6, 6, 2), convolution, *stack, layers.Flatten(), layers.Dense(CLASSES, activation="softmax"))


def sequence_model(*stack: keras.Layer) -> keras.Model:
    """7 steps with 5 features, `stack`, and a dense softmax layer."""
    return sequential((7, 5), *stack, layers.Flatten(), layers.Dense(CLASSES, activation="softmax"))


def attention_model(attention: keras.Layer) -> keras.Model:
    steps = keras.Input((7, 6))
    hidden = layers.Dense(6)(steps)
    attended = attention([hidden, hidden]) if type(attention) is layers.Attention else attention(hidden, hidden)
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(layers.Add()([hidden, attended])))
    return keras.Model(steps, layers.Dense(CLASSES, activation="softmax")(pooled))


def text_model() -> keras.Model:
    embedding = layers.Embedding(11, 5, mask_zero=True)
    lstm = layers.LSTM(6, dropout=0.2, recurrent_dropout=0.3, seed=1)
    return sequential((7,), embedding, lstm, layers.Dense(CLASSES, activation="softmax"), dtype="int32")


def text_layer(**options) -> keras.layers.TextVectorization:
    """A text layer that knows seven words, adapted to them, so that they are not in its configuration."""
    layer = layers.TextVectorization(output_sequence_length=6, **options)
    layer.adapt([" ".join(WORDS[: number + 1]) for number in range(len(WORDS))])  # the first is the most frequent
    return layer


def lstm_on_texts(*last: keras.Layer) -> keras.Model:
    """One text an example, as a functional model takes it without a second axis."""
    text = keras.Input((), dtype="string")
    hidden = layers.Embedding(9, 5, mask_zero=True, embeddings_initializer="normal")(text_layer()(text))
    hidden = layers.LSTM(6, dropout=0.2, recurrent_dropout=0.3, seed=1)(hidden)
    for layer in last:
        hidden = layer(hidden)
    return keras.Model(text, hidden)


def transformer_on_texts(*last: keras.Layer) -> keras.Model:
    """A block of a transformer, with an embedding of the positions, behind the text layer."""
    words = keras.Input((6,), dtype="int64")
    positions = keras.ops.arange(6)
    hidden = layers.Embedding(9, 6)(words) + layers.Embedding(6, 6)(keras.ops.ones_like(words) * positions)
    attended = layers.MultiHeadAttention(2, 3, dropout=0.2, seed=1)(hidden, hidden)
    hidden = layers.LayerNormalization()(hidden + layers.Dropout(0.3, seed=2)(attended))
    dense = layers.Dense(6)(layers.Dense(8, activation="relu")(hidden))
    hidden = layers.LayerNormalization()(hidden + layers.Dropout(0.3, seed=3)(dense))
    hidden = layers.GlobalAveragePooling1D()(hidden)
    for layer in last:
        hidden = layer(hidden)
    return sequential((1,), text_layer(), keras.Model(words, hidden), dtype="string")


def bag_of_words() -> keras.Model:
    """A vocabulary in the configuration, in a model within another."""
    front = layers.TextVectorization(vocabulary=list(WORDS), output_mode="tf_idf", idf_weights=[0.5] * 4 + [2.0] * 3)
    inner = sequential((1,), front, layers.Dropout(0.3, seed=1), layers.Dense(8, activation="relu"), dtype="string")
    return sequential((1,), inner, layers.Dense(CLASSES, activation="softmax"), dtype="string")


def branches() -> keras.Model:
    image = keras.Input((6, 6, 2))
    left = layers.Dropout(0.3, seed=1)(layers.Conv2D(4, 3, activation="relu")(image))
    right = layers.SpatialDropout2D(0.3, seed=2)(layers.Conv2D(4, 3, activation="relu")(image))
    plain = layers.Conv2D(4, 3, activation="relu")(image)
    joined = layers.Concatenate()([left, layers.Add()([right, plain])])
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax")(layers.Flatten()(joined)))


def shared() -> keras.Model:
    image = keras.Input((6, 6, 2))
    dropout, dense = layers.Dropout(0.3, seed=1), layers.Dense(8, activation="relu")
    hidden = dropout(dense(layers.Flatten()(image)))
    again = dropout(layers.Dense(8, activation="relu")(hidden))
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax")(again))


def nested() -> keras.Model:
    inner = keras.Sequential([keras.Input((64,)), layers.Dropout(0.5, seed=1), layers.Dense(8, activation="relu")])
    flat = keras.Input((4, 4, 4))
    middle = keras.Model(flat, layers.Dropout(0.2, seed=2)(inner(layers.Flatten()(flat))))
    image = keras.Input((6, 6, 2))
    hidden = middle(layers.Conv2D(4, 3, activation="relu")(image))
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax")(hidden))


def normalised() -> keras.Model:
    """BatchNormalization in front of, between and behind the dropout layers, with statistics of its own."""
    model = image_model(
        layers.BatchNormalization(),
        layers.SpatialDropout2D(0.3, seed=1),
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Dropout(0.3, seed=2),
    )
    numbers = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([numbers.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def built(model: keras.Model) -> keras.Model:
    model(np.zeros((2, 6, 6, 2), np.float32))
    return model


def small_reference() -> keras.Model:
    """The reference network's layers, small: the case of a masked dense layer."""
    return sequential(
        (10, 10, 1),
        layers.Conv2D(8, 3, activation="relu", bias_initializer=keras.initializers.RandomNormal(seed=8)),
        layers.MaxPooling2D(2),
        layers.Dropout(0.25, seed=1),
        layers.Flatten(),
        layers.Dense(12, activation="relu"),
        layers.Dropout(0.5, seed=2),
        layers.Dense(CLASSES, activation="softmax"),
    )


def cells() -> keras.Layer:
    stack = [layers.LSTMCell(4, dropout=0.2, seed=1), layers.GRUCell(4, recurrent_dropout=0.3, seed=2)]
    return layers.RNN(layers.StackedRNNCells(stack))


MODELS: dict[str, Callable[[], keras.Model]] = {
    "Dropout": lambda: image_model(layers.Dropout(0.3, seed=1)),
    "Dropout with a mask for each channel": lambda: image_model(layers.Dropout(0.3, (None, 1, 1, None), seed=1)),
    "Dropout on the images": lambda: sequential(
        (6, 6, 2), layers.Dropout(0.3, seed=1), layers.Flatten(), layers.Dense(CLASSES, activation="softmax")
    ),
    "SpatialDropout1D": lambda: sequence_model(layers.SpatialDropout1D(0.3, seed=1)),
    "SpatialDropout2D": lambda: image_model(layers.SpatialDropout2D(0.3, seed=1)),
    "SpatialDropout3D": lambda: sequential(
        (3, 3, 3, 4), layers.SpatialDropout3D(0.3, seed=1), layers.Flatten(),
        layers.Dense(CLASSES, activation="softmax"),
    ),
    "AlphaDropout": lambda: image_model(layers.AlphaDropout(0.3, seed=1)),
    "GaussianDropout": lambda: image_model(layers.GaussianDropout(0.3, seed=1)),
    "GaussianNoise": lambda: image_model(layers.GaussianNoise(0.2, seed=1)),
    "LSTM": lambda: sequence_model(layers.LSTM(6, dropout=0.3, recurrent_dropout=0.2, seed=1)),
    "LSTM dropout": lambda: sequence_model(layers.LSTM(6, dropout=0.3, return_sequences=True, seed=1)),
    "GRU": lambda: sequence_model(layers.GRU(6, dropout=0.3, recurrent_dropout=0.2, seed=1)),
    "SimpleRNN": lambda: sequence_model(layers.SimpleRNN(6, dropout=0.3, recurrent_dropout=0.2, seed=1)),
    "ConvLSTM1D": lambda: sequential(
        (4, 6, 2), layers.ConvLSTM1D(3, 3, dropout=0.3, recurrent_dropout=0.2, seed=1), layers.Flatten(),
        layers.Dense(CLASSES, activation="softmax"),
    ),
    "Bidirectional": lambda: sequence_model(layers.Bidirectional(layers.GRU(4, recurrent_dropout=0.3, seed=1))),
    "StackedRNNCells": lambda: sequence_model(cells()),
    "TimeDistributed": lambda: sequence_model(layers.TimeDistributed(layers.Dropout(0.3, seed=1))),
    "MultiHeadAttention": lambda: attention_model(layers.MultiHeadAttention(2, 3, dropout=0.3, seed=1)),
    "GroupQueryAttention": lambda: attention_model(layers.GroupQueryAttention(3, 4, 2, dropout=0.3, seed=1)),
    "Attention": lambda: attention_model(layers.Attention(dropout=0.3, seed=1)),
    "own layer, always on": lambda: image_model(AlwaysOn(0.3, seed=1)),
    "own layer, halved": lambda: image_model(Halved(0.3, seed=1)),
    "text": text_model,
    "LSTM on texts": lambda: lstm_on_texts(layers.Dense(CLASSES, activation="softmax")),
    "transformer on texts": lambda: transformer_on_texts(layers.Dense(CLASSES, activation="softmax")),
    "bag of words": bag_of_words,
    "branches": branches,
    "shared layers": shared,
    "nested models": nested,
    "subclassed": lambda: built(Subclassed()),
    "subclassed, no graph": lambda: built(Untraceable()),
    "BatchNormalization": normalised,
    "small reference network": small_reference,
}  # fmt: skip


OWN = {"ConcreteDropout": ConcreteDropout, "DropConnect": DropConnect}
WAYS = "functional", "subclassed", "eager"


def own_model(kind: str, way: str) -> keras.Model:
    """A model with a layer of a person's own, put together in one of three ways."""
    own = ConcreteDropout(name="own") if kind == "ConcreteDropout" else DropConnect(10, name="own")
    if way == "functional":
        first, last = layers.Dense(8, activation="relu"), layers.Dense(CLASSES, activation="softmax")
        return sequential((6, 6, 2), layers.Flatten(), first, own, last)
    return built(OwnModel(own, eager=way == "eager"))


OWN_MODELS = {f"{kind}, {way}": partial(own_model, kind, way) for kind, way in product(OWN, WAYS)}
EVERY_MODEL = MODELS | OWN_MODELS

# One of each way in which a model draws or is put together; the slow tests take all of them.
SOME_MODELS = {
    "GaussianNoise", "LSTM", "small reference network", "subclassed, no graph", "ConcreteDropout, subclassed",
}  # fmt: skip


def make(name: str) -> keras.Model:
    """The model of that name, the same weights every time."""
    keras.utils.set_random_seed(5)
    return EVERY_MODEL[name]()


def images_for(model: keras.Model, count: int, seed: int = 0) -> np.ndarray:
    """Random inputs of a model of the zoo; of texts, (count, 1) of one to six words, not all of them known."""
    numbers = np.random.default_rng(seed)
    item = model.inputs[0].shape[1:] if getattr(model, "inputs", None) else (6, 6, 2)
    if getattr(model, "inputs", None) and model.inputs[0].dtype == "string":
        texts = [" ".join(numbers.choice([*WORDS, "unknown"], numbers.integers(1, 7))) for _ in range(count)]
        return np.array(texts, dtype=object)[:, None]
    if getattr(model, "inputs", None) and model.inputs[0].dtype == "int32":
        return numbers.integers(0, 11, (count, *item)).astype(np.int32)
    return numbers.standard_normal((count, *item)).astype(np.float32)


def assert_parts_have_the_bits_of(
    whole: np.ndarray, sampler: Sampler, inputs: np.ndarray, parts: Iterable[tuple[slice, slice]], **how: Any
) -> None:
    """Some passes over some inputs, sampled alone, are the same bits as in all passes over all of them."""
    for passes, rows in parts:
        numbered = {"passes": passes.stop - passes.start, "first_pass": passes.start, "first_example": rows.start}
        np.testing.assert_array_equal(sampler.sample(inputs[rows], **numbered, **how), whole[passes, rows])


def outputs_while_prepared(model: keras.Model, inputs: Any) -> list[np.ndarray]:
    """Return what another thread gets of a model, four times or more, while the model is prepared again and again."""
    outputs: list[np.ndarray] = []
    prepared = threading.Event()

    def look() -> None:
        while not prepared.is_set():
            outputs.append(model(inputs, training=False).numpy())

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(3):
        Sampler(model)
    while len(outputs) < 4 and thread.is_alive():  # the machine has had no time for it yet
        Sampler(model)
    prepared.set()
    thread.join()
    assert len(outputs) > 3
    return outputs
