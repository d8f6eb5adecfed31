"""One call of a sampler, cut into pieces of work that threads share."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.model.draws import Site, draw, draw_active
from mcviz.model.plan import Plan
from mcviz.model.turned import Product, memory_of_thread, tensor_of

Progress = Callable[[int, int], None]

FRONT_IMAGES_AT_MOST = 256
FRONT_BYTES_AT_MOST = 64 << 20
SHORT_WAY_BLOCKS = 2


@dataclass(frozen=True)
class Job:
    """Passes over images, both numbered from where the caller says.

    Attributes:
        plan: the prepared model.
        images: (N, ...) as the model takes them.
        result: (T, N, C) float32, to be filled.
    """

    plan: Plan
    images: np.ndarray
    result: np.ndarray
    seed: int
    per_example: bool
    first_pass: int
    first_image: int

    def run(self, progress: Progress | None) -> None:
        """Fill the result, a piece of work in each thread at a time.

        Raises:
            UnsuitableModelError: the model returned numbers that are not finite.
            BaseException: what `progress` raises; the work stops first.
        """
        total, done = self.result.shape[0] * self.result.shape[1], 0
        waiting: set[Future[int]] = set()
        with ThreadPoolExecutor(_cores()) as pool:
            try:
                for piece in self._pieces(pool):
                    waiting.add(pool.submit(piece))
                    if len(waiting) > 2 * _cores():
                        done, waiting = _finished(waiting, done, total, progress)
                while waiting:
                    done, waiting = _finished(waiting, done, total, progress)
            finally:
                pool.shutdown(cancel_futures=True)

    def _pieces(self, pool: ThreadPoolExecutor) -> Iterator[Callable[[], int]]:
        """The work, as functions that may run in any order and return how many predictions they made."""
        plan, last_pass = self.plan, self.first_pass + len(self.result)
        blocks = range(self.first_pass // plan.passes, -(-last_pass // plan.passes))
        unit = max(plan.images, plan.front_images)
        affordable = min(FRONT_IMAGES_AT_MOST, FRONT_BYTES_AT_MOST // max(1, plan.front_bytes))
        step, end = unit * max(1, affordable // unit), self.first_image + len(self.images)
        for start in range(self.first_image // unit * unit, end, step):
            stop = min(end, start + step)
            tensors = self._front(start, -(-stop // unit) * unit, pool)
            for group in self._groups(blocks):
                common = [self._common(block) for block in group]
                for image in range(start, stop, plan.images):
                    if image + plan.images > self.first_image:
                        of_block = [tensor[image - start : image - start + plan.images] for tensor in tensors]
                        yield partial(self._piece, image, group, common, of_block)

    def _groups(self, blocks: range) -> Iterator[range]:
        """Blocks of passes that make one piece of work: several where the scaled weights serve them all."""
        size = SHORT_WAY_BLOCKS if self.plan.turned else 1
        if len(self.images) <= self.plan.images:
            size = min(size, -(-len(blocks) // _cores()))
        return (blocks[at : at + size] for at in range(0, len(blocks), size))

    def _piece(self, image: int, group: range, common: list[dict[int, np.ndarray]], tensors: list[np.ndarray]) -> int:
        """Fill the result for the block of images that starts at `image` and some blocks of passes."""
        plan = self.plan
        mine = range(max(image, self.first_image), min(image + plan.images, self.first_image + len(self.images)))
        products = self._products(group, image, mine, common, tensors[0]) if plan.turned else None
        done = 0
        for at, (block, drawn) in enumerate(zip(group, common, strict=True)):
            numbers = [
                tf.constant(self._numbers(site, block, image, mine, drawn, tensors))
                for site in plan.sites
                if not plan.turned or site != plan.turned.site
            ]
            start = [tf.constant(each) for each in tensors] if products is None else [tensor_of(products[at])]
            probs = plan.rest(start, numbers).numpy()
            done += self._store(block, image, mine, probs.reshape(plan.images, plan.passes, -1))
        return done

    def _numbers(
        self,
        site: Site,
        block: int,
        image: int,
        mine: range,
        common: dict[int, np.ndarray],
        tensors: list[np.ndarray],
    ) -> np.ndarray:
        """(images × passes, *site.shape) for one block of images, those that are not asked for zero."""
        if site.number in common:
            return common[site.number]
        plan = self.plan
        numbers = np.zeros((plan.images, plan.passes, *site.shape), bool if site.law == "keep" else np.float32)
        for i in mine:
            if site.number not in plan.falls_on:
                numbers[i - image] = draw(site, plan.passes, self.seed, block, i)
                continue
            activations = tensors[plan.falls_on[site.number]][i - image].reshape(-1)
            active = np.flatnonzero(activations)
            drawn = self._active(site, block, i, active)
            if len(active) == len(activations):  # the same as below, without a copy element by element
                numbers[i - image] = drawn.reshape(plan.passes, *site.shape)
            else:
                numbers[i - image].reshape(plan.passes, -1)[:, active] = drawn
        return numbers.reshape(-1, *site.shape)

    def _common(self, block: int) -> dict[int, np.ndarray]:
        """By the number of the site, what all images of a block of passes share.

        (images × passes, *site.shape); for the dropout in front of a turned dense layer (activations, passes).
        """
        plan, common = self.plan, {}
        for site in plan.sites:
            if self.per_example and not site.shared:
                continue
            numbers = draw(site, plan.passes, self.seed, block, None)
            if plan.turned and site == plan.turned.site:
                common[site.number] = np.ascontiguousarray(numbers.reshape(plan.passes, -1).T)
            else:
                common[site.number] = np.concatenate([numbers] * plan.images)
        return common

    def _products(
        self, group: range, image: int, mine: range, common: list[dict[int, np.ndarray]], activations: np.ndarray
    ) -> np.ndarray:
        """(blocks, images × passes, units): the turned dense layer, whatever for images that are not asked for."""
        plan = self.plan
        assert plan.turned is not None
        site = plan.turned.site
        result = memory_of_thread("products", (len(group), plan.images, plan.passes, self._kernel.shape[1]), np.float32)
        for i in mine:
            product = Product(activations[i - image].reshape(-1), self._kernel)
            for block, drawn, of_block in zip(group, common, result, strict=True):
                if site.number in drawn:
                    of_block[i - image] = product.activations_first(drawn[site.number])
                else:
                    of_block[i - image] = product.passes_first(self._active(site, block, i, product.active))
        return result.reshape(len(group), plan.images * plan.passes, -1)

    def _active(self, site: Site, block: int, image: int, active: np.ndarray) -> np.ndarray:
        return draw_active(site, self.plan.passes, self.seed, block, image, active)

    def _front(self, start: int, stop: int, pool: ThreadPoolExecutor) -> list[np.ndarray]:
        """The tensors in front for images `start` to `stop`, whole blocks, those that are not asked for zero."""
        size = self.plan.front_images
        asked = range(self.first_image, self.first_image + len(self.images))
        blocks = [at for at in range(start, stop, size) if at < asked.stop and at + size > asked.start]
        values = list(pool.map(self._front_block, blocks))
        tensors = [np.zeros((stop - start, *value.shape[1:]), value.dtype) for value in values[0]]
        for at, of_block in zip(blocks, values, strict=True):
            for tensor, value in zip(tensors, of_block, strict=True):
                tensor[at - start : at - start + size] = value
        return tensors

    def _front_block(self, at: int) -> list[np.ndarray]:
        size, skipped = self.plan.front_images, max(self.first_image - at, 0)
        given = self.images[max(at - self.first_image, 0) : at - self.first_image + size]
        block = np.zeros((size, *given.shape[1:]), given.dtype)
        block[skipped : skipped + len(given)] = given
        return [tensor.numpy() for tensor in self.plan.front(tf.constant(block))]

    def _store(self, block: int, image: int, mine: range, probs: np.ndarray) -> int:
        first = block * self.plan.passes
        passes = range(max(first, self.first_pass), min(first + self.plan.passes, self.first_pass + len(self.result)))
        values = probs[mine.start - image : mine.stop - image, passes.start - first : passes.stop - first]
        if not np.isfinite(values).all():
            raise UnsuitableModelError(
                f"The model returned numbers that are not finite. Received: images {mine.start} to {mine.stop - 1}. "
                "Check the images for numbers that are not finite and the scale that the model was trained on."
            )
        rows = slice(passes.start - self.first_pass, passes.stop - self.first_pass)
        self.result[rows, mine.start - self.first_image : mine.stop - self.first_image] = values.swapaxes(0, 1)
        return len(passes) * len(mine)

    @cached_property
    def _kernel(self) -> np.ndarray:
        assert self.plan.turned is not None
        return self.plan.turned.kernel()[0].numpy()


def _finished(
    waiting: set[Future[int]], done: int, total: int, progress: Progress | None
) -> tuple[int, set[Future[int]]]:
    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
    done += sum(future.result() for future in finished)
    if progress:
        progress(done, total)
    return done, waiting


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
