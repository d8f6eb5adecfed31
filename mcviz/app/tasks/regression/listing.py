"""What lists, tables and filters say of the numbers of an example."""

from collections.abc import Mapping
from typing import Any

from mcviz.app.filters import Filters
from mcviz.app.needs import has
from mcviz.app.selection import Selection
from mcviz.app.tasks.regression.passes import column
from mcviz.app.tasks.regression.words import several
from mcviz.app.tasks.task import TileText
from mcviz.runs import Run
from mcviz.text import one_line


def tile(run: Run, row: Mapping[Any, Any]) -> TileText:
    """The numbers that are predicted, and the true ones where they are known; of many targets the first."""
    predictions, labels = (
        [row[column(run, name, target)] for target in range(len(run.targets))] for name in ("prediction", "label")
    )
    return TileText(
        several(predictions, one_line(run.manifest.unit)),
        several(labels) if has(run, "labels") else "",
    )


def typed(run: Run) -> list[str]:  # noqa: ARG001
    """Nothing: what is predicted is no word."""
    return []


def narrowed(run: Run, filters: Filters, words: str) -> Filters:  # noqa: ARG001
    """Nothing that is typed narrows the filters.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"“{words}” is no filter. Choose ranges under Filters.")


def narrowing(run: Run, filters: Filters) -> None:
    """Nothing: there is a range of every number."""


def columns(selection: Selection, most: int) -> dict[str, Any]:
    """True and predicted values of the first examples of a selection, by the names that exports have, too."""
    run, scores = selection.run, selection.first(most)
    kinds = ["label", "prediction"] if has(run, "labels") else ["prediction"]
    names = [column(run, kind, target) for target in range(len(run.targets)) for kind in kinds]
    return {one_line(name): scores[name].to_numpy() for name in names}
