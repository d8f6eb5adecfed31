"""A data set from arrays: which kind takes one is seen from its name, its shape and its dtype."""

from typing import Any

import numpy as np

from mcviz.data.data_set import DataSet
from mcviz.kinds import KINDS, Kind
from mcviz.validate import array, invalid


def read_arrays(
    examples: Any,
    labels: Any = None,
    names: tuple[str, str] = ("examples", "labels"),
    task: str = "classification",
) -> DataSet:
    """Check arrays and bring them into the form of a data set.

    Args:
        examples: images, (N, height, width) or (N, height, width, channels), also with channels first where the sizes
            show that they are, floating point, or whole numbers of 0 to 255; or N texts; or (N, D) numbers.
        labels: as `DataSet.with_labels` takes them, or None.
        names: what an error calls the two arrays.
        task: what the labels are for.

    Raises:
        InvalidInputError: a wrong shape or dtype, no example at all, values that are not finite, or other labels.
    """
    given = array(names[0], examples)
    held = find_kind_of_array(names[0], given).read_array(DataSet(None), names[0], given)
    return held if labels is None else held.with_labels(labels, task, names[1])


def find_kind_of_array(name: str, given: np.ndarray) -> Kind:
    """Return the kind of the examples in an array, by its name, or else by its shape and dtype.

    Raises:
        InvalidInputError: no kind takes it.
    """
    for kind in KINDS.values():
        if name == kind.plural or (given.size and kind.takes(given)):
            kind.check_form(name, given)
            return kind
    taken = " or ".join(kind.arrays for kind in KINDS.values() if kind.arrays)
    raise invalid(name, f"{taken}, with no axis empty", f"shape {given.shape}, dtype {given.dtype}")
