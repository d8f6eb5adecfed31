"""Which layers of a model are stochastic, and how they are switched on for one call."""

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import keras
from keras.src import backend as keras_backend

from mcviz.errors import UnsuitableModelError

NOISE = (keras.layers.Dropout, keras.layers.AlphaDropout, keras.layers.GaussianDropout, keras.layers.GaussianNoise)
ATTENTION = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention, keras.layers.Attention)
RECURRENT = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)
CELLS = (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell)
DRAWING_FUNCTIONS = (
    "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint", "shuffle", "truncated_normal", "uniform",
)  # fmt: skip

_switch_lock = threading.RLock()
_answering = threading.local()


@dataclass(frozen=True)
class StochasticLayer:
    """A layer that Monte Carlo passes draw from.

    Attributes:
        name: the layer's own name.
        kind: its class, and the argument for layers with several (`LSTM recurrent_dropout`).
        rate: the probability of a dropped element; for `GaussianNoise` the standard deviation of the noise.
    """

    name: str
    kind: str
    rate: float

    def __str__(self) -> str:
        return f"{self.name} ({self.kind} {self.rate:g})"


class Answers(Protocol):
    """What the model gets when a layer asks Keras for random numbers."""

    def dropout(self, inputs: Any, rate: float, noise_shape: Any, layer: str) -> Any: ...

    def uniform(self, shape: Any, low: float, high: float, dtype: Any, layer: str) -> Any: ...

    def normal(self, shape: Any, mean: float, deviation: float, dtype: Any, layer: str) -> Any: ...


def stochastic_layers(model: keras.Model) -> tuple[StochasticLayer, ...]:
    """Every stochastic layer of a model in the order of its layers, those with a rate of 0 included."""
    found: list[StochasticLayer] = []
    inner = {id(getattr(layer, "_dropout_layer", None)) for layer in every_layer(model)}
    inner |= {id(layer.cell) for layer in every_layer(model) if isinstance(layer, RECURRENT)}
    for layer in every_layer(model):
        kind = _keras_kind(layer)
        if id(layer) in inner:
            continue
        if isinstance(layer, keras.layers.GaussianNoise):
            found.append(StochasticLayer(layer.name, kind, float(layer.stddev)))
        elif isinstance(layer, NOISE):
            found.append(StochasticLayer(layer.name, kind, float(layer.rate)))
        elif isinstance(layer, (*ATTENTION, *RECURRENT, *CELLS)):
            for argument in ("dropout", "recurrent_dropout"):
                if getattr(layer, argument, 0.0):
                    found.append(StochasticLayer(layer.name, f"{kind} {argument}", float(getattr(layer, argument))))
    return tuple(found)


def left_off(model: keras.Model) -> tuple[str, ...]:
    """Names of the layers that own a random generator and are not stochastic layers: augmentation, above all."""
    ours = (*NOISE, *ATTENTION, *RECURRENT, *CELLS)
    return tuple(
        layer.name for layer in every_layer(model) if layer._seed_generators and not isinstance(layer, (*ours,))
    )


def every_layer(model: keras.Model) -> list[keras.Layer]:
    """The model's layers to any depth, each once, in order."""
    return list({id(layer): layer for layer in model._flatten_layers(include_self=False, recursive=True)}.values())


@contextmanager
def switched_on(model: keras.Model, answers: Answers, *, on: bool = True) -> Iterator[None]:
    """Within the block, this thread's calls of `model` have their stochastic layers on (or all off) and draw from `answers`.

    Other threads see the model as it was. Everything is put back afterwards, also after an error.
    """
    layers = [layer for layer in every_layer(model) if isinstance(layer, (*NOISE, *ATTENTION[2:], *RECURRENT, *CELLS))]
    with _switch_lock:
        originals = {name: getattr(keras_backend.random, name) for name in DRAWING_FUNCTIONS}
        own_calls = [(layer, layer.__dict__.get("call")) for layer in layers]
        _answering.answers, _answering.layers, _answering.on = answers, [], on
        try:
            for layer in layers:
                object.__setattr__(layer, "call", _switched_call(layer))
            for name, original in originals.items():
                setattr(keras_backend.random, name, _intercepted(name, original))
            yield
        finally:
            _answering.answers = None
            for name, original in originals.items():
                setattr(keras_backend.random, name, original)
            for layer, own in own_calls:
                object.__delattr__(layer, "call")
                if own is not None:
                    object.__setattr__(layer, "call", own)


def _switched_call(layer: keras.Layer) -> Callable[..., Any]:
    original = layer.call
    takes_training = "training" in inspect.signature(original).parameters

    def call(*args: Any, **kwargs: Any) -> Any:
        if getattr(_answering, "answers", None) is None:
            return original(*args, **kwargs)
        if takes_training:
            kwargs["training"] = _answering.on
        _answering.layers.append(layer.name)
        try:
            return original(*args, **kwargs)
        finally:
            _answering.layers.pop()

    return call


def _intercepted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    def function(*args: Any, **kwargs: Any) -> Any:
        answers: Answers | None = getattr(_answering, "answers", None)
        if answers is None:
            return original(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        layer = _answering.layers[-1] if _answering.layers else "a layer outside the stochastic ones"
        if name == "dropout":
            return answers.dropout(given["inputs"], given["rate"], given["noise_shape"], layer)
        if name == "uniform":
            return answers.uniform(given["shape"], given["minval"], given["maxval"], given["dtype"], layer)
        if name == "normal":
            return answers.normal(given["shape"], given["mean"], given["stddev"], given["dtype"], layer)
        raise UnsuitableModelError(
            f"The model draws from keras.random.{name}, which cannot be keyed to a seed. Received: layer={layer}. "
            "Use dropout, normal or uniform in that layer."
        )

    return function


def _keras_kind(layer: keras.Layer) -> str:
    """The name of the Keras class that a layer is, or is derived from."""
    return next(cls.__name__ for cls in type(layer).__mro__ if cls.__module__.startswith("keras.src"))
