"""The stochastic layers of a model, switched on for one call."""

import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import keras
import numpy as np

from mcviz.errors import UnsuitableModelError
from mcviz.sampling.base import LayerReport, StochasticLayer
from mcviz.sampling.keras.internals import (
    DropoutRNNCell,
    attention_dropout,
    direct_sublayers,
    forget_dropout_masks,
    has_random_generator,
    replace_calls,
    replace_random_functions,
)
from mcviz.validate import invalid

# Every class of stochastic layers, subclasses included, with the attributes that hold its rates.
STOCHASTIC_LAYERS: dict[type, tuple[str, ...]] = {
    keras.layers.Dropout: ("rate",),
    keras.layers.AlphaDropout: ("rate",),
    keras.layers.GaussianDropout: ("rate",),
    keras.layers.GaussianNoise: ("stddev",),
    keras.layers.MultiHeadAttention: ("dropout",),
    keras.layers.GroupQueryAttention: ("dropout",),
    keras.layers.Attention: ("dropout",),
    DropoutRNNCell: ("dropout", "recurrent_dropout"),
}
OWN_RATE = keras.layers.AlphaDropout, keras.layers.GaussianNoise  # their arithmetic is their own, or they drop nothing
THE_RATE = ("rate", "stddev")  # attributes of the layer's purpose, which no name of a kind repeats

_switching = threading.RLock()
_this_thread = threading.local()


class RandomSource(Protocol):
    """Random numbers for layers, with the arguments of `keras.random`."""

    def dropout(self, inputs: Any, rate: float, noise_shape: Any) -> Any:
        """Drop elements of the inputs."""

    def uniform(self, shape: Any, minval: float, maxval: float, dtype: Any) -> Any:
        """Return uniform numbers."""

    def normal(self, shape: Any, mean: float, stddev: float, dtype: Any) -> Any:
        """Return normal numbers."""


class _RateSource:
    """A source with its own dropout rate."""

    def __init__(self, source: RandomSource, rate: float, is_changed: Callable[[keras.Layer], bool]) -> None:
        self._source, self._rate, self._is_changed = source, rate, is_changed

    def dropout(self, inputs: Any, rate: float, noise_shape: Any) -> Any:
        return self._source.dropout(inputs, self._rate if self._changes_rate() else rate, noise_shape)

    def uniform(self, shape: Any, minval: float, maxval: float, dtype: Any) -> Any:
        return self._source.uniform(shape, minval, maxval, dtype)

    def normal(self, shape: Any, mean: float, stddev: float, dtype: Any) -> Any:
        if self._changes_rate():  # GaussianDropout multiplies by noise of this deviation
            stddev = (self._rate / (1 - self._rate)) ** 0.5
        return self._source.normal(shape, mean, stddev, dtype)

    def _changes_rate(self) -> bool:
        return any(map(self._is_changed, layers_in_call()))


class StochasticLayers:
    """A model's stochastic layers, which can be on for one call.

    Attributes:
        model: the Keras model.
        rate: of its dropout, or None for the layers' own.
    """

    def __init__(
        self, model: keras.Model, own_kinds: tuple[type[keras.Layer], ...] = (), rate: float | None = None
    ) -> None:
        """Find a model's stochastic layers.

        Args:
            model: a built Keras model.
            own_kinds: classes of the user's stochastic layers besides `STOCHASTIC_LAYERS`.
            rate: above 0 and below 1, of all dropout that is on, in place of the layers' own rates; `AlphaDropout`,
                noise and layers of the user's own keep theirs. The layers themselves are left as they were.

        Raises:
            InvalidInputError: something other than classes of the model's layers.
        """
        _check_own_kinds(model, own_kinds)
        self.model, self.rate = model, rate
        self._kinds = {kind: _rate_attributes(kind) for kind in own_kinds} | STOCHASTIC_LAYERS

    def report(self, random_layers: frozenset[keras.Layer] | None = None) -> LayerReport:
        """Sort layers by effect when `random_layers` get numbers; by default all with a rate above 0."""
        stochastic: list[StochasticLayer] = []
        without_effect: list[StochasticLayer] = []
        always_random, inactive = [], []
        taking = _add_cells(random_layers or frozenset())
        for layer in _remove_parts(every_layer(self.model)):
            rates = self._rates(layer)
            takes = any(rate.rate != 0 for rate in rates) if random_layers is None else layer in taking
            (stochastic if takes else without_effect).extend(rates)
            if not rates and takes and taking.isdisjoint(every_layer(layer)):
                always_random.append(layer.name)
            elif not rates and not takes and has_random_generator(layer):
                inactive.append(layer.name)
        return LayerReport(tuple(stochastic), tuple(always_random), tuple(without_effect), tuple(inactive))

    @contextmanager
    def switch(self, source: RandomSource, *, on: bool) -> Iterator[None]:
        """Switch stochastic layers within the block, with numbers from `source`.

        Other layers are in inference mode. Only this thread's calls change; all is restored, and no generator of the
        model or of Keras moves.
        """
        layers = every_layer(self.model)
        if on and self.rate is not None:
            source = _RateSource(source, self.rate, self._takes_rate)
        modes = {id(layer): self._mode(layer, on=on) for layer in layers}
        with _switching:
            before = getattr(_this_thread, "source", None), getattr(_this_thread, "modes", {}), layers_in_call()
            _this_thread.source, _this_thread.modes, _this_thread.in_call = source, modes, ()
            try:
                with replace_calls(layers, _make_call), replace_random_functions(_make_random_function):
                    yield
            finally:
                _this_thread.source, _this_thread.modes, _this_thread.in_call = before
                for layer in layers:
                    forget_dropout_masks(layer)

    def _mode(self, layer: keras.Layer, *, on: bool) -> bool | None:
        """Return the training mode for a layer; None leaves it to the caller."""
        if self._is_stochastic(layer):
            return on
        return None if any(self._is_stochastic(part) for part in every_layer(layer)) else False

    def _is_stochastic(self, layer: keras.Layer) -> bool:
        return isinstance(layer, tuple(self._kinds)) or _has_dropout_cell(layer)

    @property
    def with_changeable_rate(self) -> tuple[StochasticLayer, ...]:
        """The layers whose rate `rate` replaces."""
        layers = [layer for layer in _remove_parts(every_layer(self.model)) if self._takes_rate(layer)]
        return tuple(rate for layer in layers for rate in self._rates(layer) if rate.rate)

    def _takes_rate(self, layer: keras.Layer) -> bool:
        return (isinstance(layer, tuple(STOCHASTIC_LAYERS)) or _has_dropout_cell(layer)) and not isinstance(
            layer, OWN_RATE
        )

    def _rates(self, layer: keras.Layer) -> list[StochasticLayer]:
        """Return the layer once for each rate; nothing if it is not stochastic."""
        if not self._is_stochastic(layer):
            return []
        holder = layer.cell if _has_dropout_cell(layer) else layer
        attributes = next(attributes for kind, attributes in self._kinds.items() if isinstance(holder, kind))
        name = next(
            cls.__name__ for cls in type(layer).__mro__ if cls in self._kinds or cls.__module__.startswith("keras.")
        )
        rates = {attribute: _number(getattr(holder, attribute, None)) for attribute in attributes}
        changed = self.rate is not None and self._takes_rate(layer)
        return [
            StochasticLayer(
                layer.name,
                name if attribute in THE_RATE else f"{name} {attribute}",
                self.rate if changed and rate else rate,
            )
            for attribute, rate in rates.items()
            if rate or attribute in THE_RATE
        ]


def every_layer(model: keras.Layer) -> list[keras.Layer]:
    """Return all layers at any depth, once and in order."""
    layers_by_id: dict[int, keras.Layer] = {}
    for layer in direct_sublayers(model):
        if id(layer) not in layers_by_id:
            layers_by_id |= {id(part): part for part in [layer, *every_layer(layer)] if id(part) not in layers_by_id}
    return list(layers_by_id.values())


def find_own_kinds(model: keras.Model, names: Iterable[str]) -> tuple[type[keras.Layer], ...]:
    """Return classes of named layers of no known kind."""
    named = [layer for layer in every_layer(model) if layer.name in set(names)]
    return tuple(
        {
            type(layer)
            for layer in named
            if not isinstance(layer, tuple(STOCHASTIC_LAYERS)) and not _has_dropout_cell(layer)
        }
    )


def find_changed_rate(layers: StochasticLayers, used: Mapping[tuple[str, str], float | None]) -> float | None:
    """Return the rate that replaced the layers' own, or None.

    Args:
        layers: at their own rates.
        used: the rate of each layer in those passes, by its name and its kind.
    """
    own = {(layer.name, layer.kind): layer.rate for layer in layers.report().stochastic}
    return next((rate for which, rate in used.items() if which in own and rate != own[which]), None)


def layers_in_call() -> tuple[keras.Layer, ...]:
    """Return this thread's current layers, the outermost first."""
    return getattr(_this_thread, "in_call", ())


def _check_own_kinds(model: keras.Model, own_kinds: Any) -> None:
    if not isinstance(own_kinds, tuple | list) or not all(
        isinstance(kind, type) and issubclass(kind, keras.Layer) for kind in own_kinds
    ):
        expected = "a tuple of classes of Keras layers"
        raise invalid("stochastic", expected, repr(own_kinds), "Write stochastic=(MyLayer,).")
    layers = every_layer(model)
    for kind in own_kinds:
        if not any(isinstance(layer, kind) for layer in layers):
            received = f"{kind.__name__}, of which model {model.name!r} has none"
            advice = "Build the model after the class is defined for the last time."
            raise invalid("stochastic", "classes of the model's layers", received, advice)


def _rate_attributes(own_kind: type[keras.Layer]) -> tuple[str, ...]:
    """Return the rate attributes of a custom class, from the kind it extends."""
    return next((attributes for kind, attributes in STOCHASTIC_LAYERS.items() if issubclass(own_kind, kind)), ("rate",))


def _number(rate: Any) -> float | None:
    return float(rate) if isinstance(rate, int | float | np.number) else None


def _has_dropout_cell(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.RNN) and isinstance(layer.cell, DropoutRNNCell)


def _add_cells(layers: frozenset[keras.Layer]) -> frozenset[keras.Layer]:
    """Add dropout cells of recurrent layers, which ask for their masks."""
    recurrent = [layer for layer in layers if isinstance(layer, keras.layers.RNN)]
    return layers | {part for layer in recurrent for part in every_layer(layer) if isinstance(part, DropoutRNNCell)}


def _remove_parts(layers: list[keras.Layer]) -> list[keras.Layer]:
    """Remove layers that belong to another layer."""
    parts = {id(attention_dropout(layer)) for layer in layers}
    parts |= {id(layer.cell) for layer in layers if _has_dropout_cell(layer)}
    return [layer for layer in layers if id(layer) not in parts]


def _make_call(layer: keras.Layer) -> Callable[..., Any]:
    """Replace a layer's `call` by itself in this thread's mode."""
    original = getattr(layer.call, "python_function", layer.call)  # a tf.function would hide the requests
    signature = inspect.signature(original)

    @functools.wraps(original, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        if getattr(_this_thread, "source", None) is None:
            return original(*args, **kwargs)
        mode = _this_thread.modes.get(id(layer))
        before = layers_in_call()
        _this_thread.in_call = (*before, layer)
        try:
            if mode is None or "training" not in signature.parameters:
                return original(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.arguments["training"] = mode
            return original(*bound.args, **bound.kwargs)
        finally:
            _this_thread.in_call = before

    return call


def _make_random_function(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Replace a random function of Keras by this thread's source."""
    signature = inspect.signature(original)

    def function(*args: Any, **kwargs: Any) -> Any:
        source: RandomSource | None = getattr(_this_thread, "source", None)
        if source is None:
            return original(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        del bound.arguments["seed"]
        if name not in ("dropout", "uniform", "normal"):
            raise UnsuitableModelError(
                f"A layer draws from keras.random.{name}, which is not supported: dropout, uniform and normal are. "
                "Build that layer on one of them."
            )
        return getattr(source, name)(**bound.arguments)

    return function
