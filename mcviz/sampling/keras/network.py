"""A Keras model behind the engine's protocol: inputs, activations and plan."""

import copy
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from mcviz.devices import AUTO, CPU
from mcviz.errors import UnsuitableModelError
from mcviz.interrupts import hold_interrupts
from mcviz.options import ModelOptions, TaskOptions
from mcviz.runs import Run
from mcviz.runs.tables import Rows, hash_array
from mcviz.sampling.base import (
    DEFAULT_SETTINGS,
    NO_COMPILER,
    InputShape,
    InputSpec,
    LayerReport,
    ModelSettings,
    Network,
    Plan,
    explain_missing_device,
)
from mcviz.sampling.examples import prepare_examples, prepare_texts
from mcviz.sampling.keras.model_files import NAME_OF_MODEL, check_name, load_model, write_model_file
from mcviz.sampling.keras.plan import make_plan, pick_output, to_probabilities
from mcviz.sampling.keras.stochastic import StochasticLayers, every_layer, find_changed_rate, find_own_kinds
from mcviz.sampling.keras.texts import TextNumbers, find_text_layer, vocabularies, with_vocabulary
from mcviz.sampling.keras.tracing import wrap_model_errors, xla_error
from mcviz.text import reason
from mcviz.validate import invalid

SMALLEST_DIVISOR = 127
UNCHANGING = (  # layers that keep the range of the images
    keras.layers.InputLayer,
    keras.layers.Resizing,
    keras.layers.CenterCrop,
    keras.layers.Reshape,
    keras.layers.Flatten,
)

FEATURES_AT_ONCE = 500  # examples
GRADIENTS_AT_ONCE = 100  # the same

INPUT = "examples"  # the name of the only input


def choose_device(wanted: str) -> tuple[str, str, str]:
    """Return the kind of device, TensorFlow's scope if unusual, and the reason.

    Args:
        wanted: the name, such as "cuda" or "cuda:1"; "auto" takes a GPU, else the processor.

    Raises:
        InvalidInputError: TensorFlow cannot compute there.
    """
    gpus, kind = len(tf.config.list_physical_devices("GPU")), "mps" if sys.platform == "darwin" else "cuda"
    seen = f"TensorFlow sees {gpus or 'no'} GPU{'s' * (gpus > 1)}"
    if wanted == AUTO:
        return (kind if gpus else CPU), "", seen
    name, _, number = wanted.partition(":")
    if wanted == CPU:
        return CPU, "/CPU:0" if gpus else "", "as chosen"
    if name != kind or int(number or 0) >= gpus:
        raise explain_missing_device(wanted, seen)
    return kind, f"/GPU:{number or 0}", "as chosen"


def read_input_spec(model: keras.Model) -> tuple[InputShape | None, str | None]:
    """Return shape and dtype of an example, None if unknown.

    Raises:
        UnsuitableModelError: the model has several inputs.
    """
    inputs = getattr(model, "inputs", None)
    if not inputs:
        shape = (model.get_build_config() or {}).get("input_shape")
        return (tuple(shape[1:]) if isinstance(shape, list | tuple) else None), None
    if len(inputs) > 1:
        raise UnsuitableModelError(
            f"The model must take one array. Received: {len(inputs)} inputs: {', '.join(one.name for one in inputs)}."
        )
    return tuple(inputs[0].shape[1:]), inputs[0].dtype


def find_scaling_layer(model: keras.Model) -> keras.Layer | None:
    """Find the first layer that scales 0..255 or embeds numbers."""
    first = next(_range_changing_layers(model), None) if getattr(model, "inputs", None) else None
    if isinstance(first, keras.layers.Rescaling) and 0 < np.max(first.scale) <= 1 / SMALLEST_DIVISOR:
        return first
    if isinstance(first, keras.layers.Normalization) and _spread(first) > 1:  # adapted to 0..1, it would be below
        return first
    return first if isinstance(first, keras.layers.Embedding) else None


def _spread(layer: keras.layers.Normalization) -> float:
    return float(np.max(keras.ops.convert_to_numpy(layer.variance))) ** 0.5


def _range_changing_layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _range_changing_layers(layer)
        elif not isinstance(layer, UNCHANGING) and not type(layer).__name__.startswith("Rand"):  # augmentation
            yield layer


def penultimate_model(model: keras.Model) -> keras.Model:
    """Return the model in front of its last layer, with shared weights.

    Args:
        model: a Sequential or functional model with one output that ends in a dense layer.

    Raises:
        UnsuitableModelError: any other model.
    """
    one_output = getattr(model, "inputs", None) and len(model.outputs) == 1  # or the last layer need not be its own
    last = model.layers[-1] if one_output else None
    if not isinstance(last, keras.layers.Dense) or len(last.input.shape) != 2:
        raise UnsuitableModelError(
            "Penultimate activations need a Sequential or functional model with one output that ends in a dense layer. "
            f"Received: model {model.name!r}."
        )
    return keras.Model(model.inputs[0], last.input)


def penultimate_activations(model: keras.Model, examples: np.ndarray) -> np.ndarray:
    """Compute the inputs of the last layer, dropout off.

    Args:
        model: as for `penultimate_model`.
        examples: (N, ...) as the model takes them.

    Returns:
        (N, D) float32.
    """
    part = penultimate_model(model)
    return np.concatenate(
        [
            part(tf.constant(examples[start : start + FEATURES_AT_ONCE]), training=False).numpy()
            for start in range(0, len(examples), FEATURES_AT_ONCE)
        ]
    )


def gradient_sign(
    model: keras.Model,
    examples: np.ndarray,
    labels: np.ndarray | None = None,
    settings: ModelSettings = DEFAULT_SETTINGS,
) -> np.ndarray:
    """Return signs of changes that lower a class's probability (fast gradient sign, Goodfellow et al. 2015).

    Args:
        model: a Keras classifier.
        examples: (N, ...) float32 as the model takes them.
        labels: (N,) the classes to move away from; the model's predictions without it.
        settings: what is said of the model.

    Returns:
        (N, ...) float32 of -1, 0 and 1.

    Raises:
        UnsuitableModelError: the model takes whole numbers, which cannot change a little.
    """
    signs = []
    for start in range(0, len(examples), GRADIENTS_AT_ONCE):
        block = tf.constant(examples[start : start + GRADIENTS_AT_ONCE], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(block)
            scores, _ = pick_output(model, model(block, training=False), settings.output, "mean")
            probs = to_probabilities(scores, settings.from_logits, scores.numpy)
            classes = tf.argmax(probs, 1) if labels is None else tf.constant(labels[start : start + GRADIENTS_AT_ONCE])
            chosen = tf.gather(probs, tf.cast(classes, tf.int64), axis=1, batch_dims=1)
            # Cross-entropy up to its sign; the smallest float keeps the gradient of a probability that is 0 finite.
            loss = -tf.math.log(chosen + np.finfo(np.float32).tiny)
        gradient = tape.gradient(loss, block)
        if gradient is None:
            raise UnsuitableModelError(
                f"The prediction has no gradient by the input. Received: model {model.name!r}, which takes whole "
                "numbers. Take another distortion."
            )
        signs.append(np.sign(gradient.numpy()))
    return np.concatenate(signs)


class KerasNetwork(Network):
    """A Keras model, left unchanged."""

    backend = "keras"

    @hold_interrupts()
    def __init__(
        self,
        model: keras.Model,
        settings: ModelSettings = DEFAULT_SETTINGS,
        stochastic: tuple[type[keras.Layer], ...] = (),
    ) -> None:
        """Take a model; the arguments and errors are those of `Sampler`."""
        _check_model(model)
        self._layers = StochasticLayers(model, stochastic, settings.rate)
        layers = self._layers.report()
        if not layers.stochastic:
            off = ", ".join(layer.name for layer in layers.without_effect)
            cause = f"the rate of every stochastic layer is 0 ({off})" if off else "the model has no stochastic layer"
            raise UnsuitableModelError(
                f"All passes would be the same: {cause}. Received: model {model.name!r}. "
                "Monte Carlo dropout needs a model that was trained with dropout. Name the class of a stochastic layer "
                "of your own by `stochastic=(MyLayer,)`."
            )
        if settings.rate is not None and not self._layers.with_changeable_rate:
            raise UnsuitableModelError(
                f"No layer of the model has dropout whose rate can be changed. Received: {layers}. Leave the rate out."
            )
        self.model, self.name, self.settings = model, model.name, settings
        self.device, self.scope, self.reason = choose_device(settings.device)
        self.input_shape, self.input_dtype = read_input_spec(model)
        with wrap_model_errors():
            self._text_layer = find_text_layer(model)
        self.takes_texts = self._text_layer is not None

    @classmethod
    def for_run(cls, model: keras.Model, run: Run, rate: float | None = None, device: str = AUTO) -> Self:
        layers = run.manifest.origin.stochastic_layers
        own_kinds = find_own_kinds(model, {layer.name for layer in layers})
        used = {(layer.name, layer.kind): layer.rate for layer in layers}
        rate = rate or find_changed_rate(StochasticLayers(model, own_kinds), used)
        return cls(model, ModelSettings.from_manifest(run.manifest, rate, device), own_kinds)

    @classmethod
    def load(cls, options: ModelOptions, task: TaskOptions, run: Run | None) -> Self:
        for name in ("weights", "transform"):
            if getattr(options, name) is not None:
                raise invalid(name, "left out for a Keras model", getattr(options, name))
        model = load_model(options.model, trust=options.trust_model)
        if options.vocabulary is not None:
            model = with_vocabulary(model, list(options.vocabulary))
        if run is not None:
            return cls.for_run(model, run, options.rate, options.device)
        return cls(model, ModelSettings.from_options(options, task))

    @classmethod
    def limit_threads(cls, most: int) -> None:
        with suppress(RuntimeError):  # TensorFlow is at work already, for somebody else
            tf.config.threading.set_intra_op_parallelism_threads(most)
            tf.config.threading.set_inter_op_parallelism_threads(most)

    @property
    def scaling_layer(self) -> str | None:
        layer = find_scaling_layer(self.model)
        return None if layer is None else layer.name

    def describe_device(self) -> str:
        return f"{self.device}, {self.reason}"

    def on_device(self, device: str) -> Self:
        other = copy.copy(self)
        other.settings = replace(self.settings, device=device)
        other.device, other.scope, other.reason = choose_device(device)
        return other

    def _place(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if not self.scope:
            return function

        @wraps(function)
        def compute(*given: Any, **options: Any) -> Any:
            with tf.device(self.scope):
                return function(*given, **options)

        return compute

    def report_layers(self) -> LayerReport:
        return self._layers.report()

    @property
    def input_specs(self) -> tuple[InputSpec, ...] | None:
        if self._text_layer:
            return (InputSpec(INPUT, self._text_layer.shape, self._text_layer.dtype),)
        if self.input_shape is None or self.input_dtype is None or None in self.input_shape:
            return None
        return (InputSpec(INPUT, tuple(size for size in self.input_shape if size is not None), self.input_dtype),)

    def prepare(self, examples: Any) -> Mapping[str, Rows]:
        if self._text_layer:
            return {INPUT: TextNumbers(self._text_layer, prepare_texts(examples))}
        return {INPUT: prepare_examples(examples, self)}

    def make_plan(self, inputs: tuple[InputSpec, ...], *, channel_sums: bool, compiler: str | None) -> Plan:
        (spec,) = inputs
        plan: Plan = self._place(make_plan)(
            self._layers,
            spec.shape,
            spec.dtype,
            self.settings,
            texts=self._text_layer,
            channel_sums=channel_sums,
            compiler=NO_COMPILER if compiler is None and self.on_gpu else compiler,
        )
        return plan.guard(self._place)

    @property
    def xla_error(self) -> str:
        error = xla_error()
        return error and (
            f"The passes were compiled by XLA, which this TensorFlow does not have: {error}. "
            "Use a TensorFlow with XLA, as `pip install tensorflow` gives it on Linux."
        )

    def compute_digest(self) -> str:
        return model_digest(self.model)

    @hold_interrupts()
    def save(self) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            try:
                return write_model_file(self.model, Path(folder))
            except (ValueError, TypeError, NotImplementedError) as error:
                raise UnsuitableModelError(
                    f"Keras cannot save this model ({reason(error)}). Sample it without keeping the model."
                ) from error

    def compute_features(self, examples: Any) -> np.ndarray:
        if self.takes_texts:
            examples = np.asarray(examples).reshape(-1, *self.model.inputs[0].shape[1:])
        return self._place(penultimate_activations)(self.model, examples)

    def compute_gradient_sign(self, examples: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        return self._place(gradient_sign)(self.model, examples, labels, self.settings)


@hold_interrupts()
def model_digest(model: keras.Model) -> str:
    """Return the SHA-256 of architecture, weights and vocabularies, in memory or loaded."""
    digest = hashlib.sha256()
    architecture = keras.saving.serialize_keras_object(model)
    digest.update(json.dumps([architecture["class_name"], architecture["config"]], sort_keys=True).encode())
    for weight in model.weights:
        digest.update(hash_array(keras.ops.convert_to_numpy(weight)).encode())
    for vocabulary in vocabularies(model):
        digest.update(vocabulary.encode())
    return digest.hexdigest()


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
