"""Masks times scaled weights without multiplications: sums of subsets of the weights' rows.

A mask is zeros and ones, so a pass is the sum of a subset of the scaled rows, as `sum_kept_rows` has it in plain
Python. Four rows have 16 subsets. Their sums are made once an example, and a pass adds one of them for every four
activations (the "method of four Russians", Arlazarov, Dinic, Kronrod and Faradzhev, 1970).

Every sum is added up in one order, whatever the passes and the processor, so that its bits are always the same.
"""

from collections.abc import Sequence

import numpy as np

from mcviz.sampling import random_bits
from mcviz.sampling.products import thread_memory
from mcviz.sampling.vector_code import IN_WORD, LANES, append_bits, inline, jit, load, store

TILE = 64  # units whose sums are kept at once: 8 × 16 sums of as many floats are 32 KB, a first-level cache
FOURS, IN_FOUR, SUBSETS = 8, 4, 16  # a word of a mask is eight fours


def sum_kept_rows(kernel: np.ndarray, activations: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Add up the rows of each pass in float32: the specification of `SubsetSums`, whose sums have these bits.

    Args:
        kernel: (n, units) float32.
        activations: (n,) float32; those that are zero take no part.
        kept: (passes, n) bool, the masks.

    Returns:
        (passes, units) float32.
    """
    active = np.flatnonzero(activations)
    sums, nothing = np.zeros((len(kept), kernel.shape[1]), np.float32), np.zeros(kernel.shape[1], np.float32)
    for total, mask in zip(sums, kept, strict=True):
        rows = [activations[k] * kernel[k] if mask[k] else nothing for k in active]
        rows += [nothing] * (-len(rows) % IN_WORD)
        for word in range(0, len(rows), IN_WORD):
            fours = []
            for k in range(word, word + IN_WORD, IN_FOUR):
                fours.append(((rows[k] + rows[k + 1]) + rows[k + 2]) + rows[k + 3])
            a, b, c, d, e, f, g, h = fours
            total += ((a + b) + (c + d)) + ((e + f) + (g + h))
    return sums


class SubsetSums:
    """See `Product`: by sums of subsets, looked up by the masks' bits."""

    def __init__(self, kernel: np.ndarray) -> None:
        self._units = kernel.shape[1]
        self._kernel = np.pad(kernel, ((0, 1), (0, -self._units % LANES)))

    def prepare_pass_mask(self, kept: np.ndarray) -> np.ndarray:
        """Return (n + 1, passes / 32 rounded up) uint32: bit p of word w is of pass 32 w + p; the last row is zeros."""
        padded = np.pad(kept, ((0, -len(kept) % IN_WORD), (0, 1)))
        return np.packbits(padded, axis=0, bitorder="little").T.copy().view("<u4").astype(np.uint32, copy=False)

    def multiply_per_pass(
        self, products: np.ndarray, example: int, passes: range, activations: np.ndarray, masks: Sequence[np.ndarray]
    ) -> None:
        """See `Product`."""
        active = np.flatnonzero(activations != 0)
        rows, words = self._rows(active), self._words(products, len(active))
        for block, columns in enumerate(masks):
            _gather_pass_mask(columns, rows, words[:, block])
        self._add_up(products, example, passes, activations[active], rows, words)

    def multiply_per_example(
        self,
        products: np.ndarray,
        example: int,
        passes: range,
        activations: np.ndarray,
        generators: Sequence[np.random.Generator],
        rate: float,
    ) -> None:
        """See `Product`."""
        active = np.flatnonzero(activations != 0)
        words, count = self._words(products, len(active)), products.shape[2]
        for block, generator in enumerate(generators):
            bits = random_bits.draw_packed_bernoulli(generator, count * len(active), rate)
            _gather_example_mask(bits, len(active), count, words[:, block])
        self._add_up(products, example, passes, activations[active], self._rows(active), words)

    def _rows(self, active: np.ndarray) -> np.ndarray:
        """Return the kernel's rows of the activations that are not zero, filled up with its row of zeros."""
        rows = np.full(len(active) + -len(active) % IN_WORD, len(self._kernel) - 1)
        rows[: len(active)] = active
        return rows

    def _words(self, products: np.ndarray, active: int) -> np.ndarray:
        """Return memory for (words, blocks, passes or more) uint32: bit 31 - k of word w is of active 32 w + k."""
        blocks, _, passes, _ = products.shape
        words, passes = (-(-count // IN_WORD) for count in (active, passes))
        return thread_memory("words", (words, blocks, passes * IN_WORD), np.uint32)

    def _add_up(
        self,
        products: np.ndarray,
        example: int,
        passes: range,
        factors: np.ndarray,
        rows: np.ndarray,
        words: np.ndarray,
    ) -> None:
        if not len(rows):
            products[:, example] = 0
            return
        width = self._kernel.shape[1]
        padded = np.zeros(len(rows), np.float32)
        padded[: len(factors)] = factors
        tables = thread_memory("tables", (FOURS * SUBSETS, TILE), np.float32)
        sums, at = products, example
        if width != self._units:
            sums, at = thread_memory("sums", (len(products), 1, products.shape[2], width), np.float32), 0
        _fill_sums(sums, at, passes.start, passes.stop, padded, rows, self._kernel, words, tables)
        if width != self._units:
            products[:, example] = sums[:, 0, :, : self._units]


@jit("void(float32[:, ::1], int64, float32[::1], int64[::1], float32[:, ::1], int64)")
def _fill_tables(
    tables: np.ndarray, first: int, factors: np.ndarray, rows: np.ndarray, kernel: np.ndarray, left: int
) -> None:
    """Compute the sums of all subsets of each four rows of a word, from row `first` on, for units from `left` on.

    A subset is a number of four bits, the highest for the first row.
    """
    width = kernel.shape[1]
    for four in range(FOURS):
        for unit in range(0, min(TILE, width - left), LANES):
            start = SUBSETS * four * TILE + unit
            for k in range(IN_FOUR):
                number, bit = first + IN_FOUR * four + k, SUBSETS // 2 >> k
                scaled = load(kernel, rows[number] * width + left + unit) * factors[number]
                store(tables, start + bit * TILE, scaled)
                for subset in range(2 * bit, SUBSETS, 2 * bit):
                    store(tables, start + (subset + bit) * TILE, load(tables, start + subset * TILE) + scaled)


@inline
def _table_position(word: np.uint32, four: int) -> int:
    """Return the position of the sum that a word of a mask names for one of its fours."""
    subset = int(word >> np.uint32(IN_WORD - IN_FOUR * (four + 1))) & (SUBSETS - 1)
    return (SUBSETS * four + subset) * TILE


@inline
def _add_word(sums: np.ndarray, at: int, tables: np.ndarray, word: np.uint32, units: int) -> None:
    """Add the eight sums that a word of a mask names to those of a pass, for the first `units` of both.

    Where `units` is a constant, LLVM makes no loop of it, which takes half as long.
    """
    a, b, c, d = _table_position(word, 0), _table_position(word, 1), _table_position(word, 2), _table_position(word, 3)
    e, f, g, h = _table_position(word, 4), _table_position(word, 5), _table_position(word, 6), _table_position(word, 7)
    for unit in range(0, units, LANES):
        one = (load(tables, a + unit) + load(tables, b + unit)) + (load(tables, c + unit) + load(tables, d + unit))
        two = (load(tables, e + unit) + load(tables, f + unit)) + (load(tables, g + unit) + load(tables, h + unit))
        store(sums, at + unit, load(sums, at + unit) + (one + two))


@jit(
    "void(float32[:, :, :, ::1], int64, int64, int64, float32[::1], int64[::1], float32[:, ::1], uint32[:, :, ::1], "
    "float32[:, ::1])"
)
def _fill_sums(
    sums: np.ndarray,
    example: int,
    first: int,
    stop: int,
    factors: np.ndarray,
    rows: np.ndarray,
    kernel: np.ndarray,
    mask: np.ndarray,
    tables: np.ndarray,
) -> None:
    """Fill an example's sums of passes `first` to `stop - 1`, counted through all blocks, and leave the others.

    Args:
        sums: (blocks, examples, passes, units) float32, units a multiple of `LANES`.
        example: its index in `sums`.
        first: the first wanted pass.
        stop: the pass after the last.
        factors: (words × `IN_WORD`,) float32, the activations that are not zero, and zeros behind them.
        rows: (words × `IN_WORD`,) int64, the kernel's rows that they scale.
        kernel: (n, units) float32.
        mask: (words, blocks, passes or more) uint32: bit 31 - k of word w is of factor 32 w + k.
        tables: (`FOURS` × `SUBSETS`, `TILE`) float32, to work in.
    """
    blocks, examples, passes, units = sums.shape
    flat, table = sums.reshape(-1), tables.reshape(-1)
    tables[::SUBSETS] = 0  # the sums of no rows
    for at in range(first, stop):
        sums[at // passes, example, at % passes] = 0
    for left in range(0, units, TILE):
        tile = min(TILE, units - left)
        for word in range(len(mask)):
            _fill_tables(tables, IN_WORD * word, factors, rows, kernel, left)
            for block in range(blocks):
                words = mask[word, block]
                wanted = range(max(first - block * passes, 0), min(stop - block * passes, passes))
                start = (block * examples + example) * passes * units + left
                if tile == TILE:
                    for at in wanted:
                        _add_word(flat, start + at * units, table, words[at], TILE)
                else:
                    for at in wanted:
                        for unit in range(0, tile, LANES):
                            _add_word(flat, start + at * units + unit, table[unit:], words[at], LANES)


@jit("void(uint64[::1], int64, int64, uint32[:, :])")
def _gather_example_mask(bits: np.ndarray, active: int, passes: int, mask: np.ndarray) -> None:
    """Bring an example's own mask into the form for `_fill_sums`.

    Args:
        bits: uint64, the mask's bits from the highest of each word on: pass by pass one for each activation that is not
            zero; and one word more.
        active: the number of activations that are not zero.
        passes: of the mask.
        mask: (words, passes or more) uint32, to be filled for `passes`. Bits behind the last activation do not matter.
    """
    for word in range(len(mask)):
        column = mask[word]
        for at in range(passes):
            start = at * active + word * IN_WORD
            first, skipped = start >> 6, np.uint64(start & 63)
            found = bits[first] << skipped
            if skipped > 32:
                found |= bits[first + 1] >> (np.uint64(64) - skipped)
            column[at] = found >> np.uint64(32)


@jit("void(uint32[:, ::1], int64[::1], uint32[:, :])")
def _gather_pass_mask(columns: np.ndarray, rows: np.ndarray, mask: np.ndarray) -> None:
    """Bring a mask that the examples share, from `SubsetSums.prepare_pass_mask`, into the form for `_fill_sums`."""
    for word in range(len(mask)):
        column = mask[word]
        for k in range(IN_WORD * word, IN_WORD * (word + 1)):
            row = columns[rows[k]]
            for at in range(len(row)):
                append_bits(column, IN_WORD * at, row[at])
