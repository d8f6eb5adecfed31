"""Images, rows and texts changed a little or a lot, and noise: does the model notice?

Every kind takes a strength, the contrast: at 0 all of an image is mid-grey, at 1 it has its full range. Image `i` of a
seed is the same however many are drawn.

Every function takes `images`, (N, height, width, channels) float32 in 0..1, and returns as many of the same shape and
range. What is not covered by the image any more becomes black.

Every distortion takes `rows`, (n, D) float32, and returns as many. `others`, (N, D), are all rows of a run, which show
what values of a column are usual. Row `i` of a seed is the same however many are given.

Every function takes `texts`, (n,) of dtype object, all `str`, and returns as many. A word is what stands between white
space. Text `i` of a seed is the same however many are given.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy  # loads scipy.ndimage when it is first used

from mcviz import validate

MID_GREY = np.float32(0.5)
GAUSSIAN_STD = np.float32(0.25)
OCTAVES = (2, 4, 8)  # cells along a side of the image, each octave half as strong as the one before
ImageShape = tuple[int, ...]

ImageArray = np.ndarray
Apply = Callable[[np.ndarray, float, int, np.ndarray], np.ndarray]

MAD_TO_STD = 1.4826  # of a normal distribution
RowArray = np.ndarray

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
SPACE = re.compile(r"(\s+)")
Texts = np.ndarray
Change = Callable[[list[str], np.ndarray, np.random.Generator], None]


def uniform_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw images whose every value is uniform on [0, 1), independently.

    Args:
        count: how many images, N.
        shape: one image's (height, width, channels).
        seed: any non-negative integer.
        strength: the contrast, 0 to 1.

    Returns:
        (N, height, width, channels) float32 in 0..1.

    Raises:
        InvalidInputError: a strength that is not from 0 to 1, or a negative seed.
    """
    return _set_contrast(_generator(seed).random((count, *shape), dtype=np.float32), strength)


def gaussian_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw images whose every value is normal around mid-grey with a standard deviation of 0.25, cut off at 0 and 1.

    Args, result and errors: as in `uniform_noise`.
    """
    normal = _generator(seed).standard_normal((count, *shape), dtype=np.float32)
    return _set_contrast(np.clip(MID_GREY + GAUSSIAN_STD * normal, 0, 1), strength)


def salt_and_pepper_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw mid-grey images in which a share of the values, the strength, is black or white by the toss of a coin.

    Args, result and errors: as in `uniform_noise`.
    """
    validate.fraction("strength", strength)
    values = _generator(seed).random((count, *shape), dtype=np.float32)
    noise = np.full(values.shape, MID_GREY)
    noise[values < strength / 2] = 0
    noise[values >= 1 - strength / 2] = 1
    return noise


def smooth_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw cloudy images: random values on coarse grids, smoothly joined and added up, as in Perlin's noise (1985).

    Args, result and errors: as in `uniform_noise`.
    """
    height, width, channels = shape
    points = [(cells + 1) ** 2 * channels for cells in OCTAVES]
    numbers = _generator(seed).random((count, sum(points)), dtype=np.float32)
    clouds = np.zeros((count, *shape), np.float32)
    for octave, values in enumerate(np.split(numbers, np.cumsum(points)[:-1], axis=1)):
        cells = OCTAVES[octave]
        grid = values.reshape(count, cells + 1, cells + 1, channels)
        down, across = _interpolation_weights(height, cells), _interpolation_weights(width, cells)
        clouds += np.einsum("hi,nijc,wj->nhwc", down, grid, across) / 2**octave
    low, high = clouds.min(axis=(1, 2, 3), keepdims=True), clouds.max(axis=(1, 2, 3), keepdims=True)
    return _set_contrast((clouds - low) / np.where(high > low, high - low, 1), strength)


def constant_grey(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw images of a single grey each, uniform on [0, 1).

    Args, result and errors: as in `uniform_noise`.
    """
    levels = _generator(seed).random((count, *[1 for _ in shape]), dtype=np.float32)
    return np.broadcast_to(_set_contrast(levels, strength), (count, *shape)).copy()


@dataclass(frozen=True)
class Noise:
    """A kind of noise that a person can pick.

    Attributes:
        label: its name for people.
        meaning: one sentence on what it is.
        draw: (count, shape, seed, strength) to (count, *shape) float32 in 0..1.
    """

    label: str
    meaning: str
    draw: Callable[[int, ImageShape, int, float], np.ndarray]


NOISES: dict[str, Noise] = {
    "uniform": Noise("Uniform noise", "Every value is anything from dark to bright, by chance.", uniform_noise),
    "gaussian": Noise("Gaussian noise", "Every value scatters around the middle.", gaussian_noise),
    "salt_and_pepper": Noise(
        "Salt and pepper", "Every value is the darkest or the brightest, by chance.", salt_and_pepper_noise
    ),
    "smooth": Noise("Smooth noise", "Clouds: neighbouring pixels are alike.", smooth_noise),
    "grey": Noise("Constant grey", "One grey all over, darker or lighter by chance.", constant_grey),
}


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(validate.whole_number("seed", seed))


def _interpolation_weights(size: int, cells: int) -> np.ndarray:
    """(size, cells + 1) weights of the grid's points for each pixel: two neighbours, eased in and out."""
    position = (np.arange(size) + 0.5) / size * cells
    left = position.astype(int)
    part = position - left
    eased = part**3 * (part * (6 * part - 15) + 10)  # Perlin 2002: no kink where cells meet
    weights = np.zeros((size, cells + 1), np.float32)
    weights[np.arange(size), left] = 1 - eased
    weights[np.arange(size), left + 1] = eased
    return weights


def _set_contrast(noise: np.ndarray, strength: float) -> np.ndarray:
    validate.fraction("strength", strength)
    return noise if strength == 1 else noise * np.float32(strength) + MID_GREY * np.float32(1 - strength)


def rotate(images: ImageArray, degrees: float) -> ImageArray:
    """Turn images about their centre, counter-clockwise. Quarter turns of square images move pixels, exactly."""
    quarters, rest = divmod(degrees, 90)
    if rest == 0 and (images.shape[1] == images.shape[2] or quarters % 2 == 0):
        return np.rot90(images, int(quarters), axes=(1, 2)).copy()
    angle = np.deg2rad(degrees)
    return _mapped(images, np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))


def shift(images: ImageArray, right: float = 0.0, down: float = 0.0) -> ImageArray:
    """Move images by pixels, or parts of them; a negative number is left or up."""
    return np.clip(scipy.ndimage.shift(images, (0, down, right, 0), order=1, mode="constant"), 0, 1)


def scale(images: ImageArray, factor: float) -> ImageArray:
    """Enlarge (above 1) or shrink (below 1) images about their centre.

    Raises:
        InvalidInputError: a factor of 0 or less.
    """
    if not factor > 0:
        raise validate.invalid("factor", "above 0", factor)
    return _mapped(images, np.eye(2) / factor)


def blur(images: ImageArray, pixels: float) -> ImageArray:
    """Blur images by a Gaussian with that standard deviation in pixels.

    Raises:
        InvalidInputError: fewer than 0 pixels.
    """
    validate.number("pixels", pixels, least=0)
    return np.clip(scipy.ndimage.gaussian_filter(images, (0, pixels, pixels, 0), mode="constant"), 0, 1)


def invert(images: ImageArray, amount: float = 1.0) -> ImageArray:
    """Fade images into their negatives: 0 leaves them, 0.5 is mid-grey all over, 1 is the negative.

    Raises:
        InvalidInputError: an amount that is not from 0 to 1.
    """
    validate.fraction("amount", amount)
    return mix(images, 1 - images, amount)


def erase(images: ImageArray, side: int, seed: int = 0) -> ImageArray:
    """Blacken one square of `side` × `side` pixels at a random place within each image.

    Raises:
        InvalidInputError: a square that does not fit in.
    """
    count, height, width, _ = images.shape
    validate.whole_number("side", side, 0, min(height, width))
    corners = np.random.default_rng(seed).random((count, 2))
    top, left = (corners * (height - side + 1, width - side + 1)).astype(int).T
    row, column = np.arange(height), np.arange(width)
    rows = (row >= top[:, None]) & (row < top[:, None] + side)
    columns = (column >= left[:, None]) & (column < left[:, None] + side)
    return np.where((rows[:, :, None] & columns[:, None, :])[..., None], np.float32(0), images)


def mix(images: ImageArray, others: ImageArray, weight: float = 0.5) -> ImageArray:
    """Lay other images over these, pixel by pixel: 0 leaves them, 0.5 is half of each, 1 is the others.

    Args:
        images: (N, height, width, channels) float32 in 0..1.
        others: of the same shape, or one image for all, (1, height, width, channels).
        weight: of the others, 0 to 1.

    Raises:
        InvalidInputError: a weight that is not from 0 to 1.
    """
    validate.fraction("weight", weight)
    return images * np.float32(1 - weight) + others * np.float32(weight)


def shuffle_pixels(images: ImageArray, share: float = 1.0, seed: int = 0) -> ImageArray:
    """Let a random share of each image's pixels change places with each other; 1 keeps nothing but the histogram.

    Raises:
        InvalidInputError: a share that is not from 0 to 1.
    """
    validate.fraction("share", share)
    count, height, width, channels = images.shape
    shuffled = images.reshape(count, height * width, channels).copy()
    moving = round(share * height * width)
    random = np.random.default_rng(seed)
    for image in shuffled:
        order = random.permutation(height * width)  # its first entries are a random choice in random order
        chosen = order[:moving]
        image[np.sort(chosen)] = image[chosen]
    return shuffled.reshape(images.shape)


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
    apply: Apply
    opposite: float | None = None
    is_share: bool = False
    seeded: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest amount."""
        other = self.unchanged if self.opposite is None else self.opposite
        return min(other, self.strongest), max(other, self.strongest)


def drawn_share(label: str, unit: str, apply: Apply) -> Distortion:
    """A distortion of none, some or all of an example, drawn at random; arguments are the attributes of the result."""
    return Distortion(label, unit, 0, 1, 0.05, apply, is_share=True, seeded=True)


def _of_side(images: ImageArray, share: float) -> float:
    return share * min(images.shape[1:3])


def _shift(label: str, apply: Apply) -> Distortion:
    return Distortion(label, "of the side", 0, 0.5, 0.02, apply, opposite=-0.5, is_share=True)


DISTORTIONS: dict[str, Distortion] = {
    "rotate": Distortion("Rotate", "degrees", 0, 180, 5, lambda x, amount, *_: rotate(x, amount), opposite=-180),
    "shift_right": _shift("Shift right", lambda x, share, *_: shift(x, right=_of_side(x, share))),
    "shift_down": _shift("Shift down", lambda x, share, *_: shift(x, down=_of_side(x, share))),
    "scale": Distortion("Scale", "times", 1, 3, 0.1, lambda x, amount, *_: scale(x, amount), opposite=0.2),
    "blur": Distortion(
        "Blur", "of the side", 0, 0.2, 0.01, lambda x, share, *_: blur(x, _of_side(x, share)), is_share=True
    ),
    "invert": Distortion(
        "Invert", "of the negative", 0, 1, 0.05, lambda x, amount, *_: invert(x, amount), is_share=True
    ),
    "erase": drawn_share(
        "Erase a block", "of the side", lambda x, share, seed, _: erase(x, round(_of_side(x, share)), seed)
    ),
    "mix": Distortion(
        "Mix with another", "of the other", 0, 1, 0.05, lambda x, part, _, other: mix(x, other, part), is_share=True
    ),
    "shuffle": drawn_share("Shuffle pixels", "of the pixels", lambda x, share, seed, _: shuffle_pixels(x, share, seed)),
}


def _mapped(images: ImageArray, to_source: np.ndarray) -> ImageArray:
    """Images whose pixel at an offset (down, right) from the centre comes from `to_source` times that offset."""
    matrix = np.eye(4)
    matrix[1:3, 1:3] = to_source
    centre = (np.array(images.shape) - 1) / 2
    mapped = scipy.ndimage.affine_transform(images, matrix, offset=centre - matrix @ centre, order=1, mode="constant")
    return np.clip(mapped, 0, 1)


def shuffle_columns(rows: RowArray, others: RowArray, share: float = 1.0, seed: int = 0) -> RowArray:
    """Give columns the values of other rows, each column shuffled on its own: what ties it to the others is lost.

    Args:
        rows: (n, D) float32.
        others: (N, D), whose columns are shuffled; where they are `rows`, each column keeps its values.
        share: of the columns, 0 to 1, which are drawn at random.
        seed: any non-negative integer.

    Raises:
        InvalidInputError: a share that is not from 0 to 1.
    """
    random, shuffled = np.random.default_rng(seed), rows.copy()
    columns = rows.shape[1]
    for column in random.permutation(columns)[: round(validate.fraction("share", share) * columns)]:
        shuffled[:, column] = np.resize(random.permutation(others[:, column]), len(rows))
    return shuffled


def out_of_range(rows: RowArray, others: RowArray, ranges: float, column: int) -> RowArray:
    """Set one column beyond all that it has elsewhere.

    Args:
        rows: (n, D) float32.
        others: (N, D), whose smallest and largest value are the range.
        ranges: how many ranges beyond: above the largest, or below the smallest where it is negative; 0 leaves rows.
        column: which, counted from 0.

    Raises:
        InvalidInputError: no such column.
    """
    validate.whole_number("column", column, 0, rows.shape[1] - 1)
    if ranges == 0:
        return rows.copy()
    low, high = float(others[:, column].min()), float(others[:, column].max())
    width = (high - low) or 1.0
    moved = rows.copy()
    moved[:, column] = (high if ranges > 0 else low) + ranges * width
    return moved


def add_noise(rows: RowArray, others: RowArray, share: float, seed: int = 0) -> RowArray:
    """Add Gaussian noise whose standard deviation is a share of each column's own.

    Args:
        rows: (n, D) float32.
        others: (N, D), whose standard deviations are meant.
        share: of the standard deviation, 0 or more.
        seed: any non-negative integer.

    Raises:
        InvalidInputError: a share below 0.
    """
    validate.number("share", share, least=0)
    noise = np.random.default_rng(seed).standard_normal(rows.shape, dtype=np.float32)
    return rows + noise * (share * others.std(axis=0, dtype=np.float64)).astype(np.float32)


@dataclass(frozen=True)
class ColumnStats:
    """The usual values of each column.

    Attributes:
        median: (D,) float64.
        spread: (D,) float64, the standard deviation as the median absolute deviation (MAD) gives it; where that is 0,
            the standard deviation itself.
    """

    median: np.ndarray
    spread: np.ndarray

    def z(self, some: RowArray) -> np.ndarray:
        """How far values lie from the median of their column, in standard deviations.

        Args:
            some: (n, D), or (D,) of one row.

        Returns:
            float64 of the same shape, negative below the median; infinite where a column has another value than the
            only one that it has elsewhere.
        """
        away = some - self.median
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(away == 0, 0.0, away / self.spread)


def column_stats(rows: RowArray) -> ColumnStats:
    """Return the usual values of each column of rows (N, D)."""
    rows = rows.astype(np.float64)
    median = np.median(rows, axis=0)
    spread = MAD_TO_STD * np.median(np.abs(rows - median), axis=0)
    return ColumnStats(median, np.where(spread > 0, spread, rows.std(axis=0)))


def most_unusual(z: np.ndarray) -> np.ndarray:
    """(D,) int64: the columns of a row, the most unusual first, by (D,) z as `Usual.z` gives them."""
    return np.argsort(-np.abs(z), kind="stable")


ROW_DISTORTIONS: dict[str, Distortion] = {
    "shuffle_columns": drawn_share(
        "Shuffle columns",
        "of the columns",
        lambda rows, share, seed, others: shuffle_columns(rows, others, share, seed),
    ),
    "out_of_range": Distortion(
        "Out of range",
        "ranges beyond, in a random column",
        0,
        10,
        0.5,
        lambda rows, ranges, seed, others: out_of_range(rows, others, ranges, _any_column(rows, seed)),
        opposite=-10,
        seeded=True,
    ),
    "noise": Distortion(
        "Gaussian noise",
        "of each column's std",
        0,
        5,
        0.1,
        lambda rows, share, seed, others: add_noise(rows, others, share, seed),
        is_share=True,
        seeded=True,
    ),
}


def _any_column(rows: RowArray, seed: int) -> int:
    return int(np.random.default_rng(seed).integers(rows.shape[1]))


def shuffle_words(texts: Texts, share: float = 1.0, seed: int = 0) -> Texts:
    """Let a random share of each text's words change places with each other; 1 keeps nothing but which words there are.

    Raises:
        InvalidInputError: a share that is not from 0 to 1.
    """

    def shuffle(words: list[str], chosen: np.ndarray, random: np.random.Generator) -> None:
        held = [words[place] for place in random.permutation(chosen)]
        for place, word in zip(chosen, held, strict=True):
            words[place] = word

    return _changed(texts, share, seed, shuffle)


def drop_words(texts: Texts, share: float, seed: int = 0) -> Texts:
    """Leave out a random share of each text's words.

    Raises:
        InvalidInputError: a share that is not from 0 to 1.
    """

    def drop(words: list[str], chosen: np.ndarray, _: np.random.Generator) -> None:
        for place in chosen:
            words[place] = ""

    dropped = _changed(texts, share, seed, drop)
    for place, (text, before) in enumerate(zip(dropped, texts, strict=True)):
        dropped[place] = before if text == before else " ".join(text.split())
    return dropped


def random_words(texts: Texts, others: Texts, share: float = 1.0, seed: int = 0) -> Texts:
    """Replace a random share of each text's words by words of other texts, as frequent as they are there.

    Args:
        texts: (n,) `str`.
        others: (N,) `str`, such as all texts of a run.
        share: of the words, 0 to 1.
        seed: any non-negative integer.

    Raises:
        InvalidInputError: a share that is not from 0 to 1, or others without any word.
    """
    known = np.array(" ".join(others).split(), object)
    if not len(known):
        raise validate.invalid("others", "texts with words", "none")

    def replace(words: list[str], chosen: np.ndarray, random: np.random.Generator) -> None:
        for place, word in zip(chosen, random.choice(known, len(chosen)), strict=True):
            words[place] = word

    return _changed(texts, share, seed, replace)


def random_characters(texts: Texts, share: float = 1.0, seed: int = 0) -> Texts:
    """Replace a random share of each text's characters that are no white space by letters from a to z.

    Raises:
        InvalidInputError: a share that is not from 0 to 1.
    """
    changed = np.empty(len(texts), object)
    for number, text in enumerate(texts):
        characters = list(text)
        random = np.random.default_rng([seed, number])
        chosen = _drawn(random, [place for place, character in enumerate(characters) if not character.isspace()], share)
        for place, letter in zip(chosen, random.choice(LETTERS, len(chosen)), strict=True):
            characters[place] = str(letter)
        changed[number] = "".join(characters)
    return changed


TEXT_DISTORTIONS: dict[str, Distortion] = {
    "shuffle_words": drawn_share(
        "Shuffle words", "of the words", lambda texts, share, seed, _: shuffle_words(texts, share, seed)
    ),
    "drop_words": drawn_share(
        "Drop words", "of the words", lambda texts, share, seed, _: drop_words(texts, share, seed)
    ),
    "random_words": drawn_share(
        "Words of other texts",
        "of the words",
        lambda texts, share, seed, others: random_words(texts, others, share, seed),
    ),
    "random_characters": drawn_share(
        "Random characters", "of the characters", lambda texts, share, seed, _: random_characters(texts, share, seed)
    ),
}


def _changed(texts: Texts, share: float, seed: int, change: Change) -> Texts:
    """Texts of which a random share of the words is changed, with the white space between them as it was."""
    changed = np.empty(len(texts), object)
    for number, text in enumerate(texts):
        parts = SPACE.split(text)  # words at even places, with nothing before and after white space at the ends
        random = np.random.default_rng([seed, number])
        chosen = _drawn(random, [place for place in range(0, len(parts), 2) if parts[place]], share)
        change(parts, chosen, random)
        changed[number] = "".join(parts)
    return changed


def _drawn(random: np.random.Generator, places: list[int], share: float) -> np.ndarray:
    """A share of some places."""
    return random.permutation(np.array(places, int))[: round(validate.fraction("share", share) * len(places))]


def noise_of_words(count: int, others: Texts, seed: int) -> Texts:
    """Draw texts of random words: each has the length of one of some texts, whose words are as frequent as in these.

    Args:
        count: how many texts.
        others: (N,) `str`, such as texts of a run; where they have no words, letters take their place.
        seed: any non-negative integer.

    Returns:
        (count,) of dtype object, all `str`.

    Raises:
        InvalidInputError: a negative seed.
    """
    known = _with_words(others)
    return random_words(_some_of(known, count, seed), known, seed=seed)


def noise_of_characters(count: int, others: Texts, seed: int) -> Texts:
    """Draw texts of random letters: each has the length of one of some texts, and its white space.

    Args, result and errors: as in `noise_of_words`.
    """
    return random_characters(_some_of(_with_words(others), count, seed), seed=seed)


@dataclass(frozen=True)
class TextNoise:
    """A kind of noise among texts that a person can pick.

    Attributes:
        label: its name for people.
        meaning: one sentence on what it is.
        draw: (count, others, seed) to (count,) texts.
    """

    label: str
    meaning: str
    draw: Callable[[int, Texts, int], Texts]


TEXT_NOISES: dict[str, TextNoise] = {
    "words": TextNoise("Random words", "Words of this run's texts, as frequent as there.", noise_of_words),
    "characters": TextNoise(
        "Random characters", "Letters from a to z, in words as long as in this run's texts.", noise_of_characters
    ),
}


def _with_words(texts: Texts) -> Texts:
    not_empty = [text for text in texts if text.strip()]
    return np.array(not_empty or LETTERS, object)


def _some_of(texts: Texts, count: int, seed: int) -> Texts:
    random = np.random.default_rng(validate.whole_number("seed", seed))
    return texts[random.integers(len(texts), size=count)]
