"""Monte Carlo dropout passes of a model; its framework is imported when needed."""

import copy
import math
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz.choices import DEFAULT_PASSES, MASKS, Masks, Predicts
from mcviz.devices import AUTO
from mcviz.errors import MissingPackageError, UnsuitableModelError
from mcviz.extras import INSTALL_NUMBA, needs_torch
from mcviz.interrupts import hold_interrupts
from mcviz.manifest import LabelMaps, Manifest, TargetScaler
from mcviz.runs import Run
from mcviz.runs.tables import Progress, Rows
from mcviz.sampling.base import (
    COMPILERS,
    NO_COMPILER,
    XLA,
    InputSpec,
    LayerReport,
    ModelSettings,
    ModelSpec,
    Network,
    NoRandomnessReachesOutputError,
    OutputMeaning,
    Plan,
    StochasticLayer,
    explain_always_random,
    find_specs,
)
from mcviz.sampling.engine import SamplerCall, check_finite, count_examples, iterate_blocks, subset_sums_error
from mcviz.sampling.examples import make_random_examples
from mcviz.sampling.masks import ALL_PRODUCTS, CHANNEL_SUMS, MATMUL, PRODUCTS, SUBSET_SUMS
from mcviz.tasks import find_task
from mcviz.validate import choice, invalid, whole_number

if TYPE_CHECKING:
    import keras
    import torch

    from mcviz.sampling.keras.network import KerasNetwork
    from mcviz.sampling.torch.network import TorchNetwork


TORCH_MODULE = "torch.nn.modules.module", "Module"

CHANGES_TRIED = 1000  # of each mask, which also limit the passes; a rate of a thousandth seldom shows in eight passes
VALUES_TRIED = 1 << 24  # numbers of their predictions


def find_backend(path: str) -> type[Network]:
    """Return the network class of a model's file or function; Keras is the default.

    Raises:
        MissingPackageError: the framework is missing.
    """
    return _torch_network() if needs_torch(path) else _keras_network()


def as_network(
    model: Any,
    settings: ModelSettings,
    stochastic: "tuple[type[keras.Layer], ...]" = (),
    transform: Callable[[Any], Any] | None = None,
) -> Network:
    """Return a network as it is, or wrap a framework's model.

    Args:
        model: a network, a Keras model or a torch.nn.Module.
        settings: of the model.
        stochastic: as for `Sampler`.
        transform: as for `Sampler`.

    Raises:
        InvalidInputError: an option is invalid, or is given beside a network, which has its own.
        MissingPackageError: the framework is missing.
        UnsuitableModelError: the model cannot be sampled.
    """
    if not isinstance(model, Network):
        if not _is_torch_module(model):
            if transform is not None:
                raise invalid("transform", "left out for a Keras model, whose layers prepare its input", "one")
            return _keras_network()(model, settings, stochastic)
        if stochastic:
            raise invalid("stochastic", "left out for a PyTorch model, of which all that draws is found", stochastic)
        return _torch_network()(model, settings, transform=transform)
    for name, value in {**vars(settings), "stochastic": stochastic, "transform": transform}.items():
        if value not in (None, (), getattr(ModelSettings, name, None)):
            advice = f"Give it where the network is made: mcviz.load_torch('package.module:function', {name}=…)."
            raise invalid(name, "left out for a network, which has its own", repr(value), advice)
    return model


def network_for_run(model: Any, run: Run) -> Network:
    """Return a network as it is, or wrap a run's model.

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
    from mcviz.sampling.torch.network import TorchNetwork  # here, because torch takes seconds to import

    return TorchNetwork


def sample(
    model: "keras.Model | torch.nn.Module | Network",
    examples: Any,
    *,
    passes: int = DEFAULT_PASSES,
    seed: int = 0,
    masks: Masks = "per_pass",
    output: str | None = None,
    from_logits: bool | None = None,
    task: str = "classification",
    predicts: Predicts = "mean",
    stochastic: "tuple[type[keras.Layer], ...]" = (),
    progress: Progress | None = None,
) -> np.ndarray:
    """Run a model `passes` times with stochastic layers on and all else as in inference.

    This is Monte Carlo dropout (Gal and Ghahramani, 2016, "Dropout as a Bayesian Approximation"). `Sampler` prepares a
    model once for several calls.

    Args:
        model: a classifier of Keras or PyTorch, or a regression, with stochastic layers; it stays unchanged.
        examples: (N, ...) in the model's shape: an array, alone or in a pair with labels, or anything else for
            `as_examples`. Floating point reaches the model unchanged. uint8, and images with channels of whole numbers
            from 0 to 255, are divided by 255, unless the model begins with a layer that scales, or takes whole numbers.
            For a model that begins with a text layer, N texts: a list or an array of str.
        passes: the number of passes, T.
        seed: of the masks. The same seed gives the same bits, on one machine with one set of versions.
        masks: `per_pass`, one draw of masks for all examples of a pass, or `per_example`, a draw for each example.
        output: the name of the output, for models with several.
        from_logits: whether the output is logits; None derives it from the model.
        task: "classification" or "regression".
        predicts: the meaning of the output's columns in a regression; see `Sampler`.
        stochastic: classes of your own layers to switch on like dropout; see `Sampler`.
        progress: called with (done, total) predictions; an error that it raises ends the sampling.

    Returns:
        (passes, N, C) float32 probabilities; for a regression as `Sampler.sample`.

    Raises:
        InvalidInputError: an argument is invalid.
        UnsuitableModelError: passes of the model would not differ, or it does not predict that.
    """
    sampler = Sampler(
        model, output=output, from_logits=from_logits, task=task, predicts=predicts, stochastic=stochastic
    )
    return sampler.sample(examples, passes=passes, seed=seed, masks=masks, progress=progress)


class Sampler:
    """A model prepared once for Monte Carlo passes, for any calls and threads.

    Keras's stochastic layers are known: all dropout and noise, also within recurrent and attention layers, and classes
    built on them. Name the class of any other layer:

        class ConcreteDropout(keras.layers.Layer):
            def call(self, inputs, training=False):
                ...  # with keras.random.uniform(keras.ops.shape(inputs)) if training is True

        Sampler(model, stochastic=(ConcreteDropout,))

    It is called with `training=True` in passes, else `False`. It must draw from `keras.random.dropout`, `uniform` or
    `normal`, with the batch as first axis. With a first axis of 1, the examples of a pass share the numbers, which
    arrive with one row for each row of the batch.

    A model that begins with TextVectorization or StringLookup takes texts; that layer runs once a text. In a
    `torch.nn.Module`, everything that draws random numbers in training is found.

    Attributes:
        model: the given model.
        output: the name of the sampled output, or None.
        from_logits: whether that output counts as logits, or None.
        task: "classification" or "regression".
        predicts: the meaning of the output's columns in a regression.
        rate: of the dropout, or None for the layers' own rates.
        device: the kind of device of the passes: "cpu", "cuda", "mps".
        wanted_product: the given product, or None; see `product`.
        wanted_compiler: the given compiler, or None; see `compiler`.
        source: of a model that was loaded from its file, or None.
        target_scaler: the scaling of a regression's targets in training, or None; see `with_target_scaler`.
        takes_texts: whether examples are texts.
        input_shape: of one example, None for any size; None altogether if the model does not say.
        input_dtype: of the examples, "string" for texts; None if the model does not say.
    """

    @hold_interrupts()
    def __init__(
        self,
        model: "keras.Model | torch.nn.Module | Network",
        *,
        output: str | None = None,
        from_logits: bool | None = None,
        task: str = "classification",
        predicts: Predicts = "mean",
        stochastic: "tuple[type[keras.Layer], ...]" = (),
        product: str | None = None,
        compiler: str | None = None,
        rate: float | None = None,
        device: str = AUTO,
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        """Prepare a model.

        Args:
            model: a classifier of Keras or PyTorch, or a regression, with stochastic layers; it stays unchanged.
            output: the name of the output, for models with several.
            from_logits: whether the output is logits; None derives it from the model.
            task: "classification" or "regression".
            predicts: the columns of the output in a regression: "mean", a value for each target; or D means and then
                D spreads, "mean,variance", "mean,log_variance" or "mean,std".
            stochastic: classes of your own layers to switch on like dropout.
            product: the computation of the layer right behind dropout. For a dense layer "subset_sums", which needs
                numba, or "matmul"; None takes sums of subsets, but the matrix product without numba or on a GPU. For a
                convolution behind dropout of whole channels "channel_sums", also by None; with any other value, every
                pass computes it. Their last bits differ.
            compiler: of the part that every pass repeats: "xla" or "none", whose last bits differ. None takes XLA for a
                part without a convolution and without a dense layer right behind dropout, on a CPU.
            rate: above 0 and below 1, of every dropout of the model in the passes, in place of the rate in training.
                `AlphaDropout`, `GaussianNoise` and layers of your own keep their rates.
            device: of the passes: "cpu", "cuda", "cuda:1" or "mps". "auto" takes that of the model, else CUDA if
                present, else the processor. The model is not moved.
            transform: for a PyTorch model: a function from one example, which is a PIL image, a text, or a row (D,)
                float32, to the model's input, without the axis of the batch: a tensor or an array, or a dict of these
                by the names of the model's inputs. It must draw no random numbers.

        Raises:
            InvalidInputError: `output` names no output of the model, or is missing although there are several;
                `device` does not exist; `stochastic` is not of classes of the model's layers; `from_logits` is given
                for a regression, or `predicts` for a classification; `rate` is out of range.
            MissingPackageError: `product` is "subset_sums", and numba cannot be imported; or `compiler` is "xla", and
                TensorFlow was built without.
            UnsuitableModelError: passes of the model would not differ, it does not predict that, it has no dropout for
                `rate`, or XLA cannot compile it.
        """
        if product is not None:
            choice("product", product, ALL_PRODUCTS)
        if compiler is not None:
            choice("compiler", compiler, COMPILERS)
        settings = ModelSettings(output, from_logits, task, predicts, rate, device)
        network = as_network(model, settings, stochastic, transform)
        if error := _find_obstacle(network, product or MATMUL, compiler or NO_COMPILER):
            raise MissingPackageError(error)
        self.network, self.model = network, network.model
        settings, self.device = network.settings, network.device
        self.output, self.from_logits, self.rate = settings.output, settings.from_logits, settings.rate
        self.task, self.predicts = settings.task, settings.predicts
        self.input_shape, self.input_dtype = network.input_shape, network.input_dtype
        self.takes_texts = network.takes_texts
        self.wanted_product, self.wanted_compiler = product, compiler
        self.source: ModelSpec | None = None
        self.target_scaler: TargetScaler | None = None
        self._plans: dict[tuple[InputSpec, ...], Plan] = {}
        self._preparing = threading.Lock()
        if network.input_specs is not None:
            self._prepare(network.input_specs)

    @classmethod
    def for_run(cls, model: "keras.Model | torch.nn.Module | Network", run: Run) -> "Sampler":
        """Prepare a run's model as the run used it.

        That is its output, task, rate and custom stochastic layers; and its product and compiler if this machine has
        them.

        Args:
            model: the run's model.
            run: a run that was sampled from it.

        Raises:
            UnsuitableModelError: the model is another one, which cannot be sampled.
        """
        network = network_for_run(model, run)
        origin = run.manifest.origin
        sampler = cls(
            network,
            product=None if _find_obstacle(network, origin.product, NO_COMPILER) else origin.product,
            compiler=NO_COMPILER if _find_obstacle(network, MATMUL, origin.compiler) else origin.compiler,
        )
        return sampler.with_target_scaler(run.manifest.target_scaler)

    def with_target_scaler(self, scaler: TargetScaler | None) -> "Sampler":
        """Return a sampler with predictions in original target units.

        Args:
            scaler: of the targets; None leaves the sampler as it is.

        Raises:
            InvalidInputError: the model predicts no targets, or the sampler has another scaler.
        """
        if scaler is None or scaler == self.target_scaler:
            return self
        if find_task(self.task).last_axis != "target":
            raise invalid("target_scaler", f"left out for a {self.task}", scaler)
        if self.target_scaler is not None:
            raise invalid("target_scaler", "left out for a model that has its own", scaler)
        other = copy.copy(self)
        other.target_scaler = scaler
        return other

    def _restore_targets(self, predictions: np.ndarray) -> np.ndarray:
        if self.target_scaler is None:
            return predictions
        self.target_scaler.check(predictions.shape[-1] // (1 if self.predicts == "mean" else 2))
        return self.target_scaler.restore(predictions)

    @property
    def width(self) -> int:
        """The numbers of a prediction: C, D, or 2 D with variances.

        A model of free input size must see examples first.
        """
        if not self._plans:
            raise UnsuitableModelError(
                "The number of outputs is known once the model has seen examples: call `deterministic`."
            )
        return next(iter(self._plans.values())).width

    def count_last(self, width: int) -> int:
        """Return the number of classes or outputs of `width` numbers, after examples."""
        size = self.meaning.size
        return width // (size[0] * size[1]) if size else width

    def describe_maps(self, background: int | None = 0, ignore: int | None = 255) -> LabelMaps | None:
        """Describe the label maps of outputs, or None; needs examples.

        Args:
            background: the class that Dice leaves out, or None.
            ignore: the value of mask pixels that count nowhere, or None.
        """
        return LabelMaps(*self.meaning.size, background, ignore) if self.meaning.size else None

    @property
    def stochastic_layers(self) -> tuple[StochasticLayer, ...]:
        """The layers that the passes differ by."""
        return self._report.stochastic

    @property
    def inactive_layers(self) -> tuple[str, ...]:
        """Names of layers that stay off, such as `RandomFlip`."""
        return self._report.inactive

    @property
    def product(self) -> str:
        """The product of the layer behind dropout; "matmul" without such a layer."""
        products = map(self._product_for, self._plans.values())
        return next((product for product in products if product != MATMUL), MATMUL)

    def _product_for(self, plan: Plan) -> str:
        if plan.masked_dense:
            if self.wanted_product in PRODUCTS:
                return self.wanted_product
            return MATMUL if self.network.on_gpu or subset_sums_error() else SUBSET_SUMS  # imports numba
        takes_sums = plan.masked_convolutions and self.wanted_product in (None, CHANNEL_SUMS)
        return CHANNEL_SUMS if takes_sums else MATMUL

    @property
    def compiler(self) -> str:
        """The compiler of the part that every pass repeats: "xla" or "none"."""
        compilers = {plan.compiler for plan in self._plans.values()}
        return self.wanted_compiler or (XLA if XLA in compilers else NO_COMPILER)

    def match_run(self, manifest: Manifest, *, computes: bool = True) -> "Sampler":
        """Return a sampler with a run's product, compiler and device.

        Those that the user gave stay.

        Args:
            manifest: of the run.
            computes: whether anything will be sampled, which needs all three on this machine.

        Raises:
            InvalidInputError: this machine lacks the device.
            MissingPackageError: this machine lacks the product or the compiler.
            UnsuitableModelError: the run's passes were compiled, and XLA cannot compile the model here.
        """
        product = self.wanted_product or manifest.origin.product
        compiler = self.wanted_compiler or manifest.origin.compiler or NO_COMPILER
        if computes and (error := _find_obstacle(self.network, product, compiler)):
            raise MissingPackageError(error)
        other, wanted, device = copy.copy(self), self.network.settings.device, manifest.origin.device_name
        if wanted == AUTO and device != self.device:
            other.compute_on(device, prepare=computes)
        other.compute_with(product, compiler, prepare=computes)
        return other

    def compute_on(self, device: str, *, prepare: bool) -> None:
        """Compute on another device; without `prepare`, only its name changes."""
        self.device = device
        if prepare:
            planned = list(self._plans)
            self.network, self._plans = self.network.on_device(device), {}
            for inputs in planned:
                self._prepare(inputs)

    def compute_with(self, product: str | None, compiler: str, *, prepare: bool) -> None:
        """Compute with another product and compiler from now on.

        Args:
            product: as for a new sampler.
            compiler: as for a new sampler.
            prepare: whether to prepare the model for them at once, if its plans depend on them.

        Raises:
            UnsuitableModelError: XLA cannot compile the model.
        """
        kind, plans = self._plan_kind, self._plans
        self.wanted_product, self.wanted_compiler = product, compiler
        self._plans = dict(plans)  # a copied sampler shares them
        if prepare and self._plan_kind != kind:
            self._plans = {}
            for inputs in plans:
                self._prepare(inputs)

    @property
    def _plan_kind(self) -> tuple[bool, str]:
        """Return the key of a plan: all masked dense products share one."""
        return self.product == CHANNEL_SUMS, self.compiler

    def description(self) -> str:
        """Describe stochastic, ineffective and inactive layers, and a missing numba."""
        lines = [str(self._report)]
        dense = any(plan.masked_dense for plan in self._plans.values())
        if dense and not self.wanted_product and (error := subset_sums_error()):
            lines.append(
                f"numba cannot be imported ({error}), so the passes take about twice as long. "
                f"To install it, type: {INSTALL_NUMBA}"
            )
        return "\n".join(lines)

    @property
    def meaning(self) -> OutputMeaning:
        """The meaning of outputs; needs examples if the input size is free."""
        plan = next(iter(self._plans.values()), None)
        return plan.meaning if plan else OutputMeaning()

    @property
    def _report(self) -> LayerReport:
        """Report all stochastic layers until a model of free size has seen examples."""
        plan = next(iter(self._plans.values()), None)
        return plan.layers if plan else self.network.report_layers()

    @hold_interrupts()
    def deterministic(self, examples: Any) -> np.ndarray:
        """Run the deterministic model: all randomness off.

        Args:
            examples: as for `sample`.

        Returns:
            (N, C) float32 probabilities; for a regression as `sample`.

        Raises:
            InvalidInputError: examples do not fit the model.
            UnsuitableModelError: the model returned numbers that are not finite, or variances that are not above 0; or
                its randomness in inference mode cannot be switched off.
        """
        inputs, plan = self.plan_for(examples)
        if plan.deterministic is None:
            raise explain_always_random(plan.layers.always_random)
        result = np.empty((count_examples(inputs), plan.width), np.float32)
        for rows, block in iterate_blocks(inputs, plan.shared_examples_per_block):
            result[rows] = plan.deterministic(block)[: rows.stop - rows.start]
            check_finite(result[rows], rows.start)
        _check_variances(result, self.predicts)
        return self._restore_targets(result)

    def sample(
        self,
        examples: Any,
        *,
        passes: int,
        seed: int = 0,
        masks: Masks = "per_pass",
        first_pass: int = 0,
        first_example: int = 0,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Run passes from `first_pass` over examples numbered from `first_example`.

        A job gives the same bits however it is split into calls.

        Args:
            examples: as for the function `sample`.
            passes: the number of passes, T.
            seed: of the masks.
            masks: `per_pass` or `per_example`.
            first_pass: the number of the first pass.
            first_example: the number of the first example.
            progress: called with (done, total) predictions; an error that it raises ends the sampling.

        Returns:
            (passes, N, C) float32 probabilities. For a regression (passes, N, D) float32 values; with a predicted
            spread, (passes, N, 2 · D): D means, then D variances, whichever spread the model predicts.

        Raises:
            InvalidInputError: an argument is invalid.
            UnsuitableModelError: the model returned numbers that are not finite, or variances that are not above 0.
        """
        passes, seed = whole_number("passes", passes, 1), whole_number("seed", seed)
        first_pass, first_example = whole_number("first_pass", first_pass), whole_number("first_example", first_example)
        choice("masks", masks, MASKS)
        inputs, plan = self.plan_for(examples)
        result = np.empty((passes, count_examples(inputs), plan.width), np.float32)
        SamplerCall(
            plan, inputs, result, seed, masks == "per_example", first_pass, first_example, self._product_for(plan)
        ).run(progress)
        _check_variances(result, self.predicts)
        return self._restore_targets(result)

    def plan_for(self, examples: Any) -> tuple[Mapping[str, Rows], Plan]:
        """Check examples and return the plan for their shape, made once.

        Args:
            examples: as for `sample`.

        Returns:
            The examples as `Network.prepare` returns them; and the plan for examples of their form.

        Raises:
            InvalidInputError: examples do not fit the model.
            UnsuitableModelError: passes of the model would not differ for such examples.
        """
        inputs = self.network.prepare(examples)
        return inputs, self._prepare(find_specs(inputs))

    @hold_interrupts()
    def _prepare(self, inputs: tuple[InputSpec, ...]) -> Plan:
        with self._preparing:
            if inputs not in self._plans:
                self._plans[inputs] = self._make_plan(inputs)
            return self._plans[inputs]

    def _make_plan(self, inputs: tuple[InputSpec, ...]) -> Plan:
        try:
            channel_sums = self.wanted_product in (None, CHANNEL_SUMS)
            plan = self.network.make_plan(inputs, channel_sums=channel_sums, compiler=self.wanted_compiler)
            some = max(1, VALUES_TRIED // plan.width)  # fewer than eight if predictions are large
            random = {spec.name: make_random_examples(spec.shape, spec.dtype)[:some] for spec in inputs}
            for passes, count in _list_tries(plan):
                examples = {name: rows[:count] for name, rows in random.items()}
                result = np.empty((passes, count_examples(examples), plan.width), np.float32)
                SamplerCall(plan, examples, result, 0, False, 0, 0, self._product_for(plan)).run(None)
                if (result != result[0]).any():
                    return plan
            raise NoRandomnessReachesOutputError
        except NoRandomnessReachesOutputError:
            raise UnsuitableModelError(
                "All passes agree to the last bit: the stochastic layers do not change the output for random inputs of "
                "0 to 1 (are the weights behind them zero?), or are not called in inference mode. "
                f"Received: {self._report}. Pick an output behind them, or a model with other rates."
            ) from None


def _list_tries(plan: Plan) -> list[tuple[int, int]]:
    """List passes and examples to try until each layer's mask has changed often."""
    changes = min(min(asked.rate, 1 - asked.rate) * math.prod(asked.shape) for asked in plan.random_requests)
    return sorted({(8, 1), (8, 8), (max(8, math.ceil(CHANGES_TRIED / max(1, changes))), 8)})


def as_sampler(model: "keras.Model | torch.nn.Module | Network | Sampler", **options: Any) -> Sampler:
    """Return a sampler as it is, or make one of a model.

    Args:
        model: a model of Keras or PyTorch, or a sampler.
        **options: those of `Sampler`; None is its default.

    Raises:
        InvalidInputError: an option is given beside a sampler, which has its own.
        UnsuitableModelError: passes of the model would not differ, or it does not predict that.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if not isinstance(model, Sampler):
        return Sampler(model, **given)
    for name, value in given.items():
        raise invalid(name, "left out for a Sampler, which has its own", repr(value), "Give it to the Sampler.")
    return model


def _find_obstacle(network: Network, product: str | None, compiler: str | None) -> str:
    """Return why this machine cannot use a product and a compiler; "" if it can."""
    for done, name, known in (
        ("masks were multiplied", product, ALL_PRODUCTS),
        ("passes were compiled", compiler, COMPILERS),
    ):
        if name not in known:
            return (
                f"The {done} in a way that this mcviz does not have. Received: {name!r:.60}. "
                "Use the version of mcviz that wrote the run."
            )
    if product == SUBSET_SUMS and (error := subset_sums_error()):
        return (
            f"The masks were multiplied by sums of subsets, which need numba, and it cannot be imported: {error}. "
            f"Type: {INSTALL_NUMBA}"
        )
    return network.xla_error if compiler == XLA else ""


def _check_variances(outputs: np.ndarray, predicts: Predicts) -> None:
    """Refuse variances that are not positive.

    Args:
        outputs: (..., D) or (..., 2 · D), as from `Sampler.sample`.
        predicts: the meaning of the model's columns.

    Raises:
        UnsuitableModelError: a variance of 0 or less.
    """
    least = 1.0 if predicts == "mean" else float(outputs[..., outputs.shape[-1] // 2 :].min())
    if least <= 0:
        advice = {
            "mean,variance": "Does the model predict the logarithm? Then give predicts='mean,log_variance'.",
            "mean,log_variance": "Its logarithm is too small for float32. Does the model predict the variance itself? "
            "Then give predicts='mean,variance'.",
            "mean,std": "Does the model predict the logarithm of the variance? Then give predicts='mean,log_variance'.",
        }[predicts]
        raise UnsuitableModelError(f"A predicted variance should be above 0. Received: {least:g}. {advice}")
