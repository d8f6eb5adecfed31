"""Labels: class indices, or targets of a regression."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from mcviz.errors import InvalidInputError
from mcviz.text import explain_alike, list_names, make_target_names, one_line
from mcviz.validate import MOST_INDICES, array, class_indices, different_names, invalid

UNKNOWN = -1  # of a label
BY_PLACE = "Give values.to_numpy() where they are in the order of the examples, or a mapping from their ids."

ARRAY_NAMES = (  # under which people keep examples and their labels
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
MatchedBy = Literal["place", "column", "name", "order"]
MATCHES: dict[MatchedBy, str] = {  # in words
    "place": "whole numbers, the places of the classes, counted from 0",
    "column": "rows of 0 and 1, whose columns are the classes",
    "name": "matched to the classes by name",
    "order": "names of classes; their sorted order is taken for that of the model, and --class-names gives another",
}
NUMBER_PATTERN = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
DIGITS_PATTERN = re.compile(r"(\d+)", re.ASCII)


def order_by_ids(
    name: str, values: Any, ids: Sequence[str] | None, count: int, *, strict: bool = False, partial: bool = False
) -> Any:
    """Order indexed values like the examples.

    An index of ids names them; one that counts rows, or shares no id, has no meaning. An ambiguous index is refused.

    Args:
        name: what an error calls the values.
        values: a mapping, whose keys are ids; a Series or a DataFrame; anything else is given back as it is.
        ids: of the examples, in their order; None where they have no names but their numbers.
        count: of the examples.
        strict: whether an index that shares nothing with the ids is refused as well.
        partial: whether ids may be missing; their values are missing then.

    Returns:
        Of a mapping a Series. An index that was put in order is gone, and sparse columns are dense.

    Raises:
        InvalidInputError: ids that repeat, are missing or unknown; or an index that could mean two things.
    """
    is_mapping = isinstance(values, Mapping)
    if is_mapping:
        values = pd.Series(dict(values))
    if not isinstance(values, pd.Series | pd.DataFrame):
        return values
    values = _to_dense(values)
    if strict and values.index.nlevels > 1:
        advice = "Make one level of ids, such as by values.reset_index(level, drop=True)."
        raise invalid(name, "named by ids", f"an index of {values.index.nlevels} levels", advice)
    index, known = values.index.map(str), pd.Index(map(str, range(count)) if ids is None else ids)
    counts = not is_mapping and values.index.equals(pd.RangeIndex(len(values)))
    if index.equals(known):
        return values.reset_index(drop=True)
    same = index.is_unique and len(index) == len(known) and bool(index.isin(known).all())
    if same and (counts or (ids is None and not is_mapping)):
        received = (
            f"an index that counts them, and ids in another order, such as {one_line(known[0]):.80} for the first"
        )
        if not counts:
            received = f"an index with {one_line(index[0]):.80} for the first, in another order than the examples"
        raise invalid(name, "in the order of the examples, or named by their ids", received, BY_PLACE)
    if not same and not is_mapping and (counts or ids is None or not (strict or index.isin(known).any())):
        return values.reset_index(drop=True)
    for problem, wrong in (
        ("two for", index[index.duplicated()]),
        ("one for an id that no example has,", index.difference(known)),
        ("none for", known[:0] if partial and len(index) else known.difference(index)),
    ):
        if len(wrong):
            expected = f"one for each of the {count:,} examples, by their ids"
            raise invalid(name, expected, f"{problem} {one_line(wrong[0]):.80}", BY_PLACE)
    return values.set_axis(index).reindex(known).reset_index(drop=True)


def _to_dense(values: pd.Series | pd.DataFrame) -> pd.Series | pd.DataFrame:
    if isinstance(values, pd.DataFrame):
        return values.apply(_to_dense) if any(isinstance(kind, pd.SparseDtype) for kind in values.dtypes) else values
    if not isinstance(values.dtype, pd.SparseDtype):
        return values
    return pd.Series(values.to_numpy(), values.index, name=values.name)


class LabelMatch(NamedTuple):
    """Labels matched to classes.

    Attributes:
        labels: (N,) int64 class indices, -1 where a label is not known.
        class_names: names of the classes, in the order of the model's outputs; None where nothing names them.
        by: how they were matched.
    """

    labels: np.ndarray
    class_names: tuple[str, ...] | None
    by: MatchedBy


def match_labels(name: str, labels: Any, count: int, class_names: Sequence[str] | None = None) -> LabelMatch:
    """Match labels to classes, by one rule for data of every kind.

    | labels | given names of classes | a label is |
    |---|---|---|
    | whole numbers, also as texts such as "10" | none, or no numbers | the place of its class, from 0 |
    | whole numbers, also as texts | numbers such as 1, 2, 3 | the name of its class |
    | one-hot rows | any or none | the column of its class |
    | other texts | any | the name of its class |
    | other texts | none | the name of its class; the classes are in the order of `sort_class_names` |

    A name that is the number of its own place, from 0, is both. A label is not known where it is masked, NaN, None or
    an empty text. Anything else is refused. The order of the examples and the kind of file make no difference.

    Args:
        name: what an error calls the labels.
        labels: of `count` examples: (N,) or (N, 1) integers, whole floating-point numbers or texts, or (N, C) one-hot.
        count: N.
        class_names: names that are given, all different, in the order of the model's outputs.

    Raises:
        InvalidInputError: labels of another form, one that means no class, or none that is known.
    """
    values = _as_values(name, labels, count)
    missing = _find_missing(values) if values.shape[:1] == (count,) else np.zeros(0, bool)
    if not missing.any():
        return _match_known(name, values, count, class_names)
    require_some_known(name, ~missing)
    some = values[~missing]
    if some.dtype == object:
        some = pd.Series(some.tolist()).infer_objects().to_numpy()
    known = _match_known(name, some, len(some), class_names)
    indices = np.full(count, UNKNOWN, np.int64)
    indices[~missing] = known.labels
    return known._replace(labels=indices)


def require_some_known(name: str, known: np.ndarray) -> None:
    """Raise `InvalidInputError` if no label is known, (N,) bool."""
    if not known.any():
        raise InvalidInputError(f"No label of {name} is known. Leave them out, or give those that are known.")


def _match_known(name: str, values: np.ndarray, count: int, class_names: Sequence[str] | None) -> LabelMatch:
    values, names = _normalise(name, values, count), None if class_names is None else tuple(class_names)
    if values.dtype.kind == "U":
        distinct, places = np.unique(values, return_inverse=True)
        texts = distinct.tolist()
        known = sort_class_names(texts) if names is None else names
        check_named(texts, known)
        place = {class_name: number for number, class_name in enumerate(known)}
        indices = np.array([place[text] for text in texts], np.int64)[places]
        return LabelMatch(indices, known, "order" if names is None else "name")
    one_hot = values.ndim == 2
    indices = _from_one_hot(name, values, count) if one_hot else class_indices(name, values, count)
    numbers = [_number(class_name) for class_name in names or ()]
    if not one_hot and any(number not in (None, place) for place, number in enumerate(numbers)):
        distinct, places = np.unique(indices, return_inverse=True)
        for index in distinct.tolist():
            if numbers.count(index) != 1:
                raise invalid(name, f"names of the classes, which are {list_names(names or ())}", index)
        return LabelMatch(
            np.array([numbers.index(number) for number in distinct.tolist()], np.int64)[places], names, "name"
        )
    least = int(indices.max(initial=-1)) + 1
    if names is not None and len(names) < least:
        raise invalid("class_names", f"names of {least:,} classes at least, by the labels", f"{len(names):,} names")
    return LabelMatch(indices, names, "column" if one_hot else "place")


def check_named(texts: Sequence[str], names: Sequence[str], advice: str = "") -> None:
    """Check that label classes are among the names.

    Raises:
        InvalidInputError: one is not.
    """
    if missing := set(texts).difference(names):
        expected = f"names for all of {list_names(texts)}, which the data have"
        raise invalid("class_names", expected, list_names(names), explain_alike(missing, names) or advice)


def explain_renaming(name: str) -> str:
    """Return the advice on renaming a class."""
    return (
        f"To rename classes, give pairs: class_names={{{name!r}: …}}, on the command line --rename-class {name}=…. "
        "If the new names are in the order of the old ones, --names-in-order says so."
    )


def rename_classes(own: Sequence[str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Give classes new names, by those that they have.

    Raises:
        InvalidInputError: a class that is none, or two of one name.
    """
    if missing := [name for name in new if name not in own]:
        advice = explain_alike(missing, own)
        raise invalid("class_names", f"new names of {list_names(own) or 'no classes'}", list_names(missing), advice)
    return different_names("class_names", [new.get(name, name) for name in own], len(own))


def sort_class_names(texts: Sequence[str]) -> tuple[str, ...]:
    """Sort names with numbers by value: class_2 before class_10."""

    def parts(text: str) -> tuple[list[Any], str]:
        split = DIGITS_PATTERN.split(text)  # every other one is digits; the longer number is the larger one
        split[1::2] = [(len(digits.lstrip("0")), digits.lstrip("0")) for digits in split[1::2]]
        return split, text

    return tuple(sorted(texts, key=parts))


def convert_targets(name: str, values: Any, count: int) -> np.ndarray:
    """Convert the targets of a regression to one form.

    Args:
        name: what an error calls it.
        values: of `count` examples: (N,) or (N, D) numbers, also as a table or a column of one. What is missing
            (masked, NaN, None, an empty text) is not known.
        count: N.

    Returns:
        (N, D) float32, finite, or NaN where a target is not known.

    Raises:
        InvalidInputError: they are none of these.
    """
    if np.ma.is_masked(values):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    given = array(name, pd.DataFrame(values).to_numpy(na_value=np.nan) if _is_pandas(values) else values)
    if given.ndim == 1:
        given = given[:, None]
    if given.ndim != 2 or len(given) != count or not given.shape[1]:
        raise invalid(name, f"{count:,} numbers, or rows of numbers, one an example", f"shape {given.shape}")
    if given.dtype == object:
        given = np.where(_is_missing(given), np.nan, given)
    try:
        if given.dtype.kind not in "biufO":
            raise TypeError(f"dtype {given.dtype}")
        with np.errstate(over="ignore"):  # what float32 cannot hold is told below
            targets = given.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise invalid(name, "numbers, which a regression predicts", str(error), "Texts are for classes.") from error
    unusable = np.isinf(targets).any(axis=1)
    if unusable.any():
        raise InvalidInputError(
            f"{unusable.sum():,} of {count:,} {name} are not finite, the first in row {unusable.argmax():,}, counted "
            "from 0. Correct them, or leave them empty."
        )
    targets[np.isnan(targets)] = np.nan  # of which there are many, and a digest tells them apart
    require_some_known(name, np.asarray(np.isfinite(targets).all(axis=1)))
    return targets


def target_names(values: Any, count: int) -> tuple[str, ...]:
    """Return `count` target names: of a table or column, else target_0, …."""
    if isinstance(values, pd.DataFrame):
        return tuple(map(str, values.columns))
    if isinstance(values, pd.Series) and values.name is not None:
        return (str(values.name),)
    return make_target_names(count)


def find_labels_file(images: Path) -> Path | None:
    """Find the label file of an image file by its name."""
    for there, wanted in (("images-idx3", "labels-idx1"), ("images.idx3", "labels.idx1"), *ARRAY_NAMES):
        beside = images.with_name(images.name.replace(there, wanted, 1))
        if beside != images and beside.is_file():
            return beside
    return None


def _is_pandas(values: Any) -> bool:
    return isinstance(values, pd.DataFrame | pd.Series)


def _as_values(name: str, labels: Any, count: int) -> np.ndarray:
    """Return an array with None, NaN or "" for missing labels."""
    if np.ma.is_masked(labels):
        mask, labels = np.ma.getmaskarray(labels), np.ma.getdata(labels).astype(object)
        labels[mask] = None
    try:
        values = np.asarray(labels)
        if values.dtype.kind == "U" and isinstance(labels, list | tuple):
            values = np.array(labels, object)  # in which NaN is not yet the text "nan"
    except ValueError as error:  # lists of different lengths
        raise invalid(name, f"{count} class indices, one an example", f"{labels!r:.60}") from error
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _find_missing(values: np.ndarray) -> np.ndarray:
    """Return (N,) bool, examples without a known label."""
    return np.asarray(_is_missing(values).reshape(len(values), -1).all(axis=1))


def _is_missing(values: np.ndarray) -> np.ndarray:
    """Return bool of the same shape: None, NaN or "" is missing."""
    if values.dtype.kind != "O":
        return np.asarray(values == "" if values.dtype.kind == "U" else pd.isna(values))
    empty = [isinstance(value, str) and not value for value in values.ravel().tolist()]
    return np.asarray(pd.isna(values)) | np.reshape(empty, values.shape)


def _normalise(name: str, values: np.ndarray, count: int) -> np.ndarray:
    """Return whole numbers, texts that are not all numbers, or rows."""
    if values.ndim == 2 and values.dtype.kind in "iufb":
        return values
    if values.dtype.kind == "O":
        values = _as_texts(name, values)
    if values.dtype.kind in "US":
        values = _numbers_or_texts(name, values.astype(str), count)
    if values.dtype.kind == "f":
        if not (np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < MOST_INDICES)).all():
            received = "fractions, infinite numbers or numbers that are too large"
            raise invalid(name, f"{count} class indices, texts or one-hot rows", received)
        return values.astype(np.int64)
    return values


def _as_texts(name: str, values: np.ndarray) -> np.ndarray:
    kinds = {str if isinstance(value, str) else type(value) for value in values.ravel().tolist()}
    if kinds not in ({str}, {int}):  # or int, where one is larger than all of numpy's
        raise invalid(name, "numbers or texts, one an example", ", ".join(sorted(kind.__name__ for kind in kinds)))
    return values.astype(str)


def _numbers_or_texts(name: str, texts: np.ndarray, count: int) -> np.ndarray:
    if texts.shape != (count,):
        raise invalid(name, f"{count} texts, one an example", f"shape {texts.shape}")
    if not count or _number(texts[0]) is None:
        return texts
    distinct, places = np.unique(texts, return_inverse=True)
    numbers = [_number(text) for text in distinct.tolist()]
    return texts if None in numbers else np.array(numbers, np.float64)[places]


def _number(text: str) -> float | None:
    """Return the number in a text, or None."""
    return float(text) if NUMBER_PATTERN.fullmatch(text) else None


def _from_one_hot(name: str, rows: np.ndarray, count: int) -> np.ndarray:
    if len(rows) != count or not (np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all()):
        advice = "Of several labels an example, give task='multilabel', on the command line --task multilabel."
        raise invalid(name, f"{count} class indices or one-hot rows", f"shape {rows.shape}, with other rows", advice)
    return rows.argmax(axis=1)
