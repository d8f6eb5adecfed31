"""Examples of which nothing is known but their labels and names."""

from typing import TYPE_CHECKING

from mcviz.data.kinds.kind import Files, Kind
from mcviz.data.tables import ColumnNames

if TYPE_CHECKING:
    from mcviz.data.data_set import DataSet


class Nothing(Kind):
    """No content at all."""

    name = "none"

    def holds(self, examples: "DataSet") -> bool:
        return True

    def of_table(self, examples: "DataSet", names: ColumnNames, files: Files) -> "DataSet | None":
        return None if examples.labels is None and examples.ids is None else examples
