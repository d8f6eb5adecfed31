"""One call of a sampler, cut into pieces of work that threads share."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.model.blocks import padded_block
from mcviz.model.masked_dense import ScaledKernel, memory_of_thread, tensor_of
from mcviz.model.plan import Plan
from mcviz.model.random_numbers import RandomRequest, mask_of_active, random_numbers

Progress = Callable[[int, int], None]

MOST_SHARED_EXAMPLES = 256
MOST_SHARED_BYTES = 64 << 20
FACTORED_BLOCKS = 2


@dataclass(frozen=True)
class Job:
    """Passes over examples, both numbered from where the caller says.

    Attributes:
        plan: the prepared model.
        examples: (N, ...) as the model takes them.
        result: (T, N, C) float32, to be filled.
    """

    plan: Plan
    examples: np.ndarray
    result: np.ndarray
    seed: int
    per_example: bool
    first_pass: int
    first_example: int

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
        for start in range(self.first_example // unit * unit, self._end, step):
            stop = min(self._end, start + step)
            tensors = self._shared_tensors(start, -(-stop // unit) * unit, pool)
            for group in self._groups(blocks):
                common = [self._common_numbers(block) for block in group]
                for example in range(start, stop, plan.examples):
                    if example + plan.examples > self.first_example:
                        of_block = [tensor[example - start : example - start + plan.examples] for tensor in tensors]
                        yield partial(self._piece, example, group, common, of_block)

    def _groups(self, blocks: range) -> Iterator[range]:
        """Blocks of passes that make one piece of work: several where the scaled kernel serves them all."""
        size = FACTORED_BLOCKS if self.plan.masked_dense else 1
        if len(self.examples) <= self.plan.examples:
            size = min(size, -(-len(blocks) // _cores()))
        return (blocks[at : at + size] for at in range(0, len(blocks), size))

    def _piece(self, example: int, group: range, common: list[dict[int, np.ndarray]], tensors: list[np.ndarray]) -> int:
        """Fill the result for the block of examples that starts at `example` and some blocks of passes."""
        plan = self.plan
        wanted = range(max(example, self.first_example), min(example + plan.examples, self._end))
        products = self._products(group, example, wanted, common, tensors[0]) if plan.masked_dense else None
        done = 0
        for at, (block, common_numbers) in enumerate(zip(group, common, strict=True)):
            numbers = [
                tf.constant(self._numbers(request, block, example, wanted, common_numbers, tensors))
                for request in plan.requests
                if not plan.masked_dense or request != plan.masked_dense.request
            ]
            start = [tf.constant(each) for each in tensors] if products is None else [tensor_of(products[at])]
            probs = plan.random_part(start, numbers).numpy()
            done += self._store(block, example, wanted, probs.reshape(plan.examples, plan.passes, -1))
        return done

    def _numbers(
        self,
        request: RandomRequest,
        block: int,
        example: int,
        wanted: range,
        common: dict[int, np.ndarray],
        tensors: list[np.ndarray],
    ) -> np.ndarray:
        """(examples × passes, *request.shape) for one block of examples, zero for those that are not wanted."""
        if request.number in common:
            return common[request.number]
        plan = self.plan
        dtype = bool if request.distribution == "bernoulli" else np.float32
        numbers = np.zeros((plan.examples, plan.passes, *request.shape), dtype)
        for i in wanted:
            if request.number not in plan.masked_tensors:
                numbers[i - example] = random_numbers(request, plan.passes, self.seed, block, i)
                continue
            activations = tensors[plan.masked_tensors[request.number]][i - example].reshape(-1)
            active = np.flatnonzero(activations)
            mask = mask_of_active(request, plan.passes, self.seed, block, i, active)
            if len(active) == len(activations):  # the same as below, without a copy element by element
                numbers[i - example] = mask.reshape(plan.passes, *request.shape)
            else:
                numbers[i - example].reshape(plan.passes, -1)[:, active] = mask
        return numbers.reshape(-1, *request.shape)

    def _common_numbers(self, block: int) -> dict[int, np.ndarray]:
        """By the number of the request, what all examples of a block of passes share.

        (examples × passes, *request.shape); for the dropout in front of a masked dense layer (activations, passes).
        """
        plan, common = self.plan, {}
        for request in plan.requests:
            if self.per_example and not request.shared:
                continue
            numbers = random_numbers(request, plan.passes, self.seed, block, None)
            if plan.masked_dense and request == plan.masked_dense.request:
                common[request.number] = np.ascontiguousarray(numbers.reshape(plan.passes, -1).T)
            else:
                common[request.number] = np.concatenate([numbers] * plan.examples)
        return common

    def _products(
        self, group: range, example: int, wanted: range, common: list[dict[int, np.ndarray]], activations: np.ndarray
    ) -> np.ndarray:
        """(blocks, examples × passes, units): the masked dense layer, whatever for examples that are not wanted."""
        plan = self.plan
        assert plan.masked_dense is not None
        request = plan.masked_dense.request
        shape = (len(group), plan.examples, plan.passes, self._kernel.shape[1])
        products = memory_of_thread("products", shape, np.float32)
        for i in wanted:
            kernel = ScaledKernel(activations[i - example].reshape(-1), self._kernel)
            for block, common_numbers, of_block in zip(group, common, products, strict=True):
                if request.number in common_numbers:
                    of_block[i - example] = kernel.masked_by_columns(common_numbers[request.number])
                else:
                    mask = mask_of_active(request, plan.passes, self.seed, block, i, kernel.active)
                    of_block[i - example] = kernel.masked(mask)
        return products.reshape(len(group), plan.examples * plan.passes, -1)

    def _shared_tensors(self, start: int, stop: int, pool: ThreadPoolExecutor) -> list[np.ndarray]:
        """What the shared part gives for examples `start` to `stop`, whole blocks, zero where none is wanted."""
        size = self.plan.shared_block
        blocks = [at for at in range(start, stop, size) if at < self._end and at + size > self.first_example]
        values = list(pool.map(self._shared_block, blocks))
        tensors = [np.zeros((stop - start, *value.shape[1:]), value.dtype) for value in values[0]]
        for at, of_block in zip(blocks, values, strict=True):
            for tensor, value in zip(tensors, of_block, strict=True):
                tensor[at - start : at - start + size] = value
        return tensors

    def _shared_block(self, start: int) -> list[np.ndarray]:
        block = padded_block(self.examples, start - self.first_example, self.plan.shared_block)
        return [tensor.numpy() for tensor in self.plan.shared_part(tf.constant(block))]

    def _store(self, block: int, example: int, wanted: range, probs: np.ndarray) -> int:
        first = block * self.plan.passes
        passes = range(max(first, self.first_pass), min(first + self.plan.passes, self.first_pass + len(self.result)))
        values = probs[wanted.start - example : wanted.stop - example, passes.start - first : passes.stop - first]
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
    def _kernel(self) -> np.ndarray:
        assert self.plan.masked_dense is not None
        return self.plan.masked_dense.kernel()[0].numpy()


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
