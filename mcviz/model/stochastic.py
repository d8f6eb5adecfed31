"""Which layers of a model are stochastic, and how they are switched on for one call."""

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import keras
from keras.src import backend as keras_backend
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

from mcviz.errors import UnsuitableModelError

NOISE = (keras.layers.Dropout, keras.layers.AlphaDropout, keras.layers.GaussianDropout, keras.layers.GaussianNoise)
ATTENTION = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention, keras.layers.Attention)

_switching = threading.RLock()
_this_thread = threading.local()


@dataclass(frozen=True)
class StochasticLayer:
    """A layer that Monte Carlo passes draw from.

    Attributes:
        name: the layer's own name.
        kind: its Keras class, and the argument for layers with several (`LSTM recurrent_dropout`).
        rate: the probability of a dropped element; for `GaussianNoise` the standard deviation of the noise.
    """

    name: str
    kind: str
    rate: float

    def __str__(self) -> str:
        return f"{self.name} ({self.kind} {self.rate:g})"


class Answers(Protocol):
    """What a layer gets when it asks Keras for random numbers. The arguments are those of `keras.random`."""

    def dropout(self, inputs: Any, rate: float, noise_shape: Any) -> Any:
        """The inputs with elements dropped."""

    def uniform(self, shape: Any, minval: float, maxval: float, dtype: Any) -> Any:
        """Uniform numbers."""

    def normal(self, shape: Any, mean: float, stddev: float, dtype: Any) -> Any:
        """Normal numbers."""


def stochastic_layers(model: keras.Model) -> tuple[StochasticLayer, ...]:
    """Every stochastic layer of a model in the order of its layers, those with a rate of 0 included."""
    layers = every_layer(model)
    parts = {id(getattr(layer, "_dropout_layer", None)) for layer in layers}
    parts |= {id(layer.cell) for layer in layers if _is_recurrent(layer)}
    return tuple(found for layer in layers if id(layer) not in parts for found in _rates(layer))


def left_off(model: keras.Model) -> tuple[str, ...]:
    """Names of the layers that own a random generator and are not stochastic layers: augmentation, above all."""
    return tuple(layer.name for layer in every_layer(model) if layer._seed_generators and not _rates(layer))


def every_layer(model: keras.Layer) -> list[keras.Layer]:
    """The model's layers to any depth, each once, in order."""
    found: dict[int, keras.Layer] = {}
    for layer in model._layers:
        if id(layer) not in found:
            found |= {id(each): each for each in [layer, *every_layer(layer)] if id(each) not in found}
    return list(found.values())


@contextmanager
def switched(model: keras.Model, answers: Answers, *, on: bool) -> Iterator[None]:
    """Within the block, calls of `model` have its stochastic layers on, or all off, and draw from `answers`.

    This holds for calls in this thread; for others the model stays as it is. Everything is put back at the end, also
    after an error, and no generator of the model or of Keras moves.
    """
    layers = every_layer(model)
    switches = [layer for layer in layers if _is_recurrent(layer) or isinstance(layer, (*NOISE, *ATTENTION))]
    switches += [layer for layer in layers if isinstance(layer, DropoutRNNCell)]
    with _switching:
        functions = {
            name: function
            for name, function in vars(keras_backend.random).items()
            if name != "draw_seed" and not name.startswith("_") and "seed" in _parameters(function)
        }
        own_calls = [(layer, vars(layer).get("call")) for layer in switches]
        before = getattr(_this_thread, "answers", None), getattr(_this_thread, "on", False)
        _this_thread.answers, _this_thread.on = answers, on
        try:
            for layer in switches:
                object.__setattr__(layer, "call", _switched_call(layer))
            for name, function in functions.items():
                setattr(keras_backend.random, name, _answered(name, function))
            yield
        finally:
            _this_thread.answers, _this_thread.on = before
            for name, function in functions.items():
                setattr(keras_backend.random, name, function)
            for layer, own in own_calls:
                if own is not None:
                    object.__setattr__(layer, "call", own)
                elif "call" in vars(layer):
                    object.__delattr__(layer, "call")
            for layer in switches:
                if isinstance(layer, DropoutRNNCell):
                    layer.reset_dropout_mask()
                    layer.reset_recurrent_dropout_mask()


def _rates(layer: keras.Layer) -> list[StochasticLayer]:
    kind = next(cls.__name__ for cls in type(layer).__mro__ if cls.__module__.startswith("keras."))
    if isinstance(layer, keras.layers.GaussianNoise):
        return [StochasticLayer(layer.name, kind, float(layer.stddev))]
    if isinstance(layer, NOISE):
        return [StochasticLayer(layer.name, kind, float(layer.rate))]
    if isinstance(layer, (*ATTENTION, DropoutRNNCell)) or _is_recurrent(layer):
        source = layer.cell if _is_recurrent(layer) else layer
        named = {name: getattr(source, name, None) for name in ("dropout", "recurrent_dropout")}
        return [StochasticLayer(layer.name, f"{kind} {name}", float(rate)) for name, rate in named.items() if rate]
    return []


def _is_recurrent(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.RNN) and isinstance(layer.cell, DropoutRNNCell)


def _switched_call(layer: keras.Layer) -> Callable[..., Any]:
    original = layer.call
    takes_training = "training" in _parameters(original)

    def call(*args: Any, **kwargs: Any) -> Any:
        if takes_training and getattr(_this_thread, "answers", None) is not None:
            bound = inspect.signature(original).bind(*args, **kwargs)
            bound.arguments["training"] = _this_thread.on
            return original(*bound.args, **bound.kwargs)
        return original(*args, **kwargs)

    return call


def _answered(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    def function(*args: Any, **kwargs: Any) -> Any:
        answers: Answers | None = getattr(_this_thread, "answers", None)
        if answers is None:
            return original(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        del bound.arguments["seed"]
        if name not in ("dropout", "uniform", "normal"):
            raise UnsuitableModelError(
                f"A layer draws from keras.random.{name}, which is not supported: dropout, uniform and normal are. "
                "Build that layer on one of them."
            )
        return getattr(answers, name)(**bound.arguments)

    return function


def _parameters(function: Any) -> Any:
    return inspect.signature(function).parameters if inspect.isfunction(function) or inspect.ismethod(function) else {}
