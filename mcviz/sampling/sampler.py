"""Monte Carlo dropout passes of a Keras model."""

import copy
import threading
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcviz.choices import DEFAULT_PASSES, MASKS, PREDICTS, Masks, Predicts
from mcviz.errors import MissingPackageError, UnsuitableModelError
from mcviz.extras import INSTALL_NUMBA
from mcviz.interrupts import hold_interrupts
from mcviz.manifest import Manifest
from mcviz.runs import Run
from mcviz.runs.contents import Progress
from mcviz.sampling.architecture import NAME_OF_MODEL, check_name
from mcviz.sampling.engine import Computation, iterate_blocks
from mcviz.sampling.examples import prepare_examples, read_input_spec
from mcviz.sampling.masked_layers import default_product
from mcviz.sampling.model_source import ModelSource
from mcviz.sampling.outputs import check_variances
from mcviz.sampling.plan import Plan, make_plan, make_random_examples
from mcviz.sampling.products import (
    ALL_PRODUCTS,
    CHANNEL_SUMS,
    MATMUL,
    PRODUCTS,
    product_error,
    subset_sums_error,
)
from mcviz.sampling.stochastic import (
    LayerReport,
    StochasticLayer,
    StochasticLayers,
    every_layer,
    find_changed_rate,
    find_own_kinds,
)
from mcviz.sampling.texts import TextNumbers, find_text_layer, prepare_texts
from mcviz.sampling.tracing import (
    COMPILERS,
    NO_COMPILER,
    XLA,
    SamePassesError,
    compiler_error,
    wrap_model_errors,
)
from mcviz.tasks import find_task
from mcviz.validate import choice, fraction, invalid, whole_number

PASSES_TRIED = (8, 1000)  # passes; a rate of a thousandth seldom shows in eight


def sample(
    model: keras.Model,
    examples: Any,
    *,
    passes: int = DEFAULT_PASSES,
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
        examples: (N, ...) in the shape that the model takes: an array, alone or in a pair with labels, or anything else
            for `as_examples`. Floating point reaches the model as it is. uint8, and images with channels of whole
            numbers from 0 to 255, are divided by 255, unless the model begins with a layer that scales, or takes whole
            numbers. For a model that begins with a text layer, N texts: a list or an array of str.
        passes: the number of passes, T.
        seed: of the masks. The same seed gives the same bits, on one machine with one set of versions.
        masks: `per_pass`, one draw of masks for all examples of a pass, or `per_example`, a draw for each example.
        output: the name of the output, for models with several.
        from_logits: whether the output is logits; None finds out from the model.
        task: "classification" or "regression".
        predicts: the meaning of the output's columns in a regression; see `Sampler`.
        stochastic: classes of layers of your own that are switched on like dropout; see `Sampler`.
        progress: called with (done, total) predictions; an error that it raises ends the sampling.

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
    text, and the network behind it is sampled.

    Attributes:
        model: the Keras model, as it was given.
        output: the name of the sampled output, or None.
        from_logits: whether that output is taken for logits, or None.
        task: "classification" or "regression".
        predicts: the meaning of the output's columns in a regression.
        rate: of the dropout, or None for the layers' own rates.
        wanted_product: the product that was asked for, or None; see `product`.
        wanted_compiler: the compiler that was asked for, or None; see `compiler`.
        source: of a model that was prepared from its file, or None.
        takes_texts: whether examples are texts.
        input_shape: of one example, None for any size; None altogether if the model does not say.
        input_dtype: of the examples, "string" for texts; None if the model does not say.
    """

    @hold_interrupts()
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
            predicts: the columns of the output in a regression: "mean", a value for each target; or D means and then
                D spreads, "mean,variance", "mean,log_variance" or "mean,std".
            stochastic: classes of layers of your own that are switched on like dropout.
            product: how the layer right behind dropout is computed. A dense layer: by "subset_sums", which needs
                numba, or "matmul"; None takes sums of subsets, but where numba is missing or TensorFlow sees a GPU the
                matrix product. A convolution behind dropout of whole channels: by "channel_sums", which None takes as
                well, or in every pass by itself for any other. Their last bits differ.
            compiler: of the part that is repeated in every pass: "xla" or "none", whose last bits differ. None takes
                XLA for a part without a convolution and without a dense layer right behind dropout, on a CPU.
            rate: above 0 and below 1, of every dropout of the model in the passes, in place of the rate in training.
                `AlphaDropout`, `GaussianNoise` and layers of your own keep their rates.

        Raises:
            InvalidInputError: `output` names no output of the model, or is missing where there are several;
                `stochastic` is not of classes of the model's layers; `from_logits` for a regression, or `predicts` for
                a classification; a `rate` out of range.
            MissingPackageError: `product` is "subset_sums", and numba cannot be imported; or `compiler` is "xla", and
                TensorFlow was built without.
            UnsuitableModelError: a model whose passes would not differ, that does not predict that, that has no dropout
                for `rate`, or that XLA cannot compile.
        """
        classes = find_task(task).predicts_classes
        choice("predicts", predicts, PREDICTS)
        if product is not None:
            choice("product", product, ALL_PRODUCTS)
            _check_available(product_error(product))
        if compiler is not None:
            choice("compiler", compiler, COMPILERS)
            _check_available(compiler_error(compiler))
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
            off = ", ".join(layer.name for layer in layers.without_effect)
            cause = f"the rate of every stochastic layer is 0 ({off})" if off else "the model has no stochastic layer"
            raise UnsuitableModelError(
                f"All passes would be the same: {cause}. Received: model {model.name!r}. "
                "Monte Carlo dropout needs a model that was trained with dropout. Name the class of a stochastic layer "
                "of your own by `stochastic=(MyLayer,)`."
            )
        if rate is not None and not self._layers.with_changeable_rate:
            raise UnsuitableModelError(
                f"No layer of the model has dropout whose rate can be changed. Received: {layers}. Leave the rate out."
            )
        self.model, self.output, self.from_logits = model, output, from_logits
        self.task, self.predicts, self.rate = task, predicts, rate
        self.input_shape, self.input_dtype = read_input_spec(model)
        with wrap_model_errors():
            self._text_layer = find_text_layer(model)
        self.wanted_product, self.wanted_compiler = product, compiler
        self.source: ModelSource | None = None
        self._plans: dict[tuple[tuple[int, ...], str], Plan] = {}
        self._preparing = threading.Lock()
        if self._text_layer:
            self._prepare(self._text_layer.shape, self._text_layer.dtype)
        elif self.input_shape is not None and self.input_dtype is not None and None not in self.input_shape:
            self._prepare(tuple(size for size in self.input_shape if size is not None), self.input_dtype)

    @classmethod
    def for_run(cls, model: keras.Model, run: Run) -> "Sampler":
        """Prepare a run's own model as it was for the run: output, task, rate, stochastic layers of the user's own.

        The run's product and its compiler are taken too, where this machine has them.

        Args:
            model: the run's model.
            run: a run that was sampled from it.

        Raises:
            UnsuitableModelError: another model, which cannot be sampled.
        """
        used, origin = run.manifest.model, run.manifest.origin
        layers = origin.stochastic_layers
        own_kinds = find_own_kinds(model, {layer.name for layer in layers})
        return cls(
            model,
            output=used.output if used else None,
            from_logits=used.from_logits if used else None,
            task=run.manifest.task,
            predicts=run.manifest.predicts,
            stochastic=own_kinds,
            product=None if product_error(origin.product) else origin.product,
            compiler=NO_COMPILER if compiler_error(origin.compiler) else origin.compiler,
            rate=find_changed_rate(
                StochasticLayers(model, own_kinds), {(one.name, one.kind): one.rate for one in layers}
            ),
        )

    @property
    def takes_texts(self) -> bool:
        """Whether the model takes texts."""
        return self._text_layer is not None

    @property
    def width(self) -> int:
        """The numbers of a prediction: C probabilities, or D values and, where they are predicted, D variances.

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
        """The way to compute a layer right behind dropout; "matmul" for a model without such a layer."""
        with_layer = (plan for plan in self._plans.values() if plan.masked_dense or plan.masked_convolutions)
        return self._product_for(next(with_layer, next(iter(self._plans.values()), None)))

    def _product_for(self, plan: Plan | None) -> str:
        if plan is not None and plan.masked_dense:
            return self.wanted_product if self.wanted_product in PRODUCTS else default_product()  # imports numba
        if plan is not None and plan.masked_convolutions:
            return CHANNEL_SUMS if self.wanted_product in (None, CHANNEL_SUMS) else MATMUL
        return MATMUL

    @property
    def compiler(self) -> str:
        """The compiler of the part that is repeated in every pass: "xla" or "none"."""
        compilers = {plan.compiler for plan in self._plans.values()}
        return self.wanted_compiler or (XLA if XLA in compilers else NO_COMPILER)

    def match_run(self, run: Manifest, *, computes: bool = True) -> "Sampler":
        """Return this sampler with the product and the compiler of a run, unless others were asked for.

        Args:
            run: manifest of the run.
            computes: whether anything will be sampled, which takes a machine that has both.

        Raises:
            MissingPackageError: this machine does not have them.
            UnsuitableModelError: the run's passes were compiled, and XLA cannot compile the model here.
        """
        product = self.wanted_product or run.origin.product
        compiler = self.wanted_compiler or run.origin.compiler or NO_COMPILER
        if computes:
            _check_available(product_error(product) or compiler_error(compiler))
        other = copy.copy(self)
        other.change_product_and_compiler(product, compiler, prepare=computes)
        return other

    def change_product_and_compiler(self, product: str | None, compiler: str, *, prepare: bool) -> None:
        """Take another product and another compiler from now on.

        Args:
            product: as for a new sampler.
            compiler: likewise.
            prepare: whether to prepare the model for them at once, where its plans differ by them.

        Raises:
            UnsuitableModelError: XLA cannot compile the model.
        """
        before = (self.product, self.compiler) if prepare else None
        self.wanted_product, self.wanted_compiler = product, compiler
        plans, self._plans = self._plans, dict(self._plans)  # a copied sampler shares them
        if before is None:
            return
        dense = any(plan.masked_dense for plan in plans.values())  # its plan is the same for every product
        if self.compiler != before[1] or (self.product != before[0] and not dense):
            self._plans = {}
            for shape, dtype in plans:
                self._prepare(shape, dtype)

    def description(self) -> str:
        """Describe the stochastic, ineffective and inactive layers in one line, and a missing numba in another."""
        lines = [str(self._report)]
        dense = any(plan.masked_dense for plan in self._plans.values())
        if dense and not self.wanted_product and (error := subset_sums_error()):
            lines.append(
                f"numba cannot be imported ({error}), so the passes take about twice as long. "
                f"To install it, type: {INSTALL_NUMBA}"
            )
        return "\n".join(lines)

    @property
    def _report(self) -> LayerReport:
        """Until a model of no fixed input size has seen examples, it is taken to use all its stochastic layers."""
        plan = next(iter(self._plans.values()), None)
        return self._layers.report(plan.random_layers if plan else None)

    @hold_interrupts()
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
        for rows, block in iterate_blocks(examples, plan.shared_examples_per_block):
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
            progress: called with (done, total) predictions; an error that it raises ends the sampling.

        Returns:
            (passes, N, C) float32 probabilities. For a regression (passes, N, D) float32 values; where a spread is
            predicted, (passes, N, 2 · D): D means, then D variances, whichever spread the model predicts.

        Raises:
            InvalidInputError: an argument that cannot be used.
            UnsuitableModelError: the model returned numbers that are not finite, or variances that are not above 0.
        """
        passes, seed = whole_number("passes", passes, 1), whole_number("seed", seed)
        first_pass, first_example = whole_number("first_pass", first_pass), whole_number("first_example", first_example)
        choice("masks", masks, MASKS)
        examples, plan = self.plan_for(examples)
        result = np.empty((passes, len(examples), plan.width), np.float32)
        Computation(
            plan, examples, result, seed, masks == "per_example", first_pass, first_example, self._product_for(plan)
        ).run(progress)
        check_variances(result, self.predicts)
        return result

    def plan_for(self, examples: Any) -> tuple[np.ndarray | TextNumbers, Plan]:
        """Check examples against the model, and prepare it for their shape, once for each.

        Args:
            examples: as `sample` takes them.

        Returns:
            The examples in the model's dtype, for texts their numbers from the text layer; and the plan for examples
            of their shape.

        Raises:
            InvalidInputError: examples that do not fit the model.
            UnsuitableModelError: a model whose passes would not differ for such examples.
        """
        if self._text_layer:
            examples = TextNumbers(self._text_layer, prepare_texts(examples))
        else:
            examples = prepare_examples(examples, self.model, self.input_shape, self.input_dtype)
        return examples, self._prepare(examples.shape[1:], examples.dtype.name)

    @hold_interrupts()
    def _prepare(self, shape: tuple[int, ...], dtype: str) -> Plan:
        with self._preparing:
            if (shape, dtype) not in self._plans:
                self._plans[shape, dtype] = self._make_plan(shape, dtype)
            return self._plans[shape, dtype]

    def _make_plan(self, shape: tuple[int, ...], dtype: str) -> Plan:
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
            examples = make_random_examples(shape, dtype)
            for passes in PASSES_TRIED:
                result = np.empty((passes, len(examples), plan.width), np.float32)
                Computation(plan, examples, result, 0, False, 0, 0, self._product_for(plan)).run(None)
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
    """Return a sampler as it is, or make one of a model.

    Args:
        model: a Keras model, or a sampler.
        **options: those of `Sampler`; None is its default.

    Raises:
        InvalidInputError: an option beside a sampler, which has its own.
        UnsuitableModelError: a model whose passes would not differ, or that does not predict that.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if not isinstance(model, Sampler):
        return Sampler(model, **given)
    for name, value in given.items():
        raise invalid(name, "left out for a Sampler, which has its own", repr(value), "Give it to the Sampler.")
    return model


def _check_available(error: str) -> None:
    if error:
        raise MissingPackageError(error)


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
