"""Models of texts: the layer that makes numbers, its vocabulary, and the network behind."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.sampling.graph import find_needed
from mcviz.sampling.keras.internals import nest_input, replace_calls
from mcviz.sampling.keras.stochastic import StochasticLayers, every_layer
from mcviz.sampling.keras.tracing import NoRandomness, compile_function, list_inputs, wrap_model_errors
from mcviz.validate import invalid

TEXT_LAYERS = (keras.layers.TextVectorization, keras.layers.StringLookup)
SPECIAL_WORDS = ("", "[UNK]")  # padding and unknown words, as Keras writes them
IN_FRONT = (
    "Make one model of the text layer and a network behind it: keras.Sequential([keras.Input((1,), dtype='string'), "
    "text_layer, network])."
)


@dataclass(frozen=True)
class TextLayer:
    """The first layer of a model, which turns texts into numbers.

    It is computed once an example, outside of the sampled graph. Model and layer stay unchanged.

    Attributes:
        model: the whole model.
        layer: its text layer.
        text_shape: of one text in the model, () or (1,).
        shape: of the numbers of one text.
        dtype: of these numbers.
        numbers: (N, *text_shape) texts to (N, *shape) numbers.
    """

    model: keras.Model
    layer: keras.Layer
    text_shape: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str
    numbers: Callable[[tf.Tensor], tf.Tensor]

    def call_network(self, numbers: tf.Tensor) -> Any:
        """Call the model with numbers in place of texts, as in inference.

        Args:
            numbers: (rows, *shape).

        Raises:
            UnsuitableModelError: the network uses more of a text than these numbers.
        """
        texts, received = tf.fill((numbers.shape[0], *self.text_shape), ""), []
        thread = threading.get_ident()

        def replace(layer: keras.Layer) -> Callable[..., Any]:
            original = layer.call

            def call(inputs: Any) -> Any:
                if threading.get_ident() != thread:
                    return original(inputs)
                received.append(inputs)
                return numbers

            return call

        with replace_calls([self.layer], replace):
            returned = self.model(nest_input(self.model, texts), training=False)
        if not tf.executing_eagerly():
            outputs = [output.ref() for output in keras.tree.flatten(returned)]
            used = texts.ref() in find_needed(outputs, list_inputs)
            if used or not received or not all(_is_same(value, texts) for value in received):
                raise UnsuitableModelError(
                    "The text layer has to be the one and only layer that takes the model's input. "
                    f"Received: {self.layer.name} in model {self.model.name!r}, which is not. {IN_FRONT}"
                )
        return returned


def find_text_layer(model: keras.Model) -> TextLayer | None:
    """Return the text layer at the front of a model, or None.

    Raises:
        UnsuitableModelError: the model takes texts in another way, or a text's numbers depend on the texts beside it.
    """
    layers = [layer for layer in layers_with_vocabulary(model) if isinstance(layer, TEXT_LAYERS)]
    inputs = getattr(model, "inputs", None)
    if not inputs:
        if any(isinstance(layer, keras.layers.TextVectorization) for layer in layers):
            raise _text_model_error(f"model {model.name!r}, a class of its own")
        return None
    if len(inputs) > 1 or inputs[0].dtype != "string":
        return None
    shape = tuple(inputs[0].shape[1:])
    if shape not in ((), (1,)):
        raise _text_model_error(
            f"model {model.name!r}, which takes texts of the shape (N, {', '.join(map(str, shape))})"
        )
    if len(layers) != 1:
        names = ", ".join(layer.name for layer in layers) or "none"
        raise _text_model_error(f"model {model.name!r} with the text layers: {names}")
    call = compile_function(layers[0], [((None, *shape), tf.string)])
    numbers = call.structured_outputs
    if not isinstance(numbers, tf.Tensor) or numbers.shape[0] is not None or None in numbers.shape[1:]:
        raise UnsuitableModelError(
            "The text layer should give each text as many numbers as any other: the network's result would depend on "
            f"the texts beside it. Received: {layers[0].name}. Make it with output_sequence_length, ragged=False and "
            "sparse=False."
        )
    return TextLayer(model, layers[0], shape, tuple(numbers.shape[1:]), numbers.dtype.name, call)


class TextNumbers:
    """Numbers of texts as a lazy array (N, ...).

    Attributes:
        shape: (N, *shape of the numbers of one text).
        dtype: of the numbers.
    """

    def __init__(self, layer: TextLayer, texts: np.ndarray) -> None:
        """Take (N,) texts, of dtype object."""
        self._layer, self._texts = layer, texts
        self.shape, self.dtype = (len(texts), *layer.shape), np.dtype(layer.dtype)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Compute the numbers of some of the texts.

        Raises:
            UnsuitableModelError: the text layer fails on them.
        """
        texts = self._texts[rows].reshape(-1, *self._layer.text_shape)
        with wrap_model_errors():
            return self._layer.numbers(tf.constant(texts, tf.string)).numpy()


def with_vocabulary(model: keras.Model, words: Sequence[str]) -> keras.Model:
    """Put a vocabulary in front of a model of word numbers, so that it takes texts.

    Texts are split as by Keras's `TextVectorization`: lower case, no punctuation, white space. Words start at number 2;
    0 is padding, 1 unknown.

    Args:
        model: of (N, L) whole numbers for an Embedding; the result shares its weights.
        words: the vocabulary, in the order of its numbers; it may begin with "" and "[UNK]", for 0 and 1.

    Returns:
        A model of (N, 1) texts.

    Raises:
        InvalidInputError: `words` are no vocabulary, or do not have the model's size.
        UnsuitableModelError: the model does not take numbers of words.
    """
    words = _check_words(words)
    length, embedding = _find_embedding(model)
    count = len(SPECIAL_WORDS) + len(words)
    if embedding.input_dim != count:
        raise invalid(
            "vocabulary",
            f"of {embedding.input_dim - len(SPECIAL_WORDS):,} words, since the model's {embedding.name} has "
            f"{embedding.input_dim:,} rows, 2 of them for padding and for unknown words",
            f"{len(words):,} words",
        )
    text = keras.Input((1,), dtype="string", name="text")
    layer = keras.layers.TextVectorization(vocabulary=words, output_sequence_length=length, name="vocabulary")
    returned = model(nest_input(model, layer(text)))
    if len(model.outputs) > 1:
        returned = dict(zip(model.output_names, keras.tree.flatten(returned), strict=True))
    return keras.Model(text, returned, name=model.name)


def layers_with_vocabulary(model: keras.Model) -> list[keras.Layer]:
    """Return layers with a vocabulary, without those inside TextVectorization."""
    layers = [part for part in every_layer(model) if isinstance(part, (*TEXT_LAYERS, keras.layers.IntegerLookup))]
    inside = {id(part) for layer in layers for part in every_layer(layer)}
    return [layer for layer in layers if id(layer) not in inside]


def vocabularies(model: keras.Model) -> Iterator[str]:
    """Yield each layer's vocabulary as text: its configuration may lack it."""
    for layer in layers_with_vocabulary(model):
        weights: dict[str, np.ndarray] = {}
        layer.save_own_variables(weights)  # weights of words, which the model does not list
        words = [str(word) for word in layer.get_vocabulary()]
        yield json.dumps([words, {name: values.tolist() for name, values in weights.items()}])


def _check_words(words: Any) -> list[str]:
    if isinstance(words, str) or not hasattr(words, "__len__") or not all(isinstance(word, str) for word in words):
        raise invalid("vocabulary", "a list of words", f"{words!r:.100}")
    words = list(words[2:] if tuple(words[:2]) == SPECIAL_WORDS else words)
    if not words:
        raise invalid("vocabulary", "a list of at least one word", "none")
    seen: set[str] = set()
    for number, word in enumerate(words):
        if not word.strip() or word in seen:
            raise invalid("vocabulary", "of words that differ, none of them empty", f"{word!r:.100} as word {number}")
        seen.add(word)
    return words


def _find_embedding(model: keras.Model) -> tuple[int, keras.layers.Embedding]:
    inputs = getattr(model, "inputs", None) or []
    shape = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else ()
    embeddings = [layer for layer in every_layer(model) if isinstance(layer, keras.layers.Embedding)]
    received = f"model {model.name!r}"
    if len(shape) != 1 or inputs[0].dtype == "string" or not embeddings:
        raise UnsuitableModelError(
            "A vocabulary is for a model that takes (N, L) numbers of words, and gives them to an Embedding. "
            f"Received: {received}. Leave the vocabulary out, or put a text layer in front of the model in Keras."
        )
    if shape[0] is None:
        raise UnsuitableModelError(
            "A vocabulary is for a model that takes a fixed number of words. "
            f"Received: {received}, which takes any. Build it on keras.Input((L,)) with the L that it was trained on."
        )
    words, receivers = np.ones((2, *shape), inputs[0].dtype), []

    def watch(layer: keras.Layer) -> Callable[..., Any]:
        original = layer.call

        def call(numbers: Any) -> Any:
            if np.array_equal(numbers, words):  # numbers of positions differ
                receivers.append(layer)
            return original(numbers)

        return call

    off = StochasticLayers(model).switch(NoRandomness(), on=False)
    with wrap_model_errors(), off, replace_calls(embeddings, watch):
        model(nest_input(model, tf.constant(words)), training=False)
    if len(receivers) != 1:
        raise UnsuitableModelError(
            "A vocabulary is for a model with one Embedding that gets its input. "
            f"Received: {received}, where {len(receivers)} do. Put a text layer in front of the model in Keras."
        )
    return shape[0], receivers[0]


def _is_same(tensor: Any, original: tf.Tensor) -> bool:
    while tensor is not original and tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor is original


def _text_model_error(received: str) -> UnsuitableModelError:
    return UnsuitableModelError(
        "A model takes texts by one TextVectorization or StringLookup layer behind a keras.Input of one text an "
        f"example, in a Sequential or functional model. Received: {received}. {IN_FRONT}"
    )
