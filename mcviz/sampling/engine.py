"""The engine: cut one call of a sampler into pieces for threads.

Blocks have one size, padded at the end: matrix products round differently for other sizes, and an example must give the
same bits in any company.
"""

import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache, partial
from importlib import import_module

import numpy as np

from mcviz.errors import UnsuitableModelError
from mcviz.runs.tables import Progress, Rows
from mcviz.sampling.base import Inputs, Plan
from mcviz.sampling.masks import (
    SUBSET_SUMS,
    DrawBernoulli,
    MatrixProduct,
    Product,
    RandomRequest,
    aligned_memory,
    bernoulli,
    draw_active_mask,
    draw_random_numbers,
    make_generator,
    pack_masks,
    thread_memory,
)

MOST_SHARED_EXAMPLES = 64
MOST_SHARED_BYTES = 64 << 20
FACTORED_BLOCKS = 2
MANY = 1 << 31  # random bools, for which numba saves as much time as importing it takes

_thread_limit: int | None = None  # of a process that should not use all cores


@cache
def subset_sums_error() -> str:
    """Return why sums of subsets are unavailable, or ""."""
    try:
        import_module("mcviz.sampling.machine_code")  # which imports all that they need
    except (ImportError, OSError) as error:
        return str(error)
    return ""


@dataclass(frozen=True)
class SamplerCall:
    """Passes over examples.

    Attributes:
        plan: of the model.
        examples: by the names of the model's inputs, each (N, ...).
        result: (T, N, width) float32, to be filled.
        seed: of the random numbers.
        per_example: whether each example has masks of its own.
        first_pass: the number of the first pass.
        first_example: the number of the first example.
        product: how `plan.masked_dense` is computed.
    """

    plan: Plan
    examples: Mapping[str, Rows]
    result: np.ndarray
    seed: int
    per_example: bool
    first_pass: int
    first_example: int
    product: str

    def run(self, progress: Progress | None) -> None:
        """Fill the result.

        Args:
            progress: called with (done, total) predictions.

        Raises:
            UnsuitableModelError: the model returned numbers that are not finite.
            BaseException: from `progress`; the work stops first.
        """
        total, done = self.result.shape[0] * self.result.shape[1], 0
        waiting: set[Future[int]] = set()

        def await_piece() -> None:
            nonlocal done, waiting
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            done += sum(future.result() for future in finished)
            if progress:
                progress(done, total)

        with ThreadPoolExecutor(thread_count()) as pool:
            try:
                for piece in self._pieces(pool):
                    waiting.add(pool.submit(piece))
                    if len(waiting) > 2 * thread_count():
                        await_piece()
                while waiting:
                    await_piece()
            finally:
                pool.shutdown(cancel_futures=True)

    @property
    def _end(self) -> int:
        return self.first_example + self.result.shape[1]

    def _pieces(self, pool: ThreadPoolExecutor) -> Iterator[Callable[[], int]]:
        """Yield functions that run in any order and return their prediction counts."""
        plan, last_pass = self.plan, self.first_pass + len(self.result)
        blocks = range(self.first_pass // plan.passes_per_block, -(-last_pass // plan.passes_per_block))
        unit = max(plan.examples_per_block, plan.shared_examples_per_block)
        affordable = min(MOST_SHARED_EXAMPLES, MOST_SHARED_BYTES // max(1, plan.shared_bytes))
        step = unit * max(1, affordable // unit)
        pass_numbers = lru_cache(FACTORED_BLOCKS)(self._draw_pass_numbers)  # up to that many serve all examples
        for start in range(self.first_example // unit * unit, self._end, step):
            stop = min(self._end, start + step)
            shared = self._compute_shared_part(start, -(-stop // unit) * unit, pool)
            for group in self._group_blocks(blocks):
                numbers = [pass_numbers(block) for block in group]
                for example in range(start, stop, plan.examples_per_block):
                    if example + plan.examples_per_block > self.first_example:
                        rows = slice(example - start, example - start + plan.examples_per_block)
                        yield partial(self._run_piece, example, group, numbers, [array[rows] for array in shared])

    def _group_blocks(self, blocks: range) -> Iterator[range]:
        """Group blocks of passes that one scaled kernel serves."""
        size = FACTORED_BLOCKS if self.plan.masked_dense else 1
        if self.result.shape[1] <= self.plan.examples_per_block:
            size = min(size, -(-len(blocks) // thread_count()))
        return (blocks[at : at + size] for at in range(0, len(blocks), size))

    def _run_piece(
        self, example: int, group: range, pass_numbers: list[dict[int, np.ndarray]], shared: list[np.ndarray]
    ) -> int:
        """Fill the result for a block of examples and some blocks of passes."""
        plan = self.plan
        wanted = range(max(example, self.first_example), min(example + plan.examples_per_block, self._end))
        products = self._multiply(group, example, wanted, pass_numbers, shared[0]) if plan.masked_dense else None
        done = 0
        for at, (block, given) in enumerate(zip(group, pass_numbers, strict=True)):
            numbers = [
                self._draw_numbers(request, block, example, wanted, given, shared)
                for request in plan.random_requests
                if not plan.masked_dense or request != plan.masked_dense.request
            ]
            predicted = plan.random_part(shared if products is None else [products[at]], numbers)
            done += self._store(
                block, example, wanted, predicted.reshape(plan.examples_per_block, plan.passes_per_block, -1)
            )
        return done

    def _draw_numbers(
        self,
        request: RandomRequest,
        block: int,
        example: int,
        wanted: range,
        pass_numbers: dict[int, np.ndarray],
        shared: list[np.ndarray],
    ) -> np.ndarray:
        """Draw (examples × passes, *request.shape) in thread memory unless shared, zero if unwanted."""
        if request.number in pass_numbers:
            return pass_numbers[request.number]
        plan, examples = self.plan, self.plan.examples_per_block
        if plan.packs_numbers and request.distribution == "bernoulli":
            masks = thread_memory("masks", (plan.passes_per_block, *request.shape), np.bool_)
            packed = np.zeros((examples, *pack_masks(masks).shape), np.uint8)
            for i in wanted:
                self._draw_example(request, block, i, [array[i - example] for array in shared], masks)
                packed[i - example] = pack_masks(masks)
            return packed.reshape(-1, packed.shape[-1])
        dtype: type[np.generic] = np.bool_ if request.distribution == "bernoulli" else np.float32
        numbers = thread_memory(f"numbers {request.number}", (examples, plan.passes_per_block, *request.shape), dtype)
        numbers[: wanted.start - example] = 0
        numbers[wanted.stop - example :] = 0
        for i in wanted:
            self._draw_example(request, block, i, [array[i - example] for array in shared], numbers[i - example])
        return numbers.reshape(-1, *request.shape)

    def _draw_example(
        self, request: RandomRequest, block: int, example: int, shared: list[np.ndarray], numbers: np.ndarray
    ) -> None:
        """Draw (passes, *request.shape) for one example."""
        masked_array, passes = self.plan.masked_arrays.get(request.number), self.plan.passes_per_block
        activations = None if masked_array is None else shared[masked_array].reshape(-1)
        if activations is None or activations.all():
            draw_random_numbers(request, passes, self.seed, block, example, numbers, self._draw_bernoulli)
            return
        active = np.flatnonzero(activations)
        numbers[:] = 0
        numbers.reshape(passes, -1)[:, active] = draw_active_mask(
            request, passes, self.seed, block, example, active, self._draw_bernoulli
        )

    def _draw_pass_numbers(self, block: int) -> dict[int, np.ndarray]:
        """Draw a block's shared random numbers by request.

        They are (examples × passes, *request.shape), or in the product's form, or packed once for all examples.
        """
        plan = self.plan
        masks: dict[int, np.ndarray] = {}
        for request in plan.random_requests:
            if self.per_example and not request.shared:
                continue
            numbers = draw_random_numbers(
                request, plan.passes_per_block, self.seed, block, None, draw=self._draw_bernoulli
            )
            if plan.packs_numbers:
                masks[request.number] = pack_masks(numbers) if request.distribution == "bernoulli" else numbers
            elif plan.masked_dense and request == plan.masked_dense.request:
                masks[request.number] = self._product.prepare_pass_mask(numbers.reshape(plan.passes_per_block, -1))
            else:
                repeated = aligned_memory(numbers.nbytes * plan.examples_per_block).view(numbers.dtype)
                masks[request.number] = repeated.reshape(-1, *request.shape)
                repeated.reshape(plan.examples_per_block, *numbers.shape)[:] = numbers
        return masks

    def _multiply(
        self,
        group: range,
        example: int,
        wanted: range,
        pass_numbers: list[dict[int, np.ndarray]],
        activations: np.ndarray,
    ) -> np.ndarray:
        """Compute the masked dense layer, (blocks, examples × passes, units); unwanted ones are arbitrary."""
        plan = self.plan
        assert plan.masked_dense is not None
        request = plan.masked_dense.request
        shape = (len(group), plan.examples_per_block, plan.passes_per_block, plan.masked_dense.units)
        products = thread_memory("products", shape, np.float32)
        start = self.first_pass - group.start * plan.passes_per_block
        passes = range(max(start, 0), min(start + len(self.result), len(group) * plan.passes_per_block))
        for i in wanted:
            row = activations[i - example].reshape(-1)
            if self.per_example:
                generators = [make_generator(request, self.seed, block, i) for block in group]
                self._product.multiply_per_example(products, i - example, passes, row, generators, request.rate)
            else:
                masks = [numbers[request.number] for numbers in pass_numbers]
                self._product.multiply_per_pass(products, i - example, passes, row, masks)
        return products.reshape(len(group), plan.examples_per_block * plan.passes_per_block, -1)

    def _compute_shared_part(self, start: int, stop: int, pool: ThreadPoolExecutor) -> list[np.ndarray]:
        """Compute whole blocks of the shared part, zero for unwanted ones."""
        size = self.plan.shared_examples_per_block
        blocks = [at for at in range(start, stop, size) if at < self._end and at + size > self.first_example]
        shared: list[np.ndarray] = []
        for at, computed in zip(blocks, pool.map(self._compute_shared_block, blocks), strict=True):
            shared = shared or [np.zeros((stop - start, *array.shape[1:]), array.dtype) for array in computed]
            for array, values in zip(shared, computed, strict=True):
                array[at - start : at - start + size] = values
        return shared

    def _compute_shared_block(self, start: int) -> list[np.ndarray]:
        block = _pad_block(self.examples, start - self.first_example, self.plan.shared_examples_per_block)
        return self.plan.shared_part(block)

    def _store(self, block: int, example: int, wanted: range, predicted: np.ndarray) -> int:
        first = block * self.plan.passes_per_block
        passes = range(
            max(first, self.first_pass), min(first + self.plan.passes_per_block, self.first_pass + len(self.result))
        )
        values = predicted[wanted.start - example : wanted.stop - example, passes.start - first : passes.stop - first]
        check_finite(values, wanted.start)
        rows = slice(passes.start - self.first_pass, passes.stop - self.first_pass)
        columns = slice(wanted.start - self.first_example, wanted.stop - self.first_example)
        self.result[rows, columns] = values.swapaxes(0, 1)
        return len(passes) * len(wanted)

    @cached_property
    def _draw_bernoulli(self) -> DrawBernoulli:
        """Draw masks with numba, or without its slow import: the same bits."""
        passes, examples = self.result.shape[:2]
        per_row = sum(
            math.prod(request.shape) for request in self.plan.random_requests if request.distribution == "bernoulli"
        )
        has_numba = "numba" in sys.modules or (self.plan.masked_dense and self.product == SUBSET_SUMS)
        many = self.per_example and passes * examples * per_row >= MANY
        if (has_numba or many) and not subset_sums_error():
            from mcviz.sampling import machine_code

            return machine_code.bernoulli
        return bernoulli

    @cached_property
    def _product(self) -> Product:
        assert self.plan.masked_dense is not None
        kernel = np.ascontiguousarray(self.plan.masked_dense.kernel())
        if self.product == SUBSET_SUMS:
            from mcviz.sampling.machine_code import SubsetSums  # here, because numba takes most of a second to import

            return SubsetSums(kernel)
        return MatrixProduct(kernel, self.plan.masked_dense.multiply)


def iterate_blocks(examples: Mapping[str, Rows], size: int) -> Iterator[tuple[slice, Inputs]]:
    """Yield blocks: the slice of examples, and padded inputs (size, ...)."""
    count = count_examples(examples)
    for start in range(0, count, size):
        yield slice(start, min(start + size, count)), _pad_block(examples, start, size)


def check_finite(predictions: np.ndarray, first: int) -> None:
    """Refuse nonfinite predictions, (n, ...), numbered from the first."""
    if not np.isfinite(predictions).all():
        raise UnsuitableModelError(
            "The model returned numbers that are not finite. "
            f"Received: examples {first} to {first + len(predictions) - 1}. "
            "Check them for numbers that are not finite and for the scale that the model was trained on."
        )


def count_examples(examples: Mapping[str, Rows]) -> int:
    """Return N, of inputs that are each (N, ...)."""
    return next(iter(examples.values())).shape[0]


def limit_threads(most: int) -> None:
    """Limit this process's threads, since others share the machine."""
    global _thread_limit
    _thread_limit = most


def thread_count() -> int:
    """Return the number of threads for this process."""
    if _thread_limit:
        return _thread_limit
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pad_block(examples: Mapping[str, Rows], start: int, size: int) -> Inputs:
    """Return `size` rows from `start`, zeros beyond the examples; `start` may be negative."""
    return {name: _pad_rows(rows, start, size) for name, rows in examples.items()}


def _pad_rows(rows: Rows, start: int, size: int) -> np.ndarray:
    if 0 <= start <= rows.shape[0] - size:
        return np.ascontiguousarray(rows[start : start + size])  # products round differently for other orders, too
    block = np.zeros((size, *rows.shape[1:]), rows.dtype)
    given = rows[max(start, 0) : start + size]
    block[max(-start, 0) :][: len(given)] = given
    return block
