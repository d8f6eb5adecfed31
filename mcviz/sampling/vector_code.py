"""Machine code that is written by hand, each piece beside the plain Python that specifies it.

Two things of sampling take most of its time: adding up rows of a table (`subset_sums.py`), and drawing masks
(`random_bits.py`). Both are loops that numba compiles. Of most loops it makes the vector instructions of the processor
by itself, which work on 16 or more numbers at once. Here it cannot: it would first have to know that no two arrays
overlap, and that rows are wide. The same loops over tiles of fixed width, without this file, take 1.75 times as long.
Nor does numba have whole numbers of 128 bits, which the random generator multiplies.

So a few functions are there twice:

- In plain Python, with NumPy. This is the specification of the result, bit for bit. Callers import it by its name, type
  checkers know it, and without numba's compiler it runs itself.
- As `machine_code` of it, below its name: how LLVM, the compiler behind numba, is told to do the same. A function that
  numba compiles gets this wherever it calls the other.

`tests/sampling/test_vector_code.py` holds one against the other. With them the loops can be written as NumPy would have
them: `load(table, at) * factor` is LANES float32 in one or two registers of the processor, times a number, and nothing
of it ever becomes an array.

How the machine code reads: `builder` appends one instruction at a time, and gives its result. `values` are the
arguments, in order, as results of earlier instructions. An array comes first among them and its position second, from
which `_vector_pointer` makes the address of so many elements in a row; rows of an array lie one after the other. The
width of a vector is part of its type, and where the processor's registers are narrower, LLVM takes several. Functions
of 32 or 64 values at once give or take a word with a bit for each: the lowest bit is the first value, and `bitreverse`
makes it the highest.

numba keeps compiled functions and looks only at the file of a function to see whether it is out of date. After a
change in this file, change the files that call it too, or delete `__pycache__`.
"""

import inspect
import operator
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import lower_builtin, register_model, type_callable

Function = TypeVar("Function", bound=Callable[..., Any])
Wide = tuple[np.uint64, np.uint64]  # a whole number of 128 bits, as its high and low half

LANES = 16  # float32 that are added at once
IN_WORD, IN_BITS = 32, 64  # values that a word of a mask, or of drawn bits, has a bit for
FLOATS, WORDS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.IntType(32), IN_WORD)
BYTES, HALF, WIDE = ir.VectorType(ir.IntType(8), IN_BITS), ir.IntType(64), ir.IntType(128)
BIT = ir.IntType(1)


class Lanes(types.Type):
    """The type in numba of LANES float32 in registers; in plain Python they are an array."""


lanes: Any = Lanes("lanes")
wide = types.UniTuple(types.uint64, 2)  # type: ignore[no-untyped-call]
register_model(Lanes)(partial(PrimitiveModel, be_type=FLOATS))


def jit(signature: str) -> Callable[[Function], Function]:
    """Compile a function, kept beside its file, or else in the user's cache, or else compiled in each process."""

    def decorate(function: Function) -> Any:
        try:
            return njit(signature, nogil=True, cache=True)(function)
        except (RuntimeError, OSError):  # no place to keep it, or the disk is full
            return njit(signature, nogil=True)(function)

    return decorate


def inline(function: Function) -> Function:
    """Mark a function as a part of compiled ones, compiled with each of them."""
    decorate: Any = njit
    return decorate(function)


def machine_code(function: Callable[..., Any], takes: tuple[Any, ...], gives: Any) -> Callable[[Function], Function]:
    """Declare the machine code of a plain function, for arguments of these types of numba's."""

    def result(*given: Any) -> Any:
        return gives if all(map(isinstance, given, takes)) else None  # `+` and `*` are there for other types too

    result.pysig = inspect.signature(function)  # type: ignore[attr-defined]  # numba binds arguments by it
    type_callable(function)(lambda _context: result)
    return lower_builtin(function, *takes)  # type: ignore[no-untyped-call]


def _vector_pointer(context: Any, builder: Any, signature: Any, values: Any, vector: ir.VectorType) -> Any:
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return builder.bitcast(builder.gep(array.data, [values[1]]), vector.as_pointer())


def load(array: np.ndarray, at: int) -> np.ndarray:
    """Return (LANES,) float32 of an array, from number `at` on."""
    return array.reshape(-1)[at : at + LANES].copy()


@machine_code(load, (types.Array, types.Integer), lanes)
def _load(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    return builder.load(_vector_pointer(context, builder, signature, values, FLOATS), align=4)


def store(array: np.ndarray, at: int, numbers: np.ndarray) -> None:
    """Put (LANES,) float32 into an array, from number `at` on."""
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
    """Append one of `bits` to each of IN_WORD uint32, from number `at` on: they are shifted up, and it goes below."""
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
    """Return which of IN_BITS uint8, from `at` on, are above a byte, and which equal it, from the highest bit on."""
    above, equal = 0, 0
    for number in numbers[at : at + IN_BITS]:
        above, equal = 2 * above + int(number > byte), 2 * equal + int(number == byte)
    return above, equal


@machine_code(compare, (types.Array, types.Integer, types.Integer), wide)
def _compare(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    vector = builder.load(_vector_pointer(context, builder, signature, values, BYTES), align=1)
    found = (builder.icmp_unsigned(how, vector, _broadcast(builder, values[2], IN_BITS)) for how in (">", "=="))
    return context.make_tuple(builder, wide, [builder.bitreverse(builder.bitcast(each, HALF)) for each in found])


def unpack(bools: np.ndarray, at: int, word: int) -> None:
    """Put the bits of a word, the highest first, into IN_BITS bools, from number `at` on."""
    for k in range(IN_BITS):
        bools[at + k] = bool(int(word) >> (IN_BITS - 1 - k) & 1)


@machine_code(unpack, (types.Array, types.Integer, types.Integer), types.void)
def _unpack(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    bits = builder.bitcast(builder.bitreverse(values[2]), ir.VectorType(BIT, IN_BITS))
    builder.store(builder.zext(bits, BYTES), _vector_pointer(context, builder, signature, values, BYTES), align=1)
    return context.get_dummy_value()


def leading_zeros(word: np.uint64) -> int:
    """Count the zeros above the highest bit of a uint64, which is not zero."""
    return IN_BITS - int(word).bit_length()


@machine_code(leading_zeros, (types.Integer,), types.uint64)
def _leading_zeros(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
    return builder.ctlz(values[0], BIT(1))


def multiply_add(one: Wide, other: Wide, added: Wide) -> Wide:
    """Return `one * other + added`, whole numbers of 128 bits."""
    a, b, c = (int(high) << 64 | int(low) for high, low in (one, other, added))
    high, low = divmod((a * b + c) % (1 << 128), 1 << 64)
    return np.uint64(high), np.uint64(low)


@machine_code(multiply_add, (types.UniTuple,) * 3, wide)
def _multiply_add(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
    halves = [[builder.zext(builder.extract_value(pair, k), WIDE) for k in range(2)] for pair in values]
    one, other, added = (builder.or_(builder.shl(high, WIDE(64)), low) for high, low in halves)
    found = builder.add(builder.mul(one, other), added)
    parts = builder.lshr(found, WIDE(64)), found
    return context.make_tuple(builder, wide, [builder.trunc(part, HALF) for part in parts])
