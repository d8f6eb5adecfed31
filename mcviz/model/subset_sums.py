"""Masks times scaled weights without multiplications: sums of subsets of the weights' rows.

A mask is zeros and ones, so what a pass gets is the sum of a subset of the scaled rows. Four rows have 16 subsets.
Their sums are made once an example, and a pass adds one of them for every four activations (the "method of four
Russians", Arlazarov, Dinic, Kronrod and Faradzhev, 1970).

Every sum is added up in one order, whatever the passes and the processor, so that its bits are always the same.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from mcviz.model.machine_code import compiled, everywhere, vector_at

LANES = 16  # units that are added at once
TILE = 64  # units whose sums are kept at once: 8 × 16 sums of as many floats are 32 KB, a first-level cache
FOURS, IN_FOUR, SUBSETS = 8, 4, 16  # a word of 32 bits of a mask is eight fours
IN_WORD = FOURS * IN_FOUR
TABLE_ROWS = FOURS * SUBSETS


def _filling_four(
    _context: Any, tables: Any, four: Any, unit: Any, kernel: Any, column: Any, rows: Any, factors: Any
) -> Any:
    """Make the sums of the subsets of four rows of the kernel, each times its factor, for LANES units."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _, four, unit, _, column, rows, factors = values
        of_tables, of_kernel = (context.make_array(signature.args[k])(context, builder, values[k]) for k in (0, 3))
        width, at = builder.extract_value(of_kernel.shape, 1), builder.add(column, unit)
        sums = [ir.Constant(ir.VectorType(ir.FloatType(), LANES), [0.0] * LANES)] * SUBSETS
        for k in range(IN_FOUR):
            start = builder.add(builder.mul(builder.extract_value(rows, k), width), at)
            row = builder.load(vector_at(builder, of_kernel, start, ir.FloatType(), LANES), align=4)
            scaled = builder.fmul(row, everywhere(builder, builder.extract_value(factors, k), LANES))
            bit = SUBSETS // 2 >> k
            sums[bit] = scaled
            for subset in range(2 * bit, SUBSETS, 2 * bit):
                sums[subset + bit] = builder.fadd(sums[subset], scaled)
        for subset, each in enumerate(sums):
            row = builder.add(builder.mul(four, four.type(SUBSETS)), four.type(subset))
            start = builder.add(builder.mul(row, unit.type(TILE)), unit)
            builder.store(each, vector_at(builder, of_tables, start, ir.FloatType(), LANES), align=4)
        return context.get_dummy_value()

    return types.void(tables, four, unit, kernel, column, rows, factors), generate


_fill_four: Any = intrinsic(_filling_four)


def _adding_eight(units: int) -> Any:
    """The code of: sums[start : start + units] += the rows of `tables`, from `unit` on, that a word's eight fours name.

    Vector instructions: numba makes them of a loop only where rows are wide, and behind a check of all pointers. What
    finds the rows is done once for all units.
    """

    def adding(_context: Any, sums: Any, start: Any, tables: Any, word: Any, unit: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            _, start, _, word, unit = values
            of_sums, of_tables = (context.make_array(signature.args[k])(context, builder, values[k]) for k in (0, 2))
            places = []
            for four in range(FOURS):
                shifted = builder.lshr(word, word.type(IN_WORD - IN_FOUR * (four + 1)))
                subset = builder.zext(builder.and_(shifted, word.type(SUBSETS - 1)), unit.type)
                row = builder.add(subset, unit.type(SUBSETS * four))
                places.append(builder.add(builder.mul(row, unit.type(TILE)), unit))
            for lane in range(0, units, LANES):
                here = (builder.add(place, unit.type(lane)) for place in (start, *places))
                target, *found = (
                    vector_at(builder, array, at, ir.FloatType(), LANES)
                    for array, at in zip((of_sums, *[of_tables] * FOURS), here, strict=True)
                )
                rows = [builder.load(row, align=4) for row in found]
                while len(rows) > 1:
                    rows = [builder.fadd(one, other) for one, other in zip(rows[::2], rows[1::2], strict=True)]
                builder.store(builder.fadd(builder.load(target, align=4), rows[0]), target, align=4)
            return context.get_dummy_value()

        return types.void(sums, start, tables, word, unit), generate

    return adding


_add_tile: Any = intrinsic(_adding_eight(TILE))
_add_lanes: Any = intrinsic(_adding_eight(LANES))


def _shifting_in(_context: Any, words: Any, start: Any, bits: Any) -> Any:
    """Shift words[start : start + IN_WORD] up by one bit, and put the bits of `bits` below, from the lowest on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        of_words = context.make_array(signature.args[0])(context, builder, values[0])
        integers = ir.VectorType(ir.IntType(32), IN_WORD)
        target = vector_at(builder, of_words, values[1], ir.IntType(32), IN_WORD)
        added = builder.zext(builder.bitcast(values[2], ir.VectorType(ir.IntType(1), IN_WORD)), integers)
        shifted = builder.shl(builder.load(target, align=4), ir.Constant(integers, [1] * IN_WORD))
        builder.store(builder.or_(shifted, added), target, align=4)
        return context.get_dummy_value()

    return types.void(words, start, bits), generate


_shift_in: Any = intrinsic(_shifting_in)


@compiled("void(float32[:, ::1], int64, float32[::1], int64[::1], float32[:, ::1], int64)")
def _fill_tables(
    tables: np.ndarray, first: int, factors: np.ndarray, rows: np.ndarray, kernel: np.ndarray, left: int
) -> None:
    """Fill the tables of a word, whose first factor is number `first`, for the units from `left` on; see `add_up`."""
    for four in range(FOURS):
        k = first + IN_FOUR * four
        of_four = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        scales = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
        for unit in range(0, min(TILE, kernel.shape[1] - left), LANES):
            _fill_four(tables, four, unit, kernel, left, of_four, scales)


@compiled(
    "void(float32[:, :, :, ::1], int64, int64, int64, float32[::1], int64[::1], float32[:, ::1], uint32[:, :, ::1], "
    "float32[:, ::1])"
)
def add_up(
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
    """Fill an example's sums of passes `first` to `stop - 1`, counted through all blocks; the others stay as they are.

    Args:
        sums: (blocks, examples, passes, units) float32, units a multiple of `LANES`.
        example: which of them it is.
        first: the first pass that is wanted.
        stop: the one after the last.
        factors: (words × `IN_WORD`,) float32, the activations that are not zero, and zeros behind them.
        rows: (words × `IN_WORD`,) int64, those of the kernel that they scale.
        kernel: (n, units) float32.
        mask: (words, blocks, passes or more) uint32: bit 31 - k of word w is that of factor 32 w + k.
        tables: (`TABLE_ROWS`, `TILE`) float32, to work in.
    """
    blocks, examples, passes, units = sums.shape
    flat = sums.reshape(-1)
    for left in range(0, units, TILE):
        tile = min(TILE, units - left)
        for word in range(len(mask)):
            _fill_tables(tables, IN_WORD * word, factors, rows, kernel, left)
            for block in range(blocks):
                words = mask[word, block]
                wanted = range(max(first - block * passes, 0), min(stop - block * passes, passes))
                start = (block * examples + example) * passes * units + left
                if word == 0:
                    for at in wanted:
                        flat[start + at * units : start + at * units + tile] = 0
                if tile == TILE:
                    for at in wanted:
                        _add_tile(flat, start + at * units, tables, words[at], 0)
                else:
                    for at in wanted:
                        for unit in range(0, tile, LANES):
                            _add_lanes(flat, start + at * units + unit, tables, words[at], unit)


@compiled("void(uint64[::1], int64, int64, uint32[:, :])")
def gather_own(bits: np.ndarray, active: int, passes: int, mask: np.ndarray) -> None:
    """Bring an example's own mask into the form that `add_up` takes.

    Args:
        bits: uint64, the mask's bits from the highest of each word on: pass by pass one for each activation that is not
            zero; and one word more.
        active: how many activations are not zero.
        passes: of the mask.
        mask: (words, passes or more) uint32, to be filled for `passes`. Bits behind the last activation do not matter.
    """
    for word in range(len(mask)):
        of_word = mask[word]
        for at in range(passes):
            start = at * active + word * IN_WORD
            first, skipped = start >> 6, np.uint64(start & 63)
            found = bits[first] << skipped
            if skipped > 32:
                found |= bits[first + 1] >> (np.uint64(64) - skipped)
            of_word[at] = found >> np.uint64(32)


@compiled("void(uint32[:, ::1], int64[::1], uint32[:, :])")
def gather_common(columns: np.ndarray, rows: np.ndarray, mask: np.ndarray) -> None:
    """Bring a mask that the examples share into the form that `add_up` takes, for one of them.

    Args:
        columns: (n, passes / 32, rounded up) uint32, from `columns_of`.
        rows: as for `add_up`.
        mask: (words, as many passes as `columns` has bits) uint32, to be filled.
    """
    for word in range(len(mask)):
        of_word = mask[word]
        for k in range(IN_WORD * word, IN_WORD * (word + 1)):
            row = columns[rows[k]]
            for at in range(len(row)):
                _shift_in(of_word, IN_WORD * at, row[at])


def columns_of(kept: np.ndarray) -> np.ndarray:
    """A mask that the examples share in the form that `gather_common` takes.

    Args:
        kept: (passes, n) bool.

    Returns:
        (n + 1, passes / 32, rounded up) uint32: bit p of word w is that of pass 32 w + p. The last row is of zeros.
    """
    padded = np.pad(kept, ((0, -len(kept) % 32), (0, 1)))
    return np.packbits(padded, axis=0, bitorder="little").T.copy().view("<u4").astype(np.uint32, copy=False)
