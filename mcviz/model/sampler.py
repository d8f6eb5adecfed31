"""Monte Carlo dropout passes of a Keras model."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import InvalidInputError, UnsuitableModelError
from mcviz.model.draws import draw
from mcviz.model.plan import Plan, make_plan, probe_images
from mcviz.model.stochastic import StochasticLayer, left_off, stochastic_layers

Masks = Literal["per_pass", "per_example"]
Progress = Callable[[int, int], None]

IMAGES_AT_ONCE = 256


def sample(
    model: keras.Model,
    images: np.ndarray,
    *,
    passes: int = 500,
    seed: int = 0,
    masks: Masks = "per_pass",
    progress: Progress | None = None,
) -> np.ndarray:
    """Run a model `passes` times with its stochastic layers on and everything else as in inference.

    Args:
        model: a Keras classifier with dropout; it is left as it was.
        images: (N, ...) in the shape and scale that the model takes.
        passes: the number of passes, T.
        seed: of the masks. The same seed gives the same numbers.
        masks: `per_pass`, where a pass has one draw of masks for all images, or `per_example`, a draw for each.
        progress: called with (done, total) predictions; what it raises ends the sampling.

    Returns:
        (passes, N, C) float32 probabilities.

    Raises:
        InvalidInputError: an argument that cannot be used.
        UnsuitableModelError: a model whose passes would not differ, or that is no classifier.
    """
    return Sampler(model).sample(images, passes=passes, seed=seed, masks=masks, progress=progress)


class Sampler:
    """A model made ready for Monte Carlo passes: traced once, used by any number of threads.

    Attributes:
        stochastic_layers: the layers that the passes draw from.
        left_off: names of layers with randomness that stays off: augmentation such as `RandomFlip`.
        input_shape: of one image as the model takes it; None where any size goes.
    """

    def __init__(self, model: keras.Model, *, output: str | None = None, from_logits: bool | None = None) -> None:
        """Prepare a model.

        Args:
            model: a Keras classifier with dropout; it is left as it was.
            output: the name of the output to sample, for models with several.
            from_logits: whether the output is logits; None finds out from the graph.

        Raises:
            InvalidInputError: `output` does not name an output of the model.
            UnsuitableModelError: a model whose passes would not differ, or that is no classifier.
        """
        self._model, self._output, self._from_logits = model, output, from_logits
        layers = stochastic_layers(model)
        self.stochastic_layers: tuple[StochasticLayer, ...] = tuple(layer for layer in layers if layer.rate > 0)
        self.left_off = left_off(model)
        if not self.stochastic_layers:
            zero = f"; their rate is 0: {', '.join(layer.name for layer in layers)}" if layers else ""
            raise UnsuitableModelError(
                f"The model has no stochastic layer, so all passes would be the same. Received: {model.name}{zero}. "
                "Monte Carlo dropout needs a model that was trained with dropout."
            )
        self.input_shape, self._dtype = _input_of(model)
        self._plans: dict[tuple[int, ...], Plan] = {}
        if self.input_shape is not None and None not in self.input_shape:
            self._plan(tuple(int(n) for n in self.input_shape if n is not None))

    @property
    def classes(self) -> int:
        """The number of classes, C."""
        return next(iter(self._plans.values())).classes

    def description(self) -> str:
        """One line on which layers are stochastic and which randomness is left off."""
        line = "Stochastic: " + ", ".join(str(layer) for layer in self.stochastic_layers)
        return line + (f"; left off: {', '.join(self.left_off)}" if self.left_off else "")

    def plain(self, images: np.ndarray) -> np.ndarray:
        """(N, C) float32 probabilities of the ordinary model, dropout off, for (N, ...) images."""
        images = self._checked(images)
        plan = self._plan(images.shape[1:])
        result = np.empty((len(images), plan.classes), np.float32)
        for start in range(0, len(images), plan.front_images):
            block = images[start : start + plan.front_images]
            result[start : start + len(block)] = plan.plain(tf.constant(_filled(block, 0, plan.front_images)))[
                : len(block)
            ]
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
        """Run passes `first_pass` to `first_pass + passes` over images that are numbered from `first_image`.

        Any split of a job into calls gives the bits of one call, if the calls say where they start.

        Args and errors: as in `mcviz.sample`.

        Returns:
            (passes, N, C) float32 probabilities.
        """
        images = self._checked(images)
        _check_counts(passes=passes, seed=seed, first_pass=first_pass, first_image=first_image, masks=masks)
        plan = self._plan(images.shape[1:])
        result = np.empty((passes, len(images), plan.classes), np.float32)
        job = _Job(plan, images, result, seed, masks == "per_example", first_pass, first_image)
        _run(job.steps(), passes * len(images), progress)
        if not np.isfinite(result).all():
            raise UnsuitableModelError("The model returned numbers that are not finite.")
        return result

    def _checked(self, images: np.ndarray) -> np.ndarray:
        images = np.asarray(images)
        expected = self.input_shape
        fits = expected is None or (
            images.ndim == len(expected) + 1
            and all(n in (None, size) for n, size in zip(expected, images.shape[1:], strict=True))
        )
        if not fits or images.ndim < 2:
            raise InvalidInputError(
                f"Argument `images` must be (N, {', '.join(str(n or 'any') for n in expected or ('...',))}) as the "
                f"model takes it. Received: shape {images.shape}."
            )
        if not len(images):
            raise InvalidInputError(f"Argument `images` must hold at least one image. Received: shape {images.shape}.")
        if images.dtype.kind not in "fiub":
            raise InvalidInputError(f"Argument `images` must be numbers. Received: dtype {images.dtype}.")
        return images.astype(self._dtype, copy=False)

    def _plan(self, item: tuple[int, ...]) -> Plan:
        if item not in self._plans:
            plan = make_plan(self._model, item, self._dtype, self._output, self._from_logits)
            self._plans[item] = plan
            probe = probe_images(4, item, self._dtype)
            seen = self.sample(probe, passes=8)
            if (seen == seen[0]).all():
                raise UnsuitableModelError(
                    f"The passes agree to the last bit. Received: {self.description()}. "
                    "Its stochastic layers do not change the output."
                )
        return self._plans[item]


class _Job:
    def __init__(
        self,
        plan: Plan,
        images: np.ndarray,
        result: np.ndarray,
        seed: int,
        per_example: bool,
        first_pass: int,
        first_image: int,
    ) -> None:
        self.plan, self.images, self.result, self.seed = plan, images, result, seed
        self.per_example, self.first_pass, self.first_image = per_example, first_pass, first_image

    def steps(self) -> Iterator[Callable[[], int]]:
        """Pieces of work that may run in any order and thread; each returns the number of predictions it made."""
        plan, end = self.plan, self.first_image + len(self.images)
        unit = max(plan.front_images, plan.images)
        for start in _aligned(self.first_image, end, unit * max(1, IMAGES_AT_ONCE // unit)):
            stop = min(end, start + IMAGES_AT_ONCE)
            frontier = self._frontier(start, stop)
            last_pass = self.first_pass + len(self.result)
            for block in range(self.first_pass // plan.passes, (last_pass - 1) // plan.passes + 1):
                shared = [
                    None if self.per_example and not site.shared else draw(site, plan.passes, self.seed, block, None)
                    for site in plan.sites
                ]
                for image in range(start, stop, plan.images):
                    if image + plan.images > self.first_image:
                        yield (
                            lambda image=image, block=block, shared=shared, frontier=frontier, start=start: self._block(
                                image, block, shared, [t[image - start :][: plan.images] for t in frontier]
                            )
                        )

    def _frontier(self, start: int, stop: int) -> list[np.ndarray]:
        plan, blocks = self.plan, []
        unit = max(plan.front_images, plan.images)
        for at in range(start, start + -(-(stop - start) // unit) * unit, plan.front_images):
            low, high = max(at, self.first_image) - self.first_image, at + plan.front_images - self.first_image
            block = _filled(self.images[low : max(low, high)], max(self.first_image - at, 0), plan.front_images)
            blocks.append([t.numpy() for t in plan.front(tf.constant(block))])
        return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]

    def _block(self, image: int, block: int, shared: list[np.ndarray | None], frontier: list[np.ndarray]) -> int:
        plan = self.plan
        numbers = []
        for site, common in zip(plan.sites, shared, strict=True):
            rows = (
                np.broadcast_to(common, (plan.images, *common.shape))
                if common is not None
                else np.stack([draw(site, plan.passes, self.seed, block, image + i) for i in range(plan.images)])
            )
            numbers.append(tf.constant(rows.reshape(plan.images * plan.passes, *rows.shape[2:])))
        probs = plan.rest([tf.constant(t) for t in frontier], numbers).numpy()
        probs = probs.reshape(plan.images, plan.passes, -1)
        passes = range(len(self.result))
        t0 = block * plan.passes
        low, high = max(t0, self.first_pass), min(t0 + plan.passes, self.first_pass + len(passes))
        left, right = max(image, self.first_image), min(image + plan.images, self.first_image + len(self.images))
        self.result[
            low - self.first_pass : high - self.first_pass, left - self.first_image : right - self.first_image
        ] = probs[left - image : right - image, low - t0 : high - t0].swapaxes(0, 1)
        return (high - low) * (right - left)


def _run(steps: Iterator[Callable[[], int]], total: int, progress: Progress | None) -> None:
    workers, done = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 0
    waiting: set[Future[int]] = set()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for step in steps:
                waiting.add(pool.submit(step))
                if len(waiting) >= 2 * workers:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    done += sum(future.result() for future in finished)
                    if progress:
                        progress(done, total)
            for future in waiting:
                done += future.result()
                if progress:
                    progress(done, total)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _aligned(start: int, stop: int, unit: int) -> range:
    return range(start // unit * unit, stop, unit)


def _filled(block: np.ndarray, before: int, size: int) -> np.ndarray:
    """The block in its place among `size` images, the others zero."""
    if len(block) == size:
        return block
    filled = np.zeros((size, *block.shape[1:]), block.dtype)
    filled[before : before + len(block)] = block
    return filled


def _input_of(model: keras.Model) -> tuple[tuple[int | None, ...] | None, str]:
    """The shape of one image, None where it is not known before the first, and the dtype."""
    inputs = getattr(model, "inputs", None)
    if inputs:
        if len(inputs) != 1:
            raise UnsuitableModelError(
                f"The model must take one array of images. Received: {len(inputs)} inputs: "
                f"{', '.join(tensor.name for tensor in inputs)}."
            )
        return tuple(inputs[0].shape[1:]), keras.backend.standardize_dtype(inputs[0].dtype)
    shape = (model.get_build_config() or {}).get("input_shape") if model.built else None
    return (tuple(shape[1:]) if isinstance(shape, list | tuple) else None), "float32"


def _check_counts(*, passes: int, seed: int, first_pass: int, first_image: int, masks: str) -> None:
    for name, value, least in (
        ("passes", passes, 1), ("seed", seed, 0), ("first_pass", first_pass, 0), ("first_image", first_image, 0)
    ):  # fmt: skip
        if not isinstance(value, int | np.integer) or value < least:
            raise InvalidInputError(
                f"Argument `{name}` must be a whole number of at least {least}. Received: {value!r}."
            )
    if masks not in ("per_pass", "per_example"):
        raise InvalidInputError(f"Argument `masks` must be 'per_pass' or 'per_example'. Received: {masks!r}.")
