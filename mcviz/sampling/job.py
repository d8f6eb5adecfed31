"""One call of a sampler, cut into pieces of work that threads share.

Examples come in blocks of one size, the last one filled up: a part of a model computes that many rows, whatever it
gets. Matrix products round differently for other sizes, and the same example must give the same bits in any company.
"""

import math
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.sampling.masked_layers import MatrixProduct, tensor_of
from mcviz.sampling.plan import Plan
from mcviz.sampling.products import SUBSET_SUMS, Product, memory_of_thread, why_no_subset_sums
from mcviz.sampling.random_numbers import (
    Draw,
    RandomRequest,
    bernoulli,
    generator_for,
    mask_of_active,
    random_numbers,
)
from mcviz.sampling.texts import NumbersOfTexts

Progress = Callable[[int, int], None]

MOST_SHARED_EXAMPLES = 64
MOST_SHARED_BYTES = 64 << 20
FACTORED_BLOCKS = 2
MANY = 1 << 31  # random bools, of which numba saves as much time as importing it takes

_most_threads: int | None = None  # where a process should not use all cores


@dataclass(frozen=True)
class Job:
    """Passes over examples, both numbered from where the caller says.

    Attributes:
        plan: the prepared model.
        examples: (N, ...) as the model takes them.
        result: (T, N, width) float32, to be filled.
        product: how `plan.masked_dense` is computed.
    """

    plan: Plan
    examples: np.ndarray | NumbersOfTexts
    result: np.ndarray
    seed: int
    per_example: bool
    first_pass: int
    first_example: int
    product: str

    def run(self, progress: Progress | None) -> None:
        """Fill the result, a piece of work in each thread at a time.

        Raises:
            UnsuitableModelError: the model returned numbers that are not finite.
            BaseException: what `progress` raises; the work stops first.
        """
        total, done = self.result.shape[0] * self.result.shape[1], 0
        waiting: set[Future[int]] = set()
        with ThreadPoolExecutor(cores()) as pool:
            try:
                for piece in self._pieces(pool):
                    waiting.add(pool.submit(piece))
                    if len(waiting) > 2 * cores():
                        done, waiting = _finished(waiting, done, total, progress)
                while waiting:
                    done, waiting = _finished(waiting, done, total, progress)
            finally:
                pool.shutdown(cancel_futures=True)

    @property
    def _end(self) -> int:
        return self.first_example + len(self.examples)

    def _pieces(self, pool: ThreadPoolExecutor) -> Iterator[Callable[[], int]]:
        """The work, as functions that may run in any order and return how many predictions they made."""
        plan, last_pass = self.plan, self.first_pass + len(self.result)
        blocks = range(self.first_pass // plan.passes, -(-last_pass // plan.passes))
        unit = max(plan.examples, plan.shared_block)
        affordable = min(MOST_SHARED_EXAMPLES, MOST_SHARED_BYTES // max(1, plan.shared_bytes))
        step = unit * max(1, affordable // unit)
        common_numbers = lru_cache(FACTORED_BLOCKS)(self._common_numbers)  # up to that many serve all examples
        for start in range(self.first_example // unit * unit, self._end, step):
            stop = min(self._end, start + step)
            tensors = self._shared_tensors(start, -(-stop // unit) * unit, pool)
            for group in self._groups(blocks):
                common = [common_numbers(block) for block in group]
                for example in range(start, stop, plan.examples):
                    if example + plan.examples > self.first_example:
                        of_block = [tensor[example - start : example - start + plan.examples] for tensor in tensors]
                        yield partial(self._piece, example, group, common, of_block)

    def _groups(self, blocks: range) -> Iterator[range]:
        """Blocks of passes that make one piece of work: several where the scaled kernel serves them all."""
        size = FACTORED_BLOCKS if self.plan.masked_dense else 1
        if len(self.examples) <= self.plan.examples:
            size = min(size, -(-len(blocks) // cores()))
        return (blocks[at : at + size] for at in range(0, len(blocks), size))

    def _piece(self, example: int, group: range, common: list[dict[int, Any]], tensors: list[np.ndarray]) -> int:
        """Fill the result for the block of examples that starts at `example` and some blocks of passes."""
        plan = self.plan
        wanted = range(max(example, self.first_example), min(example + plan.examples, self._end))
        products = self._products(group, example, wanted, common, tensors[0]) if plan.masked_dense else None
        done = 0
        for at, (block, common_numbers) in enumerate(zip(group, common, strict=True)):
            numbers = [
                self._numbers(request, block, example, wanted, common_numbers, tensors)
                for request in plan.requests
                if not plan.masked_dense or request != plan.masked_dense.request
            ]
            start = [tf.constant(each) for each in tensors] if products is None else [tensor_of(products[at])]
            predicted = plan.random_part(start, numbers).numpy()
            done += self._store(block, example, wanted, predicted.reshape(plan.examples, plan.passes, -1))
        return done

    def _numbers(
        self,
        request: RandomRequest,
        block: int,
        example: int,
        wanted: range,
        common: dict[int, Any],
        tensors: list[np.ndarray],
    ) -> tf.Tensor:
        """(examples × passes, *request.shape) for one block of examples, zero for those that are not wanted.

        In memory of the thread, except for what all examples share.
        """
        if request.number in common:
            return common[request.number]
        plan = self.plan
        dtype: type[np.generic] = np.bool_ if request.distribution == "bernoulli" else np.float32
        shape = (plan.examples, plan.passes, *request.shape)
        numbers = memory_of_thread(f"numbers {request.number}", shape, dtype)
        numbers[: wanted.start - example] = 0
        numbers[wanted.stop - example :] = 0
        for i in wanted:
            of_example, tensor = numbers[i - example], plan.masked_tensors.get(request.number)
            activations = None if tensor is None else tensors[tensor][i - example].reshape(-1)
            if activations is None or activations.all():
                random_numbers(request, plan.passes, self.seed, block, i, of_example, self._draw)
                continue
            active = np.flatnonzero(activations)
            of_example[:] = 0
            of_example.reshape(plan.passes, -1)[:, active] = mask_of_active(
                request, plan.passes, self.seed, block, i, active, self._draw
            )
        return tensor_of(numbers.reshape(-1, *request.shape))

    def _common_numbers(self, block: int) -> dict[int, Any]:
        """By the number of the request, what all examples of a block of passes share.

        A tensor (examples × passes, *request.shape), or an array as the product takes it for the dropout in front of a
        masked dense layer.
        """
        plan, common = self.plan, {}
        for request in plan.requests:
            if self.per_example and not request.shared:
                continue
            numbers = random_numbers(request, plan.passes, self.seed, block, None, draw=self._draw)
            if plan.masked_dense and request == plan.masked_dense.request:
                common[request.number] = self._product.common_mask(numbers.reshape(plan.passes, -1))
            else:
                common[request.number] = tf.constant(np.concatenate([numbers] * plan.examples))
        return common

    def _products(
        self, group: range, example: int, wanted: range, common: list[dict[int, Any]], activations: np.ndarray
    ) -> np.ndarray:
        """(blocks, examples × passes, units): the masked dense layer, whatever for what is not wanted."""
        plan = self.plan
        assert plan.masked_dense is not None
        request = plan.masked_dense.request
        shape = (len(group), plan.examples, plan.passes, plan.masked_dense.units)
        products = memory_of_thread("products", shape, np.float32)
        start = self.first_pass - group.start * plan.passes
        passes = range(max(start, 0), min(start + len(self.result), len(group) * plan.passes))
        for i in wanted:
            of_example = activations[i - example].reshape(-1)
            if self.per_example:
                own = [generator_for(request, self.seed, block, i) for block in group]
                self._product.under_own_masks(products, i - example, passes, of_example, own, request.rate)
            else:
                masks = [numbers[request.number] for numbers in common]
                self._product.under_common_masks(products, i - example, passes, of_example, masks)
        return products.reshape(len(group), plan.examples * plan.passes, -1)

    def _shared_tensors(self, start: int, stop: int, pool: ThreadPoolExecutor) -> list[np.ndarray]:
        """What the shared part gives for examples `start` to `stop`, whole blocks, zero where none is wanted."""
        size = self.plan.shared_block
        blocks = [at for at in range(start, stop, size) if at < self._end and at + size > self.first_example]
        tensors: list[np.ndarray] = []
        for at, of_block in zip(blocks, pool.map(self._shared_block, blocks), strict=True):
            tensors = tensors or [np.zeros((stop - start, *value.shape[1:]), value.dtype) for value in of_block]
            for tensor, value in zip(tensors, of_block, strict=True):
                tensor[at - start : at - start + size] = value
        return tensors

    def _shared_block(self, start: int) -> list[np.ndarray]:
        block = padded_block(self.examples, start - self.first_example, self.plan.shared_block)
        return [tensor.numpy() for tensor in self.plan.shared_part(tf.constant(block))]

    def _store(self, block: int, example: int, wanted: range, predicted: np.ndarray) -> int:
        first = block * self.plan.passes
        passes = range(max(first, self.first_pass), min(first + self.plan.passes, self.first_pass + len(self.result)))
        values = predicted[wanted.start - example : wanted.stop - example, passes.start - first : passes.stop - first]
        if not np.isfinite(values).all():
            raise UnsuitableModelError(
                "The model returned numbers that are not finite. "
                f"Received: examples {wanted.start} to {wanted.stop - 1}. "
                "Check them for numbers that are not finite and for the scale that the model was trained on."
            )
        rows = slice(passes.start - self.first_pass, passes.stop - self.first_pass)
        columns = slice(wanted.start - self.first_example, wanted.stop - self.first_example)
        self.result[rows, columns] = values.swapaxes(0, 1)
        return len(passes) * len(wanted)

    @cached_property
    def _draw(self) -> Draw:
        """How masks are drawn. Both ways give the same bits, but numba takes most of a second to be imported."""
        passes, examples = self.result.shape[:2]
        of_row = sum(math.prod(each.shape) for each in self.plan.requests if each.distribution == "bernoulli")
        has_numba = "numba" in sys.modules or (self.plan.masked_dense and self.product == SUBSET_SUMS)
        many = self.per_example and passes * examples * of_row >= MANY
        if (has_numba or many) and not why_no_subset_sums():
            from mcviz.sampling import random_bits

            return random_bits.bernoulli
        return bernoulli

    @cached_property
    def _product(self) -> Product:
        assert self.plan.masked_dense is not None
        kernel = self.plan.masked_dense.kernel()[0].numpy()
        if self.product == SUBSET_SUMS:
            from mcviz.sampling.subset_sums import SubsetSums  # here, because numba takes most of a second to import

            return SubsetSums(kernel)
        return MatrixProduct(kernel)


def padded_block(examples: np.ndarray | NumbersOfTexts, start: int, size: int) -> np.ndarray:
    """Rows `start` to `start + size - 1`, zeros where there are no examples; `start` may lie up to a block before 0."""
    if 0 <= start <= len(examples) - size:
        return examples[start : start + size]
    block = np.zeros((size, *examples.shape[1:]), examples.dtype)
    given = examples[max(start, 0) : start + size]
    block[max(-start, 0) :][: len(given)] = given
    return block


def padded_blocks(examples: np.ndarray | NumbersOfTexts, size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """All examples, block by block: which of them a block holds, and the (size, ...) block."""
    for start in range(0, len(examples), size):
        yield slice(start, min(start + size, len(examples))), padded_block(examples, start, size)


def _finished(
    waiting: set[Future[int]], done: int, total: int, progress: Progress | None
) -> tuple[int, set[Future[int]]]:
    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
    done += sum(future.result() for future in finished)
    if progress:
        progress(done, total)
    return done, waiting


def use_threads(most: int) -> None:
    """Use no more threads of this process from now on, since other processes on the machine work at the same."""
    global _most_threads
    _most_threads = most


def cores() -> int:
    """How many threads this process may use at a time."""
    if _most_threads:
        return _most_threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
