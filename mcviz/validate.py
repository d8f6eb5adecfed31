"""Checks of input: each returns the clean value or raises an error.

The form is "`passes` should be a whole number of at least 1. Received: 0.", and a sentence of advice if needed.
"""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.text import list_names

T = TypeVar("T")
VALUES_AT_ONCE = 1 << 22
MOST_INDICES = 1 << 63  # that int64 holds, from 0 on
DTYPE_WORDS = {np.uint8: "uint8", np.integer: "whole numbers", np.floating: "floating point", np.bool_: "bool"}


def invalid(name: str, expected: str, received: object, advice: str = "") -> InvalidInputError:
    """Make the error that a check raises.

    Args:
        name: of the argument or array.
        expected: a description of valid values.
        received: the value.
        advice: a sentence on what to do; may be empty.
    """
    return InvalidInputError(f"`{name}` should be {expected}. Received: {received}. {advice}".rstrip())


def whole_number(name: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """Check for a Python or NumPy integer from `least` to `most`, no bool."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not _within(value, least, most):
        raise invalid(name, f"a whole number {_range(least, most)}", repr(value))
    return int(value)


def number(name: str, value: Any, least: float, most: float | None = None) -> float:
    """Check for a finite real number from `least` to `most`."""
    if not isinstance(value, Real) or not math.isfinite(value) or not _within(value, least, most):
        raise invalid(name, f"a number {_range(least, most)}", repr(value))
    return float(value)


def fraction(name: str, value: Any) -> float:
    """Check for a number from 0 to 1."""
    return number(name, value, 0, 1)


def confidence(value: Any, above: float = 0) -> float:
    """Check for a confidence above `above` and below 1."""
    if not above < fraction("confidence", value) < 1:
        raise invalid("confidence", f"above {above:g} and below 1", value)
    return float(value)


def choice(name: str, value: T, options: Sequence[T]) -> T:
    """Check for one of a few values."""
    if value not in options:
        raise invalid(name, " or ".join(map(repr, options)), repr(value))
    return value


def different_names(name: str, names: Sequence[str], count: int, advice: str = "") -> tuple[str, ...]:
    """Check for `count` texts, all different."""
    if not len(set(names)) == len(names) == count:
        raise invalid(name, f"{count} different names", list_names(names), advice)
    return tuple(names)


def array(name: str, given: Any) -> np.ndarray:
    """Convert lists and tensors to an array; refuse masked values."""
    if np.ma.is_masked(given):
        advice = "Fill in what is missing, or leave it out."
        raise invalid(name, "without masked values", f"{np.ma.getmaskarray(given).sum():,} of them", advice)
    try:
        return np.asarray(given)
    except Exception as error:  # each framework raises its own: a tensor that tracks gradients, lists of many lengths
        message = str(error).strip().partition("\n")[0]
        raise invalid(name, "one array", f"{type(given).__name__} ({message:.100})") from error


def shape(name: str, array: np.ndarray, *forms: tuple[int | str, ...], advice: str = "") -> np.ndarray:
    """Check for an array of one of some shapes.

    Args:
        name: of the array.
        array: the array.
        forms: the shapes; an axis is a number, or a name where it may be of any size but 0.
        advice: a sentence on what to do.
    """
    if not any(_matches(array.shape, form) for form in forms):
        empty = ", with no axis empty" if any(isinstance(axis, str) for form in forms for axis in form) else ""
        raise invalid(name, " or ".join(map(_format_shape, forms)) + empty, f"shape {array.shape}", advice)
    return array


def dtype(name: str, array: np.ndarray, *kinds: type[Any], advice: str = "") -> np.ndarray:
    """Check for a dtype: `numpy.uint8`, `numpy.integer` or `numpy.floating`."""
    if not any(np.issubdtype(array.dtype, kind) for kind in kinds):
        raise invalid(name, " or ".join(DTYPE_WORDS[kind] for kind in kinds), f"dtype {array.dtype}", advice)
    return array


def finite(name: str, array: np.ndarray) -> np.ndarray:
    """Check for finite numbers, part by part if mapped from disk."""
    rows = max(1, VALUES_AT_ONCE // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        if not np.isfinite(array[start : start + rows]).all():
            raise invalid(name, "finite", "NaN or infinite values")
    return array


def class_indices(name: str, values: Any, count: int, classes: int | None = None, advice: str = "") -> np.ndarray:
    """Check labels of `count` examples below `classes`: (count,) int64."""
    try:
        indices = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise invalid(name, f"{count} class indices, one an example", f"{values!r:.60}") from error
    if indices.shape != (count,) or indices.dtype.kind not in "iu":
        raise invalid(name, f"{count} class indices, one an example", f"shape {indices.shape}, dtype {indices.dtype}")
    most = (MOST_INDICES if classes is None else classes) - 1
    for index in (int(indices.min(initial=0)), int(indices.max(initial=0))):
        if not _within(index, 0, most):
            raise invalid(name, f"class indices from 0 {'upwards' if classes is None else f'to {most}'}", index, advice)
    return indices.astype(np.int64)


def _within(value: Any, least: float, most: float | None) -> bool:
    return least <= value and (most is None or value <= most)


def _range(least: float, most: float | None) -> str:
    return f"of at least {least:g}" if most is None else f"from {least:g} to {most:g}"


def _matches(shape: tuple[int, ...], form: tuple[int | str, ...]) -> bool:
    return len(shape) == len(form) and all(
        size > 0 if isinstance(axis, str) else size == axis for size, axis in zip(shape, form, strict=True)
    )


def _format_shape(form: tuple[int | str, ...]) -> str:
    return f"({', '.join(map(str, form))}{',' if len(form) == 1 else ''})"
