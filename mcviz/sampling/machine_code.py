"""Masks drawn and multiplied in machine code: the slowest loops of sampling.

numba compiles `SubsetSums` and `bernoulli`, but cannot vectorise them, because arrays could overlap. Without this file
they take 1.75 times as long. numba also lacks integers of 128 bits. So some functions exist twice, and
`tests/sampling/test_vector_code.py` compares both:

- In plain Python: the specification, bit for bit, which runs without numba's compiler.
- As `machine_code`, below its name: instructions for LLVM, which compiled functions get instead.

`builder` appends an instruction and returns its result. `values` are the arguments. An array and its position give an
address by `_vector_pointer`. Functions of 32 or 64 values take a word of bits: the lowest bit is the first value, and
`bitreverse` makes it the highest. numba checks only the file of a compiled function for changes. After a change here,
also change the calling files, or delete `__pycache__`.

Four states of PCG64, each four steps apart, run at once (F. Brown, 1994, "Random number generation with arbitrary
strides"). A pass sums a subset of scaled rows (`sum_kept_rows`). The 16 sums of four rows are made once an example (the
"method of four Russians", Arlazarov, Dinic, Kronrod and Faradzhev, 1970), in one order, so that bits are the same.
"""

import inspect
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import lower_builtin, register_model, type_callable

from mcviz.sampling.machine_code_files import keep_compiled
from mcviz.sampling.masks import rate_threshold, thread_memory

Function = TypeVar("Function", bound=Callable[..., Any])
Pair64 = tuple[np.uint64, np.uint64]  # a whole number of 128 bits, as its high and low half
LANES = 16  # float32 added at once
IN_WORD, IN_BITS = 32, 64  # values with a bit in a word of a mask, or of drawn bits
FLOATS, WORDS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.IntType(32), IN_WORD)
BYTES, I64, I128 = ir.VectorType(ir.IntType(8), IN_BITS), ir.IntType(64), ir.IntType(128)
BIT = ir.IntType(1)
pair64 = types.UniTuple(types.uint64, 2)  # type: ignore[no-untyped-call]

STATES = 4  # computed at once
CHUNK = 1024  # words drawn before they are compared, so that they stay in the first-level cache
TWO_64 = 1 << 64
SET, OR, AND = range(3)  # combinations of a word with its drawn number
_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645  # of PCG64 in numpy
_ONCE, _OVER_ALL = (
    (np.uint64(factor // TWO_64), np.uint64(factor % TWO_64))
    for factor in (_MULTIPLIER, pow(_MULTIPLIER, STATES, TWO_64**2))
)

TILE = 64  # units with sums in memory at once: 8 × 16 sums of as many floats are 32 KB, a first-level cache
GROUPS_PER_WORD, ROWS_PER_GROUP, SUBSETS = 8, 4, 16  # a word of a mask is eight groups of four


class Lanes(types.Type):
    """numba's type of LANES float32 in registers; an array in plain Python."""


lanes: Any = Lanes("lanes")
register_model(Lanes)(partial(PrimitiveModel, be_type=FLOATS))


def jit(signature: str) -> Callable[[Function], Function]:
    """Compile a function, cached beside its file or in the user's cache if possible."""

    def decorate(function: Function) -> Any:
        # A name for each version of numba, or one process would read a file that another is replacing.
        function.__qualname__ += f"-{numba.__version__}"
        compiled: Any = njit(nogil=True)(function)
        keep_compiled(compiled, function)
        compiled.compile(signature)
        compiled.disable_compile()
        return compiled

    return decorate


def inline(function: Function) -> Function:
    """Mark a function to compile within its callers."""
    decorate: Any = njit
    return decorate(function)


def machine_code(function: Callable[..., Any], takes: tuple[Any, ...], gives: Any) -> Callable[[Function], Function]:
    """Declare machine code of a plain function for numba types."""

    def result(*given: Any) -> Any:
        return gives if all(map(isinstance, given, takes)) else None  # `+` and `*` also exist for other types

    result.pysig = inspect.signature(function)  # type: ignore[attr-defined]  # numba binds arguments by it
    type_callable(function)(lambda _context: result)
    return lower_builtin(function, *takes)  # type: ignore[no-untyped-call]


def _vector_pointer(context: Any, builder: Any, signature: Any, values: Any, vector: ir.VectorType) -> Any:
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return builder.bitcast(builder.gep(array.data, [values[1]]), vector.as_pointer())


def load(array: np.ndarray, at: int) -> np.ndarray:
    """Return (LANES,) float32 from number `at` on."""
    return array.reshape(-1)[at : at + LANES].copy()


@machine_code(load, (types.Array, types.Integer), lanes)
def _load(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    return builder.load(_vector_pointer(context, builder, signature, values, FLOATS), align=4)


def store(array: np.ndarray, at: int, numbers: np.ndarray) -> None:
    """Store (LANES,) float32 from number `at` on."""
    array.reshape(-1)[at : at + LANES] = numbers


@machine_code(store, (types.Array, types.Integer, Lanes), types.void)
def _store(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    builder.store(values[2], _vector_pointer(context, builder, signature, values, FLOATS), align=4)
    return context.get_dummy_value()


@machine_code(operator.add, (Lanes, Lanes), lanes)
def _add(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
    return builder.fadd(*values)


@machine_code(operator.mul, (Lanes, types.Float), lanes)
def _multiply(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
    return builder.fmul(values[0], _broadcast(builder, values[1], LANES))


def _broadcast(builder: Any, value: Any, count: int) -> Any:
    one = builder.insert_element(ir.Constant(ir.VectorType(value.type, count), ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), count), None))


def append_bits(words: np.ndarray, at: int, bits: int) -> None:
    """Shift each of IN_WORD uint32 from `at` on up, and append a bit."""
    for k in range(IN_WORD):
        words[at + k] = words[at + k] << np.uint32(1) | np.uint32(bits >> k & 1)


@machine_code(append_bits, (types.Array, types.Integer, types.Integer), types.void)
def _append_bits(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    target = _vector_pointer(context, builder, signature, values, WORDS)
    shifted = builder.shl(builder.load(target, align=4), ir.Constant(WORDS, [1] * IN_WORD))
    added = builder.zext(builder.bitcast(values[2], ir.VectorType(BIT, IN_WORD)), WORDS)
    builder.store(builder.or_(shifted, added), target, align=4)
    return context.get_dummy_value()


def compare(numbers: np.ndarray, at: int, byte: int) -> tuple[int, int]:
    """Return words that mark uint8 above, and equal to, a byte.

    They cover IN_BITS numbers from `at` on, the first in the highest bit.
    """
    above, equal = 0, 0
    for number in numbers[at : at + IN_BITS]:
        above, equal = 2 * above + int(number > byte), 2 * equal + int(number == byte)
    return above, equal


@machine_code(compare, (types.Array, types.Integer, types.Integer), pair64)
def _compare(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    vector = builder.load(_vector_pointer(context, builder, signature, values, BYTES), align=1)
    comparisons = (builder.icmp_unsigned(how, vector, _broadcast(builder, values[2], IN_BITS)) for how in (">", "=="))
    return context.make_tuple(builder, pair64, [builder.bitreverse(builder.bitcast(bits, I64)) for bits in comparisons])


def unpack(bools: np.ndarray, at: int, word: int) -> None:
    """Unpack a word's bits, the highest first, into bools from `at` on."""
    for k in range(IN_BITS):
        bools[at + k] = bool(int(word) >> (IN_BITS - 1 - k) & 1)


@machine_code(unpack, (types.Array, types.Integer, types.Integer), types.void)
def _unpack(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    bits = builder.bitcast(builder.bitreverse(values[2]), ir.VectorType(BIT, IN_BITS))
    builder.store(builder.zext(bits, BYTES), _vector_pointer(context, builder, signature, values, BYTES), align=1)
    return context.get_dummy_value()


def leading_zeros(word: np.uint64) -> int:
    """Count leading zeros of a nonzero uint64."""
    return IN_BITS - int(word).bit_length()


@machine_code(leading_zeros, (types.Integer,), types.uint64)
def _leading_zeros(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
    return builder.ctlz(values[0], BIT(1))


def multiply_add(one: Pair64, other: Pair64, added: Pair64) -> Pair64:
    """Return `one * other + added`, whole numbers of 128 bits."""
    a, b, c = (int(high) << 64 | int(low) for high, low in (one, other, added))
    high, low = divmod((a * b + c) % (1 << 128), 1 << 64)
    return np.uint64(high), np.uint64(low)


@machine_code(multiply_add, (types.UniTuple,) * 3, pair64)
def _multiply_add(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
    halves = [[builder.zext(builder.extract_value(pair, k), I128) for k in range(2)] for pair in values]
    one, other, added = (builder.or_(builder.shl(high, I128(64)), low) for high, low in halves)
    number = builder.add(builder.mul(one, other), added)
    parts = builder.lshr(number, I128(64)), number
    return context.make_tuple(builder, pair64, [builder.trunc(part, I64) for part in parts])


@jit("uint64(UniTuple(uint64, 2))")
def _output(state: Pair64) -> np.uint64:
    """Return the output of a state: XSL-RR (M. O'Neill, 2014, "PCG")."""
    mixed, turn = state[0] ^ state[1], state[0] >> np.uint64(58)
    return (mixed >> turn) | (mixed << ((np.uint64(64) - turn) & np.uint64(63)))


@jit("uint64[:, ::1](UniTuple(uint64, 2), UniTuple(uint64, 2))")
def _make_streams(state: Pair64, increment: Pair64) -> np.ndarray:
    """Return a generator's next states as rows, then the increment past all."""
    streams = np.empty((STATES + 1, 2), np.uint64)
    added = (np.uint64(0), np.uint64(0))
    for k in range(STATES):
        state, added = multiply_add(state, _ONCE, increment), multiply_add(added, _ONCE, increment)
        streams[k, 0], streams[k, 1] = state
    streams[STATES, 0], streams[STATES, 1] = added
    return streams


@jit("UniTuple(uint64, 2)(UniTuple(uint64, 2), UniTuple(uint64, 2), int64)")
def _advance(state: Pair64, increment: Pair64, steps: int) -> Pair64:
    """Advance a state in logarithmic time."""
    nothing = (np.uint64(0), np.uint64(0))
    factor, added = _ONCE, increment
    while steps:
        if steps & 1:
            state = multiply_add(state, factor, added)
        added = multiply_add(added, factor, added)
        factor = multiply_add(factor, factor, nothing)
        steps >>= 1
    return state


@jit("void(uint64[:, ::1], uint64[::1], int64)")
def _draw(streams: np.ndarray, words: np.ndarray, operation: int) -> None:
    """Draw a number for each word, and advance the streams of `_make_streams`."""
    a, b = (streams[0, 0], streams[0, 1]), (streams[1, 0], streams[1, 1])
    c, d = (streams[2, 0], streams[2, 1]), (streams[3, 0], streams[3, 1])
    added = streams[4, 0], streams[4, 1]
    whole = len(words) // STATES * STATES
    for k in range(0, whole, STATES):
        four = words[k : k + STATES]
        for j, number in enumerate((_output(a), _output(b), _output(c), _output(d))):
            four[j] = four[j] | number if operation == OR else four[j] & number if operation == AND else number
        a, b = multiply_add(a, _OVER_ALL, added), multiply_add(b, _OVER_ALL, added)
        c, d = multiply_add(c, _OVER_ALL, added), multiply_add(d, _OVER_ALL, added)
    for k in range(whole, len(words)):
        number = _output(a)
        words[k] = words[k] | number if operation == OR else words[k] & number if operation == AND else number
        a, b, c, d = b, c, d, multiply_add(a, _OVER_ALL, added)
    for j, state in enumerate((a, b, c, d)):
        streams[j, 0], streams[j, 1] = state


@jit("void(uint64[::1], uint64[::1], int64)")
def _fill_by_digits(origin: np.ndarray, words: np.ndarray, share: int) -> None:
    """Fill words as `masks.draw_packed_bits` does."""
    streams = _make_streams((origin[0], origin[1]), (origin[2], origin[3]))
    is_first_drawn = False
    for k in range(8):
        digit = share >> k & 1
        if digit or is_first_drawn:
            _draw(streams, words, (OR if digit else AND) if is_first_drawn else SET)
            is_first_drawn = True


@jit("void(uint64[::1], uint64[::1], int64, uint8, uint64)")
def _fill_by_bytes(origin: np.ndarray, words: np.ndarray, size: int, byte: int, height: int) -> None:
    """Set bits of bytes above a threshold; at it, 32 more bits decide.

    They are drawn after all bytes.
    """
    state, increment = (origin[0], origin[1]), (origin[2], origin[3])
    streams, count = _make_streams(state, increment), -(-size // 8)
    behind, other_half, halves = _advance(state, increment, count), np.uint64(0), 0
    chunk = np.zeros(CHUNK, np.uint64)
    values = chunk.view(np.uint8)
    for first in range(0, count, CHUNK):
        _draw(streams, chunk[: min(CHUNK, count - first)], SET)
        for start in range(0, min(8 * CHUNK, size - 8 * first), IN_BITS):
            left = size - 8 * first - start
            taken = ~np.uint64(0) << np.uint64(max(IN_BITS - left, 0))
            above, equal = compare(values, start, byte)
            word, ties = above & taken, equal & taken
            while ties:
                bit = np.uint64(1) << (np.uint64(63) - leading_zeros(ties))
                ties ^= bit
                if not halves:
                    behind = multiply_add(behind, _ONCE, increment)
                    other_half = _output(behind)
                if other_half & np.uint64(0xFFFFFFFF) >= height:
                    word |= bit
                other_half, halves = other_half >> np.uint64(32), 1 - halves
            words[(8 * first + start) // IN_BITS] = word


@jit("void(uint64[::1], boolean[::1])")
def _fill_bools(words: np.ndarray, bools: np.ndarray) -> None:
    whole = len(bools) // IN_BITS * IN_BITS
    for start in range(0, whole, IN_BITS):
        unpack(bools, start, words[start // IN_BITS])
    for at in range(whole, len(bools)):
        bools[at] = words[at // IN_BITS] >> np.uint64(IN_BITS - 1 - at % IN_BITS) & np.uint64(1)


def draw_packed_bernoulli(generator: np.random.Generator, size: int, rate: float) -> np.ndarray:
    """Draw the bools of `masks.bernoulli`, packed, the first in the highest bit.

    The generator does not move.

    Returns:
        (size / 64, rounded up, and one more) uint64.
    """
    at = generator.bit_generator.state["state"]
    origin = np.array([*divmod(at["state"], TWO_64), *divmod(at["inc"], TWO_64)], np.uint64)
    byte, height = rate_threshold(rate)
    words = np.zeros(-(-size // IN_BITS) + 1, np.uint64)
    if height:
        _fill_by_bytes(origin, words, size, byte, height)
    else:
        _fill_by_digits(origin, words[:-1], 256 - byte)
        words.byteswap(inplace=True)
    return words


def bernoulli(generator: np.random.Generator, size: int, rate: float, out: np.ndarray | None = None) -> np.ndarray:
    """Draw like `masks.bernoulli`, without moving the generator."""
    result = np.empty(size, np.bool_) if out is None else out
    _fill_bools(draw_packed_bernoulli(generator, size, rate), result)
    return result


def sum_kept_rows(kernel: np.ndarray, activations: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Sum kept rows of each pass in float32: the specification of `SubsetSums`.

    Args:
        kernel: (n, units) float32.
        activations: (n,) float32; zeros take no part.
        masks: (passes, n) bool, the masks.

    Returns:
        (passes, units) float32.
    """
    active = np.flatnonzero(activations)
    sums, nothing = np.zeros((len(masks), kernel.shape[1]), np.float32), np.zeros(kernel.shape[1], np.float32)
    for total, mask in zip(sums, masks, strict=True):
        rows = [activations[k] * kernel[k] if mask[k] else nothing for k in active]
        rows += [nothing] * (-len(rows) % IN_WORD)
        for word in range(0, len(rows), IN_WORD):
            fours = []
            for k in range(word, word + IN_WORD, ROWS_PER_GROUP):
                fours.append(((rows[k] + rows[k + 1]) + rows[k + 2]) + rows[k + 3])
            a, b, c, d, e, f, g, h = fours
            total += ((a + b) + (c + d)) + ((e + f) + (g + h))
    return sums


class SubsetSums:
    """A `Product` by sums of subsets, indexed by mask bits."""

    def __init__(self, kernel: np.ndarray) -> None:
        self._units = kernel.shape[1]
        self._kernel = np.pad(kernel, ((0, 1), (0, -self._units % LANES)))

    def prepare_pass_mask(self, mask: np.ndarray) -> np.ndarray:
        """Return (n + 1, passes / 32 rounded up) uint32: bit p of word w is pass 32 w + p; the last row is 0."""
        padded = np.pad(mask, ((0, -len(mask) % IN_WORD), (0, 1)))
        return np.packbits(padded, axis=0, bitorder="little").T.copy().view("<u4").astype(np.uint32, copy=False)

    def multiply_per_pass(
        self, products: np.ndarray, example: int, passes: range, activations: np.ndarray, masks: Sequence[np.ndarray]
    ) -> None:
        """Add the sums that each block's mask selects."""
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
        """Add the sums that masks select, drawn for each block."""
        active = np.flatnonzero(activations != 0)
        words, count = self._words(products, len(active)), products.shape[2]
        for block, generator in enumerate(generators):
            bits = draw_packed_bernoulli(generator, count * len(active), rate)
            _gather_example_mask(bits, len(active), count, words[:, block])
        self._add_up(products, example, passes, activations[active], self._rows(active), words)

    def _rows(self, active: np.ndarray) -> np.ndarray:
        """Return kernel rows of nonzero activations, padded with the zero row."""
        rows = np.full(len(active) + -len(active) % IN_WORD, len(self._kernel) - 1)
        rows[: len(active)] = active
        return rows

    def _words(self, products: np.ndarray, active: int) -> np.ndarray:
        """Return (words, blocks, passes or more) uint32: bit 31 - k of word w is active 32 w + k."""
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
        tables = thread_memory("tables", (GROUPS_PER_WORD * SUBSETS, TILE), np.float32)
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
    """Sum subsets of each four rows, from row `first` and unit `left` on.

    A subset is four bits, the highest for the first row.
    """
    width = kernel.shape[1]
    for group in range(GROUPS_PER_WORD):
        for unit in range(0, min(TILE, width - left), LANES):
            start = SUBSETS * group * TILE + unit
            for k in range(ROWS_PER_GROUP):
                number, bit = first + ROWS_PER_GROUP * group + k, SUBSETS // 2 >> k
                scaled = load(kernel, rows[number] * width + left + unit) * factors[number]
                store(tables, start + bit * TILE, scaled)
                for subset in range(2 * bit, SUBSETS, 2 * bit):
                    store(tables, start + (subset + bit) * TILE, load(tables, start + subset * TILE) + scaled)


@inline
def _table_position(word: np.uint32, group: int) -> int:
    """Return the index of the sum that a mask word names for a group."""
    subset = int(word >> np.uint32(IN_WORD - ROWS_PER_GROUP * (group + 1))) & (SUBSETS - 1)
    return (SUBSETS * group + subset) * TILE


@inline
def _add_word(sums: np.ndarray, at: int, tables: np.ndarray, word: np.uint32, units: int) -> None:
    """Add a mask word's eight sums to a pass, for the first `units`.

    If `units` is constant, LLVM makes no loop, which halves the time.
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
    """Fill an example's sums of passes `first` to `stop - 1`.

    Passes count through all blocks; others stay unchanged.

    Args:
        sums: (blocks, examples, passes, units) float32, units a multiple of `LANES`.
        example: its index in `sums`.
        first: the first wanted pass.
        stop: the pass after the last.
        factors: (words × `IN_WORD`,) float32, the nonzero activations, then zeros.
        rows: (words × `IN_WORD`,) int64, the kernel's rows that they scale.
        kernel: (n, units) float32.
        mask: (words, blocks, passes or more) uint32: bit 31 - k of word w is of factor 32 w + k.
        tables: (`GROUPS_PER_WORD` × `SUBSETS`, `TILE`) float32, to work in.
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
    """Convert an example's own mask for `_fill_sums`.

    Args:
        bits: uint64, the mask's bits from the highest of each word on: pass by pass one for each nonzero activation;
            and one word more.
        active: the number of nonzero activations.
        passes: of the mask.
        mask: (words, passes or more) uint32, to be filled for `passes`. Bits behind the last activation do not matter.
    """
    for word in range(len(mask)):
        column = mask[word]
        for at in range(passes):
            start = at * active + word * IN_WORD
            first, skipped = start >> 6, np.uint64(start & 63)
            bits_of_column = bits[first] << skipped
            if skipped > 32:
                bits_of_column |= bits[first + 1] >> (np.uint64(64) - skipped)
            column[at] = bits_of_column >> np.uint64(32)


@jit("void(uint32[:, ::1], int64[::1], uint32[:, :])")
def _gather_pass_mask(columns: np.ndarray, rows: np.ndarray, mask: np.ndarray) -> None:
    """Convert a shared mask from `SubsetSums.prepare_pass_mask` for `_fill_sums`."""
    for word in range(len(mask)):
        column = mask[word]
        for k in range(IN_WORD * word, IN_WORD * (word + 1)):
            row = columns[rows[k]]
            for at in range(len(row)):
                append_bits(column, IN_WORD * at, row[at])
