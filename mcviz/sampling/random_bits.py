"""The draws of `random_numbers.bernoulli` in machine code: the same bits of the same stream, in less time.

Each number of a PCG64 waits for a product of 128 bits with the state before it. The state four steps further is such a
product as well, so four numbers are under way at once, each from its own state (F. Brown, 1994, "Random number
generation with arbitrary strides").
"""

import numpy as np

from mcviz.sampling.random_numbers import rate_threshold
from mcviz.sampling.vector_code import IN_BITS, Wide, compare, jit, leading_zeros, multiply_add, unpack

STATES = 4  # that are under way at once
CHUNK = 1024  # words that are drawn before they are compared, and so stay in the first-level cache
HALF = 1 << 64
SET, OR, AND = range(3)  # how a word is combined with the number that is drawn for it

_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645  # of PCG64 in numpy
_ONCE, _OVER_ALL = (
    (np.uint64(factor // HALF), np.uint64(factor % HALF)) for factor in (_MULTIPLIER, pow(_MULTIPLIER, STATES, HALF**2))
)


@jit("uint64(UniTuple(uint64, 2))")
def _output(state: Wide) -> np.uint64:
    """Return the number of a state: XSL-RR (M. O'Neill, 2014, "PCG")."""
    mixed, turn = state[0] ^ state[1], state[0] >> np.uint64(58)
    return (mixed >> turn) | (mixed << ((np.uint64(64) - turn) & np.uint64(63)))


@jit("uint64[:, ::1](UniTuple(uint64, 2), UniTuple(uint64, 2))")
def _make_streams(state: Wide, increment: Wide) -> np.ndarray:
    """Return the states of a generator's next numbers, one a row, and last the increment of each step past all."""
    streams = np.empty((STATES + 1, 2), np.uint64)
    added = (np.uint64(0), np.uint64(0))
    for k in range(STATES):
        state, added = multiply_add(state, _ONCE, increment), multiply_add(added, _ONCE, increment)
        streams[k, 0], streams[k, 1] = state
    streams[STATES, 0], streams[STATES, 1] = added
    return streams


@jit("UniTuple(uint64, 2)(UniTuple(uint64, 2), UniTuple(uint64, 2), int64)")
def _advance(state: Wide, increment: Wide, steps: int) -> Wide:
    """Return the state some steps further, by as many products as the number of steps has digits."""
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
    """Draw a number for each word from streams of `_make_streams`, and move these behind them."""
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
    """Fill words as `random_numbers.draw_packed_bits` does."""
    streams = _make_streams((origin[0], origin[1]), (origin[2], origin[3]))
    drawn = False
    for k in range(8):
        digit = share >> k & 1
        if digit or drawn:
            _draw(streams, words, (OR if digit else AND) if drawn else SET)
            drawn = True


@jit("void(uint64[::1], uint64[::1], int64, uint8, uint64)")
def _fill_by_bytes(origin: np.ndarray, words: np.ndarray, size: int, byte: int, height: int) -> None:
    """Set the bits of the bytes above a threshold, and of those at it whose 32 bits, drawn after all bytes, are."""
    state, increment = (origin[0], origin[1]), (origin[2], origin[3])
    streams, drawn = _make_streams(state, increment), -(-size // 8)
    behind, other_half, halves = _advance(state, increment, drawn), np.uint64(0), 0
    chunk = np.zeros(CHUNK, np.uint64)
    values = chunk.view(np.uint8)
    for first in range(0, drawn, CHUNK):
        _draw(streams, chunk[: min(CHUNK, drawn - first)], SET)
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
    """Draw the bools of `random_numbers.bernoulli`, packed: the first is the highest bit.

    The generator stays where it is.

    Returns:
        (size / 64, rounded up, and one more) uint64.
    """
    at = generator.bit_generator.state["state"]
    origin = np.array([*divmod(at["state"], HALF), *divmod(at["inc"], HALF)], np.uint64)
    byte, height = rate_threshold(rate)
    words = np.zeros(-(-size // IN_BITS) + 1, np.uint64)
    if height:
        _fill_by_bytes(origin, words, size, byte, height)
    else:
        _fill_by_digits(origin, words[:-1], 256 - byte)
        words.byteswap(inplace=True)
    return words


def bernoulli(generator: np.random.Generator, size: int, rate: float, out: np.ndarray | None = None) -> np.ndarray:
    """As `random_numbers.bernoulli`, but the generator stays where it is."""
    result = np.empty(size, np.bool_) if out is None else out
    _fill_bools(draw_packed_bernoulli(generator, size, rate), result)
    return result
