"""The base class of the kinds of examples.

Opening a run needs neither pandas nor Pillow, so kinds import them only to read examples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mcviz.data.content import Content
from mcviz.errors import InvalidInputError

if TYPE_CHECKING:
    from mcviz.data.data_set import DataSet
    from mcviz.data.tables import ColumnNames


Progress = Callable[[int, int], None]
Distort = Callable[[np.ndarray, float, int, np.ndarray], np.ndarray]
NAMED = 5  # of the broken files, in a message


@dataclass(frozen=True)
class Files:
    """Options for reading examples from files or table rows.

    Attributes:
        folder: base of relative names; None to follow no names, since a table from elsewhere could name any file.
        skip_broken: whether to leave out unreadable files; they are refused without it.
        progress: called with (done, total) files while they are checked, or None.
        complete: whether rows need every number, as a model does; else columns that lack some become the user's own.
        encoded: by the names of columns left on disk, a function from a row to the bytes of its picture.
    """

    folder: Path | None = None
    skip_broken: bool = False
    progress: Callable[[int, int], None] | None = None
    complete: bool = True
    encoded: Mapping[str, Callable[[int], bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class OODRecipe:
    """A way to make examples of no class from examples of some class.

    Attributes:
        label: its name for people.
        make: ((n, …) contents, (n, …) contents of other classes, seed) to (n, …) contents, each as displayed.
    """

    label: str
    make: Callable[[np.ndarray, np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class Distortion:
    """A distortion of examples of one kind, with one slider.

    Attributes:
        label: its name for people.
        unit: of the slider.
        unchanged: the amount that changes nothing.
        strongest: the end of the slider with the strongest distortion.
        step: the smallest step that makes sense.
        apply: (examples, amount, seed, others) to as many examples; `others` are an image to mix with, or all rows or
            texts of a run.
        opposite: the other end, of a slider that goes both ways; it begins at `unchanged` without one.
        is_share: whether the amount is a share, displayed in percent.
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
    """Return a distortion of a random share of an example."""
    return Distortion(label, unit, 0, 1, 0.05, apply, is_share=True, seeded=True)


def join_halves(contents: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Join first halves of examples with second halves of others, along axis 1."""
    middle = contents.shape[1] // 2
    return np.concatenate([contents[:, :middle], others[:, middle:]], axis=1)


class Kind:
    """A kind of examples; the defaults are for no content.

    Attributes:
        name: in a run's manifest.
        plural: their name, in messages and as an array of an `.npz`.
        column: the field of `ColumnNames` for its column or columns; "" for none.
        content: the form of the examples in a data set and in a run.
        arrays: the arrays it takes, in words; "" for none.
        suffixes: of files with an example each.
        files: the word for such files.
        ood_sets: recipes of out-of-distribution examples, by name.
        alone: the input of a detector without a network, in two words; "" if there is none.
        similarity_basis: the basis of similarity if a run has no features, such as "pixels".
    """

    name: ClassVar[str]
    plural: ClassVar[str] = ""
    column: ClassVar[str] = ""
    content: ClassVar[type[Content]] = Content
    arrays: ClassVar[str] = ""
    suffixes: ClassVar[tuple[str, ...]] = ()
    files: ClassVar[str] = ""
    ood_sets: ClassVar[Mapping[str, OODRecipe]] = {}
    alone: ClassVar[str] = ""
    similarity_basis: ClassVar[str] = ""

    def holds(self, examples: "DataSet") -> bool:
        """Whether the examples are of this kind."""
        return type(examples.held) is self.content

    def check(self, examples: "DataSet") -> "DataSet":
        """Return the examples with their content in the form of `DataSet`.

        Raises:
            InvalidInputError: it cannot be converted.
        """
        return examples

    def takes(self, array: np.ndarray) -> bool:
        """Whether shape and dtype of an array fit this kind."""
        return False

    def check_form(self, name: str, array: np.ndarray) -> None:
        """Check the shape of an array named `plural` before it is read.

        Raises:
            InvalidInputError: it cannot be of such examples.
        """
        raise NotImplementedError

    def read_array(self, examples: "DataSet", name: str, array: np.ndarray) -> "DataSet":
        """Return the examples with the content of an array, `name` in errors.

        Raises:
            InvalidInputError: it cannot be used.
        """
        raise NotImplementedError

    def read_table(self, examples: "DataSet", names: "ColumnNames", files: Files) -> "DataSet | None":
        """Return the examples with content moved from their columns; None without any.

        Raises:
            InvalidInputError: it is there and cannot be used.
        """
        return None

    def read_files(self, examples: "DataSet", paths: Sequence[Path], files: Files) -> "DataSet":
        """Return the examples with the content of files below `files.folder`.

        Raises:
            InvalidInputError: one cannot be read.
        """
        raise NotImplementedError

    def compute_vectors(self, contents: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return n displayed examples as plain numbers, (n, D) float32.

        `others` show the usual values. Each vector is independent of the other `contents`.
        """
        raise NotImplementedError

    def compute_components(self, content: Any, progress: Progress | None) -> np.ndarray:
        """Return (N, K) float32 coordinates for similarity.

        Args:
            content: the images of a run, read when sliced, or its content columns.
            progress: called with (done, total) examples.
        """
        raise NotImplementedError

    def shrink(self, contents: np.ndarray) -> np.ndarray:
        """Return displayed examples, (n, …) uint8, float32 or texts, at thumbnail size."""
        return contents


def drop_broken(
    examples: "DataSet", plural: str, names: Sequence[str], broken: dict[int, str], files: Files
) -> "DataSet":
    """Return examples from files without the broken ones.

    File names become their ids if they have none.

    Args:
        examples: with a place for each file.
        plural: the word for them.
        names: of the files.
        broken: the problem of each unreadable file, by its place.
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
    """Examples without content."""

    name = "none"

    def read_table(self, examples: "DataSet", names: "ColumnNames", files: Files) -> "DataSet | None":
        return None if examples.labels is None and examples.ids is None else examples
