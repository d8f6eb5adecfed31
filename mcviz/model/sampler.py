"""Monte Carlo dropout passes of a Keras model."""

import threading
import warnings
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import InvalidInputError, UnsuitableModelError
from mcviz.model.job import Job, Progress
from mcviz.model.plan import Plan, make_plan, probe_images
from mcviz.model.stochastic import Listed, StochasticLayer, every_layer, listed
from mcviz.model.tracing import SamePassesError

Masks = Literal["per_pass", "per_example"]
PROBED = (8, 1000)  # passes; a rate of a thousandth seldom shows in eight


def sample(
    model: keras.Model,
    images: np.ndarray,
    *,
    passes: int = 500,
    seed: int = 0,
    masks: Masks = "per_pass",
    output: str | None = None,
    from_logits: bool | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Run a model `passes` times with its stochastic layers on and everything else as in inference.

    This is Monte Carlo dropout (Gal and Ghahramani, 2016, "Dropout as a Bayesian Approximation"). `Sampler` does the
    same for several calls on one model, which it prepares only once.

    Args:
        model: a Keras classifier with stochastic layers; it is left as it was.
        images: (N, ...) in the shape and scale that the model takes.
        passes: the number of passes, T.
        seed: of the masks. The same seed gives the same bits, on one machine with one set of versions.
        masks: `per_pass`, one draw of masks for all images of a pass, or `per_example`, a draw for each image.
        output: the name of the output, for models with several.
        from_logits: whether the output is logits; None finds out from the model.
        progress: called with (done, total) predictions; what it raises ends the sampling.

    Returns:
        (passes, N, C) float32 probabilities.

    Raises:
        InvalidInputError: an argument that cannot be used.
        UnsuitableModelError: a model whose passes would not differ, or that is no classifier.
    """
    sampler = Sampler(model, output=output, from_logits=from_logits)
    return sampler.sample(images, passes=passes, seed=seed, masks=masks, progress=progress)


class Sampler:
    """A model prepared for Monte Carlo passes: once, for any number of calls and threads.

    Attributes:
        input_shape: of one image, None where any size goes; None altogether if the model does not say.
        input_dtype: of the images, None if the model does not say.
    """

    def __init__(self, model: keras.Model, *, output: str | None = None, from_logits: bool | None = None) -> None:
        """Prepare a model.

        Args:
            model: a Keras classifier with stochastic layers; it is left as it was.
            output: the name of the output, for models with several.
            from_logits: whether the output is logits; None finds out from the model.

        Raises:
            InvalidInputError: `output` names no output of the model, or is missing where there are several.
            UnsuitableModelError: a model whose passes would not differ, or that is no classifier.
        """
        _check_model(model)
        layers = listed(model)
        if not layers.stochastic:
            raise UnsuitableModelError(
                f"All passes would be the same: {_why_none(layers.idle)}. Received: model {model.name!r}. "
                "Monte Carlo dropout needs a model that was trained with dropout."
            )
        self._model, self._output, self._from_logits = model, output, from_logits
        self.input_shape, self.input_dtype = _input_of(model)
        self._plans: dict[tuple[tuple[int, ...], str], Plan] = {}
        self._preparing = threading.Lock()
        if self.input_shape is not None and self.input_dtype is not None and None not in self.input_shape:
            self._plan(tuple(size for size in self.input_shape if size is not None), self.input_dtype)

    @property
    def classes(self) -> int:
        """The number of classes, C. A model of no fixed input size has to see images first."""
        if not self._plans:
            raise UnsuitableModelError(
                "The number of classes is known once the model has seen images: call `deterministic`."
            )
        return next(iter(self._plans.values())).classes

    @property
    def stochastic_layers(self) -> tuple[StochasticLayer, ...]:
        """The layers that the passes draw from."""
        return self._listed.stochastic

    @property
    def inactive_layers(self) -> tuple[str, ...]:
        """Names of the layers whose randomness stays off: augmentation such as `RandomFlip`."""
        return self._listed.inactive_layers

    def description(self) -> str:
        """One line on which layers draw random numbers, which do so without effect, and which are left off."""
        return str(self._listed)

    @property
    def _listed(self) -> Listed:
        """A model of no fixed input size is taken to use all its stochastic layers until it has seen images."""
        plan = next(iter(self._plans.values()), None)
        return listed(self._model, plan.drew if plan else None)

    def deterministic(self, images: np.ndarray) -> np.ndarray:
        """Run the ordinary model, all randomness off.

        Args:
            images: (N, ...) as the model takes them.

        Returns:
            (N, C) float32 probabilities.

        Raises:
            InvalidInputError: images that do not fit the model.
        """
        images, plan = self.plan_for(images)
        result = np.empty((len(images), plan.classes), np.float32)
        for start in range(0, len(images), plan.front_images):
            block = np.zeros((plan.front_images, *images.shape[1:]), images.dtype)
            mine = images[start : start + plan.front_images]
            block[: len(mine)] = mine
            result[start : start + len(mine)] = plan.deterministic(tf.constant(block))[: len(mine)]
        return result

    def sample(
        self,
        images: np.ndarray,
        *,
        passes: int,
        seed: int = 0,
        masks: Masks = "per_pass",
        first_pass: int = 0,
        first_image: int = 0,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Run passes `first_pass` to `first_pass + passes - 1` over images that are numbered from `first_image`.

        A job that is split into calls in any way gives the bits of one call, if each call says where it starts.

        Args:
            images: (N, ...) as the model takes them.
            passes: the number of passes, T.
            seed: of the masks.
            masks: `per_pass` or `per_example`.
            first_pass: the number of the first pass.
            first_image: the number of the first image.
            progress: called with (done, total) predictions; what it raises ends the sampling.

        Returns:
            (passes, N, C) float32 probabilities.

        Raises:
            InvalidInputError: an argument that cannot be used.
            UnsuitableModelError: the model returned numbers that are not finite.
        """
        _check_whole_numbers(
            passes=(passes, 1), seed=(seed, 0), first_pass=(first_pass, 0), first_image=(first_image, 0)
        )
        if masks not in ("per_pass", "per_example"):
            raise InvalidInputError(f"Argument `masks` must be 'per_pass' or 'per_example'. Received: {masks!r}.")
        images, plan = self.plan_for(images)
        result = np.empty((passes, len(images), plan.classes), np.float32)
        Job(plan, images, result, seed, masks == "per_example", first_pass, first_image).run(progress)
        return result

    def plan_for(self, images: np.ndarray) -> tuple[np.ndarray, Plan]:
        """Check images against the model, and prepare it for their shape, once for each.

        Args:
            images: (N, ...) as the model takes them.

        Returns:
            The images in the model's dtype, and how images of their shape are sampled.

        Raises:
            InvalidInputError: images that do not fit the model.
            UnsuitableModelError: a model whose passes would not differ for such images.
        """
        images = _checked_images(images, self.input_shape, self.input_dtype)
        return images, self._plan(images.shape[1:], images.dtype.name)

    def _plan(self, item: tuple[int, ...], dtype: str) -> Plan:
        with self._preparing:
            if (item, dtype) not in self._plans:
                self._plans[item, dtype] = self._checked_plan(item, dtype)
            return self._plans[item, dtype]

    def _checked_plan(self, item: tuple[int, ...], dtype: str) -> Plan:
        images = probe_images(item, dtype)
        try:
            plan = make_plan(self._model, item, dtype, output=self._output, from_logits=self._from_logits)
            for passes in PROBED:
                probs = np.empty((passes, len(images), plan.classes), np.float32)
                Job(plan, images, probs, seed=0, per_example=False, first_pass=0, first_image=0).run(None)
                if (probs != probs[0]).any():
                    return plan
            raise SamePassesError
        except SamePassesError:
            raise UnsuitableModelError(
                "All passes agree to the last bit: the stochastic layers do not change the output for random inputs of "
                f"0 to 1, or are not called in inference mode. Received: {self.description()}. "
                "Pick an output behind them, or a model with other rates."
            ) from None


def _check_model(model: keras.Model) -> None:
    if not isinstance(model, keras.Model):
        raise UnsuitableModelError(f"Argument `model` must be a Keras model. Received: {type(model).__name__}.")
    if not model.built:
        raise UnsuitableModelError(
            f"The model has no weights yet. Received: model {model.name!r}. "
            "Call it once on a batch, or load it from a file."
        )
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
    """The shape of one image and the dtype, None where the model does not say."""
    inputs = getattr(model, "inputs", None)
    if not inputs:
        shape = (model.get_build_config() or {}).get("input_shape")
        return (tuple(shape[1:]) if isinstance(shape, list | tuple) else None), None
    if len(inputs) > 1:
        raise UnsuitableModelError(
            f"The model must take one array. Received: {len(inputs)} inputs: {', '.join(each.name for each in inputs)}."
        )
    return tuple(inputs[0].shape[1:]), inputs[0].dtype


def fits(item: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether one image has the shape that a model takes; None stands for any size."""
    return len(item) == len(wanted) and all(size in (None, given) for size, given in zip(wanted, item, strict=True))


def in_words(wanted: tuple[int | None, ...]) -> str:
    """The shape of the images that a model takes, as a message has it."""
    return f"({', '.join(['N', *('any' if size is None else str(size) for size in wanted)])})"


def is_whole(dtype: str | None) -> bool:
    """Whether a model's input is of whole numbers; one that does not say takes floats."""
    return np.dtype(dtype or "float32").kind in "iu"


def _checked_images(images: np.ndarray, shape: tuple[int | None, ...] | None, dtype: str | None) -> np.ndarray:
    images = np.asarray(images)
    if shape is not None and not fits(images.shape[1:], shape):
        raise InvalidInputError(
            f"Argument `images` must have the shape that the model takes, {in_words(shape)}. "
            f"Received: shape {images.shape}."
        )
    if images.ndim < 2 or not images.size:
        raise InvalidInputError(f"Argument `images` must hold at least one image. Received: shape {images.shape}.")
    whole_numbers = is_whole(dtype)
    if images.dtype.kind not in ("biu" if whole_numbers else "biuf"):
        raise InvalidInputError(
            f"Argument `images` must hold {'whole numbers' if whole_numbers else 'numbers'}. "
            f"Received: dtype {images.dtype}."
        )
    taken = images.astype(dtype or ("int32" if images.dtype in (np.int32, np.int64) else "float32"), copy=False)
    if not whole_numbers and not np.isfinite(taken).all():
        raise InvalidInputError("Argument `images` must hold finite numbers. Received: some that are NaN or infinite.")
    if images.dtype == np.uint8 and taken.dtype != np.uint8:
        warnings.warn(
            "The model is given uint8 images as 0 to 255. If it takes 0 to 1, use `as_model_input`.", stacklevel=4
        )
    return taken


def _check_whole_numbers(**arguments: tuple[int, int]) -> None:
    for name, (value, least) in arguments.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InvalidInputError(f"Argument `{name}` must be a whole number from {least} up. Received: {value!r}.")
