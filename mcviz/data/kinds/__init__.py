"""The kinds of examples, each in a file of its own."""

from typing import TYPE_CHECKING

import numpy as np

from mcviz.data.kinds.image import Image
from mcviz.data.kinds.kind import Files, Kind
from mcviz.data.kinds.none import Nothing
from mcviz.data.kinds.row import Row
from mcviz.data.kinds.text import Text
from mcviz.validate import invalid

if TYPE_CHECKING:
    from mcviz.data.data_set import DataSet

# In the order in which they are looked for.
KINDS: dict[str, Kind] = {kind.name: kind for kind in (Image(), Text(), Row(), Nothing())}

__all__ = ["KINDS", "Files", "Kind", "kind_of", "kind_of_array"]


def kind_of(examples: "DataSet") -> Kind:
    """The kind of the examples of a data set."""
    return next(kind for kind in KINDS.values() if kind.holds(examples))


def kind_of_array(name: str, array: np.ndarray) -> Kind:
    """The kind of the examples in an array, by its name, or else by its shape and dtype.

    Raises:
        InvalidInputError: there is none that takes it.
    """
    for kind in KINDS.values():
        if name == kind.plural or (array.size and kind.takes(array)):
            kind.check_form(name, array)
            return kind
    taken = " or ".join(kind.arrays for kind in KINDS.values() if kind.arrays)
    raise invalid(name, f"{taken}, with no axis empty", f"shape {array.shape}, dtype {array.dtype}")
