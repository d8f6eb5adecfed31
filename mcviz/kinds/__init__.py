"""The kinds of examples, one file for each."""

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

# in search order
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Image(),
        Text(),
        Row(),
        Nothing(),
    )
}


def kind_of(manifest: Manifest) -> Kind:
    """Return the kind of the examples of a run."""
    return KINDS[manifest.examples.kind]


def find_kind(examples: "DataSet") -> Kind:
    """Return the data set's given kind if it fits, else the first match.

    Raises:
        InvalidInputError: the given kind does not exist.
    """
    given = KINDS[choice("kind", examples.kind, tuple(KINDS))]
    return next(kind for kind in (given, *KINDS.values()) if kind.holds(examples))
