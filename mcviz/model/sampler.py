"""Monte Carlo dropout passes of a Keras model."""

import threading
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.interrupts import held_interrupts
from mcviz.model.blocks import padded_blocks
from mcviz.model.examples import checked_examples
from mcviz.model.job import Job, Progress
from mcviz.model.model_files import NAME_OF_MODEL, check_name
from mcviz.model.plan import Plan, make_plan, random_examples
from mcviz.model.stochastic import LayerReport, StochasticLayer, StochasticLayers, every_layer, own_kinds_among
from mcviz.model.tracing import SamePassesError
from mcviz.runs import Run
from mcviz.validate import invalid, one_of, whole_number

Masks = Literal["per_pass", "per_example"]
PASSES_TRIED = (8, 1000)  # passes; a rate of a thousandth seldom shows in eight


def sample(
    model: keras.Model,
    examples: Any,
    *,
    passes: int = 500,
    seed: int = 0,
    masks: Masks = "per_pass",
    output: str | None = None,
    from_logits: bool | None = None,
    stochastic: tuple[type[keras.Layer], ...] = (),
    progress: Progress | None = None,
) -> np.ndarray:
    """Run a model `passes` times with its stochastic layers on and everything else as in inference.

    This is Monte Carlo dropout (Gal and Ghahramani, 2016, "Dropout as a Bayesian Approximation"). `Sampler` does the
    same for several calls on one model, which it prepares only once.

    Args:
        model: a Keras classifier with stochastic layers; it is left as it was.
        examples: (N, ...) in the shape that the model takes: an array, alone or in a pair with labels, or what else
            `as_examples` takes. Floating point reaches the model as it is. uint8, and images with channels of whole
            numbers from 0 to 255, are divided by 255, unless the model begins with a layer that scales, or takes whole
            numbers.
        passes: the number of passes, T.
        seed: of the masks. The same seed gives the same bits, on one machine with one set of versions.
        masks: `per_pass`, one draw of masks for all examples of a pass, or `per_example`, a draw for each example.
        output: the name of the output, for models with several.
        from_logits: whether the output is logits; None finds out from the model.
        stochastic: classes of layers of your own that are switched on like dropout; see `Sampler`.
        progress: called with (done, total) predictions; what it raises ends the sampling.

    Returns:
        (passes, N, C) float32 probabilities.

    Raises:
        InvalidInputError: an argument that cannot be used.
        UnsuitableModelError: a model whose passes would not differ, or that is no classifier.
    """
    sampler = Sampler(model, output=output, from_logits=from_logits, stochastic=stochastic)
    return sampler.sample(examples, passes=passes, seed=seed, masks=masks, progress=progress)


class Sampler:
    """A model prepared for Monte Carlo passes: once, for any number of calls and threads.

    Keras's own stochastic layers are known: every kind of dropout and noise, and the dropout within recurrent and
    attention layers. A layer of your own that is built on one of them is known by that. Of any other, name the class:

        class ConcreteDropout(keras.layers.Layer):
            def call(self, inputs, training=False):
                ...  # with keras.random.uniform(keras.ops.shape(inputs)), where training is True

        Sampler(model, stochastic=(ConcreteDropout,))

    It is then called with `training=True` in every pass and with `training=False` in the deterministic model. Its
    random numbers have to come from `keras.random.dropout`, `uniform` or `normal`, with the batch as their first axis;
    each pass then has its own, by the seed. Numbers with a first axis of 1 are shared by the examples of a pass under
    both kinds of masks, and arrive with one row for each row of the batch.

    Attributes:
        model: the Keras model, as it was given.
        output: the name of the output that is sampled, where one was given.
        from_logits: whether that output is taken for logits, where that was given.
        input_shape: of one example, None where any size goes; None altogether if the model does not say.
        input_dtype: of the examples, None if the model does not say.
    """

    @held_interrupts()
    def __init__(
        self,
        model: keras.Model,
        *,
        output: str | None = None,
        from_logits: bool | None = None,
        stochastic: tuple[type[keras.Layer], ...] = (),
    ) -> None:
        """Prepare a model.

        Args:
            model: a Keras classifier with stochastic layers; it is left as it was.
            output: the name of the output, for models with several.
            from_logits: whether the output is logits; None finds out from the model.
            stochastic: classes of layers of your own that are switched on like dropout.

        Raises:
            InvalidInputError: `output` names no output of the model, or is missing where there are several; or
                `stochastic` is not of classes of the model's layers.
            UnsuitableModelError: a model whose passes would not differ, or that is no classifier.
        """
        _check_model(model)
        self._layers = StochasticLayers(model, stochastic)
        layers = self._layers.report()
        if not layers.stochastic:
            raise UnsuitableModelError(
                f"All passes would be the same: {_why_none(layers.without_effect)}. Received: model {model.name!r}. "
                "Monte Carlo dropout needs a model that was trained with dropout. Name the class of a stochastic layer "
                "of your own by `stochastic=(MyLayer,)`."
            )
        self.model, self.output, self.from_logits = model, output, from_logits
        self.input_shape, self.input_dtype = _input_of(model)
        self._plans: dict[tuple[tuple[int, ...], str], Plan] = {}
        self._preparing = threading.Lock()
        if self.input_shape is not None and self.input_dtype is not None and None not in self.input_shape:
            self._plan(tuple(size for size in self.input_shape if size is not None), self.input_dtype)

    @classmethod
    def for_run(cls, model: keras.Model, run: Run) -> "Sampler":
        """Prepare a run's own model as it was for the run: its output, and stochastic layers of the user's own.

        Args:
            model: the run's model.
            run: a run that was sampled from it.

        Raises:
            UnsuitableModelError: another model, that cannot be sampled.
        """
        used, layers = run.manifest.model, run.manifest.origin.stochastic_layers
        return cls(
            model,
            output=used.output if used else None,
            from_logits=used.from_logits if used else None,
            stochastic=own_kinds_among(model, {layer.name for layer in layers}),
        )

    @property
    def classes(self) -> int:
        """The number of classes, C. A model of no fixed input size has to see examples first."""
        if not self._plans:
            raise UnsuitableModelError(
                "The number of classes is known once the model has seen examples: call `deterministic`."
            )
        return next(iter(self._plans.values())).classes

    @property
    def stochastic_layers(self) -> tuple[StochasticLayer, ...]:
        """The layers that the passes differ by."""
        return self._report.stochastic

    @property
    def inactive_layers(self) -> tuple[str, ...]:
        """Names of the layers whose randomness stays off: augmentation such as `RandomFlip`."""
        return self._report.inactive

    def description(self) -> str:
        """One line on which layers are stochastic, which are so without effect, and which are inactive."""
        return str(self._report)

    @property
    def _report(self) -> LayerReport:
        """A model of no fixed input size is taken to use all its stochastic layers until it has seen examples."""
        plan = next(iter(self._plans.values()), None)
        return self._layers.report(plan.random_layers if plan else None)

    @held_interrupts()
    def deterministic(self, examples: Any) -> np.ndarray:
        """Run the deterministic model: dropout off, and all other randomness too.

        Args:
            examples: as `sample` takes them.

        Returns:
            (N, C) float32 probabilities.

        Raises:
            InvalidInputError: examples that do not fit the model.
        """
        examples, plan = self.plan_for(examples)
        result = np.empty((len(examples), plan.classes), np.float32)
        for rows, block in padded_blocks(examples, plan.shared_block):
            result[rows] = plan.deterministic(tf.constant(block))[: rows.stop - rows.start]
        return result

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
        """Run passes `first_pass` to `first_pass + passes - 1` over examples that are numbered from `first_example`.

        A job that is split into calls in any way gives the bits of one call, if each call says where it starts.

        Args:
            examples: as `sample` takes them.
            passes: the number of passes, T.
            seed: of the masks.
            masks: `per_pass` or `per_example`.
            first_pass: the number of the first pass.
            first_example: the number of the first example.
            progress: called with (done, total) predictions; what it raises ends the sampling.

        Returns:
            (passes, N, C) float32 probabilities.

        Raises:
            InvalidInputError: an argument that cannot be used.
            UnsuitableModelError: the model returned numbers that are not finite.
        """
        passes, seed = whole_number("passes", passes, 1), whole_number("seed", seed)
        first_pass, first_example = whole_number("first_pass", first_pass), whole_number("first_example", first_example)
        one_of("masks", masks, ("per_pass", "per_example"))
        examples, plan = self.plan_for(examples)
        result = np.empty((passes, len(examples), plan.classes), np.float32)
        Job(plan, examples, result, seed, masks == "per_example", first_pass, first_example).run(progress)
        return result

    def plan_for(self, examples: Any) -> tuple[np.ndarray, Plan]:
        """Check examples against the model, and prepare it for their shape, once for each.

        Args:
            examples: as `sample` takes them.

        Returns:
            The examples in the model's dtype, and how examples of their shape are sampled.

        Raises:
            InvalidInputError: examples that do not fit the model.
            UnsuitableModelError: a model whose passes would not differ for such examples.
        """
        examples = checked_examples(examples, self.model, self.input_shape, self.input_dtype)
        return examples, self._plan(examples.shape[1:], examples.dtype.name)

    @held_interrupts()
    def _plan(self, shape: tuple[int, ...], dtype: str) -> Plan:
        with self._preparing:
            if (shape, dtype) not in self._plans:
                self._plans[shape, dtype] = self._checked_plan(shape, dtype)
            return self._plans[shape, dtype]

    def _checked_plan(self, shape: tuple[int, ...], dtype: str) -> Plan:
        try:
            plan = make_plan(self._layers, shape, dtype, output=self.output, from_logits=self.from_logits)
            examples = random_examples(shape, dtype)
            for passes in PASSES_TRIED:
                probs = np.empty((passes, len(examples), plan.classes), np.float32)
                Job(plan, examples, probs, seed=0, per_example=False, first_pass=0, first_example=0).run(None)
                if (probs != probs[0]).any():
                    return plan
            raise SamePassesError
        except SamePassesError:
            raise UnsuitableModelError(
                "All passes agree to the last bit: the stochastic layers do not change the output for random inputs of "
                f"0 to 1, or are not called in inference mode. Received: {self.description()}. "
                "Pick an output behind them, or a model with other rates."
            ) from None


def as_sampler(model: keras.Model | Sampler, *, output: str | None = None, from_logits: bool | None = None) -> Sampler:
    """A sampler as it is, or one of a model.

    Raises:
        InvalidInputError: `output` or `from_logits` for a sampler, which has its own.
        UnsuitableModelError: a model whose passes would not differ, or that is no classifier.
    """
    if not isinstance(model, Sampler):
        return Sampler(model, output=output, from_logits=from_logits)
    if output is not None or from_logits is not None:
        name, received = ("output", output) if output is not None else ("from_logits", from_logits)
        raise invalid(name, "left out for a Sampler, which has its own", repr(received), "Give it to the Sampler.")
    return model


def _check_model(model: keras.Model) -> None:
    if not isinstance(model, keras.Model):
        raise UnsuitableModelError(f"Argument `model` must be a Keras model. Received: {type(model).__name__}.")
    if not model.built:
        raise UnsuitableModelError(
            f"The model has no weights yet. Received: model {model.name!r}. "
            "Call it once on a batch, or load it from a file."
        )
    check_name(model.name, NAME_OF_MODEL)
    for layer in every_layer(model):
        if not isinstance(layer, keras.layers.InputLayer):
            check_name(layer.name)
    stateful = [layer.name for layer in every_layer(model) if getattr(layer, "stateful", False)]
    if stateful:
        raise UnsuitableModelError(
            f"A stateful layer remembers from call to call, so its passes would depend on each other. "
            f"Received: {', '.join(stateful)}. Build the model with stateful=False."
        )


def _why_none(layers: tuple[StochasticLayer, ...]) -> str:
    if layers:
        return f"the rate of every stochastic layer is 0 ({', '.join(layer.name for layer in layers)})"
    return "the model has no stochastic layer"


def _input_of(model: keras.Model) -> tuple[tuple[int | None, ...] | None, str | None]:
    """The shape of one example and the dtype, None where the model does not say."""
    inputs = getattr(model, "inputs", None)
    if not inputs:
        shape = (model.get_build_config() or {}).get("input_shape")
        return (tuple(shape[1:]) if isinstance(shape, list | tuple) else None), None
    if len(inputs) > 1:
        raise UnsuitableModelError(
            f"The model must take one array. Received: {len(inputs)} inputs: {', '.join(each.name for each in inputs)}."
        )
    return tuple(inputs[0].shape[1:]), inputs[0].dtype
