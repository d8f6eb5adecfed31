"""Labels as people keep them, as class indices."""

from pathlib import Path
from typing import Any

import numpy as np

from mcviz.validate import class_indices, invalid

NAMES = (  # under which people keep images and their labels
    ("images", "labels"),
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


def labels_beside(images: Path) -> Path | None:
    """The file of the labels that go with a file of images, by its name."""
    for there, wanted in (("images-idx3", "labels-idx1"), ("images.idx3", "labels.idx1"), *NAMES):
        beside = images.with_name(images.name.replace(there, wanted, 1))
        if beside != images and beside.is_file():
            return beside
    return None


def _from_one_hot(name: str, rows: np.ndarray, count: int) -> np.ndarray:
    if len(rows) != count or not (np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all()):
        raise invalid(name, f"{count} class indices or one-hot rows", f"shape {rows.shape}, with other rows")
    return rows.argmax(axis=1)


def _from_texts(name: str, texts: np.ndarray, count: int) -> Labels:
    if texts.shape != (count,):
        raise invalid(name, f"{count} texts, one an example", f"shape {texts.shape}")
    names, indices = np.unique(texts, return_inverse=True)
    return indices.astype(np.int64), tuple(names.tolist())
