"""Labels as people keep them: class indices, or the numbers that a regression predicts."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mcviz.errors import InvalidInputError
from mcviz.validate import array, class_indices, invalid

NAMES = (  # under which people keep examples and their labels
    ("images", "labels"),
    ("texts", "labels"),
    ("rows", "labels"),
    ("features", "labels"),
    ("x_test", "y_test"),
    ("X_test", "y_test"),
    ("x", "y"),
    ("X", "y"),
    ("data", "target"),
    ("arr_0", "arr_1"),
)
Labels = tuple[np.ndarray, tuple[str, ...] | None]


def as_class_indices(name: str, labels: Any, count: int) -> Labels:
    """Bring labels into the one form.

    Args:
        name: what an error calls them.
        labels: of `count` examples: (N,) or (N, 1) integers, whole floating-point numbers or texts, or (N, C) one-hot.
        count: N.

    Returns:
        (N,) int64 class indices; and of texts the class names in sorted order, which their places are the indices of.

    Raises:
        InvalidInputError: they are none of these.
    """
    try:
        values = np.asarray(labels)
    except ValueError as error:  # lists of different lengths
        raise invalid(name, f"{count} class indices, one an example", f"{labels!r:.60}") from error
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and values.dtype.kind in "iufb":
        return _from_one_hot(name, values, count), None
    if values.dtype.kind == "O":
        kinds = {type(value) for value in values.ravel().tolist()}
        if kinds != {str}:
            found = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise invalid(name, "numbers or texts, one an example", found, "Fill in or leave out what has no label.")
        values = values.astype(str)
    if values.dtype.kind in "US":
        return _from_texts(name, values.astype(str), count)
    if values.dtype.kind == "f":
        whole = values.astype(np.int64, casting="unsafe") if np.isfinite(values).all() else None
        if whole is None or not np.array_equal(whole, values):
            raise invalid(name, f"{count} class indices, texts or one-hot rows", "fractions or missing values")
        values = whole
    return class_indices(name, values, count), None


def as_targets(name: str, values: Any, count: int) -> np.ndarray:
    """Bring what a regression predicts into the one form.

    Args:
        name: what an error calls it.
        values: of `count` examples: (N,) or (N, D) numbers, also as a table or a column of one.
        count: N.

    Returns:
        (N, D) float32, finite.

    Raises:
        InvalidInputError: they are none of these.
    """
    given = array(name, pd.DataFrame(values).to_numpy(na_value=np.nan) if _of_pandas(values) else values)
    if given.ndim == 1:
        given = given[:, None]
    if given.ndim != 2 or len(given) != count or not given.shape[1]:
        raise invalid(name, f"{count:,} numbers, or rows of numbers, one an example", f"shape {given.shape}")
    try:
        if given.dtype.kind not in "biufO":
            raise TypeError(f"dtype {given.dtype}")
        with np.errstate(over="ignore"):  # what float32 cannot hold is told below
            targets = given.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise invalid(name, "numbers, which a regression predicts", str(error), "Texts are for classes.") from error
    unusable = ~np.isfinite(targets).all(axis=1)
    if unusable.any():
        raise InvalidInputError(
            f"{unusable.sum():,} of {count:,} {name} are missing or not finite, the first in row "
            f"{unusable.argmax():,}, counted from 0. Fill them in, or leave those rows out."
        )
    return targets


def target_names(values: Any, count: int) -> tuple[str, ...]:
    """Names of `count` columns of targets: those of a table or a column of one, else target, or target_0 and so on."""
    if isinstance(values, pd.DataFrame):
        return tuple(map(str, values.columns))
    if isinstance(values, pd.Series) and values.name is not None:
        return (str(values.name),)
    return ("target",) if count == 1 else tuple(f"target_{number}" for number in range(count))


def labels_beside(images: Path) -> Path | None:
    """The file of the labels that go with a file of images, by its name."""
    for there, wanted in (("images-idx3", "labels-idx1"), ("images.idx3", "labels.idx1"), *NAMES):
        beside = images.with_name(images.name.replace(there, wanted, 1))
        if beside != images and beside.is_file():
            return beside
    return None


def _of_pandas(values: Any) -> bool:
    return isinstance(values, pd.DataFrame | pd.Series)


def _from_one_hot(name: str, rows: np.ndarray, count: int) -> np.ndarray:
    if len(rows) != count or not (np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all()):
        raise invalid(name, f"{count} class indices or one-hot rows", f"shape {rows.shape}, with other rows")
    return rows.argmax(axis=1)


def _from_texts(name: str, texts: np.ndarray, count: int) -> Labels:
    if texts.shape != (count,):
        raise invalid(name, f"{count} texts, one an example", f"shape {texts.shape}")
    names, indices = np.unique(texts, return_inverse=True)
    return indices.astype(np.int64), tuple(names.tolist())
