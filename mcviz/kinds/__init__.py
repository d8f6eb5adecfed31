"""The kinds of examples, each in a file of its own."""

from typing import TYPE_CHECKING

from mcviz.kinds.base import Files as Files
from mcviz.kinds.base import Kind as Kind
from mcviz.kinds.base import Nothing as Nothing
from mcviz.kinds.image import Image as Image
from mcviz.kinds.row import Row as Row
from mcviz.kinds.text import Text as Text
from mcviz.manifest import Manifest
from mcviz.validate import choice

if TYPE_CHECKING:
    from mcviz.data.data_set import DataSet

# In the order in which they are looked for.
KINDS: dict[str, Kind] = {kind.name: kind for kind in (Image(), Text(), Row(), Nothing())}


def kind_of(manifest: Manifest) -> Kind:
    """The kind of the examples of a run."""
    return KINDS[manifest.examples.kind]


def find_kind(examples: "DataSet") -> Kind:
    """Return the given kind of a data set, or the first that holds its examples.

    Raises:
        InvalidInputError: it was given a name that no kind has.
    """
    given = KINDS[choice("kind", examples.kind, tuple(KINDS))]
    return next(kind for kind in (given, *KINDS.values()) if kind.holds(examples))
