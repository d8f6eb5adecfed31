"""Parts of an example that are hidden one after the other, to see what a prediction rests on (Zeiler & Fergus 2014)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcviz.data.drawing import edge

ACROSS = 7  # windows that stand side by side on the shorter side of an image; they overlap by half
MOST_GROUPS = 60  # of words
WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Windows:
    """Squares that cover an image and overlap by half.

    Attributes:
        height: of the image, in pixels.
        width: of the image, in pixels.
        side: of a square, in pixels.
        corners: (P, 2) int, the row and the column of the upper left pixel of each.
    """

    height: int
    width: int
    side: int
    corners: np.ndarray

    @classmethod
    def over(cls, height: int, width: int) -> "Windows":
        """The squares over an image of a size."""
        side = -(-min(height, width) // ACROSS)
        rows, columns = (
            sorted({*range(0, length - side, max(1, side // 2)), length - side}) for length in (height, width)
        )
        return cls(height, width, side, np.array([(row, column) for row in rows for column in columns]))

    @property
    def step(self) -> int:
        """Pixels from one square to the next, the side of the cells of `spread`."""
        return max(1, self.side // 2)

    def hide(self, image: np.ndarray, start: int, stop: int) -> np.ndarray:
        """An image with some of the squares painted over, each in the colour of the image's edge, the median.

        Args:
            image: (height, width, channels) float32.
            start: the number of the first square.
            stop: the number behind the last.

        Returns:
            (stop - start, height, width, channels) float32.
        """
        colour = np.median(edge(image), axis=0)
        hidden = np.repeat(image[None], stop - start, axis=0)
        for each, (row, column) in zip(hidden, self.corners[start:stop], strict=True):
            each[row : row + self.side, column : column + self.side] = colour
        return hidden

    def spread(self, values: np.ndarray) -> np.ndarray:
        """A value a square as a map: in each cell the mean over the squares that cover its centre.

        Args:
            values: (P,) floating point.

        Returns:
            (rows, columns) float64, of cells of `step` pixels.
        """
        sums, counts = np.zeros((2, self.height, self.width))
        for value, (row, column) in zip(values, self.corners, strict=True):
            sums[row : row + self.side, column : column + self.side] += value
            counts[row : row + self.side, column : column + self.side] += 1
        centres = slice(self.step // 2, None, self.step)
        cells: np.ndarray = (sums / counts)[centres, centres]
        return cells


def groups_of_words(text: str) -> list[tuple[int, int]]:
    """The beginning and the end of each word of a text; of a long text, of as many words in a row as make 60 groups."""
    words = [match.span() for match in WORD.finditer(text)]
    size = max(1, -(-len(words) // MOST_GROUPS))
    return [(words[at][0], words[min(at + size, len(words)) - 1][1]) for at in range(0, len(words), size)]


def without_each(text: str, groups: Sequence[tuple[int, int]]) -> np.ndarray:
    """(P,) of dtype object: a text without one group of its words after the other."""
    return np.array([text[:start] + text[stop:] for start, stop in groups], object)


def with_each_usual(row: np.ndarray, medians: np.ndarray) -> np.ndarray:
    """A row with one value after the other replaced by the median of its column.

    Args:
        row: (D,) float32.
        medians: (D,) of the columns.

    Returns:
        (D, D) float32.
    """
    hidden = np.repeat(row[None], len(row), axis=0)
    np.fill_diagonal(hidden, medians)
    return hidden
