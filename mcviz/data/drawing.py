"""Drawings as images, and parts of an example that are hidden in turn."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy  # loads scipy.ndimage when it is first used
from PIL import Image, ImageDraw

from mcviz import validate

FINE_SIDE = 512  # pixels that strokes are drawn at before they are averaged
MOST_POINTS = 20_000
MNIST_BOX = 20 / 28
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # of red, green and blue in grey: ITU-R BT.601
PAPER_BELOW = 0.25  # of the brightest: not ink, but paper and its shadows

ACROSS = 7  # windows that stand side by side on the shorter side of an image; they overlap by half
MOST_GROUPS = 60  # of words
WORD = re.compile(r"\S+")


def border_pixels(image: np.ndarray) -> np.ndarray:
    """Return (2 · (height + width), channels) pixels along the edges of an image."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


@dataclass(frozen=True)
class Stroke:
    """One line, drawn without lifting the pen.

    Attributes:
        width: of the pen, as a fraction of the paper's smaller side.
        points: ((x, y), …) as fractions of the paper's width and height, from the upper left corner.
    """

    width: float
    points: tuple[tuple[float, float], ...]


def render_strokes(strokes: Sequence[Stroke], height: int, width: int) -> np.ndarray:
    """Draw smooth white strokes with round ends on black.

    Args:
        strokes: what was drawn; what lies outside the paper is cut off.
        height: of the image in pixels.
        width: of the image in pixels.

    Returns:
        (height, width) float32 in 0..1: the share of each pixel that is covered.

    Raises:
        InvalidInputError: more than 20,000 points, or numbers that are not finite.
    """
    numbers = [value for stroke in strokes for point in stroke.points for value in (stroke.width, *point)]
    if len(numbers) > 3 * MOST_POINTS or not np.isfinite(numbers).all():
        expected = f"lines of at most {MOST_POINTS:,} points together, all of them finite"
        raise validate.invalid("strokes", expected, f"{len(numbers) // 3:,} points")
    fine = max(1, FINE_SIDE // max(height, width))
    paper = Image.new("L", (fine * width, fine * height))
    pen = ImageDraw.Draw(paper)
    for stroke in strokes:
        points = np.clip(stroke.points, -1, 2) * paper.size
        radius = min(max(stroke.width, 0.0), 1.0) * min(paper.size) / 2
        for start, end in pairwise(points):
            pen.polygon(_band(start, end, radius), fill=255)
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    covered = np.asarray(paper, dtype=np.float32).reshape(height, fine, width, fine)
    return covered.mean(axis=(1, 3)) / np.float32(255)


def center_digit(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Fit a digit like MNIST's: 20 of 28 pixels, centre of mass in the middle (LeCun et al. 1998).

    Pixels darker than a quarter of the brightest are paper.

    Args:
        ink: (h, w) floating point in 0..1, bright on dark; best larger than the result.
        height: of the image in pixels.
        width: of the image in pixels.

    Returns:
        (height, width) float32 in 0..1; all black where there is no ink.
    """
    if ink.max() <= 0:
        return np.zeros((height, width), np.float32)
    ink = np.where(ink < PAPER_BELOW * ink.max(), 0, ink)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    scale = MNIST_BOX * min(height, width) / max(box.shape)
    size = max(1, round(box.shape[1] * scale)), max(1, round(box.shape[0] * scale))
    digit = np.clip(np.asarray(Image.fromarray(box).resize(size, Image.Resampling.BILINEAR)), 0, 1)
    mass = scipy.ndimage.center_of_mass(digit)
    image = np.zeros((height, width), np.float32)
    top = _within(round((height - 1) / 2 - mass[0]), height - digit.shape[0])
    left = _within(round((width - 1) / 2 - mass[1]), width - digit.shape[1])
    image[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return image


def _band(start: np.ndarray, end: np.ndarray, radius: float) -> list[tuple[float, float]]:
    along = end - start
    length = float(np.hypot(*along)) or 1.0
    across = np.array([-along[1], along[0]]) / length * radius
    return [tuple(corner) for corner in (start + across, end + across, end - across, start - across)]


def _within(offset: int, room: int) -> int:
    return min(max(offset, 0), room)


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
        """Pixels between squares, the side of cells of `spread`."""
        return max(1, self.side // 2)

    def hide(self, image: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Paint squares of an image in the median colour of its edge.

        Args:
            image: (height, width, channels) float32.
            start: the number of the first square.
            stop: the number behind the last.

        Returns:
            (stop - start, height, width, channels) float32.
        """
        colour = np.median(border_pixels(image), axis=0)
        hidden = np.repeat(image[None], stop - start, axis=0)
        for hidden_image, (row, column) in zip(hidden, self.corners[start:stop], strict=True):
            hidden_image[row : row + self.side, column : column + self.side] = colour
        return hidden

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Map square values to cells, averaged over covering squares.

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
    """Return ends of words, or of 60 groups of a long text."""
    words = [match.span() for match in WORD.finditer(text)]
    size = max(1, -(-len(words) // MOST_GROUPS))
    return [(words[at][0], words[min(at + size, len(words)) - 1][1]) for at in range(0, len(words), size)]


def drop_each_group(text: str, groups: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return (P,) objects: the text without one group each."""
    return np.array([text[:start] + text[stop:] for start, stop in groups], object)


def replace_each_by_median(row: np.ndarray, medians: np.ndarray) -> np.ndarray:
    """Return rows with one value each replaced by the column's median.

    Args:
        row: (D,) float32.
        medians: (D,) of the columns.

    Returns:
        (D, D) float32.
    """
    hidden = np.repeat(row[None], len(row), axis=0)
    np.fill_diagonal(hidden, medians)
    return hidden
