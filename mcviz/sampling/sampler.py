"""Monte Carlo dropout passes of a Keras model."""

import copy
import threading
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcviz.choices import MASKS, PREDICTS, USUAL_PASSES, Masks, Predicts
from mcviz.errors import UnsuitableModelError
from mcviz.extras import INSTALL_NUMBA
from mcviz.interrupts import held_interrupts
from mcviz.manifest import Manifest
from mcviz.runs import Run
from mcviz.sampling.examples import check_examples
from mcviz.sampling.job import Job, Progress, padded_blocks
from mcviz.sampling.masked_layers import default_product
from mcviz.sampling.model_files import NAME_OF_MODEL, check_name
from mcviz.sampling.model_source import ModelSource
from mcviz.sampling.outputs import check_variances
from mcviz.sampling.plan import Plan, make_plan, random_examples
from mcviz.sampling.products import (
    ALL_PRODUCTS,
    CHANNEL_SUMS,
    MATMUL,
    PRODUCTS,
    check_product,
    is_there,
    why_no_subset_sums,
)
from mcviz.sampling.stochastic import (
    LayerReport,
    StochasticLayer,
    StochasticLayers,
    changed_rate,
    every_layer,
    own_kinds_among,
)
from mcviz.sampling.texts import NumbersOfTexts, checked_texts, text_layer
from mcviz.sampling.tracing import (
    COMPILERS,
    NO_COMPILER,
    XLA,
    SamePassesError,
    check_compiler,
    has_compiler,
    refusing_what_fails,
)
from mcviz.tasks import find_task
from mcviz.validate import fraction, invalid, one_of, whole_number

PASSES_TRIED = (8, 1000)  # passes; a rate of a thousandth seldom shows in eight


def sample(
    model: keras.Model,
    examples: Any,
    *,
    passes: int = USUAL_PASSES,
    seed: int = 0,
    masks: Masks = "per_pass",
    output: str | None = None,
    from_logits: bool | None = None,
    task: str = "classification",
    predicts: Predicts = "mean",
    stochastic: tuple[type[keras.Layer], ...] = (),
    progress: Progress | None = None,
) -> np.ndarray:
    """Run a model `passes` times with its stochastic layers on and everything else as in inference.

    This is Monte Carlo dropout (Gal and Ghahramani, 2016, "Dropout as a Bayesian Approximation"). `Sampler` does the
    same for several calls on one model, which it prepares only once.

    Args:
        model: a Keras classifier, or a regression, with stochastic layers; it is left as it was.
        examples: (N, ...) in the shape that the model takes: an array, alone or in a pair with labels, or what else
            `as_examples` takes. Floating point reaches the model as it is. uint8, and images with channels of whole
            numbers from 0 to 255, are divided by 255, unless the model begins with a layer that scales, or takes whole
            numbers. For a model that begins with a text layer, N texts: a list or an array of str.
        passes: the number of passes, T.
        seed: of the masks. The same seed gives the same bits, on one machine with one set of versions.
        masks: `per_pass`, one draw of masks for all examples of a pass, or `per_example`, a draw for each example.
        output: the name of the output, for models with several.
        from_logits: whether the output is logits; None finds out from the model.
        task: "classification" or "regression".
        predicts: what the output's columns are in a regression; see `Sampler`.
        stochastic: classes of layers of your own that are switched on like dropout; see `Sampler`.
        progress: called with (done, total) predictions; what it raises ends the sampling.

    Returns:
        (passes, N, C) float32 probabilities; for a regression as `Sampler.sample`.

    Raises:
        InvalidInputError: an argument that cannot be used.
        UnsuitableModelError: a model whose passes would not differ, or that does not predict that.
    """
    sampler = Sampler(
        model, output=output, from_logits=from_logits, task=task, predicts=predicts, stochastic=stochastic
    )
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

    A model that begins with a TextVectorization or StringLookup layer takes texts. That layer is computed once for each
    text, and what is behind it is sampled.

    Attributes:
        model: the Keras model, as it was given.
        output: the name of the output that is sampled, where one was given.
        from_logits: whether that output is taken for logits, where that was given.
        task: "classification" or "regression".
        predicts: what the output's columns are in a regression.
        rate: of the dropout, or None for the layers' own rates.
        wanted_product: how the layer behind dropout is computed, where that was said; see `product`.
        wanted_compiler: of what is repeated in every pass, where that was said; see `compiler`.
        source: where the model comes from, where it was prepared from its file; or None.
        takes_texts: whether examples are texts.
        input_shape: of one example, None where any size goes; None altogether if the model does not say.
        input_dtype: of the examples, "string" for texts; None if the model does not say.
    """

    @held_interrupts()
    def __init__(
        self,
        model: keras.Model,
        *,
        output: str | None = None,
        from_logits: bool | None = None,
        task: str = "classification",
        predicts: Predicts = "mean",
        stochastic: tuple[type[keras.Layer], ...] = (),
        product: str | None = None,
        compiler: str | None = None,
        rate: float | None = None,
    ) -> None:
        """Prepare a model.

        Args:
            model: a Keras classifier, or a regression, with stochastic layers; it is left as it was.
            output: the name of the output, for models with several.
            from_logits: whether the output is logits; None finds out from the model.
            task: "classification" or "regression".
            predicts: what the columns of the output are in a regression: "mean", a value for each target; or D means
                and then D spreads, "mean,variance", "mean,log_variance" or "mean,std".
            stochastic: classes of layers of your own that are switched on like dropout.
            product: how the layer right behind dropout is computed. A dense layer: by "subset_sums", which needs
                numba, or "matmul"; None takes sums of subsets, but where numba is missing or TensorFlow sees a GPU the
                matrix product. A convolution behind dropout of whole channels: by "channel_sums", which None takes as
                well, or anew in every pass for any other. Their last bits differ.
            compiler: of what is repeated in every pass: "xla" or "none", whose last bits differ. None takes XLA for
                what has no convolution and no dense layer right behind its dropout, on a CPU.
            rate: above 0 and below 1: every dropout that the model has on is at this rate in the passes, whatever it
                was trained with. `AlphaDropout`, `GaussianNoise` and layers of your own keep their rates.

        Raises:
            InvalidInputError: `output` names no output of the model, or is missing where there are several;
                `stochastic` is not of classes of the model's layers; `from_logits` for a regression, or `predicts` for
                a classification; a `rate` that is none.
            MissingPackageError: `product` is "subset_sums", and numba cannot be imported; or `compiler` is "xla", and
                TensorFlow was built without.
            UnsuitableModelError: a model whose passes would not differ, that does not predict that, that has no dropout
                to be at `rate`, or that XLA was asked to compile and cannot.
        """
        classes = find_task(task).predicts_classes
        one_of("predicts", predicts, PREDICTS)
        if product is not None:
            one_of("product", product, ALL_PRODUCTS)
            check_product(product)
        if compiler is not None:
            one_of("compiler", compiler, COMPILERS)
            check_compiler(compiler)
        if not classes and from_logits is not None:
            raise invalid("from_logits", "left out for a regression", from_logits)
        if classes and predicts != "mean":
            raise invalid("predicts", "left out for a classification", repr(predicts), "Or give task='regression'.")
        _check_model(model)
        if rate is not None and not 0 < fraction("rate", rate) < 1:
            raise invalid("rate", "above 0 and below 1", rate)
        self._layers = StochasticLayers(model, stochastic, rate)
        layers = self._layers.report()
        if not layers.stochastic:
            raise UnsuitableModelError(
                f"All passes would be the same: {_why_none(layers.without_effect)}. Received: model {model.name!r}. "
                "Monte Carlo dropout needs a model that was trained with dropout. Name the class of a stochastic layer "
                "of your own by `stochastic=(MyLayer,)`."
            )
        if rate is not None and not self._layers.changeable:
            raise UnsuitableModelError(
                f"No layer of the model has dropout whose rate can be changed. Received: {layers}. Leave the rate out."
            )
        self.model, self.output, self.from_logits = model, output, from_logits
        self.task, self.predicts, self.rate = task, predicts, rate
        self.input_shape, self.input_dtype = _input_of(model)
        with refusing_what_fails():
            self._text_layer = text_layer(model)
        self.wanted_product, self.wanted_compiler = product, compiler
        self.source: ModelSource | None = None
        self._plans: dict[tuple[tuple[int, ...], str], Plan] = {}
        self._preparing = threading.Lock()
        if self._text_layer:
            self._plan(self._text_layer.shape, self._text_layer.dtype)
        elif self.input_shape is not None and self.input_dtype is not None and None not in self.input_shape:
            self._plan(tuple(size for size in self.input_shape if size is not None), self.input_dtype)

    @classmethod
    def for_run(cls, model: keras.Model, run: Run) -> "Sampler":
        """Prepare a run's own model as it was for the run: output, task, rate, stochastic layers of the user's own.

        Where this machine has the run's kind of product and its compiler, they are taken as well.

        Args:
            model: the run's model.
            run: a run that was sampled from it.

        Raises:
            UnsuitableModelError: another model, that cannot be sampled.
        """
        used, origin = run.manifest.model, run.manifest.origin
        layers = origin.stochastic_layers
        own_kinds = own_kinds_among(model, {layer.name for layer in layers})
        return cls(
            model,
            output=used.output if used else None,
            from_logits=used.from_logits if used else None,
            task=run.manifest.task,
            predicts=run.manifest.predicts,
            stochastic=own_kinds,
            product=origin.product if is_there(origin.product) else None,
            compiler=origin.compiler if has_compiler(origin.compiler) else NO_COMPILER,
            rate=changed_rate(StochasticLayers(model, own_kinds), {(one.name, one.kind): one.rate for one in layers}),
        )

    @property
    def takes_texts(self) -> bool:
        """Whether the model takes texts."""
        return self._text_layer is not None

    @property
    def width(self) -> int:
        """How many numbers a prediction is: C probabilities, or D values and, where they are predicted, D variances.

        A model of no fixed input size has to see examples first.
        """
        if not self._plans:
            raise UnsuitableModelError(
                "The number of outputs is known once the model has seen examples: call `deterministic`."
            )
        return next(iter(self._plans.values())).width

    @property
    def stochastic_layers(self) -> tuple[StochasticLayer, ...]:
        """The layers that the passes differ by."""
        return self._report.stochastic

    @property
    def inactive_layers(self) -> tuple[str, ...]:
        """Names of the layers whose randomness stays off: augmentation such as `RandomFlip`."""
        return self._report.inactive

    @property
    def product(self) -> str:
        """How a layer right behind dropout is computed; "matmul" for a model without such a layer."""
        with_layer = (plan for plan in self._plans.values() if plan.masked_dense or plan.masked_convolutions)
        return self._product_for(next(with_layer, next(iter(self._plans.values()), None)))

    def _product_for(self, plan: Plan | None) -> str:
        """Only a model that needs it waits for numba to be imported."""
        if plan is not None and plan.masked_dense:
            return self.wanted_product if self.wanted_product in PRODUCTS else default_product()
        if plan is not None and plan.masked_convolutions:
            return CHANNEL_SUMS if self.wanted_product in (None, CHANNEL_SUMS) else MATMUL
        return MATMUL

    @property
    def compiler(self) -> str:
        """What compiles the part that is repeated in every pass: "xla", or "none"."""
        compilers = {plan.compiler for plan in self._plans.values()}
        return self.wanted_compiler or (XLA if XLA in compilers else NO_COMPILER)

    def like(self, run: Manifest, *, computes: bool = True) -> "Sampler":
        """This sampler, with the product and the compiler that a run was made by, unless others were asked for.

        Args:
            run: what the run says of itself.
            computes: whether anything is to be sampled, which takes a machine that has both.

        Raises:
            MissingPackageError: this machine has not got them.
            UnsuitableModelError: the run's passes were compiled, and XLA cannot compile the model here.
        """
        other, origin = copy.copy(self), run.origin
        other.keep_plans_apart()
        other.wanted_product = self.wanted_product or origin.product
        other.wanted_compiler = self.wanted_compiler or origin.compiler or NO_COMPILER
        if computes:
            check_product(other.wanted_product)
            check_compiler(other.wanted_compiler)
            dense = any(plan.masked_dense for plan in self._plans.values())  # its plan is the same for every product
            if other.compiler != self.compiler or (other.product != self.product and not dense):
                other.prepare_anew()
        return other

    def keep_plans_apart(self) -> None:
        """Put no plan that is made from now on among those of the sampler that this is a copy of."""
        self._plans = dict(self._plans)

    def prepare_anew(self) -> None:
        """Prepare the model again for examples like those that it has seen."""
        seen, self._plans = tuple(self._plans), {}
        for shape, dtype in seen:
            self._plan(shape, dtype)

    def description(self) -> str:
        """One line on which layers are stochastic, without effect or inactive, and one where numba is missing."""
        lines = [str(self._report)]
        dense = any(plan.masked_dense for plan in self._plans.values())
        if dense and not self.wanted_product and (why_not := why_no_subset_sums()):
            lines.append(
                f"numba cannot be imported ({why_not}), so the passes take about twice as long. "
                f"To install it, type: {INSTALL_NUMBA}"
            )
        return "\n".join(lines)

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
            (N, C) float32 probabilities; for a regression as `sample`.

        Raises:
            InvalidInputError: examples that do not fit the model.
            UnsuitableModelError: predicted variances that are not above 0.
        """
        examples, plan = self.plan_for(examples)
        result = np.empty((len(examples), plan.width), np.float32)
        for rows, block in padded_blocks(examples, plan.shared_block):
            result[rows] = plan.deterministic(tf.constant(block))[: rows.stop - rows.start]
        check_variances(result, self.predicts)
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
            (passes, N, C) float32 probabilities. For a regression (passes, N, D) float32 values; where a spread is
            predicted, (passes, N, 2 · D): D means, then D variances, whatever spread the model predicts.

        Raises:
            InvalidInputError: an argument that cannot be used.
            UnsuitableModelError: the model returned numbers that are not finite, or variances that are not above 0.
        """
        passes, seed = whole_number("passes", passes, 1), whole_number("seed", seed)
        first_pass, first_example = whole_number("first_pass", first_pass), whole_number("first_example", first_example)
        one_of("masks", masks, MASKS)
        examples, plan = self.plan_for(examples)
        result = np.empty((passes, len(examples), plan.width), np.float32)
        Job(
            plan, examples, result, seed, masks == "per_example", first_pass, first_example, self._product_for(plan)
        ).run(progress)
        check_variances(result, self.predicts)
        return result

    def plan_for(self, examples: Any) -> tuple[np.ndarray | NumbersOfTexts, Plan]:
        """Check examples against the model, and prepare it for their shape, once for each.

        Args:
            examples: as `sample` takes them.

        Returns:
            The examples in the model's dtype, for texts the numbers that the text layer makes of them; and how
            examples of their shape are sampled.

        Raises:
            InvalidInputError: examples that do not fit the model.
            UnsuitableModelError: a model whose passes would not differ for such examples.
        """
        if self._text_layer:
            examples = NumbersOfTexts(self._text_layer, checked_texts(examples))
        else:
            examples = check_examples(examples, self.model, self.input_shape, self.input_dtype)
        return examples, self._plan(examples.shape[1:], examples.dtype.name)

    @held_interrupts()
    def _plan(self, shape: tuple[int, ...], dtype: str) -> Plan:
        with self._preparing:
            if (shape, dtype) not in self._plans:
                self._plans[shape, dtype] = self._checked_plan(shape, dtype)
            return self._plans[shape, dtype]

    def _checked_plan(self, shape: tuple[int, ...], dtype: str) -> Plan:
        try:
            plan = make_plan(
                self._layers,
                shape,
                dtype,
                output=self.output,
                from_logits=self.from_logits,
                task=self.task,
                predicts=self.predicts,
                texts=self._text_layer,
                channel_sums=self.wanted_product in (None, CHANNEL_SUMS),
                compiler=self.wanted_compiler,
            )
            examples = random_examples(shape, dtype)
            for passes in PASSES_TRIED:
                result = np.empty((passes, len(examples), plan.width), np.float32)
                Job(plan, examples, result, 0, False, 0, 0, self._product_for(plan)).run(None)
                if (result != result[0]).any():
                    return plan
            raise SamePassesError
        except SamePassesError:
            raise UnsuitableModelError(
                "All passes agree to the last bit: the stochastic layers do not change the output for random inputs of "
                f"0 to 1, or are not called in inference mode. Received: {self._report}. "
                "Pick an output behind them, or a model with other rates."
            ) from None


def as_sampler(model: keras.Model | Sampler, **options: Any) -> Sampler:
    """A sampler as it is, or one of a model.

    Args:
        model: a Keras model, or a sampler.
        **options: those of `Sampler`; None is its default.

    Raises:
        InvalidInputError: an option for a sampler, which has its own.
        UnsuitableModelError: a model whose passes would not differ, or that does not predict that.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if not isinstance(model, Sampler):
        return Sampler(model, **given)
    for name, value in given.items():
        raise invalid(name, "left out for a Sampler, which has its own", repr(value), "Give it to the Sampler.")
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
