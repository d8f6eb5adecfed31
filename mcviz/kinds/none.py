"""Examples of which nothing is known but their labels and names."""

from typing import TYPE_CHECKING

from mcviz.kinds.base import Files, Kind

if TYPE_CHECKING:
    from mcviz.data.data_set import DataSet
    from mcviz.data.tables import ColumnNames


class Nothing(Kind):
    """No content at all."""

    name = "none"

    def holds(self, examples: "DataSet") -> bool:
        return examples.images is None and examples.content is None

    def read_table(self, examples: "DataSet", names: "ColumnNames", files: Files) -> "DataSet | None":
        return None if examples.labels is None and examples.ids is None else examples
