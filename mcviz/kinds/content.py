"""How a run stores examples, and how they are exported and searched."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.manifest import Manifest


class Content:
    """Examples that a run does not store; the base of the other ways.

    Attributes:
        of_images: whether they are images, which have an array of their own.
        in_columns: whether they are columns of the table of examples.
        searched: the word for a value that “Find” searches, a text however few there are; "" for none.
        is_told: whether pages describe the preprocessing even if there is none.
        tag: the Label Studio tag of an example, and the field of a task's data that it shows.
    """

    of_images: ClassVar[bool] = False
    in_columns: ClassVar[bool] = False
    searched: ClassVar[str] = ""
    is_told: ClassVar[bool] = False
    tag: ClassVar[tuple[str, str]] = "Text", "id"

    def claims(self, manifest: "Manifest") -> Iterator[tuple[bool, str]]:
        """Yield conditions on a manifest of such examples, with error texts."""
        kind = manifest.examples.kind
        yield self.of_images == (manifest.images is not None), f"examples are {kind!r}"
        yield self.in_columns == bool(manifest.examples.content), f"examples are {kind!r}"

    def check(self, columns: "pd.DataFrame") -> "pd.DataFrame":
        """Return the content columns in the form of a run.

        Raises:
            ValueError: they hold something else.
        """
        raise NotImplementedError

    def encode(self, block: Any) -> Iterator[Any]:
        """Yield each example of a block, as bytes or array."""
        raise NotImplementedError

    def label_studio_value(self, row: "pd.Series") -> Any:
        """Return one example, a row of its columns, for the field of `tag`."""
        raise NotImplementedError


class ImageContent(Content):
    """Images, in an array of their own."""

    of_images = True
    is_told = True
    tag = "Image", "image"

    def encode(self, block: np.ndarray) -> Iterator[Any]:
        yield from np.ascontiguousarray(block)


class TextContent(Content):
    """Texts, in one column."""

    in_columns = True
    searched = "text"
    is_told = True
    tag = "Text", "text"

    def claims(self, manifest: "Manifest") -> Iterator[tuple[bool, str]]:
        yield from super().claims(manifest)
        count = len(manifest.examples.content)
        yield count == 1, f"texts are in {count} columns"

    def check(self, columns: "pd.DataFrame") -> "pd.DataFrame":
        if not all(isinstance(text, str) for name in columns for text in columns[name]):
            raise ValueError("it lacks texts")
        return columns

    def encode(self, block: "pd.DataFrame") -> Iterator[Any]:
        yield from (text.encode() for text in block.iloc[:, 0])

    def label_studio_value(self, row: "pd.Series") -> Any:
        return row.iloc[0]


class NumberContent(Content):
    """Rows of numbers, one float32 column each."""

    in_columns = True
    tag = "Table", "row"

    def check(self, columns: "pd.DataFrame") -> "pd.DataFrame":
        import pandas as pd  # here, because opening a run needs no pandas

        if not all(pd.api.types.is_numeric_dtype(columns[name]) for name in columns):
            raise ValueError("it has texts in place of numbers")
        numbers = columns.astype("float32")
        if not np.isfinite(numbers.to_numpy()).all():
            raise ValueError("it lacks numbers")
        return numbers

    def encode(self, block: "pd.DataFrame") -> Iterator[Any]:
        yield from np.ascontiguousarray(block[sorted(map(str, block))].to_numpy(np.float32))

    def label_studio_value(self, row: "pd.Series") -> Any:
        return dict(zip(map(str, row.index), row.tolist(), strict=True))
