"""Several labels an example: columns of 0 and 1, or lists of names."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mcviz.data.labels import UNKNOWN, check_named, require_some_known, sort_class_names
from mcviz.errors import InvalidInputError
from mcviz.text import list_names, one_line
from mcviz.validate import different_names, invalid

SEPARATOR = ";"  # between the names of classes in a text


def match_label_sets(
    name: str, labels: Any, count: int, class_names: Sequence[str] | None = None
) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Match several labels an example to classes, by name wherever they have names.

    | labels | the classes are |
    |---|---|
    | a table of 0 and 1 | its columns, matched to given names |
    | an array of 0 and 1 | its columns, in the order of given names |
    | lists of names, or texts such as "cat;dog" | given names, or else all that occur, in order of `sort_class_names` |
    | lists of whole numbers | their places among given names, from 0 |

    Args:
        name: what an error calls the labels.
        labels: of `count` examples. What is missing (NaN, None, -1) is not known: one label of a row, or a whole list.
        count: N.
        class_names: names that are given, all different, in the order of the model's outputs.

    Returns:
        (N, C) int8: 1 where the example has the class, 0 where not, -1 where nobody knows; and the C names, if any.

    Raises:
        InvalidInputError: other labels, or none that is known.
    """
    labels = take_lists(labels)
    if isinstance(labels, pd.DataFrame):
        own = different_names("class_names", list(map(str, labels.columns)), labels.shape[1])
        rows = _check_rows(name, labels.to_numpy(na_value=np.nan), count)
        if class_names is not None:
            check_named(own, class_names)
            matched = np.zeros((count, len(class_names)), np.int8)
            matched[:, [list(class_names).index(text) for text in own]] = rows
            if len(own) < len(class_names):
                missing = list_names([text for text in class_names if text not in own])
                raise invalid(name, "of every class, a column each", f"none of {missing}")
            return matched, tuple(class_names)
        return rows, own
    values = labels if isinstance(labels, np.ndarray) else _as_objects(labels)
    if values.ndim == 2:
        rows = _check_rows(name, values, count)
        if class_names is not None and len(class_names) != rows.shape[1]:
            raise invalid("class_names", f"{rows.shape[1]:,} names, one a column of {name}", f"{len(class_names):,}")
        return rows, None if class_names is None else tuple(class_names)
    return _from_lists(name, values.tolist(), count, class_names)


def take_lists(labels: Any) -> Any:
    """Return the only column of a table of lists or texts; anything else unchanged."""
    is_list = isinstance(labels, pd.DataFrame) and labels.shape[1] == 1 and not _is_numeric(labels.iloc[:, 0])
    return labels.iloc[:, 0] if is_list else labels


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def _as_objects(labels: Any) -> np.ndarray:
    """Return (N,) objects, or (N, C) numbers if all rows are 0 and 1."""
    given = list(labels)
    values = np.empty(len(given), object)
    values[:] = given
    if any(isinstance(one, str) or np.ndim(one) != 1 for one in given) or len({len(one) for one in given}) != 1:
        return values
    try:
        rows = np.array([list(one) for one in given], np.float64)
    except (TypeError, ValueError):
        return values
    return rows if rows.shape[1] > 1 and np.isin(rows[np.isfinite(rows)], (0, 1, UNKNOWN)).all() else values


def _check_rows(name: str, rows: np.ndarray, count: int) -> np.ndarray:
    """Check (N, C) numbers or bool; return int8."""
    expected = f"{count:,} rows of 0, 1 and missing, a column a class"
    if rows.shape[:1] != (count,) or rows.ndim != 2 or not rows.shape[1]:
        raise invalid(name, expected, f"shape {rows.shape}")
    try:
        numbers = rows.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise invalid(name, expected, str(error)) from error
    numbers = np.where(np.isnan(numbers), UNKNOWN, numbers)
    wrong = ~np.isin(numbers, (0, 1, UNKNOWN))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise invalid(name, expected, f"{numbers[row, column]:g} in row {row:,}, column {column:,}, counted from 0")
    require_some_known(name, numbers != UNKNOWN)
    return numbers.astype(np.int8)


def _from_lists(
    name: str, given: Sequence[Any], count: int, class_names: Sequence[str] | None
) -> tuple[np.ndarray, tuple[str, ...] | None]:
    if len(given) != count:
        raise invalid(name, f"{count:,} lists of classes, one an example", f"{len(given):,}")
    lists = [_split(name, one, row) for row, one in enumerate(given)]
    present = {one for classes in lists if classes is not None for one in classes}
    if present and all(isinstance(one, int) for one in present):
        least = max(present) + 1
        names = class_names if class_names is not None else tuple(map(str, range(least)))
        if min(present) < 0 or least > len(names):
            raise invalid(name, f"classes from 0 to {len(names) - 1:,}", f"{min(present)} to {max(present)}")
        place: dict[Any, int] = {number: number for number in range(len(names))}
    else:
        texts = sort_class_names([str(one) for one in present])
        names = texts if class_names is None else tuple(class_names)
        check_named(texts, names)
        place = {text: number for number, text in enumerate(names)}
    if not names:
        raise InvalidInputError(f"{name} name no class. Give columns of 0 and 1, or lists of the names of classes.")
    rows = np.zeros((count, len(names)), np.int8)
    for row, classes in enumerate(lists):
        if classes is None:
            rows[row] = UNKNOWN
        else:
            rows[row, [place[one] for one in classes]] = 1
    require_some_known(name, rows != UNKNOWN)
    return rows, tuple(names)


def _split(name: str, one: Any, row: int) -> Collection[Any] | None:
    if one is None or (isinstance(one, float) and np.isnan(one)) or one is pd.NA:
        return None
    if isinstance(one, str):
        classes: list[Any] = [text.strip() for text in one.split(SEPARATOR) if text.strip()]
    elif np.ndim(one) == 1 or isinstance(one, set | frozenset):
        classes = [entry.item() if isinstance(entry, np.generic) else entry for entry in one]
    else:
        raise invalid(name, "lists of classes, one an example", f"{one!r:.60} in row {row:,}, counted from 0")
    if not all(isinstance(entry, str) or type(entry) is int for entry in classes) or len(set(map(type, classes))) > 1:
        raise invalid(name, "lists of names, or of whole numbers", f"{one!r:.60} in row {row:,}, counted from 0")
    if len(set(classes)) < len(classes):
        twice = next(entry for entry in classes if classes.count(entry) > 1)
        raise invalid(name, "each class once an example", f"{one_line(str(twice))} twice in row {row:,}")
    return classes
