"""Examples in one form, and how a run stores, exports and searches this form."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.data.in_place import LazyRows
    from mcviz.data.pictures import Pictures
    from mcviz.manifest import Manifest


@dataclass(frozen=True)
class Content:
    """The examples of a data set; the base holds none, and a run does not store them.

    Attributes:
        values: of the N examples; None for none.
        plural: their name in errors about a data set.
        of_images: whether they are images, which have an array of their own.
        in_columns: whether they are columns of the table of examples.
        searched: the word for a value that “Find” searches, a text however few there are; "" for none.
        is_told: whether pages describe the preprocessing even if there is none.
        tag: the Label Studio tag of an example, and the field of a task's data that it shows.
    """

    values: Any = None

    plural: ClassVar[str] = ""
    of_images: ClassVar[bool] = False
    in_columns: ClassVar[bool] = False
    searched: ClassVar[str] = ""
    is_told: ClassVar[bool] = False
    tag: ClassVar[tuple[str, str]] = "Text", "id"

    @property
    def width(self) -> int | None:
        """The size of the last axis, of channels or columns, if there is one."""
        return None

    @property
    def columns(self) -> "pd.DataFrame | None":
        """The examples as columns of a run's table, or None."""
        return None

    @classmethod
    def from_columns(cls, columns: "pd.DataFrame") -> Self:
        """Return the examples of a run's table."""
        raise NotImplementedError

    def map(self, change: Callable[[Any], Any]) -> Self:
        """Return changed values, such as some of them; nothing stays nothing."""
        return self if self.values is None else replace(self, values=change(self.values))

    def to_array(self) -> np.ndarray | None:
        """Return the examples as a model's transform takes them, (N, …), or None."""
        return None

    def text(self, place: int) -> str:
        """Return an example's text, or ""."""
        return ""

    @classmethod
    def claims(cls, manifest: "Manifest") -> Iterator[tuple[bool, str]]:
        """Yield conditions on a manifest of such examples, with error texts."""
        kind = manifest.examples.kind
        yield cls.of_images == (manifest.images is not None), f"examples are {kind!r}"
        yield cls.in_columns == bool(manifest.examples.content), f"examples are {kind!r}"

    @classmethod
    def check(cls, columns: "pd.DataFrame") -> "pd.DataFrame":
        """Return the content columns in the form of a run.

        Raises:
            ValueError: they hold something else.
        """
        raise NotImplementedError

    @classmethod
    def encode(cls, block: Any) -> Iterator[Any]:
        """Yield each example of a block, as bytes or array."""
        raise NotImplementedError

    @classmethod
    def label_studio_value(cls, row: "pd.Series") -> Any:
        """Return one example, a row of its columns, for the field of `tag`."""
        raise NotImplementedError


NOTHING = Content()


@dataclass(frozen=True)
class ImageContent(Content):
    """Images, in an array of their own."""

    values: "np.ndarray | Pictures | LazyRows | None" = None

    plural = "images"
    of_images = True
    is_told = True
    tag = "Image", "image"

    @property
    def width(self) -> int | None:
        return None if self.values is None else self.values.shape[-1]

    @classmethod
    def encode(cls, block: np.ndarray) -> Iterator[Any]:
        yield from np.ascontiguousarray(block)


@dataclass(frozen=True)
class TextContent(Content):
    """Texts, in one column."""

    values: np.ndarray | None = None

    plural = "texts"
    in_columns = True
    searched = "text"
    is_told = True
    tag = "Text", "text"

    @property
    def columns(self) -> "pd.DataFrame":
        import pandas as pd  # here, because opening a run needs no pandas

        return pd.DataFrame({"text": self.values})

    @classmethod
    def from_columns(cls, columns: "pd.DataFrame") -> Self:
        return cls(columns.iloc[:, 0].to_numpy(object))

    def to_array(self) -> np.ndarray | None:
        return self.values

    def text(self, place: int) -> str:
        return "" if self.values is None else str(self.values[place])

    @classmethod
    def claims(cls, manifest: "Manifest") -> Iterator[tuple[bool, str]]:
        yield from super().claims(manifest)
        count = len(manifest.examples.content)
        yield count == 1, f"texts are in {count} columns"

    @classmethod
    def check(cls, columns: "pd.DataFrame") -> "pd.DataFrame":
        if not all(isinstance(text, str) for name in columns for text in columns[name]):
            raise ValueError("it lacks texts")
        return columns

    @classmethod
    def encode(cls, block: "pd.DataFrame") -> Iterator[Any]:
        yield from (text.encode() for text in block.iloc[:, 0])

    @classmethod
    def label_studio_value(cls, row: "pd.Series") -> Any:
        return row.iloc[0]


@dataclass(frozen=True)
class NumberContent(Content):
    """Rows of numbers, one float32 column each."""

    values: "pd.DataFrame | None" = None

    plural = "rows"
    in_columns = True
    tag = "Table", "row"

    @property
    def width(self) -> int | None:
        return None if self.values is None else self.values.shape[-1]

    @property
    def columns(self) -> "pd.DataFrame | None":
        return self.values

    @classmethod
    def from_columns(cls, columns: "pd.DataFrame") -> Self:
        return cls(columns.reset_index(drop=True))

    def to_array(self) -> np.ndarray | None:
        return None if self.values is None else self.values.to_numpy(np.float32)

    @classmethod
    def check(cls, columns: "pd.DataFrame") -> "pd.DataFrame":
        import pandas as pd

        if not all(pd.api.types.is_numeric_dtype(columns[name]) for name in columns):
            raise ValueError("it has texts in place of numbers")
        numbers = columns.astype("float32")
        if not np.isfinite(numbers.to_numpy()).all():
            raise ValueError("it lacks numbers")
        return numbers

    @classmethod
    def encode(cls, block: "pd.DataFrame") -> Iterator[Any]:
        yield from np.ascontiguousarray(block[sorted(map(str, block))].to_numpy(np.float32))

    @classmethod
    def label_studio_value(cls, row: "pd.Series") -> Any:
        return dict(zip(map(str, row.index), row.tolist(), strict=True))
