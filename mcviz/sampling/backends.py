"""The framework of a model, by the model or by its file. Each is imported when a model of it is met."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcviz.extras import needs_torch
from mcviz.runs import Run
from mcviz.sampling.base import Network
from mcviz.validate import invalid

if TYPE_CHECKING:
    from mcviz.sampling.keras.network import KerasNetwork
    from mcviz.sampling.torch.network import TorchNetwork

BACKENDS: dict[str, type[Network]] = {}  # of further frameworks, by the ending of a model's file
TORCH_MODULE = "torch.nn.modules.module", "Module"


def find_backend(path: str) -> type[Network]:
    """Return the class of the networks of a model's file, or of what a function of a package builds.

    Keras takes all that no other framework does.

    Raises:
        MissingPackageError: the framework is not there.
    """
    return _torch_network() if needs_torch(path) else BACKENDS.get(Path(path).suffix) or _keras_network()


def as_network(model: Any, **options: Any) -> Network:
    """Return a network as it is, or make one of a framework's model.

    Args:
        model: a network, a Keras model or a torch.nn.Module.
        **options: what is said of the model; see `Sampler`.

    Raises:
        InvalidInputError: an option that cannot be used, or one beside a network, which has its own.
        MissingPackageError: the framework is not there.
        UnsuitableModelError: a model that cannot be sampled.
    """
    if not isinstance(model, Network):
        if not _is_torch_module(model):
            if options.pop("transform", None) is not None:
                raise invalid("transform", "left out for a Keras model, whose layers prepare its input", "one")
            return _keras_network()(model, **options)
        if stochastic := options.pop("stochastic", None):
            raise invalid("stochastic", "left out for a PyTorch model, of which all that draws is found", stochastic)
        return _torch_network()(model, **options)
    for name, value in options.items():
        if value not in (None, (), getattr(Network, name, None)):
            advice = f"Give it where the network is made: mcviz.load_torch('package.module:function', {name}=…)."
            raise invalid(name, "left out for a network, which has its own", repr(value), advice)
    return model


def network_for_run(model: Any, run: Run) -> Network:
    """Return a network as it is, or make one of a run's own model as it was for the run.

    Raises:
        UnsuitableModelError: another model, which cannot be sampled.
    """
    if isinstance(model, Network):
        return model
    return (_torch_network() if _is_torch_module(model) else _keras_network()).for_run(model, run)


def _is_torch_module(model: Any) -> bool:
    return any((kind.__module__, kind.__qualname__) == TORCH_MODULE for kind in type(model).__mro__)


def _keras_network() -> "type[KerasNetwork]":
    from mcviz.sampling.keras.network import KerasNetwork  # here, because TensorFlow takes seconds to import

    return KerasNetwork


def _torch_network() -> "type[TorchNetwork]":
    from mcviz.sampling.torch.network import TorchNetwork  # likewise

    return TorchNetwork
