"""The kinds of examples, each in a file of its own."""

from typing import TYPE_CHECKING

from mcviz.kinds.base import Files, Kind, Nothing, OODRecipe
from mcviz.kinds.image import Image
from mcviz.kinds.row import Row
from mcviz.kinds.text import Text
from mcviz.manifest import Manifest
from mcviz.validate import choice

if TYPE_CHECKING:
    from mcviz.data.data_set import DataSet

# In the order in which they are looked for.
KINDS: dict[str, Kind] = {kind.name: kind for kind in (Image(), Text(), Row(), Nothing())}

__all__ = ["KINDS", "Files", "Image", "Kind", "Nothing", "OODRecipe", "Row", "Text", "find_kind", "kind_of"]


def kind_of(manifest: Manifest) -> Kind:
    """The kind of the examples of a run."""
    return KINDS[manifest.examples.kind]


def find_kind(examples: "DataSet") -> Kind:
    """Return the kind that a data set was given where it holds the examples, or else the first that does.

    Raises:
        InvalidInputError: it was given a name that no kind has.
    """
    given = KINDS[choice("kind", examples.kind, tuple(KINDS))]
    return next(kind for kind in (given, *KINDS.values()) if kind.holds(examples))
