"""Which layers of a model are stochastic, and how they are switched on for one call."""

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import keras

from mcviz.errors import UnsuitableModelError
from mcviz.model.keras_internals import (
    DropoutRNNCell,
    direct_sublayers,
    dropout_of_attention,
    forget_dropout_masks,
    has_random_generator,
    replaced_calls,
    replaced_random_functions,
)

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


@dataclass(frozen=True)
class Listed:
    """The layers of a model that can draw random numbers, by what became of them.

    Attributes:
        stochastic: the stochastic layers that draw.
        own: names of the layers of other kinds that draw, as they do in any call.
        idle: stochastic layers that do not: their rate is 0, or the output does not depend on them.
        inactive_layers: names of those that own a random generator and are kept from using it: mostly augmentation.
    """

    stochastic: tuple[StochasticLayer, ...]
    own: tuple[str, ...]
    idle: tuple[StochasticLayer, ...]
    inactive_layers: tuple[str, ...]

    def __str__(self) -> str:
        groups = {
            "Stochastic layers": self.stochastic,
            "drawing by themselves": self.own,
            "without effect": self.idle,
            "left off": self.inactive_layers,
        }
        return "; ".join(f"{name}: {', '.join(map(str, layers))}" for name, layers in groups.items() if layers)


def listed(model: keras.Model, drew: frozenset[keras.Layer] | None = None) -> Listed:
    """What became of a model's layers in a call in which `drew` drew random numbers; None: every one with a rate."""
    stochastic: list[StochasticLayer] = []
    idle: list[StochasticLayer] = []
    own, off = [], []
    networks = [layer for layer in drew or () if isinstance(layer, keras.layers.RNN)]  # they draw for their cells
    cells = {part for layer in networks for part in every_layer(layer) if isinstance(part, DropoutRNNCell)}
    for layer in _without_parts(every_layer(model)):
        rates = _rates(layer)
        draws = any(each.rate > 0 for each in rates) if drew is None else layer in drew | cells
        (stochastic if draws else idle).extend(rates)
        if drew and draws and not rates and drew.isdisjoint(every_layer(layer)):
            own.append(layer.name)
        elif not rates and has_random_generator(layer) and not draws:
            off.append(layer.name)
    return Listed(tuple(stochastic), tuple(own), tuple(idle), tuple(off))


def every_layer(model: keras.Layer) -> list[keras.Layer]:
    """The model's layers to any depth, each once, in order."""
    found: dict[int, keras.Layer] = {}
    for layer in direct_sublayers(model):
        if id(layer) not in found:
            found |= {id(each): each for each in [layer, *every_layer(layer)] if id(each) not in found}
    return list(found.values())


@contextmanager
def switched(model: keras.Model, answers: Answers, *, on: bool) -> Iterator[None]:
    """Within the block, calls of `model` have its stochastic layers on, or all off, and draw from `answers`.

    Every other layer that has no stochastic layer inside is in inference mode, whatever the model asks of it. This
    holds for calls in this thread; for others the model stays as it is. Everything is put back at the end, also after
    an error, and no generator of the model or of Keras moves.
    """
    layers = every_layer(model)
    modes = {id(layer): _mode(layer, on=on) for layer in layers}
    with _switching:
        before = getattr(_this_thread, "answers", None), getattr(_this_thread, "modes", {}), within()
        _this_thread.answers, _this_thread.modes, _this_thread.within = answers, modes, ()
        try:
            with replaced_calls(layers, _switched_call), replaced_random_functions(_answered):
                yield
        finally:
            _this_thread.answers, _this_thread.modes, _this_thread.within = before
            for layer in layers:
                forget_dropout_masks(layer)


def _rates(layer: keras.Layer) -> list[StochasticLayer]:
    kind = next(cls.__name__ for cls in type(layer).__mro__ if cls.__module__.startswith("keras."))
    if isinstance(layer, keras.layers.GaussianNoise):
        return [StochasticLayer(layer.name, kind, float(layer.stddev))]
    if isinstance(layer, NOISE):
        return [StochasticLayer(layer.name, kind, float(layer.rate))]
    if _draws(layer):
        source = layer.cell if _is_recurrent(layer) else layer
        named = {name: getattr(source, name, None) for name in ("dropout", "recurrent_dropout")}
        return [StochasticLayer(layer.name, f"{kind} {name}", float(rate)) for name, rate in named.items() if rate]
    return []


def _is_recurrent(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.RNN) and isinstance(layer.cell, DropoutRNNCell)


def within() -> tuple[keras.Layer, ...]:
    """The layers that are being called in this thread, the outermost first."""
    return getattr(_this_thread, "within", ())


def _mode(layer: keras.Layer, *, on: bool) -> bool | None:
    """Whether a layer is called in training mode; None leaves that to the layer that calls it."""
    if _draws(layer):
        return on
    return None if any(_draws(part) for part in every_layer(layer)) else False


def _draws(layer: keras.Layer) -> bool:
    return isinstance(layer, (*NOISE, *ATTENTION, DropoutRNNCell)) or _is_recurrent(layer)


def _without_parts(layers: list[keras.Layer]) -> list[keras.Layer]:
    """The layers without those that belong to one of them and draw for it."""
    parts = {id(dropout_of_attention(layer)) for layer in layers}
    parts |= {id(layer.cell) for layer in layers if _is_recurrent(layer)}
    return [layer for layer in layers if id(layer) not in parts]


def _switched_call(layer: keras.Layer) -> Callable[..., Any]:
    original = getattr(layer.call, "python_function", layer.call)  # a tf.function would hide what is asked for
    signature = inspect.signature(original)

    @functools.wraps(original, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        if getattr(_this_thread, "answers", None) is None:
            return original(*args, **kwargs)
        mode = _this_thread.modes.get(id(layer))
        before = within()
        _this_thread.within = (*before, layer)
        try:
            if mode is None or "training" not in signature.parameters:
                return original(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.arguments["training"] = mode
            return original(*bound.args, **bound.kwargs)
        finally:
            _this_thread.within = before

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
