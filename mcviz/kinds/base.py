"""The base class of the kinds of examples: their sources, and their form in a run.

Opening a run imports the kinds, so they import pandas or Pillow only to read.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.kinds.content import Content

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.data.data_set import DataSet
    from mcviz.data.tables import ColumnNames


Progress = Callable[[int, int], None]
Distort = Callable[[np.ndarray, float, int, np.ndarray], np.ndarray]
NAMED = 5  # of the broken files, in a message


@dataclass(frozen=True)
class Files:
    """How examples are read that are in files or in rows of a table.

    Attributes:
        folder: from which on they are named; None where names are not followed, since a table from elsewhere could name
            any file.
        skip_broken: whether to leave out those that cannot be read; they are refused without it.
        progress: called with (done, total) files while they are checked, or None.
        complete: whether rows need every number, as a model does, or columns that lack some are the user's own.
        encoded: by the names of columns that were left on disk, what gives the bytes of the picture in a row.
    """

    folder: Path | None = None
    skip_broken: bool = False
    progress: Callable[[int, int], None] | None = None
    complete: bool = True
    encoded: Mapping[str, Callable[[int], bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class OODRecipe:
    """How examples that belong to no class are made of examples that do.

    Attributes:
        label: what they are, for people.
        make: ((n, …) contents, (n, …) contents of other classes, seed) to (n, …) contents, each as it is shown.
    """

    label: str
    make: Callable[[np.ndarray, np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class Distortion:
    """A distortion of examples of one kind that a person can pick, with one slider.

    Attributes:
        label: its name for people.
        unit: what the slider counts.
        unchanged: where on the slider examples stay as they are.
        strongest: the end of the slider with the strongest distortion.
        step: the smallest step that makes sense.
        apply: (examples, amount, seed, others) to as many examples; `others` are an image to mix with, or all rows or
            texts of a run.
        opposite: the other end, of a slider that goes both ways; it begins at `unchanged` without one.
        is_share: whether the amount is a part of a whole, to be shown in percent.
        seeded: whether it draws random numbers from the seed.
    """

    label: str
    unit: str
    unchanged: float
    strongest: float
    step: float
    apply: Distort
    opposite: float | None = None
    is_share: bool = False
    seeded: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest amount."""
        other = self.unchanged if self.opposite is None else self.opposite
        return min(other, self.strongest), max(other, self.strongest)


def drawn_share(label: str, unit: str, apply: Distort) -> Distortion:
    """A distortion of none, some or all of an example, drawn at random; arguments are the attributes of the result."""
    return Distortion(label, unit, 0, 1, 0.05, apply, is_share=True, seeded=True)


def join_halves(contents: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Join the first half of each, along the axis behind the first, with the second half of another."""
    middle = contents.shape[1] // 2
    return np.concatenate([contents[:, :middle], others[:, middle:]], axis=1)


class Kind(ABC):
    """A kind of examples; a subclass says only where it differs from examples that have no content.

    Attributes:
        name: as a run's manifest has it.
        plural: what several are called, in messages and as an array of an `.npz`.
        column: the field of `ColumnNames` that names its column or columns; "" for none.
        content: how a run stores the examples.
        arrays: what arrays it takes, in words; "" for none.
        suffixes: of files with an example each.
        files: what such files are called.
        ood_sets: what is out of distribution and can be made of such examples, by name.
        alone: what a detector looks at that looks at no network, in two words; "" where there is none.
        similarity_basis: what examples are compared by where a run has no features, such as "pixels".
    """

    name: ClassVar[str]
    plural: ClassVar[str] = ""
    column: ClassVar[str] = ""
    content: ClassVar[Content] = Content()
    arrays: ClassVar[str] = ""
    suffixes: ClassVar[tuple[str, ...]] = ()
    files: ClassVar[str] = ""
    ood_sets: ClassVar[Mapping[str, OODRecipe]] = {}
    alone: ClassVar[str] = ""
    similarity_basis: ClassVar[str] = ""

    @abstractmethod
    def holds(self, examples: "DataSet") -> bool:
        """Whether the examples are of this kind."""

    def check(self, examples: "DataSet") -> "DataSet":
        """Return the examples with their content in the one form of `DataSet`.

        Raises:
            InvalidInputError: it cannot be brought into it.
        """
        return examples

    def read_content(self, examples: "DataSet", content: "pd.DataFrame") -> "DataSet":
        """Return the examples with their content from the columns of a run that hold it."""
        raise NotImplementedError

    def takes(self, array: np.ndarray) -> bool:
        """Whether an array is of such examples, by its shape and dtype alone."""
        return False

    def check_form(self, name: str, array: np.ndarray) -> None:
        """Check the shape of an array that is called `plural`, before it is read.

        Raises:
            InvalidInputError: it cannot be of such examples.
        """
        raise NotImplementedError

    def read_array(self, examples: "DataSet", name: str, array: np.ndarray) -> "DataSet":
        """Return the examples with the content of an array that this kind takes; `name` is what an error calls it.

        Raises:
            InvalidInputError: it cannot be used.
        """
        raise NotImplementedError

    def read_table(self, examples: "DataSet", names: "ColumnNames", files: Files) -> "DataSet | None":
        """Return the examples with the content that their columns hold, which is taken out of these; None without.

        Raises:
            InvalidInputError: it is there and cannot be used.
        """
        return None

    def read_files(self, examples: "DataSet", paths: Sequence[Path], files: Files) -> "DataSet":
        """Return the examples with the content of files, which lie in the folder of `files`.

        Raises:
            InvalidInputError: one cannot be read.
        """
        raise NotImplementedError

    def compute_vectors(self, contents: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return (n, D) float32: n examples as they are shown, as plain numbers; `others` show what is usual.

        What comes out for some examples does not depend on which others of these are given with them.
        """
        raise NotImplementedError

    def compute_components(self, content: Any, progress: Progress | None) -> np.ndarray:
        """Return (N, K) float32 by which examples are alike.

        Args:
            content: the images of a run, read as they are sliced, or its columns that are the examples.
            progress: called with (done, total) examples.
        """
        raise NotImplementedError

    def shrink(self, contents: np.ndarray) -> np.ndarray:
        """Return (n, …) uint8, float32 or texts: examples as they are shown, small enough to be kept beside a run."""
        return contents


def drop_broken(
    examples: "DataSet", plural: str, names: Sequence[str], broken: dict[int, str], files: Files
) -> "DataSet":
    """Return examples from files without the broken ones; the names are the ids where they have none.

    Args:
        examples: with a place for each file.
        plural: what they are called.
        names: of the files.
        broken: what is wrong with each that cannot be read, by its place.
        files: how they were read.

    Raises:
        InvalidInputError: one cannot be read, and none may be left out, or none is left.
    """
    if examples.ids is None and len(set(names)) == len(names):
        examples = examples.with_ids(names)
    if not broken:
        return examples
    first = "; ".join(f"{names[place]}: {reason.rstrip('.')}" for place, reason in list(broken.items())[:NAMED])
    more = f" and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
    problem = f"{len(broken):,} of {len(names):,} {plural} cannot be read: {first}{more}."
    if len(broken) == len(names) or not files.skip_broken:
        raise InvalidInputError(f"{problem} Mend or remove them, or leave them out with --skip-broken.")
    readable = np.setdiff1d(np.arange(len(names)), list(broken))
    return replace(examples.take(readable), notes=(*examples.notes, f"Left out: {problem}"))


class Nothing(Kind):
    """No content at all."""

    name = "none"

    def holds(self, examples: "DataSet") -> bool:
        return examples.images is None and examples.content is None

    def read_table(self, examples: "DataSet", names: "ColumnNames", files: Files) -> "DataSet | None":
        return None if examples.labels is None and examples.ids is None else examples
