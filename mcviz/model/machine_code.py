"""What numba's functions here share: how they are compiled and kept, and vectors of an array's elements."""

from collections.abc import Callable
from typing import Any, TypeVar

from llvmlite import ir
from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(signature: str) -> Callable[[Function], Function]:
    """A decorator: machine code, kept beside its file, or else in the user's cache, or else made in each process."""

    def decorate(function: Function) -> Any:
        try:
            return njit(signature, nogil=True, cache=True)(function)
        except (RuntimeError, OSError):  # there is no place to keep it, or the disk is full
            return njit(signature, nogil=True)(function)

    return decorate


def vector_at(builder: Any, array: Any, start: Any, kind: Any, count: int) -> Any:
    """The address of some elements of an array of one axis, or of its rows one after the other."""
    return builder.bitcast(builder.gep(array.data, [start]), ir.VectorType(kind, count).as_pointer())


def everywhere(builder: Any, value: Any, count: int) -> Any:
    """A vector of one value."""
    one = builder.insert_element(ir.Constant(ir.VectorType(value.type, count), ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), count), None))
